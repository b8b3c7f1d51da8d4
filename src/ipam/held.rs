use super::candidates::Candidates;
use super::intent::Intent;
use super::ledgers::{Held, Ledgers};
use super::match_master;
use super::pools::{PoolId, Pools};
use crate::api::AllocationDetail;
use crate::net::{Address, Family};

/// An address that an interface of the pod has already, or had under another UID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) pool: PoolId,
    pub(super) address: Address,
    /// Recorded for this very pod, not for an earlier one of the same name.
    pub(super) own: bool,
}

/// What is recorded for a pod, sorted to its interfaces.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    by_interface: Vec<(usize, Claim)>,
    /// Every record of the pod.
    pub(super) records: Vec<Held>,
}

impl Claims {
    /// Sorts the records of the pod to its interfaces: its own first, and records that name their interface before
    /// those that do not. The latter belong to the interface that the endpoint shows, or else to the first one that
    /// uses the pool.
    pub(super) fn of(intent: &Intent, candidates: &[Candidates], pools: &Pools, ledgers: &Ledgers) -> Self {
        let own = ledgers.of_uid(&intent.uid);
        let earlier = if intent.holder.sticky { ledgers.of_pod(&intent.holder.key) } else { &[] };
        let mut claims = Self::default();
        if own.is_empty() && earlier.is_empty() {
            return claims;
        }
        claims.records = own.iter().chain(earlier).cloned().collect();
        claims.records.sort_unstable();
        claims.records.dedup();
        let mut found = Vec::new();
        for held in &claims.records {
            let (Some(record), Some(pool)) = (ledgers.record(held), pools.id(&held.pool)) else { continue };
            let named = record.interface.as_deref().or_else(|| shown(&intent.previous, held));
            let place = |name: &str| intent.attachments.iter().position(|known| *known.interface == *name);
            let claim = Claim { pool, address: held.address, own: record.pod_uid == intent.uid };
            found.push((!claim.own, named.is_none(), claim, named.map(place)));
        }
        found.sort_by_key(|(earlier, unnamed, claim, _)| (*earlier, *unnamed, claim.pool, claim.address));
        for (_, _, claim, place) in found {
            let fits = |index: &usize| claims.fits(*index, claim, intent, pools);
            let uses = |index: &usize| {
                let choice = candidates[*index].of(claim.address.family());
                choice.is_some_and(|choice| choice.pools.contains(&claim.pool))
            };
            let index = match place {
                Some(named) => named.filter(fits),
                None => (0..intent.attachments.len()).find(|index| fits(index) && uses(index)),
            };
            if let Some(index) = index {
                claims.by_interface.push((index, claim));
            }
        }
        claims
    }

    /// The address recorded for an interface.
    pub(super) fn get(&self, index: usize, family: Family) -> Option<Claim> {
        let mut claims = self.by_interface.iter();
        claims
            .find(|(known, claim)| *known == index && claim.address.family() == family)
            .map(|(_, claim)| *claim)
    }

    fn fits(&self, index: usize, claim: Claim, intent: &Intent, pools: &Pools) -> bool {
        let (attachment, family) = (&intent.attachments[index], claim.address.family());
        let Ok(pool) = pools.at(claim.pool) else { return false };
        // At attach time the device is known; an address of another rail's subnet would be of no use.
        let right_device = attachment
            .master
            .as_ref()
            .is_none_or(|addresses| !attachment.match_master || match_master::holds(pool, addresses));
        right_device && self.get(index, family).is_none()
    }
}

/// The interface that the endpoint shows for an address.
fn shown<'a>(details: &'a [AllocationDetail], held: &Held) -> Option<&'a str> {
    let detail = details.iter().find(|detail| tells(std::slice::from_ref(detail), held.address))?;
    Some(detail.interface.as_str()).filter(|interface| !interface.is_empty())
}

/// The addresses that an endpoint tells, each with its interface. What names no pool, or cannot be read, is passed over.
pub fn told(details: &[AllocationDetail]) -> impl Iterator<Item = (&str, Held)> {
    details.iter().flat_map(|detail| {
        let pairs = [(&detail.ipv4_pool, &detail.ipv4), (&detail.ipv6_pool, &detail.ipv6)];
        pairs.into_iter().filter_map(|(pool, address)| {
            let address: Address = address.as_deref()?.split('/').next()?.parse().ok()?;
            Some((detail.interface.as_str(), Held { pool: pool.as_deref()?.into(), address }))
        })
    })
}

/// Whether the interfaces of an endpoint have the address.
#[must_use]
pub fn tells(details: &[AllocationDetail], address: Address) -> bool {
    let address = address.to_string();
    let is = |text: &&String| text.split('/').next() == Some(address.as_str());
    details.iter().flat_map(|detail| [&detail.ipv4, &detail.ipv6]).flatten().any(|text| is(&text))
}
