use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::console::Console;
use super::failure::{Exit, Failure};
use super::inject::join;
use crate::api::{GROUP, Kind, VERSION, keys};
use crate::ipam::{Layout, RailSubnet, Wanted};
use crate::net::{Family, Subnet};
use crate::yaml;

/// Writes pools and networks for a cluster that is yet to be built
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  railweave plan rails --nodes 256 --rails 8 --vfs 29 --cidr 172.16.0.0/16
  railweave plan rails --nodes 16 --rails 8 --vfs 12 --cidr 172.16.0.0/16 --group rdma-network | kubectl apply -f -")]
pub(super) struct Plan {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Rails(RailPlan),
}

/// Pools and networks with a subnet for each rail of each node
#[derive(Debug, Args)]
#[command(
    long_about = "Writes a SpiderIPPool for each rail of each node, with a subnet of its own, and a SpiderMultusConfig for \
        each rail. A rail's subnet has the longest prefix that holds network address, gateway, one address for each VF \
        and broadcast address; the subnets of a node stand together. The gateway is the first address, and the pools of \
        the first rail carry the route to the whole network.

Where an address is left over, it is for the PF, the networks set matchMasterSubnet, and a pod gets addresses of the \
        subnets that its node's PFs have. Where none is left, pools name their node instead.

Names are those of the guide: pool INTERFACE-railN-NODE, network sriov-INTERFACE, resource RESOURCE-PREFIX/INTERFACE. A \
        plan that does not fit is refused with what would, and the exit code is 1."
)]
struct RailPlan {
    /// Nodes: NODE-PREFIX1, NODE-PREFIX2, ...
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    nodes: u32,
    /// Rails of each node: one PF each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    rails: u32,
    /// VFs of each PF
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    vfs: u32,
    /// Network that all rails share, in CIDR notation
    #[arg(long, value_name = "CIDR")]
    cidr: Subnet,
    /// Names of the PFs without their number
    #[arg(long, value_name = "NAME", default_value = "eno3np")]
    interface_prefix: String,
    /// Names of the nodes without their number
    #[arg(long, value_name = "NAME", default_value = "node")]
    node_prefix: String,
    /// Domain of the device plugin's resources
    #[arg(long, value_name = "DOMAIN", default_value = "spidernet.io")]
    resource_prefix: String,
    /// Namespace of the networks
    #[arg(long, value_name = "NAMESPACE", default_value = "spiderpool")]
    namespace: String,
    /// Group that pods name to get all rails
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
}

impl Plan {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let What::Rails(rails) = self.what;
        rails.run(console)
    }
}

impl RailPlan {
    fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self { nodes, rails, vfs, cidr, .. } = self;
        let layout = match Layout::new(Wanted { nodes, rails, vfs, within: cidr }) {
            Ok(layout) => layout,
            Err(misfit) => {
                console.error(misfit)?;
                return Ok(Exit::Findings);
            }
        };
        let master = layout.rail(0, 0).and_then(|first| first.master);
        let pools = (0..nodes)
            .flat_map(|node| (0..rails).map(move |rail| (node, rail)))
            .filter_map(|(node, rail)| Some(self.pool(node, rail, layout.rail(node, rail)?)));
        let networks = (0..rails).map(|rail| self.network(rail, master.is_some()));
        let documents =
            networks.chain(pools).map(|object| yaml::write(&object)).collect::<Result<Vec<_>, _>>()?;
        console.print(&join(&documents))?;
        let prefix = layout.prefix();
        match master {
            Some(master) => console.note(format_args!(
                "give each PF the last address of its subnet: {master}/{prefix} to {} of {}, and so on",
                self.interface(0),
                self.node(0)
            ))?,
            None => console.note(format_args!(
                "a /{prefix} has no address left for the PF, so each pool names its node; with a VF less, networks can \
                 match pools by the PF's subnet"
            ))?,
        }
        Ok(Exit::Success)
    }

    fn interface(&self, rail: u32) -> String {
        format!("{}{}", self.interface_prefix, rail + 1)
    }

    fn node(&self, node: u32) -> String {
        format!("{}{}", self.node_prefix, node + 1)
    }

    /// Beginning of the names of a rail's pools.
    fn rail_name(&self, rail: u32) -> String {
        format!("{}-rail{}", self.interface(rail), rail + 1)
    }

    fn pool(&self, node: u32, rail: u32, addresses: RailSubnet) -> Value {
        let RailSubnet { subnet, gateway, pods, master } = addresses;
        let mut spec = json!({
            "ipVersion": subnet.family().number(),
            "subnet": subnet.to_string(),
            "gateway": gateway.to_string(),
            "ips": [pods.to_string()],
        });
        if rail == 0 {
            spec["routes"] = json!([{ "dst": self.cidr.to_string(), "gw": gateway.to_string() }]);
        }
        if master.is_none() {
            spec["nodeName"] = json!([self.node(node)]);
        }
        let name = format!("{}-{}", self.rail_name(rail), self.node(node));
        manifest(Kind::IpPool.name(), json!({ "name": name }), spec)
    }

    fn network(&self, rail: u32, match_master: bool) -> Value {
        let interface = self.interface(rail);
        let family = match self.cidr.family() {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        let mut pools = Map::new();
        pools.insert(family.to_owned(), json!([format!("{}-*", self.rail_name(rail))]));
        if match_master {
            pools.insert("matchMasterSubnet".to_owned(), true.into());
        }
        let mut metadata = json!({ "name": format!("sriov-{interface}"), "namespace": self.namespace });
        if let Some(group) = &self.group {
            metadata["annotations"] = json!({ keys::RDMA_INJECT: group });
        }
        let sriov = json!({
            "resourceName": format!("{}/{interface}", self.resource_prefix),
            "rdmaIsolation": true,
            "ippools": pools,
        });
        manifest(Kind::MultusConfig.name(), metadata, json!({ "cniType": "sriov", "sriov": sriov }))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "written in place with json!")]
fn manifest(kind: &str, metadata: Value, spec: Value) -> Value {
    json!({ "apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "metadata": metadata, "spec": spec })
}
