//! Messages between the Worker and a ledger, as JSON. Only the Worker sends them: no route leads
//! from the outside to a ledger.

use serde::Serialize;

use super::report::Lecture;
use super::revocation::Revoked;
use super::upload_account::{self, UploadCharge};
use super::watch_message::WatchMessage;
use crate::credential::ticket::{Place, parse_session, session_text};
use crate::json::{JsonValue, written};

/// A message to a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerRequest {
    /// To a viewer's ledger: gives a place to a player that opens a lecture, and names the viewer's
    /// position in it.
    Take(Place, Option<Lecture>),
    /// To a viewer's ledger: keeps the place of a player, and names the viewer's position.
    Keep(Place, Option<Lecture>),
    /// To the ledger of revocations: adds one, until a second.
    Revoke(Revoked, u64),
    /// To the ledger of revocations: removes one.
    Unrevoke(Revoked),
    /// To the ledger of revocations: lists those in force.
    ListRevocations,
    /// To the account of upload links: adds what a request stores.
    Upload(UploadCharge),
    /// About what a viewer watches.
    Watch(WatchMessage),
}

/// The answer of a viewer's ledger to a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceAnswer {
    pub has_place: bool,
    /// The viewer's position in the lecture, in seconds.
    pub position: Option<u32>,
}

impl PlaceAnswer {
    #[must_use]
    pub fn to_text(self) -> String {
        match self.position {
            Some(position) => format!("{} {position}", self.has_place),
            None => self.has_place.to_string(),
        }
    }

    /// Parses what [`PlaceAnswer::to_text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (has_place, position) = text.split_once(' ').unwrap_or((text, ""));
        Self {
            has_place: has_place == "true",
            position: position.parse().ok(),
        }
    }
}

/// The members of a message.
#[derive(Debug, Default, Serialize)]
struct Members<'message> {
    ask: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    places: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_wins: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'message str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lecture: Option<&'message str>,
}

impl<'message> Members<'message> {
    fn of_place(ask: &'static str, place: &Place, lecture: Option<&'message Lecture>) -> Self {
        Self {
            ask,
            session: Some(session_text(&place.session)),
            places: Some(place.places),
            newest_wins: Some(place.newest_wins),
            lecture: lecture.map(Lecture::as_str),
            ..Self::default()
        }
    }
}

impl LedgerRequest {
    #[must_use]
    pub fn to_json(&self) -> String {
        let members = match self {
            Self::Take(place, lecture) => Members::of_place("take", place, lecture.as_ref()),
            Self::Keep(place, lecture) => Members::of_place("keep", place, lecture.as_ref()),
            Self::Revoke(target, until) => {
                let (kind, name) = target.parts();
                Members {
                    ask: "revoke",
                    kind: Some(kind),
                    name: Some(name),
                    until: Some(*until),
                    ..Members::default()
                }
            }
            Self::Unrevoke(target) => {
                let (kind, name) = target.parts();
                Members {
                    ask: "unrevoke",
                    kind: Some(kind),
                    name: Some(name),
                    ..Members::default()
                }
            }
            Self::ListRevocations => Members {
                ask: "revocations",
                ..Members::default()
            },
            Self::Upload(charge) => return charge.to_json(),
            Self::Watch(message) => return message.to_json(),
        };
        written(&members)
    }

    /// Parses what [`LedgerRequest::to_json`] wrote.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let message = JsonValue::parse(json)?;
        let text = |name| message.member(name).and_then(JsonValue::as_str);
        let number = |name| message.member(name).and_then(JsonValue::as_integer);
        let place = || {
            Some(Place {
                session: parse_session(text("session")?)?,
                places: u8::try_from(number("places")?).ok()?,
                newest_wins: message.member("newest_wins") == Some(&JsonValue::Bool(true)),
            })
        };
        let lecture = || match text("lecture") {
            Some(path) => Lecture::parse(path).ok().map(Some),
            None => Some(None),
        };
        let target = || Revoked::parse(text("kind")?, text("name")?).ok();
        Some(match text("ask")? {
            "take" => Self::Take(place()?, lecture()?),
            "keep" => Self::Keep(place()?, lecture()?),
            "revoke" => Self::Revoke(target()?, number("until")?),
            "unrevoke" => Self::Unrevoke(target()?),
            "revocations" => Self::ListRevocations,
            upload_account::ASK => Self::Upload(UploadCharge::from_members(&message)?),
            _ => Self::Watch(WatchMessage::from_members(&message)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let place = Place {
            session: [3; 8],
            places: 2,
            newest_wins: true,
        };
        let viewer = Revoked::Viewer("s \"42\"".to_owned());
        for message in [
            LedgerRequest::Take(place, None),
            LedgerRequest::Take(place, Lecture::parse("/courses/é/").ok()),
            LedgerRequest::Keep(
                Place {
                    newest_wins: false,
                    ..place
                },
                None,
            ),
            LedgerRequest::Revoke(viewer.clone(), 5),
            LedgerRequest::Unrevoke(viewer),
            LedgerRequest::Revoke(Revoked::Path("/a/".to_owned()), 5),
            LedgerRequest::ListRevocations,
            LedgerRequest::Upload(UploadCharge::new("a/é", 5, (Some(9), None), 7)),
            LedgerRequest::Upload(UploadCharge::new("a", 5, (None, Some(9)), 7)),
        ] {
            let json = message.to_json();
            assert_eq!(LedgerRequest::from_json(json.as_bytes()), Some(message));
        }
        assert_eq!(LedgerRequest::from_json(br#"{"ask":"take"}"#), None);
    }

    #[test]
    fn an_answer_about_a_place_may_name_a_position() {
        for (has_place, position, text) in [
            (true, None, "true"),
            (false, None, "false"),
            (true, Some(0), "true 0"),
            (true, Some(86_400), "true 86400"),
        ] {
            let answer = PlaceAnswer {
                has_place,
                position,
            };
            assert_eq!(answer.to_text(), text);
            assert_eq!(PlaceAnswer::parse(text), answer);
        }
        // No place is given by what is no answer.
        for text in ["", "yes 5", "true -5"] {
            let answer = PlaceAnswer::parse(text);
            assert_eq!(
                (answer.has_place, answer.position.is_some()),
                (text == "true -5", text == "yes 5")
            );
        }
    }
}
