//! The manifests of the repository: generated ones are up to date, hand-written ones keep the rules, and an engine that
//! builds the image finds what it needs.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "../shared/files.rs"]
mod files;
mod generated;
mod hand_written;
mod image;
#[path = "../shared/resources.rs"]
mod resources;
mod rules;
#[path = "../shared/schema_cases.rs"]
mod schema_cases;
mod schemas;
