//! railweave gives pods on Kubernetes AI clusters their RDMA rails: one annotation, all rails or none.
//!
//! The folders, from the outside in; dependencies point downwards only:
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | one file for each verb: parses arguments, calls the layers below, prints |
//! | [`admission`] | HTTPS: listener, certificates, routes, review envelope, webhook registration |
//! | [`agent`] | the node agent: the REST API that CNI plugins call, allocation without the leader |
//! | `controllers` | the leader's loops, one file each |
//! | [`allocator`] | records and endpoints in the API server: mirrors and writes |
//! | [`sources`] | objects in: from a cluster (watch) or from a directory |
//! | [`telemetry`] | metrics, logs, health; used from above this line only |
//! | | *from here down: no clock, no client, no files, no async* |
//! | [`inject`] | what happens to a pod: [`inject::decide`], and the JSON patch |
//! | [`ipam`] | which pod gets which address: [`ipam::plan()`] |
//! | [`manifests`] | generated manifests as text |
//! | [`catalog`] | the compiled, immutable view that admission decides on |
//! | [`rules`] | normalise and validate, one file for each kind |
//! | [`render`] | network -> CNI configuration list -> `NetworkAttachmentDefinition` |
//! | `json` | request bodies: reading, passing over, strings written by hand |
//! | [`net`] | families, ranges, interval sets over `u128` |
//! | [`yaml`] | manifests as text: reading with line numbers, writing |
//! | [`api`] | custom resources, annotation keys, configuration |

pub mod admission;
pub mod agent;
pub mod allocator;
pub mod api;
pub mod catalog;
pub mod cli;
pub mod controllers;
pub mod inject;
pub mod ipam;
mod json;
pub mod manifests;
pub mod net;
pub mod reason;
pub mod render;
pub mod rules;
#[cfg(test)]
mod scripted;
pub mod sources;
pub mod telemetry;
pub mod yaml;
