//! Costs of a month with Lectern and with other providers. Pure.

use super::money::Money;
use super::month::Month;
use super::prices::{Price, Prices};

/// A provider's charge for the month.
#[derive(Debug, Clone)]
pub(crate) struct Quote {
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<CostLine>,
    /// Minimum charge.
    pub(crate) minimum: Option<Price>,
}

/// One item of a charge.
#[derive(Debug, Clone)]
pub(crate) struct CostLine {
    pub(crate) price: Price,
    pub(crate) amount: u128,
    pub(crate) cost: Money,
    /// Charge of a thousand more views, at the listed price.
    pub(crate) thousand_views: Money,
}

impl Quote {
    fn new(name: &'static str, lines: Vec<CostLine>) -> Self {
        Self {
            name,
            lines,
            minimum: None,
        }
    }

    pub(crate) fn total(&self) -> Money {
        let lines = self.lines.iter().map(|line| line.cost).sum();
        let minimum = self.minimum.as_ref().map(|price| price.dollars);
        minimum.unwrap_or_default().max(lines)
    }

    /// Charge of a thousand more views after the free amounts.
    pub(crate) fn thousand_views(&self) -> Money {
        self.lines.iter().map(|line| line.thousand_views).sum()
    }

    /// At least one price is not from the provider's own page.
    pub(crate) fn is_estimate(&self) -> bool {
        let minimum = self.minimum.iter();
        (self.lines.iter().map(|line| &line.price))
            .chain(minimum)
            .any(|price| price.estimate)
    }
}

/// Plans of Workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PricePlan {
    /// No charge, and at most 100,000 requests a day.
    Free,
    /// $5 a month, and a charge beyond its included requests and CPU time.
    Paid,
}

/// Availability of the month's free amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Included {
    Free,
    /// The rest of the account uses them up.
    UsedUp,
}

impl Included {
    /// A charge that does not depend on views.
    fn fixed(self, price: &Price, amount: u128) -> CostLine {
        self.line(price, amount, 0)
    }

    /// A charge that grows with views, for this amount and for a thousand more.
    fn line(self, price: &Price, amount: u128, thousand: u128) -> CostLine {
        let price = match self {
            Self::Free => price.clone(),
            Self::UsedUp => price.without_included(),
        };
        CostLine {
            amount,
            cost: price.charge(amount),
            thousand_views: price.marginal_price(thousand, amount),
            price,
        }
    }
}

pub(crate) fn lectern(
    month: &Month,
    prices: &Prices,
    plan: PricePlan,
    included: Included,
) -> Quote {
    let Prices {
        r2,
        workers,
        ledgers,
        kv,
        ..
    } = prices;
    let (all, thousand) = (&month.month, &month.thousand);
    let requests = all.requests + month.new_writes;
    let cpu = requests * month.cpu_micros;
    let mut lines = vec![
        included.fixed(&r2.storage, month.stored_bytes),
        included.fixed(&r2.class_a, month.new_writes),
        included.line(&r2.class_b, all.reads, thousand.reads),
    ];
    match plan {
        PricePlan::Free => {
            lines.push(included.line(&workers.free_requests, requests, thousand.requests));
        }
        PricePlan::Paid => lines.extend([
            included.fixed(&workers.subscription, 1),
            included.line(&workers.requests, requests, thousand.requests),
            included.line(&workers.cpu, cpu, thousand.cpu_micros),
        ]),
    }
    if all.ledger_calls > 0 || thousand.ledger_calls > 0 {
        let is_free = plan == PricePlan::Free;
        let either = |free, paid| if is_free { free } else { paid };
        let (calls, rows) = (
            either(&ledgers.free_requests, &ledgers.requests),
            either(&ledgers.free_rows, &ledgers.rows),
        );
        lines.extend([
            included.line(calls, all.ledger_calls, thousand.ledger_calls),
            included.line(rows, all.ledger_rows, thousand.ledger_rows),
            included.line(
                either(&kv.free_reads, &kv.reads),
                all.list_reads,
                thousand.list_reads,
            ),
        ]);
        if !is_free {
            let (all, thousand) = (all.ledger_gb_micros, thousand.ledger_gb_micros);
            lines.push(included.line(&ledgers.duration, all, thousand));
        }
    }
    Quote::new("Lectern (R2 and Workers)", lines)
}

/// Cost of publishing everything once, at listed prices, without free amounts.
pub(crate) fn publishing(month: &Month, prices: &Prices) -> Money {
    let (writes, workers) = (month.all_writes, &prices.workers);
    prices.r2.class_a.marginal_price(writes, 0)
        + workers.requests.marginal_price(writes, 0)
        + workers.cpu.marginal_price(writes * month.cpu_micros, 0)
}

/// Compares the requests of this month, spread evenly over its days, with the free plan.
pub(crate) fn fits_free_plan(month: &Month, prices: &Prices) -> bool {
    let is_within =
        |price: &Price, amount| amount <= u128::from(price.included) * price.unit.size();
    let (all, ledgers) = (&month.month, &prices.ledgers);
    is_within(
        &prices.workers.free_requests,
        all.requests + month.new_writes,
    ) && is_within(&ledgers.free_requests, all.ledger_calls)
        && is_within(&ledgers.free_rows, all.ledger_rows)
        && is_within(&prices.kv.free_reads, all.list_reads)
}

/// The same month with other providers. Providers that serve our packages are charged for loaded
/// bytes. Services with their own players are charged for watched bytes, and their storage beside
/// the ladder is left out.
pub(crate) fn elsewhere(
    month: &Month,
    prices: &Prices,
    largest: u32,
    included: Included,
) -> Vec<Quote> {
    let Prices {
        s3,
        cloudfront,
        stream,
        bunny,
        ..
    } = prices;
    let (all, thousand) = (&month.month, &month.thousand);
    let bucket = || {
        vec![
            included.fixed(&s3.storage, month.stored_bytes),
            included.fixed(&s3.put, month.new_writes),
        ]
    };
    let mut alone = bucket();
    alone.extend([
        included.line(&s3.get, all.requests, thousand.requests),
        included.line(&s3.out, all.loaded_bytes, thousand.loaded_bytes),
    ]);
    let mut with_cdn = bucket();
    with_cdn.extend([
        included.line(&s3.get, all.reads, thousand.reads),
        included.line(&cloudfront.requests, all.requests, thousand.requests),
        included.line(&cloudfront.out, all.loaded_bytes, thousand.loaded_bytes),
    ]);
    let mux = match largest {
        ..=720 => &prices.mux_720,
        _ => &prices.mux_1080,
    };
    let watched = |price| included.line(price, all.watched_seconds, thousand.watched_seconds);
    let mut with_bunny = Quote::new(
        "Bunny Stream",
        vec![
            included.fixed(&bunny.storage, month.stored_bytes),
            included.line(&bunny.out, all.watched_bytes, thousand.watched_bytes),
        ],
    );
    with_bunny.minimum = Some(bunny.minimum.clone());
    vec![
        Quote::new("S3 alone", alone),
        Quote::new("S3 and CloudFront", with_cdn),
        Quote::new(
            "Mux",
            vec![
                included.fixed(&mux.input, month.new_seconds),
                included.fixed(&mux.storage, month.stored_seconds),
                watched(&mux.delivery),
            ],
        ),
        Quote::new(
            "Cloudflare Stream",
            vec![
                included.fixed(&stream.storage, month.stored_seconds),
                watched(&stream.delivery),
            ],
        ),
        with_bunny,
    ]
}
