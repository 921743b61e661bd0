//! Links for folders: one for a course opens every lecture in it. Another user's playlist within
//! the folder does not widen a restricted link.

use std::collections::BTreeSet;

use lectern::credential::binding::Binding;
use lectern::credential::claims::Purpose;
use lectern::credential::pass::{self, PassKind};
use lectern::object::key::ObjectKey;
use serde_json::{Value, json};

use super::edge::{Edge, now};
use super::media::{self, Playlist};
use super::{LECTURE, MASTER, MPD, browser, published, walk};

/// The folder of the course, and the folder of all courses.
const COURSES: [&str; 2] = ["/courses/rails/", "/courses/"];

#[test]
fn a_link_for_a_whole_course_opens_all_of_each_lecture() {
    let edge = published();
    let first = walk(&edge);
    for folder in COURSES {
        let token = edge.token(folder, Purpose::Play);
        let link = |path: &str| format!("{path}?token={token}");
        // By the Multivariant Playlist: everything that a link for the lecture alone opens.
        let master = Playlist::open(&edge, &link(MASTER));
        let playlists = master.listed();
        let paths = |urls: &[String]| -> BTreeSet<String> {
            let path = |url: &String| url.split('?').next().unwrap_or_default().to_owned();
            urls.iter().map(path).collect()
        };
        assert_eq!(paths(&playlists), paths(&first.playlists), "{folder}");
        let mut objects = Vec::new();
        for playlist in &playlists {
            objects.extend(Playlist::open(&edge, playlist).listed());
        }
        assert_eq!(paths(&objects), paths(&first.objects), "{folder}");
        for url in &objects {
            assert_eq!(edge.get(url).verdict(), "200", "{folder}: {url}");
        }
        // The storyboard, the poster, and each image.
        for id in ["lectern.storyboard", "lectern.poster"] {
            let url = master.session_data(id).expect("it is listed");
            assert_eq!(edge.get(&url).verdict(), "200", "{folder}: {url}");
        }
        let board = master
            .session_data("lectern.storyboard")
            .expect("a storyboard");
        let board = Playlist::open(&edge, &board);
        let sprite = board
            .text
            .lines()
            .find(|line| line.contains("#xywh="))
            .expect("a picture");
        let sprite = board.beside(sprite.split('#').next().expect("a URI"));
        assert_eq!(edge.get(&sprite).verdict(), "200", "{folder}: {sprite}");

        // A Media Playlist and a storyboard that the link opens directly.
        for playlist in paths(&first.playlists) {
            let opened = Playlist::open(&edge, &link(&playlist));
            for url in opened.listed() {
                assert_eq!(edge.get(&url).verdict(), "200", "{folder}: {url}");
            }
        }
        let path = board.beside("storyboard.vtt");
        let direct = Playlist::open(&edge, &link(&path));
        assert!(direct.text.contains("?p="), "{}", direct.text);

        // Below a directory's pass: DASH, and HLS for players that keep no query.
        for url in [
            format!("{}&as=directory", link(MPD)),
            format!("{}&as=directory", link(MASTER)),
        ] {
            let redirect = edge.send("GET", &url, &[], &[]);
            assert_eq!(redirect.status, 307, "{folder}: {}", redirect.verdict());
            let location = redirect.header("location").expect("a location");
            assert_eq!(edge.get(location).verdict(), "200", "{location}");
            let (pass, _) = location[2..].split_once('/').expect("a pass in the path");
            for path in paths(&objects) {
                let url = format!("/~{pass}{path}");
                assert_eq!(edge.get(&url).verdict(), "200", "{folder}: {url}");
            }
        }
    }

    // Players play it.
    let course = |path: &str, more: &str| {
        let token = edge.token(COURSES[0], Purpose::Play);
        format!("{}{path}?token={token}{more}", edge.origin)
    };
    let (hls, dash, directory) = (
        course(MASTER, ""),
        course(MPD, ""),
        course(MASTER, "&as=directory"),
    );
    media::decode(&hls);
    media::decode(&directory);
    let plays = [
        ("hlsjs", &hls),
        ("shaka", &hls),
        ("native", &hls),
        ("shaka", &dash),
        ("dashjs", &dash),
        ("shaka", &directory),
    ];
    for ((player, link), played) in plays.iter().zip(browser::play_elsewhere(&plays)) {
        let shown = format!("{player} {link}: {played:#}\n{}", edge.log());
        assert_eq!(played["how"], "ended", "{shown}");
        assert_eq!(played["errors"], json!([]), "{shown}");
        assert_eq!(played["refused"], json!([]), "{shown}");
    }
}

#[test]
fn a_restricted_link_for_a_whole_course_opens_each_lecture_as_it_says() {
    let edge = published();
    for folder in COURSES {
        for (claims, is_listed) in [
            (json!({ "max_height": 480 }), ("/480p/", "/720p/")),
            (
                json!({ "preview": [0, 4] }),
                ("/480p/seg00000", "/480p/seg00002"),
            ),
        ] {
            let mut claims = claims;
            claims["path"] = folder.into();
            let token = edge.token_of(claims.clone());
            let playlists = Playlist::open(&edge, &format!("{MASTER}?token={token}")).listed();
            let mut all = playlists.clone();
            for playlist in &playlists {
                all.extend(Playlist::open(&edge, playlist).listed());
            }
            let (wanted, unwanted) = is_listed;
            assert!(
                all.iter().any(|url| url.contains(wanted)),
                "{claims}: {all:#?}"
            );
            assert!(
                !all.iter().any(|url| url.contains(unwanted)),
                "{claims}: {all:#?}"
            );
            for url in &all {
                assert_eq!(edge.get(url).verdict(), "200", "{claims}: {url}");
            }
            media::decode(&format!("{}{MASTER}?token={token}", edge.origin));
        }
    }
}

#[test]
fn no_playlist_below_a_restricted_links_folder_widens_the_link() {
    let edge = published();
    let first = walk(&edge);
    // 720p and 1080p, and the part after a preview of four seconds.
    let path = |url: &String| url.split('?').next().unwrap_or_default().to_owned();
    let forbidden: Vec<String> = first
        .objects
        .iter()
        .chain(&first.playlists)
        .map(path)
        .filter(|path| {
            ["/720p/", "/1080p/", "/seg00002", "/seg00003"]
                .iter()
                .any(|part| path.contains(part))
        })
        .collect();
    assert!(forbidden.len() >= 10, "{forbidden:#?}");

    // A student's folder beside the lecture, one within it, and one within its revision.
    let below = forbidden[0]
        .strip_prefix(LECTURE)
        .expect("below the lecture");
    let revision: Vec<&str> = below.split('/').take(2).collect();
    let revision = format!("{LECTURE}{}", revision.join("/"));
    let mut failed = Vec::new();
    for own in [
        "/courses/rails/students/u1/".to_owned(),
        format!("{LECTURE}notes/"),
        format!("{revision}/notes/"),
    ] {
        let upload = edge.token(&own, Purpose::Upload);
        let put = |name: &str, text: &str| {
            let url = format!("{own}{name}?token={upload}");
            let reply = edge.send("PUT", &url, &[], text.as_bytes());
            assert!(
                matches!(reply.status, 200 | 201),
                "{url}: {}",
                reply.verdict()
            );
        };
        let segments: String = forbidden
            .iter()
            .map(|path| format!("#EXTINF:0.01,\n{path}\n"))
            .collect();
        let attributes: String = forbidden
            .iter()
            .map(|path| {
                format!(
                    "#EXT-X-MAP:URI=\"{path}\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"{path}\"\n\
                     #EXT-X-PART:DURATION=0.01,URI=\"{path}\"\n#EXT-X-RENDITION-REPORT:URI=\"{path}\"\n\
                     #EXT-X-DATERANGE:ID=\"{path}\",X-ASSET-URI=\"{path}\",X-ASSET-LIST=\"{path}\"\n"
                )
            })
            .collect();
        put(
            "s.m3u8",
            &format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{attributes}{segments}#EXT-X-ENDLIST\n"),
        );
        let listing: String = forbidden
            .iter()
            .map(|path| {
                format!(
                    "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\n{path}\n\
                     #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",LANGUAGE=\"en\",NAME=\"n\",URI=\"{path}\"\n\
                     #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,URI=\"{path}\"\n\
                     #EXT-X-SESSION-DATA:DATA-ID=\"d\",URI=\"{path}\"\n\
                     #EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"{path}\"\n"
                )
            })
            .collect();
        put(
            "p.m3u8",
            &format!(
                "#EXTM3U\n{listing}#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,AUDIO=\"a\"\ns.m3u8\n"
            ),
        );
        for claims in [
            json!({ "max_height": 480 }),
            json!({ "preview": [0, 4] }),
            json!({ "langs": ["en"] }),
            json!({ "max_height": 480, "preview": [0, 4], "langs": ["en"] }),
        ] {
            for folder in COURSES {
                failed.extend(widened(&edge, folder, &own, &claims, &forbidden));
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} ways:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Forbidden objects that the answers to a restricted link's playlists open.
fn widened(
    edge: &Edge,
    folder: &str,
    own: &str,
    claims: &Value,
    forbidden: &[String],
) -> Vec<String> {
    let mut claims = claims.clone();
    claims["path"] = folder.into();
    let token = edge.token_of(claims.clone());
    let opened = edge.get(&format!("{own}p.m3u8?token={token}"));
    assert_eq!(opened.verdict(), "200", "{claims}");
    let mut texts = vec![opened.text().to_owned()];
    // Every playlist that it lists.
    let base = url::Url::parse(&format!("{}{own}p.m3u8", edge.origin)).expect("a URL");
    for uri in texts[0]
        .clone()
        .split(['\n', '"'])
        .filter(|uri| uri.contains("?p="))
    {
        let url = base.join(uri).expect("a URL");
        let reply = edge.send("GET", &url.as_str()[edge.origin.len()..], &[], &[]);
        if reply
            .header("content-type")
            .is_some_and(|kind| kind.contains("mpegurl"))
        {
            texts.push(reply.text().to_owned());
        }
    }
    assert!(texts.len() > 1, "{claims}: it leads to no playlist");
    let is_of_pass =
        |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    let passes: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| text.split(|character| !is_of_pass(character)))
        .filter(|run| pass::decode(run).is_ok())
        .collect();
    let mut found = Vec::new();
    for path in forbidden {
        let key = ObjectKey::from_url_path(path).expect("a key");
        // A pass for a playlist opens no segment, on any URL.
        let opens = |pass: &&&str| {
            pass::verify(pass, &key, Binding::default(), &edge.keys, now())
                .is_ok_and(|pass| pass.kind == PassKind::Object || key.has_extension("m3u8"))
        };
        if let Some(pass) = passes.iter().find(opens) {
            let address = format!("198.{}.{}.1", found.len(), claims.to_string().len());
            let headers = [("cf-connecting-ip", address.as_str())];
            let verdict = edge
                .send("GET", &format!("{path}?p={pass}"), &headers, &[])
                .verdict();
            found.push(format!("{claims} by {own}: {path}: {verdict}"));
        }
    }
    found
}
