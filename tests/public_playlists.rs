//! Public playlists. Whatever they contain, rewriting adds the required passes and changes nothing
//! else. The line scanner, the resolver and the parsers in this file are not those under test.
//!
//! The playlists are not copied, because others own them: `LECTERN_PLAYLISTS` names their folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lectern::credential::binding::Binding as Seen;
use lectern::credential::keyring::Keyring;
use lectern::credential::pass;
use lectern::object::key::{Directory, ObjectKey};
use lectern::playlist::{Base, Grant, Limits, rewrite};
use m3u8_rs::{MasterPlaylist, MediaPlaylist, MediaSegment, Playlist, SessionDataField};
use serde_json::{Value, json};
use url::Url;

const KEYS: &str =
    r#"[{"kid":"public","secret":"cHVibGljIHB1YmxpYyBwdWJsaWMgcHVibGljIHB1YmxpYw"}]"#;
const EXPIRES: u64 = 1_800_000_000;

/// URLs of a playlist: origin, object key, and the depth of the root. The third and fourth have the
/// origin of most absolute URIs in these playlists.
const PLACES: [(&str, &str, usize); 5] = [
    (
        "https://video.example.org",
        "courses/rails/v/1/720p/playlist.m3u8",
        2,
    ),
    ("http://localhost:8787", "caf\u{e9} 50% off/a.m3u8", 1),
    ("http://media.example.com", "a/b/c/d/e/playlist.m3u8", 0),
    ("http://example.com", "movie/low.m3u8", 1),
    ("https://priv.example.com", "master.m3u8", 0),
];

/// The tags and attributes of the rewriter.
const ATTRIBUTES: [(&str, &[&str]); 11] = [
    ("EXT-X-MAP", &["URI"]),
    ("EXT-X-KEY", &["URI"]),
    ("EXT-X-SESSION-KEY", &["URI"]),
    ("EXT-X-MEDIA", &["URI"]),
    ("EXT-X-I-FRAME-STREAM-INF", &["URI"]),
    ("EXT-X-IMAGE-STREAM-INF", &["URI"]),
    ("EXT-X-SESSION-DATA", &["URI"]),
    ("EXT-X-PART", &["URI"]),
    ("EXT-X-PRELOAD-HINT", &["URI"]),
    ("EXT-X-RENDITION-REPORT", &["URI"]),
    ("EXT-X-DATERANGE", &["X-ASSET-URI", "X-ASSET-LIST"]),
];

#[test]
fn without_its_passes_a_rewritten_playlist_is_the_input() {
    for_each_rewritten(|location, name, input, output| {
        let (stripped, _) = strip(output);
        assert!(stripped == input, "{name} at {}", location.url);
    });
}

#[test]
fn every_uri_that_must_be_signed_has_one_pass_that_opens_it_and_nothing_else_has() {
    let mut passes = 0;
    let mut left_alone = 0;
    let files = for_each_rewritten(|location, name, input, output| {
        let (_, found) = strip(output);
        let uris = uris(input);
        let expected: BTreeMap<usize, ObjectKey> = uris
            .iter()
            .filter_map(|(end, uri)| Some((*end, location.signs(uri)?)))
            .collect();
        let positions: Vec<_> = found.iter().map(|(at, _)| at).collect();
        assert_eq!(
            positions,
            expected.keys().collect::<Vec<_>>(),
            "{name} at {}",
            location.url
        );
        for (at, pass) in &found {
            let key = &expected[at];
            let verified = pass::verify(pass, key, Seen::default(), &location.keys, EXPIRES);
            assert!(
                verified.is_ok(),
                "{name} at {}: {key}: {verified:?}",
                location.url
            );
        }
        passes += found.len();
        left_alone += uris.len() - found.len();
    });
    if let Some(files) = files {
        print_line(&format!(
            "{files} playlists in {} places: {passes} URIs signed, {left_alone} left alone",
            PLACES.len()
        ));
        assert!(
            files >= 200 && passes >= 20_000 && left_alone >= 1_000,
            "{files} {passes} {left_alone}"
        );
    }
}

#[test]
fn m3u8_rs_reads_the_same_uris_before_and_after() {
    let mut parsed = 0;
    let mut passes = 0;
    let mut misread = 0;
    let files = for_each_rewritten(|location, name, input, output| {
        let read = |playlist| {
            m3u8_rs::parse_playlist_res(playlist)
                .ok()
                .map(uris_by_m3u8_rs)
        };
        let (before, after) = match (read(input), read(output)) {
            (Some(before), Some(after)) => (before, after),
            (before, after) => {
                assert_eq!(before, after, "{name} at {}", location.url);
                return;
            }
        };
        parsed += 1;
        let read = location.compare(name, input, &before, &after);
        passes += read.passes;
        misread += read.misread;
    });
    if let Some(files) = files {
        let readings = files * PLACES.len();
        print_line(&format!(
            "m3u8-rs read {parsed} of {readings}, met {passes} passes and misread {misread} titles"
        ));
        assert!(
            parsed >= 190 * PLACES.len() && passes >= 20_000 && misread <= 10 * PLACES.len(),
            "{parsed} {passes} {misread}"
        );
    }
}

#[test]
fn hls_js_reads_the_same_uris_before_and_after() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join("node_modules/hls.js").is_dir() {
        skip_library("hls.js is not installed (npm install)");
        return;
    }
    let mut names = Vec::new();
    let mut texts = Vec::new();
    let files = for_each_rewritten(|location, name, input, output| {
        names.push((location.clone(), name.to_owned(), input.to_vec()));
        for text in [input, output] {
            texts.push(
                json!({ "url": location.url.as_str(), "text": String::from_utf8_lossy(text) }),
            );
        }
    });
    let Some(files) = files else { return };
    let Some(read) = uris_by_hls_js(&root.join("tests/hls_uris.mjs"), &Value::from(texts)) else {
        skip_library("node is not installed");
        return;
    };
    assert_eq!(read.len(), 2 * names.len());
    let mut passes = 0;
    let mut misread = 0;
    for ((location, name, input), read) in names.iter().zip(read.chunks_exact(2)) {
        let read = location.compare(name, input, &read[0], &read[1]);
        passes += read.passes;
        misread += read.misread;
    }
    print_line(&format!(
        "hls.js read {files} playlists in {} places, met {passes} passes and misread {misread} titles",
        PLACES.len()
    ));
    assert!(
        passes >= 20_000 && misread <= 10 * PLACES.len(),
        "{passes} {misread}"
    );
}

/// The reading of a rewritten playlist by a parser.
struct ParserReading {
    passes: usize,
    /// URIs that the parser found outside of URI lines and attributes.
    misread: usize,
}

/// The URL of a playlist, and the scope in which URIs are signed.
#[derive(Clone)]
struct PlaylistLocation {
    url: Url,
    root: String,
    keys: std::rc::Rc<Keyring>,
}

impl PlaylistLocation {
    /// The object of `uri`, if it must be signed: of the edge's origin, a valid key, and below the
    /// root.
    fn signs(&self, uri: &str) -> Option<ObjectKey> {
        let resolved = self.url.join(uri).ok()?;
        if uri.is_empty() || resolved.origin() != self.url.origin() {
            return None;
        }
        let key = ObjectKey::from_url_path(resolved.path()).ok()?;
        key.as_str().starts_with(&self.root).then_some(key)
    }

    /// Compares readings before and after. They are equal except for passes: one on each URI that
    /// must have one.
    fn compare(
        &self,
        name: &str,
        input: &[u8],
        before: &[String],
        after: &[String],
    ) -> ParserReading {
        let resolved = |uri: &str| self.url.join(uri).map(String::from).ok();
        let there: BTreeSet<_> = uris(input).iter().map(|(_, uri)| resolved(uri)).collect();
        let mut read = ParserReading {
            passes: 0,
            misread: 0,
        };
        let mut stripped = Vec::new();
        for uri in after {
            let (without, found) = strip(uri.as_bytes());
            let without = String::from_utf8(without).expect("UTF-8");
            // m3u8-rs 6.0.1 and hls.js 1.7.4 read parts of `EXTINF`'s title as URIs.
            let key = if there.contains(&resolved(&without)) {
                self.signs(&without)
            } else {
                read.misread += 1;
                None
            };
            assert_eq!(
                found.len(),
                usize::from(key.is_some()),
                "{name} at {}: {uri}",
                self.url
            );
            if let (Some(key), Some((_, pass))) = (key, found.first()) {
                let verified = pass::verify(pass, &key, Seen::default(), &self.keys, EXPIRES);
                assert!(
                    verified.is_ok(),
                    "{name} at {}: {uri}: {verified:?}",
                    self.url
                );
            }
            read.passes += found.len();
            stripped.push(without);
        }
        assert_eq!(stripped, before, "{name} at {}", self.url);
        read
    }
}

/// Calls `check` with each URL, a playlist's name, its bytes and the rewritten bytes. Returns the
/// number of playlists, or prints a line and returns `None` without their folder.
fn for_each_rewritten(
    mut check: impl FnMut(&PlaylistLocation, &str, &[u8], &[u8]),
) -> Option<usize> {
    let folder = std::env::var_os("LECTERN_PLAYLISTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/playlists"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        print_line(&format!(
            "skipped: no public playlists in {} (LECTERN_PLAYLISTS)",
            folder.display()
        ));
        return None;
    }
    let keys = std::rc::Rc::new(Keyring::from_json(KEYS).expect("a key ring"));
    let mut files = Vec::new();
    collect(&folder, &mut files);
    for (origin, key, depth) in PLACES {
        let key = ObjectKey::new(key).expect("an object key");
        let root = Directory::ancestor_of(&key, depth).expect("a directory");
        let base = Base { origin, key: &key };
        let location = PlaylistLocation {
            url: Url::parse(&format!("{origin}{}", key.to_url_path())).expect("a URL"),
            root: root.as_str().to_owned(),
            keys: keys.clone(),
        };
        let grant = Grant {
            signing_key: keys.minting(),
            expires: EXPIRES,
            root,
            depth: u8::try_from(depth).expect("a depth"),
            binding: Seen::default(),
            ticket: None,
            limits: Limits::None,
        };
        for file in &files {
            let input = fs::read(file).expect("a playlist");
            let name = file.display().to_string();
            let output = rewrite(&input, &base, &grant).expect(&name).bytes;
            check(&location, &name, &without_steering(&input), &output);
        }
    }
    Some(files.len())
}

/// Removes the lines of Content Steering, which the edge does not serve.
fn without_steering(playlist: &[u8]) -> Vec<u8> {
    let is_steering = |line: &[u8]| line.starts_with(b"#EXT-X-CONTENT-STEERING");
    let lines = playlist.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| !is_steering(line))
        .collect::<Vec<_>>()
        .concat()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            collect(&entry, files);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "m3u8")
        {
            files.push(entry);
        }
    }
}

/// Removes every `?p=…` and `&p=…`. Returns the other bytes, and each pass with its offset in them.
/// None of these playlists has a `p` of its own.
fn strip(bytes: &[u8]) -> (Vec<u8>, Vec<(usize, String)>) {
    let mut kept = Vec::new();
    let mut passes = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(&bytes[at..bytes.len().min(at + 3)], b"?p=" | b"&p=") {
            kept.push(bytes[at]);
            at += 1;
            continue;
        }
        let start = at + 3;
        at = start;
        while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || b"._-".contains(&bytes[at]))
        {
            at += 1;
        }
        let pass = String::from_utf8(bytes[start..at].to_vec()).expect("ASCII");
        passes.push((kept.len(), pass));
    }
    (kept, passes)
}

/// Every URI of a playlist, with the offset for its pass: its end, before a fragment.
fn uris(playlist: &[u8]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut line_starts = 0;
    for line in playlist.split_inclusive(|byte| *byte == b'\n') {
        let text = str::from_utf8(line).expect("these playlists are UTF-8");
        let text = text.trim_end_matches('\n').trim_end_matches('\r');
        for uri in uris_of_line(text) {
            // Both are slices of the playlist, so their addresses give the offset of the URI.
            let start = uri.as_ptr().addr() - text.as_ptr().addr();
            let length = uri.find('#').unwrap_or(uri.len());
            found.push((line_starts + start + length, uri.to_owned()));
        }
        line_starts += line.len();
    }
    found
}

fn uris_of_line(line: &str) -> Vec<&str> {
    let trimmed = line.trim_matches([' ', '\t']);
    if trimmed.is_empty() {
        return Vec::new();
    }
    if !trimmed.starts_with('#') {
        return vec![trimmed];
    }
    let Some((tag, mut list)) = line.strip_prefix('#').and_then(|tag| tag.split_once(':')) else {
        return Vec::new();
    };
    let Some((_, names)) = ATTRIBUTES.iter().find(|(known, _)| *known == tag) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    while let Some((name, rest)) = list.split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        if names.contains(&name.trim()) {
            found.push(value);
        }
        list = rest.split_once(',').map_or("", |(_, rest)| rest);
    }
    found
}

fn uris_by_m3u8_rs(playlist: Playlist) -> Vec<String> {
    match playlist {
        Playlist::MasterPlaylist(playlist) => uris_of_multivariant(playlist),
        Playlist::MediaPlaylist(playlist) => uris_of_media(playlist),
    }
}

fn uris_of_multivariant(playlist: MasterPlaylist) -> Vec<String> {
    let variants = playlist.variants.into_iter().map(|variant| variant.uri);
    let renditions = playlist
        .alternatives
        .into_iter()
        .filter_map(|rendition| rendition.uri);
    let keys = playlist.session_key.into_iter().filter_map(|key| key.0.uri);
    let data = playlist
        .session_data
        .into_iter()
        .filter_map(|data| match data.field {
            SessionDataField::Uri(uri) => Some(uri),
            SessionDataField::Value(_) => None,
        });
    variants.chain(renditions).chain(keys).chain(data).collect()
}

fn uris_of_media(playlist: MediaPlaylist) -> Vec<String> {
    let of_segment = |segment: MediaSegment| {
        let key = segment.key.and_then(|key| key.uri);
        let map = segment.map.map(|map| map.uri);
        [Some(segment.uri), key, map].into_iter().flatten()
    };
    playlist.segments.into_iter().flat_map(of_segment).collect()
}

/// The URLs that hls.js reads in each playlist; `None` without Node.
fn uris_by_hls_js(script: &Path, playlists: &Value) -> Option<Vec<Vec<String>>> {
    let mut node = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = node.stdin.take().expect("a pipe");
    stdin
        .write_all(playlists.to_string().as_bytes())
        .expect("written");
    drop(stdin);
    let output = node.wait_with_output().expect("an answer");
    assert!(output.status.success(), "{} failed", script.display());
    Some(serde_json::from_slice(&output.stdout).expect("lists of URLs"))
}

fn skip_library(reason: &str) {
    assert!(
        std::env::var_os("LECTERN_REQUIRE_INTEROP").is_none(),
        "{reason}"
    );
    print_line(&format!("skipped: {reason}"));
}

/// Bypasses the test harness, which would hide the line.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
