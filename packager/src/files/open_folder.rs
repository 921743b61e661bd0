//! A folder that is held open. Paths below it are walked from its descriptor, name by name, and no
//! symbolic link is followed. So a folder that another process swaps for a link leads nowhere else.
//!
//! Linux has `openat2` for this, but containers forbid it and other systems lack it. The walk takes
//! one system call for each of three or four names.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::package_folder::is_below;
use super::regular::{not_regular, symbolic_link};

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// Mode of a new file, before the process's mask.
const NEW_FILE: Mode = Mode::from_raw_mode(0o666);

#[derive(Debug)]
pub(crate) struct OpenFolder(OwnedFd);

/// A name in a folder.
#[derive(Debug)]
pub(crate) struct FolderEntry {
    pub(crate) name: OsString,
    pub(crate) is_folder: bool,
    pub(crate) stat: Stat,
}

impl OpenFolder {
    /// Opens a folder. `path` itself may lead through symbolic links, because the user named it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let opened = rustix::fs::openat(CWD, path, FOLDER, Mode::empty());
        Ok(Self(opened?))
    }

    /// Opens the folders on the path of an object, outermost first. Returns them with the object's
    /// name in the last of them, or in this one.
    pub(crate) fn walk<'a>(&self, path: &'a str) -> io::Result<(Vec<Self>, &'a OsStr)> {
        self.walk_by(path, Self::enter)
    }

    /// Does the same as [`Self::walk`], and makes missing folders.
    pub(crate) fn walk_or_make<'a>(&self, path: &'a str) -> io::Result<(Vec<Self>, &'a OsStr)> {
        self.walk_by(path, |folder, name| {
            match rustix::fs::mkdirat(&folder.0, name, Mode::from_raw_mode(0o777)) {
                Err(Errno::EXIST) | Ok(()) => folder.enter(name),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn walk_by<'a>(
        &self,
        path: &'a str,
        enter: impl Fn(&Self, &OsStr) -> io::Result<Self>,
    ) -> io::Result<(Vec<Self>, &'a OsStr)> {
        if !is_below(path) {
            let why = "it lies outside the folder";
            return Err(io::Error::new(ErrorKind::InvalidFilename, why));
        }
        let mut names: Vec<&OsStr> = Path::new(path).iter().collect();
        let last = names.pop().unwrap_or_default();
        let mut folders: Vec<Self> = vec![];
        for name in names {
            folders.push(enter(folders.last().unwrap_or(self), name)?);
        }
        Ok((folders, last))
    }

    /// Opens a folder in this one.
    pub(crate) fn enter(&self, name: &OsStr) -> io::Result<Self> {
        let flags = FOLDER.union(OFlags::NOFOLLOW);
        match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(folder) => Ok(Self(folder)),
            Err(error) => Err(self.explain_error(name, error)),
        }
    }

    /// Opens a regular file for reading. Refuses a pipe instead of waiting for its writer.
    pub(crate) fn open_object(&self, path: &str) -> io::Result<File> {
        let (folders, name) = self.walk(path)?;
        let folder = folders.last().unwrap_or(self);
        folder.file(name, OFlags::RDONLY, Mode::empty())
    }

    /// The size of an object, without opening it.
    pub(crate) fn size(&self, path: &str) -> io::Result<u64> {
        let (folders, name) = self.walk(path)?;
        let stat = folders.last().unwrap_or(self).stat(name)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(stat.st_size.unsigned_abs()),
            FileType::Symlink => Err(symbolic_link()),
            _ => Err(not_regular()),
        }
    }

    /// Opens a file of this folder to lock it, and makes it if it is missing.
    pub(crate) fn open_lock(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, OFlags::WRONLY.union(OFlags::CREATE), NEW_FILE)
    }

    /// Returns true if a name of this folder still is an open file.
    pub(crate) fn is_same_file(&self, name: &OsStr, file: &File) -> io::Result<bool> {
        let own = rustix::fs::fstat(file)?;
        match self.stat(name) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn file(&self, name: &OsStr, access: OFlags, mode: Mode) -> io::Result<File> {
        let flags = access
            .union(OFlags::NOFOLLOW)
            .union(OFlags::NONBLOCK)
            .union(OFlags::CLOEXEC);
        let opened = rustix::fs::openat(&self.0, name, flags, mode);
        let file = File::from(opened.map_err(|error| self.explain_error(name, error))?);
        let kind = file.metadata()?.file_type();
        match kind {
            kind if kind.is_file() => Ok(file),
            kind if kind.is_dir() => {
                let why = not_regular().to_string();
                Err(io::Error::new(ErrorKind::IsADirectory, why))
            }
            _ => Err(not_regular()),
        }
    }

    /// Makes a new file. Fails if the name exists.
    pub(crate) fn create_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY
            .union(OFlags::CREATE)
            .union(OFlags::EXCL)
            .union(OFlags::CLOEXEC);
        Ok(rustix::fs::openat(&self.0, name, flags, NEW_FILE)?.into())
    }

    /// Renames a file within this folder, and replaces a file of the new name.
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    pub(crate) fn remove_empty_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Flushes the names of this folder to disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// Names and states of the entries of this folder. Skips one that disappears meanwhile.
    pub(crate) fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<FolderEntry>>> {
        let names = Dir::read_from(&self.0)?.filter_map(|entry| match entry {
            Ok(entry) => {
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                (name != "." && name != "..").then(|| Ok(name.to_owned()))
            }
            Err(error) => Some(Err(error)),
        });
        Ok(names.filter_map(|name| {
            let found = name.and_then(|name| Ok((self.stat(&name)?, name)));
            match found {
                Err(Errno::NOENT) => None,
                Err(error) => Some(Err(error.into())),
                Ok((stat, name)) => Some(Ok(FolderEntry {
                    name,
                    is_folder: FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
                    stat,
                })),
            }
        }))
    }

    /// Metadata of a name in this folder; of a link itself, not of its target.
    pub(crate) fn stat(&self, name: &OsStr) -> rustix::io::Result<Stat> {
        rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Converts the error of opening a name. For a symbolic link, systems report too many links, or
    /// no folder.
    fn explain_error(&self, name: &OsStr, error: Errno) -> io::Error {
        let is_link = || {
            let kind = (self.stat(name)).map(|stat| FileType::from_raw_mode(stat.st_mode));
            kind == Ok(FileType::Symlink)
        };
        match error {
            Errno::LOOP | Errno::MLINK => symbolic_link(),
            Errno::NOTDIR if is_link() => symbolic_link(),
            // The errors of a socket, and of a pipe without a reader.
            Errno::NXIO | Errno::OPNOTSUPP => not_regular(),
            error => error.into(),
        }
    }
}
