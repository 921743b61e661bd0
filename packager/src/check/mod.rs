//! `lectern check`: checks a package from any tool against the rules that players rely on, by its
//! bytes.
//!
//! [`facts`] reads every object once, a segment at a time. [`rules`] then examine the facts.

mod codec;
mod dash;
mod download;
mod encryption;
mod facts;
#[cfg(test)]
mod fixture;
mod fmp4;
mod h264_sps;
mod image;
mod package_json;
mod playlist;
pub(crate) mod rendition;
pub(crate) mod report;
mod rules;
mod sample_data;
mod session;
pub(crate) mod session_object;
mod source;
#[cfg(test)]
mod tests;
pub(crate) mod transport;
mod webvtt;
mod xml;

use std::path::{Path, PathBuf};

use anyhow::Result;
use reqwest::Url;

use crate::exit::Exit;
use crate::storage::location::is_private;
use facts::PackageFacts;
pub(crate) use report::CheckReport;
use source::PackageSource;

/// Errors that prevent a check.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("`{0}` is neither a URL nor a file")]
    NotAUrl(String),
    #[error("cannot read `{name}`: {why}")]
    Unreadable { name: String, why: String },
    #[error(
        "`{0}` uses HTTP without TLS: everybody on the network path can read and use the link in the URL"
    )]
    PlainHttp(String),
    #[error("`{}` holds no Multivariant Playlist", .0.display())]
    NoPlaylist(PathBuf),
    #[error("`{}` holds several Multivariant Playlists and no `master.m3u8`", .0.display())]
    ManyPlaylists(PathBuf),
    /// `package` or `ship` made a package that breaks a rule.
    #[error("the packaged output breaks {0}")]
    OwnBroken(String),
}

impl CheckError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::OwnBroken(_) => Exit::Broken,
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
            Self::PlainHttp(_) => {
                Some("use `https://`, or --allow-plain-http on a network of your own")
            }
            Self::NoPlaylist(_) | Self::ManyPlaylists(_) => Some("name the .m3u8 file"),
            Self::OwnBroken(_) => Some(
                "report this fault of lectern with the format of the recording; nothing was published",
            ),
        }
    }
}

/// Refuses a URL that would send a link or a pass in clear.
pub(crate) fn refuse_plain_http(input: &str) -> Result<(), CheckError> {
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

/// Checks the package in a folder.
pub(crate) async fn package(root: &Path) -> Result<CheckReport, CheckError> {
    of(&root.to_string_lossy(), false).await
}

/// Refuses a package that this command made, if it breaks a rule.
pub(crate) async fn own_package(root: &Path) -> Result<(), CheckError> {
    let report = package(root).await?;
    match report.is_broken() {
        true => Err(CheckError::OwnBroken(report.broken())),
        false => Ok(()),
    }
}

pub(crate) async fn of(input: &str, follows: bool) -> Result<CheckReport, CheckError> {
    let (source, entry) = PackageSource::open(input, follows)?;
    let facts = PackageFacts::gather(&source, entry).await?;
    Ok(CheckReport::of(&facts))
}
