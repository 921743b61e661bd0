//! Messages about what a viewer watches, to his ledger and to a lecture's.

use serde::Serialize;

use super::history::WatchRecord;
use super::report::{Lecture, WatchReport};
use super::watching::MAX_RUNS;
use crate::credential::ticket::{Place, parse_session, session_text};
use crate::json::{JsonValue, written};
use crate::object::key::ObjectKey;

/// A message to a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchMessage {
    /// To a viewer's ledger: takes a report in, and keeps the player's place.
    Report {
        viewer: String,
        /// The object that the player plays. It exists, or the report is refused.
        key: ObjectKey,
        lecture: Lecture,
        report: WatchReport,
        place: Option<Place>,
    },
    /// To a viewer's ledger: his progress in a lecture.
    Progress(Lecture),
    /// To a viewer's ledger: his position in a lecture.
    Position(Lecture),
    /// To a viewer's ledger: his progress in all lectures, in a format.
    Records { viewer: String, is_csv: bool },
    /// To a viewer's ledger: forgets everything about him.
    Forget,
    /// To a lecture's ledger: notes a viewer's progress.
    Record { viewer: String, record: WatchRecord },
    /// To a lecture's ledger: removes a viewer.
    Remove { viewer: String },
    /// To a lecture's ledger: a page of its viewers, behind one, in a format.
    Viewers {
        lecture: Lecture,
        after: String,
        is_csv: bool,
    },
}

/// The members of a message.
#[derive(Debug, Default, Serialize)]
struct WatchMembers<'message> {
    ask: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    viewer: Option<&'message str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'message str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lecture: Option<&'message str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<ReportMembers<'message>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceMembers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'message WatchRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'message str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    csv: Option<bool>,
}

#[derive(Debug, Serialize)]
struct ReportMembers<'message> {
    position: u32,
    duration: u32,
    ranges: &'message [(u32, u32)],
    r#final: bool,
}

#[derive(Debug, Serialize)]
struct PlaceMembers {
    session: String,
    places: u8,
    newest_wins: bool,
}

impl WatchMessage {
    #[must_use]
    pub fn to_json(&self) -> String {
        let about = |ask| WatchMembers {
            ask,
            ..WatchMembers::default()
        };
        let members = match self {
            Self::Report {
                viewer,
                key,
                lecture,
                report,
                place,
            } => WatchMembers {
                viewer: Some(viewer),
                key: Some(key.as_str()),
                lecture: Some(lecture.as_str()),
                report: Some(ReportMembers {
                    position: report.position,
                    duration: report.duration,
                    ranges: &report.ranges,
                    r#final: report.is_final,
                }),
                place: place.map(|place| PlaceMembers {
                    session: session_text(&place.session),
                    places: place.places,
                    newest_wins: place.newest_wins,
                }),
                ..about("report")
            },
            Self::Progress(lecture) => WatchMembers {
                lecture: Some(lecture.as_str()),
                ..about("progress")
            },
            Self::Position(lecture) => WatchMembers {
                lecture: Some(lecture.as_str()),
                ..about("position")
            },
            Self::Records { viewer, is_csv } => WatchMembers {
                viewer: Some(viewer),
                csv: Some(*is_csv),
                ..about("records")
            },
            Self::Forget => about("forget"),
            Self::Record { viewer, record } => WatchMembers {
                viewer: Some(viewer),
                record: Some(record),
                ..about("record")
            },
            Self::Remove { viewer } => WatchMembers {
                viewer: Some(viewer),
                ..about("remove")
            },
            Self::Viewers {
                lecture,
                after,
                is_csv,
            } => WatchMembers {
                lecture: Some(lecture.as_str()),
                after: Some(after),
                csv: Some(*is_csv),
                ..about("viewers")
            },
        };
        written(&members)
    }

    /// Parses what [`WatchMessage::to_json`] wrote.
    pub(super) fn from_members(message: &JsonValue<'_>) -> Option<Self> {
        let text = |name| message.member(name).and_then(JsonValue::as_str);
        let owned = |name| text(name).map(str::to_owned);
        let lecture = || Lecture::parse(text("lecture")?).ok();
        let is_csv = || message.member("csv") == Some(&JsonValue::Bool(true));
        Some(match text("ask")? {
            "report" => Self::Report {
                viewer: owned("viewer")?,
                key: ObjectKey::new(text("key")?).ok()?,
                lecture: lecture()?,
                report: parse_report(message.member("report")?)?,
                place: match message.member("place") {
                    Some(place) => Some(parse_place(place)?),
                    None => None,
                },
            },
            "progress" => Self::Progress(lecture()?),
            "position" => Self::Position(lecture()?),
            "records" => Self::Records {
                viewer: owned("viewer")?,
                is_csv: is_csv(),
            },
            "forget" => Self::Forget,
            "record" => Self::Record {
                viewer: owned("viewer")?,
                record: parse_record(message.member("record")?)?,
            },
            "remove" => Self::Remove {
                viewer: owned("viewer")?,
            },
            "viewers" => Self::Viewers {
                lecture: lecture()?,
                after: owned("after")?,
                is_csv: is_csv(),
            },
            _ => return None,
        })
    }
}

fn number(value: &JsonValue<'_>, name: &str) -> Option<u32> {
    u32::try_from(value.member(name)?.as_integer()?).ok()
}

fn parse_report(report: &JsonValue<'_>) -> Option<WatchReport> {
    let second = |value: &JsonValue<'_>| u32::try_from(value.as_integer()?).ok();
    let range = |range: &JsonValue<'_>| match range.as_array()? {
        [from, to] => Some((second(from)?, second(to)?)),
        _ => None,
    };
    let ranges = report.member("ranges")?.as_array()?;
    let ranges = ranges.iter().take(MAX_RUNS).map(range);
    Some(WatchReport {
        position: number(report, "position")?,
        duration: number(report, "duration")?,
        ranges: ranges.collect::<Option<_>>()?,
        is_final: report.member("final") == Some(&JsonValue::Bool(true)),
    })
}

fn parse_place(place: &JsonValue<'_>) -> Option<Place> {
    Some(Place {
        session: parse_session(place.member("session")?.as_str()?)?,
        places: u8::try_from(number(place, "places")?).ok()?,
        newest_wins: place.member("newest_wins") == Some(&JsonValue::Bool(true)),
    })
}

fn parse_record(record: &JsonValue<'_>) -> Option<WatchRecord> {
    Some(WatchRecord {
        percent: number(record, "percent")?,
        position: number(record, "position")?,
        duration: number(record, "duration")?,
        completed_at: match record.member("completed_at")? {
            JsonValue::Null => None,
            time => Some(time.as_integer()?),
        },
        last_seen: record.member("last_seen")?.as_integer()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::message::LedgerRequest;

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let viewer = || "s \"42\"\u{0}é".to_owned();
        let lecture = || Lecture::parse("/courses/é/").expect("a lecture");
        let report = |place| WatchMessage::Report {
            viewer: viewer(),
            key: ObjectKey::new("courses/é/master.m3u8").expect("a key"),
            lecture: lecture(),
            report: WatchReport {
                position: 7,
                duration: 60,
                ranges: vec![(0, 7), (9, 60)],
                is_final: true,
            },
            place,
        };
        let record = |completed_at| WatchMessage::Record {
            viewer: viewer(),
            record: WatchRecord {
                percent: 90,
                position: 7,
                duration: 60,
                completed_at,
                last_seen: 1_800_000_000,
            },
        };
        for message in [
            report(None),
            report(Some(Place {
                session: [3; 8],
                places: 2,
                newest_wins: true,
            })),
            WatchMessage::Progress(lecture()),
            WatchMessage::Position(lecture()),
            WatchMessage::Records {
                viewer: viewer(),
                is_csv: true,
            },
            WatchMessage::Forget,
            record(None),
            record(Some(1_800_000_000)),
            WatchMessage::Remove { viewer: viewer() },
            WatchMessage::Viewers {
                lecture: lecture(),
                after: viewer(),
                is_csv: false,
            },
        ] {
            let message = LedgerRequest::Watch(message);
            let json = message.to_json();
            assert_eq!(LedgerRequest::from_json(json.as_bytes()), Some(message));
        }
    }
}
