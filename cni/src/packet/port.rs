use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket};

use super::frame::{self, Sender};
use super::{Advertisement, Arp, Packet, Solicitation, address};
use crate::netlink::{Link, Namespace, NamespaceError, NetlinkError, Protocol, Socket};
use crate::sysfs::LinkLayer;

/// How often the kernel is asked for a carrier.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Longer than any frame that is looked at.
const LONGEST: usize = 256;

/// An interface of a pod, to send from and receive at. It stays in the pod's namespace, wherever its thread goes.
#[derive(Debug)]
pub struct Port {
    link: Link,
    netlink: Socket,
    frames: OwnedFd,
}

/// Why nothing can be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// There is no such pod.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The kernel refused.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The pod has no interface of this name.
    #[error("there is no interface {0} in the pod")]
    NoInterface(String),
    /// Neither Ethernet nor `InfiniBand`.
    #[error("interface {0} speaks neither Ethernet nor InfiniBand")]
    Layer(String),
    /// The socket failed.
    #[error("failed to {doing} at interface {name}")]
    Socket {
        /// `send`, ...
        doing: &'static str,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Port {
    /// Opens an interface of a pod to send and receive, and turns it on if it is off.
    pub fn open(namespace: &Namespace, name: &str) -> Result<Self, PortError> {
        let port = namespace.run(|| Self::here(name, Some(SockProtocol::EthAll)))??;
        // Before it was bound, it received at all interfaces.
        while port.receive_now().map_err(|errno| failed("receive", name, errno))?.is_some() {}
        Ok(port)
    }

    /// Opens one that receives nothing. The kernel has less to wait for then: whatever receives is added and taken away
    /// under the eyes of all processors (`synchronize_net`), twice instead of once.
    pub fn open_to_send(namespace: &Namespace, name: &str) -> Result<Self, PortError> {
        namespace.run(|| Self::here(name, None))?
    }

    fn here(name: &str, protocol: Option<SockProtocol>) -> Result<Self, PortError> {
        let mut netlink = Socket::open(Protocol::Route)?;
        let none = || PortError::NoInterface(name.to_owned());
        let link = netlink.link(name)?.ok_or_else(none)?;
        if !matches!(link.layer, LinkLayer::Ethernet | LinkLayer::Infiniband) {
            return Err(PortError::Layer(name.to_owned()));
        }
        if !link.up {
            netlink.set_up(link.index, true)?;
        }
        let failed = |errno: Errno| failed("listen", name, errno);
        let address = address::of_link(link.index).ok_or_else(none)?;
        let open = || {
            let frames = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
            bind(frames.as_raw_fd(), &address)?;
            Ok(frames)
        };
        Ok(Self { link, netlink, frames: open().map_err(failed)? })
    }

    /// Its state when it was opened.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Waits until what is sent can arrive, unless it could when this was opened; false if that takes too long.
    pub fn wait_for_carrier(&mut self, within: Duration) -> Result<bool, PortError> {
        if self.link.up && self.link.carrier {
            return Ok(true);
        }
        let until = Instant::now() + within;
        loop {
            let link = self.netlink.link_of(self.link.index)?;
            let carrier = link.is_some_and(|link| link.up && link.carrier);
            if carrier || Instant::now() >= until {
                return Ok(carrier);
            }
            sleep(LOOK_AGAIN);
        }
    }

    /// Sends an ARP packet to everybody.
    pub fn send_arp(&self, arp: &Arp) -> Result<(), PortError> {
        self.send(&self.sender().arp(arp))
    }

    /// Sends a solicitation to the group of its target.
    pub fn send_solicitation(&self, solicitation: &Solicitation<'_>) -> Result<(), PortError> {
        self.send(&self.sender().solicitation(solicitation))
    }

    /// Sends an advertisement to everybody.
    pub fn send_advertisement(&self, advertisement: &Advertisement) -> Result<(), PortError> {
        self.send(&self.sender().advertisement(advertisement))
    }

    fn sender(&self) -> Sender<'_> {
        Sender { layer: self.link.layer, own: &self.link.address, broadcast: &self.link.broadcast }
    }

    fn send(&self, bytes: &[u8]) -> Result<(), PortError> {
        let sent = send(self.frames.as_raw_fd(), bytes, MsgFlags::empty());
        sent.map(drop).map_err(|errno| failed("send", &self.link.name, errno))
    }

    /// The next packet that is one of ours to read; none when the time is over.
    pub fn receive(&self, until: Instant) -> Result<Option<Packet>, PortError> {
        let failed = |errno: Errno| failed("receive", &self.link.name, errno);
        loop {
            let frame = self.receive_now().map_err(failed)?;
            if let Some(packet) = frame.and_then(|frame| frame::parse(self.link.layer, &frame)) {
                return Ok(Some(packet));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            // Rounded up, or the last millisecond is spent in asking.
            let left = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(self.frames.as_fd(), PollFlags::POLLIN)], left) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// A frame that is there already.
    fn receive_now(&self) -> Result<Option<Vec<u8>>, Errno> {
        let mut buffer = vec![0; LONGEST];
        match recv(self.frames.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(Some(buffer))
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

fn failed(doing: &'static str, name: &str, errno: Errno) -> PortError {
    PortError::Socket { doing, name: name.to_owned(), source: errno.into() }
}
