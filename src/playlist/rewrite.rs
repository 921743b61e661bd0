//! The rewriter: gives every URI of a playlist that names an object of ours a pass of its own.

use std::borrow::Cow;
use std::ops::Range;

use super::filter::{self, Edit, Entitlements, Form};
use super::resolve::{Base, Target, fits, is_plain_name, resolve};
use super::storyboard::{self, is_storyboard_name};
use super::uri::Parts;
use crate::content_type;
use crate::http::problem::Problem;
use crate::keyring::Key;
use crate::network::Place;
use crate::object_key::Directory;
use crate::pass::{Kind, Minter};
use crate::text::split_once;
use lectern_hot::scan::{Item, Role, UriSpan, scan};

/// The largest playlist that is rewritten: ten hours of two-second segments take about a quarter of it.
pub const MAX_PLAYLIST_BYTES: usize = 8 * 1024 * 1024;

/// The most URIs that are signed: ten hours of quarter-second parts. Without it 8 MiB of one-letter URIs would take more
/// memory for their passes than an isolate has.
const MAX_URIS: usize = 150_000;

/// `?p=` and the pass of an object as it is stored.
const OBJECT_ROOM: usize = 3 + 30;
/// `?p=` and the longest pass of a playlist, of a list of assets or of a storyboard.
const PLAYLIST_ROOM: usize = 3 + 32;
/// `?p=` and the longest pass of a restricted playlist.
const RESTRICTED_ROOM: usize = 3 + 43;

/// What an opened credential lets a playlist hand on.
#[derive(Debug, Clone)]
pub struct Grant<'key> {
    pub key: &'key Key,
    /// The last second of every pass.
    pub expires: u64,
    /// What is listed must lie below this directory, which is `depth` deep.
    pub root: Directory,
    pub depth: u8,
    /// Where passes are bound to.
    pub place: Place,
    pub limits: Limits,
}

/// What a playlist may be, and what of it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Limits {
    /// Any playlist, all of it.
    #[default]
    None,
    /// A Multivariant Playlist, opened by a restricted link; the playlists that it lists are [`Limits::Media`].
    Multivariant(Entitlements),
    /// A Media Playlist that a restricted Multivariant Playlist listed. It hands on no playlists.
    Media { preview: Option<(u32, u32)> },
    /// A storyboard, and no playlist. It hands on pictures alone.
    Storyboard,
}

impl Limits {
    /// What tells limits apart.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (tag, max_height, langs, preview) = match self {
            Self::None => return vec![0],
            Self::Multivariant(entitlements) => (
                1,
                entitlements.max_height,
                entitlements.langs.as_deref().unwrap_or_default(),
                entitlements.preview,
            ),
            Self::Media { preview } => (2, None, &[][..], *preview),
            Self::Storyboard => return vec![3],
        };
        let (from, to) = preview.unwrap_or_default();
        let mut bytes = vec![tag];
        for number in [max_height.unwrap_or(0), from, to] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(langs.join(",").bytes());
        bytes
    }
}

/// Why a playlist is not rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlaylistError {
    #[error("the playlist has more than {MAX_PLAYLIST_BYTES} bytes or {MAX_URIS} URIs")]
    TooLarge,
    #[error("a line of the playlist has more than 65536 bytes")]
    LineTooLong,
    #[error("a restricted link opens Multivariant Playlists, and what these list, alone")]
    NotForRestricted,
    #[error("the link's restrictions leave no Variant Stream")]
    NoVariant,
    #[error("this playlist cannot be shown in part")]
    NoPreview,
}

impl PlaylistError {
    #[must_use]
    pub fn problem(self) -> Problem {
        match self {
            Self::TooLarge | Self::LineTooLong => Problem::PlaylistTooLarge,
            Self::NotForRestricted => Problem::Forbidden,
            Self::NoVariant => Problem::NoVariant,
            Self::NoPreview => Problem::NoPreview,
        }
    }
}

/// Rewrites `playlist`, fetched from `base`, under `grant`. All bytes but the passes are those of the input.
///
/// # Errors
/// When the playlist or one of its lines is larger than any honest one, or the grant's limits do not let it be shown.
pub fn rewrite(
    playlist: &[u8],
    base: &Base<'_>,
    grant: &Grant<'_>,
) -> Result<Vec<u8>, PlaylistError> {
    if playlist.len() > MAX_PLAYLIST_BYTES {
        return Err(PlaylistError::TooLarge);
    }
    let scan: Scan = match grant.limits {
        Limits::Storyboard => storyboard::scan,
        _ => scan,
    };
    let mut count = 0;
    // Counted before, so that the output is one allocation, and no larger than it has to be.
    let mut room = playlist.len();
    let playlist_room = match &grant.limits {
        Limits::None | Limits::Storyboard => PLAYLIST_ROOM,
        Limits::Multivariant(_) | Limits::Media { .. } => RESTRICTED_ROOM,
    };
    let mut long_line = false;
    scan(playlist, &mut |item| match item {
        Item::Uri(UriSpan { at, role }) => {
            count += 1;
            room += match role {
                Role::Object if !may_be_rewritten(&playlist[at]) => OBJECT_ROOM,
                _ => playlist_room,
            };
        }
        Item::LongLine => long_line = true,
        Item::Define { .. } => {}
    });
    if long_line {
        return Err(PlaylistError::LineTooLong);
    }
    if count > MAX_URIS {
        return Err(PlaylistError::TooLarge);
    }
    let edits = match &grant.limits {
        Limits::None | Limits::Storyboard => Vec::new(),
        Limits::Multivariant(entitlements) => {
            if filter::form(playlist) != Some(Form::Multivariant) {
                return Err(PlaylistError::NotForRestricted);
            }
            filter::multivariant(playlist, entitlements)?
        }
        Limits::Media { preview } => {
            if filter::form(playlist) != Some(Form::Media) {
                return Err(PlaylistError::NotForRestricted);
            }
            match preview {
                Some(preview) => filter::media(playlist, *preview)?,
                None => Vec::new(),
            }
        }
    };
    let mut rewriter = Rewriter {
        playlist,
        base,
        directory: base.key.split().0,
        grant,
        minter: Minter::new(grant.key, grant.expires, grant.place),
        turned_to: None,
        edits: edits.into_iter().peekable(),
        variables: Vec::new(),
        out: Vec::with_capacity(room),
        copied: 0,
    };
    scan(playlist, &mut |item| match item {
        Item::Uri(span) => rewriter.uri(&span),
        Item::Define { name, value } => rewriter.variables.push((name, value)),
        Item::LongLine => {}
    });
    Ok(rewriter.finish())
}

/// What finds the URIs: one function for playlists, another for storyboards.
type Scan = for<'a> fn(&'a [u8], &mut dyn FnMut(Item<'a>));

struct Rewriter<'a> {
    playlist: &'a [u8],
    base: &'a Base<'a>,
    /// The playlist's own, where nearly all that it lists is.
    directory: &'a str,
    grant: &'a Grant<'a>,
    minter: Minter<'a>,
    /// The kind to which the minter is turned, if it is for the playlist's own directory.
    turned_to: Option<Kind>,
    edits: std::iter::Peekable<std::vec::IntoIter<Edit>>,
    /// `EXT-X-DEFINE`s so far, names and values.
    variables: Vec<(&'a [u8], &'a [u8])>,
    out: Vec<u8>,
    /// How much of the input has been copied.
    copied: usize,
}

impl<'a> Rewriter<'a> {
    fn uri(&mut self, span: &UriSpan) {
        self.edit_up_to(span.at.start);
        if span.at.start < self.copied {
            // It went with its entry.
            return;
        }
        let Ok(written) = str::from_utf8(&self.playlist[span.at.clone()]) else {
            return;
        };
        // Nearly every segment's: nothing to look for, neither variables nor a query.
        if is_plain_name(written) && fits(self.directory, written) {
            return self.sign(span, &Parts::plain(written), &Target::Sibling(written));
        }
        let Some(uri) = self.substitute(written) else {
            return;
        };
        let path = Parts::of(&uri).path;
        if let Some(target) = resolve(self.base, &self.grant.root, path) {
            // Variables hold no `?` or `#`, so what stands there splits where its value does, and can be kept.
            self.sign(span, &Parts::of(written), &target);
        }
    }

    /// Copies what stands before the URI, and the URI with a pass.
    fn sign(&mut self, span: &UriSpan, parts: &Parts<'_>, target: &Target<'_>) {
        let (directory, name) = target.split(self.directory);
        let Some(kind) = self.kind(span.role, name) else {
            return;
        };
        self.copy_to(span.at.start + parts.path.len());
        parts.write_query(&mut self.out);
        // A playlist's own directory is not compared with itself again.
        let own = matches!(target, Target::Sibling(_)).then_some(kind);
        if own.is_none() || own != self.turned_to {
            self.minter.turn_to(kind, directory, &mut self.out);
            self.turned_to = own;
        }
        self.minter.reserve(name, &mut self.out);
        self.copied = span.at.start + parts.path_and_query;
    }

    /// What the pass for the object `name` opens; `None` where a restricted link's playlist must not hand it on.
    fn kind(&self, role: Role, name: &str) -> Option<Kind> {
        let depth = self.grant.depth;
        let role = if role == Role::Object && is_playlist_name(name) {
            // Only what stands where a playlist is expected was looked at by the filters.
            if self.grant.limits != Limits::None {
                return None;
            }
            Role::Playlist
        } else {
            role
        };
        match (role, &self.grant.limits) {
            // A whole lecture in one file, which no filter looks into; keys and chapters are no media.
            (Role::Object, Limits::Multivariant(_)) if content_type::is_media(name) => None,
            // Pictures and words of both sides of a preview.
            (Role::Object, Limits::Multivariant(entitlements))
                if entitlements.preview.is_some() && content_type::is_telling(name) =>
            {
                None
            }
            (Role::Object, Limits::None | Limits::Multivariant(_)) if is_storyboard_name(name) => {
                Some(Kind::Storyboard { depth })
            }
            (Role::Object, Limits::Storyboard) if !content_type::is_picture(name) => None,
            (Role::Object, _) => Some(Kind::Object),
            (Role::Playlist, Limits::None) => Some(Kind::Playlist { depth }),
            (Role::Playlist, Limits::Multivariant(entitlements)) => Some(Kind::Restricted {
                depth,
                preview: entitlements.preview,
            }),
            (Role::AssetList, Limits::None) => Some(Kind::AssetList { depth }),
            (Role::AssetList, Limits::Multivariant(_))
            | (Role::Playlist | Role::AssetList, Limits::Media { .. } | Limits::Storyboard) => None,
        }
    }

    /// Applies the edits that begin before `end`.
    fn edit_up_to(&mut self, end: usize) {
        while let Some(edit) = self.edits.next_if(|edit| edit.start <= end) {
            if edit.start >= self.copied {
                self.copy_to(edit.start);
                self.out.extend_from_slice(edit.with.as_bytes());
            }
            self.copied = self.copied.max(edit.end);
        }
    }

    /// Replaces `{$name}` by what this playlist defined before (RFC 8216bis §4.3). `None` where a name is not defined
    /// here, or its value would start a query or fragment in the middle of the text: the line is left alone.
    fn substitute<'uri>(&self, uri: &'uri str) -> Option<Cow<'uri, str>> {
        if !uri.contains('{') {
            return Some(Cow::Borrowed(uri));
        }
        let mut value = String::new();
        let mut rest = uri;
        while let Some((before, after)) = split_once(rest, "{$") {
            let (name, after) = after.split_once('}')?;
            let (_, defined) = self
                .variables
                .iter()
                .find(|(known, _)| *known == name.as_bytes())
                .filter(|(_, value)| !value.iter().any(|byte| matches!(byte, b'?' | b'#')))?;
            value.push_str(before);
            value.push_str(str::from_utf8(defined).ok()?);
            rest = after;
        }
        value.push_str(rest);
        Some(Cow::Owned(value))
    }

    fn copy_to(&mut self, end: usize) {
        let range: Range<usize> = self.copied..end;
        self.out.extend_from_slice(&self.playlist[range]);
        self.copied = end;
    }

    fn finish(mut self) -> Vec<u8> {
        self.edit_up_to(self.playlist.len());
        self.copy_to(self.playlist.len());
        self.minter.fill(&mut self.out);
        self.out
    }
}

/// A playlist that stands where another object is expected is still rewritten when it is fetched, so that none is
/// ever handed out with bare URIs.
#[must_use]
pub fn is_playlist_name(name: &str) -> bool {
    if !may_be_rewritten(name.as_bytes()) {
        return false;
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    extension.eq_ignore_ascii_case("m3u8") || extension.eq_ignore_ascii_case("m3u")
}

/// Whether a name may be a playlist's or a storyboard's. Asked of every URI, and nearly always answered by the last byte.
fn may_be_rewritten(name: &[u8]) -> bool {
    matches!(name.last(), Some(b'8' | b'u' | b'U' | b't'))
}
