//! The Multivariant Playlist (RFC 8216bis §4.4.6).

use super::tags::{Tag, yes};
use crate::manifest::bandwidth::shown_rate;
use crate::manifest::container::Container;
use crate::manifest::language_names::names;
use crate::manifest::presentation::{
    AudioTrack, IFrames, Presentation, SessionData, Subtitles, VideoTrack,
};

const AUDIO_GROUP: &str = "audio";
const SUBTITLES_GROUP: &str = "subtitles";

/// Lists the smallest Variant Stream first, because players start with the first entry: at 1 Mbit/s
/// the first frame came after 2.4 s instead of 12 s. Of two equal sizes, H.264 comes first, which
/// everything decodes.
pub(crate) fn multivariant(presentation: &Presentation) -> Vec<u8> {
    let Presentation {
        container,
        video,
        audio,
        has_audio_only,
        subtitles,
        iframes,
        session_data,
    } = presentation;
    let version = match container {
        Container::Cmaf => container.version(),
        // §8: clients came to know Renditions with version 4.
        Container::Ts => 4,
    };
    let mut out = format!("#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let mut video: Vec<&VideoTrack> = video.iter().collect();
    video.sort_by_key(|video| (video.short_side(), !video.track.codec.starts_with("avc1")));
    let mut groups: Vec<String> = vec![];
    if presentation.video.is_empty() || *has_audio_only || !is_muxed(audio) {
        groups.push(AUDIO_GROUP.to_owned());
    }
    if is_muxed(audio) {
        groups.extend(video.iter().map(|video| audio_group(video, audio)));
    }
    for group in groups {
        list_audio(&mut out, &group, audio);
    }
    list_subtitles(&mut out, subtitles);
    for video in video {
        list_video(&mut out, video, audio, !subtitles.is_empty());
    }
    // The audio-only Variant Stream is last: players start with the first entry, and most lectures
    // need their slides.
    if presentation.video.is_empty() || *has_audio_only {
        list_audio_only(&mut out, audio, !subtitles.is_empty());
    }
    if let Some(iframes) = iframes {
        list_iframes(&mut out, iframes);
    }
    list_session_data(&mut out, session_data);
    out.into_bytes()
}

/// Audio in the segments of Variant Streams.
fn is_muxed(audio: &[AudioTrack]) -> bool {
    audio.iter().any(|audio| audio.is_muxed)
}

/// Group of a Variant Stream's audio. A group of its own holds audio that is in its segments: of a
/// common group, Shaka Player 5 lists a Variant Stream again for each of the others.
fn audio_group(video: &VideoTrack, audio: &[AudioTrack]) -> String {
    match is_muxed(audio) {
        true => format!("{AUDIO_GROUP}-{}", video.track.id),
        false => AUDIO_GROUP.to_owned(),
    }
}

/// Lists a group. All groups have the same members (§4.4.6.1.1).
fn list_audio(out: &mut String, group: &str, audio: &[AudioTrack]) {
    let labels = audio
        .iter()
        .map(|audio| (audio.title.as_deref(), audio.language.as_str()));
    for (at, (track, name)) in audio.iter().zip(names(labels, "Audio")).enumerate() {
        let is_first_of_its_language = audio[..at]
            .iter()
            .all(|before| before.language != track.language);
        let tag = Tag::new("EXT-X-MEDIA")
            .plain("TYPE", "AUDIO")
            .quoted("GROUP-ID", group)
            .quoted("STABLE-RENDITION-ID", &track.track.id)
            .quoted("NAME", &name)
            .quoted("LANGUAGE", &track.language)
            .plain("DEFAULT", yes(at == 0))
            .plain("AUTOSELECT", yes(is_first_of_its_language))
            .quoted("CHANNELS", &track.channels.to_string());
        // §4.4.6.2.1: without a URI, the audio is in the segments of the Variant Stream.
        tag.quoted_if(!track.is_muxed, "URI", &track.track.playlist())
            .end(out);
    }
}

fn list_subtitles(out: &mut String, subtitles: &[Subtitles]) {
    let labels = subtitles
        .iter()
        .map(|subtitles| (subtitles.title.as_deref(), subtitles.language.as_str()));
    for (at, (track, name)) in subtitles.iter().zip(names(labels, "Subtitles")).enumerate() {
        let is_first_of_its_language = subtitles[..at]
            .iter()
            .all(|before| before.language != track.language);
        Tag::new("EXT-X-MEDIA")
            .plain("TYPE", "SUBTITLES")
            .quoted("GROUP-ID", SUBTITLES_GROUP)
            .quoted("STABLE-RENDITION-ID", &track.id)
            .quoted("NAME", &name)
            .quoted("LANGUAGE", &track.language)
            .plain("DEFAULT", "NO")
            .plain("AUTOSELECT", yes(is_first_of_its_language))
            .plain("FORCED", "NO")
            .quoted("URI", &track.playlist)
            .end(out);
    }
}

fn list_video(out: &mut String, video: &VideoTrack, audio: &[AudioTrack], has_subtitles: bool) {
    let (peak, average) = beside(audio);
    let (peak, average) = (
        video.track.peak_bandwidth + peak,
        video.track.average_bandwidth + average,
    );
    let codecs = codecs([video.track.codec.as_str()], audio);
    Tag::new("EXT-X-STREAM-INF")
        .plain("BANDWIDTH", peak)
        .plain("AVERAGE-BANDWIDTH", average)
        .quoted("CODECS", &codecs)
        .plain("RESOLUTION", resolution(video.width, video.height))
        .plain("FRAME-RATE", shown_rate(video.frame_rate))
        .quoted("STABLE-VARIANT-ID", &video.track.id)
        .quoted_if(!audio.is_empty(), "AUDIO", &audio_group(video, audio))
        .quoted_if(has_subtitles, "SUBTITLES", SUBTITLES_GROUP)
        .plain("CLOSED-CAPTIONS", "NONE")
        .end(out);
    *out += &format!("{}\n", video.track.playlist());
}

/// Peak and average bit rates of the largest audio Rendition beside a Variant Stream (§4.4.6.2).
fn beside(audio: &[AudioTrack]) -> (u64, u64) {
    let others = || audio.iter().filter(|audio| !audio.is_muxed);
    let most = |of: fn(&AudioTrack) -> u64| others().map(of).max().unwrap_or(0);
    (
        most(|audio| audio.track.peak_bandwidth),
        most(|audio| audio.track.average_bandwidth),
    )
}

/// Lists an audio-only Variant Stream, whose Media Playlist is the first audio Rendition.
fn list_audio_only(out: &mut String, audio: &[AudioTrack], has_subtitles: bool) {
    let Some(first) = audio.first() else { return };
    // Another Rendition may replace the first one, unless that one is muxed.
    let (mut peak, mut average) = beside(audio);
    if first.is_muxed {
        peak += first.track.peak_bandwidth;
        average += first.track.average_bandwidth;
    }
    Tag::new("EXT-X-STREAM-INF")
        .plain("BANDWIDTH", peak)
        .plain("AVERAGE-BANDWIDTH", average)
        .quoted("CODECS", &codecs([], audio))
        .quoted("STABLE-VARIANT-ID", &first.track.id)
        .quoted("AUDIO", AUDIO_GROUP)
        .quoted_if(has_subtitles, "SUBTITLES", SUBTITLES_GROUP)
        .plain("CLOSED-CAPTIONS", "NONE")
        .end(out);
    *out += &format!("{}\n", first.track.playlist());
}

fn list_iframes(out: &mut String, iframes: &IFrames) {
    Tag::new("EXT-X-I-FRAME-STREAM-INF")
        .plain("BANDWIDTH", iframes.track.peak_bandwidth)
        .plain("AVERAGE-BANDWIDTH", iframes.track.average_bandwidth)
        .quoted("CODECS", &iframes.track.codec)
        .plain("RESOLUTION", resolution(iframes.width, iframes.height))
        .quoted("STABLE-VARIANT-ID", &iframes.track.id)
        .quoted("URI", &iframes.playlist)
        .end(out);
}

fn list_session_data(out: &mut String, session_data: &[SessionData]) {
    for data in session_data {
        let tag = Tag::new("EXT-X-SESSION-DATA")
            .quoted("DATA-ID", data.id)
            .quoted("URI", &data.file);
        // §4.4.6.4: the default format is JSON, and older readers support no other.
        let tag = if data.is_json {
            tag
        } else {
            tag.plain("FORMAT", "RAW")
        };
        let language = data.language.as_deref();
        tag.quoted_if(language.is_some(), "LANGUAGE", language.unwrap_or_default())
            .end(out);
    }
}

fn resolution(width: u32, height: u32) -> String {
    format!("{width}x{height}")
}

/// Codecs without duplicates, video first.
fn codecs<'a, const N: usize>(video: [&'a str; N], audio: &'a [AudioTrack]) -> String {
    let mut codecs: Vec<&str> = video.into();
    for audio in audio {
        if !codecs.contains(&audio.track.codec.as_str()) {
            codecs.push(&audio.track.codec);
        }
    }
    codecs.join(",")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{parsed, text};
    use super::*;
    use crate::manifest::presentation::testing::{audio, captions, iframes, session_data, video};

    fn lecture() -> Presentation {
        let mut commentary = audio("en");
        commentary.track.id += "-2";
        commentary.track.folder += "-2";
        Presentation {
            video: vec![
                video(1280, 720, "avc1.64001f"),
                video(854, 480, "hvc1.1.6.L90.90"),
                video(854, 480, "avc1.64001e"),
            ],
            audio: vec![audio("en"), audio("de"), commentary],
            subtitles: vec![captions("en"), captions("fr")],
            iframes: Some(iframes()),
            session_data: vec![
                session_data("chapters.json"),
                session_data("storyboard.vtt"),
                SessionData {
                    language: Some("fr".into()),
                    ..session_data("subs/fr/captions.vtt")
                },
            ],
            ..Presentation::default()
        }
    }

    #[test]
    fn a_multivariant_playlist_lists_the_smallest_first_and_everything_by_name() {
        insta::assert_snapshot!(text(multivariant(&lecture())), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",STABLE-RENDITION-ID="audio-en",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="v/0123456789abcdef/audio/en/playlist.m3u8"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",STABLE-RENDITION-ID="audio-de",NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="v/0123456789abcdef/audio/de/playlist.m3u8"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",STABLE-RENDITION-ID="audio-en-2",NAME="English 2",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=NO,CHANNELS="2",URI="v/0123456789abcdef/audio/en-2/playlist.m3u8"
        #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",STABLE-RENDITION-ID="subtitles-en",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="v/0123456789abcdef/subtitles/en/playlist.m3u8"
        #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",STABLE-RENDITION-ID="subtitles-fr",NAME="Français",LANGUAGE="fr",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="v/0123456789abcdef/subtitles/fr/playlist.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=984000,AVERAGE-BANDWIDTH=492000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=854x480,FRAME-RATE=29.97,STABLE-VARIANT-ID="480p",AUDIO="audio",SUBTITLES="subtitles",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/480p/playlist.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=984000,AVERAGE-BANDWIDTH=492000,CODECS="hvc1.1.6.L90.90,mp4a.40.2",RESOLUTION=854x480,FRAME-RATE=29.97,STABLE-VARIANT-ID="480p-hevc",AUDIO="audio",SUBTITLES="subtitles",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/480p-hevc/playlist.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=1410000,AVERAGE-BANDWIDTH=705000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.97,STABLE-VARIANT-ID="720p",AUDIO="audio",SUBTITLES="subtitles",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/720p/playlist.m3u8
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=60000,AVERAGE-BANDWIDTH=30000,CODECS="avc1.640015",RESOLUTION=426x240,STABLE-VARIANT-ID="iframes",URI="v/0123456789abcdef/iframes/playlist.m3u8"
        #EXT-X-SESSION-DATA:DATA-ID="org.example",URI="v/0123456789abcdef/chapters.json"
        #EXT-X-SESSION-DATA:DATA-ID="org.example",URI="v/0123456789abcdef/storyboard.vtt",FORMAT=RAW
        #EXT-X-SESSION-DATA:DATA-ID="org.example",URI="v/0123456789abcdef/subs/fr/captions.vtt",FORMAT=RAW,LANGUAGE="fr"
        "#);
    }

    #[test]
    fn audio_alone_is_a_variant_stream_of_its_own() {
        let talk = Presentation {
            audio: vec![audio("und")],
            ..Presentation::default()
        };
        insta::assert_snapshot!(text(multivariant(&talk)), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",STABLE-RENDITION-ID="audio-und",NAME="Audio",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="v/0123456789abcdef/audio/und/playlist.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=65000,CODECS="mp4a.40.2",STABLE-VARIANT-ID="audio-und",AUDIO="audio",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/audio/und/playlist.m3u8
        "#);
    }

    #[test]
    fn audio_alone_beside_video_is_listed_last() {
        let lecture = Presentation {
            video: vec![video(854, 480, "avc1.64001e")],
            audio: vec![audio("en")],
            has_audio_only: true,
            ..Presentation::default()
        };
        insta::assert_snapshot!(text(multivariant(&lecture)), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",STABLE-RENDITION-ID="audio-en",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="v/0123456789abcdef/audio/en/playlist.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=984000,AVERAGE-BANDWIDTH=492000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=854x480,FRAME-RATE=29.97,STABLE-VARIANT-ID="480p",AUDIO="audio",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/480p/playlist.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=65000,CODECS="mp4a.40.2",STABLE-VARIANT-ID="audio-en",AUDIO="audio",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/audio/en/playlist.m3u8
        "#);
    }

    #[test]
    fn audio_in_video_segments_has_no_uri() {
        let mut english = audio("en");
        english.is_muxed = true;
        let lecture = Presentation {
            container: Container::Ts,
            video: vec![
                video(1280, 720, "avc1.64001f"),
                video(854, 480, "avc1.64001e"),
            ],
            audio: vec![english, audio("de")],
            has_audio_only: true,
            ..Presentation::default()
        };
        insta::assert_snapshot!(text(multivariant(&lecture)), @r#"
        #EXTM3U
        #EXT-X-VERSION:4
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",STABLE-RENDITION-ID="audio-en",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",STABLE-RENDITION-ID="audio-de",NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="v/0123456789abcdef/audio/de/playlist.m3u8"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-480p",STABLE-RENDITION-ID="audio-en",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-480p",STABLE-RENDITION-ID="audio-de",NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="v/0123456789abcdef/audio/de/playlist.m3u8"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-720p",STABLE-RENDITION-ID="audio-en",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-720p",STABLE-RENDITION-ID="audio-de",NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="v/0123456789abcdef/audio/de/playlist.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=984000,AVERAGE-BANDWIDTH=492000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=854x480,FRAME-RATE=29.97,STABLE-VARIANT-ID="480p",AUDIO="audio-480p",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/480p/playlist.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=1410000,AVERAGE-BANDWIDTH=705000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.97,STABLE-VARIANT-ID="720p",AUDIO="audio-720p",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/720p/playlist.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=260000,AVERAGE-BANDWIDTH=130000,CODECS="mp4a.40.2",STABLE-VARIANT-ID="audio-en",AUDIO="audio",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/audio/en/playlist.m3u8
        "#);
    }

    #[test]
    fn video_without_audio_names_no_group() {
        let mute = Presentation {
            video: vec![video(854, 480, "avc1.64001e")],
            ..Presentation::default()
        };
        insta::assert_snapshot!(text(multivariant(&mute)), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-STREAM-INF:BANDWIDTH=854000,AVERAGE-BANDWIDTH=427000,CODECS="avc1.64001e",RESOLUTION=854x480,FRAME-RATE=29.97,STABLE-VARIANT-ID="480p",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/480p/playlist.m3u8
        "#);
    }

    #[test]
    fn a_parser_of_somebody_else_reads_what_was_meant() {
        let m3u8_rs::Playlist::MasterPlaylist(read) = parsed(&multivariant(&lecture())) else {
            panic!("it is a Multivariant Playlist");
        };
        assert!(read.independent_segments);
        let names: Vec<&str> = read
            .alternatives
            .iter()
            .map(|media| media.name.as_str())
            .collect();
        assert_eq!(
            names,
            ["English", "Deutsch", "English 2", "English", "Français"]
        );
        assert_eq!(
            read.alternatives
                .iter()
                .filter(|media| media.default)
                .count(),
            1
        );
        let pictures = read
            .variants
            .iter()
            .filter(|variant| variant.is_i_frame)
            .count();
        assert_eq!((read.variants.len(), pictures), (4, 1));
    }
}
