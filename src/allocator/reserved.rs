use crate::api::SpiderReservedIP;
use crate::net::{Range, RangeSet};

/// What the object keeps from being handed out; a range that cannot be read keeps nothing.
#[must_use]
pub fn reserved_addresses(reserved: &SpiderReservedIP) -> RangeSet {
    if reserved.metadata.deletion_timestamp.is_some() {
        return RangeSet::default();
    }
    reserved.spec.ips.iter().flatten().filter_map(|text| text.parse::<Range>().ok()).collect()
}
