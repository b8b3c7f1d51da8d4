use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::{DEV_INDEX, DEV_NAME, NLDEV, RdmaSocket};
use crate::netlink::{Attributes, Message, NetlinkError, text, u32_at, u64_at};

const GET: u16 = NLDEV | 1;
const SET: u16 = NLDEV | 2;
const PORT_GET: u16 = NLDEV | 5;
const GET_CHARDEV: u16 = NLDEV | 15;
const PORT_INDEX: u16 = 3;
const NODE_GUID: u16 = 6;
const PORT_STATE: u16 = 12;
const NDEV_INDEX: u16 = 50;
const NDEV_NAME: u16 = 51;
const NET_NS_FD: u16 = 68;
const CHARDEV_TYPE: u16 = 69;
const CHARDEV_NAME: u16 = 70;
const CHARDEV: u16 = 72;
/// `IB_PORT_ACTIVE`
const ACTIVE: u8 = 4;

/// An RDMA device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RdmaDevice {
    /// Its number, which stays when it is moved or renamed.
    pub index: u32,
    /// `mlx5_2`
    pub name: String,
    /// How many ports it has.
    pub ports: u32,
    /// Its own identifier; connections cannot be made with zero.
    pub node_guid: u64,
}

/// A port of an RDMA device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdmaPort {
    /// From 1.
    pub number: u32,
    /// Able to carry traffic.
    pub active: bool,
    /// Number of the network interface behind it.
    pub link: Option<u32>,
    /// Name of that interface.
    pub link_name: Option<String>,
}

/// What a character device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharKind {
    /// Verbs, for every application.
    Uverbs,
    /// Management datagrams of a port.
    Umad,
    /// Subnet managers on a port.
    Issm,
}

impl CharKind {
    fn name(self) -> &'static str {
        match self {
            Self::Uverbs => "uverbs",
            Self::Umad => "umad",
            Self::Issm => "issm",
        }
    }
}

/// A character device of an RDMA device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharDevice {
    /// `uverbs2`, below `/dev/infiniband`.
    pub name: String,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

impl RdmaSocket {
    /// The devices that this socket's network namespace sees.
    pub fn devices(&mut self) -> Result<Vec<RdmaDevice>, NetlinkError> {
        self.0.ask_by_position(&list_devices(), "list RDMA devices", read_device)
    }

    /// The device of this name, if this socket's network namespace sees it.
    pub fn device(&mut self, name: &str) -> Result<Option<RdmaDevice>, NetlinkError> {
        Ok(self.devices()?.into_iter().find(|device| device.name == name))
    }

    /// The ports of a device.
    pub fn ports(&mut self, device: u32) -> Result<Vec<RdmaPort>, NetlinkError> {
        self.0.ask(&list_ports(device), format_args!("list the ports of RDMA device {device}"), read_port)
    }

    /// Moves a device to another network namespace. Refused with `EOPNOTSUPP` in shared mode, and by drivers that cannot.
    ///
    /// The thread has to be in the namespace that has the device, not only the socket, or the kernel answers `ENODEV`
    /// (`ib_device_set_netns_put`, drivers/infiniband/core/device.c): out of a pod by
    /// [`Namespace::run`](crate::netlink::Namespace::run).
    pub fn move_device(&mut self, device: u32, namespace: BorrowedFd<'_>) -> Result<(), NetlinkError> {
        self.0.act(
            move_device(device, namespace.as_raw_fd()),
            format_args!("move RDMA device {device} to another network namespace"),
        )
    }

    /// Gives a device another name, of less than 64 bytes.
    pub fn rename_device(&mut self, device: u32, name: &str) -> Result<(), NetlinkError> {
        self.0.act(rename_device(device, name), format_args!("rename RDMA device {device} to {name}"))
    }

    /// The character device of this kind; `port` from 1, where the kind is of ports. None if there is none.
    pub fn char_device(
        &mut self,
        device: u32,
        kind: CharKind,
        port: Option<u32>,
    ) -> Result<Option<CharDevice>, NetlinkError> {
        let doing = format_args!("find the {} device of RDMA device {device}", kind.name());
        match self.0.ask(&find_char_device(device, kind, port), doing, read_char_device) {
            Ok(found) => Ok(found.into_iter().next()),
            // Nobody serves this kind: its module is not loaded, or the device is not of InfiniBand.
            Err(error) if error.is_absent() || error.is_unsupported() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn list_devices() -> Message {
    Message::dump(GET)
}

pub(super) fn list_ports(device: u32) -> Message {
    Message::dump(PORT_GET).u32(DEV_INDEX, device)
}

pub(super) fn move_device(device: u32, namespace: i32) -> Message {
    Message::act(SET, 0).u32(DEV_INDEX, device).u32(NET_NS_FD, namespace.cast_unsigned())
}

pub(super) fn rename_device(device: u32, name: &str) -> Message {
    Message::act(SET, 0).u32(DEV_INDEX, device).text(DEV_NAME, name)
}

pub(super) fn find_char_device(device: u32, kind: CharKind, port: Option<u32>) -> Message {
    let message = Message::act(GET_CHARDEV, 0).text(CHARDEV_TYPE, kind.name()).u32(DEV_INDEX, device);
    match port {
        Some(port) => message.u32(PORT_INDEX, port),
        None => message,
    }
}

pub(super) fn read_device(body: &[u8]) -> Option<RdmaDevice> {
    let mut device = RdmaDevice::default();
    for (number, payload) in Attributes::new(body) {
        match number {
            DEV_INDEX => device.index = u32_at(payload, 0)?,
            DEV_NAME => device.name = text(payload),
            PORT_INDEX => device.ports = u32_at(payload, 0)?,
            NODE_GUID => device.node_guid = u64_at(payload, 0)?,
            _ => {}
        }
    }
    (!device.name.is_empty()).then_some(device)
}

pub(super) fn read_port(body: &[u8]) -> Option<RdmaPort> {
    let mut port = RdmaPort { number: 0, active: false, link: None, link_name: None };
    for (number, payload) in Attributes::new(body) {
        match number {
            PORT_INDEX => port.number = u32_at(payload, 0)?,
            PORT_STATE => port.active = payload == [ACTIVE],
            NDEV_INDEX => port.link = u32_at(payload, 0),
            NDEV_NAME => port.link_name = Some(text(payload)),
            _ => {}
        }
    }
    (port.number > 0).then_some(port)
}

pub(super) fn read_char_device(body: &[u8]) -> Option<CharDevice> {
    let (mut name, mut number) = (None, None);
    for (attribute, payload) in Attributes::new(body) {
        match attribute {
            CHARDEV_NAME => name = Some(text(payload)),
            CHARDEV => number = u64_at(payload, 0),
            _ => {}
        }
    }
    let (major, minor) = split(number?)?;
    Some(CharDevice { name: name?, major, minor })
}

/// `huge_encode_dev()` of the kernel, which for a `dev_t` of 32 bits is `new_encode_dev()`.
fn split(number: u64) -> Option<(u32, u32)> {
    let number = u32::try_from(number).ok()?;
    Some(((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xf_ff00)))
}
