//! Rules for I-frame playlists.

use super::super::codec::is_same;
use super::super::playlist::shown;
use super::{Findings, Rule, segment};
use crate::check::facts::PackageFacts;
use crate::check::fmp4::SegmentSamples;
use crate::check::rendition::{CheckedRendition, ListedAs, SegmentBody};

/// Seconds between the listed time of a frame and its timestamp.
const APART: f64 = 0.1;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "IF-01",
        title: "I-frame playlists, and no others, have `EXT-X-I-FRAMES-ONLY`",
        source: "RFC 8216bis §4.4.3.6, §4.4.6.3",
        advice: "add the tag, or list the playlist with EXT-X-I-FRAME-STREAM-INF",
        check: |facts, findings| {
            for rendition in &facts.renditions {
                let (is_listed, is_declared) =
                    (rendition.is_i_frames(), rendition.playlist.is_i_frames_only);
                if is_listed || is_declared {
                    let is_alone = rendition.uses.contains(&ListedAs::Alone);
                    findings.expect(is_declared && (is_listed || is_alone), || {
                        let what = match is_declared {
                            true => "it has the tag, and no I-frame entry lists it",
                            false => "`EXT-X-I-FRAMES-ONLY` is missing",
                        };
                        (rendition.name.clone(), what.to_owned())
                    });
                }
            }
        },
    },
    Rule {
        id: "IF-02",
        title: "each segment of an I-frame playlist is one keyframe",
        source: "RFC 8216bis §4.4.3.6",
        advice: "set each byte range to the fragment of one sync sample, or to its end",
        check: |facts, findings| {
            for rendition in facts.renditions.iter().filter(|one| one.is_i_frames()) {
                for (at, found) in rendition.segments.iter().enumerate() {
                    let wrong = match &found.body {
                        SegmentBody::Fragments(found) => keyframe_fault(found),
                        SegmentBody::Transport(found) => match &found.video {
                            Some(found) => keyframe_fault(found),
                            None => Some("it has no frame".to_owned()),
                        },
                        SegmentBody::Wrong(why) | SegmentBody::NoTransport(why) => {
                            Some(why.clone())
                        }
                        SegmentBody::WebVtt(_) => Some("it is text".to_owned()),
                        SegmentBody::Opaque(why) => {
                            findings.unjudged(&rendition.name, why);
                            continue;
                        }
                        // Other rules report these.
                        SegmentBody::Unread | SegmentBody::Gap | SegmentBody::Undecryptable(_) => {
                            continue;
                        }
                    };
                    findings.expect(wrong.is_none(), || {
                        (segment(rendition, at), wrong.clone().unwrap_or_default())
                    });
                }
            }
        },
    },
    Rule {
        id: "IF-03",
        title: "an I-frame Variant Stream declares its measured rate, codec and size",
        source: "RFC 8216bis §4.4.6.3",
        advice: "write the measured peak, and codec and size of the initialization section",
        check: |facts, findings| {
            let Some(playlist) = &facts.multivariant else {
                return;
            };
            for rendition in &facts.renditions {
                for kind in &rendition.uses {
                    let ListedAs::IFrames(at) = kind else {
                        continue;
                    };
                    let entry = &playlist.i_frames[*at];
                    let track = rendition.track();
                    let codecs = entry.codecs();
                    let codec = track.map(|track| track.codec.as_str());
                    let is_codec = !codecs.is_empty()
                        && codec
                            .is_none_or(|codec| codecs.iter().all(|listed| is_same(listed, codec)));
                    let size = entry.resolution();
                    let is_size = size
                        .is_some_and(|size| track.is_none_or(|track| track.sizes.contains(&size)));
                    let peak = rendition.rates().map_or(0, |(peak, _)| peak);
                    let rate = entry.number("BANDWIDTH").unwrap_or(0);
                    let is_rate = rate > 0 && rate.saturating_add(rate / 10) >= peak;
                    let part = |name| shown(entry.get(name).unwrap_or("missing"));
                    let wrong = if !is_codec {
                        Some(format!(
                            "CODECS is {}, and it is {}",
                            part("CODECS"),
                            codec.unwrap_or("?")
                        ))
                    } else if !is_size {
                        Some(format!("RESOLUTION is {}", part("RESOLUTION")))
                    } else if !is_rate {
                        Some(format!(
                            "BANDWIDTH is {}, and {peak} bit/s were measured",
                            part("BANDWIDTH")
                        ))
                    } else {
                        None
                    };
                    findings.expect(wrong.is_none(), || {
                        (rendition.name.clone(), wrong.clone().unwrap_or_default())
                    });
                }
            }
        },
    },
    Rule {
        id: "IF-04",
        title: "an I-frame playlist accompanies video",
        source: "Apple HLS Authoring Specification, Trick Play",
        advice: "list I-frames with EXT-X-I-FRAME-STREAM-INF, which players show during seeking",
        check: |facts, findings| {
            let Some(playlist) = &facts.multivariant else {
                return;
            };
            if facts.renditions.iter().any(CheckedRendition::has_video) {
                findings.expect(!playlist.i_frames.is_empty(), || {
                    let what = "there is no `EXT-X-I-FRAME-STREAM-INF`";
                    (facts.name.clone(), what.to_owned())
                });
            }
        },
    },
    Rule {
        id: "IF-05",
        title: "frames of an I-frame playlist appear at their times, from the start to the end",
        source: "RFC 8216bis §4.4.3.6: `EXTINF` is the time to the next frame",
        advice: "write the time to the next I-frame, and list the I-frames of the whole lecture",
        check: times,
    },
];

fn keyframe_fault(found: &SegmentSamples) -> Option<String> {
    if !found.starts_with_sync || found.starts_with_idr == Some(false) {
        Some("its frame depends on others".to_owned())
    } else if !found.has_first_sample {
        Some("its frame is cut short".to_owned())
    } else if !found.is_cut && found.samples != 1 {
        Some(format!("it has {} frames", found.samples))
    } else {
        let fault = found.fault.filter(|fault| fault.sample == 0);
        fault.map(|fault| format!("its frame is damaged: {}", fault.why))
    }
}

fn times(facts: &PackageFacts, findings: &mut Findings) {
    let video = facts.renditions.iter().find(|one| one.has_video());
    for rendition in facts.renditions.iter().filter(|one| one.is_i_frames()) {
        let listed = &rendition.playlist.segments;
        let (mut due, mut origin) = (0_u64, None);
        let starts: Vec<u64> = listed
            .iter()
            .map(|one| {
                let start = due;
                due = due.saturating_add(one.micros);
                start
            })
            .collect();
        for (at, _, track, found) in rendition.fragments() {
            let first = *origin.get_or_insert((found.shown_from, starts[at]));
            let shown = track.seconds(found.shown_from.saturating_sub(first.0));
            let due = starts[at].saturating_sub(first.1) as f64 / 1e6;
            findings.expect((shown - due).abs() <= APART, || {
                let what = format!("it is listed for {due:.3} s, and appears at {shown:.3} s");
                (segment(rendition, at), what)
            });
        }
        if let Some(video) = video {
            let (short, long) = (rendition.seconds(), video.seconds());
            let target = rendition.playlist.target_duration.unwrap_or(0) as f64;
            findings.expect((short - long).abs() <= target, || {
                let what = format!("it lasts {short:.1} s, and {} {long:.1} s", video.name);
                (rendition.name.clone(), what)
            });
        }
    }
}
