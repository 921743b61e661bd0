//! Faults of keys, initialization sections and byte ranges in Media Playlists.

use super::{Planted, PlantedFault, noise, position};

const LOW: &str = "240p/playlist.m3u8";

/// Adds a line before the segments.
fn line(planted: &Planted, line: &str) {
    planted.add(LOW, "#EXT-X-MAP", line);
}

/// Encrypts nothing, and declares a key.
fn key(planted: &Planted, bytes: usize, attributes: &str) {
    planted.write("240p/key.bin", &noise(bytes));
    line(planted, &format!("#EXT-X-KEY:{attributes}"));
}

pub(super) const FAULTS: &[PlantedFault] = &[
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
];
