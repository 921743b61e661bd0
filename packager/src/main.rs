//! `lectern`: packages a recording as HLS, publishes it, and mints the links that open it.
//!
//! Data goes to standard output, narration to standard error. `package` names the steps.

mod box_walk;
mod check;
mod clock;
mod command;
mod context;
mod cost;
mod digest;
mod encode;
mod exit;
mod extras;
mod failure;
mod ffmpeg;
mod files;
mod input;
mod instant;
mod layout;
mod limits;
mod manifest;
mod media;
mod mp4;
mod mpegts;
mod package;
mod progress;
mod proxy;
mod publish;
mod queue;
mod redact;
mod source;
mod status;
pub(crate) mod storage;
mod units;
mod warning;
mod workdir;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::command::print;
use crate::exit::Exit;
use crate::redact::on_one_line;
use command::{Cli, Verb};
use failure::{Interrupted, Reported};

fn main() -> ExitCode {
    keep_memory_private();
    let cli = Cli::parse();
    if cli.verbose {
        ffmpeg::messages::show_all(|line| progress::narrate(&line));
    }
    if cli.quiet {
        progress::be_quiet();
    }
    let ended = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start")
        .and_then(|runtime| {
            runtime.block_on(async {
                // A worker returns its leased jobs, and `ship` restores the lecture that played.
                let is_patient = matches!(cli.verb, Verb::Work(_) | Verb::Ship(_));
                // The first branch to finish drops the other one, and with it ffmpeg and its
                // folder.
                tokio::select! {
                    ended = run(cli) => ended,
                    ended = interrupted(), if !is_patient => ended,
                }
            })
        });
    match ended {
        Ok(()) => Exit::Done.into(),
        Err(error) => report(&error).into(),
    }
}

/// Protects memory and `/proc/PID/environ` from child processes, which run as the same user: both
/// hold keys.
fn keep_memory_private() {
    // Failure is harmless: `process::spawn` passes no key on.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

async fn run(cli: Cli) -> Result<()> {
    match cli.verb {
        Verb::Package(args) => command::package::run(args).await,
        Verb::Publish(args) => command::publish::run(args).await,
        Verb::Upload(args) => command::upload::run(args).await,
        Verb::Ls(args) => command::ls::run(args).await,
        Verb::Rm(args) => command::rm::run(args).await,
        Verb::Ship(args) => command::ship::run(args, interrupted()).await,
        Verb::Work(args) => command::work::run(args, interrupted()).await,
        Verb::Revisions(args) => command::revisions::run(args).await,
        Verb::Rollback(args) => command::rollback::run(args).await,
        Verb::Prune(args) => command::prune::run(args).await,
        Verb::Verify(args) => command::verify::run(args).await,
        Verb::Check(args) => command::check::run(args).await,
        Verb::Cost(args) => command::cost::run(&args),
        Verb::Link(args) => print(&command::link::run(&args)?),
        Verb::Revoke(args) => command::revoke::revoke(args).await,
        Verb::Unrevoke(args) => command::revoke::unrevoke(args).await,
        Verb::Revocations(args) => command::revoke::list(args).await,
        Verb::Watched(args) => command::watched::run(args).await,
        Verb::Forget(args) => command::watched::forget(args).await,
        Verb::Explain(args) => command::explain::run(&args),
        Verb::Keys(args) => print(&command::keys::run(args.verb)?),
        Verb::Sample(args) => command::sample::run(args).await,
        Verb::Completions(args) => command::completions::run(&args),
        Verb::Man(args) => command::completions::write_man_pages(&args),
    }
}

async fn interrupted() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Err(Interrupted.into())
}

fn report(error: &anyhow::Error) -> Exit {
    let (exit, hint) = failure::of(error);
    if error.is::<Reported>() {
        return exit;
    }
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "error: {}", on_one_line(&format!("{error:#}")));
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "\nhint: {}", on_one_line(&hint));
    }
    exit
}
