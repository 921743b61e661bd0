//! The rules, grouped by subject. A rule is a pure function from facts to findings.

mod i_frames;
mod media;
mod multivariant;
mod objects;
mod playlists;
mod renditions;
mod segments;
mod session;
mod subtitles;
mod timing;
mod transport;

use super::facts::PackageFacts;
use super::playlist::shown;
use super::rendition::{CheckedRendition, CheckedSegment, ListedAs, SegmentBody};

/// Maximum number of findings of one rule in a report.
const MOST_FINDINGS: usize = 5;

/// One rule. Its number is permanent.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    /// The condition that holds.
    pub(crate) title: &'static str,
    /// The specification that requires it.
    pub(crate) source: &'static str,
    /// The remedy.
    pub(crate) advice: &'static str,
    pub(crate) check: fn(&PackageFacts, &mut Findings),
}

/// Every rule in displayed order.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    [
        objects::RULES,
        multivariant::RULES,
        renditions::RULES,
        playlists::RULES,
        segments::RULES,
        transport::RULES,
        timing::RULES,
        media::RULES,
        i_frames::RULES,
        subtitles::RULES,
        session::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Findings of a rule. A rule without a subject does not apply.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) has_looked: bool,
    /// Name and fault.
    pub(crate) found: Vec<(String, String)>,
    /// Number of further findings.
    pub(crate) more: usize,
}

impl Findings {
    /// Records a subject of the rule, and a finding if it is wrong.
    fn expect(&mut self, right: bool, wrong: impl FnOnce() -> (String, String)) {
        self.has_looked = true;
        if right {
            return;
        }
        if self.found.len() < MOST_FINDINGS {
            self.found.push(wrong());
        } else {
            self.more += 1;
        }
    }
}

/// Name of a segment: its playlist, its number, its URI without a pass.
fn segment(rendition: &CheckedRendition, at: usize) -> String {
    let uri = rendition
        .playlist
        .segments
        .get(at)
        .map_or("", |listed| listed.place.uri.as_str());
    let uri = uri.split('?').next().unwrap_or("");
    format!("{}, segment {at} `{}`", rendition.name, shown(uri))
}

/// Media Playlist of a Variant Stream.
fn of_variant(facts: &PackageFacts, at: usize) -> Option<&CheckedRendition> {
    let wanted = ListedAs::Variant(at);
    facts
        .renditions
        .iter()
        .find(|rendition| rendition.uses.contains(&wanted))
}

/// Audio Media Playlists that may play beside a Variant Stream; `None` if one is unreadable.
fn audio_group(facts: &PackageFacts, variant: usize) -> Option<Vec<&CheckedRendition>> {
    let playlist = facts.multivariant.as_ref()?;
    let Some(group) = playlist.variants[variant].get("AUDIO") else {
        return Some(vec![]);
    };
    let members = playlist.media.iter().enumerate().filter(|(_, media)| {
        media.get("TYPE") == Some("AUDIO") && media.get("GROUP-ID") == Some(group)
    });
    members
        // Without a URI, the audio is muxed into the Variant Stream.
        .filter(|(_, media)| media.uri.is_some())
        .map(|(at, _)| {
            let mut all = facts.renditions.iter();
            all.find(|rendition| rendition.uses.contains(&ListedAs::Media(at)))
        })
        .collect()
}

/// Peak and average rate in bit/s, if every segment was readable. The peak is the highest rate of a
/// run of segments (RFC 8216bis §4.1). A run lasts between half and one and a half target
/// durations.
fn rates(rendition: &CheckedRendition) -> Option<(u64, u64)> {
    const LONGEST_RUN: usize = 1_000;
    let is_unread = |segment: &CheckedSegment| matches!(segment.body, SegmentBody::Unread);
    if rendition.segments.is_empty() || rendition.segments.iter().any(is_unread) {
        return None;
    }
    let target = rendition
        .playlist
        .target_duration?
        .saturating_mul(1_000_000);
    let (least, most) = (target / 2, target.saturating_add(target / 2));
    let all: Vec<(u64, u64)> = rendition
        .playlist
        .segments
        .iter()
        .zip(&rendition.segments)
        .map(|(listed, segment)| (listed.micros, segment.bytes))
        .collect();
    let rate = |micros: u64, bytes: u64| {
        let bits = u128::from(bytes) * 8_000_000;
        u64::try_from(bits / u128::from(micros.max(1))).unwrap_or(u64::MAX)
    };
    let mut peak = 0;
    for first in 0..all.len() {
        let (mut micros, mut bytes) = (0_u64, 0_u64);
        for (more, size) in all[first..].iter().take(LONGEST_RUN) {
            micros = micros.saturating_add(*more);
            bytes = bytes.saturating_add(*size);
            if micros > most {
                break;
            }
            if micros >= least {
                peak = peak.max(rate(micros, bytes));
            }
        }
    }
    let (micros, bytes) = all.iter().fold((0_u64, 0_u64), |sum, one| {
        (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1))
    });
    let average = rate(micros, bytes);
    Some((peak.max(average), average))
}

/// The highest frame rate of a segment that is long enough to have one.
fn frame_rate(rendition: &CheckedRendition) -> Option<f64> {
    let longest = rendition
        .fragments()
        .map(|(_, _, track, fragments)| track.micros(fragments.duration))
        .max()?;
    rendition
        .fragments()
        .filter(|(_, _, track, fragments)| track.micros(fragments.duration) * 2 >= longest)
        .map(|(_, _, track, fragments)| {
            let seconds = fragments.duration.max(1) as f64 / f64::from(track.timescale);
            fragments.samples as f64 / seconds
        })
        .max_by(f64::total_cmp)
}
