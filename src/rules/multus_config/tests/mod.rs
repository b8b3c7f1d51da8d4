//! Fixtures; each file beside this one is one behaviour.

#![expect(clippy::needless_pass_by_value, reason = "`json!` literals read best by value")]

mod fields;
mod groups;
mod identity;
mod plugins;
mod pools;
mod spelling;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::settings::Settings;
use crate::api::{Kind, SpiderIPPoolSpec};
use crate::rules::{
    Context, Findings, Mode, NadFacts, NetworkFacts, Notice, Operation, Peers, PoolFacts, normalise, validate,
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
    let nads = nads.map(Arc::new);
    let neighbour = NetworkFacts {
        namespace: "spiderpool".to_owned(),
        name: "gpu9-sriov".to_owned(),
        resource: "spidernet.io/gpu9sriov".to_owned(),
        groups: vec![(Mode::Rdma, "g".to_owned())],
    };
    Peers::build(pools.iter(), [].iter(), nads.iter()).with_networks([Arc::new(neighbour)].into_iter())
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
