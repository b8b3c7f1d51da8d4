use tokio::time::Instant;

use super::release::SuspectRecords;
use super::{IDLE, Work};
use crate::ipam;

impl Work<'_> {
    /// Counts the pools by how full they are, now and then: it looks at all of them.
    pub(super) fn count_pools(&mut self) {
        let now = Instant::now();
        if self.counted.is_some_and(|counted| counted + IDLE > now) {
            return;
        }
        self.counted = Some(now);
        let Some(pools) = self.world.pools() else { return };
        for (state, count) in ipam::pool_states(pools, self.world.books.ledgers()) {
            let gauge = self.leader.metrics.ipam_pools.with_label_values(&[state]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn report(&self) {
        let metrics = &self.leader.metrics;
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        metrics.ipam_waiting.set(count(self.waiting.len()));
        let records: usize = self
            .world
            .books
            .ledgers()
            .iter()
            .filter_map(|(_, ledger)| Some(ledger.as_ref().ok()?.len()))
            .sum();
        let SuspectRecords { suspect, held } = self.releases.suspect_records(self.world.books.ledgers());
        for (state, records) in
            [("in-use", records.saturating_sub(suspect + held)), ("suspect", suspect), ("held", held)]
        {
            metrics.ipam_records.with_label_values(&[state]).set(count(records));
        }
        metrics.ipam_quarantined.set(count(self.releases.quarantined()));
        metrics.ipam_suspects.set(count(self.releases.suspects()));
    }
}
