//! Playlists as `lectern check` reads them. A playlist without a fault has an oracle: the edge finds
//! each of its URIs, and m3u8-rs reads the same entries, as far as it reads their lines. Faults are
//! short sentences. The work for a unit that is repeated grows as its length.
#![no_main]

use std::collections::BTreeSet;
use std::hint::black_box;

use lectern::playlist::uris;
use lectern_fuzz::{LARGE_BYTES, SMALL_BYTES, Stored, assert_linear};
use libfuzzer_sys::fuzz_target;
use m3u8_rs::Playlist;

/// The sources of the command, which has no library.
#[allow(dead_code)]
#[path = "../../packager/src/check/playlist/mod.rs"]
mod playlist;
#[allow(dead_code)]
#[path = "../../packager/src/redact.rs"]
mod redact;
mod check {
    pub(crate) use crate::playlist;
}

use playlist::{CheckedPlaylist, ListedKey, TagEntry};

/// The longest fault: a few names of 80 characters, and a list of words.
const LONGEST_FAULT: usize = 1_000;
const MOST_FAULTS: usize = 250;

fuzz_target!(|data: &[u8]| {
    let found = CheckedPlaylist::parse(data);
    assert!(found.problems.len() <= MOST_FAULTS);
    for problem in &found.problems {
        let is_sentence = !problem.is_empty() && problem.chars().all(redact::is_harmless);
        assert!(is_sentence && problem.len() <= LONGEST_FAULT, "{problem:?}");
    }
    if let Ok(text) = str::from_utf8(data)
        && found.problems.is_empty()
    {
        assert_known_to_the_edge(text, &found);
        if text.lines().all(is_read_by_m3u8_rs) {
            assert_same(text, &found);
        }
    }
    // Few inputs are measured, because it takes long.
    let sum = data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if (1..=512).contains(&data.len()) && sum.is_multiple_of(64) {
        let stored = Stored::of(0);
        let [small, large] = [SMALL_BYTES, LARGE_BYTES].map(|bytes| stored.repeated(data, bytes));
        assert_linear("check", &small, &large, |input| {
            drop(black_box(CheckedPlaylist::parse(black_box(input))));
        });
    }
});

/// The edge signs what it reads for sure: no variables, no text that FFmpeg takes for an escape, no
/// second tag in a line.
fn assert_known_to_the_edge(text: &str, found: &CheckedPlaylist) {
    let is_doubtful = |line: &str| {
        line.contains(['\\', '\t']) || line.get(1..).is_some_and(|rest| rest.contains("#EXT"))
    };
    if text.contains("{$") || text.lines().any(is_doubtful) {
        return;
    }
    let edge: BTreeSet<&str> = uris(text.as_bytes())
        .into_iter()
        .filter_map(|span| text.get(span.at))
        .collect();
    let entries = [
        &found.variants,
        &found.media,
        &found.i_frames,
        &found.session_data,
    ];
    let listed = entries
        .into_iter()
        .flatten()
        .filter_map(|one| one.uri.as_deref());
    let keys = found.keys.iter().chain(&found.session_keys);
    let keys = keys.filter_map(|ListedKey { uri, .. }| uri.as_deref());
    let maps = found.maps.iter().map(|map| map.place.uri.as_str());
    let segments = found.segments.iter().map(|one| one.place.uri.as_str());
    for uri in listed.chain(keys).chain(maps).chain(segments) {
        assert!(
            edge.contains(uri.trim()),
            "the edge does not find {uri:?} in {text:?}"
        );
    }
}

/// Lines that m3u8-rs reads. It loses empty strings, reads titles with commas as URIs, and crosses
/// lines in search of an equals sign.
fn is_read_by_m3u8_rs(line: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(tag) = line.strip_prefix('#') else {
        return !line.starts_with([',', ' ']) && !line.is_empty();
    };
    match tag.split_once(':') {
        None => matches!(tag, "EXTM3U" | "EXT-X-ENDLIST" | "EXT-X-DISCONTINUITY"),
        Some(("EXT-X-TARGETDURATION" | "EXT-X-MEDIA-SEQUENCE" | "EXT-X-VERSION", _)) => true,
        Some(("EXT-X-BYTERANGE", _)) => true,
        Some(("EXTINF", rest)) => {
            let (seconds, title) = rest.split_once(',').unwrap_or((rest, ","));
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            is_number(whole) && is_number(fraction) && !title.contains(',')
        }
        Some(("EXT-X-STREAM-INF", list)) => {
            let known = [
                "BANDWIDTH=",
                "AVERAGE-BANDWIDTH=",
                "CODECS=\"",
                "RESOLUTION=",
            ];
            let mut parts = list.split(',');
            !list.contains("\"\"")
                && parts.all(|part| known.iter().any(|name| part.starts_with(name)))
        }
        Some(_) => false,
    }
}

fn assert_same(text: &str, found: &CheckedPlaylist) {
    // m3u8-rs takes a tag without a line end for a URI.
    let text = format!("{text}\n");
    let read = m3u8_rs::parse_playlist_res(text.as_bytes());
    match read.unwrap_or_else(|error| panic!("{error} in {text:?}")) {
        Playlist::MediaPlaylist(read) => {
            assert_eq!(read.segments.len(), found.segments.len(), "{text:?}");
            let first = found.segments.first().map_or(0, |one| one.number);
            assert!(
                read.segments.is_empty() || read.media_sequence == first,
                "{text:?}"
            );
            for (one, other) in found.segments.iter().zip(&read.segments) {
                assert_eq!(one.place.uri, other.uri, "{text:?}");
                assert_eq!(one.is_discontinuous, other.discontinuity, "{text:?}");
                let length = other.byte_range.as_ref().map(|range| range.length);
                assert_eq!(
                    one.place.range.map(|(length, _)| length),
                    length,
                    "{text:?}"
                );
                let (seconds, read) = (one.micros as f64 / 1e6, f64::from(other.duration));
                assert!((seconds - read).abs() <= 1e-6 + seconds * 1e-6, "{text:?}");
            }
        }
        Playlist::MasterPlaylist(read) => {
            assert_eq!(read.variants.len(), found.variants.len(), "{text:?}");
            for (one, other) in found.variants.iter().zip(&read.variants) {
                assert_eq!(one.uri.as_deref(), Some(other.uri.as_str()), "{text:?}");
                assert_eq!(one.number("BANDWIDTH"), Some(other.bandwidth), "{text:?}");
                assert_eq!(
                    TagEntry::get(one, "CODECS"),
                    other.codecs.as_deref(),
                    "{text:?}"
                );
                let size = other.resolution.map(|size| (size.width, size.height));
                let own = one
                    .resolution()
                    .map(|(width, height)| (width.into(), height.into()));
                assert!(own.is_none() || own == size, "{text:?}");
            }
        }
    }
}
