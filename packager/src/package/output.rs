//! The output folder of `lectern package`.

use std::fs;
use std::path::Path;

use super::manifest_json::{self, Package};
use crate::files::open_folder::OpenFolder;
use crate::files::package_folder;
use crate::layout;

/// Contents of an output folder, compared with a revision.
#[derive(Debug)]
pub(crate) enum FolderContents {
    Nothing,
    /// The complete package of the revision.
    Same(Box<Package>),
    SomethingElse,
}

pub(crate) fn inspect(folder: &Path, revision: &str) -> std::io::Result<FolderContents> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(FolderContents::Nothing);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Ok(FolderContents::SomethingElse);
        }
        Err(error) => return Err(error),
        Ok(mut entries) => {
            if entries.next().is_none() {
                return Ok(FolderContents::Nothing);
            }
        }
    }
    Ok(match read(folder, revision) {
        Some(package) if is_complete(folder, &package) => FolderContents::Same(Box::new(package)),
        _ => FolderContents::SomethingElse,
    })
}

/// Reads a revision's `package.json`. Returns `None` if it is missing or not valid.
pub(crate) fn read(folder: &Path, revision: &str) -> Option<Package> {
    let package_json = layout::package_json_path(revision);
    let json = package_folder::read(folder, &package_json, manifest_json::MAX_BYTES).ok()?;
    Package::parse(&json, revision).ok()
}

fn is_complete(folder: &Path, package: &Package) -> bool {
    let Ok(files) = OpenFolder::open(folder) else {
        return false;
    };
    let mut objects = package.objects.iter();
    objects.all(|object| {
        files
            .size(&object.path)
            .is_ok_and(|bytes| bytes == object.bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workdir::scratch::ScratchDir;

    #[test]
    fn a_scratch_folder_is_gone_when_it_is_dropped() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let scratch = ScratchDir::beside(&root.path().join("out.mp4"))?;
        fs::write(scratch.path().join("a"), "1")?;
        drop(scratch);
        assert_eq!(fs::read_dir(root.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn a_folder_with_anything_but_this_package_is_something_else() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let is_nothing = |found| matches!(found, FolderContents::Nothing);
        assert!(is_nothing(inspect(&root.path().join("absent"), "r")?));
        assert!(is_nothing(inspect(root.path(), "r")?));
        fs::write(root.path().join("thesis.txt"), "my only copy")?;
        let found = inspect(root.path(), "r")?;
        assert!(matches!(found, FolderContents::SomethingElse));
        let found = inspect(&root.path().join("thesis.txt"), "r")?;
        assert!(matches!(found, FolderContents::SomethingElse));
        Ok(())
    }
}
