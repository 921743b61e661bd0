//! The filter graph of a video task, from source frames to rungs. Pure.

use super::chunk::FrameTimeline;
use super::ladder::Rung;
use super::plan::VideoPlan;
use super::task::VideoTask;
use crate::media::Rate;
use crate::source::OBLONGEST;

/// Seconds below which a recording may be shorter than one frame.
pub(crate) const SHORT: f64 = 0.5;

impl VideoPlan {
    /// Filter graph of a task with outputs `[v0]`, `[v1]`, … for rungs and `[i]` for I-frames.
    ///
    /// Frame N is the same wherever decoding begins: timestamps count from the start of the source,
    /// and `trim` selects frames by number.
    pub(crate) fn filters(&self, cut: &VideoTask, timeline: FrameTimeline) -> String {
        let Rate { num, den } = self.frame_rate;
        let mut graph = format!("[0:{}]{}fps={num}/{den}", self.stream.index, self.source());
        if cut.chunk.first == 0 {
            // The first frame is shown from the beginning. Later chunks have a frame before their
            // first one.
            graph += ":start_time=0";
        }
        if self.stream.still
            || self
                .stream
                .duration
                .is_some_and(|duration_seconds| duration_seconds < SHORT)
        {
            // A frame that is shown for less than half a frame interval is dropped.
            graph += ":eof_action=pass";
        }
        if let (Some(hold), None) = (self.hold, cut.chunk.end) {
            graph += &format!(",tpad=stop_mode=clone:stop_duration={hold:.3}");
        }
        if !cut.chunk.is_whole() {
            let (first, end) = cut.chunk.frames(timeline);
            graph += &format!(",trim=start_pts={first}");
            if let Some(end) = end {
                graph += &format!(":end_pts={end}");
            }
        }
        self.scale(&mut graph, cut);
        if cut.has_iframes {
            let skipped = match self.first_iframe(cut, timeline) - cut.chunk.frames(timeline).0 {
                0 => String::new(),
                frames => format!("trim=start_frame={frames},"),
            };
            let Rung { width, height, .. } = self.iframe_rung();
            graph += &format!(
                ";[si]{skipped}framestep={},scale={width}:{height}:flags=bicubic,setsar=1[i]",
                self.iframe_interval_frames()
            );
        }
        graph
    }

    /// Filters that run before the conversion to a constant frame rate.
    fn source(&self) -> String {
        let mut chain = String::new();
        if let Some(lag) = &self.lag {
            chain += &format!("setpts={},", lag.expression());
        }
        if self.is_resized {
            chain += &self.one_size();
        }
        if self.stream.is_crooked {
            chain += match self.stream.rotation.rem_euclid(360) {
                90 => "transpose=cclock,",
                180 => "hflip,vflip,",
                270 => "transpose=clock,",
                _ => "",
            };
        }
        if self.stream.interlaced {
            // One frame for two fields: a lecture has no motion that 50 frames a second would show.
            chain += "bwdif=mode=send_frame:deint=interlaced,";
        }
        if self.stream.is_hdr() {
            chain += &self.assumed_hdr_colours();
            chain += "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,\
                      zscale=t=bt709:m=bt709:r=tv,format=yuv420p,";
        }
        chain
    }

    /// Scales and pads every frame to the shown size of the first, with sides that are even. Pixels
    /// may be oblong, and change their shape.
    fn one_size(&self) -> String {
        let (mut width, mut height) = (even(self.stream.width), even(self.stream.height));
        if self.stream.is_crooked && self.stream.rotation.rem_euclid(180) == 90 {
            // The next filter turns the frames.
            (width, height) = (height, width);
        }
        let shape = format!("iw/ih*if(between(sar,1/{OBLONGEST},{OBLONGEST}),sar,1)");
        let side = |most: String| format!("2*max(1,round(min({most})/2))");
        let fit_width = side(format!("{width},{height}*{shape}"));
        let fit_height = side(format!("{height},{width}/({shape})"));
        format!(
            "scale='{fit_width}':'{fit_height}':eval=frame,pad={width}:{height}:-1:-1:eval=frame,"
        )
    }

    /// Colours of HDR video that does not name them: PQ and HLG are defined for BT.2020 (ITU-R
    /// BT.2100).
    fn assumed_hdr_colours(&self) -> String {
        let is_named = |name: &Option<String>| name.is_some();
        let assumed: Vec<&str> = [
            (&self.stream.color_primaries, "color_primaries=bt2020"),
            (&self.stream.color_space, "colorspace=bt2020nc"),
        ]
        .into_iter()
        .filter(|(name, _)| !is_named(name))
        .map(|(_, assumed)| assumed)
        .collect();
        match &assumed[..] {
            [] => String::new(),
            assumed => format!("setparams={},", assumed.join(":")),
        }
    }

    fn scale(&self, graph: &mut String, cut: &VideoTask) {
        // Each size is scaled once for all codecs, down to the smallest that the task needs.
        let mut sizes: Vec<(u32, u32)> = vec![];
        for rung in &cut.chain {
            if !sizes.contains(&rung.size()) {
                sizes.push(rung.size());
            }
        }
        let is_encoded = |size: &(u32, u32)| cut.rungs.iter().any(|rung| rung.size() == *size);
        let last = sizes.iter().rposition(is_encoded);
        sizes.truncate(last.map_or(0, |last| last + 1));
        let (to_matrix, named) = self.colours();
        for (at, (width, height)) in sizes.iter().enumerate() {
            // Each size is scaled from the next larger one. This saves 6 to 9 % of all CPU, and
            // costs 0.1 to 0.5 VMAF in the smallest of three rungs.
            let scale = format!("scale={width}:{height}:flags=bicubic");
            *graph += &match at {
                0 if self.stream.is_full_range() => {
                    // zimg converts the range with SIMD in 0.7 ms a frame; swscale takes 3.7 ms.
                    format!(",{scale}{to_matrix},zscale=rin=full:r=limited,setsar=1,format=yuv420p")
                }
                0 => format!(",{scale}:out_range=tv{to_matrix},setsar=1,format=yuv420p"),
                _ => format!(";[s{at}]{scale},setsar=1"),
            };
            if at == 0 {
                *graph += &format!(",setparams=range=tv{named}");
            }
            let mut outputs: Vec<String> = (cut.rungs.iter().enumerate())
                .filter(|(_, rung)| rung.size() == (*width, *height))
                .map(|(rung, _)| format!("[v{rung}]"))
                .collect();
            if at + 1 < sizes.len() {
                outputs.push(format!("[s{}]", at + 1));
            } else if cut.has_iframes {
                // I-frames are scaled from the smallest rung.
                outputs.push("[si]".to_owned());
            }
            *graph += &match outputs.len() {
                1 => outputs.concat(),
                count => format!(",split={count}{}", outputs.concat()),
            };
        }
    }

    /// Target of `scale` and the colour metadata. Players guess an undeclared matrix by height, so
    /// rungs would differ in colour. A screen recording in RGB has no matrix to keep.
    fn colours(&self) -> (String, String) {
        let video = &self.stream;
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

fn even(side: u32) -> u32 {
    side.next_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::chunk::Chunk;
    use crate::encode::ladder::ladder;
    use crate::encode::plan::testing;
    use crate::media::Codec;

    fn whole(plan: &VideoPlan) -> String {
        let cut = VideoTask {
            chunk: Chunk::WHOLE,
            rungs: plan.rungs.clone(),
            chain: plan.rungs.clone(),
            has_iframes: true,
            share: 1.0,
        };
        plan.filters(&cut, testing::plan().timeline(plan))
    }

    #[test]
    fn colours_are_named_only_where_the_source_does_not_name_them_and_hdr_is_mapped_to_sdr() {
        let mut plan = testing::video_plan();
        plan.stream.color_space = Some("bt709".into());
        assert!(!whole(&plan).contains("colorspace"));
        plan.stream.color_transfer = Some("arib-std-b67".into());
        assert!(whole(&plan).contains("tonemap=hable"));
        plan.stream.color_transfer = None;
        plan.stream.pixel_format = "gbrp".into();
        assert!(whole(&plan).contains("out_color_matrix=bt709"));
    }

    #[test]
    fn two_fields_become_a_frame_and_video_that_ends_early_is_held() {
        let mut plan = testing::video_plan();
        plan.stream.interlaced = true;
        plan.hold = Some(12.5);
        let filters = whole(&plan);
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
    fn a_size_for_frames_of_any_size_is_the_one_before_a_turn() {
        let mut plan = testing::video_plan();
        plan.is_resized = true;
        plan.stream.is_crooked = true;
        let (width, height) = (plan.stream.width, plan.stream.height);
        for (rotation, size) in [(180, (width, height)), (-90, (height, width))] {
            plan.stream.rotation = rotation;
            let pad = format!(":eval=frame,pad={}:{}:-1:-1:eval=frame,", size.0, size.1);
            let filters = whole(&plan);
            assert!(filters.contains(&pad), "{filters}");
        }
    }

    #[test]
    fn full_range_becomes_limited_once() {
        let mut plan = testing::video_plan();
        plan.stream.pixel_format = "yuvj420p".into();
        let filters = whole(&plan);
        assert_eq!(
            filters.matches("rin=full:r=limited").count(),
            1,
            "{filters}"
        );
        assert!(!filters.contains("out_range"), "{filters}");
    }

    #[test]
    fn a_size_is_scaled_to_once_for_all_its_codecs() {
        let mut plan = testing::video_plan();
        let others: Vec<Rung> = plan
            .rungs
            .iter()
            .map(|rung| rung.with(Codec::Hevc))
            .collect();
        plan.rungs.extend(others);
        let filters = whole(&plan);
        assert_eq!(filters.matches("scale=1280:720").count(), 1, "{filters}");
        assert!(filters.contains("split=3[v0][v2][s1]"), "{filters}");
        assert!(filters.contains("split=3[v1][v3][si]"), "{filters}");
    }

    #[test]
    fn a_size_that_is_encoded_by_itself_is_scaled_from_the_same_ones_all_the_same() {
        let mut plan = testing::video_plan();
        plan.rungs = ladder(1920, 1080, &[1080, 720, 480]);
        for (rungs, has_iframes, expected) in [
            (
                &[480][..],
                true,
                "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709[s1];\
                 [s1]scale=1280:720:flags=bicubic,setsar=1[s2];\
                 [s2]scale=854:480:flags=bicubic,setsar=1,split=2[v0][si];[si]framestep",
            ),
            (
                &[720],
                false,
                "[s1]scale=1280:720:flags=bicubic,setsar=1[v0]",
            ),
            (
                &[1080, 480],
                false,
                "split=2[v0][s1];[s1]scale=1280:720:flags=bicubic,setsar=1[s2];\
                 [s2]scale=854:480:flags=bicubic,setsar=1[v1]",
            ),
        ] {
            let cut = VideoTask {
                chunk: Chunk::WHOLE,
                rungs: ladder(1920, 1080, rungs),
                chain: plan.rungs.clone(),
                has_iframes,
                share: 1.0,
            };
            let filters = plan.filters(&cut, testing::plan().timeline(&plan));
            assert!(filters.contains(expected), "{filters}");
            assert_eq!(
                filters.contains("scale=854:480"),
                rungs.contains(&480),
                "{filters}"
            );
        }
    }

    #[test]
    fn a_chunk_has_its_frames_and_the_iframes_of_the_whole() {
        let mut plan = testing::video_plan();
        plan.hold = Some(12.5);
        let timeline = testing::plan().timeline(&plan);
        let mut cut = VideoTask {
            chunk: Chunk {
                first: 15,
                end: Some(30),
            },
            rungs: ladder(1280, 720, &[480]),
            chain: ladder(1280, 720, &[480]),
            has_iframes: true,
            share: 1.0,
        };
        let filters = plan.filters(&cut, timeline);
        // Frame 1799 is the first at 60 s, and frame 1800 is the 30th I-frame at a distance of 60
        // frames.
        assert!(
            filters.starts_with("[0:0]fps=30000/1001,trim=start_pts=1799:end_pts=3597,scale="),
            "{filters}"
        );
        assert!(
            filters.contains(";[si]trim=start_frame=1,framestep=60,"),
            "{filters}"
        );
        cut.chunk.end = None;
        cut.has_iframes = false;
        let filters = plan.filters(&cut, timeline);
        assert!(
            filters.contains(
                "fps=30000/1001,tpad=stop_mode=clone:stop_duration=12.500,trim=start_pts=1799,scale="
            ),
            "{filters}"
        );
        assert!(
            filters.ends_with("[v0]") && !filters.contains("split"),
            "{filters}"
        );
    }
}
