//! Files that are there whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::StateError;

/// What a file holds; none of one that is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(failed("read", path, error)),
    }
}

/// Writes a file that only root reads. Whoever reads meanwhile sees the old one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let draft = draft_of(path);
    let write = || {
        open(&draft, OpenOptions::new().write(true).create(true).truncate(true))?.write_all(bytes)?;
        fs::rename(&draft, path)
    };
    write().map_err(|error| {
        fs::remove_file(&draft).ok();
        failed("write", path, error)
    })
}

/// Opens a file for root alone; the folder is made if it is not there, which it nearly always is.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path);
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// Beside a file and hidden, so that no list of the folder shows it. There is one for each file, which nobody writes but who
/// holds the lock of the device or was called for the attachment: so what a process leaves that is killed, the next one
/// writes over or removes.
fn draft_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

/// Removes a file and its draft; true if it was there.
pub(super) fn remove(path: &Path) -> Result<bool, StateError> {
    fs::remove_file(draft_of(path)).ok();
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if absent(&error) => Ok(false),
        Err(error) => Err(failed("remove", path, error)),
    }
}

/// Names of the files in a folder, sorted, without hidden ones and folders; none of a folder that is not there.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, StateError> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && !entry.file_type()?.is_dir() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    };
    match list() {
        Err(error) if absent(&error) => Ok(Vec::new()),
        listed => listed.map_err(|error| failed("read", folder, error)),
    }
}

pub(super) fn failed(doing: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::File { doing, path: path.to_owned(), source }
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
