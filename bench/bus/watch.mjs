// What a viewer has of a lecture: runs in the page, and takes a sample of the video every 100 ms.

/** In each page, before its scripts: presses play as soon as there is a video. */
export function watch() {
  const began = performance.now();
  const seen = { samples: [], start: undefined, stalls: [], seeks: [] };
  window.seen = seen;
  const seconds = () => (performance.now() - began) / 1_000;
  let video;
  let stalledAt;
  let soughtAt;
  let position = 0;
  setInterval(() => {
    if (!video) {
      video = document.querySelector("video");
      if (!video) return;
      video.muted = true;
      video.autoplay = true;
      video.addEventListener("seeking", () => (soughtAt ??= seconds()));
    }
    if (video.paused && !video.ended && video.readyState > 0) void video.play().catch(() => {});
    const now = seconds();
    const { currentTime, buffered, videoHeight } = video;
    let ahead = 0;
    for (let at = 0; at < buffered.length; at++)
      if (buffered.start(at) <= currentTime + 0.1 && buffered.end(at) > currentTime) ahead = buffered.end(at) - currentTime;
    const isMoving = currentTime !== position && !video.seeking;
    position = currentTime;
    if (isMoving && currentTime > 0) {
      seen.start ??= now;
      if (soughtAt !== undefined) seen.seeks.push(now - soughtAt);
      else if (stalledAt !== undefined && now - stalledAt > 0.25) seen.stalls.push([stalledAt, now]);
      soughtAt = stalledAt = undefined;
    } else if (seen.start !== undefined && !video.ended) {
      stalledAt ??= now;
    }
    seen.stalledAt = stalledAt;
    seen.samples.push({ at: now, currentTime, ahead, height: videoHeight, isMoving, hasEnded: video.ended });
  }, 100);
}

/** Sums up the samples of a view. Seconds, pixels and bytes. */
export function summarize({ samples, start, stalls, stalledAt, seeks }, bytes) {
  const last = samples.at(-1)?.at ?? 0;
  const all = stalledAt !== undefined && last - stalledAt > 1 ? [...stalls, [stalledAt, last]] : stalls;
  const playing = samples.filter(({ isMoving, height }) => isMoving && height > 0);
  const heights = playing.reduce((sum, { height }) => sum + height, 0);
  return {
    start,
    stalls: all.length,
    stalled: all.reduce((sum, [from, to]) => sum + to - from, 0),
    height: playing.length > 0 ? heights / playing.length : 0,
    watched: samples.at(-1)?.currentTime ?? 0,
    seek: seeks.at(-1),
    bytes,
  };
}
