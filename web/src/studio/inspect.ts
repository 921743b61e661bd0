// Reads a file with mediabunny: its length, tracks and first frame, and if it is cut short.
import {
  ADTS,
  BlobSource,
  CanvasSink,
  EncodedPacketSink,
  FLAC,
  Input,
  InputDisposedError,
  type InputTrack,
  type InputVideoTrack,
  MATROSKA,
  MP3,
  MP4,
  MPEG_TS,
  OGG,
  QTFF,
  WAVE,
  WEBM,
} from "mediabunny";
import { isSegmentCut } from "./matroska.ts";
import type { MediaFacts, TrackFacts } from "./warnings.ts";

const FORMATS = [MP4, QTFF, MATROSKA, WEBM, MPEG_TS, WAVE, OGG, FLAC, MP3, ADTS];
/** The width of the first frame in CSS pixels, times two for sharp screens. */
const FRAME_WIDTH = 320;
/** The second whose frame is shown: the first frame of a recording is often black. */
const FRAME_SECOND = 1;
const HEADER_BYTES = 4096;

/** A file's facts, and a way to decode its first frame. */
export interface Inspection {
  facts: MediaFacts;
  /** Decodes a frame, if the browser decodes the video. */
  drawFrame(): Promise<HTMLCanvasElement | OffscreenCanvas | undefined>;
  dispose(): void;
}

/** The end of a track's packets, and if its last packet is in the file. */
interface TrackEnd {
  seconds: number;
  isThere: boolean;
  isUnreadable: boolean;
}

export async function inspect(file: File): Promise<Inspection> {
  // A file that vanishes while the page reads it fails a read, which the caller sees.
  const source = new BlobSource(file, { handleUnhandledError: () => {} });
  const input = new Input({ formats: FORMATS, source });
  const dispose = (): void => input.dispose();
  const nothing = { drawFrame: async () => undefined, dispose };
  if (!(await input.canRead().catch(() => false))) return { facts: { tracks: [] }, ...nothing };
  const format = (await input.getFormat()).name;
  let all: InputTrack[];
  try {
    all = await input.getTracks();
  } catch {
    return { facts: { format, tracks: [], isUnreadable: true }, ...nothing };
  }
  // The index of an MP4 stands at its end, unless an encoder moved it. Without it, no track shows.
  const isIsobmff = format === "MP4" || format === "QuickTime File Format";
  if (all.length === 0 && isIsobmff)
    return { facts: { format, tracks: [], isWithoutIndex: true }, ...nothing };

  const facts: MediaFacts = { format, tracks: [] };
  let video: InputVideoTrack | undefined;
  const ends: { track: InputTrack; end: TrackEnd }[] = [];
  for (const track of all) {
    const end = await endOf(track);
    if (!end) continue;
    ends.push({ track, end });
    facts.tracks.push(await factsOf(track));
    if (!video && track.isVideoTrack() && (await track.canDecode().catch(() => false)))
      video = track;
  }
  const lengths = ends.map(({ end }) => end.seconds).filter(Number.isFinite);
  if (lengths.length > 0) facts.seconds = Math.max(...lengths);
  if (ends.some(({ end }) => end.isUnreadable)) facts.isUnreadable = true;

  const incomplete = ends.filter(({ end }) => !end.isThere);
  const head = new Uint8Array(await file.slice(0, HEADER_BYTES).arrayBuffer());
  if (incomplete.length > 0) {
    facts.isCut = true;
    const readable = incomplete.map(({ track, end }) => lastReadable(track, end.seconds));
    facts.readableSeconds = Math.min(...(await Promise.all(readable)));
  } else if ((format === "Matroska" || format === "WebM") && isSegmentCut(head, file.size)) {
    facts.isCut = true;
    const declared = await input.getDurationFromMetadata().catch(() => null);
    if (facts.seconds !== undefined) facts.readableSeconds = facts.seconds;
    if (declared) facts.seconds = Math.max(declared, facts.seconds ?? 0);
  }
  const drawn = video;
  return { facts, drawFrame: async () => drawn && drawFrame(drawn, facts), dispose };
}

async function factsOf(track: InputTrack): Promise<TrackFacts> {
  const codec = await track.getCodec().catch(() => null);
  const isDecodable = await track.canDecode().catch(() => false);
  const facts = { ...(codec && { codec }), isDecodable };
  if (!track.isVideoTrack()) return { type: "audio", ...facts };
  const [isHdr, width, height] = await Promise.all([
    track.hasHighDynamicRange().catch(() => false),
    track.getDisplayWidth(),
    track.getDisplayHeight(),
  ]);
  return { type: "video", ...facts, isHdr, width, height };
}

/** Finds the end of a track, or nothing if it has no packets. */
async function endOf(track: InputTrack): Promise<TrackEnd | undefined> {
  const sink = new EncodedPacketSink(track);
  let seconds = 0;
  try {
    const last = await sink.getPacket(Infinity, { metadataOnly: true });
    if (!last) return undefined;
    seconds = last.timestamp + last.duration;
  } catch (error) {
    if (error instanceof InputDisposedError) throw error;
    return { seconds: NaN, isThere: true, isUnreadable: true };
  }
  try {
    // The index of a file that is cut short lists packets behind its end.
    return { seconds, isThere: (await sink.getPacket(Infinity)) !== null, isUnreadable: false };
  } catch (error) {
    if (error instanceof InputDisposedError) throw error;
    return { seconds, isThere: true, isUnreadable: true };
  }
}

/** The second up to which the packets of a track are in the file, to a tenth. */
async function lastReadable(track: InputTrack, seconds: number): Promise<number> {
  const sink = new EncodedPacketSink(track);
  let [readable, missing] = [0, seconds];
  while (missing - readable > 0.1) {
    const middle = (readable + missing) / 2;
    const packet = await sink.getPacket(middle).catch(() => null);
    if (packet) readable = middle;
    else missing = middle;
  }
  return readable;
}

async function drawFrame(
  track: InputVideoTrack,
  { seconds = 0, isCut }: MediaFacts,
): Promise<HTMLCanvasElement | OffscreenCanvas | undefined> {
  try {
    const sink = new CanvasSink(track, { width: FRAME_WIDTH });
    const first = await track.getFirstTimestamp();
    const second = isCut ? first : Math.min(first + FRAME_SECOND, (first + seconds) / 2);
    return (await sink.getCanvas(Math.max(first, second)))?.canvas;
  } catch {
    // The frame only decorates.
    return undefined;
  }
}
