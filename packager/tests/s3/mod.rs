//! A bucket for tests.

pub(crate) mod server;
pub(crate) mod strict;

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let (path, name) = entry
            .map(|entry| (entry.path(), entry.file_name()))
            .expect("an entry");
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).expect("it is copied")),
        }
    }
}

/// Every file below a folder, by name, without the server's own files, whose names start with a
/// dot.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match entry.path().is_dir() {
                true => walk(&entry.path(), &format!("{name}/"), found),
                false if entry.file_name().to_string_lossy().starts_with('.') => {}
                false => found.push(name),
            }
        }
    }
    let mut found = vec![];
    walk(folder, "", &mut found);
    found.sort();
    found
}

/// Adds an object to a package, and returns its path.
pub(crate) fn add(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let revision = fs::read_dir(folder.join("v")).expect("a folder").next();
    let revision = revision.expect("a revision").expect("an entry").path();
    fs::write(revision.join(name), bytes).expect("it is written");
    let json = revision.join("package.json");
    let mut package: Value =
        serde_json::from_slice(&fs::read(&json).expect("a package")).expect("JSON");
    let path = format!(
        "v/{}/{name}",
        package["revision"].as_str().expect("a revision")
    );
    let object = serde_json::json!({
        "path": path, "bytes": bytes.len(), "sha256": sha256(bytes), "type": "video/mp4",
    });
    package["objects"]
        .as_array_mut()
        .expect("a list")
        .insert(0, object);
    fs::write(&json, package.to_string()).expect("it is written");
    path
}
