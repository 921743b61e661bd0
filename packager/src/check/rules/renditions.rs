//! Rules for audio and subtitle Renditions.

use std::collections::{BTreeMap, BTreeSet};

use super::super::facts::PackageFacts;
use super::super::playlist::{TagEntry, shown};
use super::Rule;
use crate::check::rendition::{CheckedRendition, ListedAs};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "RG-01",
        title: "every Rendition has a type, a group, and the attributes of its type",
        source: "RFC 8216bis §4.4.6.1",
        advice: "add TYPE and GROUP-ID; a URI to subtitles; an INSTREAM-ID and no URI to closed captions",
        check: |facts, findings| {
            for (name, media) in media(facts) {
                let wrong = match (
                    media.get("TYPE"),
                    media.get("URI"),
                    media.get("INSTREAM-ID"),
                ) {
                    _ if media.get("GROUP-ID").is_none_or(str::is_empty) => {
                        Some("GROUP-ID is missing")
                    }
                    (Some("AUDIO" | "VIDEO" | "CLOSED-CAPTIONS"), ..)
                        if media.get("FORCED").is_some() =>
                    {
                        Some("FORCED is on something other than subtitles")
                    }
                    (Some("AUDIO" | "VIDEO"), ..) => None,
                    (Some("SUBTITLES"), None, _) => Some("subtitles have no URI"),
                    (Some("SUBTITLES"), ..) => None,
                    (Some("CLOSED-CAPTIONS"), Some(_), _) => Some("closed captions have a URI"),
                    (Some("CLOSED-CAPTIONS"), _, None) => {
                        Some("closed captions have no INSTREAM-ID")
                    }
                    (Some("CLOSED-CAPTIONS"), ..) => None,
                    _ => Some("TYPE is missing or none of the four"),
                };
                findings.expect(wrong.is_none(), || (name, wrong.unwrap_or("").to_owned()));
            }
        },
    },
    Rule {
        id: "RG-02",
        title: "every Rendition has a unique NAME in its group",
        source: "RFC 8216bis §4.4.6.1.1",
        advice: "give each a distinct NAME for the menu",
        check: |facts, findings| {
            let mut known = BTreeSet::new();
            for (name, media) in media(facts) {
                let key = ["TYPE", "GROUP-ID", "NAME"].map(|part| media.get(part));
                let is_named = media.get("NAME").is_some_and(|name| !name.is_empty());
                findings.expect(is_named && known.insert(key), || {
                    let what = if is_named {
                        "another has this NAME"
                    } else {
                        "NAME is missing"
                    };
                    (name, what.to_owned())
                });
            }
        },
    },
    Rule {
        id: "RG-03",
        title: "audio and subtitles declare their LANGUAGE in BCP 47",
        source: "RFC 8216bis §4.4.6.1; RFC 5646 §2.1",
        advice: "write a tag such as `en`, `pt-BR` or `und`",
        check: |facts, findings| {
            for (name, media) in media(facts) {
                if !matches!(media.get("TYPE"), Some("AUDIO" | "SUBTITLES")) {
                    continue;
                }
                let language = media.get("LANGUAGE");
                findings.expect(language.is_some_and(is_language), || {
                    let what = match language {
                        Some(language) => format!("`{}` is no language tag", shown(language)),
                        None => "LANGUAGE is missing".to_owned(),
                    };
                    (name, what)
                });
            }
        },
    },
    Rule {
        id: "RG-04",
        title: "an audio group has one DEFAULT, any other group at most one, and none is AUTOSELECT=NO",
        source: "RFC 8216bis §4.4.6.1, §4.4.6.1.1",
        advice: "set DEFAULT=YES on one, with AUTOSELECT=YES",
        check: |facts, findings| {
            let mut groups: BTreeMap<[Option<&str>; 2], (usize, usize)> = BTreeMap::new();
            for (_, media) in media(facts) {
                let key = [media.get("TYPE"), media.get("GROUP-ID")];
                let counts = groups.entry(key).or_default();
                let is_default = media.is_yes("DEFAULT");
                counts.0 += usize::from(is_default);
                // §4.4.6.1: with DEFAULT=YES, a present AUTOSELECT must be YES.
                counts.1 += usize::from(is_default && media.get("AUTOSELECT") == Some("NO"));
            }
            for ([kind, group], (defaults, barred)) in groups {
                let is_audio = kind == Some("AUDIO");
                let is_right = barred == 0 && defaults <= 1 && (defaults == 1 || !is_audio);
                findings.expect(is_right, || {
                    let name = format!("group `{}`", shown(group.unwrap_or("")));
                    let what = match barred {
                        0 => format!("{defaults} Renditions have DEFAULT=YES"),
                        _ => "one has DEFAULT=YES and AUTOSELECT=NO".to_owned(),
                    };
                    (name, what)
                });
            }
        },
    },
    Rule {
        id: "RG-05",
        title: "groups of one type offer the same Renditions",
        source: "RFC 8216bis §4.4.6.2.1",
        advice: "give every group the same NAMEs and LANGUAGEs",
        check: |facts, findings| {
            let mut groups: BTreeMap<[&str; 2], BTreeSet<[Option<&str>; 2]>> = BTreeMap::new();
            for (_, media) in media(facts) {
                let key = ["TYPE", "GROUP-ID"].map(|part| media.get(part).unwrap_or(""));
                let content = ["NAME", "LANGUAGE"].map(|part| media.get(part));
                groups.entry(key).or_default().insert(content);
            }
            for ([kind, group], content) in &groups {
                let Some((first, expected)) = groups.iter().find(|([other, _], _)| other == kind)
                else {
                    continue;
                };
                findings.expect(content == expected, || {
                    let what = format!("it offers others than group `{}`", shown(first[1]));
                    (format!("group `{}`", shown(group)), what)
                });
            }
        },
    },
    Rule {
        id: "RG-06",
        title: "`CHANNELS` is the number of channels",
        source: "RFC 8216bis §4.4.6.1",
        advice: "write the number of audio channels",
        check: |facts, findings| {
            let Some(playlist) = &facts.multivariant else {
                return;
            };
            let mut expect = |rendition: &CheckedRendition, media: &TagEntry, channels: u16| {
                let listed = media.get("CHANNELS");
                let count = listed.and_then(|text| text.split('/').next()?.parse::<u16>().ok());
                findings.expect(count == Some(channels), || {
                    let listed = shown(listed.unwrap_or("missing"));
                    let what = format!("`CHANNELS` is {listed}, and the audio has {channels}");
                    (rendition.name.clone(), what)
                });
            };
            for rendition in facts.renditions.iter().filter(|one| one.has_audio_only()) {
                for kind in &rendition.uses {
                    let ListedAs::Media(at) = kind else { continue };
                    let channels = rendition.track().map_or(0, |track| track.channels);
                    expect(rendition, &playlist.media[*at], channels);
                }
            }
            // Without a URI, it is the audio in the segments of the Variant Streams with its group.
            for rendition in &facts.renditions {
                let Some((_, _, track, _)) = rendition.muxed().next() else {
                    continue;
                };
                let groups = rendition.uses.iter().filter_map(|kind| match kind {
                    ListedAs::Variant(at) => playlist.variants[*at].get("AUDIO"),
                    _ => None,
                });
                for group in groups {
                    let muxed = playlist.media.iter().find(|media| {
                        media.uri.is_none()
                            && media.get("TYPE") == Some("AUDIO")
                            && media.get("GROUP-ID") == Some(group)
                    });
                    if let Some(media) = muxed {
                        expect(rendition, media, track.channels);
                    }
                }
            }
        },
    },
];

/// Every `EXT-X-MEDIA` with its name.
fn media(facts: &PackageFacts) -> impl Iterator<Item = (String, &TagEntry)> {
    let all = facts
        .multivariant
        .iter()
        .flat_map(|playlist| &playlist.media);
    all.map(|media| {
        let part = |name| shown(media.get(name).unwrap_or("?"));
        (
            format!("{} Rendition `{}`", part("TYPE"), part("NAME")),
            media,
        )
    })
}

/// RFC 5646 §2.1, well-formed: a language of 2 to 8 letters, or `x` and `i`, and subtags of 1 to 8
/// letters and digits.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or("");
    let is_letters = primary.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_private = matches!(primary, "x" | "X" | "i" | "I") && tag.len() > 2;
    let is_subtag = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let mut rest = parts.clone();
    // A single letter introduces others, so it is never the last.
    let ends_well = parts
        .next_back()
        .is_none_or(|last| last.len() > 1 || is_private);
    is_letters
        && ((2..=8).contains(&primary.len()) || is_private)
        && rest.all(is_subtag)
        && ends_well
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_are_those_of_rfc_5646() {
        for (tag, expected) in [
            ("en", true),
            ("pt-BR", true),
            ("zh-Hant-TW", true),
            ("sl-rozaj-biske-1994", true),
            ("de-CH-x-phonebk", true),
            ("x-whatever", true),
            ("und", true),
            ("", false),
            ("e", false),
            ("en-", false),
            ("en_US", false),
            ("de-a", false),
            ("englishlanguage", false),
            ("12", false),
            ("en--us", false),
        ] {
            assert_eq!(is_language(tag), expected, "{tag}");
        }
    }
}
