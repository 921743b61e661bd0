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
            each(facts, findings, |found| match found.has_header {
                true => None,
                false => Some("it does not begin with `WEBVTT`".to_owned()),
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
        title: "cues end after they begin",
        source: "WebVTT §4.1",
        advice: "write times as `00:00:01.000 --> 00:00:02.000`",
        check: |facts, findings| {
            each(facts, findings, |found| {
                found
                    .bad_cue
                    .as_ref()
                    .map(|cue| format!("`{cue}` is no valid cue time"))
            });
        },
    },
    Rule {
        id: "SB-04",
        title: "subtitles share the zero of video and audio",
        source: "RFC 8216bis §3.1.4",
        advice: "map `LOCAL:00:00:00.000` to the timestamp of the first frame",
        check: |facts, findings| {
            let Some((track, first)) = facts.renditions.iter().find_map(|one| {
                let (at, _, track, first) = one.fragments().next()?;
                (at == 0 && !one.is_i_frames()).then_some((track, first))
            }) else {
                return;
            };
            let expected = track.seconds(first.shown_from);
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
];

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
