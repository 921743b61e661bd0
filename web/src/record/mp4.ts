// Facts of fragmented MP4: the initialization section and the Media Segments that the recorder
// writes (ISO/IEC 14496-12). Pure, and linear in the size of its input.

export interface TrackFacts {
  id: number;
  kind: "video" | "audio";
  /** Ticks in a second. */
  timescale: number;
  /** RFC 6381 codec string. */
  codec: string;
  /** Bytes of the decoder's configuration, in hexadecimal. */
  configuration: string;
  width: number;
  height: number;
}

export interface SegmentFacts {
  hasVideo: boolean;
  /** Start of the video, or of the audio in a segment without video. */
  startSeconds: number;
  /** Length of the same track. */
  seconds: number;
  /** Frames of the video. */
  frames: number;
  /** Bytes from the start of the fragment to the end of its first frame, which is a keyframe. */
  keyframe: { offset: number; bytes: number } | undefined;
}

/** Bytes of a box's size and type. */
const BOX_HEADER = 8;

interface Mp4Box {
  type: string;
  view: DataView;
}

/** Reads the tracks of an initialization section. */
export function readTracks(init: ArrayBuffer): TrackFacts[] {
  return inside(new DataView(init), "moov", "trak").flatMap((trak) => readTrack(trak) ?? []);
}

/**
 * Returns whether segments of one recording play after the initialization section of another.
 * Times in the sections may differ.
 */
export function areJoinable(one: ArrayBuffer, other: ArrayBuffer): boolean {
  const [first, second] = [readTracks(one), readTracks(other)];
  return first.length > 0 && JSON.stringify(first) === JSON.stringify(second);
}

/** Reads the times of a Media Segment, and the place of its keyframe. */
export function readSegment(segment: ArrayBuffer, tracks: readonly TrackFacts[]): SegmentFacts {
  const found = new Map<number, FragmentFacts>();
  for (const moof of inside(new DataView(segment), "moof")) {
    for (const traf of inside(moof, "traf")) {
      const fragment = readFragment(traf, moof.byteOffset - BOX_HEADER);
      const known = found.get(fragment.id);
      if (known) {
        known.ticks += fragment.ticks;
        known.samples += fragment.samples;
      } else if (fragment.samples > 0) found.set(fragment.id, fragment);
    }
  }
  const measured = (kind: string) =>
    tracks.flatMap((track) => {
      const facts = track.kind === kind && found.get(track.id);
      return facts ? [{ ...facts, timescale: track.timescale }] : [];
    })[0];
  const video = measured("video");
  const shown = video ?? measured("audio");
  return {
    hasVideo: video !== undefined,
    startSeconds: shown ? shown.start / shown.timescale : 0,
    seconds: shown ? shown.ticks / shown.timescale : 0,
    frames: video?.samples ?? 0,
    keyframe: video?.first,
  };
}

/** Numbers the fragments of a segment, in place. They rise through a recording. */
export function numberFragments(segment: ArrayBuffer, number: number): void {
  for (const mfhd of inside(new DataView(segment), "moof", "mfhd")) mfhd.setUint32(4, number);
}

/**
 * Lengthens the last frame of a segment, in place, so that the video lasts until the next segment.
 * A frame in between was dropped. A segment of equal durations has no place for another one.
 */
export function fillSegment(
  segment: ArrayBuffer,
  tracks: readonly TrackFacts[],
  seconds: number,
): void {
  const video = tracks.find(({ kind }) => kind === "video");
  if (!video) return;
  const missing = Math.round((seconds - readSegment(segment, tracks).seconds) * video.timescale);
  const isVideo = (traf: DataView) => inside(traf, "tfhd")[0]?.getUint32(4) === video.id;
  const trun = inside(new DataView(segment), "moof", "traf")
    .filter(isVideo)
    .flatMap((traf) => inside(traf, "trun"))
    .at(-1);
  if (!trun || missing <= 0 || !(trun.getUint32(0) & 0x100)) return;
  const { start, stride } = layoutOf(trun);
  const last = start + stride * (trun.getUint32(4) - 1);
  if (last + 4 <= trun.byteLength) trun.setUint32(last, trun.getUint32(last) + missing);
}

function readTrack(trak: DataView): TrackFacts | undefined {
  const [tkhd] = inside(trak, "tkhd");
  const [mdhd] = inside(trak, "mdia", "mdhd");
  const [handler] = inside(trak, "mdia", "hdlr");
  const [stsd] = inside(trak, "mdia", "minf", "stbl", "stsd");
  if (!tkhd || !mdhd || !handler || !stsd) return undefined;
  const entry = boxesIn(after(stsd, 8))[0];
  const kind = { vide: "video", soun: "audio" }[text(handler, 8)] as TrackFacts["kind"] | undefined;
  if (!entry || !kind) return undefined;
  const isVideo = kind === "video";
  const children = boxesIn(after(entry.view, isVideo ? 78 : 28));
  const box = children.find(({ type }) => /^(avcC|esds|dOps)$/.test(type));
  return {
    id: tkhd.getUint32(tkhd.getUint8(0) === 1 ? 20 : 12),
    kind,
    timescale: mdhd.getUint32(mdhd.getUint8(0) === 1 ? 20 : 12),
    codec: codecOf(entry.type, box?.view),
    configuration: box ? hex(box.view, 0, box.view.byteLength) : "",
    width: isVideo ? entry.view.getUint16(24) : 0,
    height: isVideo ? entry.view.getUint16(26) : 0,
  };
}

/** The codec string of a sample entry (RFC 6381 §3.3). */
function codecOf(type: string, box: DataView | undefined): string {
  if (type === "Opus") return "Opus";
  if (box && /^avc[13]$/.test(type)) return `${type}.${hex(box, 1, 4)}`;
  const objectType = box && type === "mp4a" ? audioObjectType(box) : undefined;
  return objectType === undefined ? type : `mp4a.40.${objectType}`;
}

/** The audio object type in an `esds` box (ISO/IEC 14496-1 §7.2.6). */
function audioObjectType(esds: DataView): number | undefined {
  // Bytes before the descriptors inside: ES id and flags, or the decoder's buffer and bit rates.
  const skipped: Record<number, number> = { 3: 3, 4: 13 };
  let at = 4;
  while (at + 2 < esds.byteLength) {
    const tag = esds.getUint8(at++);
    while (at < esds.byteLength && esds.getUint8(at) & 0x80) at++;
    at++;
    if (tag === 5) return at < esds.byteLength ? esds.getUint8(at) >> 3 : undefined;
    const bytes = skipped[tag];
    if (bytes === undefined) return undefined;
    at += bytes;
  }
  return undefined;
}

interface FragmentFacts {
  id: number;
  start: number;
  ticks: number;
  samples: number;
  first: { offset: number; bytes: number } | undefined;
}

/** Reads a track fragment: its track, its times and the place of its first sample. */
function readFragment(traf: DataView, moofOffset: number): FragmentFacts {
  const [tfhd] = inside(traf, "tfhd");
  const [tfdt] = inside(traf, "tfdt");
  if (!tfhd || !tfdt) return { id: 0, start: 0, ticks: 0, samples: 0, first: undefined };
  const flags = tfhd.getUint32(0);
  let at = 8 + (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0);
  const defaultTicks = flags & 8 ? tfhd.getUint32(at) : 0;
  if (flags & 8) at += 4;
  const defaultBytes = flags & 16 ? tfhd.getUint32(at) : 0;
  const runs = inside(traf, "trun").map((trun) => readRun(trun, defaultTicks, defaultBytes));
  const [first] = runs;
  return {
    id: tfhd.getUint32(4),
    start: tfdt.getUint8(0) === 1 ? Number(tfdt.getBigUint64(4)) : tfdt.getUint32(4),
    ticks: runs.reduce((sum, { ticks }) => sum + ticks, 0),
    samples: runs.reduce((sum, { samples }) => sum + samples, 0),
    first: first && { offset: moofOffset, bytes: first.offset + first.firstBytes },
  };
}

/** Reads a run: its durations, and the place of its first sample behind the start of `moof`. */
function readRun(
  trun: DataView,
  defaultTicks: number,
  defaultBytes: number,
): { ticks: number; samples: number; offset: number; firstBytes: number } {
  const flags = trun.getUint32(0);
  const samples = trun.getUint32(4);
  const offset = flags & 1 ? trun.getInt32(8) : 0;
  const { start, stride } = layoutOf(trun);
  const sizeAt = start + (flags & 0x100 ? 4 : 0);
  const hasSize = (flags & 0x200) !== 0 && sizeAt + 4 <= trun.byteLength;
  const firstBytes = hasSize ? trun.getUint32(sizeAt) : defaultBytes;
  if (!(flags & 0x100)) return { ticks: samples * defaultTicks, samples, offset, firstBytes };
  let ticks = 0;
  for (let at = start; at + 4 <= trun.byteLength; at += stride) ticks += trun.getUint32(at);
  return { ticks, samples, offset, firstBytes };
}

/** The place of a run's first sample, and the bytes of each. */
function layoutOf(trun: DataView): { start: number; stride: number } {
  const flags = trun.getUint32(0);
  const start = 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
  const stride = 4 * [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length;
  return { start, stride };
}

/** Bodies of the boxes at a path of types. */
function inside(view: DataView, ...path: string[]): DataView[] {
  return path.reduce<DataView[]>(
    (views, type) =>
      views.flatMap(boxesIn).flatMap((box) => (box.type === type ? [box.view] : [])),
    [view],
  );
}

/** Boxes in their order, up to the first that does not fit. */
function boxesIn(view: DataView): Mp4Box[] {
  const found: Mp4Box[] = [];
  let at = 0;
  while (at + 8 <= view.byteLength) {
    const size = view.getUint32(at);
    const isLarge = size === 1 && at + 16 <= view.byteLength;
    const header = isLarge ? 16 : 8;
    const length = isLarge ? Number(view.getBigUint64(at + 8)) : size || view.byteLength - at;
    if (length < header || at + length > view.byteLength) break;
    const type = text(view, at + 4);
    const body = new DataView(view.buffer, view.byteOffset + at + header, length - header);
    found.push({ type, view: body });
    at += length;
  }
  return found;
}

function after(view: DataView, bytes: number): DataView {
  const skipped = Math.min(bytes, view.byteLength);
  return new DataView(view.buffer, view.byteOffset + skipped, view.byteLength - skipped);
}

function text(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((offset) => view.getUint8(at + offset)));
}

function hex(view: DataView, from: number, to: number): string {
  let digits = "";
  for (let at = from; at < to; at++) digits += view.getUint8(at).toString(16).padStart(2, "0");
  return digits;
}
