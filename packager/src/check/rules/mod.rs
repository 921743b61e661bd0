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
use super::rendition::{CheckedRendition, ListedAs};

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
        segments::CONTENTS,
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
    /// Name of what the rule applies to and cannot judge, with the reason.
    pub(crate) unjudged: Vec<(String, String)>,
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

    /// Records a subject that cannot be judged; each Rendition and reason once.
    fn unjudged(&mut self, name: &str, why: &str) {
        let is_new = self
            .unjudged
            .iter()
            .all(|one| one.0 != name || one.1 != why);
        if is_new && self.unjudged.len() < MOST_FINDINGS {
            self.unjudged.push((name.to_owned(), why.to_owned()));
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
