//! Rules for the agreement of times in playlists, boxes and Renditions.

use super::super::facts::PackageFacts;
use super::super::playlist::ListedSegment;
use super::playlists::av;
use super::{Findings, Rule, segment};
use crate::check::fmp4::{CheckedTrack, SegmentSamples};
use crate::check::rendition::CheckedRendition;

/// Seconds of a start offset, or between video and audio, that viewers do not notice (ITU-R
/// BT.1359-1: audio 0.09 s early).
pub(super) const START: f64 = 0.1;
/// Maximum seconds that a seek decodes.
const LONGEST_GOP: f64 = 2.0;
const STUB_MICROS: u64 = 250_000;
const MILLISECOND: u64 = 1_000;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "TM-01",
        title: "`EXTINF` is the duration of the segment, within a frame",
        source: "RFC 8216bis §4.4.4.1",
        advice: "write the sum of the segment's sample durations",
        check: durations,
    },
    Rule {
        id: "TM-02",
        title: "segments follow each other without gap or overlap",
        source: "RFC 8216bis §3; ISO/IEC 14496-12 §8.8.12",
        advice: "start each segment at the end of the previous one, or add `EXT-X-DISCONTINUITY`",
        check: |facts, findings| {
            for rendition in av(facts) {
                follow(findings, rendition, rendition.fragments());
                follow(findings, rendition, rendition.muxed());
            }
        },
    },
    Rule {
        id: "TM-03",
        title: "video and audio start at 0",
        source: "Lectern: a player shows the first frame at 0:00",
        advice: "write a `tfdt` of 0, and an edit list that trims priming and reordering",
        check: |facts, findings| {
            // A transport stream may start anywhere, and players show its start as 0.
            let is_boxes = |one: &&CheckedRendition| one.transported.is_empty();
            for rendition in av(facts).filter(is_boxes) {
                if let Some(start) = start(rendition) {
                    findings.expect(start.abs() <= START, || {
                        (rendition.name.clone(), format!("it starts at {start:.3} s"))
                    });
                }
            }
        },
    },
    Rule {
        id: "TM-04",
        title: "video and audio start together, within 0.1 s",
        source: "RFC 8216bis §6.2.4",
        advice: "start both at the same time, and fill late audio with silence",
        check: |facts, findings| {
            let mut expect = |video: &CheckedRendition, audio: &CheckedRendition, apart: f64| {
                findings.expect(apart <= START, || {
                    let what = format!("it starts {apart:.3} s away from {}", video.name);
                    (audio.name.clone(), what)
                });
            };
            pairs(facts, |video, audio| {
                // Boxes and transport streams have separate clocks.
                if video.transported.is_empty() == audio.transported.is_empty()
                    && let (Some(from), Some(to)) = (start(video), start(audio))
                {
                    expect(video, audio, (from - to).abs());
                }
            });
            for rendition in facts.renditions.iter().filter(|one| one.has_video()) {
                let muxed = rendition.muxed().next();
                if let (Some(from), Some((0, _, track, found))) = (start(rendition), muxed) {
                    let apart = (from - track.seconds(found.shown_from)).abs();
                    expect(rendition, rendition, apart);
                }
            }
        },
    },
    Rule {
        id: "TM-05",
        title: "video and audio end together, within a second",
        source: "RFC 8216bis §6.2.4",
        advice: "lengthen the shorter one with silence or the last frame, or cut the longer one",
        check: |facts, findings| {
            pairs(facts, |video, audio| {
                let (long, short) = (video.seconds(), audio.seconds());
                findings.expect((long - short).abs() <= most_apart(video), || {
                    let what = format!(
                        "it lasts {short:.1} s, and {} lasts {long:.1} s",
                        video.name
                    );
                    (audio.name.clone(), what)
                });
            });
            for rendition in facts.renditions.iter().filter(|one| one.has_video()) {
                let audio_micros = rendition
                    .muxed()
                    .map(|(_, _, track, found)| track.micros(found.duration));
                let audio_micros: Vec<u64> = audio_micros.collect();
                // Another rule reports unreadable segments.
                if audio_micros.is_empty() || audio_micros.len() < rendition.segments.len() {
                    continue;
                }
                let (long, short) = (
                    rendition.seconds(),
                    audio_micros.iter().sum::<u64>() as f64 / 1e6,
                );
                findings.expect((long - short).abs() <= most_apart(rendition), || {
                    let what = format!("its audio lasts {short:.1} s, and its video {long:.1} s");
                    (rendition.name.clone(), what)
                });
            }
        },
    },
    Rule {
        id: "TM-06",
        title: "segments of all Variant Streams start at the same times",
        source: "RFC 8216bis §6.2.4; Apple HLS Authoring Specification, Multivariant Playlist",
        advice: "force keyframes at the same times in all of them",
        check: aligned,
    },
    Rule {
        id: "TM-07",
        title: "the last segment lasts at least 0.25 s",
        source: "Lectern: a request for a few frames",
        advice: "merge it into the previous segment",
        check: |facts, findings| {
            for rendition in av(facts) {
                let [_, .., last] = &rendition.playlist.segments[..] else {
                    continue;
                };
                findings.expect(last.micros >= STUB_MICROS, || {
                    let at = rendition.playlist.segments.len() - 1;
                    let what = format!("it lasts {} s", last.micros as f64 / 1e6);
                    (segment(rendition, at), what)
                });
            }
        },
    },
    Rule {
        id: "TM-08",
        title: "keyframes come every 2 s",
        source: "Apple HLS Authoring Specification, Video",
        advice: "encode with a keyframe interval of 2 s at most",
        check: |facts, findings| {
            for rendition in facts.renditions.iter().filter(|one| one.has_video()) {
                for (at, _, track, found) in rendition.fragments() {
                    let seconds = |ticks: u64| ticks as f64 / f64::from(track.timescale);
                    let gap = seconds(found.longest_gap);
                    // A keyframe is at a frame, and 2 s are no whole number of frames at 29.97 a
                    // second.
                    let is_right = gap <= LONGEST_GOP + seconds(found.longest_sample) + 0.001;
                    findings.expect(is_right, || {
                        (
                            segment(rendition, at),
                            format!("{gap:.2} s pass without a keyframe"),
                        )
                    });
                }
            }
        },
    },
    Rule {
        id: "TM-09",
        title: "all video and audio playlists have the same discontinuities",
        source: "RFC 8216bis §6.2.4",
        advice: "write `EXT-X-DISCONTINUITY` at the same time into every Media Playlist, or into none",
        check: discontinuities,
    },
];

/// Listed times of discontinuities. One at the start counts in a player's numbers, too.
fn discontinuity_times(rendition: &CheckedRendition) -> Vec<f64> {
    let (mut micros, mut found) = (0_u64, vec![]);
    for listed in &rendition.playlist.segments {
        if listed.is_discontinuous {
            found.push(micros as f64 / 1e6);
        }
        micros = micros.saturating_add(listed.micros);
    }
    found
}

fn discontinuities(facts: &PackageFacts, findings: &mut Findings) {
    let mut all = av(facts);
    let Some(first) = all.next() else { return };
    let expected = discontinuity_times(first);
    let target = first.playlist.target_duration.unwrap_or(1) as f64;
    for rendition in all {
        let found = discontinuity_times(rendition);
        // Audio is cut at its own frames.
        let is_right = found.len() == expected.len()
            && found
                .iter()
                .zip(&expected)
                .all(|(one, other)| (one - other).abs() <= target / 2.0);
        findings.expect(is_right, || {
            let list = |times: &[f64]| match times {
                [] => "none".to_owned(),
                [first, ..] => format!("{} from {first:.1} s on", times.len()),
            };
            let what = format!(
                "it has {}, and {} has {}",
                list(&found),
                first.name,
                list(&expected)
            );
            (rendition.name.clone(), what)
        });
    }
}

/// Seconds between the ends of a video and its audio: a second, or the longest frame.
fn most_apart(video: &CheckedRendition) -> f64 {
    let frames = video
        .fragments()
        .map(|(_, _, track, found)| found.longest_sample as f64 / f64::from(track.timescale));
    frames.fold(1.0, f64::max)
}

/// Verifies that consecutive segments start where the previous one ended.
fn follow<'a>(
    findings: &mut Findings,
    rendition: &CheckedRendition,
    segments: impl Iterator<
        Item = (
            usize,
            &'a ListedSegment,
            &'a CheckedTrack,
            &'a SegmentSamples,
        ),
    >,
) {
    let mut before: Option<(usize, &CheckedTrack, &SegmentSamples)> = None;
    let mut origin = None;
    for (at, listed, track, found) in segments {
        let (mut gap, mut most) = (0.0, 0.001);
        if let Some((last, other, ended)) = before
            && last + 1 == at
            && other.timescale == track.timescale
            && !listed.is_discontinuous
        {
            let end = ended.start.saturating_add(ended.duration);
            let ticks = track.apart(found.start, end);
            // A clock with longer ticks rounds.
            if ticks > 1 {
                gap = ticks as f64 / f64::from(track.timescale);
            }
            if track.is_transport {
                // The duration of the last frame is unknown.
                most = ended.longest_sample as f64 / f64::from(track.timescale) / 2.0;
            }
        }
        // Reordering delays the first frame of each segment alike.
        let delay = shown_after(track, found);
        if listed.is_discontinuous || origin.is_none() {
            origin = Some(delay);
        }
        let moved = delay - origin.unwrap_or(delay);
        // Frames of different lengths delay it by some of them.
        let frame = found.longest_sample as f64 / f64::from(track.timescale);
        let is_shown = moved.abs() <= (frame * 4.0).max(START);
        let is_right = gap <= most && !found.has_hole && is_shown;
        findings.expect(is_right, || {
            let what = if found.has_hole {
                "its fragments leave a gap".to_owned()
            } else if gap > most {
                format!("it starts {gap:.3} s from the end of the previous segment")
            } else {
                format!("its frames are shown {moved:.3} s later than those of the first segment")
            };
            (segment(rendition, at), what)
        });
        before = Some((at, track, found));
    }
}

/// Seconds from decoding to presentation of the first frame.
fn shown_after(track: &CheckedTrack, found: &SegmentSamples) -> f64 {
    let start = i64::try_from(found.start).unwrap_or(i64::MAX);
    track.seconds(found.shown_from.saturating_sub(start))
}

fn durations(facts: &PackageFacts, findings: &mut Findings) {
    for rendition in av(facts) {
        let (mut listed_all, mut found_all, mut longest) = (0_u64, 0_u64, MILLISECOND);
        for (at, listed, track, found) in rendition.fragments() {
            let duration_micros = track.micros(found.duration);
            let frame = track.micros(found.longest_sample).max(MILLISECOND);
            findings.expect(listed.micros.abs_diff(duration_micros) <= frame, || {
                let (says, actual_seconds) =
                    (listed.micros as f64 / 1e6, duration_micros as f64 / 1e6);
                (
                    segment(rendition, at),
                    format!("`EXTINF` is {says} s, and the segment lasts {actual_seconds} s"),
                )
            });
            listed_all = listed_all.saturating_add(listed.micros);
            found_all = found_all.saturating_add(duration_micros);
            longest = longest.max(frame);
        }
        // A rounding error of one segment becomes a drift in thousands.
        findings_of_sum(findings, rendition, listed_all, found_all, longest);
    }
}

fn findings_of_sum(
    findings: &mut Findings,
    rendition: &CheckedRendition,
    listed: u64,
    found: u64,
    frame: u64,
) {
    if found > 0 {
        // Most tools write three decimals.
        let rounding = rendition.segments.len() as u64 * MILLISECOND / 2;
        findings.expect(listed.abs_diff(found) <= frame.max(rounding), || {
            let (says, actual_seconds) = (listed as f64 / 1e6, found as f64 / 1e6);
            let what = format!(
                "the sum of `EXTINF` is {says:.3} s, and that of the segments {actual_seconds:.3} s"
            );
            (rendition.name.clone(), what)
        });
    }
}

/// Presentation time of its first sample.
fn start(rendition: &CheckedRendition) -> Option<f64> {
    let (at, _, track, found) = rendition.fragments().next()?;
    (at == 0).then(|| track.seconds(found.shown_from))
}

/// Every audio Media Playlist with the first one of video; another rule requires that rungs agree.
fn pairs(facts: &PackageFacts, mut visit: impl FnMut(&CheckedRendition, &CheckedRendition)) {
    let Some(video) = facts.renditions.iter().find(|one| one.has_video()) else {
        return;
    };
    for audio in facts.renditions.iter().filter(|one| one.has_audio_only()) {
        visit(video, audio);
    }
}

fn aligned(facts: &PackageFacts, findings: &mut Findings) {
    let mut all = facts.renditions.iter().filter(|one| one.has_video());
    let Some(first) = all.next() else { return };
    // Boxes and transport streams have separate clocks, so distances from the first segment are
    // compared.
    let starts = |rendition: &CheckedRendition, is_alike: bool| -> Vec<(f64, f64)> {
        let mut all = rendition.fragments();
        let origin = all.next().filter(|_| !is_alike);
        let origin = origin.map_or(0, |(_, _, _, found)| found.start);
        rendition
            .fragments()
            .map(|(_, _, track, found)| {
                let seconds = |ticks: u64| ticks as f64 / f64::from(track.timescale);
                let start = track.apart(found.start, origin);
                (seconds(start), seconds(found.longest_sample))
            })
            .collect()
    };
    for rendition in all {
        let is_alike = first.transported.is_empty() == rendition.transported.is_empty();
        let (expected, found) = (starts(first, is_alike), starts(rendition, is_alike));
        // Another rule reports unreadable segments.
        if expected.len() != first.segments.len() || found.len() != rendition.segments.len() {
            continue;
        }
        // Players of a recording may find a segment of another rung by its number.
        let number = |one: &CheckedRendition| one.playlist.segments.first().map(|one| one.number);
        let (one, other) = (number(rendition), number(first));
        if first.playlist.is_vod {
            findings.expect(one == other, || {
                let (one, other) = (one.unwrap_or(0), other.unwrap_or(0));
                let what = format!(
                    "it begins with number {one}, and {} with {other}",
                    first.name
                );
                (rendition.name.clone(), what)
            });
        }
        findings.expect(expected.len() == found.len(), || {
            let what = format!(
                "it has {} segments, and {} has {}",
                found.len(),
                first.name,
                expected.len()
            );
            (rendition.name.clone(), what)
        });
        for (at, ((start, frame), (other, other_frame))) in found.iter().zip(&expected).enumerate()
        {
            let is_right = (start - other).abs() <= frame.max(*other_frame).max(0.001);
            findings.expect(is_right, || {
                let what = format!(
                    "it starts at {start:.3} s, and in {} at {other:.3} s",
                    first.name
                );
                (segment(rendition, at), what)
            });
        }
    }
}
