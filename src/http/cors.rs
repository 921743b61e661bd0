//! Pages that may read answers (Fetch standard, CORS protocol). Every answer has these headers,
//! refusals included: without them a player cannot tell an expired link from a dead network.

use serde::Serialize;

use crate::text::split_once;

/// The methods that the edge supports.
pub const METHODS: &str = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

/// Response headers that players and uploaders read, beyond the safelisted ones.
const EXPOSED: &str = "Accept-Ranges, Content-Length, Content-Range, Date, ETag, Lectern-Position, \
     Lectern-Session, Server-Timing";

/// Request headers that players and uploaders send, beyond the safelisted ones.
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range, \
     If-Unmodified-Since, Lectern-Embedder, Range";

/// The longest list of requested headers that is read.
const MAX_REQUESTED_BYTES: usize = 1024;

/// Beginnings of request headers that the edge, or a server before it, acts on.
const INTERPRETED_PREFIXES: [&str; 21] = [
    "access-control-",
    "cdn-loop",
    "cf-",
    "client-ip",
    "content-",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "origin",
    "proxy-",
    "sec-",
    "set-cookie",
    "true-client-ip",
    "x-client-ip",
    "x-forwarded-",
    "x-http-method",
    "x-method",
    "x-original-",
    "x-real-ip",
    "x-rewrite-",
];

/// `ALLOWED_ORIGINS`: any origin, or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    Any,
    List(Vec<OriginPattern>),
}

/// `https://school.example`, or `https://*.school.example` for every host below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct OriginPattern {
    scheme: String,
    /// Host and port; with a leading dot where the pattern has a wildcard.
    host: String,
}

impl OriginPattern {
    /// Parses a pattern. Returns `None` without a scheme, with a path, or with a wildcard inside
    /// the host.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, host) = split_once(text, "://")?;
        let host = match host.strip_prefix('*') {
            Some(rest) if rest.starts_with('.') => rest,
            Some(_) => return None,
            None => host,
        };
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]+".contains(&byte))
        };
        (plain(scheme) && plain(host)).then(|| Self {
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_ascii_lowercase(),
        })
    }

    /// Returns whether an `Origin` header matches. Browsers send it in lower case.
    #[must_use]
    pub fn matches(&self, origin: &str) -> bool {
        let Some((scheme, host)) = split_once(origin, "://") else {
            return false;
        };
        let host_matches = if self.host.starts_with('.') {
            host.len() > self.host.len() && host.ends_with(&self.host)
        } else {
            host == self.host
        };
        scheme == self.scheme && host_matches
    }
}

impl From<OriginPattern> for String {
    fn from(OriginPattern { scheme, host }: OriginPattern) -> Self {
        let wildcard = if host.starts_with('.') { "*" } else { "" };
        format!("{scheme}://{wildcard}{host}")
    }
}

impl AllowedOrigins {
    /// Parses a comma-separated list; `*` is any origin.
    ///
    /// # Errors
    /// The first invalid entry.
    pub fn parse(list: &str) -> Result<Self, String> {
        let entries: Vec<&str> = list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .collect();
        if entries == ["*"] {
            return Ok(Self::Any);
        }
        let patterns = entries
            .into_iter()
            .map(|entry| OriginPattern::parse(entry).ok_or_else(|| entry.to_owned()))
            .collect::<Result<_, _>>()?;
        Ok(Self::List(patterns))
    }

    /// Returns whether the list has this `Origin`.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(patterns) => patterns.iter().any(|pattern| pattern.matches(origin)),
        }
    }

    /// The CORS headers of the answer to a request with this `Origin`.
    #[must_use]
    pub fn headers(&self, origin: Option<&str>) -> Vec<(&'static str, String)> {
        let allowed = match (self, origin) {
            (Self::Any, _) => "*",
            (_, Some(origin)) if self.allows(origin) => origin,
            _ => return vec![("Vary", "Origin".to_owned())],
        };
        let mut headers = vec![
            ("Access-Control-Allow-Origin", allowed.to_owned()),
            ("Access-Control-Expose-Headers", EXPOSED.to_owned()),
            ("Timing-Allow-Origin", allowed.to_owned()),
        ];
        if *self != Self::Any {
            headers.push(("Vary", "Origin".to_owned()));
        }
        headers
    }
}

/// The additional headers of the answer to a preflight with this
/// `Access-Control-Request-Headers`.
#[must_use]
pub fn preflight_headers(requested: Option<&str>) -> Vec<(&'static str, String)> {
    vec![
        ("Access-Control-Allow-Methods", METHODS.to_owned()),
        ("Access-Control-Allow-Headers", allowed_headers(requested)),
        // Browsers limit the age: Chromium to two hours.
        ("Access-Control-Max-Age", "7200".to_owned()),
        ("Allow", METHODS.to_owned()),
    ]
}

/// [`ALLOWED_HEADERS`], and the requested headers that the edge ignores. A browser fails a request
/// if one of its headers is missing here, such as a player's CMCD or a monitor's `baggage`.
fn allowed_headers(requested: Option<&str>) -> String {
    let mut allowed = ALLOWED_HEADERS.to_owned();
    let requested = requested.filter(|list| list.len() <= MAX_REQUESTED_BYTES);
    for name in requested.unwrap_or_default().split(',') {
        let name = name.trim_ascii();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_allowed = |known: &str| known.trim_ascii().eq_ignore_ascii_case(name);
        if !name.is_empty()
            && name.bytes().all(is_plain)
            && !is_interpreted(name)
            && !allowed.split(',').any(is_allowed)
        {
            allowed.push_str(", ");
            allowed.push_str(name);
        }
    }
    allowed
}

/// Returns whether the edge, or a server before it, acts on a request header: credentials, the
/// client's address, or another method or path than the browser's. Some servers read `_` as `-`.
fn is_interpreted(name: &str) -> bool {
    let is_same = |(byte, known): (u8, u8)| match byte {
        b'_' => known == b'-',
        byte => known == byte.to_ascii_lowercase(),
    };
    let begins_with =
        |prefix: &str| name.len() >= prefix.len() && name.bytes().zip(prefix.bytes()).all(is_same);
    INTERPRETED_PREFIXES.into_iter().any(begins_with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_allows_the_requested_headers_that_the_edge_ignores() {
        let long = vec!["cmcd-object"; 100].join(",");
        for (requested, expected) in [
            ("", ""),
            ("range", ""),
            ("RANGE, if-none-match,authorization", ""),
            (
                "baggage,cmcd-object,cmcd-request,cmcd-session,cmcd-status,range,sentry-trace",
                ", baggage, cmcd-object, cmcd-request, cmcd-session, cmcd-status, sentry-trace",
            ),
            (
                "CMCD-Status , traceparent,,tracestate, x_id,",
                ", CMCD-Status, traceparent, tracestate, x_id",
            ),
            ("x-a,X-A,x-a", ", x-a"),
            // Those that a server may act on.
            ("cookie,cookie2,set-cookie", ""),
            ("x-forwarded-for,forwarded,x-real-ip,true-client-ip", ""),
            ("cf-connecting-ip,cf-ipcountry", ""),
            ("x-http-method-override,x-method-override", ""),
            ("x_forwarded_for,X_HTTP_Method_Override", ""),
            ("x-original-url,x-rewrite-url,client-ip,cdn-loop", ""),
            ("proxy-authorization,sec-fetch-dest,host,origin", ""),
            // Names that no browser sends.
            ("baggage,a b", ", baggage"),
            ("baggage,a:b", ", baggage"),
            ("baggage,*", ", baggage"),
            ("baggage,a\r\nx: y", ", baggage"),
            ("baggage,é", ", baggage"),
            (&long, ""),
        ] {
            let headers = preflight_headers(Some(requested));
            let allowed = headers
                .iter()
                .find(|(name, _)| *name == "Access-Control-Allow-Headers")
                .map(|(_, value)| value.strip_prefix(ALLOWED_HEADERS).expect("the usual ones"));
            assert_eq!(allowed, Some(expected), "{requested:?}");
        }
        assert_eq!(allowed_headers(None), ALLOWED_HEADERS);
    }

    #[test]
    fn an_origin_is_allowed_as_a_whole() {
        for (list, origin, expected) in [
            ("*", "https://a.example", Some("*")),
            (
                "https://a.example",
                "https://a.example",
                Some("https://a.example"),
            ),
            ("https://a.example", "http://a.example", None),
            ("https://a.example", "https://a.example:8443", None),
            ("https://a.example", "https://a.example.evil", None),
            ("https://a.example", "null", None),
            (
                "https://*.example.org",
                "https://x.y.example.org",
                Some("https://x.y.example.org"),
            ),
            ("https://*.example.org", "https://example.org", None),
            ("https://*.example.org", "https://evilexample.org", None),
            (
                "http://localhost:3000, https://b.example",
                "http://localhost:3000",
                Some("http://localhost:3000"),
            ),
            ("", "https://a.example", None),
        ] {
            let allowed = AllowedOrigins::parse(list).expect(list);
            let headers = allowed.headers(Some(origin));
            let found = headers
                .iter()
                .find(|(name, _)| *name == "Access-Control-Allow-Origin")
                .map(|(_, value)| value.as_str());
            assert_eq!(found, expected, "{list} {origin}");
        }
    }

    #[test]
    fn an_entry_that_is_not_an_origin_is_refused() {
        for entry in [
            "a.example",
            "https://",
            "https://a/b",
            "https://a.*",
            "https://*",
            "https://a b",
            "*,https://a",
        ] {
            assert!(AllowedOrigins::parse(entry).is_err(), "{entry}");
        }
    }
}
