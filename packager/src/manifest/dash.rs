//! The MPD (ISO/IEC 23009-1), which lists the segments of the HLS playlists for DASH players. Pure.
//!
//! Every URL is relative, so all of them inherit the pass of the base URL or of the path, which the
//! edge adds.
//!
//! I-frames are not listed. video.js 7 and 8 take a set for trick modes for another rung, ignore
//! that its property is essential, and show it as a lecture of two seconds a frame.

use std::fmt::Display;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::language_names::names;
use super::presentation::{AudioTrack, Presentation, Subtitles, Track, VideoTrack};
use crate::layout;
use crate::media::{AUDIO_SAMPLE_RATE, Rate};

/// Profiles of segments with a `SegmentTemplate` (ISO/IEC 23009-1 §8.4.2), and of whole files for
/// captions. The first one applies to segments of ISO BMFF alone, and DASH-IF IOP §6.4.4 has WebVTT
/// of recordings as one file.
const LIVE: &str = "urn:mpeg:dash:profile:isoff-live:2011";
const FULL: &str = "urn:mpeg:dash:profile:full:2011";

pub(crate) fn mpd(presentation: &Presentation) -> Vec<u8> {
    let tracks = || {
        let video = presentation.video.iter().map(|video| &video.track);
        video.chain(presentation.audio.iter().map(|audio| &audio.track))
    };
    let duration_micros = tracks().map(Track::micros).max().unwrap_or(0);
    let buffer = tracks()
        .flat_map(|track| track.ticks.iter().map(|ticks| track.in_micros(*ticks)))
        .max()
        .unwrap_or(0);
    let profiles = match presentation.subtitles.is_empty() {
        true => LIVE.to_owned(),
        false => format!("{LIVE},{FULL}"),
    };
    let mut xml = Xml::new();
    xml.open(
        StartTag::new("MPD")
            .with("xmlns", "urn:mpeg:dash:schema:mpd:2011")
            .with("profiles", profiles)
            .with("type", "static")
            .with("mediaPresentationDuration", duration(duration_micros))
            .with("minBufferTime", duration(buffer)),
    );
    xml.open(StartTag::new("Period").with("id", 0).with("start", "PT0S"));
    let mut sets = 0..;
    let mut id = || sets.next().unwrap_or(0);
    for family in families(&presentation.video) {
        list_video(&mut xml, id(), &family);
    }
    let labels = presentation
        .audio
        .iter()
        .map(|audio| (audio.title.as_deref(), audio.language.as_str()));
    for (at, (audio, name)) in presentation
        .audio
        .iter()
        .zip(names(labels, "Audio"))
        .enumerate()
    {
        list_audio(&mut xml, id(), audio, &name, at == 0);
    }
    let labels = presentation
        .subtitles
        .iter()
        .map(|subtitles| (subtitles.title.as_deref(), subtitles.language.as_str()));
    for (subtitles, name) in presentation
        .subtitles
        .iter()
        .zip(names(labels, "Subtitles"))
    {
        list_subtitles(&mut xml, id(), subtitles, &name);
    }
    xml.close("Period");
    xml.close("MPD");
    xml.into_bytes()
}

/// Groups tracks by codec: players switch within an Adaptation Set, and not between codecs.
fn families(video: &[VideoTrack]) -> Vec<Vec<&VideoTrack>> {
    let codec = |video: &VideoTrack| video.track.codec.split('.').next().map(str::to_owned);
    let mut families: Vec<Vec<&VideoTrack>> = vec![];
    for video in video {
        match families
            .iter_mut()
            .find(|family| codec(family[0]) == codec(video))
        {
            Some(family) => family.push(video),
            None => families.push(vec![video]),
        }
    }
    for family in &mut families {
        family.sort_by_key(|video| video.short_side());
    }
    families
}

fn list_video(xml: &mut Xml, id: u32, family: &[&VideoTrack]) {
    xml.open(
        set(id, "video", "video/mp4")
            .with("segmentAlignment", true)
            .with("startWithSAP", 1),
    );
    for video in family {
        xml.open(
            representation(&video.track)
                .with("width", video.width)
                .with("height", video.height)
                .with("frameRate", frame_rate(video.frame_rate))
                .with("sar", "1:1"),
        );
        list_segments(xml, &video.track);
        xml.close("Representation");
    }
    xml.close("AdaptationSet");
}

fn list_audio(xml: &mut Xml, id: u32, audio: &AudioTrack, name: &str, is_main: bool) {
    xml.open(
        set(id, "audio", "audio/mp4")
            .with("lang", &audio.language)
            .with("segmentAlignment", true)
            .with("startWithSAP", 1),
    );
    xml.content("Label", name);
    role(xml, if is_main { "main" } else { "alternate" });
    xml.open(representation(&audio.track).with("audioSamplingRate", AUDIO_SAMPLE_RATE));
    xml.empty(
        StartTag::new("AudioChannelConfiguration")
            .with("schemeIdUri", "urn:mpeg:mpegB:cicp:ChannelConfiguration")
            .with("value", audio.channels),
    );
    list_segments(xml, &audio.track);
    xml.close("Representation");
    xml.close("AdaptationSet");
}

fn list_subtitles(xml: &mut Xml, id: u32, subtitles: &Subtitles, name: &str) {
    xml.open(
        set(id, "text", "text/vtt")
            .with("lang", &subtitles.language)
            .with("profiles", FULL),
    );
    xml.content("Label", name);
    role(xml, "subtitle");
    // The attribute is mandatory, and a single Representation needs no choice.
    xml.open(
        StartTag::new("Representation")
            .with("id", &subtitles.id)
            .with("bandwidth", 256),
    );
    xml.content("BaseURL", &subtitles.file);
    xml.close("Representation");
    xml.close("AdaptationSet");
}

fn set(id: u32, content: &str, mime: &str) -> StartTag {
    StartTag::new("AdaptationSet")
        .with("id", id)
        .with("contentType", content)
        .with("mimeType", mime)
}

fn role(xml: &mut Xml, value: &str) {
    xml.empty(
        StartTag::new("Role")
            .with("schemeIdUri", "urn:mpeg:dash:role:2011")
            .with("value", value),
    );
}

fn representation(track: &Track) -> StartTag {
    StartTag::new("Representation")
        .with("id", &track.id)
        .with("codecs", &track.codec)
        .with("bandwidth", track.peak_bandwidth)
}

fn list_segments(xml: &mut Xml, track: &Track) {
    // `$` is an escape character of templates (§5.3.9.4.4).
    let folder = track.folder.replace('$', "$$");
    xml.open(
        StartTag::new("SegmentTemplate")
            .with("timescale", track.timescale)
            .with("initialization", layout::init(&folder))
            .with("media", format_args!("{folder}/seg$Number%05d$.m4s"))
            .with("startNumber", 0),
    );
    xml.open(StartTag::new("SegmentTimeline"));
    for (at, run) in track.ticks.chunk_by(|one, other| one == other).enumerate() {
        let mut element = StartTag::new("S");
        if at == 0 {
            element = element.with("t", 0);
        }
        element = element.with("d", run[0]);
        if run.len() > 1 {
            element = element.with("r", run.len() - 1);
        }
        xml.empty(element);
    }
    xml.close("SegmentTimeline");
    xml.close("SegmentTemplate");
}

fn frame_rate(rate: Rate) -> String {
    match rate.den {
        1 => rate.num.to_string(),
        den => format!("{}/{den}", rate.num),
    }
}

/// `xs:duration`.
fn duration(micros: u64) -> String {
    format!("PT{}.{:06}S", micros / 1_000_000, micros % 1_000_000)
}

/// An XML document with one element a line. Writes to memory do not fail.
struct Xml {
    writer: Writer<Vec<u8>>,
}

impl Xml {
    fn new() -> Self {
        let mut writer = Writer::new_with_indent(vec![], b' ', 2);
        let _ = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        Self { writer }
    }

    fn open(&mut self, element: StartTag) {
        let _ = self.writer.write_event(Event::Start(element.0));
    }

    fn close(&mut self, name: &str) {
        let _ = self.writer.write_event(Event::End(BytesEnd::new(name)));
    }

    fn empty(&mut self, element: StartTag) {
        let _ = self.writer.write_event(Event::Empty(element.0));
    }

    fn content(&mut self, name: &str, content: &str) {
        self.open(StartTag::new(name));
        let text = BytesText::from_escaped(escaped(content));
        let _ = self.writer.write_event(Event::Text(text));
        self.close(name);
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.writer.into_inner();
        bytes.push(b'\n');
        bytes
    }
}

/// A start tag.
struct StartTag(BytesStart<'static>);

impl StartTag {
    fn new(name: &str) -> Self {
        Self(BytesStart::new(name.to_owned()))
    }

    fn with(mut self, name: &str, value: impl Display) -> Self {
        let value = escaped(&value.to_string());
        self.0.push_attribute((name.as_bytes(), value.as_bytes()));
        self
    }
}

/// Escapes markup, and removes characters that no document may hold (XML 1.0 §2.2, §2.4).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\t' | '\n' | '\r' => out.push(' '),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::presentation::testing::{audio, captions, iframes, video};

    #[test]
    fn an_mpd_lists_the_segments_of_the_playlists_with_exact_times() {
        let lecture = Presentation {
            video: vec![
                video(1280, 720, "avc1.64001f"),
                video(854, 480, "avc1.64001e"),
                video(854, 480, "hvc1.1.6.L90.90"),
            ],
            audio: vec![audio("en"), audio("de")],
            subtitles: vec![captions("fr")],
            iframes: Some(iframes()),
            ..Presentation::default()
        };
        let text = String::from_utf8(mpd(&lecture)).expect("UTF-8");
        insta::assert_snapshot!(text, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:full:2011" type="static" mediaPresentationDuration="PT9.309300S" minBufferTime="PT4.010667S">
          <Period id="0" start="PT0S">
            <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
              <Representation id="480p" codecs="avc1.64001e" bandwidth="854000" width="854" height="480" frameRate="30000/1001" sar="1:1">
                <SegmentTemplate timescale="30000" initialization="v/0123456789abcdef/480p/init.mp4" media="v/0123456789abcdef/480p/seg$Number%05d$.m4s" startNumber="0">
                  <SegmentTimeline>
                    <S t="0" d="120120" r="1"/>
                    <S d="39039"/>
                  </SegmentTimeline>
                </SegmentTemplate>
              </Representation>
              <Representation id="720p" codecs="avc1.64001f" bandwidth="1280000" width="1280" height="720" frameRate="30000/1001" sar="1:1">
                <SegmentTemplate timescale="30000" initialization="v/0123456789abcdef/720p/init.mp4" media="v/0123456789abcdef/720p/seg$Number%05d$.m4s" startNumber="0">
                  <SegmentTimeline>
                    <S t="0" d="120120" r="1"/>
                    <S d="39039"/>
                  </SegmentTimeline>
                </SegmentTemplate>
              </Representation>
            </AdaptationSet>
            <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
              <Representation id="480p-hevc" codecs="hvc1.1.6.L90.90" bandwidth="854000" width="854" height="480" frameRate="30000/1001" sar="1:1">
                <SegmentTemplate timescale="30000" initialization="v/0123456789abcdef/480p-hevc/init.mp4" media="v/0123456789abcdef/480p-hevc/seg$Number%05d$.m4s" startNumber="0">
                  <SegmentTimeline>
                    <S t="0" d="120120" r="1"/>
                    <S d="39039"/>
                  </SegmentTimeline>
                </SegmentTemplate>
              </Representation>
            </AdaptationSet>
            <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">
              <Label>English</Label>
              <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
              <Representation id="audio-en" codecs="mp4a.40.2" bandwidth="130000" audioSamplingRate="48000">
                <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="2"/>
                <SegmentTemplate timescale="48000" initialization="v/0123456789abcdef/audio/en/init.mp4" media="v/0123456789abcdef/audio/en/seg$Number%05d$.m4s" startNumber="0">
                  <SegmentTimeline>
                    <S t="0" d="191488"/>
                    <S d="192512"/>
                    <S d="62464"/>
                  </SegmentTimeline>
                </SegmentTemplate>
              </Representation>
            </AdaptationSet>
            <AdaptationSet id="3" contentType="audio" mimeType="audio/mp4" lang="de" segmentAlignment="true" startWithSAP="1">
              <Label>Deutsch</Label>
              <Role schemeIdUri="urn:mpeg:dash:role:2011" value="alternate"/>
              <Representation id="audio-de" codecs="mp4a.40.2" bandwidth="130000" audioSamplingRate="48000">
                <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="2"/>
                <SegmentTemplate timescale="48000" initialization="v/0123456789abcdef/audio/de/init.mp4" media="v/0123456789abcdef/audio/de/seg$Number%05d$.m4s" startNumber="0">
                  <SegmentTimeline>
                    <S t="0" d="191488"/>
                    <S d="192512"/>
                    <S d="62464"/>
                  </SegmentTimeline>
                </SegmentTemplate>
              </Representation>
            </AdaptationSet>
            <AdaptationSet id="4" contentType="text" mimeType="text/vtt" lang="fr" profiles="urn:mpeg:dash:profile:full:2011">
              <Label>Français</Label>
              <Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>
              <Representation id="subtitles-fr" bandwidth="256">
                <BaseURL>v/0123456789abcdef/subtitles/fr/captions.vtt</BaseURL>
              </Representation>
            </AdaptationSet>
          </Period>
        </MPD>
        "#);
    }

    #[test]
    fn text_of_people_stays_text() {
        assert_eq!(
            escaped("\"A\" < B & C's\n\u{0}</MPD>"),
            "&quot;A&quot; &lt; B &amp; C's &lt;/MPD&gt;"
        );
    }
}
