//! The filter of a Multivariant Playlist: removes Variant Streams and Renditions that a link does
//! not open.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hls_lexer::attributes::attributes;

use super::{Edit, Entitlements, attribute, sorted, tag, trim_line, whole_lines};
use crate::playlist::PlaylistError;

/// A Rendition Group: its type and id.
type Group<'playlist> = (&'playlist str, &'playlist str);

/// An `EXT-X-STREAM-INF` with its URI line, or an entry of one line.
struct Variant {
    /// From the tag to the end of the URI, with line endings.
    at: Range<usize>,
    /// The tag's line.
    tag: Range<usize>,
    uri: Range<usize>,
    keep: bool,
}

/// Removes Variant Streams that are too tall, Renditions in other languages, and Renditions whose
/// group no remaining Variant Stream names.
pub(in crate::playlist) fn multivariant(
    playlist: &[u8],
    entitlements: &Entitlements,
) -> Result<Vec<Edit>, PlaylistError> {
    let too_tall = |line: &[u8]| {
        entitlements
            .max_height
            .is_some_and(|most| height(line).is_none_or(|height| height > most))
    };
    // Renditions, with `true` for those in a language of the link.
    let mut renditions: Vec<(Range<usize>, Group<'_>, bool)> = Vec::new();
    let mut variants: Vec<Variant> = Vec::new();
    let mut edits = Vec::new();
    let mut open: Option<(Range<usize>, usize)> = None;
    for at in whole_lines(playlist) {
        let line = trim_line(&playlist[at.clone()]);
        match tag(line).0 {
            b"#EXT-X-STREAM-INF" => open = Some((at.start..at.start + line.len(), at.start)),
            // I-frames of a whole lecture are mostly in one file, which a preview does not open.
            b"#EXT-X-I-FRAME-STREAM-INF" | b"#EXT-X-IMAGE-STREAM-INF"
                if entitlements.preview.is_some() || too_tall(line) =>
            {
                edits.push(Edit::drop(at.clone()));
            }
            // §4.4.6.4: `RAW` data is not JSON. Storyboards, posters and captions are `RAW`. The
            // rewriter leaves them unsigned by their names, and the removal saves players a
            // request.
            b"#EXT-X-SESSION-DATA"
                if entitlements.preview.is_some() && attribute(line, b"FORMAT") == Some("RAW") =>
            {
                edits.push(Edit::drop(at.clone()));
            }
            // Captions of a language that the link does not open.
            b"#EXT-X-SESSION-DATA"
                if attribute(line, b"URI").is_some()
                    && attribute(line, b"LANGUAGE").is_some_and(|language| {
                        let langs = entitlements.langs.as_ref();
                        langs.is_some_and(|langs| !speaks(langs, language))
                    }) =>
            {
                edits.push(Edit::drop(at.clone()));
            }
            b"#EXT-X-MEDIA" => {
                let kind = attribute(line, b"TYPE").unwrap_or_default();
                let group = attribute(line, b"GROUP-ID").unwrap_or_default();
                let listed = entitlements.langs.as_ref().is_none_or(|langs| {
                    !matches!(kind, "AUDIO" | "SUBTITLES")
                        || attribute(line, b"LANGUAGE")
                            .is_some_and(|language| speaks(langs, language))
                });
                renditions.push((at.clone(), (kind, group), listed));
            }
            b"" if !line.trim_ascii().is_empty() && !line.trim_ascii_start().starts_with(b"#") => {
                if let Some((tag, start)) = open.take() {
                    let keep = !too_tall(&playlist[tag.clone()]);
                    variants.push(Variant {
                        at: start..at.end,
                        tag,
                        uri: at.start..at.start + line.len(),
                        keep,
                    });
                }
            }
            _ => {}
        }
    }
    // A tag without a URI line is not playable.
    if let Some((_, start)) = open {
        edits.push(Edit::drop(start..playlist.len()));
    }
    // The groups, with `true` for those that have a listed Rendition.
    let mut groups: BTreeMap<Group<'_>, bool> = BTreeMap::new();
    for (_, group, listed) in &renditions {
        *groups.entry(*group).or_default() |= listed;
    }
    let unlisted: Vec<&[u8]> = renditions
        .iter()
        .filter(|(_, _, listed)| !listed)
        .filter_map(|(at, _, _)| attribute(&playlist[at.clone()], b"URI"))
        .map(str::as_bytes)
        .collect();
    let unlisted = sorted(unlisted);
    let mut used: BTreeSet<Group<'_>> = BTreeSet::new();
    for variant in &mut variants {
        let line = &playlist[variant.tag.clone()];
        // An audio-only Variant Stream may be the same resource as a Rendition, and is removed with
        // it.
        let uri = playlist[variant.uri.clone()].trim_ascii();
        variant.keep &= unlisted.binary_search(&uri).is_err();
        // Its audio exists in other languages only, so the link does not permit it.
        if let Some(group) = attribute(line, b"AUDIO") {
            variant.keep &= groups.get(&("AUDIO", group)) != Some(&false);
        }
        if !variant.keep {
            edits.push(Edit::drop(variant.at.clone()));
            continue;
        }
        for kind in ["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"] {
            if let Some(group) = attribute(line, kind.as_bytes()) {
                used.insert((kind, group));
            }
        }
        // §4.4.6.2: the attribute's value must match a group that is there.
        if let Some(group) = attribute(line, b"SUBTITLES")
            && groups.get(&("SUBTITLES", group)) == Some(&false)
            && let Some(at) = attribute_with_comma(line, b"SUBTITLES")
        {
            let start = variant.tag.start;
            edits.push(Edit::drop(start + at.start..start + at.end));
        }
    }
    if !variants.iter().any(|variant| variant.keep) {
        return Err(PlaylistError::NoVariant);
    }
    for (at, group, listed) in renditions {
        if !listed || !used.contains(&group) {
            edits.push(Edit::drop(at));
        }
    }
    Ok(sorted(edits))
}

/// The shorter side of `RESOLUTION`. Without it, an entry with audio codecs only has no height, so
/// every link permits it.
fn height(line: &[u8]) -> Option<u32> {
    const AUDIO: [&str; 7] = ["mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac"];
    if let Some(resolution) = attribute(line, b"RESOLUTION") {
        let (width, height) = resolution.split_once(['x', 'X'])?;
        return Some(
            width
                .trim()
                .parse::<u32>()
                .ok()?
                .min(height.trim().parse().ok()?),
        );
    }
    let codecs = attribute(line, b"CODECS").filter(|codecs| !codecs.trim().is_empty())?;
    codecs
        .split(',')
        .all(|codec| {
            let codec = codec.trim().to_ascii_lowercase();
            AUDIO.iter().any(|audio| codec.starts_with(audio))
        })
        .then_some(0)
}

/// Matches language ranges (RFC 4647 §3.3.1, basic filtering): `en` matches `en-GB`, but `en-GB`
/// does not match `en`.
fn speaks(ranges: &[String], language: &str) -> bool {
    // Audio of an undetermined language is often the only one of a lecture.
    if language.eq_ignore_ascii_case("und") {
        return true;
    }
    ranges.iter().any(|range| {
        language
            .get(..range.len())
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(range))
            && matches!(language.as_bytes().get(range.len()), None | Some(b'-'))
    })
}

/// The range of an attribute in a line, with the comma that separates it from its neighbour.
fn attribute_with_comma(line: &[u8], name: &[u8]) -> Option<Range<usize>> {
    let start = line.iter().position(|&byte| byte == b':')? + 1;
    let value = attributes(line, start)
        .find(|attribute| attribute.name == name)?
        .value;
    let from = line[start..value.start]
        .iter()
        .rposition(|&byte| byte == b',')
        .map_or(start, |comma| start + comma);
    let quoted = line.get(value.end) == Some(&b'"');
    let mut to = value.end + usize::from(quoted);
    // The first attribute takes the comma after it.
    if from == start && line.get(to) == Some(&b',') {
        to += 1;
    }
    Some(from..to)
}

#[cfg(test)]
mod tests {
    use super::super::testing::edited;
    use super::*;

    #[test]
    fn a_resolution_counts_with_its_shorter_side() {
        for (line, expected) in [
            ("#EXT-X-STREAM-INF:RESOLUTION=1280x720", Some(720)),
            ("#EXT-X-STREAM-INF:RESOLUTION=720x1280", Some(720)),
            ("#EXT-X-STREAM-INF:RESOLUTION=x", None),
            ("#EXT-X-STREAM-INF:BANDWIDTH=1", None),
            ("#EXT-X-STREAM-INF:CODECS=\"mp4a.40.2\"", Some(0)),
            ("#EXT-X-STREAM-INF:CODECS=\"avc1.64001f,mp4a.40.2\"", None),
            ("#EXT-X-STREAM-INF:CODECS=\"\"", None),
        ] {
            assert_eq!(height(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn a_language_range_speaks_its_own_regions() {
        for (range, language, expected) in [
            ("en", "en", true),
            ("en", "EN-gb", true),
            ("en", "eng", false),
            ("en-GB", "en", false),
            ("en", "e", false),
            ("und", "und", true),
            ("en", "und", true),
            ("en", "und-Latn", false),
        ] {
            let found = speaks(&[range.to_owned()], language);
            assert_eq!(found, expected, "{range} {language}");
        }
    }

    #[test]
    fn an_attribute_goes_with_one_comma() {
        for (line, expected) in [
            ("#T:A=1,S=\"x\",B=2", "#T:A=1,B=2"),
            ("#T:S=\"x\",B=2", "#T:B=2"),
            ("#T:A=1,S=\"x, y\"", "#T:A=1"),
            ("#T:S=x", "#T:"),
        ] {
            let at = attribute_with_comma(line.as_bytes(), b"S").expect("the attribute");
            assert_eq!(edited(line, &[Edit::drop(at)]), expected, "{line}");
        }
    }

    #[test]
    fn a_preview_lists_no_pictures_to_look_through() {
        let playlist = "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=640x360\n360p\n#EXT-X-I-FRAME-STREAM-INF:RESOLUTION=426x240,URI=\"i\"\n#EXT-X-SESSION-DATA:DATA-ID=\"s\",URI=\"s.vtt\",FORMAT=RAW\n#EXT-X-SESSION-DATA:DATA-ID=\"c\",URI=\"c.json\"\n";
        for (preview, expected) in [
            (
                Some((0, 60)),
                "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=640x360\n360p\n#EXT-X-SESSION-DATA:DATA-ID=\"c\",URI=\"c.json\"\n",
            ),
            (None, playlist),
        ] {
            let entitlements = Entitlements {
                preview,
                ..Entitlements::default()
            };
            let edits = multivariant(playlist.as_bytes(), &entitlements).expect("a filter");
            assert_eq!(edited(playlist, &edits), expected);
        }
    }

    #[test]
    fn captions_in_other_languages_are_not_listed() {
        let data = |id: &str, rest: &str| format!("#EXT-X-SESSION-DATA:DATA-ID=\"{id}\",{rest}\n");
        let captions = |language: &str| {
            let rest = format!("URI=\"{language}.vtt\",FORMAT=RAW,LANGUAGE=\"{language}\"");
            data("lectern.captions", &rest)
        };
        let head = "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=640x360\n360p\n".to_owned();
        let board = data("lectern.storyboard", "URI=\"storyboard.vtt\",FORMAT=RAW");
        let title = data("title", "LANGUAGE=\"de\",VALUE=\"Titel\"");
        let all = [captions("de"), captions("en-GB"), captions("und")].concat();
        let playlist = [head.as_str(), &board, &title, &all].concat();
        for (langs, expected) in [
            (None, all.clone()),
            (Some(vec!["en"]), captions("en-GB") + &captions("und")),
            (Some(vec!["de"]), captions("de") + &captions("und")),
            (Some(vec!["fr"]), captions("und")),
        ] {
            let langs = langs.map(|langs| langs.into_iter().map(str::to_owned).collect());
            let entitlements = Entitlements {
                langs,
                ..Entitlements::default()
            };
            let edits = multivariant(playlist.as_bytes(), &entitlements).expect("a filter");
            let listed = [head.as_str(), &board, &title, &expected].concat();
            assert_eq!(edited(&playlist, &edits), listed);
        }
    }

    #[test]
    fn blank_lines_and_comments_may_stand_between_a_variant_and_its_uri() {
        let playlist = "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=640x360\n\n# low\n \n360p\n#EXT-X-STREAM-INF:RESOLUTION=1280x720\n # high\n720p\n";
        let entitlements = Entitlements {
            max_height: Some(360),
            ..Entitlements::default()
        };
        let edits = multivariant(playlist.as_bytes(), &entitlements).expect("a filter");
        assert_eq!(
            edited(playlist, &edits),
            "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=640x360\n\n# low\n \n360p\n"
        );
    }
}
