//! Joins video with separate audio by copying, on their common clock.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::download::Download;
use super::variant::{AudioChoice, VariantStreams};
use crate::ffmpeg::process;
use crate::mp4::parts;
use crate::source::composition::ShiftedTrack;
use crate::source::lag::Lag;
use crate::source::{file_url, input_options};

/// Matroska holds every codec of HLS, and names of tracks.
const NAME: &str = "recording.mkv";

/// The joined file of an earlier run.
pub(super) fn finished(download: &Download) -> Option<PathBuf> {
    let place = download.file(NAME);
    place.is_whole().then(|| place.whole().to_owned())
}

/// Joins the file of a Variant Stream with those of its audio tracks, and removes them.
pub(super) async fn remux(
    download: &Download,
    streams: Option<&VariantStreams>,
    mut files: Vec<PathBuf>,
) -> Result<PathBuf> {
    for file in files.iter().filter(|file| is_of(&["mp4"], file)) {
        let mut file = File::options().read(true).write(true).open(file)?;
        parts::clean(&mut file).context("cannot join the parts")?;
        file.sync_all()?;
    }
    let Some(streams) = streams.filter(|_| files.len() > 1) else {
        return Ok(files.swap_remove(0));
    };
    let place = download.file(NAME);
    let lag = match files.first() {
        Some(video) => ShiftedTrack::find(File::open(video)?)?,
        None => vec![],
    };
    let lag = lag.first().map(Lag::of_track);
    process::encode(
        argv(streams, &files, lag.as_ref(), place.part()),
        download.folder(),
        |_| (),
    )
    .await
    .context("cannot join video and audio")?;
    let joined = File::open(place.part())?;
    let whole = place.become_whole(&joined)?;
    for file in files {
        fs::remove_file(file)?;
    }
    Ok(whole)
}

/// Tells if a file has one of these extensions.
fn is_of(extensions: &[&str], file: &Path) -> bool {
    let own = file.extension().unwrap_or_default();
    extensions.iter().any(|extension| own == *extension)
}

fn push_input(args: &mut Vec<OsString>, file: &Path) {
    args.extend(input_options().map(Into::into));
    args.extend(["-i".into(), file_url(file)]);
}

/// Copies all tracks. `lag` is that of the Variant Stream's video.
fn argv(
    streams: &VariantStreams,
    files: &[PathBuf],
    lag: Option<&Lag>,
    out: &Path,
) -> Vec<OsString> {
    let mut args: Vec<OsString> = "-hide_banner -nostdin -nostats -v error -progress pipe:1 -y"
        .split(' ')
        .map(Into::into)
        .collect();
    // RFC 8216bis §6.2.4: Renditions have matching timestamps. ffmpeg reads no timestamp from
    // packed audio (§3.4), which begins with its Variant Stream, so every file then begins at 0.
    let packed = &["aac", "mp3", "ac3"];
    let is_packed = files.iter().any(|file| is_of(packed, file));
    if !is_packed {
        args.push("-copyts".into());
    }
    let lag = lag.filter(|_| !is_packed);
    let mut own_audio = 0;
    for (at, file) in files.iter().enumerate() {
        if let Some(lag) = lag.filter(|_| at == 0) {
            args.push("-itsoffset".into());
            args.push(format!("{:.6}", -lag.seconds).into());
        }
        push_input(&mut args, file);
    }
    if let (Some(_), true, Some(video)) = (lag, streams.has_muxed_audio, files.first()) {
        // The audio beside that video is not late.
        push_input(&mut args, video);
        own_audio = files.len();
    }
    args.extend(["-map", "0:v?"].map(Into::into));
    if streams.has_muxed_audio {
        args.extend(["-map".into(), format!("{own_audio}:a?").into()]);
    }
    for (at, AudioChoice { name, language, .. }) in streams.audio_tracks.iter().enumerate() {
        args.extend(["-map".into(), format!("{}:a:0", at + 1).into()]);
        // These follow the audio that is muxed with the Variant Stream.
        let stream = at + usize::from(streams.has_muxed_audio);
        for (key, value) in [("title", name), ("language", language)] {
            args.push(format!("-metadata:s:a:{stream}").into());
            args.push(format!("{key}={value}").into());
        }
    }
    args.extend(["-c", "copy"].map(Into::into));
    // Video of MP4 begins at 0, and its audio before with the encoder's priming.
    let has_priming = !is_packed && files.iter().all(|file| is_of(&["mp4"], file));
    let negative = if has_priming { "disabled" } else { "make_zero" };
    args.extend(["-avoid_negative_ts", negative, "-f", "matroska"].map(Into::into));
    args.push(file_url(out));
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_tracks_come_after_the_video_and_its_own_with_their_names() {
        let audio = |name: &str, language: &str| AudioChoice {
            name: name.into(),
            language: language.into(),
            ..AudioChoice::default()
        };
        let argv_of = |has_muxed_audio, packed: &str, lag: Option<&Lag>| {
            let streams = VariantStreams {
                has_muxed_audio,
                audio_tracks: vec![audio("Deutsch", "de"), audio("-y", "")],
                ..VariantStreams::default()
            };
            let files = ["v.mp4", "a.mp4", packed].map(|name| Path::new("/f").join(name));
            let args = argv(&streams, &files, lag, Path::new("/f/out"));
            let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
            words.join(" ")
        };
        let apart = argv_of(false, "b.mp4", None);
        assert!(
            apart.contains("-y -copyts -protocol_whitelist file"),
            "{apart}"
        );
        assert!(
            apart.contains(
                "-i file:/f/b.mp4 -map 0:v? -map 1:a:0 -metadata:s:a:0 title=Deutsch -metadata:s:a:0 language=de \
                 -map 2:a:0 -metadata:s:a:1 title=-y -metadata:s:a:1 language= -c copy"
            ),
            "{apart}"
        );
        let lag = Lag {
            seconds: 0.08,
            growth: vec![],
        };
        let late = argv_of(true, "b.mp4", Some(&lag));
        for part in [
            "-y -copyts -itsoffset -0.080000 -protocol_whitelist",
            " -i file:/f/b.mp4 -protocol_whitelist",
            " -i file:/f/v.mp4 -map 0:v? -map 3:a? -map 1:a:0 ",
            " -c copy -avoid_negative_ts disabled -f matroska file:/f/out",
        ] {
            assert!(late.contains(part), "{part}: {late}");
        }
        // Without a common clock, every file begins at 0.
        let own = argv_of(true, "b.aac", Some(&lag));
        assert!(
            own.ends_with(" -c copy -avoid_negative_ts make_zero -f matroska file:/f/out"),
            "{own}"
        );
        assert!(!own.contains("-itsoffset"), "{own}");
        assert!(!own.contains("-copyts"), "{own}");
        assert!(
            own.contains("-map 0:v? -map 0:a? -map 1:a:0 -metadata:s:a:1 title=Deutsch"),
            "{own}"
        );
    }
}
