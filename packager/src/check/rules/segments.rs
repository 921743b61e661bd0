//! Rules for the bytes of segments and initialization sections.

use super::{Rule, segment};
use crate::check::rendition::SegmentBody;

/// Brands of files with independent fragments: `tfdt` since iso6 (iso5 with offsets from the
/// `moof`), and CMAF.
const BRANDS: [&str; 10] = [
    "iso5", "iso6", "iso7", "iso8", "iso9", "cmfc", "cmf2", "dash", "msdh", "hlsf",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "SG-01",
        title: "segments are complete, in a container that players support",
        source: "RFC 8216bis §3.1",
        advice: "write the segment again",
        check: |facts, findings| {
            for rendition in facts.renditions.iter().filter(|one| !one.is_i_frames()) {
                for (at, found) in rendition.segments.iter().enumerate() {
                    let wrong = match &found.body {
                        SegmentBody::Wrong(why) => Some(why.clone()),
                        SegmentBody::Fragments(one) if one.is_cut => {
                            Some("it is cut short".to_owned())
                        }
                        SegmentBody::Fragments(one) if one.missing > 0 => {
                            Some(format!("{} bytes of its samples are missing", one.missing))
                        }
                        SegmentBody::Unread => continue,
                        _ => None,
                    };
                    findings.expect(wrong.is_none(), || {
                        (segment(rendition, at), wrong.clone().unwrap_or_default())
                    });
                }
            }
        },
    },
    Rule {
        id: "SG-02",
        title: "initialization sections declare fragmented MP4",
        source: "RFC 8216bis §3.1.2; ISO/IEC 23000-19",
        advice: "write it with `mvex` and a brand such as `cmfc` or `iso6`",
        check: |facts, findings| {
            for rendition in &facts.renditions {
                for init in rendition.inits.iter().flatten() {
                    let has_brand = init
                        .brands
                        .iter()
                        .any(|brand| BRANDS.contains(&brand.as_str()));
                    findings.expect(has_brand && init.is_fragmented, || {
                        let what = match init.is_fragmented {
                            true => format!("its brands are {}", init.brands.join(", ")),
                            false => "it has no `mvex`".to_owned(),
                        };
                        (rendition.name.clone(), what)
                    });
                }
            }
        },
    },
    Rule {
        id: "SG-03",
        title: "segments begin with a segment type box",
        source: "ISO/IEC 14496-12 §8.16.2",
        advice: "begin each segment with `styp`",
        check: |facts, findings| {
            for rendition in facts.renditions.iter().filter(|one| !one.is_i_frames()) {
                for (at, _, _, found) in rendition.boxes() {
                    findings.expect(found.has_styp, || {
                        (segment(rendition, at), "`styp` is missing".to_owned())
                    });
                }
            }
        },
    },
    Rule {
        id: "SG-04",
        title: "fragments are numbered in order",
        source: "ISO/IEC 14496-12 §8.8.5",
        advice: "number `mfhd` upwards through all segments of a playlist",
        check: |facts, findings| {
            for rendition in facts.renditions.iter().filter(|one| !one.is_i_frames()) {
                let mut last = None;
                for (at, listed, _, found) in rendition.boxes() {
                    let is_after = last.is_none_or(|last| found.sequence.0 > last);
                    let is_right = found.is_rising && (is_after || listed.is_discontinuous);
                    findings.expect(is_right, || {
                        let what = format!("fragment {} follows a later one", found.sequence.0);
                        (segment(rendition, at), what)
                    });
                    last = Some(found.sequence.1);
                }
            }
        },
    },
    Rule {
        id: "SG-05",
        title: "every video segment starts with an independent frame",
        source: "RFC 8216bis §4.4.2.1, §3",
        advice: "force a closed keyframe (IDR) wherever a segment starts, and flag it as a sync sample",
        check: |facts, findings| {
            for rendition in facts.renditions.iter().filter(|one| one.has_video()) {
                for (at, _, _, found) in rendition.fragments() {
                    let is_right = found.starts_with_sync && found.starts_with_idr != Some(false);
                    findings.expect(is_right, || {
                        let what = match found.starts_with_sync {
                            true => {
                                "its first frame is flagged as a sync sample and is no IDR picture"
                            }
                            false => "its first frame is no keyframe",
                        };
                        (segment(rendition, at), what.to_owned())
                    });
                }
            }
        },
    },
];
