//! Adds complete rungs of the lecture to the provisional lecture: beside its stream, or instead of
//! it.

use anyhow::{Context as _, Result};

use super::{Provisional, master, send_all};
use crate::context::Context;
use crate::encode::completeness::{self, EncodedRendition};
use crate::encode::ladder::Rung;
use crate::encode::plan::{EncodePlan, VideoPlan};
use crate::encode::rendition::measure;
use crate::layout;
use crate::manifest::presentation::{Track, VideoTrack};
use crate::manifest::{bandwidth, hls};
use crate::media::Rendition;
use crate::publish::{Publication, upload_of};
use crate::storage::Store;
use crate::storage::object::Upload;
use crate::workdir::WorkDir;

/// The folder of the rungs' playlists in the provisional revision.
const FOLDER: &str = "lecture";

/// Adds complete rungs of the lecture to the provisional lecture.
pub(crate) struct RungUpgrade<'a> {
    pub(crate) provisional: Provisional,
    pub(crate) target: &'a Store,
    pub(crate) context: &'a Context,
}

impl RungUpgrade<'_> {
    /// Returns true if a complete rung improves the lecture that plays.
    pub(crate) fn is_better(&self, rung: &Rung) -> bool {
        self.provisional.is_better(rung)
    }

    /// Uploads complete rungs, and publishes a Multivariant Playlist that lists them.
    pub(crate) async fn publish_rungs(
        &mut self,
        plan: &EncodePlan,
        workdir: &WorkDir,
        rungs: &[Rung],
        publication: &Publication<'_>,
    ) -> Result<()> {
        let before: Vec<VideoTrack> = self.provisional.listed().cloned().collect();
        for rung in rungs {
            let track = self.publish_rung(plan, workdir, rung, publication).await?;
            self.provisional.rungs.extend(track);
        }
        let listed = self.provisional.listed();
        let new = listed.filter(|track| !before.contains(track));
        let names: Vec<String> = new.map(|track| track.track.id.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let presentation = self.provisional.presentation();
        let listing = publication.update_provisional(&master(&presentation)).await;
        listing.with_context(|| format!("cannot list {}", names.join(", ")))?;
        publication.save_provisional(&self.provisional);
        let seconds = self.context.elapsed_seconds();
        let progress = self.context.progress;
        progress.note(format_args!(
            "{} can be had, {seconds:.1} s after the start: {}",
            names.join(", "),
            self.target.master()
        ));
        progress.report_rungs(&names, seconds);
        let listed = self
            .provisional
            .listed()
            .map(|track| track.track.id.clone());
        progress.report_rungs_playing(listed.collect());
        Ok(())
    }

    /// Publishes a rung. Returns `None` if its segments are too long for the provisional playlists.
    async fn publish_rung(
        &self,
        plan: &EncodePlan,
        workdir: &WorkDir,
        rung: &Rung,
        publication: &Publication<'_>,
    ) -> Result<Option<VideoTrack>> {
        let (Some(video), name) = (&plan.video, rung.name()) else {
            return Ok(None);
        };
        let folder = workdir.revision_folder();
        let rendition = measure(&folder, name.clone(), "").await?;
        let encoded = EncodedRendition::of(&rendition, plan.expected_seconds().0);
        completeness::verify(None, &[encoded], &[], "")?;
        let target = self.provisional.target_duration;
        if bandwidth::target_duration(&rendition.segments) > target {
            return Ok(None);
        }
        let source = layout::revision_folder(publication.revision());
        let objects = rendition.objects.iter().map(|object| Upload {
            path: format!("{source}/{}", object.path),
            ..upload_of(&folder, object)
        });
        send_all(publication, objects.collect()).await?;
        let rung_folder =
            layout::in_revision(&self.provisional.revision, &format!("{FOLDER}/{name}"));
        let way = format!("../../../{}/{name}/", publication.revision());
        let listed = hls::media_in(&way, &rendition.segments, target);
        let playlist = Upload::of_bytes(&layout::media_playlist(&rung_folder), listed);
        publication.send(&playlist).await?;
        Ok(Some(self.track(rung_folder, rung, video, rendition)))
    }

    fn track(
        &self,
        folder: String,
        rung: &Rung,
        video: &VideoPlan,
        rendition: Rendition,
    ) -> VideoTrack {
        let (peak, average) =
            bandwidth::bandwidth(&rendition.segments, self.provisional.target_duration);
        VideoTrack {
            track: Track {
                folder,
                id: rung.name(),
                codec: rendition.codec,
                peak_bandwidth: peak,
                average_bandwidth: average,
                timescale: rendition.timescale,
                // Only an MPD needs ticks.
                ticks: vec![],
            },
            width: rung.width,
            height: rung.height,
            frame_rate: video.frame_rate,
        }
    }
}
