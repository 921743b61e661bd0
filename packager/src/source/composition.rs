//! Negative composition offsets of fragmented MP4 (ISO/IEC 14496-12 §8.8.8), by which ffmpeg
//! delays a track. Pure but for reading: any number may be hostile.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::box_walk::{BoxHeader, walk};

/// Maximum boxes that are looked at: 24 hours of fragments with a single frame.
const MOST_BOXES: usize = 20_000_000;
/// Maximum bytes of a `moov` or `moof`; a `moof` of a million samples takes 16 MB.
const LARGEST: u64 = 64 << 20;
/// Maximum steps of a track. Reordering spans 16 frames.
const MOST_STEPS: usize = 16;
/// Maximum number of tracks. ffmpeg reads a thousand streams.
const MOST_TRACKS: usize = 1_000;

/// A track with negative composition offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShiftedTrack {
    pub(crate) id: u32,
    /// Ticks a second.
    pub(crate) timescale: u32,
    /// Ticks at which its first sample is shown.
    pub(crate) start: i64,
    /// The lowest offset so far, without its sign; it grows with each step. The first step is that
    /// of the first fragment, and may be 0.
    pub(crate) steps: Vec<ShiftStep>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShiftStep {
    /// Position in the file from which it counts.
    pub(crate) position: u64,
    pub(crate) ticks: u32,
}

impl ShiftedTrack {
    /// Finds the tracks of a file that have negative offsets. A file that is cut short has those of
    /// its complete fragments.
    pub(crate) fn find(file: impl Read + Seek) -> io::Result<Vec<Self>> {
        let mut file = BufReader::new(file);
        let length = file.seek(SeekFrom::End(0))?;
        let mut tracks: BTreeMap<u32, FragmentedTrack> = BTreeMap::new();
        let (mut movie, mut at) = (None, 0_u64);
        for _ in 0..MOST_BOXES {
            if at >= length {
                break;
            }
            let current = file.stream_position()?;
            file.seek_relative(at.cast_signed().wrapping_sub(current.cast_signed()))?;
            let mut head = vec![];
            (&mut file)
                .take(BoxHeader::LONGEST as u64)
                .read_to_end(&mut head)?;
            let Some(header) = BoxHeader::parse(&head, length - at) else {
                break;
            };
            let Some(end) = at.checked_add(header.size).filter(|end| *end <= length) else {
                break;
            };
            let body = at + header.length..end;
            let is_small = body.end - body.start <= LARGEST;
            match &header.kind {
                b"moov" if is_small => movie = Some(body),
                b"moof" if is_small => add_fragment(&read(&mut file, body)?, at, &mut tracks),
                _ => {}
            }
            at = end;
        }
        tracks.retain(|_, track| track.steps.iter().any(|step| step.ticks > 0));
        let Some(movie) = movie.filter(|_| !tracks.is_empty()) else {
            return Ok(vec![]);
        };
        let headers = headers(&read(&mut file, movie)?);
        let found = tracks.into_iter().filter_map(|(id, track)| {
            let header = headers.get(&id).filter(|header| header.timescale > 0)?;
            Some(Self {
                id,
                timescale: header.timescale,
                start: track.start.saturating_sub(header.trimmed),
                steps: track.steps,
            })
        });
        Ok(found.collect())
    }
}

#[derive(Debug, Default)]
struct FragmentedTrack {
    /// Decode time of the first sample, and its offset.
    start: i64,
    steps: Vec<ShiftStep>,
}

struct TrackHeader {
    timescale: u32,
    /// Ticks that an edit list removes at the beginning.
    trimmed: i64,
}

fn read(file: &mut (impl Read + Seek), at: Range<u64>) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at.start))?;
    let mut bytes = vec![];
    file.take(at.end - at.start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Adds the lowest offsets of a `moof` box at `position`.
fn add_fragment(moof: &[u8], position: u64, tracks: &mut BTreeMap<u32, FragmentedTrack>) {
    for traf in children(moof, 0..moof.len(), *b"traf") {
        let header = children(moof, traf.clone(), *b"tfhd").next();
        let Some(id) = header.and_then(|tfhd| number(moof, tfhd.start + 4)) else {
            continue;
        };
        if tracks.len() >= MOST_TRACKS && !tracks.contains_key(&id) {
            continue;
        }
        let runs = || children(moof, traf.clone(), *b"trun").flat_map(|run| offsets(&moof[run]));
        let lowest = runs().min().unwrap_or(0).min(0).unsigned_abs();
        let track = tracks.entry(id).or_default();
        if track.steps.is_empty() {
            let time = children(moof, traf.clone(), *b"tfdt").next();
            let time = time.and_then(|tfdt| signed(moof, tfdt.start, 4));
            let offset = runs().next().unwrap_or(0).into();
            track.start = time.unwrap_or(0).saturating_add(offset);
        }
        let before = track.steps.last().map(|step| step.ticks);
        if before.is_none_or(|before| before < lowest) && track.steps.len() < MOST_STEPS {
            track.steps.push(ShiftStep {
                position,
                ticks: lowest,
            });
        }
    }
}

/// Composition offsets in a `trun` box. ffmpeg reads them as signed in every version.
fn offsets(run: &[u8]) -> impl Iterator<Item = i32> {
    const FIELDS: [u32; 4] = [0x100, 0x200, 0x400, 0x800];
    let flags = number(run, 0).unwrap_or(0);
    let has = |flag: u32| usize::from(flags & flag != 0);
    let count = number(run, 4).filter(|_| has(0x800) == 1).unwrap_or(0);
    let first = 8 + 4 * (has(0x1) + has(0x4));
    let size = 4 * FIELDS.into_iter().map(has).sum::<usize>();
    let samples = run.get(first..).unwrap_or_default();
    let samples = samples.chunks_exact(size.max(4)).take(count as usize);
    // The offset is the last field of a sample.
    samples.filter_map(move |sample| Some(number(sample, size.checked_sub(4)?)?.cast_signed()))
}

fn headers(moov: &[u8]) -> BTreeMap<u32, TrackHeader> {
    let mut found = BTreeMap::new();
    for trak in children(moov, 0..moov.len(), *b"trak") {
        let id = children(moov, trak.clone(), *b"tkhd").next();
        // Creation and modification time precede, of 64 bits each in version 1.
        let id = id.and_then(|tkhd| number(moov, tkhd.start + after_times(moov, tkhd.start)));
        let edits = children(moov, trak.clone(), *b"edts").next();
        let edits = edits.and_then(|edts| children(moov, edts, *b"elst").next());
        // Version, flags and count precede; the duration has 64 bits in version 1.
        let trimmed = edits.and_then(|elst| match moov.get(elst.start) {
            Some(1) => signed(moov, elst.start, 16),
            _ => Some(number(moov, elst.start + 12)?.cast_signed().into()),
        });
        let media = children(moov, trak, *b"mdia").next();
        let header = media.and_then(|mdia| children(moov, mdia, *b"mdhd").next());
        let timescale =
            header.and_then(|mdhd| number(moov, mdhd.start + after_times(moov, mdhd.start)));
        if let (Some(id), Some(timescale)) = (id, timescale) {
            let trimmed = trimmed.unwrap_or(0).max(0);
            found.insert(id, TrackHeader { timescale, trimmed });
        }
    }
    found
}

fn after_times(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(1) => 20,
        _ => 12,
    }
}

/// Bodies of complete child boxes of a kind.
fn children(
    bytes: &[u8],
    within: Range<usize>,
    kind: [u8; 4],
) -> impl Iterator<Item = Range<usize>> {
    let found = walk(bytes, within).map_while(Result::ok);
    found
        .filter(move |found| found.kind == kind && !found.is_cut)
        .map(|found| found.body)
}

/// Reads the time at an offset in a box: 64 bits, or 32 in version 0.
fn signed(bytes: &[u8], start: usize, offset: usize) -> Option<i64> {
    match bytes.get(start)? {
        0 => Some(number(bytes, start + offset)?.into()),
        _ => Some(i64::from_be_bytes(
            *bytes.get(start + offset..)?.first_chunk()?,
        )),
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).expect("a small box");
        [&size.to_be_bytes()[..], kind, body].concat()
    }

    /// A Media Initialization Section of the track 1.
    fn init(timescale: u32) -> Vec<u8> {
        let mut tkhd = vec![0; 84];
        tkhd[15] = 1;
        let mut mdhd = vec![0; 24];
        mdhd[12..16].copy_from_slice(&timescale.to_be_bytes());
        let mdia = atom(b"mdia", &atom(b"mdhd", &mdhd));
        let trak = atom(b"trak", &[atom(b"tkhd", &tkhd), mdia].concat());
        atom(b"moov", &trak)
    }

    /// A fragment of a track with these offsets, and sample sizes before them.
    fn fragment(track: u32, offsets: &[i32]) -> Vec<u8> {
        let tfhd = atom(b"tfhd", &[&[0; 4][..], &track.to_be_bytes()].concat());
        let count = u32::try_from(offsets.len()).expect("a small number");
        let mut trun = [&0x0100_0a01_u32.to_be_bytes()[..], &count.to_be_bytes()].concat();
        trun.extend([0; 4]);
        for offset in offsets {
            trun.extend(7_u32.to_be_bytes());
            trun.extend(offset.to_be_bytes());
        }
        let traf = atom(b"traf", &[tfhd, atom(b"trun", &trun)].concat());
        [atom(b"moof", &traf), atom(b"mdat", b"media")].concat()
    }

    fn found(file: &[u8]) -> Vec<(u32, Vec<(u64, u32)>)> {
        let tracks = ShiftedTrack::find(Cursor::new(file)).expect("it is read");
        let tracks = tracks.into_iter().map(|track| {
            assert_eq!(track.timescale, 12_800);
            let steps = track.steps.iter().map(|step| (step.position, step.ticks));
            (track.id, steps.collect())
        });
        tracks.collect()
    }

    #[test]
    fn a_track_is_shifted_by_its_lowest_offset_from_the_fragment_that_has_it() {
        let head = init(12_800);
        let at = head.len() as u64;
        let (plain, low) = (fragment(1, &[0, 512, 0]), fragment(1, &[0, 1024, -512]));
        let lower = fragment(1, &[0, -1024, 5]);
        let length = plain.len() as u64;
        let of = |parts: &[&Vec<u8>]| {
            [&head]
                .into_iter()
                .chain(parts.iter().copied())
                .fold(vec![], |file, part| [&file[..], part].concat())
        };
        for (parts, expected) in [
            (vec![], vec![]),
            (vec![&plain, &plain], vec![]),
            (vec![&low, &plain, &low], vec![(1, vec![(at, 512)])]),
            (
                vec![&plain, &low, &lower],
                vec![(
                    1,
                    vec![(at, 0), (at + length, 512), (at + 2 * length, 1024)],
                )],
            ),
            (vec![&lower, &low], vec![(1, vec![(at, 1024)])]),
            // A track that `moov` does not have.
            (vec![&fragment(9, &[-5])], vec![]),
        ] {
            assert_eq!(found(&of(&parts)), expected);
        }
    }

    #[test]
    fn any_bytes_are_read_to_their_end_without_a_panic() {
        let whole = [init(12_800), fragment(1, &[0, -5]), fragment(1, &[-9])].concat();
        for end in 0..whole.len() {
            let _ = ShiftedTrack::find(Cursor::new(&whole[..end]));
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 0xff] {
                let mut spoiled = whole.clone();
                spoiled[at] = byte;
                let _ = ShiftedTrack::find(Cursor::new(spoiled));
            }
        }
        let mut tracks = BTreeMap::new();
        for track in 0..2_000 {
            add_fragment(&fragment(track, &[-5])[8..], 0, &mut tracks);
        }
        assert_eq!(tracks.len(), MOST_TRACKS);
        assert_eq!(offsets(&0x0100_0800_u32.to_be_bytes()).count(), 0);
        let run = [0x0100_0800_u32, u32::MAX, 0x8000_0000, 5].map(u32::to_be_bytes);
        let found: Vec<i32> = offsets(run.as_flattened()).collect();
        assert_eq!(found, [i32::MIN, 5]);
    }
}
