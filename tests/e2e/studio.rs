//! The studio page in Chromium: recordings go up over a line that breaks.

use std::process::Command;

use lectern::credential::claims::Purpose;
use serde_json::{Value, json};
use testkit::files::sha256;
use testkit::process::succeed;
use testkit::{recording, root};

use super::edge::{Edge, built};
use super::{LECTURE, MASTER, media};

const FOLDER: &str = "/uploads/rails/";
const UNKNOWN: &str = "The browser does not know this format, so nothing could be checked. \
                       If it is a recording, upload it.";
const EXPIRED: &str = "The link has expired. What went up is kept. \
                       Open this page from your course again to go on.";
/// The code of docs/embed.md, without its link.
const EMBED: &str = "<iframe src=\"/_lectern/play#\" title=\"intro\" \
                     allow=\"autoplay; fullscreen; picture-in-picture\" \
                     style=\"border:0;width:100%;aspect-ratio:16/9\"></iframe>";

#[test]
fn a_recording_goes_up_whole_through_kills_breaks_and_expired_links() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = recording::clip(folder.path(), "320x180", 6);
    let silent = folder.path().join("silent.mp4");
    succeed(recording::copying(&clip, "0:v").arg(&silent));
    let whole = std::fs::read(&clip).expect("a clip");
    let cut = &whole[..whole.len() * 6 / 10];
    std::fs::write(folder.path().join("cut.mp4"), cut).expect("written");

    let edge = Edge::start();
    edge.publish(media::package(), LECTURE);
    let watch = edge.link(MASTER).replace(&edge.origin, "");
    // A browser that was killed keeps its profile, so the other parts have a browser of their own.
    let used = |parts: &str| -> Value {
        let printed = succeed(
            Command::new(built("node_modules/node/bin/node"))
                .arg(root().join("tests/browser/studio.mjs"))
                .arg(&edge.origin)
                .arg(folder.path())
                .arg(edge.token(FOLDER, Purpose::Upload))
                .arg(edge.token("/uploads/small/", Purpose::Upload))
                .arg(&watch)
                .env("ONLY", parts),
        );
        serde_json::from_str(&printed).expect("JSON")
    };
    let mut seen = used("warnings,killed");
    let more = used("interrupted,packaged");
    for part in ["interrupted", "packaged"] {
        seen[part] = more[part].clone();
    }
    assert_eq!(more["errors"], json!([]), "{more:#}");
    let shown = format!("{seen:#}\n{}", edge.log());
    let none: [&str; 0] = [];
    let expected = json!({
        "warnings": {
            "refused": {
                "none": "This page needs an upload link: open it from your course.",
                "play": "This link uploads nothing. Open this page from your course.",
                "other": "This link leads to another site. This page uploads to its own site only.",
            },
            "told": {
                "empty.mp4": ["The file is empty: it has 0 bytes. Choose the recording itself."],
                "silent.mp4": ["The browser found no audio in this file. Was the microphone on?"],
                "cut.mp4": ["The file is cut short: 0:03 of 0:06 is there. Copy it again."],
                "notes.txt": [UNKNOWN],
            },
            "facts": "0:06 · SIZE · 320 × 180 · MP4 · H.264",
            "sent": 0,
            "axes": none,
        },
        "killed": {
            "left": "SOME of ALL went up. Choose film.mp4 again to go on.",
            "parts": [1, 2, 3],
            "axes": none,
        },
        "interrupted": {
            "broken": "The site does not answer. The upload goes on by itself.",
            "other": "This upload runs in another tab.",
            "expired": EXPIRED,
            "parts": [1, 2, 3],
            "twice": "talk.mp4 is in the list already.",
            "axes": none,
            "again": 0,
            "aborted": 2,
            "left": none,
        },
        "packaged": {
            "bar": 0.4,
            "parts": [1, 2],
            "copied": "/_lectern/play#WATCH",
            "embed": EMBED,
            "axes": none,
            "plays": true,
        },
        "errors": none,
    });
    assert_eq!(seen, expected, "{shown}");

    for name in ["film.mp4", "talk.mp4"] {
        let file = std::fs::read(folder.path().join(name)).expect("a film");
        let path = format!("{FOLDER}{name}");
        let token = edge.token(&path, Purpose::Play);
        let stored = edge.get(&format!("{path}?token={token}"));
        assert_eq!(sha256(&stored.body), sha256(&file), "{path}");
    }
}
