use serde_json::json;

use super::fixture::{Fixture, create};

const MUTATE: &str = "/mutate-spiderpool-spidernet-io-v2beta1-spiderippool";
const VALIDATE: &str = "/validate-spiderpool-spidernet-io-v2beta1-spiderippool";

fn pool(subnet: &str) -> serde_json::Value {
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool",
        "metadata": {"name": "gpu1-net11"},
        "spec": {"subnet": subnet, "ips": ["172.16.11.10-172.16.11.20"], "gateway": "172.16.11.254", "ipVersion": 4}
    })
}

#[tokio::test]
async fn a_pool_that_breaks_rules_is_refused_with_every_field() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let mut bad = pool("172.16.11.0/24");
    bad["spec"]["ips"] = json!(["172.16.12.1", "172.16.11.300"]);
    let response = client.review(VALIDATE, &create("u-1", &bad)).await.unwrap().response();
    assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(false)));
    let status = &response["status"];
    assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")));
    let details = &status["details"];
    assert_eq!(
        (&details["group"], &details["kind"], &details["name"]),
        (&json!("spiderpool.spidernet.io"), &json!("SpiderIPPool"), &json!("gpu1-net11"))
    );
    let fields: Vec<&str> =
        details["causes"].as_array().unwrap().iter().map(|cause| cause["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"spec.ips[0]") && fields.contains(&"spec.ips[1]"), "{details}");
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with("Invalid: SpiderIPPool \"gpu1-net11\" is invalid: ["), "{message}");
}

#[tokio::test]
async fn a_good_pool_is_stored_and_a_deletion_is_looked_at_as_it_was() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let review = create("u-1", &pool("172.16.11.0/24"));
    let response = client.review(VALIDATE, &review).await.unwrap().response();
    assert_eq!(response["allowed"], true, "{response}");

    let mut deletion = review.clone();
    let request = &mut deletion["request"];
    request["operation"] = "DELETE".into();
    request["oldObject"] = request["object"].take();
    for path in [VALIDATE, MUTATE] {
        let response = client.review(path, &deletion).await.unwrap().response();
        assert_eq!(response["allowed"], true, "{path} {response}");
        assert_eq!(response.get("patch"), None);
    }
}

#[tokio::test]
async fn a_write_to_the_status_is_none_of_our_business() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let mut review = create("u-1", &pool("no subnet at all"));
    review["request"]["subResource"] = "status".into();
    for path in [VALIDATE, MUTATE] {
        let response = client.review(path, &review).await.unwrap().response();
        assert_eq!(response, json!({"uid": "u-1", "allowed": true}), "{path}");
    }
}
