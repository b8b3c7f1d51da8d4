use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args};
use railweave_cni::wire::DEFAULT_SOCKET;

use crate::agent::facts::KUBELET_SOCKET;
use crate::cli::connection::ConnectionArgs;
use crate::cli::input::Logging;
use crate::cli::process::on_all_addresses;
use crate::cli::variables::{number, switch};

/// Hands out addresses to the CNI plugins of one node, over a unix socket
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  railweave agent                            in a pod: everything comes from the environment
  railweave agent --kubeconfig admin.kubeconfig --node gpu-1 --socket /tmp/agent.sock
                                             beside a cluster

Ports: SPIDERPOOL_HEALTH_PORT and SPIDERPOOL_METRIC_HTTP_PORT; each answers /v1/runtime/startup, /v1/runtime/readiness,
/v1/runtime/liveness, /livez, /readyz and /metrics.")]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// The node whose pods are served
    #[arg(long, env = "SPIDERPOOL_NODE_NAME", value_name = "NODE")]
    pub(crate) node: String,
    /// The namespace of the release
    #[arg(long, env = "SPIDERPOOL_POD_NAMESPACE", default_value = "spiderpool", value_name = "NAMESPACE")]
    pub(crate) namespace: String,
    /// The `ConfigMap` with the configuration, in the release's namespace
    #[arg(long, env = "RAILWEAVE_CONFIG_MAP", default_value = "spiderpool-config", value_name = "NAME")]
    pub(crate) config_map: String,
    /// The socket that the plugins call; one that an earlier process left behind is replaced
    #[arg(long, env = "RAILWEAVE_SOCKET", default_value = DEFAULT_SOCKET, value_name = "FILE")]
    pub(crate) socket: PathBuf,
    /// The network of `eth0` for pods that do not name one
    #[arg(long, env = "MULTUS_CLUSTER_NETWORK", value_name = "NAMESPACE/NAME")]
    pub(crate) cluster_network: Option<String>,
    /// Records that one pool may hold [default: as many as fit below etcd's limit]
    #[arg(long, env = MAX_ALLOCATED, value_name = "N", value_parser = number(MAX_ALLOCATED, 1))]
    pub(crate) pool_max_records: Option<usize>,
    /// Whether a plugin may give back addresses that somebody else was found to use
    #[arg(long, env = CONFLICTS, default_value = "true", action = ArgAction::Set, value_name = "BOOL",
        value_parser = switch(CONFLICTS))]
    pub(crate) release_conflicts: bool,
    /// Address of health and metrics [default: ports 5710 and 5711 on all addresses]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) admin_listen: Option<SocketAddr>,
    #[arg(long, hide = true, env = "SPIDERPOOL_HEALTH_PORT", default_value_t = 5710)]
    pub(crate) health_port: u16,
    #[arg(long, hide = true, env = "SPIDERPOOL_METRIC_HTTP_PORT", default_value_t = 5711)]
    pub(crate) metrics_port: u16,
    /// How long the leader has to write the endpoint of a pod, in milliseconds
    #[arg(long, hide = true, default_value_t = 3000, value_name = "MS")]
    pub(crate) patience_ms: u64,
    /// Where the kernel tells of devices
    #[arg(long, hide = true, default_value = "/sys", value_name = "DIR")]
    pub(crate) sysfs: PathBuf,
    /// Where the kubelet tells which devices are behind which resource; it may be absent
    #[arg(long, env = "RAILWEAVE_POD_RESOURCES", default_value = KUBELET_SOCKET, value_name = "FILE")]
    pub(crate) pod_resources: PathBuf,
    /// Where the kernel's settings of the host are
    #[arg(long, hide = true, default_value = "/proc/sys", value_name = "DIR")]
    pub(crate) sysctls: PathBuf,
    #[command(flatten)]
    pub(crate) logging: Logging,
}

const MAX_ALLOCATED: &str = "SPIDERPOOL_IPPOOL_MAX_ALLOCATED_IPS";
const CONFLICTS: &str = "SPIDERPOOL_ENABLED_RELEASE_CONFLICT_IPS";

impl AgentArgs {
    /// Where health and metrics are served.
    #[must_use]
    pub(crate) fn admin_addresses(&self) -> Vec<SocketAddr> {
        if let Some(address) = self.admin_listen {
            return vec![address];
        }
        let mut ports = vec![self.health_port, self.metrics_port];
        ports.dedup();
        ports.into_iter().map(on_all_addresses).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        agent: AgentArgs,
    }

    fn parse(arguments: &[&str]) -> Result<AgentArgs, clap::Error> {
        let line = Line::try_parse_from([&["agent"], arguments].concat())?;
        Ok(line.agent)
    }

    #[test]
    fn an_agent_needs_to_know_its_node_only() {
        assert!(parse(&[]).is_err());
        let args = parse(&["--node", "gpu-1"]).unwrap();
        assert_eq!(args.socket.to_str(), Some("/var/run/spidernet/spiderpool.sock"));
        assert!(args.release_conflicts);
        let ports: Vec<u16> = args.admin_addresses().iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [5710, 5711]);
    }

    #[test]
    fn one_port_can_be_for_health_and_metrics() {
        let args = parse(&["--node", "a", "--health-port", "5710", "--metrics-port", "5710"]).unwrap();
        assert_eq!(args.admin_addresses().len(), 1);
        let args = parse(&["--node", "a", "--admin-listen", "127.0.0.1:1"]).unwrap();
        assert_eq!(args.admin_addresses(), ["127.0.0.1:1".parse().unwrap()]);
    }

    #[test]
    fn a_pool_holds_at_least_one_record() {
        assert!(parse(&["--node", "a", "--pool-max-records", "0"]).is_err());
    }
}
