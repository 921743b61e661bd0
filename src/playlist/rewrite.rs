//! The rewriter: adds a pass to every URI of a playlist that names an object within the grant.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::filter::{self, Edit, Entitlements, Form};
use super::manifest::contains_manifest;
use super::resolve::{Base, ResolvedUri, absolute_url, fits, is_plain_name, resolve};
use super::storyboard::{self, is_storyboard_name};
use super::uri::{UriParts, is_unambiguous};
use crate::credential::binding::Binding;
use crate::credential::keyring::Key;
use crate::credential::pass::{Minter, PassKind, TICKET_CHARACTERS};
use crate::credential::ticket::Ticket;
use crate::http::problem::Problem;
use crate::object::content_type;
use crate::object::key::Directory;
use crate::text::split_once;
use hls_lexer::scan::{Item, Role, UriSpan, hazards, scan};

/// The largest playlist that is rewritten. Ten hours of two-second segments take about a quarter of
/// it.
pub const MAX_PLAYLIST_BYTES: usize = 8 * 1024 * 1024;

/// The maximum number of signed URIs: ten hours of quarter-second parts. Without it, the passes of
/// 8 MiB of one-letter URIs would exceed an isolate's memory.
const MAX_URIS: usize = 150_000;

/// The maximum number of lines: ten hours of quarter-second parts, with ten lines each.
const MAX_LINES: usize = 1_500_000;

/// The maximum length of a URI with expanded variables. URLs in use are far shorter.
const MAX_EXPANDED_BYTES: usize = 8 * 1024;

/// The maximum of bytes from variables in one playlist.
const MAX_EXPANSION_BYTES: usize = 8 * 1024 * 1024;

/// `?p=` and the pass of an object.
const OBJECT_ROOM: usize = 3 + 30;
/// `?p=` and the longest pass of a playlist, an asset list or a storyboard.
const PLAYLIST_ROOM: usize = 3 + 32;
/// `?p=` and the longest pass of a restricted playlist.
const RESTRICTED_ROOM: usize = 3 + 43;

/// The authority that a playlist passes on to its entries.
#[derive(Debug, Clone)]
pub struct Grant<'key> {
    /// Signs the passes.
    pub signing_key: &'key Key,
    /// The last second of every pass.
    pub expires: u64,
    /// The directory, `depth` deep, that must contain the entries.
    pub root: Directory,
    pub depth: u8,
    /// The network and country that passes are bound to.
    pub binding: Binding,
    /// The viewer, link and place that passes carry.
    pub ticket: Option<Ticket>,
    pub limits: Limits,
}

impl<'key> Grant<'key> {
    /// A minter of the passes that this grant passes on.
    pub(crate) fn minter(&self) -> Minter<'key> {
        Minter::new(self.signing_key, self.expires, self.binding).with_ticket(self.ticket)
    }
}

/// Limits on the kind of a playlist, and on its visible parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Limits {
    /// Any playlist, completely.
    #[default]
    None,
    /// The Multivariant Playlist of a restricted link. Its playlists get [`Limits::Media`].
    RestrictedLink(Entitlements),
    /// A Media Playlist from a restricted Multivariant Playlist. It grants no playlists.
    Media { preview: Option<(u32, u32)> },
    /// A storyboard, and no playlist. It grants images only.
    Storyboard,
    /// Any playlist or DASH manifest below a directory's pass in the path. Its relative URIs
    /// inherit the pass, so none is signed.
    DirectoryPass,
}

impl Limits {
    /// Bytes that differ between limits.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (tag, max_height, langs, preview) = match self {
            Self::None => return vec![0],
            Self::RestrictedLink(entitlements) => (
                1,
                entitlements.max_height,
                entitlements.langs.as_deref().unwrap_or_default(),
                entitlements.preview,
            ),
            Self::Media { preview } => (2, None, &[][..], *preview),
            Self::Storyboard => return vec![3],
            Self::DirectoryPass => return vec![4],
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

/// The reason why a playlist is not rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlaylistError {
    #[error(
        "the playlist has more than {MAX_PLAYLIST_BYTES} bytes, {MAX_LINES} lines or {MAX_URIS} URIs, \
         or its variables make more than {MAX_EXPANSION_BYTES} bytes"
    )]
    TooLarge,
    #[error("a line of the playlist has more than 65536 bytes")]
    LineTooLong,
    #[error("players read the playlist's lines differently: it has control characters or lone CRs")]
    AmbiguousLine,
    #[error("`EXT-X-DEFINE` with `QUERYPARAM` takes the viewer's credential from the URL")]
    TakesQuery,
    #[error("`EXT-X-CONTENT-STEERING` stands in a line that is a URI")]
    HidesSteering,
    #[error(
        "below a directory's pass, a playlist has variables or interstitials, or lists what is not named `.m3u8`"
    )]
    LeadsElsewhere,
    #[error("the DASH manifest may lead players, with the pass in their path, to another host")]
    UnsafeManifest,
    /// The answer is a redirect to the manifest below a directory's pass.
    #[error("players may read the beginning of the DASH manifest differently")]
    AmbiguousManifest,
    #[error("the playlist or storyboard contains the root element of a manifest")]
    ContainsManifest,
    #[error("a restricted link opens only Multivariant Playlists and their entries")]
    NotForRestricted,
    #[error("the link's restrictions leave no Variant Stream")]
    NoVariant,
    #[error("this playlist cannot be shown in part")]
    NoPreview,
    #[error("the playlist is of another revision, or its entries have no stable ids")]
    NotSteerable,
}

impl PlaylistError {
    #[must_use]
    pub fn problem(self) -> Problem {
        match self {
            Self::TooLarge | Self::LineTooLong => Problem::PlaylistTooLarge,
            Self::AmbiguousLine
            | Self::TakesQuery
            | Self::HidesSteering
            | Self::LeadsElsewhere
            | Self::UnsafeManifest
            | Self::AmbiguousManifest
            | Self::ContainsManifest => Problem::UnsafePlaylist,
            Self::NotForRestricted => Problem::Forbidden,
            Self::NoVariant => Problem::NoVariant,
            Self::NoPreview => Problem::NoPreview,
            Self::NotSteerable => Problem::SteeringEnded,
        }
    }
}

/// A rewritten playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    pub bytes: Vec<u8>,
    /// The number of unsigned URIs: of other hosts, outside the root, or ambiguous.
    pub unsigned: usize,
    /// `EXT-X-CONTENT-STEERING` was removed.
    pub removed_steering: bool,
}

impl Rewritten {
    /// A sentence for the operator's log, if the playlist is not served as written.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let steering = self
            .removed_steering
            .then_some("`EXT-X-CONTENT-STEERING` removed");
        let unsigned = (self.unsigned > 0).then(|| format!("{} URIs unsigned", self.unsigned));
        match (steering, unsigned) {
            (None, None) => None,
            (Some(steering), None) => Some(steering.to_owned()),
            (None, Some(unsigned)) => Some(unsigned),
            (Some(steering), Some(unsigned)) => Some(format!("{steering}, {unsigned}")),
        }
    }
}

/// Rewrites `playlist`, fetched from `base`, under `grant`.
///
/// Each URI of an object below the grant's root gets a pass, and its variables are expanded. Lines
/// with `EXT-X-CONTENT-STEERING` are removed, because a steering manifest may send players, with
/// their passes, to any host. All other bytes are those of the input.
///
/// # Errors
/// When the playlist or a line is too large, takes the viewer's credential, or is ambiguous to
/// players, and when the grant's limits refuse it.
pub fn rewrite(
    playlist: &[u8],
    base: &Base<'_>,
    grant: &Grant<'_>,
) -> Result<Rewritten, PlaylistError> {
    if playlist.len() > MAX_PLAYLIST_BYTES {
        return Err(PlaylistError::TooLarge);
    }
    let hazards = hazards(playlist);
    if hazards.ambiguous_line {
        return Err(PlaylistError::AmbiguousLine);
    }
    if hazards.takes_query {
        return Err(PlaylistError::TakesQuery);
    }
    if hazards.hides_steering {
        return Err(PlaylistError::HidesSteering);
    }
    if contains_manifest(playlist) {
        return Err(PlaylistError::ContainsManifest);
    }
    if memchr::memchr_iter(b'\n', playlist).count() > MAX_LINES {
        return Err(PlaylistError::TooLarge);
    }
    let scan: Scan = match grant.limits {
        Limits::Storyboard => storyboard::scan,
        Limits::DirectoryPass => |_, _| {},
        _ => scan,
    };
    let mut count = 0;
    // Counts URIs first, so that the output is one allocation without spare room.
    let mut room = playlist.len();
    let room_of_ticket = |carries: bool| if carries { TICKET_CHARACTERS } else { 0 };
    let has_place = grant.ticket.is_some_and(|ticket| ticket.place.is_some());
    let object_room = OBJECT_ROOM + room_of_ticket(has_place);
    let playlist_room = room_of_ticket(grant.ticket.is_some())
        + match &grant.limits {
            Limits::None | Limits::Storyboard | Limits::DirectoryPass => PLAYLIST_ROOM,
            Limits::RestrictedLink(_) | Limits::Media { .. } => RESTRICTED_ROOM,
        };
    let mut long_line = false;
    let mut variables = Variables::default();
    scan(playlist, &mut |item| match item {
        Item::Uri(UriSpan { at, role }) => {
            count += 1;
            room += match role {
                Role::Object if !may_be_rewritten(&playlist[at]) => object_room,
                _ => playlist_room,
            };
        }
        Item::LongLine => long_line = true,
        Item::Define { name, .. } | Item::Import { name } => variables.count(name),
        Item::BadDefine => variables.are_bad = true,
        Item::Ambiguous => {}
    });
    if long_line {
        return Err(PlaylistError::LineTooLong);
    }
    if grant.limits == Limits::DirectoryPass {
        check_below_pass(playlist)?;
    }
    if count > MAX_URIS {
        return Err(PlaylistError::TooLarge);
    }
    let edits = match &grant.limits {
        Limits::None | Limits::Storyboard | Limits::DirectoryPass => Vec::new(),
        Limits::RestrictedLink(entitlements) => {
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
    let removed_steering = !hazards.steering.is_empty();
    let edits = filter::without(edits, hazards.steering);
    let mut rewriter = Rewriter {
        playlist,
        base,
        directory: base.key.split().0,
        grant,
        minter: grant.minter(),
        turned_to: None,
        edits: edits.into_iter().peekable(),
        variables,
        out: Vec::with_capacity(room),
        copied: 0,
        unsigned: 0,
    };
    scan(playlist, &mut |item| match item {
        Item::Uri(span) => rewriter.uri(&span),
        Item::Define { name, value } => rewriter.variables.define(name, value),
        Item::Ambiguous => rewriter.unsigned += 1,
        Item::Import { .. } | Item::BadDefine | Item::LongLine => {}
    });
    let unsigned = rewriter.unsigned;
    Ok(Rewritten {
        bytes: rewriter.finish()?,
        unsigned,
        removed_steering,
    })
}

/// Refuses a playlist below a directory's pass that leads to an unchecked playlist: it could steer
/// players, with the pass in their path, to another host. The edge checks playlists that are named
/// as such.
fn check_below_pass(playlist: &[u8]) -> Result<(), PlaylistError> {
    let mut leads_elsewhere = false;
    scan(playlist, &mut |item| {
        leads_elsewhere |= match item {
            Item::Uri(UriSpan { at, role }) => {
                let uri = str::from_utf8(&playlist[at]).unwrap_or_default();
                match role {
                    Role::Object => false,
                    Role::Playlist => {
                        !is_playlist_name(UriParts::of(uri).path) || uri.contains('{')
                    }
                    Role::Asset | Role::AssetList => true,
                }
            }
            Item::LongLine => false,
            Item::Ambiguous | Item::Define { .. } | Item::Import { .. } | Item::BadDefine => true,
        };
    });
    if leads_elsewhere {
        return Err(PlaylistError::LeadsElsewhere);
    }
    Ok(())
}

/// A scanner of URIs: one for playlists, another for storyboards.
type Scan = for<'a> fn(&'a [u8], &mut dyn FnMut(Item<'a>));

struct Rewriter<'a> {
    playlist: &'a [u8],
    base: &'a Base<'a>,
    /// The playlist's directory, which contains nearly all of its entries.
    directory: &'a str,
    grant: &'a Grant<'a>,
    minter: Minter<'a>,
    /// The kind that the minter has selected, if it is for the playlist's own directory.
    turned_to: Option<PassKind>,
    edits: std::iter::Peekable<std::vec::IntoIter<Edit>>,
    variables: Variables<'a>,
    out: Vec<u8>,
    /// The length of the copied input.
    copied: usize,
    /// The number of unsigned URIs.
    unsigned: usize,
}

/// The variables of a playlist (RFC 8216bis §4.3).
#[derive(Default)]
struct Variables<'a> {
    /// The number of definitions and imports of each name in the whole playlist.
    counts: BTreeMap<&'a [u8], usize>,
    /// An `EXT-X-DEFINE` is invalid, so players may read a definition of any name.
    are_bad: bool,
    /// Values so far, of names that are defined once.
    values: BTreeMap<&'a [u8], &'a str>,
    /// The number of bytes from values.
    expanded: usize,
}

impl<'a> Variables<'a> {
    fn count(&mut self, name: &'a [u8]) {
        *self.counts.entry(name).or_default() += 1;
    }

    fn define(&mut self, name: &'a [u8], value: &'a [u8]) {
        if self.counts.get(name) == Some(&1)
            && let Ok(value) = str::from_utf8(value)
        {
            self.values.insert(name, value);
        }
    }

    /// Replaces each `{$name}` by its value. Returns `None` if a name has no value yet, if its
    /// definition is ambiguous, or if the result is too long.
    fn expand<'uri>(&mut self, uri: &'uri str) -> Option<Cow<'uri, str>> {
        let Some((mut before, mut rest)) = split_once(uri, "{$") else {
            return Some(Cow::Borrowed(uri));
        };
        if self.are_bad || self.expanded > MAX_EXPANSION_BYTES {
            return None;
        }
        let mut expanded = String::new();
        loop {
            let (name, after) = rest.split_once('}')?;
            let value = self.values.get(name.as_bytes())?;
            self.expanded += before.len() + value.len();
            if expanded.len() + before.len() + value.len() > MAX_EXPANDED_BYTES {
                return None;
            }
            expanded.push_str(before);
            expanded.push_str(value);
            match split_once(after, "{$") {
                Some(parts) => (before, rest) = parts,
                None => {
                    expanded.push_str(after);
                    return Some(Cow::Owned(expanded));
                }
            }
        }
    }
}

impl<'a> Rewriter<'a> {
    fn uri(&mut self, span: &UriSpan) {
        self.edit_up_to(span.at.start);
        if span.at.start < self.copied {
            // The entry was removed.
            return;
        }
        let Ok(written) = str::from_utf8(&self.playlist[span.at.clone()]) else {
            self.unsigned += 1;
            return;
        };
        // A plain name, like nearly every segment's, has neither variables nor a query.
        if is_plain_name(written) && fits(self.directory, written) {
            let signed = self.sign(
                span,
                &UriParts::plain(written),
                &ResolvedUri::Sibling(written),
            );
            self.unsigned += usize::from(!signed);
            return;
        }
        let signed = match self.variables.expand(written) {
            None => false,
            Some(uri) if !is_unambiguous(&uri) => false,
            Some(uri) => {
                let parts = UriParts::of(&uri);
                match resolve(self.base, &self.grant.root, parts.path) {
                    None => false,
                    Some(target) => self.sign(span, &parts, &target),
                }
            }
        };
        self.unsigned += usize::from(!signed);
    }

    /// Copies the input up to the URI, and writes it with a pass. Returns `false` outside the
    /// grant.
    fn sign(&mut self, span: &UriSpan, parts: &UriParts<'_>, target: &ResolvedUri<'_>) -> bool {
        let (directory, name) = target.split(self.directory);
        let Some(kind) = self.kind(span.role, name) else {
            return false;
        };
        self.copy_to(span.at.start);
        match span.role {
            // hls.js resolves these against the URL of its page.
            Role::Asset | Role::AssetList => {
                let url = absolute_url(self.base, directory, name);
                self.out.extend_from_slice(url.as_bytes());
            }
            Role::Object | Role::Playlist => {
                self.out.extend_from_slice(parts.path.as_bytes());
            }
        }
        parts.write_query(&mut self.out);
        // Skips the comparison of the playlist's own directory with itself.
        let own = matches!(target, ResolvedUri::Sibling(_)).then_some(kind);
        if own.is_none() || own != self.turned_to {
            self.minter.select(kind, directory, &mut self.out);
            self.turned_to = own;
        }
        self.minter.mint_deferred(name, &mut self.out);
        self.out.extend_from_slice(parts.fragment.as_bytes());
        self.copied = span.at.end;
        true
    }

    /// The kind of the pass for the object `name`; `None` if a restricted link's playlist must not
    /// grant it.
    fn kind(&self, role: Role, name: &str) -> Option<PassKind> {
        let depth = self.grant.depth;
        let role = if role == Role::Object && is_playlist_name(name) {
            // The filters checked only URIs of playlists.
            if self.grant.limits != Limits::None {
                return None;
            }
            Role::Playlist
        } else {
            role
        };
        match (role, &self.grant.limits) {
            // One file may contain a whole lecture, which no filter checks. Keys and chapters are
            // not media.
            (Role::Object, Limits::RestrictedLink(_)) if content_type::is_media(name) => None,
            // Images and text from both sides of a preview.
            (Role::Object, Limits::RestrictedLink(entitlements))
                if entitlements.preview.is_some() && content_type::is_telling(name) =>
            {
                None
            }
            (Role::Object, Limits::None | Limits::RestrictedLink(_))
                if is_storyboard_name(name) =>
            {
                Some(PassKind::Storyboard { depth })
            }
            (Role::Object, Limits::Storyboard) if !content_type::is_picture(name) => None,
            (Role::Object, _) => Some(PassKind::Object),
            (Role::Playlist | Role::Asset, Limits::None) => Some(PassKind::Playlist { depth }),
            (Role::Playlist | Role::Asset, Limits::RestrictedLink(entitlements)) => {
                Some(PassKind::Restricted {
                    depth,
                    preview: entitlements.preview,
                })
            }
            (Role::AssetList, Limits::None) => Some(PassKind::AssetList { depth }),
            (_, Limits::DirectoryPass)
            | (Role::AssetList, Limits::RestrictedLink(_))
            | (
                Role::Playlist | Role::Asset | Role::AssetList,
                Limits::Media { .. } | Limits::Storyboard,
            ) => None,
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

    fn copy_to(&mut self, end: usize) {
        let range: Range<usize> = self.copied..end;
        self.out.extend_from_slice(&self.playlist[range]);
        self.copied = end;
    }

    fn finish(mut self) -> Result<Vec<u8>, PlaylistError> {
        if self.variables.expanded > MAX_EXPANSION_BYTES {
            return Err(PlaylistError::TooLarge);
        }
        self.edit_up_to(self.playlist.len());
        self.copy_to(self.playlist.len());
        self.minter.flush(&mut self.out);
        Ok(self.out)
    }
}

/// Returns whether a name is that of a playlist. A playlist in the role of another object is
/// rewritten when it is read, so that no answer contains bare URIs.
#[must_use]
pub fn is_playlist_name(name: &str) -> bool {
    if !may_be_rewritten(name.as_bytes()) {
        return false;
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    extension.eq_ignore_ascii_case("m3u8") || extension.eq_ignore_ascii_case("m3u")
}

/// Returns whether a name may be a playlist's or a storyboard's. Every URI is checked, and the last
/// byte nearly always decides.
fn may_be_rewritten(name: &[u8]) -> bool {
    matches!(name.last(), Some(b'8' | b'u' | b'U' | b't'))
}
