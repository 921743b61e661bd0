//! Joins video with separate audio by copying, on their common clock.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::download::Download;
use super::variant::{AudioChoice, VariantStreams};
use crate::ffmpeg::process;
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
    let Some(streams) = streams.filter(|_| files.len() > 1) else {
        return Ok(files.swap_remove(0));
    };
    let place = download.file(NAME);
    process::encode(
        argv(streams, &files, place.part()),
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

fn argv(streams: &VariantStreams, files: &[PathBuf], out: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = "-hide_banner -nostdin -nostats -v error -progress pipe:1 -y"
        .split(' ')
        .map(Into::into)
        .collect();
    // RFC 8216bis §6.2.4: Renditions have matching timestamps. ffmpeg reads no timestamp from
    // packed audio (§3.4), which begins with its Variant Stream, so every file then begins at 0.
    let is_packed = |file: &PathBuf| {
        let extension = file.extension().unwrap_or_default();
        ["aac", "mp3", "ac3"]
            .iter()
            .any(|packed| extension == *packed)
    };
    if !files.iter().any(is_packed) {
        args.push("-copyts".into());
    }
    for file in files {
        args.extend(input_options().map(Into::into));
        args.extend(["-i".into(), file_url(file)]);
    }
    args.extend(["-map", "0:v?"].map(Into::into));
    if streams.has_muxed_audio {
        args.extend(["-map", "0:a?"].map(Into::into));
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
    args.extend(
        "-c copy -avoid_negative_ts make_zero -f matroska"
            .split(' ')
            .map(Into::into),
    );
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
        let argv_of = |has_muxed_audio, packed: &str| {
            let streams = VariantStreams {
                has_muxed_audio,
                audio_tracks: vec![audio("Deutsch", "de"), audio("-y", "")],
                ..VariantStreams::default()
            };
            let files = ["v.mp4", "a.mp4", packed].map(|name| Path::new("/f").join(name));
            let args = argv(&streams, &files, Path::new("/f/out"));
            let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
            words.join(" ")
        };
        let apart = argv_of(false, "b.mp4");
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
        let own = argv_of(true, "b.aac");
        assert!(!own.contains("-copyts"), "{own}");
        assert!(
            own.contains("-map 0:v? -map 0:a? -map 1:a:0 -metadata:s:a:1 title=Deutsch"),
            "{own}"
        );
    }
}
