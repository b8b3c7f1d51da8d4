//! The fields inside the block of a network's type, beyond what the schema lists as their choices.

use super::{Network, pkey, refuse};
use crate::api::{
    BondConfig, CniType, IbSriovConfig, IpoibConfig, MacvlanConfig, OvsConfig, OvsTrunk, SriovConfig,
    VlanConfig,
};
use crate::rules::{FieldError, FieldErrorKind, Findings, Notice, syntax};

const LARGEST_VLAN: i64 = 4094;
const LARGEST_MTU: i64 = 65_535;

pub(super) fn check(network: &Network<'_>, findings: &mut Findings) {
    let spec = &network.spec;
    match network.kind {
        CniType::Macvlan => spec.macvlan.iter().for_each(|block| macvlan("spec.macvlan", block, findings)),
        CniType::Ipvlan => spec.ipvlan.iter().for_each(|block| macvlan("spec.ipvlan", block, findings)),
        CniType::Vlan => spec.vlan.iter().for_each(|block| vlan(block, findings)),
        CniType::Sriov => spec.sriov.iter().for_each(|block| sriov(block, &mut findings.errors)),
        CniType::IbSriov => spec.ibsriov.iter().for_each(|block| ib_sriov(block, &mut findings.errors)),
        CniType::Ipoib => spec.ipoib.iter().for_each(|block| ipoib(block, &mut findings.errors)),
        CniType::Ovs => spec.ovs.iter().for_each(|block| ovs(block, &mut findings.errors)),
        CniType::Custom => {}
    }
}

fn macvlan(path: &str, block: &MacvlanConfig, findings: &mut Findings) {
    let masters = Masters { path, master: block.master.as_deref(), bond: block.bond.as_ref() };
    masters.check(findings);
    let errors = &mut findings.errors;
    vlan_id(&format!("{path}.vlanID"), block.vlan_id, errors);
    mtu(path, block.mtu, errors);
    resource(path, "rdmaResourceName", block.rdma_resource_name.as_deref(), errors);
    // Pods get a subinterface of the base: `bond0.100`.
    if let (Some(base), Some(id @ 1..=LARGEST_VLAN)) = (masters.base(), block.vlan_id) {
        let name = format!("{base}.{id}");
        if syntax::interface(base).is_none() && syntax::interface(&name).is_some() {
            let detail =
                format!("the VLAN interface would be named {name:?}, which is longer than 15 characters");
            errors.push(FieldError::invalid(format!("{path}.vlanID"), id, detail));
        }
    }
}

fn vlan(block: &VlanConfig, findings: &mut Findings) {
    let path = "spec.vlan";
    Masters { path, master: block.master.as_deref(), bond: block.bond.as_ref() }.check(findings);
    let errors = &mut findings.errors;
    mtu(path, block.mtu, errors);
    resource(path, "rdmaResourceName", block.rdma_resource_name.as_deref(), errors);
    let field = "spec.vlan.vlanID";
    let auto = block.vlan_mode.as_deref() == Some("auto");
    match block.vlan_id {
        Some(_) if auto => {
            errors
                .push(FieldError::forbidden(field, "vlanMode auto takes the VLAN from the pool; remove one"));
        }
        id @ Some(_) => vlan_id(field, id, errors),
        None if !auto => {
            let message = "vlanMode manual without it means VLAN 0: frames carry a priority, no VLAN";
            findings.notices.push(Notice::advice(field, message));
        }
        None => {}
    }
}

fn sriov(block: &SriovConfig, errors: &mut Vec<FieldError>) {
    let path = "spec.sriov";
    required_resource(path, block.resource_name.as_deref(), errors);
    vlan_id(&format!("{path}.vlanID"), block.vlan_id, errors);
    mtu(path, block.mtu, errors);
    let (min, max) = (block.min_tx_rate_mbps.unwrap_or(0), block.max_tx_rate_mbps.unwrap_or(0));
    for (field, rate) in [("minTxRateMbps", min), ("maxTxRateMbps", max)] {
        if rate < 0 {
            errors.push(FieldError::invalid(format!("{path}.{field}"), rate, "must not be negative"));
        }
    }
    if max >= 0 && min > max {
        let detail = format!("must not be greater than maxTxRateMbps, which is {max}");
        errors.push(FieldError::invalid(format!("{path}.minTxRateMbps"), min, detail));
    }
}

fn ib_sriov(block: &IbSriovConfig, errors: &mut Vec<FieldError>) {
    let path = "spec.ibsriov";
    required_resource(path, block.resource_name.as_deref(), errors);
    if let Some(key) = &block.pkey {
        refuse(errors, format!("{path}.pkey"), &key.to_string(), pkey::problem(key));
    }
}

fn ipoib(block: &IpoibConfig, errors: &mut Vec<FieldError>) {
    let field = "spec.ipoib.master";
    match block.master.as_deref().filter(|master| !master.is_empty()) {
        Some(master) => refuse(errors, field.to_owned(), master, syntax::interface(master)),
        None => errors.push(FieldError::required(field, "the IPoIB interface of the host, as ib0")),
    }
}

fn ovs(block: &OvsConfig, errors: &mut Vec<FieldError>) {
    if block.bridge.as_deref().is_none_or(str::is_empty) {
        errors.push(FieldError::required("spec.ovs.bridge", "the name of the bridge"));
    }
    vlan_id("spec.ovs.vlan", block.vlan, errors);
    for (index, trunk) in block.trunk.iter().flatten().enumerate() {
        ovs_trunk(&format!("spec.ovs.trunk[{index}]"), trunk, errors);
    }
}

/// ovs-cni ignores a `maxID` without a `minID`, and fails on the reverse when a pod starts.
fn ovs_trunk(path: &str, trunk: &OvsTrunk, errors: &mut Vec<FieldError>) {
    for (field, id) in [("id", trunk.id), ("minID", trunk.min_id), ("maxID", trunk.max_id)] {
        vlan_id(&format!("{path}.{field}"), id, errors);
    }
    match (trunk.min_id, trunk.max_id) {
        (Some(_), None) => {
            errors.push(FieldError::required(format!("{path}.maxID"), "a range has both ends"));
        }
        (None, Some(_)) => {
            errors.push(FieldError::required(format!("{path}.minID"), "a range has both ends"));
        }
        (Some(min), Some(max)) if max < min => {
            let detail = format!("must not be less than minID, which is {min}");
            errors.push(FieldError::invalid(format!("{path}.maxID"), max, detail));
        }
        (None, None) if trunk.id.is_none() => {
            errors.push(FieldError::required(path, "an entry is an id, or a range of minID and maxID"));
        }
        _ => {}
    }
}

/// The host interfaces below a network, and how several of them become one.
struct Masters<'a> {
    path: &'a str,
    master: Option<&'a [String]>,
    bond: Option<&'a BondConfig>,
}

impl Masters<'_> {
    fn check(&self, findings: &mut Findings) {
        let errors = &mut findings.errors;
        let masters = self.master.unwrap_or_default();
        let field = format!("{}.master", self.path);
        if masters.is_empty() {
            errors.push(FieldError::required(&field, "the interface of the host, or several and a bond"));
        }
        for (index, master) in masters.iter().enumerate() {
            let field = format!("{field}[{index}]");
            if masters[..index].contains(master) {
                let detail = "each interface stands once";
                errors.push(FieldError::new(FieldErrorKind::Duplicate, field, master, detail));
            } else {
                refuse(errors, field, master, syntax::interface(master));
            }
        }
        let path = format!("{}.bond", self.path);
        match self.bond {
            None if masters.len() > 1 => {
                errors.push(FieldError::required(path, "several masters are used as one bond"));
            }
            Some(bond) if masters.len() > 1 => check_bond(&path, bond, errors),
            Some(_) if masters.len() == 1 => {
                let message = "has no effect: with one master there is nothing to bond";
                findings.notices.push(Notice::advice(path, message));
            }
            _ => {}
        }
    }

    /// The interface that pods' interfaces are made of.
    fn base(&self) -> Option<&str> {
        match self.master? {
            [master] => Some(master),
            [_, _, ..] => self.bond?.name.as_deref(),
            [] => None,
        }
    }
}

fn check_bond(path: &str, bond: &BondConfig, errors: &mut Vec<FieldError>) {
    match bond.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => refuse(errors, format!("{path}.name"), name, syntax::interface(name)),
        None => errors.push(FieldError::required(format!("{path}.name"), "the name of the bond, as bond0")),
    }
    match bond.mode {
        Some(0..=6) => {}
        Some(mode) => {
            errors.push(FieldError::invalid(format!("{path}.mode"), mode, "must be between 0 and 6"));
        }
        None => errors.push(FieldError::required(format!("{path}.mode"), "the bonding mode, 0 to 6")),
    }
}

fn vlan_id(field: &str, id: Option<i64>, errors: &mut Vec<FieldError>) {
    if let Some(id) = id.filter(|id| !(0..=LARGEST_VLAN).contains(id)) {
        errors.push(FieldError::invalid(field, id, "must be between 0 and 4094"));
    }
}

fn mtu(path: &str, mtu: Option<i64>, errors: &mut Vec<FieldError>) {
    if let Some(mtu) = mtu.filter(|mtu| !(0..=LARGEST_MTU).contains(mtu)) {
        let detail = "must be between 0, which leaves it as it is, and 65535";
        errors.push(FieldError::invalid(format!("{path}.mtu"), mtu, detail));
    }
}

fn required_resource(path: &str, name: Option<&str>, errors: &mut Vec<FieldError>) {
    if name.is_none_or(str::is_empty) {
        let detail = "the resource under which the device plugin offers the VFs, as spidernet.io/gpu1sriov";
        errors.push(FieldError::required(format!("{path}.resourceName"), detail));
    }
    resource(path, "resourceName", name, errors);
}

fn resource(path: &str, field: &str, name: Option<&str>, errors: &mut Vec<FieldError>) {
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        refuse(errors, format!("{path}.{field}"), name, syntax::resource(name));
    }
}
