//! `coordinator`: makes a pod with several interfaces reachable and routed. Stands in the chain of each network, after the
//! plugin that makes the interface.
//!
//! Each interface gets a routing table of its own, and rules by source that lead there, so that a reply leaves by the
//! interface that the request came in by. The node, Services and pods of the overlay are reached by way of the first
//! interface, or in a pod on the node's own network by a veth to the node. The node reaches every address of the pod that
//! way too, by a table of its own.
//!
//! [`plan`] computes what should be from a [`view::View`] of both network namespaces, [`difference`] what is to be done for
//! it; neither touches anything, and ADD and CHECK use the same. [`hands`] looks and does, [`journal`] takes back, and
//! [`record`] keeps what DEL and GC need. Read [`plan::Given`] and [`plan::EndState`] first.

mod attach;
mod check;
mod config;
mod detach;
mod difference;
mod hands;
mod journal;
mod plan;
mod record;
mod tables;
#[cfg(test)]
mod tests;
mod view;

use self::record::Records;
use super::Plugin;

/// As the dispatch knows it.
pub const PLUGIN: Plugin = Plugin {
    name: "coordinator",
    add: |call| attach::add(call, &Records::of_node()),
    del: |call| detach::del(call, &Records::of_node()),
    check: |call| check::check(call, &Records::of_node()),
    status: check::status,
    gc: |call| detach::gc(call, &Records::of_node()),
};

/// Name of the veth's end on the host: as long as the kernel allows.
fn host_veth(container_id: &str) -> String {
    let short: String = container_id.chars().take(11).collect();
    format!("veth{short}")
}
