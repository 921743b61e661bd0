//! Compares `package.json` with the objects of the package.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;
use serde::Deserialize;

use super::playlist::shown;
use super::rendition::CheckedRendition;
use super::source::{MOST_PLAYLIST, PackageSource};
use crate::layout;
use crate::media;

/// Seconds by which a stated duration may differ.
const ROUNDING: f64 = 0.5;

/// Differences: names and reasons.
#[derive(Debug, Default)]
pub(crate) struct PackageJson {
    /// Of the listed objects.
    pub(crate) objects: Vec<(String, String)>,
    /// Of the stated revision, durations and Renditions.
    pub(crate) statements: Vec<(String, String)>,
}

/// The checked members of `package.json`. A file of this name without `objects` belongs to another
/// tool.
#[derive(Deserialize)]
struct Listing {
    objects: Vec<media::Object>,
    revision: Option<String>,
    duration: Option<f64>,
    #[serde(default)]
    renditions: Vec<StatedRendition>,
}

#[derive(Deserialize)]
struct StatedRendition {
    folder: String,
    codec: Option<String>,
    duration: Option<f64>,
    segments: Option<usize>,
    picture: Option<StatedPicture>,
}

#[derive(Deserialize)]
struct StatedPicture {
    width: u32,
    height: u32,
}

/// Compares the package with the first `package.json` in these folders.
pub(crate) async fn find(
    source: &PackageSource,
    folders: &[String],
    digests: &BTreeMap<String, (u64, String)>,
    renditions: &[CheckedRendition],
) -> Option<PackageJson> {
    for folder in folders {
        let Ok(at) = source
            .root()
            .join(&format!("{folder}{}", layout::PACKAGE_JSON))
        else {
            continue;
        };
        let Ok(bytes) = source.read(&at, None, MOST_PLAYLIST).await else {
            continue;
        };
        let broken = |why: String| PackageJson {
            objects: vec![(source.name(&at), why)],
            ..PackageJson::default()
        };
        let json: serde_json::Value = match serde_json::from_slice(&bytes) {
            Ok(json) => json,
            Err(error) => return Some(broken(format!("it is no JSON: {error}"))),
        };
        if json.get("objects").is_none() {
            continue;
        }
        return Some(match serde_json::from_value::<Listing>(json) {
            Ok(listing) => PackageJson {
                objects: compare(source, &at, &listing, digests).await,
                statements: statements(source, &at, &listing, renditions),
            },
            Err(error) => broken(format!("it is not understood: {error}")),
        });
    }
    None
}

async fn compare(
    source: &PackageSource,
    json: &Url,
    listing: &Listing,
    digests: &BTreeMap<String, (u64, String)>,
) -> Vec<(String, String)> {
    let mut found = vec![];
    let mut listed = BTreeSet::new();
    for object in &listing.objects {
        let name = shown(&object.path);
        let Ok(at) = source.root().join(&object.path) else {
            found.push((name, "its path is not valid".to_owned()));
            continue;
        };
        if !listed.insert(at.as_str().to_owned()) {
            // It is read once.
            found.push((name, "it is listed twice".to_owned()));
            continue;
        }
        let digest = match digests.get(at.as_str()) {
            Some(digest) => Ok(digest.clone()),
            None => source
                .digest(&at)
                .await
                .map(|found| (found.bytes, found.sha256)),
        };
        match digest {
            Err(why) => found.push((name, why)),
            Ok((bytes, _)) if bytes != object.bytes => {
                found.push((
                    name,
                    format!("it has {bytes} bytes and {} are listed", object.bytes),
                ));
            }
            Ok((_, sha256)) if sha256 != object.sha256 => {
                found.push((name, "its SHA-256 differs from the listed one".to_owned()));
            }
            Ok(_) => {}
        }
        tokio::task::yield_now().await;
    }
    // Other revisions have listings of their own.
    let folder = json.join(".").map_or_else(|_| String::new(), String::from);
    let unlisted = digests
        .keys()
        .filter(|url| url.starts_with(&folder) && !listed.contains(*url))
        .filter_map(|url| Url::parse(url).ok());
    found.extend(unlisted.map(|url| (source.name(&url), "it is not listed".to_owned())));
    found
}

/// Statements that the package contradicts.
fn statements(
    source: &PackageSource,
    json: &Url,
    listing: &Listing,
    renditions: &[CheckedRendition],
) -> Vec<(String, String)> {
    let name = source.name(json);
    let mut found = vec![];
    let mut differs = |what: String| found.push((name.clone(), what));
    let folder = json.join(".").ok();
    let last = folder.as_ref().and_then(|folder| {
        let path = folder.path().trim_end_matches('/');
        path.rsplit('/').next()
    });
    if let Some(revision) = &listing.revision
        && last != Some(revision)
    {
        let revision = shown(revision);
        differs(format!(
            "`revision` is `{revision}`, and its folder has another name"
        ));
    }
    let av = || {
        let mut all = renditions.iter();
        std::iter::from_fn(move || all.find(|one| one.has_video() || one.has_audio_only()))
    };
    let longest = av().map(CheckedRendition::seconds).fold(0.0, f64::max);
    if let Some(duration) = listing.duration.filter(|_| longest > 0.0)
        && (duration - longest).abs() > ROUNDING
    {
        differs(format!(
            "`duration` is {duration} s, and the lecture lasts {longest:.3} s"
        ));
    }
    let mut by_folder: BTreeMap<Url, &CheckedRendition> = BTreeMap::new();
    for rendition in av() {
        if let Ok(folder) = rendition.at.join(".") {
            by_folder.entry(folder).or_insert(rendition);
        }
    }
    for stated in &listing.renditions {
        let folder = shown(&stated.folder);
        let wanted = json.join(&format!("{}/", stated.folder)).ok();
        let rendition = wanted.and_then(|wanted| by_folder.get(&wanted).copied());
        let Some(rendition) = rendition else {
            differs(format!("no playlist of the package is in `{folder}`"));
            continue;
        };
        let (listed, seconds) = (rendition.segments.len(), rendition.seconds());
        if let Some(segments) = stated.segments.filter(|count| *count != listed) {
            differs(format!(
                "`{folder}` has {listed} segments instead of {segments}"
            ));
        }
        if let Some(duration) = stated
            .duration
            .filter(|one| (one - seconds).abs() > ROUNDING)
        {
            differs(format!(
                "`{folder}` lasts {seconds:.3} s instead of {duration} s"
            ));
        }
        let Some(track) = rendition.track() else {
            continue;
        };
        if let Some(codec) = stated.codec.as_ref().filter(|codec| **codec != track.codec) {
            let codec = shown(codec);
            differs(format!("`{folder}` is {} instead of {codec}", track.codec));
        }
        if let Some(StatedPicture { width, height }) = stated.picture
            && !track.sizes.contains(&(width, height))
        {
            let size = track.sizes[0];
            differs(format!(
                "`{folder}` has {}x{} instead of {width}x{height}",
                size.0, size.1
            ));
        }
    }
    found
}
