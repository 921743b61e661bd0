//! Requests about revocations: `/_lectern/revocations`, for administrators of the whole bucket.

use crate::http::problem::{Problem, Refusal};
use crate::ledger::message::LedgerRequest;
use crate::ledger::revocation::Revoked;
use crate::request::{Request, decoded, parameter};

/// The path of the list of revocations.
pub const REVOCATIONS: &str = "/_lectern/revocations";

/// Parses a request. `longest` is how long any link or pass lives, in seconds: a revocation lasts as
/// long, unless `until` says less or more.
pub(crate) fn parse(
    request: &Request<'_>,
    now: u64,
    longest: u64,
) -> Result<LedgerRequest, Refusal> {
    let bad = |reason: &str| Refusal::new(Problem::BadRequest, reason);
    if request.method == "GET" {
        return Ok(LedgerRequest::ListRevocations);
    }
    let mut target = None;
    for kind in ["viewer", "link", "path"] {
        let Some(value) = parameter(request.query, kind)? else {
            continue;
        };
        if target.is_some() {
            return Err(bad("name one `viewer`, `link` or `path`"));
        }
        let name = decoded(value).ok_or_else(|| bad("the name is not percent-encoded UTF-8"))?;
        target = Some(Revoked::parse(kind, &name).map_err(bad)?);
    }
    let target = target.ok_or_else(|| bad("name one `viewer`, `link` or `path`"))?;
    match request.method {
        "DELETE" => Ok(LedgerRequest::Unrevoke(target)),
        "POST" => {
            let until = match parameter(request.query, "until")? {
                None => now.saturating_add(longest),
                Some(text) => text
                    .parse()
                    .ok()
                    .filter(|until| *until > now && *until <= u64::from(u32::MAX))
                    .ok_or_else(|| bad("`until` is a second since 1970, in the future"))?,
            };
            Ok(LedgerRequest::Revoke(target, until))
        }
        method => Err(Refusal::new(
            Problem::MethodNotAllowed,
            format!("method `{method}`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_request_names_one_target() {
        let viewer = || Revoked::Viewer("s 42".to_owned());
        for (method, query, expected) in [
            ("GET", "", Ok(LedgerRequest::ListRevocations)),
            (
                "POST",
                "viewer=s%2042",
                Ok(LedgerRequest::Revoke(viewer(), NOW + 9)),
            ),
            (
                "POST",
                "viewer=s%2042&until=1800000001",
                Ok(LedgerRequest::Revoke(viewer(), NOW + 1)),
            ),
            (
                "POST",
                "path=/a/",
                Ok(LedgerRequest::Revoke(
                    Revoked::Path("/a/".to_owned()),
                    NOW + 9,
                )),
            ),
            (
                "DELETE",
                "viewer=s%2042",
                Ok(LedgerRequest::Unrevoke(viewer())),
            ),
            ("POST", "", Err(Problem::BadRequest)),
            ("POST", "viewer=", Err(Problem::BadRequest)),
            ("POST", "viewer=%zz", Err(Problem::BadRequest)),
            ("POST", "viewer=a&viewer=b", Err(Problem::BadRequest)),
            ("POST", "viewer=a&link=b", Err(Problem::BadRequest)),
            ("POST", "path=a", Err(Problem::BadRequest)),
            (
                "POST",
                "viewer=a&until=1800000000",
                Err(Problem::BadRequest),
            ),
            ("POST", "viewer=a&until=soon", Err(Problem::BadRequest)),
            ("PUT", "viewer=a", Err(Problem::MethodNotAllowed)),
        ] {
            let request = Request {
                method,
                origin: "https://a.example",
                path: REVOCATIONS,
                query: Some(query),
                header: &|_| None,
                country: &|| None,
            };
            let parsed = parse(&request, NOW, 9).map_err(|refusal| refusal.problem);
            assert_eq!(parsed, expected, "{method} {query}");
        }
    }
}
