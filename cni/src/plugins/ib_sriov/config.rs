use serde::Deserialize;
use serde_json::Value;

use crate::netlink::VfLinkState;
use crate::plugins::keys;
use crate::plugins::sriov::link_state;
use crate::spec::{Call, CniError};
use crate::sysfs::PciAddress;

use super::guid::Guid;

/// What the configuration asks for, valid in itself. `pkey` is for the fabric's manager, by way of ib-kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// The function.
    pub(super) device: PciAddress,
    /// Link.
    pub(super) link_state: Option<VfLinkState>,
    /// The RDMA device goes into the pod.
    pub(super) isolated: bool,
    /// The function must be bound to vfio-pci.
    pub(super) wants_vfio: bool,
    /// The identifier that it is to have.
    pub(super) guid: Option<Guid>,
    /// Somebody else gives identifiers, so there must be one.
    pub(super) needs_guid: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(rename = "deviceID")]
    device: Option<String>,
    link_state: Option<String>,
    #[serde(rename = "rdmaIsolation")]
    isolated: Option<bool>,
    #[serde(rename = "ibKubernetesEnabled")]
    ib_kubernetes: Option<bool>,
    #[serde(rename = "vfioPciMode")]
    vfio: Option<bool>,
    #[serde(rename = "runtimeConfig")]
    runtime: Option<Runtime>,
    /// Whatever else stands in there, and of whatever type, is not ours.
    args: Value,
    ipam: Option<Ipam>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Runtime {
    #[serde(rename = "infinibandGUID")]
    guid: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ipam {
    #[serde(rename = "type")]
    kind: String,
}

const KEYS: [&str; 8] = [
    "deviceID",
    "link_state",
    "rdmaIsolation",
    "ibKubernetesEnabled",
    "vfioPciMode",
    "runtimeConfig",
    "args",
    "ipam",
];

impl Config {
    /// Reads the configuration of a call.
    pub(super) fn of(call: &Call) -> Result<Self, CniError> {
        let written: Written = keys::read(call, &KEYS)?;
        let wrong = |reason: String| CniError::config(format!("network {:?}: {reason}", call.network()));
        let argument = |key: &str| written.args.pointer("/cni")?.get(key)?.as_str();
        let needs_guid = written.ib_kubernetes.unwrap_or_default();
        if needs_guid && argument("mellanox.infiniband.app") != Some("configured") {
            return Err(CniError::new(
                CniError::TRY_AGAIN,
                format!(
                    "network {:?} has ibKubernetesEnabled, and ib-kubernetes has not configured this interface yet; if it \
                     stays so, see the log of ib-kubernetes",
                    call.network()
                ),
            ));
        }
        if written.ipam.is_some_and(|ipam| ipam.kind == "dhcp") {
            return Err(wrong(
                "ipam.type is dhcp, which does not work on InfiniBand; take another".to_owned(),
            ));
        }
        let runtime = written.runtime.as_ref().and_then(|runtime| runtime.guid.as_deref());
        let guid = runtime.filter(|guid| !guid.is_empty()).or_else(|| argument("guid"));
        let device = written.device.as_deref().filter(|device| !device.is_empty()).ok_or_else(|| {
            wrong(
                "deviceID is not set, so it is not known which virtual function is meant; Multus sets it from the resource \
                 that the pod requests"
                    .to_owned(),
            )
        })?;
        let state = written.link_state.as_deref().filter(|state| !state.is_empty());
        Ok(Self {
            device: device.parse().map_err(|error| wrong(format!("deviceID: {error}")))?,
            link_state: state.map(link_state).transpose().map_err(wrong)?,
            isolated: written.isolated.unwrap_or_default(),
            wants_vfio: written.vfio.unwrap_or_default(),
            guid: guid.filter(|guid| !guid.is_empty()).map(valid).transpose().map_err(wrong)?,
            needs_guid,
        })
    }
}

/// Whether the RDMA device is to go into the pod; STATUS asks before there is a device.
pub(super) fn is_isolated(call: &Call) -> Result<bool, CniError> {
    Ok(keys::read::<Written>(call, &KEYS)?.isolated.unwrap_or_default())
}

fn valid(text: &str) -> Result<Guid, String> {
    let guid: Guid = text.parse().map_err(|error| format!("guid: {error}"))?;
    if guid.is_valid() { Ok(guid) } else { Err(format!("guid is {guid}, which means none")) }
}
