//! Listing, for who administers: `GET /directory/?as=list`, a page at a time.

use crate::http::problem::{Problem, Refusal};
use crate::json::quoted;
use crate::object_key::{Directory, ObjectKey};
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

    /// What R2's binding takes.
    #[must_use]
    pub fn options(&self) -> String {
        let prefix = quoted(self.directory.as_str());
        let after = self.after.as_ref().map_or_else(String::new, |after| {
            format!(r#","startAfter":{}"#, quoted(after.as_str()))
        });
        format!(r#"{{"prefix":{prefix}{after}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_of_a_directory_from_an_object_on() {
        for (path, query, expected) in [
            ("/c/d/", "as=list", Ok(r#"{"prefix":"c/d/"}"#)),
            (
                "/caf%C3%A9/",
                "as=list&after=v/1/a%20b",
                Ok(r#"{"prefix":"café/","startAfter":"café/v/1/a b"}"#),
            ),
            ("/c", "as=list", Err(Problem::BadRequest)),
            ("/", "as=list", Ok(r#"{"prefix":""}"#)),
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
            let found = found.map(|list| list.options());
            assert_eq!(
                found.map_err(|refusal| refusal.problem),
                expected.map(str::to_owned),
                "{path} {query}"
            );
        }
    }
}
