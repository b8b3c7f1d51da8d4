use std::sync::Arc;

use serde_json::{Value, json};

use super::fixture::{Fixture, catalog, create, patched, settings};

const MUTATE: &str = "/mutate-spiderpool-spidernet-io-v2beta1-spiderippool";
const VALIDATE: &str = "/validate-spiderpool-spidernet-io-v2beta1-spiderippool";

fn pool(subnet: &str) -> Value {
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool",
        "metadata": {"name": "gpu1-net11"},
        "spec": {"subnet": subnet, "ips": ["172.16.11.10-172.16.11.20"], "gateway": "172.16.11.254", "ipVersion": 4}
    })
}

fn network(sriov: &Value) -> Value {
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig",
        "metadata": {"name": "gpu1-sriov", "namespace": "spiderpool"},
        "spec": {"cniType": "sriov", "sriov": sriov}
    })
}

#[tokio::test]
async fn a_network_that_breaks_rules_is_refused_with_every_field() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let bad = network(&json!({"vlanID": 5000, "ippools": {"ipv4": ["gpu1-net11"]}}));
    let path = "/validate-spiderpool-spidernet-io-v2beta1-spidermultusconfig";
    let response = client.review(path, &create("u-1", &bad)).await.unwrap().response();
    assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(false)));
    let status = &response["status"];
    assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")));
    let details = &status["details"];
    assert_eq!(
        (&details["group"], &details["kind"], &details["name"]),
        (&json!("spiderpool.spidernet.io"), &json!("SpiderMultusConfig"), &json!("gpu1-sriov"))
    );
    let fields: Vec<&str> =
        details["causes"].as_array().unwrap().iter().map(|cause| cause["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"spec.sriov.vlanID"), "{details}");
    assert!(fields.contains(&"spec.sriov.resourceName"), "{details}");
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with("Invalid: SpiderMultusConfig \"gpu1-sriov\" is invalid: ["), "{message}");
}

#[tokio::test]
async fn an_older_spelling_is_mended_with_a_warning_or_refused_in_strict_configurations() {
    let older = network(&json!({
        "resourceName": "spidernet.io/gpu1sriov", "enableRdma": true, "ippools": {"ipv4": ["gpu1-net11"]}
    }));
    let path = "/mutate-spiderpool-spidernet-io-v2beta1-spidermultusconfig";

    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let response = client.review(path, &create("u-1", &older)).await.unwrap().response();
    let after = patched(&older, &response);
    assert_eq!(after["spec"]["sriov"]["rdmaIsolation"], true);
    assert_eq!(after["spec"]["sriov"].get("enableRdma"), None);
    let warning = response["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("enableRdma") && warning.contains("rdmaIsolation"), "{warning}");

    let mut strict = settings();
    strict.strict = true;
    let fixture = Fixture::with(|setup| setup.state.catalog.store(Arc::new(catalog(&strict)))).await;
    let mut client = fixture.client().await;
    let response = client.review(path, &create("u-2", &older)).await.unwrap().response();
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(422)));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("DeprecatedSpelling: "), "{message}");
    let (_, said) = warning.split_once(": ").unwrap();
    assert!(message.contains(said), "the same text as the warning: {message}");
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
