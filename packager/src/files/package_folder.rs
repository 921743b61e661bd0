//! Files of a package in a folder. The folder may be a stranger's, so symbolic links in it are not
//! followed: they may lead out of it.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::regular::{not_regular, open_no_follow, read_at_most, symbolic_link};

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(folder: &Path, path: &str, limit: u64) -> io::Result<Vec<u8>> {
    PackageFiles::new(folder).check_folders(path)?;
    let bytes = read_at_most(open_no_follow(&folder.join(path))?, limit)?;
    bytes.ok_or_else(|| {
        let why = format!("it is larger than {limit} bytes");
        io::Error::new(ErrorKind::FileTooLarge, why)
    })
}

/// Inspects the files of one folder, and each folder on the way to them once.
#[derive(Debug)]
pub(crate) struct PackageFiles<'a> {
    root: &'a Path,
    real: HashSet<PathBuf>,
}

impl<'a> PackageFiles<'a> {
    /// `root` may be a symbolic link: the command line names it.
    pub(crate) fn new(root: &'a Path) -> Self {
        Self {
            root,
            real: HashSet::new(),
        }
    }

    /// Size of a regular file that no symbolic link leads to.
    pub(crate) fn size(&mut self, path: &str) -> io::Result<u64> {
        self.check_folders(path)?;
        let found = fs::symlink_metadata(self.root.join(path))?;
        match found.file_type() {
            kind if kind.is_file() => Ok(found.len()),
            kind if kind.is_symlink() => Err(symbolic_link()),
            _ => Err(not_regular()),
        }
    }

    /// Checks that no folder on the way to a file is a symbolic link.
    pub(crate) fn check_folders(&mut self, path: &str) -> io::Result<()> {
        if !is_below(path) {
            let why = "it lies outside the folder";
            return Err(io::Error::new(ErrorKind::InvalidFilename, why));
        }
        let folders: Vec<&Path> = Path::new(path)
            .ancestors()
            .skip(1)
            .filter(|folder| *folder != Path::new(""))
            .collect();
        for folder in folders.into_iter().rev() {
            if self.real.contains(folder) {
                continue;
            }
            if fs::symlink_metadata(self.root.join(folder))?.is_symlink() {
                return Err(symbolic_link());
            }
            self.real.insert(folder.to_owned());
        }
        Ok(())
    }
}

/// Returns true if a path is relative and has no `..`.
pub(crate) fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_regular_files_below_the_folder_are_opened() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let package = root.path().join("package");
        fs::create_dir_all(package.join("v/1"))?;
        fs::write(package.join("v/1/a"), "segment")?;
        fs::write(root.path().join("secret"), "hunter2")?;
        symlink(root.path().join("secret"), package.join("v/1/out"))?;
        symlink("a", package.join("v/1/in"))?;
        symlink(root.path(), package.join("v/2"))?;
        let pipe = std::process::Command::new("mkfifo")
            .arg(package.join("v/1/pipe"))
            .status()?;
        assert!(pipe.success());
        for (path, expected) in [
            ("v/1/a", "segment"),
            ("v/1/out", "symbolic link"),
            ("v/1/in", "symbolic link"),
            ("v/2/secret", "symbolic link"),
            ("v/1/pipe", "no regular file"),
            ("v/1", "no regular file"),
            ("../secret", "outside the folder"),
            ("v/../../secret", "outside the folder"),
            ("/etc/passwd", "outside the folder"),
            ("", "outside the folder"),
        ] {
            let found = match read(&package, path, 100) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) => error.to_string(),
            };
            assert!(found.contains(expected), "{path}: {found}");
            let size = PackageFiles::new(&package).size(path);
            assert_eq!(size.ok(), (path == "v/1/a").then_some(7), "{path}");
        }
        assert!(read(&package, "v/1/a", 6).is_err());
        // The user names the folder itself.
        symlink(&package, root.path().join("latest"))?;
        let latest = root.path().join("latest");
        assert_eq!(read(&latest, "v/1/a", 7)?, b"segment");
        Ok(())
    }
}
