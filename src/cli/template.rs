//! Finds the pods inside objects: pods themselves, and the templates of every workload, known or not.

use serde_json::{Map, Value, json};

/// Where a pod or pod template stands in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// JSON pointer (RFC 6901); empty for a pod itself.
    pub(super) pointer: String,
    /// The same as a field path: `spec.template`.
    pub(super) path: String,
}

/// All pods and templates in an object. A template is an object with a list `spec.containers` under a key that
/// ends in `template`: `spec.template`, `spec.leaderWorkerTemplate.workerTemplate`, ...
#[must_use]
pub(super) fn places(object: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    if object["kind"] == "Pod" && object["apiVersion"] == "v1" {
        found.push(Place { pointer: String::new(), path: String::new() });
    } else {
        search(object, &Place { pointer: String::new(), path: String::new() }, &mut found);
    }
    found
}

fn search(value: &Value, at: &Place, found: &mut Vec<Place>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let place = at.field(key);
                if key.to_ascii_lowercase().ends_with("template") && value["spec"]["containers"].is_array() {
                    found.push(place);
                } else {
                    search(value, &place, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, &at.item(index), found);
            }
        }
        _ => {}
    }
}

impl Place {
    fn field(&self, key: &str) -> Self {
        let escaped = key.replace('~', "~0").replace('/', "~1");
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { pointer: format!("{}/{escaped}", self.pointer), path: format!("{}{dot}{key}", self.path) }
    }

    fn item(&self, index: usize) -> Self {
        Self { pointer: format!("{}/{index}", self.pointer), path: format!("{}[{index}]", self.path) }
    }

    /// A field inside the pod, as a path from the object's root.
    #[must_use]
    pub(super) fn path_to(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }
}

/// The pod that a template of `object` makes, named as its controller would name it; a pod as it is.
///
/// Its maps are there or not as in the template, so that a patch for the pod fits the template too.
#[must_use]
pub(super) fn pod_of(object: &Value, place: &Place) -> Option<Value> {
    let template = object.pointer(&place.pointer)?;
    if place.pointer.is_empty() {
        return Some(template.clone());
    }
    let mut metadata = match &template["metadata"] {
        Value::Object(metadata) => metadata.clone(),
        _ => Map::new(),
    };
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let owner = text(&object["metadata"]["name"]);
    metadata.entry("generateName").or_insert_with(|| format!("{owner}-").into());
    metadata
        .entry("ownerReferences")
        .or_insert_with(|| json!([{ "kind": text(&object["kind"]), "name": owner }]));
    Some(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] }))
}

/// The namespace that an object is for.
#[must_use]
pub(super) fn namespace_of<'a>(object: &'a Value, fallback: &'a str) -> &'a str {
    object["metadata"]["namespace"].as_str().filter(|namespace| !namespace.is_empty()).unwrap_or(fallback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(object: &Value) -> Vec<String> {
        places(object).into_iter().map(|place| place.path).collect()
    }

    fn template() -> Value {
        json!({ "spec": { "containers": [{ "name": "c" }] } })
    }

    #[test]
    fn pods_and_templates_are_found_wherever_they_stand() {
        assert_eq!(paths(&json!({"kind": "Pod", "apiVersion": "v1", "spec": {"containers": []}})), [""]);
        assert_eq!(
            paths(&json!({"kind": "Deployment", "spec": {"template": template()}})),
            ["spec.template"]
        );
        assert_eq!(
            paths(&json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template()}}}})),
            ["spec.jobTemplate.spec.template"]
        );
        assert_eq!(
            paths(&json!({"kind": "PyTorchJob", "spec": {"pytorchReplicaSpecs": {
                "Master": {"template": template()}, "Worker": {"template": template()}
            }}})),
            ["spec.pytorchReplicaSpecs.Master.template", "spec.pytorchReplicaSpecs.Worker.template"]
        );
        assert_eq!(
            paths(&json!({"kind": "LeaderWorkerSet", "spec": {"leaderWorkerTemplate": {
                "leaderTemplate": template(), "workerTemplate": template(), "size": 2
            }}})),
            ["spec.leaderWorkerTemplate.leaderTemplate", "spec.leaderWorkerTemplate.workerTemplate"]
        );
        assert_eq!(
            paths(&json!({"kind": "JobSet", "spec": {"replicatedJobs": [
                {"name": "a/b", "template": {"spec": {"template": template()}}}
            ]}})),
            ["spec.replicatedJobs[0].template.spec.template"]
        );
        assert_eq!(
            paths(&json!({"kind": "ConfigMap", "data": {"template": "spec: {containers: []}"}})),
            [""; 0]
        );
    }

    #[test]
    fn a_template_becomes_the_pod_that_its_controller_makes() {
        let object = json!({
            "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}}
        });
        let place = &places(&object)[0];
        assert_eq!(place.pointer, "/spec/template");
        assert_eq!(place.path_to("metadata.annotations"), "spec.template.metadata.annotations");
        assert_eq!(
            pod_of(&object, place),
            Some(json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "labels": {"a": "b"}, "generateName": "web-",
                    "ownerReferences": [{"kind": "Deployment", "name": "web"}]
                },
                "spec": {"containers": []}
            }))
        );
    }
}
