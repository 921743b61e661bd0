//! The one way to open a file that others may have put there. A named pipe, a device or a socket
//! may never end, and opening one may block forever.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// A path that leads to something other than a file.
#[derive(Debug, thiserror::Error)]
#[error("it is {0}, and not a file")]
struct NotRegular(&'static str);

/// Opens a regular file to read it, also through a symbolic link. Refuses anything else without
/// blocking.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    check_kind(fs::metadata(path)?.file_type())?;
    let file = open(OpenOptions::new().read(true), OFlags::empty(), path)?;
    check_kind(file.metadata()?.file_type())?;
    Ok(file)
}

/// Opens a regular file to read it, but not through a symbolic link. Refuses anything else without
/// blocking.
pub(crate) fn open_no_follow(path: &Path) -> io::Result<File> {
    open_no_follow_with(OpenOptions::new().read(true), path)
}

/// Opens a regular file with these options, but not through a symbolic link. Refuses anything else
/// without blocking.
pub(crate) fn open_no_follow_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = open(options, OFlags::NOFOLLOW, path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(not_regular()),
    }
}

/// Reads a regular file of at most `limit` bytes; `None` if it is larger.
pub(crate) fn read_regular(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    read_at_most(open_regular(path)?, limit)
}

/// Reads at most `limit` bytes from an open file; `None` if it is larger.
pub(crate) fn read_at_most(file: File, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![];
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// Opens without blocking: a file may be replaced by a pipe after it was inspected.
fn open(options: &mut OpenOptions, flags: OFlags, path: &Path) -> io::Result<File> {
    let flags = (flags | OFlags::NONBLOCK).bits().cast_signed();
    let opened = options.custom_flags(flags).open(path);
    opened.map_err(
        |error| match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP) => symbolic_link(),
            // A socket, or a pipe without a reader.
            Some(Errno::NXIO) => not_regular(),
            _ => error,
        },
    )
}

pub(super) fn symbolic_link() -> io::Error {
    let why = "it is a symbolic link, or lies behind one, and is not followed";
    io::Error::new(ErrorKind::InvalidInput, why)
}

pub(super) fn not_regular() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is no regular file")
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
