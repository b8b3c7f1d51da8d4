use std::net::IpAddr;

use ipnet::IpNet;

use super::super::config::Settings;
use super::super::view::{Family, View};
use super::{EndState, LinkState, POD_VETH, Side};
use crate::netlink::Link;

/// How the interfaces should be: on, with the settings that the configuration asks for. `wire` is the ends of the veth in
/// the pod and on the host, where the coordinator made it.
pub(in super::super) fn links(
    settings: &Settings,
    nic: &str,
    pod: &View,
    wire: Option<(&Link, &Link)>,
) -> EndState {
    let mut end = EndState::default();
    let has_ipv6 = pod.link(nic).is_some_and(|link| pod.first_address(link.index, Family::V6).is_some());
    if has_ipv6 {
        set_known(pod, "net/ipv6/conf/all/disable_ipv6", 0, &mut end.pod);
    }
    reverse_path(settings, nic, pod, &mut end.pod);
    if let Some(link) = pod.link(nic) {
        end.pod.links.push(LinkState {
            link: link.index,
            hardware: settings.mac_prefix.and_then(|prefix| hardware_address(prefix, link, pod)),
            queue_length: settings.queue_length,
            address: None,
        });
    }
    if let Some((inside, outside)) = wire {
        // Of use only beside addresses of its family.
        let used = |address: &IpAddr| {
            let link = pod.link(nic);
            link.is_some_and(|link| pod.first_address(link.index, Family::of(*address)).is_some())
        };
        let address = settings.veth_address.filter(used).map(IpNet::from);
        end.pod.links.push(LinkState { link: inside.index, address, ..LinkState::default() });
        end.host.links.push(LinkState { link: outside.index, ..LinkState::default() });
    }
    end
}

/// The kernel takes the stricter one of `all` and the interface's own, and an interface begins with what the host had as
/// its default.
fn reverse_path(settings: &Settings, nic: &str, pod: &View, side: &mut Side) {
    let Some(value) = settings.rp_filter else { return };
    let mut names = vec!["all", nic, &settings.first, POD_VETH];
    names.sort_unstable();
    names.dedup();
    for name in names {
        set_known(pod, &format!("net/ipv4/conf/{name}/rp_filter"), value, side);
    }
}

/// What the kernel does not have cannot be set: it lacks the family, or the pod the interface.
fn set_known(pod: &View, path: &str, value: u8, side: &mut Side) {
    if pod.sysctls.contains_key(path) {
        side.sysctls.push((path.to_owned(), value.to_string()));
    }
}

/// Two bytes by configuration, four of the interface's first address. Hardware addresses of `InfiniBand` are not ours to
/// choose.
fn hardware_address(prefix: [u8; 2], link: &Link, pod: &View) -> Option<Vec<u8>> {
    let address = pod.addresses_of(link.index).next()?.addr();
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[12..].to_vec(),
    };
    (link.address.len() == 6).then(|| [&prefix[..], &octets].concat())
}
