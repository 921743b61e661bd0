//! Kinds of files that an upload link takes, by the name and by the first bytes.

use serde::Serialize;

use crate::object::key::ObjectKey;

/// The name of the object that a recorder stores beside a recording's parts at its end.
pub const ENDED: &str = "ended";

/// The bytes that tell the format of a file. A transport stream repeats its sync byte after 188
/// bytes, or after 192 with time codes.
pub const SNIFFED_BYTES: usize = 200;

/// A kind of files in the claim `types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A recording with pictures.
    Video,
    /// A recording of sound.
    Audio,
    /// An image that every browser shows.
    Image,
    /// Timed text.
    Captions,
    /// An HLS recording: playlists, segments, and its end.
    Hls,
}

/// The format of a file, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A container or stream of video or audio.
    Media,
    Image,
    Captions,
    Playlist,
}

const VIDEO: [&str; 27] = [
    "3g2", "3gp", "asf", "avi", "divx", "dv", "f4v", "flv", "m2t", "m2ts", "m2v", "m4v", "mkv",
    "mod", "mov", "mpe", "mpeg", "mpg", "mts", "mxf", "nut", "ogm", "ogv", "qt", "vob", "webm",
    "wmv",
];
const AUDIO: [&str; 18] = [
    "ac3", "aif", "aiff", "amr", "au", "caf", "eac3", "flac", "m4b", "mka", "mp2", "mp3", "oga",
    "ogg", "opus", "w64", "wav", "wma",
];
const IMAGE: [&str; 6] = ["avif", "gif", "jpeg", "jpg", "png", "webp"];

impl FileKind {
    const ALL: [(&str, Self); 5] = [
        ("video", Self::Video),
        ("audio", Self::Audio),
        ("image", Self::Image),
        ("captions", Self::Captions),
        ("hls", Self::Hls),
    ];

    /// Parses the name of a kind.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, kind)| *kind)
    }

    /// The name of the kind.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, kind)| *kind == self);
        known.map_or("", |(name, _)| name)
    }
}

/// The kinds of a file with this extension, and the format of its first bytes.
fn of_extension(extension: &str) -> (&'static [FileKind], Format) {
    use FileKind::{Audio, Captions, Hls, Image, Video};
    let extension = extension.to_ascii_lowercase();
    let is_in = |list: &[&str]| list.contains(&&*extension);
    match &*extension {
        "m3u8" | "m3u" => (&[Hls], Format::Playlist),
        "m4s" | "cmfv" | "cmfa" => (&[Hls], Format::Media),
        "mp4" | "ts" => (&[Video, Hls], Format::Media),
        "m4a" | "aac" => (&[Audio, Hls], Format::Media),
        "vtt" => (&[Captions, Hls], Format::Captions),
        "srt" => (&[Captions], Format::Captions),
        _ if is_in(&IMAGE) => (&[Image], Format::Image),
        _ if is_in(&VIDEO) => (&[Video], Format::Media),
        _ if is_in(&AUDIO) => (&[Audio], Format::Media),
        _ => (&[], Format::Media),
    }
}

/// The extension of a name, if it consists of letters and digits. `1. Introduction` has none.
#[must_use]
pub fn extension(key: &ObjectKey) -> Option<&str> {
    let (_, extension) = key.split().1.rsplit_once('.')?;
    let is_one =
        !extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_one.then_some(extension)
}

/// Returns whether the object is the mark at the end of an HLS recording. It has no bytes.
#[must_use]
pub fn is_end_mark(key: &ObjectKey) -> bool {
    key.split().1 == ENDED
}

/// Checks the name of a file against the kinds that a link takes.
///
/// # Errors
/// When the name is that of no listed kind, in words.
pub fn check_name(kinds: &[FileKind], key: &ObjectKey) -> Result<(), String> {
    let of_name = match extension(key) {
        Some(extension) => of_extension(extension).0,
        None if is_end_mark(key) => &[FileKind::Hls],
        None => &[],
    };
    if of_name.iter().any(|kind| kinds.contains(kind)) {
        return Ok(());
    }
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    Err(format!(
        "the link takes {}, and the name `{}` has no extension of those",
        names.join(", "),
        key.split().1
    ))
}

/// Checks the first bytes of a file against its name: [`SNIFFED_BYTES`], or all of a shorter file.
///
/// # Errors
/// When the bytes are not of the name's format, in words.
pub fn check_bytes(key: &ObjectKey, bytes: &[u8]) -> Result<(), String> {
    let extension = extension(key).unwrap_or_default();
    let format = of_extension(extension).1;
    let is_fit = match is_end_mark(key) {
        true => bytes.is_empty(),
        false => sniff(bytes) == Some(format),
    };
    if is_fit {
        return Ok(());
    }
    Err(match bytes.is_empty() {
        true => "the file is empty: choose another one".to_owned(),
        false => {
            format!("the file does not begin like one named `.{extension}`: choose another one")
        }
    })
}

/// Returns whether a text begins like WebVTT (its signature ends with a blank or a line, §4.1), or
/// like SubRip: a line with a number, and one with times.
fn is_captions(text: &[u8]) -> bool {
    if let Some(rest) = text.strip_prefix(b"WEBVTT") {
        return rest.first().is_none_or(u8::is_ascii_whitespace);
    }
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut lines = lines
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let is_number = |line: &[u8]| line.iter().all(u8::is_ascii_digit);
    let is_times = |line: &[u8]| {
        line.first().is_some_and(u8::is_ascii_digit) && line.windows(3).any(|arrow| arrow == b"-->")
    };
    lines.next().is_some_and(is_number) && lines.next().is_some_and(is_times)
}

/// The format of a file that begins with these bytes. `None` for all others, such as HTML and
/// scripts.
fn sniff(bytes: &[u8]) -> Option<Format> {
    const IMAGES: [&[u8]; 4] = [b"\xFF\xD8\xFF", b"\x89PNG\r\n", b"GIF87a", b"GIF89a"];
    /// Beginnings of media, without MP4, RIFF and transport streams.
    const MEDIA: [&[u8]; 19] = [
        // Matroska and WebM.
        b"\x1A\x45\xDF\xA3",
        b"OggS",
        b"fLaC",
        b"ID3",
        b"FLV\x01",
        b"FORM",
        b"caff",
        b".snd",
        b"#!AMR",
        // RIFF beyond 4 GiB, and Wave64.
        b"RF64",
        b"riff\x2E\x91\xCF\x11",
        // ASF, AC-3, MXF, NUT, DV.
        b"\x30\x26\xB2\x75\x8E\x66\xCF\x11",
        b"\x0B\x77",
        b"\x06\x0E\x2B\x34",
        b"nut/multimedia",
        b"\x1F\x07\x00",
        // MPEG: program stream, video stream, and H.264 with start codes.
        b"\x00\x00\x01\xBA",
        b"\x00\x00\x01\xB3",
        b"\x00\x00\x00\x01\x67",
    ];
    /// Types of the first box of an MP4 or QuickTime file, or of a segment.
    const BOXES: [&[u8]; 13] = [
        b"ftyp", b"styp", b"moof", b"moov", b"sidx", b"emsg", b"prft", b"mdat", b"free", b"skip",
        b"wide", b"pnot", b"uuid",
    ];
    let at = |from: usize, length: usize| bytes.get(from..from + length).unwrap_or_default();
    let begins = |list: &[&[u8]]| list.iter().any(|known| bytes.starts_with(known));
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let is_sync = |from: usize| bytes.get(from).is_none_or(|byte| *byte == 0x47);
    let is_transport =
        |from: usize, packet: usize| bytes.get(from) == Some(&0x47) && is_sync(from + packet);
    // The size of the first box stands before its type: only media data has 16 MiB and more.
    let begins_with_box =
        BOXES.contains(&at(4, 4)) && (bytes.starts_with(&[0]) || at(4, 4) == b"mdat");
    if bytes.trim_ascii_start().starts_with(b"<") {
        // Markup, which may go on like a box: `<!--mdat-->`.
        None
    } else if text.starts_with(b"#EXTM3U") {
        Some(Format::Playlist)
    } else if is_captions(text) {
        Some(Format::Captions)
    } else if begins(&IMAGES)
        || at(8, 4) == b"WEBP" && bytes.starts_with(b"RIFF")
        || at(4, 4) == b"ftyp" && [b"avif", b"avis"].iter().any(|brand| at(8, 4) == *brand)
    {
        Some(Format::Image)
    } else if begins_with_box
        || begins(&MEDIA)
        || bytes.starts_with(b"RIFF") && [b"AVI ", b"WAVE"].iter().any(|kind| at(8, 4) == *kind)
        // MPEG audio, and AAC with ADTS headers.
        || matches!(bytes, [0xFF, second, ..] if second & 0xE0 == 0xE0 && *second != 0xFF && *second != 0xFE)
        || is_transport(0, 188)
        || is_transport(4, 192)
    {
        Some(Format::Media)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> ObjectKey {
        ObjectKey::new(key).expect("a key")
    }

    #[test]
    fn a_link_takes_names_of_the_kinds_that_it_lists() {
        use FileKind::{Audio, Captions, Hls, Image, Video};
        for (kinds, name, expected) in [
            (&[Video][..], "a.mp4", true),
            (&[Video], "a.MOV", true),
            (&[Video], "a.mp4.html", false),
            (&[Video], "a.html", false),
            (&[Video], "a.svg", false),
            (&[Video], "a.js", false),
            (&[Video], "a", false),
            (&[Video], "a.", false),
            (&[Video], "ended", false),
            (&[Video], "a.m3u8", false),
            (&[Video], "a.m4s", false),
            (&[Video], "a.mp3", false),
            (&[Video, Audio], "a.mp3", true),
            (&[Audio], "a.m4a", true),
            (&[Hls], "live/segment.m4s", true),
            (&[Hls], "live/init.mp4", true),
            (&[Hls], "live/playlist.m3u8", true),
            (&[Hls], "live/ended", true),
            (&[Hls], "live/status.json", false),
            (&[Hls], "live/a.mov", false),
            (&[Image], "a.JPG", true),
            (&[Image], "a.svg", false),
            (&[Captions], "a.srt", true),
            (&[Captions], "a.txt", false),
            (&[Video, Audio, Image, Captions, Hls], "a.pdf", false),
        ] {
            let checked = check_name(kinds, &key(name));
            assert_eq!(checked.is_ok(), expected, "{kinds:?} {name}: {checked:?}");
        }
        let refused = check_name(&[Video, Audio], &key("a/b.html")).expect_err("HTML");
        assert_eq!(
            refused,
            "the link takes video, audio, and the name `b.html` has no extension of those"
        );
    }

    #[test]
    fn the_first_bytes_are_of_the_format_that_the_name_says() {
        let mut transport = vec![0_u8; 200];
        (transport[0], transport[188]) = (0x47, 0x47);
        let mut broken = transport.clone();
        broken[188] = 0;
        let mut timed = vec![0_u8; 200];
        (timed[4], timed[196]) = (0x47, 0x47);
        for (name, bytes, expected) in [
            ("a.mp4", &b"\0\0\0\x20ftypisom"[..], true),
            ("a.mov", b"\0\0\0\x08wide\0\0", true),
            ("a.m4s", b"\0\0\0\x18styp", true),
            ("a.mov", b"\0\0\0\x01mdat\0\0\0\0", true),
            ("a.mov", b"\x7F\0\0\x20mdat\0\0", true),
            ("a.mp4", b"\x7F\0\0\x20free\0\0", false),
            ("a.mp4", b"<!--free--><script>", false),
            ("a.mp4", b"<!--mdat--><script>", false),
            ("a.mp4", b"\n<x mdat><script>", false),
            ("a.wmv", b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9", true),
            ("a.srt", b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9", false),
            ("a.webm", b"\x1A\x45\xDF\xA3\x01", true),
            // A container under the extension of another one.
            ("a.mp4", b"\x1A\x45\xDF\xA3\x01", true),
            ("a.avi", b"RIFF\x01\0\0\0AVI LIST", true),
            ("a.wav", b"RIFF\x01\0\0\0WAVEfmt ", true),
            ("a.mp3", b"ID3\x04", true),
            ("a.mp3", b"\xFF\xFB\x90", true),
            ("a.aac", b"\xFF\xF1\x50", true),
            ("a.ts", &transport, true),
            ("a.ts", &transport[..10], true),
            ("a.ts", &broken, false),
            ("a.m2ts", &timed, true),
            ("a.m3u8", b"#EXTM3U\n", true),
            ("a.m3u8", b"\xEF\xBB\xBF#EXTM3U\n", true),
            ("a.mp4", b"#EXTM3U\n", false),
            ("a.vtt", b"WEBVTT\n", true),
            ("a.vtt", b"WEBVTT", true),
            ("a.vtt", b"WEBVTT - a title\n", true),
            ("a.vtt", b"WEBVTTscript()", false),
            (
                "a.srt",
                b"\r\n1\r\n00:00:01,000 --> 00:00:02,000\r\na",
                true,
            ),
            (
                "a.srt",
                b"\xEF\xBB\xBF1\n00:00:01,000 --> 00:00:02,000",
                true,
            ),
            ("a.srt", b"12\r00:00:01.000-->00:00:02.000\ra", true),
            ("a.srt", b"1\r\n00:00:01,000", false),
            ("a.srt", b"1", false),
            ("a.srt", b"1+1\n0-->a", false),
            ("a.srt", b"1\nalert() // -->", false),
            ("a.srt", b"\n \n", false),
            ("a.jpg", b"\xFF\xD8\xFF\xE0", true),
            ("a.mp4", b"\xFF\xD8\xFF\xE0", false),
            ("a.avif", b"\0\0\0\x1Cftypavif", true),
            ("a.webp", b"RIFF\x01\0\0\0WEBPVP8 ", true),
            ("ended", b"", true),
            ("ended", b"<!doctype html>", false),
            ("a.mp4", b"", false),
            ("a.mp4", b"\0", false),
            ("a.mp4", b"<!doctype html><script>", false),
            ("a.vtt", b"<html>", false),
            (
                "a.jpg",
                b"<svg xmlns=\"http://www.w3.org/2000/svg\">",
                false,
            ),
            ("a.mp4", b"<?xml version=\"1.0\"?><MPD>", false),
            ("a.mp4", b"\xFF\xFEh\0i\0", false),
            ("a.mp4", b"%PDF-1.7", false),
            ("a.mp4", b"\0asm\x01\0\0\0", false),
            ("a.mp4", b"MZ\x90", false),
            ("a.mp4", b"PK\x03\x04", false),
            ("a.mp3", b"alert(1)//", false),
        ] {
            let checked = check_bytes(&key(name), bytes);
            assert_eq!(checked.is_ok(), expected, "{name} {bytes:?}: {checked:?}");
        }
    }
}
