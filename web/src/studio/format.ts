// Sizes and times as a language writes them. Pure.

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Bytes in decimal units: `1.9 GB`. */
export function formatBytes(bytes: number, language: string): string {
  let [value, at] = [Math.max(0, bytes), 0];
  while (value >= 999.5 && at < UNITS.length - 1) {
    value /= 1000;
    at += 1;
  }
  const maximumFractionDigits = value < 10 && at > 1 ? 1 : 0;
  const options = { style: "unit", unit: UNITS[at]!, maximumFractionDigits } as const;
  return new Intl.NumberFormat(language, options).format(value);
}

/** A time that is left, in one unit, rounded up: `4 minutes`. */
export function formatLeft(seconds: number, language: string): string {
  const [unit, length] =
    seconds < 90 ? (["second", 5] as const)
    : seconds < 5400 ? (["minute", 60] as const)
    : (["hour", 3600] as const);
  const value = Math.ceil(Math.max(1, seconds) / length) * (unit === "second" ? 5 : 1);
  const options = { style: "unit", unit, unitDisplay: "long" } as const;
  return new Intl.NumberFormat(language, options).format(value);
}

/** Names of codecs as people know them. */
const CODECS: Record<string, string> = {
  avc: "H.264",
  hevc: "H.265",
  vp8: "VP8",
  vp9: "VP9",
  av1: "AV1",
  aac: "AAC",
  opus: "Opus",
  mp3: "MP3",
  vorbis: "Vorbis",
  flac: "FLAC",
  ac3: "AC-3",
  eac3: "E-AC-3",
};

export function codecName(codec: string): string {
  return CODECS[codec] ?? (codec.startsWith("pcm") ? "PCM" : codec);
}

const ENTITIES: Record<string, string> = { "&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;" };

/** The code that embeds a lecture, as docs/embed.md has it. */
export function embedCode(address: string, title: string): string {
  const escaped = (text: string): string => text.replaceAll(/[&"<>]/g, (sign) => ENTITIES[sign]!);
  return (
    `<iframe src="${escaped(address)}" title="${escaped(title)}"` +
    ' allow="autoplay; fullscreen; picture-in-picture"' +
    ' style="border:0;width:100%;aspect-ratio:16/9"></iframe>'
  );
}
