use std::io;
use std::path::PathBuf;

use crate::netlink::{NamespaceError, NetlinkError};
use crate::spec::CniError;
use crate::sysfs::SysfsError;

/// Why the kernel did not tell or do something.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// By netlink.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A namespace cannot be worked in.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A device cannot be read.
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
    /// A file of `/proc/sys` or `/sys` takes no value.
    #[error("failed to write {value} to {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The value.
        value: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl KernelError {
    /// The kernel's error number, if it said no.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Netlink(error) => error.errno(),
            Self::Write { source, .. } => source.raw_os_error(),
            Self::Namespace(_) | Self::Sysfs(_) => None,
        }
    }

    /// What was to be changed is not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Netlink(error) => error.is_absent(),
            error => matches!(error.errno(), Some(libc::ENOENT | libc::ENODEV)),
        }
    }

    /// A name is taken.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.errno() == Some(libc::EEXIST)
    }
}

impl From<KernelError> for CniError {
    fn from(error: KernelError) -> Self {
        Self::kernel(&error)
    }
}
