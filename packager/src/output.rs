//! The folder a package is made in, and the folder it ends up in.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::package_json::{self, Package};

#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("`{}` holds something else, which would be overwritten", .0.display())]
    Exists(PathBuf),
}

impl OutputError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Exists(_) => "choose another name, or replace what is there with --force",
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
pub(crate) fn read(folder: &Path, revision: &str) -> Option<Package> {
    let json = fs::read(folder.join(package_json::own_path(revision))).ok()?;
    let package: Package = serde_json::from_slice(&json).ok()?;
    (package.revision == revision).then_some(package)
}

fn is_complete(folder: &Path, package: &Package) -> bool {
    package.objects.iter().all(|object| {
        fs::metadata(folder.join(&object.path))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == object.bytes)
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

/// A folder that is removed unless it is made final: on an error, on a signal.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    is_kept: bool,
}

impl Scratch {
    /// A sibling of the folder that it becomes, so that it can be renamed to it.
    pub(crate) fn beside(folder: &Path) -> std::io::Result<Self> {
        let mut name = folder.file_name().unwrap_or_default().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        Self::create(folder.with_file_name(name))
    }

    pub(crate) fn under(folder: &Path) -> std::io::Result<Self> {
        Self::create(folder.join(format!("lectern-{}", std::process::id())))
    }

    fn create(path: PathBuf) -> std::io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::create_dir(&path)?;
        Ok(Self {
            path,
            is_kept: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the final name. What had it before is moved aside first and removed last, so that a failure in between
    /// loses neither.
    pub(crate) fn become_folder(mut self, folder: &Path) -> std::io::Result<()> {
        let mut aside = self.path.clone().into_os_string();
        aside.push(".old");
        let aside = PathBuf::from(aside);
        let had_one = fs::symlink_metadata(folder).is_ok();
        if had_one {
            fs::rename(folder, &aside)?;
        }
        if let Err(error) = fs::rename(&self.path, folder) {
            if had_one {
                fs::rename(&aside, folder)?;
            }
            return Err(error);
        }
        self.is_kept = true;
        match fs::symlink_metadata(&aside) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&aside),
            Ok(_) => fs::remove_file(&aside),
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        // An ffmpeg that was just killed may still have a file to create.
        for _ in 0..20 {
            match fs::remove_dir_all(&self.path) {
                Ok(()) => return,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
                Err(_) => std::thread::sleep(Duration::from_millis(25)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_is_gone_unless_it_became_the_output() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let folder = root.path().join("out");
        let scratch = Scratch::beside(&folder)?;
        fs::write(scratch.path().join("a"), "1")?;
        drop(scratch);
        assert_eq!(fs::read_dir(root.path())?.count(), 0);

        for content in ["1", "2"] {
            let scratch = Scratch::beside(&folder)?;
            fs::write(scratch.path().join("a"), content)?;
            scratch.become_folder(&folder)?;
            assert_eq!(fs::read_to_string(folder.join("a"))?, content);
            assert_eq!(fs::read_dir(root.path())?.count(), 1);
        }
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
