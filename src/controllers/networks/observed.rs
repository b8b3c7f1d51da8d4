//! What is kept of each object that a watch tells.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference};
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::api::settings::Settings;
use crate::api::{Condition, GROUP, Kind, SpiderMultusConfigSpec, TextMap, keys};
use crate::catalog::ObjectKey;
use crate::controllers::FIELD_MANAGER;
use crate::render::{self, name_of_definition};
use crate::rules::{self, Context, Operation, Peers};

/// A `SpiderMultusConfig`.
pub(super) struct Network {
    pub(super) uid: String,
    pub(super) resource_version: String,
    /// RFC 3339 in UTC, so it sorts as text.
    pub(super) created: String,
    pub(super) generation: Option<i64>,
    pub(super) terminating: bool,
    /// The definition that it claims.
    pub(super) claim: ObjectKey,
    /// The definition as it should be, or why there can be none.
    pub(super) rendered: Result<Rendered, String>,
    /// `status.networkAttachmentDefinition`
    pub(super) reported: Option<String>,
    /// `status.conditions`
    pub(super) conditions: Vec<Condition>,
}

/// A definition as it should be.
pub(super) struct Rendered {
    pub(super) definition: render::Definition,
    /// What admission would refuse about the network; it was stored before the rule came, or past the webhook.
    pub(super) complaints: Option<String>,
}

/// A `NetworkAttachmentDefinition` as it is.
///
/// It belongs to the network that stands among its owners, whoever wrote it: Spiderpool's are taken over like
/// this. One without any owner that carries our label belongs to whoever claims it. Every other one is foreign.
pub(super) struct Definition {
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) terminating: bool,
    /// The network among the owners.
    pub(super) network: Option<ObjectKey>,
    owners: Vec<OwnerReference>,
    labels: TextMap,
    annotations: TextMap,
    /// Of `spec.config`, which is only compared, and would be the larger part of what is kept.
    config: Fingerprint,
    /// Keys of annotations that we applied, some of which may be gone from the network since.
    applied: Box<[String]>,
}

/// Namespace and name of an object.
pub(super) fn key_of(object: &DynamicObject) -> ObjectKey {
    ObjectKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

impl Network {
    pub(super) fn of(object: DynamicObject) -> Self {
        let DynamicObject { types: _, mut metadata, mut data } = object;
        metadata.managed_fields = None;
        let namespace = metadata.namespace.clone().unwrap_or_default();
        let status = data["status"].take();
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            created: metadata.creation_timestamp.as_ref().map(|time| time.0.to_string()).unwrap_or_default(),
            generation: metadata.generation,
            terminating: metadata.deletion_timestamp.is_some(),
            claim: ObjectKey { namespace, name: name_of_definition(&metadata).to_owned() },
            rendered: rendered(&metadata, &data["spec"]),
            reported: status["networkAttachmentDefinition"].as_str().map(str::to_owned),
            conditions: serde_json::from_value(status["conditions"].clone()).unwrap_or_default(),
        }
    }
}

/// Stored objects may be in an older spelling, or wrong; what can be rendered is.
fn rendered(metadata: &ObjectMeta, spec: &Value) -> Result<Rendered, String> {
    let mut manifest = json!({ "kind": Kind::MultusConfig.name(), "metadata": metadata, "spec": spec });
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    rules::normalise(Kind::MultusConfig, &mut manifest, None, &context);
    let findings = rules::validate(Kind::MultusConfig, Operation::Create, &manifest, None, &context);
    let errors: Vec<String> = findings.errors.iter().map(ToString::to_string).collect();
    let complaints = (!errors.is_empty()).then(|| errors.join("; "));
    let definition = serde_path_to_error::deserialize::<_, SpiderMultusConfigSpec>(&manifest["spec"])
        .map_err(|error| format!("spec.{}: {}", error.path(), error.inner()))
        .and_then(|spec| render::definition(metadata, &spec).map_err(|error| error.to_string()));
    match (definition, complaints) {
        (Ok(definition), complaints) => Ok(Rendered { definition, complaints }),
        // The rules say the same, and everything else that is wrong.
        (Err(_), Some(complaints)) => Err(complaints),
        (Err(error), None) => Err(error),
    }
}

impl Definition {
    pub(super) fn of(object: DynamicObject) -> Self {
        let DynamicObject { types: _, metadata, data } = object;
        let namespace = metadata.namespace.unwrap_or_default();
        let owners = metadata.owner_references.unwrap_or_default();
        Self {
            uid: metadata.uid.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            terminating: metadata.deletion_timestamp.is_some(),
            network: owners
                .iter()
                .find(|owner| owner.kind == Kind::MultusConfig.name() && group(owner) == GROUP)
                .map(|owner| ObjectKey { namespace, name: owner.name.clone() }),
            owners,
            labels: metadata.labels.unwrap_or_default().into(),
            annotations: metadata.annotations.unwrap_or_default().into(),
            config: Fingerprint::of(data["spec"]["config"].as_str().unwrap_or_default()),
            applied: metadata.managed_fields.iter().flatten().flat_map(applied_annotations).collect(),
        }
    }

    /// Whether a network may write it.
    pub(super) fn belongs_to(&self, network: &ObjectKey) -> bool {
        match &self.network {
            Some(owner) => owner == network,
            None => self.owners.is_empty() && self.is_managed(),
        }
    }

    /// Whether we keep it. Only such definitions are ever deleted.
    pub(super) fn is_managed(&self) -> bool {
        self.labels.get(keys::MANAGED_BY) == Some(keys::MANAGED_BY_US)
    }

    /// Who has it instead of us, for messages.
    pub(super) fn holder(&self) -> String {
        let controller = self.owners.iter().find(|owner| owner.controller == Some(true));
        match controller.or_else(|| self.owners.first()) {
            Some(owner) => format!("belongs to {} {}", owner.kind, owner.name),
            None => "exists without an owner".to_owned(),
        }
    }

    /// Whether everything that is ours is as it should be. What others added does not count.
    pub(super) fn is_current(&self, wanted: &render::Definition) -> bool {
        let render::Definition { namespace: _, name: _, labels, annotations, owner, config } = wanted;
        let holds =
            |held: &TextMap, wanted: &TextMap| wanted.iter().all(|(key, value)| held.get(key) == Some(value));
        holds(&self.labels, labels)
            && holds(&self.annotations, annotations)
            && self.applied.iter().all(|key| annotations.get(key).is_some())
            && owner.iter().all(|owner| self.owners.contains(owner))
            && self.config == Fingerprint::of(config)
    }
}

/// Text that was seen: two that differ have different ones but for a chance of one in 2^64.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint(u64);

impl Fingerprint {
    fn of(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self(hasher.finish())
    }
}

fn group(owner: &OwnerReference) -> &str {
    owner.api_version.split_once('/').map_or("", |(group, _)| group)
}

fn applied_annotations(entry: &ManagedFieldsEntry) -> Vec<String> {
    if entry.manager.as_deref() != Some(FIELD_MANAGER) || entry.operation.as_deref() != Some("Apply") {
        return Vec::new();
    }
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0["f:metadata"]["f:annotations"]);
    let keys = fields.and_then(Value::as_object).into_iter().flatten();
    keys.filter_map(|(field, _)| field.strip_prefix("f:").map(str::to_owned)).collect()
}
