//! Ends of tracks: a header's duration is an estimate, and the last packet proves the end. Pure.

use super::packets::Packets;
use super::structure::Structure;
use super::{LONGEST, MATROSKA, MP4, Source, SourceError};
use crate::warning::{TrackKind, Warning};

/// Tolerance of a duration against a header, in seconds or as a share. Headers round, and some omit
/// the duration of the last frame.
const SECONDS: f64 = 1.0;
const SHARE: f64 = 0.01;
/// Seconds of missing frames that are reported.
const LEAST_MISSING: f64 = 0.05;
/// Containers whose header declares a duration. For others, ffprobe estimates it.
const DECLARING: [&str; 5] = ["asf", "avi", "flv", MATROSKA, MP4];

/// Seconds by which a duration may differ from the declared one.
pub(crate) fn tolerance(declared: f64) -> f64 {
    SECONDS.max(declared * SHARE)
}

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= tolerance(one.max(other))
}

/// Replaces declared durations that the packets contradict. `others` are the declared ends of
/// tracks that are neither video nor audio.
///
/// # Errors
/// Refuses a file that its structure shows to be cut short, if its packets end early.
pub(super) fn judge(
    source: &mut Source,
    packets: &Packets,
    structure: &Structure,
    others: &[f64],
) -> Result<Option<Warning>, SourceError> {
    let start = source.start;
    let end = |track: u32| Some(packets.of(track)?.span?.1 - start);
    let video = source.video.iter_mut();
    let video = video.map(|video| (video.index, &mut video.duration));
    let audio = source.audio.iter_mut();
    let audio = audio.map(|audio| (audio.index, &mut audio.duration));
    let mut tracks: Vec<_> = video.chain(audio).collect();
    let ends = tracks.iter().filter_map(|(track, _)| end(*track));
    let actual = ends.reduce(f64::max).filter(|end| *end > 0.0);
    let longest = actual.or(source.duration).unwrap_or(0.0);
    if longest > f64::from(LONGEST) {
        return Err(SourceError::TooLong(longest));
    }
    let declared_ends: Option<Vec<f64>> = tracks.iter().map(|(_, declared)| **declared).collect();
    let declared_end = declared_ends.and_then(|ends| ends.into_iter().reduce(f64::max));
    if structure.is_cut_short == Some(true) {
        let both = tracks
            .iter()
            .map(|(track, declared)| (**declared, end(*track)));
        let header = structure.declared_micros.map(|micros| micros as f64 / 1e6);
        let all = both.chain([(declared_end.or(source.duration), actual), (header, actual)]);
        for (declared, actual) in all.filter_map(|(declared, actual)| declared.zip(actual)) {
            if actual < declared - tolerance(declared) {
                return Err(SourceError::CutShort { declared, actual });
            }
        }
    }
    let mut warning = None;
    if let (Some(declared), Some(actual)) = (source.duration, actual)
        && !is_near(declared, actual)
    {
        let is_explained = declared_end.is_some_and(|end| is_near(end, actual))
            // It may count from 0 instead of the first time.
            || is_near(declared - start, actual)
            || others.iter().any(|end| is_near(*end, declared))
            || !DECLARING.contains(&source.container.as_str());
        if declared > actual && !is_explained {
            warning = Some(Warning::ShorterThanDeclared { declared, actual });
        }
        source.duration = Some(actual);
    }
    for (track, declared) in &mut tracks {
        if let (Some(own), Some(actual)) = (**declared, end(*track))
            && !is_near(own, actual)
        {
            **declared = Some(actual).filter(|end| *end > 0.0);
        }
    }
    Ok(warning)
}

/// Frames that a damaged recording lacks. A recording without damage may hold frames on purpose.
pub(super) fn missing_frames(source: &Source, packets: &Packets) -> Vec<Warning> {
    if !packets.is_damaged {
        return vec![];
    }
    let video = source.video.iter().filter_map(|video| {
        let rate = video.average_rate?.as_f64();
        let is_constant = video
            .nominal_rate
            .is_none_or(|nominal| (nominal.as_f64() / rate - 1.0).abs() < SHARE);
        (is_constant && rate > 0.0).then_some((video.index, TrackKind::Video, 1.0 / rate))
    });
    let audio = source.audio.iter().filter_map(|audio| {
        let packets = packets.of(audio.index)?;
        let mean = packets.covered / packets.count as f64;
        (mean > 0.0).then_some((audio.index, TrackKind::Audio, mean))
    });
    let missing = video.chain(audio).filter_map(|(track, kind, frame)| {
        let packets = packets.of(track)?;
        let (first, end) = packets.span?;
        let of = ((end - first) / frame).round();
        let missing = of - packets.count as f64;
        let missing_seconds = missing * frame;
        (missing >= 1.0 && missing_seconds > LEAST_MISSING).then_some(Warning::MissingFrames {
            track,
            kind,
            missing: missing as u64,
            of: of as u64,
            missing_seconds: (missing_seconds * 1000.0).round() / 1000.0,
        })
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::super::packets::testing::packets;
    use super::super::testing::video;
    use super::*;
    use crate::media::Rate;

    fn source(container: &str, duration: Option<f64>, video_duration: Option<f64>) -> Source {
        let mut video = video();
        (video.duration, video.average_rate) = (video_duration, Some(Rate::new(1, 1)));
        Source {
            container: container.into(),
            start: 0.0,
            duration,
            video: Some(video),
            audio: vec![],
            subtitles: vec![],
            cover: None,
            lags: std::collections::BTreeMap::new(),
            is_probed_far: false,
        }
    }

    fn frames(times: impl Iterator<Item = u32>) -> String {
        times.map(|at| format!("0,{at},{at},1,K_\n")).collect()
    }

    #[test]
    fn a_duration_refuses_only_a_file_that_is_cut_short() {
        let refused = "it is cut short: it declares 60.0 s, and its last frame ends at 10.0 s";
        for (container, is_cut, duration, own, others, expected) in [
            // Subtitles, chapters or a tag outlast the video.
            (MATROSKA, Some(false), 60.0, Some(10.0), vec![], (10.0, "")),
            (MATROSKA, Some(false), 60.0, None, vec![60.0], (10.0, "")),
            // The header is stale.
            ("flv", Some(false), 60.0, None, vec![], (10.0, "shorter")),
            (
                MATROSKA,
                Some(false),
                60.0,
                Some(60.0),
                vec![],
                (10.0, "shorter"),
            ),
            // An estimate.
            ("aac", None, 60.0, Some(60.0), vec![], (10.0, "")),
            ("mp3", Some(false), 4.0, Some(4.0), vec![], (10.0, "")),
            // Within the tolerance, the header counts.
            ("flv", Some(true), 10.9, None, vec![], (10.9, "")),
            (MATROSKA, Some(true), 60.0, None, vec![], (60.0, refused)),
            (
                MATROSKA,
                Some(true),
                10.0,
                Some(60.0),
                vec![],
                (60.0, refused),
            ),
        ] {
            let mut source = source(container, Some(duration), own);
            let structure = Structure {
                is_cut_short: is_cut,
                ..Structure::default()
            };
            let found = judge(
                &mut source,
                &packets(container, &frames(0..10)),
                &structure,
                &others,
            );
            let case = format!("{container} {is_cut:?} {duration} {own:?}");
            match found {
                Ok(warning) => {
                    assert_eq!(source.duration, Some(expected.0), "{case}");
                    assert_eq!(warning.is_some(), expected.1 == "shorter", "{case}");
                    let own = source.video.as_ref().and_then(|video| video.duration);
                    assert!(own.is_none_or(|own| own == 10.0), "{case}");
                }
                Err(error) => assert_eq!(error.to_string(), expected.1, "{case}"),
            }
        }
    }

    #[test]
    fn a_day_is_the_maximum_of_what_is_there_and_not_of_what_is_declared() {
        let structure = Structure::default();
        for (times, duration, expected) in [
            (vec![0, 90_000], None, false),
            (vec![0, 10], Some(90_000.0), true),
        ] {
            let mut source = source("flv", duration, None);
            let lines = frames(times.into_iter());
            let found = judge(&mut source, &packets("flv", &lines), &structure, &[]);
            assert_eq!(found.is_ok(), expected);
        }
    }

    #[test]
    fn missing_frames_are_counted_where_damage_is_reported() {
        let source = source("matroska,webm", Some(10.0), None);
        let mut found = packets("matroska,webm", &frames((0..4).chain(7..10)));
        assert_eq!(missing_frames(&source, &found), []);
        found.is_damaged = true;
        let expected = Warning::MissingFrames {
            track: 0,
            kind: TrackKind::Video,
            missing: 3,
            of: 10,
            missing_seconds: 3.0,
        };
        assert_eq!(missing_frames(&source, &found), [expected]);
    }
}
