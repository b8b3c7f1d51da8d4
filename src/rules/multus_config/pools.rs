//! The pools that a network names.

use super::Network;
use crate::api::{CniType, Pools};
use crate::rules::wildcard::Wildcard;
use crate::rules::{Context, FieldError, Findings, Notice};

pub(super) fn check(network: &Network<'_>, context: &Context<'_>, findings: &mut Findings) {
    let Some((block, pools)) = network.kind.block().zip(network.spec.pools()) else { return };
    let path = format!("spec.{block}.ippools");
    match_master_subnet(network.kind, &path, pools, &mut findings.errors);
    for (family, names) in [("ipv4", &pools.ipv4), ("ipv6", &pools.ipv6)] {
        for (index, name) in names.iter().flatten().enumerate() {
            reference(format!("{path}.{family}[{index}]"), family, name, context, findings);
        }
    }
}

/// Only a VF of an Ethernet NIC has a PF whose subnet says which rail of which node it is on.
fn match_master_subnet(kind: CniType, path: &str, pools: &Pools, errors: &mut Vec<FieldError>) {
    if pools.match_master_subnet != Some(true) || kind == CniType::Sriov {
        return;
    }
    let detail = format!(
        "one subnet for each node and rail is a scheme of cniType sriov; for cniType {kind} give the pools a \
         nodeAffinity or a nodeName instead"
    );
    errors.push(FieldError::forbidden(format!("{path}.matchMasterSubnet"), detail));
}

/// A pool may be created after the network that names it, so what is missing is only worth a warning, and
/// not even that where no pools are known at all.
fn reference(field: String, family: &str, name: &str, context: &Context<'_>, findings: &mut Findings) {
    if name.is_empty() {
        findings.errors.push(FieldError::invalid(field, name, "must be the name of a pool, or a pattern"));
        return;
    }
    if Wildcard::parse(name).is_none() {
        let detail =
            "is no pattern: '[' begins a class that ']' must end, and '\\' takes a character literally";
        findings.errors.push(FieldError::invalid(field, name, detail));
        return;
    }
    let peers = context.peers;
    let Some(found) = peers.matching_pools(name).next() else {
        if peers.matching_pools("*").next().is_some() {
            findings.notices.push(Notice::advice(field, missing(name, &peers.nearest_pools(name))));
        }
        return;
    };
    let subnet = peers.pool(found).and_then(|pool| pool.spec.subnet.as_deref()).unwrap_or_default();
    let actual = if subnet.contains(':') { "ipv6" } else { "ipv4" };
    if found == name && !subnet.is_empty() && actual != family {
        let message = format!("pool {name} has the {actual} subnet {subnet}; its place is ippools.{actual}");
        findings.notices.push(Notice::advice(field, message));
    }
}

fn missing(name: &str, near: &[&str]) -> String {
    if Wildcard::is_pattern(name) {
        return format!("no pool matches {name:?} yet");
    }
    match near {
        [] => format!("there is no pool {name:?} yet"),
        near => format!("there is no pool {name:?} yet; did you mean {}?", near.join(", ")),
    }
}
