//! The name of what will be encoded, known before it is: a hash of the source and of everything that shapes the output.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::encode::plan::EncodePlan;
use crate::ffmpeg::process::{self, ProcessError};
use crate::files::regular::open_regular;
use crate::manifest::container::Container;
use crate::progress::Step;

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
    let mut hex = hex(&Sha256::digest(json));
    hex.truncate(CHARACTERS);
    hex
}

/// SHA-256 of a file, read a piece at a time.
pub(crate) async fn hash_file(path: &Path, step: &Step) -> std::io::Result<String> {
    let mut file = open_regular(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
        step.add(read as u64);
        // A signal is noticed between pieces.
        tokio::task::yield_now().await;
    }
}

/// `5.1.9-0+deb12u1`.
pub(crate) async fn ffmpeg_version() -> Result<String, ProcessError> {
    let output = process::capture("ffmpeg", vec!["-version".into()]).await?;
    let text = String::from_utf8_lossy(&output);
    Ok(text
        .split_whitespace()
        .nth(2)
        .unwrap_or("unknown")
        .to_owned())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
