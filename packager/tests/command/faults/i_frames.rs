//! Faults of I-frame playlists.

use super::{PlantedFault, position, ranges};

const FRAMES: &str = "iframes/playlist.m3u8";

pub(super) const FAULTS: &[PlantedFault] = &[
    ("I-frames without EXT-X-I-FRAMES-ONLY", "IF-01", |p| {
        p.drop_line(FRAMES, "#EXT-X-I-FRAMES-ONLY");
    }),
    ("I-frames 3 bytes late", "IF-02", |p| {
        ranges(p, FRAMES, |length, offset| (length, offset + 3));
    }),
    ("I-frames 3 bytes early", "IF-02", |p| {
        ranges(p, FRAMES, |length, offset| (length, offset - 3));
    }),
    ("I-frames a byte too short", "IF-02", |p| {
        ranges(p, FRAMES, |length, offset| (length - 1, offset));
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
    ("EXT-X-MAP of all I-frames", "SG-02", |p| {
        p.lines(FRAMES, |lines| {
            let at = position(lines, "#EXT-X-MAP");
            let end = lines[at].find(",BYTERANGE").expect("a range");
            lines[at].truncate(end);
        });
    }),
];
