/** Why a link is not minted, or opens nothing: the same in every language. */
export type ErrorCode =
    | 'no_keys' | 'bad_keys' | 'bad_kid' | 'duplicate_kid' | 'bad_secret' | 'key_too_short' | 'key_too_long'
    | 'unknown_option' | 'bad_option'
    | 'bad_url' | 'path_not_absolute' | 'path_empty_segment' | 'path_dot_segment' | 'path_encoded_separator' | 'path_backslash'
    | 'path_semicolon' | 'path_control' | 'path_bad_escape' | 'path_encoded_twice' | 'path_not_utf8' | 'path_too_long' | 'path_too_deep'
    | 'path_reserved' | 'path_not_a_folder' | 'path_not_a_playlist'
    | 'bad_exp' | 'bad_nbf' | 'bad_iat' | 'bad_use' | 'bad_sub' | 'bad_jti' | 'bad_watch' | 'bad_max_height' | 'bad_preview' | 'bad_langs'
    | 'bad_ip' | 'bad_country' | 'bad_origin' | 'unknown_claim' | 'reserved_claim'
    | 'expired' | 'exp_too_far' | 'watch_too_long' | 'link_too_long'
    | 'malformed' | 'bad_header' | 'unknown_critical' | 'unknown_key' | 'bad_signature' | 'bad_claims' | 'not_yet_valid' | 'wrong_scope';

/** What is wrong. The message says what to do; `code` is stable. */
export class LecternError extends Error {
    readonly name: 'LecternError';
    readonly code: ErrorCode;
    constructor(code: ErrorCode, message: string);
}

export type Use = 'play' | 'download' | 'upload' | 'admin';

/** What a link says. Times are whole seconds, instants whole seconds since 1970. */
export interface Claims {
    /** An object, or a folder with its slash, decoded: `/courses/rails/`. */
    path: string;
    exp: number;
    nbf?: number;
    iat?: number;
    use?: Use;
    sub?: string;
    jti?: string;
    watch?: number;
    max_height?: number;
    preview?: [from: number, to: number];
    langs?: string[];
    ip?: string[];
    country?: string[];
    origin?: string[];
}

/** The edge that links are for. */
export interface EdgeOptions {
    /** The text that the edge has as LECTERN_KEYS; LECTERN_KEYS of the environment where it is left out. */
    keys?: string;
    /** Now, where it is not the clock's. */
    now?: number | Date;
    /** MAX_LINK_AGE of the edge: 2592000 where it is left out. */
    maxLinkAge?: number;
}

export interface MintOptions extends EdgeOptions {
    /** MAX_WATCH of the edge: 86400 where it is left out. */
    maxWatch?: number;
}

export interface LinkOptions extends MintOptions {
    /** Who watches, opaque to the edge. */
    viewer?: string;
    /** Seconds from now until the link opens nothing more: 21600 where neither this nor `expiresAt` is set. */
    expiresIn?: number;
    expiresAt?: number | Date;
    notBefore?: number | Date;
    /** Seconds that a lecture goes on playing after it was opened. */
    watch?: number;
    /** No Variant Stream of more lines, by the shorter side, is listed. */
    maxHeight?: number;
    /** Only Media Segments that touch these seconds are listed. */
    preview?: [from: number, to: number];
    /** Audio and subtitles to list, as BCP 47 ranges. */
    langs?: string[];
    /** Addresses or ranges that may open the link: `192.0.2.0/24`. */
    ip?: string[];
    /** ISO 3166 codes of countries that may open the link. */
    country?: string[];
    /** Pages that may open the link: `https://*.school.example`. */
    origin?: string[];
    /** The link's own id. */
    jti?: string;
    use?: Use;
    /** The link opens the folder that the URL's object is in. A URL that ends in a slash is a folder already. */
    directory?: boolean;
}

/** The URL with `?token=…` in its query; an older token there is replaced. */
export function link(url: string, options?: LinkOptions): Promise<string>;

/** As `link`, to write below a folder: the URL ends in a slash, or `directory` is set. It reads nothing. */
export function uploadLink(url: string, options?: Omit<LinkOptions, 'use'>): Promise<string>;

/** A token over these claims. */
export function mint(claims: Claims, options?: MintOptions): Promise<string>;

/** The claims of a token, or of a URL that has one, which then has to open that URL; `url` is what it has to open else. */
export function verify(token: string | null | undefined, options?: EdgeOptions & { url?: string }): Promise<Claims & { use: Use }>;

/** The ids of the keys, the minting one first, as the edge's `/_lectern/health` says them. Throws where the keys are wrong. */
export function keyIds(keys?: string): string[];

export const MAX_LINK_AGE: number;
export const MAX_WATCH: number;
/** How long a link opens where nothing is said. */
export const EXPIRES_IN: number;
export const MAX_LINK_BYTES: number;
