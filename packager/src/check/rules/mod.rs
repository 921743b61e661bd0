//! The rules, in groups by what they are about. A rule is pure: it looks at facts and tells what it found.

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

/// What a report shows of a rule that is broken in a thousand places.
const MOST_FINDINGS: usize = 5;

/// One rule. Its number never changes and is never given to another.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    /// What is so when it holds.
    pub(crate) title: &'static str,
    /// Who asks for it.
    pub(crate) source: &'static str,
    /// What to do where it is broken.
    pub(crate) advice: &'static str,
    pub(crate) check: fn(&PackageFacts, &mut Findings),
}

/// Every rule, in the order in which they are shown.
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

/// What a rule found. One that looked at nothing does not apply.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) has_looked: bool,
    /// Where, and what is wrong.
    pub(crate) found: Vec<(String, String)>,
    /// How many more there are.
    pub(crate) more: usize,
}

impl Findings {
    /// There is something that the rule applies to, and it is `right` or wrong.
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

/// How a segment is called: its playlist, its number, its URI without a pass.
fn segment(rendition: &CheckedRendition, at: usize) -> String {
    let uri = rendition
        .playlist
        .segments
        .get(at)
        .map_or("", |listed| listed.place.uri.as_str());
    let uri = uri.split('?').next().unwrap_or("");
    format!("{}, segment {at} `{}`", rendition.name, shown(uri))
}

/// The Media Playlist that a Variant Stream names.
fn of_variant(facts: &PackageFacts, at: usize) -> Option<&CheckedRendition> {
    let wanted = ListedAs::Variant(at);
    facts
        .renditions
        .iter()
        .find(|rendition| rendition.uses.contains(&wanted))
}

/// The Media Playlists of sound that may play beside a Variant Stream; `None` where one of them could not be read.
fn audio_group(facts: &PackageFacts, variant: usize) -> Option<Vec<&CheckedRendition>> {
    let playlist = facts.multivariant.as_ref()?;
    let Some(group) = playlist.variants[variant].get("AUDIO") else {
        return Some(vec![]);
    };
    let members = playlist.media.iter().enumerate().filter(|(_, media)| {
        media.get("TYPE") == Some("AUDIO") && media.get("GROUP-ID") == Some(group)
    });
    members
        // Without a URI it is muxed into the Variant Stream.
        .filter(|(_, media)| media.uri.is_some())
        .map(|(at, _)| {
            let mut all = facts.renditions.iter();
            all.find(|rendition| rendition.uses.contains(&ListedAs::Media(at)))
        })
        .collect()
}

/// The highest and the average rate in bit/s, where every segment could be read. The peak is that of RFC 8216bis §4.1: of
/// any run of segments that lasts between half and one and a half target durations.
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
