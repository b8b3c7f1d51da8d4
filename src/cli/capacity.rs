use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::console::{Console, Ink};
use super::failure::{Exit, Failure};
use super::input::Format;
use super::scene::{Place, Scene};
use crate::allocator::PodFacts;
use crate::api::keys;
use crate::catalog::{ObjectKey, natural_cmp};
use crate::ipam::{End, Failure as IpamFailure, Intent, NodeCapacity, NodeView, Room, capacity};
use crate::rules::Mode;

/// Counts how many more pods fit, and says where that ends first
#[derive(Debug, Args)]
#[command(
    long_about = "Counts how many more pods with the rails of a group, or with certain networks, get addresses, and says what \
        the next one would lack, node by node: addresses of which pool, or devices of which resource.

Pods are planned as the leader plans them, on each ready node until its devices or the addresses for it end. Without \
        nodes (files that have none) one node without limits is assumed. Reads the cluster with your kubeconfig, or \
        files (-f). Rails whose pool shows only when the device is given are not counted, and named.

Exit code 0: at least one more pod fits; 1: none does.",
    after_help = "Examples:
  railweave capacity --group rdma-network
  railweave capacity --group rdma-network --rails 4 --by-node
  railweave capacity --network spiderpool/gpu1-sriov --network spiderpool/gpu2-sriov -f pools/ -o json"
)]
pub(super) struct CapacityVerb {
    /// Group whose rails each pod gets [default: the only one there is]
    #[arg(long, value_name = "NAME", conflicts_with = "network")]
    group: Option<String>,
    /// Network that each pod gets, by the name of its `NetworkAttachmentDefinition`
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = network_name)]
    network: Vec<ObjectKey>,
    /// Only so many rails, in their order [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rails: Option<u16>,
    /// Namespace of the pods
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
    /// Stop counting there
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    most: usize,
    /// One row for each node
    #[arg(long)]
    by_node: bool,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    place: Place,
}

fn network_name(text: &str) -> Result<ObjectKey, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(ObjectKey { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("write NAMESPACE/NAME".to_owned()),
    }
}

impl CapacityVerb {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let scene = self.place.read(console)?;
        let networks = self.networks(&scene)?;
        let pod = self.pod(&scene, &networks)?;
        let found = capacity(&scene.inputs(), &pod, &rooms(&scene, &pod), self.most);
        let pods: usize = found.iter().map(|node| node.pods).sum();
        let later: Vec<&str> = found
            .iter()
            .find_map(|node| (node.pods > 0).then_some(&node.later))
            .map_or_else(Vec::new, |later| later.iter().map(|interface| &**interface).collect());
        match self.output {
            Format::Json => {
                let nodes: Vec<Value> = found.iter().map(as_json).collect();
                let report = json!({ "rails": pod.attachments.len(), "pods": pods, "notCounted": later, "nodes": nodes });
                console.line(serde_json::to_string_pretty(&report)?)?;
            }
            Format::Text => {
                let rails = pod.attachments.len();
                let total = console.ink(Ink::Bold, &format!("{pods} more pods with {rails} rails fit"));
                console.line(format_args!("{total} on {} nodes", found.len()))?;
                if !later.is_empty() {
                    console.line(format_args!(
                        "not counted, because the pool shows only when the device is given: {}",
                        later.join(", ")
                    ))?;
                }
                if self.by_node { print_nodes(&found, console)? } else { print_ends(&found, console)? }
            }
        }
        Ok(Exit::findings(pods == 0))
    }

    /// The networks of each pod, in the order of rails.
    fn networks(&self, scene: &Scene) -> Result<Vec<ObjectKey>, Failure> {
        let mut networks = if self.network.is_empty() { self.members(scene)? } else { self.network.clone() };
        if let Some(missing) = networks.iter().find(|key| scene.catalog.network_of_nad(key).is_none()) {
            let known = "kubectl get spidermultusconfigs -A lists those there are".to_owned();
            return Err(Failure::Unknown { what: "network", name: missing.to_string(), known });
        }
        if let Some(rails) = self.rails {
            networks.truncate(rails.into());
        }
        Ok(networks)
    }

    fn members(&self, scene: &Scene) -> Result<Vec<ObjectKey>, Failure> {
        let mut names: Vec<&str> = scene.catalog.groups().map(|(_, name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let known =
            || format!("there are: {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
        let name = match (&self.group, &names[..]) {
            (Some(name), _) => name.as_str(),
            (None, [only]) => only,
            (None, _) => {
                return Err(Failure::Unknown {
                    what: "group",
                    name: "(give --group)".to_owned(),
                    known: known(),
                });
            }
        };
        let group = [Mode::Rdma, Mode::Network].into_iter().find_map(|mode| scene.catalog.group(mode, name));
        let Some(group) = group else {
            return Err(Failure::Unknown { what: "group", name: name.to_owned(), known: known() });
        };
        let key = |namespace: &str, name: &str| ObjectKey { namespace: namespace.into(), name: name.into() };
        Ok(group.members.iter().map(|member| key(member.namespace(), member.nad_name())).collect())
    }

    fn pod(&self, scene: &Scene, networks: &[ObjectKey]) -> Result<Intent, Failure> {
        let list: Vec<Value> =
            networks.iter().map(|key| json!({ "name": key.name, "namespace": key.namespace })).collect();
        let pod = PodFacts {
            namespace: self.namespace.clone(),
            name: "capacity".to_owned(),
            annotations: BTreeMap::from([(keys::NETWORKS.to_owned(), Value::from(list).to_string())]),
            ..PodFacts::default()
        };
        let intent = scene.intent(&pod).map_err(|failure| Failure::Addresses(failure.line()))?;
        if intent.attachments.is_empty() {
            return Err(Failure::Addresses("none of the networks has addresses of ours".to_owned()));
        }
        Ok(intent)
    }
}

/// Ready nodes in natural order, each with what its devices serve.
fn rooms(scene: &Scene, pod: &Intent) -> Vec<Room> {
    let mut wanted: BTreeMap<&str, u64> = BTreeMap::new();
    for resource in pod.attachments.iter().filter_map(|attachment| attachment.resource.as_deref()) {
        *wanted.entry(resource).or_default() += 1;
    }
    let mut nodes: Vec<&Arc<NodeView>> =
        scene.nodes.values().filter(|node| node.ready).map(|node| &node.view).collect();
    nodes.sort_by(|a, b| natural_cmp(&a.name, &b.name));
    if scene.nodes.is_empty() {
        return vec![Room::default()];
    }
    let devices = |node: &str| {
        let serves = |(resource, count): (&&str, &u64)| {
            let key = (node.to_owned(), (*resource).to_owned());
            let has = scene.devices.get(&key).copied().unwrap_or(0);
            let used = scene.devices_in_use.get(&key).copied().unwrap_or(0);
            (usize::try_from(has.saturating_sub(used) / count).unwrap_or(usize::MAX), (*resource).to_owned())
        };
        wanted.iter().map(serves).min_by_key(|(pods, _)| *pods)
    };
    nodes.into_iter().map(|node| Room { node: node.clone(), devices: devices(&node.name) }).collect()
}

fn said(end: &End) -> String {
    match end {
        End::Addresses(failure) => IpamFailure::line(failure),
        End::Devices(resource) => format!("devices: no free {resource}"),
        End::Asked => "counted no further (--most)".to_owned(),
    }
}

fn as_json(found: &NodeCapacity) -> Value {
    json!({ "node": found.node, "pods": found.pods, "end": said(&found.end) })
}

/// What ends it, with the nodes that it ends; where the fewest fit first.
fn print_ends(found: &[NodeCapacity], console: &mut Console) -> Result<(), Failure> {
    let mut ends: BTreeMap<String, Vec<&NodeCapacity>> = BTreeMap::new();
    for node in found {
        ends.entry(said(&node.end)).or_default().push(node);
    }
    let mut ends: Vec<(String, Vec<&NodeCapacity>)> = ends.into_iter().collect();
    for (_, nodes) in &mut ends {
        nodes.sort_by_key(|node| node.pods);
    }
    ends.sort_by_key(|(_, nodes)| nodes.first().map(|node| node.pods));
    for (end, nodes) in ends {
        let pods: usize = nodes.iter().map(|node| node.pods).sum();
        let first = nodes.first().map(|node| format!(", first on {} after {}", named(&node.node), node.pods));
        let count = nodes.len();
        console.line(format_args!("  {pods} on {count} nodes{}: then {end}", first.unwrap_or_default()))?;
    }
    Ok(())
}

fn print_nodes(found: &[NodeCapacity], console: &mut Console) -> Result<(), Failure> {
    let width = found.iter().map(|node| node.node.len()).max().unwrap_or(0).max(4);
    console.line(console.ink(Ink::Bold, &format!("{:<width$}  {:>6}  THEN", "NODE", "PODS")))?;
    for node in found {
        console.line(format_args!("{:<width$}  {:>6}  {}", named(&node.node), node.pods, said(&node.end)))?;
    }
    Ok(())
}

fn named(node: &str) -> &str {
    if node.is_empty() { "any" } else { node }
}
