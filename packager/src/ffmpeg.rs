//! The encoder's argument list. Pure: what is run is what the tests show, and what the revision is made of.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::container::Container;
use crate::iframes;
use crate::ladder::{Codec, Rung, ladder};
use crate::loudness::Gain;
use crate::probe::{Audio, Rate, Video, input_options};

pub(crate) const AUDIO_SAMPLE_RATE: u32 = 48_000;
const AUDIO_KBITS: u32 = 128;
pub(crate) const CHANNELS: u32 = 2;
/// Silence where the source has none, so that sound and picture start together and stay so; two channels, in which it
/// is measured as well.
pub(crate) const LISTENING: &str = "aresample=async=1:first_pts=0,aformat=channel_layouts=stereo";
/// What is added to x264's CRF: the scales differ. Chosen by bytes on a test picture, not by a measured quality.
const HEVC_CRF: u32 = 4;
const AV1_CRF: u32 = 14;
/// Random access every two seconds at most: a seek decodes that much, and a segment starts on one of them.
const LONGEST_GOP: u32 = 2;
/// Seconds below which a recording may be shorter than one frame.
const SHORT: f64 = 0.5;
/// Seconds between pictures to look through a lecture by, and lines of each on its short side.
const PICTURE_STEP: f64 = 2.0;
const PICTURE_SIDE: u32 = 240;

/// What the person chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Short sides.
    pub(crate) ladder: Vec<u32>,
    /// Seconds.
    pub(crate) segment_duration: u32,
    pub(crate) preset: String,
    pub(crate) crf: u32,
    /// x264's output depends on it, so it is part of the recipe.
    pub(crate) threads: u16,
    /// Besides H.264.
    pub(crate) codecs: Vec<Codec>,
    /// LUFS that sound is brought to, if at all.
    pub(crate) loudness: Option<i32>,
    #[serde(default)]
    pub(crate) container: Container,
    /// Sound alone is a Variant Stream beside those of pictures.
    #[serde(default)]
    pub(crate) audio_only_variant: bool,
}

/// Everything that shapes the encoded bytes, but for the source and ffmpeg itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    /// None: a lecture to listen to.
    pub(crate) picture: Option<PicturePlan>,
    pub(crate) sound: Vec<SoundPlan>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PicturePlan {
    pub(crate) video: Video,
    /// Largest first; never empty.
    pub(crate) rungs: Vec<Rung>,
    pub(crate) frame_rate: Rate,
    /// Seconds that its last frame is shown on, where the sound lasts longer.
    pub(crate) hold: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SoundPlan {
    pub(crate) audio: Audio,
    /// `audio/en`, `audio/en-2`.
    pub(crate) folder: String,
    /// Seconds that it is made to last, with silence, where the picture lasts longer.
    pub(crate) length: Option<f64>,
    pub(crate) gain: Option<Gain>,
}

impl Plan {
    /// Folders of the video Renditions, largest first.
    pub(crate) fn video_folders(&self) -> Vec<String> {
        let rungs = self.picture.iter().flat_map(|picture| &picture.rungs);
        rungs.map(Rung::name).collect()
    }

    /// Folders of the audio Renditions.
    pub(crate) fn audio_folders(&self) -> Vec<String> {
        self.sound
            .iter()
            .map(|sound| sound.folder.clone())
            .collect()
    }

    /// One command with one decode: measured against a command per rung, 11.3 s instead of 15.4 s. It runs in the
    /// revision's folder, so that no path of a machine is in what it writes.
    pub(crate) fn argv(&self, input: OsString) -> Vec<OsString> {
        let mut args = Args(vec![]);
        args.add("-hide_banner -nostdin -nostats -y -v warning -progress pipe:1");
        args.0.extend(input_options().map(Into::into));
        args.0.extend(["-i".into(), input]);
        if let Some(picture) = &self.picture {
            args.pair("-filter_complex", picture.filters());
            for (at, rung) in picture.rungs.iter().enumerate() {
                args.pair("-map", format!("[v{at}]"));
                args.add("-map_metadata -1 -map_chapters -1");
                self.video_codec(&mut args, rung);
                args.pair("-force_key_frames", self.key_frames());
                self.hls(&mut args, &rung.name());
            }
            Self::still_pictures(picture, &mut args);
        }
        for sound in &self.sound {
            args.pair("-map", format!("0:{}", sound.audio.index));
            args.add("-map_metadata -1 -map_chapters -1 -c:a aac");
            args.pair("-ac", CHANNELS);
            args.pair("-b:a", format!("{AUDIO_KBITS}k"));
            args.pair("-ar", AUDIO_SAMPLE_RATE);
            args.pair("-af", sound.filters());
            self.hls(&mut args, &sound.folder);
        }
        args.0
    }

    fn video_codec(&self, args: &mut Args, rung: &Rung) {
        let Settings {
            crf,
            threads,
            preset,
            ..
        } = &self.settings;
        let (max_rate, buffer) = (rung.max_rate, rung.max_rate * 2);
        match rung.codec {
            Codec::H264 => {
                args.add("-c:v libx264 -profile:v high");
                args.pair("-preset", preset);
                args.pair("-crf", crf);
                args.pair("-maxrate", format!("{max_rate}k"));
                args.pair("-bufsize", format!("{buffer}k"));
                args.pair("-threads", threads);
                args.add("-flags +cgop -sc_threshold 0 -g 600");
            }
            Codec::Hevc => {
                // `hvc1`, with the parameter sets in the initialization section alone, is what Apple's players open.
                args.add("-c:v libx265 -tag:v hvc1");
                args.pair("-preset", preset);
                args.pair("-crf", crf + HEVC_CRF);
                args.pair(
                    "-x265-params",
                    format!(
                        "log-level=error:open-gop=0:scenecut=0:keyint=600:repeat-headers=0:info=0:\
                         vbv-maxrate={max_rate}:vbv-bufsize={buffer}:pools={threads}:frame-threads=1"
                    ),
                );
            }
            Codec::Av1 => {
                args.add("-c:v libaom-av1 -usage good -row-mt 1 -lag-in-frames 25");
                args.pair("-cpu-used", av1_speed(preset));
                args.pair("-crf", crf + AV1_CRF);
                args.pair("-b:v", format!("{max_rate}k"));
                args.pair("-threads", threads);
                args.add("-g 600");
            }
        }
    }

    /// A fragment for each, in one file. One picture in two seconds at this size costs nothing, so it is made well.
    fn still_pictures(picture: &PicturePlan, args: &mut Args) {
        args.add("-map [i] -map_metadata -1 -map_chapters -1 -c:v libx264 -profile:v main");
        args.add("-preset medium -crf 27 -threads 1 -g 1");
        args.add("-movflags +cmaf+frag_keyframe+skip_trailer");
        // As fine as the rungs', or else the last picture's end would be rounded.
        let num = picture.frame_rate.num.max(1);
        let doublings = (0..14).find(|doublings| num << doublings >= 10_000);
        args.pair("-video_track_timescale", num << doublings.unwrap_or(14));
        args.add("-f mp4");
        args.0
            .push(format!("{}/{}", iframes::FOLDER, iframes::FILE).into());
    }

    /// Equal times in all rungs, and one of them wherever a segment starts.
    fn key_frames(&self) -> String {
        let (segment, parts) = key_frame_interval(self.settings.segment_duration);
        format!("expr:gte(t,n_forced*{segment}/{parts})")
    }

    fn hls(&self, args: &mut Args, folder: &str) {
        args.add("-f hls -hls_segment_type fmp4 -hls_playlist_type vod");
        args.pair("-hls_time", self.settings.segment_duration);
        // `temp_file`: what exists under its final name is complete.
        args.add("-hls_flags independent_segments+temp_file");
        // Without it the first picture is shown 0.07 s late, after an empty edit.
        args.add("-hls_segment_options movflags=+cmaf");
        args.add("-hls_fmp4_init_filename init.mp4");
        args.pair("-hls_segment_filename", format!("{folder}/seg%05d.m4s"));
        args.0.push(format!("{folder}/ffmpeg.m3u8").into());
    }
}

impl SoundPlan {
    fn filters(&self) -> String {
        let mut chain = LISTENING.to_owned();
        if let Some(gain) = self.gain {
            chain += &format!(",{}", gain.filter());
        }
        if let Some(length) = self.length {
            chain += &format!(",apad=whole_dur={length:.3}");
        }
        chain
    }
}

impl PicturePlan {
    /// The size of the pictures to look through the lecture by.
    pub(crate) fn pictures(&self) -> Rung {
        let side = self.rungs.last().map_or(PICTURE_SIDE, Rung::short_side);
        // There is always a first rung.
        ladder(
            self.video.width,
            self.video.height,
            &[side.min(PICTURE_SIDE)],
        )
        .swap_remove(0)
    }

    /// Seconds between these, a whole number of frames.
    pub(crate) fn picture_step(&self) -> f64 {
        f64::from(self.picture_frames()) / self.frame_rate.as_f64()
    }

    fn picture_frames(&self) -> u32 {
        (PICTURE_STEP * self.frame_rate.as_f64()).round().max(1.0) as u32
    }

    fn filters(&self) -> String {
        let video = &self.video;
        let mut source = String::new();
        if video.interlaced {
            // One frame for two fields: a lecture has no motion that 50 frames a second would show.
            source += "bwdif=mode=send_frame:deint=interlaced,";
        }
        if video.is_hdr() {
            source += "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,\
                       zscale=t=bt709:m=bt709:r=tv,format=yuv420p,";
        }
        let Rate { num, den } = self.frame_rate;
        let mut graph = format!("[0:{}]{source}fps={num}/{den}:start_time=0", video.index);
        if video.still || video.duration.is_some_and(|lasts| lasts < SHORT) {
            // What is shown for less than half a frame would be no frame.
            graph += ":eof_action=pass";
        }
        if let Some(hold) = self.hold {
            graph += &format!(",tpad=stop_mode=clone:stop_duration={hold:.3}");
        }
        // Sizes are scaled to once, however many codecs they are encoded with.
        let mut sizes: Vec<(u32, u32)> = vec![];
        for rung in &self.rungs {
            if !sizes.contains(&(rung.width, rung.height)) {
                sizes.push((rung.width, rung.height));
            }
        }
        let (to_matrix, named) = self.colours();
        for (at, (width, height)) in sizes.iter().enumerate() {
            // Each size from the next larger one: measured, 6 to 9 % less CPU in all than from the source every time,
            // for 0.1 to 0.5 VMAF in the smallest of three.
            let scale = format!("scale={width}:{height}:flags=bicubic");
            graph += &match at {
                0 if video.is_full_range() => {
                    // zimg converts the range with SIMD, swscale a sample at a time: 0.7 against 3.7 ms a frame.
                    format!(",{scale}{to_matrix},zscale=rin=full:r=limited,setsar=1,format=yuv420p")
                }
                0 => format!(",{scale}:out_range=tv{to_matrix},setsar=1,format=yuv420p"),
                _ => format!(";[s{at}]{scale},setsar=1"),
            };
            if at == 0 {
                graph += &format!(",setparams=range=tv{named}");
            }
            let mut outputs: Vec<String> = (self.rungs.iter().enumerate())
                .filter(|(_, rung)| (rung.width, rung.height) == (*width, *height))
                .map(|(rung, _)| format!("[v{rung}]"))
                .collect();
            outputs.push(if at + 1 < sizes.len() {
                format!("[s{}]", at + 1)
            } else {
                // The smallest size is also that of the pictures to look through.
                "[si]".to_owned()
            });
            graph += &format!(",split={}", outputs.len());
            graph += &outputs.concat();
        }
        let Rung { width, height, .. } = self.pictures();
        graph += &format!(
            ";[si]framestep={},scale={width}:{height}:flags=bicubic,setsar=1[i]",
            self.picture_frames()
        );
        graph
    }

    /// What `scale` converts to, and what is said of it. Players guess the matrix of a picture that names none by its
    /// height, so that the rungs of one lecture would differ in colour; a screen grab in RGB has no matrix to keep.
    fn colours(&self) -> (String, String) {
        let video = &self.video;
        let is_rgb = ["rgb", "bgr", "gbr", "argb", "abgr", "pal8", "0rgb", "0bgr"]
            .iter()
            .any(|name| video.pixel_format.starts_with(name));
        if video.is_hdr() || (video.color_space.is_some() && !is_rgb) {
            return (String::new(), String::new());
        }
        let matrix = if video.width.min(video.height) >= 720 {
            "bt709"
        } else {
            "smpte170m"
        };
        let to_matrix = if is_rgb {
            format!(":out_color_matrix={matrix}")
        } else {
            String::new()
        };
        let named = format!(":colorspace={matrix}:color_primaries={matrix}:color_trc={matrix}");
        (to_matrix, named)
    }
}

/// libaom's `cpu-used` that takes about as many times longer than x264 as its picture is worth.
fn av1_speed(preset: &str) -> u32 {
    match preset {
        "ultrafast" | "superfast" | "veryfast" | "faster" => 8,
        "fast" | "medium" => 6,
        _ => 4,
    }
}

/// Seconds between key frames, as a numerator and a denominator, for segments of so many seconds.
pub(crate) fn key_frame_interval(segment_duration: u32) -> (u32, u32) {
    (segment_duration, segment_duration.div_ceil(LONGEST_GOP))
}

struct Args(Vec<OsString>);

impl Args {
    fn add(&mut self, words: &str) {
        self.0.extend(words.split(' ').map(Into::into));
    }

    fn pair(&mut self, name: &str, value: impl ToString) {
        self.0.extend([name.into(), value.to_string().into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            settings: Settings {
                ladder: vec![720, 480],
                segment_duration: 4,
                preset: "veryfast".into(),
                crf: 23,
                threads: 2,
                codecs: vec![],
                loudness: None,
                container: Container::Cmaf,
                audio_only_variant: false,
            },
            picture: Some(PicturePlan {
                rungs: ladder(1280, 720, &[720, 480]),
                frame_rate: Rate::new(30_000, 1001),
                video: Video {
                    index: 0,
                    codec: "h264".into(),
                    width: 1280,
                    height: 720,
                    rotation: 0,
                    average_rate: None,
                    nominal_rate: None,
                    pixel_format: "yuv420p".into(),
                    color_space: None,
                    color_transfer: None,
                    interlaced: false,
                    still: false,
                    duration: None,
                },
                hold: None,
            }),
            sound: vec![SoundPlan {
                audio: Audio {
                    index: 1,
                    codec: "opus".into(),
                    channels: 2,
                    language: "en".into(),
                    title: None,
                    duration: None,
                },
                folder: "audio/en".into(),
                length: None,
                gain: None,
            }],
        }
    }

    fn picture() -> PicturePlan {
        plan().picture.expect("it has a picture")
    }

    /// One option and its value a line.
    fn lines(args: &[OsString]) -> String {
        let mut text = String::new();
        for arg in args {
            let arg = arg.to_string_lossy();
            text += if arg.starts_with('-') && arg != "-1" {
                "\n"
            } else {
                " "
            };
            text += &arg;
        }
        text.trim_start().to_owned()
    }

    #[test]
    fn one_command_with_one_decode_makes_all_rungs_and_the_audio() {
        insta::assert_snapshot!(lines(&plan().argv("file:/lecture.mov".into())), @r#"
        -hide_banner
        -nostdin
        -nostats
        -y
        -v warning
        -progress pipe:1
        -protocol_whitelist file,pipe
        -format_whitelist mov,matroska,avi,mpegts,mpeg,flv,ogg,wav,mp3,aac,flac,asf,mxf,gif,ac3,h264,hevc,m4v,mpegvideo,nut,aiff,amr,caf,w64,au
        -i file:/lecture.mov
        -filter_complex [0:0]fps=30000/1001:start_time=0,scale=1280:720:flags=bicubic:out_range=tv,setsar=1,format=yuv420p,setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709,split=2[v0][s1];[s1]scale=854:480:flags=bicubic,setsar=1,split=2[v1][si];[si]framestep=60,scale=426:240:flags=bicubic,setsar=1[i]
        -map [v0]
        -map_metadata -1
        -map_chapters -1
        -c:v libx264
        -profile:v high
        -preset veryfast
        -crf 23
        -maxrate 2800k
        -bufsize 5600k
        -threads 2
        -flags +cgop
        -sc_threshold 0
        -g 600
        -force_key_frames expr:gte(t,n_forced*4/2)
        -f hls
        -hls_segment_type fmp4
        -hls_playlist_type vod
        -hls_time 4
        -hls_flags independent_segments+temp_file
        -hls_segment_options movflags=+cmaf
        -hls_fmp4_init_filename init.mp4
        -hls_segment_filename 720p/seg%05d.m4s 720p/ffmpeg.m3u8
        -map [v1]
        -map_metadata -1
        -map_chapters -1
        -c:v libx264
        -profile:v high
        -preset veryfast
        -crf 23
        -maxrate 1200k
        -bufsize 2400k
        -threads 2
        -flags +cgop
        -sc_threshold 0
        -g 600
        -force_key_frames expr:gte(t,n_forced*4/2)
        -f hls
        -hls_segment_type fmp4
        -hls_playlist_type vod
        -hls_time 4
        -hls_flags independent_segments+temp_file
        -hls_segment_options movflags=+cmaf
        -hls_fmp4_init_filename init.mp4
        -hls_segment_filename 480p/seg%05d.m4s 480p/ffmpeg.m3u8
        -map [i]
        -map_metadata -1
        -map_chapters -1
        -c:v libx264
        -profile:v main
        -preset medium
        -crf 27
        -threads 1
        -g 1
        -movflags +cmaf+frag_keyframe+skip_trailer
        -video_track_timescale 30000
        -f mp4 iframes/pictures.mp4
        -map 0:1
        -map_metadata -1
        -map_chapters -1
        -c:a aac
        -ac 2
        -b:a 128k
        -ar 48000
        -af aresample=async=1:first_pts=0,aformat=channel_layouts=stereo
        -f hls
        -hls_segment_type fmp4
        -hls_playlist_type vod
        -hls_time 4
        -hls_flags independent_segments+temp_file
        -hls_segment_options movflags=+cmaf
        -hls_fmp4_init_filename init.mp4
        -hls_segment_filename audio/en/seg%05d.m4s audio/en/ffmpeg.m3u8
        "#);
    }

    #[test]
    fn a_segment_is_a_whole_number_of_equal_keyframe_intervals_of_at_most_two_seconds() {
        for (segment, expected) in [(4, "4/2"), (6, "6/3"), (5, "5/3"), (1, "1/1"), (3, "3/2")] {
            let mut plan = plan();
            plan.settings.segment_duration = segment;
            assert_eq!(
                plan.key_frames(),
                format!("expr:gte(t,n_forced*{expected})"),
                "{segment}"
            );
        }
    }

    #[test]
    fn colours_are_named_only_where_the_source_does_not_name_them_and_hdr_is_mapped_to_sdr() {
        let mut plan = picture();
        plan.video.color_space = Some("bt709".into());
        assert!(!plan.filters().contains("colorspace"));
        plan.video.color_transfer = Some("arib-std-b67".into());
        assert!(plan.filters().contains("tonemap=hable"));
        plan.video.color_transfer = None;
        plan.video.pixel_format = "gbrp".into();
        assert!(plan.filters().contains("out_color_matrix=bt709"));
    }

    #[test]
    fn two_fields_become_a_frame_and_a_picture_that_ends_early_is_held() {
        let mut plan = picture();
        plan.video.interlaced = true;
        plan.hold = Some(12.5);
        let filters = plan.filters();
        assert!(
            filters.starts_with("[0:0]bwdif=mode=send_frame:deint=interlaced,fps="),
            "{filters}"
        );
        assert!(
            filters.contains(":start_time=0,tpad=stop_mode=clone:stop_duration=12.500,scale="),
            "{filters}"
        );
    }

    #[test]
    fn full_range_becomes_limited_once() {
        let mut plan = picture();
        plan.video.pixel_format = "yuvj420p".into();
        let filters = plan.filters();
        assert_eq!(
            filters.matches("rin=full:r=limited").count(),
            1,
            "{filters}"
        );
        assert!(!filters.contains("out_range"), "{filters}");
    }

    #[test]
    fn a_size_is_scaled_to_once_for_all_its_codecs() {
        let mut plan = plan();
        let picture = plan.picture.as_mut().expect("it has a picture");
        let others: Vec<Rung> = picture
            .rungs
            .iter()
            .map(|rung| rung.with(Codec::Hevc))
            .collect();
        picture.rungs.extend(others);
        let filters = picture.filters();
        assert_eq!(filters.matches("scale=1280:720").count(), 1, "{filters}");
        assert!(filters.contains("split=3[v0][v2][s1]"), "{filters}");
        assert!(filters.contains("split=3[v1][v3][si]"), "{filters}");
        let args = lines(&plan.argv("file:/lecture.mov".into()));
        assert_eq!(args.matches("libx265\n-tag:v hvc1").count(), 2, "{args}");
        assert!(args.contains("720p-hevc/seg%05d.m4s"), "{args}");
    }

    #[test]
    fn a_lecture_without_a_picture_has_no_filter_graph() {
        let mut plan = plan();
        plan.picture = None;
        plan.sound[0].length = Some(60.0);
        let args = lines(&plan.argv("file:/talk.mp3".into()));
        assert!(
            !args.contains("filter_complex") && !args.contains("libx264"),
            "{args}"
        );
        assert!(args.contains("stereo,apad=whole_dur=60.000"), "{args}");
    }
}
