//! What the plugins keep on a node between ADD and DEL: locks, records, and the caches of the plugins in Go.
//!
//! [`State`] knows the folders; its root is `/` but in tests. A plugin takes the [`Lock`] of a device, and writes its
//! [`Record`] before it changes anything: whose the device is, and how it was. There is no log of steps. Undoing means
//! comparing the device with the record and setting what differs, which can be done at any time, from any state, and twice:
//! by the ADD that failed, by DEL, by GC, or by the next ADD on that device.
//!
//! Records lie below `/run`, in memory. They tell of kernel state, end when that ends, and need no `fsync` for it: a
//! process that is killed leaves what it wrote, and a machine that stops takes namespaces and virtual functions with it.
//!
//! The plugins in Go keep caches below `/var/lib/cni`. They are read here, so that pods from before an upgrade are
//! detached as they should be, and written as well, so that those plugins can detach pods of ours.

pub mod caches;
mod files;
mod lock;
mod record;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use lock::Lock;
pub use record::{Netns, Owner, Record, Records};

/// The folders.
#[derive(Clone, Debug)]
pub struct State {
    root: PathBuf,
}

/// Something that is kept cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file or folder.
    #[error("failed to {doing} {}", path.display())]
    File {
        /// `read`, `write`, `remove`, `lock`
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was written by something else, or by hand.
    #[error("{} does not hold what it should; look at the device that it names, then remove the file", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Another process works on the device.
    #[error("{} is locked by another process for more than {seconds} s; try again", path.display())]
    Locked {
        /// The file of the lock.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::at("/")
    }
}

impl State {
    /// The folders below this root.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A path below the root.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Writes a file below the root, whole or not at all.
    pub(crate) fn write_json(&self, relative: &Path, value: &serde_json::Value) -> Result<(), StateError> {
        let path = self.path(relative);
        files::write(&path, value.to_string().as_bytes())
    }

    /// Whether records can be written; STATUS asks.
    pub fn is_writable(&self) -> Result<(), StateError> {
        let probe = self.path(format!("run/railweave/cni/.probe-{}", std::process::id()));
        files::write(&probe, b"")?;
        files::remove(&probe).map(|_| ())
    }
}
