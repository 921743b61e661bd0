//! Opens regular files. A named pipe, a device or a socket may have no end, and opening one may
//! block forever.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// A path to something other than a file.
#[derive(Debug, thiserror::Error)]
#[error("it is {0}, and not a file")]
pub(crate) struct NotRegular(&'static str);

/// Opens a regular file for reading, also through a symbolic link. Refuses everything else without
/// blocking.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    check_kind(fs::metadata(path)?.file_type())?;
    // The flag prevents blocking if the path becomes a pipe in between.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    check_kind(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a regular file of at most `most` bytes; `None` if it is larger.
pub(crate) fn read_regular(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![];
    open_regular(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

fn check_kind(kind: FileType) -> io::Result<()> {
    let found = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::new(ErrorKind::InvalidInput, NotRegular(found)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_files_are_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "12345").expect("it is written");
        let made = std::process::Command::new("mkfifo")
            .arg(path("pipe"))
            .status();
        assert!(made.expect("mkfifo runs").success());
        let _socket = UnixListener::bind(path("socket")).expect("a socket");
        for (link, to) in [("to-file", "file"), ("to-pipe", "pipe")] {
            symlink(path(to), path(link)).expect("a link");
        }
        for (name, expected) in [
            (path("file"), "5 bytes"),
            (path("to-file"), "5 bytes"),
            (path("pipe"), "it is a named pipe, and not a file"),
            (path("to-pipe"), "it is a named pipe, and not a file"),
            (path("socket"), "it is a socket, and not a file"),
            (path(""), "it is a folder, and not a file"),
            ("/dev/zero".into(), "it is a device, and not a file"),
        ] {
            let found = match read_regular(&name, 5) {
                Ok(bytes) => format!("{} bytes", bytes.expect("not too large").len()),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{}", name.display());
        }
        assert_eq!(read_regular(&path("file"), 4).expect("it is read"), None);
    }
}
