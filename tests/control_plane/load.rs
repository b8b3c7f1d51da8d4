//! Pods created one after the other by several clients until told to stop, each outcome noted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use tokio::task::JoinSet;

use crate::objects::is_plain;

/// What became of the pods.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) injected: usize,
    pub(crate) plain: usize,
    /// What the API server said to those it refused.
    pub(crate) refused: Vec<String>,
    pub(crate) slowest: Duration,
}

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Outcome>,
}

impl Load {
    /// Starts `clients` clients that create copies of `pod` through `api`, a few dozen a second each at most: what
    /// is asked here is whether any fails, not how many there can be.
    pub(crate) fn start(api: &Api<Pod>, pod: &Pod, clients: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut load = Self { stop: Arc::clone(&stop), clients: JoinSet::new() };
        for _ in 0..clients {
            let (api, pod, stop) = (api.clone(), pod.clone(), Arc::clone(&stop));
            load.clients.spawn(async move {
                let mut outcome = Outcome::default();
                while !stop.load(Ordering::Relaxed) {
                    outcome.create(&api, &pod).await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcome
            });
        }
        load
    }

    /// Stops the clients and sums up.
    pub(crate) async fn stop(mut self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Outcome::default();
        while let Some(outcome) = self.clients.join_next().await {
            sum.add(outcome.expect("a client does not panic"));
        }
        sum
    }
}

/// Creates `count` pods as fast as `clients` clients can.
pub(crate) async fn burst(api: &Api<Pod>, pod: &Pod, count: usize, clients: usize) -> Outcome {
    let mut all = JoinSet::new();
    for client in 0..clients {
        let share = count / clients + usize::from(client < count % clients);
        let (api, pod) = (api.clone(), pod.clone());
        all.spawn(async move {
            let mut outcome = Outcome::default();
            for _ in 0..share {
                outcome.create(&api, &pod).await;
            }
            outcome
        });
    }
    let mut sum = Outcome::default();
    while let Some(outcome) = all.join_next().await {
        sum.add(outcome.expect("a client does not panic"));
    }
    sum
}

impl Outcome {
    async fn create(&mut self, api: &Api<Pod>, pod: &Pod) {
        let begun = Instant::now();
        match api.create(&PostParams::default(), pod).await {
            Ok(created) if is_plain(&created) => self.plain += 1,
            Ok(_) => self.injected += 1,
            Err(error) => self.refused.push(error.to_string()),
        }
        self.slowest = self.slowest.max(begun.elapsed());
    }

    fn add(&mut self, other: Self) {
        self.injected += other.injected;
        self.plain += other.plain;
        self.refused.extend(other.refused);
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Asserts that every pod was created with its rails, and that there were at least `least`.
    #[track_caller]
    pub(crate) fn assert_all_injected(&self, least: usize) {
        assert_eq!(self.refused, Vec::<String>::new());
        self.assert_none_plain(least);
    }

    /// Asserts that no pod was created without its rails, and that there were at least `least` with them.
    #[track_caller]
    pub(crate) fn assert_none_plain(&self, least: usize) {
        assert_eq!(self.plain, 0, "pods without their rails");
        assert!(self.injected >= least, "only {} pods", self.injected);
    }
}
