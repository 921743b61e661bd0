//! What a month costs with Lectern, and what it would cost with others. Pure.

use super::money::Money;
use super::month::Month;
use super::prices::{Price, Prices};

/// What one provider charges for the month.
#[derive(Debug, Clone)]
pub(crate) struct Quote {
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<CostLine>,
    /// The least that is charged.
    pub(crate) minimum: Option<Price>,
}

/// Something that is charged for.
#[derive(Debug, Clone)]
pub(crate) struct CostLine {
    pub(crate) price: Price,
    pub(crate) amount: u128,
    pub(crate) cost: Money,
    /// What a thousand further views add, at the listed price.
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

    /// What a thousand further views cost, to whom has used up what is free.
    pub(crate) fn thousand_views(&self) -> Money {
        self.lines.iter().map(|line| line.thousand_views).sum()
    }

    /// Whether one of its prices was not read on the provider's own page.
    pub(crate) fn is_estimate(&self) -> bool {
        let minimum = self.minimum.iter();
        (self.lines.iter().map(|line| &line.price))
            .chain(minimum)
            .any(|price| price.estimate)
    }
}

/// How the Worker is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PricePlan {
    /// Nothing, and no more than 100,000 requests a day.
    Free,
    /// $5 a month, and what is beyond its included requests and CPU time.
    Paid,
}

/// Whether a month's free amounts are this month's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Included {
    Free,
    /// Something else of the account uses them up.
    UsedUp,
}

impl Included {
    /// A charge for what is there whether it is watched or not.
    fn fixed(self, price: &Price, amount: u128) -> CostLine {
        self.line(price, amount, 0)
    }

    /// A charge that grows with views: for this amount, and what a thousand further ones take.
    fn line(self, price: &Price, amount: u128, thousand: u128) -> CostLine {
        let price = match self {
            Self::Free => price.clone(),
            Self::UsedUp => price.used_up(),
        };
        CostLine {
            amount,
            cost: price.charge(amount),
            thousand_views: price.further(thousand, amount),
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
    let Prices { r2, workers, .. } = prices;
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
    Quote::new("Lectern (R2 and Workers)", lines)
}

/// What publishing all of it once costs, at listed prices, with nothing free.
pub(crate) fn publishing(month: &Month, prices: &Prices) -> Money {
    let (writes, workers) = (month.all_writes, &prices.workers);
    prices.r2.class_a.further(writes, 0)
        + workers.requests.further(writes, 0)
        + workers.cpu.further(writes * month.cpu_micros, 0)
}

/// Whether the free plan has the requests of this month, spread evenly over its days.
pub(crate) fn fits_free_plan(month: &Month, prices: &Prices) -> bool {
    let price = &prices.workers.free_requests;
    month.month.requests + month.new_writes <= u128::from(price.included) * price.unit.size()
}

/// The same month elsewhere. What serves our packages to our players loads what they load; services with players of their own
/// are charged with what is watched, and what they keep beside the ladder is left out.
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
