//! Which entry of the registered webhooks would send a pod to us: the conditions that the API server
//! evaluates before it calls anybody, in words.

use serde_json::Value;

use crate::api::keys::{MIRROR_POD, NETWORK_INJECT, OPT_OUT, RDMA_INJECT};
use crate::catalog::Catalog;

/// The entry that matches, if one does, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Name of the webhook in the `MutatingWebhookConfiguration`.
    pub(super) name: Option<&'static str>,
    /// Why, or why not.
    pub(super) why: String,
}

const OWN_KEY: &str = "pods.spiderpool.spidernet.io";
const NAMESPACE: &str = "namespace-pods.spiderpool.spidernet.io";

/// Evaluates both entries on a pod.
#[must_use]
pub(super) fn entry(pod: &Value, namespace: &str, catalog: &Catalog) -> Entry {
    let none = |why: String| Entry { name: None, why };
    if !catalog.settings.inject.enabled {
        return none("no webhook on pods is registered: podResourceInject.enabled is false".to_owned());
    }
    if let Some(reason) = catalog.scope.refusal(namespace) {
        return none(format!("no webhook is registered for namespace {namespace} ({reason})"));
    }
    if !pod["metadata"]["annotations"][MIRROR_POD].is_null() {
        return none("mirror pods of static pods are not sent".to_owned());
    }
    let own: Vec<(&str, &str)> =
        [RDMA_INJECT, NETWORK_INJECT].into_iter().filter_map(|key| Some((key, value(pod, key)?))).collect();
    let asks = |value: &str| !OPT_OUT.contains(&value.trim());
    if let Some((key, value)) = own.iter().find(|(_, value)| asks(value)) {
        return Entry { name: Some(OWN_KEY), why: format!("the pod carries {key}={value:?}") };
    }
    if let Some((key, value)) = own.first() {
        return none(format!("the pod opts out with {key}={value:?}, so it is not sent"));
    }
    let facts = catalog.namespaces.get(namespace);
    let opted_in = facts.into_iter().flat_map(|facts| [&facts.rdma, &facts.network]).flatten();
    match opted_in.into_iter().find(|value| asks(value)) {
        None => none(format!("neither the pod nor namespace {namespace} names a group, so it is not sent")),
        Some(_) if pod["spec"]["hostNetwork"] == true => {
            none("pods on the host's network are not sent because of their namespace".to_owned())
        }
        Some(value) => {
            Entry { name: Some(NAMESPACE), why: format!("namespace {namespace} opted in to {value:?}") }
        }
    }
}

/// The value of a key as annotation, else as label.
fn value<'p>(pod: &'p Value, key: &str) -> Option<&'p str> {
    let metadata = &pod["metadata"];
    metadata["annotations"].get(key).or_else(|| metadata["labels"].get(key))?.as_str()
}

#[cfg(test)]
mod tests;
