//! A message's job: the upload to ship, and the target of its package. Pure.
//!
//! `uploads/rails/intro.mov` becomes the lecture `rails/intro` of the target. An object `ended`
//! announces a recording in parts: `uploads/rails/intro/ended` becomes `rails/intro`. If the
//! uploads are the target, the lecture takes the place of its recording.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lectern::object::key::{ObjectKey, ObjectKeyError};
use lectern::operation::upload_event::{self, ENDED};
use serde_json::Value;

use crate::redact::redacted;

#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("`{0}` is not of the form `r2://bucket/uploads/` or `https://edge.example/uploads/`")]
    NotAFolder(String),
    #[error("the message is not what an edge says of an upload")]
    NotUnderstood,
    #[error("the key of the upload is not acceptable")]
    BadKey(#[from] ObjectKeyError),
    #[error("`{key}` does not lie below `{folder}`")]
    Elsewhere { key: String, folder: String },
    #[error("`{0}` has no name but its extension")]
    NoName(String),
    #[error("`{0}` has an extension that no recording has")]
    NoRecording(String),
}

/// The folder of the uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadsFolder {
    /// `r2://bucket` or `https://edge.example`.
    origin: String,
    /// `uploads/`, the beginning of every upload's key.
    folder: String,
}

/// Arguments of `lectern ship` for one upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueJob {
    pub(crate) input: String,
    pub(crate) target: String,
    /// The recording lies in the folder of its own lecture.
    pub(crate) is_in_place: bool,
    /// Size of the recording, if it is one object and the message contains its size.
    pub(crate) bytes: Option<u64>,
}

impl UploadsFolder {
    pub(crate) fn parse(text: &str) -> Result<Self, JobError> {
        let wrong = || JobError::NotAFolder(redacted(text));
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (host, path) = rest.split_once('/').ok_or_else(wrong)?;
        if !matches!(scheme, "r2" | "s3" | "http" | "https")
            || host.is_empty()
            || text.contains(['?', '#', '@'])
        {
            return Err(wrong());
        }
        let path = format!("/{}", path.trim_end_matches('/'));
        let folder = ObjectKey::from_url_path(&path).map_err(|_| wrong())?;
        Ok(Self {
            origin: format!("{scheme}://{host}"),
            folder: format!("{folder}/"),
        })
    }
}

impl QueueJob {
    /// Parses a message: JSON, or JSON in Base64, as Cloudflare delivers it.
    pub(crate) fn parse(
        body: &str,
        uploads: &UploadsFolder,
        target: &str,
    ) -> Result<Self, JobError> {
        let decoded = BASE64_STANDARD.decode(body.trim());
        let json = decoded.unwrap_or_else(|_| body.as_bytes().to_vec());
        let message: Option<Value> = serde_json::from_slice(&json).ok();
        // All other members are for people.
        let key = message.as_ref().and_then(|message| message["key"].as_str());
        let key = ObjectKey::new(key.ok_or(JobError::NotUnderstood)?)?;
        let path = key.as_str().strip_prefix(&uploads.folder);
        let path = path.ok_or_else(|| JobError::Elsewhere {
            key: key.to_string(),
            folder: uploads.folder.clone(),
        })?;
        let no_name = || JobError::NoName(key.to_string());
        if !upload_event::may_be_recording(&key) {
            return Err(JobError::NoRecording(key.to_string()));
        }
        let mut bytes = message
            .as_ref()
            .and_then(|message| message["bytes"].as_u64());
        let mut input = format!("{}{}", uploads.origin, key.to_url_path());
        let name = match path.rsplit_once('/') {
            Some((folder, ENDED)) => {
                input.truncate(input.len() - ENDED.len());
                bytes = None;
                folder
            }
            _ if path == ENDED => return Err(no_name()),
            _ => match upload_event::extension(&key) {
                Some(extension) => &path[..path.len() - extension.len() - 1],
                None => path,
            },
        };
        // Without its extension, `.mov` is empty.
        if name.is_empty() || name.ends_with('/') {
            return Err(no_name());
        }
        let name = ObjectKey::new(name)?.to_url_path();
        let target = format!("{}{name}", target.trim_end_matches('/'));
        Ok(Self {
            is_in_place: input.strip_suffix('/') == Some(&*target),
            input,
            target,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_lie_in_a_folder_of_a_bucket_or_behind_an_edge() {
        for (text, expected) in [
            ("r2://video/uploads/", Some(("r2://video", "uploads/"))),
            ("s3://video/a/b%20c", Some(("s3://video", "a/b c/"))),
            (
                "https://edge.example:8443/u",
                Some(("https://edge.example:8443", "u/")),
            ),
            ("r2://video/", None),
            ("r2://video", None),
            ("file:///srv/uploads", None),
            ("https://u:p@edge.example/u", None),
            ("https://edge.example/u?token=x", None),
            ("uploads/", None),
        ] {
            let found = UploadsFolder::parse(text).ok();
            let found = found
                .as_ref()
                .map(|uploads| (&*uploads.origin, &*uploads.folder));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn an_upload_becomes_the_lecture_of_its_name() {
        let uploads = UploadsFolder::parse("r2://video/uploads/").expect("a folder");
        let edge = UploadsFolder::parse("https://edge.example/uploads/").expect("a folder");
        let job = |body: &str, uploads: &UploadsFolder| {
            QueueJob::parse(body, uploads, "r2://video/courses/")
                .map(|job| format!("{} → {}", job.input, job.target))
                .unwrap_or_else(|error| error.to_string())
        };
        for (key, expected) in [
            (
                "uploads/rails/intro.mov",
                "r2://video/uploads/rails/intro.mov → r2://video/courses/rails/intro",
            ),
            (
                "uploads/é a.b/c",
                "r2://video/uploads/%C3%A9%20a.b/c → r2://video/courses/%C3%A9%20a.b/c",
            ),
            (
                "uploads/1. b",
                "r2://video/uploads/1.%20b → r2://video/courses/1.%20b",
            ),
            (
                "uploads/live/7/ended",
                "r2://video/uploads/live/7/ → r2://video/courses/live/7",
            ),
            (
                "uploads/ended",
                "`uploads/ended` has no name but its extension",
            ),
            (
                "uploads/a/.mov",
                "`uploads/a/.mov` has no name but its extension",
            ),
            (
                "courses/a.mov",
                "`courses/a.mov` does not lie below `uploads/`",
            ),
            (
                "uploads2/a.mov",
                "`uploads2/a.mov` does not lie below `uploads/`",
            ),
            (
                "uploads/../a.mov",
                "the key of the upload is not acceptable",
            ),
            (
                "uploads/x.html",
                "`uploads/x.html` has an extension that no recording has",
            ),
            (
                "uploads/a.mov.exe",
                "`uploads/a.mov.exe` has an extension that no recording has",
            ),
        ] {
            let body = serde_json::json!({"key": key, "etag": "e", "bytes": 1, "uploaded": 2});
            assert_eq!(job(&body.to_string(), &uploads), expected, "{key}");
            let encoded = BASE64_STANDARD.encode(body.to_string());
            assert_eq!(job(&encoded, &uploads), expected, "{key}");
        }
        assert_eq!(
            job(r#"{"key":"uploads/a.mp4"}"#, &edge),
            "https://edge.example/uploads/a.mp4 → r2://video/courses/a"
        );
        let body = |key: &str| serde_json::json!({ "key": key }).to_string();
        for (key, target, expected) in [
            ("uploads/live/7/ended", "r2://video/uploads", true),
            ("uploads/live/7/ended", "r2://video/uploads/", true),
            ("uploads/é a/ended", "r2://video/uploads", true),
            ("uploads/live/7/ended", "r2://video/courses", false),
            ("uploads/live/7/ended", "r2://other/uploads", false),
            ("uploads/live/7.mov", "r2://video/uploads", false),
        ] {
            let job = QueueJob::parse(&body(key), &uploads, target).expect("a job");
            assert_eq!(job.is_in_place, expected, "{key} {target}");
        }
        for body in ["", "hello", "{}", "bm8=", r#"["uploads/a.mov"]"#] {
            let expected = "the message is not what an edge says of an upload";
            assert_eq!(job(body, &uploads), expected, "{body}");
        }
    }
}
