//! The player page in Chromium loads files of its own and of configured origins, and of no other.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::process::succeed;
use testkit::root;

use lectern::credential::claims::Purpose;
use serde_json::{Value, json};

use super::edge::{Edge, built};
use super::{LECTURE, MASTER, media};

const FOREIGN_LINK: &str =
    "This link leads to another site. This page plays lectures of its own site only.";
const FOREIGN_FILE: &str =
    "This lecture has files on another site. This page loads files of its own site only.";

/// A listener that acts as another site and counts connections.
struct ForeignSite {
    origin: String,
    arrived: Arc<AtomicUsize>,
}

impl ForeignSite {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let arrived = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&arrived);
        std::thread::spawn(move || {
            for _connection in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            // A failed handshake is a connection too.
            origin: format!("https://{address}"),
            arrived,
        }
    }

    fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }
}

fn open_links(origin: &str, foreign: &ForeignSite, links: &[String]) -> Value {
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/foreign.mjs"))
            .args([origin, &foreign.origin])
            .args(links),
    );
    serde_json::from_str(&printed).expect("JSON")
}

/// Stores a playlist as an uploader. Returns its path and query with a link.
fn store(edge: &Edge, path: &str, playlist: &str) -> String {
    let upload = edge.token(path, Purpose::Upload);
    let put = edge.send(
        "PUT",
        &format!("{path}?token={upload}"),
        &[],
        playlist.as_bytes(),
    );
    assert!(matches!(put.status, 200 | 201), "{path}");
    format!("{path}?token={}", edge.token(path, Purpose::Play))
}

#[test]
fn the_page_asks_no_other_site_whatever_link_or_playlist_it_is_given() {
    let edge = Edge::start();
    edge.publish(media::package(), LECTURE);
    let foreign = ForeignSite::listen();
    let site = &foreign.origin;
    let stored = edge.get(&format!(
        "{MASTER}?as=stored&token={}",
        edge.token(MASTER, Purpose::Admin)
    ));
    let master = stored.text();
    let (head, variants) = master
        .split_once("#EXT-X-STREAM-INF")
        .expect("Variant Streams");
    let (attributes, _) = variants.split_once('\n').expect("a URI");

    let only_variant = format!(
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=852x480\n{site}/480p.m3u8?v\n"
    );
    let media_playlist = |lines: &str| {
        format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n\
             {lines}\n#EXT-X-ENDLIST\n"
        )
    };
    let segment = media_playlist(&format!("#EXTINF:4,\n{site}/seg0.ts"));
    let map = media_playlist(&format!(
        "#EXT-X-MAP:URI=\"{site}/init.mp4\"\n#EXTINF:4,\nseg0.m4s"
    ));
    let key = media_playlist(&format!(
        "#EXT-X-KEY:METHOD=AES-128,URI=\"{site}/key\"\n#EXTINF:4,\nseg0.ts"
    ));
    // The lecture plays, and its foreign files are not requested.
    let beside = format!(
        "{head}#EXT-X-CONTENT-STEERING:SERVER-URI=\"{site}/steering\"\n\
         #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"x\",LANGUAGE=\"x\",DEFAULT=YES,\
         AUTOSELECT=YES,URI=\"{site}/subtitles.m3u8\"\n\
         #EXT-X-SESSION-DATA:DATA-ID=\"lectern.poster\",URI=\"{site}/poster.jpg\"\n\
         #EXT-X-STREAM-INF{attributes},SUBTITLES=\"s\"\n{site}/480p.m3u8\n\
         #EXT-X-STREAM-INF{variants}"
    );

    let upload = edge.token("/uploads/u1/", Purpose::Upload);
    for name in ["seg0.ts", "seg0.m4s"] {
        let path = format!("/uploads/u1/{name}?token={upload}");
        edge.send("PUT", &path, &[], b"media");
    }
    let links = [
        format!("{site}/courses/rails/intro/master.m3u8?token=x"),
        format!(
            "{}/courses/rails/intro/master.m3u8",
            &site["https:".len()..]
        ),
        format!("blob:{}/9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", edge.origin),
        "data:application/vnd.apple.mpegurl,%23EXTM3U".to_owned(),
        store(&edge, "/uploads/u1/variant.m3u8", &only_variant),
        store(&edge, "/uploads/u1/segment.m3u8", &segment),
        store(&edge, "/uploads/u1/map.m3u8", &map),
        store(&edge, "/uploads/u1/key.m3u8", &key),
        store(&edge, &format!("{LECTURE}beside.m3u8"), &beside),
        edge.link(MASTER),
    ];
    let seen = open_links(&edge.origin, &foreign, &links);
    let shown = format!("{seen:#}\n{}", edge.log());
    assert_eq!(foreign.arrived(), 0, "{shown}");
    let expected = [
        FOREIGN_LINK,
        FOREIGN_LINK,
        FOREIGN_LINK,
        FOREIGN_LINK,
        FOREIGN_FILE,
        FOREIGN_FILE,
        FOREIGN_FILE,
        FOREIGN_FILE,
    ];
    for (at, sentence) in expected.iter().enumerate() {
        assert_eq!(seen["settled"][at]["said"], *sentence, "{at}: {shown}");
    }
    for at in [8, 9] {
        assert_eq!(seen["settled"][at]["how"], "ended", "{at}: {shown}");
    }
    // The policy itself blocks requests by a script of the page.
    assert_eq!(
        seen["stopped"],
        json!(["connect-src", "img-src", "media-src"]),
        "{shown}"
    );
}

#[test]
fn the_page_plays_a_lecture_with_captions_of_an_origin_that_is_configured() {
    let edge = Edge::start();
    let folder = tempfile::TempDir::new().expect("a folder");
    let captions = folder.path().join("talk.srt");
    fs::write(&captions, "1\n00:00:00,500 --> 00:00:02,000\nWelcome.\n").expect("written");
    let captions = format!("en={}", captions.display());
    let (_kept, package) = media::packaged(1, &["--ladder", "480", "--captions", &captions]);
    edge.publish(&package, LECTURE);

    let origins = folder.path().join("origins.txt");
    fs::write(&origins, format!("{}\n", edge.origin)).expect("written");
    let pages = folder.path().join("pages");
    succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("web/build.mjs"))
            .arg("--origins")
            .arg(&origins)
            .arg("--outdir")
            .arg(&pages),
    );
    let other = Edge::with_pages(&pages);
    let foreign = ForeignSite::listen();
    let seen = open_links(&other.origin, &foreign, &[edge.link(MASTER)]);
    let shown = format!("{seen:#}\n{}\n{}", edge.log(), other.log());
    assert_eq!(seen["settled"][0]["how"], "ended", "{shown}");
    assert_eq!(seen["settled"][0]["cues"], json!(["Welcome."]), "{shown}");
    assert_eq!(foreign.arrived(), 0, "{shown}");
}
