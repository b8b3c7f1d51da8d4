//! Addresses for every injected pod that was scheduled: all of its rails at once, for all waiting pods together.
//!
//! One task owns everything: it gathers what the watches say, plans every waiting pod in one batch, writes each
//! touched pool once ([`crate::allocator::Books`]), then has the endpoints written. While those writes are under way,
//! the next pods gather. Where the pods need more pools than one round writes, those go first that share their writes
//! with most others, as long as nobody waits too long for that ([`BatchPlan::turn`]). A pod whose pool was written by somebody else meanwhile is planned again with what that
//! left. [`release`] takes addresses back. Pods that were annotated by hand are not followed here: the agent of
//! their node makes the same plan when they are attached.

mod keeper;
mod options;
mod outdated;
mod pace;
mod pauses;
mod proof;
mod quarantine;
mod release;
mod report;
mod unrecorded;
mod waiting;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

pub use self::options::{AllocationOptions, Collection};
use self::outdated::Outdated;
use self::pace::Pace;
use self::pauses::Pauses;
use self::proof::Proof;
use self::release::Releases;
use self::waiting::{Waiting, tell};
use self::world::{News, Seen, Watches, World};
use super::supervise::timed;
use super::{ControllerError, Leader};
use crate::allocator::{Delivered, Edit, PodFacts, deliver};
use crate::catalog::Catalog;
use crate::ipam::{
    self, Allocation, BatchPlan, DefaultNetwork, Failure, Families, Inputs, Intent, Outcome, Stickiness,
    Writer,
};
use crate::reason::Reason;
use crate::sources::describe;

/// Pods that are bound within this time are one batch.
const GATHER: Duration = Duration::from_millis(10);
/// Endpoints written at a time.
const DELIVERIES: usize = 64;
/// Events written at a time.
const EVENTS: usize = 16;
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
    /// Pools that could not be written.
    pauses: Pauses,
    outdated: Outdated,
    /// Endpoints of pods whose records are written, each on its way or waiting for one of the permits.
    deliveries: JoinSet<(Intent, Result<Delivered, kube::Error>)>,
    permits: Arc<Semaphore>,
    pace: Pace,
    proofs: JoinSet<Proof>,
    /// Events on their way, each with or waiting for one of the permits.
    tellings: JoinSet<()>,
    voices: Arc<Semaphore>,
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
        pauses: Pauses::default(),
        outdated: Outdated::default(),
        deliveries: JoinSet::new(),
        permits: Arc::new(Semaphore::new(DELIVERIES)),
        pace: Pace::default(),
        proofs: JoinSet::new(),
        tellings: JoinSet::new(),
        voices: Arc::new(Semaphore::new(EVENTS)),
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
        let due = [self.waiting.next_due(), self.releases.next_due(&self.pauses), self.world.counts_due()];
        due.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + IDLE)
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
        let served = self
            .world
            .endpoints
            .get(&holder.key)
            .is_some_and(|known| pod.has_or_lost(&known.uid, self.world.pods.get(&known.uid)));
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
        self.releases.vanished(&self.world.books.take_vanished());
        self.releases.look(&self.world, stickiness, &self.leader.client, &mut self.proofs);
        if catalog.settings.clean_outdated_endpoints && self.leader.allocation.collection.enabled {
            let collection = &self.leader.allocation.collection;
            self.outdated.look(&self.world, collection, stickiness, &self.leader.client);
        }
        self.world.compile(&catalog, &self.leader.namespace);
        self.record_again().await;
        let intents = self.intents(&catalog);
        let plan = self.plan(&catalog, &intents);
        let mut edits = self.releases.take(&self.pauses);
        let mut turn = self.turn(&plan, &intents, &edits);
        for (now, held_up) in turn.iter_mut().zip(self.held_up(&plan)) {
            *now &= held_up.is_none();
        }
        for (pool, changes) in &plan.changes {
            let now = changes.iter().filter(|change| turn[change.intent]);
            let mut sets = now.map(|change| Edit::Set(change.address, change.record.clone())).peekable();
            if sets.peek().is_some() {
                edits.entry(pool.clone()).or_default().extend(sets);
            }
        }
        self.world.add_miscounted(&mut edits, &self.pauses);
        let written = self.write(&edits).await;
        self.releases.written(&edits, &written, &self.leader.metrics);
        self.conclude(intents, plan, turn, &written);
        self.report();
        self.count_pools();
        Ok(())
    }

    /// Which pods of the plan are written in this round.
    fn turn(&mut self, plan: &BatchPlan, intents: &[Intent], releases: &Edits) -> Vec<bool> {
        let waited: Vec<Duration> = intents.iter().map(|intent| self.waiting.waited(&intent.uid)).collect();
        let limits = self.pace.limits(plan.changes.len(), self.waiting.still_come());
        let turn = plan.turn(&waited, &releases.keys().map(|pool| &**pool).collect(), limits);
        let count = u64::try_from(turn.iter().filter(|now| **now).count()).unwrap_or(u64::MAX);
        if count == 0 && !turn.is_empty() {
            self.waiting.pause();
        } else if count > 0 {
            let metrics = &self.leader.metrics;
            metrics.ipam_batches.inc();
            metrics.ipam_batched_pods.inc_by(count);
            metrics.allocations.inc_by(count);
        }
        turn
    }

    /// Writes each pool once, and takes the time.
    async fn write(&mut self, edits: &Edits) -> BTreeSet<Arc<str>> {
        if edits.is_empty() {
            return BTreeSet::new();
        }
        let begun = Instant::now();
        let written = self.world.write(edits).await;
        self.pace.took(edits.len(), begun.elapsed());
        self.pauses.note(edits, &written);
        written
    }

    /// Has endpoints written where all records are, and says why who gets nothing does not.
    fn conclude(
        &mut self,
        intents: Vec<Intent>,
        plan: BatchPlan,
        mut complete: Vec<bool>,
        written: &BTreeSet<Arc<str>>,
    ) {
        for (_, changes) in plan.changes.iter().filter(|(pool, _)| !written.contains(*pool)) {
            for change in changes {
                complete[change.intent] = false;
            }
        }
        let (now, held_up) = (Instant::now(), self.held_up(&plan));
        let rest = complete.into_iter().zip(held_up);
        for ((intent, outcome), (complete, held_up)) in intents.into_iter().zip(plan.outcomes).zip(rest) {
            match outcome {
                Outcome::Planned(allocation) if complete => self.deliver(intent, allocation),
                // They are planned again, at once unless something keeps a pool from being written.
                Outcome::Planned(_) => self.waiting.again(&intent.uid, held_up.unwrap_or(now)),
                Outcome::Failed(failure) => {
                    if let Some(pod) = self.world.pods.get(&intent.uid).cloned() {
                        self.failed(&pod, &failure);
                    }
                }
            }
        }
    }

    /// Which pods of a plan cannot be written now, and when they are planned again: a pool is not written on the plan of
    /// another spec than the write is fenced by, and not right after a write that failed.
    fn held_up(&self, plan: &BatchPlan) -> Vec<Option<Instant>> {
        let now = Instant::now();
        let mut held_up = vec![None; plan.outcomes.len()];
        for (pool, changes) in &plan.changes {
            let until = if self.world.is_current(pool) {
                self.pauses.until(pool).filter(|until| *until > now)
            } else {
                // The catalog will change.
                Some(now + IDLE)
            };
            for change in changes {
                held_up[change.intent] = held_up[change.intent].max(until);
            }
        }
        held_up
    }

    /// Records what running pods have before anything is planned.
    async fn record_again(&mut self) {
        let edits = self.releases.unrecorded().take();
        for pool in self.write(&edits).await {
            let addresses = edits[&pool].len();
            warn!(pool = &*pool, addresses, "recorded again what running pods have and the pool did not say");
        }
        for shared in self.releases.unrecorded().take_shared() {
            let Some(pod) = self.world.pods.get(&shared.pod_uid).cloned() else { continue };
            let line = format!(
                "{} is also recorded for pod {}, which runs; delete the younger of the two pods",
                shared.held.address, shared.other
            );
            self.tell(&pod, Reason::AddressShared, &line);
        }
    }

    /// The pods that wait and can be planned, in the order in which they came.
    fn intents(&mut self, catalog: &Catalog) -> Vec<Intent> {
        let (mut intents, mut refused) = (Vec::new(), Vec::new());
        let (namespace, network) =
            (&self.leader.namespace, self.leader.allocation.cluster_network.as_deref());
        let default = DefaultNetwork { namespace, network };
        for uid in self.waiting.due() {
            let Some(pod) = self.world.pods.get(&uid) else { continue };
            match self.world.intent(pod, catalog, default) {
                Some(Ok(intent)) if intent.attachments.is_empty() => self.waiting.remove(&uid),
                Some(Ok(intent)) => intents.push(intent),
                Some(Err(failure)) => refused.push((pod.clone(), failure)),
                // Its node or namespace is not known yet; their watches say so when they are.
                None => self.waiting.later(&uid),
            }
        }
        for (pod, failure) in refused {
            self.failed(&pod, &failure);
        }
        intents
    }

    fn plan(&self, catalog: &Catalog, intents: &[Intent]) -> BatchPlan {
        if intents.is_empty() {
            return BatchPlan::default();
        }
        let Some(pools) = self.world.pools() else { return BatchPlan::default() };
        let families = Families { v4: catalog.settings.enable_ipv4, v6: catalog.settings.enable_ipv6 };
        let quarantine = self.releases.quarantine();
        let (ledgers, nodes) = (self.world.books.ledgers(), self.world.facts.all());
        let (cap, writer) = (self.leader.allocation.cap, Writer::Leader);
        let inputs = Inputs { pools, ledgers, nodes, quarantine, families, cap, writer };
        ipam::plan(&inputs, intents)
    }

    /// A pod gets all or nothing: what an earlier, interrupted plan recorded for it goes back.
    fn failed(&mut self, pod: &PodFacts, failure: &Failure) {
        self.releases.undo(&self.world, &pod.uid);
        self.leader.metrics.count_refusal(failure.reason());
        let line = failure.advice();
        if self.waiting.refused(&pod.uid, &line) {
            self.leader.metrics.ipam_failures.with_label_values(&[failure.reason().code()]).inc();
            self.tell(pod, failure.reason(), &line);
        }
    }

    /// Has an Event written on a pod, beside the work: a thousand pods may fail at once.
    fn tell(&mut self, pod: &PodFacts, reason: Reason, line: &str) {
        while self.tellings.try_join_next().is_some() {}
        let (permits, recorder) = (self.voices.clone(), self.leader.recorder.clone());
        let (pod, line) = (pod.clone(), line.to_owned());
        self.tellings.spawn(async move {
            let _permit = permits.acquire().await;
            tell(&recorder, &pod, reason, &line).await;
        });
    }

    /// Has an endpoint written. That goes on beside the next rounds.
    fn deliver(&mut self, intent: Intent, allocation: Allocation) {
        self.waiting.delivering(&intent.uid);
        let (client, permits) = (self.leader.client.clone(), self.permits.clone());
        let known = self.world.endpoints.get(&intent.holder.key).filter(|known| *known.uid != *intent.uid);
        let earlier = known.and_then(|known| known.resource_version.clone());
        self.deliveries.spawn(async move {
            let _permit = permits.acquire().await;
            let delivered = deliver(&client, &intent, &allocation, earlier).await;
            (intent, delivered)
        });
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
            // Its watch says so as well.
            Ok(Delivered::Gone) => self.waiting.later(&intent.uid),
            Err(error) => {
                let (pod, namespace) = (&intent.name, &intent.namespace.name);
                warn!(namespace, pod, "failed to write the endpoint: {}", describe(&error));
                self.waiting.undelivered(&intent.uid);
            }
        }
    }
}

/// Edits by pool.
type Edits = BTreeMap<Arc<str>, Vec<Edit>>;
