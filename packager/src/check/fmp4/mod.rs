//! Reads fragmented MP4 (ISO/IEC 14496-12, 14496-15, 23000-19): tracks of a Media Initialization
//! Section, samples of a Media Segment. The bytes are untrusted: numbers may be anything, and sizes
//! count only as far as there are bytes. Pure.

mod samples;

use std::ops::Range;

use mp4_atom::{Atom as _, Ftyp, Moof, Moov, Trak, Trex};

use super::codec;
use super::sample_data::{self, Coding};
use crate::box_walk::{FoundBox, walk};
use crate::mp4::codec_string::codec_string;
use samples::{SampleReader, is_wrong_index};

const SAMPLE_IS_NON_SYNC: u32 = 0x0001_0000;
/// One sample in so many may end in another way than its codec's: some encoders pad a few.
pub(crate) const MOST_ODD: u64 = 20;
/// Maximum number of tracks, each of which reads every segment.
pub(crate) const MOST_TRACKS: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    Video,
    Audio,
    Other,
}

/// A Media Initialization Section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckedInit {
    pub(crate) brands: Vec<String>,
    /// Never empty.
    pub(crate) tracks: Vec<CheckedTrack>,
    pub(crate) is_fragmented: bool,
    /// It has segments, too.
    pub(crate) has_media: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckedTrack {
    id: u32,
    pub(crate) medium: Medium,
    /// Ticks a second; never 0.
    pub(crate) timescale: u32,
    pub(crate) codec: String,
    /// Coded size and display size.
    pub(crate) sizes: [(u32, u32); 2],
    pub(crate) channels: u16,
    pub(crate) sample_rate: u32,
    /// Ticks that the edit list adds to a time.
    edit: i64,
    /// Framing of its samples; `None` if they cannot be examined.
    pub(crate) coding: Option<Coding>,
    /// Fault of its sample entry.
    pub(crate) fault: Option<String>,
    /// Transfer characteristics (ISO/IEC 23091-2), if it declares them.
    pub(crate) transfer: Option<u16>,
    trex: Trex,
    /// A track of a transport stream, whose times have 33 bits and begin anywhere.
    pub(crate) is_transport: bool,
}

/// Samples of one track in a Media Segment; times in ticks of the track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SegmentSamples {
    pub(crate) start: u64,
    pub(crate) duration: u64,
    pub(crate) samples: u64,
    pub(crate) longest_sample: u64,
    /// Presentation time of the first sample after the edit list.
    pub(crate) shown_from: i64,
    pub(crate) starts_with_sync: bool,
    /// Kind of the first sample by its NAL units, if they were readable.
    pub(crate) starts_with_idr: Option<bool>,
    /// Longest time between sync samples.
    pub(crate) longest_gap: u64,
    /// First and last `mfhd` sequence number.
    pub(crate) sequence: (u32, u32),
    pub(crate) is_rising: bool,
    /// Consecutive fragments leave a gap.
    pub(crate) has_hole: bool,
    pub(crate) has_styp: bool,
    /// The last box has more bytes than there are.
    pub(crate) is_cut: bool,
    /// Bytes that samples declare and `mdat` lacks.
    pub(crate) missing: u64,
    /// The first sample is complete.
    pub(crate) has_first_sample: bool,
    /// Bytes of `mdat` that no sample declares.
    pub(crate) surplus: u64,
    /// A run of samples lies outside `mdat`.
    pub(crate) is_misplaced: bool,
    /// `sidx` declares other sizes than the segment has.
    pub(crate) has_wrong_index: bool,
    /// The first sample whose bytes are none of its codec.
    pub(crate) fault: Option<SampleFault>,
    /// Audio frames of less than half their codec's duration.
    pub(crate) short_samples: u64,
}

/// A sample, and a reason why its bytes are none of its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampleFault {
    pub(crate) sample: u64,
    pub(crate) why: &'static str,
}

/// Boxes at the top level; `Err` for other bytes.
fn top(bytes: &[u8]) -> impl Iterator<Item = Result<FoundBox, String>> {
    walk(bytes, 0..bytes.len()).map(|found| {
        found
            .and_then(|found| match found.kind.iter().all(u8::is_ascii_graphic) {
                true => Ok(found),
                false => Err(found.start),
            })
            .map_err(|start| format!("bytes from {start} on are no box"))
    })
}

/// Recognizes the beginning of a segment or an initialization section.
pub(crate) fn is_boxes(bytes: &[u8]) -> bool {
    let kinds = [
        b"styp", b"moof", b"sidx", b"emsg", b"prft", b"ftyp", b"moov",
    ];
    bytes
        .get(4..8)
        .is_some_and(|kind| kinds.iter().any(|known| *known == kind))
}

impl CheckedInit {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (mut brands, mut moov, mut has_media) = (vec![], None, false);
        for found in top(bytes) {
            let found = found?;
            if found.is_cut {
                return Err("it is cut short".to_owned());
            }
            let unread = |error| format!("its boxes cannot be read: {error}");
            match &found.kind {
                b"ftyp" => {
                    let ftyp =
                        Ftyp::decode_body(&mut &bytes[found.body.clone()]).map_err(unread)?;
                    let all = ftyp.compatible_brands.iter().chain([&ftyp.major_brand]);
                    brands = all.take(64).map(ToString::to_string).collect();
                }
                b"moof" => has_media = true,
                b"moov" => {
                    moov =
                        Some(Moov::decode_body(&mut &bytes[found.body.clone()]).map_err(unread)?);
                }
                _ => {}
            }
        }
        let moov = moov.ok_or("it has no `moov`")?;
        if moov.trak.len() > MOST_TRACKS {
            return Err(format!("it has more than {MOST_TRACKS} tracks"));
        }
        let movie = moov.mvhd.timescale;
        let trex = |track: &Trak| {
            let all = moov.mvex.iter().flat_map(|mvex| &mvex.trex);
            all.into_iter()
                .find(|trex| trex.track_id == track.tkhd.track_id)
                .cloned()
        };
        let tracks: Vec<CheckedTrack> = moov
            .trak
            .iter()
            .map(|track| {
                let defaults = trex(track);
                let lacks_defaults = moov.mvex.is_some() && defaults.is_none();
                let mut found = CheckedTrack::of(track, defaults.unwrap_or_default(), movie);
                if lacks_defaults {
                    found.fault = Some("its `mvex` has no `trex` of the track".to_owned());
                }
                found
            })
            .collect();
        if tracks.is_empty() {
            return Err("it has no track".to_owned());
        }
        Ok(Self {
            brands,
            tracks,
            is_fragmented: moov.mvex.is_some(),
            has_media,
        })
    }

    /// The track that measures segments: video, or else the first.
    pub(crate) fn main(&self) -> &CheckedTrack {
        let video = |track: &&CheckedTrack| track.medium == Medium::Video;
        self.tracks.iter().find(video).unwrap_or(&self.tracks[0])
    }

    /// Reads the samples of the main track, with a fault of those of any other track.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<SegmentSamples, String> {
        let main = self.main();
        let mut found = main.read(bytes)?;
        let others = self.tracks.iter().filter(|track| track.id != main.id);
        for other in others.filter(|track| track.medium != Medium::Other) {
            let samples = other.read(bytes)?;
            found.fault = found.fault.or(samples.fault);
        }
        Ok(found)
    }
}

impl CheckedTrack {
    fn of(track: &Trak, trex: Trex, movie_timescale: u32) -> Self {
        let entry = track.mdia.minf.stbl.stsd.codecs.first();
        let timescale = track.mdia.mdhd.timescale.max(1);
        let mut edit = 0_i64;
        for entry in track
            .edts
            .iter()
            .filter_map(|edts| edts.elst.as_ref())
            .flat_map(|elst| &elst.entries)
        {
            match entry.media_time {
                // An empty edit: nothing is shown for so long, on the movie's clock.
                None => {
                    let ticks = u128::from(entry.segment_duration) * u128::from(timescale)
                        / u128::from(movie_timescale.max(1));
                    edit = edit.saturating_add(i64::try_from(ticks).unwrap_or(i64::MAX));
                }
                Some(from) => {
                    edit = edit.saturating_sub(i64::try_from(from).unwrap_or(i64::MAX));
                    break;
                }
            }
        }
        let visual = entry.and_then(|entry| entry.visual());
        let audio = entry.and_then(|entry| entry.audio());
        Self {
            id: track.tkhd.track_id,
            medium: match &<[u8; 4]>::from(track.mdia.hdlr.handler) {
                b"vide" => Medium::Video,
                b"soun" => Medium::Audio,
                _ => Medium::Other,
            },
            timescale,
            codec: entry.map_or_else(|| "none".to_owned(), codec_string),
            sizes: [
                visual.map_or((0, 0), |visual| (visual.width.into(), visual.height.into())),
                (
                    track.tkhd.width.integer().into(),
                    track.tkhd.height.integer().into(),
                ),
            ],
            channels: entry
                .and_then(codec::channels)
                .or_else(|| audio.map(|audio| audio.channel_count))
                .unwrap_or(0),
            sample_rate: audio.map_or(0, |audio| audio.sample_rate.integer().into()),
            edit,
            coding: entry.and_then(sample_data::coding),
            fault: match entry {
                Some(entry) => codec::fault(entry),
                None => Some("it has no sample entry".to_owned()),
            },
            transfer: entry.and_then(codec::transfer),
            trex,
            is_transport: false,
        }
    }

    /// A track of a transport stream, of which only the codec is known.
    pub(crate) fn of_transport(medium: Medium, codec: String) -> Self {
        Self {
            id: 0,
            medium,
            timescale: CLOCK,
            codec,
            sizes: [(0, 0); 2],
            channels: 0,
            sample_rate: 0,
            edit: 0,
            coding: None,
            fault: None,
            transfer: None,
            trex: Trex::default(),
            is_transport: true,
        }
    }

    /// Ticks between two times.
    pub(crate) fn apart(&self, one: u64, other: u64) -> u64 {
        let apart = one.abs_diff(other);
        match self.is_transport {
            true => apart.min(WRAPS_AT.abs_diff(apart)),
            false => apart,
        }
    }

    pub(crate) fn seconds(&self, ticks: i64) -> f64 {
        ticks as f64 / f64::from(self.timescale)
    }

    pub(crate) fn micros(&self, ticks: u64) -> u64 {
        let scale = u128::from(self.timescale);
        let micros = (u128::from(ticks) * 1_000_000 + scale / 2) / scale;
        u64::try_from(micros).unwrap_or(u64::MAX)
    }

    /// Ticks of an audio frame; `None` if the codec leaves it open.
    fn frame_ticks(&self) -> Option<u64> {
        const SAMPLES: u64 = 1_024;
        let is_aac = self.coding == Some(Coding::Aac) && self.sample_rate > 0;
        is_aac.then(|| SAMPLES * u64::from(self.timescale) / u64::from(self.sample_rate))
    }

    /// Reads this track's samples of a Media Segment or a byte range of one.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<SegmentSamples, String> {
        let mut reader = SampleReader {
            track: self,
            bytes,
            found: None,
            since_sync: 0,
            has_styp: false,
            runs: vec![],
            listed: 0,
            odd: 0,
            first_odd: 0,
        };
        let mut declared = 0_u64;
        let mut is_cut = false;
        let mut data: Vec<Range<usize>> = vec![];
        let (mut has_wrong_index, mut indexes) = (false, 0_u32);
        for found in top(bytes) {
            let found = found?;
            is_cut |= found.is_cut;
            match &found.kind {
                b"styp" => reader.has_styp |= found.start == 0,
                b"sidx" => {
                    indexes += 1;
                    has_wrong_index |= is_wrong_index(bytes, &found);
                }
                b"moof" if found.is_cut => return Err("its `moof` is cut short".to_owned()),
                b"moof" => {
                    let moof = Moof::decode_body(&mut &bytes[found.body.clone()])
                        .map_err(|error| format!("its `moof` cannot be read: {error}"))?;
                    declared = declared.saturating_add(reader.moof(&moof, found.start)?);
                }
                b"mdat" => data.push(found.body.clone()),
                _ => {}
            }
        }
        // Bodies are in their order, and apart.
        let is_in = |run: &Range<usize>| {
            let before = data.partition_point(|body| body.start <= run.start);
            data[..before]
                .last()
                .is_some_and(|body| run.end <= body.end)
        };
        let is_misplaced = !is_cut && !reader.runs.iter().all(is_in);
        let mut found = reader.found.ok_or("it has no samples of its track")?;
        let held: usize = data.iter().map(Range::len).sum();
        found.longest_gap = found.longest_gap.max(reader.since_sync);
        found.has_styp = reader.has_styp;
        found.is_cut = is_cut;
        found.missing = declared.saturating_sub(held as u64);
        found.surplus = (held as u64).saturating_sub(declared);
        found.is_misplaced = is_misplaced;
        // Each of several indexes a part.
        found.has_wrong_index = has_wrong_index && indexes == 1;
        if found.fault.is_none() && reader.odd > found.samples / MOST_ODD {
            found.fault = Some(SampleFault {
                sample: reader.first_odd,
                why: "it and others do not end as frames of their codec do",
            });
        }
        Ok(found)
    }
}

/// Ticks a second of 33-bit timestamps.
pub(crate) const CLOCK: u32 = 90_000;

pub(crate) const WRAPS_AT: u64 = 1 << 33;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{self, Spec};

    #[test]
    fn damaged_bytes_are_an_error_or_a_number_and_never_a_panic() {
        let spec = Spec::video(640, 360);
        let init = spec.init();
        let segment = fixture::segment(&spec, 0);
        let track = CheckedInit::parse(&init).expect("an init").main().clone();
        assert_eq!(track.read(&segment).expect("samples").samples, 50);
        for bytes in [&init, &segment] {
            for at in 0..bytes.len().min(2_000) {
                let _ = (CheckedInit::parse(&bytes[..at]), track.read(&bytes[..at]));
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut bad = bytes.clone();
                    bad[at] = value;
                    let _ = (CheckedInit::parse(&bad), track.read(&bad));
                }
            }
        }
    }

    #[test]
    fn billions_of_samples_in_a_few_bytes_are_refused() {
        let track = CheckedInit::parse(&Spec::video(640, 360).init())
            .expect("an init")
            .main()
            .clone();
        let bomb = b"\0\0\0\x50moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x01\0\0\0\x38traf\0\0\0\x10tfhd\0\0\0\0\0\0\0\x01\
                     \0\0\0\x10tfdt\0\0\0\0\0\0\0\0\0\0\0\x10trun\0\0\0\0\xff\xff\xff\xff";
        assert_eq!(
            track.read(bomb),
            Err("it lists more samples than it has bytes".to_owned())
        );
        // Each run alone lists fewer.
        let run = b"\0\0\0\x10trun\0\0\0\0\0\0\x20\0";
        let runs = run.repeat(1_000);
        let framed = |kind: &[u8], body: &[u8]| {
            let length = u32::try_from(body.len() + 8)
                .expect("a length")
                .to_be_bytes();
            [&length[..], kind, body].concat()
        };
        let traf = framed(b"traf", &[&bomb[32..64], &runs].concat());
        let moof = framed(b"moof", &[&bomb[8..24], &traf].concat());
        assert_eq!(
            track.read(&moof),
            Err("it lists more samples than it has bytes".to_owned())
        );
    }

    #[test]
    fn a_run_lies_in_one_of_several_bodies() {
        let track = CheckedInit::parse(&Spec::video(640, 360).init())
            .expect("an init")
            .main()
            .clone();
        let segment = fixture::segment(&Spec::video(640, 360), 0);
        assert!(!track.read(&segment).expect("samples").is_misplaced);
        let empty = b"\0\0\0\x08mdat";
        let behind = [&segment[..], empty].concat();
        assert!(!track.read(&behind).expect("samples").is_misplaced);
        // Offsets count from the `moof`, so that an empty body before the samples shifts them.
        let mdat = segment
            .windows(4)
            .position(|kind| kind == b"mdat")
            .expect("a body")
            - 4;
        let between = [&segment[..mdat], empty, &segment[mdat..]].concat();
        assert!(track.read(&between).expect("samples").is_misplaced);
    }
}
