//! Progress for the user: bars on a terminal, plain lines elsewhere, NDJSON for machines.

mod eta;
pub(crate) mod watch;

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use self::eta::Eta;
use self::watch::ProgressWatch;
use crate::redact::on_one_line;
use crate::units::{format_bytes, format_estimate};
use crate::warning::{Warning, WarningRecord};

/// Minimum time between two plain lines or events of a step.
const BETWEEN_LINES: Duration = Duration::from_secs(5);
const BETWEEN_EVENTS: Duration = Duration::from_millis(500);

/// All bars, one below the other: encoder and upload progress at the same time.
static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(5)));

/// Narration is switched off (`--quiet`).
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// Switches narration off for this process: only results, warnings and errors remain.
pub(crate) fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Bars,
    Lines,
    Quiet,
    Json,
}

/// Narration on standard error, or events on standard output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    mode: Mode,
    /// Follows the steps of a recording for its status.
    watch: Option<&'static ProgressWatch>,
}

impl Progress {
    pub(crate) fn new(json: bool) -> Self {
        let mode = if json {
            Mode::Json
        } else if IS_QUIET.load(Ordering::Relaxed) {
            Mode::Quiet
        } else if std::io::stderr().is_terminal() {
            Mode::Bars
        } else {
            Mode::Lines
        };
        Self { mode, watch: None }
    }

    /// Progress that a status follows, too.
    pub(crate) fn watched_by(self, watch: Option<&'static ProgressWatch>) -> Self {
        Self { watch, ..self }
    }

    /// Events are printed instead of sentences.
    pub(crate) fn is_json(self) -> bool {
        self.mode == Mode::Json
    }

    /// Prints a sentence.
    pub(crate) fn note(self, text: impl Display) {
        match self.mode {
            Mode::Json => event(&json!({"event": "note", "text": text.to_string()})),
            Mode::Bars | Mode::Lines => narrate(&text),
            Mode::Quiet => {}
        }
    }

    /// Prints a warning about the command itself, even if narration is off.
    pub(crate) fn caution(self, text: impl Display) {
        match self.mode {
            Mode::Json => event(&json!({"event": "note", "text": format!("warning: {text}")})),
            Mode::Bars | Mode::Lines | Mode::Quiet => narrate(&format_args!("warning: {text}")),
        }
    }

    /// Prints a warning: a line, or an event with the warning's code.
    pub(crate) fn warn(self, warning: &Warning) {
        match self.mode {
            Mode::Json => event(&warning_event(warning)),
            Mode::Bars | Mode::Lines | Mode::Quiet => narrate(&format_args!("warning: {warning}")),
        }
    }

    /// Prints the result of the command: a line on standard output, or the last event.
    pub(crate) fn result(self, line: impl Display, facts: &impl Serialize) {
        match self.mode {
            Mode::Json => event(&json!({"event": "done", "result": facts})),
            Mode::Bars | Mode::Lines | Mode::Quiet => {
                let _ = writeln!(std::io::stdout(), "{line}");
            }
        }
    }

    /// Reports a job that will not be retried, with the reason.
    pub(crate) fn report_given_up(self, why: &str) {
        match self.mode {
            Mode::Json => event(&json!({"event": "given-up", "text": why})),
            Mode::Bars | Mode::Lines | Mode::Quiet => {
                narrate(&format_args!("not retried: {why}"));
            }
        }
    }

    /// Reports playback before the end of the command: a line on standard output, or an event.
    pub(crate) fn report_playable(self, url: &str, seconds: f64) {
        match self.mode {
            Mode::Json => event(&json!({"event": "playable", "url": url, "seconds": seconds})),
            Mode::Bars | Mode::Lines | Mode::Quiet => {
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

    /// Reports all rungs that play by now, to the status alone.
    pub(crate) fn report_rungs_playing(self, rungs: Vec<String>) {
        if let Some(watch) = self.watch {
            watch.play(rungs);
        }
    }

    /// Reports what plays after a failed run that had replaced a lecture: the lecture again, or,
    /// for the reason `why`, the provisional one.
    pub(crate) fn report_restored(self, url: &str, revision: Option<&str>, why: Option<&str>) {
        if self.mode == Mode::Json {
            event(&json!({"event": "restored", "url": url, "revision": revision, "failed": why}));
            return;
        }
        // An error follows or preceded, so this is no narration.
        match (why, revision) {
            (Some(why), _) => narrate(&format_args!(
                "the provisional lecture still plays: {url} ({why})"
            )),
            (None, Some(revision)) => narrate(&format_args!(
                "revision {revision}, which played before, plays again: {url}"
            )),
            (None, None) => narrate(&format_args!("what played before plays again: {url}")),
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
                    .with_style(StepUnit::style(total > 0))
                    .with_message(name);
                bar.enable_steady_tick(Duration::from_millis(200));
                bar
            }
            Mode::Lines | Mode::Quiet | Mode::Json => ProgressBar::hidden(),
        };
        Step(Arc::new(Inner {
            mode: self.mode,
            watch: self.watch,
            name,
            unit,
            bar,
            state: Mutex::new(StepState {
                done: 0,
                total,
                eta: Eta::default(),
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
    fn style(is_bounded: bool) -> ProgressStyle {
        let template = match is_bounded {
            true => "{msg:12} [{bar:30}] {percent:>3} %  {prefix}",
            false => "{msg:12} {spinner} {prefix}",
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
        match self {
            Self::Bytes => format_bytes(amount),
            Self::Milliseconds => format!("{:.1} s", amount as f64 / 1e3),
        }
    }
}

/// A long step in progress; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Step(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mode: Mode,
    watch: Option<&'static ProgressWatch>,
    name: &'static str,
    unit: StepUnit,
    bar: ProgressBar,
    state: Mutex<StepState>,
}

#[derive(Debug)]
struct StepState {
    done: u64,
    total: u64,
    eta: Eta,
    started: Instant,
    printed_at: Instant,
}

impl StepState {
    /// Progress up to the total. A total that became known late may be smaller than what is done.
    fn done(&self) -> u64 {
        match self.total {
            0 => self.done,
            total => self.done.min(total),
        }
    }

    /// Amounts, and the time left if it is known: `1.2 MB of 9.0 MB, about 25 s left`.
    fn describe(&self, unit: StepUnit, left: Option<f64>) -> String {
        let done = unit.show(self.done());
        let of = match self.total {
            0 => String::new(),
            total => format!(" of {}", unit.show(total)),
        };
        let left = left.map(|left| format!(", about {} left", format_estimate(left)));
        format!("{done}{of}{}", left.unwrap_or_default())
    }
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
        inner.bar.set_style(StepUnit::style(true));
        self.update(|state| {
            state.total = total;
            // Earlier progress does not predict the current speed.
            state.eta.reset();
        });
    }

    pub(crate) fn finish(&self) {
        let inner = &self.0;
        inner.bar.finish_and_clear();
        let state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let took = state.started.elapsed();
        match inner.mode {
            Mode::Json => event(&json!({
                "event": "finished", "step": inner.name, "done": state.done(),
                "unit": inner.unit.name(), "seconds": took.as_secs_f64(),
            })),
            Mode::Bars | Mode::Lines => narrate(&format!(
                "{}: {} in {:.1} s",
                inner.name,
                inner.unit.show(state.done()),
                took.as_secs_f64()
            )),
            Mode::Quiet => {}
        }
    }

    fn update(&self, change: impl FnOnce(&mut StepState)) {
        let inner = &self.0;
        let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let now = Instant::now();
        let elapsed = now.duration_since(state.started).as_secs_f64();
        let (done, total) = (state.done(), state.total);
        if let Some(watch) = inner.watch {
            watch.step(inner.name, done, total);
        }
        let left = state.eta.update(elapsed, done, total);
        let between = match inner.mode {
            Mode::Bars => {
                inner.bar.set_prefix(state.describe(inner.unit, left));
                return inner.bar.set_position(done);
            }
            Mode::Lines => BETWEEN_LINES,
            Mode::Json => BETWEEN_EVENTS,
            Mode::Quiet => return,
        };
        if now.duration_since(state.printed_at) < between {
            return;
        }
        state.printed_at = now;
        if inner.mode == Mode::Json {
            event(&json!({
                "event": "progress", "step": inner.name, "done": done,
                "total": (total > 0).then_some(total), "unit": inner.unit.name(),
            }));
        } else {
            let described = state.describe(inner.unit, left);
            narrate(&format!("{}: {described}", inner.name));
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
