//! `AdmissionReview` requests as the API server writes them.

use serde_json::{Value, json};

/// A review of the creation of an object. `resource` is the plural in URLs.
#[must_use]
pub(super) fn creation(uid: &str, namespace: &str, resource: &str, object: &Value) -> Value {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let mut request = json!({
        "uid": uid,
        "kind": { "group": group, "version": version, "kind": object["kind"] },
        "resource": { "group": group, "version": version, "resource": resource },
        "operation": "CREATE",
        "userInfo": { "username": "demo" },
        "object": object,
    });
    // Both are absent rather than empty: for cluster-scoped objects, and for names to be generated.
    if !namespace.is_empty() {
        request["namespace"] = namespace.into();
    }
    if let Some(name) = object["metadata"]["name"].as_str() {
        request["name"] = name.into();
    }
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request })
}
