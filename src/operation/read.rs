//! Decides the answer to a `GET` or `HEAD`, from the metadata of the stored object.

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
    rewrite_asset_list, with_base_url, with_end,
};

/// The seconds after which a recorder counts as dead. It replaces its playlist more often, also
/// while it is paused.
const SILENT_SECONDS: u64 = 90;

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

    /// The playlist of a silent recorder with its end, and its metadata: another representation has
    /// another entity-tag. `None` for other objects.
    #[must_use]
    pub fn end(&self, bytes: &[u8], stored: &ObjectMetadata) -> Option<(Vec<u8>, ObjectMetadata)> {
        let ended =
            with_end(bytes).filter(|ended| ended.len() as u64 <= MAX_PLAYLIST_BYTES as u64)?;
        let stored = ObjectMetadata {
            etag: format!("{}-ended", stored.etag),
            size: ended.len() as u64,
            ..stored.clone()
        };
        Some((ended, stored))
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
        let may_send_url_away = (!self.has_pass || self.grant.limits == Limits::DirectoryPass)
            && !self.is_for_admin
            && self.treatment != Treatment::Status;
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
mod tests {
    use super::*;
    use crate::credential::binding::Binding;
    use crate::credential::keyring::Keyring;
    use crate::credential::keyring::testing::ring;
    use crate::credential::pass::verify;
    use crate::http::precondition::EntityTags;
    use crate::playlist::Entitlements;

    fn read<'keys>(keys: &'keys Keyring, key: &str, treatment: Treatment) -> Read<'keys> {
        let key = ObjectKey::new(key).expect("an object key");
        Read {
            grant: Grant {
                signing_key: keys.minting(),
                expires: 1_800_000_000,
                root: key.directory(),
                depth: 1,
                binding: Binding::default(),
                ticket: None,
                limits: Limits::None,
            },
            key,
            is_head: false,
            treatment,
            has_pass: treatment == Treatment::AsStored,
            is_for_admin: false,
            hides_link: false,
            attachment: None,
            name: Naming::Exact,
            conditions: Conditions::default(),
            range: None,
            accepts_gzip: false,
            sub: None,
            viewer: ViewerChecks::default(),
            seconds_left: 60,
            now: 784_111_800,
            steering: None,
        }
    }

    fn stored(content_type: Option<&str>, size: u64) -> ObjectMetadata {
        ObjectMetadata {
            etag: "e".to_owned(),
            size,
            uploaded: 784_111_777_999,
            content_type: content_type.map(str::to_owned),
        }
    }

    fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
        headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_silent_recorders_playlist_gets_an_end_and_another_entity_tag() {
        let keys = ring(&["k"]);
        let media = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.m4s\n";
        let multivariant = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n";
        for (key, treatment, age, bytes, expected) in [
            ("u/p.m3u8", Treatment::Rewrite, 91, &media[..], true),
            ("u/p.m3u8", Treatment::Rewrite, 90, media, false),
            ("u/p.m3u8", Treatment::Rewrite, 0, media, false),
            ("u/v/1/p.m3u8", Treatment::Rewrite, 91, media, false),
            ("u/p.m3u8", Treatment::AsStored, 91, media, false),
            ("u/p.m3u8", Treatment::Steering, 91, media, false),
            ("u/p.m3u8", Treatment::Rewrite, 91, multivariant, false),
        ] {
            let mut read = read(&keys, key, treatment);
            let stored = stored(None, bytes.len() as u64);
            read.now = stored.uploaded / 1000 + age;
            let ended = read
                .may_be_silent(&stored)
                .then(|| read.end(bytes, &stored));
            let ended = ended.flatten();
            assert_eq!(ended.is_some(), expected, "{key} {age}");
            if let Some((bytes, ended)) = ended {
                assert!(bytes.ends_with(b"#EXT-X-ENDLIST\n"), "{key}");
                assert_eq!(ended.size, bytes.len() as u64);
                assert_ne!(ended.etag, stored.etag);
            }
        }
    }

    #[test]
    fn an_upload_is_never_answered_as_a_page_or_a_script() {
        let keys = ring(&["k"]);
        for (key, content_type, expected) in [
            ("u/a", "text/html", "application/octet-stream"),
            (
                "u/a.html",
                "text/html; charset=utf-8",
                "application/octet-stream",
            ),
            ("u/a.mp4", "text/html", "video/mp4"),
            ("u/a.svg", "image/svg+xml", "application/octet-stream"),
            ("u/a.jpg", "image/svg+xml", "image/jpeg"),
            (
                "u/a.xhtml",
                "application/xhtml+xml",
                "application/octet-stream",
            ),
            ("u/a.xml", "text/xml", "application/octet-stream"),
            ("u/a.js", "text/javascript", "application/octet-stream"),
            ("u/a.wasm", "application/wasm", "application/octet-stream"),
            ("u/a.pdf", "application/pdf", "application/octet-stream"),
            ("u/a.mp4", "video/mp4, text/html", "video/mp4"),
            ("u/a.mp4", "video/x-test", "video/x-test"),
            ("u/a.bin", "video/mp4", "video/mp4"),
        ] {
            for is_for_admin in [false, true] {
                let mut read = read(&keys, key, Treatment::AsStored);
                read.is_for_admin = is_for_admin;
                let ReadAnswer::Whole(headers) = read.answer(&stored(Some(content_type), 9)) else {
                    panic!("{key} is not whole");
                };
                assert_eq!(header(&headers, "Content-Type"), Some(expected), "{key}");
            }
        }
    }

    #[test]
    fn a_rewritten_object_does_not_keep_the_uploaders_charset() {
        let keys = ring(&["k"]);
        let hls = "application/vnd.apple.mpegurl";
        for (key, treatment, limits, expected) in [
            ("c/p.m3u8", Treatment::Rewrite, Limits::None, hls),
            ("c/p.bin", Treatment::ByContentType, Limits::None, hls),
            (
                "c/storyboard.vtt",
                Treatment::Rewrite,
                Limits::Storyboard,
                "text/vtt; charset=utf-8",
            ),
            (
                "c/m.mpd",
                Treatment::Rewrite,
                Limits::DirectoryPass,
                "application/dash+xml",
            ),
            (
                "c/l.json",
                Treatment::AssetList,
                Limits::None,
                "application/json",
            ),
        ] {
            let mut read = read(&keys, key, treatment);
            read.grant.limits = limits;
            let stored = stored(Some("audio/mpegurl; charset=iso-2022-jp"), 9);
            let ReadAnswer::Rewritten(headers) = read.answer(&stored) else {
                panic!("{key} is not rewritten");
            };
            assert_eq!(header(&headers, "Content-Type"), Some(expected), "{key}");
        }
    }

    #[test]
    fn an_immutable_object_is_cached_until_the_credential_expires() {
        let keys = ring(&["k"]);
        for (key, treatment, expected) in [
            (
                "c/v/1/480p/seg.m4s",
                Treatment::AsStored,
                "private, max-age=60, immutable",
            ),
            (
                "c/seg.m4s",
                Treatment::AsStored,
                "private, max-age=60, immutable",
            ),
            (
                "c/v/1/poster.jpg",
                Treatment::ByContentType,
                "private, no-cache",
            ),
            (
                "c/poster.jpg",
                Treatment::ByContentType,
                "private, no-cache",
            ),
            (
                "c/v/poster.jpg",
                Treatment::ByContentType,
                "private, no-cache",
            ),
        ] {
            let ReadAnswer::Whole(headers) = read(&keys, key, treatment).answer(&stored(None, 5))
            else {
                panic!("{key}: not whole");
            };
            assert_eq!(header(&headers, "Cache-Control"), Some(expected), "{key}");
            assert_eq!(header(&headers, "Content-Length"), Some("5"));
            assert_eq!(
                header(&headers, "Last-Modified"),
                Some("Sun, 06 Nov 1994 08:49:37 GMT")
            );
        }
    }

    #[test]
    fn a_playlist_is_rewritten_by_its_pass_its_name_or_its_type() {
        let keys = ring(&["k"]);
        let hls = Some("application/x-mpegURL");
        for (treatment, content_type, expected) in [
            (Treatment::Rewrite, None, true),
            (Treatment::ByContentType, hls, true),
            (Treatment::ByContentType, Some("video/mp4"), false),
            (Treatment::AsStored, hls, false),
        ] {
            let answer = read(&keys, "c/p", treatment).answer(&stored(content_type, 5));
            let found = match answer {
                ReadAnswer::Rewritten(headers) => {
                    assert_eq!(header(&headers, "Cache-Control"), Some("no-store"));
                    true
                }
                _ => false,
            };
            assert_eq!(found, expected, "{treatment:?} {content_type:?}");
        }
        let huge = read(&keys, "c/p", Treatment::Rewrite).answer(&stored(None, (8 << 20) + 1));
        assert_eq!(huge, ReadAnswer::Refuse(Problem::PlaylistTooLarge));
    }

    #[test]
    fn a_playlists_validator_changes_with_its_contents() {
        let keys = ring(&["k"]);
        let playlist = read(&keys, "c/p.m3u8", Treatment::Rewrite);
        let tag = |read: &Read<'_>, etag: &str| {
            let stored = ObjectMetadata {
                etag: etag.to_owned(),
                ..stored(None, 5)
            };
            match read.answer(&stored) {
                ReadAnswer::Rewritten(headers) => {
                    header(&headers, "ETag").expect("a tag").to_owned()
                }
                other => panic!("{other:?}"),
            }
        };
        let first = tag(&playlist, "e");
        let mut tags = std::collections::HashSet::from([first.clone()]);
        assert_eq!(first, tag(&playlist, "e"));
        assert_ne!(first, tag(&playlist, "f"));
        let mut later = read(&keys, "c/p.m3u8", Treatment::Rewrite);
        later.grant.expires += 900;
        assert_ne!(first, tag(&later, "e"));
        later.grant.expires -= 900;
        for address in ["192.0.2.1", "192.0.3.1", "2001:db8::1"] {
            later.grant.binding.network = address
                .parse()
                .ok()
                .map(crate::credential::binding::Network::of);
            assert!(tags.insert(tag(&later, "e")), "{address}");
        }
        later.grant.binding = Binding::default();
        let preview = |preview| Limits::Media { preview };
        let of = |max_height, langs: Option<&str>, preview| {
            let langs = langs.map(|lang| vec![lang.to_owned()]);
            Limits::RestrictedLink(Entitlements {
                max_height,
                langs,
                preview,
            })
        };
        for limits in [
            preview(None),
            preview(Some((0, 60))),
            preview(Some((1, 60))),
            preview(Some((0, 61))),
            Limits::Storyboard,
            of(Some(480), None, None),
            of(Some(720), None, None),
            of(None, Some("en"), None),
            of(None, Some("de"), None),
            of(None, None, Some((0, 60))),
        ] {
            later.grant.limits = limits.clone();
            assert!(tags.insert(tag(&later, "e")), "{limits:?}");
        }
        later.grant.limits = Limits::None;
        later.conditions.if_none_match = EntityTags::parse(&first);
        assert!(matches!(
            later.answer(&stored(None, 5)),
            ReadAnswer::NotModified(_)
        ));
    }

    #[test]
    fn a_range_is_a_part_or_a_refusal_that_says_how_long_the_object_is() {
        let keys = ring(&["k"]);
        let with = |range: &str, size: u64| {
            let mut read = read(&keys, "c/s.mp4", Treatment::AsStored);
            read.range = ByteRange::parse(range);
            read.answer(&stored(None, size))
        };
        let ReadAnswer::Part(range, headers) = with("bytes=-4", 10) else {
            panic!("not a part");
        };
        assert_eq!(range.size(), 4);
        assert_eq!(header(&headers, "Content-Range"), Some("bytes 6-9/10"));
        assert_eq!(header(&headers, "Content-Length"), Some("4"));
        assert_eq!(
            with("bytes=10-", 10),
            ReadAnswer::Refuse(Problem::RangeNotSatisfiable { length: 10 })
        );
        assert!(matches!(with("bytes=1-2,4-5", 10), ReadAnswer::Whole(_)));
        assert!(matches!(with("bytes=-1", 0), ReadAnswer::Whole(_)));
        for range in ["bytes=-0", "bytes=0-"] {
            let refused = ReadAnswer::Refuse(Problem::RangeNotSatisfiable { length: 0 });
            assert_eq!(with(range, 0), refused, "{range}");
        }
    }

    #[test]
    fn a_link_to_what_may_be_a_manifest_is_hidden_from_scripts() {
        let keys = ring(&["k"]);
        let (mp4, hls) = (Some("video/mp4"), Some("application/x-mpegURL"));
        for (key, treatment, content_type, hides_link, expected) in [
            ("c/x.mp4", Treatment::AsStored, mp4, true, "307"),
            ("c/x.mp4", Treatment::AsStored, mp4, false, "200"),
            ("c/x.mp4", Treatment::AsStored, hls, true, "403"),
            ("c/x.mp4", Treatment::AsStored, hls, false, "403"),
            ("c/x", Treatment::ByContentType, mp4, true, "307"),
            ("c/x", Treatment::ByContentType, None, true, "307"),
            ("c/x", Treatment::ByContentType, mp4, false, "200"),
            ("c/x", Treatment::ByContentType, hls, true, "rewritten"),
            ("c/x.m3u8", Treatment::Rewrite, mp4, false, "rewritten"),
        ] {
            let mut read = read(&keys, key, treatment);
            (read.has_pass, read.hides_link) = (false, hides_link);
            let found = match read.answer(&stored(content_type, 5)) {
                ReadAnswer::Redirect(location) => {
                    let (location, _) = location.split_once("&v=").expect("a version");
                    let pass = location
                        .strip_prefix(&format!("/{key}?p="))
                        .expect("a pass");
                    assert!(
                        verify(pass, &read.key, Binding::default(), &keys, 0)
                            .is_ok_and(|pass| pass.kind == PassKind::Object),
                        "{key}: {location}"
                    );
                    "307"
                }
                ReadAnswer::Refuse(Problem::UnsafePlaylist) => "403",
                ReadAnswer::Whole(_) => "200",
                ReadAnswer::Rewritten(_) => "rewritten",
                answer => panic!("{key}: {answer:?}"),
            };
            assert_eq!(found, expected, "{key} {content_type:?} {hides_link}");
        }
        // An administrator gets the stored bytes, and a pass opens an object that the edge listed.
        let mut as_stored = read(&keys, "c/x.mp4", Treatment::AsStored);
        assert!(matches!(
            as_stored.answer(&stored(hls, 5)),
            ReadAnswer::Whole(_)
        ));
        (as_stored.has_pass, as_stored.is_for_admin) = (false, true);
        assert!(matches!(
            as_stored.answer(&stored(hls, 5)),
            ReadAnswer::Whole(_)
        ));
    }

    #[test]
    fn a_restricted_link_opens_playlists_alone() {
        let keys = ring(&["k"]);
        let mut restricted = read(&keys, "c/v/1/lecture.mp4", Treatment::ByContentType);
        restricted.grant.limits = Limits::RestrictedLink(Entitlements::default());
        let mp4 = stored(Some("video/mp4"), 5);
        assert_eq!(
            restricted.answer(&mp4),
            ReadAnswer::Refuse(Problem::Forbidden)
        );
        let hls = stored(Some("audio/mpegurl"), 5);
        assert!(matches!(restricted.answer(&hls), ReadAnswer::Rewritten(_)));
        assert!(!restricted.is_refused_by_name());
        restricted.treatment = Treatment::AsStored;
        assert!(restricted.is_refused_by_name());
        assert_eq!(
            restricted.answer(&hls),
            ReadAnswer::Refuse(Problem::Forbidden)
        );
    }

    #[test]
    fn a_download_is_saved_under_its_name() {
        let keys = ring(&["k"]);
        let mut download = read(&keys, "c/l'été 1.mp4", Treatment::ByContentType);
        download.attachment = Some("l'été 1.mp4".to_owned());
        let ReadAnswer::Whole(headers) = download.answer(&stored(None, 5)) else {
            panic!("not whole");
        };
        assert_eq!(
            header(&headers, "Content-Disposition"),
            Some("attachment; filename*=UTF-8''l%27%C3%A9t%C3%A9%201.mp4")
        );
    }

    #[test]
    fn a_resolved_stable_name_has_no_date_and_its_redirect_the_file_name() {
        let keys = ring(&["k"]);
        let mut poster = read(&keys, "c/v/1/poster.jpg", Treatment::AsStored);
        poster.has_pass = false;
        poster.conditions.if_modified_since = Some(1_800_000_000);
        let found = poster.answer(&stored(None, 5));
        assert!(matches!(found, ReadAnswer::NotModified(_)));
        poster.name = Naming::Resolved;
        let ReadAnswer::Whole(headers) = poster.answer(&stored(None, 5)) else {
            panic!("not whole");
        };
        assert_eq!(header(&headers, "Last-Modified"), None);
        assert_eq!(header(&headers, "ETag"), Some("\"e\""));
        poster.hides_link = true;
        for (name, expected) in [
            (None, "&v=ZQ"),
            (
                Some("Tag 1, é&x=y.jpg"),
                "&v=ZQ&download=Tag%201%2C%20%C3%A9%26x%3Dy.jpg",
            ),
        ] {
            poster.attachment = name.map(str::to_owned);
            let ReadAnswer::Redirect(location) = poster.answer(&stored(None, 5)) else {
                panic!("no redirect");
            };
            assert!(location.starts_with("/c/v/1/poster.jpg?p="), "{location}");
            assert!(location.ends_with(expected), "{location}");
        }
    }

    #[test]
    fn text_is_gzipped_for_clients_that_accept_it_and_media_never_is() {
        let keys = ring(&["k"]);
        for (key, treatment, gzip, range, expected) in [
            ("c/p.m3u8", Treatment::Rewrite, true, None, true),
            (
                "c/p.m3u8",
                Treatment::Rewrite,
                true,
                Some("bytes=0-1"),
                true,
            ),
            ("c/p.m3u8", Treatment::Rewrite, false, None, false),
            ("c/v/1/s.vtt", Treatment::AsStored, true, None, true),
            ("c/v/1/storyboard.vtt", Treatment::Rewrite, true, None, true),
            (
                "c/v/1/s.vtt",
                Treatment::AsStored,
                true,
                Some("bytes=0-1"),
                false,
            ),
            ("c/v/1/s.mpd", Treatment::AsStored, true, None, true),
            ("c/v/1/s.m4s", Treatment::AsStored, true, None, false),
            ("c/v/1/s.jpg", Treatment::ByContentType, true, None, false),
        ] {
            let mut read = read(&keys, key, treatment);
            read.accepts_gzip = gzip;
            read.range = range.and_then(ByteRange::parse);
            let (ReadAnswer::Whole(headers)
            | ReadAnswer::Part(_, headers)
            | ReadAnswer::Rewritten(headers)) = read.answer(&stored(None, 5))
            else {
                panic!("{key}: refused");
            };
            let case = format!("{key} {gzip} {range:?}");
            let encoding = header(&headers, "Content-Encoding");
            assert_eq!(encoding == Some("gzip"), expected, "{case}");
            let etag = header(&headers, "ETag").expect("a tag");
            assert_eq!(etag.ends_with("-gzip\""), expected, "{case}");
            if expected {
                assert_eq!(header(&headers, "Content-Length"), None, "{case}");
                assert_eq!(header(&headers, "Vary"), Some("Accept-Encoding"), "{case}");
            }
            read.conditions.if_none_match = EntityTags::parse(etag);
            let again = read.answer(&stored(None, 5));
            assert!(matches!(again, ReadAnswer::NotModified(_)), "{case}");
        }
    }
}
