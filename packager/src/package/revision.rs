//! The name of a revision: a hash of the source and of everything that determines its bytes. It is
//! known before encoding.

use std::ffi::OsString;

use serde::Serialize;

use crate::digest::sha256;
use crate::encode::plan::EncodePlan;
use crate::manifest::container::Container;
use crate::source::DEMUXERS;

/// Raise this number when the same recipe gives other bytes, as after a change to playlists or
/// initialization sections.
const FORMAT: u32 = 10;
const CHARACTERS: usize = 16;
/// The demuxers that the hash names in place of the allowed ones: a container that is allowed later
/// changes no revision of others.
const HASHED_DEMUXERS: &str = "mov,matroska,avi,mpegts,mpeg,flv,ogg,wav,mp3,aac,flac,asf,mxf,gif,ac3,h264,hevc,m4v,mpegvideo,nut,aiff,amr,caf,w64,au";

#[derive(Serialize)]
struct Recipe<'a> {
    format: u32,
    source: &'a str,
    ffmpeg: &'a str,
    /// The target in LUFS. The gain follows from the source and this target.
    loudness: Option<i32>,
    container: Container,
    audio_only_variant: bool,
    /// ffmpeg's arguments for each task.
    argv: Vec<Vec<String>>,
    extras: Vec<String>,
}

/// Returns the first 16 hexadecimal characters of the recipe's SHA-256.
pub(crate) fn revision(
    source_sha256: &str,
    ffmpeg: &str,
    plan: &EncodePlan,
    extras: Vec<String>,
) -> String {
    let argv = |task| {
        let args = plan.argv(task, OsString::from("SOURCE"));
        let words = args.iter().map(|arg| match arg.to_string_lossy() {
            word if word == DEMUXERS => HASHED_DEMUXERS.to_owned(),
            word => word.into_owned(),
        });
        words.collect()
    };
    let recipe = Recipe {
        format: FORMAT,
        source: source_sha256,
        ffmpeg,
        loudness: plan.settings.loudness,
        container: plan.settings.container,
        audio_only_variant: plan.settings.audio_only_variant,
        argv: plan.tasks().iter().map(argv).collect(),
        extras,
    };
    // Serializing a struct of strings never fails.
    let json = serde_json::to_vec(&recipe).unwrap_or_default();
    let mut name = sha256(json);
    name.truncate(CHARACTERS);
    name
}
