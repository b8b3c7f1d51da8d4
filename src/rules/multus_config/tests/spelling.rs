use serde_json::json;

use super::{annotated, check, errors, mend, network, sriov_with};
use crate::rules::{Findings, Notice, Operation, strict_errors};

#[test]
fn the_guide_becomes_canonical() {
    let key = "cni.spidernet.io/rdma-resource-inject";
    let mut object = annotated(
        json!({
            "cniType": "sriov",
            "sriov": { "resourceName": "spidernet.io/gpu1sriov", "enableRdma": true },
            "ippools": { "ipv4": ["gpu1-net11"] }
        }),
        key,
        "rdma-network",
    );
    let notices = mend(&mut object, None);
    assert_eq!(
        object["spec"],
        json!({
            "cniType": "sriov",
            "sriov": {
                "resourceName": "spidernet.io/gpu1sriov", "rdmaIsolation": true,
                "ippools": { "ipv4": ["gpu1-net11"] }
            }
        })
    );
    let expected = [
        Notice::mended("spec.sriov.enableRdma", "deprecated spelling of spec.sriov.rdmaIsolation"),
        Notice::mended("spec.ippools.ipv4", "deprecated spelling of spec.sriov.ippools.ipv4"),
    ];
    assert_eq!(notices, expected);
    assert_eq!(object["metadata"].get("labels"), None);
    assert_eq!(errors(&object), [""; 0]);
    let strict: Vec<String> = strict_errors(&notices).iter().map(ToString::to_string).collect();
    assert_eq!(
        strict,
        [
            "spec.sriov.enableRdma: Forbidden: deprecated spelling of spec.sriov.rdmaIsolation",
            "spec.ippools.ipv4: Forbidden: deprecated spelling of spec.sriov.ippools.ipv4",
        ]
    );
}

#[test]
fn every_older_spelling_has_its_canonical_place() {
    let table = [
        (
            json!({ "cniType": "sriov", "sriov": { "resourceName": "a.io/b", "matchMasterSubnet": true } }),
            json!({ "cniType": "sriov", "sriov": { "resourceName": "a.io/b", "ippools": { "matchMasterSubnet": true } } }),
            vec!["spec.sriov.matchMasterSubnet"],
        ),
        (
            json!({ "cniType": "sriov", "sriov": { "ippools": { "ipv4": ["p"] } }, "matchMasterSubnet": true }),
            json!({ "cniType": "sriov", "sriov": { "ippools": { "ipv4": ["p"], "matchMasterSubnet": true } } }),
            vec!["spec.matchMasterSubnet"],
        ),
        (
            json!({ "cniType": "macvlan", "macvlan": { "master": ["e"], "ippools": {} }, "ippools": { "ipv6": ["p"], "matchMasterSubnet": false } }),
            json!({ "cniType": "macvlan", "macvlan": { "master": ["e"], "ippools": { "ipv6": ["p"], "matchMasterSubnet": false } } }),
            vec!["spec.ippools.ipv6", "spec.ippools.matchMasterSubnet"],
        ),
        (
            json!({ "cniType": "ib-sriov", "ibsriov": { "pkey": 1000, "enableRdma": false, "ibKubernetesEnabled": true } }),
            json!({ "cniType": "ib-sriov", "ibsriov": { "pkey": "0x03E8", "rdmaIsolation": false, "enableIbKubernetes": true } }),
            vec!["spec.ibsriov.enableRdma", "spec.ibsriov.ibKubernetesEnabled", "spec.ibsriov.pkey"],
        ),
        (
            json!({ "cniType": "sriov", "sriov": { "enableRdma": true, "rdmaIsolation": true } }),
            json!({ "cniType": "sriov", "sriov": { "rdmaIsolation": true } }),
            vec!["spec.sriov.enableRdma"],
        ),
        (
            json!({ "cniType": "sriov", "sriov": {}, "coordinator": { "mode": "disable", "hijackCIDR": ["1.1.1.1"] } }),
            json!({ "cniType": "sriov", "sriov": {}, "coordinator": { "mode": "disabled", "hijackCIDR": ["1.1.1.1/32"] } }),
            vec!["spec.coordinator.mode"],
        ),
        (
            json!({ "cniType": "vlan", "vlan": { "vlanMode": "auto", "vlanID": 0 } }),
            json!({ "cniType": "vlan", "vlan": { "vlanMode": "auto" } }),
            vec!["spec.vlan.vlanID"],
        ),
    ];
    for (spec, expected, fields) in table {
        let mut object = network(spec);
        let notices = mend(&mut object, None);
        assert_eq!(object["spec"], expected);
        assert_eq!(notices.iter().map(|notice| notice.field.as_str()).collect::<Vec<_>>(), fields);
        assert_eq!(mend(&mut object, None), []);
    }
}

#[test]
fn two_spellings_that_disagree_are_an_error_that_names_both() {
    let mut object = sriov_with(
        json!({ "enableRdma": true, "rdmaIsolation": false, "ippools": { "ipv4": ["gpu1-net11"] } }),
    );
    object["spec"]["ippools"] = json!({ "ipv4": ["gpu2-net12"] });
    assert_eq!(mend(&mut object, None), []);
    assert_eq!(
        errors(&object),
        [
            "spec.sriov.enableRdma: Invalid value: \"true\": deprecated spelling of spec.sriov.rdmaIsolation, \
             which has another value, false; keep one of them",
            "spec.ippools.ipv4: Invalid value: \"[\\\"gpu2-net12\\\"]\": deprecated spelling of \
             spec.sriov.ippools.ipv4, which has another value, [\"gpu1-net11\"]; keep one of them",
        ]
    );
    let custom = network(json!({ "cniType": "custom", "ippools": { "ipv4": ["p"] } }));
    assert_eq!(
        errors(&custom),
        ["spec.ippools: Forbidden: cniType custom takes its pools from the ipam section of customCNI"]
    );
    // Without its block there is no place for the pools yet; that is what is said.
    let homeless = network(json!({ "cniType": "sriov", "ippools": { "ipv4": ["p"] } }));
    assert_eq!(errors(&homeless), ["spec.sriov: Required value: cniType sriov is configured there"]);
}

#[test]
fn what_was_stored_before_a_rule_came_can_still_be_labelled() {
    let old = sriov_with(json!({ "resourceName": "nodomain", "enableRdma": true }));
    let mut new = old.clone();
    new["metadata"]["finalizers"] = json!(["example.com/x"]);
    mend(&mut new, Some(&old));
    let found = check(Operation::Update, &new, Some(&old));
    assert_eq!(found.errors, []);
    assert!(found.notices[0].message.ends_with("(tolerated: it was stored like this)"), "{found:?}");
    new["spec"]["sriov"]["mtu"] = json!(9000);
    assert_eq!(check(Operation::Update, &new, Some(&old)).errors.len(), 1);
    new["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    new["spec"]["sriov"]["enableRdma"] = json!(true);
    assert_eq!(mend(&mut new, Some(&old)), []);
    assert_eq!(check(Operation::Update, &new, Some(&old)), Findings::default());
}
