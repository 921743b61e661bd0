//! Subtitles as WebVTT.

use super::super::facts::{Body, Facts};
use super::super::text::WebVtt;
use super::{Findings, Rule, segment};

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
        title: "subtitles say which time is 0",
        source: "RFC 8216bis §3.1.4",
        advice: "add `X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000` below `WEBVTT`",
        check: |facts, findings| {
            // What is no WebVTT has no header to look into.
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
                    .map(|cue| format!("`{cue}` is no time of a cue"))
            });
        },
    },
];

fn each(facts: &Facts, findings: &mut Findings, wrong: impl Fn(&WebVtt) -> Option<String>) {
    for rendition in facts.renditions.iter().filter(|one| one.is_subtitles) {
        for (at, found) in rendition.segments.iter().enumerate() {
            if let Body::WebVtt(found) = &found.body {
                let wrong = wrong(found);
                findings.expect(wrong.is_none(), || {
                    (segment(rendition, at), wrong.clone().unwrap_or_default())
                });
            }
        }
    }
}
