//! Plans: one pod against 2,048 pools, 1,000 pods on pools of exactly their size; records written and read.

use std::collections::HashMap;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use railweave::api::{NodeResource, PhysicalFunction, RailNodeSpec, SpiderIPPoolSpec};
use railweave::catalog::ObjectKey;
use railweave::ipam::{
    Attachment, BatchPlan, Cap, Families, Holder, Inputs, Intent, Ledger, Ledgers, NamespaceView, NodeFacts,
    NodeView, Outcome, Pools, Quarantine, Record, Writer, plan,
};
use railweave::net::RangeSet;
use railweave::rules::PoolFacts;

const UID: &str = "8f0f2f7e-5b57-4d39-9d1b-0f8f7a3e2a10";

fn compile(pools: Vec<(String, SpiderIPPoolSpec)>) -> Pools {
    let facts: Vec<Arc<PoolFacts>> = pools
        .into_iter()
        .map(|(name, spec)| Arc::new(PoolFacts { name, spec, ..PoolFacts::default() }))
        .collect();
    Pools::compile(facts.iter(), &[], &RangeSet::default(), "spiderpool")
}

/// 256 nodes with 8 rails each and a /27 for each rail, as in the guide's second scheme.
fn per_node(node_name: bool) -> Pools {
    let mut pools = Vec::new();
    for node in 0..256 {
        for rail in 0..8 {
            let base = |offset: u32| format!("172.16.{node}.{}", rail * 32 + offset);
            let spec = SpiderIPPoolSpec {
                subnet: Some(format!("{}/27", base(0))),
                gateway: Some(base(1)),
                ips: Some(vec![format!("{}-{}", base(2), base(30))]),
                node_name: node_name.then(|| vec![format!("node{node}")]),
                ..SpiderIPPoolSpec::default()
            };
            pools.push((format!("eno3np{}-rail{}-node{node}", rail + 1, rail + 1), spec));
        }
    }
    compile(pools)
}

/// One pool of exactly 1,000 addresses for each rail, as in the guide's first scheme.
fn shared() -> Pools {
    let pool = |rail: u32| {
        let spec = SpiderIPPoolSpec {
            subnet: Some(format!("172.{}.0.0/16", 16 + rail)),
            ips: Some(vec![format!("172.{0}.0.1-172.{0}.3.232", 16 + rail)]),
            ..SpiderIPPoolSpec::default()
        };
        (format!("gpu{}-net", rail + 1), spec)
    };
    compile((0..8).map(pool).collect())
}

fn intent(number: usize, node: &str, pools: impl Fn(usize) -> String, match_master: bool) -> Intent {
    let attachment = |rail: usize| Attachment {
        interface: format!("net{rail}").into(),
        network: ObjectKey { namespace: "spiderpool".into(), name: format!("gpu{rail}-sriov") },
        ipv4: vec![pools(rail)],
        match_master,
        resource: Some(format!("spidernet.io/eno3np{rail}")),
        ..Attachment::default()
    };
    Intent {
        name: format!("train-{number}"),
        uid: format!("{number:08x}{}", &UID[8..]).into(),
        namespace: Arc::new(NamespaceView { name: "team".into(), ..NamespaceView::default() }),
        node: Arc::new(NodeView { name: node.into(), ..NodeView::default() }),
        holder: Holder { key: format!("team/train-{number}").into(), sticky: false },
        attachments: (1..=8).map(attachment).collect(),
        ..Intent::default()
    }
}

fn facts(node: usize) -> HashMap<String, NodeFacts> {
    let mut spec = RailNodeSpec::default();
    for rail in 0..8 {
        let pci = format!("0000:{rail:02x}:00.0");
        spec.resources.push(NodeResource {
            name: format!("spidernet.io/eno3np{}", rail + 1),
            physical_functions: vec![pci.clone()],
            ..NodeResource::default()
        });
        spec.physical_functions.push(PhysicalFunction {
            pci_address: pci,
            addresses: vec![format!("172.16.{node}.{}/27", rail * 32 + 1), format!("fe80::{rail}/64")],
            ..PhysicalFunction::default()
        });
    }
    HashMap::from([(format!("node{node}"), NodeFacts::compile(&spec))])
}

fn planned(pools: &Pools, nodes: &HashMap<String, NodeFacts>, intents: &[Intent]) -> BatchPlan {
    let inputs = Inputs {
        pools,
        ledgers: &Ledgers::default(),
        nodes,
        quarantine: &Quarantine::new(),
        families: Families { v4: true, v6: true },
        cap: Cap::default(),
        writer: Writer::Leader,
    };
    let plan = plan(&inputs, intents);
    let served = plan.outcomes.iter().all(|outcome| {
        matches!(outcome, Outcome::Planned(allocation) if allocation.details.len() == 8 && allocation.deferred.is_empty())
    });
    assert!(served, "{:?}", plan.outcomes.first());
    plan
}

fn plans(criterion: &mut Criterion) {
    let wildcard = |rail: usize| format!("eno3np{rail}-rail{rail}*");
    let (by_subnet, by_name) = (per_node(false), per_node(true));
    let nodes = facts(200);
    let pod = [intent(0, "node200", wildcard, true)];
    criterion.bench_function("plan/1 pod, 8 rails, 2,048 pools, matchMasterSubnet", |bencher| {
        bencher.iter(|| planned(&by_subnet, &nodes, &pod));
    });
    let pod = [intent(0, "node200", wildcard, false)];
    criterion.bench_function("plan/1 pod, 8 rails, 2,048 pools, nodeName", |bencher| {
        bencher.iter(|| planned(&by_name, &nodes, &pod));
    });
    let suffix = [intent(0, "node200", |rail| format!("*-rail{rail}-*"), true)];
    criterion.bench_function("plan/the same with patterns that begin with *", |bencher| {
        bencher.iter(|| planned(&by_subnet, &nodes, &suffix));
    });
    let pools = shared();
    let pods: Vec<Intent> =
        (0..1_000).map(|number| intent(number, "node1", |rail| format!("gpu{rail}-net"), false)).collect();
    criterion.bench_function("plan/1,000 pods, 8 rails, 8 pools of exactly 1,000", |bencher| {
        bencher.iter(|| planned(&pools, &nodes, &pods));
    });
}

fn full_ledger(rail: usize, records: u32) -> Ledger {
    let mut ledger = Ledger::default();
    for number in 0..records {
        let address = std::net::Ipv4Addr::from_bits(0xac10_0001 + number);
        let uid = format!("{number:08x}{}", &UID[8..]);
        let record =
            Record::new(format!("team/train-{number}").into(), uid.into(), format!("net{rail}").into());
        ledger.set(std::net::IpAddr::from(address).into(), record);
    }
    ledger
}

fn ledgers(criterion: &mut Criterion) {
    let ledger = full_ledger(1, 5_000);
    criterion.bench_function("ledger/write 5,000 records", |bencher| bencher.iter(|| ledger.write()));
    let text = ledger.write().ok().flatten();
    criterion.bench_function("ledger/read 5,000 records", |bencher| {
        bencher.iter(|| Ledger::parse("gpu1-net", text.as_deref()));
    });
    let texts: Vec<Option<String>> =
        (1..=8).map(|rail| full_ledger(rail, 5_000).write().ok().flatten()).collect();
    criterion.bench_function("ledger/resync: read and index 40,000 records of 8 pools", |bencher| {
        bencher.iter(|| {
            let mut ledgers = Ledgers::default();
            for (rail, text) in texts.iter().enumerate() {
                let pool = format!("gpu{rail}-net");
                ledgers.insert(&pool, Ledger::parse(&pool, text.as_deref()));
            }
            assert_eq!(ledgers.of_pod("team/train-0").len(), 8);
            ledgers
        });
    });
}

criterion_group!(benches, plans, ledgers);
criterion_main!(benches);
