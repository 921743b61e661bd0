// Views of a lecture outside its page: full screen, and a small window.

/** Full screen in Safari before 16.4, and on an iPhone. */
interface AppleElement extends HTMLElement {
  webkitRequestFullscreen?(): void;
  webkitEnterFullscreen?(): void;
}
interface AppleDocument extends Document {
  webkitFullscreenElement?: Element;
  webkitExitFullscreen?(): void;
}

/** Shows a player in full screen, with its watermark, or leaves full screen. */
export async function toggleFullscreen(player: AppleElement, video: AppleElement): Promise<void> {
  const page: AppleDocument = document;
  try {
    if (page.fullscreenElement ?? page.webkitFullscreenElement)
      await (page.exitFullscreen ?? page.webkitExitFullscreen)?.call(page);
    else if (player.requestFullscreen) await player.requestFullscreen();
    else if (player.webkitRequestFullscreen) player.webkitRequestFullscreen();
    // An iPhone shows the video alone.
    else video.webkitEnterFullscreen?.();
  } catch {
    // The page around does not allow it.
  }
}

/** Shows a video in a small window, or closes the window. */
export async function togglePip(video: HTMLVideoElement): Promise<void> {
  try {
    if (document.pictureInPictureElement) await document.exitPictureInPicture();
    else await video.requestPictureInPicture();
  } catch {
    // The browser has none, or the lecture has not begun.
  }
}
