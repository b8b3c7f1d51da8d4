use serde_json::Value;

use super::decision::Plan;
use super::pod_view::{Pairs, PodView, ResourcesView};
use crate::api::keys;

/// Writes the JSON patch (RFC 6902) that gives the pod what the plan says; none when the pod has it all.
///
/// Only `add`, `replace` and `remove` of what changes: fields this code does not know stay untouched. A map
/// that the pod lacks is created, because `add` below a missing map fails inside the API server.
#[must_use]
pub fn patch(plan: &Plan<'_>, pod: &PodView<'_>) -> Option<Vec<u8>> {
    let mut ops = Operations::default();
    let annotations = pod.metadata.annotations.as_ref();
    for key in &plan.cleared {
        ops.write("remove", &["/metadata/annotations/", &escape(key)], None);
    }
    ops.set_all(
        "/metadata/annotations",
        annotations,
        &[(keys::NETWORKS, &plan.networks), (keys::INJECTED, &plan.injected)],
    );
    let rails = plan.rails.to_string();
    ops.set_all("/metadata/labels", pod.metadata.labels.as_ref(), &[(keys::RAILS, &rails)]);
    raise_resources(&mut ops, plan, pod);
    ops.finish()
}

/// Limits and requests of extended resources must be equal, so both are written.
fn raise_resources(ops: &mut Operations, plan: &Plan<'_>, pod: &PodView<'_>) {
    if plan.resources.is_empty() {
        return;
    }
    let index = plan.container.to_string();
    let path = ["/spec/containers/", &index, "/resources"].concat();
    let quantities: Vec<(&str, String)> =
        plan.resources.iter().map(|(name, quantity)| (*name, quantity.to_string())).collect();
    let entries: Vec<(&str, &str)> =
        quantities.iter().map(|(name, quantity)| (*name, quantity.as_str())).collect();
    let resources = pod.containers().get(plan.container).and_then(|container| container.resources.as_ref());
    match resources {
        None => ops.write(
            "add",
            &[&path],
            Some(&["{\"limits\":", &object(&entries), ",\"requests\":", &object(&entries), "}"]),
        ),
        Some(ResourcesView { limits, requests }) => {
            ops.set_all(&[&path, "/limits"].concat(), limits.as_ref(), &entries);
            ops.set_all(&[&path, "/requests"].concat(), requests.as_ref(), &entries);
        }
    }
}

/// A patch being written.
#[derive(Default)]
struct Operations {
    json: Vec<u8>,
}

impl Operations {
    /// Makes the map at `path` hold the entries: created as a whole when missing, else entry by entry, and
    /// only where the value differs.
    fn set_all(&mut self, path: &str, map: Option<&Pairs<'_>>, entries: &[(&str, &str)]) {
        let Some(map) = map else {
            return self.write("add", &[path], Some(&[&object(entries)]));
        };
        for (key, value) in entries {
            match map.get(key) {
                Some(old) if old == *value => {}
                Some(_) => self.write("replace", &[path, "/", &escape(key)], Some(&[&quoted(value)])),
                None => self.write("add", &[path, "/", &escape(key)], Some(&[&quoted(value)])),
            }
        }
    }

    /// One operation; path and value are given in parts of text that is JSON already.
    fn write(&mut self, op: &str, path: &[&str], value: Option<&[&str]>) {
        if self.json.is_empty() {
            self.json.reserve(2048);
        }
        let opening = if self.json.is_empty() { "[{\"op\":\"" } else { ",{\"op\":\"" };
        let mut push = |text: &str| self.json.extend_from_slice(text.as_bytes());
        [opening, op, "\",\"path\":\""].into_iter().for_each(&mut push);
        path.iter().copied().for_each(&mut push);
        push("\"");
        if let Some(value) = value {
            push(",\"value\":");
            value.iter().copied().for_each(&mut push);
        }
        push("}");
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        if self.json.is_empty() {
            return None;
        }
        self.json.push(b']');
        Some(self.json)
    }
}

/// A key as one token of a JSON pointer inside a JSON string.
fn escape(key: &str) -> String {
    let mut token = quoted(&key.replace('~', "~0").replace('/', "~1"));
    token.pop();
    token.remove(0);
    token
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn object(entries: &[(&str, &str)]) -> String {
    let mut json = String::with_capacity(64 * entries.len() + 2);
    for (key, value) in entries {
        json.push(if json.is_empty() { '{' } else { ',' });
        json.push_str(&quoted(key));
        json.push(':');
        json.push_str(&quoted(value));
    }
    json.push('}');
    json
}
