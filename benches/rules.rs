//! Normalise and validate one object: huge ranges, 10,000 ranges, thousands of peers; and building the peers'
//! index. The yardstick decodes the JSON of the same object into a tree of values: ratios to it hold on any
//! machine.

use std::iter::empty;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use railweave::api::settings::Settings;
use railweave::api::{Kind, SpiderIPPoolSpec};
use railweave::rules::{Context, Operation, Peers, PoolFacts, normalise, validate};
use serde_json::{Value, json};

fn object(kind: Kind, spec: &Value) -> Value {
    json!({"apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": kind.name(), "metadata": {"name": "new"}, "spec": spec})
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

/// The same pools, but the /27 lie in the /8, which none of the 4,096 may.
fn nested() -> Vec<Arc<PoolFacts>> {
    let mut pools = stored();
    for pool in &mut pools {
        let subnet = pool.spec.subnet.as_ref().map(|subnet| subnet.replace("172.16.", "10.16."));
        Arc::make_mut(pool).spec.subnet = subnet;
    }
    pools
}

/// `count` ranges that do not touch, in an order of their own.
fn many(count: usize) -> Vec<String> {
    let range = |n: usize| {
        let n = n * 7 % count;
        format!("10.{}.{}.1-10.{}.{}.9", n / 250, n % 250, n / 250, n % 250)
    };
    (0..count).map(range).collect()
}

fn few(criterion: &mut Criterion) {
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
        let name = format!("rules/pool: {name}");
        check(criterion, &name, Kind::IpPool, &object(Kind::IpPool, &spec), None, &context);
    }
    criterion.bench_function("rules/index 4,096 pools", |bencher| {
        bencher.iter(|| Peers::build(stored.iter(), empty(), empty()));
    });
    criterion.bench_function("rules/overlaps of 4,096 pools", |bencher| bencher.iter(|| full.overlaps()));
    let nested = Peers::build(nested().iter(), empty(), empty());
    criterion.bench_function("rules/overlaps of 4,096 pools, all wrong", |bencher| {
        bencher.iter(|| nested.overlaps());
    });
}

fn ten_thousand(criterion: &mut Criterion) {
    let settings = Settings { enable_spider_subnet: true, ..Settings::default() };
    let context = Context { settings: &settings, peers: &Peers::default() };
    let ranges = many(10_000);
    for kind in [Kind::IpPool, Kind::Subnet, Kind::ReservedIp] {
        let spec = match kind {
            Kind::ReservedIp => json!({ "ips": ranges }),
            _ => json!({"subnet": "10.0.0.0/8", "gateway": "10.255.255.254", "ips": ranges}),
        };
        let object = object(kind, &spec);
        let name = format!("rules/{kind}: 10,000 ranges");
        check(criterion, &name, kind, &object, None, &context);
        let mut old = object.clone();
        normalise(kind, &mut old, None, &context);
        let mut new = old.clone();
        new["spec"]["ips"].as_array_mut().into_iter().for_each(|ips| ips.push("10.200.0.1".into()));
        check(criterion, &format!("{name}, one added"), kind, &new, Some(&old), &context);
        let text = object.to_string();
        criterion.bench_function(&format!("yardstick/{kind}: 10,000 ranges"), |bencher| {
            bencher.iter(|| serde_json::from_str::<Value>(&text));
        });
    }
}

/// Normalises and validates one version of an object.
fn check(
    criterion: &mut Criterion,
    name: &str,
    kind: Kind,
    object: &Value,
    old: Option<&Value>,
    context: &Context<'_>,
) {
    let operation = if old.is_some() { Operation::Update } else { Operation::Create };
    let check = |mut object: Value| {
        normalise(kind, &mut object, old, context);
        let findings = validate(kind, operation, &object, old, context);
        assert!(findings.errors.is_empty(), "{:?}", findings.errors);
        object
    };
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(|| object.clone(), check, BatchSize::LargeInput);
    });
}

criterion_group!(benches, few, ten_thousand);
criterion_main!(benches);
