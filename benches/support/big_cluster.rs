//! A big cluster, for the benchmark of the catalog and the gate on its memory.

use railweave::catalog::Objects;
use serde_json::json;

/// What a source delivers of a big cluster: 1,000 groups of 8 networks and their definitions, 10,000 namespaces of which a
/// tenth opt in, 2,048 pools.
pub(crate) fn objects() -> Objects {
    let mut objects = Objects::default();
    for group in 0..1_000 {
        for rail in 1..=8 {
            let network = json!({
                "kind": "SpiderMultusConfig",
                "metadata": {"name": format!("g{group}-rail{rail}"), "namespace": "spiderpool",
                    "annotations": {"cni.spidernet.io/rdma-resource-inject": format!("group-{group}")}},
                "spec": {"cniType": "sriov", "sriov": {"resourceName": format!("spidernet.io/gpu{rail}sriov"),
                    "ippools": {"ipv4": [format!("rail{rail}-*")]}}}
            });
            assert!(objects.apply(&network).is_ok());
            let definition = json!({
                "kind": "NetworkAttachmentDefinition",
                "metadata": {"name": format!("g{group}-rail{rail}"), "namespace": "spiderpool",
                    "ownerReferences": [{"kind": "SpiderMultusConfig", "name": format!("g{group}-rail{rail}")}]}
            });
            assert!(objects.apply(&definition).is_ok());
        }
    }
    for number in 0..10_000 {
        let mut namespace = json!({"kind": "Namespace", "metadata": {"name": format!("team-{number}")}});
        if number % 10 == 0 {
            namespace["metadata"]["annotations"] =
                json!({"cni.spidernet.io/rdma-resource-inject": format!("group-{}", number % 1_000)});
        }
        assert!(objects.apply(&namespace).is_ok());
    }
    for node in 0..256 {
        for rail in 0..8 {
            let base = format!("172.16.{node}.{}", rail * 32);
            let pool = json!({"kind": "SpiderIPPool", "metadata": {"name": format!("rail{rail}-node{node}")},
                "spec": {"ipVersion": 4, "subnet": format!("{base}/27"),
                    "ips": [format!("172.16.{node}.{}-172.16.{node}.{}", rail * 32 + 2, rail * 32 + 30)]}});
            assert!(objects.apply(&pool).is_ok());
        }
    }
    objects
}
