// Each edition as the package of its language: built, installed from its folder as docs/mint.md says, offline, and used from there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const { keys } = JSON.parse(readFileSync(join(root, 'sdk/vectors.json'), 'utf8'));
const python = join(root, '.tools/venv/bin/python');

/** An app's folder with the language's edition where the guide puts it; `run` runs a program there. */
async function inApp(language, files, use) {
    const app = mkdtempSync(join(tmpdir(), `lectern-${language}-`));
    const run = async (program, ...args) => {
        const env = {
            ...process.env,
            HOME: app,
            LECTERN_KEYS: keys,
            GEM_HOME: join(app, 'gems'),
            GEM_PATH: join(app, 'gems'),
            COMPOSER_ALLOW_SUPERUSER: '1',
            COMPOSER_DISABLE_NETWORK: '1',
            GOPROXY: 'off',
            GOFLAGS: '-mod=mod',
            GOCACHE: process.env.GOCACHE ?? join(root, '.tools/go'),
            CGO_ENABLED: '0',
            npm_config_offline: 'true',
            npm_config_update_notifier: 'false',
        };
        const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: app, env });
        return { stdout, stderr };
    };
    try {
        cpSync(join(root, 'sdk', language), join(app, 'third_party/lectern'), { recursive: true });
        for (const [name, text] of Object.entries(files)) {
            mkdirSync(dirname(join(app, name)), { recursive: true });
            writeFileSync(join(app, name), text);
        }
        await use(run, app);
    } finally {
        rmSync(app, { recursive: true });
    }
}

test('every package has the licence, and the same one', () => {
    const mit = readFileSync(join(root, 'LICENSE-MIT'), 'utf8');
    for (const language of ['ruby', 'javascript', 'python', 'php', 'go']) {
        const licence = readFileSync(join(root, 'sdk', language, 'LICENSE'), 'utf8');
        assert.ok(licence.includes('either of the Apache License, Version 2.0') && licence.endsWith(mit), language);
    }
});

test('the gem is built, installed and required', () =>
    inApp('ruby', {}, async (run) => {
        const { stdout, stderr } = await run('gem', 'build', '-C', 'third_party/lectern', 'lectern.gemspec');
        // The project has no address on the web yet.
        assert.deepEqual((stdout + stderr).split('\n').filter((line) => line.startsWith('WARNING') && !line.includes('See https')), ['WARNING:  no homepage specified']);
        await run('gem', 'install', '--local', '--no-document', 'third_party/lectern/lectern-0.1.0.gem');
        const listed = (await run('gem', 'contents', 'lectern')).stdout;
        for (const file of ['LICENSE', 'lib/lectern.rb', 'lib/lectern/rails.rb', 'lib/lectern/verify.rb', 'sig/lectern.rbs', 'sig/lectern/verify.rbs', 'initializer.rb']) {
            assert.ok(listed.includes(`/${file}\n`), listed);
        }
        assert.equal((await run('ruby', '-W', '-e', 'require "lectern"; require "lectern/rails"; print Lectern.key_ids')).stdout, '["2026-11", "old._-"]');
        const verified = 'require "lectern/verify"; print Lectern.verify(Lectern.link("https://h/a", viewer: "s42"))[:sub]';
        assert.equal((await run('ruby', '-W', '-e', verified)).stdout, 's42');
    }));

test('the npm package is packed, installed and imported, with its types', () =>
    inApp('javascript', { 'package.json': '{ "type": "module" }', 'app.mjs': "import { keyIds } from 'lectern';\nconsole.log(...keyIds());\n" }, async (run, app) => {
        const [packed] = JSON.parse((await run('npm', 'pack', './third_party/lectern', '--json')).stdout);
        assert.deepEqual(packed.files.map(({ path }) => path).sort(), [
            'LICENSE', 'claims.js', 'error.js', 'keys.js', 'lectern.d.ts', 'lectern.js', 'package.json', 'urls.js', 'verify.d.ts', 'verify.js',
        ]);
        await run('npm', 'install', '--no-audit', '--no-fund', packed.filename);
        assert.equal((await run('node', 'app.mjs')).stdout, '2026-11 old._-\n');
        writeFileSync(join(app, 'verify.mjs'), "import { link } from 'lectern';\nimport { verify } from 'lectern/verify';\nconsole.log((await verify(await link('https://h/a', { viewer: 's42' }))).sub);\n");
        assert.equal((await run('node', 'verify.mjs')).stdout, 's42\n');
        writeFileSync(join(app, 'app.ts'), `import { link, type ErrorCode } from 'lectern';
            import { verify } from 'lectern/verify';
            export const made: Promise<string> = link('https://h/a');
            export const sub: Promise<string | undefined> = made.then(verify).then((claims) => claims.sub);
            export const code: ErrorCode = 'expired';`);
        await run(join(root, 'node_modules/.bin/tsc'), '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', 'app.ts');
    }));

test('the wheel is built, installed and imported, with its types', () =>
    inApp('python', { 'app.py': 'from lectern import key_ids, link\nfrom lectern.verify import verify\nmade: str = link("https://h/a", viewer="s42")\nprint(*key_ids(), verify(made)["sub"])\n' }, async (run, app) => {
        await run(python, '-m', 'pip', 'wheel', '--quiet', '--no-index', '--no-deps', '--no-build-isolation', '-w', 'wheels', './third_party/lectern');
        const [wheel] = readdirSync(join(app, 'wheels'));
        await run(python, '-m', 'pip', 'install', '--quiet', '--no-index', '--target', 'site', `wheels/${wheel}`);
        const installed = readdirSync(join(app, 'site'), { recursive: true }).filter((name) => !name.includes('__pycache__') && name.includes('.')).sort();
        for (const file of ['lectern/__init__.py', 'lectern/verify.py', 'lectern/py.typed', 'lectern-0.1.0.dist-info/licenses/LICENSE']) assert.ok(installed.includes(file), installed.join(' '));
        assert.ok(!installed.some((name) => /typed\.py$|test_/.test(name)), installed.join(' '));
        const path = `import sys; sys.path.insert(0, "site"); exec(open("app.py").read())`;
        assert.equal((await run(python, '-W', 'error', '-c', path)).stdout, '2026-11 old._- s42\n');
    }));

test('the Composer package is valid, required and loaded', () => {
    const composer = { repositories: [{ type: 'path', url: 'third_party/lectern' }, { 'packagist.org': false }] };
    const app = `<?php
        require 'vendor/autoload.php';
        echo Lectern\\Verifier::verify(Lectern\\Lectern::link('https://h/a', viewer: 's42'))['sub'], ' ', implode(' ', Lectern\\Lectern::keyIds());`;
    return inApp('php', { 'composer.json': JSON.stringify(composer), 'app.php': app }, async (run) => {
        await run('composer', 'validate', '--strict', '--no-interaction', 'third_party/lectern/composer.json');
        await run('composer', 'require', '--no-interaction', '--no-plugins', '--quiet', 'lectern/lectern:@dev');
        assert.equal((await run('php', 'app.php')).stdout, 's42 2026-11 old._-');
    });
});

test('the Go module is required and built', () => {
    const module = 'module app\n\ngo 1.19\n\nrequire lectern v0.0.0\n\nreplace lectern => ./third_party/lectern\n';
    const app = 'package main\n\nimport (\n\t"fmt"\n\n\t"lectern"\n)\n\nfunc main() { fmt.Println(lectern.KeyIDs("")) }\n';
    return inApp('go', { 'go.mod': module, 'main.go': app }, async (run) => {
        assert.equal((await run('go', 'run', '.')).stdout, '[2026-11 old._-] <nil>\n');
    });
});
