//! Progress for the user: bars on a terminal, plain lines elsewhere, NDJSON for machines.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use crate::redact::on_one_line;
use crate::warning::{Warning, WarningRecord};

/// Minimum time between two plain lines or events of a step.
const BETWEEN_LINES: Duration = Duration::from_secs(5);
const BETWEEN_EVENTS: Duration = Duration::from_millis(500);

/// All bars, one below the other: encoder and upload progress at the same time.
static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(5)));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Bars,
    Lines,
    Json,
}

/// Narration on standard error, or events on standard output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    mode: Mode,
}

impl Progress {
    pub(crate) fn new(json: bool) -> Self {
        let mode = if json {
            Mode::Json
        } else if std::io::stderr().is_terminal() {
            Mode::Bars
        } else {
            Mode::Lines
        };
        Self { mode }
    }

    /// Prints a sentence.
    pub(crate) fn note(self, text: impl Display) {
        match self.mode {
            Mode::Json => event(&json!({"event": "note", "text": text.to_string()})),
            Mode::Bars | Mode::Lines => narrate(&text),
        }
    }

    /// Prints a warning: a line, or an event with the warning's code.
    pub(crate) fn warn(self, warning: &Warning) {
        match self.mode {
            Mode::Json => event(&warning_event(warning)),
            Mode::Bars | Mode::Lines => narrate(&format_args!("warning: {warning}")),
        }
    }

    /// Prints the result of the command: a line on standard output, or the last event.
    pub(crate) fn result(self, line: impl Display, facts: &impl Serialize) {
        match self.mode {
            Mode::Json => event(&json!({"event": "done", "result": facts})),
            Mode::Bars | Mode::Lines => {
                let _ = writeln!(std::io::stdout(), "{line}");
            }
        }
    }

    /// Reports a job that will not be retried, with the reason.
    pub(crate) fn report_given_up(self, why: &str) {
        match self.mode {
            Mode::Json => event(&json!({"event": "given-up", "text": why})),
            Mode::Bars | Mode::Lines => narrate(&format_args!("not retried: {why}")),
        }
    }

    /// Reports playback before the end of the command: a line on standard output, or an event.
    pub(crate) fn report_playable(self, url: &str, seconds: f64) {
        match self.mode {
            Mode::Json => event(&json!({"event": "playable", "url": url, "seconds": seconds})),
            Mode::Bars | Mode::Lines => {
                let _ = BARS.suspend(|| writeln!(std::io::stdout(), "{url}"));
            }
        }
    }

    /// Reports additional rungs.
    pub(crate) fn report_rungs(self, rungs: &[String], seconds: f64) {
        if self.mode == Mode::Json {
            event(&json!({"event": "better", "rungs": rungs, "seconds": seconds}));
        }
    }

    /// Starts a long step; `total` is in the step's own unit, and `0` means unknown.
    pub(crate) fn step(self, name: &'static str, unit: StepUnit, total: u64) -> Step {
        let bar = match self.mode {
            Mode::Bars => {
                let bar = match total {
                    0 => ProgressBar::no_length(),
                    total => ProgressBar::new(total),
                };
                let bar = BARS
                    .add(bar)
                    .with_style(unit.style(total > 0))
                    .with_message(name);
                bar.enable_steady_tick(Duration::from_millis(200));
                bar
            }
            Mode::Lines | Mode::Json => ProgressBar::hidden(),
        };
        Step(Arc::new(Inner {
            mode: self.mode,
            name,
            unit,
            bar,
            state: Mutex::new(StepState {
                done: 0,
                total,
                started: Instant::now(),
                printed_at: Instant::now(),
            }),
        }))
    }
}

/// Unit of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepUnit {
    Bytes,
    /// Milliseconds of the lecture.
    Milliseconds,
}

impl StepUnit {
    fn style(self, is_bounded: bool) -> ProgressStyle {
        let template = match (self, is_bounded) {
            (Self::Bytes, true) => {
                "{msg:12} [{bar:30}] {percent:>3} %  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left"
            }
            (Self::Bytes, false) => "{msg:12} {spinner} {bytes}  {bytes_per_sec}",
            (Self::Milliseconds, true) => {
                "{msg:12} [{bar:30}] {percent:>3} %  {elapsed} elapsed  {eta} left"
            }
            (Self::Milliseconds, false) => "{msg:12} {spinner} {elapsed} elapsed",
        };
        ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ")
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Milliseconds => "ms",
        }
    }

    fn show(self, amount: u64) -> String {
        let amount = amount as f64;
        match self {
            Self::Bytes => format!("{:.1} MB", amount / 1e6),
            Self::Milliseconds => format!("{:.1} s", amount / 1e3),
        }
    }
}

/// A long step in progress; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Step(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mode: Mode,
    name: &'static str,
    unit: StepUnit,
    bar: ProgressBar,
    state: Mutex<StepState>,
}

#[derive(Debug)]
struct StepState {
    done: u64,
    total: u64,
    started: Instant,
    printed_at: Instant,
}

impl Step {
    pub(crate) fn set(&self, done: u64) {
        self.update(|state| state.done = done);
    }

    pub(crate) fn add(&self, more: u64) {
        self.update(|state| state.done += more);
    }

    /// Sets a total that was unknown at the start.
    pub(crate) fn set_total(&self, total: u64) {
        let inner = &self.0;
        inner.bar.set_length(total);
        inner.bar.set_style(inner.unit.style(true));
        // Earlier progress does not predict the current speed.
        inner.bar.reset_eta();
        self.update(|state| state.total = total);
    }

    pub(crate) fn finish(&self) {
        let inner = &self.0;
        inner.bar.finish_and_clear();
        let state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let took = state.started.elapsed();
        match inner.mode {
            Mode::Json => event(&json!({
                "event": "finished", "step": inner.name, "done": state.done, "unit": inner.unit.name(),
                "seconds": took.as_secs_f64(),
            })),
            Mode::Bars | Mode::Lines => narrate(&format!(
                "{}: {} in {:.1} s",
                inner.name,
                inner.unit.show(state.done),
                took.as_secs_f64()
            )),
        }
    }

    fn update(&self, change: impl FnOnce(&mut StepState)) {
        let inner = &self.0;
        let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let (between, now) = (
            match inner.mode {
                Mode::Bars => return inner.bar.set_position(state.done),
                Mode::Lines => BETWEEN_LINES,
                Mode::Json => BETWEEN_EVENTS,
            },
            Instant::now(),
        );
        if now.duration_since(state.printed_at) < between {
            return;
        }
        state.printed_at = now;
        if inner.mode == Mode::Json {
            event(&json!({
                "event": "progress", "step": inner.name, "done": state.done,
                "total": (state.total > 0).then_some(state.total), "unit": inner.unit.name(),
            }));
        } else {
            let of = match state.total {
                0 => String::new(),
                total => format!(" of {}", inner.unit.show(total)),
            };
            narrate(&format!(
                "{}: {}{of}",
                inner.name,
                inner.unit.show(state.done)
            ));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Prints a sentence; a closed standard error or output does not stop the work.
pub(crate) fn narrate(text: &impl Display) {
    // `suspend` hides the bars while a line is written above them.
    BARS.suspend(|| {
        let _ = writeln!(std::io::stderr(), "{}", on_one_line(&text.to_string()));
    });
}

/// `{"event": "warning", "code": …, "message": …}`.
fn warning_event(warning: &Warning) -> serde_json::Value {
    let mut value = json!(WarningRecord::from(warning));
    value["event"] = "warning".into();
    value
}

fn event(value: &serde_json::Value) {
    let _ = writeln!(std::io::stdout(), "{value}");
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    let bytes = bytes as f64;
    bytes / 1e6
}
