use railweave::admission::{Answer, RequestId, Webhook};
use railweave::catalog::Catalog;
use serde_json::json;

use super::fixture::{Fixture, PODS, create, pod};

fn broken(_: Webhook, _: &[u8], _: &Catalog, _: RequestId) -> Answer {
    panic!("as the test wants it")
}

#[tokio::test]
async fn a_panic_becomes_a_denial_and_a_count() {
    let fixture = Fixture::with(|setup| setup.state.decide = broken).await;
    let mut client = fixture.client().await;
    let response = client.review(PODS, &create("u-1", &pod())).await.unwrap().response();
    assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(false)));
    assert_eq!(response["status"]["code"], 500);
    assert_eq!(response["status"]["reason"], "InternalError");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("InternalError: railweave broke while it decided"), "{message}");
    assert!(!message.contains("as the test wants it"), "{message}");
    assert_eq!(fixture.metrics.panics.get(), 1);

    let received = client.post(PODS, "no review").await.unwrap();
    assert_eq!(received.status, 500, "the connection is still good");
    assert_eq!(fixture.metrics.panics.get(), 2);
    let denied = fixture.metrics.requests.with_label_values(&["pods", "deny", "InternalError", "false"]);
    assert_eq!(denied.get(), 1);
}
