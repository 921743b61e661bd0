// The list of origins whose lectures the player page plays.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseOrigins } from "./origins.mjs";

test("the shipped list has no origin", () => {
  assert.deepEqual(parseOrigins(readFileSync(new URL("origins.txt", import.meta.url), "utf8")), []);
});

test("an origin a line is read, without comments and repetitions", () => {
  const text = "# ours\nhttps://video.school.example # the edge\r\n\nhttps://b.example:8443\nhttps://video.school.example\nhttp://127.0.0.1:8787";
  assert.deepEqual(parseOrigins(text), ["https://video.school.example", "https://b.example:8443", "http://127.0.0.1:8787"]);
});

for (const [entry, expected] of [
  ["video.school.example", /not an origin/],
  ["https://video.school.example/", /write it as https:\/\/video\.school\.example$/],
  ["https://video.school.example/courses", /no path/],
  ["https://video.school.example:443", /no default port/],
  ["https://u:p@video.school.example", /no path/],
  ["https://VIDEO.school.example", /write it as https:\/\/video\.school\.example$/],
  ["http://video.school.example", /needs https/],
  ["https:", /not an origin/],
  ["*", /not an origin/],
  ["blob:https://video.school.example", /host/],
  ["data:text/plain,x", /host/],
  // In a policy, these would be several sources, or another directive.
  ["https://*.school.example", /only letters, digits/],
  ["https://a.example;script-src", /only letters, digits/],
  ["https://a.example,https://b.example", /only letters, digits/],
  ["https://a.example https://b.example", /not an origin/],
  ["'unsafe-inline'", /not an origin/],
]) {
  test(`\`${entry}\` is refused with its line`, () => {
    assert.throws(() => parseOrigins(`\n${entry}`), (error) => {
      assert.match(error.message, /^web\/origins\.txt, line 2, /);
      assert.match(error.message, expected);
      return true;
    });
  });
}
