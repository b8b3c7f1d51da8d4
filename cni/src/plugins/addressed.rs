//! Addresses for an interface that a main plugin has put into a pod.

use crate::functions::{Before, Node, set_addresses};
use crate::kernel::Place;
use crate::netlink::Link;
use crate::spec::{Answer, Call, CniError, Command};
use crate::state::Record;

use super::ipam;

/// The second half of an ADD, after the device went into the pod: asks IPAM, sets what it answers on the link, lets `then`
/// complete the answer, and announces the addresses. Without a link, as for a function that is given to user space, they are
/// told and not set.
///
/// Where anything fails the device is brought back, and after that the addresses are given back: nobody gets them while the
/// pod could still use them.
pub(super) fn add<B: Before>(
    node: &mut Node<'_>,
    call: &Call,
    pod: Place,
    record: Record<B>,
    inside: Result<Option<Link>, CniError>,
    then: impl FnOnce(&mut Node<'_>, &Record<B>, Option<&Link>, &mut Answer) -> Result<(), CniError>,
) -> Result<Answer, CniError> {
    let given = inside.and_then(|link| Ok((link, ipam::add(call)?)));
    let (link, mut answer) = match given {
        Ok(given) => given,
        Err(error) => return node.finish(record, Err(error)),
    };
    let link = link.as_ref();
    let set = set(node, call, pod, link, &mut answer).and_then(|()| then(node, &record, link, &mut answer));
    if let Err(error) = node.finish(record, set) {
        // Another's plugin is told by this what to do.
        if let Err(error) = ipam::del(&Call { command: Command::Del, ..call.clone() }) {
            log::error!("failed to give back addresses: {error}");
        }
        return Err(error);
    }
    if link.is_some() {
        ipam::announce(call, &answer);
    }
    Ok(answer)
}

fn set(
    node: &mut Node<'_>,
    call: &Call,
    pod: Place,
    link: Option<&Link>,
    answer: &mut Answer,
) -> Result<(), CniError> {
    if has_ipam(call) && answer.ips.is_empty() {
        return Err(CniError::new(
            CniError::KERNEL,
            format!("the IPAM plugin of network {:?} gave no address", call.network()),
        ));
    }
    if let Some(link) = link {
        set_addresses(node.kernel, pod, link, answer)?;
    }
    for ip in &mut answer.ips {
        ip.interface = Some(0);
    }
    Ok(())
}

/// The interface before its addresses, as above. One failure does not keep the other from being tried.
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
