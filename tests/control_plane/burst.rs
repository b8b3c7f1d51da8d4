//! Many pods at once, as when a training job starts: none is refused, none goes without its rails.

use std::time::Instant;

use crate::installation::{Installation, Options};
use crate::load::burst;
use crate::objects::opted_in_pod;

pub(crate) async fn of_400_and_1000_pods() {
    let options = Options { replicas: 2, ..Options::default() };
    let installation = Installation::start("burst", options).await.with_rails(8).await;
    for (count, clients) in [(400, 400), (1000, 64)] {
        let begun = Instant::now();
        let outcome = burst(&installation.pods("default"), &opted_in_pod(), count, clients).await;
        let took = begun.elapsed().as_secs_f64();
        eprintln!(
            "burst: {count} pods by {clients} clients in {took:.1} s ({:.0}/s), slowest {} ms",
            f64::from(u32::try_from(count).unwrap()) / took,
            outcome.slowest.as_millis(),
        );
        outcome.assert_all_injected(count);
    }
}
