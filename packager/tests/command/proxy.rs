//! Proxies of the environment: a real HTTP proxy in the test, in front of a real S3 server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use testkit::process::{run, text};
use testkit::recording::clip;

use crate::bucket::S3Bucket;
use crate::common::{command, packaged};
use testkit::bucket::server::{KEY_ID, SECRET};
use testkit::bucket::strict::Fault;

/// A host that no resolver knows.
const HOST: &str = "objects.lectern.invalid:9000";

/// A proxy that forwards plain requests to one server, and refuses tunnels.
struct ForwardProxy {
    address: SocketAddr,
    /// Request lines and `Proxy-Authorization`.
    seen: Arc<Mutex<Vec<String>>>,
}

impl ForwardProxy {
    fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(vec![]));
        let log = Arc::clone(&seen);
        // The thread ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || {
                    let _ = forward(stream, server, &log);
                });
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").clone()
    }
}

/// Forwards one request, and closes the connection.
fn forward(client: TcpStream, server: SocketAddr, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut client = client;
    let mut line = String::new();
    reader.read_line(&mut line)?;
    log.lock().expect("no panic").push(line.trim().to_owned());
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let lower = header.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if lower.starts_with("proxy-authorization:") {
            log.lock().expect("no panic").push(header.trim().to_owned());
        } else if !lower.starts_with("connection:") && header.trim() != "" {
            head.push_str(&header);
        }
        if header.trim().is_empty() {
            break;
        }
    }
    if line.starts_with("CONNECT ") {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    }
    let line = line.replacen(&format!("http://{HOST}"), "", 1);
    let mut onward = TcpStream::connect(server)?;
    onward.write_all(format!("{line}{head}Connection: close\r\n\r\n").as_bytes())?;
    std::io::copy(&mut reader.take(length), &mut onward)?;
    std::io::copy(&mut onward, &mut client).map(drop)
}

fn with_proxy(command: &mut Command, proxy: &str) {
    command.env("HTTP_PROXY", proxy).env("HTTPS_PROXY", proxy);
}

#[test]
fn a_bucket_is_written_through_the_proxy_of_the_environment() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x180", 3);
    let package = root.path().join("package");
    packaged(&input, &package, &[]);

    let bucket = S3Bucket::start(|_| Fault::None);
    let own = bucket.strict.endpoint();
    let server = own.trim_start_matches("http://").trim_end_matches('/');
    let proxy = ForwardProxy::start(server.parse().expect("an address"));
    let url = format!("http://user:pass%20word@{}", proxy.address);
    let publish = |endpoint: &str, more: &[(&str, &str)]| {
        let args = ["publish", text(&package), "r2://video/a", "--endpoint"];
        let mut command = command(&args);
        command
            .args([endpoint, "--allow-plain-http"])
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET);
        with_proxy(&mut command, &url);
        command.envs(more.iter().copied());
        run(&mut command)
    };

    let through = publish(&format!("http://{HOST}"), &[]);
    assert_eq!(through.code, 0, "{through:?}");
    assert!(bucket.root.path().join("video/a/master.m3u8").exists());
    let seen = proxy.seen();
    let puts = format!("PUT http://{HOST}/video/a/");
    assert!(seen.iter().any(|line| line.starts_with(&puts)), "{seen:?}");
    // `user:pass word`.
    let authorization = "Basic dXNlcjpwYXNzIHdvcmQ=";
    assert!(
        seen.iter().any(|line| line.ends_with(authorization)),
        "{seen:?}"
    );

    // This machine, and the hosts of `NO_PROXY`, are asked directly.
    let before = proxy.seen().len();
    let direct = publish(&own, &[]);
    assert_eq!(direct.code, 0, "{direct:?}");
    let excepted = publish(
        &format!("http://{HOST}"),
        &[("NO_PROXY", "lectern.invalid")],
    );
    assert_ne!(excepted.code, 0, "{excepted:?}");
    assert_eq!(proxy.seen().len(), before);
}

#[test]
fn tls_goes_through_a_tunnel_and_no_error_shows_the_proxys_password() {
    let proxy = ForwardProxy::start(([127, 0, 0, 1], 9).into());
    let mut command = command(&["check", &format!("https://{HOST}/master.m3u8")]);
    with_proxy(
        &mut command,
        &format!("http://user:s3cret@{}", proxy.address),
    );
    let checked = run(&mut command);
    assert_ne!(checked.code, 0, "{checked:?}");
    let seen = proxy.seen();
    assert!(
        seen.first()
            .is_some_and(|line| *line == format!("CONNECT {HOST} HTTP/1.1")),
        "{seen:?}"
    );
    let shown = format!("{checked:?}");
    assert!(!shown.contains("s3cret"), "{shown}");

    let mut command = crate::common::command(&["check", &format!("https://{HOST}/master.m3u8")]);
    with_proxy(&mut command, "socks5://user:s3cret@127.0.0.1:9");
    let refused = run(&mut command);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.stderr.contains("HTTPS_PROXY"), "{refused:?}");
    assert!(!refused.stderr.contains("s3cret"), "{refused:?}");
}
