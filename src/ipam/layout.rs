use std::fmt;

use crate::net::{Address, Family, Range, Subnet};

/// A subnet for each rail of each node, one after the other: the rails of a node stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    wanted: Wanted,
    prefix: u8,
}

/// What is to be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Nodes.
    pub nodes: u32,
    /// Rails of each node.
    pub rails: u32,
    /// Virtual functions of each rail, and so addresses for pods.
    pub vfs: u32,
    /// Where everything has to lie.
    pub within: Subnet,
}

/// The addresses of one rail of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RailSubnet {
    /// Its subnet.
    pub subnet: Subnet,
    /// The first host address.
    pub gateway: Address,
    /// The addresses behind the gateway, one for each virtual function.
    pub pods: Range,
    /// The last host address, if it is left over: for the physical function.
    pub master: Option<Address>,
}

/// What is wanted does not fit. Each number says what would, with all else as it is; none if nothing would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Misfit {
    wanted: Wanted,
    /// Length of the prefix of one rail's subnet.
    pub prefix: Option<u8>,
    /// The longest prefix of a network that holds everything.
    pub within: Option<u8>,
    /// The most nodes.
    pub nodes: Option<u32>,
    /// The most virtual functions.
    pub vfs: Option<u32>,
}

impl Layout {
    /// Lays everything out in subnets of the smallest size that holds what a rail needs.
    pub fn new(wanted: Wanted) -> Result<Self, Misfit> {
        Self::fitting(wanted).ok_or_else(|| Misfit::of(wanted))
    }

    /// Length of the prefix of each rail's subnet.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The subnet of a rail; nodes and rails count from 0. None where there is no such node or rail.
    #[must_use]
    pub fn rail(&self, node: u32, rail: u32) -> Option<RailSubnet> {
        let Wanted { nodes, rails, vfs, within } = self.wanted;
        if node >= nodes || rail >= rails {
            return None;
        }
        let family = within.family();
        let number = u128::from(node) * u128::from(rails) + u128::from(rail);
        let first = within.range().first().value() + (number << (family.bits() - self.prefix));
        let at = |offset: u128| Address::new(family, first + offset);
        let subnet: Subnet = format!("{}/{}", at(0)?, self.prefix).parse().ok()?;
        let pods = Range::new(at(2)?, at(1 + u128::from(vfs))?)?;
        let last = subnet.hosts().last();
        Some(RailSubnet { subnet, gateway: at(1)?, pods, master: (last > pods.last()).then_some(last) })
    }

    fn fitting(wanted: Wanted) -> Option<Self> {
        let prefix = smallest(wanted.vfs, wanted.within.family())?;
        needed(wanted, prefix)
            .filter(|needed| *needed >= wanted.within.prefix())
            .map(|_| Self { wanted, prefix })
    }
}

/// Addresses of a rail's subnet that no pod can have: network, gateway and, in IPv4, broadcast.
fn overhead(family: Family) -> u128 {
    match family {
        Family::V4 => 3,
        Family::V6 => 2,
    }
}

/// The longest prefix of a subnet for so many virtual functions.
fn smallest(vfs: u32, family: Family) -> Option<u8> {
    holding(u128::from(vfs) + overhead(family), family)
}

/// The longest prefix of a network with so many addresses.
fn holding(addresses: u128, family: Family) -> Option<u8> {
    let bits = u8::try_from(addresses.checked_next_power_of_two()?.trailing_zeros()).ok()?;
    family.bits().checked_sub(bits)
}

/// The longest prefix of a network that holds all rails.
fn needed(wanted: Wanted, prefix: u8) -> Option<u8> {
    let subnets = u128::from(wanted.nodes) * u128::from(wanted.rails);
    let bits = u8::try_from(subnets.checked_next_power_of_two()?.trailing_zeros()).ok()?;
    prefix.checked_sub(bits)
}

impl Misfit {
    fn of(wanted: Wanted) -> Self {
        let Wanted { rails, within, .. } = wanted;
        let family = within.family();
        let prefix = smallest(wanted.vfs, family);
        let room = u32::from(family.bits() - within.prefix());
        // How many subnets of a size there are, and how many nodes those serve.
        let nodes = |prefix: u8| {
            let bits = room.checked_sub(u32::from(family.bits() - prefix))?;
            let subnets = 1_u128.checked_shl(bits)?;
            u32::try_from(subnets.checked_div(rails.into())?).ok().filter(|nodes| *nodes > 0)
        };
        let fits = |vfs: &u32| Layout::fitting(Wanted { vfs: *vfs, ..wanted }).is_some();
        // The most that a size holds, from the greatest size downwards.
        let sizes = (2..=31_u32).rev().filter_map(|bits| {
            let vfs = (1_u128 << bits).checked_sub(overhead(family))?;
            u32::try_from(vfs).ok().filter(|vfs| *vfs > 0)
        });
        Self {
            wanted,
            prefix,
            within: prefix.and_then(|prefix| needed(wanted, prefix)),
            nodes: prefix.and_then(nodes),
            vfs: sizes.filter(|vfs| *vfs < wanted.vfs).find(fits),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted: Wanted { nodes, rails, vfs, within }, prefix, .. } = self;
        write!(f, "{nodes} nodes with {rails} rails of {vfs} VFs do not fit into {within}")?;
        match prefix {
            Some(prefix) => write!(f, ": each rail takes a /{prefix}")?,
            None => write!(f, ": no {} subnet has so many addresses", within.family())?,
        }
        let would = [
            self.within.map(|prefix| format!("a network of /{prefix}")),
            self.nodes.map(|nodes| format!("{nodes} nodes")),
            self.vfs.map(|vfs| format!("{vfs} VFs")),
        ];
        let would: Vec<String> = would.into_iter().flatten().collect();
        if would.is_empty() { Ok(()) } else { write!(f, "; what would: {}", would.join(", or ")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(nodes: u32, rails: u32, vfs: u32, within: &str) -> Wanted {
        Wanted { nodes, rails, vfs, within: within.parse().unwrap() }
    }

    fn said(rail: RailSubnet) -> String {
        let RailSubnet { subnet, gateway, pods, master } = rail;
        format!(
            "{subnet} {gateway} {pods} {}",
            master.map_or_else(|| "-".into(), |master| master.to_string())
        )
    }

    #[test]
    fn the_guides_second_scheme_fills_a_16_exactly() {
        let layout = Layout::new(wanted(256, 8, 29, "172.16.0.0/16")).unwrap();
        let rail = |node, rail| said(layout.rail(node, rail).unwrap());
        assert_eq!(rail(0, 0), "172.16.0.0/27 172.16.0.1 172.16.0.2-172.16.0.30 -");
        assert_eq!(rail(1, 1), "172.16.1.32/27 172.16.1.33 172.16.1.34-172.16.1.62 -");
        assert_eq!(rail(255, 7), "172.16.255.224/27 172.16.255.225 172.16.255.226-172.16.255.254 -");
        assert_eq!((layout.rail(256, 0), layout.rail(0, 8)), (None, None));
    }

    #[test]
    fn an_address_that_is_left_over_is_for_the_physical_function() {
        let layout = Layout::new(wanted(3, 8, 12, "172.16.0.0/16")).unwrap();
        assert_eq!(layout.prefix(), 28);
        assert_eq!(
            said(layout.rail(2, 0).unwrap()),
            "172.16.1.0/28 172.16.1.1 172.16.1.2-172.16.1.13 172.16.1.14"
        );
        let six = Layout::new(wanted(2, 2, 2, "fd00::/64")).unwrap();
        assert_eq!(said(six.rail(1, 1).unwrap()), "fd00::c/126 fd00::d fd00::e-fd00::f -");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let refused =
            |nodes, vfs, within| Layout::new(wanted(nodes, 8, vfs, within)).unwrap_err().to_string();
        assert_eq!(
            refused(256, 30, "172.16.0.0/16"),
            "256 nodes with 8 rails of 30 VFs do not fit into 172.16.0.0/16: each rail takes a /26; what would: a \
             network of /15, or 128 nodes, or 29 VFs"
        );
        assert_eq!(
            refused(257, 1, "172.16.0.0/24"),
            "257 nodes with 8 rails of 1 VFs do not fit into 172.16.0.0/24: each rail takes a /30; what would: a \
             network of /18, or 8 nodes"
        );
        assert_eq!(
            refused(1, u32::MAX, "10.0.0.0/8"),
            "1 nodes with 8 rails of 4294967295 VFs do not fit into 10.0.0.0/8: no IPv4 subnet has so many addresses; \
             what would: 2097149 VFs"
        );
    }

    fn any_wanted() -> impl Strategy<Value = Wanted> {
        let within = prop_oneof![
            (12u8..30).prop_map(|prefix| format!("10.16.0.0/{prefix}")),
            (100u8..126).prop_map(|prefix| format!("fd00::/{prefix}")),
        ];
        (1u32..40, 1u32..10, 1u32..70, within)
            .prop_map(|(nodes, rails, vfs, within)| wanted(nodes, rails, vfs, &within))
    }

    proptest! {
        #[test]
        fn rails_lie_inside_and_apart_and_hold_exactly_what_they_need(wanted in any_wanted()) {
            let Ok(layout) = Layout::new(wanted) else { return Ok(()) };
            let mut before: Option<Address> = None;
            for (node, rail) in (0..wanted.nodes).flat_map(|node| (0..wanted.rails).map(move |rail| (node, rail))) {
                let RailSubnet { subnet, gateway, pods, master } = layout.rail(node, rail).unwrap();
                let (range, hosts) = (subnet.range(), subnet.hosts());
                prop_assert!(wanted.within.covers(range));
                // In order and apart: so no two of them overlap.
                prop_assert!(before.is_none_or(|before| before < range.first()));
                before = Some(range.last());
                prop_assert_eq!(pods.count(), u128::from(wanted.vfs));
                prop_assert!(hosts.contains(gateway) && gateway != range.first() && !pods.contains(gateway));
                prop_assert!(hosts.contains(pods.first()) && hosts.contains(pods.last()));
                prop_assert!(master.is_none_or(|master| hosts.contains(master) && !pods.contains(master)));
                // One bit less would not do.
                prop_assert!(range.count() < 2 * (u128::from(wanted.vfs) + overhead(subnet.family())));
            }
        }

        #[test]
        fn a_plan_is_refused_only_if_it_does_not_fit_and_what_would_does(wanted in any_wanted()) {
            let size = (u128::from(wanted.vfs) + overhead(wanted.within.family())).next_power_of_two();
            let total = size * u128::from(wanted.nodes) * u128::from(wanted.rails);
            let fits = total <= wanted.within.range().count();
            let layout = Layout::new(wanted);
            prop_assert_eq!(layout.is_ok(), fits);
            let Err(Misfit { nodes, vfs, within, .. }) = layout else { return Ok(()) };
            let with = |nodes: u32, vfs: u32| Layout::new(Wanted { nodes, vfs, ..wanted }).is_ok();
            let most = nodes.unwrap_or(0);
            prop_assert!(nodes.is_none_or(|nodes| with(nodes, wanted.vfs)) && !with(most + 1, wanted.vfs));
            let most = vfs.unwrap_or(0);
            prop_assert!(vfs.is_none_or(|vfs| with(wanted.nodes, vfs)) && !with(wanted.nodes, most + 1));
            let in_a = |prefix: u8| {
                let within = format!("{}/{prefix}", wanted.within.range().first()).parse().unwrap();
                Layout::new(Wanted { within, ..wanted }).is_ok()
            };
            let prefix = within.unwrap();
            prop_assert!(in_a(prefix) && !in_a(prefix + 1));
        }
    }
}
