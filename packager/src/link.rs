//! `lectern link`: a URL with a link to it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lectern::link::{Claims, Use, mint};
use lectern::object_key::{ObjectKey, Scope};
use lectern::sdk::openable;
use reqwest::Url;

use crate::cli::{LinkArgs, LinkUse};
use crate::clock;
use crate::keys::keyring;
use crate::progress::Progress;
use crate::publish::is_private;

impl From<LinkUse> for Use {
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
    let url = Url::parse(&args.url).with_context(|| format!("`{}` is not a URL", args.url))?;
    let now = clock::unix(clock::now());
    let claims = claims(&url, args, now).with_context(|| format!("cannot link to `{url}`"))?;
    if claims.exp < now {
        Progress::new(false).note("warning: this link has expired already");
    }
    if !is_private(&url) {
        Progress::new(false).note(
            "warning: the URL begins with http://, so that everybody between viewer and edge can read and use the link",
        );
    }
    let keys = keyring()?;
    Ok(with_token(url, &mint(keys.minting(), &claims)))
}

/// What the link says. Pure.
fn claims(url: &Url, args: &LinkArgs, now: u64) -> Result<Claims> {
    if !matches!(url.scheme(), "http" | "https") {
        bail!("it does not begin with `http://` or `https://`");
    }
    let exp = args
        .expires_at
        .map_or(now.saturating_add(args.lasts.as_secs()), clock::unix);
    let mut claims = Claims::new(scope(url.path(), args.directory)?, exp);
    claims.iat = Some(now.min(exp));
    claims.use_ = args.use_.into();
    claims.sub.clone_from(&args.viewer);
    claims.watch = args.watch.as_ref().map(Duration::as_secs);
    claims.max_height = args.max_height;
    claims.preview = args.preview;
    claims.langs = given(&args.langs);
    claims.ip = given(&args.ip);
    claims.country = given(&args.country);
    claims.origin = given(&args.origin);
    claims.jti.clone_from(&args.jti);
    claims.check().map_err(anyhow::Error::msg)?;
    openable(&claims)?;
    Ok(claims)
}

fn given<T: Clone>(values: &[T]) -> Option<Vec<T>> {
    (!values.is_empty()).then(|| values.to_vec())
}

/// A URL that ends in a slash is a folder already.
fn scope(path: &str, is_directory: bool) -> Result<Scope> {
    let text = match path.strip_suffix('/') {
        Some(folder) => format!("/{}/", ObjectKey::from_url_path(folder)?),
        None => {
            let key = ObjectKey::from_url_path(path)?;
            match is_directory {
                true => format!("/{}", key.directory().as_str()),
                false => format!("/{key}"),
            }
        }
    };
    Ok(Scope::parse(&text)?)
}

fn with_token(mut url: Url, token: &str) -> String {
    url.query_pairs_mut().append_pair("token", token);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Verb};
    use clap::Parser as _;

    fn parsed(line: &str) -> (Url, LinkArgs) {
        let words = ["lectern", "link"].into_iter().chain(line.split(' '));
        match Cli::try_parse_from(words).expect(line).verb {
            Verb::Link(args) => (Url::parse(&args.url).expect(line), args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_link_says_what_was_asked_for() {
        let (url, args) = parsed(
            "http://h/a%20b/master.m3u8 --directory --for 1h --viewer s42 --watch 2h --max-height 720 --use download",
        );
        let claims = claims(&url, &args, 1000).expect("claims");
        assert_eq!(claims.path, Scope::parse("/a b/").expect("a scope"));
        assert_eq!((claims.exp, claims.iat), (4600, Some(1000)));
        assert_eq!((claims.watch, claims.max_height), (Some(7200), Some(720)));
        assert_eq!(
            (claims.use_, claims.sub.as_deref()),
            (Use::Download, Some("s42"))
        );
    }

    #[test]
    fn a_link_carries_its_restrictions() {
        let (url, args) = parsed(
            "https://h/a/ --preview 0-60 --lang en --lang de --ip 192.0.2.0/24 --country DE --origin https://*.s.example --jti l1",
        );
        let claims = claims(&url, &args, 0).expect("claims");
        assert_eq!(
            serde_json::to_string(&claims).expect("JSON"),
            r#"{"path":"/a/","exp":21600,"iat":0,"jti":"l1","preview":[0,60],"langs":["en","de"],"ip":["192.0.2.0/24"],"country":["DE"],"origin":["https://*.s.example"]}"#
        );
    }

    #[test]
    fn a_link_opens_the_object_its_folder_or_is_refused() {
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
            let (url, args) = parsed(line);
            let path = claims(&url, &args, 0)
                .ok()
                .map(|claims| claims.path.to_string());
            assert_eq!(path.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_time_in_the_past_is_allowed() {
        let (url, args) = parsed("https://h/a --expires-at 1970-01-01T00:01:00Z");
        let claims = claims(&url, &args, 1000).expect("claims");
        assert_eq!((claims.exp, claims.iat), (60, Some(60)));
    }

    #[test]
    fn the_token_is_added_to_whatever_query_there_is() {
        for (url, expected) in [
            ("https://h/a", "https://h/a?token=t.o-k_n"),
            ("https://h/a?start=90", "https://h/a?start=90&token=t.o-k_n"),
        ] {
            let url = Url::parse(url).expect(url);
            assert_eq!(with_token(url, "t.o-k_n"), expected);
        }
    }
}
