//! The files of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::text;

/// Every file below a folder, by its relative path.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = text(path.strip_prefix(root).expect("below the root"));
                found.insert(name.to_owned(), fs::read(&path).expect(name));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}
