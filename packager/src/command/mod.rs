//! The command line: one file for each verb, with its arguments.

pub(crate) mod args;
pub(crate) mod check;
pub(crate) mod cost;
pub(crate) mod explain;
pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod package;
pub(crate) mod prune;
pub(crate) mod publish;
pub(crate) mod revisions;
pub(crate) mod rollback;
pub(crate) mod sample;
pub(crate) mod ship;
pub(crate) mod verify;
pub(crate) mod work;

use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use check::CheckArgs;
use explain::ExplainArgs;
use keys::KeysArgs;
use link::LinkArgs;
use package::PackageArgs;
use prune::PruneArgs;
use publish::PublishArgs;
use revisions::RevisionsArgs;
use rollback::RollbackArgs;
use sample::SampleArgs;
use ship::ShipArgs;
use verify::VerifyArgs;
use work::WorkArgs;

use crate::cost::CostArgs;
use crate::encode::ChunkMismatch;
use crate::failure;
use crate::package::manifest_json::Package;
use crate::workdir::WorkDir;

/// Packages recordings as HLS, publishes them, and mints the links that open them.
#[derive(Debug, Parser)]
#[command(name = "lectern", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// Show the messages of ffmpeg and ffprobe on standard error.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Encode and package a recording into a folder.
    #[command(after_help = EXIT_CODES)]
    Package(PackageArgs),
    /// Publish a package.
    #[command(after_help = EXIT_CODES)]
    Publish(PublishArgs),
    /// Package and publish a recording: uploads segments while it encodes later ones.
    #[command(after_help = EXIT_CODES)]
    Ship(ShipArgs),
    /// Ship recordings that a queue announces; runs on any number of machines.
    #[command(after_help = EXIT_CODES)]
    Work(WorkArgs),
    /// List the published revisions, and mark the one that plays.
    #[command(after_help = EXIT_CODES)]
    Revisions(RevisionsArgs),
    /// Roll back to an earlier revision.
    #[command(after_help = EXIT_CODES)]
    Rollback(RollbackArgs),
    /// Remove revisions that no viewer can still be watching.
    #[command(after_help = EXIT_CODES)]
    Prune(PruneArgs),
    /// Compare every published object with its size and hash, and repair it from a folder.
    #[command(after_help = EXIT_CODES)]
    Verify(VerifyArgs),
    /// Check a package or playlist against the rules that players rely on.
    #[command(after_help = EXIT_CODES)]
    Check(CheckArgs),
    /// Mint a link, and print its URL.
    #[command(after_help = EXIT_CODES)]
    Link(LinkArgs),
    /// Report which check of a URL fails, and what to do.
    #[command(after_help = EXIT_CODES)]
    Explain(ExplainArgs),
    /// Make and rotate the keys that mint links.
    #[command(after_help = EXIT_CODES)]
    Keys(KeysArgs),
    /// Estimate a month's cost, here and at other services.
    #[command(after_help = EXIT_CODES)]
    Cost(CostArgs),
    /// Make a sample recording: slides, a voice and a running timecode.
    #[command(after_help = EXIT_CODES)]
    Sample(SampleArgs),
}

/// The end of every `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    failure
  2    wrong arguments, or the output folder holds something else
  3    the input is missing, empty, unreadable, damaged, too small or over a limit
  4    the environment: no ffmpeg, disk full, no keys
  5    the edge or the storage refused, or did not answer
  6    a package breaks a rule of `lectern check`, or a published object differs from its record
  130  interrupted";

/// Hands the folder of a finished package to `commit`. After an error, finished tasks stay for the
/// next run, unless that run could not use them.
fn close_workdir(
    workdir: WorkDir,
    packaged: Result<Package>,
    commit: impl FnOnce(WorkDir, Package) -> Result<Package>,
) -> Result<Package> {
    match packaged {
        Ok(package) => commit(workdir, package),
        Err(error) => {
            workdir.abandon(error.is::<ChunkMismatch>() || failure::is_input_at_fault(&error));
            Err(error)
        }
    }
}

pub(crate) fn print(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
