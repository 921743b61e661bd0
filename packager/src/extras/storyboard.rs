//! Thumbnails at equal distances: sprites, and `storyboard.vtt` that maps times to rectangles in
//! them.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use super::concat_input::ConcatInput;
use super::subtitles::webvtt::{self, Cue};
use crate::layout::STORYBOARD_FOLDER;
use crate::media::key_frame_interval;

/// Pixels of a thumbnail's longer side.
const SIDE: u32 = 160;
/// Thumbnails in a row and in a column. A lecture of 45 minutes then has three sprites of about 150
/// kB.
const GRID: usize = 10;
/// Maximum number of thumbnails (three sprites), unless their distance would exceed
/// [`LONGEST_MICROS`].
const MAX_THUMBNAILS: u64 = 300;
const LONGEST_MICROS: u64 = 10_000_000;
/// Pixels of the longer side of a frame during scoring.
const JUDGED: u32 = 640;
/// Tolerance in seconds: a forced key frame is the first frame at or after its time.
const SLACK: &str = "0.002";

/// Times and sizes of the thumbnails, which are key frames of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoryboardPlan {
    /// Distance between thumbnails: `seconds / parts`.
    seconds: u32,
    parts: u32,
    /// Width of a thumbnail.
    width: u32,
    height: u32,
    /// Size of a frame during scoring.
    judged: (u32, u32),
    columns: usize,
    rows: usize,
}

/// Storyboard facts in `package.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoryboardFacts {
    /// Number of thumbnails; the other members describe their sprites.
    #[serde(rename = "pictures")]
    pub(crate) thumbnails: usize,
    pub(crate) sprites: usize,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl StoryboardPlan {
    /// Plans the storyboard for a rung of this size.
    pub(crate) fn new(micros: u64, segment_duration: u32, width: u32, height: u32) -> Self {
        let (segment, parts) = key_frame_interval(segment_duration);
        let interval = u64::from(segment) * 1_000_000;
        // Number of thumbnails after the first; none is at the very end.
        let last = micros.saturating_sub(1);
        let every = |times: u64| last * u64::from(parts) / (interval * times);
        let is_enough = |times: &u64| {
            every(*times) < MAX_THUMBNAILS || interval * times >= LONGEST_MICROS * u64::from(parts)
        };
        let times = (1..).find(is_enough).unwrap_or(1);
        let thumbnails = usize::try_from(every(times))
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        // The filters take the fraction in lowest terms.
        let seconds = segment * u32::try_from(times).unwrap_or(1);
        let divisor = (1..=parts)
            .rev()
            .find(|by| seconds % by == 0 && parts % by == 0)
            .unwrap_or(1);
        let (thumbnail, judged) = (fit(width, height, SIDE), fit(width, height, JUDGED));
        let columns = thumbnails.min(GRID);
        Self {
            seconds: seconds / divisor,
            parts: parts / divisor,
            width: thumbnail.0,
            height: thumbnail.1,
            judged,
            columns,
            rows: thumbnails.div_ceil(columns).min(GRID),
        }
    }

    /// Presentation time of a thumbnail.
    pub(crate) fn micros(&self, at: usize) -> u64 {
        at as u64 * u64::from(self.seconds) * 1_000_000 / u64::from(self.parts)
    }

    /// Bytes and line width of a scored frame.
    pub(crate) fn judged_frame(&self) -> (usize, usize) {
        let (width, height) = self.judged;
        (width as usize * height as usize, width as usize)
    }

    /// Decodes the key frames of a small rung once: grey frames go to standard output, and
    /// `with_sprites` adds the sprites.
    pub(crate) fn argv(&self, input: &ConcatInput, with_sprites: bool) -> Vec<OsString> {
        let mut args: Vec<OsString> =
            words("-hide_banner -nostdin -nostats -y -v error -copyts").collect();
        args.extend(input.args("-threads 1 -skip_frame nokey"));
        args.extend(["-filter_complex".into(), self.filters(with_sprites).into()]);
        args.extend(words(
            "-map [grey] -fps_mode passthrough -f rawvideo pipe:1",
        ));
        if with_sprites {
            args.extend(words(
                "-map [sprites] -fps_mode passthrough -c:v mjpeg -q:v 5 -flags +bitexact -f image2 -start_number 0",
            ));
            args.push(format!("{STORYBOARD_FOLDER}/%05d.jpg").into());
        }
        args
    }

    fn filters(&self, with_sprites: bool) -> String {
        let Self { seconds, parts, .. } = self;
        let slot = |time: &str| format!("floor(({time}+{SLACK})*{parts}/{seconds})");
        let mut graph = format!(
            "[0:v]select='isnan(prev_selected_t)+gt({},{})'",
            slot("t"),
            slot("prev_selected_t")
        );
        let (width, height) = self.judged;
        let grey = format!("scale={width}:{height}:flags=bilinear,format=gray[grey]");
        if !with_sprites {
            return graph + "," + &grey;
        }
        graph += &format!(",split[a][b];[a]{grey};[b]");
        graph += &jpeg(self.width, self.height);
        graph + &format!(",tile={}x{}[sprites]", self.columns, self.rows)
    }

    /// Number of sprites for so many thumbnails.
    pub(crate) fn sprites(&self, thumbnails: usize) -> usize {
        thumbnails.div_ceil(self.columns * self.rows)
    }

    pub(crate) fn facts(&self, thumbnails: usize) -> StoryboardFacts {
        StoryboardFacts {
            thumbnails,
            sprites: self.sprites(thumbnails),
            width: self.width,
            height: self.height,
        }
    }

    /// One cue a thumbnail (Media Fragments URI 1.0 §4.2.2); its URI is relative to the file.
    pub(crate) fn vtt(&self, thumbnails: usize, micros: u64) -> String {
        let cues: Vec<Cue> = (0..thumbnails)
            .map(|at| {
                let (sprite, within) = (
                    at / (self.columns * self.rows),
                    at % (self.columns * self.rows),
                );
                let (width, height) = (self.width as usize, self.height as usize);
                let end = if at + 1 == thumbnails {
                    micros
                } else {
                    self.micros(at + 1)
                };
                Cue {
                    start: self.micros(at) / 1000,
                    end: end / 1000,
                    text: format!(
                        "{}#xywh={},{},{width},{height}",
                        sprite_name(sprite),
                        within % self.columns * width,
                        within / self.columns * height
                    ),
                    ..Cue::default()
                }
            })
            .collect();
        webvtt::file(&[], &cues)
    }
}

/// File name, from the revision's folder.
pub(crate) fn sprite_name(at: usize) -> String {
    format!("{STORYBOARD_FOLDER}/{at:05}.jpg")
}

/// JPEG output options: JFIF has the matrix of BT.601 and full range, whatever the video has.
pub(crate) fn jpeg(width: u32, height: u32) -> String {
    format!("scale={width}:{height}:flags=area:out_color_matrix=bt601:out_range=pc,format=yuvj420p")
}

/// Largest even size with a longer side of at most `side`.
fn fit(width: u32, height: u32, side: u32) -> (u32, u32) {
    let longer = u64::from(width.max(height).max(1));
    let scaled = |length: u32| {
        let length = u64::from(length);
        let short = (length * u64::from(side) + longer) / (longer * 2) * 2;
        let length = if longer <= u64::from(side) {
            length & !1
        } else {
            short
        };
        u32::try_from(length).unwrap_or(side).max(2)
    };
    (scaled(width), scaled(height))
}

pub(crate) fn words(text: &str) -> impl Iterator<Item = OsString> {
    text.split(' ').map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_are_key_frames_and_a_lecture_of_45_minutes_has_three_sprites() {
        for (seconds, segment, size, expected) in [
            (60, 4, (854, 480), "every 2/1 s of 160x90 in 10x3"),
            (9, 4, (854, 480), "every 2/1 s of 160x90 in 5x1"),
            (600, 5, (854, 480), "every 10/3 s of 160x90 in 10x10"),
            (2700, 4, (854, 480), "every 10/1 s of 160x90 in 10x10"),
            (36_000, 4, (854, 480), "every 10/1 s of 160x90 in 10x10"),
            (36_000, 6, (480, 854), "every 10/1 s of 90x160 in 10x10"),
            (36_000, 5, (16, 16), "every 10/1 s of 16x16 in 10x10"),
            (36_000, 3, (2000, 100), "every 21/2 s of 160x8 in 10x10"),
        ] {
            let plan = StoryboardPlan::new(seconds * 1_000_000, segment, size.0, size.1);
            let got = format!(
                "every {}/{} s of {}x{} in {}x{}",
                plan.seconds, plan.parts, plan.width, plan.height, plan.columns, plan.rows
            );
            assert_eq!(got, expected, "{seconds} {segment} {size:?}");
        }
        let plan = StoryboardPlan::new(2_700_000_000, 4, 854, 480);
        assert_eq!(plan.sprites(270), 3);
    }

    #[test]
    fn one_pass_over_key_frames_scores_frames_and_makes_sprites() {
        let plan = StoryboardPlan::new(60_000_000, 5, 854, 480);
        insta::assert_snapshot!(plan.filters(true).replace(';', "\n"), @r"
        [0:v]select='isnan(prev_selected_t)+gt(floor((t+0.002)*3/5),floor((prev_selected_t+0.002)*3/5))',split[a][b]
        [a]scale=640:360:flags=bilinear,format=gray[grey]
        [b]scale=160:90:flags=area:out_color_matrix=bt601:out_range=pc,format=yuvj420p,tile=10x4[sprites]
        ");
        assert!(plan.filters(false).ends_with("format=gray[grey]"));
    }

    #[test]
    fn a_cue_names_the_rectangle_of_its_thumbnail_and_the_last_cue_reaches_the_end() {
        let plan = StoryboardPlan::new(25_000_000, 4, 854, 480);
        insta::assert_snapshot!(plan.vtt(3, 5_500_000), @r"
        WEBVTT

        00:00:00.000 --> 00:00:02.000
        storyboard/00000.jpg#xywh=0,0,160,90

        00:00:02.000 --> 00:00:04.000
        storyboard/00000.jpg#xywh=160,0,160,90

        00:00:04.000 --> 00:00:05.500
        storyboard/00000.jpg#xywh=320,0,160,90
        ");
        let plan = StoryboardPlan::new(600_000_000, 4, 854, 480);
        assert!(
            plan.vtt(150, 600_000_000)
                .contains("storyboard/00001.jpg#xywh=1440,360,160,90\n")
        );
    }
}
