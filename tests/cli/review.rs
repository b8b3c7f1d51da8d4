use railweave::admission::{RequestId, Webhook, decide};
use railweave::api::settings::Settings;
use railweave::catalog::{Catalog, Identity};
use railweave::sources::Directory;
use serde_json::json;

use crate::support::{GUIDE, piped};

fn catalog() -> Catalog {
    let mut settings = Settings::default();
    settings.inject.enabled = true;
    Directory::new(GUIDE, Identity::default(), settings).read().unwrap().catalog
}

fn review(group: &str) -> String {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": "default",
            "operation": "CREATE",
            "object": {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "generateName": "a-", "annotations": {"cni.spidernet.io/rdma-resource-inject": group}
                },
                "spec": {"containers": [{"name": "c"}]}
            }
        }
    })
    .to_string()
}

#[test]
fn the_answer_is_the_servers_byte_for_byte() {
    for (group, code) in [("rdma-network", 0), ("none", 0), ("nobody", 1)] {
        let body = review(group);
        let run = piped(&["review", "--path", "/mutate--v1-pod", "--catalog", GUIDE], &body);
        let expected = decide(Webhook::Pods, body.as_bytes(), &catalog(), RequestId(0)).body;
        assert_eq!(run.code, code, "{run:?}");
        assert_eq!(run.out.trim_end().as_bytes(), expected, "{group}");
    }
}

#[test]
fn what_is_no_review_and_paths_that_are_none_have_exit_code_2() {
    let run = piped(&["review", "--path", "/mutate--v1-pod", "--catalog", GUIDE], "{}");
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("error: failed to answer the review: "), "{}", run.err);
    let run = piped(&["review", "--path", "/mutate", "--catalog", GUIDE], &review("a"));
    assert_eq!(run.code, 2);
    assert!(run.err.contains("/mutate--v1-pod"), "{}", run.err);
}
