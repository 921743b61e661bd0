//! Parses a target: a folder, a prefix of a bucket, or one behind an edge. Pure except for the
//! environment: variables of S3, `LECTERN_EDGE`, and the working folder.

mod bucket;
mod edge;

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use lectern::object::key::ObjectKey;
use lectern::request::split_url;
use reqwest::Url;

use super::error::{LocationError, StorageError};
use super::notation::{Notation, Suggestion};
pub(crate) use bucket::BucketAddress;
pub(crate) use edge::{EdgeAddress, edge_origin, edge_url};

/// A parsed target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    Folder(PathBuf),
    Bucket(BucketAddress),
    Edge(EdgeAddress),
}

impl Location {
    pub(crate) fn parse(text: &str, reach: &ReachArgs) -> Result<Self, StorageError> {
        let endpoint = reach.endpoint.as_deref();
        if let Notation::Path(path) = read(text) {
            if endpoint.is_some() {
                return Err(LocationError::Endpoint.into());
            }
            let folder = std::path::absolute(path);
            let folder = folder.map_err(|_| LocationError::NotAUrl(text.to_owned()))?;
            return Ok(Self::Folder(folder));
        }
        let text = &*resolve(text)?;
        let url = Url::parse(text).map_err(|_| LocationError::NotAUrl(text.to_owned()))?;
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(LocationError::Decorated.into());
        }
        if endpoint.is_some() && !matches!(url.scheme(), "r2" | "s3") {
            return Err(LocationError::Endpoint.into());
        }
        let prefix = || {
            // As written: a parser of URLs resolves `..` and `%2e%2e`, and would name another folder.
            let path = split_url(text).map_or("/", |(_, path, _)| path);
            let path = path.trim_end_matches('/');
            if path.is_empty() {
                return Err(LocationError::NoPrefix);
            }
            ObjectKey::from_url_path(path).map_err(|source| LocationError::BadPrefix {
                target: text.to_owned(),
                source,
            })
        };
        match url.scheme() {
            "file" => {
                let is_absolute = text.starts_with("file:///") && url.path().len() > 1;
                url.to_file_path()
                    .ok()
                    .filter(|_| is_absolute)
                    .map(Self::Folder)
                    .ok_or_else(|| LocationError::NotAFolder(text.to_owned()).into())
            }
            scheme @ ("r2" | "s3") => {
                let bucket = url.host_str().unwrap_or_default().to_owned();
                if bucket.is_empty() || url.port().is_some() {
                    return Err(LocationError::NotAUrl(text.to_owned()).into());
                }
                let prefix = prefix()?;
                Ok(Self::Bucket(if scheme == "r2" {
                    BucketAddress::r2(bucket, prefix, endpoint)?
                } else {
                    BucketAddress::s3(bucket, prefix, endpoint)?
                }))
            }
            "http" | "https" => {
                let origin = url.origin().ascii_serialization();
                let prefix = prefix()?;
                if !is_private(&url) && !reach.allow_plain_http {
                    return Err(LocationError::PlainHttp(origin).into());
                }
                Ok(Self::Edge(EdgeAddress::new(origin, prefix)))
            }
            other => Err(LocationError::UnknownScheme(other.to_owned()).into()),
        }
    }
}

/// The notation of a text. A name that a file has is that file's, even if it looks like a host.
fn read(text: &str) -> Notation<'_> {
    match Notation::read(text) {
        Notation::Host(Suggestion { path: Some(_), .. }) if Path::new(text).exists() => {
            Notation::Path(Path::new(text))
        }
        notation => notation,
    }
}

/// Writes out `edge:/path` with the URL in `LECTERN_EDGE`. Other notations stay as they are.
///
/// # Errors
/// Fails for a host without a scheme.
pub(crate) fn resolve(text: &str) -> Result<String, LocationError> {
    match read(text) {
        Notation::Edge(path) => edge::at_edge(edge::variable().as_deref(), &path),
        Notation::Host(suggestion) => Err(LocationError::NoScheme(suggestion)),
        Notation::Url(_) | Notation::Path(_) => Ok(text.to_owned()),
    }
}

/// Folder and name of the object that a target names. Returns `None` if the target ends in a slash,
/// or lies in no folder that a link can open.
pub(crate) fn object_name(text: &str) -> Result<Option<(String, String)>, LocationError> {
    if let Notation::Path(path) = read(text) {
        let path = std::path::absolute(path);
        let path = path.map_err(|_| LocationError::NotAUrl(text.to_owned()))?;
        let text = |part: Option<&OsStr>| Some(part?.to_str()?.to_owned());
        let names = text(path.parent().map(Path::as_os_str)).zip(text(path.file_name()));
        return Ok(names.filter(|_| !ends_in_slash(&path)));
    }
    let url = resolve(text)?;
    let Some((folder, name)) = url.rsplit_once('/').filter(|(_, name)| !name.is_empty()) else {
        return Ok(None);
    };
    let is_folder = folder
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('/').nth(1).is_some());
    if !is_folder {
        return Ok(None);
    }
    let key = ObjectKey::from_url_path(&format!("/{name}"));
    let key = key.map_err(|source| LocationError::BadPrefix {
        target: url.clone(),
        source,
    })?;
    Ok(Some((folder.to_owned(), key.as_str().to_owned())))
}

fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// Private connections: TLS, or this machine.
pub(crate) fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = (address.parse::<IpAddr>()).is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || host == "localhost" || is_loopback
}

/// `https://host`, with a port and a trailing slash at most.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

/// Connection options for a bucket or an edge.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReachArgs {
    /// Endpoint of the bucket's S3 API, for `r2://` [default: R2_ACCOUNT_ID's] and `s3://`
    /// [default: AWS_ENDPOINT_URL, else Amazon's].
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Send links to another machine over HTTP without TLS, where everybody on the network path can
    /// read and use them.
    #[arg(long)]
    pub(crate) allow_plain_http: bool,
}

impl ReachArgs {
    /// The same options without an endpoint.
    pub(crate) fn without_endpoint(&self) -> Self {
        Self {
            endpoint: None,
            ..self.clone()
        }
    }

    /// Options for this location: an endpoint is for buckets only.
    pub(crate) fn of(&self, place: &str) -> Self {
        match is_bucket(place) {
            true => self.clone(),
            false => self.without_endpoint(),
        }
    }
}

pub(crate) fn is_bucket(place: &str) -> bool {
    place.starts_with("r2:") || place.starts_with("s3:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_folders_and_prefixes_of_edges() {
        for (text, expected) in [
            ("file:///srv/my%20lectures", "folder /srv/my lectures"),
            (
                "http://localhost:8787/c/1/",
                "/c/1/ http://localhost:8787/c/1/v/a%20b",
            ),
            (
                "https://edge.example/c%C3%A9",
                "/cé/ https://edge.example/c%C3%A9/v/a%20b",
            ),
            (
                "file://srv/x",
                "`file://srv/x` is not of the form `file:///folder`",
            ),
            (
                "file:relative",
                "`file:relative` is not of the form `file:///folder`",
            ),
            (
                "https://edge.example/",
                "a target needs a prefix, as in `https://edge.example/courses/rails` or `r2://bucket/courses/rails`",
            ),
            (
                "https://u:p@edge.example/a",
                "a target has no user, password, query or fragment",
            ),
            (
                "https://edge.example/a?token=x",
                "a target has no user, password, query or fragment",
            ),
            (
                "https://edge.example/a%2fb",
                "the prefix of `https://edge.example/a%2fb` is not acceptable",
            ),
            (
                "https://edge.example/a/%2e%2e/b/",
                "the prefix of `https://edge.example/a/%2e%2e/b/` is not acceptable",
            ),
            (
                "https://edge.example/a/../b/",
                "the prefix of `https://edge.example/a/../b/` is not acceptable",
            ),
            (
                "https://edge.example/my courses/é/",
                "/my courses/é/ https://edge.example/my%20courses/%C3%A9/v/a%20b",
            ),
            (
                "http://edge.example/a",
                "`http://edge.example` uses HTTP without TLS: everybody on the network path can read and use the link",
            ),
            ("ftp://host/a", "`ftp` targets are not supported"),
            ("r2:///a", "`r2:///a` is not a URL"),
            (
                "s3://bucket/",
                "a target needs a prefix, as in `https://edge.example/courses/rails` or `r2://bucket/courses/rails`",
            ),
            ("/srv/lectures", "folder /srv/lectures"),
            ("/srv/my lectures/a%20b/", "folder /srv/my lectures/a%20b/"),
            (
                "localhost:8787/x",
                "`localhost:8787/x` has no scheme: did you mean `http://localhost:8787/x`?",
            ),
            (
                "video.example.org/x",
                "`video.example.org/x` has no scheme: did you mean `https://video.example.org/x`, \
                 or the path `./video.example.org/x`?",
            ),
        ] {
            let got = match Location::parse(text, &ReachArgs::default()) {
                Ok(Location::Folder(folder)) => format!("folder {}", folder.display()),
                Ok(Location::Bucket(address)) => address.display_name("a"),
                Ok(Location::Edge(prefix)) => format!(
                    "{} {}",
                    prefix.directory(),
                    prefix.url("v/a b").expect("an object's URL")
                ),
                Err(error) => error.to_string(),
            };
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn a_relative_path_is_a_folder_of_the_working_folder() {
        let here = std::env::current_dir().expect("a folder");
        for text in ["out", "./out", "out/"] {
            let found = Location::parse(text, &ReachArgs::default()).expect(text);
            assert_eq!(found, Location::Folder(here.join("out")), "{text}");
        }
    }

    #[test]
    fn an_object_has_a_folder_and_a_name() {
        for (text, expected) in [
            ("https://h/u/a%20b.mov", "https://h/u + a b.mov"),
            ("https://h/u/x/talk.mov", "https://h/u/x + talk.mov"),
            ("r2://bucket/u/talk.mov", "r2://bucket/u + talk.mov"),
            ("/srv/u/a%20b.mov", "/srv/u + a%20b.mov"),
            ("file:///srv/u/a%20b.mov", "file:///srv/u + a b.mov"),
            ("https://h/u/", "none"),
            ("/srv/u/", "none"),
            ("https://h/talk.mov", "none"),
            ("r2://bucket/talk.mov", "none"),
            ("r2://bucket", "none"),
            ("/", "none"),
            (
                "localhost:1/u/a",
                "`localhost:1/u/a` has no scheme: did you mean `http://localhost:1/u/a`?",
            ),
            (
                "https://h/u/a%2fb",
                "the prefix of `https://h/u/a%2fb` is not acceptable",
            ),
        ] {
            let found = match object_name(text) {
                Ok(Some((folder, name))) => format!("{folder} + {name}"),
                Ok(None) => "none".to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{text}");
        }
    }

    pub(super) fn at(endpoint: Option<&str>) -> ReachArgs {
        ReachArgs {
            endpoint: endpoint.map(str::to_owned),
            ..ReachArgs::default()
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_it_is_allowed() {
        let allowed = ReachArgs {
            allow_plain_http: true,
            ..ReachArgs::default()
        };
        for (text, expected) in [
            ("https://edge.example/a", true),
            ("http://localhost:8787/a", true),
            ("http://LOCALHOST/a", true),
            ("http://127.0.0.1/a", true),
            ("http://127.9.9.9/a", true),
            ("http://0x7f.1/a", true),
            ("http://[::1]:8787/a", true),
            ("http://edge.example/a", false),
            ("http://localhost.example/a", false),
            ("http://edge.localhost.example/a", false),
            ("http://192.168.1.7/a", false),
            ("http://0.0.0.0/a", false),
            ("http://[::]/a", false),
            ("http://[::ffff:192.168.1.7]/a", false),
        ] {
            let found = Location::parse(text, &ReachArgs::default());
            assert_eq!(found.is_ok(), expected, "{text}: {found:?}");
            assert!(Location::parse(text, &allowed).is_ok(), "{text}");
        }
    }

    #[test]
    fn no_error_of_a_target_or_an_endpoint_shows_what_opens_it() {
        for (target, endpoint) in [
            ("https://evil.test:99999/?token=SECRET", None),
            ("https://SECRET:SECRET@evil.test:99999/a#SECRET", None),
            ("https://u:SECRET/@evil.test/a", None),
            ("https:?token=SECRET", None),
            ("edge.example/a?next=https://b&token=SECRET", None),
            ("SECRET:SECRET@edge.example/a", None),
            ("u@v:SECRET@edge.example/a", None),
            ("r2:///a?token=SECRET", None),
            ("r2://u:SECRET@/a", None),
            ("file://srv/x?SECRET", None),
            ("https://edge.example/a%2fb?SECRET", None),
            ("r2://b/c", Some("http://u:SECRET@evil.test/?k=SECRET")),
            ("s3://b/c", Some("https://evil.test/p?x=SECRET")),
            ("s3://b/c", Some("https://:SECRET@evil.test")),
            ("s3://b/c", Some("https://evil.test/#SECRET")),
            ("s3://b/c", Some("u:SECRET@evil.test")),
        ] {
            let error = Location::parse(target, &at(endpoint)).expect_err(target);
            let mut shown = format!("{error} {:?}", error.hint());
            let mut cause = std::error::Error::source(&error);
            while let Some(next) = cause {
                shown = format!("{shown} {next}");
                cause = next.source();
            }
            assert!(!shown.contains("SECRET"), "{target} {endpoint:?}: {shown}");
        }
    }
}
