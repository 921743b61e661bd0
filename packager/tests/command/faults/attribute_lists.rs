//! Faults of attribute lists in the Multivariant Playlist.

use super::{Planted, PlantedFault, position};

const MASTER: &str = "master.m3u8";

fn text(planted: &Planted, from: &str, to: &str) {
    planted.text(MASTER, from, to);
}

/// Adds a line behind the version.
fn line(planted: &Planted, line: &str) {
    planted.add(MASTER, "#EXT-X-VERSION", line);
}

pub(super) const FAULTS: &[PlantedFault] = &[
    ("a URI without quotes", "PL-01", |p| {
        p.lines(MASTER, |lines| {
            let at = position(lines, "#EXT-X-MEDIA");
            let (head, uri) = lines[at].split_once("URI=\"").expect("a URI");
            lines[at] = format!("{head}URI={}", uri.trim_end_matches('"'));
        });
    }),
    ("BANDWIDTH in quotes", "PL-01", |p| {
        p.lines(MASTER, |lines| {
            let at = position(lines, "#EXT-X-STREAM-INF");
            let rest = lines[at].split_once("BANDWIDTH=").expect("a rate").1;
            let (rate, rest) = rest.split_once(',').expect("more");
            lines[at] = format!("#EXT-X-STREAM-INF:BANDWIDTH=\"{rate}\",{rest}");
        });
    }),
    ("RESOLUTION with a capital X", "PL-01", |p| {
        text(p, "426x240", "426X240");
    }),
    ("RESOLUTION with a star", "PL-01", |p| {
        text(p, "426x240", "426*240");
    }),
    ("RESOLUTION of one number", "PL-01", |p| {
        text(p, "426x240", "426");
    }),
    ("RESOLUTION with a negative height", "PL-01", |p| {
        text(p, "426x240", "426x-240");
    }),
    ("RESOLUTION in quotes", "PL-01", |p| {
        text(p, "=426x240", "=\"426x240\"");
    }),
    ("RESOLUTION with a fraction", "PL-01", |p| {
        text(p, "426x240", "426.0x240.0");
    }),
    ("a space after a comma", "PL-01", |p| {
        text(p, ",CODECS", ", CODECS");
    }),
    ("a tab after a comma", "PL-01", |p| {
        text(p, ",CODECS", ",\tCODECS");
    }),
    ("a space after the tag's colon", "PL-01", |p| {
        text(p, "#EXT-X-STREAM-INF:", "#EXT-X-STREAM-INF: ");
    }),
    ("a space before an equals sign", "PL-01", |p| {
        text(p, ",CODECS=", ",CODECS =");
    }),
    ("an attribute name in lower case", "PL-01", |p| {
        text(p, ",CODECS=", ",codecs=");
    }),
    ("an attribute without a value", "PL-01", |p| {
        text(p, ",FRAME-RATE=25", ",FRAME-RATE");
    }),
    ("an attribute with an empty value", "PL-01", |p| {
        text(p, ",FRAME-RATE=25", ",FRAME-RATE=");
    }),
    ("an attribute twice", "PL-01", |p| {
        text(p, ",FRAME-RATE=25", ",FRAME-RATE=25,FRAME-RATE=25");
    }),
    ("a comma at the end of a list", "PL-01", |p| {
        text(p, "CLOSED-CAPTIONS=NONE", "CLOSED-CAPTIONS=NONE,");
    }),
    ("two commas in a list", "PL-01", |p| {
        text(p, ",CODECS", ",,CODECS");
    }),
    ("a semicolon between attributes", "PL-01", |p| {
        text(p, ",CODECS", ";CODECS");
    }),
    ("a quote that is not closed", "PL-01", |p| {
        text(p, "AUDIO=\"audio\"", "AUDIO=\"audio");
    }),
    ("single quotes", "PL-01", |p| {
        text(p, "AUDIO=\"audio\"", "AUDIO='audio'");
    }),
    ("text behind a closing quote", "PL-01", |p| {
        text(p, "AUDIO=\"audio\"", "AUDIO=\"audio\"x");
    }),
    ("no BANDWIDTH", "PL-01", |p| {
        text(p, "BANDWIDTH=", "XBANDWIDTH=");
    }),
    ("a negative BANDWIDTH", "PL-01", |p| {
        text(p, ":BANDWIDTH=", ":BANDWIDTH=-");
    }),
    ("BANDWIDTH with an exponent", "PL-01", |p| {
        text(p, ":BANDWIDTH=", ":BANDWIDTH=1e");
    }),
    ("BANDWIDTH with a fraction", "PL-01", |p| {
        text(p, ":BANDWIDTH=", ":BANDWIDTH=0.");
    }),
    ("BANDWIDTH in hexadecimal", "PL-01", |p| {
        text(p, ":BANDWIDTH=", ":BANDWIDTH=0x");
    }),
    ("BANDWIDTH beyond 64 bits", "PL-01", |p| {
        text(p, ":BANDWIDTH=", ":BANDWIDTH=99999999999999999999");
    }),
    ("FRAME-RATE in quotes", "PL-01", |p| {
        text(p, "FRAME-RATE=25", "FRAME-RATE=\"25\"");
    }),
    ("FRAME-RATE as a fraction", "PL-01", |p| {
        text(p, "FRAME-RATE=25", "FRAME-RATE=25/1");
    }),
    ("CODECS without quotes", "PL-01", |p| {
        p.lines(MASTER, |lines| {
            let at = position(lines, "#EXT-X-I-FRAME-STREAM-INF");
            let (head, rest) = lines[at].split_once("CODECS=\"").expect("codecs");
            let (codec, rest) = rest.split_once('"').expect("a quote");
            lines[at] = format!("{head}CODECS={codec}{rest}");
        });
    }),
    ("CODECS with an empty element", "PL-01", |p| {
        text(p, ",mp4a.40.2\"", ",,mp4a.40.2\"");
    }),
    ("AUDIO without quotes", "PL-01", |p| {
        text(p, "AUDIO=\"audio\"", "AUDIO=audio");
    }),
    ("CLOSED-CAPTIONS in quotes", "PL-01", |p| {
        text(p, "CLOSED-CAPTIONS=NONE", "CLOSED-CAPTIONS=\"NONE\"");
    }),
    ("CLOSED-CAPTIONS of another word", "PL-01", |p| {
        text(p, "CLOSED-CAPTIONS=NONE", "CLOSED-CAPTIONS=NO");
    }),
    ("HDCP-LEVEL of an unknown type", "PL-01", |p| {
        text(p, ",FRAME-RATE", ",HDCP-LEVEL=TYPE-9,FRAME-RATE");
    }),
    ("VIDEO-RANGE of an unknown kind", "PL-01", |p| {
        text(p, ",FRAME-RATE", ",VIDEO-RANGE=HDR,FRAME-RATE");
    }),
    ("SCORE that is no number", "PL-01", |p| {
        text(p, ",FRAME-RATE", ",SCORE=best,FRAME-RATE");
    }),
    ("STABLE-VARIANT-ID with a space", "PL-01", |p| {
        text(
            p,
            "STABLE-VARIANT-ID=\"240p\"",
            "STABLE-VARIANT-ID=\"240 p\"",
        );
    }),
    ("TYPE in quotes", "PL-01", |p| {
        text(p, "TYPE=AUDIO", "TYPE=\"AUDIO\"");
    }),
    ("DEFAULT in quotes", "PL-01", |p| {
        text(p, "DEFAULT=YES", "DEFAULT=\"YES\"");
    }),
    ("DEFAULT in lower case", "PL-01", |p| {
        text(p, "DEFAULT=YES", "DEFAULT=yes");
    }),
    ("AUTOSELECT of another word", "PL-01", |p| {
        text(p, "AUTOSELECT=YES", "AUTOSELECT=TRUE");
    }),
    ("FORCED of another word", "PL-01", |p| {
        text(p, "FORCED=NO", "FORCED=0");
    }),
    ("CHANNELS without quotes", "PL-01", |p| {
        text(p, "CHANNELS=\"2\"", "CHANNELS=2");
    }),
    ("NAME without quotes", "PL-01", |p| {
        text(p, "NAME=\"Deutsch\"", "NAME=Deutsch");
    }),
    ("LANGUAGE without quotes", "PL-01", |p| {
        text(p, "LANGUAGE=\"de\"", "LANGUAGE=de");
    }),
    ("INSTREAM-ID of an unknown channel", "PL-01", |p| {
        line(
            p,
            "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC\",INSTREAM-ID=\"CC9\"",
        );
    }),
];
