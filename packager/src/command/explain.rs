//! `lectern explain`: why does this URL (not) open? Without keys it shows what a credential claims to say; with keys,
//! which check fails first, by the same code that decides at the edge.

use std::fmt::Write as _;
use std::net::IpAddr;

use anyhow::{Context as _, Result};
use chrono::DateTime;
use lectern::config::Config;
use lectern::credential::claims::Claims;
use lectern::credential::link;
use lectern::credential::pass::{self, Pass, PassKind};
use lectern::decide::{Decision, decide};
use lectern::http::problem::{Reason, Refusal};
use lectern::object::key::ObjectKey;
use lectern::request::{Request, split_url};
use serde::Serialize;

use crate::clock;
use crate::exit::Exit;
use crate::failure::Reported;
use crate::storage::keys::{KeysError, keys_text};
use clap::Args;

/// What is known of a URL, in the order in which it is shown.
#[derive(Debug, Serialize)]
struct Explanation {
    /// The canonical object key.
    object: Option<String>,
    credential: Option<String>,
    claims: Vec<(&'static str, String)>,
    /// `None` where there are no keys to check with.
    opens: Option<bool>,
    verdict: String,
    advice: Option<&'static str>,
}

/// Where the request is supposed to come from.
struct Requester<'args> {
    method: &'args str,
    address: Option<IpAddr>,
    country: Option<&'args str>,
    page: Option<&'args str>,
}

pub(crate) fn run(args: &ExplainArgs) -> Result<()> {
    let keys = match keys_text() {
        Ok(text) => Some(text),
        Err(KeysError::None) => None,
        Err(error) => return Err(error.into()),
    };
    let config = keys
        .map(|keys| {
            Config::from_lookup(|name| match name {
                "LECTERN_KEYS" => Some(keys.clone()),
                other => std::env::var(other).ok(),
            })
        })
        .transpose()
        .context("cannot check")?;
    let from = Requester {
        method: &args.method,
        address: args.address,
        country: args.country.as_deref(),
        page: args.page.as_deref(),
    };
    let report = report(&args.url, &from, config.as_ref(), clock::unix(clock::now()));
    if args.json {
        super::print(&serde_json::to_string(&report).context("cannot write JSON")?)?;
    } else {
        super::print(text(&report).trim_end())?;
    }
    match report.opens {
        Some(false) => Err(Reported(Exit::Refused).into()),
        _ => Ok(()),
    }
}

/// Everything that can be said of a URL. Pure.
fn report(url: &str, from: &Requester<'_>, config: Option<&Config>, now: u64) -> Explanation {
    let Some((origin, path, query)) = split_url(url) else {
        return Explanation {
            object: None,
            credential: None,
            claims: Vec::new(),
            opens: Some(false),
            verdict: "this is no URL such as `https://video.example.org/courses/rails/master.m3u8`"
                .into(),
            advice: Some("give the whole URL, in quotes: shells read `&` and `?`"),
        };
    };
    let in_path = path
        .strip_prefix("/~")
        .and_then(|rest| rest.split_once('/'));
    let object_path = in_path.map_or(path, |(pass, _)| &path[2 + pass.len()..]);
    let parameter = |wanted: &str| {
        query?
            .split('&')
            .find_map(|parameter| parameter.strip_prefix(wanted)?.strip_prefix('='))
    };
    let (credential, claims) = match (in_path, parameter("p"), parameter("token")) {
        (Some((text, _)), ..) => of_pass("pass in the path", text, now),
        (None, Some(text), _) => of_pass("pass", text, now),
        (None, None, Some(token)) => of_link(token, now),
        (None, None, None) => (None, Vec::new()),
    };
    let header = |name: &str| match name {
        "cf-connecting-ip" => from.address.map(|address| address.to_string()),
        "origin" => from.page.map(str::to_owned),
        // The body itself is not the question.
        "content-length" => Some("0".to_owned()),
        _ => None,
    };
    let request = Request {
        method: from.method,
        origin,
        path,
        query,
        header: &header,
        country: &|| from.country.map(str::to_owned),
    };
    let (opens, verdict, advice) = match config.map(|config| decide(&request, config, now)) {
        None => (
            None,
            "not checked: there are no keys here".to_owned(),
            Some("set LECTERN_KEYS to check the signature and what follows"),
        ),
        Some(Decision::Refuse(refusal)) => {
            let code = refusal.problem.code();
            (
                Some(false),
                format!(
                    "refused, {} `{code}`: {}",
                    refusal.problem.status(),
                    in_words(&refusal, now)
                ),
                advice(code, refusal.reason),
            )
        }
        Some(Decision::Redirect(_)) => (
            Some(true),
            "opens, below a pass in the path".to_owned(),
            None,
        ),
        Some(Decision::Read(read)) if read.opens_nothing() => (
            Some(false),
            "refused, 403 `forbidden`: a link with `max_height`, `preview` or `langs` opens playlists, \
             and by its name this is none"
                .to_owned(),
            Some("link to the playlist: what it lists opens through it"),
        ),
        Some(_) => (
            Some(true),
            "opens; whether there is such an object only the bucket knows".to_owned(),
            None,
        ),
    };
    Explanation {
        object: ObjectKey::from_url_path(object_path)
            .ok()
            .map(|key| key.to_string()),
        credential,
        claims,
        opens,
        verdict,
        advice,
    }
}

fn of_link(token: &str, now: u64) -> (Option<String>, Vec<(&'static str, String)>) {
    match link::decode(token) {
        Ok((kid, claims)) => (
            Some(format!("link under the key `{kid}`")),
            of_claims(&claims, now),
        ),
        Err(error) => (Some(format!("no link: {error}")), Vec::new()),
    }
}

fn of_claims(claims: &Claims, now: u64) -> Vec<(&'static str, String)> {
    // Claims serialize without fail, and what is shown is what was minted.
    let Ok(serde_json::Value::Object(all)) = serde_json::to_value(claims) else {
        return Vec::new();
    };
    lectern::credential::claims::CLAIMS
        .into_iter()
        .filter_map(|name| {
            let value = all.get(name)?;
            let shown = match (name, value.as_u64()) {
                ("exp" | "nbf" | "iat", Some(time)) => when(time, now),
                ("watch", Some(seconds)) => span(seconds),
                _ => value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            };
            Some((name, shown))
        })
        .collect()
}

fn of_pass(name: &str, text: &str, now: u64) -> (Option<String>, Vec<(&'static str, String)>) {
    let Pass {
        kind,
        expires,
        bound: (network, country),
    } = match pass::decode(text) {
        Ok(pass) => pass,
        Err(error) => return (Some(format!("no {name}: {error}")), Vec::new()),
    };
    let opens = match kind {
        PassKind::Object => "this object, as it is stored".to_owned(),
        PassKind::Playlist { .. } => "this playlist, and through passes what it lists".to_owned(),
        PassKind::AssetList { .. } => "this list of assets".to_owned(),
        PassKind::Storyboard { .. } => {
            "this storyboard, and through passes the images that it names".to_owned()
        }
        PassKind::Directory { depth } => format!("everything below the first {depth} folders"),
        PassKind::Restricted { preview: None, .. } => "this Media Playlist alone".to_owned(),
        PassKind::Restricted {
            preview: Some((from, to)),
            ..
        } => format!("this Media Playlist, from second {from} to second {to}"),
    };
    let mut claims = vec![("opens", opens), ("expires", when(expires, now))];
    if network {
        claims.push(("bound to", "the network its link was opened in".to_owned()));
    }
    if country {
        claims.push(("bound to", "the country its link was opened in".to_owned()));
    }
    (Some(name.to_owned()), claims)
}

/// What to do next.
fn advice(code: &str, reason: Reason) -> Option<&'static str> {
    Some(match (code, reason) {
        ("missing_token", _) => "mint a link: `lectern link URL`",
        ("expired", _) => "mint a new link; a lecture that is open goes on for its `watch`",
        ("bad_path", _) => "upload it under a plain name, and link to that",
        ("bad_request", _) => "give one `token` or one `p`, once",
        ("method_not_allowed", _) => "the edge has GET, HEAD, PUT, POST, DELETE and OPTIONS",
        (_, Reason::WrongKey) => "compare the edge's LECTERN_KEYS with the course app's",
        (_, Reason::WrongMac) => {
            "a pass opens the one URL it stands on: reload the playlist that lists it"
        }
        (_, Reason::Path) => "mint a link whose `path` is this object or its folder",
        (_, Reason::Purpose) => "mint a link for this `use`",
        (_, Reason::TooFarAhead) => "let it expire sooner, or raise MAX_LINK_AGE",
        (_, Reason::Address) => "say whose address it is: `--address`",
        (_, Reason::Country) => "say which country it is: `--country`",
        (_, Reason::Origin) => "say whose page it is: `--page`",
        (_, Reason::Expired { .. } | Reason::NotYetValid { .. } | Reason::Other) => return None,
    })
}

/// The detail of a refusal, with its seconds since 1970 as a date.
fn in_words(refusal: &Refusal, now: u64) -> String {
    let detail = &refusal.detail;
    let (Reason::Expired { at: time } | Reason::NotYetValid { before: time }) = refusal.reason
    else {
        return detail.clone();
    };
    match detail.strip_suffix(&time.to_string()) {
        Some(before) => format!("{before}{}", when(time, now)),
        None => detail.clone(),
    }
}

/// A time, and how far it is from now: `2026-11-22T19:00:00Z, 3 minutes ago`.
fn when(time: u64, now: u64) -> String {
    let date = i64::try_from(time)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .map_or_else(
            || time.to_string(),
            |date| date.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        );
    match time.cmp(&now) {
        std::cmp::Ordering::Less => format!("{date}, {} ago", span(now - time)),
        std::cmp::Ordering::Equal => format!("{date}, now"),
        std::cmp::Ordering::Greater => format!("{date}, in {}", span(time - now)),
    }
}

/// A span in its largest unit: `3 minutes`.
fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn text(report: &Explanation) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<11} {value}");
    };
    line(
        "object",
        report
            .object
            .as_deref()
            .unwrap_or("none: the path names none"),
    );
    line(
        "credential",
        report.credential.as_deref().unwrap_or("none in the URL"),
    );
    for (name, value) in &report.claims {
        line(&format!("  {name}"), value);
    }
    line("verdict", &report.verdict);
    if let Some(advice) = report.advice {
        line("do", advice);
    }
    out
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The URL, in quotes, with its link or pass.
    pub(crate) url: String,
    /// The request's method.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,
    /// Where the request comes from, for links and passes that are bound to it.
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<IpAddr>,
    /// The country that it comes from.
    #[arg(long, value_name = "CODE")]
    pub(crate) country: Option<String>,
    /// The origin of the page that asks.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) page: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use lectern::credential::link::mint;
    use lectern::object::key::Scope;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn config() -> Config {
        Config::from_lookup(|name| {
            (name == "LECTERN_KEYS").then(|| {
                r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#.to_owned()
            })
        })
        .expect("a config")
    }

    const NOWHERE: Requester<'_> = Requester {
        method: "GET",
        address: None,
        country: None,
        page: None,
    };

    fn link(path: &str, exp: u64) -> String {
        let claims = Claims {
            sub: Some("s42".to_owned()),
            watch: Some(7_200),
            ..Claims::new(Scope::parse(path).expect("a scope"), exp)
        };
        mint(config().keys.minting(), &claims)
    }

    fn explained(url: &str) -> String {
        text(&report(url, &NOWHERE, Some(&config()), NOW))
    }

    #[test]
    fn a_link_that_opens_is_shown_with_its_times_in_words() {
        let url = format!(
            "https://h/c/caf%C3%A9/master.m3u8?token={}",
            link("/c/café/", NOW + 3 * 3600)
        );
        assert_snapshot!(explained(&url), @r"
        object      c/café/master.m3u8
        credential  link under the key `k`
          path      /c/café/
          exp       2027-01-15T11:00:00Z, in 3 hours
          sub       s42
          watch     2 hours
        verdict     opens; whether there is such an object only the bucket knows
        ");
    }

    #[test]
    fn a_restricted_link_opens_no_segment_by_itself() {
        let claims = Claims {
            max_height: Some(480),
            ..Claims::new(Scope::parse("/c/").expect("a scope"), NOW + 60)
        };
        let token = mint(config().keys.minting(), &claims);
        let report = |name: &str| {
            let url = format!("https://h/c/{name}?token={token}");
            report(&url, &NOWHERE, Some(&config()), NOW)
        };
        let segment = report("v/1/480p/seg00000.m4s");
        assert_eq!(segment.opens, Some(false), "{}", segment.verdict);
        assert!(
            segment.verdict.contains("opens playlists"),
            "{}",
            segment.verdict
        );
        for name in ["master.m3u8", "v/1/unnamed"] {
            assert_eq!(report(name).opens, Some(true), "{name}");
        }
    }

    #[test]
    fn the_first_check_that_fails_is_named_with_what_to_do() {
        let expired = link("/c/", NOW - 180);
        let right = link("/c/", NOW + 60);
        let forged = format!("{}AAAA", &right[..right.len() - 4]);
        for (url, verdict) in [
            (
                format!("https://h/c/a?token={expired}"),
                "refused, 403 `expired`: the link expired at 2027-01-15T07:57:00Z, 3 minutes ago",
            ),
            (
                format!("https://h/c/a?token={forged}"),
                "refused, 403 `forbidden`: the signature is wrong",
            ),
            (
                format!("https://h/d/a?token={right}"),
                "refused, 403 `forbidden`: the link's path does not contain this object",
            ),
            (
                format!("https://h/c/..%2fa?token={right}"),
                "refused, 400 `bad_path`: the path has an encoded slash or backslash",
            ),
            (
                "https://h/c/a".to_owned(),
                "refused, 401 `missing_token`: no credential",
            ),
            (
                "https://h/c/a?p=EAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
                "refused, 403 `forbidden`: no key has the pass's hint",
            ),
        ] {
            let report = report(&url, &NOWHERE, Some(&config()), NOW);
            assert_eq!(report.verdict, verdict, "{url}");
            assert_eq!(report.opens, Some(false));
        }
        let forged_url = format!("https://h/c/a?token={forged}");
        let advice = report(&forged_url, &NOWHERE, Some(&config()), NOW).advice;
        assert_eq!(
            advice,
            Some("compare the edge's LECTERN_KEYS with the course app's")
        );
    }

    #[test]
    fn without_keys_it_shows_what_is_claimed_and_says_that_nothing_was_checked() {
        let url = "https://h/c/v/p.m3u8?p=Ed1rSdIAAtV8EJiMDnJs5cVRqi7TVAk";
        assert_snapshot!(text(&report(url, &NOWHERE, None, NOW)), @r"
        object      c/v/p.m3u8
        credential  pass
          opens     this playlist, and through passes what it lists
          expires   2027-01-15T08:00:00Z, now
        verdict     not checked: there are no keys here
        do          set LECTERN_KEYS to check the signature and what follows
        ");
    }

    #[test]
    fn spans_are_shown_in_their_largest_unit() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (179, "2 minutes"),
            (7_199, "1 hour"),
            (86_400, "1 day"),
            (2_592_000, "30 days"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }
}
