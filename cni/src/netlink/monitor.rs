use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use netlink_sys::{Socket as RawSocket, SocketAddr, protocols};

use super::{NetlinkError, Protocol};

/// `RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// Tells that links or addresses of a network namespace changed: its file becomes readable.
///
/// The socket never blocks; wait for the file with `poll` or a runtime, then [`drain`](Self::drain) it, then list anew.
#[derive(Debug)]
pub struct Monitor {
    socket: RawSocket,
}

impl Monitor {
    /// Listens in the network namespace of this thread.
    pub fn open() -> Result<Self, NetlinkError> {
        let open = || {
            let mut socket = RawSocket::new(protocols::NETLINK_ROUTE)?;
            socket.set_non_blocking(true)?;
            socket.bind(&SocketAddr::new(0, GROUPS))?;
            Ok(Self { socket })
        };
        open().map_err(|source| NetlinkError::Open { protocol: Protocol::Route.describe(), source })
    }

    /// Takes everything that was told since the last time, and says whether there was anything. Notices that the kernel
    /// dropped, because they came faster than they were taken, count too.
    pub fn drain(&self) -> Result<bool, NetlinkError> {
        let mut changed = false;
        // What a notice says does not matter, so it may be cut off.
        let mut notice = Vec::with_capacity(64);
        loop {
            notice.clear();
            match self.socket.recv(&mut notice, 0) {
                Ok(_) => changed = true,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(changed),
                Err(source) => return Err(failed(source)),
            }
        }
    }
}

fn failed(source: io::Error) -> NetlinkError {
    NetlinkError::Socket { doing: "take notices of changed links".to_owned(), source }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
