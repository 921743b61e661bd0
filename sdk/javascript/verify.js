// @ts-self-types="./verify.d.ts"
/**
 * Verifies links as the edge does, for tests. In production the edge verifies.
 *
 *     import { verify } from 'lectern/verify';
 *     (await verify(link)).sub; // 's42'
 */

import {
    check, checkExpiry, checkTarget, MAX_LINK_AGE, MAX_LINK_BYTES, readBound, readNow, readOptions,
    RULES,
} from './claims.js';
import { LecternError } from './error.js';
import { decode, importKey, isObject, keyring, readJson } from './keys.js';
import { countBytes, findToken, readPath, splitUrl } from './urls.js';

/** @type {typeof import('./verify.d.ts')['verify']} */
export const verify = async (token, options) => {
    const given = readOptions(options, ['keys', 'now', 'maxLinkAge', 'url']);
    const ring = keyring(given.keys);
    const now = readNow(given.now);
    const maxLinkAge = readBound('maxLinkAge', given.maxLinkAge ?? MAX_LINK_AGE);
    const text = String(token ?? '');
    const inUrl = findToken(text);
    const claims = await readToken(inUrl ?? text, ring);
    checkExpiry(claims.exp, now, maxLinkAge);
    for (const earliest of [claims.nbf, claims.iat]) {
        if (earliest > now + 30) {
            throw new LecternError('not_yet_valid', `the link is not valid before ${earliest}`);
        }
    }
    checkTarget(claims);
    const opens = given.url ?? (inUrl === undefined ? undefined : text);
    if (opens !== undefined) checkScope(claims.path, opens);
    return { use: 'play', ...claims };
};

/**
 * Claims of a token whose form and signature are right, at any time.
 * @param {string} token @param {import('./keys.js').Key[]} ring @returns {Promise<any>}
 */
async function readToken(token, ring) {
    if (countBytes(token) > MAX_LINK_BYTES) {
        throw new LecternError('link_too_long', `the link is longer than ${MAX_LINK_BYTES} bytes`);
    }
    const parts = token.split('.');
    const [header, payload, signature] = parts.map(decode);
    if (parts.length !== 3 || !header || !payload || !signature) {
        throw new LecternError('malformed', 'the link is not a JWT of three base64url parts');
    }
    const kid = checkHeader(readJson(readUtf8(header)));
    const key = ring.find((known) => known.kid === kid);
    const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
    // WebCrypto compares in constant time. An unknown kid takes as long as a wrong signature.
    const hmac = await importKey((key ?? ring[0]).secret, 'verify');
    const isRight = await crypto.subtle.verify('HMAC', hmac, signature, signed);
    if (!key) throw new LecternError('unknown_key', `no key has the link's kid \`${kid}\``);
    if (!isRight) throw new LecternError('bad_signature', 'the signature is wrong');
    const claims = readJson(readUtf8(payload));
    if (!isObject(claims)) throw new LecternError('bad_claims', 'the claims are not a JSON object');
    try {
        return check(claims);
    } catch (error) {
        if (!(error instanceof LecternError)) throw error;
        throw new LecternError('bad_claims', `a claim is wrong: ${error.message}`);
    }
}

/** The `kid` of a correct header. @param {any} header @returns {string} */
function checkHeader(header) {
    const unset = { alg: undefined, kid: undefined, typ: 'JWT', crit: ['exp'] };
    const { alg, kid, typ, crit } = isObject(header) ? { ...unset, ...header } : unset;
    const isJwt = alg === 'HS256' && typeof typ === 'string' && typ.toUpperCase() === 'JWT';
    const isText = (/** @type {any} */ value) => typeof value === 'string';
    if (!isJwt || !Array.isArray(crit) || !crit.length || ![kid, ...crit].every(isText)) {
        throw new LecternError('bad_header', 'the header is not {"alg":"HS256","kid":…}');
    }
    const unknown = crit.find((name) => !RULES.has(name));
    if (unknown === undefined) return kid;
    const rule = `the header's \`crit\` has the unknown name \`${unknown}\``;
    throw new LecternError('unknown_critical', rule);
}

/** @param {string} path @param {any} url */
function checkScope(path, url) {
    const opened = readPath(splitUrl(url).path);
    if (opened === path || (path.endsWith('/') && opened.startsWith(path))) return;
    throw new LecternError('wrong_scope', `the link opens \`${path}\`, not \`${opened}\``);
}

/** @param {Uint8Array} bytes */
function readUtf8(bytes) {
    try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
        return undefined;
    }
}
