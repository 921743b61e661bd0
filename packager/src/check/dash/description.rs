//! Compares the statements of a manifest with the Renditions: durations, times, codecs, sizes and
//! rates.

use std::collections::{BTreeMap, BTreeSet};

use mp4_atom::{Atom as _, Sidx};
use reqwest::Url;

use super::{MOST_REPRESENTATIONS, base, base_of, representations, seconds, timeline, uris};
use crate::box_walk::BoxHeader;
use crate::check::codec::is_same;
use crate::check::fmp4::Medium;
use crate::check::playlist::shown;
use crate::check::rendition::CheckedRendition;
use crate::check::source::{MOST_INIT, MOST_SEGMENT, PackageSource};
use crate::check::webvtt::web_vtt;
use crate::check::xml::XmlElement;

/// Seconds by which a manifest may round.
const ROUNDING: f64 = 0.1;
/// Maximum contradictions that are listed.
const MOST: usize = 20;

pub(super) async fn contradictions(
    source: &PackageSource,
    mpd: &XmlElement,
    at: &Url,
    renditions: &[CheckedRendition],
) -> Vec<String> {
    let mut found = vec![];
    let total = mpd.get("mediaPresentationDuration").and_then(seconds);
    found.extend(duration_fault(mpd, total, renditions));
    let mut ids = BTreeSet::new();
    let Some(outer) = base(mpd, at) else {
        return found;
    };
    let rungs = rungs(renditions);
    for (number, levels) in representations(mpd).enumerate() {
        if number == MOST_REPRESENTATIONS {
            found.push(format!(
                "it has more than {MOST_REPRESENTATIONS} Representations"
            ));
        }
        if number == MOST_REPRESENTATIONS || found.len() > MOST {
            return found;
        }
        let [representation, ..] = levels;
        let id = representation.get("id").unwrap_or("");
        if !ids.insert(id) {
            found.push(format!("two Representations have the id `{}`", shown(id)));
        }
        let Some(base) = base_of(levels, &outer) else {
            found.push(format!("a `BaseURL` of `{}` is no URL", shown(id)));
            continue;
        };
        if let Some(rendition) = described(levels, total, &base, &rungs) {
            found.extend(statement_faults(levels, rendition));
        } else if representation.child("BaseURL").is_some() {
            found.extend(file_fault(source, &base, levels).await);
        }
        if let Some(index) = representation.child("SegmentBase") {
            found.extend(index_fault(source, &base, index).await);
        }
    }
    found
}

/// Compares the duration of the presentation with the longest Rendition.
fn duration_fault(
    mpd: &XmlElement,
    total: Option<f64>,
    renditions: &[CheckedRendition],
) -> Option<String> {
    if mpd.get("type") == Some("dynamic") {
        let has_end = !renditions.is_empty() && renditions.iter().all(|one| one.playlist.has_end);
        return has_end.then(|| "`type` is dynamic, and the playlists have an end".to_owned());
    }
    let start = mpd
        .child("Period")
        .and_then(|period| seconds(period.get("start")?));
    if let Some(start) = start.filter(|start| *start > ROUNDING) {
        return Some(format!("its first `Period` starts at {start} s"));
    }
    let Some(total) = total else {
        let has_periods = mpd.all("Period").all(|one| one.get("duration").is_some());
        return (!has_periods)
            .then(|| "`mediaPresentationDuration` is missing or no duration".to_owned());
    };
    let av = renditions
        .iter()
        .filter(|one| one.has_video() || one.has_audio_only());
    let longest = av.map(CheckedRendition::seconds).fold(0.0, f64::max);
    let is_right = longest == 0.0 || (total - longest).abs() <= ROUNDING * 5.0;
    (!is_right).then(|| {
        format!("`mediaPresentationDuration` is {total} s, and the Renditions last {longest:.3} s")
    })
}

/// Renditions by the URLs of their initialization sections and segments.
fn rungs(renditions: &[CheckedRendition]) -> BTreeMap<Url, &CheckedRendition> {
    let mut found = BTreeMap::new();
    for rendition in renditions {
        let playlist = &rendition.playlist;
        let maps = playlist.maps.iter().map(|map| &map.place.uri);
        let segments = playlist.segments.iter().map(|listed| &listed.place.uri);
        for url in maps
            .chain(segments)
            .filter_map(|uri| rendition.at.join(uri).ok())
        {
            found.entry(url).or_insert(rendition);
        }
    }
    found
}

/// The Rendition whose first segments a Representation lists.
fn described<'all>(
    levels: [&XmlElement; 3],
    total: Option<f64>,
    base: &Url,
    rungs: &BTreeMap<Url, &'all CheckedRendition>,
) -> Option<&'all CheckedRendition> {
    let uris = uris(levels, total)?;
    let mut urls = uris.iter().take(2).filter_map(|uri| base.join(uri).ok());
    urls.find_map(|url| rungs.get(&url).copied())
}

/// Statements of a Representation that its Rendition contradicts.
fn statement_faults(levels: [&XmlElement; 3], rendition: &CheckedRendition) -> Vec<String> {
    let mut found = vec![];
    let get = |name: &str| levels[..2].iter().find_map(|level| level.get(name));
    let name = shown(levels[0].get("id").unwrap_or(""));
    let mut differs = |attribute: &str, listed: &str, measured: String| {
        let listed = shown(listed);
        found.push(format!(
            "`{attribute}` of `{name}` is {listed} instead of {measured}"
        ));
    };
    if let Some(track) = rendition.track() {
        if let Some(codecs) = get("codecs").filter(|codecs| !is_same(codecs, &track.codec)) {
            differs("codecs", codecs, shown(&track.codec));
        }
        let number = |name: &str| get(name).and_then(|text| text.parse::<u32>().ok());
        if let (Some(width), Some(height)) = (number("width"), number("height"))
            && !track.sizes.contains(&(width, height))
        {
            let (right_width, right_height) = track.sizes[0];
            let listed = format!("{width}x{height}");
            differs("width", &listed, format!("{right_width}x{right_height}"));
        }
        let kind = get("mimeType").or(get("contentType")).unwrap_or("");
        let expected = match track.medium {
            Medium::Video => "video",
            Medium::Audio => "audio",
            Medium::Other => "",
        };
        if !kind.starts_with(expected) {
            differs("mimeType", kind, expected.to_owned());
        }
        let channels = channels(levels);
        if let Some(count) = channels.filter(|count| *count <= 6 && *count != track.channels) {
            differs(
                "AudioChannelConfiguration",
                &count.to_string(),
                track.channels.to_string(),
            );
        }
        if let Some(rate) = number("audioSamplingRate").filter(|rate| *rate != track.sample_rate) {
            differs(
                "audioSamplingRate",
                &rate.to_string(),
                track.sample_rate.to_string(),
            );
        }
        if let Some(listed) = get("frameRate")
            && let (Some(rate), Some(measured)) = (rate(listed), rendition.frame_rate())
            && (rate - measured).abs() > measured * 0.01
            && !rendition.is_i_frames()
        {
            differs("frameRate", listed, format!("{measured:.3}"));
        }
    }
    if let (Some(listed), Some((peak, average))) = (get("bandwidth"), rendition.rates()) {
        let rate = listed.parse::<f64>().unwrap_or(0.0);
        let (least, most) = (average as f64 * 0.9 - 8.0, peak as f64 * 1.1 + 8.0);
        if !(least..=most).contains(&rate) {
            differs("bandwidth", listed, format!("{average} to {peak}"));
        }
    }
    found.extend(timeline_fault(levels, rendition, &name));
    found
}

/// Channels of an audio Representation; up to 6, their configuration has the same number.
fn channels(levels: [&XmlElement; 3]) -> Option<u16> {
    let element = levels[..2]
        .iter()
        .find_map(|level| level.child("AudioChannelConfiguration"))?;
    element.get("value")?.parse().ok()
}

/// Compares a `SegmentTimeline` with the times in the segments.
fn timeline_fault(
    levels: [&XmlElement; 3],
    rendition: &CheckedRendition,
    name: &str,
) -> Option<String> {
    let templates = || {
        levels
            .iter()
            .filter_map(|level| level.child("SegmentTemplate"))
    };
    let timeline = templates().find_map(|one| one.child("SegmentTimeline"))?;
    let timescale = templates()
        .find_map(|one| one.get("timescale"))
        .unwrap_or("1");
    let timescale = timescale.parse::<f64>().ok().filter(|scale| *scale > 0.0)?;
    let entries = timeline::entries(timeline)?;
    rendition.fragments().find_map(|(at, _, track, found)| {
        let (start, duration) = entries.get(at)?;
        let (start, duration) = (*start as f64 / timescale, *duration as f64 / timescale);
        let seconds = |ticks: u64| ticks as f64 / f64::from(track.timescale);
        let (is, lasts) = (seconds(found.start), seconds(found.duration));
        let is_right = (start - is).abs() <= ROUNDING && (duration - lasts).abs() <= ROUNDING;
        (!is_right).then(|| {
            format!(
                "segment {at} of `{name}` is listed at {start:.3} s for {duration:.3} s, and is \
                 at {is:.3} s for {lasts:.3} s"
            )
        })
    })
}

/// Fault of a file that no playlist lists, such as captions.
async fn file_fault(source: &PackageSource, at: &Url, levels: [&XmlElement; 3]) -> Option<String> {
    let name = source.name(at);
    let bytes = match source.read(at, None, MOST_SEGMENT).await {
        Ok(bytes) => bytes,
        Err(why) => return Some(format!("`{name}`: {why}")),
    };
    let kind = levels[..2].iter().find_map(|level| level.get("mimeType"));
    let is_text = kind == Some("text/vtt");
    (is_text && !web_vtt(&bytes).has_header)
        .then(|| format!("`{name}` does not begin with `WEBVTT`"))
}

/// Compares an index with its file (ISO/IEC 14496-12 §8.16.3).
async fn index_fault(source: &PackageSource, at: &Url, index: &XmlElement) -> Option<String> {
    let name = source.name(at);
    let range = index.get("indexRange").and_then(byte_range);
    let Some((length, offset)) = range else {
        return Some(format!("`indexRange` of `{name}` is no range"));
    };
    let bytes = match source.read(at, Some((length, offset)), MOST_INIT).await {
        Ok(bytes) => bytes,
        Err(why) => return Some(format!("`indexRange` of `{name}`: {why}")),
    };
    let header = BoxHeader::parse(&bytes, length).filter(|header| header.kind == *b"sidx");
    let body = header.and_then(|header| bytes.get(usize::try_from(header.length).ok()?..));
    let sidx = body.and_then(|mut body| Sidx::decode_body(&mut body).ok());
    let Some(sidx) = sidx else {
        return Some(format!("`indexRange` of `{name}` holds no `sidx`"));
    };
    let init = index
        .child("Initialization")
        .and_then(|init| init.get("range"));
    if let Some((length, offset)) = init.and_then(byte_range) {
        let head = source.read(at, Some((length, offset)), MOST_INIT).await;
        let is_init = head.is_ok_and(|bytes| bytes.get(4..8) == Some(b"ftyp"));
        if !is_init {
            return Some(format!(
                "`Initialization` of `{name}` is no beginning of a file"
            ));
        }
    }
    let sizes = sidx.references.iter();
    let sum = sizes.fold(sidx.first_offset, |sum, one| {
        sum.saturating_add(one.referenced_size.into())
    });
    let expected = offset.saturating_add(length).saturating_add(sum);
    let bytes = source.digest(at).await.ok()?.bytes;
    (bytes != expected).then(|| format!("the index of `{name}` covers {expected} bytes of {bytes}"))
}

/// `first-last`, as length and offset.
fn byte_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    Some((last.checked_sub(first)?.checked_add(1)?, first))
}

/// `25` or `30000/1001`.
fn rate(text: &str) -> Option<f64> {
    let (number, by) = text.split_once('/').unwrap_or((text, "1"));
    let by: f64 = by.parse().ok().filter(|by| *by > 0.0)?;
    Some(number.parse::<f64>().ok()? / by)
}
