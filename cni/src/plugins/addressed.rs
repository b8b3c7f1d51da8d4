//! Addresses for an interface that a main plugin has put into a pod.

use crate::functions::{Before, Node, set_addresses};
use crate::kernel::Place;
use crate::spec::{Answer, Call, CniError};

use super::ipam;

/// Asks IPAM, sets what it answers on the link, lets `then` complete the answer, and announces the addresses. Without a link,
/// as for a function that is given to user space, they are told and not set. They are given back where anything fails.
pub(super) fn add(
    node: &mut Node<'_>,
    call: &Call,
    pod: Place,
    link: Option<u32>,
    then: impl FnOnce(&mut Node<'_>, &mut Answer) -> Result<(), CniError>,
) -> Result<Answer, CniError> {
    let mut answer = ipam::add(call)?;
    let set = || {
        if has_ipam(call) && answer.ips.is_empty() {
            return Err(CniError::new(
                CniError::KERNEL,
                format!("the IPAM plugin of network {:?} gave no address", call.network()),
            ));
        }
        if let Some(link) = link {
            set_addresses(node.kernel, pod, link, &answer)?;
        }
        for ip in &mut answer.ips {
            ip.interface = Some(0);
        }
        then(node, &mut answer)
    };
    if let Err(error) = set() {
        if let Err(error) = ipam::del(call) {
            log::error!("failed to give back addresses: {error}");
        }
        return Err(error);
    }
    if link.is_some() {
        ipam::announce(call, &answer);
    }
    Ok(answer)
}

/// The interface before its addresses: nobody gets them while the pod could still use them. One failure does not keep the
/// other from being tried.
pub(super) fn detach<B: Before>(node: &mut Node<'_>, call: &Call) -> Result<(), CniError> {
    let detached = node.detach::<B>(call);
    let released = ipam::del(call);
    detached.and(released)
}

/// GC, in the same order.
pub(super) fn collect<B: Before>(node: &mut Node<'_>, call: &Call) -> Result<(), CniError> {
    let collected = node.collect::<B>(call);
    let released = ipam::gc(call);
    collected.and(released)
}

/// Whether addresses are asked for.
fn has_ipam(call: &Call) -> bool {
    let kind = call.config.get("ipam").and_then(|ipam| ipam.get("type")).and_then(|kind| kind.as_str());
    kind.is_some_and(|kind| !kind.is_empty())
}
