//! The admission server as the API server meets it: real TLS on loopback, a real HTTP client.
//!
//! Read [`fixture::Fixture`] and [`client::Dial`] first; each other file is one behaviour.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends at the first surprise, and says which"
)]

mod admin;
mod client;
mod connections;
mod drain;
mod envelope;
mod fixture;
mod limits;
mod logs;
mod panics;
mod paths;
mod pods;
mod resources;
mod rotation;
mod trust;
