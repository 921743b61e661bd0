//! Checks a DASH manifest (ISO/IEC 23009-1) of the same segments.

mod description;
mod timeline;

use std::collections::BTreeSet;

use reqwest::Url;

use super::playlist::shown;
use super::rendition::CheckedRendition;
use super::source::{MOST_PLAYLIST, PackageSource};
use super::xml::{self, XmlElement};
use crate::layout;

/// Maximum segments of a Representation.
const MOST_SEGMENTS: u64 = 100_000;
/// Maximum Representations, each of which may list that many segments.
const MOST_REPRESENTATIONS: usize = 200;
/// Maximum bytes of the URLs in a manifest. A template writes many of a few bytes.
const MOST_URL_BYTES: usize = 64 << 20;
/// Maximum items of a list in a report.
const MOST_SHOWN: usize = 5;

#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    /// XML syntax error.
    pub(crate) fault: Option<String>,
    /// Segments that only one of manifest and playlists lists; `None` if the manifest uses an
    /// unsupported form of addressing.
    pub(crate) differs: Option<Vec<String>>,
    /// Statements that the Renditions contradict.
    pub(crate) contradictions: Vec<String>,
}

/// Reads the first manifest in these folders.
pub(crate) async fn find(
    source: &PackageSource,
    folders: &[String],
    renditions: &[CheckedRendition],
) -> Option<Manifest> {
    for folder in folders {
        let Ok(at) = source.root().join(&format!("{folder}{}", layout::MPD)) else {
            continue;
        };
        if let Ok(bytes) = source.read(&at, None, MOST_PLAYLIST).await {
            let text = String::from_utf8_lossy(&bytes);
            let mut found = Manifest {
                name: source.name(&at),
                fault: None,
                differs: None,
                contradictions: vec![],
            };
            match xml::parse(&text) {
                Err(why) => found.fault = Some(why),
                Ok(root) if root.name != "MPD" => {
                    found.fault = Some(format!("its element is `{}`", shown(&root.name)));
                }
                Ok(root) => {
                    found.fault = lacking(&root);
                    let listed = segments(&root, &at);
                    found.differs = listed.map(|all| differences(source, &all, renditions));
                    found.contradictions =
                        description::contradictions(source, &root, &at, renditions).await;
                }
            }
            return Some(found);
        }
    }
    None
}

/// Required attributes (§5.3.1.2, §5.3.5.2).
fn lacking(mpd: &XmlElement) -> Option<String> {
    let lacks = |element: &XmlElement, name: &str| {
        let what = || format!("`{name}` of `{}` is missing", element.name);
        element.get(name).is_none().then(what)
    };
    let mut required = ["profiles", "minBufferTime"].into_iter();
    let of_mpd = required.find_map(|name| lacks(mpd, name));
    let mut all = representations(mpd).map(|[representation, ..]| representation);
    of_mpd.or_else(|| all.find_map(|one| lacks(one, "id").or_else(|| lacks(one, "bandwidth"))))
}

fn differences(
    source: &PackageSource,
    manifest: &BTreeSet<Url>,
    renditions: &[CheckedRendition],
) -> Vec<String> {
    let urls = |rendition: &CheckedRendition| -> BTreeSet<Url> {
        let playlist = &rendition.playlist;
        let maps = playlist.maps.iter().map(|map| &map.place.uri);
        let segments = playlist.segments.iter().map(|listed| &listed.place.uri);
        maps.chain(segments)
            .filter_map(|uri| rendition.at.join(uri).ok())
            .collect()
    };
    let known: BTreeSet<Url> = renditions.iter().flat_map(urls).collect();
    let wanted = renditions
        .iter()
        .filter(|rendition| rendition.has_video() || rendition.has_audio_only())
        // DASH players do not take transport streams.
        .filter(|rendition| rendition.transported.is_empty())
        .flat_map(urls);
    let lacking = wanted
        .filter(|url| !manifest.contains(url))
        .map(|url| format!("`{}` is not in it", source.name(&url)));
    let unknown = manifest
        .difference(&known)
        .map(|url| format!("`{}` is in no playlist", source.name(url)));
    lacking.chain(unknown).take(MOST_SHOWN).collect()
}

/// Every initialization section and segment of video and audio.
fn segments(mpd: &XmlElement, at: &Url) -> Option<BTreeSet<Url>> {
    let base = base(mpd, at)?;
    let total = mpd.get("mediaPresentationDuration").and_then(seconds);
    let mut found = BTreeSet::new();
    let mut bytes = 0;
    for levels in representations(mpd).take(MOST_REPRESENTATIONS) {
        let [representation, set, _] = levels;
        let is_av = [set, representation]
            .iter()
            .filter_map(|element| element.get("mimeType").or(element.get("contentType")))
            .any(|kind| kind.starts_with("video") || kind.starts_with("audio"));
        if !is_av {
            continue;
        }
        let base = base_of(levels, &base)?;
        for uri in uris(levels, total)? {
            let url = base.join(&uri).ok()?;
            bytes += url.as_str().len();
            if bytes > MOST_URL_BYTES {
                return None;
            }
            found.insert(url);
        }
    }
    Some(found)
}

/// Every Representation with its Adaptation Set and its Period.
fn representations(mpd: &XmlElement) -> impl Iterator<Item = [&XmlElement; 3]> {
    let sets = mpd
        .all("Period")
        .flat_map(|period| period.all("AdaptationSet").map(move |set| (period, set)));
    sets.flat_map(|(period, set)| {
        let all = set.all("Representation");
        all.map(move |representation| [representation, set, period])
    })
}

/// Base URL of a Representation, given that of the manifest.
fn base_of(levels: [&XmlElement; 3], outer: &Url) -> Option<Url> {
    let mut outwards = levels.into_iter().rev();
    outwards.try_fold(outer.clone(), |outer, level| base(level, &outer))
}

fn base(element: &XmlElement, outer: &Url) -> Option<Url> {
    match element.child("BaseURL") {
        Some(base) => outer.join(base.text.trim()).ok(),
        None => Some(outer.clone()),
    }
}

/// URIs of a Representation; the innermost level overrides.
fn uris(levels: [&XmlElement; 3], total: Option<f64>) -> Option<Vec<String>> {
    let representation = levels[0];
    let lists: Vec<&XmlElement> = levels
        .iter()
        .filter_map(|level| level.child("SegmentList"))
        .collect();
    if let Some(list) = lists.first() {
        let init = list
            .child("Initialization")
            .and_then(|init| init.get("sourceURL"));
        let media = list.all("SegmentURL").filter_map(|url| url.get("media"));
        return Some(init.into_iter().chain(media).map(str::to_owned).collect());
    }
    let templates: Vec<&XmlElement> = levels
        .iter()
        .filter_map(|level| level.child("SegmentTemplate"))
        .collect();
    // One file, whose index locates its segments.
    if templates.is_empty() && representation.child("SegmentBase").is_some() {
        return Some(vec![String::new()]);
    }
    let get = |name: &str| templates.iter().find_map(|template| template.get(name));
    let whole = |name: &str| get(name).and_then(|text| text.parse::<u64>().ok());
    let media = get("media")?;
    let times = match templates
        .iter()
        .find_map(|template| template.child("SegmentTimeline"))
    {
        Some(timeline) => {
            let entries = timeline::entries(timeline)?;
            entries
                .into_iter()
                .map(|(start, _)| start)
                .collect::<Vec<_>>()
        }
        None => {
            let duration = whole("duration").filter(|duration| *duration > 0)? as f64;
            let seconds = duration / whole("timescale").unwrap_or(1).max(1) as f64;
            // A last segment of a few milliseconds is a rounding of the total.
            let count = ((total? - 0.01) / seconds).ceil();
            if !(1.0..=MOST_SEGMENTS as f64).contains(&count) {
                return None;
            }
            let start = |at: u64| at.saturating_mul(duration as u64);
            (0..count as u64).map(start).collect()
        }
    };
    let first = whole("startNumber").unwrap_or(1);
    // Numbers have 32 bits (§5.3.9.2.2).
    if first > u32::MAX.into() {
        return None;
    }
    let mut found = vec![];
    let mut bytes = 0;
    let mut add = |template: &str, number, time| {
        let uri = fill(template, representation, number, time);
        bytes += uri.len();
        found.push(uri);
        (bytes <= MOST_URL_BYTES).then_some(())
    };
    if let Some(init) = get("initialization") {
        add(init, 0, 0)?;
    }
    for (number, time) in (first..).zip(times) {
        add(media, number, time)?;
    }
    Some(found)
}

/// `$RepresentationID$`, `$Number%05d$` (§5.3.9.4.4).
fn fill(template: &str, representation: &XmlElement, number: u64, time: u64) -> String {
    let mut out = String::new();
    for (at, part) in template.split('$').enumerate() {
        let (name, width) = match part.split_once("%0") {
            Some((name, format)) => (name, format.trim_end_matches('d').parse().unwrap_or(0)),
            None => (part, 0_usize),
        };
        let width = width.min(20);
        match (at % 2, name) {
            (0, _) => out += part,
            (_, "") => out.push('$'),
            (_, "RepresentationID") => out += representation.get("id").unwrap_or(""),
            (_, "Bandwidth") => out += representation.get("bandwidth").unwrap_or(""),
            (_, "Number") => out += &format!("{number:0width$}"),
            (_, "Time") => out += &format!("{time:0width$}"),
            _ => out += part,
        }
    }
    out
}

/// `PT1H2M3.5S`.
fn seconds(text: &str) -> Option<f64> {
    let mut rest = text.strip_prefix("PT")?;
    let mut total = 0.0;
    while let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let number: f64 = rest[..end].parse().ok()?;
        total += number
            * match &rest[end..=end] {
                "H" => 3600.0,
                "M" => 60.0,
                "S" => 1.0,
                _ => return None,
            };
        rest = &rest[end + 1..];
    }
    rest.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(body: &str) -> Option<Vec<String>> {
        let text = format!(
            r#"<MPD mediaPresentationDuration="PT0M10.005S"><Period>{body}</Period></MPD>"#
        );
        let at = Url::parse("https://e.example/a/manifest.mpd").expect("a URL");
        let found = segments(&xml::parse(&text).expect("XML"), &at)?;
        Some(
            found
                .iter()
                .map(|url| {
                    url.path()
                        .strip_prefix("/a/")
                        .unwrap_or(url.path())
                        .to_owned()
                })
                .collect(),
        )
    }

    #[test]
    fn segments_are_listed_by_timelines_by_durations_and_one_by_one() {
        let template = |attributes: &str, inside: &str| {
            format!(
                r#"<AdaptationSet mimeType="video/mp4"><SegmentTemplate {attributes}>{inside}</SegmentTemplate>
                   <Representation id="v1" bandwidth="9"/></AdaptationSet>"#
            )
        };
        let timeline = template(
            r#"media="$RepresentationID$/s$Number%03d$.m4s" initialization="$RepresentationID$/i.mp4" startNumber="0""#,
            r#"<SegmentTimeline><S t="0" d="4" r="1"/><S d="2"/></SegmentTimeline>"#,
        );
        let by_time = template(
            r#"media="$Time$-$Bandwidth$$$.m4s""#,
            r#"<SegmentTimeline><S t="5" d="4"/><S d="2"/></SegmentTimeline>"#,
        );
        let by_duration = template(
            r#"media="$Number$.m4s" duration="4000" timescale="1000""#,
            "",
        );
        let one_by_one = r#"<AdaptationSet><Representation mimeType="audio/mp4"><BaseURL>b/</BaseURL><SegmentList>
            <Initialization sourceURL="i"/><SegmentURL media="1"/></SegmentList></Representation></AdaptationSet>"#;
        for (body, expected) in [
            (
                timeline.as_str(),
                Some(vec![
                    "v1/i.mp4",
                    "v1/s000.m4s",
                    "v1/s001.m4s",
                    "v1/s002.m4s",
                ]),
            ),
            (&by_time, Some(vec!["5-9$.m4s", "9-9$.m4s"])),
            (&by_duration, Some(vec!["1.m4s", "2.m4s", "3.m4s"])),
            (one_by_one, Some(vec!["b/1", "b/i"])),
            (
                r#"<AdaptationSet mimeType="video/mp4"><Representation><BaseURL>i.mp4</BaseURL><SegmentBase/></Representation>
                   </AdaptationSet>"#,
                Some(vec!["i.mp4"]),
            ),
            (
                r#"<AdaptationSet mimeType="image/jpeg"><Representation/></AdaptationSet>"#,
                Some(vec![]),
            ),
            (
                r#"<AdaptationSet mimeType="video/mp4"><Representation/></AdaptationSet>"#,
                None,
            ),
            (
                &template(
                    r#"media="$Time$""#,
                    r#"<SegmentTimeline><S d="1" r="99999999999"/></SegmentTimeline>"#,
                ),
                None,
            ),
            (
                &template(
                    r#"media="$Time$""#,
                    r#"<SegmentTimeline><S d="0"/><S d="0" r="18446744073709551615"/></SegmentTimeline>"#,
                ),
                None,
            ),
            (
                &template(
                    r#"media="$Number$" startNumber="18446744073709551615""#,
                    r#"<SegmentTimeline><S d="1"/></SegmentTimeline>"#,
                ),
                None,
            ),
            (
                &template(
                    &format!(r#"media="{}$Number$""#, "a".repeat(1_000)),
                    r#"<SegmentTimeline><S d="1" r="99998"/></SegmentTimeline>"#,
                ),
                None,
            ),
        ] {
            let expected = expected.map(|all| all.into_iter().map(str::to_owned).collect());
            assert_eq!(urls(body), expected, "{body}");
        }
    }
}
