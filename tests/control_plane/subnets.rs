//! Subnets share their addresses out to pools; the coordinator knows the CIDRs of the cluster; an installation begins
//! with what its values name.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Components;
use crate::installation::{Installation, Options};
use crate::objects::bare_pod;
use kube::api::PostParams;

fn pool(name: &str, ips: &str) -> String {
    json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool", "metadata": { "name": name },
        "spec": { "subnet": "10.7.0.0/24", "ips": [ips] } })
    .to_string()
}

fn subnet() -> String {
    json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderSubnet", "metadata": { "name": "shared" },
        "spec": { "subnet": "10.7.0.0/24", "ips": ["10.7.0.10-10.7.0.99"] } })
    .to_string()
}

/// A cluster-scoped object, null when it is not there.
fn find(installation: &Installation, kind: &str, name: &str) -> Value {
    let printed = installation.cluster.kubectl(&["get", "-o", "json", kind, name], "");
    serde_json::from_str(&printed.out).unwrap_or_default()
}

async fn status_is(installation: &Installation, kind: &str, name: &str, expected: &Value) {
    installation
        .wait_for(&format!("the status of {name} to be {expected}"), || async {
            find(installation, kind, name)["status"] == *expected
        })
        .await;
}

pub(crate) async fn share_addresses_out_and_take_their_pools_along() {
    // Pods of others are asked about in each sweep; one that rails were given to is followed.
    let options = Options { flags: &["--gc-interval=2", "--debug-metrics=true"], ..Options::default() };
    let installation = Installation::start("subnets", options).await;
    let cluster = &installation.cluster;
    cluster.apply(&pool("before", "10.7.0.10-10.7.0.19"));
    cluster.apply(&subnet());
    status_is(
        &installation,
        "spidersubnet",
        "shared",
        &json!({ "controlledIPPools": r#"{"before":{"ips":["10.7.0.10-10.7.0.19"]}}"#,
            "totalIPCount": 90, "allocatedIPCount": 10 }),
    )
    .await;
    let adopted = find(&installation, "spiderippool", "before");
    assert_eq!(adopted["metadata"]["ownerReferences"][0]["name"], "shared", "{adopted}");
    assert_eq!(adopted["metadata"]["labels"]["ipam.spidernet.io/owner-spider-subnet"], "shared");

    // What comes while the API server was away a moment ago is seen all the same: watches begin anew.
    cluster.restart_api_server(Duration::from_secs(2));
    cluster.apply(&pool("after", "10.7.0.20-10.7.0.29"));
    installation
        .wait_for("the numbers of the pool", || async {
            let status = &find(&installation, "spiderippool", "after")["status"];
            [&status["totalIPCount"], &status["allocatedIPCount"], &status["freeIPCount"]] == [10, 0, 10]
        })
        .await;
    status_is(
        &installation,
        "spidersubnet",
        "shared",
        &json!({ "controlledIPPools":
                r#"{"after":{"ips":["10.7.0.20-10.7.0.29"]},"before":{"ips":["10.7.0.10-10.7.0.19"]}}"#,
            "totalIPCount": 90, "allocatedIPCount": 20 }),
    )
    .await;

    let numbers = [
        ("ippool_total_ip_counts{SpiderIPPool=\"after\"}", 10.0),
        ("ippool_available_ip_counts{SpiderIPPool=\"after\"}", 10.0),
        ("subnet_total_ip_counts{SpiderSubnet=\"shared\"}", 90.0),
        ("subnet_available_ip_counts{SpiderSubnet=\"shared\"}", 70.0),
        ("subnet_ippool_counts{SpiderSubnet=\"shared\"}", 2.0),
    ];
    shown(&installation, &numbers).await;

    // A pod has an address of one of them.
    installation.create_namespace("team").await;
    let pod = installation.pods("team").create(&PostParams::default(), &bare_pod()).await.unwrap();
    let (name, uid) = (pod.metadata.name.unwrap(), pod.metadata.uid.unwrap());
    let records = json!({ "10.7.0.10": { "pod": format!("team/{name}"), "podUid": uid } }).to_string();
    let patch = json!({ "status": { "allocatedIPs": records, "allocatedIPCount": 1 } }).to_string();
    let write =
        ["patch", "spiderippool", "before", "--subresource=status", "--type=merge", "--patch", &patch];
    cluster.kubectl_ok(&write, "");
    cluster.kubectl_ok(&["delete", "spidersubnet", "shared", "--wait=false"], "");
    installation
        .wait_for("the unused pool to go", || async {
            find(&installation, "spiderippool", "after").is_null()
        })
        .await;
    let held = find(&installation, "spiderippool", "before");
    assert!(held["metadata"]["deletionTimestamp"].is_string(), "{held}");
    assert!(!find(&installation, "spidersubnet", "shared").is_null(), "it waits for its pool");

    // The leader releases the address, then lets go of the pool, then of the subnet; also after another absence.
    cluster.restart_api_server(Duration::from_secs(2));
    cluster.kubectl_ok(&["delete", "pod", &name, "--namespace", "team", "--now"], "");
    installation
        .wait_for("pool and subnet to go", || async {
            find(&installation, "spiderippool", "before").is_null()
                && find(&installation, "spidersubnet", "shared").is_null()
        })
        .await;
    shown(&installation, &numbers.map(|(name, _)| (name, 0.0))).await;
}

/// Waits until debug metrics have these values; one that is not served counts as 0.
async fn shown(installation: &Installation, numbers: &[(&str, f64)]) {
    for (name, expected) in numbers {
        installation
            .wait_for(&format!("{name} to be {expected}"), || async {
                let value = installation.replicas[0].metric(&format!("spiderpool_debug_{name}")).await;
                (value - expected).abs() < 0.5
            })
            .await;
    }
}

pub(crate) async fn are_not_needed_for_the_cluster_s_cidrs() {
    let values = [
        "coordinator.podCIDRType=cluster",
        "clusterDefaultPool.installIPv4IPPool=true",
        "clusterDefaultPool.ipv4Subnet=10.8.0.0/24",
        "clusterDefaultPool.ipv4IPRanges={10.8.0.10-10.8.0.19}",
    ];
    let options = Options { components: Components::Api, values: &values, ..Options::default() };
    let installation = Installation::start("coordinator", options).await;
    let cluster = &installation.cluster;

    // What the values name is there.
    installation
        .wait_for("the default pool, of its subnet", || async {
            let pool = find(&installation, "spiderippool", "default-v4-ippool");
            pool["status"]["totalIPCount"] == 10
                && pool["metadata"]["ownerReferences"][0]["name"] == "default-v4-subnet"
        })
        .await;
    let pool = find(&installation, "spiderippool", "default-v4-ippool");
    assert_eq!(pool["spec"]["default"], true);
    let spec = &find(&installation, "spidercoordinator", "default")["spec"];
    assert_eq!((&spec["mode"], &spec["podCIDRType"]), (&json!("auto"), &json!("cluster")));
    assert_eq!(spec["hijackCIDR"], json!(["169.254.0.0/16"]));

    // Nothing tells the pod CIDRs, the Service CIDR stands in the API.
    let services = &cluster.get(&["servicecidr", "kubernetes"])["spec"]["cidrs"];
    let status = || find(&installation, "spidercoordinator", "default")["status"].clone();
    installation
        .wait_for("NotReady", || async {
            status()["phase"] == "NotReady" && status()["serviceCIDR"] == *services
        })
        .await;
    assert!(status()["reason"].as_str().unwrap().contains("kubeadm-config"), "{}", status());

    // The watches that tell of edits begin anew after the API server was away.
    cluster.restart_api_server(Duration::from_secs(2));
    let kubeadm = "apiVersion: kubeadm.k8s.io/v1beta4\nnetworking:\n  podSubnet: 10.244.0.0/16\n";
    let config_map = json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "kubeadm-config", "namespace": "kube-system" },
        "data": { "ClusterConfiguration": kubeadm } });
    cluster.apply(&config_map.to_string());
    // An edit is looked at right away, without it within half a minute.
    let touch = |mode: &str| {
        let patch = json!({ "spec": { "mode": mode } }).to_string();
        cluster.kubectl_ok(&["patch", "spidercoordinator", "default", "--type=merge", "--patch", &patch], "");
    };
    touch("underlay");
    let synced = json!({ "phase": "Synced", "overlayPodCIDR": ["10.244.0.0/16"], "serviceCIDR": services });
    status_is(&installation, "spidercoordinator", "default", &synced).await;

    // What cannot be found any more keeps its value, and is said.
    cluster.kubectl_ok(&["delete", "configmap", "kubeadm-config", "--namespace", "kube-system"], "");
    touch("overlay");
    installation.wait_for("NotReady", || async { status()["phase"] == "NotReady" }).await;
    assert_eq!(status()["overlayPodCIDR"], json!(["10.244.0.0/16"]));

    // A status that somebody spoilt is mended.
    let patch = json!({ "status": { "phase": "Synced", "serviceCIDR": ["192.0.2.0/24"] } }).to_string();
    let write =
        ["patch", "spidercoordinator", "default", "--subresource=status", "--type=merge", "--patch", &patch];
    cluster.kubectl_ok(&write, "");
    installation.wait_for("the status to be mended", || async { status()["serviceCIDR"] == *services }).await;
}
