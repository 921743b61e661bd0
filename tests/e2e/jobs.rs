//! Uploads become jobs and lectures: the Worker's queue, a local stand-in for Cloudflare's pull
//! API, and `lectern work`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use testkit::process::{PATIENCE, succeed};
use testkit::root;

use lectern::credential::claims::Purpose;
use serde_json::json;
use tempfile::TempDir;

use super::edge::{Edge, built, lectern};
use super::media;

/// `tools/queue/` on its own ports. Dropping it ends it.
struct LocalQueue {
    pull: Child,
    url: String,
    folder: TempDir,
}

impl LocalQueue {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port");
        let pull = Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tools/queue/pull.mjs"))
            .env("PORT", address.port().to_string())
            .stdin(Stdio::null())
            .spawn()
            .expect("node starts");
        let queue = Self {
            pull,
            url: format!("http://{address}"),
            folder,
        };
        let worker = root().join("tools/queue/worker.mjs");
        let shipped = fs::read_to_string(root().join("tools/queue/wrangler.toml")).expect("TOML");
        let config = shipped
            .replace("\"worker.mjs\"", &format!("{worker:?}"))
            .replace("http://127.0.0.1:8789", &queue.url);
        fs::write(queue.config(), config).expect("written");
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < PATIENCE, "no pull API");
            std::thread::sleep(Duration::from_millis(20));
        }
        queue
    }

    fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("wrangler.toml")
    }
}

impl Drop for LocalQueue {
    fn drop(&mut self) {
        let _ = self.pull.kill();
        let _ = self.pull.wait();
    }
}

/// Packages the queued uploads. Returns their URLs.
fn work(edge: &Edge, queue: &LocalQueue, folder: &Path) -> Vec<String> {
    let shipped = succeed(
        edge.lectern()
            .arg("work")
            .args(["/uploads/", "/courses"].map(|path| format!("{}{path}", edge.origin)))
            .args(["--queue", &queue.url, "--once", "--preset", "ultrafast"])
            .arg("--work")
            .arg(folder),
    );
    shipped.lines().map(str::to_owned).collect()
}

#[test]
fn an_upload_becomes_a_job_and_a_lecture_that_plays() {
    let queue = LocalQueue::start();
    let edge = Edge::with_queue(&queue.config());
    let folder = queue.folder.path();
    let sample = folder.join("sample.mp4");
    succeed(
        lectern()
            .args(["sample", "--seconds", "6", "-o"])
            .arg(&sample),
    );
    let sample = fs::read(sample).expect("a sample");

    let auth = format!("Bearer {}", edge.token("/uploads/", Purpose::Upload));
    let auth = [("authorization", auth.as_str())];
    let elsewhere = format!("Bearer {}", edge.token("/courses/", Purpose::Upload));
    let put = edge.send("PUT", "/uploads/rails/whole.mp4", &auth, &sample);
    assert_eq!(put.verdict(), "200");
    // These uploads are not announced.
    for (path, auth) in [
        ("/uploads/live/segment-1-1.m4s", auth),
        ("/uploads/live/init-1.mp4", auth),
        ("/uploads/page.html", auth),
        ("/uploads/rails/unknown.kind", auth),
        ("/uploads/rails/nameless", auth),
        ("/courses/talk.mp4", [("authorization", elsewhere.as_str())]),
    ] {
        let put = edge.send("PUT", path, &auth, &sample);
        assert_eq!(put.verdict(), "200", "{path}");
    }
    let parts = "/uploads/rails/in%20parts.mp4";
    let created = edge.send("POST", &format!("{parts}?uploads"), &auth, &[]);
    let id = created.json()["uploadId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let url = format!("{parts}?uploadId={id}");
    let part = edge.send("PUT", &format!("{url}&partNumber=1"), &auth, &sample);
    let list = json!({ "parts": [part.json()] }).to_string();
    let completed = edge.send("POST", &url, &auth, list.as_bytes());
    assert_eq!(completed.verdict(), "201");

    let mut shipped = vec![];
    let started = Instant::now();
    while shipped.len() < 2 {
        assert!(started.elapsed() < PATIENCE, "{}", edge.log());
        shipped.extend(work(&edge, &queue, &folder.join("work")));
    }
    shipped.sort();
    let expected = ["in%20parts", "whole"]
        .map(|name| format!("{}/courses/rails/{name}/master.m3u8", edge.origin));
    assert_eq!(shipped, expected);
    assert_eq!(work(&edge, &queue, &folder.join("work")), [""; 0]);
    let link = edge.link("/courses/rails/whole/master.m3u8");
    let seconds = media::duration(&link);
    assert!((seconds - 6.0).abs() < 0.2, "{seconds} s");
    media::decode(&link);
}

#[test]
fn an_uploader_gets_an_error_if_the_queue_does_not_accept_the_message() {
    let edge = Edge::with_variable("UPLOADS_PREFIX:uploads/");
    let auth = format!("Bearer {}", edge.token("/uploads/", Purpose::Upload));
    let put = edge.send("PUT", "/uploads/a.mov", &[("authorization", &auth)], b"x");
    assert_eq!(put.verdict(), "500 misconfigured");
    edge.logged("no queue is bound as `JOBS`");
}
