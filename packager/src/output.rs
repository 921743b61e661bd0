//! The folder that a package ends up in, and one for work that leaves nothing behind.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::Exit;
use crate::package_file::{self, PackageFiles};
use crate::package_json::{self, Package};
use crate::partial::remove_folder;

#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("`{}` holds something else, which would be overwritten", .0.display())]
    Exists(PathBuf),
    #[error("another `lectern` is at work in `{}`", .0.display())]
    Busy(PathBuf),
}

impl OutputError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Exists(_) => "choose another name, or replace what is there with --force",
            Self::Busy(_) => "wait until it has ended, and run this again",
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Exists(_) => Exit::Usage,
            Self::Busy(_) => Exit::Environment,
        }
    }
}

/// What a folder holds, as far as a revision is concerned.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    /// This very package, complete.
    Same(Box<Package>),
    SomethingElse,
}

pub(crate) fn inspect(folder: &Path, revision: &str) -> std::io::Result<Found> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Ok(Found::SomethingElse);
        }
        Err(error) => return Err(error),
        Ok(mut entries) => {
            if entries.next().is_none() {
                return Ok(Found::Nothing);
            }
        }
    }
    Ok(match read(folder, revision) {
        Some(package) if is_complete(folder, &package) => Found::Same(Box::new(package)),
        _ => Found::SomethingElse,
    })
}

/// The package of a revision, if there is one.
fn read(folder: &Path, revision: &str) -> Option<Package> {
    let own = package_json::own_path(revision);
    let json = package_file::read(folder, &own, package_json::MAX_BYTES).ok()?;
    Package::parse(&json, revision).ok()
}

fn is_complete(folder: &Path, package: &Package) -> bool {
    let mut files = PackageFiles::new(folder);
    let mut objects = package.objects.iter();
    objects.all(|object| {
        files
            .size(&object.path)
            .is_ok_and(|bytes| bytes == object.bytes)
    })
}

/// ffmpeg 5.1 writes cut segments to a full disk, says nothing and ends with 0; whether that is what happened shows in
/// whether anything more fits.
pub(crate) fn full_disk(folder: &Path) -> Option<std::io::Error> {
    let file = folder.join("space");
    let tried = fs::write(&file, vec![1; 1 << 20]);
    let _ = fs::remove_file(&file);
    tried
        .err()
        .filter(|error| error.kind() == std::io::ErrorKind::StorageFull)
}

/// A folder that is removed: at the end, on an error, on a signal.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A sibling of a file, so that what is made in it can be renamed to that.
    pub(crate) fn beside(file: &Path) -> std::io::Result<Self> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let path = file.with_file_name(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove_folder(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_is_gone_when_it_is_dropped() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let scratch = Scratch::beside(&root.path().join("out.mp4"))?;
        fs::write(scratch.path().join("a"), "1")?;
        drop(scratch);
        assert_eq!(fs::read_dir(root.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn a_folder_with_anything_but_this_package_is_something_else() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let is_nothing = |found| matches!(found, Found::Nothing);
        assert!(is_nothing(inspect(&root.path().join("absent"), "r")?));
        assert!(is_nothing(inspect(root.path(), "r")?));
        fs::write(root.path().join("thesis.txt"), "my only copy")?;
        let found = inspect(root.path(), "r")?;
        assert!(matches!(found, Found::SomethingElse));
        let found = inspect(&root.path().join("thesis.txt"), "r")?;
        assert!(matches!(found, Found::SomethingElse));
        Ok(())
    }
}
