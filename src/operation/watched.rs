//! Requests about what viewers watched: `/_lectern/watched`. A player reports and asks for its own
//! viewer, with its link; an administrator of `/_lectern/watched/` asks for all.

use serde::Serialize;

use super::read::Headers;
use crate::credential::ticket::{Place, Ticket, ViewerHash};
use crate::http::date::format_rfc3339;
use crate::http::problem::{Problem, Refusal};
use crate::ledger::history::WatchRecord;
use crate::ledger::report::{Lecture, MAX_REPORT_BYTES};
use crate::object::key::{ObjectKey, percent_decode};
use crate::operation::write::body_length;
use crate::request::{Request, decoded, parameter};

/// The path for players.
pub const WATCHED: &str = "/_lectern/watched";
/// The beginning of the paths for administrators.
pub const WATCHED_FOLDER: &str = "/_lectern/watched/";
/// The viewers on a page of a lecture's list.
pub const PAGE: usize = 1_000;
const MAX_VIEWER_BYTES: usize = 256;

/// The first characters of a cell that a spreadsheet takes for a formula (OWASP, "CSV Injection").
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A request of a player about its viewer.
#[derive(Debug)]
pub struct PlayerWatch {
    pub hash: ViewerHash,
    pub viewer: String,
    pub key: ObjectKey,
    pub lecture: Lecture,
    /// The place that a report keeps.
    pub place: Option<Place>,
    pub ticket: Option<Ticket>,
    pub action: PlayerAction,
}

/// A player's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayerAction {
    /// Takes a report in, of so many bytes.
    Report { length: u64 },
    /// Answers the viewer's progress.
    Progress,
}

/// A request of an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminWatch {
    /// The lectures of a viewer.
    Viewer { viewer: String, is_csv: bool },
    /// The viewers of a lecture, behind one.
    Lecture {
        lecture: Lecture,
        after: String,
        is_csv: bool,
    },
    /// Forgets a viewer.
    Forget { viewer: String },
}

impl PlayerAction {
    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, Refusal> {
        match request.method {
            "GET" => Ok(Self::Progress),
            "POST" => Ok(Self::Report {
                length: body_length(request, MAX_REPORT_BYTES)?,
            }),
            method => Err(not_allowed(method)),
        }
    }
}

impl AdminWatch {
    /// Parses a request below [`WATCHED_FOLDER`].
    pub(crate) fn parse(request: &Request<'_>) -> Result<Self, Refusal> {
        let bad = |reason: &str| Refusal::new(Problem::BadRequest, reason);
        let below = request.path.strip_prefix(WATCHED_FOLDER);
        let (kind, name) = below
            .and_then(|path| path.split_once('/'))
            .unwrap_or_default();
        let is_csv = match parameter(request.query, "as")? {
            None | Some("json") => false,
            Some("csv") => true,
            Some(_) => return Err(bad("`as` is `json` or `csv`")),
        };
        match (request.method, kind) {
            ("GET", "viewers") => Ok(Self::Viewer {
                viewer: viewer(name)?,
                is_csv,
            }),
            ("DELETE", "viewers") => Ok(Self::Forget {
                viewer: viewer(name)?,
            }),
            ("GET", "lectures") => {
                let path = percent_decode(&format!("/{name}"))
                    .map_err(|error| Refusal::new(Problem::BadPath, error))?;
                let after = match parameter(request.query, "after")? {
                    None => String::new(),
                    Some(after) => viewer(after)?,
                };
                Ok(Self::Lecture {
                    lecture: Lecture::parse(&path).map_err(bad)?,
                    after,
                    is_csv,
                })
            }
            (method, "viewers" | "lectures") => Err(not_allowed(method)),
            _ => Err(Refusal::new(Problem::NotFound, "no such path")),
        }
    }
}

fn viewer(name: &str) -> Result<String, Refusal> {
    decoded(name)
        .filter(|name| (1..=MAX_VIEWER_BYTES).contains(&name.len()))
        .ok_or_else(|| {
            let reason = "a viewer's id is percent-encoded UTF-8 of 1 to 256 bytes";
            Refusal::new(Problem::BadRequest, reason)
        })
}

fn not_allowed(method: &str) -> Refusal {
    Refusal::new(Problem::MethodNotAllowed, format!("method `{method}`"))
}

/// A list of records about one viewer or one lecture.
#[derive(Debug)]
pub struct WatchList<'list> {
    pub subject: WatchSubject<'list>,
    /// Each lecture's path, or each viewer's id, with the record.
    pub rows: &'list [(&'list str, WatchRecord)],
    /// More rows follow on the next page.
    pub truncated: bool,
}

/// The headers of an answer.
#[must_use]
pub fn headers(is_csv: bool) -> Headers {
    let content_type = match is_csv {
        true => "text/csv; charset=utf-8",
        false => "application/json",
    };
    let mut headers = vec![
        ("Content-Type", content_type.to_owned()),
        ("Cache-Control", "no-store".to_owned()),
    ];
    if is_csv {
        let name = "attachment; filename=\"watched.csv\"";
        headers.push(("Content-Disposition", name.to_owned()));
    }
    headers
}

/// The answer about a forgotten viewer: what was removed, and the rows in lectures' lists that the
/// ledger still removes.
#[must_use]
pub fn forgotten_json(lectures: usize, players: usize, pending: usize) -> String {
    format!(r#"{{"lectures":{lectures},"players":{players},"pending":{pending}}}"#)
}

/// The subject of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchSubject<'list> {
    Viewer(&'list str),
    Lecture(&'list str),
}

#[derive(Serialize)]
struct ListedRow<'row> {
    #[serde(skip_serializing_if = "Option::is_none")]
    viewer: Option<&'row str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lecture: Option<&'row str>,
    #[serde(flatten)]
    record: &'row WatchRecord,
}

impl WatchList<'_> {
    /// The list in the requested format.
    #[must_use]
    pub fn body(&self, is_csv: bool) -> String {
        match is_csv {
            true => self.csv(),
            false => self.json(),
        }
    }

    fn json(&self) -> String {
        #[derive(Serialize)]
        struct ViewerBody<'list> {
            viewer: &'list str,
            lectures: Vec<ListedRow<'list>>,
            truncated: bool,
        }
        #[derive(Serialize)]
        struct LectureBody<'list> {
            lecture: &'list str,
            viewers: Vec<ListedRow<'list>>,
            truncated: bool,
        }
        let truncated = self.truncated;
        let rows = self.rows.iter();
        match self.subject {
            WatchSubject::Viewer(viewer) => crate::json::written(&ViewerBody {
                viewer,
                lectures: rows
                    .map(|(lecture, record)| ListedRow {
                        viewer: None,
                        lecture: Some(lecture),
                        record,
                    })
                    .collect(),
                truncated,
            }),
            WatchSubject::Lecture(lecture) => crate::json::written(&LectureBody {
                lecture,
                viewers: rows
                    .map(|(viewer, record)| ListedRow {
                        viewer: Some(viewer),
                        lecture: None,
                        record,
                    })
                    .collect(),
                truncated,
            }),
        }
    }

    /// The list as RFC 4180 defines it, with a header.
    fn csv(&self) -> String {
        let name = match self.subject {
            WatchSubject::Viewer(_) => "lecture",
            WatchSubject::Lecture(_) => "viewer",
        };
        let mut csv = format!("{name},percent,position,duration,completed_at,last_seen\r\n");
        for (name, record) in self.rows {
            let completed_at = record.completed_at.map(format_rfc3339).unwrap_or_default();
            csv.push_str(&cell(name));
            csv.push_str(&format!(
                ",{},{},{},{completed_at},{}\r\n",
                record.percent,
                record.position,
                record.duration,
                format_rfc3339(record.last_seen)
            ));
        }
        csv
    }
}

/// A text as a cell of CSV, which no spreadsheet takes for a formula.
#[must_use]
pub fn cell(text: &str) -> String {
    let guard = if text.starts_with(FORMULA) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, path: &str, query: &str) -> Result<AdminWatch, Problem> {
        let request = Request {
            method,
            origin: "https://a.example",
            path,
            query: Some(query),
            header: &|_| None,
            country: &|| None,
        };
        AdminWatch::parse(&request).map_err(|refusal| refusal.problem)
    }

    #[test]
    fn an_administrator_asks_for_a_viewer_or_a_lecture() {
        let viewer = |viewer: &str, is_csv| AdminWatch::Viewer {
            viewer: viewer.to_owned(),
            is_csv,
        };
        let lecture = |lecture: &str, after: &str, is_csv| AdminWatch::Lecture {
            lecture: Lecture::parse(lecture).expect("a lecture"),
            after: after.to_owned(),
            is_csv,
        };
        let forget = AdminWatch::Forget {
            viewer: "s/4 2".to_owned(),
        };
        for (method, path, query, expected) in [
            ("GET", "viewers/s42", "", Ok(viewer("s42", false))),
            (
                "GET",
                "viewers/s%2F4%202",
                "as=csv",
                Ok(viewer("s/4 2", true)),
            ),
            ("GET", "viewers/s/4", "as=json", Ok(viewer("s/4", false))),
            ("DELETE", "viewers/s%2F4%202", "", Ok(forget)),
            (
                "GET",
                "lectures/courses/caf%C3%A9/",
                "after=s%2F4&as=csv",
                Ok(lecture("/courses/café/", "s/4", true)),
            ),
            ("GET", "lectures/a/", "", Ok(lecture("/a/", "", false))),
            ("GET", "lectures/a", "", Err(Problem::BadRequest)),
            ("GET", "lectures/", "", Err(Problem::BadRequest)),
            ("GET", "lectures/a%2Fb/", "", Err(Problem::BadPath)),
            ("GET", "lectures/_lectern/", "", Err(Problem::BadRequest)),
            ("GET", "lectures/a/", "as=xml", Err(Problem::BadRequest)),
            ("GET", "lectures/a/", "after=%zz", Err(Problem::BadRequest)),
            ("GET", "viewers/", "", Err(Problem::BadRequest)),
            ("GET", "viewers/%zz", "", Err(Problem::BadRequest)),
            ("GET", "viewers", "", Err(Problem::NotFound)),
            ("GET", "", "", Err(Problem::NotFound)),
            ("GET", "others/a", "", Err(Problem::NotFound)),
            ("POST", "viewers/s42", "", Err(Problem::MethodNotAllowed)),
            ("DELETE", "lectures/a/", "", Err(Problem::MethodNotAllowed)),
        ] {
            let found = parse(method, &format!("{WATCHED_FOLDER}{path}"), query);
            assert_eq!(found, expected, "{method} {path} {query}");
        }
        let long = format!("{WATCHED_FOLDER}viewers/{}", "v".repeat(257));
        assert_eq!(parse("GET", &long, ""), Err(Problem::BadRequest));
    }

    #[test]
    fn a_list_is_json_or_csv_without_formulas() {
        let record = |percent, completed_at| WatchRecord {
            percent,
            position: 30,
            duration: 60,
            completed_at,
            last_seen: 1_800_000_060,
        };
        let rows = [
            ("s42", record(100, Some(1_800_000_000))),
            ("=HYPERLINK(\"http://a.example\")", record(50, None)),
            ("a,b\r\n\"c\"", record(0, None)),
            ("'@x", record(1, None)),
            ("-1", record(2, None)),
        ];
        let list = WatchList {
            subject: WatchSubject::Lecture("/a/"),
            rows: &rows,
            truncated: true,
        };
        assert_eq!(
            list.csv(),
            "viewer,percent,position,duration,completed_at,last_seen\r\n\
             \"s42\",100,30,60,2027-01-15T08:00:00Z,2027-01-15T08:01:00Z\r\n\
             \"'=HYPERLINK(\"\"http://a.example\"\")\",50,30,60,,2027-01-15T08:01:00Z\r\n\
             \"a,b\r\n\"\"c\"\"\",0,30,60,,2027-01-15T08:01:00Z\r\n\
             \"'@x\",1,30,60,,2027-01-15T08:01:00Z\r\n\
             \"'-1\",2,30,60,,2027-01-15T08:01:00Z\r\n"
        );
        let json: serde_json::Value = serde_json::from_str(&list.json()).expect("JSON");
        assert_eq!(json["lecture"], "/a/");
        assert_eq!(json["truncated"], true);
        assert_eq!(json["viewers"][1]["viewer"], rows[1].0);
        assert_eq!(json["viewers"][1]["completed_at"], serde_json::Value::Null);
        let list = WatchList {
            subject: WatchSubject::Viewer("s42"),
            rows: &[("/a/", record(100, Some(1_800_000_000)))],
            truncated: false,
        };
        assert_eq!(
            list.json(),
            r#"{"viewer":"s42","lectures":[{"lecture":"/a/","percent":100,"position":30,"duration":60,"completed_at":1800000000,"last_seen":1800000060}],"truncated":false}"#
        );
    }
}
