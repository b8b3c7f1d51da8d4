use serde::Deserialize;

use crate::functions::{HardwareAddress, Settings};
use crate::netlink::{VfLinkState, Vlan, VlanProtocol};
use crate::plugins::keys;
use crate::spec::{Call, CniError};
use crate::sysfs::PciAddress;

/// What the configuration asks for, valid in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// The function.
    pub(super) device: PciAddress,
    /// What its port is to decide.
    pub(super) settings: Settings,
    /// Bytes.
    pub(super) mtu: Option<u32>,
}

/// As written. Keys match in either case, as they do in Go.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(rename = "deviceID")]
    device: Option<String>,
    vlan: Option<i64>,
    #[serde(rename = "vlanQoS")]
    vlan_qos: Option<i64>,
    #[serde(rename = "vlanProto")]
    vlan_proto: Option<String>,
    mac: Option<String>,
    mtu: Option<i64>,
    spoofchk: Option<String>,
    trust: Option<String>,
    link_state: Option<String>,
    min_tx_rate: Option<i64>,
    max_tx_rate: Option<i64>,
    #[serde(rename = "runtimeConfig")]
    runtime: Option<Runtime>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Runtime {
    mac: Option<String>,
}

const KEYS: [&str; 12] = [
    "deviceID",
    "vlan",
    "vlanQoS",
    "vlanProto",
    "mac",
    "mtu",
    "spoofchk",
    "trust",
    "link_state",
    "min_tx_rate",
    "max_tx_rate",
    "runtimeConfig",
];

/// Of IPv4; the port says how long a packet can be.
const SHORTEST_MTU: i64 = 68;

impl Config {
    /// Reads the configuration of a call.
    pub(super) fn of(call: &Call) -> Result<Self, CniError> {
        let written: Written = keys::read(call, &KEYS)?;
        let wrong = |reason: String| CniError::config(format!("network {:?}: {reason}", call.network()));
        // The runtime's address before that of CNI_ARGS before the configuration's.
        let asked = written.runtime.as_ref().and_then(|runtime| given(runtime.mac.as_ref()));
        let mac = asked.or_else(|| call.args.mac()).or_else(|| given(written.mac.as_ref()));
        let settings = Settings {
            mac: mac.map(address).transpose().map_err(wrong)?,
            vlan: written.vlan().map_err(wrong)?,
            rate: written.rate().map_err(wrong)?,
            spoof_check: switch("spoofchk", written.spoofchk.as_ref()).map_err(wrong)?,
            trust: switch("trust", written.trust.as_ref()).map_err(wrong)?,
            link_state: given(written.link_state.as_ref()).map(link_state).transpose().map_err(wrong)?,
        };
        let mtu =
            written.mtu.map(|mtu| within("mtu", mtu, SHORTEST_MTU, 65_535)).transpose().map_err(wrong)?;
        Ok(Self { device: device(given(written.device.as_ref())).map_err(wrong)?, settings, mtu })
    }
}

impl Written {
    fn vlan(&self) -> Result<Option<Vlan>, String> {
        let Self { vlan, vlan_qos, vlan_proto, .. } = self;
        let protocol = given(vlan_proto.as_ref());
        let Some(id) = *vlan else {
            return match (vlan_qos, protocol) {
                (None, None) => Ok(None),
                (Some(_), _) => Err("vlanQoS needs vlan; set vlan, or take vlanQoS out".to_owned()),
                (None, Some(_)) => Err("vlanProto needs vlan; set vlan, or take vlanProto out".to_owned()),
            };
        };
        let id = within("vlan", id, 0, 4094)?;
        let qos = within("vlanQoS", vlan_qos.unwrap_or_default(), 0, 7)?;
        let protocol = match protocol.unwrap_or("802.1q") {
            text if text.eq_ignore_ascii_case("802.1q") => VlanProtocol::Dot1q,
            text if text.eq_ignore_ascii_case("802.1ad") => VlanProtocol::Dot1ad,
            text => return Err(format!("vlanProto is {text:?}; write 802.1q or 802.1ad")),
        };
        if id == 0 && qos != 0 {
            return Err(format!("vlanQoS is {qos} and vlan is 0; without a VLAN there is no priority"));
        }
        if id == 0 && protocol == VlanProtocol::Dot1ad {
            return Err("vlanProto is 802.1ad and vlan is 0; without a VLAN there is no protocol".to_owned());
        }
        Ok(Some(Vlan { id, qos, protocol }))
    }

    /// If one of them is there, both are set: the other has no limit.
    fn rate(&self) -> Result<Option<(u32, u32)>, String> {
        let Self { min_tx_rate, max_tx_rate, .. } = self;
        if min_tx_rate.is_none() && max_tx_rate.is_none() {
            return Ok(None);
        }
        let largest = i64::from(u32::MAX);
        let min = within("min_tx_rate", min_tx_rate.unwrap_or_default(), 0, largest)?;
        let max = within("max_tx_rate", max_tx_rate.unwrap_or_default(), 0, largest)?;
        if max != 0 && min > max {
            return Err(format!("min_tx_rate {min} is above max_tx_rate {max}"));
        }
        Ok(Some((min, max)))
    }
}

/// An empty text is none.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn device(text: Option<&str>) -> Result<PciAddress, String> {
    let text = text.ok_or(
        "deviceID is not set, so it is not known which virtual function is meant; Multus sets it from the annotation \
         k8s.v1.cni.cncf.io/resourceName of the NetworkAttachmentDefinition, which must name a resource that the pod requests",
    )?;
    text.parse().map_err(|error| format!("deviceID: {error}"))
}

fn address(text: &str) -> Result<HardwareAddress, String> {
    let address: HardwareAddress = text.parse().map_err(|error| format!("mac: {error}"))?;
    match address.ethernet() {
        Some([0, 0, 0, 0, 0, 0]) => Err(format!("mac is {text}, which is none")),
        Some([first, ..]) if first & 1 == 0 => Ok(address),
        Some(_) => Err(format!("mac is {text}, which is a group's; the first byte must be even")),
        None => Err(format!("mac is {text}; an Ethernet address has 6 bytes")),
    }
}

fn switch(key: &str, text: Option<&String>) -> Result<Option<bool>, String> {
    match given(text) {
        None => Ok(None),
        Some("on") => Ok(Some(true)),
        Some("off") => Ok(Some(false)),
        Some(text) => Err(format!("{key} is {text:?}; write on or off")),
    }
}

/// The text of `link_state`.
pub(in crate::plugins) fn link_state(text: &str) -> Result<VfLinkState, String> {
    match text {
        "auto" => Ok(VfLinkState::Auto),
        "enable" => Ok(VfLinkState::Enable),
        "disable" => Ok(VfLinkState::Disable),
        _ => Err(format!("link_state is {text:?}; write auto, enable or disable")),
    }
}

fn within(key: &str, value: i64, lowest: i64, highest: i64) -> Result<u32, String> {
    let fits = (lowest..=highest).contains(&value);
    let fitting = u32::try_from(value).ok().filter(|_| fits);
    fitting.ok_or_else(|| format!("{key} is {value}; it must lie between {lowest} and {highest}"))
}
