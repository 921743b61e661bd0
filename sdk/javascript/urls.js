/** URLs of an edge, and the paths of objects and folders in them. */

import { LecternError } from './error.js';

/** @typedef {{ origin: string, path: string, query?: string, fragment?: string }} Parts */
/** @typedef {import('./lectern.d.ts').ErrorCode} ErrorCode */

/** RFC 3986. */
const URL_PARTS = new RegExp(
    String.raw`^(https?://[^/?#\\\x00-\x20\x7f]+)(/[^?#]*|)` +
        String.raw`(?:\?([^#\x00-\x20\x7f]*))?(?:#([^\x00-\x20\x7f]*))?$`,
    'i',
);

/** Longest name of a download, in bytes. Encoded, it fits a query beside the longest link. */
const MAX_NAME_BYTES = 1024;

/** Parts of a URL, as they are written. @param {any} url @returns {Parts} */
export function splitUrl(url) {
    const parts = isText(url) && URL_PARTS.exec(url);
    if (!parts) {
        const rule = 'has a space in its host, query or fragment';
        throw new LecternError('bad_url', `the URL does not start with http(s)://, or ${rule}`);
    }
    const [, origin, path, query, fragment] = parts;
    return { origin, path, query, fragment };
}

/**
 * URL of these parts, with this token in place of any other.
 * @param {Parts} parts @param {string} token
 */
export function addToken({ origin, path, query, fragment }, token) {
    const escaped = path.replace(/[^A-Za-z0-9\-._~!$&'()*+,=:@/%]+/g, encodeURIComponent);
    const hash = fragment === undefined ? '' : `#${fragment}`;
    return `${origin}${escaped}?${putMember(query, 'token', token)}${hash}`;
}

/**
 * Query in which a member has this value alone, or in which it is not, if the value is empty.
 * @param {string | undefined} query @param {string} name @param {string} value
 */
export function putMember(query, name, value) {
    const isOther = (/** @type {string} */ part) => part !== name && !part.startsWith(`${name}=`);
    const kept = query ? query.split('&').filter(isOther) : [];
    return [...kept, ...(value ? [`${name}=${value}`] : [])].join('&');
}

/**
 * URL of another object in the same folder, without a token.
 * @param {Parts} parts @param {string} name
 */
export function beside({ origin, path, query, fragment }, name) {
    if (!path.startsWith('/')) throw badPath('path_not_absolute');
    const kept = putMember(query, 'token', '');
    const hash = fragment === undefined ? '' : `#${fragment}`;
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    return `${origin}${folder}${name}${kept && `?${kept}`}${hash}`;
}

/** Name of a download, percent-encoded. @param {any} name */
export function encodeName(name) {
    const text = name ?? '';
    if (!isText(text) || countBytes(text) > MAX_NAME_BYTES) {
        const rule = `\`name\` must be a text of ${MAX_NAME_BYTES} bytes at most`;
        throw new LecternError('bad_option', rule);
    }
    const escape = (/** @type {string} */ char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
    return encodeURIComponent(text).replace(/[!'()*]/g, escape);
}

/** Token in the query of a link. @param {string} link */
export function findToken(link) {
    const query = URL_PARTS.exec(link)?.[3] ?? '';
    return query.split('&').find((part) => part.startsWith('token='))?.slice('token='.length);
}

/**
 * Path that a link to this path of a URL opens, decoded once.
 * @param {string} encoded @param {any} [directory]
 */
export function readPath(encoded, directory) {
    if (typeof (directory ?? false) !== 'boolean') {
        throw new LecternError('bad_option', '`directory` must be true or false');
    }
    const path = decodePath(encoded);
    return directory ? checkPath(path.slice(0, path.lastIndexOf('/') + 1)) : path;
}

/** @param {string} encoded */
function decodePath(encoded) {
    if (!encoded.startsWith('/')) throw badPath('path_not_absolute');
    const [wrong] = /%(?![0-9a-f]{2})|%2f|%5c/i.exec(encoded) ?? [];
    if (wrong) throw badPath(wrong === '%' ? 'path_bad_escape' : 'path_encoded_separator');
    try {
        return checkPath(decodeURIComponent(encoded));
    } catch (error) {
        throw error instanceof URIError ? badPath('path_not_utf8') : error;
    }
}

/**
 * Faults of a path: a description, and the pattern of a key that has the fault.
 * @type {Record<string, [string, RegExp?]>}
 */
const FAULTS = {
    path_not_absolute: ['does not start with a slash'],
    path_bad_escape: ['has a percent sign without two hexadecimal digits'],
    path_encoded_separator: ['has an encoded slash or backslash'],
    path_not_utf8: ['is not UTF-8'],
    path_too_long: ['is longer than 1024 bytes'],
    path_backslash: ['has a backslash', /\\/],
    path_semicolon: ['has a semicolon', /;/],
    path_control: ['has a control character', /[\x00-\x1f\x7f-\x9f]/],
    path_encoded_twice: ['is percent-encoded twice', /%[0-9a-f]{2}/i],
    path_empty_segment: [
        'has an empty segment, or names the whole bucket',
        /^(?:(?!\.\.?\/)[^/]+\/)*(?:\/|$)/,
    ],
    path_dot_segment: ['has a `.` or `..` segment', /(?<![^/])\.\.?(?![^/])/],
    path_reserved: ['starts with `/~`, or with `/_lectern/` and is not for `admin`'],
    path_too_deep: ['has more than 255 folders'],
};

/** Error of a path with this fault. @param {ErrorCode} code */
export function badPath(code) {
    const rule = 'write `/folder/object`, or `/folder/` for everything in it';
    return new LecternError(code, `the path ${FAULTS[code][0]}; ${rule}`);
}

/** Path of an object or folder. @param {any} path @returns {string} */
export function checkPath(path) {
    if (typeof path !== 'string' || !path.startsWith('/')) throw badPath('path_not_absolute');
    if (!isText(path)) throw badPath('path_not_utf8');
    const key = path.slice(1).replace(/\/$/, '');
    if (countBytes(key) > 1024) throw badPath('path_too_long');
    for (const [code, [, fault]] of Object.entries(FAULTS)) {
        if (fault?.test(key)) throw badPath(/** @type {ErrorCode} */ (code));
    }
    return path;
}

/** True for text without an unpaired surrogate. @param {any} value @returns {value is string} */
export const isText = (value) =>
    typeof value === 'string' &&
    !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value);

/** Length in UTF-8. @param {string} text */
export const countBytes = (text) => new TextEncoder().encode(text).length;
