//! What the data centre's cache keeps, under which name and for how long. The cache is looked at only after a credential
//! was verified, and holds stored bytes alone: what is made of them for one viewer is never in it.

use crate::object_key::{ObjectKey, is_in_revision};
use crate::text::split_once;

/// How long a viewer may be shown a playlist that has changed since: `master.m3u8`, and playlists that still grow.
pub const PLAYLIST_SECONDS: u32 = 2;
/// What never changes is kept for a day: one read a day and data centre is next to nothing, and what was taken down is
/// gone everywhere a day later without being purged.
const IMMUTABLE_SECONDS: u32 = 86_400;
/// Larger objects are read by ranges, and would crowd out what many watch: 16 MiB are 20 s at 6.7 Mbit/s.
const MAX_CACHED_BYTES: u64 = 16 << 20;

/// How many seconds an object that was published under this name may be kept by whoever serves it in another way.
#[must_use]
pub fn seconds(key: &str) -> u32 {
    if is_in_revision(key) {
        IMMUTABLE_SECONDS
    } else {
        PLAYLIST_SECONDS
    }
}

/// Whether the cache may hold this object at all: asking costs time.
#[must_use]
pub fn may_hold(key: &ObjectKey, is_playlist: bool) -> bool {
    is_playlist || key.is_in_revision()
}

/// How many seconds an object that is no playlist is kept.
#[must_use]
pub fn object_seconds(key: &ObjectKey, size: u64) -> Option<u32> {
    (key.is_in_revision() && size <= MAX_CACHED_BYTES).then_some(IMMUTABLE_SECONDS)
}

/// How many seconds a stored playlist, or a list of assets, is kept.
#[must_use]
pub fn playlist_seconds(key: &ObjectKey, playlist: &[u8]) -> u32 {
    if key.is_in_revision() && is_complete(playlist) {
        IMMUTABLE_SECONDS
    } else {
        PLAYLIST_SECONDS
    }
}

/// A Media Playlist that has ended (RFC 8216bis §4.4.3.4), a Multivariant Playlist, or a storyboard.
fn is_complete(playlist: &[u8]) -> bool {
    let mut lines = playlist.split(|byte| matches!(byte, b'\n' | b'\r'));
    playlist.starts_with(b"WEBVTT")
        || lines.any(|line| {
            line.starts_with(b"#EXT-X-ENDLIST") || line.starts_with(b"#EXT-X-STREAM-INF:")
        })
}

/// The URL under which the cache keeps an object for requests to `origin`. It lies below the edge's own folder, which the edge
/// serves to nobody, so that the cache cannot be asked past the check. It holds hostname, bucket and object key, and neither
/// query nor token. Scheme and port are left out, so that HTTP and HTTPS share an entry.
///
/// The hostname is the request's own, because Cloudflare advises against any other: a name that the Worker does not serve
/// costs a DNS look-up.
#[must_use]
pub fn url(origin: &str, bucket: &str, key: &ObjectKey) -> String {
    url_at(hostname(origin), bucket, key)
}

/// The URLs of an object's entries: for requests to `origin`, and for each of the other hostnames that the edge serves.
#[must_use]
pub fn urls(origin: &str, hostnames: &[String], bucket: &str, key: &ObjectKey) -> Vec<String> {
    let own = hostname(origin);
    let others = hostnames
        .iter()
        .filter(|other| !other.eq_ignore_ascii_case(own));
    [own]
        .into_iter()
        .chain(others.map(String::as_str))
        .map(|hostname| url_at(hostname, bucket, key))
        .collect()
}

fn url_at(hostname: &str, bucket: &str, key: &ObjectKey) -> String {
    let path = key.to_url_path();
    format!("https://{hostname}/_lectern/cache/{bucket}{path}")
}

/// The host of an origin, without its scheme and port.
fn hostname(origin: &str) -> &str {
    let host = split_once(origin, "://").map_or(origin, |(_, host)| host);
    // The colons of an IPv6 address stand in brackets.
    match host.rsplit_once(':') {
        Some((hostname, port)) if !port.ends_with(']') => hostname,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_changes_is_kept_and_what_may_change_is_kept_for_seconds() {
        const MEDIA: &str = "#EXTM3U\n#EXTINF:4,\na\n#EXT-X-ENDLIST\n";
        const GROWING: &str = "#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXTINF:4,\na\n";
        const BOARD: &str = "WEBVTT\n\n00:00.000 --> 00:02.000\na.jpg\n";
        const MASTER: &str = "#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=1\r\na\r\n";
        for (key, playlist, expected) in [
            ("c/v/1/480p/playlist.m3u8", MEDIA, IMMUTABLE_SECONDS),
            ("c/v/1/480p/playlist.m3u8", GROWING, PLAYLIST_SECONDS),
            ("c/v/1/master.m3u8", MASTER, IMMUTABLE_SECONDS),
            ("c/master.m3u8", MASTER, PLAYLIST_SECONDS),
            ("c/v/1/storyboard.vtt", BOARD, IMMUTABLE_SECONDS),
            ("c/storyboard.vtt", BOARD, PLAYLIST_SECONDS),
            ("c/p.m3u8", MEDIA, PLAYLIST_SECONDS),
        ] {
            let key = ObjectKey::new(key).expect("a key");
            let found = playlist_seconds(&key, playlist.as_bytes());
            assert_eq!(found, expected, "{key} {playlist}");
        }
        for (key, size, expected) in [
            ("c/v/1/480p/seg00000.m4s", 3 << 20, Some(IMMUTABLE_SECONDS)),
            ("c/v/1/480p/seg00000.m4s", 16 << 20, Some(IMMUTABLE_SECONDS)),
            ("c/v/1/lecture.mp4", (16 << 20) + 1, None),
            ("c/poster.jpg", 1, None),
            ("c/v/poster.jpg", 1, None),
        ] {
            let key = ObjectKey::new(key).expect("a key");
            assert_eq!(object_seconds(&key, size), expected, "{key} {size}");
        }
    }

    #[test]
    fn the_cache_is_asked_for_what_it_may_hold() {
        for (key, is_playlist, expected) in [
            ("c/v/1/seg.m4s", false, true),
            ("c/master.m3u8", true, true),
            ("c/original.mov", false, false),
        ] {
            let key = ObjectKey::new(key).expect("a key");
            assert_eq!(may_hold(&key, is_playlist), expected, "{key}");
        }
    }

    #[test]
    fn no_two_objects_share_a_url() {
        let of = |host: &str, bucket: &str, key: &str| {
            url(host, bucket, &ObjectKey::new(key).expect("a key"))
        };
        let first = of("https://a.example", "b", "c/d e");
        assert_eq!(first, "https://a.example/_lectern/cache/b/c/d%20e");
        for other in [
            of("https://b.example", "b", "c/d e"),
            of("https://a.example", "b2", "c/d e"),
            of("https://a.example", "b", "c/d+e"),
            of("https://a.example", "b", "d e"),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_write_forgets_the_entry_of_every_hostname_once() {
        let key = ObjectKey::new("c/a").expect("a key");
        let hostnames = ["a.example".to_owned(), "b.example".to_owned()];
        let at = |hostname: &str| format!("https://{hostname}/_lectern/cache/b/c/a");
        for (origin, expected) in [
            ("https://a.example", vec!["a.example", "b.example"]),
            ("http://B.example:8080", vec!["B.example", "a.example"]),
            (
                "https://c.example",
                vec!["c.example", "a.example", "b.example"],
            ),
            ("http://[::1]:8787", vec!["[::1]", "a.example", "b.example"]),
            ("http://[::1]", vec!["[::1]", "a.example", "b.example"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(at).collect();
            assert_eq!(urls(origin, &hostnames, "b", &key), expected, "{origin}");
            assert_eq!(url(origin, "b", &key), expected[0], "{origin}");
        }
    }
}
