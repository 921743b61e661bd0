//! Rules for WebVTT subtitles.

use super::super::facts::PackageFacts;
use super::timing::START;
use super::{Findings, Rule, segment};
use crate::check::fmp4::CLOCK;
use crate::check::rendition::SegmentBody;
use crate::check::webvtt::WebVtt;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "SB-01",
        title: "subtitles are WebVTT",
        source: "RFC 8216bis §3.1.4; WebVTT §4.1",
        advice: "begin each segment with `WEBVTT`",
        check: |facts, findings| {
            each(facts, findings, |found| {
                match (found.has_header, found.is_utf8) {
                    (false, _) => Some("it does not begin with `WEBVTT`".to_owned()),
                    (_, false) => Some("it is not UTF-8, or has a NUL".to_owned()),
                    _ => None,
                }
            });
        },
    },
    Rule {
        id: "SB-02",
        title: "subtitles map their zero to a timestamp",
        source: "RFC 8216bis §3.1.4",
        advice: "add `X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000` below `WEBVTT`",
        check: |facts, findings| {
            // Other formats have no header to examine.
            each(facts, findings, |found| {
                match found.has_timestamp_map || !found.has_header {
                    true => None,
                    false => Some("`X-TIMESTAMP-MAP` is missing".to_owned()),
                }
            });
        },
    },
    Rule {
        id: "SB-03",
        title: "cues end after they begin, and begin in their order",
        source: "WebVTT §4.1",
        advice: "write times as `00:00:01.000 --> 00:00:02.000`",
        check: |facts, findings| {
            each(facts, findings, |found| {
                let bad = found.bad_cue.as_ref();
                let bad = bad.map(|cue| match cue.contains("-->") {
                    true => format!("`{cue}` is no valid cue time, or stands in the header"),
                    false => format!("`{cue}` has no times"),
                });
                let late = found.disordered_cue.as_ref();
                bad.or_else(|| late.map(|cue| format!("`{cue}` follows a later cue")))
            });
        },
    },
    Rule {
        id: "SB-04",
        title: "subtitles share the zero of video and audio",
        source: "RFC 8216bis §3.1.4",
        advice: "map `LOCAL:00:00:00.000` to the timestamp of the first frame",
        check: |facts, findings| {
            let Some(expected) = first_frame(facts) else {
                return;
            };
            each(facts, findings, |found| {
                // Another rule requires the map.
                if !found.has_timestamp_map || !found.has_header {
                    return None;
                }
                let Some(origin) = found.origin else {
                    return Some("`X-TIMESTAMP-MAP` cannot be read".to_owned());
                };
                let seconds = origin as f64 / f64::from(CLOCK);
                ((seconds - expected).abs() > START).then(|| {
                    format!("its 0 is at {seconds:.3} s, and the first frame is at {expected:.3} s")
                })
            });
        },
    },
    Rule {
        id: "SB-05",
        title: "a subtitle segment holds cues of its own time",
        source: "RFC 8216bis §3.1.4",
        advice: "put each cue into every segment in whose time it is shown, with its time in the lecture",
        check: |facts, findings| {
            let zero = first_frame(facts).unwrap_or(0.0);
            for rendition in facts.renditions.iter().filter(|one| one.is_subtitles) {
                let mut end = 0.0;
                let both = rendition.playlist.segments.iter().zip(&rendition.segments);
                for (at, (listed, found)) in both.enumerate() {
                    let start = end;
                    end += listed.micros as f64 / 1e6;
                    let SegmentBody::WebVtt(WebVtt {
                        span: Some((latest, earliest)),
                        origin: Some(origin),
                        ..
                    }) = &found.body
                    else {
                        continue;
                    };
                    let shift = *origin as f64 / f64::from(CLOCK) - zero;
                    // Another rule reports such a map.
                    if shift.abs() > START {
                        continue;
                    }
                    let seconds = |millis: u64| millis as f64 / 1e3 + shift;
                    let (latest, earliest) = (seconds(*latest), seconds(*earliest));
                    let is_right = earliest >= start - SKEW && latest <= end + SKEW;
                    findings.expect(is_right, || {
                        let cue = if earliest < start { earliest } else { latest };
                        let what = format!(
                            "it is shown from {start:.1} to {end:.1} s, and has a cue at {cue:.1} s"
                        );
                        (segment(rendition, at), what)
                    });
                }
            }
        },
    },
    Rule {
        id: "SB-06",
        title: "subtitles last as long as video and audio, within a segment",
        source: "RFC 8216bis §6.2.4",
        advice: "list segments for the whole lecture; one without cues is `WEBVTT` and its map",
        check: |facts, findings| {
            let Some(other) = facts
                .renditions
                .iter()
                .find(|one| one.has_video() || one.has_audio_only())
            else {
                return;
            };
            let target = other.playlist.target_duration.unwrap_or(0) as f64;
            for rendition in facts.renditions.iter().filter(|one| one.is_subtitles) {
                let (short, long) = (rendition.seconds(), other.seconds());
                findings.expect((short - long).abs() <= target, || {
                    let what = format!("it lasts {short:.1} s, and {} {long:.1} s", other.name);
                    (rendition.name.clone(), what)
                });
            }
        },
    },
];

/// Seconds by which a cue may miss its segment.
const SKEW: f64 = 1.0;

/// Seconds of the first frame of video or audio.
fn first_frame(facts: &PackageFacts) -> Option<f64> {
    let mut all = facts.renditions.iter().filter(|one| !one.is_i_frames());
    all.find_map(|one| {
        let (at, _, track, first) = one.fragments().next()?;
        (at == 0).then(|| track.seconds(first.shown_from))
    })
}

fn each(facts: &PackageFacts, findings: &mut Findings, wrong: impl Fn(&WebVtt) -> Option<String>) {
    for rendition in facts.renditions.iter().filter(|one| one.is_subtitles) {
        for (at, found) in rendition.segments.iter().enumerate() {
            if let SegmentBody::WebVtt(found) = &found.body {
                let wrong = wrong(found);
                findings.expect(wrong.is_none(), || {
                    (segment(rendition, at), wrong.clone().unwrap_or_default())
                });
            }
        }
    }
}
