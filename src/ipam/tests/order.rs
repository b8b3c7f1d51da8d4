use serde_json::json;

use super::*;

#[test]
fn the_users_order_of_pools_is_the_order_in_which_they_are_tried() {
    let cluster = Cluster::default().pool("a", small(1, 1, 9)).pool("b", small(2, 1, 1));
    let pods = ["p", "q"].map(|name| pod(name).rail(&["b", "a"]));
    assert_eq!(all_said(&cluster.plan(&pods)), ["net1=172.16.2.1/24@b", "net1=172.16.1.1/24@a"]);
}

#[test]
fn pools_of_a_pattern_come_in_natural_order_and_once() {
    let cluster = Cluster::default()
        .pool("gpu1-10", small(10, 1, 1))
        .pool("gpu1-2", small(2, 1, 1))
        .pool("gpu1-1", small(1, 1, 1))
        .pool("gpu2-1", small(99, 1, 1));
    let on = |patterns: &[&str]| {
        let pods: Vec<Intent> = (0..4).map(|n| pod(&format!("p{n}")).rail(patterns)).collect();
        let pool = |said: String| {
            said.rsplit_once('@').map_or_else(|| "none".to_owned(), |(_, pool)| pool.to_owned())
        };
        all_said(&cluster.plan(&pods)).into_iter().map(pool).collect::<Vec<_>>()
    };
    assert_eq!(on(&["gpu1-*"]), ["gpu1-1", "gpu1-2", "gpu1-10", "none"]);
    assert_eq!(on(&["gpu1-10", "gpu1-*"]), ["gpu1-10", "gpu1-1", "gpu1-2", "none"]);
    assert_eq!(on(&["gpu?-1"]), ["gpu1-1", "gpu2-1", "none", "none"]);
    assert_eq!(on(&["gpu[13]-?"]), ["gpu1-1", "gpu1-2", "none", "none"]);
}

#[test]
fn pools_that_are_meant_more_closely_come_first() {
    // Each pool has one more condition than the rule needs to beat the one before; all of them fit the pod.
    let affinities = [
        ("plain", json!({})),
        ("network", json!({"multusName": ["gpu1-sriov"]})),
        ("namespace-labels", json!({"namespaceAffinity": {"matchLabels": {"a": "b"}}})),
        ("namespace-name", json!({"namespaceName": ["team"]})),
        ("node-labels", json!({"nodeAffinity": {"matchLabels": {"a": "b"}}})),
        ("node-name", json!({"nodeName": ["n1"]})),
        ("pod", json!({"podAffinity": {"matchLabels": {"a": "b"}}})),
    ];
    let mut cluster = Cluster::default();
    for (net, (name, affinity)) in (0..).zip(&affinities) {
        let mut spec = small(net, 1, 1);
        spec.as_object_mut().unwrap().extend(affinity.as_object().unwrap().clone());
        cluster = cluster.pool(name, spec);
    }
    let names: Vec<&str> = affinities.iter().map(|(name, _)| *name).collect();
    let labelled = |n: usize| {
        let mut intent = pod(&format!("p{n}")).rail(&names);
        intent.labels = labels(&[("a", "b")]);
        intent.namespace = Arc::new(NamespaceView {
            name: "team".into(),
            labels: labels(&[("a", "b")]).into(),
            ..Default::default()
        });
        intent.node = Arc::new(NodeView { name: "n1".into(), labels: labels(&[("a", "b")]) });
        intent
    };
    let pods: Vec<Intent> = (0..names.len()).map(labelled).collect();
    let order: Vec<String> = all_said(&cluster.plan(&pods));
    let order: Vec<&str> = order.iter().map(|said| said.rsplit_once('@').unwrap().1).collect();
    let expected: Vec<&str> = names.iter().rev().copied().collect();
    assert_eq!(order, expected);
}

#[test]
fn more_conditions_of_lower_weight_do_not_beat_one_of_higher_weight() {
    let cluster = Cluster::default()
        .pool(
            "many",
            json!({"subnet": "172.16.1.0/24", "ips": ["172.16.1.1"], "namespaceName": ["team"],
            "multusName": ["gpu1-sriov"], "nodeAffinity": {}}),
        )
        .pool("one", json!({"subnet": "172.16.2.0/24", "ips": ["172.16.2.1"], "nodeName": ["n1"]}));
    assert_eq!(cluster.outcome(pod("p").rail(&["many", "one"])), "net1=172.16.2.1/24@one");
}
