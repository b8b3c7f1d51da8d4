use std::fmt::Write as _;

use super::candidates::{Candidates, Choice};
use super::failure::{PoolRefusal, RailFailure};
use super::filter::{self, Refusal};
use super::intent::{Attachment, Intent};
use super::match_master::{self, Masters};
use super::pools::{PoolId, Pools};
use crate::net::Family;
use crate::reason::Reason;

/// One family of one interface of a pod, and the pools that were asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) intent: &'a Intent,
    pub(super) attachment: &'a Attachment,
    pub(super) candidates: &'a Candidates,
    pub(super) masters: &'a Masters<'a>,
    pub(super) family: Family,
}

/// The pools that may serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Eligible {
    /// These, in the order in which they are tried; none at all is a failure.
    Pools(Vec<PoolId>),
    /// It shows at attach time.
    Later(String),
}

impl Question<'_> {
    pub(super) fn choice(&self) -> Option<&Choice> {
        self.candidates.of(self.family).map(|choice| &**choice)
    }

    /// The candidates that fulfil every condition.
    pub(super) fn eligible(&self, pools: &Pools) -> Eligible {
        let candidates = self.choice().map(|choice| &*choice.pools).unwrap_or_default();
        let under = |addresses: Option<&[_]>| -> Vec<PoolId> {
            let serves = |id: &&PoolId| {
                pools.at(**id).is_ok_and(|pool| {
                    // The rarest condition first: of one pool for each node it leaves one.
                    addresses.is_none_or(|addresses| match_master::holds(pool, addresses))
                        && filter::refusal(pool, self.family, self.intent, self.attachment).is_none()
                })
            };
            candidates.iter().filter(serves).copied().collect()
        };
        let masters = match self.masters {
            Masters::Any => return Eligible::Pools(under(None)),
            Masters::Unknown(why) => return Eligible::Later(why.clone()),
            Masters::OneOf(masters) => masters,
        };
        let mut each = masters.iter().map(|addresses| under(Some(addresses)));
        let first = each.next().unwrap_or_default();
        if each.all(|other| other == first) {
            return Eligible::Pools(first);
        }
        Eligible::Later(format!(
            "{} is served by {} physical functions in different subnets, so its pool shows at attach time",
            self.attachment.resource.as_deref().unwrap_or_default(),
            masters.len()
        ))
    }

    /// Why none of the candidates serves. `limit` says what keeps a pool from serving that fulfils the conditions.
    pub(super) fn failure(&self, pools: &Pools, limit: impl Fn(PoolId) -> (Refusal, String)) -> RailFailure {
        let Choice { pools: candidates, unknown } = self.choice().cloned().unwrap_or_default();
        let mut refusals: Vec<(Refusal, PoolRefusal)> = Vec::with_capacity(candidates.len() + unknown.len());
        let mut refuse = |refusal: Refusal, pool: &str, detail: String| {
            let refused = PoolRefusal { pool: pool.to_owned(), reason: refusal.reason(), detail };
            refusals.push((refusal, refused));
        };
        for name in &unknown {
            refuse(Refusal::Unknown, name, unknown_detail(name, pools));
        }
        for &id in candidates.iter() {
            let name = pools.name(id);
            match pools.at(id) {
                Err(reason) => refuse(Refusal::Unreadable, name, reason.to_owned()),
                Ok(pool) => {
                    let (refusal, detail) = self.refusal(pool).unwrap_or_else(|| limit(id));
                    refuse(refusal, name, detail);
                }
            }
        }
        let (reason, detail) = self.verdict(&refusals);
        RailFailure {
            family: Some(self.family),
            pools: refusals.into_iter().map(|(_, refused)| refused).collect(),
            ..RailFailure::of(self.attachment, reason, detail)
        }
    }

    /// The condition that the pool does not fulfil, and what that means for people.
    pub(super) fn refusal(&self, pool: &super::Pool) -> Option<(Refusal, String)> {
        let refusal = filter::refusal(pool, self.family, self.intent, self.attachment)
            .or_else(|| self.other_subnet(pool).then_some(Refusal::Master))?;
        Some((refusal, filter::explain(refusal, pool, self.intent, self.attachment)))
    }

    fn other_subnet(&self, pool: &super::Pool) -> bool {
        match self.masters {
            Masters::OneOf(masters) => !masters.iter().all(|addresses| match_master::holds(pool, addresses)),
            Masters::Any | Masters::Unknown(_) => false,
        }
    }

    fn verdict(&self, refusals: &[(Refusal, PoolRefusal)]) -> (Reason, String) {
        let (family, source) = (self.family, &self.candidates.source);
        let any = |wanted: Refusal| refusals.iter().any(|(refusal, _)| *refusal == wanted);
        if any(Refusal::Exhausted) {
            return (Reason::PoolExhausted, format!("no free {family} address in the pools of {source}"));
        }
        if any(Refusal::Full) {
            let detail = format!(
                "the {family} pools of {source} hold no more records; make further pools of the same subnet with \
                 other ips, and name them beside the full one"
            );
            return (Reason::PoolFull, detail);
        }
        if refusals.iter().all(|(refusal, _)| *refusal == Refusal::Unknown) {
            return (Reason::NoPool, format!("{source} names no {family} pool that exists"));
        }
        let mut detail = format!("no {family} pool of {source} serves this pod");
        if any(Refusal::Master)
            && let Masters::OneOf(masters) = self.masters
        {
            let addresses: Vec<String> = masters.iter().copied().flatten().map(ToString::to_string).collect();
            let have = if addresses.is_empty() { "none".to_owned() } else { filter::few(&addresses) };
            let node = &self.intent.node.name;
            // Writing to a string cannot fail.
            let _ = write!(detail, " on node {node} (addresses of the physical function: {have})");
        }
        (Reason::NoEligiblePool, detail)
    }
}

pub(super) fn unknown_detail(name: &str, pools: &Pools) -> String {
    if crate::rules::Wildcard::is_pattern(name) {
        return "no pool matches".to_owned();
    }
    match pools.nearest(name)[..] {
        [] => "there is no such pool".to_owned(),
        ref near => format!("there is no such pool; did you mean {}?", near.join(", ")),
    }
}
