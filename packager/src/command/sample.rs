//! `lectern sample`: makes a sample lecture with slides and a running timecode. With espeak-ng it
//! has a voice too.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::ffmpeg::process::{self, ProcessError};
use crate::progress::{Progress, StepUnit};
use crate::workdir::error::FolderError;
use crate::workdir::scratch::ScratchDir;
use clap::Args;
use std::path::PathBuf;

const SLIDE_SECONDS: u32 = 8;
const RATE: u32 = 30;
/// `ultrafast` takes five times the bytes of `veryfast`, which does not matter for a sample.
const ENCODER: &str = "-c:v libx264 -preset ultrafast -crf 20 -pix_fmt yuv420p -g 60 -c:a aac -b:a 128k -ar 48000 -ac 2 -movflags +faststart";

struct Slide {
    title: &'static str,
    bullets: [&'static str; 3],
    speech: &'static str,
    background: &'static str,
}

const SLIDES: [Slide; 8] = [
    Slide {
        title: "How HTTP caching works",
        bullets: [
            "Why a cache at all",
            "Fresh and stale",
            "Asking again, cheaply",
        ],
        speech: "Welcome. Today we look at how caching works in H T T P, and why it makes the web fast.",
        background: "0x12324a",
    },
    Slide {
        title: "Three places to keep a copy",
        bullets: [
            "The browser",
            "A cache near the viewer",
            "The origin's own cache",
        ],
        speech: "A response can be kept in the browser, in a shared cache near the viewer, or at the origin itself.",
        background: "0x3b2a4f",
    },
    Slide {
        title: "Freshness",
        bullets: [
            "Cache-Control: max-age=600",
            "Age counts upwards",
            "Fresh: answered at once",
        ],
        speech: "While a stored response is fresh, it is used at once. Max age says how many seconds that lasts.",
        background: "0x1e4a34",
    },
    Slide {
        title: "Validation",
        bullets: [
            "ETag names one version",
            "If-None-Match asks",
            "304 answers without a body",
        ],
        speech: "A stale copy is not thrown away. The cache asks whether its entity tag is still the current one.",
        background: "0x5a3a1c",
    },
    Slide {
        title: "Immutable objects",
        bullets: [
            "A new version, a new name",
            "Nothing to ask, ever",
            "Media segments are like that",
        ],
        speech: "Objects that never change need no questions. Give every new version a new name, and cache it forever.",
        background: "0x27405c",
    },
    Slide {
        title: "Private and shared",
        bullets: [
            "private: one viewer only",
            "public: everybody",
            "no-store: nobody",
        ],
        speech: "Private keeps a response out of shared caches. No store keeps it out of every cache there is.",
        background: "0x55293a",
    },
    Slide {
        title: "Ranges",
        bullets: [
            "A part of an object",
            "206 and Content-Range",
            "If-Range keeps parts together",
        ],
        speech: "A player that seeks asks for a range of bytes. The answer has status two hundred and six.",
        background: "0x23484a",
    },
    Slide {
        title: "What to remember",
        bullets: [
            "Short life for what changes",
            "Long life for what does not",
            "Measure the hit rate",
        ],
        speech: "So, remember: short lives for what changes, long lives for what does not, and measure. Thank you.",
        background: "0x333333",
    },
];

pub(crate) async fn run(args: SampleArgs) -> Result<()> {
    if args.output.exists() && !args.force {
        return Err(FolderError::Exists(args.output.clone()).into());
    }
    let making = || format!("cannot make `{}`", args.output.display());
    make_file(&args).await.with_context(making)
}

async fn make_file(args: &SampleArgs) -> Result<()> {
    let progress = Progress::new(false);
    let output = std::path::absolute(&args.output)?;
    let scratch = ScratchDir::beside(&output)?;
    let folder = scratch.path();
    make_sample(folder, args.seconds, progress).await?;
    fs::rename(folder.join("out.mp4"), &output)?;
    progress.result(args.output.display(), &());
    Ok(())
}

/// Makes `out.mp4` in a folder.
async fn make_sample(folder: &Path, seconds: u32, progress: Progress) -> Result<()> {
    if !can_draw_text().await? {
        progress.note("this ffmpeg cannot draw text, or finds no font: using a test pattern");
        return Ok(encode(folder, test_pattern(seconds), seconds, progress).await?);
    }
    let voice = synthesize_speech(folder, progress).await?;
    for (at, slide) in SLIDES.iter().enumerate() {
        fs::write(folder.join(format!("{at}-title.txt")), slide.title)?;
        fs::write(folder.join(format!("{at}-bullets.txt")), bullets(slide))?;
    }
    let cycle = SLIDES.len() as u32 * SLIDE_SECONDS;
    if seconds <= cycle {
        return Ok(encode(folder, lecture(voice, seconds, true), seconds, progress).await?);
    }
    encode(folder, lecture(voice, cycle, false), cycle, progress).await?;
    fs::rename(folder.join("out.mp4"), folder.join("cycle.mp4"))?;
    Ok(encode(folder, repeated(seconds), seconds, progress).await?)
}

async fn encode(
    folder: &Path,
    args: Vec<OsString>,
    seconds: u32,
    progress: Progress,
) -> Result<(), ProcessError> {
    let step = progress.step("sample", StepUnit::Milliseconds, u64::from(seconds) * 1000);
    process::encode(args, folder, |done| {
        step.set(u64::try_from(done.as_millis()).unwrap_or(u64::MAX));
    })
    .await?;
    step.finish();
    Ok(())
}

async fn can_draw_text() -> Result<bool, ProcessError> {
    let args =
        "-v error -nostdin -f lavfi -i color=s=64x64 -vf drawtext=text=x -frames:v 1 -f null -";
    match process::capture("ffmpeg", words(args)).await {
        Ok(_) => Ok(true),
        Err(ProcessError::Failed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a sound file for each slide. Returns false without espeak-ng.
async fn synthesize_speech(folder: &Path, progress: Progress) -> Result<bool, ProcessError> {
    for (at, slide) in SLIDES.iter().enumerate() {
        let mut args = words("-v en -s 165 -w");
        args.push(folder.join(format!("{at}.wav")).into());
        args.push(slide.speech.into());
        match process::capture("espeak-ng", args).await {
            Ok(_) => {}
            Err(ProcessError::Missing { .. } | ProcessError::Failed { .. }) => {
                progress.note("espeak-ng is not installed: tones instead of a voice");
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn bullets(slide: &Slide) -> String {
    slide
        .bullets
        .map(|bullet| format!("\u{2022}  {bullet}"))
        .join("\n\n")
}

const TIMECODE: &str = r"drawtext=text='%{pts\:hms}':fontsize=40:fontcolor=white:box=1:boxcolor=black@0.5:boxborderw=12:x=w-tw-60:y=h-th-60";

/// Arguments that make the slides once, cut to a length. Texts are read from files, so that none
/// needs quoting.
fn lecture(has_voice: bool, seconds: u32, has_timecode: bool) -> Vec<OsString> {
    let mut args = words("-hide_banner -nostdin -nostats -y -v error -progress pipe:1");
    let mut graph = String::new();
    let count = SLIDES.len();
    for (at, slide) in SLIDES.iter().enumerate() {
        let source = match has_voice {
            true => format!("-i {at}.wav"),
            false => format!("-f lavfi -i sine=f={}:r=48000", 220 + 40 * at),
        };
        args.extend(words(&source));
        graph += &format!(
            "color=c={}:s=1920x1080:r={RATE}:d={SLIDE_SECONDS},\
             drawtext=textfile={at}-title.txt:expansion=none:fontsize=96:fontcolor=white:x=140:y=150,\
             drawbox=x=140:y=285:w=640:h=8:color=white@0.6:t=fill,\
             drawtext=textfile={at}-bullets.txt:expansion=none:fontsize=60:fontcolor=white:line_spacing=24:x=160:y=380,\
             drawtext=text='{} / {count}':fontsize=40:fontcolor=white@0.8:x=140:y=h-th-60[v{at}];\
             [{at}:a]aresample=48000,volume={},apad,atrim=0:{SLIDE_SECONDS},aformat=channel_layouts=stereo[a{at}];",
            slide.background,
            at + 1,
            if has_voice { "1.0" } else { "0.5" },
        );
    }
    for at in 0..count {
        graph += &format!("[v{at}][a{at}]");
    }
    graph += &format!("concat=n={count}:v=1:a=1[v][a]");
    if has_timecode {
        graph += &format!(";[v]{TIMECODE}[out]");
    }
    args.extend(["-filter_complex".into(), graph.into()]);
    let video = if has_timecode { "[out]" } else { "[v]" };
    args.extend(words(&format!(
        "-map {video} -map [a] {ENCODER} -t {seconds} out.mp4"
    )));
    args
}

/// Arguments that repeat `cycle.mp4`, with the timecode of the whole.
fn repeated(seconds: u32) -> Vec<OsString> {
    let mut args = words("-hide_banner -nostdin -nostats -y -v error -progress pipe:1");
    args.extend(words("-stream_loop -1 -i cycle.mp4 -vf"));
    args.push(TIMECODE.into());
    args.extend(words(&format!("{ENCODER} -t {seconds} out.mp4")));
    args
}

fn test_pattern(seconds: u32) -> Vec<OsString> {
    words(&format!(
        "-hide_banner -nostdin -nostats -y -v error -progress pipe:1 -f lavfi -i testsrc=s=1920x1080:r={RATE} \
         -f lavfi -i sine=f=330:b=4:r=48000 {ENCODER} -t {seconds} out.mp4"
    ))
}

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(Into::into).collect()
}

#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// MP4 file to make.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Duration of the sample.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=36_000))]
    pub(crate) seconds: u32,
    /// Replace an existing file.
    #[arg(long)]
    pub(crate) force: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slide_is_in_the_graph_and_no_text_needs_quoting() {
        for has_voice in [true, false] {
            let args = lecture(has_voice, 60, true);
            let at = args.iter().position(|arg| arg == "-filter_complex");
            let graph = args[at.expect("there is a graph") + 1].to_string_lossy();
            for at in 0..SLIDES.len() {
                assert!(graph.contains(&format!("textfile={at}-title.txt")), "{at}");
            }
            assert!(!graph.contains("caching"), "{graph}");
        }
    }

    #[test]
    fn the_speech_of_a_slide_fits_its_seconds() {
        for slide in &SLIDES {
            let words = slide.speech.split_whitespace().count();
            // 165 words a minute are 22 in eight seconds.
            assert!(words <= 22, "{words}: {}", slide.title);
        }
    }
}
