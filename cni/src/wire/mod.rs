//! The REST API of the node agent on its unix socket, as the plugins of Spiderpool call it: types and a client.
//!
//! Base path `/v1`, JSON over HTTP/1.1. The types carry the exact names of that API; what they leave unset is absent
//! from the JSON. The agent serves them (`railweave agent`), a plugin sends them with [`Client`]. Read [`AddArgs`] and
//! [`AddReply`] first.

mod client;
mod coordinator;
mod http;
mod ipam;
mod workload;

pub use client::{Client, ClientError};
pub use coordinator::{CoordinatorArgs, CoordinatorConfig, PolicyRoute};
pub use ipam::{AddArgs, AddReply, BatchDeleteArgs, DeleteArgs, Dns, IpConfig, Route};
pub use workload::{WorkloadEndpoint, WorkloadInterface, WorkloadRoute};

/// Where the agent listens unless the configuration says otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/spidernet/spiderpool.sock";
/// GET: whether the agent answers.
pub const HEALTHY: &str = "/v1/ipam/healthy";
/// POST [`AddArgs`], DELETE [`DeleteArgs`].
pub const IP: &str = "/v1/ipam/ip";
/// DELETE [`BatchDeleteArgs`]; a POST does nothing.
pub const IPS: &str = "/v1/ipam/ips";
/// GET with `podNamespace` and `podName`: [`WorkloadEndpoint`].
pub const WORKLOAD_ENDPOINT: &str = "/v1/workloadendpoint";
/// GET with [`CoordinatorArgs`] as its body: [`CoordinatorConfig`].
pub const COORDINATOR_CONFIG: &str = "/v1/coordinator/config";
/// Answer to a batch release of addresses in conflict where that is switched off.
pub const RELEASE_SWITCHED_OFF: u16 = 521;
/// Answer to a batch release for a pod that keeps its addresses.
pub const RELEASE_OF_STATEFUL: u16 = 522;

#[cfg(test)]
mod tests;
