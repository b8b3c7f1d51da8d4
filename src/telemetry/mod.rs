//! What operators see of a process: metrics, logs, health, and the plain-HTTP port that serves them.
//!
//! Only code above the line of purity calls this. [`metrics::Metrics`] registers every series in one place,
//! [`health::Health`] collects the conditions behind `/readyz`, [`logging::init`] is called once by `main`,
//! and [`admin::AdminServer`] answers `/livez`, `/readyz` and `/metrics`.

pub mod admin;
pub mod health;
pub mod logging;
pub mod metrics;
