//! `package.json`: the source, the settings and every object of a package. The file may be a
//! stranger's, so [`Package::parse`] is the only way to read it.

use std::collections::HashSet;

use crate::encode::settings::Settings;
use crate::extras::ExtrasFacts;
use crate::layout::{self, is_mutable, package_json_path};
use crate::media::{Object, Rate};
use crate::source::Source;
use crate::warning::WarningRecord;
use lectern::object::key::ObjectKey;
use serde::{Deserialize, Serialize};

/// The largest `package.json` that is read: 100,000 objects take 20 MB.
pub(crate) const MAX_BYTES: u64 = 64 << 20;
/// The largest object that storage accepts: 5 TiB.
pub(crate) const MAX_OBJECT_BYTES: u64 = 5 << 40;
const MAX_OBJECTS: usize = 1_000_000;
/// A revision's name has 16 characters.
const MAX_REVISION_CHARACTERS: usize = 64;
pub(crate) const MAX_CONTENT_TYPE_BYTES: usize = 256;

/// Reasons to reject a `package.json`. Names are shown without control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PackageJsonError {
    #[error("it is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("it is not understood: {0}")]
    NotUnderstood(String),
    #[error("it is that of another revision")]
    OtherRevision,
    #[error("it has more than {MAX_OBJECTS} objects")]
    TooManyObjects,
    #[error("it names `{}`, which is no object of the package", .0.escape_debug())]
    Foreign(String),
    #[error("it names `{}` twice", .0.escape_debug())]
    Twice(String),
    #[error("what it says of `{}` cannot be: {why}", path.escape_debug())]
    Impossible { path: String, why: &'static str },
}

/// Returns true if a text may name a revision, and so a folder below `v/`.
pub(crate) fn is_revision(name: &str) -> bool {
    (1..=MAX_REVISION_CHARACTERS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Package {
    pub(crate) revision: String,
    /// Seconds of the longest Rendition.
    pub(crate) duration: f64,
    pub(crate) source: SourceFacts,
    pub(crate) settings: Settings,
    pub(crate) tools: Tools,
    pub(crate) renditions: Vec<RenditionFacts>,
    /// Captions, chapters and the storyboard.
    #[serde(flatten)]
    pub(crate) extras: ExtrasFacts,
    /// Losses and guesses; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<WarningRecord>,
    /// The files at the package's root while this revision plays, for a rollback.
    #[serde(default)]
    pub(crate) root: Vec<RootFile>,
    /// All objects but this file, in the order in which they are published.
    pub(crate) objects: Vec<Object>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The source. Its file name is omitted, because viewers may read `package.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceFacts {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    #[serde(flatten)]
    pub(crate) media: Source,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tools {
    pub(crate) lectern: String,
    pub(crate) ffmpeg: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RenditionFacts {
    /// `1080p`, `audio/en`.
    pub(crate) folder: String,
    pub(crate) codec: String,
    #[serde(rename = "picture", skip_serializing_if = "Option::is_none")]
    pub(crate) video: Option<VideoFacts>,
    pub(crate) duration: f64,
    pub(crate) segments: usize,
    pub(crate) bytes: u64,
    /// bit/s, without the audio that plays beside a video.
    pub(crate) peak_bandwidth: u64,
    pub(crate) average_bandwidth: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VideoFacts {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frame_rate: Rate,
}

impl Package {
    /// Parses the `package.json` of a revision.
    ///
    /// Each object of the result lies below `v/<revision>/`, or is one of the two files at the
    /// root. `root` has only those two files, with the listed hashes.
    ///
    /// # Errors
    /// Returns the first rule that the file breaks.
    pub(crate) fn parse(json: &[u8], revision: &str) -> Result<Self, PackageJsonError> {
        if json.len() as u64 > MAX_BYTES {
            return Err(PackageJsonError::TooLarge);
        }
        let package: Self = serde_json::from_slice(json)
            .map_err(|error| PackageJsonError::NotUnderstood(error.to_string()))?;
        if package.revision != revision || !is_revision(revision) {
            return Err(PackageJsonError::OtherRevision);
        }
        if package.objects.len() > MAX_OBJECTS {
            return Err(PackageJsonError::TooManyObjects);
        }
        let prefix = layout::in_revision(revision, "");
        let mut paths = HashSet::new();
        for object in &package.objects {
            check_object(object, &prefix)?;
            if !paths.insert(&*object.path) {
                return Err(PackageJsonError::Twice(object.path.clone()));
            }
        }
        let mut roots = HashSet::new();
        for file in &package.root {
            if !is_mutable(&file.path) {
                return Err(PackageJsonError::Foreign(file.path.clone()));
            }
            if !roots.insert(&*file.path) {
                return Err(PackageJsonError::Twice(file.path.clone()));
            }
            let mut objects = package.objects.iter();
            let object = objects.find(|object| object.path == file.path);
            if object.is_none_or(|object| !object.is(file.text.as_bytes())) {
                let why = "its text is not the object that is listed";
                return Err(PackageJsonError::Impossible {
                    path: file.path.clone(),
                    why,
                });
            }
        }
        Ok(package)
    }

    /// The path of this file, from the package's root.
    pub(crate) fn package_json_path(&self) -> String {
        package_json_path(&self.revision)
    }

    /// Folders of the video Renditions: `480p`.
    pub(crate) fn video_folders(&self) -> Vec<String> {
        let video = self.renditions.iter().filter(|one| one.video.is_some());
        video.map(|one| one.folder.clone()).collect()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.bytes).sum()
    }
}

/// Rejects an object outside the revision, or with an impossible size, hash or content type.
fn check_object(object: &Object, prefix: &str) -> Result<(), PackageJsonError> {
    let is_ours = is_mutable(&object.path) || object.path.starts_with(prefix);
    if !is_ours || ObjectKey::new(&*object.path).is_err() {
        return Err(PackageJsonError::Foreign(object.path.clone()));
    }
    let is_hash = object.sha256.len() == 64
        && (object.sha256.bytes()).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_type = object.content_type.len() <= MAX_CONTENT_TYPE_BYTES
        && (object.content_type.bytes()).all(|byte| (b' '..=b'~').contains(&byte));
    let why = match (is_hash, is_type) {
        _ if object.bytes > MAX_OBJECT_BYTES => "it is too large",
        (false, _) => "`sha256` is no SHA-256",
        (_, false) => "`type` is no content type",
        (true, true) => return Ok(()),
    };
    Err(PackageJsonError::Impossible {
        path: object.path.clone(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use crate::layout::{MPD, MULTIVARIANT};
    use serde_json::{Value, json};

    use super::*;
    use crate::digest::sha256;

    const REVISION: &str = "0a1b";
    const MASTER: &str = "#EXTM3U\n";

    fn object(path: &str, text: &str) -> Value {
        json!({
            "path": path, "bytes": text.len(), "sha256": sha256(text), "type": "video/mp4",
        })
    }

    fn package() -> Value {
        json!({
            "revision": REVISION, "duration": 1.0, "renditions": [],
            "root": [{"path": MULTIVARIANT, "text": MASTER}],
            "objects": [object("v/0a1b/480p/seg00000.m4s", "a"), object(MULTIVARIANT, MASTER)],
            "source": {"bytes": 1, "sha256": "", "container": "", "audio": [], "subtitles": []},
            "settings": {"ladder": [], "segment_duration": 4, "preset": "", "crf": 23, "codecs": []},
            "tools": {"lectern": "", "ffmpeg": ""},
        })
    }

    fn parsed(package: &Value) -> Result<Package, PackageJsonError> {
        Package::parse(package.to_string().as_bytes(), REVISION)
    }

    #[test]
    fn a_package_names_nothing_but_its_own_objects() {
        assert!(parsed(&package()).is_ok());
        for path in [
            "../outside",
            "../../../etc/cron.d/x",
            "/etc/passwd",
            "v/0a1b/../../../outside",
            "v/0a1b/./a",
            "v/0a1b//a",
            "v/0a1b/",
            "v/0a1b",
            "v/other/480p/seg00000.m4s",
            "v/0a1bx/a",
            "V/0a1b/a",
            "v\\0a1b\\a",
            "v/0a1b/a\u{0}",
            "v/0a1b/\u{1b}[2J",
            "v/0a1b/%2e%2e/a",
            "",
            ".",
            "..",
            "master.m3u8/",
            "./master.m3u8",
            "master.m3u8\n",
            "manifest.mpd.bak",
            "package.json",
        ] {
            let mut hostile = package();
            hostile["objects"][0]["path"] = path.into();
            let found = parsed(&hostile);
            let foreign = Err(PackageJsonError::Foreign(path.to_owned()));
            assert_eq!(found, foreign, "object {path:?}");
            let mut hostile = package();
            hostile["root"][0]["path"] = path.into();
            let found = parsed(&hostile);
            assert_eq!(found, foreign, "root {path:?}");
            let shown = found.expect_err("refused").to_string();
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
        // An object of the revision is no file at the root.
        let mut hostile = package();
        hostile["root"][0]["path"] = "v/0a1b/480p/seg00000.m4s".into();
        assert!(parsed(&hostile).is_err());
    }

    #[test]
    fn a_package_with_an_impossible_value_is_rejected() {
        type Spoil = fn(&mut Value);
        let spoiled: [(&str, Spoil); 11] = [
            ("another revision", |package| {
                package["revision"] = "0a1c".into();
            }),
            ("an object twice", |package| {
                package["objects"][0] = package["objects"][1].clone();
            }),
            ("a file at the root twice", |package| {
                let file = package["root"][0].clone();
                package["root"] = json!([file, file]);
            }),
            ("a file at the root that is no object", |package| {
                package["root"][0]["path"] = MPD.into();
            }),
            ("another text", |package| {
                package["root"][0]["text"] = "#EXTM3V\n".into();
            }),
            ("no hash", |package| {
                package["objects"][0]["sha256"] = "".into();
            }),
            ("a hash in capitals", |package| {
                package["objects"][0]["sha256"] = "A".repeat(64).into();
            }),
            ("a header in a content type", |package| {
                package["objects"][0]["type"] = "video/mp4\r\nX: y".into();
            }),
            ("a huge content type", |package| {
                package["objects"][0]["type"] = "x".repeat(257).into();
            }),
            ("more bytes than there are", |package| {
                package["objects"][0]["bytes"] = u64::MAX.into();
            }),
            ("fewer than none", |package| {
                package["objects"][0]["bytes"] = (-1).into();
            }),
        ];
        for (what, spoil) in spoiled {
            let mut package = package();
            spoil(&mut package);
            assert!(parsed(&package).is_err(), "{what}");
        }
        for revision in ["", "..", "a/b", "a b", "é", &"a".repeat(65)] {
            let mut package = package();
            package["revision"] = revision.into();
            let json = package.to_string();
            assert!(Package::parse(json.as_bytes(), revision).is_err());
        }
        for json in ["", "null", "[]", "{}"] {
            assert!(Package::parse(json.as_bytes(), REVISION).is_err());
        }
    }
}
