use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::codec::{Message, NLM_F_CREATE, NLM_F_EXCL};
use super::links::{
    self, HEADER, IFF_UP, IFLA_ADDRESS, IFLA_ALT_IFNAME, IFLA_IFNAME, IFLA_MTU, IFLA_PROP_LIST, IFLA_TXQLEN,
};
use super::{Link, NetlinkError, Socket};

const RTM_DELLINK: u16 = 17;
const RTM_SETLINK: u16 = 19;
const RTM_NEWLINKPROP: u16 = 108;
const RTM_DELLINKPROP: u16 = 109;
const IFLA_NET_NS_FD: u16 = 28;
const NLA_F_NESTED: u16 = 0x8000;

impl Socket {
    /// The link that has this name, or has it as one of its other names; none if there is none.
    pub fn link(&mut self, name: &str) -> Result<Option<Link>, NetlinkError> {
        let found = self.ask(&links::get_named(name), format_args!("find link {name}"), links::read);
        one(found)
    }

    /// The link of this number; none if there is none.
    pub fn link_of(&mut self, index: u32) -> Result<Option<Link>, NetlinkError> {
        one(self.ask(&links::get(index, 0), format_args!("find link {index}"), links::read))
    }

    /// Turns a link on or off.
    pub fn set_up(&mut self, link: u32, up: bool) -> Result<(), NetlinkError> {
        let flags = if up { IFF_UP } else { 0 };
        let message = Message::act(RTM_SETLINK, 0).raw(&header(link, flags, IFF_UP));
        self.act(message, format_args!("turn link {link} {}", if up { "on" } else { "off" }))
    }

    /// Sets the longest packet, in bytes.
    pub fn set_mtu(&mut self, link: u32, mtu: u32) -> Result<(), NetlinkError> {
        self.act(set(link).u32(IFLA_MTU, mtu), format_args!("set the MTU of link {link} to {mtu}"))
    }

    /// Sets the length of the queue, in packets.
    pub fn set_queue_length(&mut self, link: u32, packets: u32) -> Result<(), NetlinkError> {
        let doing = format_args!("set the queue of link {link} to {packets} packets");
        self.act(set(link).u32(IFLA_TXQLEN, packets), doing)
    }

    /// Sets the hardware address that the link itself uses.
    pub fn set_hardware_address(&mut self, link: u32, address: &[u8]) -> Result<(), NetlinkError> {
        let doing = format_args!("set the hardware address of link {link} to {address:02x?}");
        self.act(set(link).bytes(IFLA_ADDRESS, address), doing)
    }

    /// Gives a link another name, of less than 16 bytes. Kernels before 6.2 want it off.
    pub fn rename(&mut self, link: u32, name: &str) -> Result<(), NetlinkError> {
        self.act(set(link).text(IFLA_IFNAME, name), format_args!("rename link {link} to {name}"))
    }

    /// Takes one of its other names from a link. `udev` adds them, and they are in the way of a link of that name.
    pub fn remove_other_name(&mut self, link: u32, name: &str) -> Result<(), NetlinkError> {
        self.act(remove_other_name(link, name), format_args!("take the other name {name} from link {link}"))
    }

    /// Gives a link another name besides; one that it has already is no error.
    pub fn add_other_name(&mut self, link: u32, name: &str) -> Result<(), NetlinkError> {
        let doing = format_args!("give link {link} the other name {name}");
        match self.act(add_other_name(link, name), doing) {
            Err(error) if error.is_present() && self.link(name)?.is_some_and(|found| found.index == link) => {
                Ok(())
            }
            added => added,
        }
    }

    /// Moves a link to another network namespace, where it is off. It keeps its number if that is free there.
    pub fn move_link(&mut self, link: u32, namespace: BorrowedFd<'_>) -> Result<(), NetlinkError> {
        self.act(
            move_link(link, namespace.as_raw_fd(), None),
            format_args!("move link {link} to another network namespace"),
        )
    }

    /// Moves a link and renames it in one step, so that it never has its old name there nor its new name here.
    pub fn move_and_rename(
        &mut self,
        link: u32,
        namespace: BorrowedFd<'_>,
        name: &str,
    ) -> Result<(), NetlinkError> {
        self.act(
            move_link(link, namespace.as_raw_fd(), Some(name)),
            format_args!("move link {link} to another network namespace as {name}"),
        )
    }

    /// Removes a virtual link.
    pub fn delete_link(&mut self, link: u32) -> Result<(), NetlinkError> {
        let message = Message::act(RTM_DELLINK, 0).raw(&header(link, 0, 0));
        self.act(message, format_args!("delete link {link}"))
    }
}

fn one<T>(found: Result<Vec<T>, NetlinkError>) -> Result<Option<T>, NetlinkError> {
    match found {
        Ok(found) => Ok(found.into_iter().next()),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// `struct ifinfomsg`: family, padding, type, number, flags, and which of the flags are meant.
pub(super) fn header(link: u32, flags: u32, change: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[4..8].copy_from_slice(&link.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&change.to_ne_bytes());
    header
}

/// The start of a request that changes a link.
pub(super) fn set(link: u32) -> Message {
    Message::act(RTM_SETLINK, 0).raw(&header(link, 0, 0))
}

pub(super) fn move_link(link: u32, namespace: i32, name: Option<&str>) -> Message {
    let message = set(link).u32(IFLA_NET_NS_FD, namespace.cast_unsigned());
    match name {
        Some(name) => message.text(IFLA_IFNAME, name),
        None => message,
    }
}

pub(super) fn add_other_name(link: u32, name: &str) -> Message {
    other_name(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, link, name)
}

pub(super) fn remove_other_name(link: u32, name: &str) -> Message {
    other_name(RTM_DELLINKPROP, 0, link, name)
}

fn other_name(kind: u16, flags: u16, link: u32, name: &str) -> Message {
    Message::act(kind, flags)
        .raw(&header(link, 0, 0))
        .nested(IFLA_PROP_LIST | NLA_F_NESTED, |list| list.text(IFLA_ALT_IFNAME, name))
}
