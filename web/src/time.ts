// Times of a lecture as people write and read them.

/** Parses `754`, `12:34` and `1:02:03` to seconds. */
export function parseTime(text: string | null | undefined): number | undefined {
  if (!text || !/^\d{1,6}(\.\d{1,3})?$|^(\d{1,2}:)?\d{1,3}:[0-5]\d$/.test(text)) return undefined;
  return text.split(":").reduce((seconds, part) => seconds * 60 + Number(part), 0);
}

/** Seconds as `12:34` or `1:02:03`. */
export function formatTime(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const [hours, minutes, rest] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const two = (part: number): string => String(part).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
