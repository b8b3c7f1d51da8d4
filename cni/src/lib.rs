//! What the CNI plugins need of a node, and the node agent with them: blocking, without a runtime, without a client
//! of Kubernetes.
//!
//! | module | what it does |
//! |---|---|
//! | [`netlink`] | links and addresses of the kernel, and a monitor of their changes |
//! | [`sysfs`] | NICs by PCI address: ports, virtual functions, interfaces, RDMA devices |
//! | [`wire`] | the REST API of the node agent: its types, and a client over the unix socket |

#[cfg(test)]
mod golden;
pub mod netlink;
pub mod sysfs;
pub mod wire;
