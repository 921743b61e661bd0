//! Prices and sums from independent sources.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser as _;
use serde_json::Value;

use super::money::Money;
use super::prices::{Price, PriceUnit, Prices};
use super::{CostArgs, CostError, answer};

const GB: u128 = 1_000_000_000;
const MILLION: u128 = 1_000_000;

fn prices() -> Prices {
    Prices::known().expect("prices")
}

/// Output of `lectern cost` with a line of arguments.
fn asked(line: &str) -> String {
    tried(line).expect("an answer")
}

fn tried(line: &str) -> anyhow::Result<String> {
    let words = ["cost"].into_iter().chain(line.split_whitespace());
    #[derive(clap::Parser)]
    struct CostCli {
        #[command(flatten)]
        args: CostArgs,
    }
    let line = CostCli::try_parse_from(words).expect("arguments");
    answer(&line.args, &prices())
}

fn json(line: &str) -> Value {
    serde_json::from_str(&asked(&format!("{line} --json"))).expect("JSON")
}

/// A provider's charge by its name.
fn charge<'a>(quote: &'a Value, what: &str) -> &'a Value {
    let mut charges = quote["charges"].as_array().expect("charges").iter();
    charges
        .find(|charge| charge["what"] == what)
        .unwrap_or_else(|| panic!("no {what} in {quote:#}"))
}

fn elsewhere<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let mut quotes = answer["elsewhere"].as_array().expect("quotes").iter();
    quotes
        .find(|quote| quote["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {answer:#}"))
}

fn charged(price: &Price, cases: &[(u128, &str)]) {
    for (amount, expected) in cases {
        let cost = price.charge(*amount).exact();
        assert_eq!(cost, *expected, "{} {amount}", price.what);
    }
}

#[test]
fn r2_rounds_up_and_what_is_free_is_free_to_the_last() {
    let r2 = prices().r2;
    charged(
        &r2.storage,
        &[
            (0, "0.00"),
            (10 * GB, "0.00"),
            (10 * GB + 1, "0.015"),
            (11 * GB, "0.015"),
            // Cloudflare's own example: 1.1 GB-month are billed as 2.
            (11 * GB + GB / 10, "0.03"),
            // And another: 1,000 GB-months, of which 990 are charged.
            (1_000 * GB, "14.85"),
        ],
    );
    charged(
        &r2.class_a,
        &[
            (MILLION, "0.00"),
            (MILLION + 1, "4.50"),
            (2 * MILLION, "4.50"),
            (2 * MILLION + 1, "9.00"),
        ],
    );
    charged(
        &r2.class_b,
        &[
            (10 * MILLION, "0.00"),
            (10 * MILLION + 1, "0.36"),
            // Cloudflare's example of hosting: ten million reads a day.
            (300 * MILLION, "104.40"),
        ],
    );
}

#[test]
fn workers_are_charged_for_parts_of_a_million() {
    let workers = prices().workers;
    // Cloudflare's examples: 15 and 100 million requests of 7 ms, and 720 of 180 s.
    charged(
        &workers.requests,
        &[
            (10 * MILLION, "0.00"),
            (10 * MILLION + 1, "0.0000003"),
            (15 * MILLION, "1.50"),
            (100 * MILLION, "27.00"),
        ],
    );
    let millisecond = 1_000;
    charged(
        &workers.cpu,
        &[
            (30 * MILLION * millisecond, "0.00"),
            (15 * MILLION * 7 * millisecond, "1.50"),
            (100 * MILLION * 7 * millisecond, "13.40"),
            (720 * 180_000 * millisecond, "1.992"),
        ],
    );
    charged(&workers.subscription, &[(1, "5.00")]);
}

#[test]
fn amazons_prices_fall_with_what_is_used_and_begin_behind_what_is_free() {
    let Prices { s3, cloudfront, .. } = prices();
    charged(
        &s3.out,
        &[
            (100 * GB, "0.00"),
            (1_100 * GB, "90.00"),
            (10_000 * GB, "891.00"),
            (10_001 * GB, "891.085"),
            (200_000 * GB, "13791.00"),
        ],
    );
    charged(
        &cloudfront.out,
        &[
            (1_000 * GB, "0.00"),
            (2_000 * GB, "85.00"),
            (10_000 * GB, "765.00"),
            (11_000 * GB, "845.00"),
        ],
    );
    charged(
        &cloudfront.requests,
        &[(10 * MILLION, "0.00"), (11 * MILLION, "1.00")],
    );
    charged(
        &s3.storage,
        &[(50_000 * GB, "1150.00"), (50_001 * GB, "1150.022")],
    );
    charged(&s3.get, &[(1, "0.0000004"), (MILLION, "0.40")]);
    charged(&s3.put, &[(1_000, "0.005")]);
}

#[test]
fn services_are_charged_by_minutes() {
    let prices = prices();
    charged(
        &prices.stream.storage,
        &[(1, "5.00"), (60_000, "5.00"), (60_001, "10.00")],
    );
    charged(
        &prices.stream.delivery,
        // Cloudflare's example: two people, thirty minutes each.
        &[(60 * 60, "0.06"), (60_000, "1.00")],
    );
    charged(
        &prices.mux_720.delivery,
        &[(100_000 * 60, "0.00"), (101_000 * 60, "0.80")],
    );
    charged(&prices.mux_1080.storage, &[(1_000 * 60, "3.00")]);
    charged(
        &prices.bunny.out,
        &[(1_000 * GB, "5.00"), (500_001 * GB, "2500.004")],
    );
}

#[test]
fn usage_beyond_the_included_amount_has_the_price_of_its_tier() {
    let Prices { r2, s3, .. } = prices();
    let used_up = |price: &Price, amount| price.without_included().charge(amount).exact();
    assert_eq!(used_up(&r2.storage, 700 * GB), "10.50");
    assert_eq!(used_up(&r2.class_b, 1), "0.36");
    for (amount, expected) in [
        (0, "90.00"),
        (9_999 * GB, "90.00"),
        (10_000 * GB, "85.00"),
        (1_000_000 * GB, "50.00"),
    ] {
        let more = s3.out.marginal_price(1_000 * GB, amount).exact();
        assert_eq!(more, expected, "{amount}");
    }
    assert_eq!(r2.class_b.marginal_price(675_000, 0).exact(), "0.243");
}

#[test]
fn every_price_says_when_and_where_it_was_seen() {
    let data: Value = serde_json::from_str(include_str!("prices.json")).expect("JSON");
    let mut found = vec![];
    walk(&data, &mut found);
    assert_eq!(found.len(), 31);
    for price in &found {
        let (as_of, source) = (&price["as_of"], &price["source"]);
        let day = chrono::NaiveDate::parse_from_str(as_of.as_str().expect("a day"), "%Y-%m-%d");
        assert!(day.is_ok(), "{price}");
        let unit: PriceUnit = serde_json::from_value(price["unit"].clone()).expect("a unit");
        assert_eq!(price["unit"], unit.name());
        let source = source.as_str().expect("a URL");
        assert!(source.starts_with("https://"), "{price}");
    }
    let names: BTreeSet<_> = found
        .iter()
        .map(|price| price["what"].to_string())
        .collect();
    // Mux has two sets of the same prices.
    assert_eq!(names.len(), 31 - 3);
}

fn walk<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) if fields.contains_key("unit") => found.push(value),
        Value::Object(fields) => fields.values().for_each(|value| walk(value, found)),
        _ => {}
    }
}

#[test]
fn the_sums_of_the_tutorial_come_out() {
    // A hundred courses of 7 GB, ten hours each: $10.50 a month.
    let courses = "--minutes 60000 --gigabytes 700 --views 0";
    let answer = json(&format!("{courses} --no-included"));
    assert_eq!(charge(&answer["lectern"], "R2 storage")["cost"], "10.50");
    assert_eq!(
        charge(&json(courses)["lectern"], "R2 storage")["cost"],
        "10.35"
    );

    // $90 for a TB that leaves S3.
    let terabyte = prices().s3.out.without_included().charge(1_000 * GB);
    assert_eq!(terabyte.exact(), "90.00");
}

#[test]
fn separate_audio_adds_675_requests_a_view() {
    // Audio in the video segments, as in the tutorial: $0.46 for a thousand views, of which $0.2025
    // are the Worker's requests, $0.243 reads, and the rest playlists and CPU.
    let muxed = json("--minutes 45 --views 1000 --rungs 480 --container ts");
    assert_eq!(muxed["view"]["segments"], 675);
    assert_eq!(muxed["view"]["requests"], 677);
    let thousand = muxed["lectern"]["thousand_views"].as_str();
    assert_eq!(thousand, Some("0.46036"));
    assert_eq!(
        Money::parse("0.46036").map(|money| money.to_string()),
        Some("$0.46".to_owned())
    );

    // CMAF packages have separate audio segments, which players request as often.
    let apart = json("--minutes 45 --views 1000");
    assert_eq!(apart["view"]["audio_segments"], 675);
    assert_eq!(apart["view"]["requests"], 1_359);
    assert_eq!(apart["lectern"]["thousand_views"], "0.92412");
    // Three quarters from the cache: reads of immutable objects.
    let cached = json("--minutes 45 --views 1000 --hit-ratio 0.75");
    let reads = &charge(&cached["lectern"], "R2 Class B operations")["amount"];
    assert_eq!(reads, "0.3435", "5 playlists and a quarter of 1,354");
    let longer = json("--minutes 45 --views 1000 --segment-duration 6");
    assert_eq!(longer["view"]["segments"], 450);
}

#[test]
fn a_short_view_loads_ten_minutes_ahead_and_services_charge_the_watched_minutes() {
    let early = json("--minutes 45 --views 1000 --watched 5");
    assert_eq!(early["view"]["segments"], 225, "five and ten minutes");
    let stream = elsewhere(&early, "Cloudflare Stream");
    let delivered = charge(stream, "Cloudflare Stream, delivered");
    assert_eq!(delivered["cost"], "5.00");
    // A view never loads more than the lecture.
    let nearly = json("--minutes 45 --views 1000 --watched 40");
    assert_eq!(nearly["view"]["segments"], 675);
}

#[test]
fn the_free_plan_ends_at_100_000_requests_a_day() {
    let line = "--minutes 45 --lecture-minutes 45 --container ts --rungs 480 --plan free --views";
    // 677 requests each, in thirty days.
    let fits = json(&format!("{line} 4431"));
    assert_eq!(fits["fits_plan"], true);
    assert_eq!(fits["lectern"]["cost"], "0.00");
    let refused = json(&format!("{line} 4432"));
    assert_eq!(refused["fits_plan"], false);
    assert!(asked(&format!("{line} 4432")).contains("it refuses some of these"));
    assert_eq!(json("--minutes 45 --views 9999999")["fits_plan"], true);
}

#[test]
fn remembering_a_viewer_costs_a_fiftieth_of_a_cent_at_most() {
    let plain = json("--minutes 45 --views 1000 --no-included");
    let known = json("--minutes 45 --views 1000 --no-included --viewers");
    let cost = |answer: &Value| {
        let cost = answer["lectern"]["cost"].as_str().and_then(Money::parse);
        cost.expect("money")
    };
    // A thousand views.
    let remembered = Money::parse("0.20").expect("money");
    assert!(cost(&known) <= [cost(&plain), remembered].into_iter().sum());
    assert!(cost(&known) > cost(&plain));
    let calls = known["view"]["ledger_calls"].as_u64().expect("a number");
    assert!(calls <= 120, "{calls}");
    assert_eq!(plain["view"]["ledger_calls"], 0);
    // The free plan has 100,000 a day.
    let line = "--minutes 45 --lecture-minutes 45 --container ts --rungs 480 --plan free --viewers";
    assert_eq!(json(&format!("{line} --views 4431"))["fits_plan"], true);
}

#[test]
fn publishing_costs_one_write_an_object_and_encoding_at_other_services() {
    let answer = json("--minutes 60000 --new-minutes 450 --views 0");
    let writes = answer["lecture"]["writes"].as_u64().expect("a number");
    let class_a = charge(&answer["lectern"], "R2 Class A operations");
    let expected = format!("{:.6}", (writes * 10) as f64 / 1e6);
    assert_eq!(class_a["amount"], expected.trim_end_matches('0'));
    let input = charge(elsewhere(&answer, "Mux"), "Mux encoding, plus");
    assert_eq!(input["cost"], "14.0625");
    assert_eq!(
        answer["publishing_all"]["writes"].as_u64(),
        Some(writes * 1_334)
    );
}

#[test]
fn a_least_charge_is_charged() {
    let answer = json("--minutes 1 --views 1");
    let bunny = elsewhere(&answer, "Bunny Stream");
    assert_eq!(bunny["cost"], "1.00");
    assert_ne!(charge(bunny, "Bunny volume network")["cost"], "1.00");
}

#[test]
fn sums_are_those_of_their_lines() {
    let answer = json("--minutes 12345.67 --views 54321 --watched 31.5 --new-minutes 900");
    let quotes = answer["elsewhere"].as_array().expect("a list").iter();
    for quote in quotes.chain([&answer["lectern"]]) {
        let sum: Money = (quote["charges"].as_array().expect("a list").iter())
            .map(|charge| {
                let cost = charge["cost"].as_str().and_then(Money::parse);
                cost.expect("money")
            })
            .sum();
        assert_eq!(quote["cost"], sum.exact(), "{quote}");
    }
}

#[test]
fn contradictory_arguments_are_refused_with_a_hint() {
    for (line, expected) in [
        (
            "--minutes 45 --views 1 --watched 46",
            "`--watched` is longer than a lecture",
        ),
        (
            "--minutes 45 --views 1 --new-minutes 46",
            "`--new-minutes` are more than are stored",
        ),
        (
            "--minutes 45 --views 1 --rungs 1080,721",
            "the bit rate of `721p` is not known",
        ),
        (
            "--minutes 9000 --lecture-minutes 1441 --views 1",
            "lectures of more than 86,400 seconds are not packaged",
        ),
        (
            "--minutes 45 --gigabytes 451 --views 1",
            "`--gigabytes` are more than 10 for each minute that is stored",
        ),
    ] {
        let error = tried(line).expect_err(line);
        assert_eq!(error.to_string(), expected, "{line}");
        let cause: Option<&CostError> = error.chain().find_map(|cause| cause.downcast_ref());
        let hint = cause.expect(line).hint();
        assert!(!hint.is_empty(), "{line}");
    }
}

#[test]
fn the_largest_month_that_may_be_asked_for_has_an_answer() {
    let answer = json(
        "--minutes 1000000000 --new-minutes 1000000000 --views 1000000000 --gigabytes 1000000000 \
         --lecture-minutes 1440 --segment-duration 1 --rungs 1080,720,480,360,240 --cpu-ms 300000",
    );
    assert_eq!(answer["view"]["segments"], 86_400);
    assert_eq!(answer["stored"]["bytes"], 1_000_000_000_000_000_000_u64);
}

#[test]
fn the_answer_is_a_table() {
    insta::assert_snapshot!(
        asked("--minutes 4500 --views 4500 --container ts --rungs 480 --plan free --no-included"),
        @r#"
        4,500 minutes of lectures (480: 36.45 GB), 4,500 views a month of 45 of 45 minutes.
        A view is 677 requests: 2 playlists, 0 initialization sections, 675 video segments, 0 audio segments.

        Lectern (R2 and Workers)            amount  of                    each  included        cost
        R2 storage                           36.45  GB-month            $0.015                 $0.56
        R2 Class A operations                    0  million requests     $4.50                 $0.00
        R2 Class B operations                3.047  million requests     $0.36                 $1.44
        Workers requests, free plan          3.047  million requests     $0.00                 $0.00
        a month                                                                              $2.00

        The same month                                    cost               a thousand views more
        Lectern (R2 and Workers)                         $2.00                               $0.24
        S3 alone *                                      $75.87                              $16.67
        S3 and CloudFront *                             $74.81                              $16.44
        Mux *                                          $172.80                              $36.00
        Cloudflare Stream                              $227.50                              $45.00
        Bunny Stream *                                   $4.47                               $0.91

        Publishing all of it once: 69,800 writes, $0.34 where nothing is free.
        The free plan ends at 100,000 requests a day: it refuses some of these. `--plan paid` does not.
        List prices in US dollars without taxes, as known between 2025-06-01 and 2026-09-20.
        * one of its prices was not read on the provider's own page: see `--json`.
        "#
    );
}

#[test]
fn the_table_in_the_documentation_is_what_is_answered() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cost.md");
    let shown = std::fs::read_to_string(&path).expect("docs/cost.md");
    let (before, rest) = shown.split_once("```text\n").expect("an answer");
    let (_, after) = rest.split_once("```\n").expect("its end");
    let question = before
        .lines()
        .find_map(|line| line.strip_prefix("lectern cost "))
        .expect("a question");
    let expected = format!("{before}```text\n{}```\n{after}", asked(question));
    if std::env::var_os("LECTERN_BLESS").is_some() {
        std::fs::write(&path, &expected).expect("it is written");
        return;
    }
    assert!(
        shown == expected,
        "write docs/cost.md with LECTERN_BLESS=1 and read the diff"
    );
}
