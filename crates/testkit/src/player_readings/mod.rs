//! Readings of one playlist: the edge's, hls.js's and Shaka Player's. Players run in one Node process.
//!
//! The property: in none of the three readings does a minted pass occur in a URL of another host.
//! Each URL with a pass names the object that the pass opens.

mod generate;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lectern::credential::binding::Binding;
use lectern::credential::keyring::Keyring;
use lectern::credential::pass;
use lectern::object::key::{Directory, ObjectKey};
use lectern::playlist::{
    Base, Entitlements, Grant, Limits, pictures, rewrite, rewrite_asset_list, uris,
};
use serde_json::{Value, json};
use url::Url;

use crate::root;

pub use generate::{ORIGIN, playlists};

const KEYS: &str = r#"[{"kid":"read","secret":"cmVhZGluZ3MgcmVhZGluZ3MgcmVhZGluZ3MgcmVhZGluZ3M"}]"#;
const NOW: u64 = 1_800_000_000;
/// The link and the pass of the viewer's own requests. No other host may see them.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.viewers-link.c2lnbmF0dXJl";
const OPENED: &str = "viewers-pass-of-the-playlist-itself";
/// Object keys of a Multivariant Playlist and of the Media Playlist that it lists; the link opens the folder `c/`.
const MULTIVARIANT: &str = "c/u1/p.m3u8";
const MEDIA: &str = "c/u1/s.m3u8";
/// Variables of a query that the author of a listing playlist chooses.
const CHOSEN: &str = "h=https%3A%2F%2Fevil.example&o=https%3A%2F%2Fvideo.example.org&e=&x=1";

/// A Node process with the players' parsers.
#[derive(Debug)]
pub struct Players {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// URLs by player.
pub type Readings = BTreeMap<String, Vec<String>>;

impl Players {
    /// Starts the process. `None` without Node or without the players' packages.
    pub fn start() -> Option<Self> {
        let root = root();
        if ["hls.js", "shaka-player"]
            .iter()
            .any(|player| !root.join("node_modules").join(player).is_dir())
        {
            return None;
        }
        let node = root.join("node_modules/node/bin/node");
        let mut process = Command::new(if node.exists() {
            &node
        } else {
            Path::new("node")
        })
        .arg(root.join("crates/testkit/players/read.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
        Some(Self {
            questions: process.stdin.take(),
            answers: BufReader::new(process.stdout.take()?),
            process,
        })
    }

    /// Reads playlists, each of which the previous one lists.
    ///
    /// # Panics
    /// When the process does not answer.
    pub fn read(&mut self, opened: &[(String, &[u8])]) -> Vec<Readings> {
        let question: Vec<Value> = opened
            .iter()
            .map(|(url, bytes)| json!({ "url": url, "bytes": STANDARD.encode(bytes) }))
            .collect();
        let questions = self.questions.as_mut().expect("a running process");
        writeln!(questions, "{}", Value::from(question)).expect("the process reads");
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("the process answers");
        serde_json::from_str(&answer).expect("a list of readings")
    }
}

impl Drop for Players {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.process.wait();
    }
}

/// Counts of checked items, so that a test can assert that a check had any.
#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    /// Passes that the edge minted.
    pub passes: usize,
    /// URLs of ours with a pass, in the players' readings.
    pub signed: usize,
    /// URLs of other hosts, in the players' readings.
    pub foreign: usize,
}

/// Checks the property for a Multivariant Playlist and a Media Playlist that it lists.
///
/// # Errors
/// When a reading breaks the property: the URL and the player.
pub fn check(players: &mut Players, multivariant: &[u8], media: &[u8]) -> Result<Seen, String> {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let entitlements = Entitlements {
        max_height: Some(720),
        langs: Some(vec!["en".to_owned()]),
        preview: Some((0, 60)),
    };
    let restricted = [
        Limits::RestrictedLink(entitlements),
        Limits::Media {
            preview: Some((0, 60)),
        },
    ];
    let mut seen = Seen::default();
    let mut done: Vec<[Option<Vec<u8>>; 2]> = Vec::new();
    for limits in [[Limits::None, Limits::None], restricted] {
        let opened = [(MULTIVARIANT, multivariant), (MEDIA, media)];
        let outputs: Vec<Option<Vec<u8>>> = opened
            .iter()
            .zip(limits)
            .map(|((key, input), limits)| rewritten(&keys, key, input, limits))
            .collect();
        let outputs: [Option<Vec<u8>>; 2] = outputs.try_into().expect("two playlists");
        if done.contains(&outputs) {
            continue;
        }
        // Players do not read a refused playlist. The other one may still be opened by itself.
        let shown: Vec<(String, &[u8])> = opened
            .iter()
            .zip(&outputs)
            .filter_map(|((key, _), output)| Some((url_of(key), output.as_deref()?)))
            .collect();
        let mut readings = players.read(&shown).into_iter();
        for ((key, input), output) in opened.iter().zip(&outputs) {
            let Some(output) = output else { continue };
            let minted = MintedPasses::of(&[multivariant, media], output);
            seen.passes += minted.passes.len();
            let mut read = readings.next().expect("a reading");
            let base = Url::parse(&url_of(key)).expect("a URL");
            read.insert("the edge".to_owned(), resolved(&base, output, uris(output)));
            judge(&keys, &minted, &read, &mut seen)
                .map_err(|found| report(&found, input, output))?;
        }
        done.push(outputs);
    }
    Ok(seen)
}

/// Checks the property for an asset list (RFC 8216bis appendix D).
///
/// # Errors
/// As [`check`].
pub fn check_asset_list(body: &[u8]) -> Result<Seen, String> {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = ObjectKey::new("c/u1/assets.json").expect("an object key");
    let output = rewrite_asset_list(body, &base(&key), &grant(&keys, &key, Limits::None));
    let found: Vec<String> = serde_json::from_slice::<Value>(&output)
        .ok()
        .and_then(|list| list["ASSETS"].as_array().cloned())
        .unwrap_or_default()
        .iter()
        .filter_map(|asset| asset["URI"].as_str())
        .filter_map(|uri| {
            Some(
                Url::parse(&url_of(key.as_str()))
                    .ok()?
                    .join(uri)
                    .ok()?
                    .into(),
            )
        })
        .collect();
    let mut seen = Seen::default();
    let minted = MintedPasses::of(&[body], &output);
    let read = Readings::from([("JSON".to_owned(), found)]);
    judge(&keys, &minted, &read, &mut seen).map_err(|found| report(&found, body, &output))?;
    Ok(seen)
}

/// Checks the property for a storyboard.
///
/// # Errors
/// As [`check`].
pub fn check_storyboard(board: &[u8]) -> Result<Seen, String> {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = "c/u1/storyboard.vtt";
    let Some(output) = rewritten(&keys, key, board, Limits::Storyboard) else {
        return Ok(Seen::default());
    };
    let base = Url::parse(&url_of(key)).expect("a URL");
    // Cue text is split as WebVTT does: CR, LF and CRLF end a line (§4.1), and players read one
    // line as an image.
    let text = String::from_utf8_lossy(&output);
    let lines = text
        .split(['\r', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let found = lines
        .filter_map(|line| Some(base.join(line).ok()?.into()))
        .collect();
    let mut seen = Seen::default();
    let minted = MintedPasses::of(&[board], &output);
    let read = Readings::from([
        ("WebVTT".to_owned(), found),
        (
            "the edge".to_owned(),
            resolved(&base, &output, pictures(&output)),
        ),
    ]);
    judge(&keys, &minted, &read, &mut seen).map_err(|found| report(&found, board, &output))?;
    Ok(seen)
}

fn url_of(key: &str) -> String {
    let credential = if key == MULTIVARIANT {
        format!("token={TOKEN}")
    } else {
        format!("p={OPENED}")
    };
    format!("{ORIGIN}/{key}?{CHOSEN}&{credential}")
}

fn base(key: &ObjectKey) -> Base<'_> {
    Base {
        origin: ORIGIN,
        key,
    }
}

fn grant<'keys>(keys: &'keys Keyring, key: &ObjectKey, limits: Limits) -> Grant<'keys> {
    Grant {
        signing_key: keys.minting(),
        expires: NOW,
        root: Directory::ancestor_of(key, 1).expect("a directory"),
        depth: 1,
        binding: Binding::default(),
        ticket: None,
        limits,
    }
}

fn rewritten(keys: &Keyring, key: &str, input: &[u8], limits: Limits) -> Option<Vec<u8>> {
    let key = ObjectKey::new(key).expect("an object key");
    rewrite(input, &base(&key), &grant(keys, &key, limits))
        .ok()
        .map(|rewritten| rewritten.bytes)
}

/// The URLs that a browser resolves from these URIs.
fn resolved(base: &Url, output: &[u8], uris: Vec<lectern::playlist::UriSpan>) -> Vec<String> {
    uris.into_iter()
        .filter_map(|span| {
            Some(
                base.join(str::from_utf8(&output[span.at]).ok()?)
                    .ok()?
                    .into(),
            )
        })
        .collect()
}

/// Length of the shortest pass.
const SHORTEST: usize = 30;

/// The passes of an answer that the stored text does not contain.
#[derive(Debug, Default)]
struct MintedPasses {
    passes: BTreeSet<String>,
    /// Their first bytes, which are searched in other text.
    beginnings: HashSet<[u8; SHORTEST]>,
    /// The viewer's own credentials, unless the input's author knows them.
    viewers: Vec<&'static str>,
}

impl MintedPasses {
    /// Collects them. `inputs` is everything that the author stored.
    fn of(inputs: &[&[u8]], output: &[u8]) -> Self {
        // A fuzzer learns passes and writes them inside other text. Each begins with its version.
        let known: HashSet<&[u8]> = inputs
            .iter()
            .flat_map(|input| input.windows(SHORTEST))
            .filter(|window| window[0] == b'E')
            .collect();
        let is_unknown = |secret: &&str| !inputs.iter().any(|input| holds(input, secret));
        let passes: BTreeSet<String> = runs(output)
            .filter(|run| matches!(run.len(), SHORTEST..=43) && !known.contains(&run[..SHORTEST]))
            .filter_map(|run| str::from_utf8(run).ok())
            .filter(|run| pass::decode(run).is_ok_and(|pass| pass.expires == NOW))
            .map(str::to_owned)
            .collect();
        let beginnings = passes
            .iter()
            .filter_map(|pass| pass.as_bytes().first_chunk().copied())
            .collect();
        Self {
            passes,
            beginnings,
            viewers: [TOKEN, OPENED].into_iter().filter(is_unknown).collect(),
        }
    }

    /// Returns whether a text contains a pass, or the credential of the viewer's request.
    fn is_in(&self, text: &[u8]) -> bool {
        let held = text
            .windows(SHORTEST)
            .any(|window| self.beginnings.contains(window));
        held || self.viewers.iter().any(|secret| holds(text, secret))
    }

    /// Returns whether a URL contains one: as text, percent-encoded, or as UTF-16 in bytes.
    fn is_in_url(&self, url: &str) -> bool {
        if self.is_in(url.as_bytes()) {
            return true;
        }
        if !url.contains('%') {
            return false;
        }
        let decoded: Vec<u8> = percent_encoding::percent_decode_str(url).collect();
        let text = String::from_utf8_lossy(&decoded);
        let pairs =
            |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        [u16::to_le_bytes, u16::to_be_bytes]
            .into_iter()
            .map(pairs)
            .chain([decoded.clone()])
            .any(|bytes| self.is_in(&bytes))
    }
}

fn holds(text: &[u8], secret: &str) -> bool {
    text.windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

/// Runs of characters of the pass alphabet.
fn runs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'))
}

/// Checks the property for readings.
fn judge(
    keys: &Keyring,
    minted: &MintedPasses,
    readings: &Readings,
    seen: &mut Seen,
) -> Result<(), String> {
    for (reader, urls) in readings {
        for text in urls {
            let Ok(mut url) = Url::parse(text) else {
                continue;
            };
            // A fragment is not sent.
            url.set_fragment(None);
            let text = url.as_str();
            if url.origin().ascii_serialization() != ORIGIN {
                seen.foreign += usize::from(reader != "the edge");
                if minted.is_in_url(text) {
                    return Err(format!("{reader} sends a credential away: {text}"));
                }
                continue;
            }
            let carried = runs(text.as_bytes())
                .filter_map(|run| minted.passes.get(str::from_utf8(run).ok()?));
            for pass in carried {
                seen.signed += usize::from(reader != "the edge");
                let opens = ObjectKey::from_url_path(url.path()).is_ok_and(|key| {
                    pass::verify(pass, &key, Binding::default(), keys, NOW).is_ok()
                });
                if !opens {
                    return Err(format!("{reader} shows a pass to another object: {text}"));
                }
            }
        }
    }
    Ok(())
}

fn report(found: &str, input: &[u8], output: &[u8]) -> String {
    format!(
        "{found}\n--- stored\n{}\n--- answered\n{}",
        input.escape_ascii().to_string().replace("\\n", "\n"),
        output.escape_ascii().to_string().replace("\\n", "\n")
    )
}
