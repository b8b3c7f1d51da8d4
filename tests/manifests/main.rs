//! The manifests of the repository: generated ones are up to date, hand-written ones keep the rules.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod generated;
mod hand_written;
mod rules;
mod schemas;
