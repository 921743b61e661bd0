// sdk/vectors.json, and cases that JSON cannot express: node --test

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import * as minting from './lectern.js';
import { verify } from './verify.js';

const lectern = { ...minting, verify };

const vectors = JSON.parse(readFileSync(new URL('../vectors.json', import.meta.url), 'utf8'));
const { keys } = vectors;

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const camelled = (members = {}) => Object.fromEntries(Object.entries(members).map(([name, value]) => [camel(name), value]));
const edge = ({ now, max_link_age, max_watch, options: more }) => ({
    keys,
    now,
    ...(max_link_age && { maxLinkAge: max_link_age }),
    ...(max_watch && { maxWatch: max_watch }),
    ...camelled(more),
});
const call = (vector) => lectern[camel(vector.call)](vector.url, edge(vector));
const refused = (vector, refuse) =>
    assert.rejects(async () => refuse(), (error) => {
        assert.ok(error instanceof lectern.LecternError, `${JSON.stringify(vector)}: ${error.stack}`);
        assert.equal(error.code, vector.error, `${JSON.stringify(vector)}: ${error.message}`);
        assert.ok(error.message);
        return true;
    }, JSON.stringify(vector));

test('mint returns the token of the edge', async () => {
    for (const vector of vectors.mint) assert.equal(await lectern.mint(vector.claims, edge(vector)), vector.token, vector.name);
});

test('link returns the link of the edge', async () => {
    for (const vector of vectors.link) assert.equal(await call(vector), vector.link, vector.name);
});

test('embedUrl returns the page of the edge', async () => {
    for (const vector of vectors.embed) assert.equal(await call(vector), vector.link, vector.name);
});

test('verify returns the claims of a token', async () => {
    for (const vector of vectors.verify) {
        const claims = await lectern.verify(vector.token, { url: vector.url, ...edge(vector) });
        assert.deepEqual(claims, { use: 'play', ...vector.claims }, vector.name);
    }
});

test('mint refuses claims that open nothing', async () => {
    for (const vector of vectors.refused_claims) await refused(vector, () => lectern.mint(vector.claims, edge(vector)));
});

test('link refuses a wrong URL', async () => {
    for (const vector of vectors.refused_links) await refused(vector, () => call(vector));
});

test('verify refuses a token that opens nothing', async () => {
    for (const vector of vectors.refused_tokens) {
        await refused(vector, () => lectern.verify(vector.token, { url: vector.url, ...edge(vector) }));
    }
});

test('keyIds refuses wrong keys', async () => {
    for (const vector of vectors.refused_keys) await refused(vector, () => lectern.keyIds(vector.keys));
    await refused({ error: 'no_keys' }, () => lectern.keyIds(' '));
    assert.deepEqual(lectern.keyIds(keys), ['2026-11', 'old._-']);
});

test('every link opens its own URL', async () => {
    for (const vector of vectors.link) assert.ok(await lectern.verify(vector.link, edge({ ...vector, options: {} })), vector.name);
});

test('keys come from the environment', async () => {
    delete process.env.LECTERN_KEYS;
    await refused({ error: 'no_keys' }, () => lectern.link('https://h/a'));
    process.env.LECTERN_KEYS = keys;
    const link = await lectern.link('https://h/a', { expiresAt: new Date(Date.now() + 60_000) });
    assert.ok((await lectern.verify(link)).exp <= Date.now() / 1000 + 60);
    delete process.env.LECTERN_KEYS;
});

test('a misspelt option is refused, and the message names the right one', async () => {
    const options = { keys, now: 0 };
    const unknown = { error: 'unknown_option' };
    for (const [call, name, says] of [
        ['link', 'max_height', 'write `maxHeight`'],
        ['link', 'expires_in', 'write `expiresIn`'],
        ['link', 'Viewer', 'viewer'],
        ['link', 'url', 'viewer'],
        ['uploadLink', 'max_watch', 'write `maxWatch`'],
        ['uploadLink', 'use', 'viewer'],
        ['embedUrl', 'use', 'viewer'],
        ['posterUrl', 'use', 'viewer'],
        ['posterUrl', 'directory', 'viewer'],
        ['posterUrl', 'name', 'viewer'],
        ['downloadUrl', 'use', 'name'],
        ['downloadUrl', 'directory', 'name'],
        ['mint', 'max_link_age', 'write `maxLinkAge`'],
        ['mint', 'url', 'maxWatch'],
        ['verify', 'maxWatch', 'url'],
        ['verify', 'constructor', 'url'],
    ]) {
        const of = call === 'mint' ? { path: '/a', exp: 60 } : 'https://h/a/';
        await refused(unknown, () => lectern[call](of, { ...options, [name]: undefined }));
        await assert.rejects(lectern[call](of, { ...options, [name]: 1 }), (error) => error.message.includes(`\`${name}\``) && error.message.includes(says));
    }
    for (const none of [null, 'keys', 42, [], () => 1]) {
        for (const call of ['link', 'uploadLink', 'mint', 'verify']) await refused({ error: 'bad_option' }, () => lectern[call]('https://h/a/', none));
    }
});

test('an invalid time is refused', async () => {
    const expired = await lectern.mint({ path: '/a', exp: 60 }, { keys, now: 0 });
    for (const none of [NaN, Infinity, -Infinity, -1, 2 ** 53, new Date('x'), new Date(-1), 'x', '1', true, [], {}]) {
        for (const options of [{ now: none }, { now: 1000, maxLinkAge: none }, { now: 1000, maxWatch: none }]) {
            if ((options.maxLinkAge ?? options.maxWatch) instanceof Date) continue;
            if (!('maxWatch' in options)) await refused({ error: 'bad_option' }, () => lectern.verify(expired, { keys, ...options }));
            await refused({ error: 'bad_option' }, () => lectern.mint({ path: '/a', exp: 2000 }, { keys, ...options }));
            await refused({ error: 'bad_option' }, () => lectern.link('https://h/a', { keys, ...options }));
        }
    }
    for (const now of [61, 61.5, new Date(61_999)]) await refused({ error: 'expired' }, () => lectern.verify(expired, { keys, now }));
    assert.ok(await lectern.verify(expired, { keys, now: new Date(60_999) }));
    for (const none of [null, undefined]) {
        assert.ok(await lectern.link('https://h/a', { keys, now: none, maxLinkAge: none, maxWatch: none, directory: none }));
    }
    for (const none of [NaN, Infinity, '60', new Date('x')]) {
        await refused({ error: 'bad_exp' }, () => lectern.link('https://h/a', { keys, expiresIn: none }));
        await refused({ error: 'bad_exp' }, () => lectern.link('https://h/a', { keys, expiresAt: none }));
        await refused({ error: 'bad_nbf' }, () => lectern.link('https://h/a', { keys, notBefore: none }));
    }
});

test('missing and huge values are refused', async () => {
    const options = { keys, now: 0 };
    const huge = 'a'.repeat(400_000);
    for (const token of [null, undefined, 42, {}, []]) await refused({ error: 'malformed' }, () => lectern.verify(token, options));
    for (const token of [huge, `https://h/a?token=${huge}`]) await refused({ error: 'link_too_long' }, () => lectern.verify(token, options));
    for (const claims of [null, undefined, {}]) await refused({ error: 'path_not_absolute' }, () => lectern.mint(claims, options));
    for (const url of [null, 42, new URL('https://h/a')]) await refused({ error: 'bad_url' }, () => lectern.link(url, options));
    await refused({ error: 'bad_url' }, async () => lectern.verify(await lectern.mint({ path: '/a', exp: 60 }, options), { ...options, url: 42 }));
    await refused({ error: 'path_too_long' }, () => lectern.link(`https://h/${huge}`, options));
    const secret = (text) => JSON.stringify([{ kid: 'k', secret: text }]);
    await refused({ error: 'key_too_long' }, () => lectern.keyIds(secret(huge)));
    await refused({ error: 'bad_keys' }, () => lectern.keyIds(huge));
    await refused({ error: 'bad_keys' }, () => lectern.keyIds([]));
    await refused({ error: 'link_too_long' }, () => lectern.link('https://h/a', { ...options, langs: [`a${'-a'.repeat(200_000)}`] }));
    await refused({ error: 'bad_langs' }, () => lectern.link('https://h/a', { ...options, langs: [huge] }));
    await refused({ error: 'bad_langs' }, () => lectern.link('https://h/a', { ...options, langs: Array(400_000).fill('en') }));
    await refused({ error: 'bad_sub' }, () => lectern.link('https://h/a', { ...options, viewer: huge }));
    await refused({ error: 'bad_ip' }, () => lectern.link('https://h/a', { ...options, ip: [huge] }));
    await refused({ error: 'link_too_long' }, () => lectern.link('https://h/a', { ...options, origin: [`https://${huge}`] }));
});

test('an unpaired surrogate is refused', async () => {
    const options = { keys, now: 0 };
    await refused({ error: 'bad_sub' }, () => lectern.mint({ path: '/a', exp: 60, sub: '\ud83c' }, options));
    await refused({ error: 'path_not_utf8' }, () => lectern.mint({ path: '/\udf93', exp: 60 }, options));
    await refused({ error: 'bad_url' }, () => lectern.link('https://h/\ud83c', options));
});

test('the SDK uses nothing of Node, so that it runs in Workers and browsers', () => {
    const folder = new URL('.', import.meta.url);
    const sources = readdirSync(folder).filter((name) => name.endsWith('.js') && !name.endsWith('.test.js'));
    assert.ok(sources.includes('lectern.js'));
    for (const name of sources) {
        const source = readFileSync(new URL(name, folder), 'utf8');
        assert.doesNotMatch(source, /^(?:import|\}) .*from '(?!\.\/)|node:|require\(|\bBuffer\b/m, name);
    }
});

test('inherited options, claims, headers and keys are ignored', async () => {
    const options = { keys, now: 0 };
    const plain = await lectern.link('https://h/a/', options);
    const minted = await lectern.mint({ path: '/a/', exp: 60 }, options);
    const claims = await lectern.verify(minted, options);
    const kidless = [{ alg: 'HS256', typ: 'JWT' }, { path: '/a/', exp: 60 }];
    const sign = async (parts) => {
        const [{ kid, secret }] = JSON.parse(keys);
        const encode = (bytes) => Buffer.from(bytes).toString('base64url');
        const signed = parts.map((part) => encode(JSON.stringify(part))).join('.');
        const key = await crypto.subtle.importKey('raw', Buffer.from(secret, 'base64url'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
        return { kid, token: `${signed}.${encode(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(signed)))}` };
    };
    const { kid, token } = await sign(kidless);
    const { token: pathless } = await sign([{ alg: 'HS256', typ: 'JWT', kid }, { exp: 60 }]);
    delete process.env.LECTERN_KEYS;
    const polluted = {
        use: 'admin', viewer: 'eve', sub: 'eve', directory: true, expiresIn: 86_400, expiresAt: 86_400, watch: 99, maxWatch: 1,
        maxHeight: 1, max_height: 1, preview: [0, 1], langs: ['xx'], path: '/', exp: 99, kid, alg: 'none', crit: [], sessions: 2,
        url: 'https://h/other', maxLinkAge: 1, LECTERN_KEYS: keys, secret: 'x',
    };
    for (const [name, value] of Object.entries(polluted)) {
        Object.defineProperty(Object.prototype, name, { value, enumerable: false, configurable: true, writable: true });
        try {
            assert.equal(await lectern.link('https://h/a/', options), plain, name);
            assert.equal(await lectern.mint({ path: '/a/', exp: 60 }, options), minted, name);
            assert.deepEqual(Object.entries(await lectern.verify(minted, options)), Object.entries(claims), name);
            await refused({ error: 'bad_header' }, () => lectern.verify(token, options));
            await refused({ error: 'bad_claims' }, () => lectern.verify(pathless, options));
            await refused({ error: 'path_not_absolute' }, () => lectern.mint({ exp: 60 }, options));
            await refused({ error: 'no_keys' }, () => lectern.link('https://h/a/', { now: 0 }));
            await refused({ error: 'path_not_a_folder' }, () => lectern.uploadLink('https://h/a', options));
            await refused({ error: 'bad_keys' }, () => lectern.keyIds('[{"kid":"a"}]'));
        } finally {
            delete Object.prototype[name];
        }
    }
    // A restriction in a prototype would be lost.
    class Restricted {
        get maxHeight() {
            return 480;
        }
    }
    for (const inherits of [Object.create({ maxHeight: 480 }), new Restricted(), new Map([['maxHeight', 480]]), new Date(0)]) {
        for (const call of ['link', 'uploadLink', 'verify']) await refused({ error: 'bad_option' }, () => lectern[call]('https://h/a/', inherits));
        await refused({ error: 'bad_option' }, () => lectern.mint({ path: '/a/', exp: 60 }, inherits));
        await refused({ error: 'bad_claims' }, () => lectern.mint(inherits, options));
    }
    const without = Object.assign(Object.create(null), options);
    assert.equal(await lectern.link('https://h/a/', without), plain);
    // In JSON, `__proto__` is a member like any other.
    const named = JSON.parse('{"path":"/a/","exp":60,"__proto__":{"use":"admin"}}');
    await refused({ error: 'unknown_claim' }, () => lectern.mint(named, options));
    await refused({ error: 'unknown_option' }, () => lectern.link('https://h/a/', JSON.parse('{"__proto__":{"use":"admin"}}')));
    const { token: proto } = await sign([{ alg: 'HS256', kid }, JSON.parse('{"path":"/a/","exp":60,"__proto__":{"use":"admin"}}')]);
    assert.equal((await lectern.verify(proto, options)).use, 'play');
});
