//! What holds for the rules of every kind, whatever the object looks like.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Context, NadFacts, Operation, Peers, PoolFacts, SubnetFacts, normalise, unknown_fields, validate,
};
use crate::api::Kind;
use crate::api::settings::Settings;

/// Names of real fields, so that random objects get past the first rule.
const NAMES: &str = "spec metadata annotations labels name namespace uid finalizers ownerReferences status \
    deletionTimestamp cniType macvlan vlan sriov ibsriov ipoib ovs ippools ipv4 ipv6 matchMasterSubnet \
    enableRdma rdmaIsolation pkey vlanID vlanMode master bond trunk minID maxID coordinator mode hijackCIDR \
    policyRoutes to via dst gw chainCNIJsonData customCNI resourceName subnet ips excludeIPs gateway routes \
    ipVersion podAffinity matchLabels matchExpressions key operator values nodeName allocatedIPs \
    controlledIPPools cni.spidernet.io/rdma-resource-inject multus.spidernet.io/cr-name";

const TEXTS: &str = "sriov ib-sriov macvlan vlan custom auto disable 0x7fff 1000 10.0.0.1 10.0.0.0/8 \
    172.16.11.0/16 172.16.1.2-172.16.1.256 10.0.0.9-10.0.0.1 ::1-::5 fd00::/64 ::/0 0.0.0.0/0 \
    255.255.255.255 0.0.0.0-255.255.255.255 ipv4 {\"type\":\"x\"} {\"10.0.0.1\":{\"pod\":\"a/b\"}} none a,b [ \
    In Exists spidernet.io/gpu1sriov spiderpool.spidernet.io a SpiderSubnet";

fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(NAMES.split_whitespace().collect::<Vec<_>>());
    let texts = prop::sample::select(TEXTS.split_whitespace().collect::<Vec<_>>());
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!("")),
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
            prop::collection::vec((names.clone(), inner), 0..8).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

/// Any JSON, mostly in the frame of an object: with a spec that has some of these fields, and metadata.
fn any_object() -> impl Strategy<Value = Value> {
    let fields = "cniType sriov ibsriov vlan ippools subnet ips excludeIPs gateway routes ipVersion \
                  podAffinity policyRoutes hijackCIDR";
    let field = prop::sample::select(fields.split_whitespace().collect::<Vec<_>>());
    let spec = prop::collection::vec((field, any_json()), 0..6);
    (any_json(), prop::option::weighted(0.9, spec), prop::option::weighted(0.5, any_json())).prop_map(
        |(mut object, spec, metadata)| {
            if let Some(fields) = object.as_object_mut() {
                let spec =
                    spec.map(|spec| spec.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
                fields.extend(spec.map(|spec: Value| ("spec".to_owned(), spec)));
                fields.extend(metadata.map(|value| ("metadata".to_owned(), value)));
            }
            object
        },
    )
}

fn peers() -> Peers {
    let spec = json!({ "subnet": "10.0.0.0/8", "ips": ["10.0.0.1-10.0.0.9"] });
    let pool = PoolFacts {
        name: "a".to_owned(),
        spec: serde_json::from_value(spec.clone()).unwrap(),
        ..PoolFacts::default()
    };
    let subnet = SubnetFacts {
        name: "a".to_owned(),
        spec: serde_json::from_value(spec).unwrap(),
        ..SubnetFacts::default()
    };
    let nad = NadFacts { namespace: "a".to_owned(), name: "a".to_owned(), owner: Some("b".to_owned()) };
    Peers::build([Arc::new(pool)].iter(), [Arc::new(subnet)].iter(), [Arc::new(nad)].iter())
}

proptest! {
    #[test]
    fn no_object_breaks_the_rules_and_normalising_twice_changes_nothing_more(
        object in any_object(),
        old in prop::option::of(any_object()),
    ) {
        let (settings, peers) = (Settings::default(), peers());
        let context = Context { settings: &settings, peers: &peers };
        for kind in Kind::ALL {
            let mut once = object.clone();
            normalise(kind, &mut once, old.as_ref(), &context);
            let mut twice = once.clone();
            let notices = normalise(kind, &mut twice, old.as_ref(), &context);
            prop_assert_eq!(&once, &twice, "{}", kind);
            prop_assert_eq!(notices, vec![], "{}", kind);
            for operation in [Operation::Create, Operation::Update, Operation::Delete] {
                let _ = validate(kind, operation, &object, old.as_ref(), &context);
                let _ = validate(kind, operation, &once, old.as_ref(), &context);
            }
            let _ = unknown_fields(kind, &object);
        }
    }
}
