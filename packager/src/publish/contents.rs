//! Lectures and other objects below a target. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::layout::{MPD, MULTIVARIANT, REVISIONS};
use crate::package::manifest_json::is_revision;
use crate::storage::StoredEntry;

/// The objects below a target, those of each lecture together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) lectures: Vec<StoredLecture>,
    /// Objects of no lecture.
    pub(crate) others: Vec<StoredEntry>,
}

/// A folder that holds revisions of a lecture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoredLecture {
    /// The folder, which is empty or ends in a slash.
    pub(crate) folder: String,
    pub(crate) revisions: usize,
    pub(crate) objects: usize,
    pub(crate) bytes: u64,
    /// The latest time at which an object was written.
    pub(crate) modified: DateTime<Utc>,
    /// Its Multivariant Playlist is stored.
    pub(crate) is_published: bool,
}

/// Groups a list of objects.
pub(crate) fn group(entries: Vec<StoredEntry>) -> Contents {
    let folders: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| Some(revision_of(&entry.path)?.0.to_owned()))
        .collect();
    let mut lectures: BTreeMap<String, (StoredLecture, BTreeSet<String>)> = BTreeMap::new();
    let mut others = vec![];
    for entry in entries {
        let (folder, revision) = match revision_of(&entry.path) {
            Some((folder, revision)) => (folder, Some(revision.to_owned())),
            None => match root_file(&entry.path) {
                Some(folder) if folders.contains(folder) => (folder, None),
                _ => {
                    others.push(entry);
                    continue;
                }
            },
        };
        let (lecture, revisions) = lectures.entry(folder.to_owned()).or_insert_with(|| {
            let lecture = StoredLecture {
                folder: folder.to_owned(),
                revisions: 0,
                objects: 0,
                bytes: 0,
                modified: entry.modified,
                is_published: false,
            };
            (lecture, BTreeSet::new())
        });
        lecture.objects += 1;
        lecture.bytes = lecture.bytes.saturating_add(entry.bytes);
        lecture.modified = lecture.modified.max(entry.modified);
        lecture.is_published |= revision.is_none() && entry.path.ends_with(MULTIVARIANT);
        revisions.extend(revision);
    }
    let lectures = lectures.into_values().map(|(mut lecture, revisions)| {
        lecture.revisions = revisions.len();
        lecture
    });
    Contents {
        lectures: lectures.collect(),
        others,
    }
}

/// Folder and revision of an object below `v/<revision>/`.
fn revision_of(path: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        let at = from + path.get(from..)?.find(REVISIONS)?;
        let is_name = at == 0 || path.as_bytes().get(at - 1) == Some(&b'/');
        let rest = &path[at + REVISIONS.len()..];
        if is_name
            && let Some((revision, _)) = rest.split_once('/')
            && is_revision(revision)
        {
            return Some((&path[..at], revision));
        }
        from = at + REVISIONS.len();
    }
}

/// Folder of a Multivariant Playlist or an MPD.
fn root_file(path: &str) -> Option<&str> {
    [MULTIVARIANT, MPD].iter().find_map(|name| {
        let folder = path.strip_suffix(name)?;
        (folder.is_empty() || folder.ends_with('/')).then_some(folder)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::inventory::tests::entry;

    #[test]
    fn objects_of_a_lecture_are_one_row_and_others_stay_alone() {
        let contents = group(vec![
            entry("courses/a/manifest.mpd", 9),
            entry("courses/a/master.m3u8", 9),
            entry("courses/a/v/0a1b/480p/seg00000.m4s", 3),
            entry("courses/a/v/0a1b/package.json", 4),
            entry("courses/a/v/ff00/package.json", 12),
            entry("courses/b/v/11/480p/seg00000.m4s", 1),
            entry("uploads/7/master.m3u8", 2),
            entry("uploads/7/v/seg.m4s", 2),
            entry("uploads/talk.mov", 2),
            entry("mov/x/y.mp4", 2),
        ]);
        let rows: Vec<String> = (contents.lectures.iter())
            .map(|lecture| {
                let StoredLecture {
                    folder,
                    revisions,
                    objects,
                    bytes,
                    modified,
                    is_published,
                } = lecture;
                let minutes = modified.timestamp() / 60;
                format!("{folder} {revisions} {objects} {bytes} {minutes} {is_published}")
            })
            .collect();
        assert_eq!(
            rows,
            ["courses/a/ 2 5 50 12 true", "courses/b/ 1 1 10 1 false"]
        );
        let others: Vec<&str> = (contents.others.iter())
            .map(|entry| entry.path.as_str())
            .collect();
        assert_eq!(
            others,
            [
                "uploads/7/master.m3u8",
                "uploads/7/v/seg.m4s",
                "uploads/talk.mov",
                "mov/x/y.mp4"
            ]
        );
    }

    #[test]
    fn a_revision_lies_in_a_folder_of_its_own() {
        for (path, expected) in [
            ("v/0a/x", Some(("", "0a"))),
            ("c/v/0a/x/y", Some(("c/", "0a"))),
            ("v/v/0a/x", Some(("", "v"))),
            ("v/../v/0a/x", Some(("v/../", "0a"))),
            ("c/mov/0a/x", None),
            ("c/v/0a", None),
            ("c/v/a-b/x", None),
            ("é/v/0a/x", Some(("é/", "0a"))),
            ("v/", None),
            ("", None),
        ] {
            assert_eq!(revision_of(path), expected, "{path}");
        }
    }
}
