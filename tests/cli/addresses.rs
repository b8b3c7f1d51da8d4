//! Questions about addresses, asked of files instead of a cluster.

use serde_json::{Value, json};

use crate::support::{Folder, railweave};

fn pool(name: &str, net: u8, records: Option<&Value>) -> String {
    let status = records.map(|records| json!({ "allocatedIPs": records.to_string() }));
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool", "metadata": { "name": name },
        "spec": { "subnet": format!("172.16.{net}.0/24"), "ips": [format!("172.16.{net}.1-172.16.{net}.4")] },
        "status": status,
    })
    .to_string()
}

fn network(rail: u8) -> String {
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig",
        "metadata": {
            "name": format!("gpu{rail}"), "namespace": "spiderpool",
            "annotations": { "cni.spidernet.io/rdma-resource-inject": "rdma" },
        },
        "spec": { "cniType": "sriov", "sriov": {
            "resourceName": format!("spidernet.io/gpu{rail}"), "ippools": { "ipv4": [format!("rail-{rail}")] },
        }},
    })
    .to_string()
}

fn node(name: &str, ready: &str, devices: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": name },
        "status": {
            "conditions": [{ "type": "Ready", "status": ready }],
            "allocatable": { "spidernet.io/gpu1": devices, "spidernet.io/gpu2": devices },
        },
    })
    .to_string()
}

fn pod(name: &str, annotations: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": "team", "uid": format!("uid-{name}"), "annotations": annotations },
        "spec": { "nodeName": "n1", "containers": [{ "name": "c", "image": "i" }] },
    })
    .to_string()
}

/// Two rails of four addresses; a pod that has two of them, and records of pods that are gone.
fn cluster() -> Folder {
    let networks = r#"[{"name":"gpu1","namespace":"spiderpool"},{"name":"gpu2","namespace":"spiderpool"}]"#;
    let record = |pod: &str, interface: &str, node: &str| json!({ "pod": format!("team/{pod}"), "podUid": format!("uid-{pod}"), "interface": interface, "node": node });
    let first =
        json!({ "172.16.1.1": record("a", "net1", "n1"), "172.16.1.2": record("gone", "net1", "n1") });
    let second = json!({
        "172.16.2.1": record("a", "net2", "n1"),
        "172.16.2.2": record("lost", "net2", "dead"),
        "172.16.2.3": record("lost-too", "net2", "dead"),
    });
    let files = [
        ("rail1.json", pool("rail-1", 1, Some(&first))),
        ("rail2.json", pool("rail-2", 2, Some(&second))),
        ("gpu1.json", network(1)),
        ("gpu2.json", network(2)),
        ("n1.json", node("n1", "True", "12")),
        ("dead.json", node("dead", "False", "12")),
        ("a.json", pod("a", &json!({ "k8s.v1.cni.cncf.io/networks": networks }))),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Folder::with(&files)
}

#[test]
fn audit_lists_what_does_not_agree_and_says_so_by_its_exit_code() {
    let folder = cluster();
    let run = railweave(&["ipam", "audit", "-f", folder.path(), "-o", "json"]);
    assert_eq!(run.code, 1, "{run:?}");
    let findings = run.json()["findings"].clone();
    let said: Vec<String> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let text = |field: &str| finding[field].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", text("kind"), text("object"), text("address"), text("pod"))
        })
        .collect();
    assert_eq!(
        said,
        [
            "leaked SpiderIPPool rail-1 172.16.1.2 team/gone",
            "quarantined SpiderIPPool rail-2 172.16.2.2 team/lost",
            "quarantined SpiderIPPool rail-2 172.16.2.3 team/lost-too",
        ]
    );
    let text = railweave(&["ipam", "audit", "-f", folder.path()]).out;
    assert!(
        text.starts_with(
            "leaked            172.16.1.2      SpiderIPPool rail-1  team/gone: no pod has that UID any more"
        ),
        "{text}"
    );
    assert!(text.ends_with("3 findings, 0 mended\n"), "{text}");
    let refused = railweave(&["ipam", "audit", "--fix", "-f", folder.path()]);
    assert_eq!(refused.code, 2, "files cannot be mended");
}

#[test]
fn audit_of_records_that_agree_finds_nothing() {
    let folder = Folder::with(&[("pool.json", &pool("rail-1", 1, None))]);
    let run = railweave(&["ipam", "audit", "-f", folder.path()]);
    assert_eq!((run.code, run.out.as_str()), (0, "records, endpoints and pods agree\n"));
}

#[test]
fn pools_are_a_table_with_bars() {
    let folder = cluster();
    let run = railweave(&["pools", "-f", folder.path()]);
    assert_eq!(
        run.out,
        "\
POOL    SUBNET                                     USED     FREE QUARANTINED    TOTAL
rail-1  172.16.1.0/24  [##########..........]         2        2           0        4
rail-2  172.16.2.0/24  [#####~~~~~~~~~~.....]         1        1           2        4
"
    );
    let json = railweave(&["pools", "-f", folder.path(), "-o", "json"]).json();
    let rail = json!({"pool": "rail-2", "subnet": "172.16.2.0/24", "total": 4, "used": 1, "quarantined": 2, "free": 1});
    assert_eq!(json["pools"][1], rail);
    let nodes = railweave(&["pools", "--by-node", "-f", folder.path(), "-o", "json"]).json();
    assert_eq!(
        nodes["nodes"],
        json!([
            {"node": "dead", "used": 2, "quarantined": 2, "pods": 2, "pools": 1},
            {"node": "n1", "used": 3, "quarantined": 0, "pods": 2, "pools": 2},
        ])
    );
}

#[test]
fn capacity_says_how_many_more_pods_fit_and_where_that_ends() {
    let folder = cluster();
    let run = railweave(&["capacity", "-f", folder.path()]);
    assert_eq!(
        run.out,
        "\
1 more pods with 2 rails fit on 1 nodes
  1 on 1 nodes, first on n1 after 1: then net2 (spiderpool/gpu2): no free IPv4 address in the pools of the network: \
         rail-2: all of its 4 addresses are in use
"
    );
    let one = railweave(&["capacity", "-f", folder.path(), "--rails", "1", "-o", "json"]).json();
    assert_eq!((&one["pods"], &one["rails"]), (&2.into(), &1.into()));
    let named = ["capacity", "-f", folder.path(), "--network", "spiderpool/gpu1", "--most", "1", "--by-node"];
    let named = railweave(&named);
    assert_eq!(
        named.out,
        "1 more pods with 1 rails fit on 1 nodes\nNODE    PODS  THEN\nn1         1  counted no further (--most)\n"
    );
    let unknown = railweave(&["capacity", "-f", folder.path(), "--group", "other"]);
    assert_eq!(
        (unknown.code, unknown.err.as_str()),
        (2, "error: there is no group other; there are: rdma\n")
    );
}

#[test]
fn explain_goes_on_through_the_pools() {
    let folder = cluster();
    let asked = pod("b", &json!({ "cni.spidernet.io/rdma-resource-inject": "rdma" }));
    let asked = Folder::with(&[("asked.json", &asked)]);
    let file = asked.argument("asked.json");
    let run = railweave(&["explain", "-f", &file, "--catalog", folder.path(), "-o", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let steps = run.json()["pods"][0]["steps"].clone();
    let steps: Vec<String> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| format!("{}: {}", step["subject"].as_str().unwrap(), step["finding"].as_str().unwrap()))
        .skip_while(|step| !step.starts_with("node: "))
        .collect();
    assert_eq!(
        steps,
        [
            "node: n1",
            "rail: net1 (spiderpool/gpu1): pools of the network",
            "pool: net1 IPv4 rail-1: 2 free",
            "rail: net2 (spiderpool/gpu2): pools of the network",
            "pool: net2 IPv4 rail-2: 1 free",
            "address: net1: 172.16.1.3/24 of rail-1",
            "address: net2: 172.16.2.4/24 of rail-2",
        ]
    );
}
