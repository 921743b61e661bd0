//! Content types by file name: one table for the packager, which stores them, and the edge, which
//! sends them.

/// The media type of an object by its extension; `application/octet-stream` for unknown ones.
///
/// Playlists: RFC 8216bis §4. CMAF segments: `video/mp4` for `.m4s` and `.mp4` alike, since a Media Segment's
/// extension does not tell audio from video and players look at the initialization section.
#[must_use]
pub fn for_key(key: &str) -> &'static str {
    let name = key.rsplit('/').next().unwrap_or(key);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "m3u8" | "m3u" => HLS_PLAYLIST,
        "m4s" | "mp4" | "cmfv" | "m4v" => "video/mp4",
        "m4a" | "cmfa" => "audio/mp4",
        "ts" => "video/mp2t",
        "aac" => "audio/aac",
        "mp3" => "audio/mpeg",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "mkv" => "video/matroska",
        "vtt" => "text/vtt; charset=utf-8",
        "mpd" => "application/dash+xml",
        "json" => "application/json",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "gif" => "image/gif",
        _ => UNKNOWN,
    }
}

/// Returns whether the extension is one of audio, video, or a DASH manifest, which leads to both.
#[must_use]
pub fn is_media(key: &str) -> bool {
    is_one_of(key, &["video/", "audio/", "application/dash"])
}

/// Returns whether the extension is one of images.
#[must_use]
pub fn is_picture(key: &str) -> bool {
    is_one_of(key, &["image/"])
}

/// Returns whether the extension may reveal any minute of a lecture without being media: images,
/// and timed text.
#[must_use]
pub fn is_telling(key: &str) -> bool {
    is_one_of(key, &["image/", "text/vtt"])
}

fn is_one_of(key: &str, kinds: &[&str]) -> bool {
    let of_key = for_key(key);
    kinds.iter().any(|kind| of_key.starts_with(kind))
}

/// The type of unknown bytes (RFC 2046 §4.5.1).
pub const UNKNOWN: &str = "application/octet-stream";

pub const HLS_PLAYLIST: &str = "application/vnd.apple.mpegurl";

/// Returns whether a stored content type is one of those in use for HLS playlists.
#[must_use]
pub fn is_hls_playlist(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    [
        HLS_PLAYLIST,
        "application/x-mpegurl",
        "audio/mpegurl",
        "audio/x-mpegurl",
    ]
    .iter()
    .any(|known| essence.eq_ignore_ascii_case(known))
}

/// Returns whether a stored content type is that of a DASH manifest.
#[must_use]
pub fn is_dash_manifest(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/dash+xml")
}

/// Returns whether no browser runs a body of this type, or shows it as a page: media, images other
/// than SVG, captions, playlists, and plain data. The edge sends no object as another type.
///
/// A DASH manifest is XML, and players need its type. Chromium downloads it
/// in place of a page, and ignores it in frames, objects and images, also if it holds XHTML or SVG
/// with scripts. Only an XML page of the same origin runs it, as its style sheet, and the edge sends
/// none.
#[must_use]
pub fn is_inert(content_type: &str) -> bool {
    const INERT: [&str; 4] = [UNKNOWN, "text/plain", "text/vtt", "application/json"];
    // Browsers read a list of types, and take the last (Fetch standard, "extract a MIME type").
    let is_outside = |at: usize| at.is_multiple_of(2);
    let mut texts = content_type.split('"').enumerate();
    let is_list = texts.any(|(at, text)| is_outside(at) && text.contains(','));
    if is_list || content_type.contains('\\') {
        return false;
    }
    let essence = content_type.split(';').next().unwrap_or("").trim();
    let essence = essence.to_ascii_lowercase();
    let is_media = ["video/", "audio/", "image/"]
        .iter()
        .any(|kind| essence.starts_with(kind));
    // RFC 7303 §4.2: browsers show such an image as a document, with its scripts.
    let is_xml = essence.ends_with("xml");
    (is_media && !is_xml)
        || INERT.contains(&&*essence)
        || is_hls_playlist(&essence)
        || is_dash_manifest(&essence)
}

/// Returns whether a body of this type is text, which compresses: playlists, manifests, captions.
#[must_use]
pub fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    is_hls_playlist(essence)
        || ["text/vtt", "application/dash+xml", "application/json"]
            .iter()
            .any(|known| essence.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_runs_or_shows_as_a_page_is_not_inert() {
        for (content_type, expected) in [
            ("video/mp4", true),
            ("Video/X-Test; codecs=\"avc1\"", true),
            ("video/mp4; codecs=\"avc1,mp4a\"", true),
            ("video/mp4, text/html", false),
            ("video/mp4;x=\"\", text/html", false),
            ("video/mp4;x=\"a\\\", text/html", false),
            ("audio/mpegurl", true),
            ("image/png", true),
            ("text/vtt; charset=utf-8", true),
            ("text/plain", true),
            ("application/json", true),
            ("application/dash+xml", true),
            ("application/vnd.apple.mpegurl", true),
            ("application/octet-stream", true),
            ("", false),
            ("text/html", false),
            (" TEXT/HTML ; charset=utf-8", false),
            ("application/xhtml+xml", false),
            ("image/svg+xml", false),
            ("Image/SVG+XML;x", false),
            ("text/xml", false),
            ("application/xml", false),
            ("video/mp4+xml", false),
            ("application/rss+xml", false),
            ("text/javascript", false),
            ("application/javascript", false),
            ("application/ecmascript", false),
            ("application/wasm", false),
            ("application/pdf", false),
            ("application/x-shockwave-flash", false),
            ("text/css", false),
            ("text/cache-manifest", false),
            ("multipart/x-mixed-replace", false),
            ("message/rfc822", false),
            ("*/*", false),
            ("video", false),
        ] {
            assert_eq!(is_inert(content_type), expected, "{content_type}");
        }
        for name in [
            "a.m3u8", "a.mp4", "a.m4a", "a.vtt", "a.mpd", "a.json", "a.jpg", "a",
        ] {
            assert!(is_inert(for_key(name)), "{name}");
        }
    }

    #[test]
    fn the_extension_names_the_type() {
        for (key, expected) in [
            ("a/master.m3u8", "application/vnd.apple.mpegurl"),
            ("a/SEG.M4S", "video/mp4"),
            ("a.dir/noextension", "application/octet-stream"),
            ("subs/en.vtt", "text/vtt; charset=utf-8"),
        ] {
            assert_eq!(for_key(key), expected, "{key}");
        }
        for (key, expected) in [
            ("lecture.mp4", (true, false, false)),
            ("sprite.JPG", (false, true, true)),
            ("captions.vtt", (false, false, true)),
            ("chapters.json", (false, false, false)),
            ("jpg", (false, false, false)),
        ] {
            let found = (is_media(key), is_picture(key), is_telling(key));
            assert_eq!(found, expected, "{key}");
        }
        assert!(is_hls_playlist("Application/X-MpegURL; charset=utf-8"));
        assert!(!is_hls_playlist("text/plain"));
        assert!(is_text("text/VTT; charset=utf-8"));
        assert!(!is_text("video/mp4"));
    }
}
