//! The edge's list of revocations.

use anyhow::Result;
use lectern::credential::claims::Purpose;
use lectern::operation::revocations::REVOCATIONS;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::client::EdgeClient;
use super::wire::{parse_body, percent_encode};
use crate::storage::error::LocationError;
use crate::storage::error::StorageError;
use crate::storage::location::{Location, ReachArgs};

/// A change of the list, or a look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListChange<'target> {
    None,
    /// Kind and name of the target, and the last second of the revocation.
    Add(&'static str, &'target str, Option<u64>),
    Remove(&'static str, &'target str),
}

/// A revocation in force.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RevocationEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) viewer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    pub(crate) until: u64,
    pub(crate) since: u64,
}

#[derive(Deserialize)]
struct RevocationList {
    revocations: Vec<RevocationEntry>,
}

/// Changes the list of the edge at `origin`, and returns it.
pub(crate) async fn revocations(
    origin: &str,
    reach: &ReachArgs,
    change: ListChange<'_>,
) -> Result<Vec<RevocationEntry>> {
    let Location::Edge(address) = Location::parse(&format!("{origin}/_lectern/"), reach)? else {
        return Err(LocationError::NotAUrl(origin.to_owned()).into());
    };
    let client = EdgeClient::open(&address)?;
    let (method, query) = change.request();
    let url = format!("{}{REVOCATIONS}{query}", address.origin);
    let response = client.send(REVOCATIONS, Purpose::Admin, async || {
        Ok::<_, StorageError>(client.request(method.clone(), &url))
    });
    let list: RevocationList = parse_body(&response.await?.body, REVOCATIONS)?;
    Ok(list.revocations)
}

impl ListChange<'_> {
    /// Method and query of the request.
    fn request(&self) -> (Method, String) {
        match self {
            Self::None => (Method::GET, String::new()),
            Self::Add(kind, name, until) => {
                let until = until.map(|until| format!("&until={until}"));
                let until = until.unwrap_or_default();
                (
                    Method::POST,
                    format!("?{kind}={}{until}", percent_encode(name)),
                )
            }
            Self::Remove(kind, name) => {
                (Method::DELETE, format!("?{kind}={}", percent_encode(name)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_percent_encoded_once() {
        let change = ListChange::Add("viewer", "s&4 2/é", Some(7));
        let expected = "?viewer=s%264%202%2F%C3%A9&until=7".to_owned();
        assert_eq!(change.request(), (Method::POST, expected));
        let change = ListChange::Remove("path", "/a/");
        assert_eq!(
            change.request(),
            (Method::DELETE, "?path=%2Fa%2F".to_owned())
        );
    }
}
