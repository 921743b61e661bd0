// Draws a ride: the line's rate, and each player's buffer, height and stalls over time.
import { rateAt } from "./line.mjs";

const WIDTH = 960;
const LEFT = 150;
const RIGHT = 24;
const LANE = 110;
const LINE_LANE = 80;
const GAP = 26;
const TOP = 34;
/** The largest values that are drawn. */
const RATE = 4.2e6;
const BUFFER = 70;
const HEIGHT = 1_080;

const NAMES = { mp4: "one MP4", "hls.js": "hls.js, defaults", lectern: "Lectern" };

/** Returns the SVG of views over a line of `steps`, for `seconds`. */
export function drawing(steps, views, seconds) {
  const x = (at) => (LEFT + (at / seconds) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const scale = (top, height, most) => (value) => (top + height - (Math.min(value, most) / most) * height).toFixed(1);
  const text = (x, y, words, more = "") => `<text x="${x}" y="${y}" ${more}>${words}</text>`;
  const parts = [];
  const rate = scale(TOP, LINE_LANE, RATE);
  let path = `M${x(0)},${rate(0)}`;
  for (let at = 0; at <= seconds; at += 0.25) path += `L${x(at)},${rate(rateAt(steps, at))}`;
  path += `L${x(seconds)},${rate(0)}Z`;
  parts.push(`<path d="${path}" class="line"/>`, text(8, TOP + 14, "the line"), text(8, TOP + 30, "up to 4 Mb/s", 'class="small"'));
  views.forEach(({ player, start, stalls, stalled, height, seen }, index) => {
    const top = TOP + LINE_LANE + GAP + index * (LANE + GAP);
    const [buffer, tall] = [scale(top, LANE, BUFFER), scale(top, LANE, HEIGHT)];
    const samples = seen.samples.filter(({ at }, number) => number % 3 === 0 && at <= seconds);
    const last = samples.at(-1)?.at ?? 0;
    const area = samples.map(({ at, ahead }) => `L${x(at)},${buffer(ahead)}`).join("");
    const steps = samples.map(({ at, height }) => `${x(at)},${tall(height)}`).join(" ");
    parts.push(`<rect x="${LEFT}" y="${top}" width="${WIDTH - LEFT - RIGHT}" height="${LANE}" class="lane"/>`);
    parts.push(`<path d="M${x(0)},${buffer(0)}${area}L${x(last)},${buffer(0)}Z" class="buffer"/>`);
    parts.push(`<polyline points="${steps}" class="height"/>`);
    const waits = start === undefined ? [[0, last]] : [[0, start], ...seen.stalls];
    if (seen.stalledAt !== undefined && last - seen.stalledAt > 1) waits.push([seen.stalledAt, last]);
    for (const [from, to] of waits)
      parts.push(`<rect x="${x(from)}" y="${top}" width="${Math.max(1, x(to) - x(from)).toFixed(1)}" height="${LANE}" class="stall"/>`);
    parts.push(text(8, top + 16, NAMES[player] ?? player, 'class="name"'));
    const facts = [
      start === undefined ? "never starts" : `starts in ${start.toFixed(1)} s`,
      `${stalls} stalls, ${stalled.toFixed(1)} s`,
      `${Math.round(height)}p on average`,
    ];
    facts.forEach((fact, at) => parts.push(text(8, top + 34 + 15 * at, fact, 'class="small"')));
  });
  const bottom = TOP + LINE_LANE + (GAP + LANE) * views.length + 20;
  for (let at = 0; at <= seconds; at += 15) parts.push(text(x(at), bottom, `${at} s`, 'class="small" text-anchor="middle"'));
  const key = [
    ["buffer", "seconds in the buffer, up to 70"],
    ["key-height", "height, up to 1080p"],
    ["stall", "waits"],
  ];
  key.forEach(([name, words], at) => {
    parts.push(`<rect x="${LEFT + at * 230}" y="8" width="12" height="12" class="${name}"/>`);
    parts.push(text(LEFT + 18 + at * 230, 18, words, 'class="small"'));
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 12}" role="img" aria-label="A ride on a bus: the line, and what each player does on it">
<style>
svg { background: #fff; font: 13px system-ui, sans-serif; }
text { fill: #1b1f24; }
.name { font-weight: 600; }
.small { font-size: 11px; fill: #57606a; }
.line { fill: #d0d7de; }
.lane { fill: #f6f8fa; }
.buffer { fill: #8ec5ff; }
.height { fill: none; stroke: #0b5cad; stroke-width: 2; }
.key-height { fill: #0b5cad; }
.stall { fill: #d1242f; fill-opacity: 0.75; }
</style>
${parts.join("\n")}
</svg>
`;
}
