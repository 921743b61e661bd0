//! Files below a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::process::text;

/// Every file below a folder, by its relative path.
pub fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let bytes = fs::read(root.join(&name)).expect("a file");
        (name, bytes)
    };
    names(root).into_iter().map(read).collect()
}

/// Paths of every file below a folder, sorted.
pub fn names(root: &Path) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.push(text(path.strip_prefix(root).expect("below the root")).to_owned());
            }
        }
    }
    let mut found = vec![];
    walk(root, root, &mut found);
    found.sort();
    found
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in names(from) {
        let path = to.join(&name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::copy(from.join(&name), path).expect("it is copied");
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
