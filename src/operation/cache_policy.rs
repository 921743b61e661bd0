//! The cache of the data centre: keys and lifetimes of its entries. The edge reads it only after it
//! verified a credential. It holds stored bytes only, never a result for one viewer.

use std::collections::BTreeMap;

use crate::object::key::{ObjectKey, is_in_revision};
use crate::text::split_once;

/// The time after which another request may fill an entry too. The first one was dropped, or
/// storage is slow. Its memory stays reserved: see [`crate::budget`].
const FILL_LAPSES_MS: u64 = 15_000;

/// The lifetime of a playlist that may change: `master.m3u8`, and playlists that still grow.
pub const PLAYLIST_SECONDS: u32 = 2;
/// The lifetime of an immutable object. One read per day and data centre costs next to nothing, and
/// a removed object disappears everywhere within a day without a purge.
const IMMUTABLE_SECONDS: u32 = 86_400;
/// The largest cached object: 16 MiB are 20 s at 6.7 Mbit/s. Larger objects are read by ranges, and
/// would evict segments that many viewers share.
const MAX_CACHED_BYTES: u64 = 16 << 20;

/// The seconds that another server may cache an object published under this name.
#[must_use]
pub fn seconds(key: &str) -> u32 {
    if is_in_revision(key) {
        IMMUTABLE_SECONDS
    } else {
        PLAYLIST_SECONDS
    }
}

/// Returns whether the cache may hold this object, because a look-up takes time.
#[must_use]
pub fn may_hold(key: &ObjectKey, is_playlist: bool) -> bool {
    is_playlist || key.is_in_revision()
}

/// The lifetime of an object other than a playlist, in seconds.
#[must_use]
pub fn object_seconds(key: &ObjectKey, size: u64) -> Option<u32> {
    (key.is_in_revision() && size <= MAX_CACHED_BYTES).then_some(IMMUTABLE_SECONDS)
}

/// The lifetime of a stored playlist or asset list, in seconds.
#[must_use]
pub fn playlist_seconds(key: &ObjectKey, playlist: &[u8]) -> u32 {
    if key.is_in_revision() && is_complete(playlist) {
        IMMUTABLE_SECONDS
    } else {
        PLAYLIST_SECONDS
    }
}

/// Returns whether a playlist no longer grows: a Media Playlist with `EXT-X-ENDLIST` (RFC 8216bis
/// §4.4.3.4), a Multivariant Playlist, or a storyboard.
fn is_complete(playlist: &[u8]) -> bool {
    let mut lines = playlist.split(|byte| matches!(byte, b'\n' | b'\r'));
    playlist.starts_with(b"WEBVTT")
        || lines.any(|line| {
            line.starts_with(b"#EXT-X-ENDLIST") || line.starts_with(b"#EXT-X-STREAM-INF:")
        })
}

/// The URL of an object's cache entry for requests to `origin`. It lies below the edge's reserved
/// folder, which the edge never serves, so that no request reaches the cache unchecked. It contains
/// hostname, bucket and object key, but neither query nor token. HTTP and HTTPS share an entry,
/// because scheme and port are left out.
///
/// The hostname is that of the request. Cloudflare advises against others: a name that the Worker
/// does not serve costs a DNS look-up.
#[must_use]
pub fn url(origin: &str, bucket: &str, key: &ObjectKey) -> String {
    url_at(hostname(origin), bucket, key)
}

/// The URLs of an object's entries: for `origin`, and for each other hostname of the edge.
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

/// The host of an origin, without scheme and port.
fn hostname(origin: &str) -> &str {
    let host = split_once(origin, "://").map_or(origin, |(_, host)| host);
    // An IPv6 address has its colons in brackets.
    match host.rsplit_once(':') {
        Some((hostname, port)) if !port.ends_with(']') => hostname,
        _ => host,
    }
}

/// The cache entries that requests are filling. Of simultaneous misses, one reads storage.
#[derive(Debug, Default)]
pub struct FillRights {
    rights: BTreeMap<String, Given>,
    last_number: u64,
    /// The last search for lapsed rights.
    swept_ms: u64,
}

/// The right to fill an entry. [`FillRights::end`] returns it.
#[derive(Debug, PartialEq, Eq)]
pub struct FillRight {
    url: String,
    number: u64,
}

#[derive(Debug)]
struct Given {
    number: u64,
    since_ms: u64,
}

impl FillRights {
    /// Creates the empty rights of a new isolate.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rights: BTreeMap::new(),
            last_number: 0,
            swept_ms: 0,
        }
    }

    /// Requests the right to fill an entry. Returns `None` while another request has it.
    pub fn begin(&mut self, url: &str, now_ms: u64) -> Option<FillRight> {
        let has_lapsed = |given: &Given| now_ms.saturating_sub(given.since_ms) >= FILL_LAPSES_MS;
        // Removes rights of dropped requests, because their entries may never be requested again.
        if now_ms.saturating_sub(self.swept_ms) >= FILL_LAPSES_MS {
            self.swept_ms = now_ms;
            self.rights.retain(|_, given| !has_lapsed(given));
        }
        if self.rights.get(url).is_some_and(|given| !has_lapsed(given)) {
            return None;
        }
        self.last_number += 1;
        let number = self.last_number;
        let url = url.to_owned();
        let since_ms = now_ms;
        self.rights.insert(url.clone(), Given { number, since_ms });
        Some(FillRight { url, number })
    }

    /// Returns a right. If it lapsed and another request has it now, that request keeps it.
    pub fn end(&mut self, right: &FillRight) {
        let given = self.rights.get(&right.url);
        if given.is_some_and(|given| given.number == right.number) {
            self.rights.remove(&right.url);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_at_a_time_has_the_right_to_fill_an_entry() {
        let mut rights = FillRights::new();
        let first = rights.begin("a", 0).expect("a right");
        assert!(rights.begin("a", 0).is_none());
        let other = rights.begin("b", 0).expect("a right");
        assert!(rights.begin("a", FILL_LAPSES_MS - 1).is_none());
        rights.end(&first);
        let second = rights.begin("a", FILL_LAPSES_MS - 1).expect("a right");
        // The previous owner of a lapsed right does not end the new one.
        let third = rights
            .begin("a", 2 * FILL_LAPSES_MS - 1)
            .expect("a right that lapsed");
        rights.end(&second);
        assert!(rights.begin("a", 2 * FILL_LAPSES_MS).is_none());
        rights.end(&third);
        rights.end(&other);
        assert!(rights.rights.is_empty());
    }

    #[test]
    fn rights_that_were_dropped_with_their_requests_take_no_memory() {
        let mut rights = FillRights::new();
        for number in 0..1000_u64 {
            let url = number.to_string();
            assert!(rights.begin(&url, number * 100).is_some());
            assert!(rights.rights.len() <= 301, "{}", rights.rights.len());
        }
    }

    #[test]
    fn immutable_objects_are_cached_for_a_day_and_changeable_ones_for_seconds() {
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
