/** Rules for the options, claims and times of a link, which the edge has too. */

import { LecternError } from './error.js';
import { copyOwn, isPlain } from './keys.js';
import { badPath, checkPath, countBytes, isText } from './urls.js';

/** Defaults of the edge's variables with the same names, in seconds. */
export const MAX_LINK_AGE = 30 * 86_400;
export const MAX_WATCH = 86_400;
/** Lifetime of a link without `expiresIn` and `expiresAt`, in seconds. */
export const EXPIRES_IN = 6 * 3600;
export const MAX_LINK_BYTES = 4096;

/** Extensions of objects that are not playlists. */
const MEDIA =
    /\.(m4s|mp4|cmfv|m4v|m4a|cmfa|ts|aac|mp3|webm|mov|mkv|vtt|mpd|json|jpe?g|png|webp|avif|gif)$/i;

/**
 * Own options of a plain object. Refuses an unknown name, and an object with inherited members: a
 * restriction that is misspelt or inherited would restrict nothing.
 * @param {any} options @param {string[]} known @returns {Record<string, any>}
 */
export function readOptions(options = {}, known) {
    if (!isPlain(options)) {
        const rule = 'options must be a plain object: { viewer, expiresIn, … }';
        throw new LecternError('bad_option', rule);
    }
    const unknown = Object.keys(options).find((name) => !known.includes(name));
    if (unknown === undefined) return copyOwn(options);
    const camel = unknown.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
    const hint = known.includes(camel) ? `\`${camel}\`` : `one of ${known.join(', ')}`;
    throw new LecternError('unknown_option', `no option is called \`${unknown}\`: write ${hint}`);
}

/**
 * Current time in seconds since 1970, unless another time is given.
 * @param {any} now @returns {number}
 */
export function readNow(now) {
    const seconds = toSeconds(now ?? new Date());
    if (readTime(seconds) !== undefined) return seconds;
    throw new LecternError('bad_option', '`now` must be seconds since 1970, or a valid Date');
}

/** Option of the edge, in seconds. @param {string} name @param {any} value @returns {number} */
export function readBound(name, value) {
    const seconds = readTime(value);
    if (seconds !== undefined) return seconds;
    throw new LecternError('bad_option', `\`${name}\` must be a whole number of seconds`);
}

/** Seconds since 1970 of a Date; any other value as it is. @param {any} value */
export const readInstant = (value) => (value instanceof Date ? toSeconds(value) : value);

/** @param {any} now @returns {number} NaN if it is no time */
function toSeconds(now) {
    if (now instanceof Date) return Math.floor(now.getTime() / 1000);
    return typeof now === 'number' ? Math.floor(now) : NaN;
}

/**
 * Claims in the order of a token, each as the edge writes it.
 * @param {Record<string, any>} claims @returns {Record<string, any>}
 */
export function check(claims) {
    /** @type {Record<string, any>} */
    const checked = Object.create(null);
    for (const [name, [read, rule]] of RULES) {
        const isSet = Object.hasOwn(claims, name);
        if (!isSet && name !== 'path' && name !== 'exp') continue;
        checked[name] = read(isSet ? claims[name] : undefined);
        const code = /** @type {import('./lectern.d.ts').ErrorCode} */ (`bad_${name}`);
        if (checked[name] === undefined) throw new LecternError(code, `\`${name}\` ${rule}`);
    }
    if (checked.sessions && !checked.sub) {
        throw new LecternError('bad_sessions', '`sessions` needs `sub` (viewer)');
    }
    if (checked.sessions_policy && !checked.sessions) {
        throw new LecternError('bad_sessions_policy', '`sessions_policy` needs `sessions`');
    }
    if (checked.offline && (checked.sessions || checked.strict)) {
        throw new LecternError('bad_offline', '`offline` excludes `sessions` and `strict`');
    }
    for (const name of /** @type {const} */ (['max_bytes', 'max_objects', 'types'])) {
        if (!checked[name]) continue;
        if (checked.use !== 'upload') {
            throw new LecternError(`bad_${name}`, `\`${name}\` needs an upload link`);
        }
        if (name !== 'types' && !checked.jti) {
            const rule = `\`${name}\` needs \`jti\`, under which the edge counts`;
            throw new LecternError(`bad_${name}`, rule);
        }
    }
    if (checked.strict === false) delete checked.strict;
    return checked;
}

/** Refuses claims that are well-formed and open nothing. @param {Record<string, any>} claims */
export function checkTarget({ path, use, max_height: maxHeight, preview, langs }) {
    const isReserved = path.startsWith('/_lectern/') && use !== 'admin';
    if (isReserved || path.startsWith('/~')) throw badPath('path_reserved');
    if (path.split('/').length > 257) throw badPath('path_too_deep');
    if (use === 'upload' || !(maxHeight || preview || langs) || !MEDIA.test(path)) return;
    const need = '`maxHeight`, `preview` and `langs` need a playlist';
    const hint = 'link to the `.m3u8`, or to its folder';
    throw new LecternError('path_not_a_playlist', `${need}: ${hint}`);
}

/** @param {number} exp @param {number} now @param {number} maxLinkAge */
export function checkExpiry(exp, now, maxLinkAge) {
    if (exp < now) {
        throw new LecternError('expired', `the link expired at ${exp}; the time is ${now}`);
    }
    if (exp - now <= maxLinkAge) return;
    const rule = `the link expires more than ${maxLinkAge} seconds from now (MAX_LINK_AGE)`;
    throw new LecternError('exp_too_far', rule);
}

/** @param {number} least @param {number} most @returns {(value: any) => number | undefined} */
const whole = (least, most) => (value) =>
    Number.isInteger(value) && value >= least && value <= most ? value : undefined;

/** @param {RegExp} form @returns {(value: any) => string | undefined} */
const matching = (form) => (value) => (isText(value) && form.test(value) ? value : undefined);

/** @param {any} value */
function readLabel(value) {
    const bytes = isText(value) ? countBytes(value) : 0;
    return bytes >= 1 && bytes <= 256 ? value : undefined;
}

/** @param {any} value */
function readWatermark(value) {
    const length = isText(value) ? [...value].length : 0;
    return length >= 1 && length <= 100 ? value : undefined;
}

/** @param {any} value */
function readPreview(value) {
    if (!Array.isArray(value) || value.length !== 2) return undefined;
    const [from, to] = value.map(whole(0, 2 ** 32 - 1));
    return from !== undefined && to !== undefined && from < to ? [from, to] : undefined;
}

/**
 * @param {(entry: any) => string | undefined} read
 * @returns {(value: any) => string[] | undefined}
 */
const list = (read) => (value) => {
    if (!Array.isArray(value) || value.length < 1 || value.length > 32) return undefined;
    const entries = value.map((entry) => read(entry));
    return entries.includes(undefined) ? undefined : /** @type {string[]} */ (entries);
};

/** @param {any} value */
function readOrigin(value) {
    const form = /^([a-z0-9.:[\]+-]+):\/\/(?:\*(?=\.))?([a-z0-9.:[\]+-]+)$/i;
    const [, scheme, host] = form.exec(isText(value) ? value : '') ?? [];
    return host && `${scheme}://${host.startsWith('.') ? '*' : ''}${host}`.toLowerCase();
}

/**
 * A range (RFC 4632, RFC 4291) in its shortest form. Refuses bits after the prefix, and IPv4
 * written as IPv6.
 * @param {any} value
 */
function readCidr(value) {
    const form = /^([0-9a-f:.]+)(?:\/([0-9]+))?$/i;
    const [, base, digits] = form.exec(isText(value) ? value : '') ?? [];
    const address = base && (base.includes(':') ? readIpv6(base) : readIpv4(base));
    if (!address) return undefined;
    const { groups, bits, text } = address;
    const length = digits === undefined ? groups.length * bits : Number(digits);
    const hasBitsAfter = groups.some((group, at) => {
        const after = Math.min(bits, Math.max(0, (at + 1) * bits - length));
        return group % 2 ** after !== 0;
    });
    const isMapped = bits === 16 && groups.slice(0, 6).join() === '0,0,0,0,0,65535';
    const isWrong = length > groups.length * bits || hasBitsAfter || isMapped;
    return isWrong ? undefined : `${text}/${length}`;
}

/** @param {string} text */
function readIpv4(text) {
    const octet = '(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])';
    if (!new RegExp(`^${octet}(?:\\.${octet}){3}$`).test(text)) return undefined;
    return { groups: text.split('.').map(Number), bits: 8, text };
}

/** The URL Standard parses and shortens an address as RFC 5952 does. @param {string} base */
function readIpv6(base) {
    // Chromium accepts zeros before an octet.
    const [ipv4] = /[^:]*\..*$/.exec(base) ?? [];
    if (ipv4 && !readIpv4(ipv4)) return undefined;
    let text;
    try {
        text = new URL(`http://[${base}]`).hostname.slice(1, -1);
    } catch {
        return undefined;
    }
    const [head, tail] = text.split('::').map((half) => (half ? half.split(':') : []));
    const zeros = Array(tail ? 8 - head.length - tail.length : 0).fill('0');
    const groups = [...head, ...zeros, ...(tail ?? [])].map((group) => parseInt(group, 16));
    return { groups, bits: 16, text };
}

const readTime = whole(0, Number.MAX_SAFE_INTEGER);
/**
 * Claims in the order of a token: how to read each, and its rule.
 * @type {Map<string, [(value: any) => any, string]>}
 */
export const RULES = new Map([
    ['path', [checkPath, '']],
    ['exp', [readTime, '(expiresIn, expiresAt) must be a whole number of seconds']],
    ['nbf', [readTime, '(notBefore) must be a whole number of seconds since 1970']],
    ['iat', [readTime, 'must be a whole number of seconds since 1970']],
    ['use', [
        matching(/^(?:play|download|upload|admin)$/),
        'must be `play`, `download`, `upload` or `admin`',
    ]],
    ['sub', [readLabel, '(viewer) must be a text of 1 to 256 bytes']],
    ['jti', [readLabel, 'must be a text of 1 to 256 bytes']],
    ['watermark', [readWatermark, 'must be a text of 1 to 100 characters']],
    ['watch', [
        whole(1, Number.MAX_SAFE_INTEGER),
        'must be a whole number of seconds, at least 1',
    ]],
    ['max_height', [
        whole(1, 2 ** 32 - 1),
        '(maxHeight) must be a whole number of lines, at least 1',
    ]],
    ['preview', [readPreview, 'must be [from, to] in whole seconds, with from before to']],
    ['langs', [
        list(matching(/^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$/)),
        'must be a list of 1 to 32 BCP 47 tags such as `en` or `pt-BR`',
    ]],
    ['ip', [
        list(readCidr),
        'must be a list of 1 to 32 ranges such as `192.0.2.0/24`, without bits after the prefix',
    ]],
    ['country', [
        list((code) => matching(/^[A-Za-z][A-Za-z0-9]$/)(code)?.toUpperCase()),
        'must be a list of 1 to 32 ISO 3166 codes such as `DE`',
    ]],
    ['origin', [
        list(readOrigin),
        'must be a list of 1 to 32 origins such as `https://*.school.example`',
    ]],
    ['sessions', [whole(1, 255), 'must be a whole number from 1 to 255']],
    ['sessions_policy', [
        matching(/^(?:newest|oldest)$/),
        '(sessionsPolicy) must be `newest` or `oldest`',
    ]],
    ['strict', [
        (value) => (typeof value === 'boolean' ? value : undefined),
        'must be true or false',
    ]],
    ['offline', [
        whole(1, 30 * 24 * 3600),
        'must be a whole number of seconds from 1 to 2592000',
    ]],
    ['max_bytes', [
        whole(1, Number.MAX_SAFE_INTEGER),
        '(maxBytes) must be a whole number of bytes, at least 1',
    ]],
    ['max_objects', [whole(1, 100_000), '(maxObjects) must be a whole number from 1 to 100000']],
    ['types', [
        list(matching(/^(?:video|audio|image|captions|hls)$/)),
        'must be a list of `video`, `audio`, `image`, `captions` and `hls`',
    ]],
]);
