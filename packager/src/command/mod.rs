//! The command line: one file for each verb, with its arguments.

pub(crate) mod args;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod cost;
pub(crate) mod explain;
mod help;
pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod ls;
pub(crate) mod package;
pub(crate) mod prune;
pub(crate) mod publish;
pub(crate) mod revisions;
pub(crate) mod revoke;
pub(crate) mod rm;
pub(crate) mod rollback;
pub(crate) mod sample;
pub(crate) mod ship;
mod status;
pub(crate) mod upload;
pub(crate) mod verify;
pub(crate) mod watched;
pub(crate) mod work;

use std::io::{ErrorKind, Write as _};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use check::CheckArgs;
use completions::{CompletionsArgs, ManArgs};
use explain::ExplainArgs;
use keys::KeysArgs;
use link::LinkArgs;
use ls::LsArgs;
use package::PackageArgs;
use prune::PruneArgs;
use publish::PublishArgs;
use revisions::RevisionsArgs;
use revoke::{RevocationsArgs, RevokeArgs, UnrevokeArgs};
use rm::RmArgs;
use rollback::RollbackArgs;
use sample::SampleArgs;
use ship::ShipArgs;
use upload::UploadArgs;
use verify::VerifyArgs;
use watched::{ForgetArgs, WatchedArgs};
use work::WorkArgs;

use crate::cost::CostArgs;
use crate::encode::{ChunkMismatch, FormatChange};
use crate::failure;
use crate::package::manifest_json::Package;
use crate::workdir::WorkDir;

/// Packages recordings as HLS, publishes them, and mints the links that open them.
#[derive(Debug, Parser)]
#[command(name = "lectern", version, after_help = help::STORE, max_term_width = 100)]
pub(crate) struct Cli {
    /// Show the messages of ffmpeg and ffprobe on standard error.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// Print results, warnings and errors only.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Encode and package a recording into a folder.
    #[command(after_help = help::STORE)]
    Package(PackageArgs),
    /// Publish a package.
    #[command(after_help = help::STORE)]
    Publish(PublishArgs),
    /// Package and publish a recording: uploads segments while it encodes later ones.
    #[command(after_help = help::STORE)]
    Ship(ShipArgs),
    /// Ship recordings that a queue announces; runs on any number of machines.
    #[command(after_help = help::WORK)]
    Work(WorkArgs),
    /// Store a file, such as a recording that `lectern work` then ships.
    #[command(after_help = help::STORE)]
    Upload(UploadArgs),
    /// List the lectures and other objects below a target.
    #[command(after_help = help::STORE)]
    Ls(LsArgs),
    /// Remove a lecture with all its revisions, or one object.
    #[command(after_help = help::STORE)]
    Rm(RmArgs),
    /// List the published revisions, and mark the one that plays.
    #[command(after_help = help::STORE)]
    Revisions(RevisionsArgs),
    /// Roll back to an earlier revision.
    #[command(after_help = help::STORE)]
    Rollback(RollbackArgs),
    /// Remove revisions that no viewer can still be watching.
    #[command(after_help = help::STORE)]
    Prune(PruneArgs),
    /// Compare every published object with its size and hash, and repair it from a folder.
    #[command(after_help = help::STORE)]
    Verify(VerifyArgs),
    /// Check a package or playlist against the rules that players rely on.
    #[command(after_help = help::EXIT_CODES)]
    Check(CheckArgs),
    /// Mint a link, and print its URL.
    #[command(after_help = help::LINK)]
    Link(LinkArgs),
    /// Stop a viewer, a link or a path, within about a minute.
    #[command(after_help = help::LINK)]
    Revoke(RevokeArgs),
    /// Let a revoked viewer, link or path play again.
    #[command(after_help = help::LINK)]
    Unrevoke(UnrevokeArgs),
    /// List the revocations in force.
    #[command(after_help = help::LINK)]
    Revocations(RevocationsArgs),
    /// List what the viewers of a lecture watched, or what a viewer watched.
    #[command(after_help = help::LINK)]
    Watched(WatchedArgs),
    /// Forget what a viewer watched, and his players.
    #[command(after_help = help::LINK)]
    Forget(ForgetArgs),
    /// Report which check of a URL fails, and what to do.
    #[command(after_help = help::LINK)]
    Explain(ExplainArgs),
    /// Make and rotate the keys that mint links.
    #[command(after_help = help::LINK)]
    Keys(KeysArgs),
    /// Estimate a month's cost, here and at other services.
    #[command(after_help = help::EXIT_CODES)]
    Cost(CostArgs),
    /// Make a sample recording: slides, a voice and a running timecode.
    #[command(after_help = help::EXIT_CODES)]
    Sample(SampleArgs),
    /// Print the completions of a shell.
    #[command(after_help = help::EXIT_CODES)]
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder.
    #[command(after_help = help::EXIT_CODES)]
    Man(ManArgs),
}

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
            let is_replanned = error.is::<ChunkMismatch>() || error.is::<FormatChange>();
            workdir.abandon(is_replanned || failure::is_input_at_fault(&error));
            Err(error)
        }
    }
}

/// Prints a line of data. A reader that has closed its pipe, as `head` does, has enough.
pub(crate) fn print(line: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use std::path::Path;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Words in backquotes of the reference.
    fn quoted(reference: &str) -> impl Iterator<Item = &str> {
        let outside_fences = reference.split("```").step_by(2);
        outside_fences.flat_map(|text| text.split('`').skip(1).step_by(2))
    }

    #[test]
    fn the_reference_has_every_verb_and_no_option_that_does_not_exist() {
        let reference = include_str!("../../../docs/reference/cli.md");
        let command = Cli::command();
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let row = format!("| `lectern {}", verb.get_name());
            assert!(reference.contains(&row), "{row}");
        }
        let arguments = || {
            let verbs = command
                .get_subcommands()
                .flat_map(clap::Command::get_arguments);
            verbs.chain(command.get_arguments())
        };
        let is_option = |name: &str| arguments().any(|it| it.get_long() == Some(name));
        let named = quoted(reference).flat_map(str::split_whitespace);
        let named: Vec<&str> = named.filter_map(|word| word.strip_prefix("--")).collect();
        assert!(named.len() > 20, "{named:?}");
        for name in named {
            assert!(is_option(name) || name == "help", "there is no --{name}");
        }
    }

    #[test]
    fn renamed_options_are_still_accepted() {
        for line in [
            "ship a b --threads 3 --work /tmp",
            "ship a b --jobs 3 --temp-dir /tmp",
        ] {
            let words = ["lectern"].into_iter().chain(line.split(' '));
            let Verb::Ship(args) = Cli::try_parse_from(words).expect(line).verb else {
                panic!("{line}");
            };
            assert_eq!(args.encode.workers(), 3, "{line}");
            assert_eq!(args.temp_dir.as_deref(), Some(Path::new("/tmp")), "{line}");
        }
    }

    #[test]
    fn quiet_stands_before_or_behind_the_verb() {
        for (line, expected) in [
            ("lectern ls out", false),
            ("lectern -q ls out", true),
            ("lectern ls -q out", true),
            ("lectern ls out --quiet", true),
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).expect(line);
            assert_eq!(cli.quiet, expected, "{line}");
        }
    }

    #[test]
    fn help_names_variables_and_shows_no_value() {
        let mut command = Cli::command();
        for verb in command.get_subcommands_mut() {
            let help = verb.render_long_help().to_string();
            let name = verb.get_name().to_owned();
            // Values would stand behind `=`.
            assert!(!help.contains("[env: LECTERN_MAX_INPUT="), "{name}");
            for argument in verb.get_arguments().filter(|it| it.get_env().is_some()) {
                assert!(argument.is_hide_env_values_set(), "{name} {argument}");
            }
        }
    }
}
