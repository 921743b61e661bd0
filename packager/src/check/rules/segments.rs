//! Rules for the bytes of segments and initialization sections.

use super::super::encryption::{Protection, protection};
use super::super::facts::PackageFacts;
use super::super::fmp4::SegmentSamples;
use super::super::playlist::ListedSegment;
use super::super::sample_data::Coding;
use super::{Findings, Rule, segment};
use crate::check::rendition::{CheckedRendition, CheckedSegment, SegmentBody};

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
                        SegmentBody::Fragments(one) => incomplete(one),
                        SegmentBody::Unread
                        | SegmentBody::Gap
                        | SegmentBody::Opaque(_)
                        | SegmentBody::Undecryptable(_) => continue,
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
                    let is_right = has_brand && init.is_fragmented && !init.has_media;
                    findings.expect(is_right, || {
                        let what = match (init.is_fragmented, init.has_media) {
                            (false, _) => "it has no `mvex`".to_owned(),
                            (_, true) => "its `EXT-X-MAP` covers segments, too".to_owned(),
                            _ => format!("its brands are {}", init.brands.join(", ")),
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
                for (at, _, track, found) in rendition.fragments() {
                    let is_known = track.is_transport || track.coding.is_some_and(Coding::is_video);
                    if !is_known && found.starts_with_sync {
                        let what = format!("keyframes of `{}` are not recognized", track.codec);
                        findings.unjudged(&rendition.name, &what);
                        continue;
                    }
                    let what = match (found.starts_with_sync, found.starts_with_idr) {
                        (false, _) => "its first frame is no keyframe",
                        (true, Some(false)) => {
                            "its first frame is flagged as a sync sample and is no IDR picture"
                        }
                        (true, None) => "its first frame has no slice",
                        (true, Some(true)) => "",
                    };
                    findings.expect(what.is_empty(), || {
                        (segment(rendition, at), what.to_owned())
                    });
                }
            }
        },
    },
];

/// Rules for the contents of segments of every container.
pub(super) const CONTENTS: &[Rule] = &[
    Rule {
        id: "SG-10",
        title: "every sample has the bytes of its codec",
        source: "ISO/IEC 14496-15 §5, §8; ISO/IEC 14496-3 §4.4.2.1; AV1 §5.3",
        advice: "write the segment again, from the samples that its boxes or tables describe",
        check: contents,
    },
    Rule {
        id: "SG-11",
        title: "sample entries agree with their parameter sets",
        source: "ISO/IEC 14496-15 §5.3.3; ISO/IEC 14496-14 §6.7",
        advice: "write the initialization section again, from the encoder's parameter sets",
        check: |facts, findings| {
            for rendition in &facts.renditions {
                for track in rendition
                    .inits
                    .iter()
                    .flatten()
                    .flat_map(|init| &init.tracks)
                {
                    findings.expect(track.fault.is_none(), || {
                        let what = track.fault.clone().unwrap_or_default();
                        (rendition.name.clone(), what)
                    });
                }
            }
        },
    },
    Rule {
        id: "SG-12",
        title: "encrypted segments decrypt with their key",
        source: "RFC 8216bis §4.4.4.4, §5.2",
        advice: "encrypt whole segments by AES-128 in CBC mode, with the listed key and vector",
        check: |facts, findings| {
            for rendition in &facts.renditions {
                vectors(rendition, findings);
                for (at, listed, found) in encrypted(rendition) {
                    match &found.body {
                        SegmentBody::Undecryptable(why) => {
                            findings.expect(false, || (segment(rendition, at), why.clone()));
                        }
                        SegmentBody::Unread | SegmentBody::Gap => {}
                        SegmentBody::Opaque(why) => findings.unjudged(&rendition.name, why),
                        _ => {
                            let key = listed.key.and_then(|at| rendition.playlist.keys.get(at));
                            match key.map(protection) {
                                Some(Protection::Samples) => {
                                    findings.unjudged(&rendition.name, "its samples are encrypted");
                                }
                                _ => findings.has_looked = true,
                            }
                        }
                    }
                }
            }
        },
    },
    Rule {
        id: "SG-13",
        title: "no Rendition has a video segment of another one",
        source: "RFC 8216bis §4.4.6.2: each Variant Stream is an encoding of its own",
        advice: "write the segments of each Rendition into a folder of its own",
        check: |facts, findings| {
            findings.has_looked = facts.renditions.iter().any(CheckedRendition::has_video);
            for (name, other) in &facts.copies {
                findings.expect(false, || {
                    (name.clone(), format!("it has the bytes of {other}"))
                });
            }
        },
    },
    Rule {
        id: "SG-14",
        title: "audio frames have the duration of their codec",
        source: "ISO/IEC 14496-3 §4.5.1.1: 1,024 samples; ISO/IEC 14496-14 §5.6",
        advice: "write each frame's duration in the time scale of the track, or fill gaps with silence",
        check: |facts, findings| {
            for rendition in facts.renditions.iter().filter(|one| one.has_audio_only()) {
                let last = rendition.segments.len().saturating_sub(1);
                for (at, _, _, found) in rendition.boxes() {
                    // The last frame of a track may be cut.
                    let most = u64::from(at == last);
                    findings.expect(found.short_samples <= most, || {
                        let what =
                            format!("{} frames last less than half of it", found.short_samples);
                        (segment(rendition, at), what)
                    });
                }
            }
        },
    },
];

/// A reason why a segment of fragmented MP4 is not complete.
fn incomplete(found: &SegmentSamples) -> Option<String> {
    if found.is_cut {
        Some("it is cut short".to_owned())
    } else if found.missing > 0 {
        Some(format!(
            "{} bytes of its samples are missing",
            found.missing
        ))
    } else if found.is_misplaced {
        Some("the offsets of its samples lead out of `mdat`".to_owned())
    } else if found.surplus > 0 {
        Some(format!(
            "{} bytes of `mdat` belong to no sample",
            found.surplus
        ))
    } else if found.has_wrong_index {
        Some("its `sidx` declares other sizes than it has".to_owned())
    } else {
        None
    }
}

/// Segments with a key.
fn encrypted(
    rendition: &CheckedRendition,
) -> impl Iterator<Item = (usize, &ListedSegment, &CheckedSegment)> {
    let both = rendition.playlist.segments.iter().zip(&rendition.segments);
    both.enumerate()
        .map(|(at, (listed, found))| (at, listed, found))
        .filter(|(_, listed, _)| listed.key.is_some())
}

/// Verifies the vectors of keys that encrypt something readable.
fn vectors(rendition: &CheckedRendition, findings: &mut Findings) {
    let playlist = &rendition.playlist;
    let is_read = |found: &CheckedSegment| !matches!(found.body, SegmentBody::Unread);
    for (at, key) in playlist.keys.iter().enumerate() {
        let encrypts =
            encrypted(rendition).any(|(_, listed, found)| listed.key == Some(at) && is_read(found));
        if encrypts && key.is_whole_segment() {
            findings.expect(!key.has_short_vector, || {
                let what =
                    "the `IV` of a key has fewer than 32 digits, and players disagree about it";
                (rendition.name.clone(), what.to_owned())
            });
        }
    }
    for (map, init) in playlist.maps.iter().zip(&rendition.inits) {
        let key = map.key.and_then(|at| playlist.keys.get(at));
        let key = key.filter(|key| init.is_some() && key.is_whole_segment());
        if let Some(key) = key {
            findings.expect(key.iv.is_some(), || {
                let what = "`EXT-X-MAP` is encrypted, and its `EXT-X-KEY` has no `IV`";
                (rendition.name.clone(), what.to_owned())
            });
        }
    }
}

fn contents(facts: &PackageFacts, findings: &mut Findings) {
    for rendition in facts.renditions.iter().filter(|one| !one.is_i_frames()) {
        let sealed = encrypted(rendition).any(|(_, listed, _)| {
            let key = listed.key.and_then(|at| rendition.playlist.keys.get(at));
            key.map(protection) == Some(Protection::Samples)
        });
        if sealed {
            findings.unjudged(&rendition.name, "its samples are encrypted");
            continue;
        }
        for found in &rendition.segments {
            if let SegmentBody::Opaque(why) = found.body {
                findings.unjudged(&rendition.name, why);
            }
        }
        for (at, _, found) in rendition.transports() {
            findings.expect(found.fault.is_none(), || {
                let what = found.fault.clone().unwrap_or_default();
                (segment(rendition, at), what)
            });
            if found.is_partly_known {
                findings.unjudged(&rendition.name, "it has a stream of another codec");
            }
        }
        for (at, _, track, found) in rendition.boxes() {
            if track.coding.is_none() {
                let what = format!("samples of `{}` are not examined", track.codec);
                findings.unjudged(&rendition.name, &what);
                continue;
            }
            findings.expect(found.fault.is_none(), || {
                let what = found.fault.map_or_else(String::new, |fault| {
                    format!("sample {}: {}", fault.sample, fault.why)
                });
                (segment(rendition, at), what)
            });
        }
    }
}
