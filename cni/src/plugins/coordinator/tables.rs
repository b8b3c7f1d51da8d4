//! Which routing table of a pod belongs to which interface: by its name alone, so that neither the order of calls nor
//! what else is there changes anything.

/// `FNV-1a`, 32 bits.
const OFFSET: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

/// The way to the node: the overlay's own default route, or, in a pod on the node's network, the veth.
pub(super) const NODE: u32 = 100;
/// The first interface of a pod on the node's network.
const FIRST_OF_UNDERLAY: u32 = 99;
/// As many `netN` have a short number.
const NUMBERED: u32 = 100;
/// Others have one above this.
const NAMED: u32 = 0x1000_0000;

/// Table of the pod's first interface.
pub(super) fn of_first(underlay: bool) -> u32 {
    if underlay { FIRST_OF_UNDERLAY } else { NODE }
}

/// Table of another interface: 101 of `net1` to 200 of `net100`, as Multus names them; of any other name a number
/// that is computed from it.
pub(super) fn of_further(name: &str) -> u32 {
    let number = name.strip_prefix("net").filter(|digits| !digits.starts_with(['0', '+']));
    match number.and_then(|digits| digits.parse::<u32>().ok()) {
        Some(number) if (1..=NUMBERED).contains(&number) => NODE + number,
        _ => {
            NAMED | name.bytes().fold(OFFSET, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME)) >> 4
        }
    }
}
