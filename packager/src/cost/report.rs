//! Formats the answer as a table or JSON. Pure.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::lecture::Requests;
use super::money::{Money, grouped};
use super::month::{Month, Question};
use super::prices::{Assumptions, Price};
use super::quotes::{CostLine, PricePlan, Quote};

#[derive(Debug)]
pub(crate) struct CostReport<'a> {
    pub(crate) question: &'a Question,
    pub(crate) assumptions: &'a Assumptions,
    pub(crate) month: &'a Month,
    pub(crate) plan: PricePlan,
    pub(crate) ours: Quote,
    pub(crate) elsewhere: Vec<Quote>,
    pub(crate) publishing: Money,
    /// The plan of the Worker permits so many requests.
    pub(crate) fits: bool,
}

impl CostReport<'_> {
    pub(crate) fn text(&self) -> String {
        let mut out = self.head();
        let _ = writeln!(
            out,
            "\n{:<28}{:>14}  {:<17}{:>9}{:>10}{:>12}",
            self.ours.name, "amount", "of", "each", "included", "cost"
        );
        for line in &self.ours.lines {
            let _ = writeln!(out, "{}", row(line));
        }
        let _ = writeln!(out, "{:<78}{:>12}", "a month", self.ours.total());
        let _ = writeln!(
            out,
            "\n{:<36}{:>18}{:>36}",
            "The same month", "cost", "a thousand views more"
        );
        for quote in std::iter::once(&self.ours).chain(&self.elsewhere) {
            let mark = if quote.is_estimate() { " *" } else { "" };
            let _ = writeln!(
                out,
                "{:<36}{:>18}{:>36}",
                format!("{}{mark}", quote.name),
                quote.total(),
                quote.thousand_views()
            );
        }
        out + &self.foot()
    }

    fn head(&self) -> String {
        let Self {
            question, month, ..
        } = self;
        let lecture = &question.lecture;
        let rungs: Vec<String> = lecture.rungs.iter().map(u32::to_string).collect();
        let Requests {
            playlists,
            initialization_sections,
            segments,
            audio_segments,
        } = month.view;
        let (calls, list_reads) = question.ledger_calls(&self.assumptions.viewers);
        let viewers = match question.has_viewers {
            true => format!(
                "The edge remembers the viewer in {calls} requests to Durable Objects and {list_reads} reads of Workers KV.\n"
            ),
            false => String::new(),
        };
        format!(
            "{} minutes of lectures ({}: {} GB), {} views a month of {} of {} minutes.\n\
             A view is {} requests: {playlists} playlists, {initialization_sections} initialization sections, \
             {segments} video segments, {audio_segments} audio segments.\n{viewers}",
            hundredths(question.stored_seconds),
            rungs.join(", "),
            amount(month.stored_bytes, 1_000_000_000),
            grouped(month.views),
            hundredths(question.watched_seconds),
            hundredths(lecture.seconds),
            grouped(month.view.all().into()),
        )
    }

    fn foot(&self) -> String {
        let mut out = format!(
            "\nPublishing all of it once: {} writes, {} where nothing is free.\n",
            grouped(self.month.all_writes),
            self.publishing
        );
        if !self.fits {
            out += "The free plan ends at 100,000 requests a day: it refuses some of these. `--plan paid` does not.\n";
        }
        let (first, last) = self.dates();
        let _ = writeln!(
            out,
            "List prices in US dollars without taxes, as known between {first} and {last}."
        );
        if self.elsewhere.iter().any(Quote::is_estimate) {
            out += "* one of its prices was not read on the provider's own page: see `--json`.\n";
        }
        out
    }

    /// Days of the oldest and the newest price.
    fn dates(&self) -> (&str, &str) {
        let dates = || {
            (std::iter::once(&self.ours).chain(&self.elsewhere))
                .flat_map(|quote| &quote.lines)
                .map(|line| line.price.as_of.as_str())
        };
        (
            dates().min().unwrap_or_default(),
            dates().max().unwrap_or_default(),
        )
    }

    pub(crate) fn json(&self) -> Value {
        let Self {
            question,
            assumptions,
            month,
            ..
        } = self;
        let (ledger_calls, list_reads) = question.ledger_calls(&assumptions.viewers);
        json!({
            "currency": "USD",
            "stored": { "seconds": question.stored_seconds, "bytes": number(month.stored_bytes) },
            "view": {
                "seconds": question.watched_seconds,
                "requests": month.view.all(),
                "playlists": month.view.playlists,
                "initialization_sections": month.view.initialization_sections,
                "segments": month.view.segments,
                "audio_segments": month.view.audio_segments,
                "ledger_calls": ledger_calls,
                "list_reads": list_reads,
            },
            "lecture": {
                "seconds": question.lecture.seconds,
                "rungs": question.lecture.rungs,
                "container": question.lecture.container,
                "writes": question.lecture.writes(&assumptions.ladder),
            },
            "views": question.views,
            "plan": self.plan,
            "fits_plan": self.fits,
            "publishing_all": { "writes": number(month.all_writes), "cost": self.publishing },
            "assumptions": {
                "ladder": assumptions.ladder.source,
                "cpu_micros_per_request": question.cpu_micros,
                "cpu": assumptions.worker.source,
                "player": assumptions.player.source,
                "viewers": assumptions.viewers.source,
            },
            "lectern": quote(&self.ours),
            "elsewhere": self.elsewhere.iter().map(quote).collect::<Vec<_>>(),
        })
    }
}

fn row(line: &CostLine) -> String {
    let Price {
        what,
        unit,
        dollars,
        included,
        ..
    } = &line.price;
    let included = match included {
        0 => String::new(),
        some => grouped(u128::from(*some)),
    };
    format!(
        "{what:<28}{:>14}  {:<17}{:>9}{included:>10}{:>12}",
        amount(line.amount, unit.size()),
        unit.name(),
        format!("${}", dollars.exact()),
        line.cost,
    )
}

fn quote(quote: &Quote) -> Value {
    let lines: Vec<Value> = (quote.lines.iter())
        .map(|line| {
            let price = &line.price;
            let then: Vec<Value> = (price.then.iter())
                .map(|tier| json!({ "above": tier.above, "price": tier.dollars }))
                .collect();
            json!({
                "what": price.what,
                "amount": exact(line.amount, price.unit.size()),
                "unit": price.unit.name(),
                "price": price.dollars,
                "then": then,
                "included": price.included,
                "whole_units": price.whole_units,
                "cost": line.cost,
                "thousand_views": line.thousand_views,
                "as_of": price.as_of,
                "source": price.source,
                "estimate": price.estimate,
            })
        })
        .collect();
    json!({
        "name": quote.name,
        "cost": quote.total(),
        "thousand_views": quote.thousand_views(),
        "minimum": quote.minimum.as_ref().map(|price| price.dollars),
        "estimate": quote.is_estimate(),
        "charges": lines,
    })
}

/// Amount in units with up to three decimals, rounded up: `1,234.5`.
fn amount(amount: u128, size: u128) -> String {
    let thousandths = (amount * 1_000).div_ceil(size);
    decimals(thousandths, 3)
}

/// Minutes.
fn hundredths(seconds: u64) -> String {
    decimals((u128::from(seconds) * 100).div_ceil(60), 2)
}

fn decimals(number: u128, digits: usize) -> String {
    let one = 10_u128.pow(u32::try_from(digits).unwrap_or_default());
    let fraction = format!("{:0digits$}", number % one);
    match fraction.trim_end_matches('0') {
        "" => grouped(number / one),
        fraction => format!("{}.{fraction}", grouped(number / one)),
    }
}

/// Amount in units, exact to 10⁻¹².
fn exact(amount: u128, size: u128) -> String {
    let (whole, rest) = (amount / size, amount % size);
    let fraction = format!("{:012}", rest * 1_000_000_000_000 / size);
    match fraction.trim_end_matches('0') {
        "" => whole.to_string(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// Converts to 64-bit JSON numbers, which the bounds of the inputs never exceed.
fn number(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
