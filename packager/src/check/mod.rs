//! `lectern check`: whether a package, ours or anybody's, keeps the rules that players rely on, by its bytes.
//!
//! In two steps: [`facts`] reads every object once, a segment at a time, and [`rules`] look at what was found.

mod codec;
mod facts;
mod manifest;
mod media;
mod playlist;
mod report;
mod rules;
#[cfg(test)]
mod sample;
mod session;
mod source;
mod sps;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod transport;
mod xml;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cli::CheckArgs;
use crate::exit::Exit;
use crate::redact::redacted;
use facts::Facts;
pub(crate) use report::Report;
use source::Source;

/// What keeps a check from being made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("`{0}` is neither a URL nor a file")]
    NotAUrl(String),
    #[error("cannot read `{name}`: {why}")]
    Unreadable { name: String, why: String },
    #[error("`{}` holds no Multivariant Playlist", .0.display())]
    NoPlaylist(PathBuf),
    #[error("`{}` holds several Multivariant Playlists and no `master.m3u8`", .0.display())]
    ManyPlaylists(PathBuf),
    /// `check` has told which.
    #[error("rules are broken")]
    Broken,
    /// `package` and `ship` make what they should not.
    #[error("our own package breaks {0}")]
    OwnBroken(String),
}

impl CheckError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Broken | Self::OwnBroken(_) => Exit::Broken,
            _ => Exit::Input,
        }
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAUrl(_) => Some("give a folder, a .m3u8 file or an http(s) URL"),
            Self::Unreadable { .. } => Some(
                "check the path or the URL; a URL of an edge needs its link: `lectern explain URL`",
            ),
            Self::NoPlaylist(_) | Self::ManyPlaylists(_) => Some("name the .m3u8 file"),
            Self::Broken => None,
            Self::OwnBroken(_) => Some(
                "this is a fault of lectern's: nothing was published; please report it with what the recording is",
            ),
        }
    }
}

pub(crate) async fn run(args: CheckArgs) -> Result<()> {
    let report = of(&args.input, args.follow)
        .await
        .with_context(|| format!("cannot check `{}`", redacted(&args.input)))?;
    if args.json {
        crate::print(&serde_json::to_string(&report).context("cannot write JSON")?)?;
    } else {
        crate::print(report.to_string().trim_end())?;
    }
    match report.is_broken() {
        true => Err(CheckError::Broken.into()),
        false => Ok(()),
    }
}

/// The package in a folder.
pub(crate) async fn package(root: &Path) -> Result<Report, CheckError> {
    of(&root.to_string_lossy(), false).await
}

/// Refuses a package of our own that breaks a rule.
pub(crate) async fn own(root: &Path) -> Result<(), CheckError> {
    let report = package(root).await?;
    match report.is_broken() {
        true => Err(CheckError::OwnBroken(report.broken())),
        false => Ok(()),
    }
}

async fn of(input: &str, follows: bool) -> Result<Report, CheckError> {
    let (source, entry) = Source::open(input, follows)?;
    let facts = Facts::gather(&source, entry).await?;
    Ok(Report::of(&facts))
}
