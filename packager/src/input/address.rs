//! Parses INPUT: a local file, an object, or the folder of a segmented recording.

use std::path::{Path, PathBuf};

use lectern::object::key::ObjectKey;

use super::FetchError;
use crate::redact::redacted;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InputAddress {
    File(PathBuf),
    Object {
        /// Folder of the object, in the notation of a target.
        place: String,
        /// Name in that folder; `None` for the folder itself.
        name: Option<String>,
    },
}

impl InputAddress {
    pub(crate) fn parse(input: &Path) -> Result<Self, FetchError> {
        let Some((text, scheme)) = input.to_str().and_then(|text| {
            let (scheme, _) = text.split_once("://")?;
            Some((text, scheme))
        }) else {
            return Ok(Self::File(input.to_owned()));
        };
        if !matches!(scheme, "r2" | "s3" | "http" | "https" | "file") {
            // A file may have this name.
            return Ok(Self::File(input.to_owned()));
        }
        if text.contains(['?', '#']) {
            return Err(FetchError::Decorated(redacted(text)));
        }
        let in_no_folder = || FetchError::NoFolder(redacted(text));
        let (place, name) = text.rsplit_once('/').ok_or_else(in_no_folder)?;
        // Without its last element, `r2://bucket` or `https://edge.example` has only the host.
        let (_, rest) = place.split_once("://").ok_or_else(in_no_folder)?;
        if !rest.contains('/') {
            return Err(in_no_folder());
        }
        let name = match name {
            "" => None,
            name => Some(
                ObjectKey::from_url_path(&format!("/{name}")).map_err(|source| {
                    FetchError::BadName {
                        input: redacted(text),
                        source,
                    }
                })?,
            ),
        };
        Ok(Self::Object {
            place: place.to_owned(),
            name: name.map(|name| name.as_str().to_owned()),
        })
    }
}

/// Folder and playlist of a recording in parts on this machine. Returns `None` for any other file.
pub(super) fn in_parts(file: &Path) -> Option<(String, Option<String>)> {
    let absolute = std::path::absolute(file).ok()?;
    if file.is_dir() {
        return Some((absolute.to_str()?.to_owned(), None));
    }
    let is_playlist = file.extension().is_some_and(|end| end == "m3u8");
    if !is_playlist || !file.is_file() {
        return None;
    }
    let folder = absolute.parent()?.to_str()?.to_owned();
    let name = absolute.file_name()?.to_str()?.to_owned();
    Some((folder, Some(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_file_an_object_or_a_folder() {
        for (input, expected) in [
            ("talk.mov", "file"),
            ("a/b?c#.mov", "file"),
            ("concat:a|b", "file"),
            ("gopher://x/y", "file"),
            (
                "r2://video/uploads/a%20b.mov",
                "r2://video/uploads + a b.mov",
            ),
            ("s3://video/é/ü.mov", "s3://video/é + ü.mov"),
            (
                "https://edge.example/u/a.mov",
                "https://edge.example/u + a.mov",
            ),
            ("r2://video/live/7/", "r2://video/live/7 + a folder"),
            ("file:///srv/live/", "file:///srv/live + a folder"),
            ("r2://video/a.mov", "`r2://video/a.mov` lies in no folder"),
            (
                "https://edge.example/",
                "`https://edge.example/` lies in no folder",
            ),
            ("r2://video", "`r2://video` lies in no folder"),
            (
                "https://edge.example/u/a.mov?token=x",
                "`https://edge.example/u/a.mov?…` has a query or a fragment",
            ),
            (
                "r2://video/u/a%2fb",
                "the name of `r2://video/u/a%2fb` is not acceptable",
            ),
        ] {
            let found = match InputAddress::parse(Path::new(input)) {
                Ok(InputAddress::File(_)) => "file".to_owned(),
                Ok(InputAddress::Object { place, name }) => {
                    format!("{place} + {}", name.unwrap_or_else(|| "a folder".into()))
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{input}");
        }
    }

    #[test]
    fn a_folder_and_a_playlist_here_are_recordings_in_parts() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("my live 50%");
        std::fs::create_dir(&folder).expect("a folder");
        for name in ["talk.mov", "live.m3u8"] {
            std::fs::write(folder.join(name), "").expect("a file");
        }
        let here = folder.to_str().expect("UTF-8").to_owned();
        for (name, expected) in [
            ("", Some((here.clone(), None))),
            (
                "live.m3u8",
                Some((here.clone(), Some("live.m3u8".to_owned()))),
            ),
            ("talk.mov", None),
            ("missing.m3u8", None),
            ("missing", None),
        ] {
            let path = if name.is_empty() {
                folder.clone()
            } else {
                folder.join(name)
            };
            assert_eq!(in_parts(&path), expected, "{name}");
        }
    }
}
