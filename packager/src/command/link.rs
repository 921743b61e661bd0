//! `lectern link`: mints a link, and prints its URL.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lectern::credential::claims::{Claims, Purpose};
use lectern::credential::link::{LinkError, mint};
use lectern::sdk::{Error, Options, link_claims, with_token};
use reqwest::Url;

use crate::clock;
use crate::progress::Progress;
use crate::redact::redacted;
use crate::storage::error::StorageError;
use crate::storage::keys::{keyring, max_link_age};
use crate::storage::location::{edge_url, is_private};
use crate::units::{duration, size};
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use lectern::credential::binding::{Cidr, Country};
use lectern::http::cors::OriginPattern;
use lectern::object::file_kind::FileKind;

impl From<LinkUse> for Purpose {
    fn from(value: LinkUse) -> Self {
        match value {
            LinkUse::Play => Self::Play,
            LinkUse::Upload => Self::Upload,
            LinkUse::Download => Self::Download,
            LinkUse::Admin => Self::Admin,
        }
    }
}

pub(crate) fn run(args: &LinkArgs) -> Result<String> {
    let linking = || format!("cannot link to `{}`", redacted(&args.url));
    let url = &*edge_url(&args.url)
        .map_err(StorageError::from)
        .with_context(linking)?;
    let now = clock::unix(clock::now());
    let claims = link_claims(url, &options(args), now).with_context(linking)?;
    let most = std::env::var("MAX_LINK_AGE").ok();
    check_age(&claims, now, max_link_age(most.as_deref())?).with_context(linking)?;
    if claims.exp < now {
        Progress::new(false).caution("this link has expired already");
    }
    if Url::parse(url).is_ok_and(|url| !is_private(&url)) {
        Progress::new(false).caution(
            "the URL begins with http://, so that others on the way can read and use the link",
        );
    }
    let token = mint(keyring()?.minting(), &claims);
    with_token(url, &token).with_context(linking)
}

/// Refuses a link that the edge would refuse because it expires too far ahead.
fn check_age(claims: &Claims, now: u64, most: u64) -> Result<(), Error> {
    match claims.exp.saturating_sub(now) > most {
        true => Err(Error::Link(LinkError::TooFarAhead(most))),
        false => Ok(()),
    }
}

/// Converts arguments to the SDK's options. Pure.
fn options(args: &LinkArgs) -> Options {
    let expires_at = args.expires_at.map(clock::unix);
    Options {
        viewer: args.viewer.clone(),
        expires_in: expires_at.is_none().then_some(args.lifetime.as_secs()),
        expires_at,
        watch: args.watch.as_ref().map(Duration::as_secs),
        max_height: args.max_height,
        preview: args.preview,
        langs: non_empty(&args.langs),
        ip: non_empty(&args.ip),
        country: non_empty(&args.country),
        origin: non_empty(&args.origin),
        jti: args.jti.clone(),
        watermark: args.watermark.clone(),
        sessions: args.sessions,
        strict: args.strict,
        offline: args.offline.as_ref().map(Duration::as_secs),
        max_bytes: args.max_bytes,
        max_objects: args.max_objects,
        types: non_empty(&args.types),
        purpose: args.purpose.into(),
        directory: args.directory,
        ..Options::default()
    }
}

fn non_empty<T: Clone>(values: &[T]) -> Option<Vec<T>> {
    (!values.is_empty()).then(|| values.to_vec())
}

#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    /// URL to open, e.g. `https://edge.example/courses/rails/master.m3u8`, or its path at the edge
    /// in LECTERN_EDGE, e.g. `/courses/rails/master.m3u8`.
    pub(crate) url: String,
    /// Time until the link expires, e.g. `30m`, `6h`, `7d`.
    #[arg(long = "for", value_name = "TIME", default_value = "6h", value_parser = duration, conflicts_with = "expires_at")]
    pub(crate) lifetime: Duration,
    /// Time at which the link expires (RFC 3339), e.g. `2027-01-31T18:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// Viewer's id, in any format.
    #[arg(long, value_name = "ID")]
    pub(crate) viewer: Option<String>,
    /// Open everything in the URL's folder, not just the URL.
    #[arg(long)]
    pub(crate) directory: bool,
    /// Use that the link allows.
    #[arg(long = "use", value_name = "USE", default_value = "play")]
    pub(crate) purpose: LinkUse,
    /// Time that an opened lecture keeps playing, e.g. `6h` [default: the edge's].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) watch: Option<Duration>,
    /// List Variant Streams up to this height only, measured on the shorter side.
    #[arg(long, value_name = "LINES")]
    pub(crate) max_height: Option<u32>,
    /// List only the part between these seconds, e.g. `0-60`.
    #[arg(long, value_name = "FROM-TO", value_parser = preview)]
    pub(crate) preview: Option<(u32, u32)>,
    /// List only audio and subtitles in this language; may be repeated.
    #[arg(long = "lang", value_name = "TAG")]
    pub(crate) langs: Vec<String>,
    /// Open only from this address or range, e.g. `192.0.2.0/24`; may be repeated.
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    pub(crate) ip: Vec<Cidr>,
    /// Open only in this country, e.g. `DE`; may be repeated.
    #[arg(long, value_name = "CODE", value_parser = country)]
    pub(crate) country: Vec<Country>,
    /// Open only on pages of this origin, e.g. `https://*.school.example`; may be repeated.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub(crate) origin: Vec<OriginPattern>,
    /// Players that the viewer may use at once.
    #[arg(long, value_name = "NUMBER", requires = "viewer")]
    pub(crate) sessions: Option<u32>,
    /// Let URLs end after a minute, and players renew them.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Time for which the player page may keep the lecture on a device, e.g. `72h`.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with_all = ["strict", "sessions"])]
    pub(crate) offline: Option<Duration>,
    /// Bytes that upload links with this `--jti` may store in all, e.g. `2GB`.
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "jti")]
    pub(crate) max_bytes: Option<u64>,
    /// Objects that upload links with this `--jti` may write in all.
    #[arg(long, value_name = "NUMBER", requires = "jti")]
    pub(crate) max_objects: Option<u64>,
    /// Kind of files that an upload link takes: `video`, `audio`, `image`, `captions` or `hls`; may be
    /// repeated.
    #[arg(long = "type", value_name = "KIND", value_parser = kind)]
    pub(crate) types: Vec<FileKind>,
    /// Link's own id.
    #[arg(long, value_name = "ID")]
    pub(crate) jti: Option<String>,
    /// Text that the player page shows over the video, e.g. the viewer's name.
    #[arg(long, value_name = "TEXT")]
    pub(crate) watermark: Option<String>,
}

pub(crate) fn preview(text: &str) -> Result<(u32, u32), String> {
    text.split_once('-')
        .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)))
        .filter(|(from, to)| from < to)
        .ok_or_else(|| "two numbers of seconds, such as `0-60`".to_owned())
}

pub(crate) fn cidr(text: &str) -> Result<Cidr, String> {
    Cidr::parse(text).ok_or_else(|| "an address or a range, such as `192.0.2.0/24`".to_owned())
}

pub(crate) fn country(text: &str) -> Result<Country, String> {
    Country::parse(text).ok_or_else(|| "an ISO 3166 code, such as `DE`".to_owned())
}

pub(crate) fn origin(text: &str) -> Result<OriginPattern, String> {
    OriginPattern::parse(text)
        .ok_or_else(|| "an origin, such as `https://school.example`".to_owned())
}

fn kind(text: &str) -> Result<FileKind, String> {
    FileKind::parse(text)
        .ok_or_else(|| "one of `video`, `audio`, `image`, `captions` and `hls`".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinkUse {
    Play,
    Upload,
    Download,
    Admin,
}

pub(crate) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|error| format!("`{text}` is not a time such as `2027-01-31T18:00:00Z` ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Cli, Verb};
    use crate::exit::Exit;
    use crate::failure;
    use clap::Parser as _;
    use lectern::object::key::Scope;

    fn claims(line: &str, now: u64) -> Result<Claims, Error> {
        let words = ["lectern", "link"].into_iter().chain(line.split(' '));
        match Cli::try_parse_from(words).expect(line).verb {
            Verb::Link(args) => link_claims(&args.url, &options(&args), now),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_link_has_the_claims_of_its_arguments() {
        let claims = claims(
            "http://h/a%20b/master.m3u8 --directory --for 1h --viewer s42 --watch 2h --max-height 720 --use download",
            1000,
        );
        let claims = claims.expect("claims");
        assert_eq!(claims.path, Scope::parse("/a b/").expect("a scope"));
        assert_eq!((claims.exp, claims.iat), (4600, None));
        assert_eq!((claims.watch, claims.max_height), (Some(7200), Some(720)));
        assert_eq!(
            (claims.purpose, claims.sub.as_deref()),
            (Purpose::Download, Some("s42"))
        );
    }

    #[test]
    fn a_link_carries_its_restrictions() {
        let claims = claims(
            "https://h/a/ --preview 0-60 --lang en --lang de --ip 192.0.2.0/24 --country DE --origin https://*.s.example --jti l1 --watermark Ada",
            0,
        );
        let claims = claims.expect("claims");
        assert_eq!(
            serde_json::to_string(&claims).expect("JSON"),
            r#"{"path":"/a/","exp":21600,"jti":"l1","watermark":"Ada","preview":[0,60],"langs":["en","de"],"ip":["192.0.2.0/24"],"country":["DE"],"origin":["https://*.s.example"]}"#
        );
    }

    #[test]
    fn an_upload_link_carries_its_bounds() {
        let claims = claims(
            "https://h/u/ --use upload --jti l1 --max-bytes 2GB --max-objects 9 --type video --type hls",
            0,
        );
        assert_eq!(
            serde_json::to_string(&claims.expect("claims")).expect("JSON"),
            r#"{"path":"/u/","exp":21600,"use":"upload","jti":"l1","max_bytes":2000000000,"max_objects":9,"types":["video","hls"]}"#
        );
        let error = self::claims("https://h/u/ --type video", 0).expect_err("a play link");
        assert_eq!(error.code(), "bad_types");
    }

    #[test]
    fn a_link_opens_an_object_or_its_folder() {
        for (line, expected) in [
            ("https://h/c/l/master.m3u8", Some("/c/l/master.m3u8")),
            ("https://h/c/l/master.m3u8 --directory", Some("/c/l/")),
            ("https://h/c/l/", Some("/c/l/")),
            ("https://h/", None),
            ("https://h/master.m3u8 --directory", None),
            ("https://h/a%2fb", None),
            ("https://h/_lectern/health", None),
            ("https://h/c/l/a.m4s --max-height 480", None),
            (
                "https://h/c/l/a.m4s --max-height 480 --directory",
                Some("/c/l/"),
            ),
            ("ftp://h/a", None),
        ] {
            let path = claims(line, 0).ok().map(|claims| claims.path.to_string());
            assert_eq!(path.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_time_in_the_past_is_allowed() {
        let claims = claims("https://h/a --expires-at 1970-01-01T00:01:00Z", 1000);
        assert_eq!(claims.expect("claims").exp, 60);
    }

    #[test]
    fn a_link_that_the_edge_would_refuse_for_its_age_is_not_minted() {
        for (line, variable, expected) in [
            ("https://h/a --for 30d", None, None),
            ("https://h/a --for 90d", None, Some("exp_too_far")),
            ("https://h/a --for 90d", Some(""), Some("exp_too_far")),
            ("https://h/a --for 90d", Some("7776000"), None),
            ("https://h/a --for 2h", Some("3600"), Some("exp_too_far")),
            (
                "https://h/a --expires-at 2036-01-01T00:00:00Z",
                None,
                Some("exp_too_far"),
            ),
        ] {
            let most = max_link_age(variable).expect("a number");
            let claims = claims(line, 1_800_000_000).expect("claims");
            let code = check_age(&claims, 1_800_000_000, most).map_err(|error| error.code());
            assert_eq!(code.err(), expected, "{line} {variable:?}");
        }
        for variable in ["30d", "-1", "0"] {
            let error = max_link_age(Some(variable)).expect_err(variable);
            let (exit, hint) = failure::of(&error.into());
            assert_eq!(exit, Exit::Environment);
            assert!(
                hint.is_some_and(|hint| hint.contains("MAX_LINK_AGE")),
                "{variable}"
            );
        }
    }

    #[test]
    fn what_no_link_opens_is_a_wrong_argument() {
        for line in ["ftp://h/a", "https://h/", "https://h/a%2fb"] {
            let error = claims(line, 0).expect_err(line);
            assert_eq!(failure::of(&error.into()).0, Exit::Usage, "{line}");
        }
    }

    #[test]
    fn the_token_is_added_to_an_existing_query() {
        for (url, expected) in [
            ("https://h/a", "https://h/a?token=t.o-k_n"),
            ("https://h/a?start=90", "https://h/a?start=90&token=t.o-k_n"),
        ] {
            assert_eq!(with_token(url, "t.o-k_n").as_deref(), Ok(expected));
        }
    }
}
