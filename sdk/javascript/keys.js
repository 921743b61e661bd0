/** Keys of LECTERN_KEYS, their signatures (RFC 7515), base64url (RFC 4648 §5), and strict JSON. */

import { LecternError } from './error.js';

/** @typedef {{ kid: string, secret: Uint8Array<ArrayBuffer> }} Key */

/** The keys, the signing key first. @param {any} [text] @returns {Key[]} */
export function keyring(text = environment() ?? '') {
    /** @type {Key[]} */
    const ring = [];
    for (const { kid, secret } of readEntries(text)) {
        if (ring.some((key) => key.kid === kid)) {
            throw new LecternError('duplicate_kid', `LECTERN_KEYS has the kid \`${kid}\` twice`);
        }
        const bytes = decode(secret);
        if (!bytes) {
            const rule = `the secret of \`${kid}\` is not base64url without padding`;
            throw new LecternError('bad_secret', rule);
        }
        if (!/^[A-Za-z0-9._-]{1,64}$/.test(kid)) {
            throw new LecternError('bad_kid', 'a kid must be 1 to 64 characters of A-Za-z0-9._-');
        }
        if (bytes.length < 32 || bytes.length > 1024) {
            const code = bytes.length < 32 ? 'key_too_short' : 'key_too_long';
            const rule = `the secret of \`${kid}\` has ${bytes.length} bytes; it needs 32 to 1024`;
            throw new LecternError(code, rule);
        }
        ring.push({ kid, secret: bytes });
    }
    return ring;
}

/** LECTERN_KEYS of Node, Deno or what else has an environment. @returns {string | undefined} */
function environment() {
    const { process, Deno } = /** @type {any} */ (globalThis);
    const variables = process?.env ?? {};
    const isSet = Object.hasOwn(variables, 'LECTERN_KEYS');
    return isSet ? variables.LECTERN_KEYS : Deno?.env.get('LECTERN_KEYS');
}

/** @param {any} text @returns {{ kid: string, secret: string }[]} */
function readEntries(text) {
    if (typeof text !== 'string') {
        throw new LecternError('bad_keys', '`keys` must be the text of LECTERN_KEYS');
    }
    if (!text.trim()) {
        const hint = "copy the edge's value, which `lectern keys new` prints";
        throw new LecternError('no_keys', `LECTERN_KEYS is not set: ${hint}`);
    }
    const entries = readJson(text);
    if (!Array.isArray(entries) || !entries.every(isEntry)) {
        throw new LecternError('bad_keys', 'LECTERN_KEYS is not a JSON list of {"kid", "secret"}');
    }
    if (entries.length) return entries;
    throw new LecternError('no_keys', 'LECTERN_KEYS is an empty list: run `lectern keys new`');
}

/** @param {any} entry */
function isEntry(entry) {
    const hasBoth = isObject(entry) && Object.keys(entry).sort().join() === 'kid,secret';
    return hasBoth && typeof entry.kid === 'string' && typeof entry.secret === 'string';
}

/** HMAC-SHA-256 of a text. @param {Key['secret']} secret @param {string} text */
export async function sign(secret, text) {
    const key = await importKey(secret, 'sign');
    return new Uint8Array(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text)));
}

/** @param {Key['secret']} secret @param {'sign' | 'verify'} use */
export const importKey = (secret, use) =>
    crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, [use]);

/** Base64url without padding. @param {Uint8Array} bytes */
export function encode(bytes) {
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
    return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Bytes of base64url without padding, in its one correct spelling. @param {string} text */
export function decode(text) {
    if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (byte) => byte.charCodeAt(0));
    return encode(bytes) === text ? bytes : undefined;
}

/** @param {any} value */
export const isObject = (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

/** True for an object without inherited members. @param {any} value */
export function isPlain(value) {
    const prototype = isObject(value) ? Object.getPrototypeOf(value) : undefined;
    if (prototype === undefined) return false;
    return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Own members of an object. @param {any} value @returns {Record<string, any>} */
export const copyOwn = (value) => Object.assign(Object.create(null), value);

/** True for the name of a time in the claims. @param {string} name */
const isTime = (name) => ['exp', 'nbf', 'iat'].includes(JSON.parse(name));

/** Tokens of JSON (RFC 8259). No string has an unpaired surrogate. */
const TOKENS = new RegExp(
    [
        String.raw`"(?:[^"\\]|\\u(?:[0-9A-CEFa-cef][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2}|`,
        String.raw`[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})|\\[^u])*"|`,
        String.raw`[{}[\]:,]|[^\s{}[\]:,"]+`,
    ].join(''),
    'g',
);

/**
 * Value of JSON without repeated members, at most 16 levels deep, or undefined. A time of a link is
 * rounded down, by its digits, because a float may be rounded up. Any other number that is not
 * whole becomes null, which no claim is.
 * @param {string | undefined} text @returns {any}
 */
export function readJson(text = '') {
    try {
        JSON.parse(text);
        const tokens = text.match(TOKENS) ?? [];
        /** @type {Set<string>[]} */
        const open = [];
        const read = tokens.map((token, at) => {
            if (token === '}' || token === ']') open.pop();
            else if (open.length > 16 && token !== ',' && token !== ':') throw SyntaxError('depth');
            if (tokens[at + 1] === ':') {
                const [names, name] = [open[open.length - 1], JSON.parse(token)];
                if (names.has(name)) throw SyntaxError('repeated member');
                names.add(name);
            }
            if (token === '{' || token === '[') open.push(new Set());
            const isMember = open.length === 1 && tokens[at - 1] === ':';
            if (isMember && /^[0-9]+\.[0-9]+$/.test(token) && isTime(tokens[at - 2])) {
                return token.split('.')[0];
            }
            return /^-|^[0-9]+[.eE]/.test(token) ? 'null' : token;
        });
        return JSON.parse(read.join(''), (_, value) => (isObject(value) ? copyOwn(value) : value));
    } catch {
        return undefined;
    }
}
