//! The manifests of the repository: generated ones are up to date, hand-written ones keep the rules.

mod generated;
mod hand_written;
mod rules;
mod schemas;
