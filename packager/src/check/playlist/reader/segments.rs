//! Tags of one Media Segment, and URIs.

use chrono::TimeDelta;

use super::{MOST_ENTRIES, PlaylistReader, TagEntry};
use crate::check::playlist::attributes::{date, is_float};
use crate::check::playlist::{ListedSegment, UriRange, byte_range, shown};

/// Maximum number of segments, more than a day of them; further ones are not read.
const MOST_SEGMENTS: usize = 100_000;
/// Maximum `EXTINF`, a day.
const LONGEST_MICROS: f64 = 86_400e6;
/// Maximum step of `EXT-X-PROGRAM-DATE-TIME` away from the durations.
const LONGEST_STEP: TimeDelta = TimeDelta::seconds(60);

impl PlaylistReader<'_> {
    pub(super) fn duration(&mut self, rest: &str) {
        if self.micros.is_some() {
            self.problem("the `EXTINF` before has no URI");
        }
        let (text, comma) = match rest.split_once(',') {
            Some((text, _)) => (text, true),
            None => (rest, false),
        };
        if !comma {
            self.problem("`EXTINF` has no comma after its duration");
        }
        if text.contains('.') {
            self.needs(3, "EXTINF with a fraction");
        }
        if !is_float(text) {
            self.problem(format!("`{}` is no duration", shown(text)));
        }
        let micros = text.trim().parse::<f64>().ok().map(|seconds| seconds * 1e6);
        match micros.filter(|micros| (0.0..=LONGEST_MICROS).contains(micros)) {
            Some(micros) => self.micros = Some(micros.round() as u64),
            None if is_float(text) => self.problem(format!("`{}` is no duration", shown(text))),
            None => {}
        }
    }

    pub(super) fn byte_range(&mut self, rest: &str) {
        self.needs(4, "EXT-X-BYTERANGE");
        if self.range.is_some() {
            self.problem("the `EXT-X-BYTERANGE` before has no URI");
        }
        self.range = byte_range(rest);
        match self.range {
            None => self.problem(format!("`{}` is no byte range", shown(rest))),
            Some((0, _)) => self.problem("a byte range has no byte"),
            Some(_) => {}
        }
    }

    pub(super) fn date(&mut self, rest: &str) {
        let Some(date) = date(rest) else {
            return self.problem(format!("`{}` is no date and time", shown(rest)));
        };
        if let Some(clock) = self.clock {
            let step = date - clock;
            if step.abs() > LONGEST_STEP || step < -TimeDelta::seconds(1) {
                let seconds = step.num_seconds();
                self.later_problem(&format!(
                    "`EXT-X-PROGRAM-DATE-TIME` is {seconds} s from where the durations lead"
                ));
            }
        }
        self.clock = Some(date);
    }

    pub(super) fn uri(&mut self, uri: &str) {
        if let Some(variant) = self.variant.take() {
            if self.found.variants.len() < MOST_ENTRIES {
                self.found.variants.push(TagEntry {
                    uri: Some(uri.to_owned()),
                    ..variant
                });
            } else {
                self.too_many("#EXT-X-STREAM-INF");
            }
            return;
        }
        let Some(micros) = self.micros.take() else {
            return self.problem(format!("`{}` has no `EXTINF`", shown(uri)));
        };
        let range = self.range.take();
        if range.is_some_and(|(_, offset)| offset.is_none()) && self.end.0 != uri {
            self.problem("a byte range has no offset, and the segment before is of another object");
        }
        let range = range.map(|(length, offset)| {
            // §4.4.4.2: without an offset, it begins where the previous one ended.
            let after = if self.end.0 == uri { self.end.1 } else { 0 };
            (length, offset.unwrap_or(after))
        });
        self.end = match range {
            Some((length, offset)) => (uri.to_owned(), offset.saturating_add(length)),
            None => (String::new(), 0),
        };
        if self.found.segments.len() == MOST_SEGMENTS {
            return self.problem(format!("it lists more than {MOST_SEGMENTS} segments"));
        }
        self.found.has_early_end |= self.found.has_end;
        let elapsed = TimeDelta::microseconds(i64::try_from(micros).unwrap_or(0));
        self.clock = self
            .clock
            .and_then(|clock| clock.checked_add_signed(elapsed));
        let listed = self.found.segments.len() as u64;
        self.found.segments.push(ListedSegment {
            place: UriRange {
                uri: uri.to_owned(),
                range,
            },
            micros,
            map: self.map,
            is_discontinuous: std::mem::take(&mut self.is_discontinuous),
            key: self.active_key(),
            number: self.sequence.saturating_add(listed),
            is_gap: std::mem::take(&mut self.is_gap),
            bitrate: self.bitrate.filter(|_| range.is_none()),
        });
    }
}
