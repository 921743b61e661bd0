//! Measures encoded Renditions, and merges short trailing segments.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::completeness::{self, CompletenessError};
use crate::encode::plan::VideoPlan;
use crate::layout;
use crate::media::{Object, Rendition, Segment};
use crate::mp4::iframe_track::IFrameTrack;
use crate::mp4::{self, BoxError, Init};

/// Duration below which the last segment joins the previous one. Such stubs come from the audio
/// encoder's priming or a few last frames.
pub(crate) const STUB_MICROS: u64 = 250_000;

/// Measures a Rendition, and merges a last segment that is too short for a request of its own. All
/// rungs have the same segments, so they stay aligned.
pub(crate) async fn measure(revision: &Path, folder: String, warnings: &str) -> Result<Rendition> {
    let measured = read_folder(revision, folder.clone(), warnings).await?;
    let count = measured.segments.len();
    let is_stub = |last: &Segment| (1..STUB_MICROS).contains(&last.micros);
    if count < 2 || !measured.segments.last().is_some_and(is_stub) {
        return Ok(measured);
    }
    merge_trailing_stub(&revision.join(&folder), count)?;
    read_folder(revision, folder, warnings).await
}

/// Reads one object at a time, so memory does not grow with the lecture.
async fn read_folder(revision: &Path, folder: String, warnings: &str) -> Result<Rendition> {
    let path = revision.join(&folder);
    let reading = |name: &str| format!("cannot read `{folder}/{name}`");
    let empty = || CompletenessError::Empty {
        folder: folder.clone(),
        warnings: completeness::warnings_suffix(warnings),
    };
    let Ok(bytes) = fs::read(path.join(layout::INIT)) else {
        return Err(empty().into());
    };
    if bytes.is_empty() {
        return Err(empty().into());
    }
    let init = Init::parse(&bytes).with_context(|| reading(layout::INIT))?;
    let mut objects = vec![Object::of_bytes(layout::init(&folder), &bytes)];
    let (mut segments, mut ticks) = (vec![], vec![]);
    let (mut end, mut reorder_ticks) = (0, 0);
    loop {
        let name = layout::segment_name(segments.len());
        let bytes = match fs::read(path.join(&name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
            Err(error) => return Err(error).with_context(|| reading(&name)),
        };
        let times = match init.times(&bytes) {
            // The encoder got no frame.
            Err(BoxError::Missing(_)) if segments.is_empty() => return Err(empty().into()),
            times => times.with_context(|| reading(&name))?,
        };
        if times.start.abs_diff(end) > u64::from(init.timescale) / 10 {
            return Err(CompletenessError::Hole {
                folder,
                segment: segments.len(),
                warnings: completeness::warnings_suffix(warnings),
            }
            .into());
        }
        segments.push(Segment {
            micros: init.micros(end + times.duration) - init.micros(end),
            bytes: bytes.len() as u64,
        });
        ticks.push(match segments.len() {
            // An edit list hides the trimmed ticks.
            1 => times.duration.saturating_sub(init.trimmed),
            _ => times.duration,
        });
        end += times.duration;
        reorder_ticks = times.reorder_ticks.max(reorder_ticks);
        objects.push(Object::of_bytes(format!("{folder}/{name}"), &bytes));
        tokio::task::yield_now().await;
    }
    Ok(Rendition {
        folder,
        codec: init.codec,
        timescale: init.timescale,
        ticks,
        reorder_ticks,
        segments,
        objects,
    })
}

/// Merges the last of `count` segments into the previous one.
fn merge_trailing_stub(folder: &Path, count: usize) -> Result<()> {
    let before = folder.join(layout::segment_name(count - 2));
    let last = folder.join(layout::segment_name(count - 1));
    let joined = mp4::join(&fs::read(&before)?, &fs::read(&last)?)?;
    fs::write(&before, joined)?;
    fs::remove_file(&last)?;
    Ok(())
}

/// Joins the I-frames of all chunks in one file, and measures them.
pub(crate) async fn measure_iframes(
    plan: &VideoPlan,
    folder: &Path,
    written: &[PathBuf],
    video: &[Segment],
    warnings: &str,
) -> Result<(IFrameTrack, Object)> {
    let name = format!("{}/{}", layout::IFRAMES_FOLDER, layout::IFRAMES_FILE);
    let reading = || format!("cannot read `{name}`");
    let duration_micros = video.iter().map(|segment| segment.micros).sum();
    fs::create_dir_all(folder.join(layout::IFRAMES_FOLDER))?;
    let mut file = BufWriter::new(fs::File::create(folder.join(&name))?);
    let opened: std::io::Result<Vec<fs::File>> = written.iter().map(fs::File::open).collect();
    let iframes = IFrameTrack::from_ffmpeg(
        &mut opened.with_context(reading)?,
        &mut file,
        duration_micros,
    )
    .with_context(reading)?;
    file.flush()?;
    completeness::verify_iframes(
        &iframes.iframes,
        duration_micros,
        plan.iframe_interval_seconds(),
        warnings,
    )?;
    Ok((iframes, Object::of_file(folder, &name).await?))
}
