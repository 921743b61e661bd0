//! `SegmentTimeline` (ISO/IEC 23009-1 §5.3.9.6). Pure.

use super::MOST_SEGMENTS;
use crate::check::xml::XmlElement;

/// Start and duration of each segment.
pub(super) fn entries(timeline: &XmlElement) -> Option<Vec<(u64, u64)>> {
    let mut found = vec![];
    let mut time = 0_u64;
    for entry in timeline.all("S") {
        let whole = |name: &str| entry.get(name).map(str::parse::<u64>);
        if let Some(start) = whole("t") {
            time = start.ok()?;
        }
        let duration = whole("d")?.ok()?;
        // -1 repeats the segment up to the start of the next entry.
        let repeated = whole("r").map_or(Some(0), Result::ok)?;
        if (found.len() as u64).saturating_add(repeated) >= MOST_SEGMENTS {
            return None;
        }
        for _ in 0..=repeated {
            found.push((time, duration));
            time = time.checked_add(duration)?;
        }
    }
    Some(found)
}
