use std::time::Duration;

use clap::{ArgAction, Args};

use crate::cli::variables::{number, seconds, switch};
use crate::controllers::{AllocationOptions, Collection};
use crate::ipam::Cap;

/// What the environment says of addresses. Each refusal names the variable, because that is where a pod's value comes
/// from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Addresses")]
pub(crate) struct AllocationArgs {
    /// Records that one pool may hold [default: as many as fit below etcd's limit]
    #[arg(long, env = MAX_ALLOCATED, value_name = "N", value_parser = number(MAX_ALLOCATED, 1))]
    pub(crate) pool_max_records: Option<usize>,
    /// Whether the leader takes back the addresses of pods that are gone or have ended
    #[arg(long, env = GC, default_value = "true", action = ArgAction::Set, value_name = "BOOL",
        value_parser = switch(GC))]
    pub(crate) gc: bool,
    /// Whether an ended pod that is still there as an object gives its addresses back while its node is ready
    #[arg(long, env = GC_READY, default_value = "true", action = ArgAction::Set, value_name = "BOOL",
        value_parser = switch(GC_READY))]
    pub(crate) gc_on_ready_nodes: bool,
    /// Whether a pod that is gone or has ended gives its addresses back although its node is not ready: it may still
    /// run there, so an address can be in use twice
    #[arg(long, env = GC_NOT_READY, default_value = "false", action = ArgAction::Set, value_name = "BOOL",
        value_parser = switch(GC_NOT_READY))]
    pub(crate) gc_on_not_ready_nodes: bool,
    /// Waited after a pod is gone or has ended, before its addresses are taken back
    #[arg(long, env = GC_GRACE, default_value = "0", value_name = "SECONDS", value_parser = seconds(GC_GRACE, 0))]
    pub(crate) gc_grace: Duration,
    /// Between looks at all records
    #[arg(long, env = GC_INTERVAL, default_value = "60", value_name = "SECONDS",
        value_parser = seconds(GC_INTERVAL, 1))]
    pub(crate) gc_interval: Duration,
    /// Pods that the API server is asked about at a time
    #[arg(long, env = GC_WORKERS, default_value = "32", value_name = "N", value_parser = number(GC_WORKERS, 1))]
    pub(crate) gc_workers: usize,
    /// The network of `eth0` for pods that do not name one
    #[arg(long, env = "MULTUS_CLUSTER_NETWORK", value_name = "NAMESPACE/NAME")]
    pub(crate) cluster_network: Option<String>,
}

const MAX_ALLOCATED: &str = "SPIDERPOOL_IPPOOL_MAX_ALLOCATED_IPS";
const GC: &str = "SPIDERPOOL_GC_IP_ENABLED";
const GC_READY: &str = "SPIDERPOOL_GC_STATELESS_TERMINATING_POD_ON_READY_NODE_ENABLED";
const GC_NOT_READY: &str = "SPIDERPOOL_GC_STATELESS_TERMINATING_POD_ON_NOT_READY_NODE_ENABLED";
const GC_GRACE: &str = "SPIDERPOOL_GC_ADDITIONAL_GRACE_DELAY";
const GC_INTERVAL: &str = "SPIDERPOOL_GC_DEFAULT_INTERVAL_DURATION";
const GC_WORKERS: &str = "SPIDERPOOL_GC_IP_WORKER_NUM";

impl AllocationArgs {
    /// As the leader takes it.
    #[must_use]
    pub(crate) fn options(&self) -> AllocationOptions {
        AllocationOptions {
            cap: Cap { records: self.pool_max_records, ..Cap::default() },
            collection: Collection {
                enabled: self.gc,
                on_ready_nodes: self.gc_on_ready_nodes,
                on_not_ready_nodes: self.gc_on_not_ready_nodes,
                grace: self.gc_grace,
                interval: self.gc_interval,
                questions: self.gc_workers,
            },
            cluster_network: self.cluster_network.clone().filter(|network| !network.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        allocation: AllocationArgs,
    }

    fn options(arguments: &[&str]) -> Result<AllocationOptions, String> {
        let line = Line::try_parse_from([&["controller"], arguments].concat());
        line.map(|line| line.allocation.options()).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_word_the_defaults_are_those_of_the_leader() {
        assert_eq!(options(&[]).unwrap(), AllocationOptions::default());
    }

    #[test]
    fn every_value_reaches_the_leader() {
        let arguments = "--pool-max-records 5000 --gc false --gc-on-ready-nodes false --gc-on-not-ready-nodes true \
                         --gc-grace 5 --gc-interval 600 --gc-workers 3 --cluster-network kube-system/calico";
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let expected = AllocationOptions {
            cap: Cap { records: Some(5_000), ..Cap::default() },
            collection: Collection {
                enabled: false,
                on_ready_nodes: false,
                on_not_ready_nodes: true,
                grace: Duration::from_secs(5),
                interval: Duration::from_mins(10),
                questions: 3,
            },
            cluster_network: Some("kube-system/calico".to_owned()),
        };
        assert_eq!(options(&arguments).unwrap(), expected);
    }

    #[test]
    fn a_value_that_cannot_be_read_names_its_variable_and_what_is_expected() {
        for (arguments, expected) in [
            (
                ["--gc", "maybe"],
                "invalid value 'maybe' for '--gc <BOOL>': SPIDERPOOL_GC_IP_ENABLED is true or false",
            ),
            (
                ["--pool-max-records", "0"],
                "invalid value '0' for '--pool-max-records <N>': SPIDERPOOL_IPPOOL_MAX_ALLOCATED_IPS is a whole number \
                 from 1 to 10000000",
            ),
            (
                ["--gc-interval", "10m"],
                "invalid value '10m' for '--gc-interval <SECONDS>': SPIDERPOOL_GC_DEFAULT_INTERVAL_DURATION is whole \
                 seconds from 1 to 10000000",
            ),
        ] {
            let error = options(&arguments).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
