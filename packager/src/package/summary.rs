//! Facts of a package that a program shows beside a lecture.

use serde::Serialize;

use super::manifest_json::Package;
use crate::layout::{self, POSTER_JPG};
use crate::warning::WarningRecord;

/// Facts of one revision, as `--json` prints them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PackageSummary {
    revision: String,
    /// Seconds.
    duration: f64,
    /// Heights of the video, measured on the shorter side, smallest first.
    heights: Vec<u32>,
    /// URL or path of the poster.
    #[serde(skip_serializing_if = "Option::is_none")]
    poster: Option<String>,
    /// Losses and guesses.
    warnings: Vec<WarningRecord>,
}

impl PackageSummary {
    /// Summarizes a package. `locate` gives the URL or the path of an object.
    pub(crate) fn new(package: &Package, locate: impl Fn(&str) -> String) -> Self {
        let videos = (package.renditions.iter()).filter_map(|rendition| rendition.video.as_ref());
        let mut heights: Vec<u32> = videos.map(|video| video.width.min(video.height)).collect();
        heights.sort_unstable();
        heights.dedup();
        let poster = layout::in_revision(&package.revision, POSTER_JPG);
        let has_poster = package.objects.iter().any(|object| object.path == poster);
        Self {
            revision: package.revision.clone(),
            duration: package.duration,
            heights,
            poster: has_poster.then(|| locate(&poster)),
            warnings: package.warnings.clone(),
        }
    }
}
