//! What a queue is told of an upload that is complete, so that a packager somewhere takes it up: `lectern work`.

use serde::Serialize;

use crate::content_type;
use crate::object_key::{Directory, ObjectKey};
use crate::storage::Stored;

/// A message of the queue: `{"key","etag","bytes","uploaded"}`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct UploadMessage<'upload> {
    pub key: &'upload str,
    pub etag: &'upload str,
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub uploaded: u64,
}

/// The message, where the object is a recording below `uploads`.
#[must_use]
pub fn message<'upload>(
    uploads: Option<&Directory>,
    key: &'upload ObjectKey,
    stored: &'upload Stored,
) -> Option<UploadMessage<'upload>> {
    if !uploads?.contains(key) || !is_whole(key) {
        return None;
    }
    Some(UploadMessage {
        key: key.as_str(),
        etag: &stored.etag,
        bytes: stored.size,
        uploaded: stored.uploaded,
    })
}

/// Whether a name may be that of a whole recording. Of one that is stored in parts, nothing says by itself that it has ended:
/// whoever records puts an object `ended` beside its parts.
fn is_whole(key: &ObjectKey) -> bool {
    const SEGMENTS: [&str; 3] = ["m4s", "ts", "aac"];
    let name = key.split().1;
    let is_init = name.strip_prefix("init").is_some_and(|rest| {
        let stem = rest.split('.').next().unwrap_or(rest);
        stem.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'_')
    });
    let of_name = content_type::for_key(name);
    let may_be_media = of_name == content_type::UNKNOWN
        || ["video/", "audio/"]
            .iter()
            .any(|kind| of_name.starts_with(kind));
    let is_segment = SEGMENTS
        .iter()
        .any(|extension| key.has_extension(extension));
    may_be_media && !is_segment && !is_init && !key.is_in_revision()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_told_of_whole_recordings_below_the_folder_for_uploads() {
        let key = |key: &str| ObjectKey::new(key).expect("a key");
        let uploads = key("uploads/any").directory();
        let stored = Stored {
            etag: "e\"1".to_owned(),
            size: 7,
            uploaded: 9,
            content_type: None,
        };
        let recording = key("uploads/é/a.mov");
        let told = message(Some(&uploads), &recording, &stored).expect("a message");
        assert_eq!(
            serde_json::to_string(&told).ok().as_deref(),
            Some(r#"{"key":"uploads/é/a.mov","etag":"e\"1","bytes":7,"uploaded":9}"#)
        );
        assert_eq!(message(None, &key("uploads/a.mov"), &stored), None);
        for (name, expected) in [
            ("uploads/a.MP4", true),
            ("uploads/a.avi", true),
            ("uploads/a", true),
            ("uploads/initial.mp4", true),
            ("uploads/live/ended", true),
            ("uploads2/a.mov", false),
            ("courses/a.mov", false),
            ("uploads/live/segment-1-1.m4s", false),
            ("uploads/live/seg1.TS", false),
            ("uploads/live/init.mp4", false),
            ("uploads/live/init-1.mp4", false),
            ("uploads/live/playlist.m3u8", false),
            ("uploads/a.json", false),
            ("uploads/a.jpg", false),
            ("uploads/a.vtt", false),
            ("uploads/a/v/1/lecture.mp4", false),
        ] {
            let is_told = message(Some(&uploads), &key(name), &stored).is_some();
            assert_eq!(is_told, expected, "{name}");
        }
    }
}
