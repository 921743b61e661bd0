//! Detects incomplete encodings. Exit code 0 of ffmpeg is no proof: a truncated MP4 gave 2.7 s of
//! 12. Pure.

use crate::ffmpeg::diagnosis::reports_damage;
use crate::layout;
use crate::media::{IFrame, Rendition, Segment};
use crate::source::tolerance;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CompletenessError {
    #[error(
        "`{folder}` is {actual:.1} s long, and the recording is {expected:.1} s long{warnings}"
    )]
    TooShort {
        folder: String,
        expected: f64,
        actual: f64,
        warnings: String,
    },
    #[error("`{folder}` is empty{warnings}")]
    Empty { folder: String, warnings: String },
    #[error("the segments of `{folder}` are not aligned with those of `{other}`{warnings}")]
    Unaligned {
        folder: String,
        other: String,
        warnings: String,
    },
    #[error("`{folder}` has a gap before segment {segment}{warnings}")]
    Hole {
        folder: String,
        segment: usize,
        warnings: String,
    },
}

impl CompletenessError {
    pub(crate) fn hint(&self) -> &'static str {
        "play the recording to its end, download it again if it stops early, or re-mux it \
         with `ffmpeg -i IN -c copy OUT.mkv` and package that"
    }
}

/// The end of an error, from ffmpeg's warnings.
pub(crate) fn warnings_suffix(text: &str) -> String {
    match text.split("; ").any(reports_damage) {
        true => "; the recording is damaged".to_owned(),
        false => String::new(),
    }
}

/// Folder and segments of a Rendition, with the expected duration in seconds, if the source
/// declares one.
#[derive(Debug)]
pub(crate) struct EncodedRendition<'a> {
    pub(crate) folder: &'a str,
    pub(crate) expected: Option<f64>,
    pub(crate) segments: &'a [Segment],
}

impl<'a> EncodedRendition<'a> {
    pub(crate) fn of(rendition: &'a Rendition, expected: Option<f64>) -> Self {
        Self {
            folder: &rendition.folder,
            expected,
            segments: &rendition.segments,
        }
    }

    fn seconds(&self) -> f64 {
        seconds(self.segments)
    }
}

pub(crate) fn seconds(segments: &[Segment]) -> f64 {
    let micros: u64 = segments.iter().map(|segment| segment.micros).sum();
    let micros = micros as f64;
    micros / 1e6
}

/// Verifies that Renditions are not empty, that rungs are aligned, and that none ends early.
/// `duration` is the duration of the source's container.
pub(crate) fn verify(
    duration: Option<f64>,
    video: &[EncodedRendition<'_>],
    audio: &[EncodedRendition<'_>],
    ffmpeg: &str,
) -> Result<(), CompletenessError> {
    for encoded in video.iter().chain(audio) {
        let is_empty = |segment: &Segment| segment.micros == 0 || segment.bytes == 0;
        if encoded.segments.is_empty() || encoded.segments.iter().any(is_empty) {
            return Err(CompletenessError::Empty {
                folder: encoded.folder.to_owned(),
                warnings: warnings_suffix(ffmpeg),
            });
        }
    }
    for encoded in video.iter().skip(1) {
        let other = &video[0];
        let times = |encoded: &EncodedRendition<'_>| -> Vec<u64> {
            encoded
                .segments
                .iter()
                .map(|segment| segment.micros)
                .collect()
        };
        if times(encoded) != times(other) {
            return Err(CompletenessError::Unaligned {
                folder: encoded.folder.to_owned(),
                other: other.folder.to_owned(),
                warnings: warnings_suffix(ffmpeg),
            });
        }
    }
    let check = |encoded: &EncodedRendition<'_>, expected: Option<f64>| match expected {
        Some(expected) if encoded.seconds() < expected - tolerance(expected) => {
            Err(CompletenessError::TooShort {
                folder: encoded.folder.to_owned(),
                expected,
                actual: encoded.seconds(),
                warnings: warnings_suffix(ffmpeg),
            })
        }
        _ => Ok(()),
    };
    for encoded in video.iter().chain(audio) {
        check(encoded, encoded.expected)?;
    }
    // The duration of a container is that of its longest stream. Without a declared one, the
    // decoded duration counts.
    let longest = video
        .iter()
        .chain(audio)
        .max_by(|a, b| a.seconds().total_cmp(&b.seconds()));
    longest.map_or(Ok(()), |encoded| check(encoded, duration))
}

/// Verifies that an I-frame comes every `step` seconds until `duration_micros`.
pub(crate) fn verify_iframes(
    iframes: &[IFrame],
    duration_micros: u64,
    step: f64,
    ffmpeg: &str,
) -> Result<(), CompletenessError> {
    let most = step * 1e6 + 2.0;
    let is_shown = |iframe: &IFrame| (1.0..most).contains(&(iframe.segment.micros as f64));
    let shown: u64 = iframes.iter().map(|iframe| iframe.segment.micros).sum();
    if shown == duration_micros && iframes.iter().all(is_shown) {
        return Ok(());
    }
    let folder = layout::IFRAMES_FOLDER.to_owned();
    Err(if iframes.is_empty() {
        CompletenessError::Empty {
            folder,
            warnings: warnings_suffix(ffmpeg),
        }
    } else {
        CompletenessError::Hole {
            folder,
            segment: iframes.iter().take_while(|iframe| is_shown(iframe)).count(),
            warnings: warnings_suffix(ffmpeg),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    fn segments(micros: &[u64]) -> Vec<Segment> {
        micros
            .iter()
            .map(|micros| Segment {
                micros: *micros,
                bytes: 1,
            })
            .collect()
    }

    #[test]
    fn only_all_of_the_source_in_aligned_segments_passes() {
        const FOUR: u64 = 4_000_000;
        for ((duration, video), first, second, expected) in [
            (
                (Some(8.0), Some(8.0)),
                vec![FOUR, FOUR],
                vec![FOUR, FOUR],
                "",
            ),
            ((None, None), vec![FOUR, 1], vec![FOUR, 1], ""),
            ((Some(8.9), None), vec![FOUR, FOUR], vec![FOUR, FOUR], ""),
            // Longer than expected loses nothing.
            (
                (Some(4.0), Some(4.0)),
                vec![FOUR, FOUR],
                vec![FOUR, FOUR],
                "",
            ),
            (
                (Some(12.0), Some(12.0)),
                vec![2_700_000],
                vec![2_700_000],
                "`1080p` is 2.7 s long, and the recording is 12.0 s long; the recording is damaged",
            ),
            (
                (Some(12.0), None),
                vec![FOUR],
                vec![FOUR],
                "`480p` is 4.0 s long, and the recording is 12.0 s long; the recording is damaged",
            ),
            (
                (Some(8.0), None),
                vec![FOUR, FOUR],
                vec![2 * FOUR],
                "the segments of `480p` are not aligned with those of `1080p`; the recording is damaged",
            ),
            (
                (Some(8.0), None),
                vec![],
                vec![],
                "`1080p` is empty; the recording is damaged",
            ),
        ] {
            let (first, second) = (segments(&first), segments(&second));
            let video = [
                EncodedRendition {
                    folder: "1080p",
                    expected: video,
                    segments: &first,
                },
                EncodedRendition {
                    folder: "480p",
                    expected: video,
                    segments: &second,
                },
            ];
            let error = verify(duration, &video, &[], "partial file")
                .err()
                .map_or_else(String::new, |error| error.to_string());
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn audio_that_stops_early_is_noticed_though_the_video_is_whole() {
        let (video, audio) = (segments(&[8_000_000]), segments(&[2_000_000]));
        let error = verify(
            Some(8.0),
            &[EncodedRendition {
                folder: "480p",
                expected: Some(8.0),
                segments: &video,
            }],
            &[EncodedRendition {
                folder: "audio/und",
                expected: Some(8.0),
                segments: &audio,
            }],
            "",
        )
        .expect_err("two of eight seconds");
        assert!(
            error.to_string().contains("`audio/und` is 2.0 s long"),
            "{error}"
        );
    }
}
