//! Options of the video encoders.

use super::Args;
use crate::encode::ladder::Rung;
use crate::encode::settings::Settings;
use crate::media::Codec;

/// Offset between the CRF scales of x264 and x265, chosen by bytes on a test pattern instead of
/// measured quality.
const HEVC_CRF: u32 = 4;
const AV1_CRF: u32 = 14;

impl Args {
    /// Adds the encoder of a rung, with one thread.
    pub(super) fn add_codec(&mut self, rung: &Rung, settings: &Settings) {
        let Settings { crf, preset, .. } = settings;
        let (max_rate, buffer) = (rung.max_rate, rung.max_rate * 2);
        match rung.codec {
            Codec::H264 => {
                self.add("-c:v libx264 -profile:v high");
                self.pair("-preset", preset);
                self.pair("-crf", crf);
                self.pair("-maxrate", format!("{max_rate}k"));
                self.pair("-bufsize", format!("{buffer}k"));
                self.add("-threads 1 -flags +cgop -sc_threshold 0 -g 600");
            }
            Codec::Hevc => {
                // Apple's players need `hvc1`, with parameter sets in the initialization section
                // only.
                self.add("-c:v libx265 -tag:v hvc1");
                self.pair("-preset", preset);
                self.pair("-crf", crf + HEVC_CRF);
                self.pair(
                    "-x265-params",
                    format!(
                        "log-level=error:open-gop=0:scenecut=0:keyint=600:repeat-headers=0:info=0:\
                         vbv-maxrate={max_rate}:vbv-bufsize={buffer}:pools=none:frame-threads=1:wpp=0"
                    ),
                );
            }
            Codec::Av1 => {
                self.add("-c:v libaom-av1 -usage good -row-mt 0 -lag-in-frames 25");
                self.pair("-cpu-used", av1_speed(preset));
                self.pair("-crf", crf + AV1_CRF);
                self.pair("-b:v", format!("{max_rate}k"));
                self.add("-threads 1 -g 600");
            }
        }
    }
}

/// libaom's `cpu-used`, whose slowdown against x264 matches the gain in quality.
fn av1_speed(preset: &str) -> u32 {
    match preset {
        "ultrafast" | "superfast" | "veryfast" | "faster" => 8,
        "fast" | "medium" => 6,
        _ => 4,
    }
}
