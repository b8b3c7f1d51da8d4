//! Normalise and validate one pool: huge ranges, 10,000 ranges, 2,048 peers; and building the peers' index.

use std::iter::empty;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use railweave::api::settings::Settings;
use railweave::api::{Kind, SpiderIPPoolSpec};
use railweave::rules::{Context, Operation, Peers, PoolFacts, normalise, validate};
use serde_json::{Value, json};

fn pool(spec: &Value) -> Value {
    json!({"apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool", "metadata": {"name": "new"}, "spec": spec})
}

/// 256 nodes with 8 rails each, a /27 for each rail; and 2,048 pools that share one /8.
fn stored() -> Vec<Arc<PoolFacts>> {
    let mut pools = Vec::new();
    for node in 0..256 {
        for rail in 0..8 {
            let own = SpiderIPPoolSpec {
                subnet: Some(format!("172.16.{node}.{}/27", rail * 32)),
                ips: Some(vec![format!("172.16.{node}.{}-172.16.{node}.{}", rail * 32 + 2, rail * 32 + 30)]),
                ..SpiderIPPoolSpec::default()
            };
            let shared = SpiderIPPoolSpec {
                subnet: Some("10.0.0.0/8".to_owned()),
                ips: Some(vec![format!("10.{node}.{rail}.1-10.{node}.{rail}.254")]),
                ..SpiderIPPoolSpec::default()
            };
            for (kind, spec) in [("own", own), ("shared", shared)] {
                let name = format!("{kind}-{node}-{rail}");
                pools.push(Arc::new(PoolFacts { name, spec, ..PoolFacts::default() }));
            }
        }
    }
    pools
}

fn many() -> Vec<String> {
    (0..10_000).map(|n| format!("10.{}.{}.1-10.{}.{}.9", n / 250, n % 250, n / 250, n % 250)).collect()
}

fn rules(criterion: &mut Criterion) {
    let stored = stored();
    let settings = Settings::default();
    let full = Peers::build(stored.iter(), empty(), empty());
    let none = Peers::default();
    let cases = [
        ("/8 as one range", &none, json!({"subnet": "10.0.0.0/8", "ips": ["10.0.0.1-10.255.255.254"]})),
        (
            "/64 as one range",
            &none,
            json!({"subnet": "fd00::/64", "ips": ["fd00::1-fd00::ffff:ffff:ffff:ffff"]}),
        ),
        ("10,000 ranges", &none, json!({"subnet": "10.0.0.0/8", "ips": many()})),
        (
            "a rail beside 4,096 pools",
            &full,
            json!({"subnet": "172.17.1.0/27", "gateway": "172.17.1.1", "ips": ["172.17.1.2-172.17.1.30"]}),
        ),
        (
            "a share of a /8 that 2,048 pools have",
            &full,
            json!({"subnet": "10.0.0.0/8", "ips": ["10.7.200.1-10.7.200.254"]}),
        ),
    ];
    for (name, peers, spec) in cases {
        let context = Context { settings: &settings, peers };
        let check = |mut object: Value| {
            normalise(Kind::IpPool, &mut object, None, &context);
            let findings = validate(Kind::IpPool, Operation::Create, &object, None, &context);
            assert!(findings.errors.is_empty(), "{:?}", findings.errors);
            object
        };
        let object = pool(&spec);
        criterion.bench_function(&format!("rules/pool: {name}"), |bencher| {
            bencher.iter_batched(|| object.clone(), check, BatchSize::LargeInput);
        });
    }
    criterion.bench_function("rules/index 4,096 pools", |bencher| {
        bencher.iter(|| Peers::build(stored.iter(), empty(), empty()));
    });
    criterion.bench_function("rules/overlaps of 4,096 pools", |bencher| bencher.iter(|| full.overlaps()));
}

criterion_group!(benches, rules);
criterion_main!(benches);
