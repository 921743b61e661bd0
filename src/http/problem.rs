//! Refusals as `application/problem+json` (RFC 9457): a stable `code` for programs, a sentence for people, and
//! nothing that helps a forger.

use std::fmt::Display;

use serde::Serialize;

use crate::json::written;

/// Every way in which the edge refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The path names no object in any reading.
    BadPath,
    /// The query or a header cannot be understood.
    BadRequest,
    /// No link and no pass.
    MissingToken,
    /// A link or pass that does not open this; one answer for every reason.
    Forbidden,
    /// A link or pass that was right and is over.
    Expired,
    /// The link's restrictions leave no Variant Stream to play.
    NoVariant,
    /// The playlist cannot be shown in part, which is all that the link allows.
    NoPreview,
    /// A stored playlist that could hand the viewer's credential to another host.
    UnsafePlaylist,
    NotFound,
    MethodNotAllowed,
    LengthRequired,
    PreconditionFailed,
    /// A condition of a write that cannot be read, or that stands on a request which changes no object.
    BadCondition,
    PayloadTooLarge,
    RangeNotSatisfiable {
        length: u64,
    },
    /// An upload in parts that storage does not know or cannot put together.
    BadUpload,
    /// A stored playlist that is too large to be rewritten.
    PlaylistTooLarge,
    /// More refusals than an address may have in a minute.
    RateLimited,
    StorageUnavailable,
    /// Other requests hold the memory that this one takes.
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
            | Self::NoVariant
            | Self::NoPreview
            | Self::UnsafePlaylist => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::LengthRequired => 411,
            Self::PreconditionFailed => 412,
            Self::PayloadTooLarge => 413,
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
            Self::NoVariant => "no_variant",
            Self::NoPreview => "no_preview",
            Self::UnsafePlaylist => "unsafe_playlist",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::LengthRequired => "length_required",
            Self::PreconditionFailed => "precondition_failed",
            Self::BadCondition => "bad_condition",
            Self::PayloadTooLarge => "payload_too_large",
            Self::RangeNotSatisfiable { .. } => "range_not_satisfiable",
            Self::BadUpload => "bad_upload",
            Self::PlaylistTooLarge => "playlist_too_large",
            Self::RateLimited => "rate_limited",
            Self::StorageUnavailable => "storage_unavailable",
            Self::Busy => "busy",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// A sentence for the person in front of the player.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::BadPath => "This path names nothing that can be served.",
            Self::BadRequest => "This request cannot be understood.",
            Self::MissingToken => "A link is needed to open this.",
            Self::Forbidden => "This link does not open this.",
            Self::Expired => "This link has expired. Open the lecture from the course again.",
            Self::NoVariant => "This lecture has no version that this link opens.",
            Self::NoPreview => "This lecture cannot be shown in part.",
            Self::UnsafePlaylist => "This lecture's playlist is not safe to play.",
            Self::NotFound => "There is nothing here.",
            Self::MethodNotAllowed => "This cannot be done here.",
            Self::LengthRequired => "An upload has to say how long it is.",
            Self::PreconditionFailed => "What is stored is not what the request expects.",
            Self::BadCondition => {
                "This condition cannot be kept. Send `If-Match` or `If-None-Match` with `*` or entity-tags in quotes, or \
                 `If-Unmodified-Since` with a date, on the request that writes, completes or removes the object."
            }
            Self::PayloadTooLarge => "This is larger than one request may be. Upload it in parts.",
            Self::RangeNotSatisfiable { .. } => "This has fewer bytes than were asked for.",
            Self::BadUpload => "These parts do not make an upload.",
            Self::PlaylistTooLarge => "This playlist is too large to be served.",
            Self::RateLimited => "Too many requests that were refused. Try again in a minute.",
            Self::StorageUnavailable => "The storage does not answer. Try again in a moment.",
            Self::Busy => "There is too much to do at once. Try again in a moment.",
            Self::Misconfigured => "This site is not set up correctly.",
        }
    }

    /// Whether a refusal for this counts against the address that it comes from: what somebody who tries links makes, and
    /// somebody who was given one does not.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(
            self,
            Self::BadPath | Self::BadRequest | Self::MissingToken | Self::Forbidden
        )
    }

    /// The body, RFC 9457 §3. `type` is left out, which stands for `about:blank`.
    #[must_use]
    pub fn body(self) -> String {
        #[derive(Serialize)]
        struct Body {
            title: &'static str,
            status: u16,
            code: &'static str,
        }
        written(&Body {
            title: self.title(),
            status: self.status(),
            code: self.code(),
        })
    }

    /// The headers that this answer has besides those of every answer.
    #[must_use]
    pub fn headers(self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("Content-Type", "application/problem+json".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
            // RFC 9110 §9.3.2: the platform tells it to GET alone, and HEAD has what GET has.
            ("Content-Length", self.body().len().to_string()),
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

/// The check that failed, for programs that say what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reason {
    /// The problem or the detail says all.
    #[default]
    Other,
    /// No key made the link's signature.
    WrongKey,
    /// No key made the pass's MAC for this object.
    WrongMac,
    /// The link's `path` does not contain the object.
    Path,
    /// The link's `use` is another.
    Purpose,
    /// The link expires later than the edge accepts.
    TooFarAhead,
    /// The link's `ip` does not contain the address.
    Address,
    /// The link's `country` does not name the country.
    Country,
    /// The link's `origin` does not name the page's.
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
                serde_json::from_str(&problem.body()).expect("a JSON body");
            assert_eq!(body["code"], problem.code());
            assert_eq!(body["status"], problem.status());
        }
    }
}
