//! Uploads become jobs and lectures: the Worker's queue, a local stand-in for Cloudflare's pull
//! API, and `lectern work`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use testkit::process::{PATIENCE, succeed};
use testkit::recording::ffmpeg;
use testkit::root;

use lectern::credential::claims::Purpose;
use serde_json::json;
use tempfile::TempDir;

use super::edge::{Edge, built};
use super::media::{self, Playlist};

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

/// Packages the queued uploads below a folder of lectures. Returns their URLs.
fn work(edge: &Edge, queue: &LocalQueue, folder: &Path, target: &str) -> Vec<String> {
    let shipped = succeed(
        edge.lectern()
            .arg("work")
            .args(["/uploads/", target].map(|path| format!("{}{path}", edge.origin)))
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
    let recorded = media::sample(6);
    let sample = fs::read(&recorded).expect("a sample");

    let auth = format!("Bearer {}", edge.token("/uploads/", Purpose::Upload));
    let auth = [("authorization", auth.as_str())];
    let elsewhere = format!("Bearer {}", edge.token("/courses/", Purpose::Upload));
    let put = edge.send("PUT", "/uploads/rails/whole.mp4", &auth, &sample);
    assert_eq!(put.verdict(), "201");
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
        assert_eq!(put.verdict(), "201", "{path}");
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
        shipped.extend(work(&edge, &queue, &folder.join("work"), "/courses"));
    }
    shipped.sort();
    let expected = ["in%20parts", "whole"]
        .map(|name| format!("{}/courses/rails/{name}/master.m3u8", edge.origin));
    assert_eq!(shipped, expected);
    let status = edge.send("GET", "/uploads/rails/whole.mp4.status.json", &auth, &[]);
    assert_eq!(status.json()["state"], "done", "{}", status.text());
    let more = work(&edge, &queue, &folder.join("work"), "/courses");
    assert_eq!(more, [""; 0]);
    let link = edge.link("/courses/rails/whole/master.m3u8");
    let seconds = media::duration(&link);
    assert!((seconds - 6.0).abs() < 0.2, "{seconds} s");
    media::decode(&link);
    a_live_recording_keeps_its_link(&edge, &queue, &recorded, auth);
}

/// A recorder stores segments, and a viewer opens them. The ladder then plays under the same link,
/// and the viewer's passes go on.
fn a_live_recording_keeps_its_link(
    edge: &Edge,
    queue: &LocalQueue,
    recording: &Path,
    auth: [(&str, &str); 1],
) {
    let parts = queue.folder.path().join("parts");
    fs::create_dir(&parts).expect("a folder");
    let mut command = ffmpeg("-i");
    command
        .arg(recording)
        .args("-c copy -f hls -hls_segment_type fmp4 -hls_time 2".split(' '))
        .args("-hls_playlist_type event -hls_fmp4_init_filename init-1.m4s".split(' '))
        .args("-hls_segment_filename segment-1-%d.m4s playlist-1.m3u8".split(' '))
        .current_dir(&parts);
    succeed(&mut command);
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nplaylist-1.m3u8\n";
    fs::write(parts.join("master.m3u8"), master).expect("written");
    let put = |name: &str, bytes: &[u8]| {
        let put = edge.send("PUT", &format!("/uploads/live/7/{name}"), &auth, bytes);
        assert!((200..300).contains(&put.status), "{name}: {}", put.text());
    };
    for entry in fs::read_dir(&parts).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        put(name.expect("UTF-8"), &fs::read(&path).expect("a part"));
    }
    let link = edge.link("/uploads/live/7/master.m3u8");
    let path = link.strip_prefix(&edge.origin).expect("a link");
    let live = Playlist::open(edge, &Playlist::open(edge, path).listed()[0]).listed();
    assert!(live.len() > 2, "{live:?}");

    put("ended", b"");
    let folder = queue.folder.path().join("work");
    let started = Instant::now();
    let mut shipped = vec![];
    while shipped.is_empty() {
        assert!(started.elapsed() < PATIENCE, "{}", edge.log());
        shipped = work(edge, queue, &folder, "/uploads");
    }
    assert_eq!(
        shipped,
        [format!("{}/uploads/live/7/master.m3u8", edge.origin)]
    );
    let ladder = Playlist::open(edge, path);
    assert!(ladder.text.contains("\nv/"), "{}", ladder.text);
    let seconds = media::duration(&link);
    assert!((seconds - 6.0).abs() < 0.2, "{seconds} s");
    media::decode(&link);
    for part in &live {
        assert_eq!(edge.get(part).status, 200, "{part}");
    }
}

#[test]
fn an_uploader_gets_an_error_if_the_queue_does_not_accept_the_message() {
    let edge = Edge::with_variables(&[("UPLOADS_PREFIX", "uploads/")]);
    let auth = format!("Bearer {}", edge.token("/uploads/", Purpose::Upload));
    let put = edge.send("PUT", "/uploads/a.mov", &[("authorization", &auth)], b"x");
    assert_eq!(put.verdict(), "500 misconfigured");
    edge.logged("no queue is bound as `JOBS`");
}
