//! The two webhook configurations.

use serde_json::{Value, json};

use super::selection;
use super::{Endpoint, Registration, Trust};
use crate::admission::Webhook;
use crate::api::settings::FailurePolicy;
use crate::api::{GROUP, Kind, VERSION, keys};

/// Longer than the server's own deadline of 4 s, so that its answer arrives.
const TIMEOUT_SECONDS: u8 = 5;

/// Each resource that rules name is served in one version only. `Equivalent` would say the same, and have the API server look
/// for others of each resource with each request of any kind.
pub(super) const MATCH_POLICY: &str = "Exact";

pub(super) fn mutating(registration: &Registration<'_>) -> Value {
    let mut webhooks = Vec::new();
    if registration.settings.inject.enabled {
        webhooks.push(opted_in_pods(registration));
        webhooks.push(pods_of_opted_in_namespaces(registration));
        webhooks.push(namespaces(registration));
    }
    for kind in admitted(registration) {
        let mut webhook = custom_resource(registration, kind, Webhook::Mutate(kind), &["CREATE", "UPDATE"]);
        webhook["reinvocationPolicy"] = json!("Never");
        webhooks.push(webhook);
    }
    configuration(registration, "MutatingWebhookConfiguration", webhooks)
}

pub(super) fn validating(registration: &Registration<'_>) -> Value {
    let webhooks = admitted(registration).map(|kind| {
        let may_refuse_delete =
            registration.settings.refuse_delete_in_use && matches!(kind, Kind::IpPool | Kind::Subnet);
        let operations: &[&str] =
            if may_refuse_delete { &["CREATE", "UPDATE", "DELETE"] } else { &["CREATE", "UPDATE"] };
        custom_resource(registration, kind, Webhook::Validate(kind), operations)
    });
    configuration(registration, "ValidatingWebhookConfiguration", webhooks.collect())
}

/// A kind whose feature is off has no entry: an entry without a handler behind `Fail` would block it.
fn admitted(registration: &Registration<'_>) -> impl Iterator<Item = Kind> {
    let subnets = registration.settings.enable_spider_subnet;
    Kind::ADMITTED.into_iter().filter(move |kind| subnets || *kind != Kind::Subnet)
}

fn configuration(registration: &Registration<'_>, kind: &str, webhooks: Vec<Value>) -> Value {
    let mut object = registration.object(kind, "");
    if let Trust::CertManager(certificate) = registration.trust {
        object["metadata"]["annotations"] = json!({ "cert-manager.io/inject-ca-from": certificate });
    }
    object["webhooks"] = Value::Array(webhooks);
    object
}

/// Pods that carry an inject key of their own. Host network and Windows pods are sent as well, so that they
/// get a warning; pods that opt out are not.
fn opted_in_pods(registration: &Registration<'_>) -> Value {
    let conditions = [opted_in(), not_mirror()];
    pods(registration, "pods", &selection::expressions(registration.scope), OPTED_IN, &conditions)
}

/// Pods that say nothing, in namespaces that opted in.
fn pods_of_opted_in_namespaces(registration: &Registration<'_>) -> Value {
    let mut expressions = selection::expressions(registration.scope);
    expressions.push(selection::opted_in());
    let conditions = [silent(), not_mirror(), format!("!{HOST}")];
    pods(registration, "namespace-pods", &expressions, SILENT, &conditions)
}

/// Namespaces whose label does not say what their inject keys say. Nobody else is sent, and these may not pass
/// unanswered: pods would be created plain until the leader has mirrored the opt-in.
fn namespaces(registration: &Registration<'_>) -> Value {
    let opted_in = format!(
        "{}.exists(key, !(object.metadata.?annotations[?key].or(object.metadata.?labels[?key])\
         .orValue('').trim() in {}))",
        cel_list(&INJECT_KEYS),
        cel_list(&["", keys::OPT_OUT[0], keys::OPT_OUT[1]]),
    );
    let mirrored = format!("object.metadata.?labels[?'{}'].orValue('')", keys::NAMESPACE_OPT_IN);
    json!({
        "name": format!("namespaces.{GROUP}"),
        "admissionReviewVersions": ["v1"],
        "clientConfig": client_config(registration, &Webhook::Namespaces.path()),
        "failurePolicy": "Fail",
        "matchConditions": [{
            "name": "opt-in-not-mirrored",
            "expression": format!("{mirrored} != ({opted_in} ? 'true' : '')"),
        }],
        "matchPolicy": MATCH_POLICY,
        "namespaceSelector": { "matchExpressions": selection::never(registration.scope) },
        "objectSelector": {},
        "reinvocationPolicy": "IfNeeded",
        "rules": [{
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["namespaces"],
            "scope": "Cluster",
        }],
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
    })
}

/// One match condition, because an API server evaluates each of several, also when the first says no.
fn pods(
    registration: &Registration<'_>,
    name: &str,
    expressions: &[Value],
    condition: &str,
    parts: &[String],
) -> Value {
    let scope = selection::conditions(registration.scope);
    let parts: Vec<&str> = parts.iter().chain(&scope).map(String::as_str).collect();
    let failure_policy = match registration.settings.failure_policy {
        FailurePolicy::Fail => "Fail",
        FailurePolicy::Ignore => "Ignore",
    };
    json!({
        "name": format!("{name}.{GROUP}"),
        "admissionReviewVersions": ["v1"],
        "clientConfig": client_config(registration, &Webhook::Pods.path()),
        "failurePolicy": failure_policy,
        "matchConditions": [{ "name": condition, "expression": parts.join(" && ") }],
        "matchPolicy": MATCH_POLICY,
        "namespaceSelector": { "matchExpressions": expressions },
        "objectSelector": {},
        "reinvocationPolicy": "IfNeeded",
        "rules": [{
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["pods"],
            "scope": "Namespaced",
        }],
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
    })
}

fn custom_resource(
    registration: &Registration<'_>,
    kind: Kind,
    webhook: Webhook,
    operations: &[&str],
) -> Value {
    json!({
        "name": format!("{}.{GROUP}", kind.singular()),
        "admissionReviewVersions": ["v1"],
        "clientConfig": client_config(registration, &webhook.path()),
        "failurePolicy": "Fail",
        "matchPolicy": MATCH_POLICY,
        "namespaceSelector": {},
        "objectSelector": {},
        "rules": [{
            "apiGroups": [GROUP],
            "apiVersions": [VERSION],
            "operations": operations,
            "resources": [kind.plural()],
            "scope": if kind.namespaced() { "Namespaced" } else { "Cluster" },
        }],
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
    })
}

fn client_config(registration: &Registration<'_>, path: &str) -> Value {
    let mut config = match registration.endpoint {
        Endpoint::Service { namespace, name, port } => {
            json!({ "service": { "namespace": namespace, "name": name, "path": path, "port": port } })
        }
        Endpoint::Url(base) => json!({ "url": format!("{base}{path}") }),
    };
    if let Trust::Bundle(pem) = registration.trust {
        config["caBundle"] = json!(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem));
    }
    config
}

/// The two keys of [`keys`], as CEL wants them.
const INJECT_KEYS: [&str; 2] = [keys::RDMA_INJECT, keys::NETWORK_INJECT];

/// `['a', 'b']`
fn cel_list(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// Name of the condition [`opted_in`].
pub(super) const OPTED_IN: &str = "opted-in";
/// Name of the condition [`silent`].
pub(super) const SILENT: &str = "no-key-of-its-own";

/// CEL: the pod has an inject key of its own, whatever it says.
fn has_key() -> String {
    let in_map = |map: &str| {
        let keys = INJECT_KEYS.map(|key| format!("'{key}' in object.metadata.{map}"));
        format!("has(object.metadata.{map}) && ({})", keys.join(" || "))
    };
    format!("({} || {})", in_map("annotations"), in_map("labels"))
}

/// CEL: the pod has an inject key of its own that does not opt out. Nearly all pods of a cluster have no key, which is found
/// out first, for a fraction of what the rest costs the API server.
pub(super) fn opted_in() -> String {
    format!(
        "{} && {}.exists(key, !(object.metadata.?annotations[?key].or(object.metadata.?labels[?key])\
         .orValue('none').trim() in {}))",
        has_key(),
        cel_list(&INJECT_KEYS),
        cel_list(&keys::OPT_OUT),
    )
}

/// CEL: the pod has no inject key of its own.
pub(super) fn silent() -> String {
    format!("!{}", has_key())
}

/// CEL: the pod is the API server's copy of a static pod.
pub(super) fn mirror() -> String {
    format!("object.metadata.?annotations[?'{}'].hasValue()", keys::MIRROR_POD)
}

/// CEL: the pod uses the host's network.
pub(super) const HOST: &str = "object.spec.?hostNetwork.orValue(false)";

fn not_mirror() -> String {
    format!("!{}", mirror())
}
