/** Reason of a refusal, the same in every language. */
export type ErrorCode =
    | 'no_keys' | 'bad_keys' | 'bad_kid' | 'duplicate_kid' | 'bad_secret' | 'key_too_short'
    | 'key_too_long' | 'unknown_option' | 'bad_option'
    | 'bad_url' | 'path_not_absolute' | 'path_empty_segment' | 'path_dot_segment'
    | 'path_encoded_separator' | 'path_backslash' | 'path_semicolon' | 'path_control'
    | 'path_bad_escape' | 'path_encoded_twice' | 'path_not_utf8' | 'path_too_long' | 'path_too_deep'
    | 'path_reserved' | 'path_not_a_folder' | 'path_not_a_playlist'
    | 'bad_exp' | 'bad_nbf' | 'bad_iat' | 'bad_use' | 'bad_sub' | 'bad_jti' | 'bad_watch'
    | 'bad_watermark' | 'bad_max_height' | 'bad_preview' | 'bad_langs' | 'bad_ip' | 'bad_country' | 'bad_origin'
    | 'bad_sessions' | 'bad_sessions_policy' | 'bad_strict' | 'bad_offline'
    | 'bad_max_bytes' | 'bad_max_objects' | 'bad_types' | 'unknown_claim'
    | 'expired' | 'exp_too_far' | 'watch_too_long' | 'link_too_long'
    | 'malformed' | 'bad_header' | 'unknown_critical' | 'unknown_key' | 'bad_signature'
    | 'bad_claims' | 'not_yet_valid' | 'wrong_scope';

/** Refusal of a link. The message says what to change; `code` is stable. */
export class LecternError extends Error {
    readonly name: 'LecternError';
    readonly code: ErrorCode;
    constructor(code: ErrorCode, message: string);
}

/** Kind of files that an upload link takes. */
export type FileKind = 'video' | 'audio' | 'image' | 'captions' | 'hls';

export type Use = 'play' | 'download' | 'upload' | 'admin';

/** Player that goes on when a viewer has more than `sessions`. */
export type SessionsPolicy = 'newest' | 'oldest';

/** Claims of a link. Durations are whole seconds, instants whole seconds since 1970. */
export interface Claims {
    /** An object, or a folder with its slash, decoded: `/courses/rails/`. */
    path: string;
    exp: number;
    nbf?: number;
    iat?: number;
    use?: Use;
    sub?: string;
    jti?: string;
    watermark?: string;
    watch?: number;
    max_height?: number;
    preview?: [from: number, to: number];
    langs?: string[];
    ip?: string[];
    country?: string[];
    origin?: string[];
    sessions?: number;
    sessions_policy?: SessionsPolicy;
    strict?: boolean;
    offline?: number;
    max_bytes?: number;
    max_objects?: number;
    types?: FileKind[];
}

/** Settings of the edge that links are for. */
export interface EdgeOptions {
    /** The edge's LECTERN_KEYS. Defaults to LECTERN_KEYS of the environment. */
    keys?: string;
    /** Current time. Defaults to the clock's. */
    now?: number | Date;
    /** The edge's MAX_LINK_AGE in seconds. Defaults to 2592000. */
    maxLinkAge?: number;
}

export interface MintOptions extends EdgeOptions {
    /** The edge's MAX_WATCH in seconds. Defaults to 86400. */
    maxWatch?: number;
}

export interface LinkOptions extends MintOptions {
    /** Id of the viewer. The edge does not interpret it. */
    viewer?: string;
    /** Lifetime in seconds. Defaults to 21600, unless `expiresAt` is set. */
    expiresIn?: number;
    expiresAt?: number | Date;
    notBefore?: number | Date;
    /** Seconds for which a lecture plays after a viewer opens it. */
    watch?: number;
    /** Largest Variant Stream to list, in lines of the shorter side. */
    maxHeight?: number;
    /** Seconds to play. The edge lists the Media Segments that touch them. */
    preview?: [from: number, to: number];
    /** Audio and subtitles to list, as BCP 47 ranges. */
    langs?: string[];
    /** Addresses or ranges that may open the link: `192.0.2.0/24`. */
    ip?: string[];
    /** ISO 3166 codes of countries that may open the link. */
    country?: string[];
    /** Origins of pages that may open the link: `https://*.school.example`. */
    origin?: string[];
    /** Id of the link. */
    jti?: string;
    /** Text that the player page shows over the video, 1 to 100 characters. */
    watermark?: string;
    /** Players that the viewer may use at once, 1 to 255. */
    sessions?: number;
    /** Defaults to `newest`. */
    sessionsPolicy?: SessionsPolicy;
    /** The edge lets URLs end after a minute, and players renew them. */
    strict?: boolean;
    /**
     * Seconds for which the player page may keep the lecture on the device, 1 to 2592000. Excludes
     * `sessions` and `strict`.
     */
    offline?: number;
    /** Bytes that upload links with this `jti` may store in all. */
    maxBytes?: number;
    /** Objects that upload links with this `jti` may write in all, at most 100000. */
    maxObjects?: number;
    /** Kinds of files that an upload link takes. */
    types?: FileKind[];
    use?: Use;
    /** Opens the folder of the URL's object. A URL that ends in a slash is a folder already. */
    directory?: boolean;
}

/** Returns the URL with `?token=…` in its query, in place of an older token. */
export function link(url: string, options?: LinkOptions): Promise<string>;

/**
 * Returns a link that writes below a folder and reads nothing. The URL must end in a slash, unless
 * `directory` is set.
 */
export function uploadLink(url: string, options?: Omit<LinkOptions, 'use'>): Promise<string>;

/** Options of a link that plays. */
export type EmbedOptions = Omit<LinkOptions, 'use' | 'maxBytes' | 'maxObjects' | 'types'>;

/** Options of a link to one object of a lecture. */
export type ObjectOptions = Omit<EmbedOptions, 'directory' | 'maxHeight' | 'preview' | 'langs'>;

/**
 * Returns the address of the edge's player page for an `<iframe>`. The link is in the fragment,
 * which browsers send to no server. Of a URL that ends in a slash, the page plays `master.m3u8`.
 */
export function embedUrl(url: string, options?: EmbedOptions): Promise<string>;

/**
 * Returns a link to the poster of a lecture, and to nothing else. The URL is that of the lecture's
 * folder or of an object in it.
 */
export function posterUrl(url: string, options?: ObjectOptions): Promise<string>;

/**
 * Returns a link to the download of a lecture, and to nothing else. Browsers save the file under
 * `name`, or else under the name of the folder.
 */
export function downloadUrl(
    url: string, options?: Omit<ObjectOptions, 'sessions' | 'sessionsPolicy'> & { name?: string },
): Promise<string>;

/** Returns a token with these claims. */
export function mint(claims: Claims, options?: MintOptions): Promise<string>;

/**
 * Returns the ids of the keys, the signing key first, as the edge's `/_lectern/health` lists them.
 * Throws if the keys are wrong: call it when the app starts.
 */
export function keyIds(keys?: string): string[];

/** Defaults of the edge's variables with the same names, in seconds. */
export const MAX_LINK_AGE: number;
export const MAX_WATCH: number;
/** Lifetime of a link without `expiresIn` and `expiresAt`, in seconds. */
export const EXPIRES_IN: number;
export const MAX_LINK_BYTES: number;
