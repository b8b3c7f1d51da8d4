use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};

use super::{RenderError, list};
use crate::api::{
    AttachmentDefinition, CniType, GROUP, Kind, OvsConfig, SpiderMultusConfigSpec, TextMap, VERSION, keys,
};

/// Annotations of tools that keep books on the object they stand on; on a copy they would make a tool believe that
/// the copy is its own.
const BOOKKEEPING: [&str; 7] = [
    "kubectl.kubernetes.io",
    "config.kubernetes.io",
    "internal.config.kubernetes.io",
    "helm.sh",
    "meta.helm.sh",
    "argocd.argoproj.io",
    "toolkit.fluxcd.io",
];

/// A `NetworkAttachmentDefinition` as it should be: every field that is ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Namespace of the network.
    pub namespace: String,
    /// The network's name, or what its annotation [`keys::NAD_NAME`] says.
    pub name: String,
    /// [`keys::MANAGED_BY`].
    pub labels: TextMap,
    /// Those of the network without those of tools, and [`keys::RESOURCE_NAME`].
    pub annotations: TextMap,
    /// The network; none while it has no uid.
    pub owner: Option<OwnerReference>,
    /// `spec.config`: JSON text. Empty means that Multus takes the file of this name on the node.
    pub config: String,
}

/// The name of the `NetworkAttachmentDefinition` of a network.
#[must_use]
pub fn name_of_definition(metadata: &ObjectMeta) -> &str {
    annotation(metadata, keys::NAD_NAME).or(metadata.name.as_deref()).unwrap_or_default()
}

/// Renders a network in canonical form.
pub fn definition(metadata: &ObjectMeta, spec: &SpiderMultusConfigSpec) -> Result<Definition, RenderError> {
    let name = name_of_definition(metadata);
    if name.is_empty() {
        return Err(RenderError::new("metadata.name", "must be there: the definition is named by it"));
    }
    let config = match (spec.cni_type(), spec.custom_cni.as_deref()) {
        (CniType::Custom, None | Some("")) => String::new(),
        (CniType::Custom, Some(text)) => {
            list::json_object("spec.customCNI", text)?;
            text.to_owned()
        }
        _ => list::configuration(
            annotation(metadata, keys::CNI_VERSION).unwrap_or(list::CNI_VERSION),
            annotation(metadata, keys::CNI_CONFIG_NAME).unwrap_or(name),
            spec,
        )?,
    };
    Ok(Definition {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: name.to_owned(),
        labels: BTreeMap::from([(keys::MANAGED_BY.to_owned(), keys::MANAGED_BY_US.to_owned())]).into(),
        annotations: annotations(metadata, spec).into(),
        owner: owner(metadata),
        config,
    })
}

impl Definition {
    /// The object as it is applied: nothing but what is ours.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let mut metadata = json!({ "name": self.name, "namespace": self.namespace, "labels": self.labels });
        if !self.annotations.is_empty() {
            metadata["annotations"] = json!(self.annotations);
        }
        if let Some(owner) = &self.owner {
            metadata["ownerReferences"] = json!([owner]);
        }
        json!({
            "apiVersion": format!("{}/{}", AttachmentDefinition::GROUP, AttachmentDefinition::VERSION),
            "kind": AttachmentDefinition::KIND,
            "metadata": metadata,
            "spec": { "config": self.config },
        })
    }
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    let value = metadata.annotations.as_ref()?.get(key)?;
    Some(value.as_str()).filter(|value| !value.is_empty())
}

fn annotations(metadata: &ObjectMeta, spec: &SpiderMultusConfigSpec) -> BTreeMap<String, String> {
    let own = metadata.annotations.iter().flatten().filter(|(key, _)| !is_bookkeeping(key));
    let resource = resource(spec).map(|resource| (keys::RESOURCE_NAME.to_owned(), resource));
    own.map(|(key, value)| (key.clone(), value.clone())).chain(resource).collect()
}

fn is_bookkeeping(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    BOOKKEEPING.iter().any(|tool| {
        domain.strip_suffix(tool).is_some_and(|parent| parent.is_empty() || parent.ends_with('.'))
    })
}

/// The resource whose device Multus hands to the plugin. Networks on a host interface use none, even if their pods
/// ask for a shared RDMA device.
fn resource(spec: &SpiderMultusConfigSpec) -> Option<String> {
    match spec.cni_type() {
        CniType::Sriov | CniType::IbSriov => spec.resource().map(str::to_owned),
        CniType::Ovs => {
            let OvsConfig { bridge, device_id, .. } = spec.ovs.as_deref()?;
            device_id.as_ref().filter(|device| !device.is_empty())?;
            Some(format!("ovs-cni.network.kubevirt.io/{}", bridge.as_ref()?))
        }
        _ => None,
    }
}

/// Deleting the network deletes the definition.
fn owner(metadata: &ObjectMeta) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: Kind::MultusConfig.name().to_owned(),
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        controller: Some(true),
        block_owner_deletion: Some(true),
    })
}
