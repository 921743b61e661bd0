//! One log line and one data point per request. Neither contains a link, a pass, a query or an
//! address. A viewer is a keyed hash.

use serde::Serialize;

use crate::credential::keyring::Keyring;
use crate::http::problem::Refusal;
use crate::json::written;
use crate::object::key::ObjectKey;
use crate::playlist::is_storyboard_name;
use crate::text::split_once;

/// Text that a client sent is truncated to this in a log.
const MAX_REASON_CHARACTERS: usize = 200;
const DAY_SECONDS: u64 = 86_400;

/// The source of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedFrom {
    Cache,
    Storage,
}

impl ServedFrom {
    /// The word in `Server-Timing` and in the log.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Cache => "hit",
            Self::Storage => "miss",
        }
    }
}

/// An answered request.
#[derive(Debug)]
pub struct LogRecord<'request> {
    pub method: &'request str,
    /// `None` if the path names no object.
    pub key: Option<&'request ObjectKey>,
    pub status: u16,
    /// The bytes of the object that were requested and granted.
    pub bytes: u64,
    pub source: Option<ServedFrom>,
    /// From [`viewer`].
    pub viewer: &'request str,
    pub refusal: Option<&'request Refusal>,
    /// A difference between the answer and the stored object that concerns the operator.
    pub note: Option<&'request str>,
}

#[derive(Serialize)]
struct LogLine<'record> {
    method: &'record str,
    status: u16,
    bytes: u64,
    viewer: &'record str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'record str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'record str>,
}

impl LogRecord<'_> {
    /// The line: a JSON object.
    #[must_use]
    pub fn line(&self) -> String {
        let cut = |refusal: &Refusal| -> String {
            let characters = refusal.detail.chars();
            characters.take(MAX_REASON_CHARACTERS).collect()
        };
        written(&LogLine {
            method: self.method,
            status: self.status,
            bytes: self.bytes,
            viewer: self.viewer,
            key: self.key.map(ObjectKey::as_str),
            cache: self.source.map(ServedFrom::word),
            code: self.refusal.map(|refusal| refusal.problem.code()),
            reason: self.refusal.map(cut),
            note: self.note,
        })
    }

    /// The data point: index, blobs and doubles, in the order of `docs/analytics.md`.
    #[must_use]
    pub fn data_point(&self) -> Option<DataPoint<'_>> {
        let key = self.key?;
        let asset = asset(key);
        Some(DataPoint {
            index: asset,
            blobs: [asset, self.viewer, kind(key)],
            doubles: [
                height(key).into(),
                i64::try_from(self.bytes).unwrap_or(i64::MAX),
                self.status.into(),
                number(key).map_or(-1, i64::from),
            ],
        })
    }
}

/// A data point of Workers Analytics Engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPoint<'request> {
    pub index: &'request str,
    /// Lecture, viewer, kind.
    pub blobs: [&'request str; 3],
    /// Height, bytes, status, and segment number. The number is -1 for other objects.
    pub doubles: [i64; 4],
}

/// The lecture of an object: the folder of its revisions, or its own.
pub(crate) fn asset(key: &ObjectKey) -> &str {
    match split_once(key.as_str(), "/v/") {
        Some((asset, _)) if key.is_in_revision() => asset,
        _ => key.split().0.trim_end_matches('/'),
    }
}

fn kind(key: &ObjectKey) -> &'static str {
    let name = key.split().1;
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "m3u8" | "mpd" => "playlist",
        "m4s" | "ts" | "aac" => "segment",
        "mp4" if name == "init.mp4" => "init",
        "vtt" if !is_storyboard_name(name) => "caption",
        "mp4" => "file",
        "jpg" | "png" | "webp" => "image",
        _ => "other",
    }
}

/// The rung of an object: 480 of `…/480p/seg00000.m4s`, or 0 without one.
fn height(key: &ObjectKey) -> u16 {
    let rung = key.split().0.trim_end_matches('/').rsplit('/').next();
    rung.and_then(|rung| rung.strip_suffix('p')?.parse().ok())
        .unwrap_or(0)
}

/// A segment's number, 12 of `seg00012.m4s`.
fn number(key: &ObjectKey) -> Option<u32> {
    let stem = key.split().1.strip_prefix("seg")?.split('.').next()?;
    stem.parse().ok()
}

/// An anonymous name for a viewer: a keyed hash of the link's `sub`. Without `sub`, it hashes
/// address and browser, and changes daily.
#[must_use]
pub fn viewer(
    keys: &Keyring,
    sub: Option<&str>,
    address: &str,
    user_agent: &str,
    now: u64,
) -> String {
    match sub {
        Some(sub) => keys.minting().viewer(&["sub", sub]),
        None => {
            let day = (now / DAY_SECONDS).to_string();
            keys.minting().viewer(&[&day, address, user_agent])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::keyring::testing::ring;
    use crate::http::problem::Problem;

    fn key(key: &str) -> ObjectKey {
        ObjectKey::new(key).expect("a key")
    }

    #[test]
    fn a_request_is_a_line_of_json() {
        let segment = key("c/\"é\"/v/1/480p/seg.m4s");
        let read = LogRecord {
            method: "GET",
            key: Some(&segment),
            status: 206,
            bytes: 5 << 30,
            source: Some(ServedFrom::Cache),
            viewer: "abc",
            refusal: None,
            note: None,
        };
        assert_eq!(
            read.line(),
            r#"{"method":"GET","status":206,"bytes":5368709120,"viewer":"abc","key":"c/\"é\"/v/1/480p/seg.m4s","cache":"hit"}"#
        );
        let refusal = Refusal::new(Problem::Forbidden, "\n".repeat(5000));
        let refused = LogRecord {
            status: 403,
            key: None,
            source: None,
            refusal: Some(&refusal),
            note: None,
            ..read
        };
        let line: serde_json::Value = serde_json::from_str(&refused.line()).expect("JSON");
        assert_eq!(line["code"], "forbidden");
        assert_eq!(line["reason"], "\n".repeat(200));
    }

    #[test]
    fn a_data_point_names_lecture_kind_and_rung() {
        for (name, asset, kind, height, number) in [
            ("c/x/v/1/480p/seg00012.m4s", "c/x", "segment", 480, 12),
            ("c/x/v/1/480p/init.mp4", "c/x", "init", 480, -1),
            ("c/x/v/1/audio/en/seg00000.m4s", "c/x", "segment", 0, 0),
            ("c/x/v/1/lecture.mp4", "c/x", "file", 0, -1),
            ("c/x/v/1/subs/en/seg00001.vtt", "c/x", "caption", 0, 1),
            ("c/x/v/1/storyboard.vtt", "c/x", "other", 0, -1),
            ("c/x/master.m3u8", "c/x", "playlist", 0, -1),
            ("original.mov", "", "other", 0, -1),
            ("c/v/master.m3u8", "c/v", "playlist", 0, -1),
        ] {
            let key = key(name);
            let record = LogRecord {
                method: "GET",
                key: Some(&key),
                status: 200,
                bytes: 7,
                source: None,
                viewer: "abc",
                refusal: None,
                note: None,
            };
            let point = DataPoint {
                index: asset,
                blobs: [asset, "abc", kind],
                doubles: [height, 7, 200, number],
            };
            assert_eq!(record.data_point(), Some(point), "{name}");
        }
    }

    #[test]
    fn a_viewer_is_the_same_for_a_day_and_another_for_everybody_else() {
        let keys = ring(&["k"]);
        let of = |sub: Option<&str>, address: &str, agent: &str, now: u64| {
            viewer(&keys, sub, address, agent, now)
        };
        let first = of(None, "192.0.2.1", "a", 86_400);
        assert_eq!(first.len(), 12);
        assert_eq!(first, of(None, "192.0.2.1", "a", 2 * 86_400 - 1));
        let known = of(Some("s42"), "192.0.2.1", "a", 0);
        assert_eq!(known, of(Some("s42"), "192.0.2.2", "b", 1 << 40));
        for other in [
            known,
            of(Some("s43"), "192.0.2.1", "a", 86_400),
            of(None, "192.0.2.2", "a", 86_400),
            of(None, "192.0.2.1", "b", 86_400),
            of(None, "192.0.2.1", "a", 2 * 86_400),
            // Moving the boundary between two fields changes the hash.
            of(None, "192.0.2.", "1a", 86_400),
            viewer(&ring(&["j"]), None, "192.0.2.1", "a", 86_400),
        ] {
            assert_ne!(first, other);
        }
    }
}
