use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::*;
use crate::ipam::Ledger;
use crate::net::RangeSet;
use crate::rules::PoolFacts;

/// A cluster with pools `a` (172.16.1.1 to .9) and `b` (172.16.2.1 to .9, of node n1), and nodes n1 and dead.
struct Cluster {
    pools: Pools,
    ledgers: Ledgers,
    pods: Vec<ObservedPod>,
    endpoints: Vec<ObservedEndpoint>,
    nodes: HashMap<String, ObservedNode>,
    kept: HashSet<String>,
}

impl Cluster {
    fn new() -> Self {
        let pool = |name: &str, spec: Value| {
            let spec = serde_json::from_value(spec).unwrap();
            Arc::new(PoolFacts { name: name.into(), spec, ..PoolFacts::default() })
        };
        let facts = [
            pool("a", json!({"subnet": "172.16.1.0/24", "ips": ["172.16.1.1-172.16.1.9"]})),
            pool(
                "b",
                json!({"subnet": "172.16.2.0/24", "ips": ["172.16.2.1-172.16.2.9"], "nodeName": ["n1"]}),
            ),
        ];
        let node = |name: &str, ready: bool| {
            let view = Arc::new(NodeView { name: name.into(), ..NodeView::default() });
            (name.to_owned(), ObservedNode { view, ready })
        };
        Self {
            pools: Pools::compile(facts.iter(), &[], &RangeSet::default(), "spiderpool"),
            ledgers: Ledgers::default(),
            pods: Vec::new(),
            endpoints: Vec::new(),
            nodes: HashMap::from([node("n1", true), node("n2", true), node("dead", false)]),
            kept: HashSet::new(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "written in place with json!")]
    fn records(mut self, pool: &str, records: Value) -> Self {
        self.ledgers.insert(pool, Ledger::parse(pool, Some(&records.to_string())));
        self
    }

    /// A pod with UID `uid-<name>`, and what Multus reports of it.
    fn pod(mut self, name: &str, node: &str, reported: &[&str]) -> Self {
        self.pods.push(ObservedPod {
            key: format!("team/{name}"),
            holder: format!("team/{name}").into(),
            uid: format!("uid-{name}").into(),
            node: node.into(),
            ended: false,
            reported: reported.iter().map(|text| ("net1".into(), text.parse().unwrap())).collect(),
        });
        self
    }

    fn endpoint(mut self, name: &str, node: &str, given: &[(&str, &str)]) -> Self {
        self.endpoints.push(ObservedEndpoint {
            key: format!("team/{name}").into(),
            uid: format!("uid-{name}").into(),
            node: node.into(),
            given: given
                .iter()
                .map(|(text, pool)| ("net1".into(), text.parse().unwrap(), (*pool).into()))
                .collect(),
        });
        self
    }

    fn audit(&self) -> Vec<Finding> {
        let Self { pools, ledgers, pods, endpoints, nodes, kept } = self;
        audit(&Observed { pools, ledgers, pods, endpoints, nodes, kept })
    }

    /// `leaked a 172.16.1.1 team/x: why -> next`
    fn said(&self) -> Vec<String> {
        let line = |finding: Finding| {
            let Finding { kind, object, address, pod, reason, next, .. } = finding;
            let text = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            format!("{} {object} {} {}: {reason} -> {next}", kind.name(), text(address), text(pod))
        };
        self.audit().into_iter().map(line).collect()
    }
}

#[test]
fn a_cluster_that_agrees_has_no_findings() {
    let cluster = Cluster::new()
        .records(
            "b",
            json!({"172.16.2.1": {"pod": "team/p", "podUid": "uid-p", "interface": "net1", "node": "n1"}}),
        )
        .pod("p", "n1", &["172.16.2.1", "10.244.0.7"])
        .endpoint("p", "n1", &[("172.16.2.1", "b")])
        .pod("plain", "n1", &["10.244.0.8"]);
    assert_eq!(cluster.said(), Vec::<String>::new());
}

#[test]
fn a_record_without_its_pod_is_leaked_and_can_be_released() {
    let mut cluster = Cluster::new().records(
        "a",
        json!({"172.16.1.1": {"pod": "team/gone", "podUid": "uid-gone", "node": "n1"},
               "172.16.1.2": {"pod": "team/done", "podUid": "uid-done"},
               "172.16.1.3": {"pod": "team/lost", "podUid": "uid-lost", "node": "deleted"},
               "172.16.1.4": {"pod": "", "podUid": ""}}),
    );
    cluster = cluster.pod("done", "n1", &[]);
    cluster.pods[0].ended = true;
    let later =
        "the leader releases it within two minutes; if it is still there then: railweave ipam audit --fix";
    assert_eq!(
        cluster.said(),
        [
            format!("leaked SpiderIPPool a 172.16.1.1 team/gone: no pod has that UID any more (UID uid-gone) -> {later}"),
            format!("leaked SpiderIPPool a 172.16.1.2 team/done: the pod has ended (UID uid-done) -> {later}"),
            format!("leaked SpiderIPPool a 172.16.1.3 team/lost: no pod has that UID any more (UID uid-lost) -> {later}"),
            "leaked SpiderIPPool a 172.16.1.4 -: the record names no UID, so no pod can prove that it has the address \
             -> if nobody has it, remove it: kubectl edit spiderippool a --subresource=status"
                .to_owned(),
        ]
    );
    let repairs: Vec<Option<Repair>> = cluster.audit().into_iter().map(|finding| finding.repair).collect();
    let release = |address: &str, uid: &str| Some(Repair::Release(address.parse().unwrap(), uid.into()));
    assert_eq!(
        repairs,
        [
            release("172.16.1.1", "uid-gone"),
            release("172.16.1.2", "uid-done"),
            release("172.16.1.3", "uid-lost"),
            None
        ]
    );
}

#[test]
fn what_may_still_run_or_come_back_is_not_leaked() {
    let mut cluster = Cluster::new().records(
        "a",
        json!({"172.16.1.1": {"pod": "team/there", "podUid": "uid-there", "node": "dead"},
               "172.16.1.2": {"pod": "team/seen", "podUid": "uid-seen"},
               "172.16.1.3": {"pod": "team/db-0", "podUid": "uid-db-0", "node": "n1"}}),
    );
    cluster = cluster.endpoint("seen", "dead", &[("172.16.1.2", "a")]);
    cluster.kept.insert("team/db-0".into());
    let why = "the pod is gone or has ended, but node dead is not ready: it may run on there -> the leader releases it \
               once node dead is ready again, or deleted";
    assert_eq!(
        cluster.said(),
        [
            format!("quarantined SpiderIPPool a 172.16.1.1 team/there: {why}"),
            format!("quarantined SpiderIPPool a 172.16.1.2 team/seen: {why}"),
        ]
    );
    assert!(cluster.audit().iter().all(|finding| finding.repair.is_none()));
    let Cluster { pools, ledgers, pods, endpoints, nodes, kept } = &cluster;
    let held = held_back(&Observed { pools, ledgers, pods, endpoints, nodes, kept });
    assert_eq!(held, BTreeMap::from([("a".to_owned(), 2)]));
}

#[test]
fn an_address_in_use_that_no_pool_records_is_found_and_can_be_recorded() {
    let cluster = Cluster::new()
        .pod("p", "n1", &["172.16.1.5", "10.244.0.7"])
        .endpoint("p", "n1", &[("172.16.1.5", "a")])
        .pod("by-hand", "n2", &["172.16.1.6"])
        .pod("odd", "n1", &[])
        .endpoint("odd", "n1", &[("172.16.1.200", "a")])
        .endpoint("gone", "n1", &[("172.16.1.7", "a")]);
    assert_eq!(
        cluster.said(),
        [
            "in-use-unrecorded SpiderIPPool a 172.16.1.5 team/p: the pod's endpoint says that it has it, and no pool \
             records that -> railweave ipam audit --fix",
            "in-use-unrecorded SpiderIPPool a 172.16.1.200 team/odd: the pod's endpoint says that it has it, and no pool \
             records that -> delete pod team/odd before another one gets the address",
            "in-use-unrecorded SpiderIPPool a 172.16.1.6 team/by-hand: the pod's network-status says that it has it, and \
             no pool records that -> railweave ipam audit --fix",
        ]
    );
    let record = Record::new("team/by-hand".into(), "uid-by-hand".into(), "net1".into()).on("n2");
    assert_eq!(
        cluster.audit()[2].repair,
        Some(Repair::Record("172.16.1.6".parse().unwrap(), record)),
        "for the pod that has it, on its node"
    );
}

#[test]
fn an_address_in_use_is_never_freed_because_it_is_recorded_for_another_pod() {
    let mut cluster = Cluster::new()
        .records(
            "a",
            json!({"172.16.1.5": {"pod": "team/gone", "podUid": "uid-gone", "node": "n1"},
                   "172.16.1.6": {"pod": "team/lost", "podUid": "uid-lost", "node": "dead"},
                   "172.16.1.7": {"pod": "team/db-0", "podUid": "uid-db-0", "node": "n1"}}),
        )
        .pod("p", "n1", &[])
        .endpoint("p", "n1", &[("172.16.1.5", "a")])
        .pod("q", "n1", &["172.16.1.6"])
        .pod("r", "n1", &["172.16.1.7"]);
    cluster.kept.insert("team/db-0".into());
    let says = |what: &str| format!("the pod's {what} says that it has it, and it is recorded for");
    assert_eq!(
        cluster.said(),
        [
            "quarantined SpiderIPPool a 172.16.1.6 team/lost: the pod is gone or has ended, but node dead is not ready: \
             it may run on there -> the leader releases it once node dead is ready again, or deleted"
                .to_owned(),
            format!(
                "in-use-unrecorded SpiderIPPool a 172.16.1.5 team/p: {} team/gone, which does not run -> railweave ipam \
                 audit --fix",
                says("endpoint")
            ),
            format!(
                "in-use-unrecorded SpiderIPPool a 172.16.1.6 team/q: {} team/lost, which does not run -> delete pod \
                 team/q before another one gets the address",
                says("network-status")
            ),
            format!(
                "in-use-unrecorded SpiderIPPool a 172.16.1.7 team/r: {} team/db-0, which does not run -> delete pod \
                 team/r before another one gets the address",
                says("network-status")
            ),
        ]
    );
    let record = Record::new("team/p".into(), "uid-p".into(), "net1".into()).on("n1");
    let repairs: Vec<Repair> = cluster.audit().into_iter().filter_map(|finding| finding.repair).collect();
    assert_eq!(repairs, [Repair::Record("172.16.1.5".parse().unwrap(), record)]);
}

#[test]
fn an_address_of_two_pods_or_in_two_pools_is_a_duplicate() {
    let cluster = Cluster::new()
        .records(
            "a",
            json!({"172.16.1.1": {"pod": "team/p", "podUid": "uid-p"},
                             "172.16.9.9": {"pod": "team/p", "podUid": "uid-p"}}),
        )
        .records("b", json!({"172.16.9.9": {"pod": "team/p", "podUid": "uid-p"}}))
        .pod("p", "n1", &[])
        .pod("q", "n1", &["172.16.1.1"])
        .pod("r", "n1", &["172.16.1.8"])
        .pod("s", "n1", &["172.16.1.8"]);
    let next = "delete the younger pod; where one record is listed as leaked, release that";
    let said = cluster.said();
    assert_eq!(
        said[..3],
        [
            format!(
                "duplicate - 172.16.1.1 -: claimed by team/p (record of pool a) and team/q (network-status) -> {next}"
            ),
            format!(
                "duplicate - 172.16.1.8 -: claimed by team/r (network-status) and team/s (network-status) -> {next}"
            ),
            format!(
                "duplicate - 172.16.9.9 -: claimed by team/p (record of pool a) and team/p (record of pool b) -> {next}"
            ),
        ]
    );
    // Which of the two may be recorded is nothing that can be proven.
    assert_eq!(said.len(), 5);
    assert!(cluster.audit().iter().all(|finding| finding.repair.is_none()));
}

#[test]
fn record_pool_and_pod_must_agree_on_the_node() {
    let cluster = Cluster::new()
        .records(
            "a",
            json!({"172.16.1.1": {"pod": "team/p", "podUid": "uid-p", "interface": "net1", "node": "n2"}}),
        )
        .records("b", json!({"172.16.2.1": {"pod": "team/q", "podUid": "uid-q"}}))
        .pod("p", "n1", &[])
        .pod("q", "n2", &[]);
    assert_eq!(
        cluster.said(),
        [
            "wrong-node SpiderIPPool a 172.16.1.1 team/p: the record names node n2, the pod runs on n1 -> railweave ipam \
             audit --fix",
            "wrong-node SpiderIPPool b 172.16.2.1 team/q: nodeName or nodeAffinity of the pool leaves out node n2 of the \
             pod -> delete pod team/q, so that the next one gets an address of its node",
        ]
    );
    let right = Record::new("team/p".into(), "uid-p".into(), "net1".into()).on("n1");
    assert_eq!(cluster.audit()[0].repair, Some(Repair::Record("172.16.1.1".parse().unwrap(), right)));
}

#[test]
fn records_that_cannot_be_read_are_named_and_nothing_is_concluded_from_them() {
    let mut cluster = Cluster::new().pod("p", "n1", &["172.16.1.5"]);
    cluster.ledgers.insert("a", Ledger::parse("a", Some("{")));
    assert_eq!(
        cluster.said(),
        [
            "unreadable SpiderIPPool a - -: status.allocatedIPs cannot be read: EOF while parsing an object at line 1 \
          column 1; nothing is allocated from the pool -> kubectl edit spiderippool a --subresource=status"
        ]
    );
}
