//! Configuration, parsed once into types. No other module reads a variable.

use crate::credential::keyring::Keyring;
use crate::http::cors::AllowedOrigins;
use crate::ledger::webhook::Webhook;
use crate::object::key::{Directory, Scope};

/// Settings of the Worker, from its variables and secrets.
#[derive(Debug)]
pub struct Config {
    /// `LECTERN_KEYS`.
    pub keys: Keyring,
    /// `BUCKET_NAME`: a part of the cache's keys.
    pub bucket_name: String,
    /// `HOSTNAMES`: the lower-case names that the edge serves. A write purges its object from the
    /// cache under each.
    pub hostnames: Vec<String>,
    /// `ALLOWED_ORIGINS`: pages that may read answers.
    pub allowed_origins: AllowedOrigins,
    /// `WATCH_WINDOW`: seconds that passes last when the link has no `watch`.
    pub watch_window: u64,
    /// `MAX_WATCH`: the largest `watch` of a link, in seconds.
    pub max_watch: u64,
    /// `MAX_LINK_AGE`: how many seconds ahead a link may expire.
    pub max_link_age: u64,
    /// `MAX_UPLOAD_BYTES`: the largest body of one request.
    pub max_upload_bytes: u64,
    /// `MAX_OBJECT_BYTES`: the largest object that a multipart upload may create.
    pub max_object_bytes: u64,
    /// `WATCHED_DAYS`: the seconds for which watch data is kept after a viewer's last report.
    pub watched_seconds: u64,
    /// `WEBHOOK_URL` and `WEBHOOK_SECRET`: the course app's endpoint for events.
    pub webhook: Option<Webhook>,
    /// The optional bindings that the Worker has.
    pub bindings: Bindings,
    /// `UPLOADS_PREFIX`: the edge announces each upload that completes below this folder.
    pub uploads: Option<Directory>,
}

/// Optional bindings of the Worker. Without one, the edge refuses the claims that need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bindings {
    /// `LEDGERS`: Durable Objects that count a viewer's players.
    pub ledgers: bool,
    /// `REVOCATIONS`: the namespace of Workers KV that lists who may no longer watch.
    pub revocations: bool,
}

/// An unusable variable. The message never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` {problem}; for example `{example}`")]
pub struct ConfigError {
    pub variable: &'static str,
    pub problem: String,
    pub example: &'static str,
}

const KEYS_EXAMPLE: &str = r#"[{"kid":"2026-11","secret":"<43 characters of base64url>"}], as printed by lectern keys new"#;

const WEBHOOK_SECRET_EXAMPLE: &str = "whsec_<32 characters of base64>";

/// Each write purges the cache once for every hostname.
const MAX_HOSTNAMES: usize = 16;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const MIB: u64 = 1 << 20;

impl Config {
    /// Parses every variable that `lookup` returns. All have defaults except `LECTERN_KEYS`.
    ///
    /// # Errors
    /// The first unusable variable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |variable: &str| lookup(variable).filter(|value| !value.trim().is_empty());
        let keys = set("LECTERN_KEYS")
            .ok_or_else(|| "is not set".to_owned())
            .and_then(|json| {
                Keyring::from_json(&json).map_err(|error| format!("is wrong: {error}"))
            })
            .map_err(|problem| ConfigError {
                variable: "LECTERN_KEYS",
                problem,
                example: KEYS_EXAMPLE,
            })?;
        let allowed_origins =
            AllowedOrigins::parse(&set("ALLOWED_ORIGINS").unwrap_or_else(|| "*".to_owned()))
                .map_err(|entry| ConfigError {
                    variable: "ALLOWED_ORIGINS",
                    problem: format!("has `{entry}`, which is not an origin"),
                    example: "https://school.example, https://*.school.example",
                })?;
        let bucket_name = set("BUCKET_NAME").unwrap_or_else(|| "bucket".to_owned());
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !bucket_name.bytes().all(is_name) {
            return Err(ConfigError {
                variable: "BUCKET_NAME",
                problem: format!("is `{bucket_name}`, which is not a bucket name"),
                example: "school-video",
            });
        }
        let hostnames = parse_hostnames(&set("HOSTNAMES").unwrap_or_default())?;
        let number = |variable: &'static str, default: u64, example: &'static str| {
            let Some(value) = set(variable) else {
                return Ok(default);
            };
            let parsed = value.trim().parse().ok().filter(|&number: &u64| number > 0);
            parsed.ok_or_else(|| ConfigError {
                variable,
                problem: format!("is `{value}`, which is not a whole number above 0"),
                example,
            })
        };
        let uploads = set("UPLOADS_PREFIX").map(|prefix| {
            let folder = match Scope::parse(&format!("/{}", prefix.trim())) {
                Ok(Scope::Directory(folder)) => Some(folder),
                _ => None,
            };
            folder.ok_or_else(|| ConfigError {
                variable: "UPLOADS_PREFIX",
                problem: format!("is `{prefix}`, which is not a folder that ends in a slash"),
                example: "uploads/",
            })
        });
        Ok(Self {
            keys,
            bucket_name,
            hostnames,
            allowed_origins,
            watch_window: number("WATCH_WINDOW", 6 * HOUR, "21600")?,
            max_watch: number("MAX_WATCH", DAY, "86400")?,
            max_link_age: number("MAX_LINK_AGE", 30 * DAY, "2592000")?,
            max_upload_bytes: number("MAX_UPLOAD_BYTES", 100 * MIB, "104857600")?,
            max_object_bytes: number("MAX_OBJECT_BYTES", 20 * 1024 * MIB, "21474836480")?,
            watched_seconds: number("WATCHED_DAYS", 365, "365")?.saturating_mul(DAY),
            webhook: parse_webhook(set("WEBHOOK_URL"), set("WEBHOOK_SECRET"))?,
            bindings: Bindings::default(),
            uploads: uploads.transpose()?,
        })
    }
}

/// Parses the endpoint of webhooks, which needs both or neither. No error shows the secret.
fn parse_webhook(
    url: Option<String>,
    secret: Option<String>,
) -> Result<Option<Webhook>, ConfigError> {
    let error = |variable, problem: &str, example| ConfigError {
        variable,
        problem: problem.to_owned(),
        example,
    };
    let (url, secret) = match (url, secret) {
        (None, _) => return Ok(None),
        (Some(_), None) => {
            let problem = "is not set, and `WEBHOOK_URL` is";
            return Err(error("WEBHOOK_SECRET", problem, WEBHOOK_SECRET_EXAMPLE));
        }
        (Some(url), Some(secret)) => (url, secret),
    };
    let url = Webhook::parse_url(url.trim()).ok_or_else(|| {
        let problem = "is not a URL with `https://`";
        error("WEBHOOK_URL", problem, "https://school.example/lectern")
    })?;
    let webhook = Webhook::new(url, &secret).ok_or_else(|| {
        let problem = "is not `whsec_` and 24 to 64 bytes of base64";
        error("WEBHOOK_SECRET", problem, WEBHOOK_SECRET_EXAMPLE)
    })?;
    Ok(Some(webhook))
}

/// Parses `HOSTNAMES`: comma-separated names without scheme, port or path.
fn parse_hostnames(list: &str) -> Result<Vec<String>, ConfigError> {
    let error = |problem: String| ConfigError {
        variable: "HOSTNAMES",
        problem,
        example: "video.school.example, video.school.org",
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let mut names = Vec::new();
    for name in list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        if !name.bytes().all(is_name) {
            return Err(error(format!("has `{name}`, which is not a hostname")));
        }
        names.push(name.to_ascii_lowercase());
    }
    if names.len() > MAX_HOSTNAMES {
        return Err(error(format!("has over {MAX_HOSTNAMES} names")));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#;

    fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn only_the_keys_are_required() {
        let config = config(&[("LECTERN_KEYS", KEYS), ("WATCH_WINDOW", "")]).expect("a config");
        assert_eq!(config.watch_window, 6 * HOUR);
        assert_eq!(config.allowed_origins, AllowedOrigins::Any);
        assert_eq!(config.uploads, None);
        assert!(config.hostnames.is_empty());
    }

    #[test]
    fn hostnames_are_separated_by_commas() {
        let hostnames = |list: &str| {
            let config = config(&[("LECTERN_KEYS", KEYS), ("HOSTNAMES", list)]);
            config.map(|config| config.hostnames)
        };
        let found = hostnames(" Video.school.example, video.school.org ,");
        assert_eq!(
            found.expect("names"),
            ["video.school.example", "video.school.org"]
        );
        for list in [
            "https://a.example",
            "a.example:8080",
            "a.example/",
            "*.example",
            "a example",
        ] {
            assert!(hostnames(list).is_err(), "{list}");
        }
        assert!(hostnames(&"a.example,".repeat(MAX_HOSTNAMES)).is_ok());
        assert!(hostnames(&"a.example,".repeat(MAX_HOSTNAMES + 1)).is_err());
    }

    #[test]
    fn an_error_names_the_variable_and_shows_what_would_do() {
        for (variables, expected) in [
            (
                vec![],
                r#"`LECTERN_KEYS` is not set; for example `[{"kid":"2026-11","secret":"<43 characters of base64url>"}], as printed by lectern keys new`"#,
            ),
            (
                vec![("LECTERN_KEYS", KEYS), ("MAX_WATCH", "6h")],
                "`MAX_WATCH` is `6h`, which is not a whole number above 0; for example `86400`",
            ),
            (
                vec![("LECTERN_KEYS", KEYS), ("UPLOADS_PREFIX", "uploads")],
                "`UPLOADS_PREFIX` is `uploads`, which is not a folder that ends in a slash; for example `uploads/`",
            ),
            (
                vec![
                    ("LECTERN_KEYS", KEYS),
                    ("ALLOWED_ORIGINS", "school.example"),
                ],
                "`ALLOWED_ORIGINS` has `school.example`, which is not an origin; for example `https://school.example, https://*.school.example`",
            ),
        ] {
            let error = config(&variables).expect_err("refused");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn webhooks_need_an_endpoint_and_a_secret() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        for (url, secret, expected) in [
            ("", "", Ok(None)),
            ("", secret, Ok(None)),
            ("https://a.example", secret, Ok(Some("https://a.example/"))),
            ("https://a.example", "", Err("WEBHOOK_SECRET")),
            ("https://a.example", "hunter2", Err("WEBHOOK_SECRET")),
            ("http://a.example", secret, Err("WEBHOOK_URL")),
        ] {
            let found = config(&[
                ("LECTERN_KEYS", KEYS),
                ("WEBHOOK_URL", url),
                ("WEBHOOK_SECRET", secret),
            ]);
            let found = match &found {
                Ok(config) => Ok(config.webhook.as_ref().map(|webhook| webhook.url.as_str())),
                Err(error) => {
                    assert!(!error.to_string().contains("hunter2"), "{error}");
                    Err(error.variable)
                }
            };
            assert_eq!(found, expected, "{url} {secret}");
        }
    }

    #[test]
    fn an_error_about_the_keys_holds_no_secret() {
        let error = config(&[("LECTERN_KEYS", r#"[{"kid":"k","secret":"hunter2"}]"#)])
            .expect_err("refused");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
