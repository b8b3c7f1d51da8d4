use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};

/// A network namespace, held open: it stays as long as this does, whatever becomes of its path.
#[derive(Debug)]
pub struct Namespace {
    file: File,
    path: PathBuf,
}

/// Why a namespace cannot be worked in.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// There is nothing at the path (see [`NamespaceError::is_gone`]), or it cannot be opened.
    #[error("failed to open network namespace {}", path.display())]
    Open {
        /// As given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no network namespace (`EINVAL`), or this process lacks the right (`EPERM`).
    #[error("failed to enter network namespace {}", path.display())]
    Enter {
        /// As given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread that was to work in it ended early.
    #[error("failed to work in network namespace {}", path.display())]
    Ended {
        /// As given.
        path: PathBuf,
    },
}

impl NamespaceError {
    /// There is no such path: the pod's sandbox is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Open { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl Namespace {
    /// Opens a namespace by its path, as `CNI_NETNS` names it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, NamespaceError> {
        let path = path.as_ref().to_owned();
        match File::open(&path) {
            Ok(file) => Ok(Self { file, path }),
            Err(source) => Err(NamespaceError::Open { path, source }),
        }
    }

    /// The one that this thread is in.
    pub fn of_this_thread() -> Result<Self, NamespaceError> {
        Self::open("/proc/thread-self/ns/net")
    }

    /// Runs something inside, on a thread of its own, so that no other is left there by mistake. What it opens, as
    /// sockets, stays inside when it is used elsewhere.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
        let inside = || {
            setns(&self.file, CloneFlags::CLONE_NEWNET)
                .map_err(|errno| NamespaceError::Enter { path: self.path.clone(), source: errno.into() })?;
            Ok(work())
        };
        std::thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|_| Err(NamespaceError::Ended { path: self.path.clone() }))
    }

    /// What tells it apart from all others that there are: a path may come to mean another one.
    ///
    /// The number is free for a new one when it ends.
    pub fn number(&self) -> Result<u64, NamespaceError> {
        let metadata = self.file.metadata();
        metadata
            .map(|metadata| metadata.ino())
            .map_err(|source| NamespaceError::Open { path: self.path.clone(), source })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
