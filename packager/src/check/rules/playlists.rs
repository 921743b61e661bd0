//! Rules for Media Playlists, and for playlists of any kind.

use super::super::facts::PackageFacts;
use super::super::playlist::CheckedPlaylist;
use super::{Rule, segment};
use crate::check::rendition::CheckedRendition;

/// Apple recommends 6 s; longer ones delay switches and seeks.
const LONGEST_TARGET: u64 = 10;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "PL-01",
        title: "playlists are well-formed",
        source: "RFC 8216bis §4.1, §4.4",
        advice: "write the playlist again",
        check: |facts, findings| {
            for (name, playlist) in playlists(facts) {
                findings.has_looked = true;
                for problem in &playlist.problems {
                    findings.expect(false, || (name.to_owned(), problem.clone()));
                }
            }
        },
    },
    Rule {
        id: "PL-02",
        title: "`EXT-X-VERSION` is enough for the tags in use",
        source: "RFC 8216bis §8",
        advice: "raise EXT-X-VERSION",
        check: |facts, findings| {
            for (name, playlist) in playlists(facts) {
                let version = playlist.version.unwrap_or(1);
                let (needed, tag) = playlist.needs;
                findings.expect(version >= needed, || {
                    (
                        name.to_owned(),
                        format!("it is {version}, and `{tag}` needs {needed}"),
                    )
                });
            }
        },
    },
    Rule {
        id: "PL-03",
        title: "all video and audio playlists have one target duration",
        source: "RFC 8216bis §6.2.4",
        advice: "write the longest one into every video and audio Media Playlist",
        check: |facts, findings| {
            let mut all = av(facts).filter_map(|one| Some((one, one.playlist.target_duration?)));
            let Some((first, expected)) = all.next() else {
                return;
            };
            for (rendition, target) in all {
                findings.expect(target == expected, || {
                    let what = format!("it is {target} s, and {expected} s in {}", first.name);
                    (rendition.name.clone(), what)
                });
            }
        },
    },
    Rule {
        id: "PL-04",
        title: "no segment is longer than the target duration",
        source: "RFC 8216bis §4.4.3.1: `EXTINF`, rounded",
        advice: "raise EXT-X-TARGETDURATION, in every Media Playlist",
        check: |facts, findings| {
            for rendition in &facts.renditions {
                let Some(target) = rendition.playlist.target_duration else {
                    continue;
                };
                for (at, listed) in rendition.playlist.segments.iter().enumerate() {
                    let rounded = listed.micros.saturating_add(500_000) / 1_000_000;
                    findings.expect(rounded <= target, || {
                        let seconds = listed.micros as f64 / 1e6;
                        let what = format!("it lasts {seconds} s, and the target is {target} s");
                        (segment(rendition, at), what)
                    });
                }
            }
        },
    },
    Rule {
        id: "PL-05",
        title: "a recording has `EXT-X-PLAYLIST-TYPE:VOD` and `EXT-X-ENDLIST`",
        source: "RFC 8216bis §4.4.3.4, §4.4.3.5",
        advice: "add `EXT-X-PLAYLIST-TYPE:VOD` and, as the last line, `EXT-X-ENDLIST`",
        check: |facts, findings| {
            for CheckedRendition { name, playlist, .. } in &facts.renditions {
                let is_right = playlist.is_vod && playlist.has_end && !playlist.has_early_end;
                findings.expect(is_right, || {
                    let what = match (playlist.has_end, playlist.has_early_end) {
                        (false, _) => "`EXT-X-ENDLIST` is missing: players ask for more of it",
                        (_, true) => "a segment follows `EXT-X-ENDLIST`",
                        _ => "`EXT-X-PLAYLIST-TYPE:VOD` is missing",
                    };
                    (name.clone(), what.to_owned())
                });
            }
        },
    },
    Rule {
        id: "PL-06",
        title: "video and audio segments last 10 s at most",
        source: "Apple HLS Authoring Specification, Media Segmentation: 6 s",
        advice: "cut it into segments of 4 to 6 s",
        check: |facts, findings| {
            for rendition in av(facts) {
                let Some(target) = rendition.playlist.target_duration else {
                    continue;
                };
                findings.expect(target <= LONGEST_TARGET, || {
                    (
                        rendition.name.clone(),
                        format!("the target duration is {target} s"),
                    )
                });
            }
        },
    },
];

/// Every playlist with its name.
fn playlists(facts: &PackageFacts) -> impl Iterator<Item = (&str, &CheckedPlaylist)> {
    let media = facts
        .renditions
        .iter()
        .map(|one| (one.name.as_str(), &one.playlist));
    let multivariant = facts
        .multivariant
        .iter()
        .map(|playlist| (facts.name.as_str(), playlist));
    multivariant.chain(media)
}

/// Video and audio Media Playlists: the others may have target durations of their own.
pub(super) fn av(facts: &PackageFacts) -> impl Iterator<Item = &CheckedRendition> {
    let others = |one: &&CheckedRendition| !one.is_i_frames() && !one.is_subtitles;
    facts.renditions.iter().filter(others)
}
