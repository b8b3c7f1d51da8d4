//! What the CNI plugins need of a node, and the node agent with them: blocking, without a runtime, without a client
//! of Kubernetes.
//!
//! | module | what it does |
//! |---|---|
//! | [`wire`] | the REST API of the node agent: its types, and a client over the unix socket |

pub mod wire;
