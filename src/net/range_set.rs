use std::fmt;

use super::{Address, Range};

/// Any set of addresses, as sorted ranges that neither meet nor touch.
///
/// Building sorts (n log n); every operation between two sets is one walk over both (n + m).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    ranges: Vec<Range>,
}

impl RangeSet {
    /// Whether there is no address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, in order.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// How many addresses; stops at `u128::MAX`.
    #[must_use]
    pub fn count(&self) -> u128 {
        self.ranges.iter().fold(0, |sum, range| sum.saturating_add(range.count()))
    }

    /// Whether the address is in the set.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        let after = self.ranges.partition_point(|range| range.first() <= address);
        after.checked_sub(1).is_some_and(|index| self.ranges[index].contains(address))
    }

    /// Whether every address of `other` is in the set.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.subtract(self).is_empty()
    }

    /// The addresses of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.ranges.iter().chain(&other.ranges).copied().collect()
    }

    /// The addresses of both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        let mut ranges = Vec::new();
        while let (Some(&&a), Some(&&b)) = (left.peek(), right.peek()) {
            ranges.extend(a.intersect(b));
            // The range that ends first can meet nothing further.
            if (a.family, a.last) <= (b.family, b.last) {
                left.next();
            } else {
                right.next();
            }
        }
        Self { ranges }
    }

    /// The addresses that `other` does not have.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut cuts = other.ranges.iter().peekable();
        let mut ranges = Vec::with_capacity(self.ranges.len());
        for &range in &self.ranges {
            while cuts.next_if(|cut| cut.precedes(range)).is_some() {}
            // The last cut may reach into the next range, so it is looked at without being taken.
            let mut rest = Some(range);
            for &cut in cuts.clone().take_while(|cut| !range.precedes(**cut)) {
                let Some(open) = rest else { break };
                if open.first < cut.first {
                    ranges.push(Range { last: cut.first - 1, ..open });
                }
                rest = (cut.last < open.last).then(|| Range { first: cut.last + 1, ..open });
            }
            ranges.extend(rest);
        }
        Self { ranges }
    }

    /// For messages: the first few ranges, and how many more there are.
    #[must_use]
    pub fn summary(&self) -> String {
        const SHOWN: usize = 5;
        let shown: Vec<String> = self.ranges.iter().take(SHOWN).map(Range::to_string).collect();
        match self.ranges.len().saturating_sub(SHOWN) {
            0 => shown.join(", "),
            1 => format!("{} and 1 more range", shown.join(", ")),
            more => format!("{} and {more} more ranges", shown.join(", ")),
        }
    }
}

impl FromIterator<Range> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        let mut sorted: Vec<Range> = ranges.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup_by(|next, kept| {
            let joins = next.family == kept.family && next.first <= kept.last.saturating_add(1);
            if joins {
                kept.last = kept.last.max(next.last);
            }
            joins
        });
        Self { ranges: sorted }
    }
}

impl From<Range> for RangeSet {
    fn from(range: Range) -> Self {
        Self { ranges: vec![range] }
    }
}

impl fmt::Display for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.ranges.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            range.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::net::Family;

    fn set(texts: &[&str]) -> RangeSet {
        texts.iter().map(|text| text.parse::<Range>().expect(text)).collect()
    }

    #[test]
    fn joins_what_meets_or_touches() {
        let ranges =
            set(&["10.0.0.5-10.0.0.9", "10.0.0.1", "::1", "10.0.0.2-10.0.0.4", "10.0.0.11", "::2-::5"]);
        assert_eq!(ranges.to_string(), "10.0.0.1-10.0.0.9, 10.0.0.11, ::1-::5");
        assert_eq!(ranges.count(), 15);
    }

    #[test]
    fn works_at_both_ends_of_a_family() {
        let all = set(&["::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0.0.0.0-255.255.255.255"]);
        assert_eq!(all.count(), u128::MAX);
        let ends = set(&[
            "0.0.0.0-0.0.0.5",
            "255.255.255.250-255.255.255.255",
            "::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ]);
        assert_eq!(
            all.subtract(&ends).to_string(),
            "0.0.0.6-255.255.255.249, ::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"
        );
        assert_eq!(all.intersect(&ends), ends);
        assert_eq!(all.subtract(&all), RangeSet::default());
        // The last IPv4 address does not touch the first IPv6 one.
        assert_eq!(set(&["255.255.255.255", "::"]).ranges().len(), 2);
    }

    #[test]
    fn a_long_set_is_summed_up() {
        let ranges = set(&["10.0.0.1", "10.0.0.3", "10.0.0.5", "10.0.0.7", "10.0.0.9", "10.0.0.11"]);
        assert_eq!(ranges.summary(), "10.0.0.1, 10.0.0.3, 10.0.0.5, 10.0.0.7, 10.0.0.9 and 1 more range");
        assert_eq!(set(&["10.0.0.1", "::1"]).summary(), "10.0.0.1, ::1");
    }

    /// Windows of 256 addresses at the edges of both families and across the 64-bit boundary.
    fn window() -> impl Strategy<Value = (Family, u128)> {
        prop_oneof![
            Just((Family::V4, 0)),
            Just((Family::V4, 0x0aff_ff80)),
            Just((Family::V4, u128::from(u32::MAX) - 255)),
            Just((Family::V6, 0)),
            Just((Family::V6, (1 << 64) - 128)),
            Just((Family::V6, u128::MAX - 255)),
        ]
    }

    fn pairs() -> impl Strategy<Value = Vec<(u8, u8)>> {
        proptest::collection::vec((any::<u8>(), 0u8..40), 0..12)
    }

    fn build((family, base): (Family, u128), pairs: &[(u8, u8)]) -> (RangeSet, BTreeSet<u8>) {
        let ends = |&(first, length): &(u8, u8)| (first, first.saturating_add(length));
        let ranges = pairs.iter().map(ends).map(|(first, last)| Range {
            family,
            first: base + u128::from(first),
            last: base + u128::from(last),
        });
        (ranges.collect(), pairs.iter().map(ends).flat_map(|(first, last)| first..=last).collect())
    }

    /// The addresses of a set one by one, and a check that its ranges neither meet nor touch.
    fn spread((family, base): (Family, u128), set: &RangeSet) -> BTreeSet<u8> {
        for pair in set.ranges.windows(2) {
            assert!(pair[0].last + 1 < pair[1].first, "{set}");
        }
        let inside = |offset: &u8| set.contains(Address::new(family, base + u128::from(*offset)).unwrap());
        (0..=u8::MAX).filter(inside).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_sets_of_addresses(window in window(), left in pairs(), right in pairs()) {
            let ((a, naive_a), (b, naive_b)) = (build(window, &left), build(window, &right));
            prop_assert_eq!(&spread(window, &a), &naive_a);
            prop_assert_eq!(a.count(), naive_a.len() as u128);
            prop_assert_eq!(spread(window, &a.union(&b)), &naive_a | &naive_b);
            prop_assert_eq!(spread(window, &a.intersect(&b)), &naive_a & &naive_b);
            prop_assert_eq!(spread(window, &a.subtract(&b)), &naive_a - &naive_b);
            prop_assert_eq!(a.includes(&b), naive_b.is_subset(&naive_a));
            prop_assert_eq!(a.is_empty(), naive_a.is_empty());
        }

        #[test]
        fn families_do_not_mix(left in pairs(), right in pairs()) {
            let (v4, v6) = (build((Family::V4, 0), &left).0, build((Family::V6, 0), &right).0);
            prop_assert!(v4.intersect(&v6).is_empty());
            prop_assert_eq!(&v4.subtract(&v6), &v4);
            prop_assert_eq!(v4.union(&v6).subtract(&v4), v6);
        }
    }
}
