//! Faults of subtitles, storyboard, poster, chapters, download, DASH manifest and `package.json`.

use super::{Planted, PlantedFault, noise, set_be32};

const CAPTIONS: &str = "subs/en/seg00000.vtt";
const BOARD: &str = "storyboard.vtt";
const SPRITE: &str = "storyboard/00000.jpg";
const POSTER: &str = "poster.jpg";
const CHAPTERS: &str = "chapters.json";
const DOWNLOAD: &str = "lecture.mp4";
const MPD: &str = "manifest.mpd";
const LISTING: &str = "package.json";

/// Replaces the value of the first attribute of a name.
fn attribute(planted: &Planted, name: &str, value: &str) {
    planted.bytes(MPD, |bytes| {
        let text = String::from_utf8(bytes.clone()).expect("UTF-8");
        let start = format!(" {name}=\"");
        let (head, tail) = text.split_once(&start).expect(name);
        let (_, tail) = tail.split_once('"').expect("a quote");
        *bytes = format!("{head}{start}{value}\"{tail}").into_bytes();
    });
}

pub(super) const FAULTS: &[PlantedFault] = &[
    ("captions with a NUL", "SB-01", |p| {
        p.text(CAPTIONS, "One", "O\0ne");
    }),
    ("captions with a cue in the header", "SB-03", |p| {
        p.text(CAPTIONS, "00.000\n\n", "00.000\n");
    }),
    ("captions with text without times", "SB-03", |p| {
        p.drop_line(CAPTIONS, "00:00:03.000");
    }),
    ("a manifest that grows", "OB-07", |p| {
        attribute(p, "type", "dynamic");
    }),
    ("a manifest that starts late", "OB-07", |p| {
        attribute(p, "start", "PT9S");
    }),
    ("a manifest with audio for video", "OB-07", |p| {
        p.text(MPD, "mimeType=\"video/mp4\"", "mimeType=\"audio/mp4\"");
    }),
    ("a manifest with six channels", "OB-07", |p| {
        p.text(
            MPD,
            "ChannelConfiguration\" value=\"2\"",
            "ChannelConfiguration\" value=\"6\"",
        );
    }),
    ("captions that are not there", "OB-01", |p| {
        p.remove(CAPTIONS);
    }),
    ("empty captions", "SB-01", |p| p.write(CAPTIONS, b"")),
    ("captions in SubRip", "SB-01", |p| {
        p.write(CAPTIONS, b"1\n00:00:01,000 --> 00:00:02,000\nHello\n");
    }),
    ("captions with another header", "SB-01", |p| {
        p.text(CAPTIONS, "WEBVTT", "WEB VTT");
    }),
    ("captions of random bytes", "SB-01", |p| {
        p.write(CAPTIONS, &noise(500));
    }),
    ("captions in Latin-1", "SB-01", |p| {
        p.bytes(CAPTIONS, |bytes| {
            bytes.extend_from_slice(b"\n00:00:05.500 --> 00:00:06.000\n\xe9t\xe9\n");
        });
    }),
    ("a web page for captions", "SB-01", |p| {
        p.write(CAPTIONS, b"<html></html>");
    }),
    ("captions without a map", "SB-02", |p| {
        p.drop_line(CAPTIONS, "X-TIMESTAMP-MAP");
    }),
    ("captions with a map below an empty line", "SB-02", |p| {
        p.text(CAPTIONS, "WEBVTT\n", "WEBVTT\n\n");
    }),
    ("captions 10 s late by their map", "SB-04", |p| {
        p.text(CAPTIONS, "MPEGTS:0", "MPEGTS:900000");
    }),
    ("captions with a map without a number", "SB-04", |p| {
        p.text(CAPTIONS, "MPEGTS:0", "MPEGTS:x");
    }),
    ("captions with a map without a time", "SB-04", |p| {
        p.text(CAPTIONS, ",LOCAL:00:00:00.000", "");
    }),
    ("a cue with a comma in its time", "SB-03", |p| {
        p.text(CAPTIONS, "00.500", "00,500");
    }),
    ("a cue that ends before it begins", "SB-03", |p| {
        p.text(CAPTIONS, "02.000", "00.100");
    }),
    ("a cue without an end", "SB-03", |p| {
        p.text(CAPTIONS, " --> 00:00:02.000", " -->");
    }),
    ("a cue of 61 seconds", "SB-03", |p| {
        p.text(CAPTIONS, "00:02.000", "00:61.000");
    }),
    ("a cue with an arrow that is cut", "SB-05", |p| {
        // It is text then, and the later cue has the time of another lecture.
        p.text(
            CAPTIONS,
            "00:00:03.000 --> 00:00:05.000",
            "01:00:03.000 --> 01:00:05.000",
        );
    }),
    ("cues in another order", "SB-03", |p| {
        p.text(
            CAPTIONS,
            "00:00.500 --> 00:00:02.000",
            "00:06.000 --> 00:00:06.500",
        );
    }),
    ("cues an hour late", "SB-05", |p| {
        p.text(
            CAPTIONS,
            "00:00:00.500 --> 00:00:02.000",
            "01:00:00.500 --> 01:00:02.000",
        );
        p.text(
            CAPTIONS,
            "00:00:03.000 --> 00:00:05.000",
            "01:00:03.000 --> 01:00:05.000",
        );
    }),
    ("a storyboard that is not there", "OB-01", |p| {
        p.remove(BOARD);
    }),
    ("a storyboard with another header", "SD-04", |p| {
        p.text(BOARD, "WEBVTT", "WEB");
    }),
    ("a storyboard of text", "SD-04", |p| {
        p.text(BOARD, "storyboard/00000.jpg", "Hello");
    }),
    ("a storyboard with a bad time", "SD-04", |p| {
        p.text(BOARD, "00:00.000 -->", "00:0 -->");
    }),
    ("a storyboard in another order", "SD-04", |p| {
        p.text(
            BOARD,
            "00:00:00.000 --> 00:00:02.000",
            "00:00:06.500 --> 00:00:07.000",
        );
    }),
    ("a storyboard of a longer lecture", "SD-06", |p| {
        p.bytes(BOARD, |bytes| {
            bytes.extend_from_slice(
                b"\n\n00:01:00.000 --> 00:01:02.000\nstoryboard/00000.jpg#xywh=0,0,160,90\n",
            );
        });
    }),
    ("a storyboard of a missing image", "OB-01", |p| {
        p.remove(SPRITE);
    }),
    ("a storyboard that names a missing image", "OB-01", |p| {
        p.text(BOARD, "storyboard/00000.jpg", "storyboard/00009.jpg");
    }),
    ("a region outside the image", "SD-05", |p| {
        p.text(BOARD, "xywh=0,0,", "xywh=9000,0,");
    }),
    ("an empty region", "SD-05", |p| {
        p.text(BOARD, "xywh=0,0,160", "xywh=0,0,0");
    }),
    ("a sprite of text", "SD-05", |p| p.write(SPRITE, b"Hello")),
    ("an empty sprite", "SD-05", |p| p.write(SPRITE, b"")),
    ("half a sprite", "SD-05", |p| {
        p.bytes(SPRITE, |bytes| bytes.truncate(bytes.len() / 2));
    }),
    ("a sprite of zeros", "SD-05", |p| {
        p.bytes(SPRITE, |bytes| bytes.fill(0));
    }),
    ("a smaller sprite", "SD-05", |p| {
        p.bytes(SPRITE, |bytes| {
            let frame = bytes
                .windows(2)
                .position(|marker| marker == [0xff, 0xc0])
                .expect("a frame");
            bytes[frame + 5..frame + 9].copy_from_slice(&[0, 90, 0, 100]);
        });
    }),
    ("a poster that is not there", "OB-01", |p| p.remove(POSTER)),
    ("a poster of text", "SD-05", |p| {
        p.write(POSTER, b"not a picture");
    }),
    ("an empty poster", "SD-05", |p| p.write(POSTER, b"")),
    ("half a poster", "SD-05", |p| {
        p.bytes(POSTER, |bytes| bytes.truncate(bytes.len() / 2));
    }),
    ("a poster of random bytes", "SD-05", |p| {
        p.write(POSTER, &noise(9_000));
    }),
    ("a web page for a poster", "SD-05", |p| {
        p.write(POSTER, b"<html></html>");
    }),
    ("chapters that are not there", "OB-01", |p| {
        p.remove(CHAPTERS);
    }),
    ("chapters that are no JSON", "SD-03", |p| {
        p.write(CHAPTERS, b"[{]");
    }),
    ("empty chapters", "SD-03", |p| p.write(CHAPTERS, b"")),
    ("chapters without a start", "SD-03", |p| {
        p.text(CHAPTERS, "start-time", "start");
    }),
    ("chapters that are no list", "SD-03", |p| {
        p.write(CHAPTERS, b"{\"chapters\":[]}");
    }),
    ("chapters in another order", "SD-03", |p| {
        p.write(CHAPTERS, b"[{\"start-time\":3},{\"start-time\":0}]");
    }),
    ("chapters of a longer lecture", "SD-06", |p| {
        p.write(CHAPTERS, b"[{\"start-time\":0},{\"start-time\":600}]");
    }),
    ("a download of text", "OB-09", |p| {
        p.write(DOWNLOAD, b"Hello");
    }),
    ("an empty download", "OB-09", |p| p.write(DOWNLOAD, b"")),
    ("half a download", "OB-09", |p| {
        p.bytes(DOWNLOAD, |bytes| bytes.truncate(bytes.len() / 2));
    }),
    ("a download of zeros", "OB-09", |p| {
        p.bytes(DOWNLOAD, |bytes| bytes.fill(0));
    }),
    ("a download without pictures", "OB-09", |p| {
        p.bytes(DOWNLOAD, |bytes| {
            let at = super::box_at(bytes, b"mdat") + 4;
            bytes[at..].fill(0);
        });
    }),
    ("an initialization section for a download", "OB-09", |p| {
        p.copy("240p/init.mp4", DOWNLOAD);
    }),
    ("a download of another duration", "OB-09", |p| {
        p.bytes(DOWNLOAD, |bytes| {
            let at = super::box_at(bytes, b"mvhd") + 4 + 16;
            let duration = super::be32(bytes, at);
            set_be32(bytes, at, duration * 2);
        });
    }),
    ("a manifest without its end", "OB-05", |p| {
        p.text(MPD, "</MPD>", "");
    }),
    ("a manifest of text", "OB-05", |p| p.write(MPD, b"Hello")),
    ("an empty manifest", "OB-05", |p| p.write(MPD, b"")),
    ("a manifest of another element", "OB-05", |p| {
        p.write(MPD, b"<html/>");
    }),
    (
        "a manifest with an entity that is not there",
        "OB-05",
        |p| p.text(MPD, "English", "&nope;"),
    ),
    (
        "a manifest with an attribute without quotes",
        "OB-05",
        |p| {
            p.text(MPD, "segmentAlignment=\"true\"", "segmentAlignment=true");
        },
    ),
    ("a manifest without minBufferTime", "OB-05", |p| {
        p.text(MPD, "minBufferTime", "buffer");
    }),
    ("a manifest without profiles", "OB-05", |p| {
        p.text(MPD, "profiles=", "profile=");
    }),
    ("a Representation without bandwidth", "OB-05", |p| {
        p.text(MPD, "bandwidth=", "rate=");
    }),
    ("a Representation without id", "OB-05", |p| {
        p.text(MPD, "<Representation id=", "<Representation name=");
    }),
    ("a manifest with another duration", "OB-07", |p| {
        attribute(p, "mediaPresentationDuration", "PT70S");
    }),
    ("a manifest with a duration that is none", "OB-07", |p| {
        attribute(p, "mediaPresentationDuration", "7.2");
    }),
    ("a manifest without a duration", "OB-07", |p| {
        p.text(MPD, "mediaPresentationDuration", "x");
    }),
    ("a manifest with other numbers", "OB-06", |p| {
        attribute(p, "startNumber", "1");
    }),
    ("a manifest with other names", "OB-06", |p| {
        p.text(MPD, "seg$Number", "segment$Number");
    }),
    (
        "a manifest with another initialization section",
        "OB-06",
        |p| {
            p.text(MPD, "init.mp4", "initial.mp4");
        },
    ),
    ("a manifest with a segment too many", "OB-06", |p| {
        attribute(p, "r", "9");
    }),
    (
        "a manifest with other durations of segments",
        "OB-07",
        |p| attribute(p, "d", "6400"),
    ),
    ("a manifest with another start", "OB-07", |p| {
        attribute(p, "t", "12800");
    }),
    ("a manifest with another time scale", "OB-07", |p| {
        attribute(p, "timescale", "90000");
    }),
    ("a manifest with other codecs", "OB-07", |p| {
        attribute(p, "codecs", "avc1.640028");
    }),
    ("a manifest with another width", "OB-07", |p| {
        attribute(p, "width", "1920");
    }),
    ("a manifest with another rate of frames", "OB-07", |p| {
        attribute(p, "frameRate", "50");
    }),
    ("a manifest with a tenth of the bandwidth", "OB-07", |p| {
        attribute(p, "bandwidth", "1000");
    }),
    ("a manifest with ten times the bandwidth", "OB-07", |p| {
        attribute(p, "bandwidth", "99000000");
    }),
    ("a manifest with another sample rate", "OB-07", |p| {
        attribute(p, "audioSamplingRate", "44100");
    }),
    ("a manifest with one id twice", "OB-07", |p| {
        p.text(MPD, "id=\"360p\"", "id=\"240p\"");
    }),
    ("a manifest without a rung", "OB-06", |p| {
        p.bytes(MPD, |bytes| {
            let text = String::from_utf8(bytes.clone()).expect("UTF-8");
            let (head, tail) = text
                .split_once("<Representation id=\"360p\"")
                .expect("a rung");
            let (_, tail) = tail.split_once("</Representation>").expect("its end");
            *bytes = format!("{head}{tail}").into_bytes();
        });
    }),
    ("a manifest without its captions' file", "OB-07", |p| {
        p.remove("subs/en/captions.vtt");
    }),
    ("a manifest with captions of text", "OB-07", |p| {
        p.write("subs/en/captions.vtt", b"Hello");
    }),
];

/// Faults of `package.json`, which stays.
pub(super) const LISTING_FAULTS: &[PlantedFault] = &[
    ("a listing of no JSON", "OB-04", |p| p.write(LISTING, b"{")),
    ("a listing of another hash", "OB-04", |p| {
        let text = String::from_utf8(p.read(LISTING)).expect("UTF-8");
        let objects = text.find("\"objects\"").expect("objects");
        let hash = text[objects..].find("\"sha256\": \"").expect("a hash") + objects + 11;
        p.bytes(LISTING, |bytes| {
            bytes[hash] = if bytes[hash] == b'0' { b'1' } else { b'0' }
        });
    }),
    ("a listing of another size", "OB-04", |p| {
        let length = p.read(POSTER).len();
        p.text(
            LISTING,
            &format!("\"bytes\": {length}"),
            &format!("\"bytes\": {}", length + 1),
        );
    }),
    ("a byte of a segment that changed", "OB-04", |p| {
        p.bytes("360p/seg00002.m4s", |bytes| {
            let at = bytes.len() - 20;
            bytes[at] ^= 1;
        });
    }),
    ("an object that is listed and not there", "OB-04", |p| {
        p.remove("chapters.vtt");
    }),
    ("an object that is not listed", "OB-04", |p| {
        p.copy(POSTER, "cover.jpg");
        p.text(LISTING, "/poster.jpg\",", "/cover.jpg\",");
    }),
    ("a listing of another revision", "OB-08", |p| {
        p.text(LISTING, "\"revision\": \"", "\"revision\": \"0");
    }),
    ("a listing of another duration", "OB-08", |p| {
        p.text(LISTING, "\"duration\": 7", "\"duration\": 77");
    }),
    ("a listing of another number of segments", "OB-08", |p| {
        p.text(LISTING, "\"segments\": 4", "\"segments\": 5");
    }),
    ("a listing of another codec", "OB-08", |p| {
        p.text(LISTING, "\"codec\": \"avc1.", "\"codec\": \"hvc1.");
    }),
    ("a listing of a folder that is not there", "OB-08", |p| {
        p.text(LISTING, "\"folder\": \"240p\"", "\"folder\": \"480p\"");
    }),
];
