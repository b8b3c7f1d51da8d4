//! What the CNI plugins need of a node, and the node agent with them: blocking, without a runtime, without a client
//! of Kubernetes.
//!
//! | module | what it does |
//! |---|---|
//! | [`spec`] | what a runtime asks and what it is answered, in every version of the CNI specification |
//! | [`plugins`] | the plugins, one folder each, and which of them is called |
//! | [`install`] | the plugins into a plugin folder and out again |
//! | [`logging`] | where the plugins' log goes |
//! | [`functions`] | a device on its way into a pod and home, for the plugins that move one |
//! | [`kernel`] | what those plugins ask of the kernel and have it change |
//! | [`state`] | locks, records of whose a device is, caches of the plugins in Go |
//! | [`netlink`] | links, virtual functions, addresses, routes, rules, neighbours of the kernel; a monitor of changes |
//! | [`packet`] | ARP and IPv6 neighbour discovery on an interface of a pod |
//! | [`rdma`] | RDMA devices: list, move, rename, character devices, system mode |
//! | [`sysfs`] | NICs by PCI address: ports, virtual functions, interfaces, RDMA devices |
//! | [`wire`] | the REST API of the node agent: its types, and a client over the unix socket |

pub mod functions;
#[cfg(test)]
mod golden;
pub mod install;
pub mod kernel;
pub mod logging;
pub mod netlink;
pub mod packet;
pub mod plugins;
pub mod rdma;
pub mod spec;
pub mod state;
pub mod sysfs;
pub mod wire;
