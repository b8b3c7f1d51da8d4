use std::collections::{BTreeSet, VecDeque};

use super::filter::Refusal;
use super::ledger::Ledger;
use super::pool::Pool;
use crate::net::{Address, Range};

/// How many records one pool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// `SPIDERPOOL_IPPOOL_MAX_ALLOCATED_IPS`; without it the bytes alone count.
    pub records: Option<usize>,
    /// Bytes of the records inside the stored object.
    pub bytes: usize,
}

impl Default for Cap {
    /// What one object can hold: etcd takes requests of 1.5 MiB (1,572,864 bytes), and 128 KiB of them are left to
    /// the rest of the pool, so 1,441,792 bytes are for records.
    ///
    /// A record takes 69 bytes, its address (at most 15 or 39), the pod's UID (36), the interface (4: `net8`), the
    /// node and `namespace/name`; where all three are as long as DNS labels get (63 each), that is 314 bytes with an
    /// IPv4 address and 338 with an IPv6 one: at least 4,591 or 4,265 records.
    fn default() -> Self {
        Self { records: None, bytes: 1_441_792 }
    }
}

/// What a batch can still draw from one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stock {
    /// How many demands it can serve.
    pub(super) count: usize,
    /// What refuses the next one.
    pub(super) limit: Refusal,
}

impl Stock {
    /// Counts up to `most` demands, each with a record of at most `record` bytes.
    pub(super) fn of(pool: &Pool, ledger: &Ledger, cap: Cap, record: usize, most: usize) -> Self {
        let by_records = cap.records.map_or(usize::MAX, |most| most.saturating_sub(ledger.len()));
        let by_bytes = cap.bytes.saturating_sub(ledger.bytes()) / record.max(1);
        let room = by_records.min(by_bytes);
        let wanted = room.min(most);
        let mut free = 0;
        for gap in gaps(pool, ledger) {
            free = usize::try_from(gap.count()).unwrap_or(usize::MAX).saturating_add(free);
            if free >= wanted {
                break;
            }
        }
        let limit = if free > 0 && room <= free { Refusal::Full } else { Refusal::Exhausted };
        Self { count: free.min(room), limit }
    }
}

/// The free addresses of a pool in the order in which they are handed out: lowest first, quarantined ones last.
pub(super) struct Shelf<'a> {
    gaps: Box<dyn Iterator<Item = Range> + 'a>,
    rest: Option<Range>,
    quarantine: Option<&'a BTreeSet<Address>>,
    passed_over: VecDeque<Address>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(pool: &'a Pool, ledger: &'a Ledger, quarantine: Option<&'a BTreeSet<Address>>) -> Self {
        Self { gaps: Box::new(gaps(pool, ledger)), rest: None, quarantine, passed_over: VecDeque::new() }
    }

    /// Takes the next address.
    pub(super) fn take(&mut self) -> Option<Address> {
        while let Some(range) = self.rest.take().or_else(|| self.gaps.next()) {
            let address = range.first();
            let next = Address::new(address.family(), address.value().wrapping_add(1));
            self.rest = next
                .filter(|_| range.first() != range.last())
                .and_then(|next| Range::new(next, range.last()));
            if self.quarantine.is_some_and(|quarantine| quarantine.contains(&address)) {
                self.passed_over.push_back(address);
            } else {
                return Some(address);
            }
        }
        self.passed_over.pop_front()
    }
}

/// The free addresses of a pool.
pub(super) fn gaps<'a>(pool: &'a Pool, ledger: &'a Ledger) -> impl Iterator<Item = Range> + 'a {
    pool.allocatable.ranges().iter().flat_map(|range| ledger.in_use().gaps(*range))
}
