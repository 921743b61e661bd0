//! Where a package goes: a folder, or a prefix behind an edge. Pure but for the keys that an edge needs.

use std::path::PathBuf;

use lectern::object_key::{ObjectKey, ObjectKeyError};
use reqwest::Url;

/// Why a text is no target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("`{0}` is not a URL")]
    NotAUrl(String),
    #[error("`{0}` targets are not supported")]
    UnknownScheme(String),
    #[error("`{0}` is not of the form `file:///folder`")]
    NotAFolder(String),
    #[error("a target has no user, password, query or fragment")]
    Decorated,
    #[error("a target needs a prefix, as in `https://edge.example/courses/rails`")]
    NoPrefix,
    #[error("the prefix of `{target}` is not acceptable")]
    BadPrefix {
        target: String,
        #[source]
        source: ObjectKeyError,
    },
}

/// A parsed target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Folder(PathBuf),
    Edge(Prefix),
}

/// An edge, and the objects below one directory of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// `https://edge.example`, without a slash at the end.
    pub(crate) origin: String,
    prefix: ObjectKey,
}

impl Place {
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        let url = Url::parse(text).map_err(|_| TargetError::NotAUrl(text.to_owned()))?;
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(TargetError::Decorated);
        }
        match url.scheme() {
            "file" => {
                let is_absolute = text.starts_with("file:///") && url.path().len() > 1;
                url.to_file_path()
                    .ok()
                    .filter(|_| is_absolute)
                    .map(Self::Folder)
                    .ok_or_else(|| TargetError::NotAFolder(text.to_owned()))
            }
            "http" | "https" => {
                let path = url.path().trim_end_matches('/');
                if path.is_empty() {
                    return Err(TargetError::NoPrefix);
                }
                let prefix =
                    ObjectKey::from_url_path(path).map_err(|source| TargetError::BadPrefix {
                        target: text.to_owned(),
                        source,
                    })?;
                Ok(Self::Edge(Prefix {
                    origin: url.origin().ascii_serialization(),
                    prefix,
                }))
            }
            other => Err(TargetError::UnknownScheme(other.to_owned())),
        }
    }
}

impl Prefix {
    /// The directory as the `path` claim of an upload link has it.
    pub(crate) fn directory(&self) -> String {
        format!("/{}/", self.prefix)
    }

    /// The URL of an object below the prefix.
    pub(crate) fn url(&self, path: &str) -> Result<String, ObjectKeyError> {
        let key = ObjectKey::new(format!("{}/{path}", self.prefix))?;
        Ok(format!("{}{}", self.origin, key.to_url_path()))
    }
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
                "a target needs a prefix, as in `https://edge.example/courses/rails`",
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
            ("s3://bucket/a", "`s3` targets are not supported"),
            ("/srv/lectures", "`/srv/lectures` is not a URL"),
        ] {
            let got = match Place::parse(text) {
                Ok(Place::Folder(folder)) => format!("folder {}", folder.display()),
                Ok(Place::Edge(prefix)) => format!(
                    "{} {}",
                    prefix.directory(),
                    prefix.url("v/a b").expect("an object's URL")
                ),
                Err(error) => error.to_string(),
            };
            assert_eq!(got, expected, "{text}");
        }
    }
}
