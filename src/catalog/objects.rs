use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::settings::CONFIG_KEY;
use crate::api::{Kind, SpiderMultusConfigSpec, keys};
use crate::rules::{Mode, NadFacts, NetworkFacts, PoolFacts, SubnetFacts, split_groups};

/// Namespace (empty for cluster-scoped objects) and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// A network as stored: what admission needs of a `SpiderMultusConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Namespace and name.
    pub key: ObjectKey,
    /// Name of its `NetworkAttachmentDefinition`.
    pub nad_name: String,
    /// Value of the RDMA inject key; the annotation beats the label.
    pub rdma_groups: Option<String>,
    /// Value of the general inject key; the annotation beats the label.
    pub network_groups: Option<String>,
    /// `spec`
    pub spec: SpiderMultusConfigSpec,
    /// What the rules want to know of it, if it uses a resource.
    pub facts: Option<Arc<NetworkFacts>>,
}

/// The inject keys of a namespace; namespaces without any are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Value of the RDMA inject key; the annotation beats the label.
    pub rdma: Option<String>,
    /// Value of the general inject key; the annotation beats the label.
    pub network: Option<String>,
}

/// An object that cannot be read; it is left out, and said so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {key}: {reason}")]
pub struct BadObject {
    /// Kind of the object.
    pub kind: String,
    /// Namespace and name.
    pub key: ObjectKey,
    /// Path and reason.
    pub reason: String,
}

/// What the source knows of the `ConfigMap`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConfigText {
    /// There has not been one.
    #[default]
    Never,
    /// The text of its key, not parsed.
    Text(String),
    /// It is there and has no such key.
    NoKey,
    /// There was one, and it is gone.
    Gone,
}

/// Everything a source has delivered so far, reduced to what admission needs.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// `SpiderMultusConfig`
    pub networks: BTreeMap<ObjectKey, Arc<Network>>,
    /// `SpiderIPPool`
    pub pools: BTreeMap<String, Arc<PoolFacts>>,
    /// `SpiderSubnet`
    pub subnets: BTreeMap<String, Arc<SubnetFacts>>,
    /// `NetworkAttachmentDefinition`
    pub nads: BTreeMap<ObjectKey, Arc<NadFacts>>,
    /// Namespaces with inject keys.
    pub namespaces: BTreeMap<String, NamespaceFacts>,
    /// How many namespaces there are, with keys or without.
    pub namespace_names: BTreeSet<String>,
    /// Extended resources of each node; none at all when no node data is at hand.
    pub nodes: BTreeMap<String, BTreeSet<String>>,
    /// The configuration.
    pub config: ConfigText,
    /// Objects that could not be read, by kind and key.
    pub bad: BTreeMap<(String, ObjectKey), String>,
}

impl Objects {
    /// Takes in one object, whatever its kind; kinds that admission does not need are passed over.
    ///
    /// Returns whether anything changed that a new catalog would show. An object that cannot be read is
    /// remembered in `bad`, replaces its older version, and is returned as the error.
    pub fn apply(&mut self, object: &Value) -> Result<bool, BadObject> {
        let kind = object["kind"].as_str().unwrap_or_default();
        let key = key_of(object);
        let was_bad = self.bad.remove(&(kind.to_owned(), key.clone())).is_some();
        match self.take(kind, &key, object) {
            Ok(changed) => Ok(changed || was_bad),
            Err(reason) => {
                self.remove(kind, &key);
                self.bad.insert((kind.to_owned(), key.clone()), reason.clone());
                Err(BadObject { kind: kind.to_owned(), key, reason })
            }
        }
    }

    /// Forgets an object; returns whether it was known.
    pub fn remove(&mut self, kind: &str, key: &ObjectKey) -> bool {
        let known = match kind {
            "SpiderMultusConfig" => self.networks.remove(key).is_some(),
            "SpiderIPPool" => self.pools.remove(&key.name).is_some(),
            "SpiderSubnet" => self.subnets.remove(&key.name).is_some(),
            "NetworkAttachmentDefinition" => self.nads.remove(key).is_some(),
            "Namespace" => {
                self.namespace_names.remove(&key.name) | self.namespaces.remove(&key.name).is_some()
            }
            "Node" => self.nodes.remove(&key.name).is_some(),
            "ConfigMap" => match self.config {
                ConfigText::Never | ConfigText::Gone => false,
                ConfigText::Text(_) | ConfigText::NoKey => {
                    self.config = ConfigText::Gone;
                    true
                }
            },
            _ => false,
        };
        self.bad.remove(&(kind.to_owned(), key.clone())).is_some() | known
    }

    /// Keys of all known objects of a kind, so that a source can find those that are gone after a relist.
    #[must_use]
    pub fn keys(&self, kind: &str) -> Vec<ObjectKey> {
        let global = |name: &String| ObjectKey { namespace: String::new(), name: name.clone() };
        let mut keys: Vec<ObjectKey> = match kind {
            "SpiderMultusConfig" => self.networks.keys().cloned().collect(),
            "SpiderIPPool" => self.pools.keys().map(global).collect(),
            "SpiderSubnet" => self.subnets.keys().map(global).collect(),
            "NetworkAttachmentDefinition" => self.nads.keys().cloned().collect(),
            "Namespace" => self.namespace_names.iter().map(global).collect(),
            "Node" => self.nodes.keys().map(global).collect(),
            _ => Vec::new(),
        };
        keys.extend(self.bad.keys().filter(|(bad, _)| bad == kind).map(|(_, key)| key.clone()));
        keys
    }

    fn take(&mut self, kind: &str, key: &ObjectKey, object: &Value) -> Result<bool, String> {
        match kind {
            "SpiderMultusConfig" => {
                let network = Arc::new(network(key, object)?);
                Ok(self.networks.insert(key.clone(), network.clone()).as_ref() != Some(&network))
            }
            "SpiderIPPool" => {
                let pool = Arc::new(pool(key, object)?);
                Ok(self.pools.insert(key.name.clone(), pool.clone()).as_ref() != Some(&pool))
            }
            "SpiderSubnet" => {
                let subnet = Arc::new(subnet(key, object)?);
                Ok(self.subnets.insert(key.name.clone(), subnet.clone()).as_ref() != Some(&subnet))
            }
            "NetworkAttachmentDefinition" => {
                let owner = owner(object, Kind::MultusConfig, false);
                let nad = NadFacts { namespace: key.namespace.clone(), name: key.name.clone(), owner };
                let nad = Arc::new(nad);
                Ok(self.nads.insert(key.clone(), nad.clone()).as_ref() != Some(&nad))
            }
            "Namespace" => {
                let new = self.namespace_names.insert(key.name.clone());
                let facts = NamespaceFacts {
                    rdma: metadata_value(object, keys::RDMA_INJECT),
                    network: metadata_value(object, keys::NETWORK_INJECT),
                };
                let old = if facts == NamespaceFacts::default() {
                    self.namespaces.remove(&key.name)
                } else {
                    self.namespaces.insert(key.name.clone(), facts.clone())
                };
                Ok(new | (old.unwrap_or_default() != facts))
            }
            "Node" => {
                let resources = extended_resources(object);
                Ok(self.nodes.insert(key.name.clone(), resources.clone()).as_ref() != Some(&resources))
            }
            "ConfigMap" => {
                let text = object["data"][CONFIG_KEY].as_str();
                let config = text.map_or(ConfigText::NoKey, |text| ConfigText::Text(text.to_owned()));
                let old = std::mem::replace(&mut self.config, config);
                Ok(old != self.config)
            }
            _ => Ok(false),
        }
    }
}

fn key_of(object: &Value) -> ObjectKey {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    ObjectKey { namespace: text("namespace"), name: text("name") }
}

/// The value of a key as annotation, else as label.
fn metadata_value(object: &Value, key: &str) -> Option<String> {
    let metadata = &object["metadata"];
    let value = metadata["annotations"].get(key).or_else(|| metadata["labels"].get(key))?;
    value.as_str().map(str::to_owned)
}

fn owner(object: &Value, kind: Kind, controller: bool) -> Option<String> {
    let references = object["metadata"]["ownerReferences"].as_array()?;
    let ours = |reference: &&Value| {
        reference["kind"] == kind.name() && (!controller || reference["controller"] == Value::Bool(true))
    };
    references.iter().find(ours)?["name"].as_str().map(str::to_owned)
}

/// Decodes a part of an object; the error names the path inside the object.
fn decode<T: DeserializeOwned>(part: &str, value: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| format!("{part}.{}: {}", error.path(), error.inner()))
}

fn network(key: &ObjectKey, object: &Value) -> Result<Network, String> {
    let nad_name = object["metadata"]["annotations"][keys::NAD_NAME].as_str().filter(|name| !name.is_empty());
    let spec: SpiderMultusConfigSpec = decode("spec", &object["spec"])?;
    let rdma_groups = metadata_value(object, keys::RDMA_INJECT);
    let network_groups = metadata_value(object, keys::NETWORK_INJECT);
    let groups = [(Mode::Rdma, &rdma_groups), (Mode::Network, &network_groups)].into_iter().flat_map(
        |(mode, value)| {
            let names = value.iter().flat_map(|value| split_groups(value));
            names.map(move |name| (mode, name.to_owned()))
        },
    );
    let facts = spec.resource().map(|resource| NetworkFacts {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        resource: resource.to_owned(),
        groups: groups.collect(),
    });
    Ok(Network {
        key: key.clone(),
        nad_name: nad_name.unwrap_or(&key.name).to_owned(),
        facts: facts.map(Arc::new),
        rdma_groups,
        network_groups,
        spec,
    })
}

fn pool(key: &ObjectKey, object: &Value) -> Result<PoolFacts, String> {
    let metadata = &object["metadata"];
    let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
    let labels = match &metadata["labels"] {
        Value::Null => BTreeMap::new(),
        labels => decode("metadata.labels", labels)?,
    };
    Ok(PoolFacts {
        name: key.name.clone(),
        uid: text("uid"),
        created: text("creationTimestamp"),
        labels,
        controller: owner(object, Kind::Subnet, true),
        terminating: metadata["deletionTimestamp"].is_string(),
        generation: metadata["generation"].as_i64().unwrap_or_default(),
        spec: decode("spec", &object["spec"])?,
    })
}

fn subnet(key: &ObjectKey, object: &Value) -> Result<SubnetFacts, String> {
    let metadata = &object["metadata"];
    let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
    Ok(SubnetFacts {
        name: key.name.clone(),
        uid: text("uid"),
        created: text("creationTimestamp"),
        terminating: metadata["deletionTimestamp"].is_string(),
        spec: decode("spec", &object["spec"])?,
        controlled: object["status"]["controlledIPPools"].as_str().map(str::to_owned),
    })
}

/// Names with a domain, as device plugins register them; the kubelet's own have none.
fn extended_resources(node: &Value) -> BTreeSet<String> {
    let allocatable = node["status"]["allocatable"].as_object();
    allocatable
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
        .filter(|name| name.contains('/'))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(namespace: &str, name: &str) -> ObjectKey {
        ObjectKey { namespace: namespace.into(), name: name.into() }
    }

    #[test]
    fn an_object_changes_the_view_only_when_it_differs() {
        let mut objects = Objects::default();
        let mut pool = json!({"kind": "SpiderIPPool", "metadata": {"name": "p", "resourceVersion": "1"},
            "spec": {"subnet": "10.0.0.0/24"}, "status": {"allocatedIPCount": 1}});
        assert_eq!(objects.apply(&pool), Ok(true));
        pool["metadata"]["resourceVersion"] = "2".into();
        pool["status"]["allocatedIPCount"] = 2.into();
        assert_eq!(objects.apply(&pool), Ok(false));
        pool["spec"]["ips"] = json!(["10.0.0.1"]);
        assert_eq!(objects.apply(&pool), Ok(true));
        assert!(objects.remove("SpiderIPPool", &key("", "p")));
        assert!(!objects.remove("SpiderIPPool", &key("", "p")));
    }

    #[test]
    fn a_bad_object_is_left_out_and_named_until_it_is_mended() {
        let mut objects = Objects::default();
        let mut network = json!({"kind": "SpiderMultusConfig", "metadata": {"name": "n", "namespace": "s"},
            "spec": {"cniType": "sriov", "sriov": {"mtu": "big"}}});
        let bad = objects.apply(&network).unwrap_err();
        assert_eq!(
            bad.to_string(),
            "SpiderMultusConfig s/n: spec.sriov.mtu: invalid type: string \"big\", expected i64"
        );
        assert_eq!((objects.networks.len(), objects.bad.len()), (0, 1));
        assert_eq!(objects.keys("SpiderMultusConfig"), [key("s", "n")]);
        network["spec"]["sriov"]["mtu"] = 4200.into();
        assert_eq!(objects.apply(&network), Ok(true));
        assert_eq!((objects.networks.len(), objects.bad.len()), (1, 0));
        // An object that turns bad does not linger in its older form.
        network["spec"] = json!({"cniType": "token-ring"});
        assert!(objects.apply(&network).is_err());
        assert_eq!((objects.networks.len(), objects.bad.len()), (0, 1));
    }

    #[test]
    fn annotations_beat_labels_on_networks_and_namespaces() {
        let mut objects = Objects::default();
        let metadata = json!({"name": "n", "namespace": "s", "labels": {keys::RDMA_INJECT: "label"},
            "annotations": {keys::RDMA_INJECT: "annotation", keys::NAD_NAME: "nad"}});
        objects.apply(&json!({"kind": "SpiderMultusConfig", "metadata": metadata, "spec": {}})).unwrap();
        let network = &objects.networks[&key("s", "n")];
        assert_eq!(network.rdma_groups.as_deref(), Some("annotation"));
        assert_eq!(network.nad_name, "nad");
        let labelled =
            json!({"kind": "Namespace", "metadata": {"name": "team", "labels": {keys::NETWORK_INJECT: "g"}}});
        assert_eq!(objects.apply(&labelled), Ok(true));
        assert_eq!(objects.namespaces["team"].network.as_deref(), Some("g"));
    }

    #[test]
    fn namespaces_without_keys_are_only_counted() {
        let mut objects = Objects::default();
        let plain = json!({"kind": "Namespace", "metadata": {"name": "plain"}});
        assert_eq!(objects.apply(&plain), Ok(true));
        assert_eq!(objects.apply(&plain), Ok(false));
        assert_eq!((objects.namespaces.len(), objects.namespace_names.len()), (0, 1));
        assert!(objects.remove("Namespace", &key("", "plain")));
    }

    #[test]
    fn only_device_plugins_resources_of_nodes_are_kept() {
        let mut objects = Objects::default();
        let node = json!({"kind": "Node", "metadata": {"name": "n"},
            "status": {"allocatable": {"cpu": "40", "memory": "1", "spidernet.io/gpu1sriov": "12"}}});
        objects.apply(&node).unwrap();
        assert_eq!(objects.nodes["n"], BTreeSet::from(["spidernet.io/gpu1sriov".to_owned()]));
    }

    #[test]
    fn owners_are_found_by_kind() {
        let mut objects = Objects::default();
        let nad = json!({"kind": "NetworkAttachmentDefinition", "metadata": {"name": "n", "namespace": "s",
            "ownerReferences": [{"kind": "Other", "name": "x"}, {"kind": "SpiderMultusConfig", "name": "smc"}]}});
        objects.apply(&nad).unwrap();
        assert_eq!(objects.nads[&key("s", "n")].owner.as_deref(), Some("smc"));
        let pool = json!({"kind": "SpiderIPPool", "metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"kind": "SpiderSubnet", "name": "s", "controller": true}]},
            "spec": {"subnet": "10.0.0.0/8"}});
        objects.apply(&pool).unwrap();
        assert_eq!(objects.pools["p"].controller.as_deref(), Some("s"));
        assert!(objects.pools["p"].terminating);
    }

    #[test]
    fn kinds_that_admission_does_not_need_are_passed_over() {
        let mut objects = Objects::default();
        assert_eq!(objects.apply(&json!({"kind": "Deployment", "metadata": {"name": "d"}})), Ok(false));
        assert_eq!(objects.apply(&json!(null)), Ok(false));
    }
}
