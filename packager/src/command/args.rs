//! What can be typed.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::storage::Store;

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct HlsArgs {
    /// INPUT is the URL of a playlist of another platform: its best Variant Stream is fetched, with its
    /// sounds.
    #[arg(long, requires = "allow_host")]
    pub(crate) hls: bool,
    /// A host that may be asked for it, with its port if it has one; no other is. May be repeated.
    #[arg(long, value_name = "HOST", requires = "hls")]
    pub(crate) allow_host: Vec<String>,
}

/// How a bucket or an edge is reached.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReachArgs {
    /// Where the bucket's S3 API is, for `r2://` [default: R2_ACCOUNT_ID's] and `s3://` [default: AWS_ENDPOINT_URL, else Amazon's].
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Send links to another machine over HTTP without TLS, where everybody on the way can read and use them.
    #[arg(long)]
    pub(crate) allow_plain_http: bool,
}

impl ReachArgs {
    /// The same without an endpoint.
    fn without_endpoint(&self) -> Self {
        Self {
            endpoint: None,
            ..self.clone()
        }
    }

    /// The same for this place: an endpoint is for buckets.
    pub(crate) fn of(&self, place: &str) -> Self {
        match is_bucket(place) {
            true => self.clone(),
            false => self.without_endpoint(),
        }
    }
}

fn is_bucket(place: &str) -> bool {
    place.starts_with("r2:") || place.starts_with("s3:")
}

#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Where to: `r2://bucket/prefix`, `s3://bucket/prefix`, `file:///dir`, or `http(s)://edge/prefix` through the edge.
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

impl TargetArgs {
    pub(crate) fn open(&self) -> anyhow::Result<Store> {
        Store::open(&self.target, &self.reach)
    }

    /// The endpoint may be the input's alone.
    pub(crate) fn open_for(&self, input: &Path) -> anyhow::Result<Store> {
        let of_input = !is_bucket(&self.target) && input.to_str().is_some_and(is_bucket);
        match of_input {
            true => Store::open(&self.target, &self.reach.without_endpoint()),
            false => self.open(),
        }
    }
}

/// `90s`, `30m`, `6h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as `90s`, `30m`, `6h` or `7d`");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let amount: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    amount
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_number_and_a_unit() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("6h", Some(21_600)),
            ("7d", Some(604_800)),
            ("6", None),
            ("h", None),
            ("-1h", None),
            ("1ö", None),
            ("", None),
            ("99999999999999999999d", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(
                duration(text).ok().map(|time| time.as_secs()),
                expected,
                "{text}"
            );
        }
    }
}
