//! Writes: `PUT`, `DELETE` and multipart uploads, with the parameter names of S3:
//!
//! ```text
//! PUT    /key                             body             201, or 200 where an object was replaced
//! DELETE /key                                              204
//! POST   /key?uploads                                      201 {"uploadId"}
//! PUT    /key?uploadId=…&partNumber=1…    body             200 {"partNumber","etag"}
//! POST   /key?uploadId=…                  {"parts":[…]}    201
//! DELETE /key?uploadId=…                                   204
//! ```
//!
//! `POST /key?put` and `POST /key?uploadId=…&partNumber=1…` do what those `PUT`s do. A browser sends
//! a `POST` without further headers to another origin without a preflight request (Fetch standard,
//! CORS-safelisted method).
//!
//! Requests that change the object accept conditions (RFC 9110 §13): its `PUT` and `DELETE`, and
//! the `POST` that completes an upload. The others concern an upload, which has no entity-tag, so
//! they refuse conditions.

use serde::Serialize;

use crate::config::Config;
use crate::http::precondition::WriteConditions;
use crate::http::problem::{Problem, Refusal};
use crate::json::{JsonValue, written};
use crate::object::content_type;
use crate::object::key::ObjectKey;
use crate::object::stored::ObjectMetadata;
use crate::request::{Request, decoded, parameter};

/// The maximum number of parts of an upload.
pub const MAX_PARTS: u16 = 10_000;
/// The maximum length of a completion body. A list of 10,000 parts has about 600 kB.
const MAX_COMPLETE_BYTES: u64 = 1 << 20;
const MAX_UPLOAD_ID_BYTES: usize = 2048;

/// An authorised write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    Put {
        key: ObjectKey,
        content_type: String,
        conditions: WriteConditions,
        /// The body's length in bytes.
        length: u64,
    },
    Delete {
        key: ObjectKey,
        conditions: WriteConditions,
    },
    Create {
        key: ObjectKey,
        content_type: String,
    },
    Part {
        key: ObjectKey,
        upload: String,
        number: u16,
        /// The body's length in bytes.
        length: u64,
    },
    Complete {
        key: ObjectKey,
        upload: String,
        conditions: WriteConditions,
        /// The body's length in bytes.
        length: u64,
    },
    Abort {
        key: ObjectKey,
        upload: String,
    },
}

/// The stored object on which the conditions of a write were evaluated. Storage compares it again
/// as it writes, so that no other write comes between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluated {
    Absent,
    /// The entity-tag, without quotes.
    Present(String),
}

impl Evaluated {
    /// Evaluates the conditions of a write on the stored object.
    ///
    /// # Errors
    /// When a condition is false.
    pub fn of(
        conditions: &WriteConditions,
        stored: Option<&ObjectMetadata>,
    ) -> Result<Self, Refusal> {
        if !conditions.hold(stored.map(ObjectMetadata::validators).as_ref()) {
            return Err(Refusal::new(
                Problem::PreconditionFailed,
                "the conditions do not hold",
            ));
        }
        Ok(stored.map_or(Self::Absent, |stored| Self::Present(stored.etag.clone())))
    }
}

/// An uploaded part, as listed by the client that completes the upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadedPart {
    pub part_number: u16,
    pub etag: String,
}

impl UploadedPart {
    /// `{"partNumber":1,"etag":"…"}`.
    #[must_use]
    pub fn json(&self) -> String {
        written(self)
    }
}

/// The body of the answer that creates a multipart upload.
#[must_use]
pub fn created_json(upload: &str) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Created<'upload> {
        upload_id: &'upload str,
    }
    written(&Created { upload_id: upload })
}

/// Parses the body that completes an upload: parts in ascending order, each once.
///
/// # Errors
/// When the body is not such a list.
pub fn parse_parts(body: &[u8]) -> Result<Vec<UploadedPart>, Refusal> {
    let bad = |reason: String| Refusal::new(Problem::BadRequest, reason);
    let part = |part: &JsonValue<'_>| {
        Some(UploadedPart {
            // A number beyond the type is beyond the limit, which is checked below.
            part_number: part
                .member("partNumber")?
                .as_integer()?
                .try_into()
                .unwrap_or(u16::MAX),
            etag: part.member("etag")?.as_str()?.to_owned(),
        })
    };
    let list = JsonValue::parse(body);
    let list = list.as_ref();
    let entries = list.and_then(|list| list.member("parts")?.as_array());
    let entries = entries.ok_or_else(|| {
        bad(r#"the body is not {"parts":[{"partNumber":1,"etag":"…"}]}"#.to_owned())
    })?;
    let mut parts: Vec<UploadedPart> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let part = part(entry).ok_or_else(|| {
            bad(format!(
                r#"entry {at} of `parts` is not {{"partNumber":1,"etag":"…"}}: send what the upload of the part answered"#
            ))
        })?;
        if !is_part_number(part.part_number) {
            let reason = format!("entry {at} of `parts`: `partNumber` is 1 to 10000");
            return Err(bad(reason));
        }
        if parts
            .last()
            .is_some_and(|last| last.part_number >= part.part_number)
        {
            let reason = format!(
                "the parts are not in ascending order, each once: look at entry {at} of `parts`"
            );
            return Err(Refusal::new(Problem::BadUpload, reason));
        }
        parts.push(part);
    }
    if parts.is_empty() {
        return Err(bad("the body lists no part".to_owned()));
    }
    Ok(parts)
}

impl Write {
    /// The object that is written.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Put { key, .. }
            | Self::Delete { key, .. }
            | Self::Create { key, .. }
            | Self::Part { key, .. }
            | Self::Complete { key, .. }
            | Self::Abort { key, .. } => key,
        }
    }

    /// Parses an authorised request to write `key`.
    pub(crate) fn parse(
        request: &Request<'_>,
        key: ObjectKey,
        config: &Config,
        now: u64,
    ) -> Result<Self, Refusal> {
        let bad = |reason: String| Err(Refusal::new(Problem::BadRequest, reason));
        let creates = parameter(request.query, "uploads")?.is_some();
        let puts = parameter(request.query, "put")?.is_some();
        let upload = match parameter(request.query, "uploadId")? {
            None => None,
            Some(id) => match decoded(id) {
                None => {
                    return bad(
                        "`uploadId` in the query is not percent-encoded UTF-8: encode it"
                            .to_owned(),
                    );
                }
                id => id,
            },
        };
        let number = parameter(request.query, "partNumber")?;
        if upload
            .as_ref()
            .is_some_and(|id| id.is_empty() || id.len() > MAX_UPLOAD_ID_BYTES)
        {
            return bad(format!(
                "`uploadId` in the query is empty or over {MAX_UPLOAD_ID_BYTES} bytes: send the one that \
                 `POST ?uploads` answered"
            ));
        }
        if (request.header)("content-range").is_some() {
            // RFC 9110 §14.5: a partial `PUT` must be refused, not treated as a whole one.
            return bad(
                "`Content-Range` on a write: leave the header out, and upload a large file in parts"
                    .to_owned(),
            );
        }
        let is_simple = request.method == "POST" && (puts || number.is_some());
        let method = match is_simple {
            true => "PUT",
            false => request.method,
        };
        match (method, creates, upload, number) {
            ("PUT", false, None, None) => Ok(Self::Put {
                length: body_length(request, config.max_upload_bytes)?,
                // A browser names a type of its own for the body of a `POST`.
                content_type: match is_simple {
                    true => content_type::for_key(key.as_str()).to_owned(),
                    false => stored_content_type(request, &key),
                },
                conditions: conditions(request, now)?,
                key,
            }),
            ("DELETE", false, None, None) => Ok(Self::Delete {
                conditions: conditions(request, now)?,
                key,
            }),
            ("POST", true, None, None) => {
                without_conditions(request, now)?;
                Ok(Self::Create {
                    content_type: stored_content_type(request, &key),
                    key,
                })
            }
            ("PUT", false, Some(upload), Some(number)) => {
                let parsed = number.parse().ok();
                let Some(number) = parsed.filter(|number| is_part_number(*number)) else {
                    let shown: String = number.chars().take(20).collect();
                    return bad(format!(
                        "`partNumber` in the query is `{shown}`: it is 1 to {MAX_PARTS}"
                    ));
                };
                let length = body_length(request, config.max_upload_bytes)?;
                // All parts but the last have the same length, so this bounds the whole without
                // state: the longest part's check counts as if all parts had its length.
                if length.saturating_mul(number.into()) > config.max_object_bytes {
                    return Err(Refusal::new(
                        Problem::PayloadTooLarge,
                        format!(
                            "{number} parts of {length} bytes are over {} bytes (`MAX_OBJECT_BYTES`)",
                            config.max_object_bytes
                        ),
                    ));
                }
                without_conditions(request, now)?;
                Ok(Self::Part {
                    key,
                    upload,
                    number,
                    length,
                })
            }
            ("POST", false, Some(upload), None) => Ok(Self::Complete {
                length: body_length(request, MAX_COMPLETE_BYTES)?,
                conditions: conditions(request, now)?,
                key,
                upload,
            }),
            ("DELETE", false, Some(upload), None) => {
                without_conditions(request, now)?;
                Ok(Self::Abort { key, upload })
            }
            ("PUT", ..) => bad(
                "the query does not fit `PUT`: it takes none, or `uploadId` and `partNumber`"
                    .to_owned(),
            ),
            ("POST", ..) => bad(
                "the query does not fit `POST`: it takes `uploads`, `uploadId`, `put`, or `uploadId` and \
                 `partNumber`"
                    .to_owned(),
            ),
            _ => bad("the query does not fit `DELETE`: it takes none, or `uploadId`".to_owned()),
        }
    }
}

fn is_part_number(number: u16) -> bool {
    (1..=MAX_PARTS).contains(&number)
}

/// The length of the body, which storage requires before the first byte.
pub(crate) fn body_length(request: &Request<'_>, limit: u64) -> Result<u64, Refusal> {
    let length = (request.header)("content-length")
        .and_then(|value| value.trim().parse::<u64>().ok())
        .ok_or_else(|| {
            let reason = "no `Content-Length`: send the body's length in bytes";
            Refusal::new(Problem::LengthRequired, reason)
        })?;
    if length > limit {
        return Err(Refusal::new(
            Problem::PayloadTooLarge,
            format!("{length} bytes where {limit} are allowed"),
        ));
    }
    Ok(length)
}

/// The request's content type. If it is a default that tools send for any body, or one that a
/// browser may run or show as a page, the name decides.
fn stored_content_type(request: &Request<'_>, key: &ObjectKey) -> String {
    const SAYS_NOTHING: [&str; 3] = [
        "",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    ];
    (request.header)("content-type")
        .filter(|value| !SAYS_NOTHING.contains(&value.trim()) && content_type::is_inert(value))
        .unwrap_or_else(|| content_type::for_key(key.as_str()).to_owned())
}

/// The conditions of a request that changes the object.
fn conditions(request: &Request<'_>, now: u64) -> Result<WriteConditions, Refusal> {
    WriteConditions::parse(request.header, now).map_err(|name| {
        let reason =
            format_args!("`{name}` is invalid: it takes `*`, quoted entity-tags, or a date");
        Refusal::new(Problem::BadCondition, reason)
    })
}

/// Refuses conditions on a request that changes no object.
fn without_conditions(request: &Request<'_>, now: u64) -> Result<(), Refusal> {
    if conditions(request, now)?.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(
        Problem::BadCondition,
        "a condition on a request that changes no object: send it with the completing `POST`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_parts_is_in_ascending_order_from_1_to_10_000() {
        const NO_LIST: &str = "the body is not";
        const NO_NUMBER: &str = "`partNumber` is 1 to 10000";
        const NO_ORDER: &str = "the parts are not in ascending order";
        let listed = |numbers: &[u64]| {
            let part = |number: &u64| format!(r#"{{"partNumber":{number},"etag":"e{number}"}}"#);
            let parts: Vec<String> = numbers.iter().map(part).collect();
            format!(r#"{{"parts":[{}]}}"#, parts.join(","))
        };
        let all: Vec<u64> = (1..=10_000).collect();
        let too_many: Vec<u64> = (1..=10_001).collect();
        for (body, expected) in [
            (listed(&[1]), Ok(1)),
            (listed(&[1, 2, 9_999, 10_000]), Ok(4)),
            (listed(&all), Ok(10_000)),
            (listed(&[]), Err("the body lists no part")),
            (listed(&[2, 1]), Err(NO_ORDER)),
            (listed(&[1, 1]), Err(NO_ORDER)),
            (listed(&[0]), Err(NO_NUMBER)),
            (listed(&[0, 1]), Err(NO_NUMBER)),
            (listed(&[10_001]), Err(NO_NUMBER)),
            (listed(&too_many), Err(NO_NUMBER)),
            (listed(&[65_535]), Err(NO_NUMBER)),
            (listed(&[65_536]), Err(NO_NUMBER)),
            (listed(&[u64::MAX]), Err(NO_NUMBER)),
            (String::new(), Err(NO_LIST)),
            ("[]".to_owned(), Err(NO_LIST)),
            (r#"{"parts":{}}"#.to_owned(), Err(NO_LIST)),
            (
                r#"{"parts":[1]}"#.to_owned(),
                Err("entry 0 of `parts` is not"),
            ),
            (
                r#"{"parts":[{"partNumber":1,"etag":"e"},{"partNumber":-1,"etag":"e"}]}"#
                    .to_owned(),
                Err("entry 1 of `parts` is not"),
            ),
            (
                r#"{"parts":[{"partNumber":1,"etag":"e","etag":"f"}]}"#.to_owned(),
                Err(NO_LIST),
            ),
        ] {
            let found = parse_parts(body.as_bytes());
            match (&found, expected) {
                (Ok(parts), Ok(count)) => assert_eq!(parts.len(), count),
                (Err(refusal), Err(reason)) => {
                    let problem = match reason {
                        NO_ORDER => Problem::BadUpload,
                        _ => Problem::BadRequest,
                    };
                    assert_eq!(refusal.problem, problem);
                    assert!(refusal.detail.contains(reason), "{}", refusal.detail);
                }
                _ => panic!("{found:?} instead of {expected:?}"),
            }
        }
    }
}
