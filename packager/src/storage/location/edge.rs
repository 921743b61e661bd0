//! A prefix behind an edge, and the edge in `LECTERN_EDGE`.

use lectern::object::key::{ObjectKey, ObjectKeyError};

use super::{is_origin, resolve};
use crate::redact::redacted_target;
use crate::storage::credentials;
use crate::storage::error::LocationError;
use crate::storage::notation::Notation;

/// Variable with the URL of an edge, which `edge:/path` stands for.
const EDGE_VARIABLE: &str = "LECTERN_EDGE";

/// Objects below a directory of an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EdgeAddress {
    /// `https://edge.example`, without a trailing slash.
    pub(crate) origin: String,
    prefix: ObjectKey,
}

impl EdgeAddress {
    pub(super) fn new(origin: String, prefix: ObjectKey) -> Self {
        Self { origin, prefix }
    }

    /// URL of a folder below the prefix, which is empty or ends in a slash.
    pub(crate) fn directory_url(&self, folder: &str) -> String {
        let key = match folder.trim_end_matches('/') {
            "" => Ok(self.prefix.clone()),
            folder => ObjectKey::new(format!("{}/{folder}", self.prefix)),
        };
        let path = key.map(|key| key.to_url_path()).unwrap_or_default();
        format!("{}{path}/", self.origin)
    }

    /// Directory in the form of an upload link's `path` claim.
    pub(crate) fn directory(&self) -> String {
        format!("/{}/", self.prefix)
    }

    /// URL of an object below the prefix.
    pub(crate) fn url(&self, path: &str) -> Result<String, ObjectKeyError> {
        let key = ObjectKey::new(format!("{}/{path}", self.prefix))?;
        Ok(format!("{}{}", self.origin, key.to_url_path()))
    }
}

/// The value of [`EDGE_VARIABLE`].
pub(super) fn variable() -> Option<String> {
    credentials::variable(EDGE_VARIABLE)
}

/// URL of an object at an edge: a URL, `edge:/path`, or `/path` below the URL in `LECTERN_EDGE`.
pub(crate) fn edge_url(text: &str) -> Result<String, LocationError> {
    match Notation::read(text) {
        Notation::Path(_) if text.starts_with('/') => at_edge(variable().as_deref(), text),
        _ => resolve(text),
    }
}

/// The edge in `LECTERN_EDGE`, without a trailing slash; `None` if it is not set.
pub(crate) fn edge_origin() -> Result<Option<String>, LocationError> {
    variable().map(|edge| at_edge(Some(&edge), "")).transpose()
}

/// Writes out a path at an edge with its URL.
pub(super) fn at_edge(edge: Option<&str>, path: &str) -> Result<String, LocationError> {
    let edge = edge.ok_or_else(|| LocationError::NoEdge(redacted_target(path)))?;
    match is_origin(edge) {
        true => Ok(format!("{}{path}", edge.trim_end_matches('/'))),
        false => Err(LocationError::BadEdge(edge.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_at_the_edge_follows_the_url_of_the_variable() {
        for (edge, expected) in [
            (
                Some("https://video.example.org"),
                "https://video.example.org/demo/x/",
            ),
            (
                Some("http://localhost:8787/"),
                "http://localhost:8787/demo/x/",
            ),
            (
                None,
                "LECTERN_EDGE is not set, and `edge:/demo/x/` is a path at that edge",
            ),
            (
                Some("localhost:8787"),
                "`localhost:8787` in LECTERN_EDGE is not a URL such as `https://video.example.org`",
            ),
            (
                Some("https://u:SECRET@h/?a"),
                "`https://…@h/?…` in LECTERN_EDGE is not a URL such as `https://video.example.org`",
            ),
            (
                Some("https://h/below"),
                "`https://h/below` in LECTERN_EDGE is not a URL such as `https://video.example.org`",
            ),
        ] {
            let found = at_edge(edge, "/demo/x/").unwrap_or_else(|error| error.to_string());
            assert_eq!(found, expected, "{edge:?}");
        }
    }
}
