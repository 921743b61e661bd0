//! Listing, for who administers: `GET /directory/?as=list`, a page at a time.

use serde::Serialize;

use crate::http::problem::{Problem, Refusal};
use crate::object::key::{Directory, ObjectKey};
use crate::request::{Request, object_key, parameter};

/// An authorised list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    pub directory: Directory,
    /// The last object of the page before.
    pub after: Option<ObjectKey>,
    /// What the link must open: anything that lies in the directory.
    pub(crate) any: ObjectKey,
}

impl List {
    /// `path` ends in a slash; `after` is the path of an object below it, as it is in the object's URL.
    pub(crate) fn parse(request: &Request<'_>, path: &str) -> Result<Self, Refusal> {
        let bad = |reason: &str| Refusal::new(Problem::BadRequest, reason);
        if !path.ends_with('/') {
            return Err(bad("a list is of a directory, with its slash"));
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

/// A page of a list, as the client gets it.
#[derive(Debug, Serialize)]
pub struct Page {
    pub objects: Vec<Listed>,
    /// Whether there are more behind the last of them.
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
        // Texts and numbers serialize without fail.
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
