//! Updates and deletions of pools that exist.

use serde_json::{Value, json};

use super::stored;
use crate::api::Kind;
use crate::rules::test_cluster::{Cluster, with};

#[test]
fn u1_u2_family_and_subnet_never_change() {
    let cluster = Cluster::default();
    let old = stored(&cluster, json!({"subnet": "172.16.11.0/16", "ips": ["172.16.0.1"]}));
    let changed =
        with(old.clone(), json!({"spec": {"ipVersion": 6, "subnet": "fd00::/64", "ips": ["fd00::1"]}}));
    assert_eq!(
        cluster.update(Kind::IpPool, changed, &old).errors,
        [
            "spec.ipVersion: Forbidden: is 4 and cannot become 6; create a new object instead",
            "spec.subnet: Forbidden: is 172.16.0.0/16 and cannot become fd00::/64; create a new object instead",
        ]
    );
    // Applying the same manifest again is no change of the subnet.
    let again = with(old.clone(), json!({"spec": {"subnet": "172.16.11.0/16"}}));
    let outcome = cluster.update(Kind::IpPool, again, &old);
    assert_eq!((outcome.errors, &outcome.object), (vec![], &old));
    assert_eq!(
        outcome.notices,
        ["spec.subnet: \"172.16.11.0/16\" has host bits set, stored as 172.16.0.0/16"]
    );
}

#[test]
fn what_older_versions_stored_stays_editable() {
    let cluster = Cluster::default().pool("other", json!({"subnet": "172.16.0.0/24", "ips": ["172.16.0.1"]}));
    let legacy = json!({
        "metadata": {"name": "new", "finalizers": ["spiderpool.spidernet.io"], "labels": {"ipam.spidernet.io/ippool-cidr": "172-16-11-0-16"}},
        "spec": {"subnet": "172.16.11.0/16", "ips": ["172.16.0.1-172.16.255.255", "10.9.9.9"], "gateway": "172.16.0.1"}
    });
    let outcome =
        cluster.update(Kind::IpPool, with(legacy.clone(), json!({"spec": {"disable": true}})), &legacy);
    assert_eq!((outcome.errors, outcome.notices), (vec![], vec![]));
    assert_eq!(outcome.object["spec"]["subnet"], "172.16.11.0/16");
    assert_eq!(outcome.object["spec"]["ipVersion"], 4);
    assert_eq!(outcome.object["metadata"]["labels"]["ipam.spidernet.io/ippool-cidr"], "172-16-0-0-16");
    // A family that its addresses are not of is no inference.
    let wrong = with(legacy.clone(), json!({"spec": {"ipVersion": 6}}));
    assert_eq!(
        cluster.update(Kind::IpPool, wrong, &legacy).errors[0],
        "spec.subnet: Invalid value: \"172.16.11.0/16\": is IPv4, but spec.ipVersion is 6"
    );
}

#[test]
fn u3_addresses_in_use_stay() {
    let cluster = Cluster::default();
    let records: String = json!({
        "172.16.0.10": {"pod": "ai/trainer-9", "podUid": "u9"},
        "172.16.0.9": {"pod": "ai/trainer-8", "podUid": "u8"},
        "172.16.0.2": {"pod": "ai/trainer-1", "podUid": "u1"},
        "172.16.0.3": {"pod": "ai/trainer-2", "podUid": "u2"},
        "172.16.0.4": {"pod": "ai/trainer-3", "podUid": "u3"},
        "172.16.0.5": {"pod": "ai/trainer-4", "podUid": "u4"},
        "172.16.0.6": {"pod": "ai/trainer-5", "podUid": "u5"},
        "172.16.0.77": {"pod": "ai/stray", "podUid": "u6"}
    })
    .to_string();
    let old = stored(&cluster, json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1-172.16.0.20"]}));
    let old = with(old, json!({"status": {"allocatedIPs": records}}));
    let errors = |changes: Value| {
        cluster.update(Kind::IpPool, with(old.clone(), json!({"spec": changes})), &old).errors
    };
    // .77 was not the pool's before either: this update does not take it away.
    assert_eq!(errors(json!({"ips": ["172.16.0.2-172.16.0.10", "172.16.0.40"]})), Vec::<String>::new());
    assert_eq!(
        errors(json!({"ips": [], "gateway": "172.16.0.99"})),
        [
            "spec.ips: Forbidden: takes away addresses in use: 172.16.0.2 (pod ai/trainer-1), 172.16.0.3 (pod ai/trainer-2), \
         172.16.0.4 (pod ai/trainer-3), 172.16.0.5 (pod ai/trainer-4), 172.16.0.6 (pod ai/trainer-5) and 2 more; \
         keep them until those pods are gone"
        ]
    );
    assert_eq!(
        errors(json!({"ips": ["172.16.0.1-172.16.0.9"], "excludeIPs": ["172.16.0.9"]})),
        [
            "spec.ips: Forbidden: takes away addresses in use: 172.16.0.10 (pod ai/trainer-9); keep them until those pods are gone",
            "spec.excludeIPs: Forbidden: takes away addresses in use: 172.16.0.9 (pod ai/trainer-8); keep them until those pods are gone",
        ]
    );
}

#[test]
fn u3_a_status_that_nobody_can_read_is_said_and_does_not_stop_growing() {
    let cluster = Cluster::default();
    let old = stored(&cluster, json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1-172.16.0.20"]}));
    for (records, reason) in [
        ("{\"172.16.0.2\":", "EOF while parsing a value at line 1 column 14"),
        (
            "{\"172.16.0.02\": {\"pod\": \"a/b\"}}",
            "\"172.16.0.02\" is no IP address: octet 02 has a leading zero",
        ),
    ] {
        let old = with(old.clone(), json!({"status": {"allocatedIPs": records}}));
        let update = |ips: Value| {
            cluster.update(Kind::IpPool, with(old.clone(), json!({"spec": {"ips": ips}})), &old).errors
        };
        assert_eq!(update(json!(["172.16.0.1-172.16.0.30"])), Vec::<String>::new());
        assert_eq!(
            update(json!([])),
            [format!(
                "status.allocatedIPs: Invalid value: {records:?}: cannot be read ({reason}), so which addresses are in use is \
             not known; repair it with: kubectl edit spiderippool new --subresource=status"
            )]
        );
    }
}

#[test]
fn a_terminating_pool_keeps_its_spec() {
    let cluster = Cluster::default();
    let old = stored(&cluster, json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1"]}));
    let old = with(old, json!({"metadata": {"deletionTimestamp": "2025-01-01T00:00:00Z"}}));
    let released = with(old.clone(), json!({"metadata": {"finalizers": null, "labels": {"team": "ai"}}}));
    let outcome = cluster.update(Kind::IpPool, released.clone(), &old);
    assert_eq!((outcome.errors, outcome.notices, outcome.object), (vec![], vec![], released));
    let edited = with(old.clone(), json!({"spec": {"disable": true}}));
    assert_eq!(
        cluster.update(Kind::IpPool, edited, &old).errors,
        [
            "spec: Forbidden: the object is being deleted, so its spec can no longer change; create it anew when it is gone"
        ]
    );
}

#[test]
fn the_finalizer_of_a_live_pool_comes_back() {
    let cluster = Cluster::default();
    let old = stored(&cluster, json!({"subnet": "172.16.0.0/16"}));
    let stripped = with(old.clone(), json!({"metadata": {"finalizers": ["example.com/mine"]}}));
    let outcome = cluster.update(Kind::IpPool, stripped, &old);
    assert_eq!(
        outcome.object["metadata"]["finalizers"],
        json!(["example.com/mine", "spiderpool.spidernet.io"])
    );
}

#[test]
fn deleting_a_pool_in_use_is_refused_where_the_configuration_says_so() {
    let pool = with(
        stored(&Cluster::default(), json!({"subnet": "172.16.0.0/16"})),
        json!({"status": {"allocatedIPCount": 3}}),
    );
    assert_eq!(Cluster::default().delete(Kind::IpPool, &pool), Vec::<String>::new());
    let cluster = Cluster::default().set(|settings| settings.refuse_delete_in_use = true);
    assert_eq!(
        cluster.delete(Kind::IpPool, &pool),
        ["status.allocatedIPCount: Forbidden: addresses in use: 3; delete the pods that have them first"]
    );
    let uncounted =
        json!({"status": {"allocatedIPCount": null, "allocatedIPs": "{\"172.16.0.1\": {\"pod\": \"a/b\"}}"}});
    assert_eq!(
        cluster.delete(Kind::IpPool, &with(pool.clone(), uncounted)),
        ["status.allocatedIPCount: Forbidden: addresses in use: 1; delete the pods that have them first"]
    );
    let empty = with(pool, json!({"status": {"allocatedIPCount": 0}}));
    assert_eq!(cluster.delete(Kind::IpPool, &empty), Vec::<String>::new());
}
