//! The name of what will be encoded, known before it is: a hash of the source and of everything that shapes the output.

use std::ffi::OsString;

use serde::Serialize;

use crate::digest::sha256;
use crate::encode::plan::EncodePlan;
use crate::manifest::container::Container;

/// Raised whenever the same recipe would give different bytes: playlists, initialization sections, folding.
const FORMAT: u32 = 6;
const CHARACTERS: usize = 16;

#[derive(Serialize)]
struct Recipe<'a> {
    format: u32,
    source: &'a str,
    ffmpeg: &'a str,
    /// The gain follows from the source and from this.
    loudness: Option<i32>,
    container: Container,
    audio_only_variant: bool,
    /// Of every part.
    argv: Vec<Vec<String>>,
    extras: Vec<String>,
}

/// The first 16 hexadecimal characters of SHA-256 over the recipe.
pub(crate) fn revision(
    source_sha256: &str,
    ffmpeg: &str,
    plan: &EncodePlan,
    extras: Vec<String>,
) -> String {
    let argv = |part| {
        let args = plan.argv(part, OsString::from("SOURCE"));
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
    // A struct of strings always becomes JSON.
    let json = serde_json::to_vec(&recipe).unwrap_or_default();
    let mut name = sha256(json);
    name.truncate(CHARACTERS);
    name
}
