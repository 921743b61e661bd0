// The codes of errors: those that the vectors ask for, that docs/mint.md explains, that types name and that sources raise are the same.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const all = (text, pattern) => [...text.matchAll(pattern)].map(([, code]) => code);
const sorted = (codes) => [...new Set(codes)].sort();
const part = (text, from, to) => text.slice(text.indexOf(from), text.indexOf(to, text.indexOf(from)));

/** Codes that one edition alone has, for the others cannot make this mistake. */
const OWN = { unknown_option: 'javascript', no_edge: 'ruby', duplicate_claim: 'ruby' };
const lists = Object.values(JSON.parse(read('sdk/vectors.json'))).filter(Array.isArray);
const common = sorted(lists.flat().map(({ error }) => error).filter(Boolean));
const of = (language) => sorted([...common, ...Object.keys(OWN).filter((code) => OWN[code] === language)]);

test('the guide explains every code, and no other', () => {
    const rows = part(read('docs/mint.md'), '## Errors', '## In tests').split('\n').filter((line) => line.startsWith('| `')).slice(1);
    const explained = rows.flatMap((row) => all(row.split('|')[1], /`(\w+)`/g));
    assert.deepEqual(explained.slice().sort(), sorted([...common, ...Object.keys(OWN)]));
});

test('the types of each language name every code of its edition, and no other', () => {
    const javascript = part(read('sdk/javascript/lectern.d.ts'), 'type ErrorCode =', ';');
    assert.deepEqual(all(javascript, /'(\w+)'/g).sort(), of('javascript'));
    const python = part(read('sdk/python/lectern/_types.py'), 'ErrorCode = Literal[', ']');
    assert.deepEqual(all(python, /"(\w+)"/g).sort(), of('python'));
    const ruby = part(read('sdk/ruby/sig/lectern.rbs'), 'type code =', 'class Error');
    assert.deepEqual(all(ruby, /"(\w+)"/g).sort(), of('ruby'));
});

test('every code that a source raises by its name is explained', () => {
    for (const [language, folder, source, raised] of [
        ['ruby', 'sdk/ruby/lib', /\.rb$/, /(?:Error\.new|bad_path)\("(\w+)"/g],
        ['javascript', 'sdk/javascript', /^(?!.*\.test).*\.js$/, /(?:LecternError|badPath)\('(\w+)'/g],
        ['python', 'sdk/python/lectern', /\.py$/, /(?:LecternError|bad_path)\("(\w+)"/g],
        ['php', 'sdk/php/src', /\.php$/, /(?:LecternException|badPath)\('(\w+)'/g],
        ['go', 'sdk/go', /^(?!.*_test).*\.go$/, /(?:fail|badPath)\("(\w+)"/g],
    ]) {
        const paths = readdirSync(new URL(`../../${folder}`, import.meta.url), { recursive: true }).filter((path) => source.test(path));
        const codes = paths.flatMap((path) => all(read(`${folder}/${path}`), raised)).filter((code) => code !== 'bad_');
        assert.ok(codes.length > 20, `${folder}: ${codes.length}`);
        assert.deepEqual(sorted(codes.filter((code) => !of(language).includes(code))), [], folder);
    }
});
