//! The check reads the output of the muxer.

use super::Transport;
use crate::mpegts::access_unit::AccessUnit;
use crate::mpegts::remux::{CLOCK, SegmentMuxer};
use crate::mpegts::testing::{aac_frames, h264_unit};

/// Frames at a distance of `apart` ticks from `start` on, the first a keyframe.
fn h264_units(start: u64, apart: u64, count: u64) -> Vec<AccessUnit> {
    (0..count)
        .map(|at| AccessUnit {
            pts: start + at * apart + 6_000,
            dts: start + at * apart,
            is_key: at == 0,
            data: h264_unit(at == 0),
        })
        .collect()
}

fn aac_units(start: u64, count: u64) -> Vec<AccessUnit> {
    (0..count)
        .map(|at| AccessUnit {
            pts: start + at * 1_920,
            dts: start + at * 1_920,
            is_key: true,
            data: aac_frames(1, 2),
        })
        .collect()
}

fn read(bytes: &[u8]) -> Transport {
    Transport::read(bytes).expect("a transport stream").0
}

#[test]
fn segments_read_as_what_was_put_into_them_and_counters_go_on() {
    let mut muxer = SegmentMuxer::new(true, true);
    let (one, first) = muxer.segment(&h264_units(894_000, 3_000, 30), &aac_units(898_080, 47));
    let (two, _) = muxer.segment(&h264_units(984_000, 3_000, 30), &aac_units(988_320, 47));
    let (found, next) = (read(&one), read(&two));
    let video = found.video.expect("pictures");
    assert_eq!(
        (video.start, video.duration, video.samples),
        (900_000, 90_000, 30)
    );
    let audio = found.audio.expect("sound");
    assert_eq!(
        (audio.start, audio.samples, audio.has_hole),
        (898_080, 47, false)
    );
    assert_eq!(found.counters.jump, None);
    assert_eq!(found.counters.jump_to(&next.counters), None);
    assert!(next.counters.jump_to(&next.counters).is_some());
    // The byte range of an I-frame playlist.
    let shown = read(&one[..first]).video.expect("a picture");
    assert_eq!((shown.samples, shown.starts_with_idr), (1, Some(true)));
}

#[test]
fn a_pcr_comes_every_tenth_of_a_second_even_between_sparse_frames() {
    for (video, aac_units, seconds) in [
        (h264_units(900_000, 90_000, 4), vec![], 3),
        (h264_units(900_000, 3_600, 100), aac_units(900_000, 187), 3),
        (vec![], aac_units(900_000, 187), 3),
    ] {
        let mut muxer = SegmentMuxer::new(!video.is_empty(), !aac_units.is_empty());
        let (bytes, _) = muxer.segment(&video, &aac_units);
        let clocks: Vec<u64> = bytes.chunks(188).filter_map(clock).collect();
        let ticks = clocks.last().expect("a clock") - clocks[0];
        assert!(ticks >= seconds * 90_000, "{ticks}");
        assert!(
            clocks
                .windows(2)
                .all(|pair| (1..=CLOCK).contains(&(pair[1] - pair[0])))
        );
    }
}

/// The clock reference of a packet (ISO/IEC 13818-1 §2.4.3.5).
fn clock(packet: &[u8]) -> Option<u64> {
    let has_clock = packet[3] & 0x20 != 0 && packet[4] > 0 && packet[5] & 0x10 != 0;
    let bytes = packet[6..11]
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    has_clock.then_some(bytes >> 7)
}
