// The choice of a quality, as a table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cautiousLevel } from "./src/abr.ts";

test("a rung takes a part of the line while little is loaded", () => {
  const sources = (...failed) =>
    [300_000, 900_000, 2_000_000, 4_500_000].map((bitrate, at) => ({ bitrate, loadError: failed.includes(at) ? 1 : 0 }));
  for (const [choice, bandwidth, ahead, expected] of [
    // The bus: 3 Mb/s that end soon.
    [2, 3_000_000, 0, 0],
    [2, 3_600_000, 0, 1],
    [2, 3_000_000, 8, 1],
    [2, 3_000_000, 20, 2],
    // A line at home.
    [3, 50_000_000, 0, 3],
    [3, 12_000_000, 8, 3],
    // hls.js's own choice is the most.
    [1, 50_000_000, 0, 1],
    [0, 10_000, 0, 0],
    // Nothing is known of the rungs.
    [1, 0, 0, 0],
    [-1, 0, 0, -1],
  ]) {
    const level = cautiousLevel(choice, sources(), bandwidth, ahead);
    assert.equal(level, expected, `${choice} ${bandwidth} ${ahead}`);
  }
  for (const [choice, failed, expected] of [
    [1, [0], 1],
    [2, [0], 1],
    [2, [0, 1], 2],
    [0, [0], 0],
  ]) {
    const level = cautiousLevel(choice, sources(...failed), 1_000_000, 0);
    assert.equal(level, expected, `${choice} without ${failed}`);
  }
});
