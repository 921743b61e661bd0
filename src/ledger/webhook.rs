//! Webhooks, as Standard Webhooks (<https://www.standardwebhooks.com>) defines them: the id, the
//! time and the signature are headers, and the signature covers both and the body.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::Mac as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::codec::{LedgerReader, LedgerWriter};
use super::report::Lecture;
use crate::credential::keyring::keyed;
use crate::http::date::format_rfc3339;
use crate::json::written;
use crate::request::split_url;

/// The prefix of a secret.
const SECRET_PREFIX: &str = "whsec_";

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// The viewer reached another multiple of 10 %.
    Progress,
    /// The viewer watched 90 %.
    Completed,
}

/// An event that waits for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    pub kind: EventKind,
    pub lecture: Lecture,
    pub percent: u32,
    pub position: u32,
    pub duration: u32,
    /// The second at which it happened.
    pub at: u64,
    /// Attempts that failed.
    pub attempts: u32,
    /// The second of the next attempt.
    pub due: u64,
}

impl WebhookEvent {
    /// Returns whether this is the same event, after whatever attempts.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let of = |event: &Self| (event.kind, event.percent, event.at);
        of(self) == of(other) && self.lecture == other.lecture
    }

    /// The id, which is the same for every attempt.
    #[must_use]
    pub fn id(&self, viewer: &str) -> String {
        let hash = Sha256::new()
            .chain_update(viewer)
            .chain_update([0])
            .chain_update(self.body(viewer))
            .finalize();
        format!("msg_{}", URL_SAFE_NO_PAD.encode(&hash[..16]))
    }

    /// The body of the request.
    #[must_use]
    pub fn body(&self, viewer: &str) -> String {
        #[derive(Serialize)]
        struct EventData<'event> {
            viewer: &'event str,
            lecture: &'event str,
            percent: u32,
            position: u32,
            duration: u32,
        }
        #[derive(Serialize)]
        struct EventBody<'event> {
            r#type: EventKind,
            timestamp: String,
            data: EventData<'event>,
        }
        written(&EventBody {
            r#type: self.kind,
            timestamp: format_rfc3339(self.at),
            data: EventData {
                viewer,
                lecture: self.lecture.as_str(),
                percent: self.percent,
                position: self.position,
                duration: self.duration,
            },
        })
    }

    pub(super) fn write(&self, writer: &mut LedgerWriter) {
        writer.integer((self.kind == EventKind::Completed).into());
        writer.text(self.lecture.as_str());
        for number in [self.percent, self.position, self.duration, self.attempts] {
            writer.integer(number.into());
        }
        writer.integer(self.at);
        writer.integer(self.due);
    }

    pub(super) fn read(reader: &mut LedgerReader<'_>) -> Option<Self> {
        Some(Self {
            kind: match reader.integer()? {
                0 => EventKind::Progress,
                1 => EventKind::Completed,
                _ => return None,
            },
            lecture: Lecture::parse(&reader.text()?).ok()?,
            percent: reader.small()?,
            position: reader.small()?,
            duration: reader.small()?,
            attempts: reader.small()?,
            at: reader.integer()?,
            due: reader.integer()?,
        })
    }
}

/// The course app's endpoint: `WEBHOOK_URL` and `WEBHOOK_SECRET`.
pub struct Webhook {
    pub url: String,
    secret: Vec<u8>,
}

impl std::fmt::Debug for Webhook {
    /// Omits the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Webhook");
        shown.field("url", &self.url).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Parses the URL of an endpoint: over TLS, unless it is on this machine.
    #[must_use]
    pub fn parse_url(url: &str) -> Option<String> {
        let with_path = match split_url(url) {
            Some(_) => url.to_owned(),
            None => format!("{url}/"),
        };
        let (origin, ..) = split_url(&with_path)?;
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        let host = origin.strip_prefix("https://");
        let local = origin.strip_prefix("http://").filter(|host| {
            let name = host.rsplit_once(':').map_or(*host, |(name, port)| {
                let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
                if is_port { name } else { host }
            });
            ["localhost", "127.0.0.1", "[::1]"].contains(&name)
        });
        let has_host = host
            .or(local)
            .is_some_and(|host| !host.is_empty() && !host.contains('@'));
        (has_host && with_path.bytes().all(is_plain)).then_some(with_path)
    }

    /// Creates an endpoint. The secret is `whsec_` and 24 to 64 bytes of base64.
    #[must_use]
    pub fn new(url: String, secret: &str) -> Option<Self> {
        let base64 = secret.trim().strip_prefix(SECRET_PREFIX)?;
        let secret = STANDARD.decode(base64).ok()?;
        (24..=64)
            .contains(&secret.len())
            .then_some(Self { url, secret })
    }

    /// The value of `webhook-signature`.
    #[must_use]
    pub fn signature(&self, id: &str, timestamp: u64, body: &str) -> String {
        let mac = keyed(&self.secret)
            .chain_update(format!("{id}.{timestamp}.{body}"))
            .finalize();
        format!("v1,{}", STANDARD.encode(mac.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_message_is_signed_as_the_specification_shows() {
        // The test vector of the Standard Webhooks libraries.
        let webhook = Webhook::new("https://a.example/".to_owned(), SECRET).expect("an endpoint");
        let signature = webhook.signature(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(!format!("{webhook:?}").contains("MfKQ"), "{webhook:?}");
    }

    #[test]
    fn an_endpoint_has_tls_and_a_secret() {
        for (url, expected) in [
            ("https://school.example", Some("https://school.example/")),
            (
                "https://school.example/hooks?a=b",
                Some("https://school.example/hooks?a=b"),
            ),
            (
                "http://127.0.0.1:3000/hooks",
                Some("http://127.0.0.1:3000/hooks"),
            ),
            ("http://localhost/", Some("http://localhost/")),
            ("http://[::1]:80/", Some("http://[::1]:80/")),
            ("http://school.example/", None),
            ("http://localhost.school.example/", None),
            ("http://localhost:80@school.example/", None),
            ("https://user@school.example/", None),
            ("https:///hooks", None),
            ("ftp://school.example/", None),
            ("https://school.example/a b", None),
            ("school.example", None),
        ] {
            assert_eq!(Webhook::parse_url(url).as_deref(), expected, "{url}");
        }
        for secret in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_AAAA",
            "whsec_%%%",
        ] {
            assert!(
                Webhook::new("https://a/".to_owned(), secret).is_none(),
                "{secret}"
            );
        }
    }

    #[test]
    fn an_event_has_one_id_and_a_body() {
        let event = WebhookEvent {
            kind: EventKind::Completed,
            lecture: Lecture::parse("/courses/rails/intro/").expect("a lecture"),
            percent: 90,
            position: 2_440,
            duration: 2_700,
            at: 1_800_000_000,
            attempts: 0,
            due: 1_800_000_000,
        };
        assert_eq!(
            event.body("s42"),
            r#"{"type":"completed","timestamp":"2027-01-15T08:00:00Z","data":{"viewer":"s42","lecture":"/courses/rails/intro/","percent":90,"position":2440,"duration":2700}}"#
        );
        let again = WebhookEvent {
            attempts: 3,
            due: 1_800_000_999,
            ..event.clone()
        };
        assert_eq!(event.id("s42"), again.id("s42"));
        assert!(event.is_same(&again));
        assert_ne!(event.id("s42"), event.id("s43"));
        assert_eq!(event.id("s42").len(), 26);
    }
}
