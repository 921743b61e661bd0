//! The built Worker in workerd, on a free port, with a state folder and a key of its own.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::process::{PATIENCE, succeed, wait_until};
use testkit::root;

use lectern::credential::claims::{Claims, Purpose};
use lectern::credential::keyring::{Key, Keyring, with_new_key};
use lectern::credential::link;
use lectern::object::key::Scope;
use tempfile::TempDir;

use crate::runtime::{Runtime, Setup, Start};

/// The only clock of these tests.
pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH
        .elapsed()
        .expect("after 1970")
        .as_secs()
}

/// The result of `make build`. The tests run it as users do, so they do not build it.
pub(crate) fn built(path: &str) -> PathBuf {
    let path = root().join(path);
    assert!(
        path.exists(),
        "{} is missing: run `make build`",
        path.display()
    );
    path
}

pub(crate) struct Edge {
    runtime: Runtime,
    pub(crate) origin: String,
    pub(crate) keys: Keyring,
    keys_json: String,
    folder: TempDir,
    setup: Setup,
}

impl Edge {
    /// Starts the Worker as it is deployed.
    pub(crate) fn start() -> Self {
        Self::launch(Setup::default())
    }

    /// Starts the Worker in processes of its own, to kill or to measure them.
    pub(crate) fn alone() -> Self {
        Self::launch(Setup {
            start: Start::Alone,
            ..Setup::default()
        })
    }

    /// Starts the Worker for the pages of these origins only.
    pub(crate) fn for_pages_of(origins: &str) -> Self {
        Self::with_variables(&[("ALLOWED_ORIGINS", origins)])
    }

    /// Starts the Worker with other values of variables.
    pub(crate) fn with_variables(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self::launch(Setup {
            variables: variables.iter().map(owned).collect(),
            ..Setup::default()
        })
    }

    /// Starts the Worker for bodies of at most `bytes`. The proxies of wrangler and of Cloudflare
    /// read what the Worker leaves, so that a browser gets its answer.
    pub(crate) fn for_bodies_of(bytes: usize) -> Self {
        Self::launch(Setup {
            start: Start::Alone,
            variables: vec![("MAX_UPLOAD_BYTES".to_owned(), bytes.to_string())],
            ..Setup::default()
        })
    }

    /// Starts the Worker with other pages than those of `make build`.
    pub(crate) fn with_pages(folder: &Path) -> Self {
        Self::launch(Setup {
            assets: Some(folder.to_owned()),
            ..Setup::default()
        })
    }

    /// Starts the Worker with a queue, and the Worker that consumes its messages.
    pub(crate) fn with_queue(consumer: &Path) -> Self {
        Self::launch(Setup {
            start: Start::Alone,
            config: "tests/queue/wrangler.toml",
            consumer: Some(consumer.to_owned()),
            ..Setup::default()
        })
    }

    /// Starts the Worker without the bindings that remember viewers.
    pub(crate) fn without_ledgers() -> Self {
        Self::launch(Setup {
            config: "tests/queue/wrangler.toml",
            ..Setup::default()
        })
    }

    /// Starts the Worker with an endpoint for webhooks.
    pub(crate) fn with_webhook(url: &str, secret: &str) -> Self {
        Self::with_variables(&[("WEBHOOK_URL", url), ("WEBHOOK_SECRET", secret)])
    }

    /// Starts the Worker with its log, one line per request.
    pub(crate) fn with_log() -> Self {
        Self::launch(Setup {
            has_requests_in_log: true,
            ..Setup::default()
        })
    }

    /// Starts the Worker with a bucket, a cache and a limiter that fail on demand:
    /// `tests/faults/worker.mjs`.
    pub(crate) fn with_faults() -> Self {
        Self::launch(Setup {
            config: "tests/faults/wrangler.toml",
            ..Setup::default()
        })
    }

    /// Starts [`Edge::with_faults`] in processes of its own, to measure them.
    pub(crate) fn alone_with_faults() -> Self {
        Self::launch(Setup {
            start: Start::Alone,
            config: "tests/faults/wrangler.toml",
            ..Setup::default()
        })
    }

    /// Starts the Worker without keys.
    pub(crate) fn without_keys() -> Self {
        Self::launch(Setup {
            has_keys: false,
            ..Setup::default()
        })
    }

    /// Starts the Worker with wrangler's defaults.
    pub(crate) fn as_wrangler_ships() -> Self {
        Self::launch(Setup {
            start: Start::AsShipped,
            ..Setup::default()
        })
    }

    /// Starts the Worker with `make serve`.
    pub(crate) fn as_make_serves() -> Self {
        Self::launch(Setup {
            start: Start::MakeServe,
            ..Setup::default()
        })
    }

    fn launch(setup: Setup) -> Self {
        let folder = TempDir::new().expect("a folder");
        let secret: Vec<u8> = (0..4)
            .flat_map(|_| {
                std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8).to_le_bytes()
            })
            .collect();
        let keys_json = with_new_key("", "e2e", &secret).expect("a key ring");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let edge = Self {
            runtime: Runtime::start(&setup, folder.path(), port, &keys_json),
            origin: format!("http://127.0.0.1:{port}"),
            keys: Keyring::from_json(&keys_json).expect("a key ring"),
            keys_json,
            folder,
            setup,
        };
        edge.wait();
        edge
    }

    /// Kills the runtime, as the kernel does without memory.
    pub(crate) fn kill_runtime(&self) {
        let group = self.runtime.group();
        let pids = self.runtimes();
        assert!(!pids.is_empty(), "no workerd runs:\n{}", self.log());
        // And its parents, which would keep clients waiting for a new one.
        succeed(
            Command::new("kill")
                .args(["-KILL", "--"])
                .args(&pids)
                .arg(format!("-{group}")),
        );
    }

    /// The processes of the runtime: one listens, and one runs the Worker.
    fn runtimes(&self) -> Vec<String> {
        let group = self.runtime.group().to_string();
        // pid (comm) state ppid pgrp …
        let is_ours = |stat: &str| {
            let (name, rest) = stat.rsplit_once(") ").unwrap_or_default();
            name.ends_with("(workerd") && rest.split(' ').nth(2) == Some(&group)
        };
        fs::read_dir("/proc")
            .expect("a /proc")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            .filter(|pid| {
                fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| is_ours(&stat))
            })
            .collect()
    }

    /// The runtime's resident memory, with the simulated bucket and cache.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The peak of resident memory.
    pub(crate) fn most_resident_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let of = |pid: &String| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
            kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0)
        };
        self.runtimes().iter().map(of).sum::<u64>() * 1024
    }

    /// Ends the remaining processes, and restarts at the same address with the same state.
    pub(crate) fn restart(&mut self) {
        self.restart_after(|_| {});
    }

    /// Restarts as [`Edge::restart`], after a change to the stopped edge's state.
    pub(crate) fn restart_after(&mut self, change: impl FnOnce(&Path)) {
        self.runtime.end(&self.origin);
        change(&self.folder.path().join("state"));
        let (_, port) = self.origin.rsplit_once(':').expect("a port");
        let port = port.parse().expect("a port");
        self.runtime = Runtime::start(&self.setup, self.folder.path(), port, &self.keys_json);
        self.wait();
    }

    fn wait(&self) {
        wait_until(
            || format!("the Worker did not start:\n{}", self.log()),
            || matches!(self.get("/_lectern/health").status, 200 | 500),
        );
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until the log contains `text`, which passes through pipes.
    pub(crate) fn logged(&self, text: &str) {
        wait_until(
            || format!("no `{text}` in\n{}", self.log()),
            || self.log().contains(text),
        );
    }

    /// Sets the secret as `wrangler secret put` does: the same state, and new keys.
    pub(crate) fn set_keys(&mut self, json: String) {
        self.keys = Keyring::from_json(&json).expect("a key ring");
        self.keys_json = json;
        self.restart();
        let expected: Vec<&str> = self.keys.iter().map(Key::kid).collect();
        assert_eq!(
            self.get("/_lectern/health").json()["keys"],
            serde_json::json!(expected)
        );
    }

    /// The runtime's resident memory, and its peak since [`Edge::forget_peak`].
    pub(crate) fn resident(&self) -> (u64, u64) {
        let of = |pid: &String| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let bytes = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
                Some(kilobytes << 10)
            };
            (bytes("VmRSS:").unwrap_or(0), bytes("VmHWM:").unwrap_or(0))
        };
        let all: Vec<(u64, u64)> = self.runtimes().iter().map(of).collect();
        all.into_iter().max().expect("a runtime")
    }

    /// Resets the peak.
    pub(crate) fn forget_peak(&self) {
        for pid in self.runtimes() {
            // proc_pid_clear_refs(5): 5 sets the peak back to what is resident.
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }

    pub(crate) fn keys_json(&self) -> &str {
        &self.keys_json
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A token for `path`, for `Authorization` or `?token=`.
    pub(crate) fn token(&self, path: &str, purpose: Purpose) -> String {
        let scope = Scope::parse(path).expect("a scope");
        let claims = Claims {
            purpose,
            ..Claims::new(scope, now() + 3600)
        };
        link::mint(self.keys.minting(), &claims)
    }

    /// A token with claims in JSON, and a valid `exp` if they have none.
    pub(crate) fn token_of(&self, mut claims: serde_json::Value) -> String {
        if claims["exp"].is_null() {
            claims["exp"] = (now() + 3600).into();
        }
        let claims = Claims::from_json(claims.to_string().as_bytes()).expect("claims");
        link::mint(self.keys.minting(), &claims)
    }

    /// The URL that opens `path`.
    pub(crate) fn link(&self, path: &str) -> String {
        format!(
            "{}{path}?token={}",
            self.origin,
            self.token(path, Purpose::Play)
        )
    }

    pub(crate) fn get(&self, path_and_query: &str) -> Reply {
        let reply = self.send("GET", path_and_query, &[], &[]);
        assert!(!reply.broke_off, "{path_and_query} broke off");
        reply
    }

    /// Sends a request. A failed connection has status 0.
    pub(crate) fn send(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path_and_query}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = if body.is_empty() && !matches!(method, "PUT" | "POST") {
            agent.run(request.body(()).expect("a request"))
        } else {
            agent.run(request.body(body).expect("a request"))
        };
        let Ok(mut answer) = sent else {
            return Reply::default();
        };
        let mut body = Vec::new();
        let read = answer.body_mut().as_reader().read_to_end(&mut body);
        Reply {
            broke_off: read.is_err(),
            status: answer.status().as_u16(),
            headers: answer
                .headers()
                .iter()
                .map(|(name, value)| {
                    let value = value.to_str().unwrap_or_default();
                    (name.as_str().to_owned(), value.to_owned())
                })
                .collect(),
            body,
        }
    }

    /// The `lectern` command with this edge's keys in its environment.
    pub(crate) fn lectern(&self) -> Command {
        let mut command = lectern();
        command.env("LECTERN_KEYS", &self.keys_json);
        command
    }

    /// Publishes a package below `prefix`.
    pub(crate) fn publish(&self, package: &Path, prefix: &str) {
        succeed(
            self.lectern()
                .arg("publish")
                .arg(package)
                .arg(format!("{}{prefix}", self.origin)),
        );
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.runtime.end(&self.origin);
    }
}

pub(crate) fn lectern() -> Command {
    let mut command = Command::new(built("target/debug/lectern"));
    command.stdin(Stdio::null());
    command
}

#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection ended before the body did.
    pub(crate) broke_off: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Status and problem code; the status alone for other answers.
    pub(crate) fn verdict(&self) -> String {
        match self.header("content-type") {
            Some("application/problem+json") => {
                let code = self.json()["code"].as_str().unwrap_or("?").to_owned();
                format!("{} {code}", self.status)
            }
            _ => self.status.to_string(),
        }
    }
}
