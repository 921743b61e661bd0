//! Commands, and waiting for what they do.

use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

/// How long a test waits for what surely comes. It ends a test that hangs, and judges no machine.
pub const PATIENCE: Duration = Duration::from_secs(600);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// A finished run of a command.
#[derive(Debug)]
pub struct Run {
    /// −1 after a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command, however it ends.
pub fn run(command: &mut Command) -> Run {
    command.output().expect("the command starts").into()
}

/// Runs a command that must succeed. Returns its output.
pub fn succeed(command: &mut Command) -> String {
    let run = run(command);
    assert_eq!(run.code, 0, "{command:?}: {run:?}");
    run.stdout
}

/// Waits until something is so; `why` says what was waited for.
pub fn wait_until(why: impl Fn() -> String, is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    let mut is_so = is_so;
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{}", why());
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Waits until something is so of what a child does, which must not end before.
pub fn wait_for_child(child: &mut Child, why: &str, is_so: impl Fn() -> bool) {
    let is_so = || {
        let is_so = is_so();
        let status = child.try_wait().expect("a child");
        assert!(is_so || status.is_none(), "{why}: {status:?}");
        is_so
    };
    wait_until(|| why.to_owned(), is_so);
}

/// Sends a signal to a child and waits for its end.
pub fn end(child: Child, signal: &str) -> Run {
    succeed(Command::new("kill").args([signal, &child.id().to_string()]));
    child.wait_with_output().expect("it ends").into()
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is UTF-8")
}
