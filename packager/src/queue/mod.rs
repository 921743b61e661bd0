//! Cloudflare Queues' pull API. A message is leased, and removed when it is acknowledged. If its
//! lease ends, or it is returned, another worker gets it. The queue counts attempts, and moves a
//! message with too many to its dead-letter queue.
//! <https://developers.cloudflare.com/queues/configuration/pull-consumers/>

pub(crate) mod job;
pub(crate) mod prune_schedule;

use std::time::Duration;

use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::redact::redacted;
use crate::storage::credentials::variable;
use crate::storage::http::{causes, client};
use crate::storage::location::is_private;
use crate::storage::retry;

const API: &str = "https://api.cloudflare.com/client/v4";
const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const ACCOUNT: &str = "CLOUDFLARE_ACCOUNT_ID";

#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("`{0}` is neither a queue's id nor the URL of one")]
    BadQueue(String),
    #[error("{0} is not set")]
    NotSet(&'static str),
    #[error("the queue refused with {status}: {why}")]
    Refused { status: u16, why: String },
    #[error("cannot reach the queue at `{origin}`: {why}")]
    Unreachable { origin: String, why: String },
    #[error("the queue's answer is not understood: {0}")]
    NotUnderstood(String),
}

impl QueueError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::BadQueue(_) => Exit::Usage,
            Self::NotSet(_) => Exit::Environment,
            Self::Refused { .. } | Self::Unreachable { .. } | Self::NotUnderstood(_) => {
                Exit::Refused
            }
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::BadQueue(_) => {
                "use the id that `wrangler queues info NAME` shows, or a URL such as `http://127.0.0.1:8789`; use HTTP without TLS on this machine only"
            }
            Self::NotSet(_) => "set it as docs/scaling.md describes",
            Self::Refused {
                status: 401 | 403, ..
            } => "allow CLOUDFLARE_API_TOKEN to edit Queues in this account",
            Self::Refused { .. } => {
                "add an HTTP pull consumer to the queue: `wrangler queues consumer http add NAME`"
            }
            Self::Unreachable { .. } => "check the address and the network",
            Self::NotUnderstood(_) => "check that this is the URL of a queue",
        }
    }

    /// Returns true if a repeated request may succeed.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => retry::is_worthwhile(*status),
            _ => false,
        }
    }
}

pub(crate) struct PullQueue {
    /// The URL, without a slash at the end.
    base: String,
    client: Client,
    /// Never printed.
    token: Option<String>,
}

/// A message that this worker has leased.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Leased {
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) attempts: u32,
    lease_id: String,
}

/// The end of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobOutcome {
    Done,
    /// Returns the message, which the queue delivers again after this time.
    Retry(Duration),
}

impl PullQueue {
    pub(crate) fn open(queue: &str) -> anyhow::Result<Self> {
        let base = base_url(queue, variable)?;
        let token = variable(TOKEN);
        if token.is_none() && base.starts_with("https:") {
            return Err(QueueError::NotSet(TOKEN).into());
        }
        Ok(Self {
            base,
            client: client()?,
            token,
        })
    }

    /// Leases one message, if the queue has one.
    pub(crate) async fn pull(&self, lease: Duration) -> Result<Option<Leased>, QueueError> {
        let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let request = json!({"visibility_timeout_ms": lease, "batch_size": 1});
        parse_pulled(&self.post("pull", &request).await?)
    }

    /// Acknowledges a message, or returns it to the queue.
    pub(crate) async fn end_lease(
        &self,
        leased: &Leased,
        outcome: JobOutcome,
    ) -> Result<(), QueueError> {
        let body = lease_body(&leased.lease_id, outcome);
        let mut attempt = 0;
        loop {
            match self.post("ack", &body).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_temporary() && attempt + 1 < retry::FIRST_ATTEMPTS => {
                    retry::wait(attempt, None).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn post(&self, verb: &str, body: &Value) -> Result<Vec<u8>, QueueError> {
        let unreachable = |error| QueueError::Unreachable {
            origin: self.base.clone(),
            why: causes(error),
        };
        let mut request = (self.client)
            .post(format!("{}/messages/{verb}", self.base))
            .timeout(retry::ANSWER_TIMEOUT)
            .header("content-type", "application/json")
            .body(body.to_string());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        Err(QueueError::Refused {
            status: status.as_u16(),
            why: reason(&body).unwrap_or_else(|| status.to_string()),
        })
    }
}

/// The URL above a queue's `/messages/…`.
fn base_url(queue: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, QueueError> {
    let bad = || QueueError::BadQueue(redacted(queue));
    if !queue.contains("://") {
        let is_id = !queue.is_empty() && queue.bytes().all(|byte| byte.is_ascii_hexdigit());
        let account = variable(ACCOUNT).filter(|_| is_id);
        return match (is_id, account) {
            (false, _) => Err(bad()),
            (true, None) => Err(QueueError::NotSet(ACCOUNT)),
            (true, Some(account)) => Ok(format!("{API}/accounts/{account}/queues/{queue}")),
        };
    }
    let url = Url::parse(queue).map_err(|_| bad())?;
    let is_safe = matches!(url.scheme(), "http" | "https") && is_private(&url);
    let is_plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !is_safe || !is_plain {
        return Err(bad());
    }
    Ok(queue.trim_end_matches('/').to_owned())
}

fn parse_pulled(answer: &[u8]) -> Result<Option<Leased>, QueueError> {
    #[derive(Deserialize)]
    struct PullAnswer {
        result: Pulled,
    }
    #[derive(Deserialize)]
    struct Pulled {
        #[serde(default)]
        messages: Vec<Leased>,
    }
    let answer: PullAnswer = serde_json::from_slice(answer)
        .map_err(|error| QueueError::NotUnderstood(error.to_string()))?;
    Ok(answer.result.messages.into_iter().next())
}

fn lease_body(lease: &str, outcome: JobOutcome) -> Value {
    match outcome {
        JobOutcome::Done => json!({"acks": [{"lease_id": lease}], "retries": []}),
        JobOutcome::Retry(after) => json!({
            "acks": [],
            "retries": [{"lease_id": lease, "delay_seconds": after.as_secs()}],
        }),
    }
}

/// The message of an error of Cloudflare's API.
fn reason(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let message = answer["errors"].get(0)?["message"].as_str()?;
    let shown = message.chars().filter(|character| !character.is_control());
    Some(shown.take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_an_id_of_the_account_or_a_url() {
        let account = |name: &str| (name == ACCOUNT).then(|| "acc".to_owned());
        for (queue, expected) in [
            (
                "0a1b",
                "https://api.cloudflare.com/client/v4/accounts/acc/queues/0a1b",
            ),
            ("https://q.example/x/", "https://q.example/x"),
            ("http://127.0.0.1:8789", "http://127.0.0.1:8789"),
            ("http://localhost:1/a", "http://localhost:1/a"),
            // The token would be read on the way.
            (
                "http://q.example",
                "`http://q.example` is neither a queue's id nor the URL of one",
            ),
            (
                "https://u:secret@q.example/x?token=secret",
                "`https://q.example/x?…` is neither a queue's id nor the URL of one",
            ),
            ("jobs", "`jobs` is neither a queue's id nor the URL of one"),
            ("", "`` is neither a queue's id nor the URL of one"),
        ] {
            let found = base_url(queue, account).unwrap_or_else(|error| error.to_string());
            assert_eq!(found, expected, "{queue}");
        }
        let unset = base_url("0a1b", |_| None).expect_err("no account");
        assert_eq!(unset.to_string(), "CLOUDFLARE_ACCOUNT_ID is not set");
    }

    #[test]
    fn a_message_is_taken_and_acknowledged_by_its_lease() {
        // As the documentation shows it.
        let answer = br#"{"success":true,"errors":[],"messages":[],"result":{"messages":[{"body":"aGVsbG8=",
            "id":"1ad2","timestamp_ms":1689615013586,"attempts":2,"metadata":{"CF-Content-Type":"json"},"lease_id":"ey..J"}]}}"#;
        let leased = parse_pulled(answer).expect("an answer").expect("a message");
        assert_eq!((leased.body.as_str(), leased.attempts), ("aGVsbG8=", 2));
        assert_eq!(
            parse_pulled(br#"{"result":{"messages":[]}}"#).expect("an answer"),
            None
        );
        assert!(parse_pulled(b"<html>").is_err());
        assert_eq!(
            lease_body(&leased.lease_id, JobOutcome::Done).to_string(),
            r#"{"acks":[{"lease_id":"ey..J"}],"retries":[]}"#
        );
        assert_eq!(
            lease_body("l", JobOutcome::Retry(Duration::from_secs(60))).to_string(),
            r#"{"acks":[],"retries":[{"delay_seconds":60,"lease_id":"l"}]}"#
        );
        let refused =
            br#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}"#;
        assert_eq!(reason(refused).as_deref(), Some("Authentication error"));
    }
}
