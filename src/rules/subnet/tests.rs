use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::Kind;
use crate::rules::test_cluster::{Cluster, manifest, with};
use crate::rules::{PoolFacts, SubnetFacts};

fn create(cluster: &Cluster, spec: Value) -> Vec<String> {
    cluster.create(Kind::Subnet, manifest(Kind::Subnet, spec)).errors
}

fn stored(spec: Value) -> Value {
    let outcome = Cluster::default().create(Kind::Subnet, manifest(Kind::Subnet, spec));
    assert_eq!(outcome.errors, Vec::<String>::new());
    outcome.object
}

fn pool_of(subnet: &str, name: &str, spec: Value) -> PoolFacts {
    PoolFacts {
        name: name.into(),
        controller: Some(subnet.into()),
        spec: serde_json::from_value(spec).unwrap(),
        ..PoolFacts::default()
    }
}

#[test]
fn a_subnet_is_mended_like_a_pool() {
    let spec = json!({
        "ipVersion": "ipv4", "subnet": "172.16.11.0/16", "ips": ["172.16.255.1-172.16.255.256"],
        "routes": [{"to": "10.0.0.0/8", "via": "172.16.0.1"}]
    });
    let outcome = Cluster::default().create(Kind::Subnet, manifest(Kind::Subnet, spec));
    assert_eq!(outcome.errors, Vec::<String>::new());
    assert_eq!(
        outcome.notices,
        [
            "spec.subnet: \"172.16.11.0/16\" has host bits set, stored as 172.16.0.0/16",
            "spec.ipVersion: \"ipv4\" is a deprecated spelling, stored as the number 4",
            "spec.ips[0]: \"172.16.255.1-172.16.255.256\" overshoots subnet 172.16.0.0/16, clamped to \
             172.16.255.1-172.16.255.254; dropped 172.16.255.255-172.16.255.256 (172.16.255.255 is the broadcast \
             address, 172.16.255.256 is no address)",
            "spec.routes[0].to: deprecated spelling of spec.routes[0].dst",
            "spec.routes[0].via: deprecated spelling of spec.routes[0].gw",
        ]
    );
    let expected = json!({
        "name": "new", "finalizers": ["spiderpool.spidernet.io"],
        "labels": {"ipam.spidernet.io/subnet-cidr": "172-16-0-0-16"}
    });
    assert_eq!(outcome.object["metadata"], expected);
}

#[test]
fn s1_to_s5_and_s10_to_s12_are_the_rules_of_pools() {
    let cluster = Cluster::default().set(|settings| settings.enable_ipv6 = false);
    for (rule, spec, expected) in [
        (
            "S1, S4",
            json!({"subnet": "172.16.0.0/33"}),
            vec![
                "spec.ipVersion: Required value: cannot be inferred from the addresses; correct them, or write 4 or 6",
                "spec.subnet: Invalid value: \"172.16.0.0/33\": prefix length \"33\" is not between 0 and 32",
            ],
        ),
        (
            "S2",
            json!({"subnet": "172.16.0.0/16", "ipVersion": 5}),
            vec!["spec.ipVersion: Unsupported value: \"5\": use 4 or 6"],
        ),
        (
            "S3",
            json!({"subnet": "fd00::/64"}),
            vec![
                "spec.ipVersion: Forbidden: IPv6 is turned off; set enableIPv6: true in the configuration to use it",
            ],
        ),
        (
            "S10, S11, S12",
            json!({
                "subnet": "172.16.0.0/16", "ips": ["172.17.0.1", "172.16.0.1"], "excludeIPs": ["x"], "gateway": "172.16.0.1",
                "routes": [{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}]
            }),
            vec![
                "spec.ips[0]: Invalid value: \"172.17.0.1\": lies outside subnet 172.16.0.0/16 (172.16.0.0-172.16.255.255)",
                "spec.excludeIPs[0]: Invalid value: \"x\": \"x\" is no IP address: it is neither four octets nor groups of hexadecimal digits",
                "spec.ips[1]: Invalid value: \"172.16.0.1\": contains the gateway 172.16.0.1, which no pod may have; leave it out, or add it to spec.excludeIPs",
                "spec.routes[0].dst: Invalid value: \"0.0.0.0/0\": is the default route; set spec.gateway instead",
                "spec.routes[0].gw: Invalid value: \"10.0.0.1\": lies outside subnet 172.16.0.0/16 (172.16.0.0-172.16.255.255)",
            ],
        ),
    ] {
        assert_eq!(create(&cluster, spec), expected, "{rule}");
    }
    let object = manifest(Kind::Subnet, json!({"ipVersion": 4, "subnet": "172.16.11.0/16"}));
    assert_eq!(
        cluster.errors(Kind::Subnet, &object, None),
        ["spec.subnet: Invalid value: \"172.16.11.0/16\": is not canonical; write 172.16.0.0/16"]
    );
}

#[test]
fn s7_subnets_do_not_overlap() {
    let cluster = Cluster::default()
        .subnet("equal", json!({"subnet": "172.16.0.0/16"}))
        .subnet("narrow", json!({"subnet": "172.16.4.0/24"}))
        .subnet("apart", json!({"subnet": "172.17.0.0/16"}))
        .subnet("broken", json!({"subnet": "172.16"}));
    assert_eq!(
        create(&cluster, json!({"subnet": "172.16.0.0/16"})),
        [
            "spec.subnet: Invalid value: \"172.16.0.0/16\": overlaps subnet 172.16.0.0/16 of SpiderSubnet equal in 172.16.0.0-172.16.255.255; choose one that does not",
            "spec.subnet: Invalid value: \"172.16.0.0/16\": overlaps subnet 172.16.4.0/24 of SpiderSubnet narrow in 172.16.4.0-172.16.4.255; choose one that does not",
        ]
    );
}

#[test]
fn s8_s9_a_subnet_fits_the_pools_that_are_there() {
    let cluster = Cluster::default()
        .pool("fits", json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1-172.16.0.9"]}))
        .pool("lacks", json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.10-172.16.0.19"], "excludeIPs": ["172.16.0.15"]}))
        .pool("narrow", json!({"subnet": "172.16.4.0/24", "ips": ["172.16.4.1"]}))
        .pool("broken", json!({"subnet": "172.16.0.0/16", "ips": ["?"]}));
    assert_eq!(
        create(&cluster, json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1-172.16.0.12"]})),
        [
            "spec.subnet: Invalid value: \"172.16.0.0/16\": overlaps subnet 172.16.4.0/24 of SpiderIPPool narrow in 172.16.4.0-172.16.4.255; give both the same subnet",
            "spec.ips: Invalid value: \"172.16.0.1-172.16.0.12\": lacks addresses that pools have: 172.16.0.13-172.16.0.14, 172.16.0.16-172.16.0.19 (SpiderIPPool lacks); add them",
        ]
    );
}

#[test]
fn a_stored_subnet_keeps_what_it_is_and_what_pools_have() {
    let old = stored(json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1-172.16.0.99"]}));
    let controlled = json!({
        "recorded": {"ips": ["172.16.0.20-172.16.0.29"]},
        "also": {"ips": ["172.16.0.30"], "application": "apps_v1_Deployment_ai_trainer"}
    });
    let old = with(old, json!({"status": {"controlledIPPools": controlled.to_string()}}));
    // Pools of the subnet count even if no status tells of them; other pools of the same addresses do not.
    let cluster = Cluster::default()
        .pool_facts(pool_of(
            "new",
            "unrecorded",
            json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.40-172.16.0.49"]}),
        ))
        .pool_facts(pool_of(
            "another",
            "foreign",
            json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.50-172.16.0.59"]}),
        ));
    let update = |changes: Value| {
        cluster.update(Kind::Subnet, with(old.clone(), json!({"spec": changes})), &old).errors
    };
    assert_eq!(update(json!({"ips": ["172.16.0.20-172.16.0.49", "172.16.7.7"]})), Vec::<String>::new());
    assert_eq!(
        update(json!({"ips": ["172.16.0.25-172.16.0.45"], "excludeIPs": ["172.16.0.30"]})),
        ["spec.ips: Forbidden: takes away addresses that pools have: 172.16.0.30 (SpiderIPPool also), \
          172.16.0.20-172.16.0.24 (SpiderIPPool recorded), 172.16.0.46-172.16.0.49 (SpiderIPPool unrecorded); \
          shrink or delete those pools first"]
    );
    assert_eq!(
        update(json!({"subnet": "172.17.0.0/16", "ips": null})),
        [
            "spec.subnet: Forbidden: is 172.16.0.0/16 and cannot become 172.17.0.0/16; create a new object instead",
            "spec.ips: Forbidden: takes away addresses that pools have: 172.16.0.30 (SpiderIPPool also), \
             172.16.0.20-172.16.0.29 (SpiderIPPool recorded); shrink or delete those pools first",
        ]
    );
    let corrupt = with(old.clone(), json!({"status": {"controlledIPPools": "[]"}}));
    let shrunk = with(corrupt.clone(), json!({"spec": {"ips": []}}));
    assert_eq!(
        cluster.update(Kind::Subnet, shrunk, &corrupt).errors,
        [
            "status.controlledIPPools: Invalid value: \"[]\": cannot be read (invalid type: sequence, expected a map at line 1 \
          column 0), so which addresses are in use is not known; repair it with: kubectl edit spidersubnet new \
          --subresource=status"
        ]
    );
}

#[test]
fn a_subnet_in_use_is_not_deleted_where_the_configuration_says_so() {
    let old = with(stored(json!({"subnet": "172.16.0.0/16"})), json!({"status": {"allocatedIPCount": 7}}));
    let cluster = Cluster::default().set(|settings| settings.refuse_delete_in_use = true);
    assert_eq!(
        cluster.delete(Kind::Subnet, &old),
        ["status.allocatedIPCount: Forbidden: addresses in use: 7; delete the pools that have them first"]
    );
    assert_eq!(Cluster::default().delete(Kind::Subnet, &old), Vec::<String>::new());
    let old = with(old, json!({"metadata": {"deletionTimestamp": "2025-01-01T00:00:00Z"}}));
    let released = with(old.clone(), json!({"metadata": {"finalizers": null}}));
    assert_eq!(cluster.update(Kind::Subnet, released, &old).errors, Vec::<String>::new());
    assert_eq!(
        cluster
            .update(Kind::Subnet, with(old.clone(), json!({"spec": {"gateway": "172.16.0.1"}})), &old)
            .errors,
        [
            "spec: Forbidden: the object is being deleted, so its spec can no longer change; create it anew when it is gone"
        ]
    );
}

#[test]
fn a_pool_goes_to_the_subnet_with_its_addresses() {
    let route = json!([{"dst": "10.0.0.0/8", "gw": "172.16.0.1"}]);
    let cluster = Cluster::default()
        .subnet("rail", json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.2-172.16.0.99"], "gateway": "172.16.0.1", "routes": route}))
        .subnet("other", json!({"subnet": "172.17.0.0/16"}));
    let spec = json!({"subnet": "172.16.11.0/16", "ips": ["172.16.0.2-172.16.0.9"]});
    let outcome = cluster.create(Kind::IpPool, manifest(Kind::IpPool, spec.clone()));
    assert_eq!(outcome.errors, Vec::<String>::new());
    assert_eq!(
        outcome.notices[1..],
        ["spec.gateway: taken from SpiderSubnet rail", "spec.routes: taken from SpiderSubnet rail"]
    );
    assert_eq!(
        outcome.object["metadata"],
        json!({
            "name": "new",
            "finalizers": ["spiderpool.spidernet.io"],
            "labels": {"ipam.spidernet.io/ippool-cidr": "172-16-0-0-16", "ipam.spidernet.io/owner-spider-subnet": "rail"},
            "ownerReferences": [{
                "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderSubnet", "name": "rail", "uid": "uid-of-rail",
                "controller": true, "blockOwnerDeletion": true
            }]
        })
    );
    assert_eq!(
        (&outcome.object["spec"]["gateway"], &outcome.object["spec"]["routes"]),
        (&json!("172.16.0.1"), &route)
    );

    // What the pool says itself stays; later removal of an inherited value is not undone.
    let own = with(
        manifest(Kind::IpPool, spec.clone()),
        json!({"spec": {"gateway": "172.16.0.254", "routes": []}}),
    );
    let own = cluster.create(Kind::IpPool, own).object;
    assert_eq!((&own["spec"]["gateway"], &own["spec"]["routes"]), (&json!("172.16.0.254"), &json!([])));
    let removed = with(outcome.object.clone(), json!({"spec": {"gateway": null}}));
    assert_eq!(cluster.update(Kind::IpPool, removed.clone(), &outcome.object).object, removed);

    let off = cluster.set(|settings| settings.enable_spider_subnet = false);
    let object = off.create(Kind::IpPool, manifest(Kind::IpPool, spec)).object;
    assert_eq!(object["metadata"].get("ownerReferences"), None);
    assert_eq!(object["metadata"]["labels"], json!({"ipam.spidernet.io/ippool-cidr": "172-16-0-0-16"}));
}

#[test]
fn a_subnet_without_uid_or_on_its_way_out_owns_nothing() {
    let spec = json!({"subnet": "172.16.0.0/16"});
    let facts = |uid: &str, terminating| SubnetFacts {
        name: "rail".into(),
        uid: uid.into(),
        terminating,
        spec: serde_json::from_value(spec.clone()).unwrap(),
        ..SubnetFacts::default()
    };
    let offline = Cluster::default().subnet_facts(facts("", false));
    let object = offline.create(Kind::IpPool, manifest(Kind::IpPool, spec.clone())).object;
    assert_eq!(object["metadata"].get("ownerReferences"), None);
    assert_eq!(object["metadata"]["labels"]["ipam.spidernet.io/owner-spider-subnet"], "rail");
    let going = Cluster::default().subnet_facts(facts("u", true));
    let object = going.create(Kind::IpPool, manifest(Kind::IpPool, spec)).object;
    assert_eq!(object["metadata"]["labels"].get("ipam.spidernet.io/owner-spider-subnet"), None);
}

#[test]
fn p24_p25_a_pools_addresses_are_those_of_its_subnet() {
    let cluster = Cluster::default().subnet(
        "rail",
        json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.2-172.16.0.99"], "excludeIPs": ["172.16.0.50"]}),
    );
    let spec = |ips: Value| manifest(Kind::IpPool, json!({"subnet": "172.16.0.0/16", "ips": ips}));
    let controlled_by = |kind: &str, name: &str| json!({"metadata": {"ownerReferences": [{"kind": kind, "name": name, "uid": "u", "controller": true}]}});
    assert_eq!(
        cluster
            .create(Kind::IpPool, spec(json!(["172.16.0.49-172.16.0.51", "172.16.0.98-172.16.0.101"])))
            .errors,
        [
            "spec.ips: Forbidden: 172.16.0.50, 172.16.0.100-172.16.0.101 are not among the addresses of SpiderSubnet rail; \
          add them to its spec.ips, or leave them out"
        ]
    );
    let lost = with(spec(json!(["172.16.0.2"])), controlled_by("SpiderSubnet", "gone"));
    assert_eq!(
        cluster.create(Kind::IpPool, lost).errors,
        [
            "metadata.ownerReferences: Forbidden: the controlling SpiderSubnet gone does not exist; create it, or remove \
          the owner reference"
        ]
    );
    let foreign = with(spec(json!(["172.16.0.2"])), controlled_by("Application", "trainer"));
    assert_eq!(
        cluster.create(Kind::IpPool, foreign.clone()).errors,
        [
            "metadata.ownerReferences: Forbidden: Application trainer controls the pool, but its addresses belong to \
          SpiderSubnet rail; remove one of the two"
        ]
    );
    // Without addresses there is nothing to be inside of, and without a subnet nobody asks.
    let empty = with(foreign.clone(), json!({"spec": {"ips": []}}));
    assert_eq!(cluster.create(Kind::IpPool, empty).errors, Vec::<String>::new());
    assert_eq!(Cluster::default().create(Kind::IpPool, foreign).errors, Vec::<String>::new());
}

#[test]
fn p26_an_applications_pool_has_what_its_subnet_records() {
    let cluster = |controlled: Option<&str>| {
        Cluster::default().subnet_facts(SubnetFacts {
            name: "rail".into(),
            uid: "u".into(),
            spec: serde_json::from_value(
                json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.2-172.16.0.99"]}),
            )
            .unwrap(),
            controlled: controlled.map(str::to_owned),
            ..SubnetFacts::default()
        })
    };
    let object = with(
        manifest(Kind::IpPool, json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.3", "172.16.0.2"]})),
        json!({"metadata": {"labels": {"ipam.spidernet.io/owner-application-name": "trainer"}}}),
    );
    let errors = |controlled| cluster(controlled).create(Kind::IpPool, object.clone()).errors;
    assert_eq!(errors(Some("{\"new\": {\"ips\": [\"172.16.0.2-172.16.0.3\"]}}")), Vec::<String>::new());
    // A status that cannot be read blames nobody.
    assert_eq!(errors(Some("{")), Vec::<String>::new());
    for (controlled, recorded) in
        [(None, "nothing"), (Some("{\"new\": {\"ips\": [\"172.16.0.2\"]}}"), "172.16.0.2")]
    {
        assert_eq!(
            errors(controlled),
            [format!(
                "spec.ips: Forbidden: is 172.16.0.2-172.16.0.3, but SpiderSubnet rail records {recorded} for this \
                 application's pool; the addresses of such a pool are changed by scaling the application"
            )]
        );
    }
}

#[test]
fn of_two_subnets_with_the_same_addresses_the_older_owns() {
    let facts = |name: &str, created: &str| SubnetFacts {
        name: name.into(),
        created: created.into(),
        spec: serde_json::from_value(json!({"subnet": "172.16.0.0/16"})).unwrap(),
        ..SubnetFacts::default()
    };
    let subnets =
        [Arc::new(facts("a", "2025-02-01T00:00:00Z")), Arc::new(facts("b", "2025-01-01T00:00:00Z"))];
    let peers = crate::rules::Peers::build(std::iter::empty(), subnets.iter(), std::iter::empty());
    let owner = peers.controlling_subnet("172.16.0.0/16".parse().unwrap());
    assert_eq!(owner.map(|owner| owner.facts.name.as_str()), Some("b"));
}
