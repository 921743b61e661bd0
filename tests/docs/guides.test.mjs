// Every code block of the guides is run, in its own language and against the SDK; what it mints is verified. A block that
// nobody runs fails the test. Rails, Django and Flask are the real ones; of Laravel, the
// few calls that are shown are stood in for.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';

import { keyIds, verify } from '../../sdk/javascript/lectern.js';

const root = join(import.meta.dirname, '../..');
const vectors = JSON.parse(readFileSync(join(root, 'sdk/vectors.json'), 'utf8'));
const { keys } = vectors;
const edge = 'https://video.school.example';
const folder = mkdtempSync(join(tmpdir(), 'lectern-docs-'));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'node_modules'));
symlinkSync(join(root, 'sdk/javascript'), join(folder, 'node_modules/lectern'));
const python = existsSync(join(root, '.tools/venv/bin/python')) ? join(root, '.tools/venv/bin/python') : 'python3';

/** The fenced blocks of a guide. */
function blocks(guide) {
    const text = readFileSync(join(root, 'docs', guide), 'utf8');
    return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({ language, code }));
}

/** Runs a program over a file of this text; returns what it printed. */
async function run(name, text, [program, ...before], { cwd = folder, env = {} } = {}) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    const { stdout } = await promisify(execFile)(program, [...before, file], {
        cwd,
        env: {
            ...process.env,
            LECTERN_KEYS: keys,
            LECTERN_EDGE: edge,
            PYTHONPATH: join(root, 'sdk/python'),
            PYTHONDONTWRITEBYTECODE: '1',
            GOCACHE: join(root, '.tools/go'),
            GOPROXY: 'off',
            CGO_ENABLED: '0',
            ...env,
        },
    });
    return stdout;
}

// Rails has warnings of its own.
const ruby = (text, warnings = '-W') => run('example.rb', text, ['ruby', warnings, '-I', join(root, 'sdk/ruby/lib')]);
const node = (text, env) => run('example.mjs', text, ['node'], { env });
const py = (text) => run('example.py', text, [python, '-W', 'error']);
const php = (text) => run('example.php', text, ['php', '-d', 'display_errors=stderr']);
const go = (text) => run('example.go', text, ['go', 'run'], { cwd: join(root, 'sdk/go') });

/** That a link opens this path, to this viewer, for six hours. */
async function opens(link, path, viewer, lasts = 6 * 3600) {
    const now = Math.floor(Date.now() / 1000);
    const claims = await verify(link, { keys });
    assert.equal(new URL(link).origin, edge);
    assert.equal(claims.path, path);
    assert.equal(claims.sub, viewer);
    assert.ok(claims.exp >= now + lasts - 60 && claims.exp <= now + lasts, `${claims.exp} ${now}`);
    return claims;
}

const guides = {
    'mint.md': [
        async function rails({ language, code }) {
            assert.equal(language, 'ruby');
            const link = await ruby(`
                require "logger"
                require "rails"
                require "action_controller/railtie"
                require "lectern/rails"
                class School < Rails::Application
                  config.eager_load = false
                  config.logger = Logger.new(nil)
                  config.secret_key_base = "0" * 64
                  config.hosts.clear
                  routes.append { get "/lessons/:id", to: "lessons#show" }
                end
                School.initialize!
                Lesson = Struct.new(:slug) { def self.find(id) = new({ "7" => "intro" }.fetch(id)) }
                User = Struct.new(:id, :lessons)
                class ApplicationController < ActionController::Base
                  def current_user = User.new(42, Lesson)
                  def default_render = render(plain: @video)
                end
                ${code}
                _, _, body = School.call(Rack::MockRequest.env_for("https://school.example/lessons/7"))
                body.each { |part| print part }`, '-W0');
            await opens(link, '/courses/rails/intro/master.m3u8', 'u42');
        },
        async function plainRuby({ language, code }) {
            assert.equal(language, 'ruby');
            await opens(await ruby(`${code}\nprint link`), '/courses/rails/intro/master.m3u8', 's42');
        },
        async function server({ language, code }) {
            assert.equal(language, 'js');
            const said = await node(`${code}
                server.listen(0, '127.0.0.1', async () => {
                    const answer = await fetch('http://127.0.0.1:' + server.address().port);
                    process.stdout.write(await answer.text());
                    server.close();
                    server.closeAllConnections();
                });`);
            await opens(JSON.parse(said).video, '/courses/node/intro/master.m3u8', 's42');
        },
        async function worker({ language, code }) {
            assert.equal(language, 'js');
            const said = await node(`${code.replace('export default', 'const worker =')}
                const env = { LECTERN_EDGE: '${edge}', LECTERN_KEYS: process.env.KEYS };
                const answer = await worker.fetch(new Request('https://app.example/'), env);
                process.stdout.write(await answer.text());`, { LECTERN_KEYS: '', KEYS: keys });
            await opens(JSON.parse(said).video, '/courses/workers/intro/master.m3u8', 's42');
        },
        async function django({ language, code }) {
            assert.equal(language, 'python');
            const said = await py(`
import django
from django.conf import settings as its_settings
its_settings.configure(LECTERN_EDGE="${edge}", ALLOWED_HOSTS=["*"], USE_TZ=True)
django.setup()
${code}
from django.test import RequestFactory
request = RequestFactory().get("/lessons/intro")
request.user = type("User", (), {"pk": 42, "is_authenticated": True})()
print(lesson(request, "intro").content.decode())`);
            await opens(JSON.parse(said).video, '/courses/django/intro/master.m3u8', 'u42');
        },
        async function flask({ language, code }) {
            assert.equal(language, 'python');
            const said = await py(`${code}\nprint(app.test_client().get("/lessons/intro").get_data(as_text=True))`);
            await opens(JSON.parse(said).video, '/courses/flask/intro/master.m3u8', 's42');
        },
        async function laravel({ language, code }) {
            assert.equal(language, 'php');
            const link = await php(`${code}
                namespace Illuminate\\Http;
                class Request { public function user(): object { return (object) ['id' => 42]; } }
                namespace Example;
                require '${root}/sdk/php/src/Lectern.php';
                function value(string $name): string { return ['services.lectern.edge' => '${edge}', 'services.lectern.keys' => getenv('KEYS')][$name]; }
                eval('function config(string $name): string { return \\\\Example\\\\value($name); }');
                putenv('KEYS=' . getenv('LECTERN_KEYS'));
                putenv('LECTERN_KEYS');
                echo (new \\App\\Http\\Controllers\\LessonController())->show(new \\Illuminate\\Http\\Request(), 'intro')['video'];`);
            await opens(link, '/courses/laravel/intro/master.m3u8', 'u42');
        },
        async function goServer({ language, code }) {
            assert.equal(language, 'go');
            const said = await go(`${code.replace('import (', 'import (\n\t"fmt"\n\t"net/http/httptest"\n')}
                func main() {
                    recorder := httptest.NewRecorder()
                    lesson(recorder, httptest.NewRequest("GET", "/", nil))
                    fmt.Print(recorder.Body.String())
                }`);
            await opens(JSON.parse(said).video, '/courses/go/intro/master.m3u8', 's42');
        },
        async function inTests({ language, code }) {
            assert.equal(language, 'ruby');
            const said = await ruby(code.replace(/^(.*) # ("\w+")$/gm, 'abort("no") unless (value = $1) == $2; puts value'));
            assert.equal(said, 's42\nexpired\n');
        },
    ],
    'keys.md': [
        async function rotation({ language, code }) {
            assert.equal(language, 'sh');
            const built = join(root, 'target/release');
            assert.ok(existsSync(join(built, 'lectern')), 'the `lectern` command is missing: run `make build`');
            await run('example.sh', code, ['bash', '-eu'], { env: { PATH: `${built}:${process.env.PATH}`, LECTERN_KEYS: '' } });
            const [before, after] = ['lectern-keys.json', 'rotated.json'].map((name) => keyIds(readFileSync(join(folder, name), 'utf8')));
            assert.deepEqual(after, ['2027-05', ...before]);
        },
        async function list({ language, code }) {
            assert.equal(language, 'json');
            assert.equal(await ruby(`require "lectern"\nputs Lectern.key_ids(${JSON.stringify(code)})`), '2026-11\n');
        },
        async function check({ language, code }) {
            assert.equal(language, 'js');
            const serve = async (ids) => {
                const server = createServer((_, response) => response.end(JSON.stringify({ keys: ids })));
                await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
                try {
                    return await node(code, { LECTERN_EDGE: `http://127.0.0.1:${server.address().port}` });
                } finally {
                    server.closeAllConnections();
                    server.close();
                }
            };
            await serve(['2026-11', 'old._-']);
            await assert.rejects(serve(['old._-']), /the edge has no key 2026-11: it has old\._-/);
        },
    ],
    'previews.md': [
        async function preview({ language, code }) {
            assert.equal(language, 'ruby');
            const [free, paid] = (await ruby(`${code}\nputs free, paid`)).trim().split('\n');
            const claims = await opens(free, '/courses/rails/intro/master.m3u8', undefined, 7 * 86_400);
            assert.deepEqual([claims.preview, claims.max_height], [[0, 300], 480]);
            await opens(paid, '/courses/rails/intro/master.m3u8', 's42');
        },
        async function languages({ language, code }) {
            assert.equal(language, 'js');
            const claims = await opens(await node(`${code}\nprocess.stdout.write(german)`), '/courses/rails/intro/master.m3u8', 's42');
            assert.deepEqual([claims.langs, claims.max_height], [['de', 'en'], 720]);
        },
    ],
    'local.md': [
        commands,
        async function environment({ language, code }) {
            assert.equal(language, 'sh');
            writeFileSync(join(folder, '.dev.vars'), `A=b\nLECTERN_KEYS='${keys}'\n`);
            const said = await run('example.sh', `${code}\nprintf '%s %s' "$LECTERN_EDGE" "$LECTERN_KEYS"`, ['bash', '-eu'], { env: { LECTERN_KEYS: '' } });
            assert.equal(said, `http://localhost:8787 ${keys}`);
        },
        commands,
        async function python({ language, code }) {
            assert.equal(language, 'python');
            await opens(await py(`${code}\nprint(url, end="")`), '/courses/rails/intro/master.m3u8', 's42', 600);
        },
    ],
    'protection.md': [],
    // tests/e2e/course.rs runs it all in one folder a language, and plays what comes of it.
    'first-embed.md': [followed('sh'), followed('sh'), followed('ruby'), followed('sh'), followed('sh'), followed('js')],
    // tests/e2e/embeds.rs plays its pages in Chromium; the command of a player that is not installed is only read.
    'embed.md': [page, page, page, page, commands],
};

function followed(expected) {
    return function step({ language }) {
        assert.equal(language, expected);
    };
}

function page({ language, code }) {
    assert.equal(language, 'html');
    assert.match(code, /VIDEO_URL/);
}

/** That what a shell would run is there: make's targets, lectern's verbs and their options. */
async function commands({ language, code }) {
    assert.equal(language, 'sh');
    await run('example.sh', code, ['bash', '-n']);
    const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
    const cli = readFileSync(join(root, 'packager/src/cli.rs'), 'utf8');
    for (const line of code.trim().split('\n')) {
        const [program, verb, ...rest] = line.replace(/^\w+=("[^"]*"|\S+) /, '').split(' ');
        if (program === 'make') assert.match(makefile, new RegExp(`^${verb}:`, 'm'), line);
        else if (program === 'lectern') {
            assert.match(cli, new RegExp(`^    ${verb[0].toUpperCase()}${verb.slice(1)}\\b`, 'm'), line);
            if (verb === 'keys') assert.match(cli, new RegExp(`^    ${rest[0][0].toUpperCase()}${rest[0].slice(1)}\\b`, 'm'), line);
            for (const option of rest.filter((word) => word.startsWith('--'))) assert.match(cli, new RegExp(`\\b${option.slice(2).replaceAll('-', '_')}\\b`), line);
        } else assert.ok(['vlc'].includes(program), line);
    }
}

for (const [guide, examples] of Object.entries(guides)) {
    const found = blocks(guide);
    test(`${guide} shows as many examples as are run`, () => assert.equal(found.length, examples.length));
    examples.forEach((example, at) => test(`${guide}: example ${at + 1} (${example.name}) does what it says`, () => example(found[at])));
}

test('every code of an error is in the guide, and no other', () => {
    const text = readFileSync(join(root, 'docs/mint.md'), 'utf8').split('## Errors')[1].split('## In tests')[0];
    const rows = text.split('\n').filter((line) => line.startsWith('| `') && !line.startsWith('| `code`')).map((line) => line.split('|')[1]);
    const told = new Set(rows.join(' ').match(/[a-z_0-9]+/g));
    const lists = ['refused_claims', 'refused_links', 'refused_tokens', 'refused_keys'];
    const codes = new Set(lists.flatMap((list) => vectors[list].map(({ error }) => error)));
    // Of one language alone: Rails' helper, JavaScript, Ruby.
    for (const code of ['no_edge', 'unknown_option', 'duplicate_claim']) codes.add(code);
    assert.deepEqual([...told].sort(), [...codes].sort());
});

test('what one stumbles over in the first embed is said in these words', () => {
    const text = readFileSync(join(root, 'docs/first-embed.md'), 'utf8').split('## What one stumbles over')[1];
    const seen = text.split('\n').map((line) => /^\| (?:in the frame, "([^"]+)"|`(LECTERN_KEYS [^`]+)`)/.exec(line)).filter(Boolean);
    assert.equal(seen.length, 4);
    const titles = readFileSync(join(root, 'src/http/problem.rs'), 'utf8');
    const editions = ['sdk/ruby/lib/lectern.rb', 'sdk/javascript/lectern.js'].map((file) => readFileSync(join(root, file), 'utf8'));
    for (const [, sentence, error] of seen) {
        for (const said of sentence ? [titles] : editions) assert.ok(said.includes(sentence ?? error), sentence ?? error);
    }
});

test('every link to a file leads somewhere', () => {
    const papers = [...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`), 'README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'examples/course-app/README.md'];
    for (const paper of papers) {
        const text = readFileSync(join(root, paper), 'utf8');
        for (const [, to, anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
            const file = to === '' ? join(root, paper) : join(root, dirname(paper), to);
            assert.ok(existsSync(file), `${paper}: ${to}`);
            const headings = anchor ? readFileSync(file, 'utf8').match(/^#+ .*$/gm) : [];
            const anchors = headings.map((line) => line.replace(/^#+ /, '').toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));
            assert.ok(!anchor || anchors.includes(anchor), `${paper}: ${to}#${anchor}`);
        }
    }
});
