//! Cloudflare Queues' pull API as documented, in this process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

pub const TOKEN: &str = "a-token-that-no-line-may-show";

pub struct QueueServer {
    pub url: String,
    state: Arc<Mutex<QueueState>>,
}

#[derive(Default)]
pub struct QueueState {
    /// Messages that wait or are leased, with their attempts and the time of their next delivery.
    messages: Vec<QueueMessage>,
    pub acknowledged: Vec<String>,
    pub dead: Vec<String>,
    /// The requested retry delays, in seconds.
    pub delays: Vec<u64>,
    pub leases: usize,
    most_attempts: u32,
}

struct QueueMessage {
    body: String,
    attempts: u32,
    visible: Instant,
    leases: Vec<String>,
}

impl QueueServer {
    pub fn start(most_attempts: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/q", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(QueueState {
            most_attempts,
            ..QueueState::default()
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // Clients may be killed.
                    let _ = serve(&stream, &shared);
                });
            }
        });
        Self { url, state }
    }

    pub fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().expect("no panic at the queue")
    }

    pub fn send(&self, body: &str) {
        self.state().messages.push(QueueMessage {
            body: body.to_owned(),
            attempts: 0,
            visible: Instant::now(),
            leases: vec![],
        });
    }

    /// Enqueues the edge's message for an upload.
    pub fn uploaded(&self, key: &str) {
        self.send(&json!({"key": key, "etag": "e", "bytes": 1, "uploaded": 2}).to_string());
    }

    pub fn is_empty(&self) -> bool {
        self.state().messages.is_empty()
    }
}

fn serve(stream: &TcpStream, state: &Mutex<QueueState>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (mut length, mut is_ours) = (0, false);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let header = header.trim();
            let Some((name, value)) = header.split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a length"),
                "authorization" => is_ours = value == format!("Bearer {TOKEN}"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let (status, answer) = if is_ours {
            let result = state.lock().expect("no panic").answer(&line, &body);
            (
                200,
                json!({"success": true, "errors": [], "result": result}),
            )
        } else {
            let errors = json!([{"code": 10000, "message": "Authentication error"}]);
            (403, json!({"success": false, "errors": errors}))
        };
        let answer = answer.to_string();
        write!(
            &*stream,
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        )?;
    }
}

impl QueueState {
    fn answer(&mut self, line: &str, body: &Value) -> Value {
        match line.split(' ').nth(1) {
            Some("/q/messages/pull") => self.pull(body),
            Some("/q/messages/ack") => self.ack(body),
            _ => panic!("{line}"),
        }
    }

    fn pull(&mut self, body: &Value) -> Value {
        let lease = body["visibility_timeout_ms"].as_u64().expect("a lease");
        let most = body["batch_size"].as_u64().expect("a size");
        let now = Instant::now();
        let most_attempts = self.most_attempts;
        let is_dead =
            |message: &QueueMessage| message.visible <= now && message.attempts >= most_attempts;
        let (dead, alive): (Vec<_>, Vec<_>) = self.messages.drain(..).partition(is_dead);
        self.messages = alive;
        self.dead
            .extend(dead.into_iter().map(|message| message.body));
        let waiting = (self.messages.iter_mut()).filter(|message| message.visible <= now);
        let mut leased = vec![];
        for message in waiting.take(most as usize) {
            self.leases += 1;
            let id = format!("lease-{}", self.leases);
            message.attempts += 1;
            message.visible = now + Duration::from_millis(lease);
            message.leases.push(id.clone());
            leased.push(json!({
                "body": BASE64_STANDARD.encode(&message.body), "id": "m", "timestamp_ms": 1, "lease_id": id,
                "attempts": message.attempts, "metadata": {"CF-Content-Type": "json"},
            }));
        }
        json!({"messages": leased})
    }

    /// A lapsed lease still counts.
    fn ack(&mut self, body: &Value) -> Value {
        let ids = |list: &Value| {
            let list = list.as_array().expect("a list").clone();
            list.into_iter().map(|entry| {
                let id = entry["lease_id"].as_str().expect("a lease").to_owned();
                (id, entry["delay_seconds"].as_u64().unwrap_or(0))
            })
        };
        for (id, _) in ids(&body["acks"]) {
            let is_it = |message: &QueueMessage| message.leases.contains(&id);
            if let Some(at) = self.messages.iter().position(is_it) {
                self.acknowledged.push(self.messages.remove(at).body);
            }
        }
        for (id, delay) in ids(&body["retries"]) {
            let mut messages = self.messages.iter_mut();
            if let Some(message) = messages.find(|message| message.leases.contains(&id)) {
                // The test does not wait.
                message.visible = Instant::now();
                self.delays.push(delay);
            }
        }
        json!({"ackCount": 0, "retryCount": 0, "warnings": []})
    }
}
