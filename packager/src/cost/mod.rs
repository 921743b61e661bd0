//! `lectern cost`: monthly costs of lectures and views with Lectern and other providers. Amounts
//! are integers of the smallest unit, and money is in units of 10⁻¹² dollars, so printed sums add
//! up.
//!
//! Prices are data with the day of their observation: `prices.json`. The command sends no request.

pub(crate) mod args;
mod lecture;
mod money;
mod month;
pub(crate) mod prices;
mod quotes;
mod report;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result};

pub(crate) use args::{CostArgs, CostError};
use prices::Prices;
use report::CostReport;

/// Pure.
pub(crate) fn answer(args: &CostArgs, prices: &Prices) -> Result<String> {
    let assumptions = &prices.assumptions;
    let question = args.question(assumptions)?;
    let month = question.month(assumptions);
    let (plan, included) = (args.plan, args.included());
    let report = CostReport {
        question: &question,
        assumptions,
        month: &month,
        plan,
        ours: quotes::lectern(&month, prices, plan, included),
        elsewhere: quotes::elsewhere(&month, prices, question.lecture.largest(), included),
        publishing: quotes::publishing(&month, prices),
        fits: plan == quotes::PricePlan::Paid || quotes::fits_free_plan(&month, prices),
    };
    match args.json {
        true => serde_json::to_string(&report.json()).context("cannot write JSON"),
        false => Ok(report.text()),
    }
}
