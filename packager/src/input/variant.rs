//! Selects the streams to download from a playlist. Pure.

use std::collections::HashSet;

use hls_lexer::attributes::attributes;

use super::error::RecordingError;
use crate::input::error::MOST_SEGMENTS;

/// Maximum number of audio tracks.
const MAX_AUDIO_TRACKS: usize = 16;

/// Kinds of playlists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HlsPlaylist<'text> {
    Multivariant(VariantStreams),
    Media(MediaPlaylist<'text>),
}

/// Streams selected from a Multivariant Playlist. Addresses are URIs or the paths that they resolve
/// to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VariantStreams {
    /// The best Variant Stream.
    pub(super) variant: String,
    /// The Variant Stream has muxed audio that belongs to the recording.
    pub(super) has_muxed_audio: bool,
    /// Renditions of its audio group with their own Media Playlists.
    pub(super) audio_tracks: Vec<AudioChoice>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AudioChoice {
    pub(super) address: String,
    pub(super) name: String,
    pub(super) language: String,
}

impl VariantStreams {
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        let audio_tracks = self.audio_tracks.iter().map(|audio| audio.address.as_str());
        std::iter::once(self.variant.as_str()).chain(audio_tracks)
    }

    pub(super) fn resolved<E>(
        mut self,
        resolve: impl Fn(&str) -> Result<String, E>,
    ) -> Result<Self, E> {
        self.variant = resolve(&self.variant)?;
        for audio in &mut self.audio_tracks {
            audio.address = resolve(&audio.address)?;
        }
        Ok(self)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MediaPlaylist<'text> {
    /// URI of the Media Initialization Section.
    pub(super) map: Option<&'text str>,
    pub(super) segments: Vec<&'text str>,
    pub(super) is_ended: bool,
    pub(super) extension: &'static str,
}

/// Parses a playlist; errors call it `name`.
pub(super) fn parse_playlist<'text>(
    text: &'text str,
    name: &str,
) -> Result<HlsPlaylist<'text>, RecordingError> {
    if !text.trim_start_matches('\u{feff}').starts_with("#EXTM3U") {
        return Err(RecordingError::NoPlaylist(name.to_owned()));
    }
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    if lines().any(|line| line.starts_with("#EXT-X-STREAM-INF:")) {
        return select_streams(lines()).map(HlsPlaylist::Multivariant);
    }
    read_media_playlist(lines(), name).map(HlsPlaylist::Media)
}

fn select_streams<'text>(
    lines: impl Iterator<Item = &'text str>,
) -> Result<VariantStreams, RecordingError> {
    let mut best: Option<(u64, &str, Option<&str>)> = None;
    let mut stream = None;
    let mut media = vec![];
    for line in lines {
        if let Some(attributes) = line.strip_prefix("#EXT-X-MEDIA:") {
            if attribute(attributes, "TYPE") == Some("AUDIO") {
                media.push(attributes);
            }
        } else if let Some(attributes) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            let number = attribute(attributes, "BANDWIDTH").and_then(|value| value.parse().ok());
            stream = Some((number.unwrap_or(0), attribute(attributes, "AUDIO")));
        } else if !line.starts_with('#')
            && let Some((bandwidth, group)) = stream.take()
            && best.is_none_or(|(most, ..)| bandwidth > most)
        {
            best = Some((bandwidth, line, group));
        }
    }
    let (_, variant, group) = best.ok_or(RecordingError::Nothing)?;
    let of_group =
        |attributes: &&str| group.is_some() && attribute(attributes, "GROUP-ID") == group;
    let mut streams = VariantStreams {
        variant: variant.to_owned(),
        ..VariantStreams::default()
    };
    let (mut is_alone, mut audio_tracks) = (true, vec![]);
    for attributes in media.into_iter().filter(of_group) {
        is_alone = false;
        let of = |name| attribute(attributes, name).unwrap_or_default().to_owned();
        match attribute(attributes, "URI") {
            // The Media Playlist of an audio-only Variant Stream is also a Rendition.
            Some(uri) if uri != variant => audio_tracks.push((
                of("DEFAULT") == "YES",
                AudioChoice {
                    address: uri.to_owned(),
                    name: of("NAME"),
                    language: of("LANGUAGE"),
                },
            )),
            // RFC 8216bis §4.4.6.1: without a URI, the audio is in the Variant Stream.
            _ => streams.has_muxed_audio = true,
        }
    }
    streams.has_muxed_audio |= is_alone;
    audio_tracks.sort_by_key(|(is_default, _)| !is_default);
    streams.audio_tracks = audio_tracks.into_iter().map(|(_, audio)| audio).collect();
    match streams.audio_tracks.len() {
        0..=MAX_AUDIO_TRACKS => Ok(streams),
        many => Err(RecordingError::TooManyAudioTracks(many)),
    }
}

fn read_media_playlist<'text>(
    lines: impl Iterator<Item = &'text str>,
    name: &str,
) -> Result<MediaPlaylist<'text>, RecordingError> {
    let mut listed = MediaPlaylist::default();
    let mut ranges = Ranges::default();
    let mut is_gap = false;
    for line in lines {
        let (tag, attributes) = line.split_once(':').unwrap_or((line, ""));
        match tag {
            "#EXT-X-MAP" => {
                let uri = attribute(attributes, "URI").unwrap_or_default();
                if *listed.map.get_or_insert(uri) != uri {
                    return Err(RecordingError::Runs(name.to_owned()));
                }
                ranges.map = attribute(attributes, "BYTERANGE").is_some();
            }
            "#EXT-X-BYTERANGE" => ranges.next = Some(attributes),
            "#EXT-X-KEY" if attribute(attributes, "METHOD") != Some("NONE") => {
                return Err(RecordingError::Encrypted(name.to_owned()));
            }
            "#EXT-X-GAP" => is_gap = true,
            "#EXT-X-ENDLIST" => listed.is_ended = true,
            _ if line.starts_with('#') => {}
            // RFC 8216bis §4.4.4.7: the marked segment is missing.
            _ if std::mem::take(&mut is_gap) => ranges.next = None,
            _ => match ranges.continues(line) {
                None => return Err(RecordingError::Ranges(name.to_owned())),
                Some(true) => {}
                Some(false) if listed.segments.len() >= MOST_SEGMENTS => {
                    return Err(RecordingError::TooMany(name.to_owned()));
                }
                Some(false) => listed.segments.push(line),
            },
        }
    }
    let Some(first) = listed.segments.first() else {
        return Err(RecordingError::Nothing);
    };
    listed.extension = match listed.map {
        Some(_) => "mp4",
        None => extension(first),
    };
    if ranges.map {
        // The file begins with its Media Initialization Section.
        match &listed.segments[..] {
            [file] if Some(*file) == listed.map => listed.map = None,
            _ => return Err(RecordingError::Ranges(name.to_owned())),
        }
    }
    Ok(listed)
}

/// Consecutive byte ranges of a file, from its beginning: together they are that file.
#[derive(Debug, Default)]
struct Ranges<'text> {
    /// The Media Initialization Section is a range, so an index may separate it from the first
    /// segment.
    map: bool,
    /// Byte range of the next segment.
    next: Option<&'text str>,
    /// File of the last range, and its end.
    last: Option<(&'text str, u64)>,
    begun: HashSet<&'text str>,
}

impl<'text> Ranges<'text> {
    /// Tells if a segment continues a listed file; `None` if a range leaves bytes out.
    fn continues(&mut self, uri: &'text str) -> Option<bool> {
        let last = self.last.take().filter(|(file, _)| *file == uri);
        let Some(range) = self.next.take() else {
            return Some(false);
        };
        // RFC 8216bis §4.4.4.2: `n@o`; without `@o`, it begins at the end of the previous range of
        // the same file.
        let (length, from) = range.split_once('@').unwrap_or((range, ""));
        let length: u64 = length.trim().parse().ok()?;
        let from: Option<u64> = from.trim().parse().ok();
        let begin = match last {
            Some((_, end)) => from.is_none_or(|from| from == end).then_some(end)?,
            None if self.begun.insert(uri) => from.filter(|from| *from == 0 || self.map)?,
            None => return None,
        };
        self.last = Some((uri, begin.checked_add(length)?));
        Some(last.is_some())
    }
}

/// Extension of a file of segments without a Media Initialization Section, by which ffmpeg selects
/// a demuxer.
fn extension(uri: &str) -> &'static str {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    match path.rsplit_once('.') {
        Some((_, "aac")) => "aac",
        Some((_, "mp3")) => "mp3",
        Some((_, "ac3")) => "ac3",
        _ => "ts",
    }
}

/// Value of an attribute (RFC 8216bis §4.2), the first of its name.
fn attribute<'text>(list: &'text str, name: &str) -> Option<&'text str> {
    let mut found = attributes(list.as_bytes(), 0);
    let attribute = found.find(|attribute| attribute.name == name.as_bytes())?;
    list.get(attribute.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(text: &str) -> String {
        match parse_playlist(text, "x.m3u8") {
            Ok(HlsPlaylist::Media(listed)) => {
                let parts = listed.map.iter().chain(&listed.segments);
                let parts: Vec<&str> = parts.copied().collect();
                format!("{}: {}", listed.extension, parts.join(" "))
            }
            Ok(HlsPlaylist::Multivariant(streams)) => {
                let own = if streams.has_muxed_audio {
                    " with muxed audio"
                } else {
                    ""
                };
                let audio_tracks = streams.audio_tracks.iter();
                let audio_tracks = audio_tracks.map(|audio| {
                    format!(", {} ({}, {})", audio.address, audio.name, audio.language)
                });
                format!(
                    "{}{own}{}",
                    streams.variant,
                    audio_tracks.collect::<String>()
                )
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_multivariant_playlist_leads_to_its_best_variant_and_its_audio_group() {
        let stream = |bandwidth: u32, rest: &str| {
            format!(
                "#EXT-X-STREAM-INF:CODECS=\"avc1.42c01e,BANDWIDTH=9\",BANDWIDTH={bandwidth}{rest}\n{bandwidth}.m3u8\n"
            )
        };
        let audio = |group: &str, rest: &str| {
            format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"N\"{rest}\n")
        };
        let [low, high] = [stream(500, ""), stream(900, "")];
        let grouped = stream(900, ",AUDIO=\"a\"");
        let english = audio("a", ",LANGUAGE=\"en\",URI=\"en.m3u8\"");
        let german = audio("a", ",LANGUAGE=\"de\",DEFAULT=YES,URI=\"de.m3u8?x\"");
        for (text, expected) in [
            (low.clone(), "500.m3u8 with muxed audio"),
            (format!("{low}{high}"), "900.m3u8 with muxed audio"),
            (format!("{high}{low}"), "900.m3u8 with muxed audio"),
            // A group that the Variant Stream does not reference.
            (format!("{english}{low}"), "500.m3u8 with muxed audio"),
            (
                format!("{english}{low}{grouped}"),
                "900.m3u8, en.m3u8 (N, en)",
            ),
            (
                format!("{grouped}{english}{german}"),
                "900.m3u8, de.m3u8?x (N, de), en.m3u8 (N, en)",
            ),
            (
                format!("{}{german}{grouped}", audio("a", "")),
                "900.m3u8 with muxed audio, de.m3u8?x (N, de)",
            ),
            (
                format!("{}{grouped}", audio("a", ",URI=\"900.m3u8\"")),
                "900.m3u8 with muxed audio",
            ),
            (
                format!("{}{grouped}", english.repeat(17)),
                "`17` audio tracks",
            ),
            (
                "#EXT-X-STREAM-INF:BANDWIDTH=1\n".to_owned(),
                "the folder holds no recording: neither a playlist nor an initialization section with numbered segments",
            ),
        ] {
            let expected = expected.replace(
                "`17` audio tracks",
                &RecordingError::TooManyAudioTracks(17).to_string(),
            );
            assert_eq!(describe(&format!("#EXTM3U\n{text}")), expected, "{text}");
        }
    }

    #[test]
    fn ranges_of_a_file_from_its_begin_are_the_file() {
        let ranges = "the byte ranges in `x.m3u8` do not cover their file";
        for (lines, expected) in [
            (
                "EXT-X-BYTERANGE:5@0 a EXT-X-BYTERANGE:7@5 a EXT-X-BYTERANGE:7 a",
                "ts: a",
            ),
            (
                "EXT-X-BYTERANGE:5@0 a EXT-X-BYTERANGE:7@0 b EXT-X-BYTERANGE:7 b c.ts",
                "ts: a b c.ts",
            ),
            (
                "EXT-X-MAP:URI=\"a\",BYTERANGE=\"9@0\" EXT-X-BYTERANGE:5@99 a EXT-X-BYTERANGE:5 a",
                "mp4: a",
            ),
            (
                "EXT-X-MAP:URI=\"i\" EXT-X-BYTERANGE:5@0 a EXT-X-BYTERANGE:5 a",
                "mp4: i a",
            ),
            ("EXT-X-BYTERANGE:5 a", ranges),
            ("EXT-X-BYTERANGE:5@4 a", ranges),
            ("EXT-X-BYTERANGE:5@0 a EXT-X-BYTERANGE:5@6 a", ranges),
            ("EXT-X-BYTERANGE:5@0 a b EXT-X-BYTERANGE:5@0 a", ranges),
            (
                "EXT-X-BYTERANGE:5@0 a EXT-X-GAP EXT-X-BYTERANGE:5 a EXT-X-BYTERANGE:5@10 a",
                ranges,
            ),
            ("EXT-X-BYTERANGE:x@0 a", ranges),
            ("EXT-X-BYTERANGE:9@18446744073709551615 a", ranges),
            ("EXT-X-MAP:URI=\"a\",BYTERANGE=\"9@0\" b", ranges),
            (
                "EXT-X-MAP:URI=\"a\",BYTERANGE=\"9@0\" EXT-X-BYTERANGE:5@9 b",
                ranges,
            ),
            (
                "https://h:1/a.aac?x b.aac",
                "aac: https://h:1/a.aac?x b.aac",
            ),
        ] {
            let text = lines.replace("EXT-X-", "#EXT-X-").replace(' ', "\n");
            assert_eq!(describe(&format!("#EXTM3U\n{text}\n")), expected, "{lines}");
        }
    }
}
