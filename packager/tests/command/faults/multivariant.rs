//! Faults of the Multivariant Playlist.

use super::{Planted, PlantedFault, position};

const MASTER: &str = "master.m3u8";

fn text(planted: &Planted, from: &str, to: &str) {
    planted.text(MASTER, from, to);
}

/// Adds a line behind the version.
fn line(planted: &Planted, line: &str) {
    planted.add(MASTER, "#EXT-X-VERSION", line);
}

/// Repeats the first entry of a tag, with a change.
fn repeat(planted: &Planted, tag: &str, change: impl Fn(&str) -> String) {
    planted.lines(MASTER, |lines| {
        let at = position(lines, tag);
        let again = change(&lines[at]);
        lines.insert(at + 1, again);
    });
}

pub(super) const FAULTS: &[PlantedFault] = &[
    ("an attribute name with an underscore", "MV-07", |p| {
        text(p, ",FRAME-RATE=", ",FRAME_RATE=");
    }),
    ("VIDEO-RANGE of HDR for other video", "MV-13", |p| {
        text(p, ",FRAME-RATE", ",VIDEO-RANGE=PQ,FRAME-RATE");
    }),
    ("an unknown TYPE", "RG-01", |p| {
        text(p, "TYPE=AUDIO", "TYPE=SOUND");
    }),
    ("closed captions with a URI", "RG-01", |p| {
        line(
            p,
            "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC\",INSTREAM-ID=\"CC1\",URI=\"a\"",
        );
    }),
    ("closed captions without a channel", "RG-01", |p| {
        line(
            p,
            "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC\"",
        );
    }),
    ("no GROUP-ID", "RG-01", |p| {
        text(p, "GROUP-ID=\"audio\",", "");
    }),
    ("no TYPE", "RG-01", |p| text(p, "TYPE=AUDIO,", "")),
    ("no NAME", "RG-02", |p| text(p, "NAME=\"Deutsch\",", "")),
    ("two Renditions of one NAME", "RG-02", |p| {
        text(p, "NAME=\"Deutsch\"", "NAME=\"English\"");
    }),
    ("no LANGUAGE", "RG-03", |p| text(p, "LANGUAGE=\"de\",", "")),
    ("LANGUAGE with an underscore", "RG-03", |p| {
        text(p, "LANGUAGE=\"de\"", "LANGUAGE=\"de_DE\"");
    }),
    ("two DEFAULTs", "RG-04", |p| {
        text(p, "DEFAULT=NO", "DEFAULT=YES");
    }),
    ("no DEFAULT", "RG-04", |p| {
        text(p, "DEFAULT=YES", "DEFAULT=NO");
    }),
    ("DEFAULT without AUTOSELECT", "RG-04", |p| {
        text(p, "DEFAULT=YES,AUTOSELECT=YES", "DEFAULT=YES,AUTOSELECT=NO");
    }),
    ("a second group with other Renditions", "RG-05", |p| {
        repeat(p, "#EXT-X-MEDIA:TYPE=AUDIO", |line| {
            line.replace("GROUP-ID=\"audio\"", "GROUP-ID=\"more\"")
        });
    }),
    ("CHANNELS of another number", "RG-06", |p| {
        text(p, "CHANNELS=\"2\"", "CHANNELS=\"6\"");
    }),
    ("no CHANNELS", "RG-06", |p| text(p, "CHANNELS=\"2\",", "")),
    ("subtitles without a URI", "RG-01", |p| {
        p.lines(MASTER, |lines| {
            let at = position(lines, "#EXT-X-MEDIA:TYPE=SUBTITLES");
            let end = lines[at].find(",URI=").expect("a URI");
            lines[at].truncate(end);
        });
    }),
    ("audio without a URI that is in no segment", "MV-05", |p| {
        p.lines(MASTER, |lines| {
            lines.retain(|line| !line.contains("LANGUAGE=\"de\""));
            let at = position(lines, "#EXT-X-MEDIA:TYPE=AUDIO");
            let end = lines[at].find(",URI=").expect("a URI");
            lines[at].truncate(end);
        });
    }),
    ("a group that is not there", "MV-09", |p| {
        text(p, "AUDIO=\"audio\"", "AUDIO=\"sound\"");
    }),
    ("a subtitle group that is not there", "MV-09", |p| {
        text(p, "SUBTITLES=\"subtitles\"", "SUBTITLES=\"text\"");
    }),
    ("a group of another type", "MV-09", |p| {
        text(p, "AUDIO=\"audio\"", "AUDIO=\"subtitles\"");
    }),
    ("a caption group that is not there", "MV-09", |p| {
        text(p, "CLOSED-CAPTIONS=NONE", "CLOSED-CAPTIONS=\"cc\"");
    }),
    ("a Variant Stream without its subtitles", "MV-14", |p| {
        text(p, ",SUBTITLES=\"subtitles\"", "");
    }),
    ("a group that no Variant Stream names", "MV-14", |p| {
        repeat(p, "#EXT-X-MEDIA:TYPE=SUBTITLES", |line| {
            line.replace("GROUP-ID=\"subtitles\"", "GROUP-ID=\"more\"")
        });
    }),
    ("a Variant Stream without its audio", "MV-05", |p| {
        text(p, ",AUDIO=\"audio\"", "");
    }),
    ("half the BANDWIDTH", "MV-03", |p| {
        scale(p, ":BANDWIDTH=", 0.5);
    }),
    ("twice the BANDWIDTH", "MV-03", |p| {
        scale(p, ":BANDWIDTH=", 2.0);
    }),
    ("BANDWIDTH in kbit/s", "MV-03", |p| {
        scale(p, ":BANDWIDTH=", 0.001);
    }),
    ("half the AVERAGE-BANDWIDTH", "MV-04", |p| {
        scale(p, ",AVERAGE-BANDWIDTH=", 0.5);
    }),
    ("twice the AVERAGE-BANDWIDTH", "MV-04", |p| {
        scale(p, ",AVERAGE-BANDWIDTH=", 2.0);
    }),
    ("no AVERAGE-BANDWIDTH", "MV-04", |p| {
        text(p, ",AVERAGE-BANDWIDTH=", ",X-AVERAGE=");
    }),
    ("CODECS of another profile", "MV-05", |p| {
        text(p, "CODECS=\"avc1.42", "CODECS=\"avc1.64");
    }),
    ("CODECS of HEVC", "MV-05", |p| {
        text(p, "CODECS=\"avc1.42c0", "CODECS=\"hvc1.1.6.L93.B0,");
    }),
    ("CODECS without audio", "MV-05", |p| {
        text(p, ",mp4a.40.2\"", "\"");
    }),
    ("CODECS of other audio", "MV-05", |p| {
        text(p, ",mp4a.40.2\"", ",ec-3\"");
    }),
    ("CODECS of HE-AAC", "MV-05", |p| {
        text(p, ",mp4a.40.2\"", ",mp4a.40.5\"");
    }),
    ("no CODECS", "MV-05", |p| text(p, "CODECS=", "X-CODECS=")),
    ("CODECS without a level", "MV-05", |p| {
        text(p, "CODECS=\"avc1.42c015", "CODECS=\"avc1");
    }),
    ("RESOLUTION of another size", "MV-06", |p| {
        text(p, "426x240", "428x240");
    }),
    ("RESOLUTION on its side", "MV-06", |p| {
        text(p, "426x240", "240x426");
    }),
    ("no RESOLUTION", "MV-06", |p| {
        text(p, "RESOLUTION=426x240,", "");
    }),
    ("FRAME-RATE of another rate", "MV-07", |p| {
        text(p, "FRAME-RATE=25", "FRAME-RATE=30");
    }),
    ("no FRAME-RATE", "MV-07", |p| text(p, "FRAME-RATE=25,", "")),
    ("a Variant Stream without CLOSED-CAPTIONS", "MV-08", |p| {
        text(p, ",CLOSED-CAPTIONS=NONE", "");
    }),
    ("a Variant Stream twice", "MV-11", |p| {
        p.lines(MASTER, |lines| {
            let at = position(lines, "#EXT-X-STREAM-INF");
            let again = [lines[at].clone(), lines[at + 1].clone()];
            lines.extend(again);
        });
    }),
    ("no Variant Stream", "MV-01", |p| {
        p.lines(MASTER, |lines| {
            lines.retain(|line| line.starts_with('#') && !line.starts_with("#EXT-X-STREAM-INF"));
        });
    }),
    ("no EXT-X-INDEPENDENT-SEGMENTS", "MV-02", |p| {
        p.drop_line(MASTER, "#EXT-X-INDEPENDENT-SEGMENTS");
    }),
    ("playlists of two rungs exchanged", "MV-06", |p| {
        p.lines(MASTER, |lines| {
            let at = position(lines, "#EXT-X-STREAM-INF");
            lines.swap(at + 1, at + 3);
        });
    }),
    (
        "playlists of two languages exchanged with video",
        "MV-05",
        |p| {
            p.lines(MASTER, |lines| {
                let at = position(lines, "#EXT-X-STREAM-INF");
                lines[at + 1] = lines[at + 1].replace("240p", "audio/en");
            });
        },
    ),
    ("I-frames with the size of another rung", "IF-03", |p| {
        text(
            p,
            "RESOLUTION=426x240,STABLE-VARIANT-ID=\"iframes\"",
            "RESOLUTION=640x360",
        );
    }),
    ("I-frames with half their BANDWIDTH", "IF-03", |p| {
        scale(p, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=", 0.5);
    }),
    ("I-frames of another codec", "IF-03", |p| {
        text(p, "CODECS=\"avc1.4d", "CODECS=\"avc1.64");
    }),
    ("I-frames without a URI", "PL-01", |p| {
        p.lines(MASTER, |lines| {
            let at = position(lines, "#EXT-X-I-FRAME-STREAM-INF");
            let end = lines[at].find(",URI=").expect("a URI");
            lines[at].truncate(end);
        });
    }),
    ("no I-frames", "IF-04", |p| {
        p.drop_line(MASTER, "#EXT-X-I-FRAME-STREAM-INF");
    }),
    ("I-frames that list a Rendition", "IF-01", |p| {
        text(p, "iframes/playlist.m3u8", "240p/playlist.m3u8");
    }),
    ("a playlist that is not there", "OB-01", |p| {
        text(p, "360p/playlist", "361p/playlist");
    }),
    ("a playlist outside the folder", "OB-02", |p| {
        text(p, "\nv/", "\n../v/");
    }),
    ("a playlist on another host", "OB-02", |p| {
        text(p, "\nv/", "\nhttps://cdn.example/v/");
    }),
    ("a name with a space", "OB-03", |p| {
        text(p, "360p/playlist", "360 p/playlist");
    }),
    ("a name with a backslash", "OB-03", |p| {
        text(p, "360p/playlist", "360p\\playlist");
    }),
    ("a Variant Stream that is its own playlist", "OB-01", |p| {
        p.lines(MASTER, |lines| {
            let at = position(lines, "#EXT-X-STREAM-INF");
            lines[at + 1] = "master.m3u8".to_owned();
        });
    }),
    ("an EXT-X-STREAM-INF without a URI", "PL-01", |p| {
        p.lines(MASTER, |lines| {
            let at = position(lines, "#EXT-X-STREAM-INF");
            lines.remove(at + 1);
        });
    }),
    ("a URI without EXT-X-STREAM-INF", "PL-01", |p| {
        p.drop_line(MASTER, "#EXT-X-STREAM-INF");
    }),
    ("a byte-order mark", "PL-01", |p| {
        p.bytes(MASTER, |bytes| {
            bytes.splice(0..0, *b"\xef\xbb\xbf");
        });
    }),
    ("a control character", "PL-01", |p| {
        text(p, "NAME=\"Deutsch\"", "NAME=\"Deut\u{7}sch\"");
    }),
    ("a control character of C1", "PL-01", |p| {
        text(p, "NAME=\"Deutsch\"", "NAME=\"Deut\u{85}sch\"");
    }),
    ("a NUL in a comment", "PL-01", |p| line(p, "# a\0b")),
    ("bytes that are not UTF-8", "PL-01", |p| {
        p.bytes(MASTER, |bytes| {
            bytes.extend_from_slice(b"# \xff\n");
        });
    }),
    ("white space before a tag", "PL-01", |p| {
        text(p, "\n#EXT-X-STREAM-INF", "\n #EXT-X-STREAM-INF");
    }),
    ("white space behind a URI", "PL-01", |p| {
        text(p, "playlist.m3u8\n", "playlist.m3u8 \n");
    }),
    ("EXT-X-VERSION twice", "PL-01", |p| {
        line(p, "#EXT-X-VERSION:6");
    }),
    ("EXT-X-VERSION of text", "PL-01", |p| {
        text(p, "VERSION:6", "VERSION:six");
    }),
    ("EXT-X-VERSION of a later time", "PL-01", |p| {
        text(p, "VERSION:6", "VERSION:99");
    }),
    ("EXT-X-VERSION 0", "PL-01", |p| {
        text(p, "VERSION:6", "VERSION:0");
    }),
    ("EXT-X-VERSION in quotes", "PL-01", |p| {
        text(p, "VERSION:6", "VERSION:\"6\"");
    }),
    ("EXT-X-VERSION without a value", "PL-01", |p| {
        text(p, "VERSION:6", "VERSION");
    }),
    ("EXTM3U twice", "PL-01", |p| line(p, "#EXTM3U")),
    ("EXT-X-INDEPENDENT-SEGMENTS twice", "PL-01", |p| {
        line(p, "#EXT-X-INDEPENDENT-SEGMENTS");
    }),
    ("EXT-X-INDEPENDENT-SEGMENTS with a value", "PL-01", |p| {
        text(p, "INDEPENDENT-SEGMENTS", "INDEPENDENT-SEGMENTS:YES");
    }),
    ("a target duration among Variant Streams", "PL-01", |p| {
        line(p, "#EXT-X-TARGETDURATION:2");
    }),
    ("a segment among Variant Streams", "PL-01", |p| {
        line(p, "#EXTINF:2,\na.m4s");
    }),
    ("EXT-X-ENDLIST among Variant Streams", "PL-01", |p| {
        line(p, "#EXT-X-ENDLIST");
    }),
    ("EXT-X-START without TIME-OFFSET", "PL-01", |p| {
        line(p, "#EXT-X-START:PRECISE=YES");
    }),
    ("EXT-X-START with text", "PL-01", |p| {
        line(p, "#EXT-X-START:TIME-OFFSET=begin");
    }),
    ("EXT-X-DEFINE without a value", "PL-01", |p| {
        line(p, "#EXT-X-DEFINE:NAME=\"a\"");
    }),
    ("EXT-X-DEFINE of two kinds", "PL-01", |p| {
        line(p, "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\",IMPORT=\"c\"");
    }),
    ("EXT-X-DEFINE in a low version", "PL-02", |p| {
        line(p, "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"");
    }),
    ("a variable that is not defined", "PL-01", |p| {
        text(p, "\nv/", "\n{$where}/");
    }),
    ("EXT-X-CONTENT-STEERING without a server", "PL-01", |p| {
        line(p, "#EXT-X-CONTENT-STEERING:PATHWAY-ID=\"a\"");
    }),
    ("EXT-X-SESSION-KEY of no method", "PL-01", |p| {
        line(p, "#EXT-X-SESSION-KEY:METHOD=NONE");
    }),
    ("EXT-X-SESSION-KEY of an unknown method", "PL-01", |p| {
        line(p, "#EXT-X-SESSION-KEY:METHOD=ROT13,URI=\"k\"");
    }),
    ("EXT-X-SESSION-KEY without its object", "OB-01", |p| {
        line(p, "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"k\"");
    }),
    ("session data without a name", "SD-01", |p| {
        line(p, "#EXT-X-SESSION-DATA:VALUE=\"a\"");
    }),
    ("session data without a value", "SD-01", |p| {
        line(p, "#EXT-X-SESSION-DATA:DATA-ID=\"a\"");
    }),
    ("session data with a value and a URI", "SD-01", |p| {
        line(
            p,
            "#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"a\",URI=\"manifest.mpd\",FORMAT=RAW",
        );
    }),
    ("session data twice", "SD-02", |p| {
        line(
            p,
            "#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"a\"\n#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"a\"",
        );
    }),
    ("session data of an unknown format", "PL-01", |p| {
        text(p, "FORMAT=RAW", "FORMAT=XML");
    }),
    ("session data that are no JSON", "SD-03", |p| {
        line(p, "#EXT-X-SESSION-DATA:DATA-ID=\"a\",URI=\"manifest.mpd\"");
    }),
];

/// Multiplies the number behind a text.
fn scale(planted: &Planted, before: &str, by: f64) {
    planted.bytes(MASTER, |bytes| {
        let text = String::from_utf8(bytes.clone()).expect("UTF-8");
        let (head, tail) = text.split_once(before).expect(before);
        let (rate, tail) = tail.split_once(',').expect("more");
        let rate = (rate.parse::<f64>().expect("a number") * by) as u64;
        *bytes = format!("{head}{before}{rate},{tail}").into_bytes();
    });
}
