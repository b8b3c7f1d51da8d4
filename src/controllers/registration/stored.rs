//! The objects of the registration as they are stored, and when they differ from what they should be.

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;

use crate::admission::registration::{NAMESPACES_SUFFIX, PARAMETER_SUFFIX, Rendered, Trust};

/// One object of the registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Mutating,
    Validating,
    Parameter,
    PodsPolicy,
    PodsBinding,
    NamespacesPolicy,
    NamespacesBinding,
}

impl Target {
    pub(super) const ALL: [Self; 7] = [
        Self::Mutating,
        Self::Validating,
        Self::Parameter,
        Self::PodsPolicy,
        Self::PodsBinding,
        Self::NamespacesPolicy,
        Self::NamespacesBinding,
    ];
    pub(super) const WEBHOOKS: [Self; 2] = [Self::Mutating, Self::Validating];
    /// A binding comes after its policy.
    pub(super) const POLICIES: [Self; 4] =
        [Self::PodsPolicy, Self::PodsBinding, Self::NamespacesPolicy, Self::NamespacesBinding];

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Mutating | Self::Parameter => "MutatingWebhookConfiguration",
            Self::Validating => "ValidatingWebhookConfiguration",
            Self::PodsPolicy | Self::NamespacesPolicy => "ValidatingAdmissionPolicy",
            Self::PodsBinding | Self::NamespacesBinding => "ValidatingAdmissionPolicyBinding",
        }
    }

    pub(super) fn resource(self) -> ApiResource {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", self.kind());
        let plural = match self.kind() {
            "ValidatingAdmissionPolicy" => "validatingadmissionpolicies".to_owned(),
            kind => format!("{}s", kind.to_lowercase()),
        };
        ApiResource::from_gvk_with_plural(&kind, &plural)
    }

    /// The name of the object in a registration of this name.
    pub(super) fn name(self, registration: &str) -> String {
        let suffix = match self {
            Self::Mutating | Self::Validating | Self::PodsPolicy | Self::PodsBinding => "",
            Self::Parameter => PARAMETER_SUFFIX,
            Self::NamespacesPolicy | Self::NamespacesBinding => NAMESPACES_SUFFIX,
        };
        format!("{registration}{suffix}")
    }

    /// The member that holds everything that counts.
    pub(super) fn body(self) -> &'static str {
        match self {
            Self::Mutating | Self::Validating | Self::Parameter => "webhooks",
            _ => "spec",
        }
    }

    /// What it should be; none when it should not be there.
    pub(super) fn of(self, rendered: &Rendered) -> Option<&Value> {
        let final_state = rendered.final_state.as_ref();
        match self {
            Self::Mutating => Some(&rendered.mutating),
            Self::Validating => Some(&rendered.validating),
            Self::Parameter => final_state.map(|state| &state.parameter),
            Self::PodsPolicy => final_state.map(|state| &state.pods.policy),
            Self::PodsBinding => final_state.map(|state| &state.pods.binding),
            Self::NamespacesPolicy => final_state.map(|state| &state.namespaces.policy),
            Self::NamespacesBinding => final_state.map(|state| &state.namespaces.binding),
        }
    }
}

/// The objects as last seen.
#[derive(Default)]
pub(super) struct Stored([Option<Value>; Target::ALL.len()]);

impl Stored {
    pub(super) fn get(&self, target: Target) -> Option<&Value> {
        self.0[target as usize].as_ref()
    }

    pub(super) fn set(&mut self, target: Target, object: Option<Value>) {
        self.0[target as usize] = object;
    }

    /// Notes what a watch says. It lags behind our own writes; what it says of a time before them is no drift.
    pub(super) fn note(&mut self, target: Target, object: Option<Value>) {
        let version = |object: &Value| object["metadata"]["resourceVersion"].as_str()?.parse::<u64>().ok();
        let older = match (&object, self.get(target)) {
            (Some(new), Some(held)) => {
                matches!((version(new), version(held)), (Some(new), Some(held)) if new < held)
            }
            _ => false,
        };
        if !older {
            self.set(target, object);
        }
    }

    pub(super) fn differs(&self, target: Target, desired: Option<&Value>, trust: &Trust) -> bool {
        match (desired, self.get(target)) {
            (None, None) => false,
            (Some(desired), Some(stored)) => !is_current(target, desired, stored, trust),
            _ => true,
        }
    }
}

/// An object as plain JSON.
pub(super) fn plain(object: DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// Whether the stored object says exactly what the rendered one says, apart from what is not ours.
fn is_current(target: Target, desired: &Value, stored: &Value, trust: &Trust) -> bool {
    let metadata = |part: &str| contains(&stored["metadata"][part], &desired["metadata"][part]);
    let body = target.body();
    ["labels", "annotations", "ownerReferences"].into_iter().all(metadata)
        && with_foreign_bundles(desired, stored, trust)[body] == stored[body]
}

/// Whether all members or elements of `part` stand in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match part {
        Value::Null => true,
        Value::Object(members) => members.iter().all(|(key, value)| whole.get(key) == Some(value)),
        Value::Array(elements) => elements.iter().all(|element| {
            whole.as_array().is_some_and(|whole| whole.iter().any(|other| contains(other, element)))
        }),
        scalar => scalar == whole,
    }
}

/// The rendered object with the `caBundle`s of the stored one where somebody else keeps them.
pub(super) fn with_foreign_bundles(desired: &Value, stored: &Value, trust: &Trust) -> Value {
    let mut desired = desired.clone();
    if matches!(trust, Trust::Bundle(_)) {
        return desired;
    }
    let stored = stored["webhooks"].as_array();
    for webhook in desired["webhooks"].as_array_mut().into_iter().flatten() {
        let same = |other: &&Value| other["name"] == webhook["name"];
        let bundle = stored
            .and_then(|stored| stored.iter().find(same))
            .map(|other| &other["clientConfig"]["caBundle"]);
        if let Some(bundle @ Value::String(_)) = bundle {
            webhook["clientConfig"]["caBundle"] = bundle.clone();
        }
    }
    desired
}
