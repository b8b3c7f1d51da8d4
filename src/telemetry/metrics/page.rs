//! The page `docs/metrics.md`, made from the table.

use std::fmt::Write as _;

use super::{DESCRIPTORS, Descriptor, PROCESS};
use crate::reason::Reason;

/// The text of `docs/metrics.md`.
#[must_use]
pub fn documentation() -> String {
    // Writing into a String cannot fail.
    let mut text = String::from(INTRODUCTION);
    for table in [DESCRIPTORS, &PROCESS] {
        text.push_str("\n| name | type | labels | meaning |\n|---|---|---|---|\n");
        for Descriptor { name, kind, labels, meaning } in table {
            let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {meaning} |");
        }
    }
    text.push_str("\n## Reason codes\n\nThe label `reason` is one of:\n\n");
    for reason in Reason::ALL {
        let _ = writeln!(text, "- `{reason}`");
    }
    text
}

const INTRODUCTION: &str = "\
# Metrics

This page is generated from the table in `src/telemetry/metrics.rs`; `make generate` writes it.

The admin port of the controller, and the metrics port of the agent, serve `/metrics` in the text format of Prometheus.
An agent leaves out what only the controller knows (admission, catalog, configuration, certificates, leadership,
totals); `railweave_build_info` tells them apart. Durations are histograms in seconds with
buckets from 0.1 ms to 5 s. Names with `spiderpool_` are those of Spiderpool's documentation, so that its dashboards
and alerts go on. The leader counts what it allocates and releases, each agent what it does itself. Two groups have no
counterpart: `.._err_retries_exhausted_..`, because a conflict is planned again until it is written, and
`.._limit_duration_..`, because nothing waits in a limiter. `spiderpool_debug_..` are served by the leader with
`--debug-metrics`; they are gauges, where Spiderpool adds each value to the last.
";
