//! Compares joined chunks with the whole: every frame that reaches an encoder, for all kinds of
//! sources, with the real ffmpeg.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::chunk::Chunk;
use super::plan::EncodePlan;
use super::plan_chunks;
use super::settings::EncodeArgs;
use super::settings::testing::encode_args;
use super::task::EncodeTask;
use crate::source::{file_url, probe};

fn args() -> EncodeArgs {
    encode_args("--segment-duration 1 --ladder 96")
}

fn ffmpeg(folder: &Path, args: &[OsString]) {
    let mut ffmpeg = Command::new("ffmpeg");
    let status = ffmpeg.current_dir(folder).args(args).status();
    assert!(status.expect("ffmpeg is installed").success(), "{args:?}");
}

fn make(folder: &Path, name: &str, args: &str) -> PathBuf {
    let words = format!("-v error -nostdin -y {args} {name}");
    let words: Vec<OsString> = words.split_whitespace().map(Into::into).collect();
    ffmpeg(folder, &words);
    folder.join(name)
}

/// One line for each frame that reaches the encoders of the largest rung and of the I-frames: frame
/// number and MD5.
fn frames(folder: &Path, source: &Path, plan: &EncodePlan, task: &EncodeTask<'_>) -> Frames {
    let mut args = plan.argv(task, file_url(source));
    let outputs = args.iter().position(|arg| arg == "-map");
    args.truncate(outputs.expect("an output"));
    args.retain(|arg| arg != "-progress" && arg != "pipe:1");
    for (label, file) in [("[v0]", "v.md5"), ("[i]", "i.md5")] {
        args.extend(["-map", label, "-f", "framemd5", file].map(Into::into));
    }
    ffmpeg(folder, &args);
    ["v.md5", "i.md5"].map(|file| {
        let lines = std::fs::read_to_string(folder.join(file)).expect("frames");
        let lines = lines.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let fields: Vec<&str> = line.split(',').map(str::trim).collect();
                (fields[2].parse().expect("a time"), fields[5].to_owned())
            })
            .collect()
    })
}

type Frames = [Vec<(u64, String)>; 2];

#[tokio::test]
async fn joined_chunks_have_every_frame_of_the_whole_and_no_other() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let source = |rate: &str, seconds: u32| {
        format!("-f lavfi -i testsrc2=s=160x96:r={rate} -t {seconds} -pix_fmt yuv420p")
    };
    let h264 = "-c:v libx264 -preset veryfast";
    let ntsc = format!("{} {h264} -bf 3 -g 13", source("30000/1001", 7));
    make(root.path(), "ntsc.mp4", &ntsc);
    let mut sources = vec![
        ("ntsc.mp4", root.path().join("ntsc.mp4"), 5),
        (
            // Most frames are dropped, and for two seconds there is none.
            "variable.mkv",
            make(
                root.path(),
                "variable.mkv",
                &format!(
                    "{} -vf select='not(between(t,2.3,4.4))*(lt(mod(n*7919,13),6)+eq(n,0))' -vsync vfr {h264} -g 8",
                    source("30", 8)
                ),
            ),
            3,
        ),
        (
            "interlaced.mp4",
            make(
                root.path(),
                "interlaced.mp4",
                &format!(
                    "{} -vf interlace -flags +ilme+ildct {h264} -x264-params interlaced=1:open-gop=1:keyint=13:bframes=3",
                    source("50", 7)
                ),
            ),
            5,
        ),
        (
            // An edit list removes everything before zero.
            "edited.mp4",
            make(
                root.path(),
                "edited.mp4",
                "-ss 0.7 -i ntsc.mp4 -c copy -avoid_negative_ts disabled",
            ),
            4,
        ),
        (
            "clock.mkv",
            make(
                root.path(),
                "clock.mkv",
                "-i ntsc.mp4 -c copy -output_ts_offset 5",
            ),
            5,
        ),
        (
            "open.mp4",
            make(
                root.path(),
                "open.mp4",
                &format!(
                    "{} -c:v libx265 -preset ultrafast -x265-params log-level=error:open-gop=1:keyint=13:bframes=4:scenecut=0",
                    source("24000/1001", 7)
                ),
            ),
            5,
        ),
        (
            // The key frames are too far apart.
            "long.mp4",
            make(
                root.path(),
                "long.mp4",
                &format!("{} {h264} -g 400", source("25", 7)),
            ),
            1,
        ),
    ];
    if let Some(clips) = std::env::var_os("LECTERN_CLIPS") {
        let clip = Path::new(&clips).join("bikes-640x272-noaudio-10s.mp4");
        if clip.exists() {
            sources.push(("bikes", clip, 2));
        }
    }
    for (name, source, least) in sources {
        let (media, _) = probe(&source).await.expect(name);
        let mut plan = EncodePlan::new(&media, &args());
        plan.audio.clear();
        plan_chunks(&mut plan, &source, &media).await;
        let tasks = plan.tasks();
        assert!(
            tasks.len() >= least && (tasks.len() == 1) == (least == 1),
            "{name}: {} parts",
            tasks.len()
        );
        let mut whole = plan.clone();
        let video = whole.video.as_mut().expect("it has video");
        video.chunks = vec![Chunk::WHOLE];
        let whole = frames(root.path(), &source, &whole, &whole.tasks()[0]);
        assert!(whole[0].len() > 100 && whole[1].len() >= 3, "{name}");
        let mut joined = Frames::default();
        for task in &tasks {
            let chunk = frames(root.path(), &source, &plan, task);
            for (joined, chunk) in joined.iter_mut().zip(chunk) {
                joined.extend(chunk);
            }
        }
        let both = joined.iter().zip(&whole);
        let first = both
            .flat_map(|(joined, whole)| joined.iter().zip(whole))
            .find(|(joined, whole)| joined != whole);
        assert!(
            joined == whole,
            "{name}: {} frames instead of {}, first {first:?}",
            joined[0].len(),
            whole[0].len(),
        );
    }
}
