//! Keyframes and start times in the first packets of a recording. Pure.

use std::collections::BTreeMap;

use crate::source::Source;

/// The most seconds between the start of the lecture and the start of a stream that is copied: the
/// gap that hls.js skips (`maxBufferHole`).
const MAX_START_SKEW: f64 = 0.1;

/// Keyframe interval and start times, read from the first packets.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct GopProbe {
    /// The longest time between keyframes, in seconds.
    pub(crate) gap: Option<f64>,
    /// Time of each stream's first packet, unless players discard it or cannot decode it.
    starts: BTreeMap<u32, f64>,
}

impl GopProbe {
    /// Parses packets, one `stream,time,flags` a line.
    pub(crate) fn parse(packets: &str, video: u32) -> Self {
        let mut gop = Self::default();
        let (mut last_key, mut last, mut longest) = (None, None::<f64>, 0.0_f64);
        let mut seen = vec![];
        for line in packets.lines() {
            let mut fields = line.split(',');
            let (stream, time, flags) = (fields.next(), fields.next(), fields.next());
            let (Some(Ok(stream)), Some(time), Some(flags)) = (stream.map(str::parse), time, flags)
            else {
                continue;
            };
            let Ok(time) = time.parse::<f64>() else {
                continue;
            };
            let is_key = flags.starts_with('K');
            if !seen.contains(&stream) {
                seen.push(stream);
                if is_key && (stream != video || !flags.contains('D')) {
                    gop.starts.insert(stream, time);
                }
            }
            if stream != video {
                continue;
            }
            if is_key {
                longest = longest.max(time - last_key.unwrap_or(time));
                last_key = Some(time);
            }
            last = Some(last.map_or(time, |last| last.max(time)));
        }
        // The packets may end long after the last keyframe.
        if let (Some(last), Some(key)) = (last, last_key) {
            gop.gap = Some(longest.max(last - key));
        }
        gop
    }

    /// Seconds from the start of the lecture to the start of a stream, if the stream may be copied.
    pub(crate) fn start(&self, stream: u32, source: &Source) -> Option<f64> {
        let start = self.starts.get(&stream)? - source.start;
        Some(start).filter(|start| start.abs() <= MAX_START_SKEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_between_keyframes_or_after_the_last() {
        for (packets, expected) in [
            (
                "0,0.0,K_\n1,9.9,K_\n0,0.5,__\n0,2.0,K_\n0,5.0,K_\n0,5.5,__\n",
                Some(3.0),
            ),
            ("0,0.0,K_\n0,9.5,__\n", Some(9.5)),
            ("0,0.0,K_\n0,N/A,__\n0,1.0,K_\n", Some(1.0)),
            ("0,0.5,__\n", None),
            ("", None),
        ] {
            assert_eq!(GopProbe::parse(packets, 0).gap, expected, "{packets}");
        }
    }

    #[test]
    fn a_stream_begins_with_its_first_packet_if_that_is_shown_and_can_be_decoded() {
        for (packets, expected) in [
            (
                "1,-0.023,KD\n0,0.5,K_\n0,0.58,__\n",
                vec![(0, 0.5), (1, -0.023)],
            ),
            ("0,-1.3,KD\n0,0.7,K_\n1,0.0,K_\n", vec![(1, 0.0)]),
            ("0,0.0,__\n0,1.0,K_\n", vec![]),
        ] {
            let starts: Vec<(u32, f64)> = GopProbe::parse(packets, 0).starts.into_iter().collect();
            assert_eq!(starts, expected, "{packets}");
        }
    }
}
