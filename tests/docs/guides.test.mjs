// Every code block of README and of the guides is run, in its own language and against the SDK, the command or an edge, or
// compared with what is really printed; what it mints is verified. A guide or a block that nobody lists below fails the test.
// Rails, Django, Flask and Laravel are the real ones. The few blocks that cannot run here say why (`unable`); what their
// commands name is looked up.

import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { keyIds, mint } from '../../sdk/javascript/lectern.js';
import { verify } from '../../sdk/javascript/verify.js';
import { parseOrigins } from '../../web/origins.mjs';
import { blocks } from './blocks.mjs';
import { answers, Edge, execute, folder, freePort, lookUp, root, run as runs, shell, Terminal } from './shell.mjs';

const vectors = JSON.parse(readFileSync(join(root, 'sdk/vectors.json'), 'utf8'));
const { keys } = vectors;
const edge = 'https://video.school.example';
mkdirSync(join(folder, 'node_modules'));
symlinkSync(join(root, 'sdk/javascript'), join(folder, 'node_modules/lectern'));
const python = existsSync(join(root, '.tools/venv/bin/python')) ? join(root, '.tools/venv/bin/python') : 'python3';

/** Runs a program over a file of this text, with the SDK and its keys; returns what it printed. */
function run(name, text, program, { cwd, env = {} } = {}) {
    const all = {
        LECTERN_KEYS: keys,
        LECTERN_EDGE: edge,
        PYTHONPATH: join(root, 'sdk/python'),
        PYTHONDONTWRITEBYTECODE: '1',
        GOCACHE: join(root, '.tools/go'),
        GOPROXY: 'off',
        CGO_ENABLED: '0',
        ...env,
    };
    return runs(name, text, program, { cwd, env: all });
}

// Rails has warnings of its own.
const ruby = (text, warnings = '-W') => run('example.rb', text, ['ruby', warnings, '-I', join(root, 'sdk/ruby/lib')]);
const node = (text, env) => run('example.mjs', text, ['node'], { env });
const py = (text, env) => run('example.py', text, [python, '-W', 'error'], { env });
const php = (text) => run('example.php', text, ['php', '-d', 'display_errors=stderr']);
const go = (text) => run('example.go', text, ['go', 'run'], { cwd: join(root, 'sdk/go') });

/** Asserts that a link opens this path, for this viewer, for six hours. */
async function opens(link, path, viewer, lasts = 6 * 3600) {
    const now = Math.floor(Date.now() / 1000);
    const claims = await verify(link, { keys });
    assert.equal(new URL(link).origin, edge);
    assert.equal(claims.path, path);
    assert.equal(claims.sub, viewer);
    assert.ok(claims.exp >= now + lasts - 60 && claims.exp <= now + lasts, `${claims.exp} ${now}`);
    return claims;
}

/** Asserts that a page frames the edge's player with a link to this path. */
async function frames(page, path, viewer) {
    const [, source] = /<iframe src="([^"]+)" title="Lecture" allow="autoplay; fullscreen; picture-in-picture" style="border:0;width:100%;aspect-ratio:16\/9"><\/iframe>/.exec(page) ?? assert.fail(page);
    const player = `${edge}/_lectern/play#`;
    const text = source.replaceAll('&amp;', '&');
    assert.ok(text.startsWith(player), text);
    return opens(text.slice(player.length), path, viewer);
}

/** Code of the next block of a guide, which another example runs with this one. */
function codeBehind(guide, code) {
    const all = blocks(paper(guide));
    return all[all.findIndex((block) => block.code === code) + 1].code;
}

/** A block that the example before it runs. */
function withTheBefore(expected) {
    return function runWithTheBlockBefore({ language }) {
        assert.equal(language, expected);
    };
}

const guides = {
    'docs/mint.md': [
        async function rails({ language, code }, _, guide) {
            assert.equal(language, 'ruby');
            const view = join(folder, 'rails/lessons/show.html.erb');
            mkdirSync(dirname(view), { recursive: true });
            writeFileSync(view, codeBehind(guide, code));
            const page = await ruby(`
                require "logger"
                require "rails"
                require "action_controller/railtie"
                require "action_view/railtie"
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
                  prepend_view_path "${join(folder, 'rails')}"
                end
                ${code}
                _, _, body = School.call(Rack::MockRequest.env_for("https://school.example/lessons/7"))
                body.each { |part| print part }`, '-W0');
            await frames(page, '/courses/rails/intro/master.m3u8', 'u42');
        },
        withTheBefore('erb'),
        async function plainRuby({ language, code }) {
            assert.equal(language, 'ruby');
            await opens(await ruby(`${code}\nprint link`), '/courses/rails/intro/master.m3u8', 's42');
        },
        async function server({ language, code }) {
            assert.equal(language, 'js');
            const said = await node(`${code}
                server.on('listening', async () => {
                    const answer = await fetch('http://localhost:' + server.address().port);
                    process.stdout.write(answer.headers.get('content-type') + await answer.text());
                    server.close();
                    server.closeAllConnections();
                });`, { PORT: '0' });
            assert.match(said, /^text\/html/);
            await frames(said, '/courses/node/intro/master.m3u8', 's42');
        },
        async function worker({ language, code }) {
            assert.equal(language, 'js');
            // In workerd, beside one that asks it. `lectern` is the package's own name for `lectern.js`.
            const modules = ['lectern.js', 'claims.js', 'error.js', 'keys.js', 'urls.js'];
            const files = {
                'index.js': code,
                'asks.js': `export default { async test(_, env) { console.log('answered ' + (await (await env.APP.fetch('https://app.example/')).text())); } };`,
                'config.capnp': `using Workerd = import "/workerd/workerd.capnp";
                    const config :Workerd.Config = (services = [
                        (name = "app", worker = (compatibilityDate = "2026-01-01", bindings = [
                            (name = "LECTERN_EDGE", text = "${edge}"), (name = "LECTERN_KEYS", text = ${JSON.stringify(keys)}),
                        ], modules = [(name = "index.js", esModule = embed "index.js"),
                            ${modules.map((name) => `(name = "${name.replace('lectern.js', 'lectern')}", esModule = embed "${name}")`)}])),
                        (name = "asks", worker = (compatibilityDate = "2026-01-01", bindings = [(name = "APP", service = "app")],
                            modules = [(name = "asks.js", esModule = embed "asks.js")])),
                    ]);`,
            };
            for (const [name, text] of Object.entries(files)) {
                mkdirSync(join(folder, 'worker'), { recursive: true });
                writeFileSync(join(folder, 'worker', name), text);
            }
            for (const name of modules) cpSync(join(root, 'sdk/javascript', name), join(folder, 'worker', name));
            const said = await execute([join(root, 'node_modules/workerd/bin/workerd'), 'test', 'worker/config.capnp'], { both: true });
            await opens(JSON.parse(/answered (\{.*\})/.exec(said)[1]).video, '/courses/workers/intro/master.m3u8', 's42');
        },
        async function django({ language, code }, _, guide) {
            assert.equal(language, 'python');
            mkdirSync(join(folder, 'templates'), { recursive: true });
            // Flask reads it too.
            writeFileSync(join(folder, 'templates/lesson.html'), codeBehind(guide, code));
            const said = await py(`
import django
from django.conf import settings as its_settings
its_settings.configure(LECTERN_EDGE="${edge}", ALLOWED_HOSTS=["*"], USE_TZ=True, TEMPLATES=[
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": ["${join(folder, 'templates')}"]}])
django.setup()
${code}
from django.test import RequestFactory
request = RequestFactory().get("/lessons/intro")
request.user = type("User", (), {"pk": 42, "is_authenticated": True})()
print(lesson(request, "intro").content.decode())`);
            await frames(said, '/courses/django/intro/master.m3u8', 'u42');
        },
        withTheBefore('html'),
        async function flask({ language, code }) {
            assert.equal(language, 'python');
            const said = await py(`${code}\nprint(app.test_client().get("/lessons/intro").get_data(as_text=True))`);
            await frames(said, '/courses/flask/intro/master.m3u8', 's42');
        },
        laravel,
        withTheBefore('blade'),
        async function goServer({ language, code }) {
            assert.equal(language, 'go');
            assert.match(code, /ListenAndServe\("localhost:3000", nil\)/);
            const served = code.replace('func main()', 'func serve()');
            const said = await go(`${served.replace('import (', 'import (\n\t"fmt"\n\t"net/http/httptest"\n')}
                func main() {
                    recorder := httptest.NewRecorder()
                    lesson(recorder, httptest.NewRequest("GET", "/", nil))
                    fmt.Print(recorder.Body.String())
                }`);
            await frames(said, '/courses/go/intro/master.m3u8', 's42');
        },
        async function ships({ language, code }) {
            assert.equal(language, 'sh');
            shop = await Edge.start('mint', keys);
            const before = 'lectern sample -o lecture.mp4 --force >&2; rm -f lecture.json';
            await shell(code, { before, env: { LECTERN_KEYS: keys, LECTERN_EDGE: shop.origin } });
            // Other guides make a file of this name.
            renameSync(join(folder, 'lecture.mp4'), join(folder, 'talk.mp4'));
            const { event, result } = JSON.parse(readFileSync(join(folder, 'lecture.json'), 'utf8'));
            assert.equal(event, 'done');
            await plays(result.link);
            assert.match(await (await fetch(result.page)).text(), /<lectern-video/);
            shipped = result;
        },
        async function facts({ language, code }) {
            assert.equal(language, 'json');
            const shown = JSON.parse(code).result;
            assert.deepEqual(Object.keys(shipped), Object.keys(shown));
            for (const [name, value] of Object.entries(shown)) assert.equal(typeof shipped[name], typeof value, name);
            // The test ships seconds, and one size.
            assert.deepEqual(shipped.heights, [480]);
            assert.ok(Math.abs(shipped.duration - 6) < 0.2, shipped.duration);
            const like = (url) => new URL(url).pathname.replace(/\/v\/\w+\//, '/v/R/');
            for (const name of ['url', 'poster']) assert.equal(like(shipped[name]), like(shown[name]));
        },
        async function card({ language, code }) {
            assert.equal(language, 'js');
            const said = await node(`${code}\nprocess.stdout.write(await card('s42'));`);
            assert.match(said, /<p>1 min<\/p>/);
            const [poster, download] = said.match(/http[^"]+/g);
            const image = await fetch(poster);
            assert.deepEqual([image.status, image.headers.get('content-type')], [200, 'image/jpeg']);
            const file = await fetch(download);
            assert.equal(file.status, 200);
            assert.match(file.headers.get('content-disposition'), /^attachment/);
            // An MP4 of more than nothing.
            assert.equal(Buffer.from(await file.arrayBuffer()).subarray(4, 8).toString(), 'ftyp');
        },
        async function uploadLink({ language, code }) {
            assert.equal(language, 'js');
            uploadUrl = await node(`${code}
                import { withChromium } from '${join(root, 'tests/browser/chromium.mjs')}';
                uploads.on('listening', async () => {
                    const page = 'http://localhost:' + uploads.address().port;
                    await withChromium(async (context) => {
                        const tab = await context.newPage();
                        await tab.goto(page);
                        await tab.setInputFiles('input', '${join(folder, 'talk.mp4')}');
                        await tab.click('button');
                        await tab.getByText('talk.mp4 is uploaded').waitFor();
                    });
                    process.stdout.write(await (await fetch(page, { method: 'POST' })).text());
                    uploads.close();
                    uploads.closeAllConnections();
                });`, { LECTERN_EDGE: shop.origin, PORT: '0' });
            assert.match(uploadUrl, /\/uploads\/s42\/[0-9a-f-]{36}\/recording\.mp4\?token=/);
        },
        async function uploads({ language, code }) {
            assert.equal(language, 'sh');
            await shell(code, { cwd: folder, env: { UPLOAD_URL: uploadUrl } });
            const [object] = uploadUrl.split('?');
            const again = await execute(['lectern', 'upload', 'talk.mp4', object, '--json'], { env: { LECTERN_KEYS: keys } });
            // The object has the file's bytes.
            assert.equal(JSON.parse(again.trim().split('\n').at(-1)).result.written, false);
            await shop.end();
        },
        async function inTests({ language, code }) {
            assert.equal(language, 'ruby');
            const said = await ruby(code.replace(/^(.*) # ("\w+")$/gm, 'abort("no") unless (value = $1) == $2; puts value'));
            assert.equal(said, 's42\nexpired\n');
        },
    ],
    'docs/keys.md': [
        async function rotation({ language, code }) {
            assert.equal(language, 'sh');
            const built = join(root, 'target/debug');
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
    'docs/previews.md': [
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
    'docs/local.md': [
        async function serve({ language, code }) {
            assert.equal(language, 'sh');
            assert.match(code, /^make serve\b/);
            local.port = await freePort();
            local.terminal = new Terminal('serve', code, { env: { PORT: String(local.port), STATE: join(folder, 'local-state') } });
            const health = await answers(`http://localhost:${local.port}/_lectern/health`, local.terminal);
            assert.equal(health.status, 200);
            const [, address, ship] = await local.terminal.shows(/\naddress: +(\S+), .*\nkeys: .*\nnext: +(.*)\n/);
            assert.equal(address, `http://localhost:${local.port}`);
            const file = join(folder, 'served.mp4');
            const said = await shell(ship.replace('target/debug/lectern', 'lectern').replace('lecture.mp4', `'${file}'`), {
                before: `command lectern sample --seconds 6 --force -o '${file}' >&2`, cwd: root, env: { LECTERN_KEYS: '' } });
            await plays(said.trim());
        },
        async function environment({ language, code }) {
            assert.equal(language, 'sh');
            // In the project's folder, as the guide says.
            local.exports = code.replace('8787', local.port);
            const said = await shell(`${local.exports}\nprintf '%s %s' "$LECTERN_EDGE" "$LECTERN_KEYS"`, { cwd: root, env: { LECTERN_KEYS: '' } });
            local.keys = said.slice(said.indexOf(' ') + 1);
            const health = await (await fetch(`http://localhost:${local.port}/_lectern/health`)).json();
            assert.deepEqual(keyIds(local.keys), health.keys);
        },
        async function lecture({ language, code }) {
            assert.equal(language, 'sh');
            const said = await shell(code.replaceAll('8787', local.port), { before: `${local.exports}\ncd ${folder}`, cwd: root, env: { LECTERN_KEYS: '' } });
            await plays(said.trim().split('\n').at(-1));
        },
        async function python({ language, code }) {
            assert.equal(language, 'python');
            const env = { LECTERN_EDGE: `http://localhost:${local.port}`, LECTERN_KEYS: local.keys };
            await plays(await py(`${code}\nprint(url, end="")`, env));
            await local.terminal.interrupt(local.port);
        },
    ],
    'docs/viewers.md': [
        // Players at once, a strict link, and a lecture on a device.
        ...Array(3).fill(async function claims({ language, code }) {
            assert.equal(language, 'json');
            const text = await ruby(`require "lectern"\nrequire "json"\nputs Lectern.mint(JSON.parse(${JSON.stringify(code)}), now: 1_799_990_000)`);
            const claims = JSON.parse(Buffer.from(text.split('.')[1], 'base64url'));
            assert.deepEqual(claims, JSON.parse(code));
        }),
        async function revocations({ language, code }) {
            assert.equal(language, 'sh');
            const port = await freePort();
            const terminal = new Terminal('viewers', 'make serve', { env: { PORT: String(port), STATE: join(folder, 'viewers-state') } });
            await answers(`http://localhost:${port}/_lectern/health`, terminal);
            const before = `eval "$(lectern keys env)"\nexport LECTERN_EDGE=http://localhost:${port}`;
            const said = await shell(code, { before, cwd: root, env: { LECTERN_KEYS: '' } });
            for (const row of [/^viewer .* s42$/m, /^link .* 7f3a$/m, /^path .* \/courses\/rails\/$/m]) assert.match(said, row);
            const left = await shell('lectern revocations --json', { before, cwd: root, env: { LECTERN_KEYS: '' } });
            assert.deepEqual(JSON.parse(left).map(({ link, path }) => link ?? path).sort(), ['/courses/rails/', '7f3a']);
            await terminal.interrupt(port);
        },
    ],
    'docs/watched.md': [
        async function courseAppLists({ language, code }) {
            assert.equal(language, 'js');
            const { origin } = await watched();
            assert.equal(await node(code, { LECTERN_EDGE: origin }), '/courses/rails/intro/: 67 % watched\n');
        },
        async function commandLists({ language, code }) {
            assert.equal(language, 'sh');
            const { origin } = await watched();
            const said = await shell(code, { env: { LECTERN_KEYS: keys, LECTERN_EDGE: origin } });
            assert.match(said, /^ 67 %  at 0:30:34 of 0:45:00  not completed .* s42$/m);
            assert.match(said, /^"\/courses\/rails\/intro\/",67,1834,2700,,20/m);
        },
        async function report({ language, code }) {
            assert.equal(language, 'text');
            const [, body] = code.trim().split('\n\n');
            const { report } = await watched();
            assert.equal((await report(body)).status, 200);
        },
        async function progress({ language, code }) {
            assert.equal(language, 'json');
            const { report } = await watched();
            assert.deepEqual(await (await report()).json(), JSON.parse(code));
        },
        unable('sh', 'a secret is in an account'),
        function event({ language, code }) {
            assert.equal(language, 'json');
            // The body that the edge's own test expects.
            assert.ok(paper('src/ledger/webhook.rs').includes(`r#"${code.trim()}"#`), code);
        },
        async function verifies({ language, code }) {
            assert.equal(language, 'js');
            // The test vector of the Standard Webhooks libraries.
            const said = await node(`${code}
                const headers = {
                    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': '1614265330',
                    'webhook-signature': 'v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
                };
                const ask = (headers, body, now) => isFromEdge(headers, body, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', now);
                const body = '{"test": 2432232314}';
                process.stdout.write([
                    ask(headers, body, 1_614_265_330), ask(headers, body, 1_614_265_700), ask(headers, body + ' ', 1_614_265_330),
                    ask({}, body, 1_614_265_330), ask({ ...headers, 'webhook-id': 'x' }, body, 1_614_265_330),
                ].join());`);
            assert.equal(said, 'true,false,false,false,false');
        },
        function statement({ language, code }) {
            assert.equal(language, 'json');
            const { actor, verb, object, result, timestamp } = JSON.parse(code);
            for (const part of [actor.account.name, verb.id, object.id, result.completion, timestamp]) assert.ok(part, code);
        },
    ],
    'docs/record.md': [],
    'docs/privacy.md': [
        async function forgets({ language, code }) {
            assert.equal(language, 'sh');
            const { origin, report } = await watched();
            await shell(code, { env: { LECTERN_KEYS: keys, LECTERN_EDGE: origin } });
            assert.equal((await (await report()).json()).percent, 0);
        },
    ],
    'docs/install.md': [
        async function installs({ language, code }) {
            assert.equal(language, 'sh');
            // Into a folder of the test. Its dependencies are compiled: `make build` has the same profile.
            const cargo = `cargo() { command cargo "$@" --debug --quiet --offline --root '${join(folder, 'installed')}'; }`;
            await shell(code, { before: cargo, cwd: root });
            const said = await execute([join(folder, 'installed/bin/lectern'), '--version']);
            assert.match(said, /^lectern \d+\.\d+\.\d+\n$/);
        },
        unable('sh', 'it compiles for other machines for minutes'),
        async function completes({ language, code }) {
            assert.equal(language, 'sh');
            const home = join(folder, 'home');
            mkdirSync(home);
            const ask = `. ~/.local/share/bash-completion/completions/lectern
                COMP_WORDS=(lectern ro) COMP_CWORD=1 COMPREPLY=()
                _lectern lectern ro lectern
                echo "\${COMPREPLY[@]}"`;
            assert.equal((await shell(`${code}\n${ask}`, { env: { HOME: home } })).trim(), 'rollback');
        },
    ],
    'docs/measurements.md': [],
    'docs/protection.md': [],
    'docs/first-embed.md': ['sh', 'sh', 'ruby', 'sh', 'sh', 'js'].map((language) => elsewhere(language, 'tests/browser/first-embed.mjs')),
    'docs/embed.md': [
        framed,
        ...Array(4).fill(elsewhere('html', 'tests/browser/embed.mjs')),
        async function inVlc({ language, code }) {
            assert.equal(language, 'sh');
            assert.ok(existsSync('/usr/bin/cvlc'), 'VLC is not installed: apt-get install vlc-bin vlc-plugin-base');
            const { origin, terminal } = await published('vlc', '/courses/rails/intro/', '--log-level', 'log');
            const url = await link(origin);
            // Without a screen, for two seconds. It refuses to be root, who becomes nobody.
            const home = join(folder, 'vlc-home');
            mkdirSync(home);
            chmodSync(home, 0o777);
            chmodSync(folder, 0o755);
            const nobody = process.getuid() === 0 ? 'setpriv --reuid 65534 --regid 65534 --clear-groups' : '';
            const said = await shell(code, {
                before: `vlc() { HOME=${home} ${nobody} timeout 60 cvlc -vv --vout dummy --aout dummy --run-time 2 "$@" vlc://quit 2>&1; }`,
                env: { VIDEO_URL: url },
            });
            assert.match(said, /Received first picture/);
            for (const part of ['480p', 'audio/und']) assert.ok(terminal.said().includes(`/${part}/seg00001.m4s"`), terminal.said());
        },
        function listsAnOrigin({ language, code }) {
            assert.equal(language, 'text');
            assert.deepEqual(parseOrigins(code), [edge]);
        },
        function hearsMessages({ language, code }) {
            assert.equal(language, 'js');
            const listen = new Function('document', 'addEventListener', 'location', code);
            const [player, location] = [{ contentWindow: {} }, { href: '' }];
            let hear;
            listen({ querySelector: () => player }, (_type, listener) => (hear = listener), location);
            const data = { type: 'lectern:ended', preview: false };
            hear({ origin: 'https://evil.example', source: player.contentWindow, data });
            hear({ origin: edge, source: {}, data });
            assert.equal(location.href, '');
            hear({ origin: edge, source: player.contentWindow, data });
            assert.equal(location.href, '/lessons/6');
        },
        function usesTheElement({ language, code }) {
            assert.equal(language, 'html');
            const [, name] = /\/_lectern\/(\w+\.js)/.exec(code);
            assert.ok(existsSync(join(root, 'web/dist/_lectern', name)), name);
            for (const attribute of ['src', 'renew-url']) assert.ok(code.includes(` ${attribute}="`), attribute);
        },
        elsewhere('jsx', 'tests/browser/player-embed.mjs'),
        async function opensInItsPages({ language, code }) {
            assert.equal(language, 'json');
            const { path, exp, origin } = JSON.parse(code);
            const url = `${edge}${path}?token=${await mint({ path, exp, origin }, { keys, now: exp - 60 })}`;
            assert.deepEqual((await verify(url, { keys, now: exp - 60 })).origin, origin);
        },
        function loadsTheScript({ language, code }) {
            assert.equal(language, 'html');
            assert.ok(existsSync(join(root, 'web/dist', new URL(/src="([^"]+)"/.exec(code)[1]).pathname)));
        },
        framed,
    ],
    'docs/studio.md': [
        async function mintsTheStudio({ language, code }) {
            assert.equal(language, 'js');
            const address = await node(`${code}\nprocess.stdout.write(await studioUrl('${edge}', 'rails', 't1'));`);
            const page = `${edge}/_lectern/studio#`;
            assert.ok(address.startsWith(page), address);
            const upload = new URL(address.slice(page.length));
            const claims = await verify(`${upload.origin}${upload.pathname}?token=${upload.searchParams.get('token')}`, { keys });
            assert.deepEqual([claims.path, claims.use, claims.sub], ['/uploads/rails/', 'upload', 't1']);
            await opens(upload.searchParams.get('watch'), '/courses/rails/intro/', 't1');
        },
    ],
    'README.md': [
        drawing,
        async function demo({ language, code }) {
            assert.equal(language, 'sh');
            assert.match(code, /^make demo\b/);
            const short = join(folder, 'a lecture.mp4');
            await shell(`lectern sample -o '${short}'`);
            const port = await freePort();
            // `INPUT=` as its comment has it: the sample of a minute takes as long to package.
            const terminal = new Terminal('demo', code, { env: { PORT: String(port), STATE: join(folder, 'demo-state'), INPUT: short } });
            try {
                await terminal.shows(/\^C ends the demo/);
                const [page, bare, expired] = terminal.said().match(/http:\/\/localhost:\d+\/\S*token=\S+|http:\/\/localhost:\d+\/_lectern\/play#\S+/g);
                assert.match(await (await fetch(page)).text(), /<lectern-video/);
                assert.ok(page.endsWith(bare.slice(`http://localhost:${port}`.length)));
                await plays(bare);
                assert.equal((await (await fetch(expired)).json()).code, 'expired');
            } finally {
                await terminal.interrupt(port);
                rmSync(join(root, '.demo/packages/a-lecture'), { recursive: true, force: true });
            }
        },
        unable('sh', 'it runs this test'),
        courseApp,
        async function publishing({ language, code }) {
            assert.equal(language, 'sh');
            const [path, setKeys, ...others] = code.split('\n');
            // In the checkout, without an installed `lectern`: both lines work as they stand.
            const bare = { cwd: root, env: { PATH: '/usr/bin:/bin', LECTERN_KEYS: '' } };
            const made = await shell(`${path}\n${setKeys}\nprintf %s "$LECTERN_KEYS"`, bare);
            assert.equal(keyIds(made).length, 1);
            // Without the command, no empty value is exported.
            await shell(setKeys, { ...bare, status: 127 });
            // The Worker gets the same value.
            const { origin } = await Edge.start('readme', made);
            await shell('lectern sample -o lecture.mov');
            const said = await shell(others.join('\n').replaceAll('https://video.example.org', origin), { env: { LECTERN_KEYS: made } });
            const [ended, url] = said.match(/^http.*token=.*$/gm);
            await plays(ended);
            await plays(url);
            const claims = await verify(url, { keys: made });
            assert.equal(claims.sub, 's42');
        },
        async function embed({ language, code }) {
            assert.equal(language, 'ruby');
            await opens(await ruby(`${code}\nprint link`), '/courses/rails/intro/master.m3u8', 's42');
        },
        async function frame({ language, code }) {
            assert.equal(language, 'html');
            // tests/browser/first-embed.mjs plays the same frame.
            const frame = code.trim().replace('https://edge', '${edge}').replace('#LINK', '#${video}');
            assert.ok(paper('docs/first-embed.md').includes(frame), frame);
        },
        async function localKeys({ language, code }) {
            assert.equal(language, 'sh');
            const said = await shell(`${code}\nprintf %s "$LECTERN_KEYS"`, { cwd: root, env: { LECTERN_KEYS: '' } });
            // As the demo prints it.
            assert.ok(paper('tools/demo.sh').replaceAll('\\$', '$').includes(code.trim()));
            assert.equal(keyIds(said).length > 0, true);
        },
        async function deployCheck(block) {
            // Online, it asks an account.
            await lookUp(block);
            const said = await execute(['node', 'tools/deploy/check.mjs', '--offline', '--env', 'staging', '--any-origin'], { cwd: root });
            assert.match(said, /✔ a dry run of the deploy/);
        },
    ],
    'docs/reference/claims.md': [
        async function claims({ language, code }) {
            assert.equal(language, 'json');
            const [header, claims] = code.trim().split('\n').map((line) => JSON.parse(line));
            const [, secret, kid] = /With the key `(\S+)` \(base64url\) as `(\w+)`/.exec(paper('docs/reference/claims.md'));
            shownLink = await mint(claims, { keys: JSON.stringify([{ kid, secret }]), now: 1_799_999_000 });
            assert.deepEqual(JSON.parse(Buffer.from(shownLink.split('.')[0], 'base64url')), header);
        },
        async function link({ language, code }) {
            assert.deepEqual([language, code], ['text', `${shownLink}\n`]);
        },
    ],
    'docs/reference/cli.md': [
        async function broken({ language, code }) {
            assert.equal(language, 'text');
            // Keyframes at 4 s in one size, and at 4.6 s in the other.
            await shell(`mkdir -p broken && cd broken
                for size in 480:852x480:4 720:1280x720:4.6; do
                    IFS=: read -r lines picture seconds <<<"$size"
                    mkdir "$\{lines}p"
                    ffmpeg -v error -nostdin -f lavfi -i "testsrc2=s=$picture:r=25:d=8" -c:v libx264 -preset ultrafast -g 999 -sc_threshold 0 \
                        -force_key_frames "expr:gte(t,n_forced*$seconds)" -f hls -hls_time "$seconds" -hls_playlist_type vod -hls_segment_type fmp4 \
                        -hls_flags independent_segments -hls_segment_filename "$\{lines}p/seg%05d.m4s" -hls_fmp4_init_filename init.mp4 "$\{lines}p/playlist.m3u8"
                done`);
            const streams = [[480, 852], [720, 1280]].map(([lines, width]) => {
                const bytes = ['seg00000.m4s', 'seg00001.m4s'].map((name) => statSync(join(folder, `broken/${lines}p/${name}`)).size);
                // In eight seconds.
                const average = bytes[0] + bytes[1];
                return `#EXT-X-STREAM-INF:BANDWIDTH=${average},AVERAGE-BANDWIDTH=${average},CODECS="avc1.42c01f",RESOLUTION=${width}x${lines}\n${lines}p/playlist.m3u8\n`;
            });
            writeFileSync(join(folder, 'broken/master.m3u8'), `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n${streams.join('')}`);
            const lines = (await execute(['lectern', 'check', 'broken'], { status: 6 })).split('\n');
            // In this order; `…` stands for what is left out.
            const shown = code.trimEnd().split('\n').map((line) => new RegExp(`^${line.split('…').map(literal).join('.*')}$`));
            for (const one of shown) {
                const at = lines.findIndex((line) => one.test(line));
                assert.ok(at >= 0, `no ${one} in\n${lines.join('\n')}`);
                lines.splice(0, at + 1);
            }
        },
    ],
    'docs/reference/configuration.md': [],
    'docs/reference/http.md': [
        // tests/browser/uploads.mjs sends the same requests in Chromium.
        async function posts({ language, code }) {
            assert.equal(language, 'js');
            const sent = [];
            const AsyncFunction = (async () => {}).constructor;
            const send = async (url, { method, body, ...others }) => sent.push([method, url, body.type, Object.keys(others)]);
            await new AsyncFunction('fetch', 'url', 'id', 'bytes', 'part', code)(send, '/u/a?token=t', 'i', 'b', 'p');
            assert.deepEqual(sent, [
                ['POST', '/u/a?token=t&put', '', []],
                ['POST', '/u/a?token=t&uploadId=i&partNumber=1', '', []],
            ]);
        },
        // tests/e2e/uploads.rs gets this answer from the edge.
        async function detail({ language, code }) {
            assert.equal(language, 'json');
            assert.deepEqual(Object.keys(JSON.parse(code)), ['title', 'status', 'code', 'detail']);
        },
    ],
    'docs/reference/package.md': [
        async function tree({ language, code }) {
            assert.equal(language, 'text');
            const made = readdirSync(await packaged(), { recursive: true }).map((name) => name.replace(/^v\/\w+\//, ''));
            const [lines, names] = [code.split('\n').slice(1), []];
            for (const [, prefix, rest] of lines.map((line) => /^  (?:v\/<revision>\/)?((?:[\w<>]+\/)*)(.*)$/.exec(line) ?? [])) {
                names.push(...(rest ?? '').split(/\s+/).filter((name) => /^[\w/]+\.\w+$/.test(name)).map((name) => prefix + name));
            }
            assert.ok(names.length > 12, names.join(' '));
            // This sample has neither captions, chapters nor long pauses.
            const missing = names.filter((name) => !made.includes(name) && !/^subs\/|^chapters\.|^silences\./.test(name));
            assert.deepEqual(missing, [], made.join(' '));
        },
    ],
    'examples/course-app/README.md': [courseApp],
    'CONTRIBUTING.md': [unable('sh', 'each takes minutes, or is where this runs')],
    'docs/check.md': [
        async function checks({ language, code }) {
            assert.equal(language, 'sh');
            const { origin } = await published('check', '/courses/rails/intro/');
            for (const name of ['DIR', 'lecture']) symlinkSync(await packaged(), join(folder, name));
            const url = await link(origin);
            const lines = code.trim().split('\n').map((line) => line.replace(/'https:\/\/video\.example\.org\/courses\/rails\/intro\/master\.m3u8\?token=…'/, `'${url}'`));
            for (const line of lines) {
                const said = await shell(line);
                if (line.includes('--json')) {
                    const shown = JSON.parse(line.split('# ')[1].replace(', …', '').replaceAll(/("\w+")(?=[,}])/g, '$1: 0'));
                    const found = JSON.parse(said);
                    for (const member of Object.keys(shown)) assert.ok(member in found, `${member} in ${said}`);
                    for (const member of Object.keys(shown.rules[0])) assert.ok(member in found.rules[0], `${member} in ${said}`);
                } else {
                    assert.match(said, /^✔ OB-01 /m, line);
                    assert.doesNotMatch(said, /^✘/m, line);
                }
            }
        },
    ],
    'docs/cost.md': [
        async function cost({ language, code }) {
            assert.equal(language, 'sh');
            costs = await shell(code);
        },
        async function table({ language, code }) {
            assert.deepEqual([language, code], ['text', costs]);
        },
    ],
    'docs/loom.md': [
        drawing,
        async function cost({ language, code }) {
            assert.equal(language, 'sh');
            costs = await shell(code);
        },
        async function table({ language, code }) {
            assert.deepEqual([language, code], ['text', costs]);
        },
    ],
    'docs/analytics.md': [
        async function line({ language, code }) {
            assert.equal(language, 'json');
            const { origin, terminal } = await published('analytics', '/courses/rails/intro/', '--log-level', 'log');
            const playlist = await (await fetch(await link(origin))).text();
            const folder = `${origin}/courses/rails/intro/`;
            const media = playlist.split('\n').find((one) => one.includes('/480p/playlist.m3u8') && !one.startsWith('#'));
            const [segment] = (await (await fetch(folder + media)).text()).match(/^seg\S+/m);
            const url = new URL(segment, folder + media);
            // The first, of all of it, leaves it in the cache.
            for (const headers of [{}, { range: 'bytes=0-999' }]) await (await fetch(url, { headers })).arrayBuffer();
            const shown = JSON.parse(code);
            const [text] = await terminal.shows(/^\{"method":"GET","status":206.*"cache":"hit"\}$/m);
            const found = JSON.parse(text);
            assert.deepEqual(Object.keys(found), Object.keys(shown));
            assert.equal(found.bytes, 1000);
            assert.match(found.key, /^courses\/rails\/intro\/v\/\w+\/480p\/seg\d{5}\.m4s$/);
            assert.equal(found.viewer.length, shown.viewer.length);
        },
        configures,
        ...Array(4).fill(unable('sql', 'Analytics Engine is in an account')),
    ],
    'docs/deploy.md': [
        async function tools({ language, code }) {
            assert.equal(language, 'sh');
            // Behind `make build`.
            await shell(`${code}\nlectern --version; wrangler --version`, { before: 'make() { command make --dry-run "$@" >/dev/null; }', cwd: root });
        },
        unable('sh', 'it signs in to an account'),
        unable('sh', 'it makes a bucket in an account'),
        async function makesKeys(block) {
            await lookUp(block);
            rmSync(join(folder, 'lectern-keys.json'), { force: true });
            // What wrangler would set.
            await shell(block.code, { before: 'wrangler() { cat >secret; }' });
            assert.equal(readFileSync(join(folder, 'secret'), 'utf8'), readFileSync(join(folder, 'lectern-keys.json'), 'utf8'));
            assert.equal(statSync(join(folder, 'lectern-keys.json')).mode & 0o777, 0o600);
            deployed = await Edge.start('deploy', readFileSync(join(folder, 'secret'), 'utf8').trim());
        },
        configures,
        configures,
        configures,
        unable('sh', 'it deploys to an account'),
        async function health({ language, code }) {
            assert.equal(language, 'sh');
            healthy = JSON.parse(await shell(code.replace('https://video.school.example', deployed.origin)));
        },
        async function healthAnswer({ language, code }) {
            assert.equal(language, 'json');
            const shown = JSON.parse(code);
            assert.deepEqual(Object.keys(healthy), Object.keys(shown));
            assert.deepEqual([healthy.version, healthy.bucket], [shown.version, shown.bucket]);
            assert.deepEqual(healthy.keys, keyIds(readFileSync(join(folder, 'lectern-keys.json'), 'utf8')));
        },
        async function opensIt({ language, code }) {
            assert.equal(language, 'sh');
            const said = await shell(code.replaceAll('https://video.school.example', deployed.origin), { before: 'lectern sample -o lecture.mp4 --force >&2' });
            await plays(said.match(/^http.*token=.*$/m)[0]);
        },
        unable('sh', 'it sets up another Worker in an account'),
        async function rotates(block) {
            await lookUp(block);
            await shell(block.code, { before: 'wrangler() { cat >secret; }' });
            const [before, after] = ['lectern-keys.json', 'secret'].map((name) => readFileSync(join(folder, name), 'utf8').trim());
            assert.deepEqual(keyIds(after).slice(1), keyIds(before));
            await deployed.end();
            deployed = await Edge.start('rotated', after);
        },
        async function listsBoth({ language, code }) {
            assert.equal(language, 'sh');
            const said = await shell(code.replace('https://video.school.example', deployed.origin), { cwd: root });
            const ids = keyIds(readFileSync(join(folder, 'rotated.json'), 'utf8'));
            assert.equal(ids.length, 2);
            assert.ok(said.includes(`keys ${ids.join(', ')} (the first mints)`), said);
        },
        async function replaces(block) {
            await lookUp(block);
            const stolen = keyIds(readFileSync(join(folder, 'rotated.json'), 'utf8'));
            await shell(block.code, { before: 'wrangler() { cat >secret; }' });
            const ids = keyIds(readFileSync(join(folder, 'secret'), 'utf8'));
            assert.equal(ids.length, 1);
            assert.ok(!stolen.includes(ids[0]), `${stolen} ${ids}`);
        },
        unable('sh', 'it goes back in an account'),
        unable('sh', 'it deploys an earlier commit to an account'),
        async function upgrades(block) {
            await lookUp(block);
            const cwd = join(folder, 'upgrade');
            mkdirSync(cwd);
            const template = paper('wrangler.toml');
            const own = (text) => text.replaceAll('bucket_name = "lectern"', 'bucket_name = "school-video"');
            const newer = (text) => text.replaceAll('WATCH_WINDOW = "21600"', 'WATCH_WINDOW = "7200"');
            writeFileSync(join(cwd, 'wrangler.toml'), template);
            writeFileSync(join(cwd, 'wrangler.local.toml'), own(template));
            writeFileSync(join(cwd, 'newer.toml'), newer(template));
            // A `git pull` that brings a changed template, and a `make deploy` that shows what it would deploy.
            const stubs = `cd '${cwd}'
                git() { if [ "$1" = pull ]; then cp newer.toml wrangler.toml; else command git "$@"; fi; }
                make() { cat wrangler.local.toml; }`;
            assert.equal(await shell(block.code, { before: stubs }), newer(own(template)));
        },
    ],
    'docs/scaling.md': [
        drawing,
        unable('sh', 'it makes queues in an account'),
        configures,
        async function variables({ language, code }) {
            assert.equal(language, 'ini');
            // What a shell and systemd.exec(5) read alike: comments on their own lines, values without quoting.
            for (const line of code.trim().split('\n')) assert.match(line, /^(# .*|[A-Z_]+=[^\s'"#\\$]+)$/);
            const names = [...code.matchAll(/^([A-Z_]+)=(.*)$/gm)];
            writeFileSync(join(folder, 'lectern.env'), code);
            const exported = await shell('set -a; . ./lectern.env; set +a; env');
            for (const [line] of names) assert.ok(exported.split('\n').includes(line), line);
            // The account's id stands once, for the queue and the bucket.
            assert.equal(names.filter(([, name]) => name.endsWith('ACCOUNT_ID')).length, 1);
        },
        unable('sh', 'it works for R2 and a queue of an account; tests/e2e/jobs.rs runs it with an edge and a queue on this machine'),
        async function addsKeys({ language, code }) {
            assert.equal(language, 'sh');
            writeFileSync(join(folder, 'lectern-keys.json'), `${keys}\n`);
            await shell(code);
            // Between single quotes, systemd.exec(5) and a shell take every character as it is.
            assert.equal(readFileSync(join(folder, 'lectern.env'), 'utf8').trimEnd().split('\n').at(-1), `LECTERN_KEYS='${keys}'`);
            assert.equal(await shell(`. ./lectern.env; printf %s "$LECTERN_KEYS"`), keys);
        },
        unable('sh', 'it takes messages from a queue of an account'),
        async function unit({ language, code }) {
            assert.equal(language, 'ini');
            assert.deepEqual(code.match(/^\[.*$/gm), ['[Service]', '[Install]']);
            const [, line] = /^ExecStart=\/usr\/local\/bin\/(.*)$/m.exec(code);
            await lookUp({ language: 'sh', code: line });
        },
    ],
};

/** A picture of what goes where, with nothing to run in it. */
function drawing({ language, code }) {
    assert.equal(language, 'text');
    assert.match(code, /[─│▼▶]/);
}

/** A block that another test runs as it stands. */
/** A frame that is right on a phone and for screen readers. */
function framed({ language, code }) {
    assert.equal(language, 'html');
    assert.match(code, /^<iframe src="https:\/\/video\.school\.example\/_lectern\/play#VIDEO_URL" /);
    for (const attribute of ['title', 'allow', 'style']) assert.ok(code.includes(` ${attribute}="`), attribute);
}

function elsewhere(expected, by) {
    return Object.defineProperty(
        ({ language }, _, guide) => {
            assert.equal(language, expected);
            assert.ok(readFileSync(join(root, by), 'utf8').includes(guide), `${by} does not read ${guide}`);
        },
        'name',
        { value: `in ${by}` },
    );
}

/** A block that cannot run here, and why. What it names is looked up all the same. */
function unable(expected, why) {
    return Object.defineProperty(
        async (block, _, guide) => {
            assert.equal(block.language, expected);
            if (expected === 'sh') return lookUp(block);
            // The columns are those that the guide explains.
            const columns = new Set(paper(guide).match(/`(?:blob|double|index)\d`/g).map((name) => name.slice(1, -1)));
            for (const name of block.code.match(/\b(?:blob|double|index)\d\b/g)) assert.ok(columns.has(name), name);
        },
        'name',
        { value: `not here: ${why}` },
    );
}

/** The framework's own kernel, with the configuration that the guide shows, read from the environment and then cached. */
async function laravel({ language, code }, t, guide) {
    assert.equal(language, 'php');
    const framework = '/usr/share/php/Illuminate/autoload.php';
    assert.ok(existsSync(framework), 'Laravel is missing: apt-get install php-laravel-framework');
    const [, services] = /`('lectern' => \[.*\])`/.exec(paper(guide));
    const app = join(folder, 'laravel');
    const files = {
        'app/Http/Controllers/LessonController.php': code,
        'resources/views/lesson.blade.php': codeBehind(guide, code),
        'config/view.php': `<?php return ['paths' => ['${app}/resources/views'], 'compiled' => '${app}/storage/framework/views'];`,
        'config/services.php': `<?php return [${services}];`,
        'config/auth.php': `<?php return ['defaults' => ['guard' => 'school'], 'guards' => ['school' => ['driver' => 'school']]];`,
        'config/app.php': `<?php return ['env' => 'testing', 'key' => str_repeat('0', 32), 'cipher' => 'AES-256-CBC', 'timezone' => 'UTC', 'locale' => 'en',
            'debug' => true, 'providers' => [Illuminate\\Auth\\AuthServiceProvider::class, Illuminate\\Filesystem\\FilesystemServiceProvider::class,
            Illuminate\\View\\ViewServiceProvider::class, School::class]];`,
        '.env': `LECTERN_EDGE=${edge}\nLECTERN_KEYS='${keys}'\n`,
        'bootstrap/cache/.keep': '',
        'storage/framework/views/.keep': '',
    };
    for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(app, name)), { recursive: true });
        writeFileSync(join(app, name), text);
    }
    const ask = `<?php
        // Laravel 8 is older than PHP 8.2.
        error_reporting(E_ALL & ~E_DEPRECATED);
        require '${framework}';
        require '${root}/sdk/php/src/Lectern.php';
        require '${app}/app/Http/Controllers/LessonController.php';
        use Illuminate\\Support\\Facades\\{Auth, Route};
        class School extends Illuminate\\Foundation\\Support\\Providers\\RouteServiceProvider {
            public function boot() {
                Auth::viaRequest('school', fn () => new Illuminate\\Auth\\GenericUser(['id' => 42]));
                $this->routes(fn () => Route::get('/lessons/{slug}', [App\\Http\\Controllers\\LessonController::class, 'show']));
            }
        }
        $app = new Illuminate\\Foundation\\Application('${app}');
        $app->singleton(Illuminate\\Contracts\\Http\\Kernel::class, Illuminate\\Foundation\\Http\\Kernel::class);
        $app->singleton(Illuminate\\Contracts\\Debug\\ExceptionHandler::class, Illuminate\\Foundation\\Exceptions\\Handler::class);
        $answer = $app->make(Illuminate\\Contracts\\Http\\Kernel::class)->handle(Illuminate\\Http\\Request::create('https://school.example/lessons/intro'));
        if (!$app->configurationIsCached()) {
            file_put_contents($app->getCachedConfigPath(), '<?php return ' . var_export($app['config']->all(), true) . ';');
        }
        echo $answer->getStatusCode(), ' ', $answer->getContent();`;
    const answer = async () => {
        const said = await run('laravel.php', ask, ['php', '-d', 'display_errors=stderr'], { env: { LECTERN_KEYS: undefined, LECTERN_EDGE: undefined } });
        assert.match(said, /^200 /);
        await frames(said, '/courses/laravel/intro/master.m3u8', 'u42');
    };
    await answer();
    // As the guide warns, the environment is not read any more.
    rmSync(join(app, '.env'));
    assert.ok(existsSync(join(app, 'bootstrap/cache/config.php')));
    await answer();
}

/** Lines of wrangler.toml, beside those that docs/deploy.md asks for: it takes them, and finds nothing to warn of. */
async function configures({ language, code }) {
    assert.equal(language, 'toml');
    const shipped = paper('wrangler.toml').replace('# routes = ', 'routes = ').replace('ALLOWED_ORIGINS = "*"', 'ALLOWED_ORIGINS = "https://school.example"');
    const set = (text, [name, line]) => {
        const known = new RegExp(`^(# )?${name} = .*$`, 'm');
        return known.test(text) ? text.replace(known, line) : text.replace(/^\[\[/m, `${line}\n\n[[`);
    };
    let text;
    if (code.startsWith('[[')) {
        const commented = code.trim().split('\n').map((line) => `# ${line}\n`).join('');
        assert.ok(shipped.includes(commented), `wrangler.toml does not have\n${commented}`);
        text = shipped.replace(commented, code);
    } else {
        text = code.trim().split('\n').map((line) => [line.split(' = ')[0], line]).reduce(set, shipped);
    }
    // As docs/scaling.md has it, the folder needs the queue.
    if (code.includes('UPLOADS_PREFIX')) text = text.replace(/^# (\[\[queues|binding = "JOBS"|queue = )/gm, '$1');
    const config = join(folder, 'wrangler.toml');
    writeFileSync(config, text.replace('build/index.js', join(root, 'build/index.js')).replace('web/dist', join(root, 'web/dist')));
    const said = await execute(['node', join(root, 'tools/deploy/check.mjs'), '--offline', '--config', config], { cwd: root });
    assert.match(said, /✔ a dry run of the deploy/);
    const { unstable_readConfig } = await import('wrangler');
    const read = unstable_readConfig({ config });
    for (const [, name, value] of code.matchAll(/^(\w+) = "?([^"\n]*?)"?$/gm)) assert.ok(JSON.stringify(read).includes(name === 'routes' ? '"custom_domain":true' : value), name);
}

/** `make course-app`: one command makes lectures, edge and app; it prints an address, which answers, and ^C ends all of it. */
async function courseApp({ language, code }) {
    assert.equal(language, 'sh');
    assert.match(code, /^make course-app\b/);
    const [port, app] = [await freePort(), await freePort()];
    const embedded = async (page) => /<iframe src="[^"#]*#([^"]*)"/.exec(await (await fetch(page)).text())[1];
    const terminal = new Terminal('course-app', code, { env: { PORT: String(port), APP_PORT: String(app), STATE: join(folder, 'course-state') } });
    try {
        const [, address] = await terminal.shows(/^The course app: (\S+)$/m);
        assert.equal(address, `http://localhost:${app}/`);
        assert.match(await (await fetch(address)).text(), /Rails for beginners/);
        // The free preview of a lecture that it published.
        // And the broadcast whose preview is refused.
        for (const [page, lecture] of [['lessons/rails/intro', 'courses/rails/intro'], ['error-pages/no_preview', 'samples/broadcast']]) {
            const video = await embedded(address + page);
            assert.ok(video.startsWith(`http://localhost:${port}/${lecture}/`), video);
            await plays(video);
        }
        // The lecture whose smallest version is too large.
        const refused = await fetch(await embedded(`${address}error-pages/no_variant`));
        assert.equal((await refused.json()).code, 'no_variant');
    } finally {
        await terminal.interrupt(port, app, port + 2);
    }
}

const paper = (name) => readFileSync(join(root, name), 'utf8');
const local = {};
let costs, deployed, healthy, shipped, shop, shownLink, uploadUrl;

const literal = (text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** A package of some seconds, made once. */
let made;
function packaged() {
    made ??= shell('lectern sample -o sample.mp4 && lectern package sample.mp4 -o package --ladder 480 --preset ultrafast').then(() => join(folder, 'package'));
    return made;
}

/** An edge with the keys of the SDK's vectors and a lecture. */
async function published(name, prefix, ...options) {
    const one = await Edge.start(name, keys, ...options);
    await execute(['lectern', 'publish', await packaged(), one.origin + prefix], { env: { LECTERN_KEYS: keys } });
    return one;
}

let watchedEdge;

/** An edge on which s42 watched 67 % of a lecture. `report` posts a body, or asks for the progress. */
function watched() {
    watchedEdge ??= (async () => {
        const { origin } = await published('watched', '/courses/rails/intro/');
        const claims = { path: '/courses/rails/intro/', exp: Math.floor(Date.now() / 1000) + 3600, sub: 's42' };
        const token = await mint(claims, { keys });
        const report = (body) => fetch(`${origin}/_lectern/watched?path=/courses/rails/intro/master.m3u8&token=${token}`, { method: body ? 'POST' : 'GET', body });
        const answer = await report('{"position":1834,"duration":2700,"ranges":[[0,1834]],"final":true}');
        assert.equal(answer.status, 200);
        const asked = ['lectern', 'watched', `${origin}/courses/rails/intro/`];
        const lists = async () => (await execute(asked, { env: { LECTERN_KEYS: keys } })).includes('s42');
        while (!(await lists()));
        return { origin, report };
    })();
    return watchedEdge;
}

const link = async (origin) => (await execute(['lectern', 'link', `${origin}/courses/rails/intro/master.m3u8`], { env: { LECTERN_KEYS: keys } })).trim();

/** Asserts that a link opens a Multivariant Playlist. */
async function plays(url) {
    const answer = await fetch(url);
    const text = await answer.text();
    assert.ok(answer.ok && text.includes('#EXT-X-STREAM-INF'), `${answer.status} ${text}`);
}

test('every guide is listed here, and README', () => {
    const papers = readdirSync(join(root, 'docs'), { recursive: true }).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
    assert.deepEqual(Object.keys(guides).filter((name) => name.startsWith('docs/')).sort(), papers.sort());
    assert.ok('README.md' in guides);
});

test('no block goes unnoticed', () => {
    const found = (text) => blocks(text).map(({ language, code }) => [language, code]);
    assert.deepEqual(found('```\na\n```\n1. b\n\n   ```sh\n   c\n     d\n   ```\n~~~~js\n~~~\n~~~~\n'), [['', 'a\n'], ['sh', 'c\n  d\n'], ['js', '~~~\n']]);
    for (const text of ['```sh\na', '> ```sh\n> a\n> ```', '- ```sh\n  a\n  ```', 'a:\n\n    b\n', '\tb']) assert.throws(() => blocks(text), /line \d/, text);
});

for (const [guide, examples] of Object.entries(guides)) {
    const found = blocks(paper(guide));
    test(`${guide} shows as many examples as are listed`, () => {
        assert.equal(found.length, examples.length, found.map(({ line, language }) => `line ${line}: ${language}`).join('\n'));
    });
    examples.forEach((example, at) => test(`${guide}: example ${at + 1} (${example.name})`, (t) => example(found[at], t, guide)));
}

test('with a queue, the commands that `make serve` prints work when copied', async () => {
    const config = join(folder, 'queue.toml');
    const text = paper('wrangler.toml').replace(/^# (\[\[queues|binding = "JOBS"|queue = )/gm, '$1').replace('UPLOADS_PREFIX = ""', 'UPLOADS_PREFIX = "uploads/"');
    writeFileSync(config, text.replace('build/index.js', join(root, 'build/index.js')).replaceAll('web/dist', join(root, 'web/dist')));
    const port = await freePort();
    const terminal = new Terminal('queue', `make serve CONFIG='${config}'`, { env: { PORT: String(port), STATE: join(folder, 'queue-state') } });
    try {
        const [, work, upload] = await terminal.shows(/^next: +(target\/.*)\n.*: (target\/.*)$/m);
        const file = join(folder, 'queued.mp4');
        const inProject = { cwd: root, env: { LECTERN_KEYS: '' } };
        await shell(`lectern sample --force -o '${file}'`);
        await shell(upload.replace('lecture.mp4', `'${file}'`), inProject);
        const said = await shell(`${work} --once --ladder 480 --preset ultrafast`, inProject);
        assert.equal(said.trim(), `http://localhost:${port}/courses/queued/master.m3u8`);
    } finally {
        await terminal.interrupt(port, port + 2);
    }
});

/** Returns the result of the first embed's page in its own folder, with one deviation from the guide. */
async function stumble(language, { change = (code) => code, options = [], before = '', env = {} }) {
    const section = paper('docs/first-embed.md').split(`\n## ${language}\n`)[1].split('\n## ')[0];
    const { code } = blocks(section).find((block) => block.language !== 'sh');
    const name = /^(?:#|\/\/) (\S+)\n/.exec(code)[1];
    // Not below a `node_modules`.
    const cwd = mkdtempSync(join(tmpdir(), 'lectern-stumble-'));
    const [sdk, program] = { Ruby: ['sdk/ruby/lib', 'ruby'], Node: ['sdk/javascript', 'node'] }[language];
    cpSync(join(root, sdk), join(cwd, 'lectern'), { recursive: true });
    writeFileSync(join(cwd, '.dev.vars'), `LECTERN_KEYS='${keys}'\n`);
    const text = change(code);
    const file = typeof text === 'string' ? name : text.file;
    writeFileSync(join(cwd, file), typeof text === 'string' ? text : text.code);
    const port = await freePort();
    // The page is asked for: some stumble only then. When it answers again, it has printed what it says of the first time.
    const ask = `curl --silent --output /dev/null --max-time 60 http://localhost:${port}/`;
    const command = `${before}\n${program} ${options.join(' ')} ${file} & page=$!
        for _ in $(seq 6000); do
            kill -0 $page 2>/dev/null || break
            ${ask} && break
            sleep 0.1
        done
        ${ask}; kill $page 2>/dev/null; wait $page || true`;
    try {
        return await execute(['bash', '-c', command], { cwd, both: true, env: { LECTERN_EDGE: edge, LECTERN_KEYS: keys, PORT: String(port), ...env } });
    } finally {
        rmSync(cwd, { recursive: true });
    }
}

const both = (how) => [['Ruby', how], ['Node', how]];
/** Symptoms, by their first words in the guide. Each is caused here, or in the frame by the browser test. */
const stumbles = {
    'LECTERN_KEYS is not set': both({ before: '. ./.dev.vars', env: { LECTERN_KEYS: undefined } }),
    'LECTERN_KEYS is not a JSON list': [
        ...both({ before: 'export $(cat .dev.vars)' }),
        ...both({ before: `export LECTERN_KEYS=${keys.replaceAll(/[{},]/g, '\\$&')}` }),
    ],
    'lectern: command not found': both({ before: 'PATH=/usr/bin:/bin; hash -r; lectern keys new' }),
    'This link does not open this.': 'tests/browser/first-embed.mjs',
    'There is nothing here.': 'tests/browser/first-embed.mjs',
    'cannot load such file -- webrick': [['Ruby', { options: ['--disable-gems'] }]],
    "undefined method 'hours'": [['Ruby', { change: (code) => code.replace('600', '6.hours') }]],
    "Cannot find package 'lectern'": [['Node', { change: (code) => code.replace('./lectern/lectern.js', 'lectern') }]],
    'Cannot use import statement outside a module': [
        ['Node', { change: (code) => ({ file: 'school.js', code }), options: ['--no-experimental-detect-module'] }],
    ],
    // As in Node 18.
    'crypto is not defined': [['Node', { options: ['--no-experimental-global-webcrypto'] }]],
};

test('every row of the troubleshooting table happens as it is told', async (t) => {
    const table = paper('docs/first-embed.md').split('## Troubleshooting')[1].split('\n## ')[0];
    const told = [...table.matchAll(/^\| (?:in the frame, "([^"]+)"|`([^`]+)`)/gm)].map(([, framed, printed]) => framed ?? printed);
    assert.deepEqual(told, Object.keys(stumbles));
    assert.equal(told.length, table.match(/^\| /gm).length - 1);
    for (const [seen, cases] of Object.entries(stumbles)) {
        if (typeof cases === 'string') {
            const [titles, elsewhere] = ['src/http/problem.rs', 'tests/e2e/course.rs'].map(paper);
            assert.ok(titles.includes(`"${seen}"`) && elsewhere.includes(`"${seen}"`), seen);
            continue;
        }
        for (const [language, how] of cases) {
            await t.test(`${language}: ${seen}`, async () => {
                // Ruby has quoted a name in two ways.
                const said = (await stumble(language, how)).replaceAll('`', "'");
                assert.ok(said.includes(seen), said);
            });
        }
    }
});

test('every link to a file leads somewhere', () => {
    const papers = [...readdirSync(join(root, 'docs'), { recursive: true }).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`), 'README.md', 'DESIGN.md', 'CONTRIBUTING.md', 'SECURITY.md', 'examples/course-app/README.md'];
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
