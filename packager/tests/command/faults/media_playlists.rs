//! Faults of the tags of Media Playlists.

use super::{Planted, PlantedFault};

const LOW: &str = "240p/playlist.m3u8";
const AUDIO: &str = "audio/en/playlist.m3u8";
const FRAMES: &str = "iframes/playlist.m3u8";
const TEXT: &str = "subs/en/playlist.m3u8";

/// Adds a line before the segments.
fn line(planted: &Planted, line: &str) {
    planted.add(LOW, "#EXT-X-MAP", line);
}

/// Adds a line between the first two segments.
fn between(planted: &Planted, line: &str) {
    planted.add(LOW, "seg00000", line);
}

pub(super) const FAULTS: &[PlantedFault] = &[
    (
        "EXT-X-DISCONTINUITY at the start of one rung",
        "TM-09",
        |p| {
            line(p, "#EXT-X-DISCONTINUITY");
        },
    ),
    ("another first line", "PL-01", |p| {
        p.text(LOW, "#EXTM3U", "#EXTM3U8");
    }),
    ("a web page", "PL-01", |p| {
        p.write(LOW, b"<html><body>404 Not Found</body></html>");
    }),
    ("an empty playlist", "PL-01", |p| p.write(LOW, b"")),
    ("a playlist of zeros", "PL-01", |p| p.write(LOW, &[0; 300])),
    ("a playlist without segments", "PL-01", |p| {
        p.lines(LOW, |lines| {
            lines.retain(|line| line.starts_with("#EXT-X") || line == "#EXTM3U");
        });
    }),
    ("a playlist that ends in the middle", "PL-05", |p| {
        p.bytes(LOW, |bytes| {
            bytes.truncate(bytes.len() - 40);
        });
    }),
    (
        "a Multivariant Playlist for a Media Playlist",
        "OB-01",
        |p| p.copy("master.m3u8", LOW),
    ),
    ("a Variant Stream among segments", "OB-01", |p| {
        line(p, "#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8");
    }),
    ("session data among segments", "PL-01", |p| {
        line(p, "#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"b\"");
    }),
    ("no EXT-X-TARGETDURATION", "PL-01", |p| {
        p.drop_line(LOW, "#EXT-X-TARGETDURATION");
    }),
    ("EXT-X-TARGETDURATION twice", "PL-01", |p| {
        line(p, "#EXT-X-TARGETDURATION:2");
    }),
    ("EXT-X-TARGETDURATION with a fraction", "PL-01", |p| {
        p.text(LOW, "TARGETDURATION:2", "TARGETDURATION:2.0");
    }),
    ("a negative EXT-X-TARGETDURATION", "PL-01", |p| {
        p.text(LOW, "TARGETDURATION:2", "TARGETDURATION:-2");
    }),
    ("EXT-X-TARGETDURATION of text", "PL-01", |p| {
        p.text(LOW, "TARGETDURATION:2", "TARGETDURATION:two");
    }),
    ("EXT-X-TARGETDURATION in quotes", "PL-01", |p| {
        p.text(LOW, "TARGETDURATION:2", "TARGETDURATION:\"2\"");
    }),
    ("EXT-X-TARGETDURATION with a sign", "PL-01", |p| {
        p.text(LOW, "TARGETDURATION:2", "TARGETDURATION:+2");
    }),
    ("an EXT-X-TARGETDURATION below the segments", "PL-04", |p| {
        p.text(LOW, "TARGETDURATION:2", "TARGETDURATION:1");
    }),
    ("another EXT-X-TARGETDURATION", "PL-03", |p| {
        p.text(LOW, "TARGETDURATION:2", "TARGETDURATION:5");
    }),
    ("a long EXT-X-TARGETDURATION", "PL-06", |p| {
        p.text(LOW, "TARGETDURATION:2", "TARGETDURATION:30");
    }),
    ("EXT-X-MEDIA-SEQUENCE behind a segment", "PL-01", |p| {
        between(p, "#EXT-X-MEDIA-SEQUENCE:0");
    }),
    ("a negative EXT-X-MEDIA-SEQUENCE", "PL-01", |p| {
        line(p, "#EXT-X-MEDIA-SEQUENCE:-1");
    }),
    ("EXT-X-MEDIA-SEQUENCE of text", "PL-01", |p| {
        line(p, "#EXT-X-MEDIA-SEQUENCE:first");
    }),
    ("EXT-X-MEDIA-SEQUENCE twice", "PL-01", |p| {
        line(p, "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-MEDIA-SEQUENCE:0");
    }),
    (
        "EXT-X-DISCONTINUITY-SEQUENCE behind a segment",
        "PL-01",
        |p| {
            between(p, "#EXT-X-DISCONTINUITY-SEQUENCE:0");
        },
    ),
    ("a negative EXT-X-DISCONTINUITY-SEQUENCE", "PL-01", |p| {
        line(p, "#EXT-X-DISCONTINUITY-SEQUENCE:-1");
    }),
    ("EXT-X-DISCONTINUITY in one Variant Stream", "TM-09", |p| {
        between(p, "#EXT-X-DISCONTINUITY");
    }),
    ("EXT-X-DISCONTINUITY in audio alone", "TM-09", |p| {
        p.add(AUDIO, "seg00000", "#EXT-X-DISCONTINUITY");
    }),
    ("EXT-X-DISCONTINUITY with a value", "PL-01", |p| {
        between(p, "#EXT-X-DISCONTINUITY:1");
    }),
    ("an unknown EXT-X-PLAYLIST-TYPE", "PL-01", |p| {
        p.text(LOW, "TYPE:VOD", "TYPE:LIVE");
    }),
    ("EXT-X-PLAYLIST-TYPE in lower case", "PL-01", |p| {
        p.text(LOW, "TYPE:VOD", "TYPE:vod");
    }),
    ("EXT-X-PLAYLIST-TYPE twice", "PL-01", |p| {
        line(p, "#EXT-X-PLAYLIST-TYPE:VOD");
    }),
    ("no EXT-X-PLAYLIST-TYPE", "PL-05", |p| {
        p.drop_line(LOW, "#EXT-X-PLAYLIST-TYPE");
    }),
    ("EXT-X-PLAYLIST-TYPE of a growing one", "PL-05", |p| {
        p.text(LOW, "TYPE:VOD", "TYPE:EVENT");
    }),
    ("no EXT-X-ENDLIST", "PL-05", |p| {
        p.drop_line(LOW, "#EXT-X-ENDLIST");
    }),
    ("no EXT-X-ENDLIST for I-frames", "PL-05", |p| {
        p.drop_line(FRAMES, "#EXT-X-ENDLIST");
    }),
    ("no EXT-X-ENDLIST for subtitles", "PL-05", |p| {
        p.drop_line(TEXT, "#EXT-X-ENDLIST");
    }),
    ("EXT-X-ENDLIST before the last segment", "PL-05", |p| {
        between(p, "#EXT-X-ENDLIST");
    }),
    ("other numbers in one rung", "TM-06", |p| {
        line(p, "#EXT-X-MEDIA-SEQUENCE:7");
    }),
    ("EXT-X-ENDLIST twice", "PL-01", |p| {
        p.add(LOW, "#EXT-X-ENDLIST", "#EXT-X-ENDLIST");
    }),
    ("EXT-X-ENDLIST with a value", "PL-01", |p| {
        p.text(LOW, "ENDLIST", "ENDLIST:1");
    }),
    ("an EXT-X-ENDLIST that is misspelt", "PL-05", |p| {
        p.text(LOW, "ENDLIST", "END-LIST");
    }),
    ("EXT-X-VERSION too low for EXT-X-MAP", "PL-02", |p| {
        p.text(LOW, "VERSION:6", "VERSION:5");
    }),
    ("no EXT-X-VERSION", "PL-02", |p| {
        p.drop_line(LOW, "#EXT-X-VERSION");
    }),
    ("EXTINF without a comma", "PL-01", |p| {
        p.text(LOW, "#EXTINF:2.000000,", "#EXTINF:2.000000");
    }),
    ("EXTINF without a duration", "PL-01", |p| {
        p.text(LOW, "#EXTINF:2.000000,", "#EXTINF:,");
    }),
    ("a negative EXTINF", "PL-01", |p| {
        p.text(LOW, "#EXTINF:2.0", "#EXTINF:-2.0");
    }),
    ("EXTINF of text", "PL-01", |p| {
        p.text(LOW, "#EXTINF:2.0", "#EXTINF:two");
    }),
    ("EXTINF with an exponent", "PL-01", |p| {
        p.text(LOW, "#EXTINF:2.000000", "#EXTINF:2e0");
    }),
    ("EXTINF that is not a number", "PL-01", |p| {
        p.text(LOW, "#EXTINF:2.000000", "#EXTINF:NaN");
    }),
    ("EXTINF with a decimal comma", "PL-01", |p| {
        p.text(LOW, "#EXTINF:2.000000,", "#EXTINF:2;000000,");
    }),
    ("EXTINF with a space", "PL-01", |p| {
        p.text(LOW, "#EXTINF:2.0", "#EXTINF: 2.0");
    }),
    ("no EXTINF", "PL-01", |p| p.drop_line(LOW, "#EXTINF")),
    ("EXTINF twice", "PL-01", |p| line(p, "#EXTINF:2.0,")),
    ("EXTINF without a URI", "PL-01", |p| {
        p.drop_line(LOW, "seg00001");
    }),
    ("EXTINF at the end", "PL-01", |p| {
        p.add(LOW, "seg00003", "#EXTINF:2.0,");
    }),
    ("EXTINF half a second too long", "TM-01", |p| {
        p.text(LOW, "#EXTINF:2.0", "#EXTINF:2.4");
    }),
    ("EXTINF half a second too short", "TM-01", |p| {
        p.text(LOW, "#EXTINF:2.0", "#EXTINF:1.5");
    }),
    ("EXTINF of 0", "TM-01", |p| {
        p.text(LOW, "#EXTINF:2.0", "#EXTINF:0.0");
    }),
    ("EXTINF in whole seconds", "TM-01", |p| {
        p.text(AUDIO, "#EXTINF:1.", "#EXTINF:1.5");
    }),
    ("a date that is none", "PL-01", |p| {
        line(p, "#EXT-X-PROGRAM-DATE-TIME:yesterday");
    }),
    ("a date with a thirteenth month", "PL-01", |p| {
        line(p, "#EXT-X-PROGRAM-DATE-TIME:2026-13-01T00:00:00Z");
    }),
    ("a date without a time", "PL-01", |p| {
        line(p, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01");
    }),
    ("a date of seconds", "PL-01", |p| {
        line(p, "#EXT-X-PROGRAM-DATE-TIME:1767225600");
    }),
    ("a date without a value", "PL-01", |p| {
        line(p, "#EXT-X-PROGRAM-DATE-TIME");
    }),
    ("dates that go back", "PL-01", |p| {
        line(p, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z");
        between(p, "#EXT-X-PROGRAM-DATE-TIME:2025-01-01T00:00:00Z");
    }),
    ("dates an hour apart", "PL-01", |p| {
        line(p, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z");
        between(p, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T01:00:00Z");
    }),
    ("a Date Range without ID", "PL-01", |p| {
        line(p, "#EXT-X-DATERANGE:START-DATE=\"2026-01-01T00:00:00Z\"");
    }),
    ("a Date Range without START-DATE", "PL-01", |p| {
        line(p, "#EXT-X-DATERANGE:ID=\"a\"");
    }),
    ("a Date Range whose date is none", "PL-01", |p| {
        line(p, "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"now\"");
    }),
    ("a Date Range with an ID without quotes", "PL-01", |p| {
        line(
            p,
            "#EXT-X-DATERANGE:ID=a,START-DATE=\"2026-01-01T00:00:00Z\"",
        );
    }),
    ("a Date Range with a negative DURATION", "PL-01", |p| {
        line(
            p,
            "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-01T00:00:00Z\",DURATION=-1",
        );
    }),
    ("a Date Range that ends before it starts", "PL-01", |p| {
        line(
            p,
            "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-02T00:00:00Z\",END-DATE=\"2026-01-01T00:00:00Z\"",
        );
    }),
    (
        "a Date Range with END-ON-NEXT without CLASS",
        "PL-01",
        |p| {
            line(
                p,
                "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-02T00:00:00Z\",END-ON-NEXT=YES",
            );
        },
    ),
    (
        "a Date Range with a hexadecimal value without 0x",
        "PL-01",
        |p| {
            line(
                p,
                "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-02T00:00:00Z\",SCTE35-OUT=FC",
            );
        },
    ),
    ("EXT-X-START without TIME-OFFSET", "PL-01", |p| {
        line(p, "#EXT-X-START:PRECISE=NO");
    }),
    ("EXT-X-START behind the end", "PL-01", |p| {
        line(p, "#EXT-X-START:TIME-OFFSET=60");
    }),
    ("EXT-X-START with an unknown PRECISE", "PL-01", |p| {
        line(p, "#EXT-X-START:TIME-OFFSET=1,PRECISE=MAYBE");
    }),
    ("EXT-X-BITRATE of text", "PL-01", |p| {
        line(p, "#EXT-X-BITRATE:high");
    }),
    ("EXT-X-GAP with a value", "PL-01", |p| {
        between(p, "#EXT-X-GAP:YES");
    }),
    ("EXT-X-I-FRAMES-ONLY in a Rendition", "IF-01", |p| {
        line(p, "#EXT-X-I-FRAMES-ONLY");
    }),
    ("EXT-X-PART without a duration", "PL-01", |p| {
        line(p, "#EXT-X-PART:URI=\"a\"");
    }),
    ("EXT-X-SKIP without a number", "PL-01", |p| {
        line(p, "#EXT-X-SKIP:X=1");
    }),
    ("EXT-X-DEFINE of a variable that is nowhere", "PL-01", |p| {
        line(p, "#EXT-X-DEFINE:IMPORT=\"a\"");
    }),
    ("a control character in a title", "PL-01", |p| {
        p.text(LOW, "#EXTINF:2.000000,", "#EXTINF:2.000000,a\u{1b}b");
    }),
    ("white space before a segment", "PL-01", |p| {
        p.text(LOW, "seg00000", " seg00000");
    }),
    ("white space behind EXT-X-ENDLIST", "PL-01", |p| {
        p.text(LOW, "ENDLIST", "ENDLIST ");
    }),
    ("a byte-order mark", "PL-01", |p| {
        p.bytes(LOW, |bytes| {
            bytes.splice(0..0, *b"\xef\xbb\xbf");
        });
    }),
    ("subtitles of half the lecture", "SB-06", |p| {
        p.text(TEXT, "#EXTINF:7.200000", "#EXTINF:3.600000");
    }),
    ("a Media Playlist for subtitles", "SB-01", |p| {
        p.copy(TEXT, "subs/en/seg00000.vtt");
    }),
];
