//! A tiny package that keeps every rule, made of boxes without an encoder, for tests that then spoil one thing in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mp4_atom::esds::{DecoderConfig, DecoderSpecific, EsDescriptor};
use mp4_atom::{
    Audio, Avc1, Avc3, Avcc, Codec, Edts, Elst, ElstEntry, Encode, Esds, FourCC, Ftyp, Hdlr, Mdhd,
    Mdia, Mfhd, Minf, Moof, Moov, Mp4a, Mvex, Mvhd, Stbl, Stsd, Styp, Tfdt, Tfhd, Tkhd, Traf, Trak,
    Trex, Trun, TrunEntry, Visual,
};
use serde_json::json;

use crate::digest::sha256;
use crate::mpegts::muxer::Writer;
use crate::mpegts::testing::{TsBuilder, aac_frames, bare_key, h264_unit};

const SYNC: u32 = 0x0200_0000;
const NON_SYNC: u32 = 0x0101_0000;
const IDR: u8 = 0x65;
const SLICE: u8 = 0x41;

/// A Rendition of fragmented MP4, and how it may be wrong.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) size: Option<(u16, u16)>,
    pub(crate) timescale: u32,
    /// Ticks of a sample.
    pub(crate) frame: u32,
    /// Samples of each segment.
    pub(crate) samples: Vec<u32>,
    /// Samples from one sync sample to the next.
    pub(crate) gop: u32,
    /// Bytes of a sample.
    pub(crate) bytes: u32,
    /// Ticks at which the first segment starts, and by which the last one is late.
    pub(crate) base: u64,
    pub(crate) late: u64,
    pub(crate) edit: Option<u64>,
    pub(crate) sequence: [u32; 3],
    pub(crate) brand: [u8; 4],
    pub(crate) has_styp: bool,
    /// A segment whose first picture is no IDR picture.
    pub(crate) open: Option<usize>,
    /// A transport stream whose first picture lacks its parameter sets.
    pub(crate) bare: Option<usize>,
    pub(crate) is_avc3: bool,
    pub(crate) profile: u8,
    pub(crate) channels: u8,
    pub(crate) sample_rate: u16,
}

impl Spec {
    pub(crate) fn video(width: u16, height: u16) -> Self {
        Self {
            size: Some((width, height)),
            timescale: 25_000,
            frame: 1_000,
            samples: vec![50; 3],
            gop: 25,
            bytes: u32::from(width),
            base: 0,
            late: 0,
            edit: None,
            sequence: [1, 2, 3],
            brand: *b"cmfc",
            has_styp: true,
            open: None,
            bare: None,
            is_avc3: false,
            profile: 2,
            channels: 2,
            sample_rate: 48_000,
        }
    }

    fn audio() -> Self {
        Self {
            size: None,
            timescale: 48_000,
            frame: 1_024,
            samples: vec![94, 94, 93],
            gop: 1,
            bytes: 50,
            ..Self::video(0, 0)
        }
    }

    fn codec(&self) -> String {
        match (self.size, self.is_avc3) {
            (Some(_), false) => "avc1.64001e".to_owned(),
            (Some(_), true) => "avc3.64001e".to_owned(),
            (None, _) => format!("mp4a.40.{}", self.profile),
        }
    }

    fn entry(&self) -> Codec {
        let avcc = || Avcc::new(&[0x67, 0x64, 0, 0x1e], &[0x68]).expect("parameter sets");
        let visual = |(width, height)| Visual {
            data_reference_index: 1,
            width,
            height,
            ..Visual::default()
        };
        match self.size {
            Some(size) if self.is_avc3 => Codec::Avc3(Avc3 {
                visual: visual(size),
                avcc: avcc(),
                ..Avc3::default()
            }),
            Some(size) => Codec::Avc1(Avc1 {
                visual: visual(size),
                avcc: avcc(),
                ..Avc1::default()
            }),
            None => Codec::Mp4a(Mp4a {
                audio: Audio {
                    data_reference_index: 1,
                    channel_count: self.channels.into(),
                    sample_size: 16,
                    sample_rate: self.sample_rate.into(),
                },
                esds: Esds {
                    es_desc: EsDescriptor {
                        dec_config: DecoderConfig {
                            object_type_indication: 0x40,
                            stream_type: 5,
                            dec_specific: Some(DecoderSpecific {
                                profile: self.profile,
                                freq_index: 3,
                                chan_conf: self.channels,
                                raw: vec![],
                            }),
                            ..DecoderConfig::default()
                        },
                        ..EsDescriptor::default()
                    },
                },
                btrt: None,
                taic: None,
            }),
        }
    }

    pub(crate) fn init(&self) -> Vec<u8> {
        let mut out = vec![];
        let brand = FourCC::from(self.brand);
        Ftyp {
            major_brand: brand,
            minor_version: 0,
            compatible_brands: vec![brand],
        }
        .encode(&mut out)
        .expect("a file type");
        let (width, height) = self.size.unwrap_or_default();
        let handler = if self.size.is_some() {
            b"vide"
        } else {
            b"soun"
        };
        let edts = self.edit.map(|from| Edts {
            elst: Some(Elst {
                entries: vec![ElstEntry {
                    segment_duration: 0,
                    media_time: Some(from),
                    media_rate: 1.into(),
                }],
            }),
        });
        Moov {
            mvhd: Mvhd {
                timescale: 1_000,
                ..Mvhd::default()
            },
            mvex: Some(Mvex {
                mehd: None,
                trex: vec![Trex {
                    track_id: 1,
                    default_sample_description_index: 1,
                    ..Trex::default()
                }],
            }),
            trak: vec![Trak {
                tkhd: Tkhd {
                    track_id: 1,
                    width: width.into(),
                    height: height.into(),
                    ..Tkhd::default()
                },
                edts,
                mdia: Mdia {
                    mdhd: Mdhd {
                        timescale: self.timescale,
                        language: "und".to_owned(),
                        ..Mdhd::default()
                    },
                    hdlr: Hdlr {
                        handler: FourCC::new(handler),
                        name: String::new(),
                    },
                    minf: Minf {
                        stbl: Stbl {
                            stsd: Stsd {
                                codecs: vec![self.entry()],
                            },
                            ..Stbl::default()
                        },
                        ..Minf::default()
                    },
                },
                ..Trak::default()
            }],
            ..Moov::default()
        }
        .encode(&mut out)
        .expect("a movie");
        out
    }

    fn seconds(&self, at: usize) -> f64 {
        f64::from(self.samples[at] * self.frame) / f64::from(self.timescale)
    }

    fn playlist(&self, target: u64) -> String {
        let mut out = head(7, target);
        out += "#EXT-X-MAP:URI=\"init.mp4\"\n";
        for at in 0..self.samples.len() {
            let _ = writeln!(out, "#EXTINF:{:.6},\nseg{at:05}.m4s", self.seconds(at));
        }
        out + "#EXT-X-ENDLIST\n"
    }
}

/// A Media Segment of a Rendition.
pub(crate) fn segment(spec: &Spec, at: usize) -> Vec<u8> {
    let count = spec.samples[at];
    let is_sync = |sample: u32| sample.is_multiple_of(spec.gop);
    let entries: Vec<TrunEntry> = (0..count)
        .map(|sample| TrunEntry {
            duration: Some(spec.frame),
            size: Some(spec.bytes),
            flags: Some(if is_sync(sample) { SYNC } else { NON_SYNC }),
            cts: None,
        })
        .collect();
    let before: u64 = spec.samples[..at]
        .iter()
        .map(|count| u64::from(*count))
        .sum();
    let is_last = at + 1 == spec.samples.len();
    let late = if is_last { spec.late } else { 0 };
    let moof = |offset| Moof {
        mfhd: Mfhd {
            sequence_number: spec.sequence.get(at).copied().unwrap_or(9),
        },
        traf: vec![Traf {
            tfhd: Tfhd {
                track_id: 1,
                default_base_is_moof: true,
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt {
                base_media_decode_time: spec.base + before * u64::from(spec.frame) + late,
            }),
            trun: vec![Trun {
                data_offset: Some(offset),
                samples: entries.clone().into(),
            }],
            ..Traf::default()
        }],
    };
    let mut size = vec![];
    moof(0).encode(&mut size).expect("a fragment");
    let mut out = vec![];
    if spec.has_styp {
        Styp {
            major_brand: FourCC::new(b"msdh"),
            minor_version: 0,
            compatible_brands: vec![],
        }
        .encode(&mut out)
        .expect("a segment type");
    }
    let offset = i32::try_from(size.len() + 8).expect("it is short");
    moof(offset).encode(&mut out).expect("a fragment");
    out.extend_from_slice(&(count * spec.bytes + 8).to_be_bytes());
    out.extend_from_slice(b"mdat");
    for sample in 0..count {
        let is_open = sample == 0 && spec.open == Some(at);
        let kind = if is_sync(sample) && !is_open {
            IDR
        } else {
            SLICE
        };
        out.extend_from_slice(&(spec.bytes - 4).to_be_bytes());
        out.push(kind);
        out.resize(out.len() + spec.bytes as usize - 5, 0xa5);
    }
    out
}

fn head(version: u64, target: u64) -> String {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    )
}

/// The Media Segments of a Variant Stream whose sound is in them.
fn transport_streams(spec: &Spec) -> Vec<Vec<u8>> {
    const ORIGIN: u64 = 900_000;
    const FRAME: u64 = 1_024 * 90_000 / 48_000;
    let mut writer = Writer::default();
    let tick = 90_000 / u64::from(spec.timescale / spec.frame);
    let (mut now, mut heard, mut found) = (0, 0, vec![]);
    for (at, count) in spec.samples.iter().enumerate() {
        let mut stream = TsBuilder::new();
        for sample in 0..*count {
            let unit = match (sample.is_multiple_of(spec.gop), spec.bare == Some(at)) {
                (true, true) => bare_key(),
                (is_key, _) => h264_unit(is_key),
            };
            stream.video(ORIGIN + now, ORIGIN + now, &unit);
            now += tick;
            while heard < now {
                stream.audio(ORIGIN + heard, &aac_frames(1, spec.channels));
                heard += FRAME;
            }
        }
        found.push(stream.bytes_after(&mut writer));
    }
    found
}

type Change = Box<dyn Fn(&mut Vec<u8>)>;

/// What the package is made from.
pub(crate) struct Fixture {
    pub(crate) low: Spec,
    pub(crate) high: Spec,
    pub(crate) audio: Spec,
    pub(crate) ts: Spec,
    pub(crate) is_high_first: bool,
    pub(crate) is_audio_first: bool,
    /// Changes to files before `package.json` lists them, and after.
    changes: Vec<(&'static str, Change)>,
    late_changes: Vec<(&'static str, Change)>,
    renamed: Vec<(&'static str, Option<&'static str>)>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self {
            low: Spec::video(640, 360),
            high: Spec::video(1280, 720),
            audio: Spec::audio(),
            ts: Spec::video(256, 144),
            is_high_first: false,
            is_audio_first: false,
            changes: vec![],
            late_changes: vec![],
            renamed: vec![],
        }
    }

    pub(crate) fn videos(&mut self) -> [&mut Spec; 3] {
        [&mut self.low, &mut self.high, &mut self.ts]
    }

    /// The first of a text in a file becomes another.
    pub(crate) fn text(&mut self, path: &'static str, from: &'static str, to: &'static str) {
        self.bytes(path, text(path, from, to, 1));
    }

    /// Every one of a text in a file becomes another.
    pub(crate) fn all_text(&mut self, path: &'static str, from: &'static str, to: &'static str) {
        self.bytes(path, text(path, from, to, usize::MAX));
    }

    pub(crate) fn late_text(&mut self, path: &'static str, from: &'static str, to: &'static str) {
        self.late_changes
            .push((path, Box::new(text(path, from, to, 1))));
    }

    pub(crate) fn bytes(&mut self, path: &'static str, change: impl Fn(&mut Vec<u8>) + 'static) {
        self.changes.push((path, Box::new(change)));
    }

    pub(crate) fn remove(&mut self, path: &'static str) {
        self.renamed.push((path, None));
    }

    pub(crate) fn rename(&mut self, path: &'static str, to: &'static str) {
        self.renamed.push((path, Some(to)));
    }

    pub(crate) fn write(&self, root: &Path) {
        let mut files = self.files();
        for (path, to) in &self.renamed {
            let file = files.remove(*path).expect(path);
            if let Some(to) = to {
                files.insert((*to).to_owned(), file);
            }
        }
        for (path, change) in &self.changes {
            change(files.get_mut(*path).expect(path));
        }
        let objects: Vec<_> = files
            .iter()
            .map(|(path, bytes)| {
                json!({"path": path, "bytes": bytes.len(), "sha256": sha256(bytes), "type": ""})
            })
            .collect();
        let listing = json!({ "objects": objects }).to_string();
        files.insert("package.json".to_owned(), listing.into_bytes());
        for (path, change) in &self.late_changes {
            change(files.get_mut(*path).expect(path));
        }
        for (path, bytes) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, bytes).expect("a file");
        }
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let all = [
            ("low", &self.low),
            ("high", &self.high),
            ("audio/en", &self.audio),
        ];
        let lengths = all
            .iter()
            .flat_map(|(_, spec)| (0..spec.samples.len()).map(|at| spec.seconds(at)));
        let target = lengths.fold(2.0, f64::max).round() as u64;
        let mut rates = BTreeMap::new();
        let mut mpd = "<MPD><Period>".to_owned();
        for (folder, spec) in all {
            files.insert(format!("{folder}/init.mp4"), spec.init());
            files.insert(
                format!("{folder}/playlist.m3u8"),
                spec.playlist(target).into_bytes(),
            );
            let (mut bits, mut seconds, mut times) = (0.0, 0.0, String::new());
            for at in 0..spec.samples.len() {
                let bytes = segment(spec, at);
                bits += bytes.len() as f64 * 8.0;
                seconds += spec.seconds(at);
                let _ = write!(times, "<S d=\"{}\"/>", spec.samples[at] * spec.frame);
                files.insert(format!("{folder}/seg{at:05}.m4s"), bytes);
            }
            // Bytes are even enough for the peak to be the average.
            rates.insert(folder, (bits / seconds) as u64);
            let kind = if spec.size.is_some() {
                "video"
            } else {
                "audio"
            };
            let _ = write!(
                mpd,
                "<AdaptationSet mimeType=\"{kind}/mp4\"><SegmentTemplate initialization=\"$RepresentationID$/init.mp4\" \
                 media=\"$RepresentationID$/seg$Number%05d$.m4s\" startNumber=\"0\"><SegmentTimeline>{times}\
                 </SegmentTimeline></SegmentTemplate><Representation id=\"{folder}\"/></AdaptationSet>"
            );
        }
        files.insert(
            "manifest.mpd".to_owned(),
            (mpd + "</Period></MPD>").into_bytes(),
        );
        self.i_frames(&mut files);
        let (mut bits, mut seconds) = (0.0, 0.0);
        let mut ts = head(3, target);
        for (at, bytes) in transport_streams(&self.ts).into_iter().enumerate() {
            bits += bytes.len() as f64 * 8.0;
            seconds += self.ts.seconds(at);
            let _ = writeln!(ts, "#EXTINF:{:.6},\nseg{at:05}.ts", self.ts.seconds(at));
            files.insert(format!("ts/seg{at:05}.ts"), bytes);
        }
        ts += "#EXT-X-ENDLIST\n";
        files.insert("ts/playlist.m3u8".to_owned(), ts.into_bytes());
        rates.insert("ts", (bits / seconds) as u64);
        let subtitles = head(3, 6) + "#EXTINF:6.0,\nseg00000.vtt\n#EXT-X-ENDLIST\n";
        files.insert("subs/en/playlist.m3u8".to_owned(), subtitles.into_bytes());
        files.insert(
            "subs/en/seg00000.vtt".to_owned(),
            b"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n00:01.000 --> 00:02.000\nHi\n"
                .to_vec(),
        );
        files.insert("chapters.json".to_owned(), b"[]\n".to_vec());
        files.insert(
            "storyboard.vtt".to_owned(),
            b"WEBVTT\n\n00:00.000 --> 00:06.000\nsprites/0.jpg#xywh=0,0,160,90\n".to_vec(),
        );
        files.insert("sprites/0.jpg".to_owned(), b"\xff\xd8".to_vec());
        files.insert("master.m3u8".to_owned(), self.master(&rates).into_bytes());
        files
    }

    fn master(&self, rates: &BTreeMap<&str, u64>) -> String {
        let mut out = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
        let _ = writeln!(
            out,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,\
             CHANNELS=\"{}\",URI=\"audio/en/playlist.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"Captions\",LANGUAGE=\"en\",AUTOSELECT=YES,\
             URI=\"subs/en/playlist.m3u8\"",
            self.audio.channels
        );
        let mut variants = [("low", &self.low), ("high", &self.high)];
        if self.is_audio_first {
            let (rate, codec) = (rates["audio/en"], self.audio.codec());
            let _ = writeln!(
                out,
                "#EXT-X-STREAM-INF:BANDWIDTH={rate},AVERAGE-BANDWIDTH={rate},CODECS=\"{codec}\",AUDIO=\"audio\"\n\
                 audio/en/playlist.m3u8"
            );
        }
        if self.is_high_first {
            variants.reverse();
        }
        for (folder, spec) in variants {
            let (width, height) = spec.size.unwrap_or_default();
            let rate = rates[folder] + rates["audio/en"];
            let frames = f64::from(spec.timescale) / f64::from(spec.frame);
            let codecs = format!("{},{}", spec.codec(), self.audio.codec());
            let _ = writeln!(
                out,
                "#EXT-X-STREAM-INF:BANDWIDTH={rate},AVERAGE-BANDWIDTH={rate},CODECS=\"{codecs}\",\
                 RESOLUTION={width}x{height},FRAME-RATE={frames:.3},AUDIO=\"audio\",SUBTITLES=\"subs\",\
                 CLOSED-CAPTIONS=NONE\n{folder}/playlist.m3u8"
            );
        }
        let rate = rates["ts"];
        let _ = writeln!(
            out,
            "#EXT-X-STREAM-INF:BANDWIDTH={rate},AVERAGE-BANDWIDTH={rate},CODECS=\"avc1.42c00c,mp4a.40.2\",\
             RESOLUTION=256x144,FRAME-RATE=25.000,CLOSED-CAPTIONS=NONE\nts/playlist.m3u8\n\
             #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=99000,CODECS=\"avc1.64001e\",RESOLUTION=640x360,\
             URI=\"low/iframes.m3u8\"\n\
             #EXT-X-SESSION-DATA:DATA-ID=\"com.example.title\",VALUE=\"Talk\"\n\
             #EXT-X-SESSION-DATA:DATA-ID=\"com.apple.hls.chapters\",URI=\"chapters.json\"\n\
             #EXT-X-SESSION-DATA:DATA-ID=\"com.example.storyboard\",URI=\"storyboard.vtt\",FORMAT=RAW"
        );
        out
    }

    /// The first picture of each segment of `low`, to its end.
    fn i_frames(&self, files: &mut BTreeMap<String, Vec<u8>>) {
        let spec = &self.low;
        let longest = (0..spec.samples.len())
            .map(|at| spec.seconds(at))
            .fold(1.0, f64::max);
        let mut out = head(7, longest.round() as u64);
        out += "#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"init.mp4\"\n";
        for at in 0..spec.samples.len() {
            let samples = (spec.samples[at] - 1) * spec.bytes;
            let length = files[&format!("low/seg{at:05}.m4s")].len() - samples as usize;
            let _ = writeln!(
                out,
                "#EXTINF:{:.6},\n#EXT-X-BYTERANGE:{length}@0\nseg{at:05}.m4s",
                spec.seconds(at)
            );
        }
        out += "#EXT-X-ENDLIST\n";
        files.insert("low/iframes.m3u8".to_owned(), out.into_bytes());
    }
}

fn text(
    path: &'static str,
    from: &'static str,
    to: &'static str,
    count: usize,
) -> impl Fn(&mut Vec<u8>) {
    move |bytes| {
        let text = String::from_utf8(bytes.clone()).expect(path);
        assert!(text.contains(from), "{path} has no `{from}`: {text}");
        *bytes = text.replacen(from, to, count).into_bytes();
    }
}
