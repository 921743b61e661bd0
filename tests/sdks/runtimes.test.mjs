// The JavaScript edition where course apps run it: every vector, in Node, Deno, workerd and Chromium.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { withChromium } from '../browser/chromium.mjs';

const sdk = fileURLToPath(new URL('../../sdk/javascript/', import.meta.url));
const modules = readdirSync(sdk).filter((name) => name.endsWith('.js') && !name.endsWith('.test.js'));
const vectors = readFileSync(new URL('../../sdk/vectors.json', import.meta.url), 'utf8');
// What differs from what the vectors say, and how many of each list were asked. `lectern` and `vectors` are in scope.
const ask = `async () => {
    const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    const options = (members) => Object.fromEntries(Object.entries(members).map(([name, value]) => [camel(name), value]));
    const verify = (vector, edge) => lectern.verify(vector.token, vector.url === undefined ? edge : { ...edge, url: vector.url });
    const mint = (vector, edge) => lectern.mint(vector.claims, edge);
    const link = (vector, edge) => lectern[camel(vector.call)](vector.url, edge);
    const calls = {
        mint, link, embed: link, verify, refused_claims: mint, refused_links: link, refused_tokens: verify,
        refused_keys: async (vector) => lectern.keyIds(vector.keys),
    };
    const wrong = [];
    const asked = {};
    for (const [list, entries] of Object.entries(vectors).filter(([, entries]) => Array.isArray(entries))) {
        for (const vector of entries) {
            const { now, max_link_age, max_watch } = vector;
            const bounds = Object.entries({ now, max_link_age, max_watch }).filter(([, value]) => value !== undefined);
            const edge = { keys: vectors.keys, ...options({ ...Object.fromEntries(bounds), ...vector.options }) };
            const found = await calls[list](vector, edge).catch((error) => error.code ?? String(error));
            const expected = { mint: vector.token, link: vector.link, embed: vector.link, verify: vector.claims?.exp }[list] ?? vector.error;
            if ((list === 'verify' ? found.exp : found) !== expected) wrong.push([list, vector.name, found]);
            asked[list] = (asked[list] ?? 0) + 1;
        }
    }
    return { wrong, asked };
}`;
const check = ({ wrong, asked }) => {
    assert.deepEqual(wrong, []);
    const all = Object.entries(JSON.parse(vectors)).filter(([, entries]) => Array.isArray(entries));
    assert.deepEqual(asked, Object.fromEntries(all.map(([list, entries]) => [list, entries.length])));
};

test('in Node the JavaScript edition does what the vectors say', async () => {
    const lectern = { ...(await import('../../sdk/javascript/lectern.js')), ...(await import('../../sdk/javascript/verify.js')) };
    check(await new Function('lectern', 'vectors', `return (${ask})()`)(lectern, JSON.parse(vectors)));
});

test('in Deno the JavaScript edition does what the vectors say, and finds its keys in the environment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lectern-deno-'));
    try {
        cpSync(sdk, join(folder, 'lectern'), { recursive: true });
        writeFileSync(join(folder, 'main.js'), `import * as minting from './lectern/lectern.js';
            import { verify } from './lectern/verify.js';
            const lectern = { ...minting, verify };
            const vectors = ${vectors};
            const found = await (${ask})();
            console.log(JSON.stringify({ ...found, ids: lectern.keyIds() }));`);
        const deno = fileURLToPath(new URL('../../node_modules/deno/bin.cjs', import.meta.url));
        const env = { ...process.env, DENO_DIR: join(folder, 'cache'), DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1', LECTERN_KEYS: JSON.parse(vectors).keys };
        const run = (command, ...args) => promisify(execFile)(process.execPath, [deno, command, '--no-config', '--no-lock', '--no-remote', '--no-npm', ...args], { env });
        const { stdout } = await run('run', '--no-prompt', '--allow-env=LECTERN_KEYS', join(folder, 'main.js'));
        const { ids, ...found } = JSON.parse(stdout);
        check(found);
        assert.deepEqual(ids, ['2026-11', 'old._-']);
        // The types are found without a package too.
        writeFileSync(join(folder, 'app.ts'), `import { link, type ErrorCode } from './lectern/lectern.js';
            import { verify } from './lectern/verify.js';
            export const sub: Promise<string | undefined> = link('https://h/a').then(verify).then((claims) => claims.sub);
            export const code: ErrorCode = 'expired';
            // @ts-expect-error options are in camel case
            link('https://h/a', { max_height: 480 });`);
        await run('check', join(folder, 'app.ts'));
    } finally {
        rmSync(folder, { recursive: true });
    }
});

test('in workerd the JavaScript edition does what the vectors say', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lectern-workerd-'));
    const files = {
        'worker.js': `import * as minting from './lectern.js';
            import { verify } from './verify.js';
            const lectern = { ...minting, verify };
            const vectors = ${vectors};
            export default { async test() { console.log('found ' + JSON.stringify(await (${ask})())); } };`,
        'config.capnp': `using Workerd = import "/workerd/workerd.capnp";
            const config :Workerd.Config = (services = [(name = "app", worker = (compatibilityDate = "2026-01-01", modules = [
                (name = "worker.js", esModule = embed "worker.js"),
                ${modules.map((name) => `(name = "${name}", esModule = embed "${name}"),`).join(' ')}
            ]))]);`,
    };
    try {
        for (const name of modules) cpSync(join(sdk, name), join(folder, name));
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
        const name = request.url.slice(1);
        const isPage = !modules.includes(name);
        response.setHeader('content-type', isPage ? 'text/html' : 'text/javascript');
        response.end(isPage ? '<!doctype html><title>An app</title>' : readFileSync(join(sdk, name)));
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    try {
        await withChromium(async (context) => {
            const page = await context.newPage();
            await page.goto(`http://127.0.0.1:${server.address().port}/`);
            check(await page.evaluate(`Promise.all([import('/lectern.js'), import('/verify.js')]).then(([minting, { verify }]) => {
                const lectern = { ...minting, verify };
                const vectors = ${vectors};
                return (${ask})();
            })`));
        });
    } finally {
        server.close();
        server.closeAllConnections();
    }
});
