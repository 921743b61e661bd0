// The JavaScript edition where course apps run it beside Node: every vector that mints or verifies, in workerd and in Chromium.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { withChromium } from '../browser/chromium.mjs';

const edition = readFileSync(new URL('../../sdk/javascript/lectern.js', import.meta.url), 'utf8');
const vectors = readFileSync(new URL('../../sdk/vectors.json', import.meta.url), 'utf8');
// What differs from what the vectors say, and how many were asked. `lectern` and `vectors` are in scope.
const ask = `async () => {
    const wrong = [];
    let asked = 0;
    for (const list of ['mint', 'verify', 'refused_claims', 'refused_tokens']) {
        for (const vector of vectors[list]) {
            const edge = { keys: vectors.keys, now: vector.now, url: vector.url, maxLinkAge: vector.max_link_age, maxWatch: vector.max_watch };
            const ask = vector.token !== undefined && list !== 'mint' ? lectern.verify(vector.token, edge) : lectern.mint(vector.claims, edge);
            const found = await ask.catch((error) => error.code ?? String(error));
            const right = list === 'mint' ? found === vector.token : list === 'verify' ? found.exp === vector.claims.exp : found === vector.error;
            if (!right) wrong.push([vector.name, found]);
            asked += 1;
        }
    }
    return { wrong, asked };
}`;
const check = ({ wrong, asked }) => {
    assert.deepEqual(wrong, []);
    assert.ok(asked > 300, `${asked}`);
};

test('in workerd the JavaScript edition does what the vectors say', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lectern-workerd-'));
    const files = {
        'lectern.js': edition,
        'worker.js': `import * as lectern from './lectern.js';
            const vectors = ${vectors};
            export default { async test() { console.log('found ' + JSON.stringify(await (${ask})())); } };`,
        'config.capnp': `using Workerd = import "/workerd/workerd.capnp";
            const config :Workerd.Config = (services = [(name = "app", worker = (compatibilityDate = "2026-01-01", modules = [
                (name = "worker.js", esModule = embed "worker.js"), (name = "lectern.js", esModule = embed "lectern.js"),
            ]))]);`,
    };
    try {
        for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
        const workerd = fileURLToPath(new URL('../../node_modules/workerd/bin/workerd', import.meta.url));
        const { stdout, stderr } = await promisify(execFile)(workerd, ['test', join(folder, 'config.capnp')]);
        check(JSON.parse(/found (\{.*\})/.exec(stdout + stderr)[1]));
    } finally {
        rmSync(folder, { recursive: true });
    }
});

test('in Chromium the JavaScript edition does what the vectors say', async () => {
    const server = createServer((request, response) => {
        const isPage = request.url === '/';
        response.setHeader('content-type', isPage ? 'text/html' : 'text/javascript');
        response.end(isPage ? '<!doctype html><title>An app</title>' : edition);
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    try {
        await withChromium(async (context) => {
            const page = await context.newPage();
            await page.goto(`http://127.0.0.1:${server.address().port}/`);
            check(await page.evaluate(`import('/lectern.js').then((lectern) => { const vectors = ${vectors}; return (${ask})(); })`));
        });
    } finally {
        server.close();
        server.closeAllConnections();
    }
});
