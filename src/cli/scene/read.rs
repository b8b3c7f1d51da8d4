use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Client;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Scene;
use crate::allocator::{EndpointFacts, NodeState, PodFacts, reserved_addresses};
use crate::api::settings::Settings;
use crate::api::{Kind, RailNode, SpiderEndpoint, SpiderReservedIP};
use crate::catalog::{Assembler, Catalog, Identity};
use crate::cli::cluster::{ClusterError, config_map, kinds, list, resource};
use crate::ipam::audit::{ObservedNode, ObservedPod};
use crate::ipam::{Holder, Ledger, NamespaceView, NodeFacts, Pools, Stickiness};
use crate::net::Address;
use crate::sources::{FileProblem, Manifest, assemble, default_namespace};

/// Multus's word on what a pod has.
const NETWORK_STATUS: &str = "k8s.v1.cni.cncf.io/network-status";

/// Reads the cluster: endpoints before pools and pools before pods, as [`crate::ipam::audit`] wants it. Without
/// endpoints, pools, pods or nodes nothing can be said; what else is missing is a problem.
pub(super) async fn from_cluster(
    client: &Client,
    identity: Identity,
    config_map_name: &str,
) -> Result<Scene, ClusterError> {
    let core = |kind: &str, plural: &str| resource("", "v1", kind, plural);
    let mut objects = list(client, &Kind::Endpoint.resource()).await?;
    let mut problems = Vec::new();
    for kind in kinds() {
        match list(client, &kind).await {
            Ok(more) => objects.extend(more),
            Err(error) if matches!(&*kind.kind, "SpiderIPPool" | "Node") => return Err(error),
            Err(error) => problems.push(said(&error)),
        }
    }
    objects.extend(list(client, &core("Pod", "pods")).await?);
    let others = [
        Kind::ReservedIp.resource(),
        resource("railweave.io", "v1alpha1", "RailNode", "railnodes"),
        resource("apps", "v1", "StatefulSet", "statefulsets"),
    ];
    for kind in others {
        match list(client, &kind).await {
            Ok(more) => objects.extend(more),
            Err(error) => problems.push(said(&error)),
        }
    }
    // Most clusters do not have virtual machines.
    for (kind, plural) in
        [("VirtualMachine", "virtualmachines"), ("VirtualMachineInstance", "virtualmachineinstances")]
    {
        objects.extend(list(client, &resource("kubevirt.io", "v1", kind, plural)).await.unwrap_or_default());
    }
    match config_map(client, &identity.release_namespace, config_map_name).await {
        Ok(found) => objects.extend(found),
        Err(error) => problems.push(said(&error)),
    }
    let release = identity.release_namespace.clone();
    let mut assembler = Assembler::new(identity, Settings::default());
    for object in &objects {
        if let Err(error) = assembler.objects.apply(object) {
            problems.push(error.to_string());
        }
    }
    Ok(scene(assembler.assemble(), objects, release, problems))
}

/// Takes objects of files as those of a cluster.
pub(super) fn from_manifests(manifests: Vec<Manifest>, identity: Identity, settings: Settings) -> Scene {
    let release = identity.release_namespace.clone();
    let mut objects = Vec::with_capacity(manifests.len());
    for manifest in &manifests {
        let mut manifest = manifest.clone();
        default_namespace(&mut manifest);
        objects.push(manifest.object);
    }
    let mut assembler = Assembler::new(identity, settings);
    let (catalog, problems) = assemble(&mut assembler, manifests);
    scene(catalog, objects, release, problems.iter().map(FileProblem::to_string).collect())
}

fn said(error: &ClusterError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

fn scene(catalog: Catalog, objects: Vec<Value>, release: String, problems: Vec<String>) -> Scene {
    let mut scene = Scene::bare(catalog, release, problems);
    for object in objects {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if let Err(error) = scene.take(&kind, &name, object) {
            scene.problems.push(format!("{kind} {name} is passed over: {error}"));
        }
    }
    scene.pools = Pools::compile(
        scene.catalog.peers.pools(),
        &scene.catalog.peers.overlaps(),
        &scene.reserved,
        &scene.release,
    );
    scene
}

fn decode<T: DeserializeOwned>(object: Value) -> Result<T, String> {
    serde_json::from_value(object).map_err(|error| error.to_string())
}

impl Scene {
    fn take(&mut self, kind: &str, name: &str, object: Value) -> Result<(), String> {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
        let key = format!("{namespace}/{name}");
        match kind {
            "SpiderIPPool" => {
                self.ledgers.insert(name, Ledger::parse(name, object["status"]["allocatedIPs"].as_str()));
                self.pool_objects.push(object);
            }
            "SpiderEndpoint" => {
                let endpoint: SpiderEndpoint = decode(object)?;
                self.endpoints.insert(key, EndpointFacts::of(&endpoint));
            }
            "SpiderReservedIP" => {
                let reserved: SpiderReservedIP = decode(object)?;
                self.reserved = self.reserved.union(&reserved_addresses(&reserved));
            }
            "RailNode" => {
                let node: RailNode = decode(object)?;
                self.facts.insert(name.to_owned(), NodeFacts::compile(&node.spec));
            }
            "Node" => self.take_node(decode(object)?),
            "Namespace" => {
                let texts = |field: &str| -> BTreeMap<String, String> {
                    serde_json::from_value(object["metadata"][field].clone()).unwrap_or_default()
                };
                let (labels, annotations) = (texts("labels").into(), texts("annotations"));
                let view = NamespaceView { name: name.to_owned(), labels, annotations };
                self.namespaces.insert(name.to_owned(), Arc::new(view));
            }
            "Pod" => self.take_pod(decode(object)?),
            "StatefulSet" => self.keep_ordinals(&key, &decode(object)?),
            "VirtualMachine" | "VirtualMachineInstance"
                if object["metadata"]["deletionTimestamp"].is_null() =>
            {
                self.kept.insert(key);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_node(&mut self, node: Node) {
        let name = node.metadata.name.clone().unwrap_or_default();
        let allocatable = node.status.as_ref().and_then(|status| status.allocatable.clone());
        for (resource, quantity) in allocatable.into_iter().flatten() {
            if let Ok(count) = quantity.0.parse() {
                self.devices.insert((name.clone(), resource), count);
            }
        }
        let NodeState { view, ready } = NodeState::of(node);
        self.nodes.insert(name, ObservedNode { view, ready });
    }

    fn take_pod(&mut self, pod: Pod) {
        let reported = reported(&pod);
        let requests = requests(&pod);
        let facts = PodFacts::of(pod);
        if !facts.finished && !facts.node.is_empty() {
            for (resource, count) in requests {
                *self.devices_in_use.entry((facts.node.clone(), resource)).or_default() += count;
            }
        }
        let stickiness = Stickiness::of(&self.catalog.settings);
        let holder = Holder::of(&facts.namespace, &facts.name, facts.owner.as_ref(), stickiness);
        let observed = ObservedPod {
            key: format!("{}/{}", facts.namespace, facts.name),
            holder: holder.key,
            uid: facts.uid.clone(),
            node: facts.node.clone(),
            ended: facts.finished,
            reported,
        };
        self.pods.push((facts, observed));
    }

    fn keep_ordinals(&mut self, key: &str, set: &StatefulSet) {
        if !self.catalog.settings.enable_stateful_set {
            return;
        }
        let start = set.spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0);
        let replicas = set.spec.replicas.unwrap_or(1);
        self.kept.extend((start..start + replicas).map(|ordinal| format!("{key}-{ordinal}")));
    }
}

/// Interfaces and addresses of the pod as Multus reports them.
fn reported(pod: &Pod) -> Vec<(Arc<str>, Address)> {
    let text = pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(NETWORK_STATUS));
    let status: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let mut reported = Vec::new();
    for entry in status.as_array().into_iter().flatten() {
        let interface: Arc<str> = entry["interface"].as_str().unwrap_or_default().into();
        for address in entry["ips"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            reported.extend(address.parse().ok().map(|address| (interface.clone(), address)));
        }
    }
    reported
}

/// Devices that the pod's containers ask for. What init containers ask for is handed on to the others.
fn requests(pod: &Pod) -> Vec<(String, u64)> {
    let mut requests = Vec::new();
    for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
        let limits = container.resources.iter().flat_map(|resources| resources.limits.iter().flatten());
        requests.extend(
            limits
                .filter(|(resource, _)| resource.contains('/'))
                .filter_map(|(resource, quantity)| Some((resource.clone(), quantity.0.parse().ok()?))),
        );
    }
    requests
}
