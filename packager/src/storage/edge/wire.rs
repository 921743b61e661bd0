//! Messages between edge and packager.

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};

use crate::storage::error::StorageError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedUpload {
    pub(super) upload_id: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompletedPart {
    pub(super) part_number: u32,
    pub(super) etag: String,
}

#[derive(Serialize)]
pub(super) struct CompletedUpload {
    pub(super) parts: Vec<CompletedPart>,
}

/// A page of `?as=list`.
#[derive(Deserialize)]
pub(super) struct ListAnswer {
    pub(super) objects: Vec<ListedObject>,
    pub(super) truncated: bool,
}

#[derive(Deserialize)]
pub(super) struct ListedObject {
    pub(super) key: String,
    pub(super) bytes: u64,
    /// Milliseconds since 1970.
    pub(super) uploaded: i64,
}

pub(super) fn parse_body<T: for<'de> Deserialize<'de>>(
    body: &[u8],
    path: &str,
) -> Result<T, StorageError> {
    serde_json::from_slice(body).map_err(|error| StorageError::Refused {
        path: path.to_owned(),
        status: 200,
        problem: format!("the response is not from an edge ({error})"),
    })
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.1).
pub(super) fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The token of `https://…?token=…`, or a bare one.
pub(super) fn token(link: &str) -> Option<&str> {
    let link = link.trim();
    let token = match link.split_once("token=") {
        Some((_, rest)) => rest.split(['&', '#']).next().unwrap_or(rest),
        None => link,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (token.split('.').count() == 3 && token.bytes().all(is_plain)).then_some(token)
}

/// RFC 9457.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ProblemBody {
    pub(super) code: String,
    title: String,
    detail: String,
}

impl ProblemBody {
    pub(super) fn parse(body: &[u8], status: StatusCode) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|_| Self {
            title: status.canonical_reason().unwrap_or("no reason").to_owned(),
            ..Self::default()
        })
    }
}

impl std::fmt::Display for ProblemBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut is_first = true;
        for text in [&self.code, &self.title, &self.detail] {
            if text.is_empty() {
                continue;
            }
            let shown: String = text
                .chars()
                .filter(|character| !character.is_control())
                .take(300)
                .collect();
            write!(f, "{}{shown}", if is_first { "" } else { ": " })?;
            is_first = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_handed_over_as_a_url_or_bare() {
        for (link, expected) in [
            ("https://h/a/?token=a.b-c.d_e", Some("a.b-c.d_e")),
            ("https://h/a/?x=1&token=a.b.c&y=2", Some("a.b.c")),
            (" a.b.c\n", Some("a.b.c")),
            ("https://h/a/", None),
            ("a.b", None),
            ("a.b.c\r\nx: y", None),
        ] {
            assert_eq!(token(link), expected, "{link}");
        }
    }

    #[test]
    fn a_refusal_is_shown_as_the_edge_explains_it() {
        let body = br#"{"type":"about:blank","code":"forbidden","title":"This link opens nothing here","status":403}"#;
        let shown = |body: &[u8]| ProblemBody::parse(body, StatusCode::FORBIDDEN).to_string();
        assert_eq!(shown(body), "forbidden: This link opens nothing here");
        assert_eq!(shown(b"<html>"), "Forbidden");
    }
}
