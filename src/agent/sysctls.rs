//! Kernel settings of the host that nodes with many pods need.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use tracing::{info, warn};

use super::Agent;
use crate::api::settings::Settings;

/// Waits for the configuration, and sets them if it says so; then rests, as a task of the agent that ends is a defect.
pub(super) async fn run(agent: Arc<Agent>) {
    let mut changes = agent.view.changes();
    while !agent.view.read(|seen| seen.config.listed()) {
        if changes.changed().await.is_err() {
            return;
        }
    }
    let settings = agent.view.settings();
    if settings.tune_sysctls {
        tune(&agent.options.sysctls, &settings);
    }
    std::future::pending::<()>().await;
}

/// Writes what is not so already. A kernel without a family has no such file.
fn tune(root: &Path, settings: &Settings) {
    for (path, value) in wanted(settings) {
        let file = root.join(path);
        match fs::read_to_string(&file) {
            Ok(present) if present.trim() == value => continue,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Ok(_) | Err(_) => {}
        }
        match fs::write(&file, value) {
            Ok(()) => info!(sysctl = path, value, "set"),
            Err(error) => warn!(
                sysctl = path,
                value,
                "failed to set, {error}; set it on the host and tuneSysctlConfig to false, or let the agent be privileged"
            ),
        }
    }
}

fn wanted(settings: &Settings) -> Vec<(&'static str, &'static str)> {
    let mut wanted = Vec::new();
    if settings.enable_ipv4 {
        wanted.extend([
            ("net/ipv4/neigh/default/gc_thresh3", "28160"),
            ("net/ipv4/conf/all/arp_notify", "1"),
            ("net/ipv4/conf/all/forwarding", "1"),
            ("net/ipv4/conf/all/rp_filter", "0"),
        ]);
    }
    if settings.enable_ipv6 {
        wanted
            .extend([("net/ipv6/neigh/default/gc_thresh3", "28160"), ("net/ipv6/conf/all/forwarding", "1")]);
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_families_in_use_are_written_where_the_kernel_has_them() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, value: &str| {
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, value).unwrap();
        };
        write("net/ipv4/neigh/default/gc_thresh3", "1024\n");
        write("net/ipv4/conf/all/rp_filter", "2\n");
        write("net/ipv6/conf/all/forwarding", "0\n");
        tune(root.path(), &Settings { enable_ipv6: false, ..Settings::default() });
        let read = |path: &str| fs::read_to_string(root.path().join(path)).ok();
        assert_eq!(read("net/ipv4/neigh/default/gc_thresh3").as_deref(), Some("28160"));
        assert_eq!(read("net/ipv4/conf/all/rp_filter").as_deref(), Some("0"));
        assert_eq!(read("net/ipv6/conf/all/forwarding").as_deref(), Some("0\n"), "IPv6 is off");
        assert_eq!(read("net/ipv4/conf/all/arp_notify"), None, "no file is made");
    }

    /// Reference: what `tuneSysctlConfig` sets on a node, by family.
    #[test]
    fn each_family_has_settings_of_its_own() {
        let four = [
            ("net/ipv4/neigh/default/gc_thresh3", "28160"),
            ("net/ipv4/conf/all/arp_notify", "1"),
            ("net/ipv4/conf/all/forwarding", "1"),
            ("net/ipv4/conf/all/rp_filter", "0"),
        ];
        let six = [("net/ipv6/neigh/default/gc_thresh3", "28160"), ("net/ipv6/conf/all/forwarding", "1")];
        let families = |v4: bool, v6: bool| {
            wanted(&Settings { enable_ipv4: v4, enable_ipv6: v6, ..Settings::default() })
        };
        assert_eq!(families(true, false), four);
        assert_eq!(families(false, true), six);
        assert_eq!(families(true, true), [&four[..], &six[..]].concat());
    }
}
