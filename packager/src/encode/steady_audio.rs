//! Places decoded audio by its timestamps, if its channels or its sample rate change. ffmpeg
//! rebuilds its filters at each change, and would fill the time from 0 with silence again.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::media::{AUDIO_CHANNELS, AUDIO_SAMPLE_RATE};
use crate::source::LONGEST;

/// Samples, and a table of their timestamps, that ffmpeg writes.
pub(super) const SAMPLES: &str = "samples.pcm";
pub(super) const TIMES: &str = "times.txt";
/// The placed samples.
pub(super) const STEADY: &str = "steady.wav";
/// Bytes of a sample of all channels, 16 bits each.
const FRAME: u64 = 2 * AUDIO_CHANNELS as u64;
const HEADER: u64 = 44;

/// Writes the samples of a folder to [`STEADY`] at their times. Later ones replace earlier ones,
/// and gaps are silent.
pub(super) fn place(folder: &Path) -> io::Result<()> {
    let times = BufReader::new(File::open(folder.join(TIMES))?);
    let mut steady = SteadyFile {
        samples: File::open(folder.join(SAMPLES))?,
        out: File::create(folder.join(STEADY))?,
    };
    steady.out.write_all(&header())?;
    let (mut from, mut last) = (0, None::<Packet>);
    // ffmpeg never writes an earlier time than the one before, so the time of the next packet tells
    // those of packets that begin before the end of the previous one.
    let mut unplaced: Vec<(u64, Packet)> = vec![];
    for line in times.lines() {
        let line = line?;
        let Some(packet) = Packet::parse(&line) else {
            continue;
        };
        if last.is_some_and(|last| packet.time <= last.time) {
            unplaced.push((from, packet));
        } else {
            let mut end = packet.time;
            for (from, packet) in unplaced.drain(..).rev() {
                end = end.saturating_sub(packet.samples());
                steady.write(end, from, packet.bytes)?;
            }
            steady.write(packet.time, from, packet.bytes)?;
            last = Some(packet);
        }
        from += packet.bytes;
    }
    let mut end = last.map_or(0, |last| last.time.saturating_add(last.samples()));
    for (from, packet) in unplaced {
        steady.write(end, from, packet.bytes)?;
        end = end.saturating_add(packet.samples());
    }
    steady.out.flush()?;
    // Each takes 700 MB an hour.
    std::fs::remove_file(folder.join(SAMPLES))
}

struct SteadyFile {
    samples: File,
    out: File,
}

impl SteadyFile {
    /// Copies `bytes` of the samples, at `from`, to their time. Those before the start of the
    /// lecture are not heard.
    fn write(&mut self, time: i64, from: u64, bytes: u64) -> io::Result<()> {
        let early = time.min(0).unsigned_abs().saturating_mul(FRAME).min(bytes);
        if time >= i64::from(LONGEST) * i64::from(AUDIO_SAMPLE_RATE) {
            return Ok(());
        }
        let to = HEADER + time.max(0).unsigned_abs() * FRAME;
        self.samples.seek(SeekFrom::Start(from + early))?;
        self.out.seek(SeekFrom::Start(to))?;
        io::copy(&mut (&mut self.samples).take(bytes - early), &mut self.out)?;
        Ok(())
    }
}

/// A line of ffmpeg's `framecrc`: `0, dts, pts, duration, size, hash`, in samples.
#[derive(Clone, Copy)]
struct Packet {
    time: i64,
    bytes: u64,
}

impl Packet {
    fn samples(self) -> i64 {
        i64::try_from(self.bytes / FRAME).unwrap_or(i64::MAX)
    }

    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let mut fields = line.split(',').map(str::trim);
        let (time, bytes) = (fields.nth(2)?.parse().ok()?, fields.nth(1)?.parse().ok()?);
        Some(Self { time, bytes })
    }
}

/// Header of a WAV file whose samples last to its end.
fn header() -> Vec<u8> {
    let rate = AUDIO_SAMPLE_RATE;
    let mut header = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0".to_vec();
    header.extend((AUDIO_CHANNELS as u16).to_le_bytes());
    header.extend(rate.to_le_bytes());
    header.extend((rate * FRAME as u32).to_le_bytes());
    header.extend((FRAME as u16).to_le_bytes());
    header.extend(16_u16.to_le_bytes());
    header.extend(b"data\xff\xff\xff\xff");
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_placed_by_their_times_and_the_later_ones_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).expect("written");
        };
        // Two samples before 0, a gap, and two packets that begin before the end of a third.
        write(SAMPLES, b"aaaaAAAAbbbbBBBBccccCCCCddddeeeeEEEE");
        write(
            TIMES,
            b"#tb 0: 1/48000\n0, -1, -1, 2, 8, 0x0\n0, 3, 3, 2, 8, 0x0\n0, 3, 3, 1, 4, 0x0\n\
              0, 3, 3, 1, 4, 0x0\n0, 5, 5, 1, 4, 0x0\nx\n0, 5, 5, 1, 4, 0x0\n\
              0, 5, 5, 1, 4, 0x0\n",
        );
        place(folder.path()).expect("placed");
        let steady = std::fs::read(folder.path().join(STEADY)).expect("a file");
        assert!(!folder.path().join(SAMPLES).exists());
        let placed = b"AAAA\0\0\0\0\0\0\0\0ccccCCCCddddeeeeEEEE";
        assert_eq!(&steady[44..], placed);
        // No time overflows.
        for time in [i64::MIN, i64::MAX] {
            write(SAMPLES, b"aaaabbbb");
            let line = format!("0, {time}, {time}, 1, 4, 0x0\n").repeat(2);
            write(TIMES, line.as_bytes());
            place(folder.path()).expect("placed");
        }
    }
}
