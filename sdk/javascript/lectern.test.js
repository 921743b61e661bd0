// sdk/vectors.json, and what the vectors do not say: node --test

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import * as lectern from './lectern.js';

const vectors = JSON.parse(readFileSync(new URL('../vectors.json', import.meta.url), 'utf8'));
const { keys } = vectors;

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const edge = ({ now, max_link_age: maxLinkAge, max_watch: maxWatch }) => ({ keys, now, maxLinkAge, maxWatch });
const call = (vector) => {
    const options = Object.entries(vector.options).map(([name, value]) => [camel(name), value]);
    return lectern[camel(vector.call)](vector.url, { ...Object.fromEntries(options), ...edge(vector) });
};
const refused = (vector, refuse) =>
    assert.rejects(async () => refuse(), (error) => {
        assert.ok(error instanceof lectern.LecternError, `${JSON.stringify(vector)}: ${error.stack}`);
        assert.equal(error.code, vector.error, `${JSON.stringify(vector)}: ${error.message}`);
        assert.ok(error.message);
        return true;
    }, JSON.stringify(vector));

test('claims give exactly the token of the edge', async () => {
    for (const vector of vectors.mint) assert.equal(await lectern.mint(vector.claims, edge(vector)), vector.token, vector.name);
});

test('a URL gives exactly the link of the edge', async () => {
    for (const vector of vectors.link) assert.equal(await call(vector), vector.link, vector.name);
});

test('a token says its claims', async () => {
    for (const vector of vectors.verify) {
        const claims = await lectern.verify(vector.token, { url: vector.url, ...edge(vector) });
        assert.deepEqual(claims, { use: 'play', ...vector.claims }, vector.name);
    }
});

test('claims that open nothing are not minted', async () => {
    for (const vector of vectors.refused_claims) await refused(vector, () => lectern.mint(vector.claims, edge(vector)));
});

test('a URL that cannot be linked to is refused', async () => {
    for (const vector of vectors.refused_links) await refused(vector, () => call(vector));
});

test('a token that opens nothing is refused with its reason', async () => {
    for (const vector of vectors.refused_tokens) {
        await refused(vector, () => lectern.verify(vector.token, { url: vector.url, ...edge(vector) }));
    }
});

test('keys that mint nothing are refused', async () => {
    for (const vector of vectors.refused_keys) await refused(vector, () => lectern.keyIds(vector.keys));
    await refused({ error: 'no_keys' }, () => lectern.keyIds(' '));
    assert.deepEqual(lectern.keyIds(keys), ['2026-11', 'old._-']);
});

test('every link opens its own URL', async () => {
    for (const vector of vectors.link) assert.ok(await lectern.verify(vector.link, edge(vector)), vector.name);
});

test('keys come from the environment, and times may be dates', async () => {
    delete process.env.LECTERN_KEYS;
    await refused({ error: 'no_keys' }, () => lectern.link('https://h/a'));
    process.env.LECTERN_KEYS = keys;
    const link = await lectern.link('https://h/a', { expiresAt: new Date(Date.now() + 60_000) });
    assert.ok((await lectern.verify(link)).exp <= Date.now() / 1000 + 60);
    delete process.env.LECTERN_KEYS;
});

test('half of a surrogate pair is no text', async () => {
    const options = { keys, now: 0 };
    await refused({ error: 'bad_sub' }, () => lectern.mint({ path: '/a', exp: 60, sub: '\ud83c' }, options));
    await refused({ error: 'path_not_utf8' }, () => lectern.mint({ path: '/\udf93', exp: 60 }, options));
    await refused({ error: 'bad_url' }, () => lectern.link('https://h/\ud83c', options));
});

test('nothing of Node is used, so that it runs in Workers and browsers too', () => {
    const source = readFileSync(new URL('./lectern.js', import.meta.url), 'utf8');
    assert.doesNotMatch(source, /^import |node:|require\(|\bBuffer\b/m);
});
