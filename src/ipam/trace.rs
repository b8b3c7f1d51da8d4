use std::sync::Arc;

use super::candidates::Finder;
use super::failure::{Failure, PoolRefusal};
use super::intent::Intent;
use super::match_master::Masters;
use super::plan::Inputs;
use super::refused::{Eligible, Question, unknown_detail};
use super::shelf::gaps;
use crate::net::{Family, Range};
use crate::reason::Reason;

/// Which pools one interface of a pod may draw from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RailTrace {
    /// `net1`, ...
    pub interface: Arc<str>,
    /// `namespace/name` of the network.
    pub network: String,
    /// Who named the pools.
    pub source: String,
    /// One for each family that the pod gets addresses of.
    pub families: Vec<FamilyTrace>,
}

/// The candidates of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyTrace {
    /// IPv4 or IPv6.
    pub family: Family,
    /// Why the choice is left to attach time, if so.
    pub later: Option<String>,
    /// The candidates in the order in which they are tried; last those that do not exist.
    pub pools: Vec<PoolTrace>,
}

/// One candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolTrace {
    /// Its name, or the pattern that no pool matches.
    pub pool: String,
    /// How many free addresses it has for the pod, or why it has none.
    pub verdict: Result<u128, PoolRefusal>,
}

/// Every candidate of every interface with the first condition that it does not fulfil: what [`super::plan()`] chooses
/// from, before pods share pools. An error if it does not come to candidates.
pub fn trace(inputs: &Inputs<'_>, intent: &Intent) -> Result<Vec<RailTrace>, Failure> {
    let mut finder = Finder::new(inputs.pools, inputs.families);
    let candidates = finder.candidates(intent).map_err(|rails| Failure { rails })?;
    let rails = intent.attachments.iter().zip(&candidates).map(|(attachment, candidates)| {
        let masters = Masters::of(attachment, intent, inputs.nodes);
        let families = [Family::V4, Family::V6].into_iter().filter(|family| candidates.of(*family).is_some());
        RailTrace {
            interface: attachment.interface.clone(),
            network: attachment.network.to_string(),
            source: candidates.source.to_string(),
            families: families
                .map(|family| {
                    family_trace(
                        &Question { intent, attachment, candidates, masters: &masters, family },
                        inputs,
                    )
                })
                .collect(),
        }
    });
    Ok(rails.collect())
}

fn family_trace(question: &Question<'_>, inputs: &Inputs<'_>) -> FamilyTrace {
    let later = match question.eligible(inputs.pools) {
        Eligible::Later(why) => Some(why),
        Eligible::Pools(_) => None,
    };
    let choice = question.choice().cloned().unwrap_or_default();
    let refused = |pool: &str, reason: Reason, detail: String| PoolTrace {
        pool: pool.to_owned(),
        verdict: Err(PoolRefusal { pool: pool.to_owned(), reason, detail }),
    };
    let known = choice.pools.iter().map(|id| {
        let name = &**inputs.pools.name(*id);
        let pool = match inputs.pools.at(*id) {
            Ok(pool) => pool,
            Err(reason) => return refused(name, Reason::PoolUnreadable, reason.to_owned()),
        };
        if let Some((refusal, detail)) = question.refusal(pool) {
            return refused(name, refusal.reason(), detail);
        }
        let free: u128 = match inputs.ledgers.get(name) {
            None => pool.allocatable.count(),
            Some(Ok(ledger)) => gaps(pool, ledger).map(Range::count).sum(),
            Some(Err(error)) => return refused(name, Reason::PoolUnreadable, error.to_string()),
        };
        match free {
            0 => {
                let detail = format!("all of its {} addresses are in use", pool.allocatable.count());
                refused(name, Reason::PoolExhausted, detail)
            }
            free => PoolTrace { pool: name.to_owned(), verdict: Ok(free) },
        }
    });
    let unknown = choice
        .unknown
        .iter()
        .map(|name| refused(name, Reason::PoolUnknown, unknown_detail(name, inputs.pools)));
    FamilyTrace { family: question.family, later, pools: known.chain(unknown).collect() }
}
