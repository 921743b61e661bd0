//! Reports of players: what a player posts about a lecture, and which lecture that is.

use crate::credential::ticket::truncated_hash;
use crate::json::JsonValue;
use crate::ledger::watching::{MAX_DURATION, MAX_RUNS};
use crate::log::asset;
use crate::object::key::{ObjectKey, Scope};
use crate::request::RESERVED;

/// The longest body of a report, in bytes.
pub const MAX_REPORT_BYTES: u64 = 16 << 10;
/// The longest path of a lecture, in bytes.
pub const MAX_LECTURE_BYTES: usize = 512;
/// The fastest playback rate.
const MAX_SPEED: u64 = 16;

/// The hash that names a lecture's ledger.
pub type LectureHash = [u8; 16];

/// A lecture: the folder of its playlists, such as `/courses/rails/intro/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lecture(String);

impl Lecture {
    /// The lecture of an object: the folder of its revisions, or its own folder.
    ///
    /// # Errors
    /// The violated rule, in words.
    pub fn of(key: &ObjectKey) -> Result<Self, &'static str> {
        match asset(key) {
            "" => Err("a lecture has a folder of its own"),
            asset => Self::parse(&format!("/{asset}/")),
        }
    }

    /// Parses a lecture's path, decoded: `/courses/rails/intro/`.
    ///
    /// # Errors
    /// The violated rule, in words.
    pub fn parse(path: &str) -> Result<Self, &'static str> {
        let is_folder = matches!(Scope::parse(path), Ok(Scope::Directory(_)));
        let is_own = |own: &str| path.get(1..).is_some_and(|path| path.starts_with(own));
        if !is_folder || is_own(RESERVED) || is_own("~") {
            return Err("a lecture is a folder, such as `/courses/rails/intro/`");
        }
        if path.len() > MAX_LECTURE_BYTES {
            return Err("a lecture's path has at most 512 bytes");
        }
        Ok(Self(path.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn hash(&self) -> LectureHash {
        truncated_hash("lecture", &self.0)
    }
}

/// The report of a player.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchReport {
    /// The second at which the player is. Within the duration.
    pub position: u32,
    /// The lecture's length in seconds, 1 to [`MAX_DURATION`].
    pub duration: u32,
    /// Watched seconds, each from the first to the one behind the last, within the duration. At most
    /// [`MAX_RUNS`].
    pub ranges: Vec<(u32, u32)>,
    /// The player ends, or its page is left.
    pub is_final: bool,
}

impl WatchReport {
    /// Parses a report. Seconds may have a fraction, and are rounded down, so that the ranges of two
    /// reports still touch.
    ///
    /// # Errors
    /// The violated rule, in words.
    pub fn from_json(json: &[u8]) -> Result<Self, &'static str> {
        if json.len() as u64 > MAX_REPORT_BYTES {
            return Err("a report has at most 16 KiB");
        }
        let report = JsonValue::parse(json).ok_or("the report is not JSON")?;
        report
            .as_object()
            .ok_or("the report is not a JSON object")?;
        let second = |value: &JsonValue<'_>| {
            let seconds = value.as_floor()?;
            Some(u32::try_from(seconds).unwrap_or(u32::MAX))
        };
        let member = |name| report.member(name);
        let duration = member("duration")
            .and_then(second)
            .filter(|duration| (1..=MAX_DURATION).contains(duration))
            .ok_or("`duration` is 1 to 86400 seconds")?;
        let position = member("position")
            .and_then(second)
            .ok_or("`position` is a number of seconds")?;
        let mut ranges = Vec::new();
        let listed = member("ranges").and_then(JsonValue::as_array);
        for range in listed.ok_or("`ranges` is a list of `[from, to]`")? {
            let seconds = match range.as_array() {
                Some([from, to]) => second(from).zip(second(to)),
                _ => None,
            };
            let (from, to) = seconds
                .filter(|(from, to)| from <= to)
                .ok_or("a range is `[from, to]` in seconds, the first not behind the second")?;
            let to = to.min(duration);
            if from < to {
                ranges.push((from, to));
            }
        }
        if ranges.len() > MAX_RUNS {
            return Err("a report has at most 200 ranges");
        }
        if let Some(speed) = member("speed") {
            let is_speed = speed.as_floor().is_some_and(|speed| speed <= MAX_SPEED);
            is_speed.then_some(()).ok_or("`speed` is 0 to 16")?;
        }
        let is_final = match member("final") {
            None => false,
            Some(JsonValue::Bool(is_final)) => *is_final,
            Some(_) => return Err("`final` is `true` or `false`"),
        };
        Ok(Self {
            position: position.min(duration),
            duration,
            ranges,
            is_final,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_parsed_into_seconds_within_the_lecture() {
        let json = br#"{"position":61.9,"duration":60.023,"ranges":[[0,30.4],[30.4,99],[70,80],[5,5]],"speed":1.5,
            "final":true,"other":null}"#;
        let report = WatchReport::from_json(json);
        let expected = WatchReport {
            position: 60,
            duration: 60,
            ranges: vec![(0, 30), (30, 60)],
            is_final: true,
        };
        assert_eq!(report, Ok(expected));
    }

    #[test]
    fn nonsense_is_refused() {
        let valid = r#"{"position":1,"duration":60,"ranges":[[0,30]]}"#;
        assert!(WatchReport::from_json(valid.as_bytes()).is_ok());
        for (from, to) in [
            ("1", "-1"),
            ("1", "1e308"),
            ("1", "NaN"),
            ("1", "null"),
            (":60", ":0"),
            (":60", ":0.9"),
            (":60", ":86401"),
            (":60", ":-60"),
            (":60", ":1e3"),
            (":60", ":Infinity"),
            (":60", r#":"60""#),
            ("[[0,30]]", "[[30,0]]"),
            ("[[0,30]]", "[[0]]"),
            ("[[0,30]]", "[[0,1,2]]"),
            ("[[0,30]]", "[0,30]"),
            ("[[0,30]]", "[[-1,30]]"),
            ("[[0,30]]", r#"[["0",30]]"#),
            ("[[0,30]]", "{}"),
            ("[[0,30]]", "[]],[["),
            ("]]}", r#"]],"speed":17}"#),
            ("]]}", r#"]],"speed":-1}"#),
            ("]]}", r#"]],"final":1}"#),
            ("]]}", r#"]],"ranges":[]}"#),
        ] {
            let json = valid.replacen(from, to, 1);
            assert!(WatchReport::from_json(json.as_bytes()).is_err(), "{json}");
        }
        for json in ["", "[]", "null", "{}"] {
            assert!(WatchReport::from_json(json.as_bytes()).is_err(), "{json}");
        }
        let list = |ranges: usize| {
            let ranges = vec!["[0,1]"; ranges].join(",");
            format!(r#"{{"position":1,"duration":60,"ranges":[{ranges}]}}"#)
        };
        assert!(WatchReport::from_json(list(MAX_RUNS).as_bytes()).is_ok());
        assert!(WatchReport::from_json(list(MAX_RUNS + 1).as_bytes()).is_err());
        let long = format!("{valid}{}", " ".repeat(16 << 10));
        assert!(WatchReport::from_json(long.as_bytes()).is_err());
        let huge = br#"{"position":18446744073709551615,"duration":60,"ranges":[[18446744073709551614,18446744073709551615]]}"#;
        let report = WatchReport::from_json(huge).expect("a report");
        assert_eq!((report.position, report.ranges), (60, vec![]));
    }

    #[test]
    fn a_lecture_is_the_folder_of_its_playlists() {
        for (key, expected) in [
            (
                "courses/rails/intro/master.m3u8",
                Some("/courses/rails/intro/"),
            ),
            (
                "courses/rails/intro/manifest.mpd",
                Some("/courses/rails/intro/"),
            ),
            (
                "courses/rails/intro/v/5b/master.m3u8",
                Some("/courses/rails/intro/"),
            ),
            ("café/a b.m3u8", Some("/café/")),
            ("master.m3u8", None),
            ("v/1/master.m3u8", Some("/v/1/")),
        ] {
            let key = ObjectKey::new(key).expect("a key");
            let lecture = Lecture::of(&key).ok();
            assert_eq!(lecture.as_ref().map(Lecture::as_str), expected, "{key}");
        }
        for path in [
            "",
            "/",
            "/a",
            "a/",
            "/a//b/",
            "/_lectern/",
            "/~x/",
            "/a/../b/",
        ] {
            assert!(Lecture::parse(path).is_err(), "{path}");
        }
        let long = |bytes: usize| format!("/{}/", "x".repeat(bytes - 2));
        assert!(Lecture::parse(&long(MAX_LECTURE_BYTES)).is_ok());
        assert!(Lecture::parse(&long(MAX_LECTURE_BYTES + 1)).is_err());
    }
}
