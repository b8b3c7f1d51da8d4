//! RDMA devices by netlink (`include/uapi/rdma/rdma_netlink.h`): list, move, rename, character devices, system mode.
//!
//! The operations are methods of [`RdmaSocket`]. In exclusive mode a socket sees the devices of the network namespace that
//! it was opened in, and no others. A move gives a device new character devices: ask for them afterwards.

mod device;
mod mode;
#[cfg(test)]
mod tests;

pub use device::{CharDevice, CharKind, RdmaDevice, RdmaPort};
pub use mode::Mode;

use crate::netlink::{NetlinkError, Protocol, Socket};

/// `RDMA_NL_NLDEV`, where the number of the operation begins.
const NLDEV: u16 = 5 << 10;
const DEV_INDEX: u16 = 1;
const DEV_NAME: u16 = 2;

/// A connection to the kernel's RDMA core, for one request at a time.
#[derive(Debug)]
pub struct RdmaSocket(Socket);

impl RdmaSocket {
    /// Opens one in the network namespace of this thread. A kernel without RDMA refuses with `EPROTONOSUPPORT`:
    /// [`NetlinkError::is_unsupported`].
    pub fn open() -> Result<Self, NetlinkError> {
        Socket::open(Protocol::Rdma).map(Self)
    }
}
