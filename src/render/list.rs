//! The CNI configuration list: which plugins, in which order.

use serde::Serialize;
use serde_json::value::RawValue;

use super::RenderError;
use super::coordinator::Coordinator;
use super::interface::Masters;
use super::plugin::{Element, Ipam, Plugin};
use crate::api::{
    CniType, IbSriovConfig, IntOrString, IpoibConfig, MacvlanConfig, OvsConfig, Pools,
    SpiderMultusConfigSpec, SriovConfig, VlanConfig,
};

/// What networks get that do not ask for a version.
pub(super) const CNI_VERSION: &str = "0.3.1";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigurationList<'a> {
    cni_version: &'a str,
    name: &'a str,
    plugins: Vec<Element<'a>>,
}

/// The plugins that a type brings along, around those that every network can chain.
struct Chain<'a> {
    before: Option<Plugin<'a>>,
    main: Plugin<'a>,
    after: Option<Plugin<'a>>,
    last: Option<Plugin<'a>>,
}

/// The configuration list of a network that is not `custom`, as JSON text.
pub(super) fn configuration(
    cni_version: &str,
    name: &str,
    spec: &SpiderMultusConfigSpec,
) -> Result<String, RenderError> {
    let Chain { before, main, after, last } = chain(spec)?;
    let mut chained = Vec::new();
    for (index, text) in spec.chain_cni_json_data.iter().flatten().enumerate() {
        chained.push(json_object(&format!("spec.chainCNIJsonData[{index}]"), text)?);
    }
    let coordinator = spec
        .enable_coordinator
        .unwrap_or(true)
        .then(|| Plugin::Coordinator(Coordinator::of(spec.coordinator.as_deref())));
    let plugins = (before.into_iter().chain([main]).chain(after).map(Element::Rendered))
        .chain(chained.into_iter().map(Element::Chained))
        .chain(coordinator.into_iter().chain(last).map(Element::Rendered));
    let list = ConfigurationList { cni_version, name, plugins: plugins.collect() };
    serde_json::to_string(&list).map_err(|_| RenderError::new("spec", "cannot be written as JSON"))
}

/// The text as it is, if it is a JSON object.
pub(super) fn json_object<'a>(field: &str, text: &'a str) -> Result<&'a RawValue, RenderError> {
    let value = serde_json::from_str::<&RawValue>(text).ok();
    let object = value.filter(|value| value.get().starts_with('{'));
    object.ok_or_else(|| RenderError::new(field, "must be a JSON object"))
}

fn chain(spec: &SpiderMultusConfigSpec) -> Result<Chain<'_>, RenderError> {
    match spec.cni_type() {
        CniType::Macvlan => {
            let block = block("spec.macvlan", spec.macvlan.as_ref())?;
            subinterfaces(spec, "spec.macvlan", block, |master, mtu, ipam| Plugin::Macvlan {
                master,
                mode: "bridge",
                mtu,
                ipam,
            })
        }
        CniType::Ipvlan => {
            let block = block("spec.ipvlan", spec.ipvlan.as_ref())?;
            subinterfaces(spec, "spec.ipvlan", block, |master, mtu, ipam| Plugin::Ipvlan {
                master,
                mtu,
                ipam,
            })
        }
        CniType::Vlan => vlan(spec, block("spec.vlan", spec.vlan.as_ref())?),
        CniType::Sriov => sriov(spec, block("spec.sriov", spec.sriov.as_ref())?),
        CniType::IbSriov => ib_sriov(spec, block("spec.ibsriov", spec.ibsriov.as_ref())?),
        CniType::Ipoib => ipoib(spec, block("spec.ipoib", spec.ipoib.as_ref())?),
        CniType::Ovs => ovs(spec, block("spec.ovs", spec.ovs.as_ref())?),
        CniType::Custom => Err(RenderError::new("spec.customCNI", "is the configuration of cniType custom")),
    }
}

/// macvlan and ipvlan.
fn subinterfaces<'a>(
    spec: &SpiderMultusConfigSpec,
    path: &str,
    block: &'a MacvlanConfig,
    plugin: impl FnOnce(String, Option<i64>, Option<Ipam<'a>>) -> Plugin<'a>,
) -> Result<Chain<'a>, RenderError> {
    let MacvlanConfig { master, mtu, vlan_id, bond, rdma_resource_name: _, ippools } = block;
    let masters = Masters::of(path, master.as_ref(), bond.as_ref())?;
    let vlan_id = nonzero(*vlan_id);
    let main = plugin(masters.interface(vlan_id), nonzero(*mtu), ipam(spec, ippools.as_ref()));
    Ok(Chain { before: masters.ifacer(vlan_id).map(Plugin::Ifacer), ..Chain::of(main) })
}

fn vlan<'a>(spec: &SpiderMultusConfigSpec, block: &'a VlanConfig) -> Result<Chain<'a>, RenderError> {
    let VlanConfig { master, mtu, vlan_mode, vlan_id, bond, rdma_resource_name: _, ippools } = block;
    let masters = Masters::of("spec.vlan", master.as_ref(), bond.as_ref())?;
    let vlan_mode = vlan_mode.as_deref().unwrap_or("manual");
    let main = Plugin::Vlan {
        master: masters.base().to_owned(),
        vlan_mode,
        // In mode auto the pool decides.
        vlan_id: (vlan_mode != "auto").then_some(vlan_id.unwrap_or(0)),
        mtu: nonzero(*mtu),
        ipam: ipam(spec, ippools.as_ref()),
    };
    Ok(Chain { before: masters.ifacer(None).map(Plugin::Ifacer), ..Chain::of(main) })
}

fn sriov<'a>(spec: &SpiderMultusConfigSpec, block: &'a SriovConfig) -> Result<Chain<'a>, RenderError> {
    let SriovConfig { resource_name, vlan_id, mtu, min_tx_rate_mbps, max_tx_rate_mbps, .. } = block;
    required("spec.sriov.resourceName", resource_name.as_ref(), RESOURCE)?;
    let pools = block.ippools.as_ref();
    let matches = pools.and_then(|pools| pools.match_master_subnet).unwrap_or(false);
    let main = Plugin::Sriov {
        vlan: *vlan_id,
        min_tx_rate: *min_tx_rate_mbps,
        max_tx_rate: *max_tx_rate_mbps,
        ipam: ipam(spec, pools).map(|ipam| Ipam { match_master_subnet: matches, ..ipam }),
    };
    Ok(Chain {
        after: block.rdma_isolation.unwrap_or(false).then_some(Plugin::Rdma),
        last: nonzero(*mtu).map(|mtu| Plugin::Tuning { mtu }),
        ..Chain::of(main)
    })
}

/// The plugin's own defaults are other ones: it leaves the link state alone, and the RDMA device on the host.
fn ib_sriov<'a>(spec: &SpiderMultusConfigSpec, block: &'a IbSriovConfig) -> Result<Chain<'a>, RenderError> {
    let IbSriovConfig { resource_name, pkey, link_state, rdma_isolation, enable_ib_kubernetes, .. } = block;
    required("spec.ibsriov.resourceName", resource_name.as_ref(), RESOURCE)?;
    let pkey = match pkey {
        Some(IntOrString::Int(_)) => {
            return Err(RenderError::new("spec.ibsriov.pkey", "must be text in hexadecimal, as \"0x03E8\""));
        }
        Some(IntOrString::String(text)) => Some(text.as_str()).filter(|text| !text.is_empty()),
        None => None,
    };
    Ok(Chain::of(Plugin::IbSriov {
        pkey,
        link_state: link_state.as_deref().unwrap_or("enable"),
        rdma_isolation: rdma_isolation.unwrap_or(true),
        ib_kubernetes_enabled: *enable_ib_kubernetes,
        ipam: ipam(spec, block.ippools.as_ref()),
    }))
}

fn ipoib<'a>(spec: &SpiderMultusConfigSpec, block: &'a IpoibConfig) -> Result<Chain<'a>, RenderError> {
    let IpoibConfig { master, ippools } = block;
    let master = required("spec.ipoib.master", master.as_ref(), "must name the IPoIB interface of the host")?;
    Ok(Chain::of(Plugin::Ipoib { master, ipam: ipam(spec, ippools.as_ref()) }))
}

fn ovs<'a>(spec: &SpiderMultusConfigSpec, block: &'a OvsConfig) -> Result<Chain<'a>, RenderError> {
    let OvsConfig { bridge, vlan, trunk, device_id, ippools } = block;
    Ok(Chain::of(Plugin::Ovs {
        bridge: required("spec.ovs.bridge", bridge.as_ref(), "must name the bridge")?,
        vlan: nonzero(*vlan),
        trunk: trunk.as_deref().unwrap_or_default(),
        device_id: device_id.as_deref().filter(|device| !device.is_empty()),
        ipam: ipam(spec, ippools.as_ref()),
    }))
}

impl<'a> Chain<'a> {
    fn of(main: Plugin<'a>) -> Self {
        Self { before: None, main, after: None, last: None }
    }
}

const RESOURCE: &str = "must name the resource under which the device plugin offers the VFs";

fn block<'a, T>(field: &str, block: Option<&'a T>) -> Result<&'a T, RenderError> {
    block.ok_or_else(|| RenderError::new(field, "must be there: it configures this cniType"))
}

fn required<'a>(
    field: &str,
    value: Option<&'a String>,
    detail: &'static str,
) -> Result<&'a str, RenderError> {
    let value = value.map(String::as_str).filter(|value| !value.is_empty());
    value.ok_or_else(|| RenderError::new(field, detail))
}

/// Where 0 is another way to say nothing.
fn nonzero(value: Option<i64>) -> Option<i64> {
    value.filter(|value| *value != 0)
}

fn ipam<'a>(spec: &SpiderMultusConfigSpec, pools: Option<&'a Pools>) -> Option<Ipam<'a>> {
    if spec.disable_ipam.unwrap_or(false) {
        return None;
    }
    let names = |names: Option<&'a Vec<String>>| names.map(Vec::as_slice).unwrap_or_default();
    Some(Ipam {
        plugin: "spiderpool",
        default_ipv4_ippool: names(pools.and_then(|pools| pools.ipv4.as_ref())),
        default_ipv6_ippool: names(pools.and_then(|pools| pools.ipv6.as_ref())),
        match_master_subnet: false,
    })
}
