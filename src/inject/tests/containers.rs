use serde_json::{Value, json};

use super::{Fixture, network};
use crate::api::keys::{INJECT_CONTAINER, RDMA_INJECT};
use crate::reason::Reason;

fn one_rail() -> Fixture {
    let mut fixture = Fixture::new().annotate(RDMA_INJECT, "one");
    let spec = json!({"cniType": "sriov", "sriov": {"resourceName": "a.b/vf", "ippools": {"ipv4": ["p"]}}});
    fixture.network(&network("spiderpool", "net", json!({RDMA_INJECT: "one"}), spec));
    fixture
}

fn two_rails() -> Fixture {
    let mut fixture = one_rail();
    let spec = json!({"cniType": "sriov", "sriov": {"resourceName": "a.b/vf", "ippools": {"ipv4": ["p"]}}});
    fixture.network(&network("spiderpool", "net2", json!({RDMA_INJECT: "one"}), spec));
    fixture
}

fn asks(quantity: impl Into<Value>) -> Value {
    let quantity = quantity.into();
    json!({"limits": {"a.b/vf": quantity, "cpu": "1"}, "requests": {"a.b/vf": quantity}})
}

#[test]
fn the_named_container_gets_the_devices() {
    let containers = json!([{"name": "sidecar"}, {"name": "train", "resources": {"limits": {"cpu": "1"}}}]);
    let answer = one_rail().spec("containers", containers).annotate(INJECT_CONTAINER, "train").decide();
    assert_eq!(answer.pod["spec"]["containers"][0], json!({"name": "sidecar"}));
    assert_eq!(
        answer.pod["spec"]["containers"][1]["resources"],
        json!({"limits": {"cpu": "1", "a.b/vf": "1"}, "requests": {"a.b/vf": "1"}})
    );
}

#[test]
fn a_name_that_is_no_container_is_refused_with_those_that_are() {
    let containers = json!([{"name": "a"}, {"name": "b"}]);
    let answer = one_rail().spec("containers", containers).annotate(INJECT_CONTAINER, "c").decide();
    assert_eq!(answer.reason, Reason::UnknownContainer);
    assert!(answer.denial.contains("names no regular container; the pod has: a, b; "), "{}", answer.denial);
}

#[test]
fn what_containers_ask_for_themselves_is_counted() {
    for (containers, expected) in [
        (json!([{"name": "a", "resources": asks("1")}]), json!("2")),
        (json!([{"name": "a", "resources": asks(1)}]), json!("2")),
        (json!([{"name": "a"}, {"name": "b", "resources": asks("1")}]), json!("1")),
        (json!([{"name": "a", "resources": {"limits": {"a.b/vf": "1"}}}]), json!("2")),
    ] {
        let answer = two_rails().spec("containers", containers).decide();
        assert_eq!(answer.reason, Reason::Injected);
        assert_eq!(answer.pod["spec"]["containers"][0]["resources"]["limits"]["a.b/vf"], expected);
        assert_eq!(answer.pod["spec"]["containers"][0]["resources"]["requests"]["a.b/vf"], expected);
    }
}

#[test]
fn enough_is_enough() {
    for containers in [
        json!([{"name": "a", "resources": asks("2")}]),
        json!([{"name": "a", "resources": asks("1")}, {"name": "b", "resources": asks("1")}]),
        json!([{"name": "a"}, {"name": "b", "resources": asks("5")}]),
    ] {
        let answer = two_rails().spec("containers", containers.clone()).decide();
        assert_eq!(answer.reason, Reason::Injected);
        assert_eq!(answer.pod["spec"]["containers"], containers);
    }
}

#[test]
fn a_native_sidecar_counts_and_a_plain_init_container_does_not() {
    let init = |policy: Value| json!([{"name": "init", "restartPolicy": policy, "resources": asks("1")}]);
    let sidecar = one_rail().spec("initContainers", init(json!("Always"))).decide();
    assert_eq!(sidecar.pod["spec"]["containers"][0], json!({"name": "main", "image": "tools"}));
    let plain = one_rail().spec("initContainers", init(Value::Null)).decide();
    assert_eq!(plain.pod["spec"]["containers"][0]["resources"]["limits"]["a.b/vf"], "1");
}

#[test]
fn a_quantity_that_is_no_number_of_devices_is_refused() {
    let answer = one_rail().spec("containers", json!([{"name": "a", "resources": asks("500m")}])).decide();
    assert_eq!(answer.reason, Reason::InvalidQuantity);
    assert!(answer.denial.contains("container \"a\" asks for \"500m\" of a.b/vf"), "{}", answer.denial);
}

#[test]
fn a_pod_without_containers_is_refused() {
    for containers in [json!([]), Value::Null] {
        assert_eq!(one_rail().spec("containers", containers).decide().reason, Reason::NoContainer);
    }
}

#[test]
fn null_and_empty_resources_are_filled() {
    for resources in [Value::Null, json!({}), json!({"limits": null}), json!({"limits": {}, "requests": {}})]
    {
        let answer = one_rail().spec("containers", json!([{"name": "a", "resources": resources}])).decide();
        assert_eq!(answer.pod["spec"]["containers"][0]["resources"]["limits"]["a.b/vf"], "1");
        assert_eq!(answer.pod["spec"]["containers"][0]["resources"]["requests"]["a.b/vf"], "1");
    }
}

#[test]
fn the_resources_of_a_container_are_two_operations() {
    let containers = json!([{"name": "a", "resources": {
        "limits": {"cpu": "32"}, "requests": {"cpu": "16"}}}]);
    let answer = Fixture::new().spec("containers", containers).rails().decide();
    let written = |base: Value| {
        let mut map = base;
        for rail in 1..=8 {
            map[format!("spidernet.io/gpu{rail}sriov")] = "1".into();
        }
        map
    };
    let operation = |field: &str, value: Value| json!({"op": "add", "path": format!("/spec/containers/0/resources/{field}"), "value": value});
    let patch = answer.patch.unwrap();
    assert_eq!(
        patch.as_array().unwrap()[3..],
        [
            operation("limits", written(json!({"cpu": "32"}))),
            operation("requests", written(json!({"cpu": "16"})))
        ]
    );
}

#[test]
fn quantities_that_are_written_as_numbers_stay_numbers() {
    let containers = json!([{"name": "a", "resources": {"limits": {"cpu": 32, "memory": null}}}]);
    let answer = one_rail().spec("containers", containers).decide();
    assert_eq!(
        answer.pod["spec"]["containers"][0]["resources"]["limits"],
        json!({"cpu": 32, "memory": null, "a.b/vf": "1"})
    );
}
