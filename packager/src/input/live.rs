//! A live recording whose parts lie in the folder of its own lecture. Viewers watch it there while
//! it is recorded, and packaging replaces `master.m3u8`. The recorder's playlist stays beside it, as
//! `recorded.m3u8`, until no viewer needs the parts.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt as _, stream};
use lectern::operation::upload_event::ENDED;

use super::recording::{self, playlist_of, stored_parts};
use super::variant::{HlsPlaylist, parse_playlist};
use super::{
    InputAddress, MAX_PLAYLISTS, RecordingError, address, at_edge, find_playlist, list, read_text,
    reject,
};
use crate::layout::{self, MULTIVARIANT, RECORDED};
use crate::progress::Step;
use crate::storage::concurrency::MAX_REQUESTS;
use crate::storage::error::StorageError;
use crate::storage::location::ReachArgs;
use crate::storage::object::Upload;
use crate::storage::{Store, StoredEntry};

/// Returns true if INPUT is the target's own folder.
pub(crate) fn is_in_place(input: &Path, target: &Store, reach: &ReachArgs) -> Result<bool> {
    let folder = match InputAddress::parse(&at_edge(input)?)? {
        InputAddress::Object { place, name: None } => Some(place),
        InputAddress::Object { .. } => None,
        InputAddress::File(file) => match address::in_parts(&file) {
            Some((place, None)) => Some(place),
            _ => None,
        },
    };
    let Some(place) = folder else {
        return Ok(false);
    };
    let store = Store::open(&place, &reach.of(&place))?;
    Ok(target.is_readable() && store.master() == target.master())
}

/// Keeps the recorder's playlist as [`RECORDED`]. With `is_packaged`, `master.m3u8` is that of a
/// package: the playlist was kept before, unless another recording followed. Returns false if it is
/// gone: the parts were removed.
pub(crate) async fn keep_playlist(target: &Store, is_packaged: bool) -> Result<bool> {
    let listed = list(target).await?;
    let text = match is_packaged {
        true => match next_recording(target, &listed).await? {
            Some(text) => text,
            None => return Ok(listed.iter().any(|entry| entry.path == RECORDED)),
        },
        false => {
            // A playlist of an earlier recording may be there.
            let listed = without(&listed, |entry| entry.path == RECORDED);
            match find_playlist(target, &listed).await? {
                Some(path) => read_text(target, &path, &listed).await?,
                None => playlist_of(&recording::without_playlist(&listed).or_else(reject)?),
            }
        }
    };
    target.replace(&Upload::of_bytes(RECORDED, text)).await?;
    Ok(true)
}

/// The playlist of a recording that followed a packaged one in its folder: of parts that are newer
/// than [`RECORDED`], or, if that was removed with its parts, of those that end with [`ENDED`].
async fn next_recording(target: &Store, listed: &[StoredEntry]) -> Result<Option<String>> {
    let entry = |path: &str| listed.iter().find(|entry| entry.path == path);
    let kept = entry(RECORDED).map(|entry| entry.modified);
    if kept.is_none() && entry(ENDED).is_none() {
        return Ok(None);
    }
    let is_older = |entry: &StoredEntry| kept.is_some_and(|kept| entry.modified <= kept);
    let mut newer = without(listed, |entry| {
        entry.path == RECORDED || layout::is_in_package(&entry.path) || is_older(entry)
    });
    for playlist in recording::playlists(&newer.clone())
        .into_iter()
        .take(MAX_PLAYLISTS)
    {
        let text = read_text(target, &playlist.path, &newer).await?;
        // Beside a Media Playlist of all frames, it is no recording.
        if text.contains("#EXT-X-I-FRAMES-ONLY") {
            newer.retain(|entry| entry.path != playlist.path);
        }
    }
    if let Some(path) = find_playlist(target, &newer).await? {
        return Ok(Some(read_text(target, &path, &newer).await?));
    }
    match recording::without_playlist(&newer) {
        Ok(recording) => Ok(Some(playlist_of(&recording))),
        Err(RecordingError::Nothing) => Ok(None),
        Err(error) => reject(error),
    }
}

fn without(listed: &[StoredEntry], is_left_out: impl Fn(&StoredEntry) -> bool) -> Vec<StoredEntry> {
    let kept = listed.iter().filter(|entry| !is_left_out(entry));
    kept.cloned().collect()
}

/// Objects of a live recording, in the order of their removal: parts, playlists of them, and the
/// playlist that names these.
#[derive(Debug, Default)]
pub(crate) struct LiveParts {
    stages: [Vec<StoredEntry>; 3],
}

impl LiveParts {
    /// Finds the objects that [`RECORDED`] names in a folder of these objects.
    pub(crate) async fn find(target: &Store, listed: &[StoredEntry]) -> Result<Self> {
        let entry = |path: &str| listed.iter().find(|entry| entry.path == path).cloned();
        let Some(recorded) = entry(RECORDED) else {
            return Ok(Self::default());
        };
        let text = read_text(target, RECORDED, listed).await?;
        let playlists = match parse_playlist(&text, RECORDED).or_else(reject)? {
            HlsPlaylist::Media(_) => vec![RECORDED.to_owned()],
            HlsPlaylist::Multivariant(streams) => {
                let streams = streams.resolved(|uri| recording::resolve(uri, RECORDED));
                let streams = streams.or_else(reject)?;
                streams.addresses().map(str::to_owned).collect()
            }
        };
        let mut parts = vec![];
        let mut named: Vec<StoredEntry> = vec![];
        for path in playlists {
            // An interrupted removal may have removed the playlist and its parts.
            let Some(playlist) = entry(&path) else {
                continue;
            };
            let text = read_text(target, &path, listed).await?;
            if let HlsPlaylist::Media(media) = parse_playlist(&text, &path).or_else(reject)? {
                parts.extend(stored_parts(&media, &path, listed).or_else(reject)?);
            }
            named.push(playlist);
        }
        // Newer ones belong to a recording that has begun since.
        let is_own = |entry: &StoredEntry| {
            !matches!(&*entry.path, MULTIVARIANT | RECORDED) && entry.modified <= recorded.modified
        };
        parts.retain(is_own);
        named.retain(is_own);
        let end = entry(ENDED)
            .filter(is_own)
            .into_iter()
            .chain([recorded.clone()]);
        Ok(Self {
            stages: [parts, named, end.collect()],
        })
    }

    /// Finds the objects of a recording whose package has played for `max_watch`: passes of the
    /// recorder's playlist have expired.
    pub(crate) async fn find_expired(
        target: &Store,
        listed: &[StoredEntry],
        max_watch: Duration,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        match is_expired(listed, max_watch, now) {
            true => Self::find(target, listed).await,
            false => Ok(Self::default()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    pub(crate) fn paths(&self) -> BTreeSet<&str> {
        self.entries().map(|entry| entry.path.as_str()).collect()
    }

    /// Number and bytes of the objects.
    pub(crate) fn amount(&self) -> (usize, u64) {
        let bytes = self.entries().map(|entry| entry.bytes).sum();
        (self.entries().count(), bytes)
    }

    /// Removes the objects. The last ones name the others, so that an interrupted removal is
    /// continued.
    pub(crate) async fn remove(&self, target: &Store, step: &Step) -> Result<(), StorageError> {
        for stage in &self.stages {
            stream::iter(stage.iter().map(Ok::<_, StorageError>))
                .try_for_each_concurrent(MAX_REQUESTS, |entry| async move {
                    target.remove(&entry.path).await?;
                    step.add(entry.bytes);
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = &StoredEntry> {
        self.stages.iter().flatten()
    }
}

/// Returns true if viewers who opened the recorder's playlist cannot be watching any more. It
/// played at the latest when it was kept, or when the package replaced it.
fn is_expired(listed: &[StoredEntry], max_watch: Duration, now: DateTime<Utc>) -> bool {
    let modified = |path: &str| {
        let mut found = listed.iter().filter(|entry| entry.path == path);
        found.next().map(|entry| entry.modified)
    };
    let Some(kept) = modified(RECORDED) else {
        return false;
    };
    let last = modified(MULTIVARIANT).map_or(kept, |replaced| kept.max(replaced));
    let since = now.signed_duration_since(last).to_std();
    since.is_ok_and(|since| since >= max_watch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nplaylist-1.m3u8\n";
    const MEDIA: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"init-1.m4s\"\n\
        #EXTINF:2,\nsegment-1-1.m4s\n#EXTINF:2,\nsegment-1-2.m4s\n#EXT-X-ENDLIST\n";

    fn entry(path: &str, minute: i64) -> StoredEntry {
        StoredEntry {
            path: path.to_owned(),
            bytes: 1,
            modified: DateTime::from_timestamp(minute * 60, 0).expect("a time"),
        }
    }

    fn open(root: &tempfile::TempDir) -> Store {
        let folder = root.path().to_str().expect("UTF-8");
        Store::open(folder, &ReachArgs::default()).expect("a folder")
    }

    async fn write(store: &Store, files: &[(&str, &str)]) {
        for (path, text) in files {
            let upload = Upload::of_bytes(path, (*text).to_owned());
            store.replace(&upload).await.expect("it is written");
        }
    }

    async fn paths(store: &Store) -> Vec<String> {
        let listed = store.list("").await.expect("a list");
        listed.into_iter().map(|entry| entry.path).collect()
    }

    #[tokio::test]
    async fn a_package_replaces_a_recording_whose_parts_stay_until_they_are_removed() {
        let root = tempfile::tempdir().expect("a folder");
        let store = open(&root);
        let parts = ["init-1.m4s", "segment-1-1.m4s", "segment-1-2.m4s"];
        write(&store, &parts.map(|path| (path, "x"))).await;
        write(
            &store,
            &[(MULTIVARIANT, MASTER), ("playlist-1.m3u8", MEDIA)],
        )
        .await;
        let others = [(ENDED, ""), ("status.json", "{}"), ("notes.txt", "x")];
        write(&store, &others).await;
        assert!(keep_playlist(&store, false).await.expect("it is kept"));
        let package = "#EXTM3U\nv/aa/480p/playlist.m3u8\n";
        write(&store, &[(MULTIVARIANT, package), ("v/aa/seg", "x")]).await;
        // A second delivery of the message finds the recorder's playlist.
        assert!(keep_playlist(&store, true).await.expect("it is there"));
        let kept = store.get(RECORDED).await.expect("it is read");
        assert_eq!(kept.expect("it is there").bytes, MASTER);

        let listed = store.list("").await.expect("a list");
        let found = LiveParts::find(&store, &listed).await.expect("parts");
        let expected = [&parts[..], &[ENDED, "playlist-1.m3u8", RECORDED]].concat();
        assert_eq!(found.paths(), expected.into_iter().collect());
        // An interrupted removal removed some of them.
        for path in ["segment-1-1.m4s", "playlist-1.m3u8"] {
            store.remove(path).await.expect("it is removed");
        }
        let listed = store.list("").await.expect("a list");
        let found = LiveParts::find(&store, &listed).await.expect("parts");
        let expected = [ENDED, RECORDED];
        assert_eq!(found.paths(), expected.into_iter().collect());
        write(&store, &[("playlist-1.m3u8", MEDIA), (RECORDED, MASTER)]).await;
        let listed = store.list("").await.expect("a list");
        let found = LiveParts::find(&store, &listed).await.expect("parts");
        let step = crate::progress::Progress::new(true);
        let step = step.step("removing", crate::progress::StepUnit::Bytes, 0);
        found.remove(&store, &step).await.expect("they are removed");
        let left = [MULTIVARIANT, "notes.txt", "status.json", "v/aa/seg"];
        assert_eq!(paths(&store).await, left);
        assert!(!keep_playlist(&store, true).await.expect("it is gone"));
    }

    #[tokio::test]
    async fn a_second_recording_in_a_folder_is_packaged_too() {
        let root = tempfile::tempdir().expect("a folder");
        let store = open(&root);
        let second = MEDIA.replace("-1-", "-2-").replace("init-1", "init-2");
        let later = |path: &str| {
            let file = std::fs::File::options()
                .write(true)
                .open(root.path().join(path));
            let later = std::time::SystemTime::now() + Duration::from_secs(60);
            file.and_then(|file| file.set_modified(later))
                .expect("a time");
        };
        let parts = ["init-1.m4s", "segment-1-1.m4s", "segment-1-2.m4s"];
        write(&store, &parts.map(|path| (path, "x"))).await;
        write(&store, &[("playlist-1.m3u8", MEDIA), (ENDED, "")]).await;
        assert!(keep_playlist(&store, false).await.expect("it is kept"));
        // A package replaces the playlist. The second recorder writes none of that name, or lost it
        // to the package.
        write(
            &store,
            &[(MULTIVARIANT, "#EXTM3U\nv/aa/480p/playlist.m3u8\n")],
        )
        .await;
        let i_frames = "#EXTM3U\n#EXT-X-I-FRAMES-ONLY\n#EXTINF:2,\nsegment-2-1.m4s\n";
        let files = [
            ("init-2.m4s", "x"),
            ("segment-2-1.m4s", "x"),
            ("segment-2-2.m4s", "x"),
            ("playlist-2.m3u8", &second),
            ("iframes-2.m3u8", i_frames),
            (ENDED, ""),
            ("status.json", "{}"),
        ];
        write(&store, &files).await;
        files.iter().for_each(|(path, _)| later(path));
        // Its objects stay when those of the first are removed.
        let listed = store.list("").await.expect("a list");
        let found = LiveParts::find(&store, &listed).await.expect("parts");
        let expected = [&parts[..], &[RECORDED]].concat();
        assert_eq!(found.paths(), expected.into_iter().collect());
        assert!(keep_playlist(&store, true).await.expect("it is kept"));
        let kept = store.get(RECORDED).await.expect("it is read");
        assert_eq!(kept.expect("it is there").bytes, second);

        // Nor is it lost if the first was removed before.
        for path in [&parts[..], &["playlist-1.m3u8", RECORDED]].concat() {
            store.remove(path).await.expect("it is removed");
        }
        assert!(keep_playlist(&store, true).await.expect("it is kept"));
        let kept = store.get(RECORDED).await.expect("it is read");
        assert_eq!(kept.expect("it is there").bytes, second);
    }

    #[tokio::test]
    async fn a_recording_without_a_multivariant_playlist_is_kept_by_what_it_has() {
        for (files, expected) in [
            (&[("playlist.m3u8", MEDIA)][..], MEDIA),
            (
                &[("init.mp4", "x"), ("a b-1.m4s", "x"), ("a b-2.m4s", "x")],
                "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\na%20b-1.m4s\na%20b-2.m4s\n#EXT-X-ENDLIST\n",
            ),
        ] {
            let root = tempfile::tempdir().expect("a folder");
            let store = open(&root);
            write(&store, files).await;
            assert!(keep_playlist(&store, false).await.expect("it is kept"));
            let kept = store.get(RECORDED).await.expect("it is read");
            assert_eq!(kept.expect("it is there").bytes, expected);
            let listed = store.list("").await.expect("a list");
            let found = LiveParts::find(&store, &listed).await.expect("parts");
            assert!(found.paths().contains(RECORDED));
        }
    }

    #[test]
    fn parts_expire_when_no_pass_of_the_recording_can_be_valid() {
        let hour = Duration::from_secs(3600);
        for (listed, now, expected) in [
            (&[][..], 999, false),
            (&[(MULTIVARIANT, 1)], 999, false),
            (&[(RECORDED, 10), (MULTIVARIANT, 30)], 89, false),
            (&[(RECORDED, 10), (MULTIVARIANT, 30)], 90, true),
            (&[(RECORDED, 40), (MULTIVARIANT, 30)], 99, false),
            // Another clock.
            (&[(RECORDED, 40), (MULTIVARIANT, 30)], 20, false),
        ] {
            let entries: Vec<StoredEntry> =
                (listed.iter()).map(|(path, at)| entry(path, *at)).collect();
            let now = entry("", now).modified;
            assert_eq!(is_expired(&entries, hour, now), expected, "{listed:?}");
        }
    }

    #[test]
    fn a_recording_is_in_place_if_its_folder_is_the_target() {
        let root = tempfile::tempdir().expect("a folder");
        let store = open(&root);
        let folder = root.path();
        let is_in_place = |input: &Path| is_in_place(input, &store, &ReachArgs::default());
        assert!(is_in_place(folder).expect("a folder"));
        let other = tempfile::tempdir().expect("a folder");
        assert!(!is_in_place(other.path()).expect("a folder"));
        assert!(!is_in_place(&folder.join("talk.mov")).expect("a file"));
    }
}
