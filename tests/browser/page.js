// The page of `others.mjs`: `play` plays a link to its end, or returns the error.

/** Playback speed. The test checks that every segment arrives, in order. */
const SPEED = 4;
/** The language of the captions to show, if there are any. */
const CAPTIONS = "fr";

/**
 * Each begins to play `link` in `video`, calls `fail` with every error that the player tells of (and whether it gives up) and
 * `ended` where it knows the end before the video does, and returns a function that says what the player knows.
 * `-av1-de` chooses that codec and that language, where H.264 and English come first.
 */
const players = {
  hlsjs(video, link, { fail }, { codec, lang } = {}) {
    const hls = new Hls({
      subtitlePreference: { lang: CAPTIONS },
      ...(codec && { videoPreference: { videoCodec: codec }, audioPreference: { lang } }),
    });
    // Those too that it gets over, a hole, a second try; but not that it stops a request to choose another size, nor that a
    // busy machine is behind with what is loaded.
    hls.on(Hls.Events.ERROR, (_event, data) => {
      const isBehind = data.details === "bufferStalledError" && data.bufferInfo?.len > 0;
      if (data.details !== "aborted" && !isBehind) fail(`hls.js ${data.details}: ${data.error?.message ?? data.reason}`, data.fatal);
    });
    hls.loadSource(link);
    hls.attachMedia(video);
    void video.play();
    return () => ({
      heights: [...new Set(hls.levels.map((level) => level.height))],
      codec: hls.levels[hls.currentLevel]?.videoCodec,
      audio: hls.audioTracks.map((track) => track.lang),
      language: hls.audioTracks[hls.audioTrack]?.lang,
      text: hls.subtitleTracks.map((track) => track.lang),
    });
  },
  shaka(video, link, { fail }, { codec, lang, speed = SPEED } = {}) {
    const player = new shaka.Player();
    const describe = (error) => `shaka ${error.code ?? ""} ${JSON.stringify(error.data ?? String(error))}`;
    player.addEventListener("error", (event) => fail(describe(event.detail)));
    // Its transmuxer puts the first sample of a transport stream at 0.002 s where the stream says 0, and it sometimes jumps there
    // before Chromium has begun by itself.
    player.addEventListener("gapjumped", () => {
      if (video.currentTime > 0.01) fail(`shaka jumped over a gap to ${video.currentTime}`, false);
    });
    // Captions that are chosen later wait for the next segment of the picture (github.com/shaka-project/shaka-player/pull/9676).
    player.configure({ preferredText: [{ language: CAPTIONS }] });
    if (codec) player.configure({ preferredVideo: [{ codec }], preferredAudio: [{ language: lang }] });
    // As offered: what drops frames on a busy machine is taken off the list while it plays.
    let heights;
    player
      .attach(video)
      .then(() => player.load(link))
      .then(() => (heights = [...new Set(player.getVariantTracks().map((track) => track.height))]))
      .then(() => video.play())
      .then(() => (speed > SPEED ? player.trickPlay(speed) : (video.playbackRate = SPEED)))
      .catch((error) => fail(describe(error)));
    return () => ({
      heights,
      codec: player.getVariantTracks().find((track) => track.active)?.videoCodec,
      audio: player.getAudioTracks().map((track) => track.language),
      language: player.getAudioTracks().find((track) => track.active)?.language,
      text: player.getTextTracks().map((track) => track.language),
    });
  },
  dashjs(video, link, { fail, ended }, { codec, lang } = {}) {
    const player = dashjs.MediaPlayer().create();
    player.on("error", (event) => fail(`dash.js ${event.error?.code}: ${event.error?.message}`));
    // A gap would be ours, and is not to be jumped over.
    player.updateSettings({ streaming: { gaps: { jumpGaps: false } } });
    // Where the video's own event is late, dash.js takes the lecture for ended and pauses it, so that it never comes
    // (github.com/bbc/dash.js/pull/93).
    player.on("playbackEnded", ended);
    player.initialize(video, link, true);
    if (codec) player.setInitialMediaSettingsFor("video", { codec });
    if (lang) player.setInitialMediaSettingsFor("audio", { lang });
    player.setInitialMediaSettingsFor("text", { lang: CAPTIONS });
    return () => ({
      heights: player.getRepresentationsByType("video").map((one) => one.height),
      codec: player.getCurrentRepresentationForType("video")?.codecs,
      audio: player.getTracksFor("audio").map((track) => track.lang),
      language: player.getCurrentTrackFor("audio")?.lang,
      text: player.getTracksFor("text").map((track) => track.lang),
    });
  },
  videojs(video, link, { fail }) {
    const player = videojs(video);
    player.on("error", () => fail(`video.js ${player.error()?.code}: ${player.error()?.message}`));
    player.src({ src: link, type: link.includes(".mpd") ? "application/dash+xml" : "application/x-mpegURL" });
    void player.play();
    return () => ({
      heights: [...new Set(player.tech(true).vhs.representations().map((one) => one.height))].sort((one, other) => one - other),
    });
  },
  native(video, link) {
    video.src = link;
    void video.play();
    return () => ({});
  },
};

/** Seeks through the lecture by its I-frames. */
players["shaka-pictures"] = (video, link, tell) => players.shaka(video, link, tell, { speed: 2 * SPEED });
for (const player of ["hlsjs", "shaka", "dashjs"]) {
  players[`${player}-av1-de`] = (video, link, tell) => players[player](video, link, tell, { codec: "av01", lang: "de" });
}
/** Plays from a point in the second half. */
players["native-seek"] = (video, link) => {
  video.addEventListener("loadedmetadata", () => (video.currentTime = video.duration * 0.64), { once: true });
  video.addEventListener("seeked", () => void video.play(), { once: true });
  video.src = link;
  return () => ({});
};

window.play = (player, link, limit) =>
  new Promise((resolve) => {
    const video = document.querySelector("video");
    const errors = [];
    let facts = () => ({});
    let seeks = 0;
    const end = (how) => {
      const { totalVideoFrames: frames } = video.getVideoPlaybackQuality();
      const { currentTime, duration, videoHeight: height } = video;
      const told = { how, errors, currentTime, duration, height, frames, seeks, ...facts() };
      // Captions may come behind the last picture of a lecture of seconds.
      const wait = (tries) => {
        const cues = [...video.textTracks].flatMap((track) => [...(track.cues ?? [])].map((cue) => cue.text));
        if (!told.text?.length || cues.length || tries === 0) resolve({ ...told, cues });
        else setTimeout(wait, 100, tries - 1);
      };
      wait(50);
    };
    const fail = (error, isFatal = true) => {
      errors.push(error);
      if (isFatal) end("error");
    };
    const ended = () => end("ended");
    video.addEventListener("ended", ended);
    video.addEventListener("seeked", () => (seeks += 1));
    video.addEventListener("error", () => fail(`media error ${video.error?.code}: ${video.error?.message}`));
    video.addEventListener("playing", () => (video.playbackRate = Math.max(video.playbackRate, SPEED)), { once: true });
    setTimeout(() => end("timeout"), limit);
    facts = players[player](video, link, { fail, ended });
  });
