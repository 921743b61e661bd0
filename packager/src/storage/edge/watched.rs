//! The edge's lists of what viewers watched.

use anyhow::Result;
use lectern::credential::claims::Purpose;
use lectern::operation::watched::WATCHED_FOLDER;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::client::EdgeClient;
use super::wire::{parse_body, percent_encode};
use crate::storage::error::{LocationError, StorageError};
use crate::storage::location::{EdgeAddress, Location, ReachArgs};

/// A lecture of a viewer, or a viewer of a lecture.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WatchedEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) viewer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lecture: Option<String>,
    pub(crate) percent: u32,
    pub(crate) position: u32,
    pub(crate) duration: u32,
    pub(crate) completed_at: Option<u64>,
    pub(crate) last_seen: u64,
}

/// A page of a list: the viewers of a lecture, or the lectures of a viewer.
#[derive(Deserialize)]
struct WatchedPage {
    #[serde(alias = "viewers", alias = "lectures")]
    entries: Vec<WatchedEntry>,
    truncated: bool,
}

/// Counts of what the edge removed of a viewer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ForgottenViewer {
    pub(crate) lectures: usize,
    pub(crate) players: usize,
    /// Rows of lectures' lists that the edge still removes.
    pub(crate) pending: usize,
}

/// The watch data of an edge.
pub(crate) struct WatchData {
    origin: String,
    client: EdgeClient,
}

impl WatchData {
    pub(crate) fn open(origin: &str, reach: &ReachArgs) -> Result<Self> {
        let own = format!("{origin}{}", WATCHED_FOLDER.trim_end_matches('/'));
        let Location::Edge(address) = Location::parse(&own, reach)? else {
            return Err(LocationError::NotAUrl(origin.to_owned()).into());
        };
        Ok(Self {
            client: EdgeClient::open(&address)?,
            origin: address.origin,
        })
    }

    /// Every lecture of a viewer.
    pub(crate) async fn lectures(&self, viewer: &str) -> Result<Vec<WatchedEntry>> {
        let path = format!("{WATCHED_FOLDER}viewers/{}", percent_encode(viewer));
        let page: WatchedPage = self.ask(Method::GET, &path).await?;
        Ok(page.entries)
    }

    /// Every viewer of a lecture.
    pub(crate) async fn viewers(&self, lecture: &EdgeAddress) -> Result<Vec<WatchedEntry>> {
        let url = lecture.directory_url("");
        let lecture = url.strip_prefix(&lecture.origin).unwrap_or_default();
        let path = format!("{WATCHED_FOLDER}lectures{lecture}");
        let mut entries: Vec<WatchedEntry> = Vec::new();
        loop {
            let last = entries.last().and_then(|entry| entry.viewer.as_deref());
            let after = last.map(|last| format!("?after={}", percent_encode(last)));
            let url = format!("{path}{}", after.unwrap_or_default());
            let page: WatchedPage = self.ask(Method::GET, &url).await?;
            let is_last = !page.truncated || page.entries.is_empty();
            entries.extend(page.entries);
            if is_last {
                return Ok(entries);
            }
        }
    }

    /// Forgets a viewer.
    pub(crate) async fn forget(&self, viewer: &str) -> Result<ForgottenViewer> {
        let path = format!("{WATCHED_FOLDER}viewers/{}", percent_encode(viewer));
        self.ask(Method::DELETE, &path).await
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&self, method: Method, path: &str) -> Result<T> {
        let url = format!("{}{path}", self.origin);
        let sent = self.client.send(path, Purpose::Admin, async || {
            Ok::<_, StorageError>(self.client.request(method.clone(), &url))
        });
        Ok(parse_body(&sent.await?.body, path)?)
    }
}
