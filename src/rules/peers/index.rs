use std::collections::BTreeMap;
use std::ops::Bound;

use crate::net::Subnet;

/// Values by subnet, found by overlap: two subnets overlap only if one contains the other, so the answer is
/// a few exact look-ups (the wider ones) and one run of the sorted map (the narrower ones).
#[derive(Clone, Debug)]
pub(super) struct SubnetIndex<T> {
    by_subnet: BTreeMap<Subnet, T>,
}

impl<T> Default for SubnetIndex<T> {
    fn default() -> Self {
        Self { by_subnet: BTreeMap::new() }
    }
}

impl<T> SubnetIndex<T> {
    pub(super) fn get(&self, subnet: Subnet) -> Option<&T> {
        self.by_subnet.get(&subnet)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Subnet, &T)> {
        self.by_subnet.iter().map(|(subnet, value)| (*subnet, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Subnet, &mut T)> {
        self.by_subnet.iter_mut().map(|(subnet, value)| (*subnet, value))
    }

    /// Values of subnets that contain `subnet`, widest last, then those of `subnet` and what lies in it.
    pub(super) fn overlapping(&self, subnet: Subnet) -> impl Iterator<Item = (Subnet, &T)> {
        self.wider(subnet).chain(self.within(subnet))
    }

    /// Values of subnets that contain `subnet` and are not equal to it.
    pub(super) fn wider(&self, subnet: Subnet) -> impl Iterator<Item = (Subnet, &T)> {
        subnet.supernets().filter_map(|net| Some((net, self.by_subnet.get(&net)?)))
    }

    fn within(&self, subnet: Subnet) -> impl Iterator<Item = (Subnet, &T)> {
        let from = self.by_subnet.range((Bound::Included(subnet), Bound::Unbounded));
        from.take_while(move |(net, _)| net.overlaps(subnet)).map(|(net, value)| (*net, value))
    }
}

impl<T: Default> SubnetIndex<T> {
    pub(super) fn entry(&mut self, subnet: Subnet) -> &mut T {
        self.by_subnet.entry(subnet).or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subnet() -> impl Strategy<Value = Subnet> {
        // A small universe, so that subnets meet often; both ends of both families are in it.
        let v4 = (prop_oneof![Just(0u8), Just(10), Just(255)], any::<[bool; 4]>(), 0u8..=32);
        let v4 = v4.prop_map(|(head, bits, prefix)| {
            let tail = bits.map(|bit| if bit { 255 } else { 0 });
            format!("{head}.{}.{}.{}/{prefix}", tail[0], tail[1], tail[2]).parse().unwrap()
        });
        let v6 = (prop_oneof![Just("::"), Just("ffff::"), Just("fd00:1::"), Just("fd00:2::1")], 0u8..=128);
        let v6 = v6.prop_map(|(head, prefix)| format!("{head}/{prefix}").parse().unwrap());
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn finds_exactly_what_overlaps(
            subnets in proptest::collection::btree_set(subnet(), 0..30),
            asked in subnet(),
        ) {
            let mut index: SubnetIndex<Subnet> = SubnetIndex::default();
            for net in &subnets {
                index.by_subnet.insert(*net, *net);
            }
            let mut found: Vec<Subnet> = index.overlapping(asked).map(|(net, _)| net).collect();
            found.sort();
            let expected: Vec<Subnet> = subnets.into_iter().filter(|net| net.overlaps(asked)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
