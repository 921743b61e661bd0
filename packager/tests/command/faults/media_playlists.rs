//! Faults of Media Playlists.

use super::{Planted, PlantedFault, noise, position};

const LOW: &str = "240p/playlist.m3u8";
const HIGH: &str = "360p/playlist.m3u8";
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

/// Encrypts nothing, and declares a key.
fn key(planted: &Planted, bytes: usize, attributes: &str) {
    planted.write("240p/key.bin", &noise(bytes));
    line(planted, &format!("#EXT-X-KEY:{attributes}"));
}

pub(super) const FAULTS: &[PlantedFault] = &[
    (
        "EXT-X-DISCONTINUITY at the start of one rung",
        "TM-09",
        |p| {
            line(p, "#EXT-X-DISCONTINUITY");
        },
    ),
    ("EXT-X-MAP of all I-frames", "SG-02", |p| {
        p.lines(FRAMES, |lines| {
            let at = position(lines, "#EXT-X-MAP");
            let end = lines[at].find(",BYTERANGE").expect("a range");
            lines[at].truncate(end);
        });
    }),
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
    ("a key of an unknown METHOD", "PL-01", |p| {
        key(p, 16, "METHOD=ROT13,URI=\"key.bin\"");
    }),
    ("a key without METHOD", "PL-01", |p| {
        key(p, 16, "URI=\"key.bin\"");
    }),
    ("a key with METHOD in quotes", "PL-01", |p| {
        key(p, 16, "METHOD=\"AES-128\",URI=\"key.bin\"");
    }),
    ("a key without URI", "PL-01", |p| {
        key(p, 16, "METHOD=AES-128");
    }),
    ("a key with a URI without quotes", "PL-01", |p| {
        key(p, 16, "METHOD=AES-128,URI=key.bin");
    }),
    ("no key with a URI", "PL-01", |p| {
        key(p, 16, "METHOD=NONE,URI=\"key.bin\"");
    }),
    ("a vector without 0x", "PL-01", |p| {
        key(
            p,
            16,
            "METHOD=AES-128,URI=\"key.bin\",IV=00000000000000000000000000000001",
        );
    }),
    ("a vector of 8 bytes", "SG-12", |p| {
        key(
            p,
            16,
            "METHOD=AES-128,URI=\"key.bin\",IV=0x0000000000000001",
        );
    }),
    ("a vector of 17 bytes", "PL-01", |p| {
        key(
            p,
            16,
            "METHOD=AES-128,URI=\"key.bin\",IV=0x0000000000000000000000000000000001",
        );
    }),
    ("a vector in quotes", "PL-01", |p| {
        key(
            p,
            16,
            "METHOD=AES-128,URI=\"key.bin\",IV=\"0x00000000000000000000000000000001\"",
        );
    }),
    ("a vector in a low version", "PL-02", |p| {
        p.text(LOW, "VERSION:6", "VERSION:1");
        key(
            p,
            16,
            "METHOD=AES-128,URI=\"key.bin\",IV=0x00000000000000000000000000000001",
        );
    }),
    ("a key that is not there", "OB-01", |p| {
        line(p, "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"");
    }),
    (
        "a key for sample encryption that is not there",
        "OB-01",
        |p| {
            line(p, "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"key.bin\"");
        },
    ),
    ("a key of 15 bytes", "OB-01", |p| {
        key(p, 15, "METHOD=AES-128,URI=\"key.bin\"");
    }),
    ("a key of 32 digits", "OB-01", |p| {
        p.write("240p/key.bin", b"00112233445566778899aabbccddeeff");
        line(p, "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"");
    }),
    ("an empty key", "OB-01", |p| {
        key(p, 0, "METHOD=AES-128,URI=\"key.bin\"");
    }),
    ("a key for segments that are not encrypted", "SG-12", |p| {
        key(p, 16, "METHOD=AES-128,URI=\"key.bin\"");
    }),
    ("encrypted segments of random bytes", "SG-12", |p| {
        key(p, 16, "METHOD=AES-128,URI=\"key.bin\"");
        for at in 0..4 {
            p.write(&format!("240p/seg{at:05}.m4s"), &noise(16_000 + 16 * at));
        }
    }),
    (
        "an initialization section that is not encrypted with its key",
        "OB-01",
        |p| {
            p.write("240p/key.bin", &noise(16));
            p.add(
                LOW,
                "#EXT-X-PLAYLIST-TYPE",
                "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"",
            );
        },
    ),
    ("no EXT-X-MAP", "SG-01", |p| p.drop_line(LOW, "#EXT-X-MAP")),
    ("EXT-X-MAP without URI", "PL-01", |p| {
        p.text(LOW, "URI=\"init.mp4\"", "X-URI=\"init.mp4\"");
    }),
    ("EXT-X-MAP with a URI without quotes", "PL-01", |p| {
        p.text(LOW, "URI=\"init.mp4\"", "URI=init.mp4");
    }),
    ("EXT-X-MAP of a missing object", "OB-01", |p| {
        p.text(LOW, "init.mp4", "start.mp4");
    }),
    ("EXT-X-MAP of another rung", "MV-06", |p| {
        p.text(LOW, "init.mp4", "../360p/init.mp4");
    }),
    ("EXT-X-MAP of audio", "MV-05", |p| {
        p.text(LOW, "init.mp4", "../audio/en/init.mp4");
    }),
    ("EXT-X-MAP with a byte range behind the end", "OB-01", |p| {
        p.text(LOW, "\"init.mp4\"", "\"init.mp4\",BYTERANGE=\"9999@0\"");
    }),
    ("EXT-X-MAP with a byte range that cuts it", "OB-01", |p| {
        p.text(LOW, "\"init.mp4\"", "\"init.mp4\",BYTERANGE=\"200@0\"");
    }),
    ("EXT-X-MAP with a byte range without quotes", "PL-01", |p| {
        p.text(LOW, "\"init.mp4\"", "\"init.mp4\",BYTERANGE=200@0");
    }),
    ("EXT-X-MAP behind the segments", "SG-01", |p| {
        p.lines(LOW, |lines| {
            let map = lines.remove(position(lines, "#EXT-X-MAP"));
            lines.push(map);
        });
    }),
    ("a byte range that is none", "PL-01", |p| {
        line(p, "#EXT-X-BYTERANGE:all");
    }),
    ("a byte range in hexadecimal", "PL-01", |p| {
        line(p, "#EXT-X-BYTERANGE:0x10@0");
    }),
    ("a byte range with a hyphen", "PL-01", |p| {
        line(p, "#EXT-X-BYTERANGE:0-100");
    }),
    ("a byte range without bytes", "PL-01", |p| {
        line(p, "#EXT-X-BYTERANGE:0@0");
    }),
    (
        "a byte range without an offset at the start",
        "PL-01",
        |p| line(p, "#EXT-X-BYTERANGE:100"),
    ),
    ("a byte range twice", "PL-01", |p| {
        line(p, "#EXT-X-BYTERANGE:9@0\n#EXT-X-BYTERANGE:9@0");
    }),
    ("a byte range behind the end", "OB-01", |p| {
        line(p, "#EXT-X-BYTERANGE:99999999@0");
    }),
    ("a byte range that cuts a segment", "SG-01", |p| {
        line(p, "#EXT-X-BYTERANGE:3000@0");
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
    ("a segment twice", "TM-02", |p| {
        between(p, "#EXTINF:2.000000,\nseg00000.m4s");
    }),
    ("a segment left out", "TM-02", |p| {
        p.lines(LOW, |lines| {
            let at = position(lines, "seg00001");
            lines.drain(at - 1..=at);
        });
    }),
    ("the first segment left out", "TM-03", |p| {
        p.lines(LOW, |lines| {
            let at = position(lines, "seg00000");
            lines.drain(at - 1..=at);
        });
    }),
    ("the last segment left out in one rung", "TM-06", |p| {
        p.lines(LOW, |lines| {
            let at = position(lines, "seg00003");
            lines.drain(at - 1..=at);
        });
    }),
    ("the last segment left out in audio", "TM-05", |p| {
        p.lines(AUDIO, |lines| {
            let at = position(lines, "seg00003");
            lines.drain(at - 1..=at);
        });
    }),
    ("two segments exchanged", "TM-02", |p| {
        p.lines(LOW, |lines| {
            let at = position(lines, "seg00001");
            lines.swap(at, at + 2);
        });
    }),
    ("segments in reverse", "TM-02", |p| {
        p.lines(AUDIO, |lines| {
            let at = position(lines, "seg00000");
            lines.swap(at, at + 6);
            lines.swap(at + 2, at + 4);
        });
    }),
    ("a segment of another rung", "SG-13", |p| {
        p.text(HIGH, "seg00001.m4s", "../240p/seg00001.m4s");
    }),
    ("a segment outside the folder", "OB-02", |p| {
        p.text(LOW, "seg00001", "../../../../seg00001");
    }),
    ("a segment that is not there", "OB-01", |p| {
        p.text(LOW, "seg00001", "seg00009");
    }),
    ("a segment on another host", "OB-02", |p| {
        p.text(LOW, "seg00001", "//cdn.example/seg00001");
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
    ("I-frames without EXT-X-I-FRAMES-ONLY", "IF-01", |p| {
        p.drop_line(FRAMES, "#EXT-X-I-FRAMES-ONLY");
    }),
    ("I-frames 3 bytes late", "IF-02", |p| {
        ranges(p, |length, offset| (length, offset + 3));
    }),
    ("I-frames 3 bytes early", "IF-02", |p| {
        ranges(p, |length, offset| (length, offset - 3));
    }),
    ("I-frames a byte too short", "IF-02", |p| {
        ranges(p, |length, offset| (length - 1, offset));
    }),
    ("I-frames of two frames", "IF-02", |p| {
        p.lines(FRAMES, |lines| {
            let at = position(lines, "#EXT-X-BYTERANGE");
            let (first, offset) = lines[at].rsplit_once('@').expect("an offset");
            let first: u64 = first
                .rsplit_once(':')
                .expect("a length")
                .1
                .parse()
                .expect("a number");
            let next = lines[at + 3].rsplit_once('@').expect("an offset").0;
            let next: u64 = next
                .rsplit_once(':')
                .expect("a length")
                .1
                .parse()
                .expect("a number");
            lines[at] = format!("#EXT-X-BYTERANGE:{}@{offset}", first + next);
        });
    }),
    ("I-frames without byte ranges", "IF-02", |p| {
        p.lines(FRAMES, |lines| {
            lines.retain(|line| !line.starts_with("#EXT-X-BYTERANGE"));
        });
    }),
    ("I-frames in another order", "IF-05", |p| {
        p.lines(FRAMES, |lines| {
            let at = position(lines, "#EXT-X-BYTERANGE");
            lines.swap(at, at + 3);
        });
    }),
    ("the first I-frame twice", "IF-05", |p| {
        p.lines(FRAMES, |lines| {
            let at = position(lines, "#EXT-X-BYTERANGE");
            lines[at + 3] = lines[at].clone();
        });
    }),
    ("half of the I-frames", "IF-05", |p| {
        p.lines(FRAMES, |lines| {
            let at = position(lines, "#EXTINF");
            lines.drain(at + 6..lines.len() - 1);
        });
    }),
    ("I-frames with other durations", "IF-05", |p| {
        p.text(FRAMES, "#EXTINF:2.0", "#EXTINF:1.0");
    }),
    ("I-frames without EXT-X-MAP", "IF-02", |p| {
        p.drop_line(FRAMES, "#EXT-X-MAP");
    }),
    ("subtitles of half the lecture", "SB-06", |p| {
        p.text(TEXT, "#EXTINF:7.200000", "#EXTINF:3.600000");
    }),
    ("a Media Playlist for subtitles", "SB-01", |p| {
        p.copy(TEXT, "subs/en/seg00000.vtt");
    }),
];

fn ranges(planted: &Planted, change: impl Fn(u64, u64) -> (u64, u64)) {
    planted.lines(FRAMES, |lines| {
        for line in lines {
            if let Some(range) = line.strip_prefix("#EXT-X-BYTERANGE:") {
                let (length, offset) = range.split_once('@').expect("an offset");
                let numbers = (
                    length.parse().expect("a length"),
                    offset.parse().expect("an offset"),
                );
                let (length, offset) = change(numbers.0, numbers.1);
                *line = format!("#EXT-X-BYTERANGE:{length}@{offset}");
            }
        }
    });
}
