//! Compiling the catalog: 1,000 groups of 8 networks, 10,000 namespaces, 2,048 pools.

use criterion::{Criterion, criterion_group, criterion_main};
use railweave::api::settings::Settings;
use railweave::catalog::{Catalog, Identity, Objects};
use serde_json::json;

fn objects() -> Objects {
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

fn compile(criterion: &mut Criterion) {
    let objects = objects();
    let identity = Identity::default();
    criterion.bench_function("catalog/compile 1,000 groups, 10,000 namespaces, 2,048 pools", |bencher| {
        bencher.iter(|| Catalog::compile(&objects, Settings::default(), &identity));
    });
}

criterion_group!(benches, compile);
criterion_main!(benches);
