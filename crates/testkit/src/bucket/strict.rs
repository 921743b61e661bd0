//! A proxy in front of the S3 server: R2's rules, which the server lacks, and faults by a seed.
//!
//! R2's rules: conditional writes, equal part lengths except the last, one checksum, one write per
//! second and key, no chunked bodies.

use std::collections::HashMap;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// The fault of a request, chosen by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Refused with this status, and possibly `Retry-After`.
    Status(u16, Option<u32>),
    /// Delayed until a gateway times out.
    Late,
    /// Half of the body is read, then the connection is reset.
    Reset,
    /// Executed, and the answer is truncated.
    HalfAnswer,
    /// Executed, and the answer is dropped.
    Never,
}

type Hook = Arc<dyn Fn(usize, Moment) + Send + Sync>;

/// The moment of a hook: before a request reaches the server, or before its answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Arrived,
    Done,
}

/// Answers that [`Strict::hold`] holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// To writes, which are done.
    Writes,
    /// To parts, after so many of them.
    PartsAfter(usize),
    /// The second half of each that is longer than a megabyte.
    Large,
}

/// Answers that are held back until this is dropped.
pub struct HeldRequest<'a>(&'a Shared);

impl Drop for HeldRequest<'_> {
    fn drop(&mut self) {
        *self.0.held() = None;
        self.0.released.notify_all();
    }
}

pub struct Strict {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    backend: SocketAddr,
    state: Mutex<ProxyState>,
    plan: Box<dyn Fn(usize) -> Fault + Send + Sync>,
    hook: Mutex<Option<Hook>>,
    held: Mutex<Option<Answers>>,
    released: Condvar,
}

#[derive(Default)]
pub struct ProxyState {
    pub requests: usize,
    pub faults: usize,
    /// Connections that were accepted and are not over.
    busy: usize,
    /// The other end of the one that was accepted last.
    accepted: Option<SocketAddr>,
    /// Bytes of all written bodies.
    pub received: u64,
    /// Keys in the order of their writes.
    pub order: Vec<String>,
    /// Requests that violate R2's rules.
    pub violations: Vec<String>,
    etags: HashMap<String, String>,
    written: HashMap<String, Instant>,
    /// Parts that have come.
    numbered: usize,
    /// Lengths of parts, by upload and number.
    parts: HashMap<String, HashMap<u32, usize>>,
}

impl Strict {
    pub fn start(
        backend: SocketAddr,
        plan: impl Fn(usize) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            backend,
            state: Mutex::default(),
            plan: Box::new(plan),
            hook: Mutex::new(None),
            held: Mutex::new(None),
            released: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&own);
                let mut state = own.state();
                state.busy += 1;
                state.accepted = stream.peer_addr().ok();
                drop(state);
                std::thread::spawn(move || {
                    // A killed client does not end the proxy.
                    let _ = shared.serve(&stream);
                    shared.state().busy -= 1;
                });
            }
        });
        Self { address, shared }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn state(&self) -> MutexGuard<'_, ProxyState> {
        self.shared.state()
    }

    /// Clears the records, and keeps the stored objects.
    pub fn reset(&self) {
        let mut state = self.state();
        (state.requests, state.faults, state.received) = (0, 0, 0);
        state.numbered = 0;
        state.order.clear();
        state.written.clear();
    }

    /// Registers the objects in the server's folder.
    pub fn adopt(&self, etags: HashMap<String, String>) {
        self.state().etags = etags;
    }

    pub fn etags(&self) -> HashMap<String, String> {
        self.state().etags.clone()
    }

    /// Waits until no request is active. Those of a killed client may still complete.
    pub fn wait_until_idle(&self) {
        // Connections are accepted in their order: what came before this one was accepted before it.
        let last = TcpStream::connect(self.address).expect("the server listens");
        let own = last.local_addr().ok();
        while self.state().accepted != own {
            std::thread::sleep(Duration::from_millis(3));
        }
        drop(last);
        while self.state().busy > 0 {
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Holds answers back, so that what waits for them is not over before a test is.
    pub fn hold(&self, answers: Answers) -> HeldRequest<'_> {
        *self.shared.held() = Some(answers);
        HeldRequest(&self.shared)
    }

    pub fn on_request(&self, hook: Option<Hook>) {
        *self.shared.hook.lock().expect("no panic in a hook") = hook;
    }
}

struct ProxyRequest {
    line: String,
    head: Vec<u8>,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl ProxyRequest {
    fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    fn path_and_query(&self) -> (&str, &str) {
        let target = self.line.split(' ').nth(1).unwrap_or_default();
        target.split_once('?').unwrap_or((target, ""))
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let parameters = self.path_and_query().1.split('&');
        let mut pairs = parameters.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().expect("no panic at the server")
    }

    fn held(&self) -> MutexGuard<'_, Option<Answers>> {
        self.held.lock().expect("no panic at the server")
    }

    /// Waits while such answers are held.
    fn wait_while(&self, is_held: impl Fn(Answers) -> bool) {
        let held = self.held();
        let released = (self.released).wait_while(held, |held| held.is_some_and(&is_held));
        drop(released.expect("no panic at the server"));
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut request = read_head(&mut reader)?;
        let number = {
            let mut state = self.state();
            state.requests += 1;
            state.requests
        };
        self.serve_one(stream, &mut reader, &mut request, number)
    }

    fn serve_one(
        &self,
        stream: &TcpStream,
        reader: &mut impl std::io::Read,
        request: &mut ProxyRequest,
        number: usize,
    ) -> std::io::Result<()> {
        let fault = (self.plan)(number);
        if fault != Fault::None {
            self.state().faults += 1;
        }
        let length =
            (request.headers.get("content-length")).map_or(0, |length| length.parse().unwrap_or(0));
        if fault == Fault::Reset {
            let mut half = vec![0; length / 2];
            reader.read_exact(&mut half)?;
            // Unread bytes turn this into a reset.
            return stream.shutdown(Shutdown::Both);
        }
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
        self.tell(number, Moment::Arrived);
        let answer = match fault {
            Fault::Status(status, wait) => {
                let wait = wait.map_or_else(String::new, |wait| format!("Retry-After: {wait}\r\n"));
                refusal(status, "SlowDown", &wait)
            }
            Fault::Late => {
                std::thread::sleep(Duration::from_millis(700));
                refusal(504, "RequestTimeout", "")
            }
            _ => self.answer(request)?,
        };
        self.tell(number, Moment::Done);
        if fault == Fault::Never {
            // Waits until the client disconnects.
            return reader.read(&mut [0]).map(drop);
        }
        let answer = match fault {
            Fault::HalfAnswer => &answer[..answer.len().min(20).max(answer.len() / 2)],
            _ => &answer[..],
        };
        let is_write = !matches!(request.method(), "GET" | "HEAD");
        let part = request.parameter("partNumber").map(|_| {
            let mut state = self.state();
            state.numbered += 1;
            state.numbered
        });
        self.wait_while(|held| match held {
            Answers::Writes => is_write,
            Answers::PartsAfter(most) => part.is_some_and(|part| part > most),
            Answers::Large => false,
        });
        let (mut stream, mut rest) = (stream, answer);
        if answer.len() > 1 << 20 {
            let (first, second) = answer.split_at(answer.len() / 2);
            stream.write_all(first)?;
            self.wait_while(|held| held == Answers::Large);
            rest = second;
        }
        stream.write_all(rest)?;
        stream.flush()
    }

    fn tell(&self, number: usize, moment: Moment) {
        // A hook may send requests to the server.
        let hook = self.hook.lock().expect("no panic in a hook").clone();
        if let Some(hook) = hook {
            hook(number, moment);
        }
    }

    /// Answers by R2's rules, else with the server's answer.
    fn answer(&self, request: &ProxyRequest) -> std::io::Result<Vec<u8>> {
        let key = request.path_and_query().0.to_owned();
        let upload = request.parameter("uploadId").map(str::to_owned);
        let part: Option<u32> =
            (request.parameter("partNumber")).and_then(|part| part.parse().ok());
        let is_write = match request.method() {
            "PUT" => part.is_none(),
            "POST" => upload.is_some(),
            _ => false,
        };
        let refused = self.rules(request, &key, upload.as_deref(), part, is_write);
        if let Some(refused) = refused {
            return Ok(refused);
        }
        let answer = self.forward(request)?;
        if !answer.starts_with(b"HTTP/1.1 2") {
            return Ok(answer);
        }
        let mut state = self.state();
        if let (Some(upload), Some(part)) = (&upload, part) {
            let parts = state.parts.entry(upload.clone()).or_default();
            parts.insert(part, request.body.len());
        }
        if request.method() == "PUT" {
            state.received += request.body.len() as u64;
        }
        if is_write {
            let etag = header(&answer, "etag").or_else(|| element(&answer, "ETag"));
            state.etags.insert(key.clone(), etag.unwrap_or_default());
            state.written.insert(key.clone(), Instant::now());
            state.order.push(key);
        } else if request.method() == "DELETE" && upload.is_none() {
            state.etags.remove(&key);
        }
        Ok(answer)
    }

    fn rules(
        &self,
        request: &ProxyRequest,
        key: &str,
        upload: Option<&str>,
        part: Option<u32>,
        is_write: bool,
    ) -> Option<Vec<u8>> {
        let mut state = self.state();
        let has = |name: &str| request.headers.contains_key(name);
        let checksums = (request.headers.keys())
            .filter(|name| name.starts_with("x-amz-checksum-") || *name == "content-md5")
            .count();
        let violate = |state: &mut ProxyState, what: &str| {
            state
                .violations
                .push(format!("{what}: {}", request.line.trim()));
            refusal(400, "InvalidRequest", "")
        };
        if checksums > 1 {
            return Some(violate(&mut state, "two checksums"));
        }
        if has("transfer-encoding") {
            return Some(violate(&mut state, "a body without a length"));
        }
        if part.is_some() && !(1..=10_000).contains(&part.unwrap_or(0)) {
            return Some(violate(&mut state, "a part's number"));
        }
        if request.method() == "POST"
            && let Some(parts) = upload.and_then(|upload| state.parts.get(upload))
        {
            let mut numbered: Vec<_> = parts.iter().collect();
            numbered.sort();
            let (last, others) = numbered.split_last().expect("there is a part");
            let equal = others.windows(2).all(|pair| pair[0].1 == pair[1].1);
            let first = others.first().map_or(*last.1, |first| *first.1);
            if !equal || *last.1 > first || first < 5 << 20 && !others.is_empty() {
                return Some(violate(&mut state, "parts of different sizes"));
            }
        }
        if !is_write {
            let known = state.etags.get(key);
            let is_other = known
                .zip(request.headers.get("if-match"))
                .is_some_and(|(known, asked)| known.trim_matches('"') != asked.trim_matches('"'));
            return is_other.then(|| refusal(412, "PreconditionFailed", ""));
        }
        if (state.written.get(key)).is_some_and(|at| at.elapsed() < Duration::from_secs(1)) {
            return Some(refusal(429, "TooManyRequests", "Retry-After: 1\r\n"));
        }
        let found = state.etags.get(key);
        let unmet = match (
            request.headers.get("if-none-match"),
            request.headers.get("if-match"),
        ) {
            (Some(_), _) => found.is_some(),
            (None, Some(etag)) => {
                found.is_none_or(|found| found.trim_matches('"') != etag.trim_matches('"'))
            }
            (None, None) => false,
        };
        unmet.then(|| refusal(412, "PreconditionFailed", ""))
    }

    fn forward(&self, request: &ProxyRequest) -> std::io::Result<Vec<u8>> {
        let mut backend = TcpStream::connect(self.backend)?;
        backend.write_all(&request.head)?;
        backend.write_all(b"Connection: close\r\n\r\n")?;
        backend.write_all(&request.body)?;
        let mut answer = vec![];
        backend.read_to_end(&mut answer)?;
        // The server omits it in answers to `HEAD`.
        if request.method() == "HEAD" && header(&answer, "etag").is_none() {
            let etag = self.state().etags.get(request.path_and_query().0).cloned();
            let line = format!("\r\nETag: {}", etag.unwrap_or_default());
            let end = answer.windows(2).position(|pair| pair == b"\r\n");
            answer.splice(end.unwrap_or(0)..end.unwrap_or(0), line.into_bytes());
        }
        Ok(answer)
    }
}

fn read_head(reader: &mut impl std::io::BufRead) -> std::io::Result<ProxyRequest> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let (mut head, mut headers) = (line.clone().into_bytes(), HashMap::new());
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        head.extend_from_slice(header.as_bytes());
    }
    Ok(ProxyRequest {
        line,
        head,
        headers,
        body: vec![],
    })
}

fn refusal(status: u16, code: &str, headers: &str) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>No.</Message></Error>");
    let length = body.len();
    format!(
        "HTTP/1.1 {status} No\r\n{headers}Content-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn header(answer: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let head = text.split("\r\n\r\n").next()?;
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().to_owned())
}

fn element(answer: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0.replace("&quot;", "\""))
}

/// A number from a seed, equal on every machine.
pub fn drawn(seed: u64, number: usize) -> u64 {
    let digest = Sha256::digest(format!("{seed} {number}"));
    digest
        .iter()
        .take(8)
        .fold(0, |all, byte| all << 8 | u64::from(*byte))
}
