//! The rewriter: gives every URI of a playlist that names an object of ours a pass of its own.

use std::borrow::Cow;
use std::ops::Range;

use super::resolve::{Base, Target, resolve};
use super::scan::{Item, Role, UriSpan, scan};
use crate::keyring::Key;
use crate::object_key::Directory;
use crate::pass::{Kind, Minter, playlist_below};

/// The largest playlist that is rewritten: ten hours of two-second segments take about a quarter of it.
pub const MAX_PLAYLIST_BYTES: usize = 8 * 1024 * 1024;

/// The query parameter that carries a pass.
const PASS_PARAMETER: &str = "p";
/// `?p=` and the longest pass.
const PASS_ROOM: usize = 3 + 31;

/// What an opened credential lets a playlist hand on.
#[derive(Debug, Clone)]
pub struct Grant<'key> {
    pub key: &'key Key,
    /// The last second of every pass.
    pub expires: u64,
    /// What is listed must lie below this directory.
    pub root: Directory,
}

/// Why a playlist is not rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlaylistError {
    #[error("the playlist has more than {MAX_PLAYLIST_BYTES} bytes")]
    TooLarge,
    #[error("a line of the playlist has more than 65536 bytes")]
    LineTooLong,
}

/// Rewrites `playlist`, fetched from `base`, under `grant`. All bytes but the passes are those of the input.
///
/// # Errors
/// When the playlist or one of its lines is larger than any honest one.
pub fn rewrite(
    playlist: &[u8],
    base: &Base<'_>,
    grant: &Grant<'_>,
) -> Result<Vec<u8>, PlaylistError> {
    if playlist.len() > MAX_PLAYLIST_BYTES {
        return Err(PlaylistError::TooLarge);
    }
    let mut count = 0;
    let mut long_line = false;
    scan(playlist, |item| match item {
        Item::Uri(_) => count += 1,
        Item::LongLine => long_line = true,
        Item::Define { .. } => {}
    });
    if long_line {
        return Err(PlaylistError::LineTooLong);
    }
    let mut rewriter = Rewriter {
        playlist,
        base,
        grant,
        minter: Minter::new(grant.key, grant.expires),
        variables: Vec::new(),
        out: Vec::with_capacity(playlist.len() + count * PASS_ROOM),
        copied: 0,
    };
    scan(playlist, |item| match item {
        Item::Uri(span) => rewriter.uri(&span),
        Item::Define { name, value } => rewriter.variables.push((name, value)),
        Item::LongLine => {}
    });
    Ok(rewriter.finish())
}

struct Rewriter<'a> {
    playlist: &'a [u8],
    base: &'a Base<'a>,
    grant: &'a Grant<'a>,
    minter: Minter<'a>,
    /// `EXT-X-DEFINE`s so far, names and values.
    variables: Vec<(&'a [u8], &'a [u8])>,
    out: Vec<u8>,
    /// How much of the input has been copied.
    copied: usize,
}

impl<'a> Rewriter<'a> {
    fn uri(&mut self, span: &UriSpan) {
        let Ok(written) = str::from_utf8(&self.playlist[span.at.clone()]) else {
            return;
        };
        let Some(uri) = self.substitute(written) else {
            return;
        };
        let path = Parts::of(&uri).path;
        let Some(target) = resolve(self.base, &self.grant.root, path) else {
            return;
        };
        // Variables hold no `?` or `#`, so what stands there splits where its value does, and can be kept.
        let parts = Parts::of(written);
        self.copy_to(span.at.start + parts.path.len());
        self.query_with_pass(&parts, &target, span.role);
        self.copied = span.at.start + parts.path_and_query;
    }

    /// Writes the query of `parts` without a pass that is in it already, and with the one for `target`.
    fn query_with_pass(&mut self, parts: &Parts<'_>, target: &Target<'_>, role: Role) {
        let mut separator = b'?';
        for parameter in parts.query.into_iter().flat_map(|query| query.split('&')) {
            if parameter
                .split_once('=')
                .map_or(parameter, |(name, _)| name)
                == PASS_PARAMETER
            {
                continue;
            }
            self.out.push(separator);
            self.out.extend_from_slice(parameter.as_bytes());
            separator = b'&';
        }
        self.out.push(separator);
        self.out.extend_from_slice(PASS_PARAMETER.as_bytes());
        self.out.push(b'=');
        let (directory, name) = match target {
            Target::Sibling(name) => (self.base.key.split().0, *name),
            Target::Elsewhere(key) => key.split(),
        };
        let kind = match role {
            Role::Playlist => playlist_below(&self.grant.root),
            Role::Object if is_playlist_name(name) => playlist_below(&self.grant.root),
            Role::Object => Kind::Object,
        };
        self.minter.mint(kind, directory, name, &mut self.out);
    }

    /// Replaces `{$name}` by what this playlist defined before (RFC 8216bis §4.3). `None` where a name is not defined
    /// here, or its value would start a query or fragment in the middle of the text: the line is left alone.
    fn substitute<'uri>(&self, uri: &'uri str) -> Option<Cow<'uri, str>> {
        if !uri.contains("{$") {
            return Some(Cow::Borrowed(uri));
        }
        let mut value = String::new();
        let mut rest = uri;
        while let Some((before, after)) = rest.split_once("{$") {
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
        self.copy_to(self.playlist.len());
        self.out
    }
}

/// A playlist that stands where another object is expected is still rewritten when it is fetched, so that none is
/// ever handed out with bare URIs.
#[must_use]
pub fn is_playlist_name(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    extension.eq_ignore_ascii_case("m3u8") || extension.eq_ignore_ascii_case("m3u")
}

/// A URI's path (scheme and authority included) and query.
struct Parts<'uri> {
    path: &'uri str,
    query: Option<&'uri str>,
    /// Bytes before the fragment.
    path_and_query: usize,
}

impl<'uri> Parts<'uri> {
    fn of(uri: &'uri str) -> Self {
        let path_and_query = uri.find('#').unwrap_or(uri.len());
        let before_fragment = &uri[..path_and_query];
        let (path, query) = match before_fragment.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (before_fragment, None),
        };
        Self {
            path,
            query,
            path_and_query,
        }
    }
}
