use hyper::StatusCode;
use serde_json::json;

use super::fixture::{Fixture, PODS, create, pod};

const POOLS: &str = "/mutate-spiderpool-spidernet-io-v2beta1-spiderippool";

#[tokio::test]
async fn bodies_that_are_no_review_get_400_and_a_short_text() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let mut without_uid = create("", &pod());
    let mut wrong_version = create("u", &pod());
    wrong_version["apiVersion"] = "admission.k8s.io/v1beta1".into();
    let cases = [
        (String::new(), "failed to read the AdmissionReview: "),
        ("not json".into(), "failed to read the AdmissionReview: "),
        ("[]".into(), "failed to read the AdmissionReview: "),
        (without_uid.to_string(), "request.uid is empty"),
        (
            {
                without_uid["request"].as_object_mut().unwrap().remove("uid");
                without_uid.to_string()
            },
            "failed to read the AdmissionReview: missing field `uid`",
        ),
        (wrong_version.to_string(), "expected kind AdmissionReview of admission.k8s.io/v1, "),
    ];
    for path in [PODS, POOLS] {
        for (body, start) in &cases {
            let received = client.post(path, body.clone()).await.unwrap();
            assert_eq!(received.status, StatusCode::BAD_REQUEST, "{path} {body}");
            assert!(received.text().starts_with(start), "{path} {body}: {}", received.text());
            assert!(received.body.len() < 200);
        }
    }
    let unreadable = fixture.metrics.requests.with_label_values(&["pods", "error", "Unreadable", "false"]);
    assert_eq!(unreadable.get(), 6);
}

#[tokio::test]
async fn a_pod_that_cannot_be_read_is_denied_under_its_uid() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let mut bad = pod();
    bad["spec"]["containers"] = "none".into();
    let response = client.review(PODS, &create("u-1", &bad)).await.unwrap().response();
    assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(false)));
    assert_eq!(response["status"]["code"], 400);
    assert_eq!(response["status"]["reason"], "BadRequest");
    assert_eq!(response["status"]["details"]["causes"][0]["reason"], "Unreadable");

    let mut nothing = create("u-2", &pod());
    nothing["request"]["object"] = json!(null);
    let response = client.review(PODS, &nothing).await.unwrap().response();
    assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-2"), &json!(false)));
}

#[tokio::test]
async fn an_object_of_another_kind_is_denied_under_its_uid() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    for (path, kind) in [(PODS, "Pod"), (POOLS, "SpiderIPPool")] {
        let response = client.review(path, &create("u-1", &config_map)).await.unwrap().response();
        assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(false)));
        let message = response["status"]["message"].as_str().unwrap();
        let start = format!("Unreadable: this path takes {kind}, not ConfigMap (request ");
        assert!(message.starts_with(&start), "{message}");
    }
}

#[tokio::test]
async fn whatever_is_not_a_creation_of_a_pod_passes() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let mut reviews = Vec::new();
    for operation in ["UPDATE", "DELETE", "CONNECT"] {
        let mut review = create("u-1", &pod());
        review["request"]["operation"] = operation.into();
        reviews.push(review);
    }
    reviews[1]["request"]["object"] = json!(null);
    let mut binding = create("u-1", &json!({"apiVersion": "v1", "kind": "Binding", "metadata": {}}));
    binding["request"]["subResource"] = "binding".into();
    reviews.push(binding);
    for review in reviews {
        let response = client.review(PODS, &review).await.unwrap().response();
        assert_eq!(response, json!({"uid": "u-1", "allowed": true}), "{review}");
    }
}
