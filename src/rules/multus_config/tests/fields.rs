use serde_json::{Value, json};

use super::{advice, check, errors, ib_sriov_with, macvlan, mend, network, of, sriov_with};
use crate::rules::{Findings, Operation};

#[test]
fn networks_of_every_type_are_accepted() {
    let chain = r#"{"type":"bandwidth","ingressRate":18446744073709551615}"#;
    let pools = json!({ "ipv4": ["gpu1-net11", "gpu?-net1[12]"], "ipv6": ["six"] });
    let table = [
        of("macvlan", "macvlan", json!({ "master": ["eth0"], "mtu": 0, "vlanID": 100, "ippools": pools })),
        of(
            "ipvlan",
            "ipvlan",
            json!({ "master": ["eth0", "eth1"], "bond": { "name": "bond0", "mode": 6, "options": "" } }),
        ),
        of("vlan", "vlan", json!({ "master": ["eth0"], "vlanID": 4094 })),
        of("vlan", "vlan", json!({ "master": ["eth0"], "vlanMode": "auto" })),
        sriov_with(json!({ "mtu": 8000, "minTxRateMbps": 5, "maxTxRateMbps": 5, "rdmaIsolation": true })),
        sriov_with(json!({ "ippools": { "ipv4": ["gpu1*"], "matchMasterSubnet": true } })),
        ib_sriov_with(json!({ "pkey": "0x1000", "linkState": "auto", "enableIbKubernetes": true })),
        of("ipoib", "ipoib", json!({ "master": "ib0", "ippools": pools })),
        of(
            "ovs",
            "ovs",
            json!({ "bridge": "br0", "vlan": 0, "trunk": [{ "minID": 1, "maxID": 4094 }, { "id": 0 }] }),
        ),
        network(json!({ "cniType": "custom" })),
        network(json!({ "customCNI": r#"{"cniVersion":"0.3.1","plugins":[{"type":"macvlan"}]}"# })),
        network(json!({ "cniType": "custom", "customCNI": r#"{"type":"macvlan"}"# })),
        network(json!({})),
    ];
    for mut object in table {
        assert_eq!(errors(&object), [""; 0], "{object}");
        assert_eq!(advice(&object), [""; 0], "{object}");
        object["spec"]["chainCNIJsonData"] = json!([chain]);
        assert_eq!(errors(&object), [""; 0], "{object}");
        assert_eq!(check(Operation::Delete, &object, None), Findings::default());
    }
}

#[test]
fn a_network_has_the_block_of_its_type_and_no_other() {
    let table = [
        ("macvlan", "macvlan"),
        ("ipvlan", "ipvlan"),
        ("vlan", "vlan"),
        ("sriov", "sriov"),
        ("ib-sriov", "ibsriov"),
        ("ipoib", "ipoib"),
        ("ovs", "ovs"),
    ];
    for (kind, block) in table {
        assert_eq!(
            errors(&network(json!({ "cniType": kind }))),
            [format!("spec.{block}: Required value: cniType {kind} is configured there")]
        );
    }
    let mut two = sriov_with(json!({}));
    two["spec"]["macvlan"] = json!({ "master": ["eth0"] });
    two["spec"]["customCNI"] = json!("{}");
    assert_eq!(
        errors(&two),
        [
            "spec.macvlan: Forbidden: belongs to cniType macvlan, and this network has cniType sriov",
            "spec.customCNI: Forbidden: belongs to cniType custom, and this network has cniType sriov"
        ]
    );
    let mut leftovers = sriov_with(json!({}));
    leftovers["spec"]["customCNI"] = json!("");
    leftovers["spec"]["ipoib"] = json!({ "ippools": {} });
    leftovers["spec"]["macvlan"] = json!({ "mtu": 0, "vlanID": 0, "rdmaResourceName": "", "ippools": {} });
    assert_eq!(errors(&leftovers), [""; 0]);
    let fields: Vec<String> = mend(&mut leftovers, None).into_iter().map(|notice| notice.field).collect();
    assert_eq!(fields, ["spec.macvlan", "spec.ipoib"]);
    assert_eq!(leftovers["spec"].get("macvlan").or_else(|| leftovers["spec"].get("ipoib")), None);
    assert_eq!(
        errors(&network(json!({ "sriov": { "resourceName": "a.io/b" } }))),
        ["spec.cniType: Required value: without it the type is custom; write cniType: sriov"]
    );
    assert_eq!(
        errors(&network(json!({ "cniType": "ibsriov", "ibsriov": { "resourceName": "a.io/b" } }))),
        ["spec.cniType: Unsupported value: \"ibsriov\": use one of macvlan, ipvlan, vlan, sriov, ovs, \
          ib-sriov, ipoib, custom; did you mean \"ib-sriov\"?"]
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one row for each rule")]
fn each_field_has_its_rule() {
    let vlan = "must be between 0 and 4094";
    let mtu = "must be between 0, which leaves it as it is, and 65535";
    let interface = "must be the name of a network interface: 1 to 15 characters without blanks, '/' and ':'";
    let resource = "must be a resource name of the form domain/name, as spidernet.io/gpu1sriov";
    let ends = "a range has both ends";
    let table: Vec<(Value, String)> = vec![
        (macvlan(json!({ "vlanID": 4095 })), format!("spec.macvlan.vlanID: Invalid value: \"4095\": {vlan}")),
        (sriov_with(json!({ "vlanID": -1 })), format!("spec.sriov.vlanID: Invalid value: \"-1\": {vlan}")),
        (macvlan(json!({ "mtu": -1 })), format!("spec.macvlan.mtu: Invalid value: \"-1\": {mtu}")),
        (sriov_with(json!({ "mtu": -1 })), format!("spec.sriov.mtu: Invalid value: \"-1\": {mtu}")),
        (
            of("ipvlan", "ipvlan", json!({ "master": [] })),
            "spec.ipvlan.master: Required value: the interface of the host, or several and a bond".to_owned(),
        ),
        (
            of("vlan", "vlan", json!({ "master": ["a", "b"], "vlanID": 1 })),
            "spec.vlan.bond: Required value: several masters are used as one bond".to_owned(),
        ),
        (
            macvlan(json!({ "master": ["a", "b"], "bond": { "name": "", "mode": 1 } })),
            "spec.macvlan.bond.name: Required value: the name of the bond, as bond0".to_owned(),
        ),
        (
            macvlan(json!({ "master": ["a", "b"], "bond": { "name": "bond0", "mode": 7 } })),
            "spec.macvlan.bond.mode: Invalid value: \"7\": must be between 0 and 6".to_owned(),
        ),
        (
            macvlan(json!({ "master": ["a", "a"], "bond": { "name": "bond0", "mode": 1 } })),
            "spec.macvlan.master[1]: Duplicate value: \"a\": each interface stands once".to_owned(),
        ),
        (
            macvlan(json!({ "master": ["eth 0"] })),
            format!("spec.macvlan.master[0]: Invalid value: \"eth 0\": {interface}"),
        ),
        (
            macvlan(json!({ "master": ["enp134s0f1np1"], "vlanID": 100 })),
            "spec.macvlan.vlanID: Invalid value: \"100\": the VLAN interface would be named \
             \"enp134s0f1np1.100\", which is longer than 15 characters"
                .to_owned(),
        ),
        (
            macvlan(json!({ "rdmaResourceName": "shared" })),
            format!("spec.macvlan.rdmaResourceName: Invalid value: \"shared\": {resource}"),
        ),
        (
            of("vlan", "vlan", json!({ "master": ["a"], "vlanMode": "automatic" })),
            "spec.vlan.vlanMode: Unsupported value: \"automatic\": use one of manual, auto".to_owned(),
        ),
        (
            of("vlan", "vlan", json!({ "master": ["a"], "vlanMode": "auto", "vlanID": 7 })),
            "spec.vlan.vlanID: Forbidden: vlanMode auto takes the VLAN from the pool; remove one".to_owned(),
        ),
        (
            sriov_with(json!({ "minTxRateMbps": 6, "maxTxRateMbps": 5 })),
            "spec.sriov.minTxRateMbps: Invalid value: \"6\": must not be greater than maxTxRateMbps, which is 5"
                .to_owned(),
        ),
        (
            sriov_with(json!({ "minTxRateMbps": 1 })),
            "spec.sriov.minTxRateMbps: Invalid value: \"1\": must not be greater than maxTxRateMbps, which is 0"
                .to_owned(),
        ),
        (
            of("sriov", "sriov", json!({ "mtu": 1500 })),
            "spec.sriov.resourceName: Required value: the resource under which the device plugin offers the \
             VFs, as spidernet.io/gpu1sriov"
                .to_owned(),
        ),
        (
            of("ib-sriov", "ibsriov", json!({ "resourceName": "" })),
            "spec.ibsriov.resourceName: Required value: the resource under which the device plugin offers the \
             VFs, as spidernet.io/gpu1sriov"
                .to_owned(),
        ),
        (
            sriov_with(json!({ "resourceName": "gpu1sriov" })),
            format!("spec.sriov.resourceName: Invalid value: \"gpu1sriov\": {resource}"),
        ),
        (
            ib_sriov_with(json!({ "linkState": "enabled" })),
            "spec.ibsriov.linkState: Unsupported value: \"enabled\": use one of auto, enable, disable; did you \
             mean \"enable\"?"
                .to_owned(),
        ),
        (
            ib_sriov_with(json!({ "pkey": "7fff" })),
            "spec.ibsriov.pkey: Invalid value: \"7fff\": must be a partition key in hexadecimal from \"0x0001\" \
             to \"0x7fff\""
                .to_owned(),
        ),
        (
            of("ipoib", "ipoib", json!({ "ippools": { "ipv4": ["gpu1-net11"] } })),
            "spec.ipoib.master: Required value: the IPoIB interface of the host, as ib0".to_owned(),
        ),
        (
            of("ovs", "ovs", json!({ "vlan": 1 })),
            "spec.ovs.bridge: Required value: the name of the bridge".to_owned(),
        ),
        (
            of("ovs", "ovs", json!({ "bridge": "b", "trunk": [{ "maxID": 100 }] })),
            format!("spec.ovs.trunk[0].minID: Required value: {ends}"),
        ),
        (
            of("ovs", "ovs", json!({ "bridge": "b", "trunk": [{ "minID": 100 }] })),
            format!("spec.ovs.trunk[0].maxID: Required value: {ends}"),
        ),
        (
            of("ovs", "ovs", json!({ "bridge": "b", "trunk": [{ "minID": 2, "maxID": 1 }] })),
            "spec.ovs.trunk[0].maxID: Invalid value: \"1\": must not be less than minID, which is 2".to_owned(),
        ),
        (
            of("ovs", "ovs", json!({ "bridge": "b", "trunk": [{ "id": 4095 }] })),
            format!("spec.ovs.trunk[0].id: Invalid value: \"4095\": {vlan}"),
        ),
    ];
    for (object, expected) in table {
        assert_eq!(errors(&object), [expected], "{object}");
    }
}

#[test]
fn matching_the_subnet_of_the_master_is_for_sriov_only() {
    let pools = json!({ "ipv4": ["gpu1-net11"], "matchMasterSubnet": true });
    let table = [
        ("macvlan", "macvlan", json!({ "master": ["eth0"], "ippools": pools })),
        ("ipvlan", "ipvlan", json!({ "master": ["eth0"], "ippools": pools })),
        ("vlan", "vlan", json!({ "master": ["eth0"], "vlanID": 1, "ippools": pools })),
        ("ib-sriov", "ibsriov", json!({ "resourceName": "a.io/b", "ippools": pools })),
        ("ipoib", "ipoib", json!({ "master": "ib0", "ippools": pools })),
        ("ovs", "ovs", json!({ "bridge": "br0", "ippools": pools })),
    ];
    for (kind, block, fields) in table {
        assert_eq!(
            errors(&of(kind, block, fields)),
            [format!(
                "spec.{block}.ippools.matchMasterSubnet: Forbidden: one subnet for each node and rail is a \
                 scheme of cniType sriov; for cniType {kind} give the pools a nodeAffinity or a nodeName instead"
            )]
        );
    }
}

#[test]
fn the_coordinator_block_has_its_own_paths() {
    let mut object = sriov_with(json!({}));
    object["spec"]["coordinator"] = json!({ "hijackCIDR": ["x"], "podMACPrefix": "zz" });
    assert_eq!(
        errors(&object),
        [
            "spec.coordinator.hijackCIDR[0]: Invalid value: \"x\": must be an address or a prefix, as 10.0.0.0/8",
            "spec.coordinator.podMACPrefix: Invalid value: \"zz\": must be the first two bytes of a MAC address \
             in hexadecimal, as 0a:1b"
        ]
    );
}

#[test]
fn values_of_the_wrong_type_do_not_hide_other_errors() {
    let object =
        sriov_with(json!({ "resourceName": 5, "mtu": "4200", "vlanID": 5000, "ippools": { "ipv4": [1] } }));
    assert_eq!(
        errors(&object),
        [
            "spec.sriov.resourceName: Invalid value: \"5\": must be a string, found a number",
            "spec.sriov.mtu: Invalid value: \"4200\": must be an integer, found a string",
            "spec.sriov.ippools.ipv4[0]: Invalid value: \"1\": must be a string, found a number",
            "spec.sriov.vlanID: Invalid value: \"5000\": must be between 0 and 4094",
        ]
    );
}
