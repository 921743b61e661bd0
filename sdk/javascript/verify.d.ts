import type { Claims, EdgeOptions, Use } from './lectern.d.ts';

/**
 * Returns the claims of a token, or of a URL with a token. The link must open this URL, or `url` if
 * it is given. Throws a LecternError if the link opens nothing.
 */
export function verify(
    token: string | null | undefined,
    options?: EdgeOptions & { url?: string },
): Promise<Claims & { use: Use }>;
