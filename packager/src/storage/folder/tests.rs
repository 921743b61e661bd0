use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use super::*;

fn store(folder: &Path) -> FolderStore {
    FolderStore::new(folder.to_owned())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
}

fn message(error: &StorageError) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

/// Errors of each way to read or write an object.
async fn errors(store: &FolderStore, path: &str) -> Vec<(&'static str, Option<String>)> {
    let upload = Upload::of_bytes(path, "new");
    let text = |error: StorageError| message(&error);
    vec![
        ("get", store.get(path).err().map(text)),
        ("head", store.head(path).err().map(text)),
        ("read", store.read(path, 0, None).await.err().map(text)),
        ("digest", store.digest(path).await.err().map(text)),
        (
            "put",
            store.put(&upload, &PutCondition::Any).await.err().map(text),
        ),
        (
            "put new",
            store
                .put(&upload, &PutCondition::Absent)
                .await
                .err()
                .map(text),
        ),
    ]
}

#[tokio::test]
async fn a_file_at_a_target_has_the_mode_of_a_new_file() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| root.path().join(name);
    for name in ["new", "hostile"] {
        fs::write(path(name), "segment").expect("it is written");
    }
    let hostile = fs::Permissions::from_mode(0o6755);
    fs::set_permissions(path("hostile"), hostile).expect("it is set");
    let uploads = [
        Upload {
            source: UploadBody::File(path("hostile")),
            ..Upload::of_bytes("v/1/a", "segment")
        },
        Upload::of_bytes("master.m3u8", "segment"),
    ];
    for upload in uploads {
        let put = store(&path("served"))
            .put(&upload, &PutCondition::Any)
            .await;
        assert!(put.expect("it is written"));
        let found = mode(&path("served").join(&upload.path));
        assert_eq!(found, mode(&path("new")), "{found:o} {}", upload.path);
    }
}

#[tokio::test]
async fn no_symbolic_link_below_a_target_is_followed() {
    for planted in ["v", "v/1", "v/1/a"] {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (served, outside) = (root.path().join("served"), root.path().join("outside"));
        fs::create_dir_all(outside.join("1")).expect("a folder");
        for name in ["a", "1/a"] {
            fs::write(outside.join(name), "victim").expect("it is written");
        }
        let link = served.join(planted);
        fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
        let to = match planted {
            "v/1/a" => outside.join("a"),
            _ => outside.clone(),
        };
        symlink(to, &link).expect("a link");
        // The target itself may be a link.
        symlink(&served, root.path().join("latest")).expect("a link");
        let store = store(&root.path().join("latest"));
        for (verb, error) in errors(&store, "v/1/a").await {
            let error = error.unwrap_or_default();
            assert!(error.contains("symbolic link"), "{planted} {verb}: {error}");
        }
        if planted != "v/1/a" {
            let removed = store.remove("v/1/a").map_err(|error| message(&error));
            let removed = removed.expect_err("it lies behind a link");
            assert!(removed.contains("symbolic link"), "{planted}: {removed}");
            let listed = store.list("v/1/").map_err(|error| message(&error));
            assert!(listed.expect_err("a link").contains("symbolic link"));
        }
        for name in ["a", "1/a"] {
            let victim = fs::read(outside.join(name)).expect("it is there");
            assert_eq!(victim, b"victim", "{planted}");
        }
    }
}

/// Another process swaps a folder of the target for a link out of it, and back, all the time.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_becomes_a_link_meanwhile_leads_nowhere() {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    /// Stops the thread that swaps the folders, even if the test panics.
    struct Ending<'a>(&'a AtomicBool);

    impl Drop for Ending<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    const ROUNDS: usize = 400;
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| root.path().join(name);
    let (folder, link) = (path("served/v"), path("served/link"));
    fs::create_dir_all(folder.join("1")).expect("a folder");
    fs::create_dir_all(path("outside/1")).expect("a folder");
    symlink(path("outside"), &link).expect("a link");
    let victim = path("outside/1/victim");
    fs::write(&victim, "victim").expect("it is written");
    let (is_over, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut written, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        let _ending = Ending(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE)
                    .expect("they are swapped");
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let store = store(&path("served"));
        for round in 0..ROUNDS {
            let seen = swaps.load(Ordering::Relaxed);
            while swaps.load(Ordering::Relaxed) == seen {
                std::thread::yield_now();
            }
            let new = Upload::of_bytes(&format!("v/1/{round}"), "new");
            match runtime.block_on(store.put(&new, &PutCondition::Absent)) {
                Ok(_) => written += 1,
                Err(_) => refused += 1,
            }
            let read = store.get("v/1/victim");
            assert!(!matches!(read, Ok(Some(_))), "{round}: it was read");
            let _ = store.remove("v/1/victim");
            let listed = store.list("v/1").unwrap_or_default();
            assert!(listed.iter().all(|entry| !entry.path.ends_with("victim")));
        }
    });
    assert!(written > 0 && refused > 0, "{written} and {refused}");
    let outside = fs::read_dir(path("outside/1")).expect("a folder");
    let outside: Vec<_> = outside.map(|entry| entry.expect("an entry")).collect();
    assert_eq!(outside.len(), 1, "{outside:?}");
    assert_eq!(fs::read(&victim).expect("it is there"), b"victim");
}

#[tokio::test]
async fn the_lock_of_a_target_is_no_symbolic_link() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (served, outside) = (root.path().join("served"), root.path().join("outside"));
    fs::create_dir(&served).expect("a folder");
    symlink(&outside, served.join(LOCK)).expect("a link");
    let upload = Upload::of_bytes("master.m3u8", "new");
    let put = store(&served).put(&upload, &PutCondition::Absent).await;
    let error = message(&put.expect_err("a link"));
    assert!(error.contains("symbolic link"), "{error}");
    assert!(!outside.exists());
}

#[tokio::test]
async fn a_pipe_at_a_target_is_refused_at_once() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let pipe = root.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    for (verb, error) in errors(&store(root.path()), "pipe").await {
        let error = error.unwrap_or_default();
        assert!(error.contains("no regular file"), "{verb}: {error}");
    }
    fs::rename(&pipe, root.path().join(LOCK)).expect("it is moved");
    let upload = Upload::of_bytes("master.m3u8", "new");
    let put = store(root.path()).put(&upload, &PutCondition::Absent).await;
    put.expect_err("no file");
    // A folder is no object, and does not disturb reading.
    fs::create_dir(root.path().join("folder")).expect("a folder");
    let found = store(root.path()).get("folder").expect("it is looked at");
    assert_eq!(found, None);
}

#[test]
fn an_object_over_the_limit_for_memory_is_refused() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let file = File::create(root.path().join("master.m3u8")).expect("a file");
    file.set_len(1 << 40).expect("a file with a hole");
    let error = store(root.path())
        .get("master.m3u8")
        .expect_err("too large");
    assert!(
        matches!(error, StorageError::TooLargeForMemory { .. }),
        "{error}"
    );
}
