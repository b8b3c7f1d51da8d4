//! Addresses for every injected pod that was scheduled: all of its rails at once, for all waiting pods together.
//!
//! One task owns everything: it gathers what the watches say, plans every waiting pod in one batch, writes each
//! touched pool once ([`crate::allocator::Books`]), then has the endpoints written. While those writes are under way,
//! the next pods gather. A pod whose pool was written by somebody else meanwhile is planned again with what that
//! left. [`release`] takes addresses back. Pods that were annotated by hand are not followed here: the agent of
//! their node makes the same plan when they are attached.

mod keeper;
mod options;
mod outdated;
mod release;
mod waiting;
mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

pub use self::options::{AllocationOptions, Collection};
use self::outdated::Outdated;
use self::release::{Proof, Releases, SuspectRecords};
use self::waiting::{Waiting, tell};
use self::world::{News, Seen, Watches, World};
use super::supervise::timed;
use super::{ControllerError, Leader};
use crate::allocator::{Delivered, Edit, PodFacts, deliver};
use crate::catalog::Catalog;
use crate::ipam::{
    self, Allocation, BatchPlan, Failure, Families, Inputs, Intent, Outcome, Stickiness, Writer,
};
use crate::sources::describe;

/// Pods that are bound within this time are one batch.
const GATHER: Duration = Duration::from_millis(10);
/// Endpoints written at a time.
const DELIVERIES: usize = 64;
/// Looks that take in work that no event announces.
const IDLE: Duration = Duration::from_secs(10);

/// Events that may wait while pools are written.
const SIGHTINGS: usize = 1024;

/// What the watches have delivered.
type Sightings = mpsc::Receiver<Result<Seen, watcher::Error>>;

/// Reads the watches beside the work, as long as the second value lives: a connection that nobody reads hands over
/// only a few events at a time, and batches would be as small.
fn listen(mut watches: Watches) -> (Sightings, JoinSet<()>) {
    let (tell, sightings) = mpsc::channel(SIGHTINGS);
    let mut watching = JoinSet::new();
    watching.spawn(async move {
        while let Some(seen) = watches.next().await {
            if tell.send(seen).await.is_err() {
                return;
            }
        }
    });
    (sightings, watching)
}

/// One leader's work.
struct Work<'a> {
    leader: &'a Leader,
    world: World,
    waiting: Waiting,
    releases: Releases,
    outdated: Outdated,
    /// Allocations whose records are written and whose endpoints are not.
    undelivered: VecDeque<(Intent, Allocation)>,
    deliveries: JoinSet<(Intent, Result<Delivered, kube::Error>)>,
    proofs: JoinSet<Proof>,
    /// When the pools were last counted by how full they are.
    counted: Option<Instant>,
}

/// Allocates and releases until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    leader.feed.synced().await;
    let mut work = Work {
        leader,
        world: World::new(leader),
        waiting: Waiting::default(),
        releases: Releases::new(leader.allocation.collection.clone()),
        outdated: Outdated::default(),
        undelivered: VecDeque::new(),
        deliveries: JoinSet::new(),
        proofs: JoinSet::new(),
        counted: None,
    };
    let (mut sightings, _watching) = listen(work.world.watches(leader));
    let mut changes = leader.feed.changes.clone();
    loop {
        let look = work.next_look();
        tokio::select! {
            Some(seen) = sightings.recv() => work.note(seen),
            _ = changes.changed() => work.reconsider(),
            Some(Ok((intent, delivered))) = work.deliveries.join_next() => work.delivered(&intent, delivered),
            Some(Ok(proof)) = work.proofs.join_next() => work.releases.proved(proof, &leader.metrics),
            () = sleep_until(look) => {}
        }
        if !work.world.listed() {
            continue;
        }
        sleep(GATHER).await;
        work.gather(&mut sightings);
        timed(&leader.metrics, "allocation", work.step()).await?;
    }
}

impl Work<'_> {
    fn catalog(&self) -> Arc<Catalog> {
        self.leader.feed.catalog.load_full()
    }

    /// Everything that is there already.
    fn gather(&mut self, sightings: &mut Sightings) {
        while let Ok(seen) = sightings.try_recv() {
            self.note(seen);
        }
        while let Some(Ok((intent, delivered))) = self.deliveries.try_join_next() {
            self.delivered(&intent, delivered);
        }
        while let Some(Ok(proof)) = self.proofs.try_join_next() {
            self.releases.proved(proof, &self.leader.metrics);
        }
    }

    fn next_look(&self) -> Instant {
        let due = [self.waiting.next_due(), self.releases.next_due()].into_iter().flatten().min();
        due.unwrap_or_else(|| Instant::now() + IDLE)
    }

    fn note(&mut self, seen: Result<Seen, watcher::Error>) {
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return warn!(controller = "allocation", "watch failed: {}", describe(&error)),
        };
        for news in self.world.note(seen) {
            match news {
                News::Pod(uid) | News::Endpoint(uid) => self.consider(&uid),
                News::PodGone(uid, node) => {
                    self.waiting.remove(&uid);
                    self.releases.suspect(&uid, Some(node));
                }
                News::Chance => self.waiting.hurry(),
                News::Node => {
                    self.waiting.hurry();
                    self.releases.hurry();
                }
            }
        }
    }

    /// With another catalog any pod may need something else.
    fn reconsider(&mut self) {
        let uids: Vec<String> = self.world.pods.iter().map(|(uid, _)| uid.to_owned()).collect();
        for uid in uids {
            self.consider(&uid);
        }
        self.waiting.hurry();
    }

    /// Puts a pod among those that wait, or takes it out.
    fn consider(&mut self, uid: &str) {
        let Some(pod) = self.world.pods.get(uid) else { return };
        if pod.finished {
            self.releases.suspect(&pod.uid, Some(pod.node.clone()));
        }
        let stickiness = Stickiness::of(&self.leader.feed.catalog.load().settings);
        let holder = ipam::Holder::of(&pod.namespace, &pod.name, pod.owner.as_ref(), stickiness);
        let served = self.world.endpoints.get(&holder.key).is_some_and(|known| known.uid == *uid);
        if pod.needs_addresses() && !served {
            self.waiting.add(&pod.uid);
        } else {
            self.waiting.remove(uid);
        }
    }

    /// Plans and writes once for all that wait, takes back what is proven to be free, and has endpoints written.
    async fn step(&mut self) -> Result<(), ControllerError> {
        let catalog = self.catalog();
        let stickiness = Stickiness::of(&catalog.settings);
        self.releases.look(&self.world, stickiness, &self.leader.client, &mut self.proofs);
        if catalog.settings.clean_outdated_endpoints && self.leader.allocation.collection.enabled {
            let collection = &self.leader.allocation.collection;
            self.outdated.look(&self.world, collection, stickiness, &self.leader.client);
        }
        let intents = self.intents(&catalog).await;
        let plan = self.plan(&catalog, &intents);
        let mut edits = self.releases.take();
        for (pool, changes) in &plan.changes {
            let sets = changes.iter().map(|change| Edit::Set(change.address, change.record.clone()));
            edits.entry(pool.clone()).or_default().extend(sets);
        }
        let written =
            if edits.is_empty() { BTreeSet::new() } else { self.world.books.write(&edits).await.pools };
        self.releases.written(&edits, &written, &self.leader.metrics);
        // Indices of pods whose records are not all written; they are planned again at once.
        let mut again = vec![false; intents.len()];
        for (pool, changes) in &plan.changes {
            if !written.contains(pool) {
                for change in changes {
                    again[change.intent] = true;
                }
            }
        }
        for ((intent, outcome), again) in intents.into_iter().zip(plan.outcomes).zip(again) {
            match outcome {
                Outcome::Planned(_) if again => self.waiting.again(&intent.uid),
                Outcome::Planned(allocation) => {
                    self.waiting.delivering(&intent.uid);
                    self.undelivered.push_back((intent, allocation));
                }
                Outcome::Failed(failure) => {
                    if let Some(pod) = self.world.pods.get(&intent.uid).cloned() {
                        self.failed(&pod, &failure).await;
                    }
                }
            }
        }
        self.deliver();
        self.report();
        self.count_pools(&catalog);
        Ok(())
    }

    /// The pods that wait and can be planned, in the order in which they came.
    async fn intents(&mut self, catalog: &Catalog) -> Vec<Intent> {
        let (mut intents, mut refused) = (Vec::new(), Vec::new());
        for uid in self.waiting.due() {
            let Some(pod) = self.world.pods.get(&uid) else { continue };
            match self.world.intent(pod, catalog, &self.leader.namespace) {
                Some(Ok(intent)) if intent.attachments.is_empty() => self.waiting.remove(&uid),
                Some(Ok(intent)) => intents.push(intent),
                Some(Err(failure)) => refused.push((pod.clone(), failure)),
                // Its node or namespace is not known yet; their watches say so when they are.
                None => self.waiting.later(&uid),
            }
        }
        for (pod, failure) in refused {
            self.failed(&pod, &failure).await;
        }
        intents
    }

    fn plan(&mut self, catalog: &Arc<Catalog>, intents: &[Intent]) -> BatchPlan {
        if intents.is_empty() {
            return BatchPlan::default();
        }
        self.world.compile(catalog, &self.leader.namespace);
        let Some(pools) = self.world.pools() else { return BatchPlan::default() };
        let families = Families { v4: catalog.settings.enable_ipv4, v6: catalog.settings.enable_ipv6 };
        let quarantine = self.releases.quarantine();
        let (ledgers, nodes) = (self.world.books.ledgers(), self.world.facts.all());
        let (cap, writer) = (self.leader.allocation.cap, Writer::Leader);
        let inputs = Inputs { pools, ledgers, nodes, quarantine, families, cap, writer };
        let metrics = &self.leader.metrics;
        metrics.ipam_batches.inc();
        metrics.ipam_batched_pods.inc_by(u64::try_from(intents.len()).unwrap_or(u64::MAX));
        metrics.allocations.inc_by(u64::try_from(intents.len()).unwrap_or(u64::MAX));
        ipam::plan(&inputs, intents)
    }

    /// A pod gets all or nothing: what an earlier, interrupted plan recorded for it goes back.
    async fn failed(&mut self, pod: &PodFacts, failure: &Failure) {
        self.releases.undo(&self.world, &pod.uid);
        self.leader.metrics.count_refusal(failure.reason());
        let line = failure.line();
        if self.waiting.refused(&pod.uid, &line) {
            self.leader.metrics.ipam_failures.with_label_values(&[failure.reason().code()]).inc();
            tell(self.leader, pod, failure.reason(), &line).await;
        }
    }

    fn deliver(&mut self) {
        while self.deliveries.len() < DELIVERIES
            && let Some((intent, allocation)) = self.undelivered.pop_front()
        {
            let client = self.leader.client.clone();
            let known =
                self.world.endpoints.get(&intent.holder.key).filter(|known| *known.uid != *intent.uid);
            let earlier = known.and_then(|known| known.resource_version.clone());
            self.deliveries.spawn(async move {
                let delivered = deliver(&client, &intent, &allocation, earlier).await;
                (intent, delivered)
            });
        }
    }

    fn delivered(&mut self, intent: &Intent, delivered: Result<Delivered, kube::Error>) {
        if let Ok(Delivered::Taken(status)) = &delivered {
            self.releases.give_up(&self.world, &intent.uid, &status.current.ips);
        }
        match delivered {
            Ok(Delivered::Written | Delivered::Taken(_)) => {
                if let Some(took) = self.waiting.delivered(&intent.uid) {
                    self.leader.metrics.count_delivery(took);
                }
            }
            Err(error) => {
                let (pod, namespace) = (&intent.name, &intent.namespace.name);
                warn!(namespace, pod, "failed to write the endpoint: {}", describe(&error));
                self.waiting.again(&intent.uid);
            }
        }
        self.deliver();
    }

    /// Counts the pools by how full they are, now and then: it looks at all of them.
    fn count_pools(&mut self, catalog: &Arc<Catalog>) {
        let now = Instant::now();
        if self.counted.is_some_and(|counted| counted + IDLE > now) {
            return;
        }
        self.counted = Some(now);
        self.world.compile(catalog, &self.leader.namespace);
        let Some(pools) = self.world.pools() else { return };
        for (state, count) in ipam::pool_states(pools, self.world.books.ledgers()) {
            let gauge = self.leader.metrics.ipam_pools.with_label_values(&[state]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    fn report(&self) {
        let metrics = &self.leader.metrics;
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        metrics.ipam_waiting.set(count(self.waiting.len()));
        let records: usize = self
            .world
            .books
            .ledgers()
            .iter()
            .filter_map(|(_, ledger)| Some(ledger.as_ref().ok()?.len()))
            .sum();
        let SuspectRecords { suspect, held } = self.releases.suspect_records(self.world.books.ledgers());
        for (state, records) in
            [("in-use", records.saturating_sub(suspect + held)), ("suspect", suspect), ("held", held)]
        {
            metrics.ipam_records.with_label_values(&[state]).set(count(records));
        }
        metrics.ipam_quarantined.set(count(self.releases.quarantined()));
        metrics.ipam_suspects.set(count(self.releases.suspects()));
    }
}

/// Edits by pool.
type Edits = BTreeMap<Arc<str>, Vec<Edit>>;
