//! The custom resource definitions apply, and the examples are accepted by their schemas alone.

use crate::cluster::{Cluster, Components};
use crate::files::files;

/// Creates every namespace that manifests mention.
fn create_namespaces(cluster: &Cluster, manifests: &str) {
    for line in manifests.lines() {
        if let Some((_, name)) = line.split_once("namespace: ") {
            cluster.kubectl(&["create", "namespace", name.trim_end_matches(['}', ' '])], "");
        }
    }
}

fn apply_definitions(cluster: &Cluster) {
    for (_, definition) in files("manifests/crds") {
        cluster.kubectl_ok(&["apply", "--server-side", "-f", "-"], &definition);
    }
    cluster.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], "");
}

pub(crate) async fn examples_are_canonical() {
    let cluster = Cluster::start("crds-examples", Components::Api).await;
    apply_definitions(&cluster);
    let namespaces_only = cluster.kubectl_ok(&["get", "crd", "-o", "name"], "").out;
    let kinds = ["ippools", "subnets", "reservedips", "coordinators", "endpoints", "multusconfigs"];
    for kind in kinds {
        assert!(
            namespaces_only.contains(&format!("/spider{kind}.spiderpool.spidernet.io")),
            "{namespaces_only}"
        );
    }
    for (path, example) in files("manifests/examples") {
        create_namespaces(&cluster, &example);
        for dry_run in [&["--dry-run=server"][..], &[]] {
            let arguments = [&["apply", "--validate=strict", "-f", "-"], dry_run].concat();
            let printed = cluster.kubectl(&arguments, &example);
            assert!(printed.ok, "{path}: {}", printed.err);
            assert_eq!(printed.err, "", "{path}: a canonical manifest gives no warning");
        }
    }
}

/// Objects as Spiderpool 1.2 leaves them in etcd: defaults written out, finalizers, status, empty texts.
pub(crate) async fn objects_of_spiderpool_are_accepted() {
    let cluster = Cluster::start("crds-stored", Components::Api).await;
    apply_definitions(&cluster);
    let stored = include_str!("fixtures/spiderpool.yaml");
    create_namespaces(&cluster, stored);
    let printed = cluster.kubectl_ok(&["create", "--validate=strict", "-f", "-"], stored);
    assert_eq!(printed.out.lines().count(), 8, "{}", printed.out);

    // The status is a subresource of pools, and an ordinary field of endpoints.
    let pool = cluster.get(&["spiderippool", "eno3np1-rail1-node1"]);
    assert!(pool["status"].is_null(), "{pool}");
    let allocated = r#"{"status":{"allocatedIPs":"{\"172.16.1.2\":{\"pod\":\"default/a\",\"podUid\":\"u\"}}","allocatedIPCount":1,"totalIPCount":29}}"#;
    cluster.kubectl_ok(
        &["patch", "sp", "eno3np1-rail1-node1", "--subresource=status", "--type=merge", "-p", allocated],
        "",
    );
    let endpoint = cluster.get(&["se", "train-0"]);
    assert_eq!(endpoint["status"]["current"]["ips"][0]["ipv4"], "172.16.1.2/27");

    // Each kind has columns that say what it is, AGE among them.
    for (short, columns) in [
        ("sp", "NAME VERSION SUBNET ALLOCATED-IP-COUNT TOTAL-IP-COUNT FREE-IP-COUNT DEFAULT AGE"),
        ("ss", "NAME VERSION SUBNET ALLOCATED-IP-COUNT TOTAL-IP-COUNT AGE"),
        ("sr", "NAME VERSION AGE"),
        ("smc", "NAME TYPE RESOURCE GROUP RENDERED AGE"),
        ("se", "NAME INTERFACE IPV4POOL IPV4 IPV6POOL IPV6 NODE AGE"),
    ] {
        let table = cluster.kubectl_ok(&["get", short, "--all-namespaces"], "").out;
        let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(head.join(" ").trim_start_matches("NAMESPACE "), columns, "{short}");
    }
    let table = cluster.kubectl_ok(&["get", "smc", "--namespace", "spiderpool", "gpu1-sriov"], "").out;
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..4], ["gpu1-sriov", "sriov", "spidernet.io/gpu1sriov", "rdma-network"]);
}

/// What one object can decide about itself is refused by its schema, so also while no webhook answers.
pub(crate) async fn schemas_refuse_what_is_wrong_by_itself() {
    let cluster = Cluster::start("crds-rules", Components::Api).await;
    apply_definitions(&cluster);
    let pool = |spec: &str| {
        format!(
            "{{apiVersion: spiderpool.spidernet.io/v2beta1, kind: SpiderIPPool, metadata: {{name: pool}}, spec: {spec}}}"
        )
    };
    let network = |spec: &str| {
        format!(
            "{{apiVersion: spiderpool.spidernet.io/v2beta1, kind: SpiderMultusConfig, metadata: {{name: rail, namespace: default}}, spec: {spec}}}"
        )
    };
    for wrong in [
        pool("{}"),
        pool("{subnet: 10.0.0.0/33}"),
        pool("{subnet: not-a-subnet}"),
        pool("{subnet: 10.0.0.0/24, ipVersion: 5}"),
        pool("{subnet: 10.0.0.0/24, gateway: fd00::1}"),
        network("{cniType: token-ring}"),
        network("{cniType: sriov}"),
        network("{cniType: sriov, sriov: {resourceName: a/b, vlanID: 4095}}"),
        network("{cniType: sriov, sriov: {resourceName: a/b, mtu: -1}}"),
        network("{cniType: sriov, sriov: {resourceName: a/b}, macvlan: {master: [eth0]}}"),
        network("{cniType: ib-sriov, ibsriov: {resourceName: a/b, linkState: sideways}}"),
    ] {
        let printed = cluster.kubectl(&["create", "--dry-run=server", "-f", "-"], &wrong);
        assert!(!printed.ok, "accepted: {wrong}");
        assert!(printed.err.contains("spec"), "names no field: {}", printed.err);
    }
    for right in [
        pool("{subnet: 10.0.0.0/8}"),
        pool("{subnet: fd00::/64, ips: ['fd00::1-fd00::ffff'], gateway: fd00::1}"),
        network("{cniType: custom, customCNI: '{\"type\":\"bridge\"}'}"),
    ] {
        cluster.kubectl_ok(&["create", "--dry-run=server", "-f", "-"], &right);
    }
}
