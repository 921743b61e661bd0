//! Writes the playlists, the MPD and `package.json` of measured Renditions.

use std::fs;

use anyhow::Result;

use super::PackagePlan;
use super::manifest_json::{Package, RenditionFacts, RootFile, Tools, VideoFacts};
use super::measurements::{IFrameSource, Measurements};
use crate::encode::completeness::seconds;
use crate::encode::settings::Settings;
use crate::extras::ExtrasOutput;
use crate::layout::{self, MPD, MULTIVARIANT};
use crate::manifest::bandwidth;
use crate::manifest::container::Container;
use crate::manifest::presentation::{AudioTrack, Presentation, Track, VideoTrack};
use crate::manifest::{dash, hls};
use crate::media::{AUDIO_CHANNELS, Object, Rendition};
use crate::warning::WarningRecord;
use crate::workdir::WorkDir;

/// Writes the playlists, the MPD and `package.json` of a revision.
pub(super) fn write_manifests(
    plan: &PackagePlan,
    workdir: &WorkDir,
    measured: &Measurements,
    extras: ExtrasOutput,
    warnings: &[WarningRecord],
) -> Result<Package> {
    let segments = measured
        .renditions()
        .flat_map(|rendition| &rendition.segments);
    let writer = ManifestWriter {
        plan,
        workdir,
        measured,
        target_duration: bandwidth::target_duration(segments),
        prefix: layout::revision_folder(&plan.revision),
    };
    writer.write(extras, warnings)
}

/// The revision's folder from a file in it.
const OWN_FOLDER: &str = ".";

struct ManifestWriter<'a> {
    plan: &'a PackagePlan,
    workdir: &'a WorkDir,
    measured: &'a Measurements,
    /// The target duration of every Media Playlist.
    target_duration: u64,
    /// The revision's folder, from the package's root.
    prefix: String,
}

impl ManifestWriter<'_> {
    fn write(&self, extras: ExtrasOutput, warnings: &[WarningRecord]) -> Result<Package> {
        let mut objects = self.media_objects();
        objects.extend(self.write_media_playlists()?);
        let extra_objects = extras.objects.iter();
        objects.extend(extra_objects.map(|object| self.in_revision(object)));
        objects.push(self.write_pinned(&self.presentation(&extras, OWN_FOLDER))?);
        let root = self.write_root(&self.presentation(&extras, &self.prefix))?;
        objects.extend(
            root.iter()
                .map(|file| Object::of_bytes(file.path.clone(), file.text.as_bytes())),
        );
        let renditions = self.measured.renditions();
        let durations = renditions.map(|rendition| seconds(&rendition.segments));
        let mut source = self.plan.source.clone();
        source.media.reset_unlisted();
        let package = Package {
            revision: self.plan.revision.clone(),
            duration: durations.fold(0.0, f64::max),
            source,
            settings: self.plan.encode.settings.clone(),
            tools: Tools {
                lectern: env!("CARGO_PKG_VERSION").to_owned(),
                ffmpeg: self.plan.ffmpeg.clone(),
            },
            renditions: (self.measured.renditions())
                .map(|rendition| self.facts(rendition))
                .collect(),
            extras: extras.facts,
            warnings: warnings.to_vec(),
            root,
            objects,
        };
        let mut json = serde_json::to_vec_pretty(&package)?;
        json.push(b'\n');
        let folder = self.workdir.revision_folder();
        fs::write(folder.join(layout::PACKAGE_JSON), json)?;
        Ok(package)
    }

    fn in_revision(&self, object: &Object) -> Object {
        Object {
            path: format!("{}/{}", self.prefix, object.path),
            ..object.clone()
        }
    }

    /// Media Initialization Sections, segments and the I-frames' file.
    fn media_objects(&self) -> Vec<Object> {
        let renditions = self.measured.renditions();
        let objects = renditions.flat_map(|rendition| &rendition.objects);
        let iframes = match &self.measured.iframes {
            Some(IFrameSource::File(_, file)) => Some(file),
            _ => None,
        };
        let objects = objects.chain(iframes);
        objects.map(|object| self.in_revision(object)).collect()
    }

    fn write_media_playlists(&self) -> Result<Vec<Object>> {
        let container = self.plan.encode.settings.container;
        let mut playlists: Vec<(String, Vec<u8>)> = (self.measured.renditions())
            .map(|rendition| {
                let text = hls::media(&rendition.segments, self.target_duration, container);
                (layout::media_playlist(&rendition.folder), text)
            })
            .collect();
        if let Some(iframes) = &self.measured.iframes {
            playlists.push((self.measured.iframe_playlist(), iframes.playlist()));
        }
        let folder = self.workdir.revision_folder();
        let mut objects = vec![];
        for (path, text) in playlists {
            fs::write(folder.join(&path), &text)?;
            objects.push(Object::of_bytes(format!("{}/{path}", self.prefix), &text));
        }
        Ok(objects)
    }

    /// Writes the Multivariant Playlist of this revision alone. Players that opened the revision
    /// renew their passes by it, also after another one replaced the playlist at the root.
    fn write_pinned(&self, presentation: &Presentation) -> Result<Object> {
        let text = hls::multivariant(presentation);
        let object = Object::of_bytes(MULTIVARIANT.to_owned(), &text);
        fs::write(self.workdir.revision_folder().join(MULTIVARIANT), &text)?;
        Ok(self.in_revision(&object))
    }

    /// Writes the files at the root: the MPD, then the Multivariant Playlist.
    fn write_root(&self, presentation: &Presentation) -> Result<Vec<RootFile>> {
        // No DASH player reads transport streams.
        let has_mpd = self.plan.encode.settings.container == Container::Cmaf;
        let mpd = has_mpd.then(|| (MPD, dash::mpd(presentation)));
        let master = (MULTIVARIANT, hls::multivariant(presentation));
        let mut files = vec![];
        for (path, text) in mpd.into_iter().chain([master]) {
            fs::write(self.workdir.root().join(path), &text)?;
            files.push(RootFile {
                path: path.to_owned(),
                text: String::from_utf8(text)?,
            });
        }
        Ok(files)
    }

    fn facts(&self, rendition: &Rendition) -> RenditionFacts {
        let (peak, average) = bandwidth::bandwidth(&rendition.segments, self.target_duration);
        let video = self.plan.encode.video.as_ref().and_then(|video| {
            let mut rungs = video.rungs.iter();
            let rung = rungs.find(|rung| rung.name() == rendition.folder)?;
            Some(VideoFacts {
                width: rung.width,
                height: rung.height,
                frame_rate: video.frame_rate,
            })
        });
        RenditionFacts {
            folder: rendition.folder.clone(),
            codec: rendition.codec.clone(),
            video,
            duration: seconds(&rendition.segments),
            segments: rendition.segments.len(),
            bytes: rendition.segments.iter().map(|segment| segment.bytes).sum(),
            peak_bandwidth: peak,
            average_bandwidth: average,
        }
    }

    /// The tracks that a Multivariant Playlist and the MPD list. `prefix` is the revision's folder
    /// from theirs.
    fn presentation(&self, extras: &ExtrasOutput, prefix: &str) -> Presentation {
        let Settings {
            container,
            audio_only_variant,
            ..
        } = self.plan.encode.settings;
        let mut presentation = Presentation {
            container,
            has_audio_only: audio_only_variant,
            subtitles: extras.facts.subtitles(prefix),
            session_data: extras.session_data(prefix),
            ..Presentation::default()
        };
        let has_video = !self.measured.video.is_empty();
        for rendition in self.measured.video.iter().chain(&self.measured.audio) {
            let facts = self.facts(rendition);
            let track = Track {
                folder: format!("{prefix}/{}", facts.folder),
                id: facts.folder.replace('/', "-"),
                codec: facts.codec,
                peak_bandwidth: facts.peak_bandwidth,
                average_bandwidth: facts.average_bandwidth,
                timescale: rendition.timescale,
                ticks: rendition.ticks.clone(),
            };
            let mut audio_plans = self.plan.encode.audio.iter().enumerate();
            let audio = audio_plans.find(|(_, audio)| audio.folder == facts.folder);
            match (&facts.video, audio) {
                (Some(video), _) => presentation.video.push(VideoTrack {
                    track,
                    width: video.width,
                    height: video.height,
                    frame_rate: video.frame_rate,
                }),
                (None, Some((at, plan))) => presentation.audio.push(AudioTrack {
                    track,
                    language: plan.stream.language.clone(),
                    title: plan.stream.title.clone(),
                    channels: AUDIO_CHANNELS,
                    is_muxed: container == Container::Ts && at == 0 && has_video,
                }),
                (None, None) => {}
            }
        }
        if let (Some(plan), Some(iframes)) = (&self.plan.encode.video, &self.measured.iframes) {
            let listed = self.measured.iframe_variant(plan, iframes, prefix);
            presentation.iframes = Some(listed);
        }
        presentation
    }
}
