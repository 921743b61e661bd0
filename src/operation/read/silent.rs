//! Playlists of recorders that died: the edge ends them, so that players stop asking.

use super::{Read, ReadAnswer, Treatment};
use crate::http::precondition::EntityTags;
use crate::object::stored::ObjectMetadata;
use crate::playlist::{MAX_PLAYLIST_BYTES, with_end};

/// The seconds after which a recorder counts as dead. It replaces its playlist more often, also
/// while it is paused.
const SILENT_SECONDS: u64 = 90;

impl Read<'_> {
    /// Returns whether the object may be the playlist of a recorder that died: it lies outside
    /// revisions, and nothing replaced it for a while. Then [`Read::end`] decides by its bytes.
    #[must_use]
    pub fn may_be_silent(&self, stored: &ObjectMetadata) -> bool {
        let since = stored.uploaded / 1000;
        let is_old = self.now > since.saturating_add(SILENT_SECONDS);
        is_old
            && !self.key.is_in_revision()
            && self.treatment != Treatment::Steering
            && self.is_rewritten(stored)
            && stored.size <= MAX_PLAYLIST_BYTES as u64
    }

    /// The form of a silent playlist that the client has, by its `If-None-Match`. Only [`Read::end`]
    /// names these forms, after it read the bytes, so they need not be read again.
    #[must_use]
    pub fn known_form(&self, stored: &ObjectMetadata) -> Option<ObjectMetadata> {
        if !matches!(self.conditions.if_none_match, Some(EntityTags::List(_))) {
            return None;
        }
        let is_known = |form: &ObjectMetadata| {
            let answer = self.answer(form);
            matches!(answer, ReadAnswer::NotModified(_))
        };
        [ended(stored), still(stored)].into_iter().find(is_known)
    }

    /// The playlist of a silent recorder with its end, or another old playlist as it is, and its
    /// metadata. Both forms have entity-tags of their own: the end is another representation.
    #[must_use]
    pub fn end(&self, bytes: Vec<u8>, stored: &ObjectMetadata) -> (Vec<u8>, ObjectMetadata) {
        match with_end(&bytes).filter(|ended| ended.len() <= MAX_PLAYLIST_BYTES) {
            Some(with_end) => {
                let size = with_end.len() as u64;
                let stored = ended(stored);
                (with_end, ObjectMetadata { size, ..stored })
            }
            None => (bytes, still(stored)),
        }
    }
}

/// The metadata of a playlist with its end. The end came after the playlist.
fn ended(stored: &ObjectMetadata) -> ObjectMetadata {
    ObjectMetadata {
        etag: format!("{}-ended", stored.etag),
        uploaded: stored.uploaded + (SILENT_SECONDS + 1) * 1000,
        ..stored.clone()
    }
}

/// The metadata of an old playlist that gets no end, such as a Multivariant Playlist.
fn still(stored: &ObjectMetadata) -> ObjectMetadata {
    ObjectMetadata {
        etag: format!("{}-still", stored.etag),
        ..stored.clone()
    }
}
