//! Links on top of others: VLANs and bonds.

use super::change_links::header;
use super::codec::{Attributes, Message, NLM_F_CREATE, NLM_F_EXCL, u16_at};
use super::links::{self, HEADER, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO};
use super::{NetlinkError, Socket};

const RTM_NEWLINK: u16 = 16;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_BOND_MODE: u16 = 1;

/// A setting of a bond: number (`IFLA_BOND_*`) and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BondSetting {
    /// `IFLA_BOND_*`
    pub number: u16,
    /// As the kernel takes it.
    pub value: BondValue,
}

/// The value of a bond's setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BondValue {
    /// One byte.
    U8(u8),
    /// Two bytes.
    U16(u16),
    /// Four bytes.
    U32(u32),
    /// A hardware address.
    Bytes(Vec<u8>),
    /// A list of IPv4 addresses.
    Addresses(Vec<std::net::Ipv4Addr>),
}

/// What tells a VLAN link or a bond from others of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stacked {
    /// A VLAN link with this number.
    Vlan(u16),
    /// A bond of this mode.
    Bond(u8),
}

impl Socket {
    /// Makes a link for the packets of one VLAN of another link.
    pub fn add_vlan(&mut self, name: &str, lower: u32, vlan: u16) -> Result<(), NetlinkError> {
        self.act(add_vlan(name, lower, vlan), format_args!("add the link {name} for VLAN {vlan}"))
    }

    /// Makes a bond, off and without members.
    pub fn add_bond(&mut self, name: &str, mode: u8, settings: &[BondSetting]) -> Result<(), NetlinkError> {
        self.act(add_bond(name, mode, settings), format_args!("add the bond {name} of mode {mode}"))
    }

    /// Changes settings of a bond.
    pub fn set_bond(&mut self, bond: u32, settings: &[BondSetting]) -> Result<(), NetlinkError> {
        let message = Message::act(RTM_NEWLINK, 0).raw(&header(bond, 0, 0));
        self.act(info(message, "bond", |data| put(data, settings)), format_args!("set up bond {bond}"))
    }

    /// Makes a link a member of a bond, and must be off for that; of none where `master` is 0.
    pub fn set_master(&mut self, link: u32, master: u32) -> Result<(), NetlinkError> {
        let message = super::change_links::set(link).u32(IFLA_MASTER, master);
        self.act(message, format_args!("make link {link} a member of link {master}"))
    }

    /// What a VLAN link or bond is like; none of other links, and if there is none.
    pub fn stacked(&mut self, link: u32) -> Result<Option<Stacked>, NetlinkError> {
        match self.ask(&links::get(link, 0), format_args!("find link {link}"), read) {
            Ok(found) => Ok(found.into_iter().next()),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn add_vlan(name: &str, lower: u32, vlan: u16) -> Message {
    let message = new(name).u32(IFLA_LINK, lower);
    info(message, "vlan", |data| data.bytes(IFLA_VLAN_ID, &vlan.to_ne_bytes()))
}

pub(super) fn add_bond(name: &str, mode: u8, settings: &[BondSetting]) -> Message {
    info(new(name), "bond", |data| put(data.u8(IFLA_BOND_MODE, mode), settings))
}

fn new(name: &str) -> Message {
    Message::act(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL).raw(&header(0, 0, 0)).text(IFLA_IFNAME, name)
}

fn info(message: Message, kind: &str, data: impl FnOnce(Message) -> Message) -> Message {
    message.nested(IFLA_LINKINFO, |info| info.text(IFLA_INFO_KIND, kind).nested(IFLA_INFO_DATA, data))
}

fn put(message: Message, settings: &[BondSetting]) -> Message {
    settings.iter().fold(message, |message, BondSetting { number, value }| match value {
        BondValue::U8(value) => message.u8(*number, *value),
        BondValue::U16(value) => message.bytes(*number, &value.to_ne_bytes()),
        BondValue::U32(value) => message.u32(*number, *value),
        BondValue::Bytes(value) => message.bytes(*number, value),
        BondValue::Addresses(addresses) => message.nested(*number, |list| {
            let numbered = (0_u16..).zip(addresses);
            numbered.fold(list, |list, (position, address)| list.bytes(position, &address.octets()))
        }),
    })
}

pub(super) fn read(body: &[u8]) -> Option<Stacked> {
    let (_, info) = Attributes::after(HEADER, body).find(|(number, _)| *number == IFLA_LINKINFO)?;
    let part =
        |wanted| Attributes::new(info).find(|(number, _)| *number == wanted).map(|(_, payload)| payload);
    let data = |wanted| {
        Attributes::new(part(IFLA_INFO_DATA)?)
            .find(|(number, _)| *number == wanted)
            .map(|(_, payload)| payload)
    };
    match super::text(part(IFLA_INFO_KIND)?).as_str() {
        "vlan" => u16_at(data(IFLA_VLAN_ID)?, 0).map(Stacked::Vlan),
        "bond" => data(IFLA_BOND_MODE)?.first().copied().map(Stacked::Bond),
        _ => None,
    }
}
