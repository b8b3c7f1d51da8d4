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

    /// Whether the API server is told for every webhook whom to trust.
    pub(super) fn webhooks_have_bundles(&self) -> bool {
        Target::WEBHOOKS.into_iter().all(|target| {
            let webhooks = self.get(target).and_then(|object| object["webhooks"].as_array());
            let has_bundle = |webhook: &Value| {
                let bundle = webhook["clientConfig"]["caBundle"].as_str();
                bundle.is_some_and(|bundle| !bundle.is_empty())
            };
            webhooks.is_some_and(|webhooks| webhooks.iter().all(has_bundle))
        })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is rendered when somebody else keeps the bundles.
    fn desired() -> Value {
        json!({
            "metadata": {"name": "c", "annotations": {"cert-manager.io/inject-ca-from": "spiderpool/c"}},
            "webhooks": [
                {"name": "pods", "failurePolicy": "Fail", "clientConfig": {"url": "https://a/pods"}},
                {"name": "pools", "failurePolicy": "Fail", "clientConfig": {"url": "https://a/pools"}},
            ],
        })
    }

    /// As stored, with a bundle for each webhook.
    fn stored(bundles: [Value; 2]) -> Value {
        let mut stored = desired();
        for (webhook, bundle) in stored["webhooks"].as_array_mut().unwrap().iter_mut().zip(bundles) {
            if !bundle.is_null() {
                webhook["clientConfig"]["caBundle"] = bundle;
            }
        }
        stored
    }

    fn changed(mut object: Value, pointer: &str, value: Value) -> Value {
        *object.pointer_mut(pointer).unwrap() = value;
        object
    }

    fn with_annotation_of_others(mut object: Value) -> Value {
        object["metadata"]["annotations"]["other"] = "x".into();
        object
    }

    fn others() -> [Trust; 2] {
        [Trust::CertManager("spiderpool/c".into()), Trust::Foreign]
    }

    /// An answer of `true` for what the injector wrote would be a fight without an end.
    #[test]
    fn bundles_of_others_are_no_drift_and_everything_else_is() {
        let held = stored(["QQ==".into(), "QQ==".into()]);
        let cases = [
            (desired(), false, "not injected yet"),
            (held.clone(), false, "injected"),
            (stored(["QQ==".into(), Value::Null]), false, "injected in part"),
            (stored(["QQ==".into(), "Qg==".into()]), false, "another one for each"),
            (changed(held.clone(), "/webhooks/0/failurePolicy", "Ignore".into()), true, "a field of ours"),
            (changed(held.clone(), "/webhooks/0/clientConfig/url", "https://b".into()), true, "the address"),
            (changed(held.clone(), "/webhooks/1/name", "other".into()), true, "a webhook is gone"),
            (changed(held.clone(), "/metadata/annotations", json!({})), true, "the annotation is gone"),
            (with_annotation_of_others(held), false, "an annotation of others"),
        ];
        for (object, drift, what) in cases {
            for trust in others() {
                let mut seen = Stored::default();
                seen.set(Target::Mutating, Some(object.clone()));
                let differs = seen.differs(Target::Mutating, Some(&desired()), &trust);
                assert_eq!(differs, drift, "{what}, {trust:?}");
            }
        }
    }

    #[test]
    fn a_bundle_of_our_own_is_kept_to_the_letter() {
        let trust = Trust::Bundle("ours".into());
        let ours = stored(["b3Vycw==".into(), "b3Vycw==".into()]);
        let mut seen = Stored::default();
        for (object, drift) in [(ours.clone(), false), (stored(["b3Vycw==".into(), "QQ==".into()]), true)] {
            seen.set(Target::Mutating, Some(object));
            assert_eq!(seen.differs(Target::Mutating, Some(&ours), &trust), drift);
        }
    }

    /// Server-side apply leaves what it does not name; a replacement has to carry it along.
    #[test]
    fn a_replacement_carries_the_bundles_of_others_by_the_webhook_s_name() {
        let mut held = stored(["QQ==".into(), "Qg==".into()]);
        held["webhooks"].as_array_mut().unwrap().reverse();
        for trust in others() {
            assert_eq!(
                with_foreign_bundles(&desired(), &held, &trust),
                stored(["QQ==".into(), "Qg==".into()]),
                "{trust:?}"
            );
            assert_eq!(with_foreign_bundles(&desired(), &Value::Null, &trust), desired());
        }
        let ours = stored(["b3Vycw==".into(), "b3Vycw==".into()]);
        assert_eq!(with_foreign_bundles(&ours, &held, &Trust::Bundle("ours".into())), ours);
    }

    #[test]
    fn the_api_server_trusts_somebody_when_every_webhook_has_a_bundle() {
        let whole = || stored(["QQ==".into(), "QQ==".into()]);
        let cases = [
            (Some(whole()), Some(whole()), true),
            (Some(whole()), None, false),
            (Some(whole()), Some(stored(["QQ==".into(), Value::Null])), false),
            (Some(stored(["".into(), "QQ==".into()])), Some(whole()), false),
            (Some(desired()), Some(desired()), false),
        ];
        for (mutating, validating, expected) in cases {
            let mut seen = Stored::default();
            seen.set(Target::Mutating, mutating.clone());
            seen.set(Target::Validating, validating.clone());
            assert_eq!(seen.webhooks_have_bundles(), expected, "{mutating:?} {validating:?}");
        }
    }
}
