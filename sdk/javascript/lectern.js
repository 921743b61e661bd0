// @ts-self-types="./lectern.d.ts"
/**
 * Mints links to lectures behind a Lectern edge. Runs in Node, Deno, Workers and browsers.
 *
 *     import { link } from 'lectern';
 *     await link('https://video.school.example/courses/rails/intro/master.m3u8', { viewer: 's42' });
 *     // 'https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…'
 *
 * A player plays the link. An <iframe> of `embedUrl` shows the player page.
 *
 * `keys` takes the edge's LECTERN_KEYS. It defaults to LECTERN_KEYS of the environment. The first
 * key signs. Keys belong on servers: they open every lecture. A link that the edge would refuse to
 * every viewer throws a LecternError.
 *
 * Tests verify links with `lectern/verify`.
 */

import {
    check, checkExpiry, checkTarget, EXPIRES_IN, MAX_LINK_AGE, MAX_LINK_BYTES, MAX_WATCH,
    readBound, readInstant, readNow, readOptions, RULES,
} from './claims.js';
import { LecternError } from './error.js';
import { encode, isPlain, keyring, sign } from './keys.js';
import { addToken, beside, encodeName, putMember, readPath, splitUrl } from './urls.js';

export { EXPIRES_IN, LecternError, MAX_LINK_AGE, MAX_LINK_BYTES, MAX_WATCH };

/** @typedef {typeof import('./lectern.d.ts')} Lectern */

const MINT_OPTIONS = ['keys', 'now', 'maxLinkAge', 'maxWatch'];
const POSTER_OPTIONS = [
    ...MINT_OPTIONS, 'viewer', 'expiresIn', 'expiresAt', 'notBefore', 'watch', 'maxHeight',
    'preview', 'langs', 'ip', 'country', 'origin', 'jti', 'watermark', 'sessions', 'sessionsPolicy',
    'strict', 'offline',
];
// The edge opens no single object with these.
const RESTRICTIONS = ['maxHeight', 'preview', 'langs'];
const DOWNLOAD_OPTIONS = [...POSTER_OPTIONS, 'name'];
const EMBED_OPTIONS = [...POSTER_OPTIONS, 'directory'];
const UPLOAD_OPTIONS = [...EMBED_OPTIONS, 'maxBytes', 'maxObjects', 'types'];
const LINK_OPTIONS = [...UPLOAD_OPTIONS, 'use'];

/** @type {Lectern['link']} */
export const link = async (url, options) => {
    const given = readOptions(options, LINK_OPTIONS);
    const { keys, maxLinkAge, maxWatch } = given;
    const parts = splitUrl(url);
    const now = readNow(given.now);
    const claims = {
        path: readPath(parts.path, given.directory),
        exp: readExpiry(given, now),
        nbf: readInstant(given.notBefore),
        use: given.use ?? 'play',
        sub: given.viewer,
        jti: given.jti,
        watermark: given.watermark,
        watch: given.watch,
        max_height: given.maxHeight,
        preview: given.preview,
        langs: given.langs,
        ip: given.ip,
        country: given.country,
        origin: given.origin,
        sessions: given.sessions,
        sessions_policy: given.sessionsPolicy,
        strict: given.strict,
        offline: given.offline,
        max_bytes: given.maxBytes,
        max_objects: given.maxObjects,
        types: given.types,
    };
    return addToken(parts, await mint(claims, { keys, now, maxLinkAge, maxWatch }));
};

/** @type {Lectern['uploadLink']} */
export const uploadLink = async (url, options) => {
    const given = readOptions(options, UPLOAD_OPTIONS);
    if (!readPath(splitUrl(url).path, given.directory).endsWith('/')) {
        const rule = 'an upload link opens a folder: end the URL in a slash, or set `directory`';
        throw new LecternError('path_not_a_folder', rule);
    }
    return link(url, { ...given, use: 'upload' });
};

/** @type {Lectern['embedUrl']} */
export const embedUrl = async (url, options) => {
    const given = readOptions(options, EMBED_OPTIONS);
    const parts = splitUrl(url);
    const lecture = parts.path.endsWith('/') ? beside(parts, 'master.m3u8') : url;
    return `${parts.origin}/_lectern/play#${await link(lecture, given)}`;
};

/** @type {Lectern['posterUrl']} */
export const posterUrl = async (url, options) => {
    const given = readOptions(options, POSTER_OPTIONS);
    const parts = splitUrl(url);
    refuseOptions(given, RESTRICTIONS);
    return link(beside(parts, 'poster.jpg'), given);
};

/** @type {Lectern['downloadUrl']} */
export const downloadUrl = async (url, options) => {
    const { name, ...given } = readOptions(options, DOWNLOAD_OPTIONS);
    const parts = splitUrl(url);
    refuseOptions(given, [...RESTRICTIONS, 'sessions']);
    const query = putMember(parts.query, 'download', encodeName(name));
    return link(beside({ ...parts, query }, 'lecture.mp4'), { ...given, use: 'download' });
};

/** @type {Lectern['mint']} */
export const mint = async (claims, options) => {
    const given = readOptions(options, MINT_OPTIONS);
    const [{ kid, secret }] = keyring(given.keys);
    const now = readNow(given.now);
    const maxLinkAge = readBound('maxLinkAge', given.maxLinkAge ?? MAX_LINK_AGE);
    const maxWatch = readBound('maxWatch', given.maxWatch ?? MAX_WATCH);
    if (!isPlain(claims ?? {})) {
        throw new LecternError('bad_claims', 'claims must be a plain object: { path, exp, … }');
    }
    const present = Object.entries(claims ?? {}).filter(([, value]) => (value ?? null) !== null);
    const unknown = present.find(([name]) => !RULES.has(name));
    if (unknown) throw new LecternError('unknown_claim', `no claim is called \`${unknown[0]}\``);
    const checked = check(Object.fromEntries(present));
    checkTarget(checked);
    checkExpiry(checked.exp, now, maxLinkAge);
    if (checked.watch > maxWatch) {
        const rule = `the edge allows ${maxWatch} at most (MAX_WATCH)`;
        throw new LecternError('watch_too_long', `\`watch\` is ${checked.watch} seconds; ${rule}`);
    }
    if (checked.use === 'play') delete checked.use;
    const parts = [{ alg: 'HS256', typ: 'JWT', kid }, checked].map((part) => JSON.stringify(part));
    const signed = parts.map((part) => encode(new TextEncoder().encode(part))).join('.');
    const token = `${signed}.${encode(await sign(secret, signed))}`;
    if (token.length <= MAX_LINK_BYTES) return token;
    throw new LecternError('link_too_long', `the link is longer than ${MAX_LINK_BYTES} bytes`);
};

/** @type {Lectern['keyIds']} */
export const keyIds = (keys) => keyring(keys).map(({ kid }) => kid);

/** @param {any} given @param {string[]} names */
function refuseOptions(given, names) {
    const found = names.find((name) => given[name] != null);
    if (found === undefined) return;
    const rule = `the edge refuses a link to this object with \`${found}\`: leave it out`;
    throw new LecternError('bad_option', rule);
}

/** @param {any} options @param {number} now */
function readExpiry({ expiresIn, expiresAt }, now) {
    if (expiresIn != null && expiresAt != null) {
        throw new LecternError('bad_exp', '`expiresIn` and `expiresAt` are both set: remove one');
    }
    if (expiresAt != null) return readInstant(expiresAt);
    const seconds = expiresIn ?? EXPIRES_IN;
    if (Number.isSafeInteger(seconds)) return now + seconds;
    throw new LecternError('bad_exp', '`expiresIn` must be a whole number of seconds');
}
