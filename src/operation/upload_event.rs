//! Upload events: the queue message that makes a packager (`lectern work`) process a complete
//! upload.

use serde::Serialize;

use crate::object::content_type;
use crate::object::file_kind::is_end_mark;
pub use crate::object::file_kind::{ENDED, extension};
use crate::object::key::{Directory, ObjectKey};
use crate::object::stored::ObjectMetadata;

/// Extensions of recordings, besides those that [`content_type`] knows as video or audio.
const RECORDINGS: [&str; 40] = [
    "3g2", "3gp", "ac3", "aif", "aiff", "amr", "asf", "au", "avi", "caf", "divx", "dv", "eac3",
    "f4v", "flac", "flv", "m2t", "m2ts", "m2v", "m4b", "mka", "mod", "mp2", "mpe", "mpeg", "mpg",
    "mts", "mxf", "nut", "oga", "ogg", "ogm", "ogv", "opus", "qt", "vob", "w64", "wav", "wma",
    "wmv",
];

/// A message of the queue: `{"key","etag","bytes","uploaded"}`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct UploadMessage<'upload> {
    pub key: &'upload str,
    pub etag: &'upload str,
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub uploaded: u64,
}

/// The message for an object, if it is a recording below `uploads`.
///
/// If the name has no extension, the content type must be one of media.
#[must_use]
pub fn message<'upload>(
    uploads: Option<&Directory>,
    key: &'upload ObjectKey,
    stored: &'upload ObjectMetadata,
) -> Option<UploadMessage<'upload>> {
    let has_media_type = || is_media(stored.content_type.as_deref().unwrap_or_default());
    let has_kind = extension(key).is_some() || is_end_mark(key) || has_media_type();
    if !uploads?.contains(key) || !may_be_recording(key) || !has_kind {
        return None;
    }
    Some(UploadMessage {
        key: key.as_str(),
        etag: &stored.etag,
        bytes: stored.size,
        uploaded: stored.uploaded,
    })
}

/// Returns whether a name may be that of a whole recording: it has the extension of one, or none.
/// Segments and initialization sections are not. [`ENDED`] completes a recording that is stored in
/// parts.
#[must_use]
pub fn may_be_recording(key: &ObjectKey) -> bool {
    const SEGMENTS: [&str; 3] = ["m4s", "ts", "aac"];
    let name = key.split().1;
    let is_init = name.strip_prefix("init").is_some_and(|rest| {
        let stem = rest.split('.').next().unwrap_or(rest);
        stem.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'_')
    });
    let has = |list: &[&str]| list.iter().any(|extension| key.has_extension(extension));
    let is_named_so =
        extension(key).is_none() || is_media(content_type::for_key(name)) || has(&RECORDINGS);
    is_named_so && !has(&SEGMENTS) && !is_init && !key.is_in_revision()
}

fn is_media(content_type: &str) -> bool {
    ["video/", "audio/"].iter().any(|kind| {
        let prefix = content_type.get(..kind.len());
        prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(kind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_recordings_below_the_uploads_folder_are_announced() {
        let key = |key: &str| ObjectKey::new(key).expect("a key");
        let uploads = key("uploads/any").directory();
        let stored = ObjectMetadata {
            etag: "e\"1".to_owned(),
            size: 7,
            uploaded: 9,
            content_type: None,
        };
        let recording = key("uploads/é/a.mov");
        let announced = message(Some(&uploads), &recording, &stored).expect("a message");
        assert_eq!(
            serde_json::to_string(&announced).ok().as_deref(),
            Some(r#"{"key":"uploads/é/a.mov","etag":"e\"1","bytes":7,"uploaded":9}"#)
        );
        assert_eq!(message(None, &key("uploads/a.mov"), &stored), None);
        for (name, content_type, expected) in [
            ("uploads/a.MP4", "", true),
            ("uploads/a.avi", "", true),
            ("uploads/a.WAV", "text/html", true),
            ("uploads/a", "video/mp4", true),
            ("uploads/a", "Audio/ogg", true),
            ("uploads/initial.mp4", "", true),
            ("uploads/live/ended", "", true),
            // Neither name nor type indicates a recording.
            ("uploads/a", "", false),
            ("uploads/a", "application/octet-stream", false),
            ("uploads/a", "vidéo/mp4", false),
            ("uploads/x.html", "video/mp4", false),
            ("uploads/x.HTM", "", false),
            ("uploads/a.mp4.exe", "video/mp4", false),
            ("uploads/a.zip", "", false),
            ("uploads/a.unheard", "video/mp4", false),
            ("uploads/1. introduction", "video/mp4", true),
            ("uploads/1. introduction", "", false),
            ("uploads2/a.mov", "", false),
            ("courses/a.mov", "", false),
            ("uploads/live/segment-1-1.m4s", "", false),
            ("uploads/live/seg1.TS", "", false),
            ("uploads/live/init.mp4", "", false),
            ("uploads/live/init-1.mp4", "", false),
            ("uploads/live/playlist.m3u8", "", false),
            ("uploads/a.json", "", false),
            // A status enqueues no job, whatever its uploader calls its type.
            ("uploads/a.mp4.status.json", "", false),
            ("uploads/a.mp4.status.json", "video/mp4", false),
            ("uploads/live/status.json", "video/mp4", false),
            ("uploads/a.jpg", "", false),
            ("uploads/a.vtt", "", false),
            ("uploads/a/v/1/lecture.mp4", "", false),
        ] {
            let stored = ObjectMetadata {
                content_type: (!content_type.is_empty()).then(|| content_type.to_owned()),
                ..stored.clone()
            };
            let is_announced = message(Some(&uploads), &key(name), &stored).is_some();
            assert_eq!(is_announced, expected, "{name} {content_type}");
        }
    }
}
