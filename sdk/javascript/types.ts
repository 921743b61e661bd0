// Types of lectern.d.ts and verify.d.ts: checked by tsc, never run.
import { downloadUrl, embedUrl, keyIds, LecternError, link, mint, posterUrl, uploadLink, type Claims } from "./lectern.js";
import { verify } from "./verify.js";

const url: string = await link("https://h/a", { viewer: "s42", preview: [0, 300], expiresAt: new Date(), use: "download" });
const { sub, use }: { sub?: string; use: string } = await verify(url, { now: 0 });
const claims: Claims = { path: "/a/", exp: 1, sub, max_height: 720 };
export const said: string[] = [await mint(claims), use, ...keyIds(), new LecternError("bad_url", "").code];

// @ts-expect-error a viewer is a text
await link("https://h/a", { viewer: 42 });
// @ts-expect-error a preview has two ends
await link("https://h/a", { preview: [0] });
// @ts-expect-error claims have the names that stand in a token
await mint({ path: "/a/", exp: 1, maxHeight: 720 });
// @ts-expect-error a policy is one of two words
await mint({ path: "/a/", exp: 1, sub: "s42", sessions: 2, sessions_policy: "first" });
export const bounded: string = await mint({ path: "/a/", exp: 1, use: "upload", jti: "l", max_bytes: 1, types: ["hls"] });
// @ts-expect-error types are kinds of files
await uploadLink("https://h/a/", { types: ["video/mp4"] });
// @ts-expect-error a player uploads nothing
await embedUrl("https://h/a/", { types: ["video"] });
// @ts-expect-error an upload link has no other use
await uploadLink("https://h/a/", { use: "play" });
export const urls: string[] = [
    await embedUrl("https://h/a/", { viewer: "s42", directory: true }),
    await posterUrl("https://h/a/", { expiresIn: 60 }),
    await downloadUrl("https://h/a/", { name: "Tag 1" }),
];
// @ts-expect-error a poster is one object
await posterUrl("https://h/a/", { directory: true });
// @ts-expect-error a download has no other use
await downloadUrl("https://h/a/", { use: "play" });
// @ts-expect-error options are in camel case
await link("https://h/a", { max_height: 480 });
// @ts-expect-error no error has this code
export const isOver = (error: LecternError) => error.code === "over";
