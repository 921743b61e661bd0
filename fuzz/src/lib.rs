//! Helpers of the targets that rewrite, and of those that measure.

use std::time::Duration;

use allocation_counter::measure;
use lectern::credential::binding::Binding;
use lectern::credential::keyring::Keyring;
use lectern::credential::pass::{self, Pass, PassKind};
use lectern::object::key::{Directory, ObjectKey};
use lectern::playlist::{
    Base, Entitlements, Grant, Limits, UriSpan, is_playlist_name, pictures, rewrite,
    rewrite_asset_list, uris,
};
use rustix::time::{ClockId, clock_gettime};
use url::Url;

pub const KEYS: &str = r#"[{"kid":"fuzz","secret":"ZnV6eiBmdXp6IGZ1enogZnV6eiBmdXp6IGZ1enogZnU"}]"#;
pub const ORIGIN: &str = "https://video.example.org";
pub const NOW: u64 = 1_800_000_000;

/// Returns whether a text may contain a pass already.
pub fn has_a_pass(text: &[u8]) -> bool {
    text.windows(2).any(|pair| matches!(pair, b"?p" | b"&p"))
}

/// Every pass in these URIs. Asserts that it opens the object that the URL parser resolves.
pub fn passes(
    output: &[u8],
    uris: Vec<UriSpan>,
    base: &ObjectKey,
    keys: &Keyring,
    has_a_pass: bool,
) -> Vec<Pass> {
    let url = Url::parse(&format!("{ORIGIN}{}", base.to_url_path())).expect("a URL");
    let mut found = Vec::new();
    for span in uris {
        let Ok(uri) = str::from_utf8(&output[span.at]) else {
            continue;
        };
        // Fixtures test the values of variables.
        if uri.contains("{$") {
            continue;
        }
        let Ok(resolved) = url.join(uri) else {
            continue;
        };
        let texts: Vec<_> = resolved
            .query_pairs()
            .filter(|(name, _)| name == "p")
            .map(|(_, pass)| pass.into_owned())
            .collect();
        let ours = resolved.origin().ascii_serialization() == ORIGIN;
        assert!(
            ours || has_a_pass || texts.is_empty(),
            "a pass leaves for another origin: {uri}"
        );
        let at = ObjectKey::from_url_path(resolved.path());
        for text in texts.iter().filter(|text| ours && looks_minted(text)) {
            let verified = at
                .as_ref()
                .ok()
                .and_then(|at| pass::verify(text, at, Binding::default(), keys, NOW).ok());
            let pass = verified
                .unwrap_or_else(|| panic!("it does not open what it stands on: {resolved}"));
            let name = resolved.path().rsplit('/').next().unwrap_or_default();
            assert!(
                pass.kind != PassKind::Object || !is_playlist_name(name),
                "{resolved}"
            );
            found.push(pass);
        }
    }
    found
}

/// Returns whether a pass has the expiry of the tests: bytes 2 to 5, of which these characters are
/// the last three.
fn looks_minted(pass: &str) -> bool {
    matches!(pass.len(), 30..=43) && pass.starts_with('E') && pass.get(4..8) == Some("SdIA")
}

/// Removes every `?p=…` and `&p=…` from `output`: a run of the pass alphabet, which no character
/// after a URI is in.
pub fn without_passes(output: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(output.len());
    let mut rest = output;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let Some(after) = tail
            .strip_prefix(b"p=")
            .filter(|_| matches!(first, b'?' | b'&'))
        else {
            kept.push(first);
            continue;
        };
        let length = after
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
            .count();
        assert!(length <= 43, "a pass of {length} characters");
        rest = &after[length..];
    }
    kept
}

pub fn text(playlist: &[u8]) -> String {
    playlist.escape_ascii().to_string()
}

/// A stored object, and the limits under which it is read.
#[derive(Debug, Clone)]
pub enum Stored {
    Playlist(Limits),
    AssetList,
}

impl Stored {
    /// The variant that a byte selects.
    pub fn of(form: u8) -> Self {
        let entitlements = |max_height, langs: Option<&str>, preview| {
            Limits::RestrictedLink(Entitlements {
                max_height,
                langs: langs.map(|lang| vec![lang.to_owned()]),
                preview,
            })
        };
        let limits = match form % 10 {
            0 => Limits::None,
            1 => entitlements(Some(480), None, None),
            2 => entitlements(None, Some("en"), None),
            3 => entitlements(None, None, Some((0, 600))),
            4 => entitlements(Some(480), Some("en"), Some((4, 12))),
            5 => Limits::Media { preview: None },
            6 => Limits::Media {
                preview: Some((0, 600)),
            },
            7 => Limits::Media {
                preview: Some((4, 12)),
            },
            8 => Limits::Storyboard,
            _ => return Self::AssetList,
        };
        Self::Playlist(limits)
    }

    /// Repeats a unit up to `bytes`, with its number in place of 0x01, inside a valid head and
    /// tail.
    pub fn repeated(&self, unit: &[u8], bytes: usize) -> Vec<u8> {
        let (head, tail): (&[u8], &[u8]) = match self {
            Self::AssetList => (b"{\"ASSETS\":[{}", b"]}"),
            Self::Playlist(Limits::Storyboard) => (b"WEBVTT\n\n0 --> 1\n", b"\n"),
            Self::Playlist(Limits::Media { .. }) => (
                b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n",
                b"\n#EXTINF:4,\ns.ts\n",
            ),
            Self::Playlist(Limits::RestrictedLink(_)) => (
                b"#EXTM3U\n",
                b"\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1\nv.m3u8\n",
            ),
            Self::Playlist(_) => (b"#EXTM3U\n", b"\n"),
        };
        let mut text = head.to_vec();
        for number in 0_u32.. {
            if text.len() >= bytes {
                break;
            }
            for &byte in unit {
                match byte {
                    // Fixed width, so that all units have the same length.
                    1 => text.extend_from_slice(format!("{number:05}").as_bytes()),
                    byte => text.push(byte),
                }
            }
        }
        text.extend_from_slice(tail);
        text
    }

    /// The edge's answer; `None` for a refusal.
    pub fn answer(&self, keys: &Keyring, stored: &[u8]) -> Option<Vec<u8>> {
        let key = ObjectKey::new("courses/a b/v/1/playlist.m3u8").expect("an object key");
        let base = Base {
            origin: ORIGIN,
            key: &key,
        };
        let grant = |limits| Grant {
            signing_key: keys.minting(),
            expires: NOW,
            root: Directory::ancestor_of(&key, 2).expect("a directory"),
            depth: 2,
            binding: Binding::default(),
            ticket: None,
            limits,
        };
        match self {
            Self::Playlist(limits) => {
                let rewritten = rewrite(stored, &base, &grant(limits.clone()));
                rewritten.ok().map(|rewritten| rewritten.bytes)
            }
            Self::AssetList => Some(rewrite_asset_list(stored, &base, &grant(Limits::None))),
        }
    }

    /// The number of URIs that may get a pass.
    pub fn uris(&self, stored: &[u8]) -> usize {
        match self {
            Self::Playlist(Limits::Storyboard) => pictures(stored).len(),
            Self::Playlist(_) => uris(stored).len(),
            Self::AssetList => memchr::memmem::find_iter(stored, b"URI").count(),
        }
    }

    /// The number of URIs that become URLs, or whose escapes are expanded.
    pub fn assets(&self, stored: &[u8]) -> usize {
        match self {
            Self::Playlist(_) => memchr::memmem::find_iter(stored, b"X-ASSET").count(),
            Self::AssetList => self.uris(stored),
        }
    }

    /// The length of the tags that a preview adds.
    pub fn tags_bytes(&self) -> usize {
        match self {
            Self::Playlist(Limits::Media { .. }) => 256,
            _ => 0,
        }
    }
}

/// Bytes of the smaller input of [`assert_linear`]. The larger one is STEP times as long.
pub const SMALL_BYTES: usize = 24 << 10;
pub const LARGE_BYTES: usize = STEP * SMALL_BYTES;
const STEP: usize = 8;
/// The growth that still counts as linear: buffers double, caches fill, and a sanitizer checks
/// every byte.
const MAX_GROWTH: usize = 3 * STEP;
/// Allocations of fixed size, and times too short for a clock, are not counted.
const SLACK_BYTES: u64 = 64 << 10;
const SLACK_CPU: Duration = Duration::from_millis(3);
/// The number of measurements before a growth counts.
const ATTEMPTS: usize = 5;

/// Asserts that the work for the larger input is at most so many times that for the smaller one:
/// allocated bytes, peak bytes, and CPU time of the thread.
pub fn assert_linear(name: &str, small: &[u8], large: &[u8], work: impl Fn(&[u8])) {
    let (few, many) = (measure(|| work(small)), measure(|| work(large)));
    for (what, few, many) in [
        ("allocated", few.bytes_total, many.bytes_total),
        ("held", few.bytes_max, many.bytes_max),
    ] {
        assert!(
            many <= MAX_GROWTH as u64 * few + SLACK_BYTES,
            "{name}: {few} bytes {what} for {}, {many} for {}",
            small.len(),
            large.len()
        );
    }
    let (mut least, mut most) = (Duration::MAX, Duration::ZERO);
    for _ in 0..ATTEMPTS {
        // Noise only adds: compares the least of the larger input's times with the most of the
        // smaller one's.
        least = least.min(cpu(|| work(large)));
        most = most.max(cpu(|| work(small)));
        if least <= most * MAX_GROWTH as u32 + SLACK_CPU {
            return;
        }
    }
    panic!(
        "{name}: {most:?} for {} bytes, {least:?} for {}",
        small.len(),
        large.len()
    );
}

fn cpu(work: impl FnOnce()) -> Duration {
    let began = thread_cpu();
    work();
    thread_cpu() - began
}

/// CPU time of this thread only.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}
