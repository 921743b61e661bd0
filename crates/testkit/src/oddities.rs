//! Short recordings as phones, cameras and old software make them, for tests of the packager and of
//! players.

use std::path::{Path, PathBuf};

use crate::recording::make;

#[derive(Debug)]
pub struct Oddity {
    /// The name, whose extension selects the container.
    pub name: &'static str,
    /// Sources in ffmpeg's filter syntax.
    inputs: &'static [&'static str],
    /// Options of ffmpeg.
    options: &'static [&'static str],
    /// The expected Renditions: `320x180@25 audio/en`.
    pub renditions: &'static str,
    /// The expected duration.
    pub seconds: f64,
}

const PICTURE: &str = "testsrc2=s=320x180:r=25:d=3";
const TONE: &str = "sine=f=440:r=48000:d=3";
const H264: &str = "-c:v libx264 -preset ultrafast";
/// Options of most recorders.
const MP4: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac";

pub const ALL: [Oddity; 20] = [
    Oddity {
        name: "sound.mp3",
        inputs: &[TONE],
        options: &["-c:a libmp3lame"],
        renditions: "audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "cover.mp3",
        inputs: &[TONE, "testsrc2=s=300x300:d=0.04"],
        options: &["-map 0 -map 1 -c:a libmp3lame -c:v mjpeg -disposition:v attached_pic"],
        renditions: "audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "still.mp4",
        inputs: &["testsrc2=s=320x180:r=25:d=0.04", TONE],
        options: &[MP4],
        renditions: "320x180@10 audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "sound-ends.mp4",
        inputs: &[PICTURE, "sine=f=440:r=48000:d=1"],
        options: &[MP4],
        renditions: "320x180@25 audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "picture-ends.mkv",
        inputs: &["testsrc2=s=320x180:r=25:d=1", TONE],
        options: &[MP4],
        renditions: "320x180@25 audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "sound-begins-late.mkv",
        inputs: &[PICTURE, "sine=f=440:r=48000:d=2"],
        options: &[MP4, "-af asetpts=PTS+1/TB"],
        renditions: "320x180@25 audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "picture-begins-late.mkv",
        inputs: &["testsrc2=s=320x180:r=25:d=2", TONE],
        options: &[MP4, "-vf setpts=PTS+1/TB"],
        renditions: "320x180@25 audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "languages.mkv",
        inputs: &[PICTURE, TONE, TONE, TONE],
        options: &[
            MP4,
            "-map 0 -map 1 -map 2 -map 3 -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu",
            "-metadata:s:a:2 language=eng -metadata:s:a:2 title=Commentary",
        ],
        renditions: "320x180@25 audio/en audio/de audio/en-2",
        seconds: 3.0,
    },
    Oddity {
        name: "interlaced.ts",
        inputs: &["testsrc2=s=352x288:r=50:d=3"],
        options: &["-vf interlace,setsar=16/15 -flags +ilme+ildct -c:v mpeg2video -b:v 2M"],
        renditions: "352x264@25",
        seconds: 3.0,
    },
    Oddity {
        name: "hdr.mp4",
        inputs: &["testsrc2=s=320x180:r=24000/1001:d=2"],
        options: &[
            "-pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params",
            "log-level=error:hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
        ],
        renditions: "320x180@23.976",
        seconds: 2.0,
    },
    Oddity {
        name: "fast-and-round.mkv",
        inputs: &["testsrc2=s=320x180:r=120:d=2", "sine=f=440:r=48000:d=2"],
        options: &[
            H264,
            "-filter_complex [1]pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0[a] -map 0:v -map [a] -c:a ac3",
        ],
        renditions: "320x180@60 audio/und",
        seconds: 2.0,
    },
    Oddity {
        name: "a-moment.mp4",
        inputs: &["testsrc2=s=320x180:r=100:d=0.01"],
        options: &[H264],
        renditions: "320x180@10",
        seconds: 0.1,
    },
    Oddity {
        name: "oblong.mp4",
        inputs: &[PICTURE],
        options: &[MP4, "-vf setsar=8/9"],
        renditions: "284x180@25",
        seconds: 3.0,
    },
    Oddity {
        name: "portrait-444.mp4",
        inputs: &["testsrc2=s=181x321:r=25:d=2"],
        options: &[H264, "-pix_fmt yuv444p -color_range pc"],
        renditions: "180x320@25",
        seconds: 2.0,
    },
    Oddity {
        name: "before-zero.ts",
        inputs: &[PICTURE, TONE],
        options: &[MP4, "-avoid_negative_ts disabled -output_ts_offset -2"],
        renditions: "320x180@25 audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "slow.mp4",
        inputs: &["testsrc2=s=320x180:r=1:d=5"],
        options: &[MP4],
        renditions: "320x180@1",
        seconds: 5.0,
    },
    Oddity {
        name: "animation.gif",
        inputs: &["testsrc2=s=320x180:r=10:d=2"],
        options: &[],
        renditions: "320x180@10",
        seconds: 2.0,
    },
    Oddity {
        name: "telephone.avi",
        inputs: &["testsrc2=s=160x120:r=15:d=3", "sine=f=440:r=8000:d=3"],
        options: &["-c:v mjpeg -pix_fmt yuvj422p -c:a pcm_s16le"],
        renditions: "160x120@15 audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "open-source.webm",
        inputs: &[PICTURE, TONE],
        options: &["-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"],
        renditions: "320x180@25 audio/und",
        seconds: 3.0,
    },
    Oddity {
        name: "large.mkv",
        inputs: &[
            "testsrc2=s=1280x720:r=30000/1001:d=5",
            "sine=f=440:r=44100:d=5",
        ],
        options: &[MP4],
        renditions: "1280x720@29.97 854x480@29.97 audio/und",
        seconds: 5.0,
    },
];

impl Oddity {
    /// Creates the recording with ffmpeg in a folder.
    pub fn make(&self, folder: &Path) -> PathBuf {
        make(folder, self.name, self.inputs, &self.options.join(" "))
    }
}
