//! The webhook on namespaces: mirrors their opt-in to the label that selectors see, in the same write. Pure.

use serde_json::{Value, json};

use super::response::RequestId;
use super::review::{Answer, ReviewRequest, read, read_envelope};
use crate::api::keys;
use crate::inject::namespace_opts_in;
use crate::reason::Reason;
use crate::rules::Operation;

/// Answers one review of a namespace.
#[must_use]
pub(super) fn answer(body: &[u8], id: RequestId) -> Answer {
    let request = match read::<Value>(body) {
        Ok(request) => request,
        Err(error) => {
            return match read_envelope(body) {
                Ok(request) => Answer::bad_object(&request, "", &error.to_string(), id),
                Err(error) => Answer::unreadable(&error),
            };
        }
    };
    if !matches!(request.operation(), Some(Operation::Create | Operation::Update)) {
        return Answer::allow(&request, Reason::Valid, &[]);
    }
    if request.kind.kind != "Namespace" {
        let message = format!("this path takes Namespace, not {}", request.kind.kind);
        return Answer::bad_object(&request, "", &message, id);
    }
    mirrored(&request)
}

fn mirrored(request: &ReviewRequest<'_, Value>) -> Answer {
    let metadata = request.object.as_ref().map_or(&Value::Null, |object| &object["metadata"]);
    let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
    let opted_in = namespace_opts_in(|key| annotations.get(key).or_else(|| labels.get(key))?.as_str());
    let label = labels.get(keys::NAMESPACE_OPT_IN).and_then(Value::as_str);
    let pointer = format!("/metadata/labels/{}", keys::NAMESPACE_OPT_IN.replace('/', "~1"));
    let patch = match (opted_in, label) {
        (true, Some("true")) | (false, None) => return Answer::allow(request, Reason::Valid, &[]),
        (true, _) if labels.is_object() => json!([{ "op": "add", "path": pointer, "value": "true" }]),
        (true, _) => {
            let labels = json!({ keys::NAMESPACE_OPT_IN: "true" });
            json!([{ "op": "add", "path": "/metadata/labels", "value": labels }])
        }
        (false, Some(_)) => json!([{ "op": "remove", "path": pointer }]),
    };
    Answer::patch(request, Reason::Normalised, patch.to_string().as_bytes(), &[])
}

#[cfg(test)]
mod tests {
    use super::super::review::Verdict;
    use super::*;

    fn review(operation: &str, kind: &str, metadata: &Value) -> Vec<u8> {
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": { "uid": "u-1", "operation": operation, "kind": { "kind": kind },
                "object": { "metadata": metadata } }
        })
        .to_string()
        .into_bytes()
    }

    /// The labels of a namespace after the review.
    fn labels(metadata: &Value) -> Value {
        let answer = answer(&review("UPDATE", "Namespace", metadata), RequestId(1));
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["response"]["allowed"], true);
        let mut object = json!({ "metadata": metadata });
        if let Some(patch) = body["response"]["patch"].as_str() {
            let patch = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, patch).unwrap();
            json_patch::patch(&mut object, &serde_json::from_slice::<json_patch::Patch>(&patch).unwrap())
                .unwrap();
        }
        object["metadata"]["labels"].clone()
    }

    #[test]
    fn the_label_says_what_the_keys_say() {
        let cases = [
            (json!({}), Value::Null),
            (json!({ "annotations": { keys::RDMA_INJECT: "g" } }), json!({ keys::NAMESPACE_OPT_IN: "true" })),
            (
                json!({ "labels": { keys::NETWORK_INJECT: "g" } }),
                json!({ keys::NETWORK_INJECT: "g", keys::NAMESPACE_OPT_IN: "true" }),
            ),
            (
                json!({ "annotations": { keys::RDMA_INJECT: "g" }, "labels": { keys::NAMESPACE_OPT_IN: "x" } }),
                json!({ keys::NAMESPACE_OPT_IN: "true" }),
            ),
            (
                json!({ "annotations": { keys::RDMA_INJECT: "g" }, "labels": { keys::NAMESPACE_OPT_IN: "true" } }),
                json!({ keys::NAMESPACE_OPT_IN: "true" }),
            ),
            (json!({ "labels": { keys::NAMESPACE_OPT_IN: "true", "a": "b" } }), json!({ "a": "b" })),
            (json!({ "annotations": { keys::RDMA_INJECT: "none" } }), Value::Null),
        ];
        for (metadata, expected) in cases {
            assert_eq!(labels(&metadata), expected, "{metadata}");
        }
    }

    #[test]
    fn other_kinds_are_refused_and_other_operations_pass() {
        let annotated = json!({ "annotations": { keys::RDMA_INJECT: "g" } });
        let verdict =
            |operation: &str, kind: &str| answer(&review(operation, kind, &annotated), RequestId(1)).verdict;
        assert_eq!(verdict("CREATE", "Namespace"), Verdict::Patch);
        assert_eq!(verdict("DELETE", "Namespace"), Verdict::Allow);
        assert_eq!(verdict("CREATE", "Pod"), Verdict::Deny);
        assert_eq!(answer(b"{", RequestId(1)).verdict, Verdict::Error);
    }
}
