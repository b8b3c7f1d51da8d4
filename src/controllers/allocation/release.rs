//! Takes addresses back, once it is proven that nobody has them.
//!
//! A record is suspect when its pod is gone or has ended. A second look, at least half a second later and at the
//! API server itself, must agree. A pod that vanished while its node did not answer may still run there: its
//! addresses stay until the node answers again or is deleted. A pod that keeps its addresses by its name has them
//! as long as that name can come back.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Edits;
use super::options::Collection;
use super::pauses::Pauses;
use super::proof::{Proof, Question, Verdict};
use super::quarantine::Quarantined;
use super::unrecorded::Unrecorded;
use super::world::World;
use crate::allocator::Edit;
use crate::api::AllocationDetail;
use crate::ipam::{Held, Ledger, Ledgers, Quarantine, Stickiness, Writer, tells};
use crate::telemetry::metrics::Metrics;

/// Between the two looks at a pod.
const SECOND_LOOK: Duration = Duration::from_millis(500);
/// Between looks at a pod that still has its addresses, or whose node does not answer.
const LATER: Duration = Duration::from_secs(30);
/// How long a released address is handed out only when there is no other.
const QUARANTINE: Duration = Duration::from_secs(30);
/// The same for one that somebody else released. An agent does that, among other things, when an address was found to
/// be in use by a machine that no pool knows of.
const QUARANTINE_OF_OTHERS: Duration = Duration::from_mins(5);

/// What is on its way back.
pub(super) struct Releases {
    collection: Collection,
    suspects: HashMap<Arc<str>, Suspect>,
    /// Addresses that are free, and whose they were.
    proven: Vec<(Held, Arc<str>)>,
    /// When the pods of the above were seen to be gone or to have ended.
    gone: HashMap<Arc<str>, Instant>,
    /// Addresses that were recorded for pods that do not get them.
    given_up: Vec<(Held, Arc<str>)>,
    unrecorded: Unrecorded,
    quarantined: Quarantined,
    swept: Option<Instant>,
}

/// The UID of a pod whose records may be free.
struct Suspect {
    since: Instant,
    /// When to look.
    due: Instant,
    /// Where the pod ran, if that is known.
    node: Option<String>,
    /// Whether somebody is asking.
    asking: bool,
    /// How often that was in vain.
    looks: u32,
    /// What came of it the last time.
    standing: Standing,
}

/// What is known of a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It seems to be gone.
    Unproven,
    /// It lives, or its name does: a pod that was annotated by hand is known to nobody but the API server.
    InUse,
    /// It is gone or has ended, and waits for its node.
    Held,
}

/// How many records belong to suspects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SuspectRecords {
    /// Of pods that are asked about.
    pub(super) suspect: usize,
    /// Of pods that wait for their nodes.
    pub(super) held: usize,
}

impl Releases {
    pub(super) fn new(collection: Collection) -> Self {
        Self {
            collection,
            suspects: HashMap::new(),
            proven: Vec::new(),
            gone: HashMap::new(),
            given_up: Vec::new(),
            unrecorded: Unrecorded::default(),
            quarantined: Quarantined::default(),
            swept: None,
        }
    }

    /// A pod is gone or has ended; who says so knows its node.
    pub(super) fn suspect(&mut self, uid: &Arc<str>, node: Option<String>) {
        if !self.collection.enabled {
            return;
        }
        let since = Instant::now();
        let due = since + SECOND_LOOK + self.collection.grace;
        let suspect = self.suspects.entry(uid.clone()).or_insert(Suspect {
            since,
            due,
            node: None,
            asking: false,
            looks: 0,
            standing: Standing::Unproven,
        });
        if node.is_some() {
            (suspect.node, suspect.looks) = (node, 0);
            suspect.due = suspect.due.min(due);
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
        for suspect in self.suspects.values_mut().filter(|suspect| suspect.standing == Standing::Held) {
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
            self.unrecorded.look(&world.endpoints, &world.pods, world.books.ledgers());
            for held in self.unrecorded.addresses() {
                self.quarantined.add(held, self.collection.interval * 2);
            }
        }
        self.quarantined.end(now);
        let mut cleared = Vec::new();
        for (uid, suspect) in &mut self.suspects {
            if suspect.asking || suspect.due > now || proofs.len() >= self.collection.questions {
                continue;
            }
            let Some(mut question) = Question::about(uid, world, stickiness) else {
                cleared.push(uid.clone());
                continue;
            };
            let node = world.report_of(suspect.node.as_deref().or(question.node.as_deref()));
            question.waits = self.collection.waits(node, question.ended, question.keeper.is_some());
            suspect.asking = true;
            let client = client.clone();
            proofs.spawn(async move { question.ask(&client).await });
        }
        for uid in cleared {
            self.suspects.remove(&uid);
        }
    }

    /// Finds records whose pods are not known, whatever became of the events about them.
    fn sweep(&mut self, world: &World) {
        let mut unknown: Vec<Arc<str>> = Vec::new();
        for (_, ledger) in world.books.ledgers().iter() {
            let uids = ledger.iter().flat_map(Ledger::iter).map(|(_, record)| &record.pod_uid);
            unknown
                .extend(uids.filter(|uid| !world.lives(uid) && !self.suspects.contains_key(*uid)).cloned());
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
                if let Some(suspect) = self.suspects.remove(&uid) {
                    self.gone.insert(uid.clone(), suspect.since);
                }
                // What another pod runs with is recorded for that one.
                let free = held.into_iter().filter(|held| !self.unrecorded.inherit(held, &uid));
                self.proven.extend(free.map(|held| (held, uid.clone())));
            }
            Verdict::Held => self.look_later(&uid, Standing::Held),
            Verdict::InUse => self.look_later(&uid, Standing::InUse),
            Verdict::Unknown => self.look_later(&uid, Standing::Unproven),
        }
    }

    fn look_later(&mut self, uid: &str, standing: Standing) {
        let longest = self.collection.interval;
        if let Some(suspect) = self.suspects.get_mut(uid) {
            (suspect.asking, suspect.standing) = (false, standing);
            suspect.put_off(Instant::now(), longest);
        }
    }

    /// The writes that free what is proven to be free, as far as its pool is written at all.
    pub(super) fn take(&mut self, pauses: &Pauses) -> Edits {
        let mut edits = Edits::new();
        let now = Instant::now();
        let due = |held: &Held| pauses.until(&held.pool).is_none_or(|until| until <= now);
        for (held, uid) in self.proven.extract_if(.., |(held, _)| due(held)) {
            edits.entry(held.pool).or_default().push(Edit::Release(held.address, uid));
        }
        for (held, uid) in self.given_up.extract_if(.., |(held, _)| due(held)) {
            edits.entry(held.pool).or_default().push(Edit::GiveUp(held.address, uid, Writer::Leader));
        }
        edits
    }

    /// What was freed is quarantined; what could not be written is tried again.
    pub(super) fn written(&mut self, edits: &Edits, written: &BTreeSet<Arc<str>>, metrics: &Metrics) {
        for (pool, edits) in edits {
            for edit in edits {
                let (address, uid, queue) = match edit {
                    Edit::Set(..) => continue,
                    Edit::Release(address, uid) => (address, uid, &mut self.proven),
                    Edit::GiveUp(address, uid, _) => (address, uid, &mut self.given_up),
                };
                let held = Held { pool: pool.clone(), address: *address };
                metrics.releases.inc();
                if written.contains(pool) {
                    metrics.gc_releases.inc();
                    if let Some(since) = self.gone.get(uid) {
                        metrics.count_release(since.elapsed());
                    }
                    self.quarantined.add(&held, QUARANTINE);
                } else {
                    metrics.release_failures.inc();
                    queue.push((held, uid.clone()));
                }
            }
        }
        let open: HashSet<&Arc<str>> = self.proven.iter().map(|(_, uid)| uid).collect();
        self.gone.retain(|uid, _| open.contains(uid));
    }

    /// Addresses that running pods have and no pool records for them.
    pub(super) fn unrecorded(&mut self) -> &mut Unrecorded {
        &mut self.unrecorded
    }

    /// Somebody else released these addresses.
    pub(super) fn vanished(&mut self, all: &[Held]) {
        for held in all {
            self.quarantined.add(held, QUARANTINE_OF_OTHERS);
        }
    }

    /// Addresses that were just released.
    pub(super) fn quarantine(&self) -> &Quarantine {
        self.quarantined.now()
    }

    /// What is recorded for suspects.
    pub(super) fn suspect_records(&self, ledgers: &Ledgers) -> SuspectRecords {
        let mut found = SuspectRecords::default();
        for (uid, suspect) in &self.suspects {
            let records = ledgers.of_uid(uid).len();
            match suspect.standing {
                Standing::Unproven => found.suspect += records,
                Standing::Held => found.held += records,
                Standing::InUse => {}
            }
        }
        found
    }

    pub(super) fn suspects(&self) -> usize {
        self.suspects.values().filter(|suspect| suspect.standing != Standing::InUse).count()
    }

    pub(super) fn quarantined(&self) -> usize {
        self.quarantined.len()
    }

    /// When there is something to look at or to write.
    pub(super) fn next_due(&self, pauses: &Pauses) -> Option<Instant> {
        let now = Instant::now();
        let writes = self.proven.iter().chain(&self.given_up);
        let writes = writes.map(|(held, _)| pauses.until(&held.pool).unwrap_or(now));
        let looks = self.suspects.values().filter(|suspect| !suspect.asking).map(|suspect| suspect.due);
        writes.chain(looks).chain(self.swept.map(|swept| swept + self.collection.interval)).min()
    }
}

impl Suspect {
    /// Asking gets rarer, up to once in each look at all records.
    fn put_off(&mut self, now: Instant, longest: Duration) {
        self.due = now + (LATER * (1 << self.looks.min(5))).min(longest);
        self.looks += 1;
    }
}
