//! Prices in `prices.json`, and the calculation of charges. Pure.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::money::Money;

const DATA: &str = include_str!("prices.json");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    pub(crate) assumptions: Assumptions,
    pub(crate) r2: R2,
    pub(crate) workers: Workers,
    pub(crate) ledgers: Ledgers,
    pub(crate) kv: Kv,
    pub(crate) s3: S3,
    pub(crate) cloudfront: CloudFront,
    pub(crate) mux_720: Mux,
    pub(crate) mux_1080: Mux,
    pub(crate) stream: PerMinute,
    pub(crate) bunny: Bunny,
}

/// Assumptions other than prices, each with its source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assumptions {
    pub(crate) ladder: LadderRates,
    pub(crate) worker: WorkerTime,
    pub(crate) player: PlayerBuffer,
    pub(crate) viewers: ViewerMemory,
}

/// Average kbit/s of the packager's output.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LadderRates {
    pub(crate) rungs: Vec<RungRate>,
    pub(crate) audio: u64,
    /// I-frames.
    pub(crate) iframes: u64,
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RungRate {
    pub(crate) side: u32,
    pub(crate) kbits: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkerTime {
    pub(crate) cpu_micros_per_request: u64,
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlayerBuffer {
    /// Seconds that a player loads ahead, which a leaving viewer requested without watching.
    pub(crate) ahead_seconds: u64,
    pub(crate) source: String,
}

/// Requests of a view that the edge remembers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewerMemory {
    /// Requests to Durable Objects at the opening, then in each interval, and for progress.
    pub(crate) opening_calls: u64,
    pub(crate) seconds_per_call: u64,
    pub(crate) progress_calls: u64,
    pub(crate) rows_per_call: u64,
    /// Rows that setting alarms writes.
    pub(crate) alarm_rows: u64,
    /// Time that a Durable Object runs for a request.
    pub(crate) micros_per_call: u64,
    /// Interval at which an isolate reads the list of revocations.
    pub(crate) seconds_per_list: u64,
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledgers {
    pub(crate) requests: Price,
    pub(crate) rows: Price,
    pub(crate) duration: Price,
    pub(crate) free_requests: Price,
    pub(crate) free_rows: Price,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kv {
    pub(crate) reads: Price,
    pub(crate) free_reads: Price,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct R2 {
    pub(crate) storage: Price,
    pub(crate) class_a: Price,
    pub(crate) class_b: Price,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workers {
    pub(crate) subscription: Price,
    pub(crate) requests: Price,
    pub(crate) cpu: Price,
    pub(crate) free_requests: Price,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct S3 {
    pub(crate) storage: Price,
    pub(crate) put: Price,
    pub(crate) get: Price,
    pub(crate) out: Price,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloudFront {
    pub(crate) out: Price,
    pub(crate) requests: Price,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mux {
    pub(crate) input: Price,
    pub(crate) storage: Price,
    pub(crate) delivery: Price,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerMinute {
    pub(crate) storage: Price,
    pub(crate) delivery: Price,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bunny {
    pub(crate) storage: Price,
    pub(crate) out: Price,
    /// Minimum charge for a month.
    pub(crate) minimum: Price,
}

impl Prices {
    pub(crate) fn known() -> Result<Self> {
        serde_json::from_str(DATA).context("cannot read the prices that are built in")
    }
}

/// Units of prices. Amounts are in the smallest unit: bytes, requests, rows, CPU microseconds,
/// GB-microseconds, seconds of video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum PriceUnit {
    #[serde(rename = "month")]
    Month,
    #[serde(rename = "GB-month")]
    GbMonth,
    #[serde(rename = "GB")]
    Gb,
    #[serde(rename = "1,000 requests")]
    ThousandRequests,
    #[serde(rename = "10,000 requests")]
    TenThousandRequests,
    #[serde(rename = "million requests")]
    MillionRequests,
    #[serde(rename = "million CPU-ms")]
    MillionCpuMs,
    #[serde(rename = "million rows")]
    MillionRows,
    #[serde(rename = "1,000 GB-s")]
    ThousandGbSeconds,
    #[serde(rename = "minute")]
    Minute,
    #[serde(rename = "1,000 minutes")]
    ThousandMinutes,
}

impl PriceUnit {
    /// Bytes, requests, microseconds or seconds in a unit. A GB is 10⁹ bytes for every provider;
    /// AWS counts 2³⁰, which would be 7 % fewer units.
    pub(crate) fn size(self) -> u128 {
        match self {
            Self::Month => 1,
            Self::GbMonth | Self::Gb => 1_000_000_000,
            Self::ThousandRequests => 1_000,
            Self::TenThousandRequests => 10_000,
            Self::MillionRequests | Self::MillionRows => 1_000_000,
            Self::MillionCpuMs => 1_000_000_000,
            Self::ThousandGbSeconds => 1_000_000_000,
            Self::Minute => 60,
            Self::ThousandMinutes => 60_000,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::GbMonth => "GB-month",
            Self::Gb => "GB",
            Self::ThousandRequests => "1,000 requests",
            Self::TenThousandRequests => "10,000 requests",
            Self::MillionRequests => "million requests",
            Self::MillionCpuMs => "million CPU-ms",
            Self::MillionRows => "million rows",
            Self::ThousandGbSeconds => "1,000 GB-s",
            Self::Minute => "minute",
            Self::ThousandMinutes => "1,000 minutes",
        }
    }
}

/// A listed price.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    pub(crate) what: String,
    pub(crate) dollars: Money,
    pub(crate) unit: PriceUnit,
    /// Lower prices above so many units, in ascending order.
    #[serde(default)]
    pub(crate) then: Vec<Tier>,
    /// Free units of every month, counted first.
    #[serde(default)]
    pub(crate) included: u64,
    /// A started unit is charged as a whole one.
    #[serde(default)]
    pub(crate) whole_units: bool,
    /// Day on which the price was last seen, and its address.
    pub(crate) as_of: String,
    pub(crate) source: String,
    /// The price comes from memory or a third party instead of the provider's own page.
    #[serde(default)]
    pub(crate) estimate: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tier {
    pub(crate) above: u64,
    pub(crate) dollars: Money,
}

impl Price {
    /// Monthly charge for `amount` bytes, requests, microseconds or seconds.
    pub(crate) fn charge(&self, amount: u128) -> Money {
        let size = self.unit.size();
        let amount = match self.whole_units {
            true => amount.next_multiple_of(size),
            false => amount,
        };
        let free = u128::from(self.included) * size;
        self.tiers()
            .map(|(from, to, dollars)| {
                let charged = amount.min(to).saturating_sub(from.max(free));
                dollars.for_each(charged, size)
            })
            .sum()
    }

    /// Listed price of `more` beyond `amount`, without free units and rounding.
    pub(crate) fn marginal_price(&self, more: u128, amount: u128) -> Money {
        let size = self.unit.size();
        self.tiers()
            .find(|(_, to, _)| amount < *to)
            .map_or(self.dollars, |(_, _, dollars)| dollars)
            .for_each(more, size)
    }

    /// The price without free units, which the rest of the account uses up.
    pub(crate) fn without_included(&self) -> Self {
        Self {
            included: 0,
            ..self.clone()
        }
    }

    /// Each price with its range.
    fn tiers(&self) -> impl Iterator<Item = (u128, u128, Money)> {
        let size = self.unit.size();
        let begins = move |at: usize| self.then.get(at).map(|tier| u128::from(tier.above) * size);
        let first = (0, begins(0).unwrap_or(u128::MAX), self.dollars);
        let then = self.then.iter().enumerate().map(move |(at, tier)| {
            let from = u128::from(tier.above) * size;
            (from, begins(at + 1).unwrap_or(u128::MAX), tier.dollars)
        });
        std::iter::once(first).chain(then)
    }
}
