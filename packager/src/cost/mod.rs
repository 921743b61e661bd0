//! `lectern cost`: what a month of lectures and views costs, here and with others. Amounts are whole numbers of what is
//! smallest and money is whole numbers of 10⁻¹² dollars, so that what is printed can be added up again.
//!
//! Prices are data, with the day on which they were seen: `prices.json`. It does not ask anybody.

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
