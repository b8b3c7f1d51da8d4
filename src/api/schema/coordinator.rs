//! CEL rules of the coordinator, cluster-wide and as a block of a network.

use schemars::{Schema, SchemaGenerator};

use super::{CIDR, FEW, Rule, add_rules, strings, without_defaults};
use crate::api::CoordinatorSpec;

/// What holds for the cluster-wide coordinator only: nothing stands behind it that could fill the gap.
pub(in crate::api) const CLUSTER_WIDE: &[Rule] =
    &[Rule::new("has(self.podCIDRType)", "podCIDRType must be given: auto, cluster, calico, cilium or none")
        .at(".podCIDRType")
        .required()];

const HIJACK: &[Rule] =
    &[Rule::new("isIP(self) || isCIDR(self)", "must be an address or in CIDR notation, like 169.254.0.0/16")];

const RP_FILTER: &[Rule] =
    &[Rule::new("self <= 2", "podRPFilter is 0, 1 or 2; a negative number leaves it as it is")];

const MAC_PREFIX: &[Rule] = &[
    Rule::new(
        "self == '' || self.matches('^[0-9a-fA-F]{2}:[0-9a-fA-F]{2}$')",
        "podMACPrefix is the first two bytes of a MAC address, like 0a:1b",
    ),
    Rule::new(
        "!self.matches('^[0-9a-fA-F][13579bBdDfF]:')",
        "podMACPrefix is a multicast address: the first byte must be even",
    ),
];

const LINK_ADDRESS: &[Rule] = &[Rule::new("self == '' || isIP(self)", "vethLinkAddress must be an address")];

/// What `hijackCIDR` must be.
pub(in crate::api) fn hijack(schema: &mut Schema) {
    strings(FEW, CIDR, HIJACK)(schema);
}

/// What `podRPFilter` must be.
pub(in crate::api) fn rp_filter(schema: &mut Schema) {
    add_rules(schema, RP_FILTER);
}

/// What `podMACPrefix` must be.
pub(in crate::api) fn mac_prefix(schema: &mut Schema) {
    schema.insert("maxLength".to_owned(), 17.into());
    add_rules(schema, MAC_PREFIX);
}

/// What `vethLinkAddress` must be.
pub(in crate::api) fn link_address(schema: &mut Schema) {
    schema.insert("maxLength".to_owned(), CIDR.into());
    add_rules(schema, LINK_ADDRESS);
}

/// The coordinator block of a network: the same fields, but what is unset stays unset, so that the
/// cluster-wide coordinator decides it.
pub(in crate::api) fn block(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = <CoordinatorSpec as schemars::JsonSchema>::json_schema(generator);
    without_defaults(&mut schema);
    schema.remove("x-kubernetes-validations");
    schema
}
