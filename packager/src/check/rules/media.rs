//! Rules for codecs and rates that every player supports.

use super::super::facts::PackageFacts;
use super::super::playlist::shown;
use super::Rule;
use crate::check::fmp4::{CheckedTrack, Medium};
use crate::check::rendition::CheckedRendition;

const HIGHEST_RATE: f64 = 60.0;
const VIDEO: [&str; 5] = ["avc1.", "hvc1.", "av01.", "dvh1.", "encv"];
const AUDIO: [&str; 10] = [
    "mp4a.40.2",
    "mp4a.40.5",
    "mp4a.40.29",
    "mp4a.40.42",
    "ac-3",
    "ec-3",
    "alac",
    "flac",
    "opus",
    "enca",
];
/// Maximum number of channels that every phone and headset plays.
const STEREO: u16 = 2;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "AV-01",
        title: "video has at most 60 frames a second",
        source: "Apple HLS Authoring Specification, Video",
        advice: "encode at 60 frames a second or fewer",
        check: |facts, findings| {
            for rendition in facts.renditions.iter().filter(|one| one.has_video()) {
                let Some(rate) = rendition.frame_rate() else {
                    continue;
                };
                findings.expect(rate <= HIGHEST_RATE * 1.0005, || {
                    (rendition.name.clone(), format!("it has {rate:.3}"))
                });
            }
        },
    },
    Rule {
        id: "AV-02",
        title: "video is H.264, HEVC or AV1, in MP4 with parameter sets in the initialization section",
        source: "Apple HLS Authoring Specification, Video",
        advice: "encode as `avc1`, `hvc1` or `av01`; `avc3` and `hev1` do not play everywhere",
        check: |facts, findings| {
            for (rendition, track) in tracks(facts, Medium::Video) {
                let is_right = VIDEO.iter().any(|known| track.codec.starts_with(known));
                findings.expect(is_right, || {
                    (
                        rendition.name.clone(),
                        format!("its codec is `{}`", shown(&track.codec)),
                    )
                });
            }
        },
    },
    Rule {
        id: "AV-03",
        title: "audio is AAC-LC, HE-AAC, xHE-AAC, AC-3, E-AC-3, FLAC, ALAC or Opus",
        source: "Apple HLS Authoring Specification, Audio; Opus in MP4",
        advice: "encode as AAC-LC (`mp4a.40.2`)",
        check: |facts, findings| {
            for (rendition, track) in tracks(facts, Medium::Audio) {
                findings.expect(AUDIO.contains(&track.codec.as_str()), || {
                    (
                        rendition.name.clone(),
                        format!("its codec is `{}`", shown(&track.codec)),
                    )
                });
            }
        },
    },
    Rule {
        id: "AV-04",
        title: "the audio sample rate is 44,100 or 48,000 Hz",
        source: "Lectern: phones play these without resampling; HE-AAC declares half of it",
        advice: "resample to 48 kHz",
        check: |facts, findings| {
            for (rendition, track) in tracks(facts, Medium::Audio) {
                let is_halved = matches!(track.codec.as_str(), "mp4a.40.5" | "mp4a.40.29");
                let is_right = match track.sample_rate {
                    44_100 | 48_000 => true,
                    22_050 | 24_000 => is_halved,
                    _ => false,
                };
                findings.expect(is_right, || {
                    let what = format!("it is sampled {} times a second", track.sample_rate);
                    (rendition.name.clone(), what)
                });
            }
        },
    },
    Rule {
        id: "AV-05",
        title: "audio has a mono or stereo Rendition",
        source: "Apple HLS Authoring Specification, Audio",
        advice: "add a stereo Rendition, or mix down to two channels",
        check: |facts, findings| {
            let all: Vec<(&CheckedRendition, &CheckedTrack)> =
                tracks(facts, Medium::Audio).collect();
            let Some((first, track)) = all.first() else {
                return;
            };
            let is_right = all
                .iter()
                .any(|(_, track)| (1..=STEREO).contains(&track.channels));
            findings.expect(is_right, || {
                (
                    first.name.clone(),
                    format!("it has {} channels, and no other has fewer", track.channels),
                )
            });
        },
    },
];

fn tracks(
    facts: &PackageFacts,
    medium: Medium,
) -> impl Iterator<Item = (&CheckedRendition, &CheckedTrack)> {
    let all = facts.renditions.iter();
    all.flat_map(|one| one.tracks().map(move |track| (one, track)))
        .filter(move |(_, track)| track.medium == medium)
}
