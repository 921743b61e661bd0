//! Faults of segments and initialization sections in fragmented MP4.

use super::{Planted, PlantedFault, be32, box_at, noise, set_be32};

const FIRST: &str = "240p/seg00000.m4s";
const SECOND: &str = "240p/seg00001.m4s";
const INIT: &str = "240p/init.mp4";
const AUDIO: &str = "audio/en/seg00001.m4s";
const AUDIO_INIT: &str = "audio/en/init.mp4";
const FRAMES: &str = "iframes/pictures.mp4";

/// Replaces the samples.
fn samples(planted: &Planted, name: &str, change: impl FnOnce(&mut [u8])) {
    planted.bytes(name, |bytes| {
        let at = box_at(bytes, b"mdat") + 4;
        change(&mut bytes[at..]);
    });
}

/// Changes a number in a box, so many bytes behind its type.
fn number(planted: &Planted, name: &str, kind: &[u8; 4], behind: usize, to: impl Fn(u32) -> u32) {
    planted.bytes(name, |bytes| {
        let at = box_at(bytes, kind) + 4 + behind;
        let value = to(be32(bytes, at));
        set_be32(bytes, at, value);
    });
}

/// Bytes from the type of `tfdt` to the low half of its time: version and flags come first.
const TFDT: usize = 8;

/// Moves every segment of a Rendition by these ticks.
fn delay(planted: &Planted, folder: &str, ticks: u32) {
    for at in 0..4 {
        let name = format!("{folder}/seg{at:05}.m4s");
        number(planted, &name, b"tfdt", TFDT, |time| time + ticks);
    }
}

/// Gives the first box of a kind another one.
fn rename(planted: &Planted, name: &str, from: &[u8; 4], to: &[u8; 4]) {
    planted.bytes(name, |bytes| {
        let at = box_at(bytes, from);
        bytes[at..at + 4].copy_from_slice(to);
    });
}

pub(super) const FAULTS: &[PlantedFault] = &[
    ("a segment that is not there", "OB-01", |p| p.remove(SECOND)),
    ("an empty segment", "SG-01", |p| p.write(SECOND, b"")),
    ("a segment of zeros", "SG-01", |p| {
        let length = p.read(SECOND).len();
        p.write(SECOND, &vec![0; length]);
    }),
    ("a segment of random bytes", "SG-01", |p| {
        let length = p.read(SECOND).len();
        p.write(SECOND, &noise(length));
    }),
    ("a segment of text", "SG-01", |p| p.write(SECOND, b"Hello")),
    ("a web page for a segment", "SG-01", |p| {
        p.write(SECOND, b"<!DOCTYPE html><html></html>");
    }),
    ("a transport stream for a segment", "SG-01", |p| {
        p.write(SECOND, &[0x47; 188 * 8]);
    }),
    ("a picture for a segment", "SG-01", |p| {
        p.copy("poster.jpg", SECOND);
    }),
    ("half a segment", "SG-01", |p| {
        p.bytes(SECOND, |bytes| bytes.truncate(bytes.len() / 2));
    }),
    ("a segment without its last byte", "SG-01", |p| {
        p.bytes(SECOND, |bytes| bytes.truncate(bytes.len() - 1));
    }),
    ("a segment of its header alone", "SG-01", |p| {
        p.bytes(SECOND, |bytes| bytes.truncate(box_at(bytes, b"mdat") - 4));
    }),
    ("a segment with bytes behind it", "SG-01", |p| {
        p.bytes(SECOND, |bytes| bytes.extend_from_slice(&[0; 100]));
    }),
    ("a segment with text before it", "SG-01", |p| {
        p.bytes(SECOND, |bytes| {
            bytes.splice(0..0, *b"abc");
        });
    }),
    ("a segment without its fragment", "SG-01", |p| {
        rename(p, SECOND, b"moof", b"free");
    }),
    ("a segment without its data", "SG-01", |p| {
        rename(p, SECOND, b"mdat", b"free");
    }),
    ("a segment without its time", "SG-01", |p| {
        rename(p, SECOND, b"tfdt", b"free");
    }),
    ("a segment without its run", "SG-01", |p| {
        rename(p, SECOND, b"trun", b"free");
    }),
    ("an initialization section for a segment", "SG-01", |p| {
        p.copy(INIT, SECOND);
    }),
    ("a segment twice", "TM-02", |p| p.copy(FIRST, SECOND)),
    ("two segments exchanged", "TM-02", |p| p.swap(FIRST, SECOND)),
    ("segments of two rungs exchanged", "SG-10", |p| {
        // Both rungs have their own parameter sets, so a decoder shows noise.
        p.swap(SECOND, AUDIO);
    }),
    ("a segment of another rung", "SG-13", |p| {
        p.copy("360p/seg00001.m4s", SECOND);
    }),
    ("audio for a video segment", "SG-10", |p| {
        p.copy(AUDIO, SECOND);
    }),
    ("video for an audio segment", "TM-01", |p| {
        p.copy(SECOND, AUDIO);
    }),
    ("a later segment", "TM-02", |p| {
        p.copy("240p/seg00002.m4s", SECOND);
    }),
    ("video samples of zeros", "SG-10", |p| {
        samples(p, SECOND, |data| data.fill(0));
    }),
    ("video samples of zeros at the start", "SG-05", |p| {
        samples(p, SECOND, |data| data.fill(0));
    }),
    ("random video samples", "SG-10", |p| {
        samples(p, SECOND, |data| data.copy_from_slice(&noise(data.len())));
    }),
    ("video samples of 255", "SG-10", |p| {
        samples(p, SECOND, |data| data.fill(255));
    }),
    ("a second half of zeros", "SG-10", |p| {
        samples(p, SECOND, |data| {
            let half = data.len() / 2;
            data[half..].fill(0);
        });
    }),
    ("twenty zeros in a frame", "SG-10", |p| {
        samples(p, SECOND, |data| data[60..80].fill(0));
    }),
    ("video samples moved by a byte", "SG-10", |p| {
        samples(p, SECOND, |data| data.rotate_left(1));
    }),
    ("a length of a NAL unit", "SG-10", |p| {
        samples(p, SECOND, |data| data[3] ^= 1);
    }),
    ("an offset 3 bytes off", "SG-01", |p| {
        number(p, SECOND, b"trun", 8, |offset| offset + 3);
    }),
    ("an offset 3 bytes early", "SG-01", |p| {
        number(p, SECOND, b"trun", 8, |offset| offset - 3);
    }),
    ("an offset behind the end", "SG-01", |p| {
        number(p, SECOND, b"trun", 8, |offset| offset + 10_000_000);
    }),
    ("a smaller sample", "SG-01", |p| resize(p, |size| size - 5)),
    ("a larger sample", "SG-01", |p| resize(p, |size| size + 5)),
    ("a sample too many", "SG-01", |p| {
        number(p, SECOND, b"trun", 4, |count| count + 1);
    }),
    ("a sample too few", "SG-01", |p| {
        number(p, SECOND, b"trun", 4, |count| count - 1);
    }),
    ("a billion samples", "SG-01", |p| {
        number(p, SECOND, b"trun", 4, |_| 1_000_000_000);
    }),
    ("a segment a second late", "TM-02", |p| {
        number(p, SECOND, b"tfdt", TFDT, |time| time + 12_800);
    }),
    ("a segment a frame early", "TM-02", |p| {
        number(p, SECOND, b"tfdt", TFDT, |time| time - 512);
    }),
    ("a segment whose time begins at 0", "TM-02", |p| {
        number(p, SECOND, b"tfdt", TFDT, |_| 0);
    }),
    ("a segment of a far future", "TM-02", |p| {
        number(p, SECOND, b"tfdt", 4, |_| 1);
    }),
    ("a rung that starts at 10 s", "TM-03", |p| {
        delay(p, "240p", 128_000);
    }),
    ("audio half a second late", "TM-04", |p| {
        delay(p, "audio/en", 24_000);
    }),
    ("a rung half a second late", "TM-06", |p| {
        delay(p, "360p", 6_400);
    }),
    ("an audio segment a second late", "TM-02", |p| {
        number(p, AUDIO, b"tfdt", TFDT, |time| time + 48_000);
    }),
    ("frames that are shown late", "TM-02", |p| {
        p.bytes(SECOND, show_late);
    }),
    ("fragments of one number", "SG-04", |p| {
        number(p, SECOND, b"mfhd", 4, |number| number - 1);
    }),
    ("fragments in reverse", "SG-04", |p| {
        number(p, FIRST, b"mfhd", 4, |_| 1_000);
    }),
    ("audio fragments without numbers", "SG-04", |p| {
        number(p, AUDIO, b"mfhd", 4, |_| 0);
    }),
    ("a segment of another track", "SG-01", |p| {
        number(p, SECOND, b"tfhd", 4, |_| 9);
    }),
    ("a segment without its type", "SG-03", |p| {
        rename(p, SECOND, b"styp", b"free");
    }),
    ("a segment without its first box", "SG-03", |p| {
        p.bytes(SECOND, |bytes| {
            let length = be32(bytes, 0) as usize;
            bytes.drain(..length);
        });
    }),
    ("a keyframe that is no IDR picture", "SG-05", |p| {
        samples(p, SECOND, |data| {
            let mut at = 0;
            while data[at + 4] & 0x1f != 5 {
                at += 4 + be32(data, at) as usize;
            }
            data[at + 4] = 0x41;
        });
    }),
    ("a keyframe without its flag", "SG-05", |p| {
        p.bytes(SECOND, |bytes| {
            let at = box_at(bytes, b"trun") + 4;
            let flags = be32(bytes, at) & 0xff_ffff;
            // The first sample's flags stand behind the offset, or in its entry.
            let sample = at + 12 + if flags & 4 == 0 { 8 } else { 0 };
            let value = be32(bytes, sample);
            set_be32(bytes, sample, value | 0x0001_0000);
        });
    }),
    ("an index of other sizes", "SG-01", |p| {
        p.bytes(AUDIO, |bytes| {
            let has_index = bytes.windows(4).any(|kind| kind == b"sidx");
            let index: &[u8] = match has_index {
                true => &[],
                false => b"\0\0\0\x2csidx\0\0\0\0\0\0\0\x01\0\0\xbb\x80\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x09\0\0\0\0\0\0\0\0",
            };
            let at = box_at(bytes, b"moof") - 4;
            bytes.splice(at..at, index.iter().copied());
            let at = box_at(bytes, b"sidx") + 28;
            let size = be32(bytes, at);
            set_be32(bytes, at, size + 1);
        });
    }),
    ("audio samples of zeros", "SG-10", |p| {
        samples(p, AUDIO, |data| data.fill(0));
    }),
    ("random audio samples", "SG-10", |p| {
        samples(p, AUDIO, |data| data.copy_from_slice(&noise(data.len())));
    }),
    ("audio samples of 255", "SG-10", |p| {
        samples(p, AUDIO, |data| data.fill(255));
    }),
    ("audio of which a fifth is random", "SG-10", |p| {
        samples(p, AUDIO, |data| {
            let (from, to) = (data.len() / 2, data.len() * 7 / 10);
            data[from..to].copy_from_slice(&noise(to - from));
        });
    }),
    ("audio frames of one tick", "SG-14", |p| {
        p.bytes(AUDIO, |bytes| {
            let run = box_at(bytes, b"trun") + 4;
            let flags = be32(bytes, run) & 0xff_ffff;
            if flags & 0x100 == 0 {
                // All samples share a duration.
                let at = box_at(bytes, b"tfhd") + 4;
                let tfhd = be32(bytes, at) & 0xff_ffff;
                assert!(tfhd & 8 != 0, "{tfhd:x}");
                let skipped = [(1, 8), (2, 4)].iter().filter(|(flag, _)| tfhd & flag != 0);
                let at = at + 8 + skipped.map(|(_, bytes)| bytes).sum::<usize>();
                set_be32(bytes, at, 1);
            } else {
                let entry = 4 * (flags >> 8 & 0xf).count_ones() as usize;
                for sample in 0..10 {
                    set_be32(bytes, run + 12 + sample * entry, 1);
                }
            }
        });
    }),
    (
        "an initialization section that is not there",
        "OB-01",
        |p| p.remove(INIT),
    ),
    ("an empty initialization section", "OB-01", |p| {
        p.write(INIT, b"");
    }),
    ("an initialization section of zeros", "OB-01", |p| {
        p.write(INIT, &[0; 800]);
    }),
    ("a random initialization section", "OB-01", |p| {
        p.write(INIT, &noise(800));
    }),
    ("half an initialization section", "OB-01", |p| {
        p.bytes(INIT, |bytes| bytes.truncate(bytes.len() / 2));
    }),
    ("a segment for an initialization section", "OB-01", |p| {
        p.copy(FIRST, INIT);
    }),
    ("an initialization section of another rung", "MV-06", |p| {
        p.copy("360p/init.mp4", INIT);
    }),
    ("an initialization section of audio", "MV-05", |p| {
        p.copy(AUDIO_INIT, INIT);
    }),
    (
        "an initialization section of video for audio",
        "MV-05",
        |p| p.copy(INIT, AUDIO_INIT),
    ),
    (
        "an initialization section without fragments",
        "SG-02",
        |p| {
            rename(p, INIT, b"mvex", b"free");
        },
    ),
    ("sample defaults of another track", "SG-11", |p| {
        number(p, INIT, b"trex", 4, |_| 7);
    }),
    ("brands of a plain file", "SG-02", |p| {
        p.bytes(INIT, |bytes| {
            let length = be32(bytes, 0) as usize;
            for at in (8..length).step_by(4).filter(|at| *at != 12) {
                bytes[at..at + 4].copy_from_slice(b"mp41");
            }
        });
    }),
    ("another time scale", "TM-01", |p| {
        time_scale(p, INIT, 25_600);
    }),
    ("another audio time scale", "TM-01", |p| {
        time_scale(p, AUDIO_INIT, 44_100);
    }),
    ("a time scale of 0", "TM-01", |p| time_scale(p, INIT, 0)),
    ("video with parameter sets in its samples", "AV-02", |p| {
        rename(p, INIT, b"avc1", b"avc3");
    }),
    ("an unknown codec", "AV-02", |p| {
        rename(p, INIT, b"avc1", b"xvid");
    }),
    ("lengths of two bytes", "SG-05", |p| {
        p.bytes(INIT, |bytes| {
            let at = box_at(bytes, b"avcC") + 4 + 4;
            bytes[at] = bytes[at] & 0xfc | 1;
        });
    }),
    (
        "another level than that of the parameter set",
        "SG-11",
        |p| {
            p.bytes(INIT, |bytes| {
                let at = box_at(bytes, b"avcC") + 4 + 3;
                bytes[at] += 1;
            });
        },
    ),
    ("a parameter set of zeros", "SG-11", |p| {
        p.bytes(INIT, |bytes| {
            let at = box_at(bytes, b"avcC") + 4 + 8 + 4;
            bytes[at..at + 10].fill(0);
        });
    }),
    (
        "another width than that of the parameter set",
        "SG-11",
        |p| {
            p.bytes(INIT, |bytes| {
                let at = box_at(bytes, b"avc1") + 4 + 24;
                bytes[at..at + 2].copy_from_slice(&600_u16.to_be_bytes());
            });
        },
    ),
    ("another sample rate than the decoder's", "SG-11", |p| {
        p.bytes(AUDIO_INIT, |bytes| {
            let at = box_at(bytes, b"mp4a") + 4 + 24;
            bytes[at..at + 2].copy_from_slice(&44_100_u16.to_be_bytes());
        });
    }),
    ("audio of 32 kHz", "AV-04", |p| {
        p.bytes(AUDIO_INIT, |bytes| {
            let at = box_at(bytes, b"mp4a") + 4 + 24;
            bytes[at..at + 2].copy_from_slice(&32_000_u16.to_be_bytes());
        });
    }),
    ("I-frames that are not there", "OB-01", |p| p.remove(FRAMES)),
    ("I-frames of zeros", "IF-02", |p| {
        p.bytes(FRAMES, |bytes| {
            let at = box_at(bytes, b"moof") - 4;
            bytes[at..].fill(0);
        });
    }),
    ("I-frames without pictures", "IF-02", |p| {
        samples(p, FRAMES, |data| data[..1_000].fill(0));
    }),
    ("half of the I-frames' file", "OB-01", |p| {
        p.bytes(FRAMES, |bytes| bytes.truncate(bytes.len() / 2));
    }),
    ("I-frames of other times", "IF-05", |p| {
        p.bytes(FRAMES, |bytes| {
            let first = box_at(bytes, b"tfdt");
            let second = first + 4 + box_at(&bytes[first + 4..], b"tfdt") + 4 + TFDT;
            let time = be32(bytes, second);
            set_be32(bytes, second, time + 6_400);
        });
    }),
];

/// Changes the time scale of a track.
fn time_scale(planted: &Planted, name: &str, scale: u32) {
    planted.bytes(name, |bytes| {
        let at = box_at(bytes, b"mdhd") + 4;
        // Version 1 has times of 64 bits in front.
        let skipped = if bytes[at] == 1 { 20 } else { 12 };
        set_be32(bytes, at + skipped, scale);
    });
}

/// Changes the size of the first sample.
fn resize(planted: &Planted, change: impl Fn(u32) -> u32) {
    planted.bytes(SECOND, |bytes| {
        let at = box_at(bytes, b"trun") + 4;
        let flags = be32(bytes, at) & 0xff_ffff;
        let first = at + 12 + [4, 0x100].iter().filter(|flag| flags & **flag != 0).count() * 4;
        let size = be32(bytes, first);
        set_be32(bytes, first, change(size));
    });
}

/// Adds 2 s to every composition offset, and the offsets where there are none.
fn show_late(bytes: &mut Vec<u8>) {
    const LATE: u32 = 25_600;
    let run = box_at(bytes, b"trun") + 4;
    let flags = be32(bytes, run) & 0xff_ffff;
    let entry = 4 * (flags >> 8 & 0xf).count_ones() as usize;
    let first = run + 12 + if flags & 4 == 0 { 0 } else { 4 };
    let count = be32(bytes, run + 4);
    let ends = (1..=count as usize)
        .rev()
        .map(|sample| first + sample * entry);
    if flags & 0x800 != 0 {
        for at in ends {
            add(bytes, at - 4, LATE);
        }
        return;
    }
    for at in ends {
        bytes.splice(at..at, LATE.to_be_bytes());
    }
    add(bytes, run, 0x800);
    add(bytes, run + 8, 4 * count);
    for kind in [b"moof", b"traf", b"trun"] {
        let at = box_at(bytes, kind) - 4;
        add(bytes, at, 4 * count);
    }
}

fn add(bytes: &mut [u8], at: usize, more: u32) {
    let value = be32(bytes, at);
    set_be32(bytes, at, value.wrapping_add(more));
}
