//! `lectern completions`: completions for shells, and the manual pages of `make dist`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, print};

/// Prints the completions of a shell.
pub(crate) fn run(args: &CompletionsArgs) -> Result<()> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Cli::command(), "lectern", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}

/// Writes a page for `lectern`, and one for each verb.
pub(crate) fn write_man_pages(args: &ManArgs) -> Result<()> {
    let folder = &args.folder;
    let writing = || format!("cannot write into `{}`", folder.display());
    std::fs::create_dir_all(folder).with_context(writing)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(writing)
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete in.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder to write into.
    folder: PathBuf,
}
