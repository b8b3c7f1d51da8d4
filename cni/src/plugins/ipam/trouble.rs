//! An address that cannot be used: what people are told, and its way back to the agent.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::detect::Trouble;
use crate::packet::hardware_text;
use crate::spec::{Call, CniError};
use crate::wire::{BatchDeleteArgs, Client, RELEASE_OF_STATEFUL, RELEASE_SWITCHED_OFF};

/// The agent writes every pool that the pod has an address of.
const RELEASE_WITHIN: Duration = Duration::from_secs(20);

/// The error for an attach, of at least one trouble.
pub(super) fn told(call: &Call, troubles: &[Trouble]) -> CniError {
    let conflict = troubles.iter().any(|trouble| matches!(trouble, Trouble::Conflict { .. }));
    let code = if conflict { CniError::ADDRESS_CONFLICT } else { CniError::GATEWAY_UNREACHABLE };
    let (namespace, name) = (call.args.pod_namespace(), call.args.pod_name());
    let texts: Vec<String> = troubles.iter().map(one).collect();
    CniError::new(code, format!("{} of pod {namespace}/{name}: {}", call.ifname, texts.join("; ")))
}

fn one(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Conflict { address, pool, holder } => {
            let holder = match holder.as_slice() {
                [] => "a host that does not tell its hardware address".to_owned(),
                holder => hardware_text(holder),
            };
            format!(
                "address {address} of pool {pool} is in use by {holder}; find that host, or add the address to \
                 excludeIPs of the pool"
            )
        }
        Trouble::Unreachable { address, pool, gateway } => format!(
            "gateway {gateway} of pool {pool} does not answer {address}; see whether the port's switch carries its VLAN, \
             and whether spec.gateway of the pool is right"
        ),
    }
}

/// Gives back the addresses that somebody else uses, and no others: those of interfaces that are attached already are in use
/// by the pod until its sandbox is gone, and a gateway that is silent says nothing against an address. Returns what became
/// of it.
pub(super) fn released(call: &Call, socket: &Path, troubles: &[Trouble]) -> String {
    let in_conflict = troubles.iter().filter_map(|trouble| match trouble {
        Trouble::Conflict { address, .. } => Some(*address),
        Trouble::Unreachable { .. } => None,
    });
    let ips: Vec<IpAddr> = in_conflict.collect();
    if ips.is_empty() {
        return "the pod keeps its addresses, the next attempt looks again".to_owned();
    }
    let args = BatchDeleteArgs {
        container_id: call.container_id.clone(),
        net_namespace: call.netns.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
        pod_namespace: call.args.pod_namespace().to_owned(),
        pod_name: call.args.pod_name().to_owned(),
        pod_uid: call.args.pod_uid().to_owned(),
        is_release_conflict_ips: true,
        ips,
    };
    match Client::new(socket, RELEASE_WITHIN).delete_batch(&args) {
        Ok(()) => "what is in use elsewhere is released, the next attempt gets another".to_owned(),
        Err(error) => match error.status() {
            Some(RELEASE_SWITCHED_OFF) => {
                "the pod keeps its addresses: their release is switched off at the agent \
                 (SPIDERPOOL_ENABLED_RELEASE_CONFLICT_IPS)"
                    .to_owned()
            }
            Some(RELEASE_OF_STATEFUL) => "the pod keeps its addresses, it has them by its name".to_owned(),
            _ => format!("it is not released: {}", CniError::of(0, &error)),
        },
    }
}
