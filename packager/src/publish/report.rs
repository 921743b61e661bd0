//! Reports a lecture that plays: its URL, and a link that opens it.

use std::time::Duration;

use lectern::credential::link::mint;
use lectern::sdk::{Options, link_claims, with_token};
use serde::Serialize;

use crate::clock;
use crate::package::manifest_json::Package;
use crate::package::summary::PackageSummary;
use crate::progress::Progress;
use crate::storage::Store;
use crate::storage::keys::keyring;
use crate::storage::location::edge_origin;

/// Time for which a printed link opens.
const LIFETIME: Duration = Duration::from_secs(6 * 3600);
/// Hours of [`LIFETIME`].
const HOURS: u64 = LIFETIME.as_secs() / 3600;

/// A link that plays a lecture, and the edge's page with its player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WatchLinks {
    pub(crate) link: String,
    pub(crate) page: String,
}

/// Links to a lecture, or what a user has to set to get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Watch {
    Links(WatchLinks),
    Missing(&'static str),
    /// Folders need no link, and a worker's log gets none.
    None,
}

/// A lecture that plays, as `--json` prints it.
#[derive(Serialize)]
struct PlayingLecture<'a> {
    url: String,
    #[serde(flatten)]
    summary: Option<&'a PackageSummary>,
    #[serde(flatten)]
    links: Option<&'a WatchLinks>,
}

impl Watch {
    /// Mints links to a target's lecture, with the keys that wrote it.
    pub(crate) fn of(target: &Store) -> Self {
        let url = match target {
            Store::Folder(_) => return Self::None,
            Store::Edge(edge) if !edge.has_keys() => None,
            Store::Edge(_) => Some(target.master()),
            Store::Bucket(bucket) => match edge_origin() {
                Ok(Some(origin)) => Some(format!("{origin}{}", bucket.master_path())),
                _ => return Self::Missing("set LECTERN_EDGE and LECTERN_KEYS to get a link"),
            },
        };
        let links = url.and_then(|url| Self::links(&url, clock::unix(clock::now())));
        match links {
            Some(links) => Self::Links(links),
            None => Self::Missing("set LECTERN_KEYS to get a link"),
        }
    }

    fn links(url: &str, now: u64) -> Option<WatchLinks> {
        let options = Options {
            expires_in: Some(LIFETIME.as_secs()),
            ..Options::default()
        };
        let claims = link_claims(url, &options, now).ok()?;
        let token = mint(keyring().ok()?.minting(), &claims);
        let link = with_token(url, &token).ok()?;
        let page = player_page(&link)?;
        Some(WatchLinks { link, page })
    }

    fn as_links(&self) -> Option<&WatchLinks> {
        match self {
            Self::Links(links) => Some(links),
            Self::Missing(_) | Self::None => None,
        }
    }

    /// The link, else the URL without one.
    pub(crate) fn url(&self, target: &Store) -> String {
        let link = self.as_links().map(|links| links.link.clone());
        link.unwrap_or_else(|| target.master())
    }

    /// Says where the lecture plays, or what is missing.
    fn note(&self, progress: Progress) {
        match self {
            Self::Links(links) => {
                progress.note(format_args!("plays for {HOURS} hours at {}", links.page));
            }
            Self::Missing(what) => {
                progress.note(format_args!("viewers need a link: {what} here"));
            }
            Self::None => {}
        }
    }
}

/// The edge's page that plays a link. The link is in the fragment, which browsers do not send.
fn player_page(link: &str) -> Option<String> {
    let (scheme, rest) = link.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    Some(format!("{scheme}://{host}/_lectern/play#/{path}"))
}

/// Prints the result of `ship`: the link if there is one, and the page that plays it.
pub(crate) fn shipped(
    progress: Progress,
    target: &Store,
    summary: Option<&PackageSummary>,
    watch: &Watch,
) {
    let line = watch.url(target);
    print(progress, target, summary, watch, &line);
}

/// Prints the result of `publish`: the URL, and the page that plays it.
pub(crate) fn published(progress: Progress, target: &Store, package: &Package) {
    let summary = PackageSummary::new(package, |path| target.display_name(path));
    let watch = Watch::of(target);
    print(progress, target, Some(&summary), &watch, &target.master());
}

fn print(
    progress: Progress,
    target: &Store,
    summary: Option<&PackageSummary>,
    watch: &Watch,
    line: &str,
) {
    let facts = PlayingLecture {
        url: target.master(),
        summary,
        links: watch.as_links(),
    };
    progress.result(line, &facts);
    // In JSON, the result is the last event and has the links.
    if !progress.is_json() {
        watch.note(progress);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_at_the_edge_and_has_the_link_in_its_fragment() {
        for (link, expected) in [
            (
                "https://h:8443/c/l/master.m3u8?token=t",
                Some("https://h:8443/_lectern/play#/c/l/master.m3u8?token=t"),
            ),
            ("https://h", None),
            ("/c/master.m3u8", None),
        ] {
            assert_eq!(player_page(link).as_deref(), expected, "{link}");
        }
    }
}
