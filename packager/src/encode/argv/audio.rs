//! Commands of an audio track, and their filters.

use std::ffi::OsString;

use super::Args;
use crate::encode::plan::{AudioPlan, EncodePlan};
use crate::encode::steady_audio;
use crate::encode::task::EncodeTask;
use crate::media::{AUDIO_CHANNELS, AUDIO_SAMPLE_RATE};
use crate::source::loudness::{RESAMPLED_STEREO, SILENCED};

const AUDIO_KBITS: u32 = 128;

impl EncodePlan {
    pub(super) fn push_audio_args(&self, args: &mut Args, audio: &AudioPlan) {
        args.pair("-map", format!("0:{}", audio.stream.index));
        args.add("-map_metadata -1 -map_chapters -1 -c:a aac");
        args.pair("-ac", AUDIO_CHANNELS);
        args.pair("-b:a", format!("{AUDIO_KBITS}k"));
        args.pair("-ar", AUDIO_SAMPLE_RATE);
        args.pair("-af", audio.filters());
        self.hls(args, &audio.folder);
    }

    /// Builds the command that decodes an audio track to samples and a table of their timestamps,
    /// for [`steady_audio`].
    pub(crate) fn decode_argv(&self, audio: &AudioPlan, input: OsString) -> Vec<OsString> {
        let mut args = Args(vec![]);
        args.add("-hide_banner -nostdin -nostats -y -v warning -progress pipe:1");
        self.push_input(&mut args, input);
        let constant = format!(
            "{}aresample={AUDIO_SAMPLE_RATE}:async=1,aformat=sample_fmts=s16:channel_layouts=stereo",
            audio.source_filters()
        );
        for (format, name) in [
            ("s16le", steady_audio::SAMPLES),
            ("framecrc", steady_audio::TIMES),
        ] {
            args.pair("-map", format!("0:{}", audio.stream.index));
            args.pair("-af", &constant);
            // Else ffmpeg moves all times by the first one.
            args.add("-c:a pcm_s16le -avoid_negative_ts disabled");
            args.pair("-f", format);
            args.0.push(name.into());
        }
        if self.is_mended {
            self.others(&mut args, &EncodeTask::Audio(audio));
        }
        args.0
    }
}

impl AudioPlan {
    /// Filters that run before the conversion to two channels, each with a comma.
    pub(crate) fn source_filters(&self) -> String {
        let mut chain = String::new();
        if let Some(lag) = &self.lag {
            chain += &format!("asetpts={},", lag.expression());
        }
        if self.is_silenced {
            chain += &format!("{SILENCED},");
        }
        if self.stream.is_mixed_down() {
            // ffmpeg knows no loudspeaker for so many channels. Both ears hear all of them.
            let channels: Vec<String> = (0..self.stream.channels)
                .map(|channel| format!("c{channel}"))
                .collect();
            let all = channels.join("+");
            chain += &format!("pan=stereo|c0<{all}|c1<{all},");
        }
        chain
    }

    fn filters(&self) -> String {
        let mut chain = self.source_filters();
        chain += RESAMPLED_STEREO;
        if let Some(gain) = self.gain {
            chain += &format!(",{}", gain.filter());
        }
        if let Some(length) = self.length {
            chain += &format!(",apad=whole_dur={length:.3}");
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use crate::encode::argv::tests::argv;
    use crate::encode::plan::testing;

    #[test]
    fn an_audio_track_is_a_command_of_its_own() {
        insta::assert_snapshot!(argv(&testing::plan(), 0), @r#"
        -hide_banner
        -nostdin
        -nostats
        -y
        -v warning
        -progress pipe:1
        -protocol_whitelist file,pipe
        -format_whitelist mov,matroska,avi,mpegts,mpeg,flv,ogg,wav,mp3,aac,flac,asf,mxf,gif,ac3,h264,hevc,m4v,mpegvideo,nut,aiff,amr,caf,w64,au,dts,dv,eac3,ivf,mjpeg,mlp,obu,rm,tak,truehd,tta,vc1,wtv,wv,yuv4mpegpipe
        -i file:/lecture.mov
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
        -hls_segment_filename audio/en/written%05d.m4s audio/en/ffmpeg.m3u8
        "#);
    }

    #[test]
    fn a_lecture_without_video_has_no_filter_graph() {
        let mut plan = testing::plan();
        plan.video = None;
        plan.audio[0].length = Some(60.0);
        assert_eq!(plan.tasks().len(), 1);
        let args = argv(&plan, 0);
        assert!(
            !args.contains("filter_complex") && !args.contains("libx264"),
            "{args}"
        );
        assert!(args.contains("stereo,apad=whole_dur=60.000"), "{args}");
    }
}
