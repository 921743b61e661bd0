//! Content Steering (RFC 8216bis §7) for players that are not ours: a strict link's passes end soon,
//! and the steering manifest clones the pathway with new ones.
//!
//! Clones name Variant Streams and Renditions by their stable ids. A playlist whose entries players
//! may read or name differently is not steered.

use std::collections::BTreeMap;

use hls_lexer::attributes::read_strictly;
use hls_lexer::scan::lines;
use serde::Serialize;

use super::filter::{Form, form, tag};
use super::resolve::{Base, absolute_url, resolve};
use super::rewrite::{Grant, PlaylistError};
use super::uri::{UriParts, is_unambiguous};
use crate::credential::claims::STRICT_SECONDS;
use crate::credential::steering_token::SteeringOffer;
use crate::json::written;
use crate::object::key::{ObjectKey, is_revision};
use crate::text::split_once;

/// The path of steering manifests. The path of the opened playlist follows.
pub const STEERING: &str = "/_lectern/steering";
/// The media type of a steering manifest.
pub const STEERING_TYPE: &str = "application/vnd.apple.steering-list";
/// The delay until a player asks again, in seconds: two fifths of a pass's life, so that one failed
/// request costs nothing.
const TTL_SECONDS: u64 = STRICT_SECONDS * 2 / 5;
/// The time after opening in which the passes of the playlist itself are new enough.
const FRESH_SECONDS: u64 = TTL_SECONDS / 2;
/// The pathway of entries that name none.
const BASE_PATHWAY: &str = ".";
/// The largest playlist that is steered. The packager's have 5 kB.
const MAX_STEERED_BYTES: usize = 256 * 1024;
/// The most entries of a steered playlist.
const MAX_ENTRIES: usize = 500;
/// The longest stable id.
const MAX_ID_BYTES: usize = 256;

/// The time of a player, from its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SteeringTime {
    /// The second at which it opened the playlist.
    pub opened: u64,
    /// The last second at which it may play.
    pub ends: u64,
    /// The second of its request.
    pub now: u64,
}

/// The entries of a rewritten Multivariant Playlist, each stable id once.
#[derive(Debug, Default)]
struct SteeredEntries<'playlist> {
    variants: EntriesById<'playlist>,
    renditions: EntriesById<'playlist>,
}

#[derive(Debug, Default)]
struct EntriesById<'playlist> {
    entries: Vec<SteeredEntry<'playlist>>,
    /// The positions of the entries, by id.
    positions: BTreeMap<&'playlist [u8], usize>,
}

#[derive(Debug)]
struct SteeredEntry<'playlist> {
    id: &'playlist str,
    /// The object, and its absolute URL with a pass. `None` if the entry has no pass.
    target: Option<(ObjectKey, String)>,
}

/// A steering manifest (RFC 8216bis §7.2).
#[derive(Serialize)]
struct SteeringManifest<'answer> {
    #[serde(rename = "VERSION")]
    version: u8,
    #[serde(rename = "TTL")]
    ttl: u64,
    #[serde(rename = "PATHWAY-PRIORITY")]
    priority: [&'answer str; 1],
    #[serde(rename = "PATHWAY-CLONES", skip_serializing_if = "Option::is_none")]
    clones: Option<[PathwayClone<'answer>; 1]>,
}

#[derive(Serialize)]
struct PathwayClone<'answer> {
    #[serde(rename = "BASE-ID")]
    base: &'answer str,
    #[serde(rename = "ID")]
    id: &'answer str,
    #[serde(rename = "URI-REPLACEMENT")]
    replacement: UriReplacement<'answer>,
}

#[derive(Serialize)]
struct UriReplacement<'answer> {
    #[serde(rename = "PER-VARIANT-URIS")]
    variants: &'answer EntriesById<'answer>,
    #[serde(rename = "PER-RENDITION-URIS")]
    renditions: &'answer EntriesById<'answer>,
}

/// Adds `EXT-X-CONTENT-STEERING` to a rewritten playlist. A playlist that cannot be steered stays
/// as it is, and its player stops with its passes.
#[must_use]
pub fn announce(
    rewritten: Vec<u8>,
    base: &Base<'_>,
    grant: &Grant<'_>,
    offer: &SteeringOffer,
    session: Option<&str>,
) -> Vec<u8> {
    let Some(entries) = SteeredEntries::of(&rewritten, base, grant) else {
        return rewritten;
    };
    let revision = entries.revision(base.key.split().0);
    let Some(token) = offer.mint(base.key, revision, grant.signing_key) else {
        return rewritten;
    };
    let session = session.map_or_else(String::new, |session| format!("&session={session}"));
    let line = format!(
        "#EXT-X-CONTENT-STEERING:SERVER-URI=\"{STEERING}{}?token={token}{session}\",PATHWAY-ID=\"{BASE_PATHWAY}\"\n",
        base.key.to_url_path(),
    );
    let first = rewritten.iter().position(|&byte| byte == b'\n');
    let at = first.map_or(0, |newline| newline + 1);
    let mut steered = Vec::with_capacity(rewritten.len() + line.len());
    steered.extend_from_slice(&rewritten[..at]);
    steered.extend_from_slice(line.as_bytes());
    steered.extend_from_slice(&rewritten[at..]);
    steered
}

/// Writes the steering manifest that renews the passes of a rewritten playlist. Every entry must
/// belong to `revision`, or as before to none.
///
/// # Errors
/// When the playlist cannot be steered, or is of another revision.
pub fn steering_manifest(
    rewritten: &[u8],
    base: &Base<'_>,
    grant: &Grant<'_>,
    revision: Option<&str>,
    time: SteeringTime,
) -> Result<Vec<u8>, PlaylistError> {
    let entries = SteeredEntries::of(rewritten, base, grant).ok_or(PlaylistError::NotSteerable)?;
    if entries.revision(grant.root.as_str()) != revision {
        return Err(PlaylistError::NotSteerable);
    }
    let age = time.now.saturating_sub(time.opened);
    let id = time.now.to_string();
    // A clone costs the player new requests, and hls.js its captions.
    let manifest = if age < FRESH_SECONDS {
        SteeringManifest {
            version: 1,
            ttl: TTL_SECONDS - age,
            priority: [BASE_PATHWAY],
            clones: None,
        }
    } else {
        SteeringManifest {
            version: 1,
            ttl: ttl(time.ends.saturating_sub(time.now)),
            priority: [&id],
            clones: Some([PathwayClone {
                base: BASE_PATHWAY,
                id: &id,
                replacement: UriReplacement {
                    variants: &entries.variants,
                    renditions: &entries.renditions,
                },
            }]),
        }
    };
    Ok(written(&manifest).into_bytes())
}

/// The delay until the next request. Passes of the last minute end with the token, so no request
/// can renew them.
fn ttl(seconds_left: u64) -> u64 {
    if seconds_left <= STRICT_SECONDS {
        seconds_left + 1
    } else {
        TTL_SECONDS
    }
}

impl<'playlist> EntriesById<'playlist> {
    /// Adds an entry. `None` if another entry has its id.
    fn add(&mut self, id: &'playlist str, target: Option<(ObjectKey, String)>) -> Option<()> {
        if let Some(known) = self.positions.get(id.as_bytes()) {
            // One audio Rendition may be in several groups.
            return (self.entries.get(*known)?.target == target).then_some(());
        }
        self.positions.insert(id.as_bytes(), self.entries.len());
        self.entries.push(SteeredEntry { id, target });
        Some(())
    }
}

impl Serialize for EntriesById<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let urls = self.entries.iter().filter_map(|entry| {
            let (_, url) = entry.target.as_ref()?;
            Some((entry.id, url))
        });
        serializer.collect_map(urls)
    }
}

/// A line of a Multivariant Playlist, as far as Content Steering is concerned.
enum SteeredLine<'playlist> {
    /// `EXT-X-STREAM-INF`, whose URI is the next line.
    Variant { id: &'playlist str },
    /// An entry of one line: in the map of Variant Streams, or of Renditions.
    Entry {
        is_variant: bool,
        id: &'playlist str,
        uri: &'playlist str,
    },
    /// Nothing that a clone replaces.
    Other,
    /// Players may disagree about it.
    Doubtful,
}

impl<'playlist> SteeredLine<'playlist> {
    fn parse(line: &'playlist str) -> Self {
        // hls.js finds tags anywhere in a line.
        if line.match_indices("#EXT").any(|(at, _)| at > 0) {
            return Self::Doubtful;
        }
        let (name, list) = tag(line.as_bytes());
        let id_name: &[u8] = match name {
            b"#EXT-X-STREAM-INF" | b"#EXT-X-I-FRAME-STREAM-INF" | b"#EXT-X-IMAGE-STREAM-INF" => {
                b"STABLE-VARIANT-ID"
            }
            b"#EXT-X-MEDIA" => b"STABLE-RENDITION-ID",
            // Variables may stand in ids.
            b"#EXT-X-DEFINE" => return Self::Doubtful,
            // A URI without a tag.
            b"" if !line.starts_with('#') && !line.trim_ascii().is_empty() => {
                return Self::Doubtful;
            }
            _ => return Self::Other,
        };
        let mut found = Vec::new();
        if !read_strictly(line.as_bytes(), line.len() - list.len(), &mut found) {
            return Self::Doubtful;
        }
        let value = |wanted: &[u8]| {
            let attribute = found.iter().find(|attribute| attribute.name == wanted)?;
            let value = line.get(attribute.value.clone())?;
            let before = line.as_bytes().get(attribute.value.start - 1);
            Some((value, before == Some(&b'"')))
        };
        if !matches!(value(b"PATHWAY-ID"), None | Some((BASE_PATHWAY, true))) {
            return Self::Doubtful;
        }
        let id = value(id_name);
        let uri = value(b"URI").map(|(uri, is_quoted)| if is_quoted { uri } else { "" });
        match (name, id, uri) {
            (_, Some((id, is_quoted)), _) if !is_quoted || !is_stable_id(id) => Self::Doubtful,
            (b"#EXT-X-STREAM-INF", Some((id, _)), None) => Self::Variant { id },
            (b"#EXT-X-STREAM-INF", ..) => Self::Doubtful,
            (_, Some((id, _)), Some(uri)) => Self::Entry {
                is_variant: name != b"#EXT-X-MEDIA",
                id,
                uri,
            },
            // No player switches to I-frames by a clone.
            (b"#EXT-X-I-FRAME-STREAM-INF" | b"#EXT-X-IMAGE-STREAM-INF", None, _) => Self::Other,
            // Closed captions are in the segments of the Variant Streams. hls.js 1.7.4 fails to
            // clone audio that is.
            (_, _, None) if value(b"TYPE") == Some(("CLOSED-CAPTIONS", false)) => Self::Other,
            _ => Self::Doubtful,
        }
    }
}

impl<'playlist> SteeredEntries<'playlist> {
    /// Reads the entries of a rewritten Multivariant Playlist. `None` if it is doubtful which
    /// entries players see, or which id names which.
    fn of(rewritten: &'playlist [u8], base: &Base<'_>, grant: &Grant<'_>) -> Option<Self> {
        if rewritten.len() > MAX_STEERED_BYTES || form(rewritten) != Some(Form::Multivariant) {
            return None;
        }
        let text = str::from_utf8(rewritten).ok()?;
        let mut lines = lines(rewritten).filter_map(|line| text.get(line));
        if !text.starts_with("#EXTM3U") || lines.next() != Some("#EXTM3U") {
            return None;
        }
        let mut entries = Self::default();
        let mut count = 0;
        while let Some(line) = lines.next() {
            let (is_variant, id, uri) = match SteeredLine::parse(line) {
                SteeredLine::Doubtful => return None,
                SteeredLine::Other => continue,
                SteeredLine::Entry {
                    is_variant,
                    id,
                    uri,
                } => (is_variant, id, uri),
                SteeredLine::Variant { id } => {
                    let uri = lines.next()?.trim_ascii();
                    if uri.is_empty() || uri.starts_with('#') || uri.contains("#EXT") {
                        return None;
                    }
                    (true, id, uri)
                }
            };
            count += 1;
            if count > MAX_ENTRIES {
                return None;
            }
            let map = match is_variant {
                true => &mut entries.variants,
                false => &mut entries.renditions,
            };
            map.add(id, target(uri, base, grant))?;
        }
        let mut variants = entries.variants.entries.iter();
        let is_signed = variants.any(|entry| entry.target.is_some());
        is_signed.then_some(entries)
    }

    /// The revision below `folder` that contains every signed entry.
    fn revision(&self, folder: &str) -> Option<&str> {
        let all = [&self.variants, &self.renditions];
        let all = all.into_iter().flat_map(|entries| &entries.entries);
        let mut names = all
            .filter_map(|entry| entry.target.as_ref())
            .map(|(key, _)| {
                let rest = key.as_str().strip_prefix(folder)?;
                let (name, _) = split_once(rest.strip_prefix("v/")?, "/")?;
                Some(name).filter(|name| is_revision(name))
            });
        let first = names.next()??;
        names.all(|name| name == Some(first)).then_some(first)
    }
}

/// Returns whether a text is a stable id (RFC 8216bis §4.4.6.1 and §4.4.6.2).
fn is_stable_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=.-_".contains(&byte);
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(is_allowed)
}

/// The object and the absolute URL of a rewritten URI. `None` if the rewriter left it without a pass: it resolves to
/// no object of the grant, or is ambiguous.
fn target(uri: &str, base: &Base<'_>, grant: &Grant<'_>) -> Option<(ObjectKey, String)> {
    if !is_unambiguous(uri) {
        return None;
    }
    let parts = UriParts::of(uri);
    let resolved = resolve(base, &grant.root, parts.path)?;
    let (directory, name) = resolved.split(base.key.split().0);
    let key = ObjectKey::new(format!("{directory}{name}")).ok()?;
    let query = uri.strip_prefix(parts.path)?.strip_suffix(parts.fragment)?;
    let url = format!("{}{query}", absolute_url(base, directory, name));
    Some((key, url))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::credential::binding::Binding;
    use crate::credential::claims::Claims;
    use crate::credential::keyring::Keyring;
    use crate::credential::keyring::testing::ring;
    use crate::credential::link;
    use crate::credential::steering_token::SteeringToken;
    use crate::object::key::Scope;
    use crate::playlist::{Limits, rewrite};

    const NOW: u64 = 1_800_000_000;
    const ORIGIN: &str = "https://video.example.org";
    const MASTER: &str = r#"#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",STABLE-RENDITION-ID="audio-en",NAME="English",URI="v/0a1b/audio/en/playlist.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID="480p",AUDIO="a"
v/0a1b/480p/playlist.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID="iframes",URI="v/0a1b/iframes/playlist.m3u8"
"#;

    fn key(path: &str) -> ObjectKey {
        ObjectKey::new(path).expect("a key")
    }

    fn grant<'keys>(keys: &'keys Keyring, folder_of: &ObjectKey) -> Grant<'keys> {
        let root = folder_of.directory();
        Grant {
            signing_key: keys.minting(),
            expires: NOW + 60,
            depth: u8::try_from(root.depth()).expect("a depth"),
            root,
            binding: Binding::default(),
            ticket: None,
            limits: Limits::None,
        }
    }

    fn offer(keys: &Keyring) -> SteeringOffer {
        let path = Scope::parse("/c/").expect("a scope");
        let claims = Claims {
            strict: true,
            ..Claims::new(path, NOW)
        };
        let link = link::mint(keys.minting(), &claims);
        SteeringOffer::new(&link, NOW, 600).expect("an offer")
    }

    /// The playlist as its player gets it.
    fn announced(playlist: &str, path: &str) -> String {
        let (keys, key) = (ring(&["k"]), key(path));
        let base = Base {
            origin: ORIGIN,
            key: &key,
        };
        let grant = grant(&keys, &key);
        let rewritten = rewrite(playlist.as_bytes(), &base, &grant).expect("a playlist");
        let steered = announce(rewritten.bytes, &base, &grant, &offer(&keys), Some("s-1"));
        String::from_utf8(steered).expect("UTF-8")
    }

    /// The token of the steering line. `None` if the playlist is not steered.
    fn announced_token(playlist: &str) -> Option<SteeringToken> {
        let steered = announced(playlist, "c/l/master.m3u8");
        let (_, rest) = steered.split_once("?token=")?;
        let (token, _) = rest.split_once("&session=s-1\"")?;
        Some(SteeringToken::verify_signature(token, &ring(&["k"])).expect("a token"))
    }

    fn manifest(
        playlist: &str,
        path: &str,
        revision: Option<&str>,
        age: u64,
    ) -> Result<Value, PlaylistError> {
        let (keys, opened, key) = (ring(&["k"]), key("c/l/master.m3u8"), key(path));
        let base = Base {
            origin: ORIGIN,
            key: &key,
        };
        let grant = grant(&keys, &opened);
        let rewritten = rewrite(playlist.as_bytes(), &base, &grant).expect("a playlist");
        let time = SteeringTime {
            opened: NOW,
            ends: NOW + 600,
            now: NOW + age,
        };
        let json = steering_manifest(&rewritten.bytes, &base, &grant, revision, time)?;
        Ok(serde_json::from_slice(&json).expect("JSON"))
    }

    fn without_passes(json: &Value) -> Value {
        let text = json.to_string();
        let mut parts = text.split("?p=");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out += &part[part.find('"').expect("a quote")..];
        }
        serde_json::from_str(&out).expect("JSON")
    }

    #[test]
    fn a_playlist_of_one_revision_is_pinned_to_it() {
        let steered = announced(MASTER, "c/l/master.m3u8");
        let begins = "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/_lectern/steering/c/l/master.m3u8?token=";
        assert!(steered.starts_with(begins), "{steered}");
        assert!(steered.contains("&session=s-1\",PATHWAY-ID=\".\"\n#EXT-X-MEDIA:"));
        for (playlist, expected) in [
            (MASTER.to_owned(), Some("0a1b")),
            (MASTER.replace('\n', "\r\n"), Some("0a1b")),
            (MASTER.replace("v/0a1b/", ""), None),
            (MASTER.replace("v/0a1b/480p", "v/ff/480p"), None),
            (MASTER.replace("v/0a1b/480p", "v/a-b/480p"), None),
            (MASTER.replace("v/0a1b/", "v/0a1b/v/ff/"), Some("0a1b")),
            (
                MASTER.replace("v/0a1b/iframes", "https://other.example"),
                Some("0a1b"),
            ),
        ] {
            let token = announced_token(&playlist).expect(&playlist);
            assert_eq!(token.revision.as_deref(), expected, "{playlist}");
        }
    }

    #[test]
    fn a_doubtful_playlist_is_not_steered() {
        let with = |line: &str| MASTER.replace("#EXT-X-MEDIA", &format!("{line}\n#EXT-X-MEDIA"));
        for playlist in [
            // No ids, ids that are no ids, and ids of two entries.
            MASTER.replace(",STABLE-VARIANT-ID=\"480p\"", ""),
            MASTER.replace(",STABLE-RENDITION-ID=\"audio-en\"", ""),
            MASTER.replace("\"480p\"", "\"\""),
            MASTER.replace("\"480p\"", "480p"),
            MASTER.replace("\"480p\"", "\"48{$x}0p\""),
            MASTER.replace("\"480p\"", "\"é\""),
            MASTER.replace("\"480p\"", "\"a\\\"b\""),
            MASTER.replace("\"480p\"", &format!("\"{}\"", "i".repeat(257))),
            MASTER.replace("\"iframes\"", "\"480p\""),
            with(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"b\",STABLE-RENDITION-ID=\"audio-en\",NAME=\"x\",URI=\"b.m3u8\"",
            ),
            with(
                "#EXT-X-STREAM-INF:BANDWIDTH=2,STABLE-VARIANT-ID=\"480p\"\nhttps://other.example/480p.m3u8",
            ),
            // Pathways, variables, and tags that some players find.
            MASTER.replace("AUDIO=\"a\"", "AUDIO=\"a\",PATHWAY-ID=\"b\""),
            with("#EXT-X-DEFINE:NAME=\"x\",VALUE=\"y\""),
            with("# #EXT-X-STREAM-INF:BANDWIDTH=1"),
            MASTER.replace("AUDIO=\"a\"", "AUDIO=\"a\",AUDIO=\"b\""),
            MASTER.replace("BANDWIDTH=1,STABLE", "BANDWIDTH=1 ,STABLE"),
            // URIs in other places, and none.
            MASTER.replace("AUDIO=\"a\"\n", "AUDIO=\"a\"\n\n"),
            MASTER.replace("AUDIO=\"a\"\n", "AUDIO=\"a\"\n# high\n"),
            MASTER.replace("AUDIO=\"a\"\n", "AUDIO=\"a\",URI=\"x\"\n"),
            with("stray.m3u8"),
            format!("{MASTER}#EXT-X-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID=\"z\"\n"),
            // hls.js 1.7.4 throws when it clones audio in the segments of a Variant Stream.
            with("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",STABLE-RENDITION-ID=\"b\",NAME=\"x\""),
            // Nothing to renew.
            MASTER.replace("v/0a1b/", "https://other.example/"),
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,STABLE-RENDITION-ID=\"b\",URI=\"b.m3u8\"\n"
                .to_owned(),
            "#EXTM3U\n#EXTINF:4,\na.ts\n".to_owned(),
            // Other beginnings.
            MASTER.replace("#EXTM3U", "#EXTM3U #"),
            format!("\u{feff}{MASTER}"),
            format!("\n{MASTER}"),
            format!("{MASTER}{}", "#\n".repeat(MAX_STEERED_BYTES / 2)),
        ] {
            assert_eq!(announced_token(&playlist), None, "{playlist:.2000}");
        }
    }

    #[test]
    fn what_is_no_entry_does_not_make_a_playlist_doubtful() {
        for line in [
            "# a comment",
            "#EXT-X-UNKNOWN",
            "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"x\",INSTREAM-ID=\"CC1\"",
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i.m3u8\"",
            "#EXT-X-SESSION-DATA:DATA-ID=\"x\",URI=\"x.json\"",
            // One Rendition in two groups.
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"b\",STABLE-RENDITION-ID=\"audio-en\",NAME=\"x\",URI=\"v/0a1b/audio/en/playlist.m3u8\"",
        ] {
            let playlist = format!("{MASTER}{line}\n");
            assert!(announced_token(&playlist).is_some(), "{line}");
        }
    }

    #[test]
    fn a_manifest_clones_the_pathway_with_new_passes() {
        let found = manifest(MASTER, "c/l/master.m3u8", Some("0a1b"), 24).expect("a manifest");
        let url = |folder: &str| format!("{ORIGIN}/c/l/v/0a1b/{folder}/playlist.m3u8");
        let id = (NOW + 24).to_string();
        let expected = json!({
            "VERSION": 1,
            "TTL": 24,
            "PATHWAY-PRIORITY": [id],
            "PATHWAY-CLONES": [{
                "BASE-ID": ".",
                "ID": id,
                "URI-REPLACEMENT": {
                    "PER-VARIANT-URIS": {"480p": url("480p"), "iframes": url("iframes")},
                    "PER-RENDITION-URIS": {"audio-en": url("audio/en")},
                },
            }],
        });
        assert_eq!(without_passes(&found), expected);
        assert!(found.to_string().contains("/480p/playlist.m3u8?p=E"));
    }

    #[test]
    fn a_manifest_is_of_the_opened_revision() {
        let pinned = MASTER.replace("v/0a1b/", "");
        for (playlist, path, revision, is_steered) in [
            (MASTER, "c/l/master.m3u8", None, false),
            (MASTER, "c/l/master.m3u8", Some("0a1b"), true),
            (MASTER, "c/l/master.m3u8", Some("ff"), false),
            (&pinned, "c/l/v/0a1b/master.m3u8", Some("0a1b"), true),
            (&pinned, "c/l/v/ff/master.m3u8", Some("0a1b"), false),
            // The pinned playlist lists an object outside its folder.
            (
                &pinned.replace("480p/", "../480p/"),
                "c/l/v/0a1b/master.m3u8",
                Some("0a1b"),
                false,
            ),
        ] {
            let found = manifest(playlist, path, revision, 24).is_ok();
            assert_eq!(found, is_steered, "{path} {revision:?} {playlist}");
        }
        let urls = |playlist: &str, path: &str| {
            let manifest = manifest(playlist, path, Some("0a1b"), 24).expect("a manifest");
            manifest["PATHWAY-CLONES"][0]["URI-REPLACEMENT"].clone()
        };
        // The same objects, and the same passes.
        assert_eq!(
            urls(MASTER, "c/l/master.m3u8"),
            urls(&pinned, "c/l/v/0a1b/master.m3u8")
        );
    }

    #[test]
    fn a_player_asks_again_in_time_and_not_for_nothing() {
        for (age, ttl, is_cloned) in [
            (0, 24, false),
            (11, 13, false),
            (12, 24, true),
            (539, 24, true),
            (540, 61, true),
            (600, 1, true),
        ] {
            let found = manifest(MASTER, "c/l/master.m3u8", Some("0a1b"), age).expect("a manifest");
            assert_eq!(found["TTL"], ttl, "{age}");
            assert_eq!(found.get("PATHWAY-CLONES").is_some(), is_cloned, "{age}");
            let priority = if is_cloned {
                (NOW + age).to_string()
            } else {
                ".".to_owned()
            };
            assert_eq!(found["PATHWAY-PRIORITY"], json!([priority]), "{age}");
        }
    }
}
