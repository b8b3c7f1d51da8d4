//! Allocation without the leader: for all pods of this node that wait at the same time, the leader's own plan and
//! fenced writes.
//!
//! One task owns the records. It reads the world when somebody needs it and believes it for half a minute: every write
//! is fenced by the pool's `resourceVersion`, so a pool that has changed since is read again, spec and all, right
//! before the next plan, and what a write did not touch was only a choice among pools. Nobody is refused on what is
//! not fresh. Who creates the endpoint decides a race with the leader; what this agent took beside that goes back.

mod request;
mod world;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::Api;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::warn;

use self::world::World;
use super::Agent;
use crate::allocator::{Delivered, Edit, amend, deliver};
use crate::api::{AllocationDetail, SpiderEndpoint};
use crate::ipam::{
    self, Allocation, BatchPlan, Failure, Families, Held, Inputs, Intent, NodeFacts, Outcome, Writer, tells,
};
use crate::sources::{Backoff, describe, spread};

pub(super) use self::request::{Rail, Request};

/// Pods that ask within this time are one batch.
const GATHER: Duration = Duration::from_millis(10);

/// Without a leader, the agents of many nodes begin at the same moment, and of those who write a pool at the same time
/// one succeeds: each waits a time of its own, up to this, before it reads what it then writes.
const SPREAD: Duration = Duration::from_millis(200);

/// After others were first: they are likely to write on for a while. The longest is for very many agents.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// An API server that takes longer to list the pools is asked again.
const LONGEST_READ: Duration = Duration::from_secs(20);

/// Pods wait for each other's writes. After this long one that gets no answer is given up; the pods are planned again,
/// with whatever came of it.
const LONGEST_WRITE: Duration = Duration::from_secs(10);

/// Edits by pool.
type Edits = BTreeMap<Arc<str>, Vec<Edit>>;

/// The pods that wait, and what they are planned against.
struct Work {
    agent: Arc<Agent>,
    world: Option<World>,
    open: Vec<Request>,
    /// Requests that end without an answer of use.
    given_up: Vec<Request>,
    /// Records that nobody has a use for.
    surplus: Edits,
}

/// How a pod left a round.
enum End {
    Served(Vec<AllocationDetail>),
    Refused(String),
    /// It is planned again.
    Open(String),
    /// It is planned again with what is so by then.
    Doubted(String),
}

/// Serves requests for ever.
pub(super) async fn run(agent: Arc<Agent>, mut requests: mpsc::Receiver<Request>) {
    let (open, given_up) = (Vec::new(), Vec::new());
    let mut work = Work { agent, world: None, open, given_up, surplus: Edits::new() };
    let new_backoff = || Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut backoff = new_backoff();
    loop {
        if work.open.is_empty() {
            let Some(first) = requests.recv().await else { return };
            work.open.push(first);
            backoff = new_backoff();
            sleep(GATHER + spread(SPREAD)).await;
        } else {
            sleep(backoff.wait()).await;
        }
        while let Ok(request) = requests.try_recv() {
            work.open.push(request);
        }
        work.round().await;
        work.take_back().await;
    }
}

impl Work {
    /// Plans and writes once for all that wait.
    async fn round(&mut self) {
        let open = std::mem::take(&mut self.open);
        let (asked, gone): (Vec<_>, Vec<_>) = open.into_iter().partition(Request::still_asks);
        self.given_up.extend(gone);
        if asked.is_empty() {
            return;
        }
        let fresh = match self.read().await {
            Ok(fresh) => fresh,
            Err(why) => return self.put_off(asked, &format!("failed to read the pools: {why}")),
        };
        let (asked, intents) = self.intents(asked).await;
        let Some(world) = &mut self.world else { return };
        let plan = plan(&self.agent, world, &intents);
        let count = u64::try_from(intents.len()).unwrap_or(u64::MAX);
        self.agent.options.metrics.allocations.inc_by(count);
        let edits = edits(&plan);
        let Ok(written) = timeout(LONGEST_WRITE, world.write(&edits)).await else {
            // Nobody knows what was written.
            self.world = None;
            return self.put_off(asked, "the API server does not answer to writes of pools");
        };
        let asked = recorded(asked, &plan, &written);
        let ends =
            asked.iter().zip(&intents).zip(&plan.outcomes).map(|(((request, complete), intent), outcome)| {
                self.end(request, *complete, intent, outcome, fresh)
            });
        let ends = join_all(ends).await;
        for ((request, _), (end, surplus)) in asked.into_iter().zip(ends) {
            self.set_aside(&request, &end, surplus);
            self.conclude(request, end);
        }
    }

    /// Keeps what a pod has no use for until it is given back.
    fn set_aside(&mut self, request: &Request, end: &End, surplus: Vec<Held>) {
        let uid = &request.pod.uid;
        let settled = matches!(end, End::Served(_));
        for Held { pool, address } in surplus {
            // Without an endpoint the leader may just be going on with it.
            let edit = if settled {
                Edit::Release(address, uid.clone())
            } else {
                Edit::GiveUp(address, uid.clone(), Writer::Agent)
            };
            self.surplus.entry(pool).or_default().push(edit);
        }
    }

    /// Reads the world, or as much of it as others have written since; returns whether all of it was read now.
    async fn read(&mut self) -> Result<bool, String> {
        let late = |_| format!("no answer within {} s", LONGEST_READ.as_secs());
        if let Some(mut world) = self.world.take().filter(World::will_do) {
            timeout(LONGEST_READ, world.refresh()).await.map_err(late)?;
            self.world = Some(world);
            return Ok(false);
        }
        let read = timeout(LONGEST_READ, World::read(&self.agent)).await.map_err(late)?;
        self.world = Some(read.map_err(|error| describe(&error))?);
        Ok(true)
    }

    fn put_off(&mut self, asked: Vec<Request>, why: &str) {
        for request in asked {
            self.conclude(request, End::Open(why.to_owned()));
        }
    }

    /// The pods that can be planned, with what they need. Whom an endpoint serves is answered; of two requests for one
    /// pod the second waits.
    async fn intents(&mut self, asked: Vec<Request>) -> (Vec<Request>, Vec<Intent>) {
        let endpoints = join_all(asked.iter().map(|request| self.endpoint(request))).await;
        let (mut planned, mut intents, mut uids) = (Vec::new(), Vec::new(), HashSet::new());
        for (request, endpoint) in asked.into_iter().zip(endpoints) {
            let known = match endpoint {
                Ok(known) => known,
                Err(error) => {
                    let why = format!("failed to read the endpoint: {}", describe(&error));
                    self.conclude(request, End::Open(why));
                    continue;
                }
            };
            let (uid, previous) = known.unwrap_or_default();
            if *uid == *request.pod.uid && request.rail.is_served(&previous) {
                self.conclude(request, End::Served(previous));
                continue;
            }
            if !uids.insert(request.pod.uid.clone()) {
                self.open.push(request);
                continue;
            }
            let Some(world) = &mut self.world else { continue };
            match world.intent(&self.agent, &request, previous).await {
                Ok(Ok(intent)) => {
                    planned.push(request);
                    intents.push(intent);
                }
                Ok(Err(failure)) => self.conclude(request, End::Refused(refusal(&failure))),
                Err(error) => {
                    let why = format!("failed to read the pod's namespace or node: {}", describe(&error));
                    self.conclude(request, End::Open(why));
                }
            }
        }
        (planned, intents)
    }

    /// UID and addresses of the endpoint as it is now: those of other programs are not watched.
    async fn endpoint(
        &self,
        request: &Request,
    ) -> Result<Option<(String, Vec<AllocationDetail>)>, kube::Error> {
        let client = self.agent.options.client.clone();
        let endpoints = Api::<SpiderEndpoint>::namespaced(client, &request.pod.namespace);
        let endpoint = endpoints.get_opt(request.holder.endpoint()).await?;
        Ok(endpoint.and_then(|known| known.status).map(|status| (status.current.uid, status.current.ips)))
    }

    /// Delivers what was planned and written, and says which records are of no use after that.
    async fn end(
        &self,
        request: &Request,
        complete: bool,
        intent: &Intent,
        outcome: &Outcome,
        fresh: bool,
    ) -> (End, Vec<Held>) {
        match outcome {
            Outcome::Failed(failure) if fresh => {
                self.count(failure);
                (End::Refused(refusal(failure)), self.untold(request).await)
            }
            Outcome::Failed(failure) => (End::Doubted(refusal(failure)), Vec::new()),
            Outcome::Planned(_) if !complete => {
                (End::Open("others wrote the pools first".into()), Vec::new())
            }
            Outcome::Planned(allocation) => match self.deliver_in_time(request, intent, allocation).await {
                Ok(Some(details)) if request.rail.is_served(&details) => {
                    self.agent.options.metrics.count_allocation(request.waited());
                    let surplus = surplus(request, allocation, &details, self.world.as_ref());
                    (End::Served(details), surplus)
                }
                Ok(Some(_)) => (End::Refused(left_out(request, allocation)), Vec::new()),
                Ok(None) => (End::Open("the endpoint or the pod went away".into()), Vec::new()),
                Err(why) => (End::Open(format!("failed to write the endpoint: {why}")), Vec::new()),
            },
        }
    }

    async fn deliver_in_time(
        &self,
        request: &Request,
        intent: &Intent,
        allocation: &Allocation,
    ) -> Result<Option<Vec<AllocationDetail>>, String> {
        let delivered = timeout(LONGEST_WRITE, self.deliver(request, intent, allocation)).await;
        let delivered = delivered.map_err(|_| format!("no answer within {} s", LONGEST_WRITE.as_secs()))?;
        delivered.map_err(|error| describe(&error))
    }

    async fn deliver(
        &self,
        request: &Request,
        intent: &Intent,
        allocation: &Allocation,
    ) -> Result<Option<Vec<AllocationDetail>>, kube::Error> {
        let client = &self.agent.options.client;
        match deliver(client, intent, allocation, None).await? {
            Delivered::Written => Ok(Some(allocation.details.clone())),
            Delivered::Gone => Ok(None),
            Delivered::Taken(_) => {
                self.agent.patience.regain();
                let replaced = request.rail.replaces().into_iter().collect::<Vec<_>>();
                let status = amend(client, intent, &allocation.details, &replaced).await?;
                Ok(status.map(|status| status.current.ips))
            }
        }
    }

    /// What this agent took for a pod that gets nothing, unless an endpoint tells it by now.
    async fn untold(&self, request: &Request) -> Vec<Held> {
        if request.took.is_empty() {
            return Vec::new();
        }
        match self.endpoint(request).await {
            Ok(Some((uid, _))) if *uid == *request.pod.uid => Vec::new(),
            Ok(_) => request.took.clone(),
            // Records that nobody uses cost an address until the pod is gone; the other way round, two pods have it.
            Err(_) => Vec::new(),
        }
    }

    fn count(&self, failure: &Failure) {
        let metrics = &self.agent.options.metrics;
        metrics.count_refusal(failure.reason());
        metrics.ipam_failures.with_label_values(&[failure.reason().code()]).inc();
    }

    fn conclude(&mut self, mut request: Request, end: End) {
        match end {
            End::Served(details) => request.answer(Ok(details)),
            End::Refused(why) => request.answer(Err(why)),
            End::Open(why) => self.leave_open(request, why),
            End::Doubted(why) => {
                if let Some(world) = &mut self.world {
                    world.doubt();
                }
                self.leave_open(request, why);
            }
        }
    }

    /// It is planned again, unless its time is up; then what kept it waiting is the answer.
    fn leave_open(&mut self, mut request: Request, why: String) {
        if request.has_time() {
            return self.open.push(request);
        }
        request.answer(Err(why));
        self.given_up.push(request);
    }

    /// Gives back what was recorded for requests that came to nothing. The pod lives and may never ask again.
    async fn take_back(&mut self) {
        for request in std::mem::take(&mut self.given_up) {
            for Held { pool, address } in self.untold(&request).await {
                let edit = Edit::GiveUp(address, request.pod.uid.clone(), Writer::Agent);
                self.surplus.entry(pool).or_default().push(edit);
            }
        }
        self.give_back().await;
    }

    async fn give_back(&mut self) {
        let edits = std::mem::take(&mut self.surplus);
        if edits.is_empty() {
            return;
        }
        if self.world.is_none()
            && let Err(why) = self.read().await
        {
            return warn!(
                "failed to read the pools: {why}; addresses that are not used stay recorded until their pods are gone"
            );
        }
        let Some(world) = &mut self.world else { return };
        let Ok(written) = timeout(LONGEST_WRITE, world.write(&edits)).await else {
            self.world = None;
            return warn!(
                "the API server does not answer: addresses that are not used stay recorded until their pods are gone"
            );
        };
        for pool in edits.keys().filter(|pool| !written.contains(*pool)) {
            warn!(pool = &**pool, "addresses that are not used stay recorded until their pods are gone");
        }
    }
}

fn plan(agent: &Agent, world: &World, intents: &[Intent]) -> BatchPlan {
    let settings = &world.catalog.settings;
    let families = Families { v4: settings.enable_ipv4, v6: settings.enable_ipv6 };
    let facts = agent.view.rail_node().map(|spec| (agent.options.node.clone(), NodeFacts::compile(&spec)));
    let nodes: HashMap<String, NodeFacts> = facts.into_iter().collect();
    let (ledgers, quarantine) = (world.books.ledgers(), agent.quarantine());
    let pools = &world.pools;
    let (nodes, quarantine, cap, writer) = (&nodes, &quarantine, agent.options.cap, Writer::Agent);
    let inputs = Inputs { pools, ledgers, nodes, quarantine, families, cap, writer };
    ipam::plan(&inputs, intents)
}

/// What a plan changes in the pools.
fn edits(plan: &BatchPlan) -> Edits {
    let mut edits = Edits::new();
    for (pool, changes) in &plan.changes {
        let sets = changes.iter().map(|change| Edit::Set(change.address, change.record.clone()));
        edits.entry(pool.clone()).or_default().extend(sets);
    }
    edits
}

/// Notes in each request what was written for it, and says whether that is all of it.
fn recorded(asked: Vec<Request>, plan: &BatchPlan, written: &BTreeSet<Arc<str>>) -> Vec<(Request, bool)> {
    let mut asked: Vec<(Request, bool)> = asked.into_iter().map(|request| (request, true)).collect();
    for (pool, changes) in &plan.changes {
        for change in changes {
            let (request, complete) = &mut asked[change.intent];
            if !written.contains(pool) {
                *complete = false;
            } else if !change.inherited {
                request.took.push(Held { pool: pool.clone(), address: change.address });
            }
        }
    }
    asked
}

/// Records that the endpoint does not tell: another writer of the endpoint was first, or a rail was planned again.
fn surplus(
    request: &Request,
    allocation: &Allocation,
    told: &[AllocationDetail],
    world: Option<&World>,
) -> Vec<Held> {
    // Of what was recorded before, only the rail that is being attached is known to be unused.
    let of_rail = |held: &&Held| {
        let record = world.and_then(|world| world.books.ledgers().record(held));
        request.rail.replaces().is_some_and(|interface| {
            record.is_some_and(|record| {
                record.pod_uid == request.pod.uid && record.interface.as_deref() == Some(interface)
            })
        })
    };
    let superseded = allocation.superseded.iter().filter(of_rail);
    let mut surplus: Vec<Held> =
        request.took.iter().chain(superseded).filter(|held| !tells(told, held.address)).cloned().collect();
    surplus.sort_unstable();
    surplus.dedup();
    surplus
}

/// What the plugin prints, and the kubelet then writes into an Event on the pod.
fn refusal(failure: &Failure) -> String {
    format!("{}: {}", failure.reason(), failure.advice())
}

fn left_out(request: &Request, allocation: &Allocation) -> String {
    let interface = &request.rail.interface;
    let deferred = allocation.deferred.iter().find(|deferred| deferred.interface == *interface);
    match deferred {
        Some(deferred) => format!(
            "{}; the plugin did not say which device it was given, or nobody knows its port",
            deferred.why
        ),
        None => format!("no network of the pod is attached as {interface}"),
    }
}

#[cfg(test)]
mod tests;
