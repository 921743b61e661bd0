//! Argument lists of the encoders. Pure: the tests show the commands that run, and the revision
//! hashes them.

mod audio;
mod codec;

use std::ffi::OsString;

use super::chunk::FrameTimeline;
use super::plan::{EncodePlan, VideoPlan};
use super::task::{EncodeTask, VideoTask};
use crate::layout;
use crate::media::key_frame_interval;
use crate::source::{FAR_PROBE, input_options};

impl EncodePlan {
    /// Builds the command of a task. ffmpeg runs in its output folder, so the arguments hold no
    /// path of the machine.
    pub(crate) fn argv(&self, task: &EncodeTask<'_>, input: OsString) -> Vec<OsString> {
        let mut args = Args(vec![]);
        args.add("-hide_banner -nostdin -nostats -y -v warning -progress pipe:1");
        match task {
            EncodeTask::Audio(audio) => {
                self.push_input(&mut args, input);
                self.push_audio_args(&mut args, audio);
                if audio.is_steady {
                    // Its file has no other stream.
                    return args.0;
                }
            }
            EncodeTask::Video(video, cut) => self.push_video_args(&mut args, video, cut, input),
        }
        if self.is_mended {
            self.others(&mut args, task);
        }
        args.0
    }

    fn push_input(&self, args: &mut Args, input: OsString) {
        if self.is_probed_far {
            args.0.extend(FAR_PROBE.map(Into::into));
        }
        args.0.extend(input_options().map(Into::into));
        args.0.extend(["-i".into(), input]);
    }

    /// Selects the other streams of a source with clock jumps, and discards them with `-t 0`.
    /// ffmpeg corrects jumps by the streams that it reads, so every command must read the same
    /// ones. Otherwise audio was 0.8 s off after six jumps.
    fn others(&self, args: &mut Args, task: &EncodeTask<'_>) {
        let video = self.video.iter().map(|video| video.stream.index);
        let audio = self.audio.iter().map(|audio| audio.stream.index);
        let own = match task {
            EncodeTask::Audio(audio) => audio.stream.index,
            EncodeTask::Video(video, _) => video.stream.index,
        };
        let mut others = video.chain(audio).filter(|index| *index != own).peekable();
        if others.peek().is_none() {
            return;
        }
        for other in others {
            args.pair("-map", format!("0:{other}"));
        }
        args.add("-c copy -t 0 -f null -");
    }

    /// Encodes all rungs from one decode: 11.3 s instead of 15.4 s with a command for each. Every
    /// stage has one thread. With more threads, x264 reads the progress of the others at the cap,
    /// so bytes differ between runs.
    fn push_video_args(
        &self,
        args: &mut Args,
        video: &VideoPlan,
        cut: &VideoTask,
        input: OsString,
    ) {
        let timeline = self.timeline(video);
        args.add("-filter_complex_threads 1");
        if !cut.chunk.is_whole() {
            // Keeps timestamps independent of the point at which decoding begins.
            args.add("-copyts -start_at_zero");
        }
        if let Some(target) = cut.chunk.target(timeline) {
            args.pair("-ss", format!("{target:.6}"));
            args.add("-noaccurate_seek");
        }
        args.add("-threads 1");
        if video.is_resized {
            // Else ffmpeg rebuilds its filters for each size, and frames are lost.
            args.add("-reinit_filter 0");
        }
        if video.stream.is_crooked {
            args.add("-noautorotate");
        }
        self.push_input(args, input);
        args.pair("-filter_complex", video.filters(cut, timeline));
        for (at, rung) in cut.rungs.iter().enumerate() {
            args.pair("-map", format!("[v{at}]"));
            args.add("-map_metadata -1 -map_chapters -1");
            args.add_codec(rung, &self.settings);
            args.pair("-force_key_frames", self.key_frames(cut, timeline));
            if cut.chunk.is_whole() {
                self.hls(args, &rung.name());
            } else {
                self.fragments(args, cut, &rung.name());
            }
        }
        if cut.has_iframes {
            iframes(args, cut, timeline);
        }
    }

    /// Forces a key frame at the first frame at or after each multiple of the interval. Integer
    /// arithmetic avoids rounding, so all rungs agree and every segment starts with a key frame.
    fn key_frames(&self, cut: &VideoTask, timeline: FrameTimeline) -> String {
        let (segment, parts) = key_frame_interval(self.settings.segment_duration);
        let frames = match cut.chunk.frames(timeline).0 {
            0 => "n".to_owned(),
            first => format!("(n+{first})"),
        };
        let forced = match cut.chunk.first * u64::from(parts) {
            0 => "n_forced".to_owned(),
            before => format!("(n_forced+{before})"),
        };
        let num = u64::from(segment) * u64::from(timeline.rate.num);
        let den = u64::from(parts) * u64::from(timeline.rate.den);
        format!("expr:gte({frames}*{den},{forced}*{num})")
    }

    fn hls(&self, args: &mut Args, folder: &str) {
        let segments = format!("{folder}/{WRITTEN}%05d.m4s");
        args.0
            .extend(hls(folder, &segments, self.settings.segment_duration));
    }

    /// Writes each segment as a fragment of one file. ffmpeg's HLS muxer counts from the start of
    /// the chunk, up to a frame after the first timestamp. Its boundaries could therefore move by
    /// one key frame. A fragment ends at the first key frame after its minimum duration: slightly
    /// less than a segment, and more than one key frame interval less.
    fn fragments(&self, args: &mut Args, cut: &VideoTask, name: &str) {
        let segment = self.settings.segment_duration;
        let (interval, parts) = key_frame_interval(segment);
        let early = 1_000_000 * interval / parts / 4;
        args.pair("-movflags", movflags(cut));
        args.pair("-min_frag_duration", 1_000_000 * segment - early);
        args.add("-f mp4");
        args.0.push(format!("{name}.mp4").into());
    }
}

/// HLS muxer options for `segments` of `segment_duration` seconds.
pub(crate) fn hls(folder: &str, segments: &str, segment_duration: u32) -> Vec<OsString> {
    let mut args = Args(vec![]);
    args.add("-f hls -hls_segment_type fmp4 -hls_playlist_type vod");
    args.pair("-hls_time", segment_duration);
    // `temp_file`: a file with its final name is complete.
    args.add("-hls_flags independent_segments+temp_file");
    // Without this flag, an empty edit delays the first frame by 0.07 s.
    args.add("-hls_segment_options movflags=+cmaf");
    args.add("-hls_fmp4_init_filename init.mp4");
    args.pair("-hls_segment_filename", segments);
    args.0.push(format!("{folder}/{FFMPEG_PLAYLIST}").into());
    args.0
}

/// MP4 muxer flags; `frag_discont` lets the first fragment start after 0.
fn movflags(cut: &VideoTask) -> &'static str {
    match cut.chunk.first {
        0 => "+cmaf+frag_keyframe+skip_trailer",
        _ => "+cmaf+frag_keyframe+skip_trailer+frag_discont",
    }
}

/// Beginning of the names that ffmpeg gives to segments, until they are installed.
pub(crate) const WRITTEN: &str = "written";

/// The playlist that ffmpeg writes, which is discarded.
pub(crate) const FFMPEG_PLAYLIST: &str = "ffmpeg.m3u8";

/// Writes each I-frame as a fragment of one file. One small frame in two seconds is cheap, so its
/// quality is high.
fn iframes(args: &mut Args, cut: &VideoTask, timeline: FrameTimeline) {
    args.add("-map [i] -map_metadata -1 -map_chapters -1 -c:v libx264 -profile:v main");
    args.add("-preset medium -crf 27 -threads 1 -g 1");
    args.pair("-movflags", movflags(cut));
    // The rungs' timescale, because a coarser one rounds the end of the last frame.
    let num = timeline.rate.num.max(1);
    let doublings = (0..14).find(|doublings| num << doublings >= 10_000);
    args.pair("-video_track_timescale", num << doublings.unwrap_or(14));
    args.add("-f mp4");
    args.0
        .push(format!("{}/{}", layout::IFRAMES_FOLDER, layout::IFRAMES_FILE).into());
}

/// Arguments of a command.
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
    use crate::encode::chunk::Chunk;
    use crate::encode::plan::testing;
    use crate::media::Codec;

    /// One option with its value on each line.
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

    pub(super) fn argv(plan: &EncodePlan, task: usize) -> String {
        lines(&plan.argv(&plan.tasks()[task], "file:/lecture.mov".into()))
    }

    /// A plan with two chunks, split at segment 15.
    fn chunked_plan() -> EncodePlan {
        let mut plan = testing::plan();
        let video = plan.video.as_mut().expect("it has video");
        let chunk = |first, end| Chunk { first, end };
        video.chunks = vec![chunk(0, Some(15)), chunk(15, None)];
        plan
    }

    #[test]
    fn every_command_probes_far_before_its_input() {
        let mut plan = chunked_plan();
        plan.is_probed_far = true;
        for task in 0..plan.tasks().len() {
            let argv = argv(&plan, task);
            let (options, _) = argv.split_once("\n-i file:").expect("an input");
            assert!(
                options.contains("-probesize 200M\n-analyzeduration 3600M\n"),
                "{argv}"
            );
        }
    }

    #[test]
    fn a_chunk_is_one_command_with_one_decode_and_all_rungs() {
        insta::assert_snapshot!(argv(&chunked_plan(), 2), @r#"
        -hide_banner
        -nostdin
        -nostats
        -y
        -v warning
        -progress pipe:1
        -filter_complex_threads 1
        -copyts
        -start_at_zero
        -ss 59.826633
        -noaccurate_seek
        -threads 1
        -protocol_whitelist file,pipe
        -format_whitelist mov,matroska,avi,mpegts,mpeg,flv,ogg,wav,mp3,aac,flac,asf,mxf,gif,ac3,h264,hevc,m4v,mpegvideo,nut,aiff,amr,caf,w64,au,dts,dv,eac3,ivf,mjpeg,mlp,obu,rm,tak,truehd,tta,vc1,wtv,wv,yuv4mpegpipe
        -i file:/lecture.mov
        -filter_complex [0:0]fps=30000/1001,trim=start_pts=1799,scale=1280:720:flags=bicubic:out_range=tv,setsar=1,format=yuv420p,setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709,split=2[v0][s1];[s1]scale=854:480:flags=bicubic,setsar=1,split=2[v1][si];[si]trim=start_frame=1,framestep=60,scale=426:240:flags=bicubic,setsar=1[i]
        -map [v0]
        -map_metadata -1
        -map_chapters -1
        -c:v libx264
        -profile:v high
        -preset veryfast
        -crf 23
        -maxrate 2800k
        -bufsize 5600k
        -threads 1
        -flags +cgop
        -sc_threshold 0
        -g 600
        -force_key_frames expr:gte((n+1799)*2002,(n_forced+30)*120000)
        -movflags +cmaf+frag_keyframe+skip_trailer+frag_discont
        -min_frag_duration 3500000
        -f mp4 720p.mp4
        -map [v1]
        -map_metadata -1
        -map_chapters -1
        -c:v libx264
        -profile:v high
        -preset veryfast
        -crf 23
        -maxrate 1200k
        -bufsize 2400k
        -threads 1
        -flags +cgop
        -sc_threshold 0
        -g 600
        -force_key_frames expr:gte((n+1799)*2002,(n_forced+30)*120000)
        -movflags +cmaf+frag_keyframe+skip_trailer+frag_discont
        -min_frag_duration 3500000
        -f mp4 480p.mp4
        -map [i]
        -map_metadata -1
        -map_chapters -1
        -c:v libx264
        -profile:v main
        -preset medium
        -crf 27
        -threads 1
        -g 1
        -movflags +cmaf+frag_keyframe+skip_trailer+frag_discont
        -video_track_timescale 30000
        -f mp4 iframes/pictures.mp4
        "#);
    }

    #[test]
    fn video_in_one_chunk_has_its_own_clock() {
        // ffmpeg corrects clock jumps of these containers unless it copies streams.
        let args = argv(&testing::plan(), 1);
        assert!(
            !args.contains("-copyts") && !args.contains("trim="),
            "{args}"
        );
        assert!(
            args.contains("-hls_playlist_type vod\n-hls_time 4\n"),
            "{args}"
        );
    }

    #[test]
    fn every_command_reads_every_stream_of_a_container_whose_clock_may_jump() {
        let mut plan = testing::plan();
        let others = " -map 0:1 -c copy -t 0 -f null -";
        assert!(!argv(&plan, 1).contains("-f null"));
        plan.is_mended = true;
        let args = argv(&plan, 1).replace('\n', " ");
        assert!(args.ends_with(others), "{args}");
        let args = argv(&plan, 0).replace('\n', " ");
        assert!(args.ends_with(&others.replace("0:1", "0:0")), "{args}");
        plan.video = None;
        assert!(!argv(&plan, 0).contains("-f null"));
    }

    #[test]
    fn a_segment_is_a_whole_number_of_equal_keyframe_intervals_of_at_most_two_seconds() {
        for (segment, expected) in [
            (4, "n*2002,n_forced*120000"),
            (6, "n*3003,n_forced*180000"),
            (5, "n*3003,n_forced*150000"),
            (1, "n*1001,n_forced*30000"),
            (3, "n*2002,n_forced*90000"),
        ] {
            let mut plan = chunked_plan();
            plan.settings.segment_duration = segment;
            let args = argv(&plan, 1);
            let expected = format!("-force_key_frames expr:gte({expected})\n");
            assert!(args.contains(&expected), "{segment}: {args}");
        }
    }

    #[test]
    fn no_encoder_has_more_than_one_thread() {
        let mut plan = chunked_plan();
        let video = plan.video.as_mut().expect("it has video");
        for codec in [Codec::Hevc, Codec::Av1] {
            let rung = video.rungs[1].with(codec);
            video.rungs.push(rung);
        }
        let args = argv(&plan, 1);
        // The decoder, x264 for two rungs and the I-frames, and libaom.
        assert_eq!(args.matches("-threads 1\n").count(), 5, "{args}");
        assert!(args.contains("pools=none:frame-threads=1:wpp=0"), "{args}");
        assert!(args.contains("-row-mt 0"), "{args}");
        assert!(args.contains("libx265\n-tag:v hvc1"), "{args}");
        assert!(args.contains("-f mp4 480p-hevc.mp4"), "{args}");
    }
}
