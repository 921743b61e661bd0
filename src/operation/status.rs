//! Statuses of packaging: the packager writes `K.status.json` beside an upload `K`, and
//! `status.json` into the folder of a recording. An upload link reads the status of what it may
//! write, and no other object. Only an administrator's link stores a status, so that no uploader
//! writes the status of another one's upload.

use crate::object::key::ObjectKey;

/// The largest status that the edge answers.
pub const MAX_STATUS_BYTES: u64 = 64 << 10;
const SUFFIX: &str = ".status.json";

/// Returns whether an object with this name is a status.
#[must_use]
pub fn is_status_name(name: &str) -> bool {
    name == "status.json" || name.len() > SUFFIX.len() && name.ends_with(SUFFIX)
}

/// The object whose writer may read this status: the upload beside it, or the status itself in the
/// folder of a recording. `None` for the name of another object.
#[must_use]
pub fn status_subject(key: &ObjectKey) -> Option<ObjectKey> {
    let name = key.split().1;
    if !is_status_name(name) {
        return None;
    }
    let upload = key.as_str().strip_suffix(SUFFIX);
    ObjectKey::new(upload.unwrap_or(key.as_str())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_known_by_its_name() {
        for (key, expected) in [
            ("uploads/a.mp4.status.json", Some("uploads/a.mp4")),
            ("uploads/live/status.json", Some("uploads/live/status.json")),
            (
                "uploads/a.status.json.status.json",
                Some("uploads/a.status.json"),
            ),
            ("uploads/.status.json", None),
            ("uploads/astatus.json", None),
            ("uploads/status.json/a", None),
            ("uploads/a.status.JSON", None),
            ("uploads/a.status.json.mp4", None),
            ("uploads/a.json", None),
        ] {
            let key = ObjectKey::new(key).expect("a key");
            let subject = status_subject(&key);
            assert_eq!(subject.as_ref().map(ObjectKey::as_str), expected, "{key}");
            assert_eq!(is_status_name(key.split().1), expected.is_some(), "{key}");
        }
    }
}
