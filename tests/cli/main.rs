//! The command line as people use it: the built binary, real files, exit codes, both output streams.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "outside functions marked as tests, clippy does not see that all of this is one"
)]

mod addresses;
mod demo;
mod documents;
mod examples;
mod explain;
#[path = "../shared/fences.rs"]
mod fences;
mod fix;
mod inject;
mod live;
mod plan;
mod reference;
mod render;
mod review;
mod serve;
mod support;
mod validate;
