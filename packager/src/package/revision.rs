//! The name of a revision: a hash of the source and of everything that determines its bytes. It is
//! known before encoding.

use std::ffi::OsString;

use serde::Serialize;

use crate::digest::sha256;
use crate::encode::plan::EncodePlan;
use crate::manifest::container::Container;

/// Raise this number when the same recipe gives other bytes, as after a change to playlists or
/// initialization sections.
const FORMAT: u32 = 6;
const CHARACTERS: usize = 16;

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
        let words = args.iter().map(|arg| arg.to_string_lossy().into_owned());
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
