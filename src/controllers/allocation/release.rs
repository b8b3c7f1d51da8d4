//! Takes addresses back, once it is proven that nobody has them.
//!
//! A record is suspect when its pod is gone or has ended. A second look, at least half a second later and at the
//! API server itself, must agree. A pod that vanished while its node did not answer may still run there: its
//! addresses stay until the node answers again or is deleted. A pod that keeps its addresses by its name has them
//! as long as that name can come back.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use kube::{Api, Client};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::warn;

use super::Edits;
use super::keeper::Keeper;
use super::options::Collection;
use super::world::World;
use crate::allocator::{Edit, EndpointFacts};
use crate::api::{AllocationDetail, SpiderEndpoint};
use crate::ipam::{Held, Ledger, Ledgers, Quarantine, Stickiness, Writer, tells};
use crate::net::Address;
use crate::sources::describe;
use crate::telemetry::metrics::Metrics;

/// Between the two looks at a pod.
const SECOND_LOOK: Duration = Duration::from_millis(500);
/// Between looks at a pod that still has its addresses, or whose node does not answer.
const LATER: Duration = Duration::from_secs(30);
/// How long a released address is handed out only when there is no other.
const QUARANTINE: Duration = Duration::from_secs(30);

/// What is on its way back.
pub(super) struct Releases {
    collection: Collection,
    suspects: HashMap<Arc<str>, Suspect>,
    /// Addresses that are free, and whose they were.
    proven: Vec<(Held, Arc<str>)>,
    /// Addresses that were recorded for pods that do not get them.
    given_up: Vec<(Held, Arc<str>)>,
    quarantine: Quarantine,
    quarantined: VecDeque<(Instant, Arc<str>, Address)>,
    swept: Option<Instant>,
}

/// The UID of a pod whose records may be free.
struct Suspect {
    /// When to look.
    due: Instant,
    /// Where the pod ran, if that is known.
    node: Option<String>,
    /// Whether somebody is asking.
    asking: bool,
    /// How often that was in vain.
    looks: u32,
    /// Whether it waits for its node.
    held: bool,
}

/// How many records belong to suspects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SuspectRecords {
    /// Of pods that are asked about.
    pub(super) suspect: usize,
    /// Of pods that wait for their nodes.
    pub(super) held: usize,
}

/// What the API server said of a pod.
pub(super) struct Proof {
    uid: Arc<str>,
    verdict: Verdict,
}

enum Verdict {
    /// Nobody has these addresses.
    Free(Vec<Held>),
    /// The pod, or its successor by name, has them.
    InUse,
    /// Nobody knows.
    Unknown,
}

/// Whom to ask about.
struct Question {
    uid: Arc<str>,
    /// `namespace/name` in the records.
    holder: Arc<str>,
    held: Vec<Held>,
    /// Where the pod ran, as its endpoint or its records say.
    node: Option<String>,
    /// Whether the pod is still there as an object.
    ended: bool,
    endpoint: Option<EndpointFacts>,
    keeper: Option<Keeper>,
}

impl Releases {
    pub(super) fn new(collection: Collection) -> Self {
        Self {
            collection,
            suspects: HashMap::new(),
            proven: Vec::new(),
            given_up: Vec::new(),
            quarantine: Quarantine::new(),
            quarantined: VecDeque::new(),
            swept: None,
        }
    }

    /// A pod is gone or has ended.
    pub(super) fn suspect(&mut self, uid: &Arc<str>, node: Option<String>) {
        if !self.collection.enabled {
            return;
        }
        let due = Instant::now() + SECOND_LOOK + self.collection.grace;
        let suspect = self.suspects.entry(uid.clone()).or_insert(Suspect {
            due,
            node: None,
            asking: false,
            looks: 0,
            held: false,
        });
        if node.is_some() {
            suspect.node = node;
        }
    }

    /// What was recorded for a pod that got nothing in the end is free, unless an endpoint says that it has it.
    pub(super) fn undo(&mut self, world: &World, uid: &Arc<str>) {
        let held = world.books.ledgers().of_uid(uid);
        if held.is_empty() || world.endpoints.iter().any(|(_, endpoint)| endpoint.uid == **uid) {
            return;
        }
        self.give_up(world, uid, &[]);
    }

    /// What was recorded here for a pod, and the endpoint that another wrote for it does not tell, is free.
    pub(super) fn give_up(&mut self, world: &World, uid: &Arc<str>, told: &[AllocationDetail]) {
        let held = world.books.ledgers().of_uid(uid).iter();
        let untold = held.filter(|held| !tells(told, held.address));
        self.given_up.extend(untold.map(|held| (held.clone(), uid.clone())));
    }

    /// A node answers again, no longer does, or is gone: what waited for that is looked at.
    pub(super) fn hurry(&mut self) {
        for suspect in self.suspects.values_mut().filter(|suspect| suspect.held) {
            (suspect.due, suspect.looks) = (Instant::now(), 0);
        }
    }

    /// Looks at suspects that are due, and at everything once in each interval.
    pub(super) fn look(
        &mut self,
        world: &World,
        stickiness: Stickiness,
        client: &Client,
        proofs: &mut JoinSet<Proof>,
    ) {
        let now = Instant::now();
        if self.swept.is_none_or(|swept| swept + self.collection.interval <= now) {
            self.swept = Some(now);
            self.sweep(world);
        }
        self.end_quarantines(now);
        let mut cleared = Vec::new();
        for (uid, suspect) in &mut self.suspects {
            if suspect.asking || suspect.due > now || proofs.len() >= self.collection.questions {
                continue;
            }
            let Some(question) = Question::about(uid, world, stickiness) else {
                cleared.push(uid.clone());
                continue;
            };
            let node = world.report_of(suspect.node.as_deref().or(question.node.as_deref()));
            suspect.held = self.collection.waits(node, question.ended, question.keeper.is_some());
            if suspect.held {
                suspect.put_off(now);
                continue;
            }
            suspect.asking = true;
            let client = client.clone();
            proofs.spawn(async move { question.ask(&client).await });
        }
        for uid in cleared {
            self.suspects.remove(&uid);
        }
    }

    fn end_quarantines(&mut self, now: Instant) {
        while let Some((until, pool, address)) = self.quarantined.front()
            && *until <= now
        {
            if let Some(addresses) = self.quarantine.get_mut(&**pool) {
                addresses.remove(address);
            }
            self.quarantined.pop_front();
        }
    }

    /// Finds records whose pods are not known, whatever became of the events about them.
    fn sweep(&mut self, world: &World) {
        let mut unknown: Vec<Arc<str>> = Vec::new();
        for (_, ledger) in world.books.ledgers().iter() {
            let uids = ledger.iter().flat_map(Ledger::iter).map(|(_, record)| &record.pod_uid);
            unknown
                .extend(uids.filter(|uid| !lives(world, uid) && !self.suspects.contains_key(*uid)).cloned());
        }
        for uid in unknown {
            self.suspect(&uid, None);
        }
    }

    /// Takes in an answer.
    pub(super) fn proved(&mut self, proof: Proof, metrics: &Metrics) {
        let Proof { uid, verdict } = proof;
        if matches!(verdict, Verdict::Unknown) {
            metrics.gc_failures.inc();
        }
        match verdict {
            Verdict::Free(held) => {
                self.suspects.remove(&uid);
                self.proven.extend(held.into_iter().map(|held| (held, uid.clone())));
            }
            Verdict::InUse | Verdict::Unknown => {
                if let Some(suspect) = self.suspects.get_mut(&uid) {
                    suspect.asking = false;
                    suspect.put_off(Instant::now());
                }
            }
        }
    }

    /// The writes that free what is proven to be free.
    pub(super) fn take(&mut self) -> Edits {
        let mut edits = Edits::new();
        for (held, uid) in self.proven.drain(..) {
            edits.entry(held.pool).or_default().push(Edit::Release(held.address, uid));
        }
        for (held, uid) in self.given_up.drain(..) {
            edits.entry(held.pool).or_default().push(Edit::GiveUp(held.address, uid, Writer::Leader));
        }
        edits
    }

    /// What was freed is quarantined; what could not be written is tried again.
    pub(super) fn written(&mut self, edits: &Edits, written: &BTreeSet<Arc<str>>, metrics: &Metrics) {
        let until = Instant::now() + QUARANTINE;
        for (pool, edits) in edits {
            for edit in edits {
                let (address, uid, queue) = match edit {
                    Edit::Set(..) => continue,
                    Edit::Release(address, uid) => (address, uid, &mut self.proven),
                    Edit::GiveUp(address, uid, _) => (address, uid, &mut self.given_up),
                };
                metrics.releases.inc();
                if written.contains(pool) {
                    metrics.gc_releases.inc();
                    self.quarantine.entry(pool.to_string()).or_default().insert(*address);
                    self.quarantined.push_back((until, pool.clone(), *address));
                } else {
                    metrics.release_failures.inc();
                    queue.push((Held { pool: pool.clone(), address: *address }, uid.clone()));
                }
            }
        }
    }

    /// Addresses that were just released.
    pub(super) fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// What is recorded for suspects.
    pub(super) fn suspect_records(&self, ledgers: &Ledgers) -> SuspectRecords {
        let mut found = SuspectRecords::default();
        for (uid, suspect) in &self.suspects {
            let records = ledgers.of_uid(uid).len();
            if suspect.held {
                found.held += records;
            } else {
                found.suspect += records;
            }
        }
        found
    }

    pub(super) fn suspects(&self) -> usize {
        self.suspects.len()
    }

    pub(super) fn quarantined(&self) -> usize {
        self.quarantined.len()
    }

    /// When there is something to look at or to write.
    pub(super) fn next_due(&self) -> Option<Instant> {
        if !self.proven.is_empty() || !self.given_up.is_empty() {
            return Some(Instant::now());
        }
        let looks = self.suspects.values().filter(|suspect| !suspect.asking).map(|suspect| suspect.due);
        looks.chain(self.swept.map(|swept| swept + self.collection.interval)).min()
    }
}

impl Suspect {
    /// Pods that were annotated by hand are known to nobody but the API server; asking about them gets rarer.
    fn put_off(&mut self, now: Instant) {
        self.due = now + LATER * (1 << self.looks.min(5));
        self.looks += 1;
    }
}

/// Whether the pod of this UID is there and has not ended.
fn lives(world: &World, uid: &str) -> bool {
    world.pods.get(uid).is_some_and(|pod| !pod.finished)
}

impl Question {
    /// None if the pod lives, or has no records.
    fn about(uid: &Arc<str>, world: &World, stickiness: Stickiness) -> Option<Self> {
        let ledgers = world.books.ledgers();
        let held = ledgers.of_uid(uid).to_vec();
        let record = ledgers.record(held.first()?)?;
        if lives(world, uid) {
            return None;
        }
        let endpoint = world.endpoints.get(&record.pod).filter(|endpoint| *endpoint.uid == **uid).cloned();
        let (namespace, name) = record.pod.split_once('/').unwrap_or_default();
        let keeper = endpoint.as_ref().and_then(|endpoint| Keeper::of(endpoint, namespace, name, stickiness));
        let told = endpoint.as_ref().map(|endpoint| endpoint.node.clone());
        Some(Self {
            uid: uid.clone(),
            holder: record.pod.clone(),
            node: told.or_else(|| record.node.as_deref().map(str::to_owned)),
            ended: world.pods.get(uid).is_some(),
            held,
            endpoint,
            keeper,
        })
    }

    async fn ask(self, client: &Client) -> Proof {
        let verdict = match self.verdict(client).await {
            Ok(true) => Verdict::InUse,
            Ok(false) => Verdict::Free(self.held),
            Err(error) => {
                warn!(pod = &*self.holder, "failed to find out whether a pod is gone: {}", describe(&error));
                Verdict::Unknown
            }
        };
        Proof { uid: self.uid, verdict }
    }

    /// Whether somebody has the addresses, read from the API server itself.
    async fn verdict(&self, client: &Client) -> Result<bool, kube::Error> {
        let (namespace, name) = self.holder.split_once('/').unwrap_or_default();
        let pod = Api::<Pod>::namespaced(client.clone(), namespace).get_opt(name).await?;
        if let Some(pod) = pod {
            let same = pod.metadata.uid.as_deref() == Some(&*self.uid);
            let phase = pod.status.and_then(|status| status.phase).unwrap_or_default();
            let finished = matches!(&*phase, "Succeeded" | "Failed");
            // The successor of a pod that keeps its addresses takes them over; any other replaces the endpoint.
            if !same || !finished {
                return Ok(same || self.keeper.is_some());
            }
        }
        if let Some(keeper) = &self.keeper
            && keeper.keeps(client).await?
        {
            return Ok(true);
        }
        if !self.endpoint.as_ref().is_some_and(EndpointFacts::outlives_its_pod) {
            return Ok(false);
        }
        // It has no owner that would take it along.
        let endpoints = Api::<SpiderEndpoint>::namespaced(client.clone(), namespace);
        match endpoints.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            other => other.map(|_| false),
        }
    }
}
