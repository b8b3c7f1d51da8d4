use std::collections::BTreeMap;
use std::iter;

use super::{Address, Range};

/// A set of addresses that changes one address at a time, where a [`super::RangeSet`] is built as a whole.
///
/// Every operation costs the logarithm of the number of intervals, however many addresses those hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    /// First address of each interval and its last; intervals neither meet nor touch.
    spans: BTreeMap<Address, Address>,
}

impl Intervals {
    /// Whether the address is in the set.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        self.around(address).is_some()
    }

    /// Puts an address in; returns whether it was not there.
    pub fn insert(&mut self, address: Address) -> bool {
        if self.contains(address) {
            return false;
        }
        let below = before(address).and_then(|neighbour| self.around(neighbour));
        let above = after(address).and_then(|neighbour| self.spans.remove(&neighbour));
        let first = below.map_or(address, |(first, _)| first);
        self.spans.insert(first, above.unwrap_or(address));
        true
    }

    /// Takes an address out; returns whether it was there.
    pub fn remove(&mut self, address: Address) -> bool {
        let Some((first, last)) = self.around(address) else { return false };
        match before(address).filter(|_| first < address) {
            Some(neighbour) => self.spans.insert(first, neighbour),
            None => self.spans.remove(&first),
        };
        if let Some(neighbour) = after(address).filter(|_| address < last) {
            self.spans.insert(neighbour, last);
        }
        true
    }

    /// The parts of a range that are not in the set, lowest first.
    pub fn gaps(&self, within: Range) -> impl Iterator<Item = Range> {
        let mut from = Some(within.first());
        iter::from_fn(move || {
            let mut first = from.filter(|first| *first <= within.last())?;
            if let Some((_, last)) = self.around(first) {
                first = after(last).filter(|next| *next <= within.last())?;
            }
            let next = self.spans.range(first..).next().filter(|(start, _)| **start <= within.last());
            let end = next.and_then(|(start, _)| before(*start)).unwrap_or_else(|| within.last());
            from = next.and_then(|(_, last)| after(*last));
            Range::new(first, end)
        })
    }

    /// The interval that holds an address.
    fn around(&self, address: Address) -> Option<(Address, Address)> {
        let (first, last) = self.spans.range(..=address).next_back()?;
        (*last >= address).then_some((*first, *last))
    }
}

/// The next address of the family.
fn after(address: Address) -> Option<Address> {
    Address::new(address.family(), address.value().checked_add(1)?)
}

/// The address before it in the family.
fn before(address: Address) -> Option<Address> {
    Address::new(address.family(), address.value().checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::net::{Family, RangeSet};

    /// Two small windows at the ends of each family, so that neighbours, ends and both families are met.
    fn address() -> impl Strategy<Value = Address> {
        let of = |family: Family, value: u128| Address::new(family, value).unwrap();
        prop_oneof![
            (0u128..12).prop_map(move |value| of(Family::V4, value)),
            (0u128..12).prop_map(move |value| of(Family::V4, u128::from(u32::MAX) - value)),
            (0u128..12).prop_map(move |value| of(Family::V6, value)),
            (0u128..12).prop_map(move |value| of(Family::V6, u128::MAX - value)),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_addresses(
            steps in proptest::collection::vec((address(), any::<bool>()), 0..60),
            bounds in (address(), address()),
        ) {
            let (mut intervals, mut naive) = (Intervals::default(), BTreeSet::new());
            for (address, put) in steps {
                if put {
                    prop_assert_eq!(intervals.insert(address), naive.insert(address));
                } else {
                    prop_assert_eq!(intervals.remove(address), naive.remove(&address));
                }
                prop_assert_eq!(intervals.contains(address), put);
            }
            let rebuilt: RangeSet = naive.iter().map(|address| Range::from(*address)).collect();
            let spans: Vec<(Address, Address)> = intervals.spans.iter().map(|(a, b)| (*a, *b)).collect();
            let ranges: Vec<_> = rebuilt.ranges().iter().map(|range| (range.first(), range.last())).collect();
            prop_assert_eq!(spans, ranges);

            if let Some(within) = Range::new(bounds.0.min(bounds.1), bounds.0.max(bounds.1)) {
                let gaps: Vec<Range> = intervals.gaps(within).collect();
                let free = RangeSet::from(within).subtract(&rebuilt);
                prop_assert_eq!(&gaps[..], free.ranges());
            }
        }
    }
}
