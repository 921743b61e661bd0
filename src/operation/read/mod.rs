//! Decides the answer to a `GET` or `HEAD`, from the metadata of the stored object.

mod silent;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::credential::pass::PassKind;
use crate::credential::steering_token::SteeringOffer;
use crate::credential::ticket::seal_session;
use crate::http::date::format_date;
use crate::http::disposition::{percent_encode, save_as};
use crate::http::precondition::{Conditions, EntityTag, Validators, Verdict};
use crate::http::problem::Problem;
use crate::http::range::{ByteRange, ContentRange};
use crate::ledger::ViewerChecks;
use crate::object::content_type;
use crate::object::key::ObjectKey;
use crate::object::stored::ObjectMetadata;
use crate::operation::status::MAX_STATUS_BYTES;
use crate::playlist::steering::{STEERING_TYPE, SteeringTime, announce, steering_manifest};
use crate::playlist::{
    Base, Grant, Limits, MAX_PLAYLIST_BYTES, PlaylistError, Rewritten, check_manifest, rewrite,
    rewrite_asset_list, with_base_url,
};

/// The headers of an answer.
pub type Headers = Vec<(&'static str, String)>;

/// An authorised `GET` or `HEAD`.
#[derive(Debug)]
pub struct Read<'config> {
    pub key: ObjectKey,
    pub is_head: bool,
    pub treatment: Treatment,
    /// The credential is a pass, not a link. Browsers keep the answer until the pass expires.
    pub has_pass: bool,
    /// An administrator reads with `as=stored`, to replace the object. The answer has the stored
    /// bytes and their entity-tag, and no cache keeps it. A playlist is not refused.
    pub is_for_admin: bool,
    /// A script could play the answer as a manifest, and a manifest can send its own URL, with the
    /// link, to another host. So the edge redirects to a URL with a pass for this object alone.
    pub hides_link: bool,
    /// The file name under which the browser should save the object.
    pub attachment: Option<String>,
    pub name: Naming,
    pub conditions: Conditions,
    pub range: Option<ByteRange>,
    /// The client accepts gzip.
    pub accepts_gzip: bool,
    /// The viewer in the link's `sub`.
    pub sub: Option<String>,
    /// The questions about the viewer that come first.
    pub viewer: ViewerChecks,
    /// Seconds until the credential expires.
    pub seconds_left: u64,
    /// The second of the request.
    pub now: u64,
    /// The renewals of a strict link's player.
    pub steering: Option<Steering>,
    /// The authority that a playlist passes on to its entries.
    pub grant: Grant<'config>,
}

/// Content Steering for the player of a strict link.
#[derive(Debug, PartialEq, Eq)]
pub enum Steering {
    /// The link opens a playlist, which names its steering manifest and a token.
    Announced(SteeringOffer),
    /// The steering manifest of a playlist of this revision, if the player opened one.
    Manifest(Option<String>, SteeringTime),
}

/// The relation of a key to the revision that plays now: see [`crate::operation::stable_name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The key names its object.
    Exact,
    /// The key is a stable name. With `redirects`, the answer is a URL of one version of the
    /// object, so that all ranges of a playback are of one file.
    Stable { redirects: bool },
    /// The key replaced a stable name. A rollback may have put an older object in place of a newer
    /// one, so dates do not validate it.
    Resolved,
}

/// The treatment of an object before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    AsStored,
    /// Rewritten as a playlist or a storyboard, as the grant's limits say. A DASH manifest below a
    /// directory's pass is checked, and sent unchanged.
    Rewrite,
    /// A DASH manifest that a link opens. It is checked, and its base URL gets a directory's pass.
    Manifest,
    /// The JSON body of an `X-ASSET-LIST`.
    AssetList,
    /// The steering manifest of a Multivariant Playlist.
    Steering,
    /// A status of packaging, as JSON. An upload link opens it.
    Status,
    /// [`Treatment::Rewrite`] if the stored content type is that of a playlist, or below a
    /// directory's pass that of a DASH manifest. Otherwise [`Treatment::AsStored`].
    ByContentType,
}

/// The answer to a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadAnswer {
    /// 200 with the stored bytes.
    Whole(Headers),
    /// 206 with this range of the stored bytes.
    Part(ContentRange, Headers),
    /// 200 with the result of [`Read::rewrite`]. These headers have no `Content-Length`: the caller
    /// adds the length of the result, unless the body is gzipped.
    Rewritten(Headers),
    /// 304.
    NotModified(Headers),
    /// 307 to this path, which has the object's own pass.
    Redirect(String),
    Refuse(Problem),
}

impl Read<'_> {
    /// The range to read from storage. `None` means the whole object: the request has no range, or
    /// the object may be a playlist, which is rewritten whole.
    #[must_use]
    pub fn storage_range(&self) -> Option<ByteRange> {
        self.range.filter(|_| self.treatment == Treatment::AsStored)
    }

    /// Returns whether the object is rewritten.
    #[must_use]
    pub fn is_rewritten(&self, stored: &ObjectMetadata) -> bool {
        match self.treatment {
            Treatment::AsStored | Treatment::Status => false,
            Treatment::Rewrite
            | Treatment::Manifest
            | Treatment::AssetList
            | Treatment::Steering => true,
            Treatment::ByContentType => {
                stored.content_type.as_deref().is_some_and(|content_type| {
                    content_type::is_hls_playlist(content_type)
                        || (self.grant.limits == Limits::DirectoryPass
                            && content_type::is_dash_manifest(content_type))
                })
            }
        }
    }

    /// Returns whether caches may keep the answer. An administrator and an uploader ask for what is
    /// stored now.
    #[must_use]
    pub fn may_be_cached(&self) -> bool {
        !self.is_for_admin && self.treatment != Treatment::Status
    }

    /// Returns whether the request is refused, whatever is stored. A restricted link opens playlists
    /// only, and this name is not a playlist's. The passes in a playlist open its entries.
    #[must_use]
    pub fn is_refused_by_name(&self) -> bool {
        let is_restricted = matches!(self.grant.limits, Limits::RestrictedLink(_));
        self.treatment == Treatment::AsStored && is_restricted
    }

    /// Rewrites the stored bytes for [`ReadAnswer::Rewritten`].
    ///
    /// # Errors
    /// When the credential does not open this kind of playlist, or it cannot be rewritten.
    pub fn rewrite(&self, bytes: &[u8], origin: &str) -> Result<Rewritten, PlaylistError> {
        let base = Base {
            origin,
            key: &self.key,
        };
        let is_playlist = bytes.starts_with(b"#EXTM3U");
        let bytes = match self.treatment {
            Treatment::AssetList => rewrite_asset_list(bytes, &base, &self.grant),
            Treatment::Manifest if !is_playlist => {
                check_manifest(bytes)?;
                let mut folder = origin.to_owned();
                folder.push_str(&self.path_below_pass());
                folder.truncate(folder.rfind('/').map_or(0, |slash| slash + 1));
                with_base_url(bytes, &folder).ok_or(PlaylistError::AmbiguousManifest)?
            }
            // A directory's pass opens HLS playlists and DASH manifests. Text that does not start
            // with `#EXTM3U` must be a manifest, which is sent unchanged.
            _ if self.grant.limits == Limits::DirectoryPass && !is_playlist => {
                check_manifest(bytes)?;
                bytes.to_vec()
            }
            _ => {
                let rewritten = rewrite(bytes, &base, &self.grant)?;
                return match &self.steering {
                    None => Ok(rewritten),
                    Some(steering) => self.steer(rewritten, &base, steering),
                };
            }
        };
        Ok(Rewritten {
            bytes,
            unsigned: 0,
            removed_steering: false,
        })
    }

    /// Announces Content Steering in a rewritten playlist, or makes its steering manifest.
    fn steer(
        &self,
        rewritten: Rewritten,
        base: &Base<'_>,
        steering: &Steering,
    ) -> Result<Rewritten, PlaylistError> {
        let bytes = match steering {
            Steering::Announced(offer) => {
                let session = self.session();
                announce(
                    rewritten.bytes,
                    base,
                    &self.grant,
                    offer,
                    session.as_deref(),
                )
            }
            Steering::Manifest(revision, time) => steering_manifest(
                &rewritten.bytes,
                base,
                &self.grant,
                revision.as_deref(),
                *time,
            )?,
        };
        Ok(Rewritten { bytes, ..rewritten })
    }

    /// Decides the answer for the stored metadata.
    #[must_use]
    pub fn answer(&self, stored: &ObjectMetadata) -> ReadAnswer {
        let is_rewritten = self.is_rewritten(stored);
        if self.treatment == Treatment::Status && stored.size > MAX_STATUS_BYTES {
            return ReadAnswer::Refuse(Problem::NotFound);
        }
        if is_rewritten && stored.size > MAX_PLAYLIST_BYTES as u64 {
            return ReadAnswer::Refuse(Problem::PlaylistTooLarge);
        }
        // A restricted link opens playlists, and the passes in them open their entries.
        if !is_rewritten && matches!(self.grant.limits, Limits::RestrictedLink(_)) {
            return ReadAnswer::Refuse(Problem::Forbidden);
        }
        let may_send_url_away =
            (!self.has_pass || self.grant.limits == Limits::DirectoryPass) && !self.is_for_admin;
        if !is_rewritten && may_send_url_away {
            // Some players go by the content type, not the name. They would play a manifest that
            // the edge did not check, and its URL contains the link or a directory's pass.
            if stored.content_type.as_deref().is_some_and(is_manifest_type) {
                return ReadAnswer::Refuse(Problem::UnsafePlaylist);
            }
            if self.hides_link {
                return ReadAnswer::Redirect(self.path_with_pass(stored));
            }
        }
        let content_type = if is_rewritten {
            self.rewritten_content_type().to_owned()
        } else if self.treatment == Treatment::Status {
            "application/json".to_owned()
        } else {
            // A creator's upload never becomes a page or a script, whatever its type says.
            let stored = stored.content_type.as_ref();
            let inert = stored.filter(|content_type| content_type::is_inert(content_type));
            inert.map_or_else(
                || content_type::for_key(self.key.as_str()).to_owned(),
                Clone::clone,
            )
        };
        // An administrator replaces the object with `If-Match`, and gzip would change the tag.
        let may_gzip = !self.is_for_admin && (is_rewritten || content_type::is_text(&content_type));
        // Ranges apply to the stored bytes.
        let gzip = may_gzip && self.accepts_gzip && (is_rewritten || self.range.is_none());
        let mut opaque = if is_rewritten {
            self.rewritten_etag(stored)
        } else {
            stored.etag.clone()
        };
        if gzip {
            // RFC 9110 §8.8.3.3: another encoding is another representation.
            opaque.push_str("-gzip");
        }
        let validators = Validators {
            etag: EntityTag::strong(&opaque),
            last_modified: (self.name != Naming::Resolved).then_some(stored.uploaded / 1000),
        };
        let mut headers: Headers = vec![
            ("ETag", validators.etag.header()),
            ("Cache-Control", self.cache_control(is_rewritten)),
        ];
        if let Some(modified) = validators.last_modified {
            headers.push(("Last-Modified", format_date(modified)));
        }
        if may_gzip {
            headers.push(("Vary", "Accept-Encoding".to_owned()));
        }
        let may_send_part = match self.conditions.evaluate(&validators) {
            Verdict::Failed => return ReadAnswer::Refuse(Problem::PreconditionFailed),
            Verdict::NotModified => return ReadAnswer::NotModified(headers),
            Verdict::Proceed { allows_range } => allows_range,
        };
        headers.push(("Content-Type", content_type));
        if gzip {
            // The platform compresses the body.
            headers.push(("Content-Encoding", "gzip".to_owned()));
        }
        if is_rewritten {
            return ReadAnswer::Rewritten(headers);
        }
        if let Some(name) = &self.attachment {
            headers.push(("Content-Disposition", save_as(name)));
        }
        headers.push(("Accept-Ranges", "bytes".to_owned()));
        // RFC 9110 §14.1.2: a suffix range of an empty object is satisfiable, but a 206 cannot be
        // empty. The answer is a 200 with the whole object.
        let is_empty_suffix =
            stored.size == 0 && matches!(self.range, Some(ByteRange::Suffix { length: 1.. }));
        let Some(range) = self.range.filter(|_| may_send_part && !is_empty_suffix) else {
            if !gzip {
                headers.push(("Content-Length", stored.size.to_string()));
            }
            return ReadAnswer::Whole(headers);
        };
        match range.resolve(stored.size) {
            Ok(range) => {
                headers.push(("Content-Length", range.size().to_string()));
                headers.push(("Content-Range", range.header()));
                ReadAnswer::Part(range, headers)
            }
            Err(error) => ReadAnswer::Refuse(Problem::RangeNotSatisfiable {
                length: error.length,
            }),
        }
    }

    /// The id of the session that this request begins or goes on with. A player that renews its
    /// passes names it, so that it does not take a second place.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        let ticket = self.grant.ticket.filter(|_| !self.has_pass)?;
        let session = &ticket.place?.session;
        let viewer = &ticket.viewer?;
        Some(seal_session(self.grant.signing_key, viewer, session))
    }

    /// The object's path below a pass for its directory, which relative URLs inherit.
    #[must_use]
    pub fn path_below_pass(&self) -> String {
        path_below_pass(&self.key, &self.grant)
    }

    /// The object's path with a pass for this object alone. `v` makes a new URL of a new version,
    /// because browsers keep what a pass opens. `download` carries the file name.
    fn path_with_pass(&self, stored: &ObjectMetadata) -> String {
        let (directory, name) = self.key.split();
        let mut pass = vec![];
        let mut minter = self.grant.minter();
        minter.mint(PassKind::Object, directory, name, &mut pass);
        let download = match &self.attachment {
            Some(name) => format!("&download={}", percent_encode(name)),
            None => String::new(),
        };
        format!(
            "{}?p={}&v={}{download}",
            self.key.to_url_path(),
            String::from_utf8_lossy(&pass),
            URL_SAFE_NO_PAD.encode(&stored.etag)
        )
    }

    /// The entity-tag of a rewritten object. It is strong, because the stored bytes and the grant
    /// determine the result at one URL. The URL fixes the origin and the object's key, and `root`
    /// fixes `depth`.
    fn rewritten_etag(&self, stored: &ObjectMetadata) -> String {
        let Grant {
            signing_key,
            expires,
            root,
            depth: _,
            binding,
            ticket,
            limits,
        } = &self.grant;
        // A token names the second of opening, and a manifest that of the request.
        let steered = match &self.steering {
            None => 0,
            Some(Steering::Announced(offer)) => offer.ends(),
            Some(Steering::Manifest(_, time)) => time.now,
        };
        let digest = Sha256::new()
            .chain_update(signing_key.kid())
            .chain_update([0])
            .chain_update(expires.to_be_bytes())
            .chain_update(root.as_str())
            .chain_update([0])
            .chain_update(binding.bytes())
            .chain_update([0])
            .chain_update(ticket.unwrap_or_default().to_bytes())
            .chain_update(limits.bytes())
            .chain_update(steered.to_be_bytes())
            .finalize();
        format!("{}-{}", stored.etag, URL_SAFE_NO_PAD.encode(&digest[..12]))
    }

    /// The content type of a rewritten object. It never comes from storage, because an uploader's
    /// `charset` would change the characters that a browser reads.
    fn rewritten_content_type(&self) -> &'static str {
        match (self.treatment, &self.grant.limits) {
            (Treatment::AssetList, _) => "application/json",
            (Treatment::Steering, _) => STEERING_TYPE,
            (_, Limits::Storyboard) => "text/vtt; charset=utf-8",
            _ if self.key.has_extension("mpd") => "application/dash+xml",
            _ => content_type::HLS_PLAYLIST,
        }
    }

    fn cache_control(&self, is_rewritten: bool) -> String {
        if is_rewritten {
            return "no-store".to_owned();
        }
        if !self.may_be_cached() {
            return "no-store".to_owned();
        }
        if self.has_pass {
            return format!("private, max-age={}, immutable", self.seconds_left);
        }
        // A browser asks again, because the edge answers scripts and elements differently.
        "private, no-cache".to_owned()
    }
}

/// The path of an object below a pass for its directory, which is the grant's root.
pub(crate) fn path_below_pass(key: &ObjectKey, grant: &Grant<'_>) -> String {
    let mut path = b"/~".to_vec();
    grant.minter().mint(
        PassKind::Directory { depth: grant.depth },
        grant.root.as_str(),
        "",
        &mut path,
    );
    // A pass is base64url, so this is UTF-8.
    let mut path = String::from_utf8(path).unwrap_or_default();
    path.push_str(&key.to_url_path());
    path
}

/// Returns whether a content type is that of an HLS playlist or a DASH manifest.
fn is_manifest_type(content_type: &str) -> bool {
    content_type::is_hls_playlist(content_type) || content_type::is_dash_manifest(content_type)
}

#[cfg(test)]
mod tests;
