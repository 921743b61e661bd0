//! Rules that compare the attributes of Variant Streams with their bytes.

use std::collections::BTreeSet;

use super::super::codec::is_same;
use super::super::facts::PackageFacts;
use super::super::playlist::{TagEntry, shown};
use super::super::sample_data::Coding;
use super::{Findings, Rule, audio_group, of_variant};
use crate::check::rendition::CheckedRendition;

/// Bit rate that every phone network carries at the start.
const FIRST: u64 = 2_000_000;
const VIDEO: [&str; 8] = [
    "avc1", "avc3", "hvc1", "hev1", "av01", "vp09", "dvh1", "dvhe",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "MV-01",
        title: "the Multivariant Playlist lists a Variant Stream",
        source: "RFC 8216bis §4.4.6.2",
        advice: "list each video Media Playlist with `EXT-X-STREAM-INF`",
        check: |facts, findings| {
            if let Some(playlist) = &facts.multivariant {
                findings.expect(!playlist.variants.is_empty(), || {
                    (
                        facts.name.clone(),
                        "there is no `EXT-X-STREAM-INF`".to_owned(),
                    )
                });
            }
        },
    },
    Rule {
        id: "MV-02",
        title: "the Multivariant Playlist has `EXT-X-INDEPENDENT-SEGMENTS`",
        source: "RFC 8216bis §4.4.2.1; Apple HLS Authoring Specification, Multivariant Playlist",
        advice: "add `EXT-X-INDEPENDENT-SEGMENTS` to the Multivariant Playlist",
        check: |facts, findings| {
            if let Some(playlist) = &facts.multivariant {
                let everywhere = !facts.renditions.is_empty()
                    && facts
                        .renditions
                        .iter()
                        .all(|one| one.playlist.is_independent);
                findings.expect(playlist.is_independent || everywhere, || {
                    (
                        facts.name.clone(),
                        "`EXT-X-INDEPENDENT-SEGMENTS` is missing".to_owned(),
                    )
                });
            }
        },
    },
    Rule {
        id: "MV-03",
        title: "`BANDWIDTH` is the measured peak within 10 %",
        source: "RFC 8216bis §4.4.6.2; Apple HLS Authoring Specification, Multivariant Playlist",
        advice: "write the measured peak, with the audio that plays beside it",
        check: |facts, findings| bandwidth(facts, findings, "BANDWIDTH", |(peak, _)| peak),
    },
    Rule {
        id: "MV-04",
        title: "`AVERAGE-BANDWIDTH` is the measured average within 10 %",
        source: "RFC 8216bis §4.4.6.2; Apple HLS Authoring Specification, Multivariant Playlist",
        advice: "write the measured average, with the audio that plays beside it",
        check: |facts, findings| {
            bandwidth(facts, findings, "AVERAGE-BANDWIDTH", |(_, average)| average);
        },
    },
    Rule {
        id: "MV-05",
        title: "`CODECS` are those of the initialization sections or transport streams",
        source: "RFC 8216bis §4.4.6.2; RFC 6381 §3.3",
        advice: "copy the codec strings from the sample entries, or from parameter sets and ADTS headers",
        check: codecs,
    },
    Rule {
        id: "MV-06",
        title: "`RESOLUTION` is that of the video",
        source: "RFC 8216bis §4.4.6.2",
        advice: "write the width and height of the video",
        check: |facts, findings| {
            each(facts, |variant, rendition, name| {
                if !has_video(variant, rendition) {
                    return;
                }
                let listed = variant.resolution();
                let track = rendition.and_then(CheckedRendition::track);
                let is_right = listed
                    .is_some_and(|size| track.is_none_or(|track| track.sizes.contains(&size)));
                findings.expect(is_right, || {
                    let size = track.map_or((0, 0), |track| track.sizes[0]);
                    let listed = variant.get("RESOLUTION").unwrap_or("missing");
                    let what = format!(
                        "it is {}, and the video is {}x{}",
                        shown(listed),
                        size.0,
                        size.1
                    );
                    (name, what)
                });
            });
        },
    },
    Rule {
        id: "MV-07",
        title: "`FRAME-RATE` is that of the video",
        source: "RFC 8216bis §4.4.6.2",
        advice: "write the highest rate, with three decimals",
        check: |facts, findings| {
            each(facts, |variant, rendition, name| {
                if !has_video(variant, rendition) {
                    return;
                }
                let listed = variant
                    .get("FRAME-RATE")
                    .and_then(|rate| rate.parse::<f64>().ok());
                let found = rendition.and_then(CheckedRendition::frame_rate);
                // Three decimals, and the ticks of a coarse clock: 29.97 is not 30.
                let is_near =
                    |listed: f64, found: f64| (listed - found).abs() <= (found * 0.0005).max(0.001);
                let is_right =
                    listed.is_some_and(|listed| found.is_none_or(|found| is_near(listed, found)));
                findings.expect(is_right, || {
                    let listed = variant.get("FRAME-RATE").unwrap_or("missing");
                    let found =
                        found.map_or_else(|| "unknown".to_owned(), |rate| format!("{rate:.3}"));
                    (
                        name,
                        format!("it is {}, and that of the video is {found}", shown(listed)),
                    )
                });
            });
        },
    },
    Rule {
        id: "MV-08",
        title: "every Variant Stream declares its closed captions",
        source: "RFC 8216bis §4.4.6.2: `NONE` on all, or on none",
        advice: "add `CLOSED-CAPTIONS=NONE` to all, or name a group",
        check: |facts, findings| {
            let Some(playlist) = &facts.multivariant else {
                return;
            };
            let is_none = |variant: &TagEntry| variant.get("CLOSED-CAPTIONS") == Some("NONE");
            let some_none = playlist.variants.iter().any(is_none);
            each(facts, |variant, rendition, name| {
                if !has_video(variant, rendition) {
                    return;
                }
                let is_declared = variant.get("CLOSED-CAPTIONS").is_some();
                findings.expect(is_declared && is_none(variant) == some_none, || {
                    let what = if is_declared {
                        "it names captions, and another Variant Stream has `NONE`"
                    } else {
                        "`CLOSED-CAPTIONS` is missing"
                    };
                    (name, what.to_owned())
                });
            });
        },
    },
    Rule {
        id: "MV-09",
        title: "Variant Streams reference existing groups",
        source: "RFC 8216bis §4.4.6.2",
        advice: "add an `EXT-X-MEDIA` of that type and GROUP-ID, or drop the attribute",
        check: |facts, findings| {
            let Some(playlist) = &facts.multivariant else {
                return;
            };
            each(facts, |variant, _, name| {
                for kind in ["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"] {
                    let Some(group) = variant.get(kind).filter(|group| *group != "NONE") else {
                        continue;
                    };
                    let is_there = playlist.media.iter().any(|media| {
                        media.get("TYPE") == Some(kind) && media.get("GROUP-ID") == Some(group)
                    });
                    findings.expect(is_there, || {
                        (
                            name.clone(),
                            format!("there is no {kind} group `{}`", shown(group)),
                        )
                    });
                }
            });
        },
    },
    Rule {
        id: "MV-10",
        title: "the first Variant Stream suits a slow connection",
        source: "Apple HLS Authoring Specification, Multivariant Playlist: 2 Mbit/s at most",
        advice: "list one of at most 2 Mbit/s first: players start with it",
        check: |facts, findings| {
            let Some(playlist) = &facts.multivariant else {
                return;
            };
            let rate = |variant: &TagEntry| variant.number("BANDWIDTH").unwrap_or(0);
            let [first, others @ ..] = &playlist.variants[..] else {
                return;
            };
            if rate(first) <= FIRST || others.iter().any(|variant| rate(variant) <= FIRST) {
                findings.expect(rate(first) <= FIRST, || {
                    let what = format!(
                        "it has {} bit/s, and a lighter one comes later",
                        rate(first)
                    );
                    (shown(first.uri.as_deref().unwrap_or("")), what)
                });
            }
        },
    },
    Rule {
        id: "MV-11",
        title: "Variant Streams differ from each other",
        source: "Apple HLS Authoring Specification, Multivariant Playlist: rates a step apart",
        advice: "drop one, or give it another size, codec or at least 10 % more bits",
        check: |facts, findings| {
            let Some(playlist) = &facts.multivariant else {
                return;
            };
            const SAME: [&str; 7] = [
                "RESOLUTION",
                "CODECS",
                "FRAME-RATE",
                "VIDEO-RANGE",
                "AUDIO",
                "PATHWAY-ID",
                "SUBTITLES",
            ];
            for (at, variant) in playlist.variants.iter().enumerate() {
                let rate = variant.number("BANDWIDTH").unwrap_or(0) as f64;
                let twin = playlist.variants[..at].iter().find(|other| {
                    let other_rate = other.number("BANDWIDTH").unwrap_or(0) as f64;
                    SAME.iter().all(|name| variant.get(name) == other.get(name))
                        && (rate - other_rate).abs() <= rate.max(other_rate) * 0.1
                });
                findings.expect(twin.is_none(), || {
                    let twin = twin.and_then(|twin| twin.uri.as_deref()).unwrap_or("");
                    let name = shown(variant.uri.as_deref().unwrap_or(""));
                    (name, format!("it equals `{}`", shown(twin)))
                });
            }
        },
    },
    Rule {
        id: "MV-12",
        title: "the first Variant Stream has video, if any has",
        source: "Apple HLS Authoring Specification, Multivariant Playlist: players start with it",
        advice: "list the audio-only Variant Stream behind those with video",
        check: |facts, findings| {
            let mut all = vec![];
            each(facts, |variant, rendition, name| {
                all.push((has_video(variant, rendition), name));
            });
            if let [(has_video, name), ..] = &all[..]
                && all.iter().any(|(has_video, _)| *has_video)
            {
                findings.expect(*has_video, || {
                    (name.clone(), "it has audio only".to_owned())
                });
            }
        },
    },
    Rule {
        id: "MV-13",
        title: "`VIDEO-RANGE` is that of the video",
        source: "RFC 8216bis §4.4.6.2; ISO/IEC 23091-2 §8.2",
        advice: "write `PQ` or `HLG` for such a transfer function, and `SDR` or nothing for others",
        check: |facts, findings| {
            each(facts, |variant, rendition, name| {
                let track = rendition.filter(|one| one.has_video());
                let Some(track) = track.and_then(CheckedRendition::track) else {
                    return;
                };
                let listed = variant.get("VIDEO-RANGE").unwrap_or("SDR");
                let expected = match track.transfer {
                    Some(16) => "PQ",
                    Some(18) => "HLG",
                    _ => "SDR",
                };
                // Without a declaration, HDR may hide in the stream.
                let is_avc = matches!(track.coding, Some(Coding::Avc { .. })) || track.is_transport;
                if track.transfer.is_none() && !is_avc {
                    if listed != "SDR" {
                        findings
                            .unjudged(&name, "the video does not declare its transfer function");
                    }
                    return;
                }
                findings.expect(listed == expected, || {
                    (
                        name,
                        format!("it is {}, and the video is {expected}", shown(listed)),
                    )
                });
            });
        },
    },
    Rule {
        id: "MV-14",
        title: "a Variant Stream names every group, and each with video names subtitles",
        source: "RFC 8216bis §4.4.6.2.1",
        advice: "name the group on every `EXT-X-STREAM-INF`, or drop its `EXT-X-MEDIA`",
        check: groups,
    },
];

fn groups(facts: &PackageFacts, findings: &mut Findings) {
    let Some(playlist) = &facts.multivariant else {
        return;
    };
    let mut known = BTreeSet::new();
    for media in &playlist.media {
        let (Some(kind), Some(group)) = (media.get("TYPE"), media.get("GROUP-ID")) else {
            continue;
        };
        if !known.insert((kind, group)) {
            continue;
        }
        let is_named = playlist
            .variants
            .iter()
            .any(|variant| variant.get(kind) == Some(group));
        findings.expect(is_named, || {
            let name = format!("{} group `{}`", shown(kind), shown(group));
            (name, "no Variant Stream names it".to_owned())
        });
    }
    // Subtitles cost a switch nothing, so each Variant Stream with video offers them.
    let has_subtitles = |variant: &TagEntry| variant.get("SUBTITLES").is_some();
    let some_have = playlist.variants.iter().any(has_subtitles);
    each(facts, |variant, rendition, name| {
        if some_have && has_video(variant, rendition) {
            findings.expect(has_subtitles(variant), || {
                (
                    name,
                    "it has no `SUBTITLES`, and another Variant Stream has".to_owned(),
                )
            });
        }
    });
}

/// Visits every Variant Stream with its name, and its Media Playlist if it was readable.
fn each(facts: &PackageFacts, mut visit: impl FnMut(&TagEntry, Option<&CheckedRendition>, String)) {
    let Some(playlist) = &facts.multivariant else {
        return;
    };
    for (at, variant) in playlist.variants.iter().enumerate() {
        let rendition = of_variant(facts, at);
        let uri = variant.uri.as_deref().unwrap_or("");
        let uri = shown(uri.split('?').next().unwrap_or(""));
        visit(variant, rendition, uri);
    }
}

fn has_video(variant: &TagEntry, rendition: Option<&CheckedRendition>) -> bool {
    rendition.is_some_and(CheckedRendition::has_video)
        || variant
            .codecs()
            .iter()
            .any(|codec| VIDEO.iter().any(|known| codec.starts_with(known)))
}

fn bandwidth(
    facts: &PackageFacts,
    findings: &mut Findings,
    attribute: &str,
    which: fn((u64, u64)) -> u64,
) {
    let Some(playlist) = &facts.multivariant else {
        return;
    };
    for (at, variant) in playlist.variants.iter().enumerate() {
        let Some(rendition) = of_variant(facts, at) else {
            continue;
        };
        let Some(own) = rendition.rates().map(which) else {
            continue;
        };
        // The heaviest audio that may play beside it, or instead of it if it is one of these
        // Renditions. Muxed audio has no playlist of its own.
        let Some(group) = audio_group(facts, at) else {
            continue;
        };
        let audio_rates: Option<Vec<u64>> =
            group.iter().map(|audio| audio.rates().map(which)).collect();
        let Some(audio_rates) = audio_rates else {
            continue;
        };
        let audio = audio_rates.into_iter().max().unwrap_or(0);
        let is_member = group.iter().any(|audio| std::ptr::eq(*audio, rendition));
        let measured = if is_member {
            own.max(audio)
        } else {
            own.saturating_add(audio)
        };
        let listed = variant.number(attribute);
        let is_right = listed.is_some_and(|listed| {
            let (listed, measured) = (listed as f64, measured as f64);
            // Rounding by a few bits matters to a stream of a few bits.
            (listed - measured).abs() <= measured * 0.1 + 8.0
        });
        findings.expect(is_right, || {
            let listed = variant.get(attribute).unwrap_or("missing");
            let what = format!(
                "`{attribute}` is {}, and {measured} bit/s were measured",
                shown(listed)
            );
            (rendition.name.clone(), what)
        });
    }
}

fn codecs(facts: &PackageFacts, findings: &mut Findings) {
    /// Sample entries that hide the codec.
    const SEALED: [&str; 4] = ["encv", "enca", "unknown", "none"];
    const TEXT: [&str; 3] = ["wvtt", "stpp", "tx3g"];
    let Some(playlist) = &facts.multivariant else {
        return;
    };
    for (at, variant) in playlist.variants.iter().enumerate() {
        let own = of_variant(facts, at);
        let beside = audio_group(facts, at);
        let is_read = own.is_some() && beside.is_some();
        let parts: Vec<&CheckedRendition> = own
            .into_iter()
            .chain(beside.into_iter().flatten())
            .collect();
        let found: Vec<&str> = parts
            .iter()
            .flat_map(|part| part.tracks())
            .map(|track| track.codec.as_str())
            .collect();
        let is_known = is_read
            && parts.iter().all(|part| part.is_known())
            && !found.iter().any(|codec| SEALED.contains(codec));
        let listed = variant.codecs();
        let lacking = found.iter().find(|found| {
            !TEXT.contains(found) && !listed.iter().any(|listed| is_same(listed, found))
        });
        let surplus = listed.iter().find(|listed| {
            !TEXT.iter().any(|text| listed.starts_with(text))
                && !found.iter().any(|found| is_same(listed, found))
        });
        let wrong = match (listed.is_empty(), is_known, lacking, surplus) {
            (true, ..) => Some("`CODECS` is missing".to_owned()),
            (_, true, Some(codec), _) => Some(format!("`{}` is not listed", shown(codec))),
            (_, true, _, Some(codec)) => {
                Some(format!("`{}` is listed and not there", shown(codec)))
            }
            _ => None,
        };
        findings.expect(wrong.is_none(), || {
            let uri = variant.uri.as_deref().unwrap_or("");
            let uri = shown(uri.split('?').next().unwrap_or(""));
            (uri, wrong.clone().unwrap_or_default())
        });
    }
}
