use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A tree like `/sys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysfs {
    root: PathBuf,
}

/// Something in the tree is there and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read {}", path.display())]
pub struct SysfsError {
    /// The whole path.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl Default for Sysfs {
    fn default() -> Self {
        Self::at("/sys")
    }
}

impl Sysfs {
    /// The tree below `root`, which has `bus` and `class` in it.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(super) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }
}

/// The content of an attribute without the line's end.
pub(super) fn attribute(path: &Path) -> Result<Option<String>, SysfsError> {
    let text = present(path, std::fs::read_to_string(path))?;
    Ok(text.map(|text| text.trim_end().to_owned()))
}

/// The content of an attribute that holds a number, decimal or `0x..`; none when it holds something else.
pub(super) fn number(path: &Path) -> Result<Option<i64>, SysfsError> {
    let text = attribute(path)?;
    Ok(text.and_then(|text| match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }))
}

/// The last part of what a symbolic link points to.
pub(super) fn link_name(path: &Path) -> Result<Option<String>, SysfsError> {
    let target = present(path, std::fs::read_link(path))?;
    Ok(target.and_then(|target| target.file_name().map(|name| name.to_string_lossy().into_owned())))
}

/// The names in a folder, sorted; none of a folder that is not there.
pub(super) fn names(path: &Path) -> Result<Vec<String>, SysfsError> {
    let list = || std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect();
    let names: Option<Vec<OsString>> = present(path, list())?;
    let names = names.unwrap_or_default();
    let mut names: Vec<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn present<T>(path: &Path, read: io::Result<T>) -> Result<Option<T>, SysfsError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if absent(&error) => Ok(None),
        Err(source) => Err(SysfsError { path: path.to_owned(), source }),
    }
}

/// What reads of a device answer that was removed meanwhile: the file is gone (`ENOENT`, `ENOTDIR`), or it is still open
/// and the device behind it is gone (`ENODEV`, `ENXIO`); attributes of an interface answer `EINVAL` then
/// (`net/core/net-sysfs.c`). `EOPNOTSUPP` says that the driver has no such attribute.
fn absent(error: &io::Error) -> bool {
    const ENXIO: i32 = 6;
    const ENODEV: i32 = 19;
    let kinds =
        [ErrorKind::NotFound, ErrorKind::NotADirectory, ErrorKind::InvalidInput, ErrorKind::Unsupported];
    kinds.contains(&error.kind()) || matches!(error.raw_os_error(), Some(ENXIO | ENODEV))
}
