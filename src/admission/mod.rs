//! Admission over HTTPS: the only part of railweave that the API server calls.
//!
//! From the inside out: [`review`](Answer) reads a request and `response` writes its answer; `pods` and
//! `resources` decide, as pure functions of the body and one [`Catalog`]; [`Webhook`] names the paths;
//! [`router`] adds limits, metrics and logs and can be called without a socket; [`Server`] is the TLS
//! listener around it. [`tls::LiveCertificate`] is what it serves with, filled from [`files`] or by a
//! controller, and [`certificates`] makes certificates. [`registration`] renders what the API server is told
//! about all this. Read [`decide`] first.
//!
//! [`Catalog`]: crate::catalog::Catalog

pub mod certificates;
mod diff;
pub mod files;
mod idle;
mod listener;
mod namespaces;
mod pods;
pub mod registration;
mod resources;
mod response;
mod review;
mod routes;
pub mod tls;
mod webhook;

pub use listener::{ConnectionLimits, Drain, Options, ServeError, Server};
pub use response::RequestId;
pub use review::{Answer, Verdict};
pub use routes::{BODY_LIMIT, RequestLimits, State, router};
pub use webhook::{Decide, Webhook, decide};
