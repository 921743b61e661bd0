//! `EXT-X-DATERANGE` (RFC 8216bis §4.4.5.1): agreement of its attributes. Pure.

use std::collections::BTreeMap;

use super::attributes::date;
use super::{TagEntry, shown};

/// Maximum Date Ranges that are compared with earlier tags.
const MOST_RANGES: usize = 1_000;

/// Faults of a tag, beyond its grammar.
#[derive(Debug, Default)]
pub(super) struct DateRangeFaults {
    pub(super) tag: Vec<String>,
    /// It contradicts an earlier tag.
    pub(super) change: Option<String>,
}

/// Date Ranges by ID.
#[derive(Debug, Default)]
pub(super) struct DateRanges {
    known: BTreeMap<String, BTreeMap<String, String>>,
}

impl DateRanges {
    pub(super) fn add(&mut self, entry: &TagEntry) -> DateRangeFaults {
        let mut found = vec![];
        let Some(id) = entry.get("ID") else {
            return DateRangeFaults::default();
        };
        let name = format!("Date Range `{}`", shown(id));
        let known = self.known.get(id);
        if known.is_none() && entry.get("START-DATE").is_none() {
            found.push(format!("{name} has no `START-DATE`"));
        }
        let differs = known.and_then(|known| {
            let mut all = entry.attributes.iter();
            all.find(|(name, value)| known.get(*name).is_some_and(|other| other != *value))
        });
        let change = differs.map(|(attribute, _)| {
            let attribute = shown(attribute);
            format!("{name} changes its `{attribute}` in a later tag")
        });
        let has = |name| entry.get(name).is_some();
        if has("END-ON-NEXT") {
            if !has("CLASS") {
                found.push(format!("{name} has `END-ON-NEXT` without `CLASS`"));
            }
            if has("DURATION") || has("END-DATE") {
                found.push(format!("{name} has `END-ON-NEXT` and an end of its own"));
            }
        }
        let at = |name| entry.get(name).and_then(date);
        if let (Some(start), Some(end)) = (at("START-DATE"), at("END-DATE")) {
            let seconds = (end - start).as_seconds_f64();
            let duration = entry
                .get("DURATION")
                .and_then(|text| text.parse::<f64>().ok());
            if seconds < 0.0 {
                found.push(format!("{name} ends before it starts"));
            } else if duration.is_some_and(|duration| (duration - seconds).abs() > 0.1) {
                found.push(format!(
                    "{name} has a `DURATION` that misses its `END-DATE`"
                ));
            }
        }
        if self.known.len() < MOST_RANGES || self.known.contains_key(id) {
            let attributes = self.known.entry(id.to_owned()).or_default();
            attributes.extend(entry.attributes.clone());
        }
        DateRangeFaults { tag: found, change }
    }
}
