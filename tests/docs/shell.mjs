// Runs the guides' commands: a shell, an edge, and servers that a user would start. Looks up the
// commands that cannot run here.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';

export const root = join(import.meta.dirname, '../..');
export const folder = mkdtempSync(join(tmpdir(), 'lectern-docs-'));
/** Every terminal. A test that fails leaves its own running, and this process would wait for it forever. */
const terminals = [];
after(async () => {
    await Promise.all(terminals.map((terminal) => terminal.kill()));
    rmSync(folder, { recursive: true, force: true });
});

const wrangler = join(root, 'node_modules/wrangler/bin/wrangler.js');
/** As the Makefile has it, with the `lectern` that was built. */
export const environment = {
    ...process.env,
    PATH: ['target/debug', 'node_modules/node/bin', 'node_modules/.bin', '.tools/bin'].map((path) => join(root, path)).join(':') + `:${process.env.PATH}`,
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_HIDE_BANNER: 'true',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    X_LOCAL_EXPLORER: 'false',
    X_LOCAL_OBSERVABILITY: 'false',
};

export function built() {
    assert.ok(existsSync(join(root, 'target/debug/lectern')), 'the `lectern` command is missing: run `make build`');
    assert.ok(existsSync(join(root, 'build/index.js')), 'the Worker is missing: run `make build`');
}

/** Runs a program over a file of this text; returns what it printed. */
export async function run(name, text, [program, ...before], { cwd = folder, env = {}, status = 0 } = {}) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return execute([program, ...before, file], { cwd, env, status });
}

export async function execute([program, ...words], { cwd = folder, env = {}, status = 0, both = false } = {}) {
    const ended = await promisify(execFile)(program, words, { cwd, env: { ...environment, ...env }, maxBuffer: 1 << 26 }).catch((error) => error);
    assert.equal(ended.code ?? 0, status, `${program} ${words.join(' ')}\n${ended.stdout}${ended.stderr}`);
    return both ? ended.stdout + ended.stderr : ended.stdout;
}

// The same commands, over a lecture of seconds and in one size, so that a test takes no minutes. And `make` behind `make build`.
const QUICK = `
lectern() {
    case $1 in
    sample) command lectern "$@" --seconds 6 ;;
    ship) command lectern "$@" --ladder 480 --preset ultrafast ;;
    *) command lectern "$@" ;;
    esac
}
make() { command make --no-print-directory -o build "$@"; }
`;

/** Runs a block in bash, which stops at the first command that fails. */
export function shell(code, { before = '', cwd, env, status } = {}) {
    built();
    return run('example.sh', `set -euo pipefail\n${QUICK}${before}\n${code}`, ['bash'], { cwd, env, status });
}

export async function freePort() {
    const server = createServer();
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address();
    await new Promise((closed) => server.close(closed));
    return port;
}

/** What prints nothing for so long is taken to hang; what goes on printing is waited for. */
const LONGEST_SILENCE_MS = 600_000;
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function listens(port) {
    return new Promise((resolve) => {
        const socket = connect({ port: Number(port), host: 'localhost' }, () => resolve(socket.destroy() && true)).on('error', () => resolve(false));
    });
}

/** Commands that keep running, as in their own terminal. */
export class Terminal {
    constructor(name, command, { cwd = root, env = {} } = {}) {
        this.file = join(folder, `${name}.log`);
        const log = openSync(this.file, 'w');
        this.child = spawn('bash', ['-c', `${QUICK}${command}`], { cwd, env: { ...environment, ...env }, detached: true, stdio: ['ignore', log, log] });
        closeSync(log);
        // However this process ends, the pipe closes, and then all of it is gone.
        this.watcher = spawn('sh', ['-c', `cat >/dev/null; kill -9 -${this.child.pid} 2>/dev/null`], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
        this.ended = new Promise((resolve) => this.child.on('exit', (code, signal) => resolve(code ?? signal)));
        this.gone = new Promise((resolve) => this.watcher.on('exit', resolve));
        terminals.push(this);
    }

    runs() {
        return this.child.exitCode === null && this.child.signalCode === null;
    }

    said() {
        return readFileSync(this.file, 'utf8');
    }

    /** Waits until `found` finds something, while the commands run and print; returns it. */
    async until(found) {
        let [printed, since] = [0, performance.now()];
        for (;;) {
            const runs = this.runs();
            const it = await found();
            if (it || !runs) return it;
            const { size } = statSync(this.file);
            if (size !== printed) [printed, since] = [size, performance.now()];
            if (performance.now() - since > LONGEST_SILENCE_MS) return undefined;
            await later(100);
        }
    }

    /** Waits for output that matches. */
    async shows(pattern) {
        const found = await this.until(() => pattern.exec(this.said()));
        return found ?? assert.fail(`no ${pattern} in\n${this.said()}`);
    }

    /** ^C: every process of the terminal gets it, and no listener remains. */
    async interrupt(...ports) {
        process.kill(-this.child.pid, 'SIGINT');
        const late = new Promise((resolve) => setTimeout(resolve, LONGEST_SILENCE_MS, 'it does not end').unref());
        const how = await Promise.race([this.ended, late]);
        try {
            for (const port of ports) {
                const since = performance.now();
                while (performance.now() - since < LONGEST_SILENCE_MS && (await listens(port))) await later(100);
                assert.equal(await listens(port), false, `something still listens on ${port}`);
            }
        } finally {
            await this.kill();
        }
        return how;
    }

    /** Kills all of it. It may have ended already. */
    kill() {
        this.watcher.stdin.destroy();
        return Promise.all([this.gone, this.ended]);
    }
}

/** An edge with these keys and a bucket of its own. */
export class Edge {
    static async start(name, keys, ...options) {
        built();
        const edge = new Edge();
        const port = await freePort();
        edge.origin = `http://localhost:${port}`;
        writeFileSync(join(folder, `${name}.vars`), `LECTERN_KEYS='${keys}'\n`);
        const words = ['node', wrangler, 'dev', '--port', port, '--inspector-port', 0, '--show-interactive-dev-session=false',
            '--persist-to', join(folder, `${name}-state`), '--env-file', join(folder, `${name}.vars`), ...options];
        edge.terminal = new Terminal(name, words.join(' '));
        await answers(`${edge.origin}/_lectern/health`, edge.terminal);
        return edge;
    }

    end() {
        return this.terminal.kill();
    }
}

/** Waits until an address answers; returns the answer. */
export async function answers(url, terminal) {
    const answer = await terminal.until(() => fetch(url, { signal: AbortSignal.timeout(30_000) }).catch(() => undefined));
    return answer ?? assert.fail(`${url} does not answer\n${terminal.said()}`);
}

/** The command of a line, without what stands before and behind it. */
function command(line) {
    const bare = line.replace(/\s+#.*$/, '').replace(/^(export )?\w+=\$\((.*)\)$/, '$2').replace(/\s*[<>]\s*\S+$/, '').trim();
    return bare.replace(/^(?:\w+=(?:"[^"]*"|'[^']*'|\S+) )+/, '').split(/\s+/);
}

const helps = new Map();
function help(program, words) {
    const asked = [program, ...words].join(' ');
    if (!helps.has(asked)) helps.set(asked, execute([...program.split(' '), ...words, '--help'], { cwd: root }));
    return helps.get(asked);
}

/** Lines of programs that do what every system's do. */
const KNOWN = ['curl', 'umask', 'export', 'cd', 'cp', 'mkdir', 'git', 'set', '.'];

/** Asserts that a command exists: targets of make, verbs and options of lectern and wrangler. */
export async function lookUp({ language, code }) {
    assert.equal(language, 'sh');
    await run('example.sh', code, ['bash', '-n']);
    const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
    for (const line of code.trim().split('\n').filter((line) => !/^\s*(#|$)/.test(line)).flatMap((line) => line.split(' | '))) {
        const [program, ...words] = command(line);
        const at = words.findIndex((word) => /^-|[/<:.]/.test(word));
        const verbs = at < 0 ? words : words.slice(0, at);
        if (program === 'make') {
            assert.match(makefile, new RegExp(`^${words[0]}:`, 'm'), line);
        } else if (program === 'lectern' || program === 'wrangler') {
            const text = await help(program === 'wrangler' ? `node ${wrangler}` : 'lectern', verbs);
            // `wrangler r2 bucket create <name>`, `Usage: lectern ship [OPTIONS] <INPUT> <TARGET>`
            const [, usage] = new RegExp(`^(?:Usage: )?${program} (.*)$`, 'm').exec(text) ?? assert.fail(`${line}\n${text}`);
            const known = usage.split(/ ?[<[]/)[0].split(' ').filter(Boolean);
            const names = usage.match(/<[a-z-]+>/gi) ?? [];
            assert.ok(known.length > 0 && known.every((verb, at) => verb === verbs[at]), `${line}: no such verb`);
            assert.ok(verbs.length - known.length <= names.length, `${line}: ${usage}`);
            assert.doesNotMatch(text, /^COMMANDS$|^Commands:$/m, `${line}: a verb is missing`);
            for (const option of words.filter((word) => word.startsWith('--'))) assert.match(text, new RegExp(`${option}\\b`), line);
        } else {
            assert.ok(KNOWN.includes(program) || /^\w+=/.test(line.replace(/^export /, '')), `${line}: is this known?`);
        }
    }
}
