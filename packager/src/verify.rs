//! Whether what ffmpeg made is all of the source: its exit code 0 does not say so (a truncated MP4 gave 2.7 s of 12).
//! Pure.

use crate::playlists::Segment;
use crate::probe::Source;

/// Seconds, or the share of the source, by which an encoded Rendition may differ from what the source's header says:
/// headers round, and count a last picture's duration or not.
const SECONDS: f64 = 1.0;
const SHARE: f64 = 0.01;

#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    #[error(
        "the source says that it lasts {expected:.1} s and `{folder}` came out {actual:.1} s long{said}"
    )]
    Duration {
        folder: String,
        expected: f64,
        actual: f64,
        said: String,
    },
    #[error("`{folder}` came out empty{said}")]
    Empty { folder: String, said: String },
    #[error("the segments of `{folder}` do not begin and end where those of `{other}` do{said}")]
    Unaligned {
        folder: String,
        other: String,
        said: String,
    },
    #[error("`{folder}` has a hole before segment {segment}{said}")]
    Hole {
        folder: String,
        segment: usize,
        said: String,
    },
}

impl VerifyError {
    pub(crate) fn hint(&self) -> &'static str {
        "the recording may be cut short or damaged: play it to its end, fetch it again if it stops early, or re-mux it \
         with `ffmpeg -i IN -c copy OUT.mkv` and package that"
    }
}

/// What ffmpeg said, for the end of an error.
pub(crate) fn said(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("; ffmpeg said: {text}")
    }
}

/// A Rendition's folder and its segments.
#[derive(Debug)]
pub(crate) struct Encoded<'a> {
    pub(crate) folder: &'a str,
    pub(crate) segments: &'a [Segment],
}

impl Encoded<'_> {
    fn seconds(&self) -> f64 {
        seconds(self.segments)
    }
}

pub(crate) fn seconds(segments: &[Segment]) -> f64 {
    let micros: u64 = segments.iter().map(|segment| segment.micros).sum();
    let micros = micros as f64;
    micros / 1e6
}

pub(crate) fn verify(
    source: &Source,
    video: &[Encoded<'_>],
    audio: Option<&Encoded<'_>>,
    ffmpeg: &str,
) -> Result<(), VerifyError> {
    for encoded in video.iter().chain(audio) {
        let is_empty = |segment: &Segment| segment.micros == 0 || segment.bytes == 0;
        if encoded.segments.is_empty() || encoded.segments.iter().any(is_empty) {
            return Err(VerifyError::Empty {
                folder: encoded.folder.to_owned(),
                said: said(ffmpeg),
            });
        }
    }
    for encoded in video.iter().skip(1) {
        let other = &video[0];
        let times = |encoded: &Encoded<'_>| -> Vec<u64> {
            encoded
                .segments
                .iter()
                .map(|segment| segment.micros)
                .collect()
        };
        if times(encoded) != times(other) {
            return Err(VerifyError::Unaligned {
                folder: encoded.folder.to_owned(),
                other: other.folder.to_owned(),
                said: said(ffmpeg),
            });
        }
    }
    let check = |encoded: &Encoded<'_>, expected: Option<f64>| match expected {
        Some(expected) if (encoded.seconds() - expected).abs() > SECONDS.max(expected * SHARE) => {
            Err(VerifyError::Duration {
                folder: encoded.folder.to_owned(),
                expected,
                actual: encoded.seconds(),
                said: said(ffmpeg),
            })
        }
        _ => Ok(()),
    };
    for encoded in video {
        check(encoded, source.video.duration)?;
    }
    if let (Some(encoded), Some(facts)) = (audio, &source.audio) {
        check(encoded, facts.duration)?;
    }
    // A container's duration is that of its longest stream; one without any is as long as what was decoded.
    let longest = video
        .iter()
        .chain(audio)
        .max_by(|a, b| a.seconds().total_cmp(&b.seconds()));
    longest.map_or(Ok(()), |encoded| check(encoded, source.duration))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Audio, Video};

    fn source(duration: Option<f64>, video: Option<f64>, audio: Option<f64>) -> Source {
        Source {
            container: "mov".into(),
            duration,
            video: Video {
                index: 0,
                codec: "h264".into(),
                width: 16,
                height: 16,
                rotation: 0,
                average_rate: None,
                nominal_rate: None,
                pixel_format: String::new(),
                color_space: None,
                color_transfer: None,
                duration: video,
            },
            audio: audio.map(|duration| Audio {
                index: 1,
                codec: "aac".into(),
                channels: 2,
                language: "und".into(),
                duration: Some(duration),
            }),
        }
    }

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
        for (source, first, second, expected) in [
            (
                source(Some(8.0), Some(8.0), None),
                vec![FOUR, FOUR],
                vec![FOUR, FOUR],
                "",
            ),
            (source(None, None, None), vec![FOUR, 1], vec![FOUR, 1], ""),
            (
                source(Some(8.9), None, None),
                vec![FOUR, FOUR],
                vec![FOUR, FOUR],
                "",
            ),
            (
                source(Some(12.0), Some(12.0), None),
                vec![2_700_000],
                vec![2_700_000],
                "the source says that it lasts 12.0 s and `1080p` came out 2.7 s long; ffmpeg said: partial file",
            ),
            (
                source(Some(12.0), None, None),
                vec![FOUR],
                vec![FOUR],
                "the source says that it lasts 12.0 s and `480p` came out 4.0 s long; ffmpeg said: partial file",
            ),
            (
                source(Some(8.0), None, None),
                vec![FOUR, FOUR],
                vec![2 * FOUR],
                "the segments of `480p` do not begin and end where those of `1080p` do; ffmpeg said: partial file",
            ),
            (
                source(Some(8.0), None, None),
                vec![],
                vec![],
                "`1080p` came out empty; ffmpeg said: partial file",
            ),
        ] {
            let (first, second) = (segments(&first), segments(&second));
            let video = [
                Encoded {
                    folder: "1080p",
                    segments: &first,
                },
                Encoded {
                    folder: "480p",
                    segments: &second,
                },
            ];
            let error = verify(&source, &video, None, "partial file")
                .err()
                .map_or_else(String::new, |error| error.to_string());
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn sound_that_stops_early_is_noticed_though_the_picture_is_whole() {
        let (video, audio) = (segments(&[8_000_000]), segments(&[2_000_000]));
        let error = verify(
            &source(Some(8.0), Some(8.0), Some(8.0)),
            &[Encoded {
                folder: "480p",
                segments: &video,
            }],
            Some(&Encoded {
                folder: "audio/und",
                segments: &audio,
            }),
            "",
        )
        .expect_err("two of eight seconds");
        assert!(
            error.to_string().contains("`audio/und` came out 2.0 s"),
            "{error}"
        );
    }
}
