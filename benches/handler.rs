//! One review of a pod, bytes in to bytes out: what a request costs besides the network. The yardstick decodes the
//! same body into a tree of values and does nothing with it: ratios to it hold on any machine.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use railweave::admission::{RequestId, Webhook, decide};

fn handler(criterion: &mut Criterion) {
    let catalog = support::catalog();
    let cases = [
        ("opted in, 8 rails", true, 40),
        ("not opted in", false, 40),
        ("opted in, 1,500 variables", true, 500),
    ];
    for (what, opted_in, variables) in cases {
        let body = support::review(opted_in, variables);
        let name = format!("handler/{what}, {} KB", (body.len() + 500) / 1000);
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| decide(Webhook::Pods, &body, &catalog, RequestId(1)));
        });
        criterion.bench_function(&format!("yardstick/{what}"), |bencher| {
            bencher.iter(|| serde_json::from_slice::<serde_json::Value>(&body));
        });
    }
}

criterion_group!(benches, handler);
criterion_main!(benches);
