use serde::{Deserialize, Serialize};

use super::change_links::set;
use super::codec::{Attributes, Message, u32_at, u64_at};
use super::links::get;
use super::{NetlinkError, Socket};

/// Length of `struct ifinfomsg`.
const HEADER: usize = super::links::HEADER;
const IFLA_VFINFO_LIST: u16 = 22;
const IFLA_VF_INFO: u16 = 1;
const IFLA_VF_MAC: u16 = 1;
const IFLA_VF_VLAN: u16 = 2;
const IFLA_VF_SPOOFCHK: u16 = 4;
const IFLA_VF_LINK_STATE: u16 = 5;
const IFLA_VF_RATE: u16 = 6;
const IFLA_VF_TRUST: u16 = 9;
const IFLA_VF_IB_NODE_GUID: u16 = 10;
const IFLA_VF_IB_PORT_GUID: u16 = 11;
const IFLA_VF_VLAN_LIST: u16 = 12;
const IFLA_VF_VLAN_INFO: u16 = 1;
const RTEXT_FILTER_VF: u32 = 1;
/// The kernel's room for a hardware address (`MAX_ADDR_LEN`).
const ROOM: usize = 32;

/// The protocol of a VLAN's tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VlanProtocol {
    /// 802.1Q
    #[default]
    #[serde(rename = "802.1q")]
    Dot1q,
    /// 802.1ad
    #[serde(rename = "802.1ad")]
    Dot1ad,
}

impl VlanProtocol {
    fn number(self) -> u16 {
        match self {
            Self::Dot1q => 0x8100,
            Self::Dot1ad => 0x88a8,
        }
    }
}

/// The tag that a port puts on what a virtual function sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlan {
    /// 1 to 4094; 0 is no tag.
    pub id: u32,
    /// Priority, 0 to 7.
    pub qos: u32,
    /// Protocol of the tag.
    pub protocol: VlanProtocol,
}

/// Whether a virtual function has a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VfLinkState {
    /// As the port.
    #[default]
    Auto,
    /// Always.
    Enable,
    /// Never.
    Disable,
}

impl VfLinkState {
    fn number(self) -> u32 {
        match self {
            Self::Auto => 0,
            Self::Enable => 1,
            Self::Disable => 2,
        }
    }
}

/// Something of a virtual function that its port decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VfSetting {
    /// Ethernet address.
    Mac([u8; 6]),
    /// Tag.
    Vlan(Vlan),
    /// Mbit/s; 0 is no limit.
    Rate {
        /// Guaranteed.
        min: u32,
        /// Allowed.
        max: u32,
    },
    /// Frames with a foreign sender address are dropped.
    SpoofCheck(bool),
    /// The function may change its address and listen to everything.
    Trust(bool),
    /// Link.
    LinkState(VfLinkState),
    /// `InfiniBand` identifier of the device, as a number whose highest byte is written first.
    NodeGuid(u64),
    /// `InfiniBand` identifier of its port.
    PortGuid(u64),
}

/// What a port says of a virtual function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualFunction {
    /// Its number.
    pub number: u32,
    /// Ethernet address; zero if the function chooses.
    pub mac: [u8; 6],
    /// Tag.
    pub vlan: Vlan,
    /// Mbit/s, guaranteed and allowed; 0 is no limit.
    pub rate: (u32, u32),
    /// None where the driver does not say.
    pub spoof_check: Option<bool>,
    /// None where the driver does not say.
    pub trust: Option<bool>,
    /// Link.
    pub link_state: VfLinkState,
    /// `InfiniBand` identifiers of the device and of its port; none on Ethernet.
    pub guids: Option<(u64, u64)>,
}

impl Socket {
    /// The virtual functions of a port. With more than some 220 of them the kernel cannot send the answer.
    pub fn virtual_functions(&mut self, port: u32) -> Result<Vec<VirtualFunction>, NetlinkError> {
        let doing = format_args!("list the virtual functions of link {port}");
        let found = self.ask(&get(port, RTEXT_FILTER_VF), doing, |body| Some(read(body)))?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Sets something of virtual function `number` of a port.
    pub fn set_virtual_function(
        &mut self,
        port: u32,
        number: u32,
        setting: VfSetting,
    ) -> Result<(), NetlinkError> {
        let doing = format_args!("set {setting:?} on virtual function {number} of link {port}");
        self.act(set_virtual_function(port, number, setting), doing)
    }
}

pub(super) fn set_virtual_function(port: u32, number: u32, setting: VfSetting) -> Message {
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_ne_bytes()).collect() };
    let guid = |guid: u64| [words(&[number, 0]), guid.to_ne_bytes().to_vec()].concat();
    let (attribute, payload) = match setting {
        VfSetting::Mac(mac) => (IFLA_VF_MAC, {
            let mut payload = words(&[number]);
            payload.extend(mac);
            payload.resize(4 + ROOM, 0);
            payload
        }),
        VfSetting::Vlan(vlan) => (IFLA_VF_VLAN_LIST, vlan_list(number, vlan)),
        VfSetting::Rate { min, max } => (IFLA_VF_RATE, words(&[number, min, max])),
        VfSetting::SpoofCheck(on) => (IFLA_VF_SPOOFCHK, words(&[number, on.into()])),
        VfSetting::Trust(on) => (IFLA_VF_TRUST, words(&[number, on.into()])),
        VfSetting::LinkState(state) => (IFLA_VF_LINK_STATE, words(&[number, state.number()])),
        VfSetting::NodeGuid(value) => (IFLA_VF_IB_NODE_GUID, guid(value)),
        VfSetting::PortGuid(value) => (IFLA_VF_IB_PORT_GUID, guid(value)),
    };
    set(port)
        .nested(IFLA_VFINFO_LIST, |list| list.nested(IFLA_VF_INFO, |info| info.bytes(attribute, &payload)))
}

/// One `struct ifla_vf_vlan_info` as an attribute, whose protocol is in the order of the network.
fn vlan_list(number: u32, vlan: Vlan) -> Vec<u8> {
    let (length, kind) = (20_u16.to_ne_bytes(), IFLA_VF_VLAN_INFO.to_ne_bytes());
    let words = [number, vlan.id, vlan.qos].map(u32::to_ne_bytes).concat();
    [&length[..], &kind, &words, &vlan.protocol.number().to_be_bytes(), &[0, 0]].concat()
}

pub(super) fn read(body: &[u8]) -> Vec<VirtualFunction> {
    let lists = Attributes::after(HEADER, body).filter(|(number, _)| *number == IFLA_VFINFO_LIST);
    lists.flat_map(|(_, list)| Attributes::new(list)).filter_map(|(_, info)| read_one(info)).collect()
}

fn read_one(info: &[u8]) -> Option<VirtualFunction> {
    let mut found = VirtualFunction {
        number: u32_at(Attributes::new(info).find(|(number, _)| *number == IFLA_VF_MAC)?.1, 0)?,
        mac: [0; 6],
        vlan: Vlan::default(),
        rate: (0, 0),
        spoof_check: None,
        trust: None,
        link_state: VfLinkState::Auto,
        guids: None,
    };
    let (mut node, mut port) = (None, None);
    // A driver that does not know leaves all bits set.
    let known =
        |payload: &[u8]| u32_at(payload, 4).filter(|value| *value != u32::MAX).map(|value| value != 0);
    for (attribute, payload) in Attributes::new(info) {
        match attribute {
            IFLA_VF_MAC => found.mac = payload.get(4..10)?.try_into().ok()?,
            IFLA_VF_VLAN => {
                found.vlan.id = u32_at(payload, 4)?;
                found.vlan.qos = u32_at(payload, 8)?;
            }
            IFLA_VF_VLAN_LIST => found.vlan.protocol = protocol(payload),
            IFLA_VF_RATE => found.rate = (u32_at(payload, 4)?, u32_at(payload, 8)?),
            IFLA_VF_SPOOFCHK => found.spoof_check = known(payload),
            IFLA_VF_TRUST => found.trust = known(payload),
            IFLA_VF_LINK_STATE => {
                found.link_state = match u32_at(payload, 4)? {
                    1 => VfLinkState::Enable,
                    2 => VfLinkState::Disable,
                    _ => VfLinkState::Auto,
                }
            }
            IFLA_VF_IB_NODE_GUID => node = u64_at(payload, 8),
            IFLA_VF_IB_PORT_GUID => port = u64_at(payload, 8),
            _ => {}
        }
    }
    found.guids = node.zip(port);
    Some(found)
}

fn protocol(list: &[u8]) -> VlanProtocol {
    let tag = Attributes::new(list).find(|(number, _)| *number == IFLA_VF_VLAN_INFO);
    let number = tag.and_then(|(_, tag)| tag.get(12..14)).unwrap_or_default();
    if *number == VlanProtocol::Dot1ad.number().to_be_bytes() {
        VlanProtocol::Dot1ad
    } else {
        VlanProtocol::Dot1q
    }
}
