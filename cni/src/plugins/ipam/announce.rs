use std::net::IpAddr;
use std::time::Duration;

use crate::netlink::Namespace;
use crate::packet::{Advertisement, Arp, Port, PortError};
use crate::spec::{Answer, Call, CniError, Ip};

/// How long an interface has for its carrier to come.
pub(super) const CARRIER_WITHIN: Duration = Duration::from_millis(200);

/// Tells everybody on the rail who has the addresses of `answer` now, so that nobody goes on sending to a pod that had them
/// before. The interface is up by then, and has them. Nothing depends on it, so failures are only logged.
pub fn announce(call: &Call, answer: &Answer) {
    let position = answer.position_in_pod(&call.ifname);
    let ips: Vec<&Ip> =
        answer.ips.iter().filter(|ip| ip.interface.is_none() || ip.interface == position).collect();
    if ips.is_empty() {
        return;
    }
    match tell(call, &ips) {
        Ok(true) => log::debug!("{} addresses announced", ips.len()),
        Ok(false) => log::warn!("{} has no carrier, its addresses are not announced", call.ifname),
        // A device without an interface, as one that is bound to vfio.
        Err(PortError::NoInterface(_)) => {}
        Err(error) => log::warn!("the addresses are not announced: {}", CniError::kernel(&error)),
    }
}

/// False without a carrier.
fn tell(call: &Call, ips: &[&Ip]) -> Result<bool, PortError> {
    let namespace = Namespace::open(call.netns.clone().unwrap_or_default())?;
    let mut port = Port::open_to_send(&namespace, &call.ifname)?;
    if !port.wait_for_carrier(CARRIER_WITHIN)? {
        return Ok(false);
    }
    let own = port.link().address.clone();
    for ip in ips {
        match ip.address.addr() {
            IpAddr::V4(address) => port.send_arp(&Arp::announcement(&own, address))?,
            IpAddr::V6(target) => {
                port.send_advertisement(&Advertisement { target, hardware: Some(own.clone()) })?;
            }
        }
    }
    Ok(true)
}
