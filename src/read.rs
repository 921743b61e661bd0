//! Reading: from what storage says of an object to the answer.

use crate::content_type;
use crate::http::date::format_date;
use crate::http::precondition::{Conditions, EntityTag, Validators, Verdict};
use crate::http::problem::Problem;
use crate::http::range::{ByteRange, ContentRange};
use crate::object_key::ObjectKey;
use crate::playlist::{Grant, MAX_PLAYLIST_BYTES};
use crate::storage::Stored;

/// Headers of an answer.
pub type Headers = Vec<(&'static str, String)>;

/// An authorised `GET` or `HEAD`.
#[derive(Debug)]
pub struct Read<'config> {
    pub key: ObjectKey,
    pub head: bool,
    pub treatment: Treatment,
    pub conditions: Conditions,
    pub range: Option<ByteRange>,
    /// How long the credential will still open this.
    pub seconds_left: u64,
    /// What a playlist may hand on.
    pub grant: Grant<'config>,
}

/// Whether the object is rewritten on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    AsStored,
    Playlist,
    /// A playlist if its stored content type says so.
    ByContentType,
}

/// The answer to a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200 with the stored bytes.
    Whole(Headers),
    /// 206 with these of the stored bytes.
    Part(ContentRange, Headers),
    /// 200 with the playlist rewritten; `Content-Length` is that of the result.
    Playlist(Headers),
    /// 304.
    NotModified(Headers),
    Refuse(Problem),
}

impl Read<'_> {
    /// The range to ask storage for, where it is known before the object is seen that it is not a playlist.
    #[must_use]
    pub fn storage_range(&self) -> Option<ByteRange> {
        self.range.filter(|_| self.treatment == Treatment::AsStored)
    }

    /// Whether the object is rewritten.
    #[must_use]
    pub fn is_playlist(&self, stored: &Stored) -> bool {
        match self.treatment {
            Treatment::AsStored => false,
            Treatment::Playlist => true,
            Treatment::ByContentType => stored
                .content_type
                .as_deref()
                .is_some_and(content_type::is_hls_playlist),
        }
    }

    /// Decides the answer by what storage says.
    #[must_use]
    pub fn answer(&self, stored: &Stored) -> Answer {
        let is_playlist = self.is_playlist(stored);
        if is_playlist && stored.size > MAX_PLAYLIST_BYTES as u64 {
            return Answer::Refuse(Problem::PlaylistTooLarge);
        }
        let etag = if is_playlist {
            self.playlist_etag(stored)
        } else {
            EntityTag::strong(&stored.etag)
        };
        let validators = Validators {
            etag,
            last_modified: stored.uploaded / 1000,
        };
        let mut headers: Headers = vec![
            ("ETag", validators.etag.header()),
            ("Last-Modified", format_date(validators.last_modified)),
            ("Cache-Control", self.cache_control(is_playlist)),
        ];
        let ranges = match self.conditions.evaluate(&validators) {
            Verdict::Failed => return Answer::Refuse(Problem::PreconditionFailed),
            Verdict::NotModified => return Answer::NotModified(headers),
            Verdict::Proceed { ranges } => ranges,
        };
        let content_type = stored
            .content_type
            .clone()
            .unwrap_or_else(|| content_type::for_key(self.key.as_str()).to_owned());
        headers.push(("Content-Type", content_type));
        if is_playlist {
            return Answer::Playlist(headers);
        }
        headers.push(("Accept-Ranges", "bytes".to_owned()));
        let Some(range) = self.range.filter(|_| ranges) else {
            headers.push(("Content-Length", stored.size.to_string()));
            return Answer::Whole(headers);
        };
        match range.resolve(stored.size) {
            Ok(range) => {
                headers.push(("Content-Length", range.size().to_string()));
                headers.push(("Content-Range", range.header()));
                Answer::Part(range, headers)
            }
            Err(error) => Answer::Refuse(Problem::RangeNotSatisfiable {
                length: error.length,
            }),
        }
    }

    /// A rewritten playlist is a function of the stored bytes and the grant, so its strong validator is too.
    fn playlist_etag(&self, stored: &Stored) -> EntityTag {
        let Grant { key, expires, root } = &self.grant;
        EntityTag::strong(&format!(
            "{}-{}-{expires:x}-{}",
            stored.etag,
            key.kid(),
            root.depth()
        ))
    }

    fn cache_control(&self, is_playlist: bool) -> String {
        if is_playlist {
            return "no-store".to_owned();
        }
        if self.treatment == Treatment::AsStored || is_in_revision(&self.key) {
            return format!("private, max-age={}, immutable", self.seconds_left);
        }
        "private, no-cache".to_owned()
    }
}

/// Whether an object belongs to a revision, `…/v/<revision>/…`: such objects never change.
fn is_in_revision(key: &ObjectKey) -> bool {
    key.as_str()
        .split_once("/v/")
        .is_some_and(|(_, rest)| rest.contains('/'))
}
