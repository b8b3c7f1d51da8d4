//! Addresses that are handed out only where there is no other, each until a time of its own.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::ipam::{Held, Quarantine};

/// Addresses in quarantine, in the form that a plan takes, and when each leaves it.
#[derive(Default)]
pub(super) struct Quarantined {
    now: Quarantine,
    until: HashMap<Held, Instant>,
    /// When to look at which; where that is not the time in `until`, the address came once more.
    ends: BinaryHeap<Reverse<(Instant, Held)>>,
}

impl Quarantined {
    /// Keeps an address back for so long at least.
    pub(super) fn add(&mut self, held: &Held, time: Duration) {
        let until = Instant::now() + time;
        if self.until.get(held).is_some_and(|known| *known >= until) {
            return;
        }
        self.now.entry(held.pool.to_string()).or_default().insert(held.address);
        self.until.insert(held.clone(), until);
        self.ends.push(Reverse((until, held.clone())));
    }

    /// Lets those go whose time is over.
    pub(super) fn end(&mut self, now: Instant) {
        while let Some(Reverse((until, _))) = self.ends.peek()
            && *until <= now
        {
            let Some(Reverse((until, held))) = self.ends.pop() else { return };
            if self.until.get(&held) != Some(&until) {
                continue;
            }
            self.until.remove(&held);
            if let Some(addresses) = self.now.get_mut(&*held.pool) {
                addresses.remove(&held.address);
            }
        }
    }

    /// Those that are in it.
    pub(super) fn now(&self) -> &Quarantine {
        &self.now
    }

    pub(super) fn len(&self) -> usize {
        self.until.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_leaves_when_the_last_of_its_times_is_over() {
        let mut quarantined = Quarantined::default();
        let held = |address: &str| Held { pool: "a".into(), address: address.parse().unwrap() };
        let (twice, once) = (held("10.0.0.1"), held("10.0.0.2"));
        let (short, more) = (Duration::from_secs(30), Duration::from_mins(4));
        quarantined.add(&twice, short);
        quarantined.add(&once, short);
        quarantined.add(&twice, short + more);
        quarantined.add(&twice, short);
        tokio::time::advance(short).await;
        quarantined.end(Instant::now());
        assert_eq!(quarantined.len(), 1);
        assert!(
            quarantined.now()["a"].contains(&twice.address)
                && !quarantined.now()["a"].contains(&once.address)
        );
        tokio::time::advance(more).await;
        quarantined.end(Instant::now());
        assert_eq!(quarantined.len(), 0);
        assert!(quarantined.now()["a"].is_empty());
    }
}
