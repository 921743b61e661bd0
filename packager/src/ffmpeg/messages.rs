//! Messages of ffmpeg and ffprobe: for people only with `--verbose`, else translated by
//! `diagnosis`.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::OnceLock;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use super::diagnosis::reports_damaged_frame;

/// Maximum messages that are kept besides the last ones.
const MOST_KEPT: usize = 16;
const LONGEST: usize = 400;
const DISK_FULL: &str = "No space left on device";

/// Prints a message; unset without `--verbose`.
static PRINT: OnceLock<fn(&dyn Display)> = OnceLock::new();

/// Prints every message of ffmpeg and ffprobe from now on.
pub(crate) fn show_all(print: fn(&dyn Display)) {
    let _ = PRINT.set(print);
}

/// Shows a line of a tool's standard error, with `--verbose`.
fn show(tool: &str, line: &str) {
    if let Some(print) = PRINT.get() {
        print(&format_args!("{tool}: {line}"));
    }
}

/// Messages of a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// The first distinct ones that were selected, and the last ones.
    pub(super) text: String,
    /// Number of messages about a frame that the decoder dropped or repaired.
    pub(super) damaged_frames: u64,
    /// A write failed, although ffmpeg may have returned 0.
    pub(super) is_disk_full: bool,
}

impl Messages {
    /// Reads a stream of any length. Keeps the first messages that `is_kept` selects, and the last
    /// `most` ones.
    pub(super) async fn read(
        tool: &str,
        stream: Option<impl AsyncRead + Unpin>,
        most: usize,
        is_kept: fn(&str) -> bool,
    ) -> Self {
        let mut messages = Self::default();
        let Some(stream) = stream else {
            return messages;
        };
        let mut reader = BufReader::new(stream);
        let mut kept: Vec<String> = vec![];
        let mut last: VecDeque<String> = VecDeque::new();
        let (mut line, mut is_damage) = (vec![], false);
        loop {
            line.clear();
            // A file may put any bytes of any length into ffmpeg's messages.
            let mut bounded = (&mut reader).take(1 << 16);
            match bounded.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let text = printable(&line);
            if text.is_empty() {
                continue;
            }
            show(tool, &text);
            if let Some(times) = repetitions(&text) {
                let times = if is_damage { times } else { 0 };
                messages.damaged_frames = messages.damaged_frames.saturating_add(times);
                continue;
            }
            if describes_input(&text) {
                continue;
            }
            is_damage = reports_damaged_frame(&text);
            messages.damaged_frames = messages.damaged_frames.saturating_add(is_damage.into());
            messages.is_disk_full |= text.ends_with(DISK_FULL);
            if kept.contains(&text) || last.contains(&text) {
                continue;
            }
            if kept.len() < MOST_KEPT && is_kept(&text) {
                kept.push(text);
                continue;
            }
            if last.len() == most {
                last.pop_front();
            }
            last.push_back(text);
        }
        kept.extend(last);
        messages.text = kept.join("; ");
        messages
    }
}

fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim()
        .chars()
        .filter(|character| !character.is_control())
        .take(LONGEST)
        .collect()
}

/// ffmpeg prints the same message once, and then how often it came again.
fn repetitions(message: &str) -> Option<u64> {
    let rest = message.strip_prefix("Last message repeated ")?;
    rest.strip_suffix(" times")?.parse().ok()
}

/// Recognizes lines of metadata, which are the recording's own words. ffmpeg prints them at the
/// level of information, here with `-v level+info`, and begins the further lines of a value with a
/// colon.
fn describes_input(message: &str) -> bool {
    message.starts_with("[info] ") || message.starts_with(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(lines: &str, most: usize, is_kept: fn(&str) -> bool) -> Messages {
        Messages::read("sh", Some(lines.as_bytes()), most, is_kept).await
    }

    #[tokio::test]
    async fn the_first_selected_messages_and_the_last_ones_are_kept_once() {
        let is_kept = |message: &str| message.starts_with("lost");
        let lines = "lost 1\na\nlost 1\n\x1b[1mb\n  \nlost 2\nc\nc\nd\n";
        let found = read(lines, 2, is_kept).await;
        assert_eq!(found.text, "lost 1; lost 2; c; d");
        let many: String = (0..100).map(|at| format!("lost {at}\n")).collect();
        let found = read(&many, 2, is_kept).await;
        assert_eq!(found.text.split("; ").count(), MOST_KEPT + 2);
        assert!(found.text.ends_with("lost 98; lost 99"), "{}", found.text);
    }

    #[tokio::test]
    async fn damaged_frames_are_counted_with_their_repetitions() {
        let lines = "file:/a.mp4: corrupt decoded frame in stream 0\n\
                     Error while decoding stream #0:1: Invalid data found when processing input\n    \
                     Last message repeated 4 times\n\
                     [h264 @ 0x5] number of reference frames exceeds max\n    \
                     Last message repeated 7 times\n";
        let found = read(lines, 1, |_| false).await;
        assert_eq!(found.damaged_frames, 6);
        assert!(found.text.starts_with("[h264"), "{}", found.text);
    }

    #[tokio::test]
    async fn a_full_disk_is_no_word_of_a_recording() {
        for (lines, expected) in [
            (
                "av_interleaved_write_frame(): No space left on device\n1\n2\n",
                true,
            ),
            (
                "[info]     title           : No space left on device\n",
                false,
            ),
            ("                : No space left on device\n", false),
            ("file:/No space left on device: Invalid data\n", false),
        ] {
            let found = read(lines, 1, |_| false).await;
            assert_eq!(found.is_disk_full, expected, "{lines}");
        }
    }
}
