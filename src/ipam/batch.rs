use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::assign::{Assignment, ClassId};
use super::candidates::{Candidates, Finder};
use super::failure::{Failure, RailFailure};
use super::filter::Refusal;
use super::held::{Claim, Claims, tells};
use super::intent::{Attachment, Intent};
use super::ledger::Ledger;
use super::ledgers::Held;
use super::match_master::Masters;
use super::plan::{Allocation, BatchPlan, Change, Deferred, Inputs, Outcome};
use super::pool::Pool;
use super::pools::PoolId;
use super::record::{Record, Writer};
use super::refused::{Eligible, Question};
use super::routes::{self, CustomRoute};
use super::shelf::{Shelf, Stock};
use crate::api::AllocationDetail;
use crate::net::{Address, Family};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// A batch while it is planned: first what each pod needs, then how many each pool serves, then which addresses.
pub(super) struct Batch<'a> {
    inputs: Inputs<'a>,
    intents: &'a [Intent],
    finder: Finder<'a>,
    assignment: Assignment,
    /// Recorded addresses that a pod of the batch keeps.
    kept: HashSet<(PoolId, Address)>,
    /// Bytes of the longest record that the batch can add, in either family.
    longest_record: usize,
    empty: Ledger,
}

/// What one pod needs.
struct Wish<'a> {
    candidates: Vec<Candidates>,
    rails: Vec<Rail<'a>>,
    deferred: Vec<Deferred>,
    routes: Vec<CustomRoute>,
    claims: Claims,
}

/// What one interface needs.
struct Rail<'a> {
    index: usize,
    masters: Masters<'a>,
    needs: Vec<(Family, Need)>,
}

/// What one interface needs, as far as that is known.
enum Needs {
    /// These addresses.
    Now(Vec<(Family, Need)>),
    /// It shows at attach time; the text says why.
    Later(String),
}

/// One address.
enum Need {
    /// The one that is recorded already.
    Kept(Claim),
    /// One of the class's pools.
    Drawn(ClassId),
}

impl<'a> Batch<'a> {
    pub(super) fn new(inputs: Inputs<'a>, intents: &'a [Intent]) -> Self {
        Self {
            inputs,
            intents,
            finder: Finder::new(inputs.pools, inputs.families),
            assignment: Assignment::default(),
            kept: HashSet::new(),
            longest_record: intents
                .iter()
                .map(|intent| longest_record(intent, inputs.writer))
                .max()
                .unwrap_or_default(),
            empty: Ledger::default(),
        }
    }

    pub(super) fn plan(mut self) -> BatchPlan {
        let intents = self.intents;
        let wishes: Vec<Result<Wish<'a>, Failure>> = intents.iter().map(|intent| self.wish(intent)).collect();
        let most = wishes.iter().flatten().flat_map(|wish| &wish.rails).map(|rail| rail.needs.len()).sum();
        let served: Vec<Result<Wish<'a>, Failure>> = wishes
            .into_iter()
            .zip(intents)
            .map(|(wish, intent)| wish.and_then(|wish| self.serve(wish, intent, most)))
            .collect();
        self.hand_out(served)
    }

    /// What a pod needs; an error if some rail has no pool to draw from.
    fn wish(&mut self, intent: &'a Intent) -> Result<Wish<'a>, Failure> {
        let routes = routes::custom(intent).map_err(|failure| Failure { rails: vec![failure] })?;
        let candidates = self.finder.candidates(intent).map_err(|rails| Failure { rails })?;
        let claims = Claims::of(intent, &candidates, self.inputs.pools, self.inputs.ledgers);
        let (mut rails, mut deferred, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for (index, attachment) in intent.attachments.iter().enumerate() {
            let masters = Masters::of(attachment, intent, self.inputs.nodes);
            match self.needs(index, intent, &candidates[index], &masters, &claims) {
                Ok(Needs::Now(needs)) => rails.push(Rail { index, masters, needs }),
                Ok(Needs::Later(why)) => {
                    deferred.push(Deferred { interface: attachment.interface.clone(), why });
                }
                Err(mut more) => failures.append(&mut more),
            }
        }
        if failures.is_empty() {
            Ok(Wish { candidates, rails, deferred, routes, claims })
        } else {
            Err(Failure { rails: failures })
        }
    }

    fn needs(
        &mut self,
        index: usize,
        intent: &Intent,
        candidates: &Candidates,
        masters: &Masters<'_>,
        claims: &Claims,
    ) -> Result<Needs, Vec<RailFailure>> {
        let attachment = &intent.attachments[index];
        let (mut needs, mut failures) = (Vec::new(), Vec::new());
        for family in FAMILIES {
            let claim =
                claims.get(index, family).filter(|claim| !self.kept.contains(&(claim.pool, claim.address)));
            // The pod may run with it, whatever its network says by now.
            if let Some(claim) = claim.filter(|claim| claim.own) {
                needs.push((family, self.keep(claim)));
                continue;
            }
            if candidates.of(family).is_none() {
                continue;
            }
            let question = Question { intent, attachment, candidates, masters, family };
            let pools = match question.eligible(self.inputs.pools) {
                Eligible::Later(why) => return Ok(Needs::Later(why)),
                Eligible::Pools(pools) => pools,
            };
            let still = claim.filter(|claim| pools.contains(&claim.pool) && self.hands_out(*claim));
            match still {
                Some(claim) => needs.push((family, self.keep(claim))),
                None if pools.is_empty() => {
                    failures.push(question.failure(self.inputs.pools, |id| self.limit(id, 0)));
                }
                None => needs.push((family, Need::Drawn(self.assignment.class(pools)))),
            }
        }
        if failures.is_empty() { Ok(Needs::Now(needs)) } else { Err(failures) }
    }

    fn keep(&mut self, claim: Claim) -> Need {
        self.kept.insert((claim.pool, claim.address));
        Need::Kept(claim)
    }

    /// Whether the pool would hand out the address today.
    fn hands_out(&self, claim: Claim) -> bool {
        self.inputs.pools.at(claim.pool).is_ok_and(|pool| pool.allocatable.contains(claim.address))
    }

    /// Finds a pool for everything that the pod draws, or takes all of it back.
    fn serve(&mut self, wish: Wish<'a>, intent: &Intent, most: usize) -> Result<Wish<'a>, Failure> {
        let mark = self.assignment.mark();
        let mut failures = Vec::new();
        for Rail { index, masters, needs } in &wish.rails {
            for (family, need) in needs {
                let Need::Drawn(class) = need else { continue };
                let mut assignment = std::mem::take(&mut self.assignment);
                let placed =
                    assignment.place(*class, |id| self.stock(id, most).map_or(0, |stock| stock.count));
                self.assignment = assignment;
                if !placed {
                    let question = Question {
                        intent,
                        attachment: &intent.attachments[*index],
                        candidates: &wish.candidates[*index],
                        masters,
                        family: *family,
                    };
                    failures.push(question.failure(self.inputs.pools, |id| self.limit(id, most)));
                }
            }
        }
        if failures.is_empty() {
            return Ok(wish);
        }
        self.assignment.undo(mark);
        Err(Failure { rails: failures })
    }

    /// The records of a pool; an error if they cannot be read.
    fn ledger(&self, pool: &Pool) -> Result<&Ledger, String> {
        match self.inputs.ledgers.get(&pool.name) {
            None => Ok(&self.empty),
            Some(Ok(ledger)) => Ok(ledger),
            Some(Err(error)) => Err(error.to_string()),
        }
    }

    fn stock(&self, id: PoolId, most: usize) -> Result<Stock, String> {
        let pool = self.inputs.pools.at(id)?;
        let ledger = self.ledger(pool)?;
        Ok(Stock::of(pool, ledger, self.inputs.cap, self.longest_record, most))
    }

    /// What keeps a pool from serving one more.
    fn limit(&self, id: PoolId, most: usize) -> (Refusal, String) {
        let (Ok(pool), stock) = (self.inputs.pools.at(id), self.stock(id, most)) else {
            return (Refusal::Unreadable, "it cannot be read".to_owned());
        };
        match stock {
            Err(reason) => (Refusal::Unreadable, reason),
            // The same words in each plan, however many records there are: an Event is written for new ones.
            Ok(Stock { limit: Refusal::Full, .. }) => {
                let cap = self.inputs.cap;
                let most = match cap.records {
                    Some(most) => format!("{most} that it may hold"),
                    None => format!("{} bytes that one object holds", cap.bytes),
                };
                (Refusal::Full, format!("one record more would go beyond the {most}"))
            }
            Ok(_) => {
                (Refusal::Exhausted, format!("all of its {} addresses are in use", pool.allocatable.count()))
            }
        }
    }

    /// Gives each pod its addresses: earlier intents get the pools they prefer, and lower addresses.
    fn hand_out(mut self, served: Vec<Result<Wish<'a>, Failure>>) -> BatchPlan {
        let mut shelves = HashMap::new();
        let mut plan = BatchPlan::default();
        let mut assignment = std::mem::take(&mut self.assignment);
        for (number, wish) in served.into_iter().enumerate() {
            let outcome = match wish {
                Err(failure) => Outcome::Failed(failure),
                Ok(wish) => Outcome::Planned(self.allocate(
                    number,
                    &wish,
                    &mut assignment,
                    &mut shelves,
                    &mut plan.changes,
                )),
            };
            plan.outcomes.push(outcome);
        }
        for changes in plan.changes.values_mut() {
            changes.sort_by_key(|change| change.address);
        }
        plan
    }

    fn allocate<'s>(
        &'s self,
        number: usize,
        wish: &Wish<'a>,
        assignment: &mut Assignment,
        shelves: &mut HashMap<PoolId, Shelf<'s>>,
        changes: &mut BTreeMap<Arc<str>, Vec<Change>>,
    ) -> Allocation {
        let intent = &self.intents[number];
        let mut allocation = Allocation { deferred: wish.deferred.clone(), ..Allocation::default() };
        for rail in &wish.rails {
            let attachment = &intent.attachments[rail.index];
            let mut detail =
                AllocationDetail { interface: attachment.interface.to_string(), ..Default::default() };
            for (_, need) in &rail.needs {
                let picked = match need {
                    Need::Kept(claim) => Some((claim.pool, claim.address)),
                    Need::Drawn(class) => {
                        assignment.draw(*class).and_then(|id| Some((id, self.take(id, shelves)?)))
                    }
                };
                let Some((id, address)) = picked else { continue };
                let Ok(pool) = self.inputs.pools.at(id) else { continue };
                fill(&mut detail, pool, address, wish.candidates[rail.index].clean_gateway);
                if let Some(change) = self.change(pool, address, number, attachment) {
                    changes.entry(pool.name.clone()).or_default().push(change);
                }
            }
            allocation.details.push(detail);
        }
        allocation.warnings = routes::hand_out(&wish.routes, &mut allocation.details);
        allocation.superseded = self.superseded(wish);
        allocation
    }

    fn take<'s>(&'s self, id: PoolId, shelves: &mut HashMap<PoolId, Shelf<'s>>) -> Option<Address> {
        let pool = self.inputs.pools.at(id).ok()?;
        let ledger = self.ledger(pool).ok()?;
        let quarantine = self.inputs.quarantine.get(&*pool.name);
        shelves.entry(id).or_insert_with(|| Shelf::new(pool, ledger, quarantine)).take()
    }

    /// The record to write, unless it stands there already.
    fn change(
        &self,
        pool: &Pool,
        address: Address,
        number: usize,
        attachment: &Attachment,
    ) -> Option<Change> {
        let intent = &self.intents[number];
        let (pod, uid, interface) = (&intent.holder.key, &intent.uid, &attachment.interface);
        let present = self.ledger(pool).ok().and_then(|ledger| ledger.get(address));
        let inherited = present.is_some_and(|present| present.pod_uid != *uid);
        // What an endpoint tells is settled.
        let told = present.filter(|_| !inherited && tells(&intent.previous, address));
        let record = match present {
            None => Record::new(pod.clone(), uid.clone(), interface.clone()),
            Some(present) => present.handed_to(pod.clone(), uid.clone(), interface.clone()),
        }
        .on(&intent.node.name)
        .by(told.map_or(self.inputs.writer, |told| told.writer));
        let change = Change { address, record, intent: number, inherited };
        (present != Some(&change.record)).then_some(change)
    }

    /// Records that no interface keeps, and none of those that wait for their device may still keep.
    fn superseded(&self, wish: &Wish<'a>) -> Vec<Held> {
        let waiting = |held: &Held| {
            let record = self.inputs.ledgers.record(held);
            let interface = record.and_then(|record| record.interface.as_deref());
            wish.deferred.iter().any(|deferred| interface.is_none_or(|name| name == &*deferred.interface))
        };
        let kept = |held: &Held| {
            let id = self.inputs.pools.id(&held.pool);
            id.is_some_and(|id| {
                let needs = wish.rails.iter().flat_map(|rail| &rail.needs);
                needs.into_iter().any(|(_, need)| {
                    matches!(need, Need::Kept(claim) if claim.pool == id && claim.address == held.address)
                })
            })
        };
        let records = wish.claims.records.iter().filter(|held| !kept(held) && !waiting(held));
        records.cloned().collect()
    }
}

/// Bytes of the longest record that a pod can need.
fn longest_record(intent: &Intent, writer: Writer) -> usize {
    let interfaces = intent.attachments.iter().map(|attachment| &attachment.interface);
    let interface = interfaces.max_by_key(|interface| interface.len()).cloned().unwrap_or_default();
    Record::new(intent.holder.key.clone(), intent.uid.clone(), interface)
        .on(&intent.node.name)
        .by(writer)
        .size(Family::V6)
}

/// Writes one address into the endpoint's entry of an interface.
fn fill(detail: &mut AllocationDetail, pool: &Pool, address: Address, clean_gateway: bool) {
    let (text, name) = (Some(pool.with_prefix(address)), Some(pool.name.to_string()));
    let gateway = pool.gateway.map(|gateway| gateway.to_string());
    if gateway.is_some() {
        detail.clean_gateway = Some(clean_gateway);
    }
    match pool.family() {
        Family::V4 => (detail.ipv4, detail.ipv4_pool, detail.ipv4_gateway) = (text, name, gateway),
        Family::V6 => (detail.ipv6, detail.ipv6_pool, detail.ipv6_gateway) = (text, name, gateway),
    }
    if !pool.routes.is_empty() {
        detail.routes.get_or_insert_default().extend(pool.routes.iter().cloned());
    }
}
