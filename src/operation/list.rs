//! Listings for administrators: `GET /directory/?as=list`, one page at a time.

use serde::Serialize;

use crate::http::problem::{Problem, Refusal};
use crate::object::key::{Directory, ObjectKey};
use crate::request::{Request, object_key, parameter};

/// An authorised list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    pub directory: Directory,
    /// The last object of the previous page.
    pub after: Option<ObjectKey>,
    /// An arbitrary object of the directory, which the link must open.
    pub(crate) any: ObjectKey,
}

impl List {
    /// Parses a list request. `path` ends in a slash; `after` is the URL path of an object below
    /// it.
    pub(crate) fn parse(request: &Request<'_>, path: &str) -> Result<Self, Refusal> {
        let bad = |reason: &str| Refusal::new(Problem::BadRequest, reason);
        if !path.ends_with('/') {
            return Err(bad("`as=list` requires a path that ends in a slash"));
        }
        let any = object_key(&format!("{path}any"))?;
        let after = parameter(request.query, "after")?
            .map(|after| object_key(&format!("{path}{after}")))
            .transpose()?;
        Ok(Self {
            directory: any.directory(),
            after,
            any,
        })
    }
}

/// A page of a list, as sent to the client.
#[derive(Debug, Serialize)]
pub struct Page {
    pub objects: Vec<Listed>,
    /// More objects follow on the next page.
    pub truncated: bool,
}

/// An object of a list.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub key: String,
    pub bytes: u64,
    pub etag: String,
    /// Milliseconds since 1970.
    pub uploaded: u64,
}

impl Page {
    #[must_use]
    pub fn json(&self) -> String {
        // Strings and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_of_a_directory_from_an_object_on() {
        for (path, query, expected) in [
            ("/c/d/", "as=list", Ok(("c/d/", None))),
            (
                "/caf%C3%A9/",
                "as=list&after=v/1/a%20b",
                Ok(("café/", Some("café/v/1/a b"))),
            ),
            ("/c", "as=list", Err(Problem::BadRequest)),
            ("/", "as=list", Ok(("", None))),
            ("/c/", "as=list&after=../x", Err(Problem::BadPath)),
            ("/c/", "as=list&after=", Err(Problem::BadPath)),
            ("/_lectern/", "as=list", Err(Problem::NotFound)),
            ("/c/", "as=list&after=a&after=b", Err(Problem::BadRequest)),
        ] {
            let request = Request {
                method: "GET",
                origin: "https://a.example",
                path,
                query: Some(query),
                header: &|_| None,
                country: &|| None,
            };
            let found = List::parse(&request, path);
            let found = found.as_ref().map_err(|refusal| refusal.problem);
            let found = found.map(|list| {
                let after = list.after.as_ref().map(ObjectKey::as_str);
                (list.directory.as_str(), after)
            });
            assert_eq!(found, expected, "{path} {query}");
        }
    }

    #[test]
    fn a_page_is_json() {
        let page = Page {
            objects: vec![Listed {
                key: "c/\"é\"".to_owned(),
                bytes: 5 << 30,
                etag: "e".to_owned(),
                uploaded: 784_111_777_999,
            }],
            truncated: false,
        };
        assert_eq!(
            page.json(),
            r#"{"objects":[{"key":"c/\"é\"","bytes":5368709120,"etag":"e","uploaded":784111777999}],"truncated":false}"#
        );
    }
}
