//! Runs ffmpeg and ffprobe with bounded resources and no standard input; keeps the end of standard
//! error, and kills the process on drop.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::diagnosis::{Diagnosis, reports_lost_data};
use super::messages::Messages;
use crate::exit::{DISK_FULL, Exit};
use crate::units::format_bytes;

/// Maximum bytes of output: ffprobe's answer about hundreds of streams takes tens of kilobytes.
const MOST_OUTPUT: u64 = 16 << 20;
const TAIL_LINES: usize = 6;
/// Maximum address space of ffmpeg, far above a lecture's need (138 MB resident for three hours of
/// small video). It stops uploads that try to take all memory.
const MOST_MEMORY: u64 = 16 << 30;
/// Maximum size of a file from ffmpeg; a day at 14 Mbit/s takes 150 GB.
const MOST_FILE: u64 = 200 << 30;
/// ffprobe reads a header; only a hostile or damaged file takes longer.
const LONGEST_LOOK: Duration = Duration::from_secs(120);
/// ffmpeg reports progress twice a second; a longer silence is more than a slow machine.
const LONGEST_SILENCE: Duration = Duration::from_secs(600);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("`{tool}` is not installed, or not on the PATH")]
    Missing { tool: &'static str },
    #[error("cannot run `{tool}`")]
    Io {
        tool: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("`{tool}` made no progress for {} s and was stopped", .after.as_secs())]
    Stuck { tool: &'static str, after: Duration },
    #[error("`{tool}` printed more than {}", format_bytes(MOST_OUTPUT))]
    Verbose { tool: &'static str },
    #[error("the disk is full, and `{tool}` stopped")]
    DiskFull { tool: &'static str },
    #[error("`{tool}` was ended ({status})")]
    Killed {
        tool: &'static str,
        status: ExitStatus,
    },
    #[error("`{tool}` failed: {}", Diagnosis::of(stderr))]
    Failed { tool: &'static str, stderr: String },
}

impl ProcessError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } | Self::DiskFull { .. } => Exit::Environment,
            Self::Verbose { .. } => Exit::Input,
            Self::Failed { stderr, .. } => Diagnosis::of(stderr).exit(),
            Self::Io { .. } | Self::Killed { .. } | Self::Stuck { .. } => Exit::Failed,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { tool } if tool.starts_with("ff") => {
                Some("apt-get install ffmpeg".to_owned())
            }
            Self::Missing { tool } => Some(format!("apt-get install {tool}")),
            Self::DiskFull { .. } => Some(DISK_FULL.to_owned()),
            Self::Stuck { .. } => Some(
                "play the recording to its end, or re-mux it with `ffmpeg -i IN -c copy OUT.mkv`"
                    .to_owned(),
            ),
            Self::Killed { .. } => Some(
                "free some memory, or use `--jobs 1`; the same command resumes".to_owned(),
            ),
            Self::Verbose { .. } => Some(
                "keep only the needed tracks, and no chapters: `ffmpeg -i IN -map 0:v:0 -map 0:a:0 -map_chapters -1 -c copy OUT.mkv`"
                    .to_owned(),
            ),
            Self::Failed { stderr, .. } => Some(Diagnosis::of(stderr).hint().to_owned()),
            Self::Io { .. } => None,
        }
    }
}

/// Warnings of a successful command.
#[derive(Debug)]
pub(crate) struct FfmpegWarnings {
    pub(crate) text: String,
    /// Frames that ffmpeg dropped before an encoder.
    pub(crate) dropped_frames: u64,
    /// Frames that a decoder dropped or repaired.
    pub(crate) damaged_frames: u64,
}

/// Runs a command to its end and returns its standard output.
pub(crate) async fn capture(
    tool: &'static str,
    args: Vec<OsString>,
) -> Result<Vec<u8>, ProcessError> {
    let io = |source| ProcessError::Io { tool, source };
    let mut child = spawn(tool, args, Path::new("."))?;
    let (stdout, stderr) = pipes(&mut child);
    let mut output = Vec::new();
    let reading = async {
        tokio::join!(
            async {
                match stdout {
                    // One more byte reveals longer output.
                    Some(stdout) => stdout.take(MOST_OUTPUT + 1).read_to_end(&mut output).await,
                    None => Ok(0),
                }
            },
            Messages::read(tool, stderr, TAIL_LINES, |_| false)
        )
    };
    let after = LONGEST_LOOK;
    let (read, messages) = tokio::time::timeout(after, reading)
        .await
        .map_err(|_| ProcessError::Stuck { tool, after })?;
    read.map_err(io)?;
    if output.len() as u64 > MOST_OUTPUT {
        return Err(ProcessError::Verbose { tool });
    }
    finish(tool, child, messages).await?;
    Ok(output)
}

/// Runs ffmpeg with `-progress pipe:1` in a folder, and reports the encoded duration.
pub(crate) async fn encode(
    args: Vec<OsString>,
    folder: &Path,
    on_progress: impl FnMut(Duration),
) -> Result<FfmpegWarnings, ProcessError> {
    encode_keeping(|_| false, TAIL_LINES, args, folder, on_progress).await
}

/// Runs ffmpeg as [`encode`] does. Keeps the first messages that `is_kept` selects, and the last
/// `lines` messages.
pub(crate) async fn encode_keeping(
    is_kept: fn(&str) -> bool,
    lines: usize,
    args: Vec<OsString>,
    folder: &Path,
    mut on_progress: impl FnMut(Duration),
) -> Result<FfmpegWarnings, ProcessError> {
    let tool = "ffmpeg";
    let mut child = spawn(tool, args, folder)?;
    let (stdout, stderr) = pipes(&mut child);
    let stuck = || ProcessError::Stuck {
        tool,
        after: LONGEST_SILENCE,
    };
    let mut dropped_frames = 0;
    let ((), messages) = tokio::try_join!(
        async {
            let Some(stdout) = stdout else { return Ok(()) };
            let mut lines = BufReader::new(stdout).lines();
            let mut last = (Duration::ZERO, Instant::now());
            loop {
                let next = tokio::time::timeout(LONGEST_SILENCE, lines.next_line());
                let Ok(Some(line)) = next.await.map_err(|_| stuck())? else {
                    return Ok(());
                };
                if let Some(dropped) = line.strip_prefix("drop_frames=") {
                    dropped_frames = dropped.trim().parse().unwrap_or(dropped_frames);
                }
                let Some(done) = out_time(&line) else {
                    continue;
                };
                if done > last.0 {
                    last = (done, Instant::now());
                    on_progress(done);
                } else if last.1.elapsed() > LONGEST_SILENCE {
                    return Err(stuck());
                }
            }
        },
        async { Ok(Messages::read(tool, stderr, lines, is_kept).await) }
    )?;
    let Messages {
        text,
        damaged_frames,
        ..
    } = finish(tool, child, messages).await?;
    Ok(FfmpegWarnings {
        text,
        dropped_frames,
        damaged_frames,
    })
}

/// Runs a command to its end, and passes each line of its standard output to `on_line`. Returns its
/// last messages, and the first ones about lost data.
pub(crate) async fn lines(
    tool: &'static str,
    args: Vec<OsString>,
    mut on_line: impl FnMut(&str),
) -> Result<String, ProcessError> {
    let mut child = spawn(tool, args, Path::new("."))?;
    let (stdout, stderr) = pipes(&mut child);
    let after = LONGEST_SILENCE;
    let ((), messages) = tokio::try_join!(
        async {
            let Some(stdout) = stdout else { return Ok(()) };
            let mut lines = BufReader::new(stdout).lines();
            loop {
                match tokio::time::timeout(after, lines.next_line()).await {
                    Ok(Ok(Some(line))) => on_line(&line),
                    Ok(Ok(None) | Err(_)) => return Ok(()),
                    Err(_) => return Err(ProcessError::Stuck { tool, after }),
                }
            }
        },
        async { Ok(Messages::read(tool, stderr, TAIL_LINES, reports_lost_data).await) }
    )?;
    Ok(finish(tool, child, messages).await?.text)
}

/// Runs ffmpeg in a folder, and passes frames of `size` bytes from its standard output one at a
/// time.
pub(crate) async fn frames(
    args: Vec<OsString>,
    folder: &Path,
    bytes: usize,
    mut on_frame: impl FnMut(&[u8]),
) -> Result<(), ProcessError> {
    let tool = "ffmpeg";
    let mut child = spawn(tool, args, folder)?;
    let (stdout, stderr) = pipes(&mut child);
    let after = LONGEST_SILENCE;
    let ((), messages) = tokio::try_join!(
        async {
            let Some(mut stdout) = stdout else {
                return Ok(());
            };
            let mut frame = vec![0; bytes];
            loop {
                match tokio::time::timeout(after, stdout.read_exact(&mut frame)).await {
                    Ok(Ok(_)) => on_frame(&frame),
                    Ok(Err(_)) => return Ok(()),
                    Err(_) => return Err(ProcessError::Stuck { tool, after }),
                }
            }
        },
        async { Ok(Messages::read(tool, stderr, TAIL_LINES, |_| false).await) }
    )?;
    finish(tool, child, messages).await.map(drop)
}

fn spawn(tool: &'static str, args: Vec<OsString>, folder: &Path) -> Result<Child, ProcessError> {
    let mut command = if is_on_path(tool) {
        bounded(tool)
    } else {
        return Err(ProcessError::Missing { tool });
    };
    command
        .args(args)
        .env_clear()
        .envs(environment())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // The packager handles ^C. ffmpeg would finish its files in good order, and they would look
        // complete.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| match source.kind() {
            ErrorKind::NotFound => ProcessError::Missing { tool },
            _ => ProcessError::Io { tool, source },
        })
}

/// Environment of a command: paths of programs, fonts and libraries, and the language. Other
/// variables may hold keys, which no decoder of uploads needs.
const ENVIRONMENT: [&str; 18] = [
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "ESPEAK_DATA_PATH",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "FONTCONFIG_SYSROOT",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LD_LIBRARY_PATH",
    "PATH",
    "TMPDIR",
    "TZ",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
];

/// The variables of [`ENVIRONMENT`] that are set.
fn environment() -> impl Iterator<Item = (&'static str, OsString)> {
    let set = |name| Some((name, std::env::var_os(name)?));
    ENVIRONMENT.into_iter().filter_map(set)
}

/// Limits memory and file sizes, and kills the command even if the packager is killed. Linux has
/// tools for that; a fork hook would be unsafe code. On other systems nothing is limited.
fn bounded(tool: &str) -> Command {
    if !(is_on_path("setpriv") && is_on_path("prlimit")) {
        return Command::new(tool);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "prlimit"])
        .arg(format!("--as={MOST_MEMORY}"))
        .arg(format!("--fsize={MOST_FILE}"))
        .args(["--core=0", "--", tool]);
    command
}

fn is_on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

fn pipes(
    child: &mut Child,
) -> (
    Option<tokio::process::ChildStdout>,
    Option<tokio::process::ChildStderr>,
) {
    (child.stdout.take(), child.stderr.take())
}

async fn finish(
    tool: &'static str,
    mut child: Child,
    messages: Messages,
) -> Result<Messages, ProcessError> {
    let status = child
        .wait()
        .await
        .map_err(|source| ProcessError::Io { tool, source })?;
    if messages.is_disk_full {
        return Err(ProcessError::DiskFull { tool });
    }
    if status.signal().is_some() {
        return Err(ProcessError::Killed { tool, status });
    }
    if !status.success() {
        let stderr = messages.text;
        return Err(ProcessError::Failed { tool, stderr });
    }
    Ok(messages)
}

/// Parses `out_time_us=5312000` of `-progress`, which is negative or `N/A` before the first frame.
fn out_time(line: &str) -> Option<Duration> {
    let micros = line.strip_prefix("out_time_us=")?.trim().parse().ok()?;
    Some(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_the_time_that_is_written() {
        for (line, expected) in [
            ("out_time_us=5312000", Some(5312)),
            ("out_time_us=N/A", None),
            ("out_time_us=-23", None),
            ("frame=12", None),
        ] {
            assert_eq!(
                out_time(line),
                expected.map(Duration::from_millis),
                "{line}"
            );
        }
    }

    #[tokio::test]
    async fn a_failure_carries_the_messages_of_the_command_and_shows_their_meaning() {
        let args = |script: &str| vec!["-c".into(), script.into()];
        let script = "echo one >&2; echo moov atom not found >&2; echo one >&2; exit 3";
        let error = capture("sh", args(script))
            .await
            .expect_err("it exits with 3");
        let ProcessError::Failed { stderr, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(stderr, "one; moov atom not found");
        let said = error.to_string();
        assert!(
            said.starts_with("`sh` failed: its index is missing"),
            "{said}"
        );
        let error = capture("sh", args("echo 'a: No space left on device' >&2"))
            .await
            .expect_err("exit code 0 is not success");
        assert!(matches!(error, ProcessError::DiskFull { .. }), "{error}");
        let error = capture("ff-that-is-not-there", vec![])
            .await
            .expect_err("there is no such command");
        assert_eq!(error.exit(), Exit::Environment);
        assert_eq!(error.hint().as_deref(), Some("apt-get install ffmpeg"));
    }
}
