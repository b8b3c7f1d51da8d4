use super::decision::Plan;
use super::pod_view::{Pairs, PodView};
use super::quantity;
use crate::api::keys;
use crate::json;
use crate::reason::Reason;

/// Writes the JSON patch (RFC 6902) that gives the pod what the plan says; none when the pod has it all.
///
/// Only `add`, `replace` and `remove` of what changes: fields this code does not know stay untouched. A map
/// that the pod lacks is created, because `add` below a missing map fails inside the API server.
#[must_use]
pub fn patch(plan: &Plan<'_>, pod: &PodView<'_>) -> Option<Vec<u8>> {
    // Enough for eight rails with their quotes escaped, so that the buffer does not grow.
    let room = 512 + plan.networks.len() * 3 / 2 + 208 * plan.resources.len();
    let mut operations = Operations { json: Vec::with_capacity(room) };
    for key in &plan.cleared {
        operations.open("remove", "/metadata/annotations", Some(key));
        operations.close();
    }
    let rails = plan.rails.to_string();
    let annotations =
        [(keys::NETWORKS, Value::Text(&plan.networks)), (keys::INJECTED, Value::Text(&plan.injected))];
    operations.set_all("/metadata/annotations", pod.metadata.annotations.as_ref(), annotations);
    operations.set_all(
        "/metadata/labels",
        pod.metadata.labels.as_ref(),
        [(keys::RAILS, Value::Text(&rails))],
    );
    raise_resources(&mut operations, plan, pod);
    operations.finish()
}

/// Writes the patch that notes on a pod why it was left alone, where the API server may not know: its view of the
/// configuration lags behind, and the policy on the final pod would take the pod for one that was forgotten.
#[must_use]
pub fn skipped_patch(reason: Reason, pod: &PodView<'_>) -> Option<Vec<u8>> {
    let of_configuration = matches!(
        reason,
        Reason::InjectionDisabled
            | Reason::NamespaceExcluded
            | Reason::NamespaceNotIncluded
            | Reason::ReleaseNamespace
    );
    if !of_configuration {
        return None;
    }
    let mut operations = Operations { json: Vec::with_capacity(128) };
    let note = [(keys::SKIPPED, Value::Text(reason.code()))];
    operations.set_all("/metadata/annotations", pod.metadata.annotations.as_ref(), note);
    operations.finish()
}

/// Limits and requests of extended resources must be equal, so both are written.
fn raise_resources(operations: &mut Operations, plan: &Plan<'_>, pod: &PodView<'_>) {
    if plan.resources.is_empty() {
        return;
    }
    let path = format!("/spec/containers/{}/resources", plan.container);
    let quantities = plan.resources.iter().map(|(name, quantity)| (*name, Value::Quantity(*quantity)));
    match pod.containers().get(plan.container).and_then(|container| container.resources.as_ref()) {
        None => {
            operations.open("add", &path, None);
            operations.raw(",\"value\":{\"limits\":");
            operations.object(quantities.clone());
            operations.raw(",\"requests\":");
            operations.object(quantities);
            operations.raw("}");
            operations.close();
        }
        Some(resources) => {
            operations.raise(&format!("{path}/limits"), resources.limits.as_ref(), quantities.clone());
            operations.raise(&format!("{path}/requests"), resources.requests.as_ref(), quantities);
        }
    }
}

/// A text, or a quantity, which may be written in several ways; both are JSON strings.
#[derive(Clone, Copy)]
enum Value<'v> {
    Text(&'v str),
    Quantity(u64),
}

impl Value<'_> {
    fn is(self, text: &str) -> bool {
        match self {
            Self::Text(value) => value == text,
            Self::Quantity(value) => quantity::parse(text) == Some(value),
        }
    }
}

/// A patch being written.
struct Operations {
    json: Vec<u8>,
}

impl Operations {
    /// Makes the map at `path` hold the entries: created as a whole when missing, else entry by entry, and
    /// only where the value differs.
    fn set_all<'v>(
        &mut self,
        path: &str,
        map: Option<&Pairs<'_>>,
        entries: impl IntoIterator<Item = (&'v str, Value<'v>)>,
    ) {
        let Some(map) = map else {
            self.open("add", path, None);
            self.raw(",\"value\":");
            self.object(entries);
            return self.close();
        };
        for (key, value) in entries {
            let operation = match map.get(key) {
                Some(old) if value.is(old) => continue,
                Some(_) => "replace",
                None => "add",
            };
            self.open(operation, path, Some(key));
            self.raw(",\"value\":");
            self.value(value);
            self.close();
        }
    }

    /// As [`Self::set_all`], for small maps of which most entries change: written anew as a whole, which is less text, and
    /// less work for the API server, than an operation for each. `add` replaces what is there (RFC 6902, 4.1).
    fn raise<'v>(
        &mut self,
        path: &str,
        map: Option<&'v Pairs<'_>>,
        quantities: impl Iterator<Item = (&'v str, Value<'v>)> + Clone,
    ) {
        // Entries that are numbers or `null` must stay so.
        let Some(known) = map.filter(|map| map.are_strings()) else {
            return self.set_all(path, map, quantities);
        };
        let holds = |(key, value): (&str, Value<'_>)| known.get(key).is_some_and(|old| value.is(old));
        if quantities.clone().all(holds) {
            return;
        }
        let is_raised = |key: &str| quantities.clone().any(|(name, _)| name == key);
        let kept = known.iter().filter(|(key, _)| !is_raised(key));
        let kept = kept.map(|(key, text)| (key, Value::Text(text)));
        self.open("add", path, None);
        self.raw(",\"value\":");
        self.object(kept.chain(quantities.clone()));
        self.close();
    }

    /// Begins an operation on `path`, or on the entry `key` below it.
    fn open(&mut self, operation: &str, path: &str, key: Option<&str>) {
        self.raw(if self.json.is_empty() { "[{\"op\":\"" } else { ",{\"op\":\"" });
        self.raw(operation);
        self.raw("\",\"path\":\"");
        self.raw(path);
        if let Some(key) = key {
            self.raw("/");
            json::pointer_token(&mut self.json, key);
        }
        self.raw("\"");
    }

    fn close(&mut self) {
        self.raw("}");
    }

    fn object<'v>(&mut self, entries: impl IntoIterator<Item = (&'v str, Value<'v>)>) {
        for (index, (key, value)) in entries.into_iter().enumerate() {
            self.raw(if index == 0 { "{" } else { "," });
            json::string(&mut self.json, key);
            self.raw(":");
            self.value(value);
        }
        self.raw("}");
    }

    fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Text(text) => json::string(&mut self.json, text),
            Value::Quantity(number) => {
                self.raw("\"");
                // A number into a vector cannot fail; `write!` would take ten times as long.
                drop(serde_json::to_writer(&mut self.json, &number));
                self.raw("\"");
            }
        }
    }

    /// Text that is JSON already.
    fn raw(&mut self, text: &str) {
        self.json.extend_from_slice(text.as_bytes());
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        if self.json.is_empty() {
            return None;
        }
        self.raw("]");
        Some(self.json)
    }
}
