//! Pools that could not be written: each waits longer and longer before it is written again, whatever for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Edits;
use crate::sources::Backoff;

/// After another writer was first a pool is read and planned again almost at once.
const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(10);

/// When the pools that could not be written the last time are written again.
#[derive(Default)]
pub(super) struct Pauses(HashMap<Arc<str>, Pause>);

struct Pause {
    backoff: Backoff,
    until: Instant,
}

impl Pauses {
    /// Takes in what became of a round of writes.
    pub(super) fn note(&mut self, tried: &Edits, written: &BTreeSet<Arc<str>>) {
        for pool in tried.keys() {
            if written.contains(pool) {
                self.0.remove(pool);
                continue;
            }
            let now = Instant::now();
            let fresh = || Pause { backoff: Backoff::new(FIRST, LONGEST), until: now };
            let pause = self.0.entry(pool.clone()).or_insert_with(fresh);
            pause.until = now + pause.backoff.wait();
        }
    }

    /// Whether the pool is not written now.
    pub(super) fn holds(&self, pool: &str) -> bool {
        self.until(pool).is_some_and(|until| until > Instant::now())
    }

    /// When the pool may be written again; none if it was written the last time.
    pub(super) fn until(&self, pool: &str) -> Option<Instant> {
        self.0.get(pool).map(|pause| pause.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pool_that_cannot_be_written_waits_longer_each_time_and_the_others_do_not() {
        let (bad, good): (Arc<str>, Arc<str>) = ("bad".into(), "good".into());
        let tried = Edits::from([(bad.clone(), Vec::new()), (good.clone(), Vec::new())]);
        let written = BTreeSet::from([good]);
        let mut pauses = Pauses::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            pauses.note(&tried, &written);
            waits.push(pauses.until("bad").unwrap() - Instant::now());
        }
        assert!(waits[0] <= FIRST, "{waits:?}");
        assert!(waits[11] >= LONGEST / 2 && waits[11] <= LONGEST, "{waits:?}");
        assert_eq!(pauses.until("good"), None);
        pauses.note(&tried, &BTreeSet::from([bad]));
        assert_eq!(pauses.until("bad"), None);
    }
}
