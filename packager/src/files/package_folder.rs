//! Files of a package in a folder. The folder may be a stranger's, so symbolic links in it are not
//! followed: they may lead out of it.

use std::io::{self, ErrorKind};
use std::path::{Component, Path};

use super::open_folder::OpenFolder;
use super::regular::read_at_most;

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(folder: &Path, path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let bytes = read_at_most(OpenFolder::open(folder)?.open_object(path)?, limit)?;
    bytes.ok_or_else(|| {
        let why = format!("it is larger than {limit} bytes");
        io::Error::new(ErrorKind::FileTooLarge, why)
    })
}

/// Accepts relative paths that stay below their start.
pub(crate) fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use std::fs;
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
            let size = OpenFolder::open(&package)?.size(path);
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
