//! Processes that run edges: one host for most of them, or `wrangler dev` for one.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::process::PATIENCE;
use testkit::root;

use crate::edge::built;

/// The way to run an edge.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// Beside others in one host. It starts at once, and cannot be killed.
    Shared,
    /// With `wrangler dev`, in processes of its own, without wrangler's additions to the Worker.
    Alone,
    /// With wrangler's explorer and traces, its defaults.
    AsShipped,
    /// With the script of `make serve`.
    MakeServe,
}

/// A configured edge.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) start: Start,
    pub(crate) config: &'static str,
    pub(crate) has_keys: bool,
    /// Values of variables in the configuration.
    pub(crate) variables: Vec<(String, String)>,
    /// Other pages than those of `make build`.
    pub(crate) assets: Option<PathBuf>,
    /// The configuration of the Worker that consumes the queue.
    pub(crate) consumer: Option<PathBuf>,
    /// The log has a line for each request.
    pub(crate) has_requests_in_log: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            start: Start::Shared,
            config: "wrangler.toml",
            has_keys: true,
            variables: Vec::new(),
            assets: None,
            consumer: None,
            has_requests_in_log: false,
        }
    }
}

/// A running edge. It ends with its process.
#[derive(Debug)]
pub(crate) enum Runtime {
    Shared(u16),
    Alone(Child),
}

impl Runtime {
    /// Starts an edge with its state and log in `folder`. It may take a while until it answers.
    pub(crate) fn start(setup: &Setup, folder: &Path, port: u16, keys: &str) -> Self {
        built("build/index.js");
        built("web/dist/.ok");
        match setup.start {
            Start::Shared => {
                Host::get().start(setup, folder, port, keys);
                Self::Shared(port)
            }
            _ => Self::Alone(wrangler(setup, folder, port, keys)),
        }
    }

    /// Ends the edge and what it started.
    pub(crate) fn end(&mut self, origin: &str) {
        match self {
            Self::Shared(port) => Host::get().order(*port, &json!({ "stop": port })),
            Self::Alone(supervisor) => {
                drop(supervisor.stdin.take());
                let _ = supervisor.wait();
                // Init reaps the other processes of the group. They hold the port until then.
                let address = origin.trim_start_matches("http://");
                let began = Instant::now();
                while TcpStream::connect(address).is_ok() && began.elapsed() < PATIENCE {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    /// The process group of an edge that runs alone.
    pub(crate) fn group(&self) -> u32 {
        match self {
            Self::Alone(supervisor) => supervisor.id(),
            Self::Shared(_) => panic!("this edge shares its processes: start it alone"),
        }
    }
}

/// `tests/edges.mjs`, which runs many edges.
struct Host {
    orders: Mutex<ChildStdin>,
    /// Who waits for the edge at a port.
    waiting: Arc<Mutex<HashMap<u16, Sender<Value>>>>,
}

impl Host {
    /// The host of this process. It ends with the process, when its standard input closes.
    fn get() -> &'static Self {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(|| {
            let mut child = Command::new(built("node_modules/node/bin/node"))
                .arg(root().join("tests/edges.mjs"))
                .current_dir(root())
                .envs(QUIET)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("node starts");
            let waiting: Arc<Mutex<HashMap<u16, Sender<Value>>>> = Arc::default();
            let orders = Mutex::new(child.stdin.take().expect("an input"));
            let answers = BufReader::new(child.stdout.take().expect("an output"));
            let of = Arc::clone(&waiting);
            std::thread::spawn(move || {
                // wrangler's sentences are between the answers.
                for line in answers.lines().map_while(Result::ok) {
                    let Ok(answer) = serde_json::from_str::<Value>(&line) else {
                        continue;
                    };
                    let port = answer["edge"].as_u64().and_then(|it| it.try_into().ok());
                    let port = port.expect("a port");
                    let sender = of.lock().expect("no panic").remove(&port);
                    let _ = sender.expect("a waiting test").send(answer);
                }
                let _ = child.wait();
            });
            Self { orders, waiting }
        })
    }

    fn start(&self, setup: &Setup, folder: &Path, port: u16, keys: &str) {
        assert!(setup.consumer.is_none(), "a queue needs wrangler");
        let mut variables: serde_json::Map<String, Value> = (setup.variables.iter())
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        if setup.has_keys {
            variables.insert("LECTERN_KEYS".to_owned(), json!(keys));
        }
        let order = json!({
            "start": port,
            "config": setup.config,
            "state": folder.join("state"),
            "log": folder.join("log"),
            "variables": variables,
            "assets": setup.assets,
            "hasRequestsInLog": setup.has_requests_in_log,
        });
        self.order(port, &order);
    }

    /// Sends an order, and waits until it is done.
    fn order(&self, port: u16, order: &Value) {
        let (sender, answer) = channel();
        self.waiting.lock().expect("no panic").insert(port, sender);
        writeln!(self.orders.lock().expect("no panic"), "{order}").expect("tests/edges.mjs runs");
        let answer = answer.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(answer["error"], Value::Null, "{answer:#}");
    }
}

/// wrangler reports nothing, and looks nothing up.
const QUIET: [(&str, &str); 4] = [
    ("WRANGLER_SEND_METRICS", "false"),
    ("WRANGLER_SEND_ERROR_REPORTS", "false"),
    ("WRANGLER_HIDE_BANNER", "true"),
    ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
];

/// `wrangler dev` with state, secrets and log in `folder`. Its parent is a shell that ends the
/// group when its standard input closes, so it ends with this process in any case.
fn wrangler(setup: &Setup, folder: &Path, port: u16, keys: &str) -> Child {
    let secrets = folder.join("secrets");
    let variable = if setup.has_keys {
        "LECTERN_KEYS"
    } else {
        "NONE"
    };
    fs::write(&secrets, format!("{variable}='{keys}'\n")).expect("written");
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .expect("a log");
    let node = built("node_modules/node/bin/node");
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(r#""$@" </dev/null & cat >/dev/null; kill -9 -$$"#)
        .arg("edge");
    let state = folder.join("state");
    let port = port.to_string();
    if let Start::MakeServe = setup.start {
        let tools = node.parent().expect("a folder").to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(tools).chain(std::env::split_paths(&path));
        command
            .arg(root().join("tools/serve.sh"))
            .env("PATH", std::env::join_paths(path).expect("a path"))
            .env("PORT", port)
            .env("STATE", state);
    } else {
        let has_tools = matches!(setup.start, Start::AsShipped).to_string();
        let level = if setup.has_requests_in_log {
            "log"
        } else {
            "warn"
        };
        command
            .arg(node)
            .arg(built("node_modules/wrangler/bin/wrangler.js"))
            .args(["dev", "--inspector-port", "0", "--port", &port])
            .arg("--show-interactive-dev-session=false")
            .args(["--log-level", level])
            .arg("--persist-to")
            .arg(state)
            .env("X_LOCAL_EXPLORER", &has_tools)
            .env("X_LOCAL_OBSERVABILITY", &has_tools);
    }
    command.args(["--ip", "127.0.0.1", "--config", setup.config]);
    if let Some(consumer) = &setup.consumer {
        command.arg("--config").arg(consumer);
    }
    for (name, value) in &setup.variables {
        command.arg("--var").arg(format!("{name}:{value}"));
    }
    if let Some(assets) = &setup.assets {
        command.arg("--assets").arg(assets);
    }
    command
        .arg("--env-file")
        .arg(secrets)
        .current_dir(root())
        .envs(QUIET)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .process_group(0)
        .spawn()
        .expect("sh starts")
}
