//! Compiling the catalog: 1,000 groups of 8 networks, 10,000 namespaces, 2,048 pools.

#[path = "support/big_cluster.rs"]
mod big_cluster;

use criterion::{Criterion, criterion_group, criterion_main};
use railweave::api::settings::Settings;
use railweave::catalog::{Catalog, Identity};

fn compile(criterion: &mut Criterion) {
    let objects = big_cluster::objects();
    let identity = Identity::default();
    criterion.bench_function("catalog/compile 1,000 groups, 10,000 namespaces, 2,048 pools", |bencher| {
        bencher.iter(|| Catalog::compile(&objects, Settings::default(), &identity));
    });
}

criterion_group!(benches, compile);
criterion_main!(benches);
