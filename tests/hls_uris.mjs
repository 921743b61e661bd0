// Reads `[{url, text}, …]` from stdin and prints the URLs that hls.js finds in each playlist.

import { readFileSync } from 'node:fs';

// hls.js is written for browsers and workers, and asks for nothing else of them to parse.
globalThis.self = globalThis;
const { M3U8Parser } = await import('hls.js');

const multivariant = (text, url) => {
    const playlist = M3U8Parser.parseMasterPlaylist(text, url);
    const renditions = M3U8Parser.parseMasterPlaylistMedia(text, url, playlist);
    return [
        playlist.contentSteering?.uri,
        ...playlist.levels.map((level) => level.url),
        ...Object.values(renditions).flat().map((rendition) => rendition?.url),
        ...(playlist.sessionKeys ?? []).map((key) => key.uri),
        ...Object.values(playlist.sessionData ?? {}).map((data) => data.URI),
    ];
};

const media = (text, url) => {
    const playlist = M3U8Parser.parseLevelPlaylist(text, url, 0, 'main', 0, null);
    return [
        // A delta update has holes for what it skips.
        ...playlist.fragments.filter(Boolean).flatMap((fragment) => [
            fragment.relurl && fragment.url,
            fragment.initSegment?.url,
            ...Object.values(fragment.levelkeys ?? {}).map((key) => key.uri),
        ]),
        ...(playlist.partList ?? []).map((part) => part.url),
        playlist.preloadHint?.URI,
        ...(playlist.renditionReports ?? []).map((report) => report.URI),
    ];
};

const playlists = JSON.parse(readFileSync(0, 'utf8'));
const found = playlists.map(({ url, text }) =>
    (M3U8Parser.isMediaPlaylist(text) ? media : multivariant)(text, url).filter(Boolean),
);
process.stdout.write(JSON.stringify(found));
