//! Passes in the edge's answers to an uploader's objects.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use lectern::credential::binding::Binding as Seen;
use lectern::credential::pass;
use lectern::object::key::ObjectKey;
use serde_json::json;
use testkit::attacks::{self, AttackSite, media, multivariant};

use super::playlists::cases;
use super::{Case, HLS, OTHERS, Stage};
use crate::edge::now;

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
