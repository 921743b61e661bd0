//! Files of a package in a folder. Its contents are untrusted, so no symbolic link below the root
//! is followed, and no pipe or device is opened.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path};

use super::open_folder::OpenFolder;

/// Opens a regular file without waiting for a pipe.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = opened.map_err(describe_open_error)?;
    if !file.metadata()?.is_file() {
        return Err(no_regular_file());
    }
    Ok(file)
}

/// Describes the error of opening without following symbolic links.
fn describe_open_error(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ELOOP) => is_a_link(),
        // A socket, or a pipe without a reader, answers this.
        Some(libc::ENXIO) => no_regular_file(),
        _ => error,
    }
}

/// Reads a file of at most `most` bytes.
pub(crate) fn read(folder: &Path, path: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    let file = OpenFolder::open(folder)?.open_object(path)?;
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let why = format!("it is larger than {most} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Accepts relative paths that stay below their start.
pub(crate) fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

pub(super) fn is_a_link() -> io::Error {
    let why = "it is a symbolic link, or lies behind one, and is not followed";
    io::Error::new(ErrorKind::InvalidInput, why)
}

pub(super) fn no_regular_file() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is no regular file")
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
