//! The command's verbs, a file each.

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

use crate::cost::CostArgs;
use clap::{Parser, Subcommand};

use anyhow::{Context as _, Result};
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
use std::io::Write as _;
use verify::VerifyArgs;
use work::WorkArgs;

/// Packages a recording as HLS, publishes it, and mints the links that open it.
#[derive(Debug, Parser)]
#[command(name = "lectern", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Encode and package a recording into a folder.
    #[command(after_help = EXIT_CODES)]
    Package(PackageArgs),
    /// Put a package where it is served from.
    #[command(after_help = EXIT_CODES)]
    Publish(PublishArgs),
    /// Package and publish at once: segments go up while later ones are encoded.
    #[command(after_help = EXIT_CODES)]
    Ship(ShipArgs),
    /// Take recordings from a queue as they are uploaded, and ship them; on any number of machines.
    #[command(after_help = EXIT_CODES)]
    Work(WorkArgs),
    /// List what was published at a target, and say what plays.
    #[command(after_help = EXIT_CODES)]
    Revisions(RevisionsArgs),
    /// Let an earlier revision play again.
    #[command(after_help = EXIT_CODES)]
    Rollback(RollbackArgs),
    /// Remove revisions that nobody can be watching any more.
    #[command(after_help = EXIT_CODES)]
    Prune(PruneArgs),
    /// Compare every published object with its size and hash, and mend what is not right.
    #[command(after_help = EXIT_CODES)]
    Verify(VerifyArgs),
    /// Check a package, ours or anybody's, against the rules that players rely on.
    #[command(after_help = EXIT_CODES)]
    Check(CheckArgs),
    /// Mint a link, and print the URL that opens.
    #[command(after_help = EXIT_CODES)]
    Link(LinkArgs),
    /// Say why a URL does (not) open: which check fails, and what to do.
    #[command(after_help = EXIT_CODES)]
    Explain(ExplainArgs),
    /// Make and rotate the keys that links are minted with.
    #[command(after_help = EXIT_CODES)]
    Keys(KeysArgs),
    /// Say what a month of lectures and views costs, here and with others.
    #[command(after_help = EXIT_CODES)]
    Cost(CostArgs),
    /// Make a recording to try things on: slides, a voice and a running timecode.
    #[command(after_help = EXIT_CODES)]
    Sample(SampleArgs),
}

/// Shown at the end of `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    usage: the arguments do not fit, or the output folder holds something else
  3    the input is not acceptable: missing, empty, unreadable, damaged, too small, over a limit
  4    the environment: no ffmpeg, disk full, no keys
  5    the edge or the storage refused, or could not be reached
  6    a package breaks a rule of `lectern check`, or what is published is not what it should be
  130  interrupted";

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
