//! Faults of packages of MPEG-2 Transport Streams.

use super::{Planted, PlantedFault, noise, ranges};

const PACKET: usize = 188;
const LOW: &str = "240p/playlist.m3u8";
const FRAMES: &str = "240p/iframes.m3u8";
const FIRST: &str = "240p/seg00000.ts";
const SECOND: &str = "240p/seg00001.ts";

fn pid(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[1], packet[2]]) & 0x1fff
}

/// Changes the packets of a segment.
fn packets(planted: &Planted, change: impl Fn(&mut Vec<Vec<u8>>)) {
    planted.bytes(SECOND, |bytes| {
        let mut all: Vec<Vec<u8>> = bytes.chunks(PACKET).map(<[u8]>::to_vec).collect();
        change(&mut all);
        *bytes = all.concat();
    });
}

/// Offset of the payload in a packet.
fn payload(packet: &[u8]) -> usize {
    match packet[3] >> 4 & 3 {
        1 => 4,
        _ => 5 + usize::from(packet[4]),
    }
}

/// Positions of packets in which a PES packet of this stream starts.
fn starts(all: &[Vec<u8>], stream: u8) -> Vec<usize> {
    let is_start = |packet: &Vec<u8>| {
        let body = &packet[payload(packet).min(PACKET)..];
        packet[1] & 0x40 != 0
            && body.len() > 9
            && body[..3] == [0, 0, 1]
            && body[3] & 0xf0 == stream
    };
    let both = all.iter().enumerate();
    both.filter(|(_, packet)| is_start(packet))
        .map(|(at, _)| at)
        .collect()
}

const VIDEO: u8 = 0xe0;
const AUDIO: u8 = 0xc0;

fn stream_pid(all: &[Vec<u8>], stream: u8) -> u16 {
    pid(&all[starts(all, stream)[0]])
}

/// Replaces the bytes of a stream, apart from the headers of its packets.
fn clear(all: &mut [Vec<u8>], stream: u8) {
    let wanted = stream_pid(all, stream);
    for packet in all.iter_mut().filter(|packet| pid(packet) == wanted) {
        let is_start = packet[1] & 0x40 != 0;
        let at = payload(packet) + if is_start { 20 } else { 0 };
        packet[at.min(PACKET)..].fill(0);
    }
}

/// Moves a presentation timestamp, which has 33 bits in 5 bytes, by 10 s.
fn move_pts(packet: &mut [u8]) {
    let at = payload(packet) + 9;
    let stamp = &mut packet[at..at + 5];
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|byte| u64::from(stamp[byte]));
    let pts = (a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1;
    let pts = pts + 900_000;
    stamp[0] = stamp[0] & 0xf1 | (pts >> 29 & 0x0e) as u8;
    stamp[1] = (pts >> 22) as u8;
    stamp[2] = (pts >> 14) as u8 | 1;
    stamp[3] = (pts >> 7) as u8;
    stamp[4] = (pts << 1) as u8 | 1;
}

pub(super) const FAULTS: &[PlantedFault] = &[
    ("a stream of zeros", "SG-01", |p| {
        p.bytes(SECOND, |bytes| bytes.fill(0));
    }),
    ("a stream of random bytes", "SG-01", |p| {
        let length = p.read(SECOND).len();
        p.write(SECOND, &noise(length));
    }),
    ("an empty stream", "SG-01", |p| p.write(SECOND, b"")),
    ("a stream that is not there", "OB-01", |p| p.remove(SECOND)),
    ("half a packet at the end", "SG-06", |p| {
        p.bytes(SECOND, |bytes| bytes.truncate(bytes.len() - 100));
    }),
    ("a byte lost in the middle", "SG-06", |p| {
        p.bytes(SECOND, |bytes| {
            bytes.remove(bytes.len() / 2);
        });
    }),
    ("zeros from the middle on", "SG-06", |p| {
        p.bytes(SECOND, |bytes| {
            let half = bytes.len() / 2;
            bytes[half..].fill(0);
        });
    }),
    ("a packet without its mark", "SG-06", |p| {
        packets(p, |all| all[5][0] = 0);
    }),
    ("no PAT", "SG-06", |p| {
        packets(p, |all| all.retain(|packet| pid(packet) != 0));
    }),
    ("no PMT", "SG-06", |p| {
        packets(p, |all| {
            all.remove(1);
        });
    }),
    ("a PAT behind the media", "SG-06", |p| {
        packets(p, |all| {
            let pat = all.remove(0);
            all.push(pat);
        });
    }),
    ("a PAT with another checksum", "SG-06", |p| {
        packets(p, |all| all[0][5 + 8] ^= 1);
    }),
    ("a PMT with another checksum", "SG-06", |p| {
        packets(p, |all| {
            let length = usize::from(all[1][5 + 2]);
            all[1][5 + 2 + length] ^= 1;
        });
    }),
    ("a packet flagged as damaged", "SG-06", |p| {
        packets(p, |all| all[9][1] |= 0x80);
    }),
    ("a scrambled packet", "SG-06", |p| {
        packets(p, |all| all[9][3] |= 0x80);
    }),
    ("a counter that jumps", "SG-08", |p| {
        packets(p, |all| {
            let last = all.len() - 1;
            all[last][3] = all[last][3] & 0xf0 | (all[last][3] + 3) & 0x0f;
        });
    }),
    ("packets lost in the middle", "SG-08", |p| {
        packets(p, |all| {
            let half = all.len() / 2;
            all.drain(half..half + 5);
        });
    }),
    ("packets lost at the end", "SG-08", |p| {
        packets(p, |all| {
            let length = all.len();
            all.truncate(length * 3 / 4);
        });
    }),
    ("a stream without video", "SG-10", |p| {
        packets(p, |all| {
            let lost = stream_pid(all, VIDEO);
            all.retain(|packet| pid(packet) != lost);
        });
    }),
    ("a stream without audio", "SG-10", |p| {
        packets(p, |all| {
            let lost = stream_pid(all, AUDIO);
            all.retain(|packet| pid(packet) != lost);
        });
    }),
    ("video of zeros", "SG-10", |p| {
        packets(p, |all| clear(all, VIDEO));
    }),
    ("audio of zeros", "SG-10", |p| {
        packets(p, |all| clear(all, AUDIO));
    }),
    ("an audio packet that is cut", "SG-10", |p| {
        packets(p, |all| {
            let at = starts(all, AUDIO)[0];
            let length = payload(&all[at]) + 4;
            all[at][length] = 0xff;
        });
    }),
    ("a packet of another start code", "SG-10", |p| {
        packets(p, |all| {
            let at = starts(all, VIDEO)[1];
            let start = payload(&all[at]) + 2;
            all[at][start] = 9;
        });
    }),
    ("video timestamps that jump", "TM-02", |p| {
        packets(p, |all| {
            let starts = starts(all, VIDEO);
            for at in &starts[starts.len() / 2..] {
                move_pts(&mut all[*at]);
            }
        });
    }),
    ("audio timestamps that jump", "TM-02", |p| {
        packets(p, |all| {
            let starts = starts(all, AUDIO);
            for at in &starts[starts.len() / 2..] {
                move_pts(&mut all[*at]);
            }
        });
    }),
    ("a stream 10 s late", "TM-02", |p| {
        packets(p, |all| {
            for at in [starts(all, VIDEO), starts(all, AUDIO)].concat() {
                move_pts(&mut all[at]);
            }
        });
    }),
    ("a stream without a clock", "SG-10", |p| {
        packets(p, |all| {
            for packet in all
                .iter_mut()
                .filter(|packet| packet[3] & 0x20 != 0 && packet[4] > 0)
            {
                packet[5] &= 0xef;
            }
        });
    }),
    ("two streams exchanged", "TM-02", |p| p.swap(FIRST, SECOND)),
    ("a stream twice", "TM-02", |p| p.copy(FIRST, SECOND)),
    ("a stream of another rung", "SG-13", |p| {
        p.copy("360p/seg00001.ts", SECOND);
    }),
    ("a stream without its keyframe", "SG-05", |p| {
        packets(p, |all| {
            let starts = starts(all, VIDEO);
            let video = pid(&all[starts[0]]);
            let (first, second) = (starts[0], starts[1]);
            let mut at = 0;
            all.retain(|packet| {
                at += 1;
                !(first..second).contains(&(at - 1)) || pid(packet) != video
            });
        });
    }),
    ("a stream of HEVC", "SG-06", |p| {
        packets(p, |all| {
            let kind = all[1].iter().position(|byte| *byte == 0x1b).expect("H.264");
            all[1][kind] = 0x24;
        });
    }),
    ("fragmented MP4 for a stream", "SG-01", |p| {
        p.copy("lecture.mp4", SECOND);
    }),
    ("EXT-X-DISCONTINUITY in one rung", "TM-09", |p| {
        p.add(LOW, "seg00000", "#EXT-X-DISCONTINUITY");
    }),
    ("EXTINF half a second too long", "TM-01", |p| {
        p.text(LOW, "#EXTINF:2.0", "#EXTINF:2.4");
    }),
    ("a key that is not there", "OB-01", |p| {
        p.add(
            LOW,
            "#EXT-X-TARGETDURATION",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"",
        );
    }),
    ("a key for streams that are not encrypted", "SG-12", |p| {
        p.write("240p/key.bin", &noise(16));
        p.add(
            LOW,
            "#EXT-X-TARGETDURATION",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"",
        );
    }),
    ("EXT-X-MAP for streams", "OB-01", |p| {
        p.add(LOW, "#EXT-X-TARGETDURATION", "#EXT-X-MAP:URI=\"init.mp4\"");
    }),
    ("EXT-X-VERSION too low for byte ranges", "PL-02", |p| {
        p.text(FRAMES, "VERSION:4", "VERSION:3");
    }),
    ("I-frames 3 bytes late", "IF-02", |p| {
        ranges(p, FRAMES, |length, offset| (length, offset + 3));
    }),
    ("I-frames a packet late", "IF-02", |p| {
        ranges(p, FRAMES, |length, offset| (length, offset + 188));
    }),
    ("I-frames of other times", "IF-05", |p| {
        p.text(FRAMES, "#EXTINF:2.0", "#EXTINF:1.0");
    }),
    ("captions of another zero", "SB-04", |p| {
        p.text("subs/en/seg00000.vtt", "MPEGTS:900000", "MPEGTS:0");
    }),
];
