//! Faults of the list of segments in Media Playlists.

use super::{Planted, PlantedFault, position};

const LOW: &str = "240p/playlist.m3u8";
const HIGH: &str = "360p/playlist.m3u8";
const AUDIO: &str = "audio/en/playlist.m3u8";

/// Adds a line between the first two segments.
fn between(planted: &Planted, line: &str) {
    planted.add(LOW, "seg00000", line);
}

pub(super) const FAULTS: &[PlantedFault] = &[
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
];
