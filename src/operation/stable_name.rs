//! Stable names: `poster.jpg` and `lecture.mp4` beside `master.m3u8` stand for the objects of the
//! revision that plays now.
//!
//! An object that is stored under the name itself comes first, so a read returns what a write
//! stored. The edge finds the revision in the Multivariant Playlist, which a publish replaces last.
//! The playlist only chooses among the objects below its own folder that have the same name.

use hls_lexer::scan::{Item, Role, scan};

use crate::http::disposition;
use crate::object::key::{ObjectKey, is_revision};
use crate::text::split_once;

/// The longest playlist that is read for a stable name. A larger one names no revision.
pub const MAX_BYTES: usize = 256 * 1024;

/// The name of the Multivariant Playlist that a publish replaces.
const PLAYLIST: &str = "master.m3u8";
/// The whole lecture in one file.
const DOWNLOAD: &str = "lecture.mp4";
const POSTER: &str = "poster.jpg";

/// Returns whether a key stands for an object of the revision that plays now.
#[must_use]
pub fn is_stable_name(key: &ObjectKey) -> bool {
    matches!(key.split().1, DOWNLOAD | POSTER) && !key.is_in_revision()
}

/// Returns whether an object has the name of a whole lecture in one file.
#[must_use]
pub fn is_download(key: &ObjectKey) -> bool {
    key.split().1 == DOWNLOAD
}

/// The playlist that names the revision of a stable name.
#[must_use]
pub fn playlist_beside(key: &ObjectKey) -> Option<ObjectKey> {
    ObjectKey::new(format!("{}{PLAYLIST}", key.split().0)).ok()
}

/// The object that a stable name stands for while this playlist plays. `None` if its entries belong
/// to no revision, or to several.
#[must_use]
pub fn find_object(key: &ObjectKey, playlist: &[u8]) -> Option<ObjectKey> {
    let revision = find_revision(playlist)?;
    let (folder, name) = key.split();
    ObjectKey::new(format!("{folder}v/{revision}/{name}")).ok()
}

/// The revision that contains every playlist of a Multivariant Playlist.
fn find_revision(playlist: &[u8]) -> Option<&str> {
    if playlist.len() > MAX_BYTES {
        return None;
    }
    let mut found: Option<Option<&str>> = None;
    scan(playlist, &mut |item| {
        let Item::Uri(span) = item else { return };
        if span.role == Role::Playlist {
            let of_entry = parse_revision(&playlist[span.at]);
            found = Some(match found {
                Some(before) if before != of_entry => None,
                _ => of_entry,
            });
        }
    });
    found?
}

fn parse_revision(uri: &[u8]) -> Option<&str> {
    let path = str::from_utf8(uri).ok()?.strip_prefix("v/")?;
    let (revision, _) = split_once(path, "/")?;
    Some(revision).filter(|revision| is_revision(revision))
}

/// The file name of a downloaded object. `title` is the requested one. Without it, a lecture has
/// the name of its folder, and any other object its own.
#[must_use]
pub fn download_name(key: &ObjectKey, title: &str) -> String {
    let (folder, name) = key.split();
    let (stem, extension) = match name.rsplit_once('.') {
        // A leading dot begins no extension.
        None | Some(("", _)) => (name, ""),
        Some(parts) => parts,
    };
    let title = match title {
        "" if name == DOWNLOAD => name_lecture(folder),
        "" => stem,
        title => title,
    };
    disposition::file_name(title, extension)
}

/// The name of a lecture's folder, which may be that of a revision in it.
fn name_lecture(folder: &str) -> &str {
    let mut segments = folder.rsplit('/').skip(1);
    let last = segments.next().unwrap_or_default();
    match segments.next() {
        Some("v") => segments.next().unwrap_or_default(),
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> ObjectKey {
        ObjectKey::new(key).expect(key)
    }

    #[test]
    fn two_names_outside_revisions_are_stable() {
        for (name, expected) in [
            ("c/l/poster.jpg", true),
            ("c/l/lecture.mp4", true),
            ("lecture.mp4", true),
            ("c/v/lecture.mp4", true),
            ("c/l/v/1/lecture.mp4", false),
            ("v/1/poster.jpg", false),
            ("c/l/master.m3u8", false),
            ("c/l/my-poster.jpg", false),
            ("c/l/Poster.jpg", false),
            ("c/l/poster.jpg/x", false),
        ] {
            assert_eq!(is_stable_name(&key(name)), expected, "{name}");
        }
    }

    #[test]
    fn a_playlist_of_one_revision_names_the_object_that_plays() {
        const HEAD: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n";
        let audio = |uri: &str| {
            format!(
                "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"{uri}\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\n\
                 v/1a/480p/playlist.m3u8\n"
            )
        };
        for (playlist, expected) in [
            (format!("{HEAD}v/1a/480p/playlist.m3u8\n"), Some("1a")),
            (format!("{HEAD}v/1a/480p/playlist.m3u8\r\n"), Some("1a")),
            (audio("v/1a/audio/en/playlist.m3u8"), Some("1a")),
            // Objects of session data do not play.
            (
                format!(
                    "{HEAD}v/1a/p.m3u8\n#EXT-X-SESSION-DATA:DATA-ID=\"a\",URI=\"v/2b/a.jpg\"\n"
                ),
                Some("1a"),
            ),
            (audio("v/2b/audio/en/playlist.m3u8"), None),
            (audio("audio/en/playlist.m3u8"), None),
            (audio("https://other.example/v/1a/p.m3u8"), None),
            (format!("{HEAD}480p/playlist.m3u8\n"), None),
            (format!("{HEAD}v/../p.m3u8\n"), None),
            (format!("{HEAD}v/%2e%2e/p.m3u8\n"), None),
            (format!("{HEAD}v//p.m3u8\n"), None),
            (format!("{HEAD}v/1a\n"), None),
            (format!("{HEAD}v/{}/p.m3u8\n", "a".repeat(65)), None),
            (format!("{HEAD}v/{{$r}}/p.m3u8\n"), None),
            (format!("{HEAD}/v/1a/p.m3u8\n"), None),
            ("#EXTM3U\n".to_owned(), None),
            (String::new(), None),
        ] {
            for name in ["poster.jpg", "lecture.mp4"] {
                let found = find_object(&key(&format!("c/l/{name}")), playlist.as_bytes());
                let object = expected.map(|revision| key(&format!("c/l/v/{revision}/{name}")));
                assert_eq!(found, object, "{playlist}");
            }
        }
        let top = find_object(
            &key("poster.jpg"),
            format!("{HEAD}v/1a/p.m3u8\n").as_bytes(),
        );
        assert_eq!(top, Some(key("v/1a/poster.jpg")));
        let huge = format!("{HEAD}v/1a/p.m3u8\n#{}", " ".repeat(MAX_BYTES));
        assert_eq!(find_object(&key("poster.jpg"), huge.as_bytes()), None);
    }

    #[test]
    fn a_download_has_the_name_of_its_lecture_or_the_requested_one() {
        for (object, title, expected) in [
            ("courses/rails/intro/lecture.mp4", "", "intro.mp4"),
            ("courses/rails/intro/v/1a/lecture.mp4", "", "intro.mp4"),
            ("l'été 1/lecture.mp4", "", "l'été 1.mp4"),
            ("v/1a/lecture.mp4", "", "lecture.mp4"),
            ("lecture.mp4", "", "lecture.mp4"),
            ("c/original.mov", "", "original.mov"),
            ("c/v/1a/480p/init.mp4", "", "init.mp4"),
            ("c/notes", "", "notes"),
            ("c/l/lecture.mp4", "Rails, Tag 1", "Rails, Tag 1.mp4"),
            ("c/l/lecture.mp4", "../x\r\ny", "-xy.mp4"),
            ("c/l/poster.jpg", "virus.exe", "virus.exe.jpg"),
            ("c/notes", "setup.exe", "setup-exe"),
            ("c/.profile", "", "profile"),
            ("c/.profile", "setup.exe", "setup-exe"),
            ("c/x.\u{202e}4pm", "", "x.4pm"),
            ("c/x.a:b", "", "x.a-b"),
        ] {
            let name = download_name(&key(object), title);
            assert_eq!(name, expected, "{object} {title}");
            // A redirect carries the name as a title.
            assert_eq!(download_name(&key(object), &name), name, "{object} {title}");
        }
    }
}
