//! The player in Chromium, as a viewer uses it: keys, panels, refusals, another site's page, and
//! accessibility.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use lectern::credential::claims::Claims;
use lectern::credential::link;
use lectern::object::key::Scope;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, built, lectern, now};
use super::{LECTURE, MASTER, media};

/// An edge with the lecture of [`made_lecture`], and the path of its download.
pub(crate) fn edge_with_lecture() -> (Edge, String) {
    let package = made_lecture();
    let edge = Edge::start();
    edge.publish(package, LECTURE);
    let revision = only_entry(&package.join("v"));
    (edge, format!("{LECTURE}v/{revision}/lecture.mp4"))
}

/// A package of a lecture of 40 seconds with chapters, captions and two audio tracks, built once.
fn made_lecture() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, package) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let package = folder.path().join("package");
        make_lecture(folder.path(), &package);
        (folder, package)
    });
    package
}

fn make_lecture(folder: &Path, package: &Path) {
    let at = |name: &str| folder.join(name);
    let chapter = |from: u32, title: &str| {
        let to = from + 20;
        format!("[CHAPTER]\nTIMEBASE=1/1\nSTART={from}\nEND={to}\ntitle={title}\n")
    };
    let chapters = [
        chapter(0, "Introduction"),
        chapter(20, "Questions & answers"),
    ]
    .concat();
    fs::write(at("chapters"), format!(";FFMETADATA1\n{chapters}")).expect("written");
    succeed(
        Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-i"])
            .arg(media::sample(40))
            .arg("-i")
            .arg(at("chapters"))
            .args(["-map", "0:v", "-map", "0:a", "-map", "0:a"])
            .args(["-map_chapters", "1", "-c", "copy"])
            .args(["-metadata:s:a:0", "language=eng"])
            .args(["-metadata:s:a:1", "language=deu"])
            .arg(at("lecture.mp4")),
    );
    let mut packages = lectern();
    packages.arg("package").arg(at("lecture.mp4"));
    packages.arg("-o").arg(package);
    packages.args(["--ladder", "480,720", "--preset", "ultrafast"]);
    for (language, word) in [("en", "Second"), ("de", "Sekunde")] {
        let captions = at(&format!("{language}.srt"));
        let cue = |second: u32| {
            format!(
                "{}\n00:00:{second:02},100 --> 00:00:{:02},900\n{word} {second}.\n\n",
                second / 3 + 1,
                second + 2
            )
        };
        let cues: String = (0..39).step_by(3).map(cue).collect();
        fs::write(&captions, cues).expect("written");
        packages.arg("--captions");
        packages.arg(format!("{language}={}", captions.display()));
    }
    succeed(&mut packages);
}

fn only_entry(folder: &Path) -> String {
    let mut entries = fs::read_dir(folder).expect("a folder");
    let entry = entries.next().expect("an entry").expect("an entry");
    entry.file_name().into_string().expect("UTF-8")
}

fn used(edge: &Edge, part: &str, links: &[&str]) -> Value {
    used_by("player.mjs", edge, part, links)
}

fn used_by(script: &str, edge: &Edge, part: &str, links: &[&str]) -> Value {
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser").join(script))
            .args([part, &edge.origin])
            .args(links),
    );
    serde_json::from_str(&printed).expect("JSON")
}

#[test]
fn the_player_is_used_by_keys_and_clicks() {
    let (edge, _) = edge_with_lecture();
    let opening = edge.link(MASTER);

    let seen = used(&edge, "use", &[&opening]);
    let shown = format!("{seen:#}\n{}", edge.log());
    let expected = json!({
        "keys": 21,
        "closed": 0,
        "groups": [
            "Quality", "Speed", "Captions", "Size", "Colors", "Position", "Audio",
        ],
        "qualities": ["Auto (480p)", "720p", "480p"],
        "audio": ["Deutsch"],
        "chapters": ["0:00Introduction", "0:20Questions & answers"],
        "found": 1,
        "preview": { "image": "storyboard/00000.jpg", "chapter": "Questions & answers" },
        "poster": "poster.jpg",
        "again": {
            "place": 20,
            "playbackRate": 2.5,
            "notice": "Resumed at 0:20.Start over",
        },
        "shared": { "place": 30, "label": "Einstellungen" },
        "errors": [],
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&seen[name], value, "{name}: {shown}");
    }
    let cue = seen["cue"].as_str().expect("a caption");
    assert!(cue.starts_with("Sekunde "), "{shown}");
}

#[test]
fn the_player_explains_what_it_cannot_do_and_is_embedded() {
    let (edge, file) = edge_with_lecture();
    let (opening, file) = (edge.link(MASTER), edge.link(&file));
    let seen = used(&edge, "trouble", &[&opening, &file]);
    let shown = format!("{seen:#}\n{}", edge.log());
    let refused = json!({
        "hasPicture": true,
        "paused": true,
        "said": "This link was withdrawn. Ask your school for a new one.",
        "advice": "Open the lecture from its course again. If that does not help, tell your school.",
    });
    assert_eq!(seen["refused"], refused, "{shown}");
    let stays = json!({ "state": "refused", "isKept": true });
    assert_eq!(seen["stays"], stays, "{shown}");
    assert_eq!(seen["retried"], "playing", "{shown}");
    let no_connection = "There is no connection. The lecture goes on when it is back.";
    assert_eq!(seen["offline"]["said"], no_connection, "{shown}");
    assert_eq!(seen["offline"]["state"], "offline", "{shown}");
    assert_eq!(seen["file"], 720, "{shown}");
    assert_eq!(seen["errors"], json!([]), "{shown}");

    let scope = Scope::parse(MASTER).expect("a scope");
    let expired = link::mint(edge.keys.minting(), &Claims::new(scope, now() - 60));
    let seen = used_by("player-embed.mjs", &edge, "embed", &[&opening, &expired]);
    let shown = format!("{seen:#}\n{}", edge.log());
    let element = json!({ "start": 12, "renewals": 1 });
    assert_eq!(seen["element"], element, "{shown}");
    let languages = json!([
        ["Couper le son", "Stummschalten"],
        ["Rétablir le son", "Stummschaltung aufheben"],
    ]);
    assert_eq!(seen["languages"], languages, "{shown}");
    assert_eq!(seen["origins"], json!([true, true]), "{shown}");
    assert_eq!(seen["preview"], false, "{shown}");
    assert_eq!(seen["react"], false, "{shown}");
    assert_eq!(seen["scrolls"], false, "{shown}");
    let ratio = seen["ratio"].as_f64().expect("a number");
    assert!((ratio - 16.0 / 9.0).abs() < 0.02, "{shown}");
    assert_eq!(seen["violations"], json!([]), "{shown}");
}

#[test]
fn nothing_that_is_pressed_at_random_leaves_the_player_stuck() {
    let (edge, _) = edge_with_lecture();
    let seen = used(&edge, "monkey", &[&edge.link(MASTER)]);
    let shown = format!("{seen:#}\n{}", edge.log());
    assert_eq!(seen["state"], "playing", "{shown}");
    let rest = seen["rest"].as_str().expect("a state");
    let states = ["playing", "paused", "ended", "slow", "offline", "refused"];
    assert!(states.contains(&rest), "{shown}");
    assert_eq!(seen["errors"], json!([]), "{shown}");
}

/// Notes, transcript, styles, watermark and download, with a link that allows all of them.
#[test]
fn notes_transcript_styles_watermark_and_download_work() {
    let (edge, _) = edge_with_lecture();
    let token = edge.token_of(json!({ "path": LECTURE, "use": "download", "sub": "s42" }));
    let link = format!("{}{MASTER}?token={token}", edge.origin);
    let seen = used_by("player-tools.mjs", &edge, "tools", &[&link]);
    let shown = format!("{seen:#}\n{}", edge.log());
    let none: [&str; 0] = [];
    let expected = json!({
        "deleted": [["0:25", "What is a proof? Ask!"]],
        "notes": [["0:25", "What is a proof? Ask!"], ["0:32", "Later"]],
        "kept": 2,
        "transcript": {
            "lines": 40,
            "isFocused": true,
            "captions": "false",
            "cues": 0,
            "marks": 11,
        },
        "timeline": [15, 25, 20, 0],
        "held": false,
        "skipped": true,
        "lowData": [true, false],
        "style": ["rgb(255, 228, 92)", "huge", true],
        "outside": [["showing", "disabled"], 0],
        "inside": ["hidden", "disabled"],
        "watermark": ["Priya Sharma", "true", "across", true],
        "still": "none",
        "focus": ["pill retry", "button settings"],
        "download": ["lecture.mp4", "intro.mp4"],
        "reachable": { "1280x720": none, "390x700": none, "320x640": none, "320x180": none },
        "errors": [],
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&seen[name], value, "{name}: {shown}");
    }
    let title = seen["title"][0].as_str().expect("a title");
    let notes = format!("# {title}\n\n- **0:25** What is a proof? Ask!\n- **0:32** Later\n");
    assert_eq!(
        seen["exported"],
        json!([format!("{title}.md"), notes]),
        "{shown}"
    );
    assert_eq!(seen["title"][1], title, "{shown}");
}

/// Panels, notices and cards, with a link that lets a viewer keep the lecture.
#[test]
fn every_panel_and_card_is_accessible() {
    let (edge, _) = edge_with_lecture();
    let opening = edge.link(MASTER);
    let link = |more: Value| {
        let mut claims = json!({ "path": LECTURE, "sub": "s7" });
        claims
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        format!("{}{MASTER}?token={}", edge.origin, edge.token_of(claims))
    };
    let keeping = link(json!({ "offline": 3600 }));
    let preview = link(json!({ "preview": [0, 4] }));
    let looks = [
        ("panels", vec![&opening], 24),
        ("states", vec![&keeping, &preview], 16),
    ];
    for (part, links, looked) in looks {
        let links: Vec<&str> = links.into_iter().map(String::as_str).collect();
        let seen = used_by("player-axe.mjs", &edge, part, &links);
        let shown = format!("{seen:#}\n{}", edge.log());
        assert_eq!(seen["looked"], looked, "{part}: {shown}");
        for name in ["violations", "small", "errors"] {
            assert_eq!(seen[name], json!([]), "{part}, {name}: {shown}");
        }
    }
}

#[test]
fn the_end_of_a_preview_leads_to_the_course() {
    let edge = Edge::start();
    edge.publish(media::package(), LECTURE);
    let token = edge.token_of(json!({ "path": LECTURE, "preview": [0, 4] }));
    let link = format!("{}{MASTER}?token={token}", edge.origin);
    let seen = used(&edge, "preview", &[&link]);
    let shown = format!("{seen:#}\n{}", edge.log());
    let expected = json!({
        "title": "The preview ends here.",
        "advice": "Open the course to watch the whole lecture.",
        "course": [false, true],
        "again": true,
        "preview": true,
    });
    assert_eq!(seen, expected, "{shown}");
}

#[test]
fn the_interface_outlasts_other_tabs_clones_and_lines_that_fail_once() {
    let edge = Edge::start();
    edge.publish(media::package(), LECTURE);
    let no_room = "This browser could not store the note. Save your notes as a file.";
    let expected = [
        (
            "notes",
            json!({
                "tabs": ["of the other tab", "of this tab"],
                "draft": "half a sen",
                "edited": ["edited", "of this tab"],
                "undone": ["changed", "edited"],
                "unkept": [["changed", "edited", "without room"], no_room],
            }),
        ),
        (
            "keys",
            json!({ "list": [1, true], "off": [false, 0], "on": true }),
        ),
        (
            "watermark",
            json!({
                "without": { "shown": false, "button": true, "isForbidden": false },
                "with": { "shown": true, "button": false, "isForbidden": true },
                "keys": 0,
                "outside": false,
                "refused": ["Lecture", "Lecture", true],
            }),
        ),
        (
            "element",
            json!({ "fallback": 0, "cloned": [2, true], "isLeaking": false }),
        ),
    ];
    for (part, expected) in expected {
        let seen = used_by("interface.mjs", &edge, part, &[&edge.link(MASTER)]);
        assert_eq!(seen, expected, "{part}: {seen:#}\n{}", edge.log());
    }
}
