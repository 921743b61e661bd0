//! Requests of a view, and objects and bytes of a package. Pure.

use serde::Serialize;

use super::prices::LadderRates;
use crate::manifest::container::Container;
use crate::storage::edge::{MAX_WHOLE_BYTES, PART_BYTES};

/// Maximum short side of `lecture.mp4`.
const MAX_DOWNLOAD_SIDE: u32 = 720;
/// Objects beside Renditions, sprites and `lecture.mp4`: `master.m3u8`, `package.json`,
/// `poster.jpg` and `storyboard.vtt`; the revision's own
/// `master.m3u8`; with CMAF also `manifest.mpd` and `pictures.mp4`; and the
/// I-frame playlist.
const BESIDE_CMAF: u64 = 8;
const BESIDE_TS: u64 = 6;

/// A packaged lecture. All durations are positive. It has at least one rung, all are of measured
/// sizes, and the largest is first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LectureProfile {
    pub(crate) seconds: u64,
    pub(crate) segment_seconds: u64,
    pub(crate) container: Container,
    /// Short sides.
    pub(crate) rungs: Vec<u32>,
}

/// Requests of one player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Requests {
    pub(crate) playlists: u64,
    pub(crate) initialization_sections: u64,
    pub(crate) segments: u64,
    pub(crate) audio_segments: u64,
}

impl Requests {
    pub(crate) fn all(self) -> u64 {
        self.playlists + self.objects()
    }

    /// Immutable objects of a revision, which the data centre's cache may hold.
    pub(crate) fn objects(self) -> u64 {
        self.initialization_sections + self.segments + self.audio_segments
    }
}

impl LectureProfile {
    /// Requests of a player that loads the first `seconds` and plays `rungs` rungs. It reads
    /// `master.m3u8`, and a Media Playlist, a Media Initialization Section and segments of every
    /// rung and of the audio. Transport streams mux audio into video segments, and have no
    /// initialization sections.
    pub(crate) fn view(&self, seconds: u64, rungs: u64) -> Requests {
        let segments = self.segments(seconds.min(self.seconds));
        match self.container {
            Container::Cmaf => Requests {
                playlists: 1 + rungs + 1,
                initialization_sections: rungs + 1,
                segments,
                audio_segments: segments,
            },
            Container::Ts => Requests {
                playlists: 1 + rungs,
                initialization_sections: 0,
                segments,
                audio_segments: 0,
            },
        }
    }

    /// Segments of one Rendition.
    pub(crate) fn segments(&self, seconds: u64) -> u64 {
        seconds.div_ceil(self.segment_seconds)
    }

    /// Write requests for a package.
    pub(crate) fn writes(&self, rates: &LadderRates) -> u64 {
        let (segments, rungs) = (self.segments(self.seconds), self.rungs.len() as u64);
        let (renditions, each, beside) = match self.container {
            Container::Cmaf => (rungs + 1, segments + 2, BESIDE_CMAF),
            Container::Ts => (rungs, segments + 1, BESIDE_TS),
        };
        let mp4 = self.download_rate(rates) * self.seconds * 125;
        renditions * each + beside + self.sprites() + writes(mp4)
    }

    /// Sprites of the storyboard, with a hundred thumbnails each, two to ten seconds apart.
    fn sprites(&self) -> u64 {
        let apart = (2..10)
            .step_by(2)
            .find(|apart| self.seconds.div_ceil(*apart) <= 300)
            .unwrap_or(10);
        self.seconds.div_ceil(apart).div_ceil(100)
    }

    /// Stored kbit/s: the ladder, audio, I-frames and `lecture.mp4`.
    pub(crate) fn stored(&self, rates: &LadderRates) -> u64 {
        let ladder: u64 = self.rungs.iter().filter_map(|side| rates.of(*side)).sum();
        let audio = match self.container {
            Container::Cmaf => rates.audio + rates.iframes,
            Container::Ts => rates.audio * self.rungs.len() as u64,
        };
        ladder + audio + self.download_rate(rates)
    }

    /// kbit/s of a view: those of the middle rung, or the smaller of two, and of audio.
    pub(crate) fn watched(&self, rates: &LadderRates) -> u64 {
        let middle = self.rungs.get(self.rungs.len() / 2);
        middle.and_then(|side| rates.of(*side)).unwrap_or_default() + rates.audio
    }

    /// kbit/s of `lecture.mp4`.
    fn download_rate(&self, rates: &LadderRates) -> u64 {
        let side = (self.rungs.iter().copied())
            .find(|side| *side <= MAX_DOWNLOAD_SIDE)
            .or(self.rungs.last().copied());
        side.and_then(|side| rates.of(side)).unwrap_or_default() + rates.audio
    }

    /// The largest short side.
    pub(crate) fn largest(&self) -> u32 {
        self.rungs.first().copied().unwrap_or_default()
    }
}

/// Write requests of an object: one, or one for each part, and two to start and complete them.
fn writes(bytes: u64) -> u64 {
    match bytes {
        ..=MAX_WHOLE_BYTES => 1,
        _ => bytes.div_ceil(PART_BYTES) + 2,
    }
}

impl LadderRates {
    /// kbit/s of video without audio, if this size was measured.
    pub(crate) fn of(&self, side: u32) -> Option<u64> {
        let rung = self.rungs.iter().find(|rung| rung.side == side);
        rung.map(|rung| rung.kbits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lecture(seconds: u64, container: Container, rungs: &[u32]) -> LectureProfile {
        LectureProfile {
            seconds,
            segment_seconds: 4,
            container,
            rungs: rungs.to_vec(),
        }
    }

    #[test]
    fn a_lecture_of_45_minutes_has_675_video_and_675_audio_segments() {
        use Container::{Cmaf, Ts};
        for (container, rungs, watched, expected) in [
            (Ts, 1, 2_700, (2, 0, 675, 0)),
            (Ts, 3, 2_700, (4, 0, 675, 0)),
            (Cmaf, 1, 2_700, (3, 2, 675, 675)),
            (Cmaf, 3, 2_700, (5, 4, 675, 675)),
            (Cmaf, 1, 1, (3, 2, 1, 1)),
            (Cmaf, 1, 4, (3, 2, 1, 1)),
            (Cmaf, 1, 5, (3, 2, 2, 2)),
            (Cmaf, 1, 9_999, (3, 2, 675, 675)),
        ] {
            let view = lecture(2_700, container, &[480]).view(watched, rungs);
            let Requests {
                playlists,
                initialization_sections,
                segments,
                audio_segments,
            } = view;
            assert_eq!(
                (playlists, initialization_sections, segments, audio_segments),
                expected,
                "{container:?} {rungs} {watched}"
            );
        }
        assert_eq!(lecture(2_700, Cmaf, &[480]).view(2_700, 1).all(), 1_355);
        assert_eq!(lecture(36_000, Cmaf, &[480]).segments(36_000), 9_000);
    }

    #[test]
    fn a_view_is_of_the_rung_in_the_middle() {
        let rates = rates();
        for (rungs, expected) in [
            (vec![1080], 1_500),
            (vec![1080, 720], 900),
            (vec![1080, 720, 480], 900),
        ] {
            let lecture = lecture(60, Container::Cmaf, &rungs);
            assert_eq!(lecture.watched(&rates), expected, "{rungs:?}");
        }
    }

    #[test]
    fn stored_bytes_count_the_ladder_audio_iframes_and_download() {
        let rates = rates();
        for (container, rungs, expected) in [
            // Three rungs, audio, I-frames, and 720p with audio to download.
            (
                Container::Cmaf,
                vec![1080, 720, 480],
                1_400 + 800 + 400 + 100 + 50 + 900,
            ),
            (
                Container::Ts,
                vec![1080, 720, 480],
                1_400 + 800 + 400 + 300 + 900,
            ),
            (Container::Cmaf, vec![1080], 1_400 + 100 + 50 + 1_500),
        ] {
            let lecture = lecture(60, container, &rungs);
            assert_eq!(lecture.stored(&rates), expected, "{container:?} {rungs:?}");
        }
    }

    #[test]
    fn large_files_are_written_in_parts() {
        // 900 kbit/s are 304 MB in 45 minutes: 19 parts of 16 MiB, and two requests to start and
        // complete them.
        let long = lecture(2_700, Container::Cmaf, &[1080, 720, 480]);
        assert_eq!(long.writes(&rates()), 4 * 677 + 8 + 3 + 21);
        let short = lecture(15, Container::Cmaf, &[480]);
        assert_eq!(short.writes(&rates()), 2 * 6 + 8 + 1 + 1);
    }

    fn rates() -> LadderRates {
        let json = r#"{
            "rungs": [{"side": 1080, "kbits": 1400}, {"side": 720, "kbits": 800}, {"side": 480, "kbits": 400}],
            "audio": 100, "iframes": 50, "source": ""
        }"#;
        serde_json::from_str(json).expect("rates")
    }
}
