use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fixture::{Fixture, PODS, create, patched, pod};

#[tokio::test]
async fn an_opted_in_pod_gets_eight_networks_and_eight_resources() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let response = client.review(PODS, &create("u-1", &pod())).await.unwrap().response();
    assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(true)));
    let after = patched(&pod(), &response);
    let networks = after["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"].as_str().unwrap();
    let expected: Vec<Value> =
        (1..=8).map(|rail| json!({"name": format!("gpu{rail}-sriov"), "namespace": "spiderpool"})).collect();
    assert_eq!(serde_json::from_str::<Value>(networks).unwrap(), Value::from(expected));
    let resources: BTreeMap<String, String> =
        (1..=8).map(|rail| (format!("spidernet.io/gpu{rail}sriov"), "1".to_owned())).collect();
    let container = &after["spec"]["containers"][0];
    for side in ["limits", "requests"] {
        assert_eq!(container["resources"][side], json!(resources), "{side}");
    }

    let again = client.review(PODS, &create("u-2", &after)).await.unwrap().response();
    assert_eq!(again, json!({"uid": "u-2", "allowed": true}), "a second time changes nothing");
    let count = |decision, reason| {
        fixture.metrics.requests.with_label_values(&["pods", decision, reason, "false"]).get()
    };
    assert_eq!((count("patch", "Injected"), count("allow", "AlreadyInjected")), (1, 1));
}

#[tokio::test]
async fn a_dry_run_is_answered_alike_and_counted_apart() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let real = client.review(PODS, &create("u-1", &pod())).await.unwrap().response();
    let mut review = create("u-1", &pod());
    review["request"]["dryRun"] = true.into();
    let dry = client.review(PODS, &review).await.unwrap().response();
    assert_eq!(dry, real);
    let count =
        |dry_run| fixture.metrics.requests.with_label_values(&["pods", "patch", "Injected", dry_run]).get();
    assert_eq!((count("false"), count("true")), (1, 1));
}

#[tokio::test]
async fn an_unknown_group_is_denied_with_the_reason_code_and_the_request_id() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let mut lost = pod();
    lost["metadata"]["annotations"]["cni.spidernet.io/rdma-resource-inject"] = "rdma-netwrok".into();
    let response = client.review(PODS, &create("u-1", &lost)).await.unwrap().response();
    assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(false)));
    let status = &response["status"];
    assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")));
    assert_eq!(status["details"]["kind"], "Pod");
    assert_eq!(status["details"]["causes"][0]["reason"], "UnknownGroup");
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with("UnknownGroup: "), "{message}");
    assert!(message.contains("rdma-tools-7d9c5b8f6c-"), "{message}");
    let (_, id) = message.rsplit_once(" (request ").unwrap();
    let id = id.strip_suffix(')').unwrap();
    assert!(id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{message}");
}
