//! What a node has for rails, published as its [`RailNode`](crate::api::RailNode).
//!
//! Ports, virtual functions and RDMA devices come from sysfs, addresses from the kernel by netlink, and which resource a
//! virtual function belongs to from the kubelet. [`Facts`] is the type to read first. [`ports`] is the pure part: it makes
//! the published text of what was seen. `observe` looks again whenever a link or an address changes and every few
//! seconds; `publish` writes when the API server has something else, whoever changed it.
//!
//! A node without a kubelet's socket, without such ports, or without RDMA is a node like any other: it publishes what it
//! has.

mod kubelet;
mod observe;
pub mod ports;
mod publish;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use kube::Client;
use railweave_cni::sysfs::Sysfs;
use tokio::sync::watch;

pub use observe::Network;

/// Where the kubelet tells which devices are behind which resource.
pub const KUBELET_SOCKET: &str = "/var/lib/kubelet/pod-resources/kubelet.sock";

/// One node, and where its facts come from.
pub struct Facts {
    /// Talks to the API server.
    pub client: Client,
    /// Name of the node.
    pub node: String,
    /// The host's `/sys`.
    pub sysfs: Sysfs,
    /// The kubelet's socket, usually [`KUBELET_SOCKET`]. It may be absent.
    pub kubelet: PathBuf,
    /// The host's network namespace.
    pub network: Network,
}

impl Facts {
    /// Publishes them, and keeps them right; never returns. What fails is logged and tried again.
    pub async fn publish(self) {
        let Self { client, node, sysfs, kubelet: socket, network } = self;
        let (resources, known_resources) = watch::channel(None);
        let (facts, known_facts) = watch::channel(None);
        tokio::join!(
            kubelet::follow(socket, kubelet::EVERY, resources),
            observe::follow(sysfs, network, known_resources, facts),
            publish::keep(client, &node, known_facts),
        );
    }
}
