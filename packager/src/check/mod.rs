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
use reqwest::Url;

use crate::cli::CheckArgs;
use crate::exit::Exit;
use crate::publish::is_private;
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
    #[error(
        "`{0}` is reached over HTTP without TLS, where everybody on the way can read and use the link in the URL"
    )]
    PlainHttp(String),
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
            Self::PlainHttp(_) => Exit::Usage,
            _ => Exit::Input,
        }
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAUrl(_) => Some("give a folder, a .m3u8 file or an http(s) URL"),
            Self::Unreadable { .. } => Some(
                "check the path or the URL; a URL of an edge needs its link: `lectern explain URL`",
            ),
            Self::PlainHttp(_) => Some(
                "use `https://`; where the way to it is your own, --allow-plain-http sends the link all the same",
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
    // Without the query, which may hold a link.
    let name = args.input.split('?').next().unwrap_or_default();
    let checking = || format!("cannot check `{name}`");
    if !args.allow_plain_http {
        refuse_plain_http(&args.input).with_context(checking)?;
    }
    let report = of(&args.input, args.follow).await.with_context(checking)?;
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

/// Refuses a URL that would send a link or a pass in clear.
fn refuse_plain_http(input: &str) -> Result<(), CheckError> {
    let Ok(url) = Url::parse(input) else {
        return Ok(());
    };
    let mut parameters = url.query_pairs();
    let has_credential = url.path().starts_with("/~")
        || !url.username().is_empty()
        || parameters.any(|(name, _)| matches!(&*name, "token" | "p"));
    if url.scheme() == "http" && has_credential && !is_private(&url) {
        return Err(CheckError::PlainHttp(url.origin().ascii_serialization()));
    }
    Ok(())
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
