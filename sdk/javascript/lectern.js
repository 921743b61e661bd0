// @ts-self-types="./lectern.d.ts"
/**
 * Mints and verifies links to lectures behind a Lectern edge, in Node, Deno, Workers and browsers: WebCrypto alone.
 *
 *     import { link } from 'lectern';
 *     await link('https://video.school.example/courses/rails/intro/master.m3u8', { viewer: 's42', expiresIn: 6 * 3600 });
 *     // 'https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…'
 *
 * Players play it; an <iframe> of `https://video.school.example/_lectern/play#${link}` is one. In an app without packages this
 * file is imported as `./lectern.js`; `.mjs`, where Node takes `.js` for CommonJS.
 *
 * The keys are the text that the edge has as LECTERN_KEYS. They are for servers: whoever has them opens everything. The first
 * key mints, all verify. A link that the edge would refuse whoever opens it is refused here, as a LecternError.
 */

/** @typedef {typeof import('./lectern.d.ts')} Lectern */
/** @typedef {{ kid: string, secret: Uint8Array<ArrayBuffer> }} Key */

// What the edge has where its variables of these names are not set.
export const MAX_LINK_AGE = 30 * 86_400;
export const MAX_WATCH = 86_400;
export const EXPIRES_IN = 6 * 3600;
export const MAX_LINK_BYTES = 4096;

export class LecternError extends Error {
    name = /** @type {const} */ ('LecternError');

    /** @param {import('./lectern.d.ts').ErrorCode} code @param {string} message */
    constructor(code, message) {
        super(message);
        this.code = code;
    }
}

/** @type {Lectern['link']} */
export const link = async (url, options = {}) => {
    const given = optionsOf(options, LINK_OPTIONS);
    const { keys, maxLinkAge, maxWatch } = given;
    const parts = urlParts(url);
    const now = time(given.now);
    const claims = {
        path: objectPath(parts.path, given.directory),
        exp: expiry(given, now),
        nbf: instant(given.notBefore),
        use: given.use ?? 'play',
        sub: given.viewer,
        jti: given.jti,
        watch: given.watch,
        max_height: given.maxHeight,
        preview: given.preview,
        langs: given.langs,
        ip: given.ip,
        country: given.country,
        origin: given.origin,
    };
    return withToken(parts, await mint(/** @type {import('./lectern.d.ts').Claims} */ (claims), { keys, now, maxLinkAge, maxWatch }));
};

/** @type {Lectern['uploadLink']} */
export const uploadLink = async (url, options = {}) => {
    const given = optionsOf(options, LINK_OPTIONS.filter((name) => name !== 'use'));
    if (!objectPath(urlParts(url).path, given.directory).endsWith('/')) {
        throw new LecternError('path_not_a_folder', 'an upload link opens a folder: end the URL in a slash, or set `directory`');
    }
    return link(url, { ...given, use: 'upload' });
};

/** @type {Lectern['mint']} */
export const mint = async (claims, options = {}) => {
    const edge = optionsOf(options, MINT_OPTIONS);
    const [key] = keyring(edge.keys);
    const [now, maxLinkAge] = [time(edge.now), bound('maxLinkAge', edge.maxLinkAge, MAX_LINK_AGE)];
    const maxWatch = bound('maxWatch', edge.maxWatch, MAX_WATCH);
    if (!isPlain(claims ?? {})) throw new LecternError('bad_claims', 'claims are a plain object: { path, exp, … }');
    const given = own(claims ?? {});
    for (const [name, value] of Object.entries(given)) {
        if (value === undefined || value === null) delete given[name];
        else if (!CLAIMS.has(name)) throw new LecternError('unknown_claim', `no claim is called \`${name}\``);
    }
    checkReserved(given);
    const checked = check(given);
    checkOpens(checked);
    checkExpiry(checked.exp, now, maxLinkAge);
    if (checked.watch > maxWatch) {
        throw new LecternError('watch_too_long', `\`watch\` is ${checked.watch} s, and the edge counts ${maxWatch} at most (MAX_WATCH)`);
    }
    if (checked.use === 'play') delete checked.use;
    const header = { alg: 'HS256', typ: 'JWT', kid: key.kid };
    const signed = [header, checked].map((part) => encode(new TextEncoder().encode(JSON.stringify(part)))).join('.');
    const signature = await crypto.subtle.sign('HMAC', await hmac(key.secret, 'sign'), new TextEncoder().encode(signed));
    const token = `${signed}.${encode(new Uint8Array(signature))}`;
    if (token.length > MAX_LINK_BYTES) throw new LecternError('link_too_long', `the link is longer than ${MAX_LINK_BYTES} bytes`);
    return token;
};

/** @type {Lectern['verify']} */
export const verify = async (token, options = {}) => {
    const edge = optionsOf(options, VERIFY_OPTIONS);
    const ring = keyring(edge.keys);
    const [now, maxLinkAge] = [time(edge.now), bound('maxLinkAge', edge.maxLinkAge, MAX_LINK_AGE)];
    token = String(token ?? '');
    const query = URL_PARTS.exec(token)?.[3] ?? '';
    const inUrl = query.split('&').find((parameter) => parameter.startsWith('token='));
    const claims = await claimsOf(inUrl ? inUrl.slice('token='.length) : token, ring);
    checkExpiry(claims.exp, now, maxLinkAge);
    for (const earliest of [claims.nbf, claims.iat]) {
        if (earliest > now + 30) throw new LecternError('not_yet_valid', `the link is not valid before ${earliest}`);
    }
    checkReserved(claims);
    checkOpens(claims);
    const opens = edge.url ?? (inUrl && token);
    if (opens !== undefined) checkScope(claims.path, opens);
    return { use: 'play', ...claims };
};

/** @type {Lectern['keyIds']} */
export const keyIds = (keys) => keyring(keys).map(({ kid }) => kid);

const EDGE_OPTIONS = ['keys', 'now', 'maxLinkAge'];
const VERIFY_OPTIONS = [...EDGE_OPTIONS, 'url'];
const MINT_OPTIONS = [...EDGE_OPTIONS, 'maxWatch'];
const LINK_OPTIONS = [
    ...MINT_OPTIONS, 'viewer', 'expiresIn', 'expiresAt', 'notBefore', 'watch', 'maxHeight', 'preview', 'langs', 'ip', 'country', 'origin',
    'jti', 'use', 'directory',
];

/**
 * The options that an object has itself. What is misspelt, or stands in a prototype, would be a restriction that is not there; what
 * anything has put into `Object.prototype` is no option.
 * @param {any} options @param {string[]} known @returns {any}
 */
function optionsOf(options, known) {
    if (!isPlain(options)) throw new LecternError('bad_option', 'options are a plain object: { viewer, expiresIn, … }');
    const unknown = Object.keys(options).find((name) => !known.includes(name));
    if (unknown === undefined) return own(options);
    const meant = unknown.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
    const hint = known.includes(meant) ? `: \`${meant}\` is meant` : `; there are ${known.join(', ')}`;
    throw new LecternError('unknown_option', `no option here is called \`${unknown}\`${hint}`);
}

/** Now, in whole seconds. @param {any} now @returns {number} */
function time(now) {
    const at = seconds(now ?? new Date());
    if (instants(at) === undefined) throw new LecternError('bad_option', '`now` is seconds since 1970, or a Date that is one');
    return at;
}

/** A bound of the edge, in seconds. @param {string} name @param {any} value @param {number} unset @returns {number} */
function bound(name, value, unset) {
    const found = instants(value ?? unset);
    if (found === undefined) throw new LecternError('bad_option', `\`${name}\` is a whole number of seconds`);
    return found;
}

/** LECTERN_KEYS, of whatever has an environment. @returns {string | undefined} */
function environment() {
    const { process, Deno } = /** @type {any} */ (globalThis);
    const variables = process?.env ?? {};
    return Object.hasOwn(variables, 'LECTERN_KEYS') ? variables.LECTERN_KEYS : Deno?.env.get('LECTERN_KEYS');
}

/** @param {any} [text] @returns {Key[]} */
function keyring(text = environment()) {
    text ??= '';
    if (typeof text !== 'string') throw new LecternError('bad_keys', 'keys are a text: that of LECTERN_KEYS');
    if (!text.trim()) throw new LecternError('no_keys', 'LECTERN_KEYS is not set: it is the text that the edge has, which `lectern keys new` printed');
    const entries = parse(text);
    const isEntry = (/** @type {any} */ entry) =>
        isObject(entry) && Object.keys(entry).length === 2 && typeof entry.kid === 'string' && typeof entry.secret === 'string';
    if (!Array.isArray(entries) || !entries.every(isEntry)) {
        throw new LecternError('bad_keys', 'LECTERN_KEYS is not a JSON list of {"kid", "secret"}');
    }
    if (!entries.length) throw new LecternError('no_keys', 'LECTERN_KEYS is an empty list: `lectern keys new` prints a value');
    return entries.map(({ kid, secret }, at) => {
        if (entries.findIndex((entry) => entry.kid === kid) < at) {
            throw new LecternError('duplicate_kid', `LECTERN_KEYS has the kid \`${kid}\` twice`);
        }
        const bytes = decode(secret);
        if (!bytes) throw new LecternError('bad_secret', `the secret of \`${kid}\` is not base64url without padding`);
        if (!/^[A-Za-z0-9._-]{1,64}$/.test(kid)) throw new LecternError('bad_kid', 'a kid is not 1 to 64 characters of A-Za-z0-9._-');
        if (bytes.length < 32 || bytes.length > 1024) {
            const code = bytes.length < 32 ? 'key_too_short' : 'key_too_long';
            throw new LecternError(code, `the secret of \`${kid}\` has ${bytes.length} bytes; it needs 32 to 1024`);
        }
        return { kid, secret: bytes };
    });
}

/** RFC 3986, taken apart as text, so that what is not the token stays as it was. */
const URL_PARTS = /^(https?:\/\/[^/?#\\\x00-\x20\x7f]+)(\/[^?#]*|)(?:\?([^#\x00-\x20\x7f]*))?(?:#([^\x00-\x20\x7f]*))?$/i;

/** @param {string} url */
function urlParts(url) {
    const parts = typeof url === 'string' && isText(url) && URL_PARTS.exec(url);
    if (!parts) {
        throw new LecternError('bad_url', 'not a URL of an edge: it begins with https:// or http://, without spaces in host and query');
    }
    const [, origin, path, query, fragment] = parts;
    return { origin, path, query, fragment };
}

/** @param {ReturnType<typeof urlParts>} parts @param {string} token */
function withToken({ origin, path, query, fragment }, token) {
    const escaped = path.replace(/[^A-Za-z0-9\-._~!$&'()*+,=:@/%]+/g, encodeURIComponent);
    const kept = query ? query.split('&').filter((parameter) => parameter !== 'token' && !parameter.startsWith('token=')) : [];
    return `${origin}${escaped}?${[...kept, `token=${token}`].join('&')}${fragment === undefined ? '' : `#${fragment}`}`;
}

/** What a URL's path names, decoded once. @param {string} path @param {boolean} [directory] */
function objectPath(path, directory) {
    if (typeof (directory ?? false) !== 'boolean') throw new LecternError('bad_option', '`directory` is true or false');
    if (!path.startsWith('/')) throw badPath('path_not_absolute');
    const folder = path.length > 1 && path.endsWith('/');
    const encoded = new TextEncoder().encode(path.slice(1, folder ? -1 : undefined));
    if (encoded.length > 3 * 1024) throw badPath('path_too_long');
    const bytes = [];
    for (let at = 0; at < encoded.length; at += 1) {
        if (encoded[at] !== 0x25) {
            bytes.push(encoded[at]);
            continue;
        }
        const digits = String.fromCharCode(...encoded.subarray(at + 1, at + 3));
        if (!/^[0-9a-f]{2}$/i.test(digits)) throw badPath('path_bad_escape');
        const byte = parseInt(digits, 16);
        if (byte === 0x2f || byte === 0x5c) throw badPath('path_encoded_separator');
        bytes.push(byte);
        at += 2;
    }
    const key = utf8(new Uint8Array(bytes));
    if (key === undefined) throw badPath('path_not_utf8');
    const decoded = checkPath(`/${key}${folder ? '/' : ''}`);
    return directory && !folder ? checkPath(decoded.slice(0, decoded.lastIndexOf('/') + 1)) : decoded;
}

/** @type {Record<string, string>} */
const PATHS = {
    path_not_absolute: 'does not start with a slash',
    path_empty_segment: 'has an empty segment, or is the whole bucket',
    path_dot_segment: 'has a `.` or `..` segment',
    path_encoded_separator: 'has an encoded slash or backslash',
    path_backslash: 'has a backslash',
    path_semicolon: 'has a semicolon',
    path_control: 'has a control character',
    path_bad_escape: 'has a percent sign without two hexadecimal digits',
    path_encoded_twice: 'is percent-encoded twice',
    path_not_utf8: 'is not UTF-8',
    path_too_long: 'is longer than 1024 bytes',
    path_too_deep: 'is over 255 folders deep',
    path_reserved: "is the edge's own: `/_lectern/`, and what begins with `/~`",
};

/** @param {import('./lectern.d.ts').ErrorCode} code */
function badPath(code) {
    return new LecternError(code, `the path ${PATHS[code]}; it is \`/folder/object\`, or \`/folder/\` for everything in it`);
}

/** @param {any} path @returns {string} */
function checkPath(path) {
    if (typeof path !== 'string' || !path.startsWith('/')) throw badPath('path_not_absolute');
    if (!isText(path)) throw badPath('path_not_utf8');
    const key = path.slice(1, path.length > 1 && path.endsWith('/') ? -1 : undefined);
    if (bytesOf(key) > 1024) throw badPath('path_too_long');
    if (key.includes('\\')) throw badPath('path_backslash');
    if (key.includes(';')) throw badPath('path_semicolon');
    if (/[\x00-\x1f\x7f-\x9f]/.test(key)) throw badPath('path_control');
    if (/%[0-9a-f]{2}/i.test(key)) throw badPath('path_encoded_twice');
    for (const segment of key.split('/')) {
        if (segment === '') throw badPath('path_empty_segment');
        if (segment === '.' || segment === '..') throw badPath('path_dot_segment');
    }
    return path;
}

/** What a link with restrictions never opens, whatever is stored there: what these extensions name is sent as it is. */
const NO_PLAYLIST = /\.(m4s|mp4|cmfv|m4v|m4a|cmfa|ts|aac|mp3|webm|mov|mkv|vtt|mpd|json|jpe?g|png|webp|avif|gif)$/i;

/** Restrictions that the edge does not enforce yet. @param {Record<string, any>} claims */
function checkReserved(claims) {
    const reserved = ['sessions', 'max_bytes'].find((name) => Object.hasOwn(claims, name));
    if (reserved) throw new LecternError('reserved_claim', `\`${reserved}\` is reserved: the edge refuses a link that has it`);
}

/** What is well-formed, and opens nothing at the edge. @param {Record<string, any>} claims */
function checkOpens({ path, use, max_height: maxHeight, preview, langs }) {
    if (path.startsWith('/_lectern/') || path.startsWith('/~')) throw badPath('path_reserved');
    if (path.split('/').length - 1 > 256) throw badPath('path_too_deep');
    if ((maxHeight || preview || langs) && use !== 'upload' && NO_PLAYLIST.test(path)) {
        const rule = 'a link with `maxHeight`, `preview` or `langs` opens playlists: link to the `.m3u8`, or to its folder';
        throw new LecternError('path_not_a_playlist', rule);
    }
}

/** @param {import('./lectern.d.ts').LinkOptions} options @param {number} now */
function expiry({ expiresIn, expiresAt }, now) {
    if (expiresIn != null && expiresAt != null) throw new LecternError('bad_exp', '`expiresIn` and `expiresAt` are both set');
    if (expiresAt != null) return instant(expiresAt);
    const lasts = expiresIn ?? EXPIRES_IN;
    if (!Number.isSafeInteger(lasts)) throw new LecternError('bad_exp', '`expiresIn` is a whole number of seconds');
    return now + lasts;
}

/** @param {number | Date | undefined | null} value */
const instant = (value) => (value instanceof Date ? seconds(value) : value);

/** @param {any} now @returns {number} not a number where it is none */
const seconds = (now) => (now instanceof Date ? Math.floor(now.getTime() / 1000) : typeof now === 'number' ? Math.floor(now) : NaN);

/** @param {number} exp @param {number} now @param {number} maxLinkAge */
function checkExpiry(exp, now, maxLinkAge) {
    if (exp < now) throw new LecternError('expired', `the link expired at ${exp}; it is ${now}`);
    if (exp - now > maxLinkAge) {
        throw new LecternError('exp_too_far', `the link expires more than ${maxLinkAge} s ahead (MAX_LINK_AGE)`);
    }
}

/** @param {number} from @param {number} to @returns {(value: any) => number | undefined} */
const whole = (from, to) => (value) => (Number.isInteger(value) && value >= from && value <= to ? value : undefined);
const instants = whole(0, Number.MAX_SAFE_INTEGER);
const small = whole(1, 2 ** 32 - 1);

/** @param {any} value */
const label = (value) => {
    const bytes = typeof value === 'string' && isText(value) ? bytesOf(value) : 0;
    return bytes >= 1 && bytes <= 256 ? value : undefined;
};

/** @param {(entry: string) => string | undefined} read @returns {(value: any) => string[] | undefined} */
const list = (read) => (value) => {
    if (!Array.isArray(value) || value.length < 1 || value.length > 32) return undefined;
    const entries = value.map((entry) => (typeof entry === 'string' ? read(entry) : undefined));
    return entries.includes(undefined) ? undefined : /** @type {string[]} */ (entries);
};

/** @param {any} value */
function preview(value) {
    if (!Array.isArray(value) || value.length !== 2) return undefined;
    const [from, to] = value.map(whole(0, 2 ** 32 - 1));
    return from !== undefined && to !== undefined && from < to ? [from, to] : undefined;
}

/** @param {string} text */
function origin(text) {
    const [, scheme, host] = /^([A-Za-z0-9.:[\]+-]+):\/\/(?:\*(?=\.))?([A-Za-z0-9.:[\]+-]+)$/.exec(text) ?? [];
    return host && `${scheme}://${host.startsWith('.') ? '*' : ''}${host}`.toLowerCase();
}

/** RFC 4632, RFC 4291: no bit behind the prefix, no IPv4 address written as IPv6. @param {string} text */
function cidr(text) {
    const [, base, digits] = /^([^/]+)(?:\/([0-9]+))?$/.exec(text) ?? [];
    const groups = base === undefined ? undefined : (octets(base) ?? hextets(base));
    if (!groups) return undefined;
    const each = groups.length === 4 ? 8 : 16;
    const length = digits === undefined ? groups.length * each : Number(digits);
    const behind = (/** @type {number} */ group, /** @type {number} */ at) =>
        group & (2 ** Math.min(each, Math.max(0, (at + 1) * each - length)) - 1);
    const mapped = each === 16 && groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
    if (length > groups.length * each || mapped || groups.some(behind)) return undefined;
    if (each === 8) return `${groups.join('.')}/${length}`;
    // RFC 5952: the first of the longest runs of zeros is left out.
    const written = groups.map((group) => group.toString(16)).join(':');
    const runs = written.match(/\b0(?::0)+\b/g) ?? [];
    const zeros = runs.reduce((longest, run) => (run.length > longest.length ? run : longest), '');
    return `${zeros ? written.replace(new RegExp(`(^|:)${zeros}(:|$)`), '::') : written}/${length}`;
}

/** @param {string} text */
function octets(text) {
    const parts = text.split('.');
    const ok = parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256);
    return ok ? parts.map(Number) : undefined;
}

/** The eight groups of an IPv6 address. @param {string} text */
function hextets(text) {
    const [, before, dotted] = /^(.*:)([^:]*\.[^:]*)$/.exec(text) ?? [];
    const last = dotted === undefined ? undefined : octets(dotted);
    if (dotted !== undefined && !last) return undefined;
    const hex = last ? `${before}${(last[0] * 256 + last[1]).toString(16)}:${(last[2] * 256 + last[3]).toString(16)}` : text;
    const halves = hex.split('::').map((half) => (half === '' ? [] : half.split(':')));
    const gap = 8 - halves.flat().length;
    if (halves.length > 2 || (halves.length === 2 ? gap < 1 : gap !== 0)) return undefined;
    const groups = halves.length === 2 ? [...halves[0], ...Array(gap).fill('0'), ...halves[1]] : halves[0];
    return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? groups.map((group) => parseInt(group, 16)) : undefined;
}

/** Every claim in the order in which it is written: how it is read, and what it has to be. @type {Map<string, [(value: any) => any, string]>} */
const CLAIMS = new Map([
    ['path', [checkPath, '']],
    ['exp', [instants, '`exp` (expiresIn, expiresAt) is a whole number of seconds']],
    ['nbf', [instants, '`nbf` (notBefore) is a whole number of seconds since 1970']],
    ['iat', [instants, '`iat` is a whole number of seconds since 1970']],
    ['use', [(use) => (['play', 'download', 'upload', 'admin'].includes(use) ? use : undefined), '`use` is `play`, `download`, `upload` or `admin`']],
    ['sub', [label, '`sub` (viewer) is a text of 1 to 256 bytes']],
    ['jti', [label, '`jti` is a text of 1 to 256 bytes']],
    ['watch', [whole(1, Number.MAX_SAFE_INTEGER), '`watch` is a whole number of seconds, at least 1']],
    ['max_height', [small, '`max_height` (maxHeight) is a whole number of lines, at least 1']],
    ['preview', [preview, '`preview` is [from, to] in whole seconds, the first before the second']],
    ['langs', [list((lang) => (/^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$/.test(lang) ? lang : undefined)), '`langs` is a list of 1 to 32 BCP 47 tags such as `en` or `pt-BR`']],
    ['ip', [list(cidr), '`ip` is a list of 1 to 32 ranges such as `192.0.2.0/24`, without bits behind the prefix']],
    ['country', [list((code) => (/^[A-Za-z][A-Za-z0-9]$/.test(code) ? code.toUpperCase() : undefined)), '`country` is a list of 1 to 32 ISO 3166 codes such as `DE`']],
    ['origin', [list(origin), '`origin` is a list of 1 to 32 origins such as `https://*.school.example`']],
    ['sessions', [small, '`sessions` is a whole number, at least 1']],
    ['max_bytes', [whole(1, Number.MAX_SAFE_INTEGER), '`max_bytes` is a whole number of bytes, at least 1']],
]);

/** Claims in their order, each as the edge writes it. @param {Record<string, any>} claims @returns {Record<string, any>} */
function check(claims) {
    const required = ['path', 'exp'];
    /** @type {Record<string, any>} */
    const checked = Object.create(null);
    for (const [name, [read, rule]] of CLAIMS) {
        const isThere = Object.hasOwn(claims, name);
        if (!isThere && !required.includes(name)) continue;
        checked[name] = read(isThere ? claims[name] : undefined);
        const code = /** @type {import('./lectern.d.ts').ErrorCode} */ (`bad_${name}`);
        if (checked[name] === undefined) throw new LecternError(code, rule);
    }
    return checked;
}

/** The claims of a token whose form and signature are right, whatever the time. @param {string} token @param {Key[]} ring @returns {Promise<any>} */
async function claimsOf(token, ring) {
    if (bytesOf(token) > MAX_LINK_BYTES) throw new LecternError('link_too_long', `the link is longer than ${MAX_LINK_BYTES} bytes`);
    const parts = token.split('.');
    const [header, payload, signature] = parts.map(decode);
    if (parts.length !== 3 || !header || !payload || !signature) {
        throw new LecternError('malformed', 'the link is not a JWT of three base64url parts');
    }
    const kid = checkHeader(parse(utf8(header)));
    const key = ring.find((known) => known.kid === kid);
    const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
    // WebCrypto compares in constant time; an unknown `kid` takes as long as a wrong signature.
    const right = await crypto.subtle.verify('HMAC', await hmac((key ?? ring[0]).secret, 'verify'), signature, signed);
    if (!key) throw new LecternError('unknown_key', `no key has the link's kid \`${kid}\``);
    if (!right) throw new LecternError('bad_signature', 'the signature is wrong');
    const claims = parse(utf8(payload));
    if (!isObject(claims)) throw new LecternError('bad_claims', 'the claims are no JSON object');
    try {
        return check(claims);
    } catch (error) {
        throw error instanceof LecternError ? new LecternError('bad_claims', `the claims are not acceptable: ${error.message}`) : error;
    }
}

/** The `kid` of a header that says what it must. @param {any} header @returns {string} */
function checkHeader(header) {
    const isJwt = (/** @type {any} */ typ) => typ === undefined || (typeof typ === 'string' && typ.toUpperCase() === 'JWT');
    const isList = (/** @type {any} */ crit) =>
        crit === undefined || (Array.isArray(crit) && crit.length > 0 && crit.every((name) => typeof name === 'string'));
    if (!isObject(header) || header.alg !== 'HS256' || !isJwt(header.typ) || !isList(header.crit) || typeof header.kid !== 'string') {
        throw new LecternError('bad_header', 'the header is not {"alg":"HS256","kid":…}');
    }
    for (const name of header.crit ?? []) {
        if (!CLAIMS.has(name)) throw new LecternError('unknown_critical', `the header's \`crit\` lists \`${name}\`, which is not understood`);
    }
    return header.kid;
}

/** @param {string} path @param {string} url */
function checkScope(path, url) {
    const opened = objectPath(urlParts(url).path);
    if (opened === path || (path.endsWith('/') && opened.startsWith(path))) return;
    throw new LecternError('wrong_scope', `the link opens \`${path}\`, and not \`${opened}\``);
}

/** @param {Uint8Array<ArrayBuffer>} secret @param {'sign' | 'verify'} use */
const hmac = (secret, use) => crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, [use]);

/** @param {any} value */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether it is no instance of a class, and inherits from nothing but what all objects inherit from. @param {any} value */
function isPlain(value) {
    const prototype = isObject(value) ? Object.getPrototypeOf(value) : undefined;
    return prototype === null || (prototype !== undefined && Object.getPrototypeOf(prototype) === null);
}

/** What an object has itself, in one that inherits nothing. @param {any} value @returns {Record<string, any>} */
const own = (value) => Object.assign(Object.create(null), value);

/** Half of a surrogate pair is no text. @param {string} text */
const isText = (text) => !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);

/** @param {string} text */
const bytesOf = (text) => new TextEncoder().encode(text).length;

/** @param {Uint8Array} bytes */
function utf8(bytes) {
    try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
        return undefined;
    }
}

/** What JSON is made of; half of a surrogate pair is in no string. */
const TOKENS = /"(?:[^"\\]|\\u(?:[0-9A-CEFa-cef][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2}|[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})|\\[^u])*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;

/**
 * As the edge reads JSON: no member twice, 16 levels at most. What is no whole number is read as `null`, which no claim is.
 * @param {string | undefined} text @returns {any}
 */
function parse(text = '') {
    try {
        JSON.parse(text);
        const tokens = text.match(TOKENS) ?? [];
        /** @type {Set<string>[]} */
        const open = [];
        const read = tokens.map((token, at) => {
            if (token === '}' || token === ']') open.pop();
            else if (token !== ',' && token !== ':' && open.length > 16) throw new SyntaxError('too deep');
            if (tokens[at + 1] === ':') {
                const [names, name] = [open[open.length - 1], JSON.parse(token)];
                if (names.has(name)) throw new SyntaxError('a member twice');
                names.add(name);
            }
            if (token === '{' || token === '[') open.push(new Set());
            return /^-|^[0-9]+[.eE]/.test(token) ? 'null' : token;
        });
        return JSON.parse(read.join(''), (_, value) => (isObject(value) ? own(value) : value));
    } catch {
        return undefined;
    }
}

/** @param {Uint8Array} bytes */
function encode(bytes) {
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Base64url without padding (RFC 4648 §5), in its one right spelling. @param {string} text */
function decode(text) {
    if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (byte) => byte.charCodeAt(0));
    return encode(bytes) === text ? bytes : undefined;
}
