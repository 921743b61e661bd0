//! `lectern`: packages a recording as HLS, publishes it, and mints the links that open it.
//!
//! Standard output is data, standard error is narration. Read on in `package`, which names the steps.

mod boxes;
mod check;
mod cli;
mod clock;
mod container;
mod cost;
mod early;
mod encode;
mod exit;
mod explain;
mod extras;
mod fetch;
mod ffmpeg;
mod filters;
mod fragments;
mod iframes;
mod instant;
mod keys;
mod ladder;
mod link;
mod loudness;
mod measured;
mod mpd;
mod output;
mod package;
mod package_file;
mod package_json;
mod partial;
mod parts;
mod pieces;
mod place;
mod plan;
mod playlists;
mod presentation;
mod probe;
mod process;
mod progress;
mod publish;
mod rendition;
mod revision;
mod sample;
mod samples;
#[cfg(test)]
mod seams;
mod shift;
mod ship;
mod tally;
mod transport;
mod verify;
mod work;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::check::CheckError;
use crate::cli::{Cli, Verb};
use crate::exit::{Exit, Interrupted, Unopened};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start")
        .and_then(|runtime| {
            runtime.block_on(async {
                // A worker gives back what it has taken.
                let is_patient = matches!(cli.verb, Verb::Work(_));
                // Whichever comes first; the other is dropped, and with it ffmpeg and the folder it wrote into.
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

async fn run(cli: Cli) -> Result<()> {
    match cli.verb {
        Verb::Package(args) => package::run(args).await,
        Verb::Publish(args) => publish::run(args).await,
        Verb::Ship(args) => ship::run(args).await,
        Verb::Work(args) => work::run(args, interrupted()).await,
        Verb::Revisions(args) => publish::revisions(args).await,
        Verb::Rollback(args) => publish::rollback(args).await,
        Verb::Prune(args) => publish::prune(args).await,
        Verb::Verify(args) => publish::verify(args).await,
        Verb::Check(args) => check::run(args).await,
        Verb::Cost(args) => cost::run(&args),
        Verb::Link(args) => print(&link::run(&args)?),
        Verb::Explain(args) => explain::run(&args),
        Verb::Keys(args) => print(&keys::run(args.verb)?),
        Verb::Sample(args) => sample::run(args).await,
    }
}

fn print(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
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
    let (exit, hint) = exit::of(error);
    if error.is::<Unopened>()
        || error.is::<publish::Broken>()
        || matches!(error.downcast_ref(), Some(CheckError::Broken))
    {
        return exit;
    }
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "error: {error:#}");
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "\nhint: {hint}");
    }
    exit
}
