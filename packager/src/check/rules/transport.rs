//! Rules for MPEG-2 Transport Streams.

use super::super::transport::Counters;
use super::{Rule, segment};
use crate::check::rendition::SegmentBody;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "SG-06",
        title: "transport streams consist of whole packets, with PAT and PMT before the media",
        source: "RFC 8216bis §3.1.1; ISO/IEC 13818-1 §2.4.3",
        advice: "write the segment again, with its tables in front",
        check: |facts, findings| {
            for rendition in &facts.renditions {
                for (at, found) in rendition.segments.iter().enumerate() {
                    let why = match &found.body {
                        SegmentBody::Transport(_) => None,
                        SegmentBody::NoTransport(why) => Some(why.clone()),
                        _ => continue,
                    };
                    findings.expect(why.is_none(), || {
                        (segment(rendition, at), why.clone().unwrap_or_default())
                    });
                }
            }
        },
    },
    Rule {
        id: "SG-07",
        title: "transport streams have one program of supported codecs",
        source: "RFC 8216bis §3.1.1; Apple HLS Authoring Specification, Video: HEVC in fragmented MP4 alone",
        advice: "mux H.264 with AAC, AC-3 or MP3, and use fragmented MP4 for other codecs",
        check: |facts, findings| {
            for rendition in &facts.renditions {
                for (at, _, found) in rendition.transports() {
                    findings.expect(found.stranger.is_none(), || {
                        let what = found.stranger.clone().unwrap_or_default();
                        (segment(rendition, at), what)
                    });
                }
            }
        },
    },
    Rule {
        id: "SG-08",
        title: "no packet of a transport stream is missing, from the first segment to the last",
        source: "RFC 8216bis §3; ISO/IEC 13818-1 §2.4.3.3",
        advice: "continue the counters through all packets and segments, or add `EXT-X-DISCONTINUITY`",
        check: |facts, findings| {
            for rendition in facts.renditions.iter().filter(|one| !one.is_i_frames()) {
                let mut before = None;
                for (at, listed, found) in rendition.transports() {
                    let to_this = before
                        .filter(|(last, _)| last + 1 == at && !listed.is_discontinuous)
                        .and_then(|(_, counters): (_, &Counters)| {
                            counters.jump_to(&found.counters)
                        });
                    let jump = to_this.or_else(|| found.counters.jump.clone());
                    findings.expect(jump.is_none(), || {
                        (segment(rendition, at), jump.clone().unwrap_or_default())
                    });
                    before = Some((at, &found.counters));
                }
            }
        },
    },
    Rule {
        id: "SG-09",
        title: "transport streams of H.264 have parameter sets before the first frame",
        source: "RFC 8216bis §3; Apple HLS Authoring Specification, Video",
        advice: "repeat SPS and PPS before every keyframe",
        check: |facts, findings| {
            for rendition in &facts.renditions {
                for (at, _, found) in rendition.transports() {
                    if let Some(has_them) = found.has_parameter_sets {
                        findings.expect(has_them, || {
                            let what = "SPS or PPS is missing before its first frame";
                            (segment(rendition, at), what.to_owned())
                        });
                    }
                }
            }
        },
    },
];
