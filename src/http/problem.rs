//! Refusals as `application/problem+json` (RFC 9457): a stable `code` for programs, a sentence for
//! people, and nothing that helps a forger.

use std::fmt::Display;

use serde::Serialize;

use crate::json::written;

/// Every kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The path cannot name an object.
    BadPath,
    /// The query or a header is invalid.
    BadRequest,
    /// The request has neither link nor pass.
    MissingToken,
    /// The credential does not open this object; one answer for every reason.
    Forbidden,
    /// The credential was valid and has expired.
    Expired,
    /// The operator revoked the viewer, the link or the path.
    Revoked,
    /// The viewer has more players than the link's `sessions`.
    TooManySessions,
    /// The link's restrictions leave no Variant Stream to play.
    NoVariant,
    /// The playlist cannot be shown in part, as the link requires.
    NoPreview,
    /// A stored playlist could send the viewer's credential to another host.
    UnsafePlaylist,
    /// A player's renewals by Content Steering are over.
    SteeringEnded,
    NotFound,
    MethodNotAllowed,
    LengthRequired,
    PreconditionFailed,
    /// A condition of a write that is unreadable, or of a request that changes no object.
    BadCondition,
    PayloadTooLarge,
    /// The upload link has stored its `max_bytes` or `max_objects`.
    UploadLimit,
    /// The upload link's `types` do not list this kind of file.
    UnsupportedType,
    RangeNotSatisfiable {
        length: u64,
    },
    /// Storage cannot complete the multipart upload of these parts.
    BadUpload,
    /// Storage does not know the multipart upload.
    NoUpload,
    /// A stored playlist is too large to rewrite.
    PlaylistTooLarge,
    /// The address exceeded its refusals per minute.
    RateLimited,
    StorageUnavailable,
    /// Other requests hold the memory that this one needs.
    Busy,
    Misconfigured,
}

impl Problem {
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::BadPath | Self::BadRequest | Self::BadUpload | Self::BadCondition => 400,
            Self::MissingToken => 401,
            Self::Forbidden
            | Self::Expired
            | Self::Revoked
            | Self::TooManySessions
            | Self::NoVariant
            | Self::NoPreview
            | Self::UnsafePlaylist => 403,
            Self::NotFound | Self::NoUpload => 404,
            Self::MethodNotAllowed => 405,
            // RFC 8216bis §7.1: the client no longer uses this steering manifest.
            Self::SteeringEnded => 410,
            Self::LengthRequired => 411,
            Self::PreconditionFailed => 412,
            Self::PayloadTooLarge | Self::UploadLimit => 413,
            Self::UnsupportedType => 415,
            Self::RangeNotSatisfiable { .. } => 416,
            Self::PlaylistTooLarge | Self::Misconfigured => 500,
            Self::RateLimited => 429,
            Self::StorageUnavailable | Self::Busy => 503,
        }
    }

    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BadPath => "bad_path",
            Self::BadRequest => "bad_request",
            Self::MissingToken => "missing_token",
            Self::Forbidden => "forbidden",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::TooManySessions => "too_many_sessions",
            Self::NoVariant => "no_variant",
            Self::NoPreview => "no_preview",
            Self::UnsafePlaylist => "unsafe_playlist",
            Self::SteeringEnded => "steering_ended",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::LengthRequired => "length_required",
            Self::PreconditionFailed => "precondition_failed",
            Self::BadCondition => "bad_condition",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UploadLimit => "upload_limit",
            Self::UnsupportedType => "unsupported_type",
            Self::RangeNotSatisfiable { .. } => "range_not_satisfiable",
            Self::BadUpload => "bad_upload",
            Self::NoUpload => "no_upload",
            Self::PlaylistTooLarge => "playlist_too_large",
            Self::RateLimited => "rate_limited",
            Self::StorageUnavailable => "storage_unavailable",
            Self::Busy => "busy",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// A sentence for the viewer.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::BadPath => "This path is not valid.",
            Self::BadRequest => "This request is not valid.",
            Self::MissingToken => "A link is needed to open this.",
            Self::Forbidden => "This link does not open this.",
            Self::Expired => "This link has expired. Open the lecture from the course again.",
            Self::Revoked => "This link was withdrawn. Ask your school for a new one.",
            Self::TooManySessions => {
                "This account plays in too many places at once. Stop another player, then try again."
            }
            Self::NoVariant => "This lecture has no version that this link opens.",
            Self::NoPreview => "This lecture cannot be shown in part.",
            Self::UnsafePlaylist => "This lecture's playlist is not safe to play.",
            Self::SteeringEnded => {
                "This player's time is over. Open the lecture from the course again."
            }
            Self::NotFound => "There is nothing here.",
            Self::MethodNotAllowed => "This method is not allowed here.",
            Self::LengthRequired => "An upload must state its length.",
            Self::PreconditionFailed => {
                "The stored object does not match the request's conditions."
            }
            Self::BadCondition => {
                "This condition is not valid here. Send `If-Match` or `If-None-Match` with `*` or quoted entity-tags, or \
                 `If-Unmodified-Since` with a date, on the request that writes, completes or removes the object."
            }
            Self::PayloadTooLarge => "This is too large for one request. Upload it in parts.",
            Self::UploadLimit => "This link has stored all that it may. Ask for another one.",
            Self::UnsupportedType => "This link does not take a file of this kind.",
            Self::RangeNotSatisfiable { .. } => "The requested range lies outside the object.",
            Self::BadUpload => "These parts do not form an upload.",
            Self::NoUpload => "There is no such upload any more. Begin it again.",
            Self::PlaylistTooLarge => "This playlist is too large to be served.",
            Self::RateLimited => "Too many refused requests. Try again in a minute.",
            Self::StorageUnavailable => "The storage does not answer. Try again in a moment.",
            Self::Busy => "The server is busy. Try again in a moment.",
            Self::Misconfigured => "This site is not set up correctly.",
        }
    }

    /// Returns whether this refusal counts against the client's address. Only guessed links cause
    /// such refusals, not links from an app.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(
            self,
            Self::BadPath | Self::BadRequest | Self::MissingToken | Self::Forbidden
        )
    }

    /// The body (RFC 9457 §3), with a detail for the holder of an upload link. `type` is omitted,
    /// which means `about:blank`.
    #[must_use]
    pub fn body(self, detail: Option<&str>) -> String {
        #[derive(Serialize)]
        struct ProblemDetails<'detail> {
            title: &'static str,
            status: u16,
            code: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            detail: Option<&'detail str>,
        }
        written(&ProblemDetails {
            title: self.title(),
            status: self.status(),
            code: self.code(),
            detail,
        })
    }

    /// The additional headers of an answer with this body.
    #[must_use]
    pub fn headers(self, body: &str) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("Content-Type", "application/problem+json".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
            // RFC 9110 §9.3.2: `HEAD` has the headers of `GET`, but the platform sets this one for
            // `GET` only.
            ("Content-Length", body.len().to_string()),
        ];
        match self {
            Self::MissingToken => headers.push(("WWW-Authenticate", "Bearer".to_owned())),
            Self::MethodNotAllowed => headers.push(("Allow", super::cors::METHODS.to_owned())),
            Self::RangeNotSatisfiable { length } => headers.push((
                "Content-Range",
                super::range::Unsatisfiable { length }.header(),
            )),
            Self::StorageUnavailable | Self::Busy => {
                headers.push(("Retry-After", "2".to_owned()));
            }
            Self::RateLimited => headers.push(("Retry-After", "60".to_owned())),
            _ => {}
        }
        headers
    }
}

/// The failed check, for programs that suggest a remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reason {
    /// The problem or the detail is sufficient.
    #[default]
    Other,
    /// The signature matches no key.
    WrongKey,
    /// The pass's MAC matches no key and this object.
    WrongMac,
    /// The link's `path` does not contain the object.
    Path,
    /// The link's `use` does not permit the request.
    Purpose,
    /// The link expires later than the edge accepts.
    TooFarAhead,
    /// The link's `ip` does not contain the address.
    Address,
    /// The link's `country` does not name the country.
    Country,
    /// The link's `origin` does not match the page's origin.
    Origin,
    /// The credential expired at this second.
    Expired { at: u64 },
    /// The link opens nothing before this second.
    NotYetValid { before: u64 },
}

/// A refusal: the client's answer, the check that failed, and a detail for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub problem: Problem,
    pub reason: Reason,
    pub detail: String,
    /// The answer has the detail: the request's link is valid and may write.
    pub is_told: bool,
}

impl Refusal {
    pub(crate) fn new(problem: Problem, detail: impl Display) -> Self {
        Self::because(problem, Reason::Other, detail)
    }

    pub(crate) fn because(problem: Problem, reason: Reason, detail: impl Display) -> Self {
        Self {
            problem,
            reason,
            detail: format!("{detail}"),
            is_told: false,
        }
    }

    /// Tells the holder of a link that may write which part of the request is wrong. Faults of the
    /// edge and of storage stay in the log.
    pub(crate) fn told(mut self) -> Self {
        self.is_told = (400..500).contains(&self.problem.status());
        self
    }

    /// The detail for the client, if the answer has one.
    #[must_use]
    pub fn told_detail(&self) -> Option<&str> {
        self.is_told.then_some(&self.detail)
    }

    /// Returns whether this refusal counts against the client's address.
    #[must_use]
    pub fn counts(&self) -> bool {
        !self.is_told && self.problem.counts()
    }
}

impl Refusal {
    /// The answer to a player whose steering token is valid. It stops to ask (410), unless storage
    /// fails only now. A player that once gets 429 would stop to ask, too: see hls.js 1.7.4.
    pub(crate) fn ends_steering(self) -> Self {
        match self.problem {
            Problem::StorageUnavailable | Problem::Busy => self,
            _ => Self {
                problem: Problem::SteeringEnded,
                ..self
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_json_with_a_stable_code() {
        for problem in [
            Problem::Forbidden,
            Problem::Expired,
            Problem::RangeNotSatisfiable { length: 7 },
        ] {
            let body: serde_json::Value =
                serde_json::from_str(&problem.body(None)).expect("a JSON body");
            assert_eq!(body["code"], problem.code());
            assert_eq!(body["status"], problem.status());
            assert_eq!(body["detail"], serde_json::Value::Null);
        }
    }

    #[test]
    fn only_a_refusal_that_is_told_has_a_detail_and_counts_against_no_address() {
        let refusal = Refusal::new(Problem::BadRequest, "`partNumber` is \"0\"");
        assert_eq!((refusal.told_detail(), refusal.counts()), (None, true));
        let told = refusal.told();
        assert!(!told.counts());
        let body: serde_json::Value =
            serde_json::from_str(&told.problem.body(told.told_detail())).expect("a JSON body");
        assert_eq!(body["detail"], "`partNumber` is \"0\"");
        for problem in [Problem::StorageUnavailable, Problem::Misconfigured] {
            let failed = Refusal::new(problem, "a message of the platform").told();
            assert_eq!(failed.told_detail(), None);
        }
    }
}
