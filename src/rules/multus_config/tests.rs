#![expect(clippy::needless_pass_by_value, reason = "`json!` literals read best by value")]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::api::settings::Settings;
use crate::api::{Kind, SpiderIPPoolSpec};
use crate::rules::{
    Context, Findings, NadFacts, Notice, Operation, Peers, PoolFacts, normalise, strict_errors, validate,
};

/// A network as the guide defines it, with group, resource and pool.
fn network(spec: Value) -> Value {
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1",
        "kind": "SpiderMultusConfig",
        "metadata": { "name": "gpu1-sriov", "namespace": "spiderpool" },
        "spec": spec
    })
}

fn annotated(spec: Value, key: &str, value: &str) -> Value {
    let mut object = network(spec);
    object["metadata"]["annotations"] = json!({ key: value });
    object
}

fn sriov() -> Value {
    json!({ "cniType": "sriov", "sriov": { "resourceName": "spidernet.io/gpu1sriov" } })
}

fn peers() -> Peers {
    let pool = |name: &str, subnet: &str| {
        let spec = SpiderIPPoolSpec { subnet: Some(subnet.to_owned()), ..Default::default() };
        Arc::new(PoolFacts { name: name.to_owned(), spec, ..Default::default() })
    };
    let pools = [
        pool("gpu1-net11", "172.16.11.0/24"),
        pool("gpu2-net12", "172.16.12.0/24"),
        pool("six", "fd00::/64"),
    ];
    let nad = |name: &str, owner: Option<&str>| NadFacts {
        namespace: "spiderpool".to_owned(),
        name: name.to_owned(),
        owner: owner.map(str::to_owned),
    };
    let nads = [nad("taken", Some("other")), nad("free", None), nad("gpu1-sriov", Some("gpu1-sriov"))];
    Peers::build(pools.iter(), [].iter(), nads.iter())
}

fn check(operation: Operation, object: &Value, old: Option<&Value>) -> Findings {
    let (settings, peers) = (Settings::default(), peers());
    validate(Kind::MultusConfig, operation, object, old, &Context { settings: &settings, peers: &peers })
}

fn errors(object: &Value) -> Vec<String> {
    check(Operation::Create, object, None).errors.iter().map(ToString::to_string).collect()
}

fn advice(object: &Value) -> Vec<String> {
    check(Operation::Create, object, None).notices.iter().map(ToString::to_string).collect()
}

fn mend(object: &mut Value, old: Option<&Value>) -> Vec<Notice> {
    let (settings, peers) = (Settings::default(), Peers::default());
    normalise(Kind::MultusConfig, object, old, &Context { settings: &settings, peers: &peers })
}

/// `spec` of one type, with the fields of its block.
fn of(kind: &str, block: &str, fields: Value) -> Value {
    network(json!({ "cniType": kind, block: fields }))
}

fn macvlan(fields: Value) -> Value {
    let mut block = json!({ "master": ["eth0"] });
    for (name, value) in fields.as_object().unwrap() {
        block[name] = value.clone();
    }
    of("macvlan", "macvlan", block)
}

fn sriov_with(fields: Value) -> Value {
    let mut block = json!({ "resourceName": "spidernet.io/gpu1sriov" });
    for (name, value) in fields.as_object().unwrap() {
        block[name] = value.clone();
    }
    of("sriov", "sriov", block)
}

fn ib_sriov_with(fields: Value) -> Value {
    let mut block = json!({ "resourceName": "spidernet.io/gpu1ib" });
    for (name, value) in fields.as_object().unwrap() {
        block[name] = value.clone();
    }
    of("ib-sriov", "ibsriov", block)
}

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
fn the_name_of_the_definition_is_fixed_and_free() {
    let name = "metadata.annotations[multus.spidernet.io/cr-name]";
    let with = |value: &str| annotated(sriov(), "multus.spidernet.io/cr-name", value);
    let changed = |from: &str, to: &str| {
        format!(
            "{name}: Forbidden: the name of the NetworkAttachmentDefinition cannot change from {from:?} to \
             {to:?}, because pods refer to it: delete the SpiderMultusConfig and create it again"
        )
    };
    let update = |new: &Value, old: &Value| -> Vec<String> {
        check(Operation::Update, new, Some(old)).errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(update(&with("b"), &with("a")), [changed("a", "b")]);
    assert_eq!(update(&with("a"), &network(sriov())), [changed("gpu1-sriov", "a")]);
    assert_eq!(update(&network(sriov()), &with("a")), [changed("a", "gpu1-sriov")]);
    assert_eq!(update(&with("gpu1-sriov"), &network(sriov())), [""; 0]);
    assert_eq!(update(&with("a"), &with("a")), [""; 0]);

    let form = "must be lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each \
                part, at most 253 characters";
    assert_eq!(errors(&with("")), [format!("{name}: Invalid value: \"\": {form}")]);
    assert_eq!(errors(&with("A")), [format!("{name}: Invalid value: \"A\": {form}")]);
    assert_eq!(
        errors(&with("taken")),
        [format!(
            "{name}: Invalid value: \"taken\": the NetworkAttachmentDefinition spiderpool/taken belongs to \
             SpiderMultusConfig other; choose another name with the annotation multus.spidernet.io/cr-name"
        )]
    );
    let mut same_name = network(sriov());
    same_name["metadata"]["name"] = json!("taken");
    assert!(errors(&same_name)[0].starts_with("metadata.name: Invalid value: \"taken\": "));
    assert_eq!(errors(&with("free")), [""; 0]);
    assert_eq!(
        advice(&with("free")),
        [format!(
            "{name}: the NetworkAttachmentDefinition spiderpool/free exists without a SpiderMultusConfig and \
             is taken over"
        )]
    );
}

#[test]
fn annotations_that_shape_the_configuration_are_checked() {
    for version in ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
        assert_eq!(errors(&annotated(sriov(), "multus.spidernet.io/cni-version", version)), [""; 0]);
    }
    assert_eq!(
        errors(&annotated(sriov(), "multus.spidernet.io/cni-version", "0.2.0")),
        ["metadata.annotations[multus.spidernet.io/cni-version]: Unsupported value: \"0.2.0\": use one of \
          0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0; did you mean \"0.3.0\"?"]
    );
    assert_eq!(
        errors(&annotated(sriov(), "cni.spidernet.io/cniconfig-name", "a b")),
        ["metadata.annotations[cni.spidernet.io/cniconfig-name]: Invalid value: \"a b\": must be letters, \
          digits, '_', '.' and '-', the first one a letter or digit"]
    );
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
    assert_eq!(leftovers["spec"].get("macvlan").or(leftovers["spec"].get("ipoib")), None);
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
fn members_of_groups_need_what_their_pods_need() {
    let rdma = "cni.spidernet.io/rdma-resource-inject";
    let general = "cni.spidernet.io/network-resource-inject";
    let need = |field: &str, key: &str| {
        format!("{field}: Required value: {key} makes the network a member of a group, whose pods need it")
    };
    let complete = || json!({ "cniType": "sriov", "sriov": { "resourceName": "a.io/b", "ippools": { "ipv4": ["gpu1-net11"] } } });
    assert_eq!(errors(&annotated(complete(), rdma, "rdma-network")), [""; 0]);
    assert_eq!(errors(&annotated(complete(), general, "a, b")), [""; 0]);
    assert_eq!(errors(&annotated(sriov(), rdma, "g")), [need("spec.sriov.ippools", rdma)]);
    assert_eq!(errors(&annotated(sriov(), general, "g")), [need("spec.sriov.ippools", general)]);
    let shared = json!({ "cniType": "macvlan", "macvlan": { "master": ["eth0"] } });
    assert_eq!(errors(&annotated(shared.clone(), general, "g")), [""; 0]);
    assert_eq!(errors(&annotated(shared.clone(), rdma, "g")), [need("spec.macvlan.rdmaResourceName", rdma)]);
    // A label alone counts like the annotation.
    let mut labelled = network(shared);
    labelled["metadata"]["labels"] = json!({ rdma: "g" });
    assert_eq!(errors(&labelled), [need("spec.macvlan.rdmaResourceName", rdma)]);

    for (kind, spec) in [
        ("ovs", json!({ "cniType": "ovs", "ovs": { "bridge": "br0" } })),
        ("custom", json!({ "cniType": "custom" })),
    ] {
        for key in [rdma, general] {
            assert_eq!(
                errors(&annotated(spec.clone(), key, "g")),
                [format!(
                    "metadata.annotations[{key}]: Forbidden: networks of cniType {kind} cannot be members of a \
                     group; remove the key"
                )]
            );
        }
    }
    let field = format!("metadata.annotations[{rdma}]");
    let form =
        "must be the name of a group, or several separated by commas; to leave all groups, remove the key";
    for value in ["", " ", "a,,b", "a,"] {
        assert_eq!(
            errors(&annotated(complete(), rdma, value)),
            [format!("{field}: Invalid value: {value:?}: {form}")]
        );
    }
    for value in ["none", "disabled", "a,none"] {
        let name = value.trim_start_matches("a,");
        assert_eq!(
            errors(&annotated(complete(), rdma, value)),
            [format!(
                "{field}: Invalid value: {value:?}: {name:?} is what pods write to opt out; to leave all \
                 groups, remove the key"
            )]
        );
    }
    let mut both = annotated(complete(), rdma, "new");
    both["metadata"]["labels"] = json!({ rdma: "old" });
    assert_eq!(
        advice(&both),
        [format!(
            "metadata.labels[{rdma}]: is not looked at, because the annotation of the same name says \"new\""
        )]
    );
}

#[test]
fn plugins_written_by_hand_are_checked() {
    let chain = |text: &str| {
        let mut object = sriov_with(json!({}));
        object["spec"]["chainCNIJsonData"] = json!([r#"{"type":"tuning"}"#, text]);
        errors(&object)
    };
    for text in ["", "1", "[]", "{", "{} x"] {
        let errors = chain(text);
        assert_eq!(errors.len(), 1, "{text}");
        let start = format!("spec.chainCNIJsonData[1]: Invalid value: {text:?}: must be a JSON object: ");
        assert!(errors[0].starts_with(&start), "{errors:?}");
    }
    for text in ["{}", r#"{"type":""}"#, r#"{"type":1}"#] {
        assert_eq!(
            chain(text),
            [format!(
                "spec.chainCNIJsonData[1]: Invalid value: {text:?}: must name its plugin, as \"type\": \"tuning\""
            )]
        );
    }
    let custom = |text: &str| errors(&network(json!({ "cniType": "custom", "customCNI": text })));
    let table = [
        (r#"{"name":"x"}"#, "must have a \"type\", or a list \"plugins\" of objects that have one"),
        (r#"{"plugins":[]}"#, "\"plugins\" must not be empty"),
        (r#"{"plugins":{}}"#, "\"plugins\" must be a list of JSON objects"),
        (r#"{"plugins":[{"type":"a"},{}]}"#, "plugins[1] must name its plugin, as \"type\": \"tuning\""),
    ];
    for (text, detail) in table {
        assert_eq!(custom(text), [format!("spec.customCNI: Invalid value: {text:?}: {detail}")]);
    }
    assert!(custom("\"macvlan\"")[0].contains("must be a JSON object"));
    let ignored = network(
        json!({ "cniType": "custom", "enableCoordinator": true, "coordinator": { "hijackCIDR": ["x"] } }),
    );
    assert_eq!(errors(&ignored), [""; 0]);
    let message = "has no effect: cniType custom uses customCNI as it is";
    assert_eq!(
        advice(&ignored),
        [format!("spec.coordinator: {message}"), format!("spec.enableCoordinator: {message}")]
    );
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
fn pools_that_are_not_there_are_advice_with_near_names() {
    let object = sriov_with(json!({ "ippools": { "ipv4": ["gpu1-net91", "rail*", "six", "x[", ""] } }));
    let found = check(Operation::Create, &object, None);
    let notices: Vec<String> = found.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "spec.sriov.ippools.ipv4[0]: there is no pool \"gpu1-net91\" yet; did you mean gpu1-net11, \
             gpu2-net12?",
            "spec.sriov.ippools.ipv4[1]: no pool matches \"rail*\" yet",
            "spec.sriov.ippools.ipv4[2]: pool six has the ipv6 subnet fd00::/64; its place is ippools.ipv6",
        ]
    );
    let fields: Vec<&str> = found.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["spec.sriov.ippools.ipv4[3]", "spec.sriov.ippools.ipv4[4]"]);
    // Where no pools are known, for example offline, nothing can be said.
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    let object = sriov_with(json!({ "ippools": { "ipv4": ["gpu1-net91"] } }));
    assert_eq!(validate(Kind::MultusConfig, Operation::Create, &object, None, &context), Findings::default());
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
fn the_copy_of_an_annotation_goes_with_the_annotation() {
    let key = "cni.spidernet.io/rdma-resource-inject";
    let mut old = annotated(sriov(), key, "g");
    old["metadata"]["labels"] = json!({ key: "g", "mine": "1" });
    let mut new = old.clone();
    new["metadata"]["annotations"] = json!({});
    let notices = mend(&mut new, Some(&old));
    assert_eq!(new["metadata"]["labels"], json!({ "mine": "1" }));
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].field, format!("metadata.labels[{key}]"));
    // A label that says something else is the user's own.
    let mut own = old.clone();
    own["metadata"]["annotations"] = json!({});
    own["metadata"]["labels"][key] = json!("h");
    assert_eq!(mend(&mut own, Some(&old)), []);
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
    assert_eq!(check(Operation::Update, &new, Some(&old)), Findings::default());
}

/// Any JSON, with the names of real fields often enough to reach the rules.
fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "spec",
        "metadata",
        "annotations",
        "labels",
        "name",
        "namespace",
        "finalizers",
        "cniType",
        "macvlan",
        "vlan",
        "sriov",
        "ibsriov",
        "ipoib",
        "ovs",
        "ippools",
        "ipv4",
        "ipv6",
        "matchMasterSubnet",
        "enableRdma",
        "rdmaIsolation",
        "pkey",
        "vlanID",
        "vlanMode",
        "master",
        "bond",
        "trunk",
        "minID",
        "maxID",
        "coordinator",
        "mode",
        "hijackCIDR",
        "policyRoutes",
        "to",
        "via",
        "dst",
        "gw",
        "chainCNIJsonData",
        "customCNI",
        "resourceName",
        "cni.spidernet.io/rdma-resource-inject",
        "multus.spidernet.io/cr-name",
    ]);
    let texts = prop::sample::select(vec![
        "",
        "sriov",
        "ib-sriov",
        "macvlan",
        "vlan",
        "custom",
        "auto",
        "disable",
        "0x7fff",
        "1000",
        "10.0.0.1",
        "{\"type\":\"x\"}",
        "none",
        "a,b",
        "[",
        "spidernet.io/gpu1sriov",
        "spiderpool.spidernet.io",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0_i64..5000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 96, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..8).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

/// As [`any_json`], in the frame of an object, so that the rules see something.
fn any_object() -> impl Strategy<Value = Value> {
    let part = || prop::option::weighted(0.8, any_json());
    (
        any_json(),
        part(),
        part(),
        part(),
        prop::sample::select(vec!["sriov", "ib-sriov", "vlan", "custom", "x"]),
    )
        .prop_map(|(mut object, sriov, pools, metadata, kind)| {
            if object.is_object() && !object["spec"].is_object() {
                object["spec"] = json!({ "cniType": kind });
            }
            if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
                spec.extend(sriov.map(|value| ("sriov".to_owned(), value)));
                spec.extend(pools.map(|value| ("ippools".to_owned(), value)));
            }
            if let Some(object) = object.as_object_mut() {
                object.extend(metadata.map(|value| ("metadata".to_owned(), value)));
            }
            object
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_object_breaks_the_rules_and_normalising_twice_changes_nothing_more(
        object in any_object(),
        old in prop::option::of(any_object()),
    ) {
        let (settings, peers) = (Settings::default(), peers());
        let context = Context { settings: &settings, peers: &peers };
        for kind in [Kind::MultusConfig, Kind::Coordinator] {
            let mut once = object.clone();
            normalise(kind, &mut once, old.as_ref(), &context);
            let mut twice = once.clone();
            let notices = normalise(kind, &mut twice, old.as_ref(), &context);
            prop_assert_eq!(&once, &twice);
            prop_assert_eq!(notices, vec![]);
            for operation in [Operation::Create, Operation::Update, Operation::Delete] {
                let _ = validate(kind, operation, &object, old.as_ref(), &context);
                let _ = validate(kind, operation, &once, old.as_ref(), &context);
            }
            let _ = crate::rules::unknown_fields(kind, &object);
        }
    }
}
