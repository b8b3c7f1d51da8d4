use std::fmt;
use std::io;

/// Why the kernel was not asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// There is no socket: the kernel lacks the family (`EPROTONOSUPPORT`), or the process lacks the right.
    #[error("failed to open a netlink socket for {protocol}")]
    Open {
        /// `links and addresses`, `RDMA devices`
        protocol: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The socket failed.
    #[error("failed to {doing}: the netlink socket failed")]
    Socket {
        /// `list links`, ...
        doing: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel said no.
    #[error("failed to {doing}: {refusal}")]
    Refused {
        /// `move link 12 to another network namespace`, ...
        doing: String,
        /// Its words.
        refusal: Refusal,
    },
    /// Objects changed during every attempt to list them.
    #[error("failed to {doing}: the list changed {attempts} times while it was read; try again")]
    Interrupted {
        /// `list links`, ...
        doing: String,
        /// How often it was tried.
        attempts: u32,
    },
}

/// An error number of the kernel, and its reason where it gave one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `EBUSY`, ... as a positive number.
    pub errno: i32,
    /// The text of an extended acknowledgement.
    pub reason: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = io::Error::from_raw_os_error(self.errno);
        match &self.reason {
            Some(reason) => write!(formatter, "{reason}: {error}"),
            None => error.fmt(formatter),
        }
    }
}

impl NetlinkError {
    /// The kernel's error number, if it said no.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.errno),
            _ => None,
        }
    }

    /// The object is not there: `ENODEV`, `ENOENT`, `ESRCH`. Not `EADDRNOTAVAIL`, which drivers say of a hardware address
    /// that a function may not take.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.errno(), Some(libc::ENODEV | libc::ENOENT | libc::ESRCH))
    }

    /// The kernel has no such family (`EPROTONOSUPPORT`), or it or a driver does not know how (`EOPNOTSUPP`).
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::Open { source, .. } => source.raw_os_error() == Some(libc::EPROTONOSUPPORT),
            _ => self.errno() == Some(libc::EOPNOTSUPP),
        }
    }

    /// No route leads there: `ENETUNREACH`, `EHOSTUNREACH`.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self.errno(), Some(libc::ENETUNREACH | libc::EHOSTUNREACH))
    }

    /// The object is there already: `EEXIST`.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.errno() == Some(libc::EEXIST)
    }
}
