//! How people write a place: a URL, a path of this machine, or a path at the edge. Pure.

use std::path::Path;

use crate::redact::redacted_target;

/// Prefix of a path at the edge that `LECTERN_EDGE` names.
const EDGE: &str = "edge:";
/// Schemes that Lectern reads, with or without the `//` behind them.
const SCHEMES: [&str; 5] = ["r2:", "s3:", "file:", "http:", "https:"];

/// The notation of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notation<'a> {
    /// A text with a scheme.
    Url(&'a str),
    /// A path at the edge, with its leading slash.
    Edge(String),
    /// A path of this machine.
    Path(&'a Path),
    /// A host without a scheme.
    Host(Suggestion),
}

/// Notations that a host without a scheme may stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suggestion {
    pub(crate) text: String,
    pub(crate) url: String,
    /// The same text as a path of this machine; `None` if it has a port or a user.
    pub(crate) path: Option<String>,
}

impl<'a> Notation<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        if let Some(path) = text.strip_prefix(EDGE) {
            return Self::Edge(format!("/{}", path.trim_start_matches('/')));
        }
        if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) || has_scheme(text) {
            return Self::Url(text);
        }
        match Suggestion::of(text) {
            Some(suggestion) => Self::Host(suggestion),
            None => Self::Path(Path::new(text)),
        }
    }
}

impl Suggestion {
    /// A suggestion for a text that begins with a host.
    fn of(text: &str) -> Option<Self> {
        let host = text.split(['/', '?', '#']).next().unwrap_or_default();
        if host.is_empty() || host.starts_with('.') {
            return None;
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| {
            !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit())
        });
        let has_user = host.contains('@');
        if !has_port && !has_user && !host.contains('.') && host != "localhost" {
            return None;
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let is_local = name == "localhost" || name.starts_with("127.") || name == "[::1]";
        let scheme = if is_local { "http" } else { "https" };
        let shown = redacted_target(text);
        let is_plain = !has_port && !has_user;
        Some(Self {
            url: format!("{scheme}://{shown}"),
            path: is_plain.then(|| format!("./{shown}")),
            text: shown,
        })
    }
}

/// Any scheme of RFC 3986 §3.1 with an authority.
fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_url_a_path_here_or_a_path_at_the_edge() {
        for (text, expected) in [
            ("https://edge.example/a", "url"),
            ("r2://bucket/a", "url"),
            ("ftp://host/a", "url"),
            ("file:relative", "url"),
            ("https:?token=x", "url"),
            ("edge:/demo/x", "edge /demo/x"),
            ("edge:demo/x/", "edge /demo/x/"),
            ("edge://demo/x", "edge /demo/x"),
            ("edge:", "edge /"),
            ("/srv/www/x", "path"),
            ("./localhost:8787/x", "path"),
            ("../out", "path"),
            (".", "path"),
            (".hidden/x", "path"),
            ("out", "path"),
            ("out/intro", "path"),
            ("my lectures/a.b", "path"),
            ("out/a?b=c", "path"),
            ("C:out", "path"),
            ("a:b/c", "path"),
            ("localhost:8787/x", "http://localhost:8787/x"),
            ("localhost/x", "http://localhost/x or ./localhost/x"),
            ("127.0.0.1:8787/x/", "http://127.0.0.1:8787/x/"),
            ("[::1]:8787/x", "http://[::1]:8787/x"),
            ("edge:8787/x", "edge /8787/x"),
            ("video:8787/x", "https://video:8787/x"),
            (
                "video.example.org/x",
                "https://video.example.org/x or ./video.example.org/x",
            ),
            (
                "video.example.org:8443/x",
                "https://video.example.org:8443/x",
            ),
            ("u:SECRET@h/a", "https://…@h/a"),
            (
                "h.example/a?token=SECRET",
                "https://h.example/a?… or ./h.example/a?…",
            ),
        ] {
            let found = match Notation::read(text) {
                Notation::Url(url) => {
                    assert_eq!(url, text);
                    "url".to_owned()
                }
                Notation::Edge(path) => format!("edge {path}"),
                Notation::Path(path) => {
                    assert_eq!(path, Path::new(text));
                    "path".to_owned()
                }
                Notation::Host(Suggestion { url, path, .. }) => {
                    let path = path.map(|path| format!(" or {path}"));
                    format!("{url}{}", path.unwrap_or_default())
                }
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
