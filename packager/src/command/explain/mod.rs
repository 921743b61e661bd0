//! `lectern explain`: reports which check of a URL fails first, with the code that decides at the
//! edge. Without keys it shows the credential's claims only.

mod credential;
mod time;

use std::fmt::Write as _;
use std::net::IpAddr;

use anyhow::{Context as _, Result};
use lectern::config::Config;
use lectern::credential::link;
use lectern::decide::{Decision, decide};
use lectern::http::problem::{Reason, Refusal};
use lectern::object::key::ObjectKey;
use lectern::playlist::steering::STEERING;
use lectern::request::{Request, split_url};
use serde::Serialize;

use crate::clock;
use crate::exit::Exit;
use crate::failure::Reported;
use crate::storage::error::StorageError;
use crate::storage::keys::{KeysError, keys_text};
use crate::storage::location::edge_url;
use clap::Args;
use credential::{explain_link, explain_pass, explain_steering};
use time::{format_time, tiny_unit};

/// The report about a URL, in the order in which it is printed.
#[derive(Debug, Serialize)]
struct Explanation {
    /// The canonical object key.
    object: Option<String>,
    credential: Option<String>,
    claims: Vec<(&'static str, String)>,
    /// `None` if there are no keys to check with.
    opens: Option<bool>,
    verdict: String,
    advice: Option<&'static str>,
}

/// The assumed origin of the request.
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
    let url = edge_url(&args.url).map_err(StorageError::from)?;
    let report = explain(&url, &from, config.as_ref(), clock::unix(clock::now()));
    if args.json {
        super::print(&serde_json::to_string(&report).context("cannot write JSON")?)?;
    } else {
        super::print(format_text(&report).trim_end())?;
    }
    match report.opens {
        Some(false) => Err(Reported(Exit::Refused).into()),
        _ => Ok(()),
    }
}

/// Explains a URL. Pure.
fn explain(url: &str, from: &Requester<'_>, config: Option<&Config>, now: u64) -> Explanation {
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
    let steered = path.strip_prefix(STEERING);
    let in_path = path
        .strip_prefix("/~")
        .and_then(|rest| rest.split_once('/'));
    let object_path = match in_path {
        Some((pass, _)) => &path[2 + pass.len()..],
        None => steered.unwrap_or(path),
    };
    let parameter = |name: &str| {
        query?
            .split('&')
            .find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
    };
    let (credential, claims) = match (in_path, parameter("p"), parameter("token")) {
        (Some((text, _)), ..) => explain_pass("pass in the path", text, now),
        (None, Some(text), _) => explain_pass("pass", text, now),
        (None, None, Some(token)) if steered.is_some() => explain_steering(token, now),
        (None, None, Some(token)) => explain_link(token, now),
        (None, None, None) => (None, Vec::new()),
    };
    let header = |name: &str| match name {
        "cf-connecting-ip" => from.address.map(|address| address.to_string()),
        "origin" => from.page.map(str::to_owned),
        // An upload without a body.
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
    let decision = config.map(|config| decide(&request, config, now));
    let (opens, verdict, advice) = match decision {
        None => (
            None,
            "not checked: there are no keys here".to_owned(),
            Some("set LECTERN_KEYS to check the signature and what follows"),
        ),
        Some(Decision::Refuse(refusal)) => {
            let code = refusal.problem.code();
            let tiny = in_tiny_units(&refusal, parameter("token"));
            let (detail, advice) = match tiny {
                Some((name, unit)) => (
                    format!("`{name}` is in {unit}, and the edge reads seconds since 1970"),
                    Some("mint the link with times in seconds: `Math.floor(Date.now() / 1000)`"),
                ),
                None => (
                    format_detail(&refusal, now),
                    advice(code, refusal.reason),
                ),
            };
            let status = refusal.problem.status();
            let verdict = format!("refused, {status} `{code}`: {detail}");
            (Some(false), verdict, advice)
        }
        Some(Decision::Steering(_)) => (
            Some(true),
            "answers with a steering manifest, if the playlist is stored".to_owned(),
            None,
        ),
        Some(Decision::Redirect(_)) => (
            Some(true),
            "opens, below a pass in the path".to_owned(),
            None,
        ),
        Some(Decision::Read(read)) if read.is_refused_by_name() => (
            Some(false),
            "refused, 403 `forbidden`: a link with `max_height`, `preview` or `langs` opens playlists, \
             and this name is not a playlist's"
                .to_owned(),
            Some("link to the playlist: it opens what it lists"),
        ),
        Some(_) => (
            Some(true),
            "opens; only the bucket knows whether the object exists".to_owned(),
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

/// The time of a link that is too far ahead because its unit is not a second, and its unit.
fn in_tiny_units(refusal: &Refusal, token: Option<&str>) -> Option<(&'static str, &'static str)> {
    if !matches!(
        refusal.reason,
        Reason::TooFarAhead | Reason::NotYetValid { .. }
    ) {
        return None;
    }
    let (_, claims) = link::decode(token?).ok()?;
    let times = [
        ("exp", Some(claims.exp)),
        ("nbf", claims.nbf),
        ("iat", claims.iat),
    ];
    times
        .into_iter()
        .find_map(|(name, time)| Some((name, tiny_unit(time?)?.0)))
}

/// The next step after a refusal.
fn advice(code: &str, reason: Reason) -> Option<&'static str> {
    Some(match (code, reason) {
        ("missing_token", _) => "mint a link: `lectern link URL`",
        ("expired", _) => {
            "mint a new link; a lecture that is already open keeps playing for its `watch`"
        }
        ("bad_path", _) => "upload it under a plain name, and link to that",
        ("bad_request", _) => "give one `token` or one `p`, once",
        ("method_not_allowed", _) => "use GET, HEAD, PUT, POST, DELETE or OPTIONS",
        (_, Reason::WrongKey) => "compare the edge's LECTERN_KEYS with the course app's",
        (_, Reason::WrongMac) => {
            "reload the playlist that lists this URL: a pass opens one URL only"
        }
        (_, Reason::Path) => "mint a link whose `path` is this object or its folder",
        (_, Reason::Purpose) => "mint a link for this `use`",
        (_, Reason::TooFarAhead) => "let it expire sooner, or raise MAX_LINK_AGE",
        (_, Reason::Address) => "set the viewer's address with `--address`",
        (_, Reason::Country) => "set the viewer's country with `--country`",
        (_, Reason::Origin) => "set the page's origin with `--page`",
        (_, Reason::Expired { .. } | Reason::NotYetValid { .. } | Reason::Other) => return None,
    })
}

/// Formats the detail of a refusal, with its time as a date.
fn format_detail(refusal: &Refusal, now: u64) -> String {
    let detail = &refusal.detail;
    let (Reason::Expired { at: time } | Reason::NotYetValid { before: time }) = refusal.reason
    else {
        return detail.clone();
    };
    match detail.strip_suffix(&time.to_string()) {
        Some(before) => format!("{before}{}", format_time(time, now)),
        None => detail.clone(),
    }
}

fn format_text(report: &Explanation) -> String {
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
    /// URL in quotes, with its link or pass.
    pub(crate) url: String,
    /// Method of the request.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,
    /// Viewer's address, for links and passes that are bound to it.
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<IpAddr>,
    /// Viewer's country.
    #[arg(long, value_name = "CODE")]
    pub(crate) country: Option<String>,
    /// Origin of the page with the player.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) page: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use lectern::credential::claims::Claims;
    use lectern::credential::link::mint;
    use lectern::credential::steering_token::SteeringOffer;
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
        format_text(&explain(url, &NOWHERE, Some(&config()), NOW))
    }

    #[test]
    fn a_valid_link_is_shown_with_its_times_in_words() {
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
        verdict     opens; only the bucket knows whether the object exists
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
            explain(&url, &NOWHERE, Some(&config()), NOW)
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
    fn the_first_failed_check_is_named_with_a_next_step() {
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
            let report = explain(&url, &NOWHERE, Some(&config()), NOW);
            assert_eq!(report.verdict, verdict, "{url}");
            assert_eq!(report.opens, Some(false));
        }
        let forged_url = format!("https://h/c/a?token={forged}");
        let advice = explain(&forged_url, &NOWHERE, Some(&config()), NOW).advice;
        assert_eq!(
            advice,
            Some("compare the edge's LECTERN_KEYS with the course app's")
        );
    }

    #[test]
    fn a_time_in_milliseconds_is_called_that() {
        let url = format!("https://h/c/a?token={}", link("/c/", (NOW + 3600) * 1000));
        assert_snapshot!(explained(&url), @r"
        object      c/a
        credential  link under the key `k`
          path      /c/
          exp       1800003600000, which is in milliseconds: write 1800003600 for 2027-01-15T09:00:00Z, in 1 hour
          sub       s42
          watch     2 hours
        verdict     refused, 403 `forbidden`: `exp` is in milliseconds, and the edge reads seconds since 1970
        do          mint the link with times in seconds: `Math.floor(Date.now() / 1000)`
        ");
        let early = Claims {
            iat: Some(NOW * 1_000_000),
            ..Claims::new(Scope::parse("/c/").expect("a scope"), NOW + 60)
        };
        let token = mint(config().keys.minting(), &early);
        let report = explained(&format!("https://h/c/a?token={token}"));
        let verdict = "refused, 403 `forbidden`: `iat` is in microseconds";
        assert!(report.contains(verdict), "{report}");
        // Far ahead in seconds is no other unit.
        let report = explained(&format!("https://h/c/a?token={}", link("/c/", NOW * 2)));
        let verdict = "`forbidden`: the link expires more than 2592000 seconds ahead";
        assert!(report.contains(verdict), "{report}");
    }

    #[test]
    fn a_steering_token_is_shown_with_its_revision() {
        let link = Claims {
            strict: true,
            ..Claims::new(Scope::parse("/c/").expect("a scope"), NOW)
        };
        let key = ObjectKey::new("c/master.m3u8").expect("a key");
        let link = mint(config().keys.minting(), &link);
        let offer = SteeringOffer::new(&link, NOW, 600).expect("an offer");
        let token = offer.mint(&key, Some("0a1b"), config().keys.minting());
        let token = token.expect("a token");
        let url = format!("https://h/_lectern/steering/c/master.m3u8?token={token}");
        assert_snapshot!(explained(&url), @r"
        object      c/master.m3u8
        credential  steering token under the key `k`
          playlist  /c/master.m3u8
          ends      2027-01-15T08:10:00Z, in 10 minutes
          revision  0a1b
          path      /c/
          exp       2027-01-15T08:00:00Z, now
          strict    true
        verdict     answers with a steering manifest, if the playlist is stored
        ");
    }

    #[test]
    fn without_keys_the_claims_are_shown_unchecked() {
        let url = "https://h/c/v/p.m3u8?p=Ed1rSdIAAtV8EJiMDnJs5cVRqi7TVAk";
        assert_snapshot!(format_text(&explain(url, &NOWHERE, None, NOW)), @r"
        object      c/v/p.m3u8
        credential  pass
          opens     this playlist, and through passes what it lists
          expires   2027-01-15T08:00:00Z, now
        verdict     not checked: there are no keys here
        do          set LECTERN_KEYS to check the signature and what follows
        ");
    }
}
