// URLs that players read in playlists. Runs until standard input ends.
//   in:  one line of JSON a question: [{ "url": …, "bytes": base64 }, …]; each playlist lists the next one
//   out: one line of JSON an answer: [{ "hls.js": [url, …], "shaka": [url, …] }, …]
import { createInterface } from "node:readline";

// Standard output is for answers.
const { write } = process.stdout;
for (const level of ["log", "info", "debug", "warn", "error"]) console[level] = () => {};
const players = { "hls.js": await import("./hlsjs.mjs"), shaka: await import("./shaka.mjs") };

/** Resolves a URL as a browser does before the request: WHATWG URL drops tabs and turns `\` into `/`. */
const requested = (url) => {
  try {
    return new URL(url, "https://page.example/").href;
  } catch {
    return null;
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const variables = {};
  const answer = JSON.parse(line).map(({ url, bytes }) => {
    const playlist = Buffer.from(bytes, "base64");
    const read = ([name, player]) => {
      const result = player.urls(playlist, url, variables[name]);
      variables[name] = result.variables;
      return [name, [...new Set(result.found.map(requested).filter(Boolean))]];
    };
    return Object.fromEntries(Object.entries(players).map(read));
  });
  write.call(process.stdout, `${JSON.stringify(answer)}\n`);
}
