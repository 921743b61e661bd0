//! Counts the packets of each track to the end of the file. A header's duration is an estimate;
//! the time of the last packet is none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::{file_url, input_options};
use crate::ffmpeg::diagnosis::reports_lost_data;
use crate::ffmpeg::process::{self, ProcessError};

/// Containers whose clock may jump, which ffmpeg corrects (`AVFMT_TS_DISCONT`).
const JUMPING: [&str; 4] = ["mpegts", "mpeg", "ogg", "wtv"];
/// Seconds by which a packet may differ from its expected time before ffmpeg corrects the clock
/// (`-dts_delta_threshold`), and seconds by which it may go back.
const MOST_DELTA: f64 = 10.0;
const MOST_BACK: f64 = 0.1;

/// Packets of all tracks.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Packets {
    tracks: BTreeMap<u32, TrackPackets>,
    /// ffprobe reported damage.
    pub(super) is_damaged: bool,
    clock: Clock,
}

/// Packets of a track that players show. Times are seconds of the container's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TrackPackets {
    pub(super) count: u64,
    /// Start of the first packet and end of the last one; `None` without timestamps.
    pub(super) span: Option<(f64, f64)>,
    /// Sum of the durations that packets declare.
    pub(super) covered: f64,
}

/// The clock as ffmpeg corrects it: a jump in one track moves all tracks.
#[derive(Debug, Clone, Default, PartialEq)]
struct Clock {
    is_corrected: bool,
    offset: f64,
    /// For each track, the time of its last packet and the expected time of the next.
    expected: BTreeMap<u32, (f64, f64)>,
    last: Option<f64>,
}

impl Clock {
    /// Returns the offset for a packet.
    fn correct(&mut self, track: u32, decoded: f64, duration: f64) -> f64 {
        if !self.is_corrected {
            return 0.0;
        }
        let time = decoded + self.offset;
        let delta = match (self.expected.get(&track), self.last) {
            (Some((last, next)), _) => {
                let delta = time - next;
                (delta.abs() > MOST_DELTA || time + MOST_BACK < *last).then_some(delta)
            }
            (None, Some(last)) => Some(time - last).filter(|delta| delta.abs() > MOST_DELTA),
            (None, None) => None,
        };
        self.offset -= delta.unwrap_or(0.0);
        let time = decoded + self.offset;
        self.expected.insert(track, (time, time + duration));
        self.last = Some(time);
        self.offset
    }
}

impl Packets {
    fn new(container: &str) -> Self {
        let mut packets = Self::default();
        packets.clock.is_corrected = JUMPING.contains(&container);
        packets
    }

    /// Counts the packets of a file.
    pub(super) async fn count(path: &Path, container: &str) -> Result<Self, ProcessError> {
        let mut packets = Self::new(container);
        match process::lines("ffprobe", argv(path), |line| packets.add(line)).await {
            Ok(messages) => packets.is_damaged = reports_lost_data(&messages),
            Err(ProcessError::Failed { .. }) => packets.is_damaged = true,
            Err(error) => return Err(error),
        }
        Ok(packets)
    }

    pub(super) fn of(&self, track: u32) -> Option<&TrackPackets> {
        self.tracks.get(&track)
    }

    /// Parses `stream,pts,dts,duration,flags`. Lines of side data are ignored.
    fn add(&mut self, line: &str) {
        let mut fields = line.trim_end_matches(',').split(',');
        let Some(Ok(track)) = fields.next().map(str::parse) else {
            return;
        };
        let mut seconds = || {
            let time = fields.next()?.parse().ok();
            time.filter(|time: &f64| time.is_finite())
        };
        let (shown, decoded, duration) = (seconds(), seconds(), seconds());
        // An edit list removes the packet.
        if fields.next().is_some_and(|flags| flags.contains('D')) {
            return;
        }
        let duration = duration.unwrap_or(0.0).max(0.0);
        let offset = match decoded.or(shown) {
            Some(decoded) => self.clock.correct(track, decoded, duration),
            None => 0.0,
        };
        let entry = self.tracks.entry(track).or_insert(TrackPackets {
            count: 0,
            span: None,
            covered: 0.0,
        });
        entry.count += 1;
        entry.covered += duration;
        if let Some(start) = shown.or(decoded).map(|time| time + offset) {
            let end = start + duration;
            let (first, last) = entry.span.unwrap_or((start, end));
            entry.span = Some((first.min(start), last.max(end)));
        }
    }
}

fn argv(path: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-v", "warning"].map(Into::into).to_vec();
    args.extend(input_options().map(Into::into));
    let fields = "packet=stream_index,pts_time,dts_time,duration_time,flags";
    args.extend(["-show_entries", fields, "-of", "csv=p=0"].map(Into::into));
    args.push(file_url(path));
    args
}

#[cfg(test)]
pub(super) mod testing {
    use super::Packets;

    /// Packets as ffprobe prints them.
    pub(in crate::source) fn packets(container: &str, lines: &str) -> Packets {
        let mut packets = Packets::new(container);
        lines.lines().for_each(|line| packets.add(line));
        packets
    }
}

#[cfg(test)]
mod tests {
    use super::testing::packets;

    #[test]
    fn a_track_ends_with_its_last_packet_that_is_shown() {
        let found = packets(
            "mov",
            "1,-0.021,-0.021,0.021,KD\n\n0,0.08,0.0,0.04,K_\n0,0.0,0.04,0.04,__,\n0,0.04,0.08,0.04,_D\n2,N/A,N/A,N/A,K_\nx",
        );
        assert_eq!(found.of(1), None);
        let video = found.of(0).expect("it has packets");
        assert_eq!(video.count, 2);
        let (first, end) = video.span.expect("it has times");
        assert!(first == 0.0 && (end - 0.12).abs() < 1e-9, "{video:?}");
        assert_eq!(
            found.of(2).map(|track| (track.count, track.span)),
            Some((1, None))
        );
    }

    #[test]
    fn clock_jumps_are_corrected_where_ffmpeg_corrects_them() {
        let lines = |starts: &[f64]| -> String {
            let packet = |start: &f64| {
                (0..4)
                    .map(|at| format!("0,{0},{0},1,K_\n1,{0},{0},1,K_\n", start + f64::from(at)))
                    .collect::<String>()
            };
            starts.iter().map(packet).collect()
        };
        for (container, starts, expected) in [
            ("mpegts", &[1.0, 1.0][..], 9.0),
            ("mpeg", &[1.0, 90_000.0], 9.0),
            ("mpegts", &[1.0, 9.0], 13.0),
            ("matroska,webm", &[1.0, 9.0], 13.0),
            ("matroska,webm", &[1.0, 1.0], 5.0),
        ] {
            let found = packets(container, &lines(starts));
            for track in [0, 1] {
                let (_, end) = found.of(track).and_then(|track| track.span).expect("times");
                assert!(
                    (end - expected).abs() < 1e-6,
                    "{container} {starts:?}: {end}"
                );
            }
        }
    }
}
