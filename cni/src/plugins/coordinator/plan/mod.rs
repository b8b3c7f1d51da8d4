//! What should be, computed from the configuration and from what there is; nothing here touches the kernel.
//!
//! [`links`] says how the interfaces should be, [`routes`] what should lead where once they are so. Both give an
//! [`EndState`], which `difference` compares with a `View`. Neither depends on the order in which interfaces come, nor on
//! whether they came before.

mod default_route;
mod links;
mod node;
mod own_table;

use std::net::IpAddr;

use ipnet::IpNet;

use super::config::{Mode, Settings};
use super::view::{Family, View};
use crate::netlink::{Link, Neighbour, Route, Rule};
use crate::spec::{Answer, CniError};

pub(super) use links::links;
pub(super) use node::MARK;

/// Name of the pod's end of the way to its node, where the coordinator makes it.
pub(super) const POD_VETH: &str = "veth0";

/// What is computed from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    pub(super) settings: &'a Settings,
    /// Name of the interface that is attached.
    pub(super) nic: &'a str,
    /// Result of the plugins before.
    pub(super) previous: &'a Answer,
    pub(super) pod: &'a View,
    pub(super) wire: &'a Wire,
    /// The node's own addresses, at most one of each family.
    pub(super) node: &'a [IpAddr],
}

/// What connects pod and node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wire {
    /// The pod is on the node's own network, and the wire is a veth that the coordinator makes.
    pub(super) underlay: bool,
    /// The end inside the pod: `eth0` or `veth0`.
    pub(super) pod: Link,
    /// The end on the node, or the bridge that it is part of.
    pub(super) host: Link,
}

/// What should be in both network namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EndState {
    pub(super) pod: Side,
    pub(super) host: Side,
}

/// What should be in one network namespace, beside what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) links: Vec<LinkState>,
    /// By path below `/proc/sys`.
    pub(super) sysctls: Vec<(String, String)>,
    pub(super) routes: Vec<Route>,
    pub(super) rules: Vec<Rule>,
    pub(super) neighbours: Vec<Neighbour>,
    /// Routes of others that should be gone; a table of ours has them.
    pub(super) moved: Vec<Route>,
    /// A table in which nothing else of ours should be, and to which no other rule of ours should lead.
    pub(super) whole_table: Option<u32>,
    /// In which families replies to what comes over the veth should be marked.
    pub(super) marked: Vec<Family>,
}

/// How a link should be, and on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkState {
    pub(super) link: u32,
    pub(super) hardware: Option<Vec<u8>>,
    pub(super) queue_length: Option<u32>,
    pub(super) address: Option<IpNet>,
}

/// Whether the pod is on the node's own network, or why the configuration does not fit the pod.
pub(super) fn is_underlay(settings: &Settings, nic: &str, pod: &View) -> Result<bool, CniError> {
    let (first, has_veth) = (&settings.first, pod.link(POD_VETH).is_some());
    if pod.link(nic).is_none() {
        return Err(CniError::config(format!(
            "the pod has no interface {nic}; the plugin that makes it must stand before coordinator in the chain"
        )));
    }
    let refuse = |reason: String| Err(CniError::config(format!("{reason}, or leave mode at auto")));
    match settings.mode {
        Mode::Auto | Mode::Off => Ok(nic == first || has_veth),
        Mode::Overlay if nic == first => {
            refuse(format!("mode is overlay, but {nic} is the pod's first interface; write underlay"))
        }
        Mode::Overlay if has_veth => refuse(format!(
            "mode is overlay, but the pod has {POD_VETH}, which its first interface {first} got in mode underlay; write underlay"
        )),
        Mode::Underlay if nic != first && !has_veth => refuse(format!(
            "mode is underlay, but the pod has no {POD_VETH}: its first interface {first} came without coordinator; write overlay"
        )),
        mode @ (Mode::Overlay | Mode::Underlay) => Ok(mode == Mode::Underlay),
    }
}

/// What should lead where. Interfaces are as [`links`] wants them.
pub(super) fn routes(given: &Given<'_>) -> Result<EndState, CniError> {
    let mut end = EndState::default();
    let nic = given.pod.link(given.nic).ok_or_else(|| went_away(given.nic))?;
    node::by_node_in_main(given, &mut end.pod);
    node::neighbours(given, &mut end.pod);
    node::reply_path(given, &mut end.pod);
    node::host(given, nic, &mut end.host);
    if given.settings.tune {
        let defaults = default_route::choose(given, nic)?;
        let first = given.pod.link(&given.settings.first);
        let mut tuned: Vec<&Link> = Vec::new();
        for link in first.into_iter().chain([nic]).chain(defaults.losers) {
            if !tuned.contains(&link) {
                own_table::fill(given, link, &mut end.pod)?;
                tuned.push(link);
            }
        }
        end.pod.routes.extend(defaults.wanted);
        end.pod.moved = defaults.moved;
        end.pod.whole_table = Some(own_table::number(given, nic));
    }
    own_table::policies(given, nic, &mut end.pod)?;
    Ok(end)
}

/// Between two looks at the pod.
pub(super) fn went_away(link: &str) -> CniError {
    CniError::new(
        CniError::TRY_AGAIN,
        format!("interface {link} went away while the pod was being attached; the runtime tries again"),
    )
}
