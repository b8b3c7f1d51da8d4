use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use super::intent::Attachment;
use crate::net::Family;
use crate::reason::Reason;

/// Why a pod got no addresses: what failed on each rail, and why each pool did not serve.
///
/// Printed as a listing, one line for each rail and one for each pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The rails that failed; never empty.
    pub rails: Vec<RailFailure>,
}

/// Why one interface got no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RailFailure {
    /// The interface; empty when the pod as a whole is meant.
    pub interface: Arc<str>,
    /// `namespace/name` of its network; empty when the pod as a whole is meant.
    pub network: String,
    /// The family that failed, if it is one.
    pub family: Option<Family>,
    /// The code.
    pub reason: Reason,
    /// What is wrong, and what to do.
    pub detail: String,
    /// Why each pool did not serve, in the order in which they were tried.
    pub pools: Vec<PoolRefusal>,
}

/// Why one pool did not serve an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRefusal {
    /// Name of the pool, or the pattern that no pool matches.
    pub pool: String,
    /// The code.
    pub reason: Reason,
    /// For people.
    pub detail: String,
}

impl RailFailure {
    /// A failure of the pod as a whole.
    pub(super) fn whole(reason: Reason, detail: String) -> Self {
        Self {
            interface: Arc::default(),
            network: String::new(),
            family: None,
            reason,
            detail,
            pools: Vec::new(),
        }
    }

    /// A failure of one interface.
    pub(super) fn of(attachment: &Attachment, reason: Reason, detail: String) -> Self {
        Self {
            interface: attachment.interface.clone(),
            network: attachment.network.to_string(),
            ..Self::whole(reason, detail)
        }
    }

    /// `net1 (spiderpool/gpu1-sriov)`
    fn place(&self) -> String {
        format!("{} ({})", self.interface, self.network)
    }

    /// How many pools were refused for each reason, each with the first of them.
    fn tally(&self) -> String {
        let mut counts: BTreeMap<&str, (usize, &PoolRefusal)> = BTreeMap::new();
        for refusal in &self.pools {
            counts.entry(refusal.reason.code()).or_insert((0, refusal)).0 += 1;
        }
        let say = |(count, first): &(usize, &PoolRefusal)| match count {
            1 => format!("{}: {}", first.pool, first.detail),
            more => format!("{} and {} more: {}", first.pool, more - 1, first.detail),
        };
        counts.values().map(say).collect::<Vec<_>>().join("; ")
    }
}

/// What helps against a reason; none where the failure's own words say it.
pub(super) fn next_step(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::NoPool => "name pools in the network's ippools, or set default: true on a pool",
        Reason::UnusablePoolNames | Reason::UnusableRoutes => "correct the annotation",
        Reason::PoolUnknown => "correct the name, or create the pool",
        Reason::PoolUnreadable => {
            "repair the pool with kubectl edit spiderippool; for its records add --subresource=status"
        }
        Reason::PoolTerminating => "name another pool",
        Reason::PoolDisabled => "set disable: false on the pool",
        Reason::PoolOverlaps => "change the ranges of one of the two pools",
        Reason::PoolOtherFamily => "move the name to the list of the pool's family",
        Reason::PoolOtherNode => "name a pool of this node, or let the pool serve it",
        Reason::PoolOtherNamespace => "name a pool of this namespace, or let the pool serve it",
        Reason::PoolOtherPod => "name a pool for this pod, or change the pool's podAffinity",
        Reason::PoolOtherNetwork => {
            "name a pool of this network, or add the network to the pool's multusName"
        }
        Reason::PoolOtherSubnet => {
            "create the pool of the node's subnet, or correct the physical function's address on the host"
        }
        Reason::PoolExhausted => "add ranges to ips, or name a further pool",
        _ => return None,
    })
}

/// Bytes that a note of an Event may take: the API server takes 1,024.
const LONGEST: usize = 1_000;

impl Failure {
    /// The code of the pod: that of the first rail.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.rails.first().map_or(Reason::InternalError, |rail| rail.reason)
    }

    /// The line of [`Self::line`], and what to do about the first rail: what an Event says. At most 1,000 bytes.
    #[must_use]
    pub fn advice(&self) -> String {
        let first = self.rails.first();
        let decisive = first.and_then(|rail| {
            let of_pool = rail.pools.first().map(|pool| pool.reason);
            if rail.reason == Reason::NoEligiblePool { of_pool } else { Some(rail.reason) }
        });
        match decisive.and_then(next_step) {
            Some(next) => {
                let next = format!(". Next: {next}");
                shortened(self.line(), LONGEST - next.len()) + &next
            }
            None => self.line(),
        }
    }

    /// One line of at most 1,000 bytes: rails that failed for the same reason stand together.
    #[must_use]
    pub fn line(&self) -> String {
        let mut groups: Vec<(String, Vec<&RailFailure>)> = Vec::new();
        for rail in &self.rails {
            let tally = rail.tally();
            let what =
                if tally.is_empty() { rail.detail.clone() } else { format!("{}: {tally}", rail.detail) };
            match groups.iter_mut().find(|(known, _)| *known == what) {
                Some((_, rails)) => rails.push(rail),
                None => groups.push((what, vec![rail])),
            }
        }
        let say = |(what, rails): &(String, Vec<&RailFailure>)| match rails[..] {
            [rail] if rail.interface.is_empty() => what.clone(),
            [rail] => format!("{}: {what}", rail.place()),
            _ => {
                let names: Vec<&str> = rails.iter().map(|rail| &*rail.interface).collect();
                format!("{}: {what}", names.join(", "))
            }
        };
        shortened(groups.iter().map(say).collect::<Vec<_>>().join(" | "), LONGEST)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for rail in &self.rails {
            let place = if rail.interface.is_empty() { String::new() } else { format!("{}: ", rail.place()) };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{place}{}: {}", rail.reason, rail.detail);
            for PoolRefusal { pool, reason, detail } in &rail.pools {
                let _ = writeln!(text, "  {pool}: {reason}: {detail}");
            }
        }
        f.write_str(text.trim_end())
    }
}

/// Cut at a character, with a mark.
fn shortened(text: String, longest: usize) -> String {
    const MARK: &str = " ...";
    if text.len() <= longest {
        return text;
    }
    let end = (0..=longest - MARK.len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{MARK}", &text[..end])
}
