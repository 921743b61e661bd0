//! `lectern check`: checks a package or playlist, and reports each rule.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::check::{self, CheckReport};
use crate::command;
use crate::exit::Exit;
use crate::failure::Reported;
use crate::redact::redacted;
use crate::storage::error::StorageError;
use crate::storage::location::resolve;
use clap::Args;

pub(crate) async fn run(args: CheckArgs) -> Result<()> {
    let checking = || format!("cannot check `{}`", redacted(&args.input));
    let report = check_input(&args).await.with_context(checking)?;
    if args.json {
        command::print(&serde_json::to_string(&report).context("cannot write JSON")?)?;
    } else {
        command::print(report.to_string().trim_end())?;
    }
    match report.is_broken() {
        true => Err(Reported(Exit::Broken).into()),
        false => Ok(()),
    }
}

async fn check_input(args: &CheckArgs) -> Result<CheckReport> {
    let input = match Path::new(&args.input).exists() {
        true => args.input.clone(),
        false => resolve(&args.input).map_err(StorageError::from)?,
    };
    if !args.allow_plain_http {
        check::refuse_plain_http(&input)?;
    }
    Ok(check::of(&input, args.follow).await?)
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Folder, .m3u8 file, or http(s) URL in quotes, with its link.
    #[arg(value_name = "DIR|FILE|URL")]
    pub(crate) input: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Follow URIs and redirects to other origins.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Send the URL's link to another machine over HTTP without TLS, where others on the way can
    /// read and use it.
    #[arg(long)]
    pub(crate) allow_plain_http: bool,
}
