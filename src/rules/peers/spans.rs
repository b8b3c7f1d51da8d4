use crate::net::{Address, Range, RangeSet};

/// Ranges of several owners, found by overlap. Owners are numbered; their ranges may overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    /// Sorted by first address.
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    range: Range,
    owner: usize,
    /// The highest address of this span and of all before it: where a search backwards may stop.
    reach: Address,
}

impl Spans {
    /// Calls `found` with each owner that has addresses of `range`, and with those addresses.
    pub(super) fn meet(&self, range: Range, mut found: impl FnMut(usize, Range)) {
        let end = self.spans.partition_point(|span| span.range.first() <= range.last());
        for span in self.spans[..end].iter().rev().take_while(|span| span.reach >= range.first()) {
            if let Some(common) = span.range.intersect(range) {
                found(span.owner, common);
            }
        }
    }

    /// Calls `found` once for each two spans of different owners that meet, with their common addresses.
    pub(super) fn collisions(&self, mut found: impl FnMut(usize, usize, Range)) {
        for (index, span) in self.spans.iter().enumerate() {
            let rest = &self.spans[index + 1..];
            let near = rest.iter().take_while(|other| other.range.first() <= span.range.last());
            for other in near.filter(|other| other.owner != span.owner) {
                if let Some(common) = span.range.intersect(other.range) {
                    found(span.owner, other.owner, common);
                }
            }
        }
    }
}

impl<'a> FromIterator<&'a RangeSet> for Spans {
    /// The owners are numbered in the order of the sets.
    fn from_iter<I: IntoIterator<Item = &'a RangeSet>>(sets: I) -> Self {
        let owned = sets.into_iter().enumerate();
        let spans = owned.flat_map(|(owner, set)| {
            set.ranges().iter().map(move |&range| Span { range, owner, reach: range.last() })
        });
        let mut spans: Vec<Span> = spans.collect();
        spans.sort_unstable_by_key(|span| (span.range, span.owner));
        let mut reach: Option<Address> = None;
        for span in &mut spans {
            span.reach = reach.map_or(span.reach, |before| before.max(span.reach));
            reach = Some(span.reach);
        }
        Self { spans }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::net::Family;

    fn set() -> impl Strategy<Value = RangeSet> {
        let range = (any::<u8>(), 0u8..20).prop_map(|(first, length)| {
            let address = |value: u8| Address::new(Family::V4, value.into()).unwrap();
            Range::new(address(first), address(first.saturating_add(length))).unwrap()
        });
        proptest::collection::vec(range, 0..6).prop_map(|ranges| ranges.into_iter().collect())
    }

    proptest! {
        #[test]
        fn finds_what_intersecting_one_by_one_finds(
            sets in proptest::collection::vec(set(), 0..8),
            asked in set(),
        ) {
            let spans: Spans = sets.iter().collect();
            let mut found: BTreeMap<usize, Vec<Range>> = BTreeMap::new();
            for &range in asked.ranges() {
                spans.meet(range, |owner, common| found.entry(owner).or_default().push(common));
            }
            for (owner, set) in sets.iter().enumerate() {
                let common: RangeSet = found.remove(&owner).unwrap_or_default().into_iter().collect();
                prop_assert_eq!(common, set.intersect(&asked));
            }

            let mut pairs = BTreeSet::new();
            spans.collisions(|a, b, _| {
                pairs.insert((a.min(b), a.max(b)));
            });
            for a in 0..sets.len() {
                for b in a + 1..sets.len() {
                    prop_assert_eq!(pairs.contains(&(a, b)), !sets[a].intersect(&sets[b]).is_empty());
                }
            }
        }
    }
}
