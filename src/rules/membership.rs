//! What makes a network fit to be a member of a group: one answer for the rules and for the catalog.

use std::fmt;

use crate::api::{CniType, Pools, SpiderMultusConfigSpec, keys};

/// Which of the two inject keys speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// [`keys::RDMA_INJECT`]: every member needs a resource and pools.
    Rdma,
    /// [`keys::NETWORK_INJECT`]: a member with a resource needs pools.
    Network,
}

impl Mode {
    /// Both, in the order in which they are looked at.
    pub const ALL: [Self; 2] = [Self::Rdma, Self::Network];

    /// The annotation or label key.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Rdma => keys::RDMA_INJECT,
            Self::Network => keys::NETWORK_INJECT,
        }
    }
}

/// What a network lacks; the text ends a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipProblem {
    /// Networks of the type cannot be members.
    CniType(CniType),
    /// The field with the name of the resource is absent or empty.
    NoResource(String),
    /// The field with the pools is absent or empty.
    NoPools(String),
}

impl fmt::Display for MembershipProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CniType(kind) => write!(f, "has cniType {kind}, which cannot be a member of a group"),
            Self::NoResource(field) => write!(f, "has no {field}"),
            Self::NoPools(field) => write!(f, "names no pools in {field}"),
        }
    }
}

/// What keeps a network from being a member of a group under the key of `mode`, if anything does.
#[must_use]
pub fn membership_problem(spec: &SpiderMultusConfigSpec, mode: Mode) -> Option<MembershipProblem> {
    let kind = spec.cni_type();
    let Some(block) = kind.block().filter(|_| kind.joins_groups()) else {
        return Some(MembershipProblem::CniType(kind));
    };
    match (mode, spec.resource()) {
        // ipoib shares the device of its master, so it has no resource of its own to ask for.
        (Mode::Rdma, None) if kind != CniType::Ipoib => {
            Some(MembershipProblem::NoResource(resource_field(kind, block)))
        }
        (Mode::Rdma, _) | (Mode::Network, Some(_)) if spec.pools().is_none_or(Pools::is_empty) => {
            Some(MembershipProblem::NoPools(format!("spec.{block}.ippools")))
        }
        _ => None,
    }
}

/// SR-IOV networks own the resource, the others share an RDMA device.
fn resource_field(kind: CniType, block: &str) -> String {
    let field = match kind {
        CniType::Sriov | CniType::IbSriov => "resourceName",
        _ => "rdmaResourceName",
    };
    format!("spec.{block}.{field}")
}

/// The names in a value: separated by commas, blanks around them ignored, empty ones left out.
pub fn split_groups(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn problem(spec: Value, mode: Mode) -> Option<String> {
        let spec: SpiderMultusConfigSpec = serde_json::from_value(spec).unwrap();
        membership_problem(&spec, mode).map(|problem| problem.to_string())
    }

    #[test]
    fn each_mode_has_its_needs() {
        let resource = json!({ "cniType": "sriov", "sriov": { "resourceName": "a.io/b" } });
        let no_pools = Some("names no pools in spec.sriov.ippools".to_owned());
        assert_eq!(problem(resource.clone(), Mode::Rdma), no_pools);
        assert_eq!(problem(resource, Mode::Network), no_pools);
        let macvlan = json!({ "cniType": "macvlan", "macvlan": { "master": ["eth0"] } });
        assert_eq!(
            problem(macvlan.clone(), Mode::Rdma).as_deref(),
            Some("has no spec.macvlan.rdmaResourceName")
        );
        assert_eq!(problem(macvlan, Mode::Network), None);
        let ipoib = json!({ "cniType": "ipoib", "ipoib": { "master": "ib0" } });
        assert_eq!(
            problem(ipoib.clone(), Mode::Rdma).as_deref(),
            Some("names no pools in spec.ipoib.ippools")
        );
        assert_eq!(problem(ipoib, Mode::Network), None);
        let complete = json!({
            "cniType": "ib-sriov", "ibsriov": { "resourceName": "a.io/b", "ippools": { "ipv6": ["p"] } }
        });
        assert_eq!(problem(complete.clone(), Mode::Rdma), None);
        assert_eq!(problem(complete, Mode::Network), None);
    }

    #[test]
    fn ovs_and_custom_are_no_members() {
        for (spec, kind) in [(json!({ "cniType": "ovs" }), "ovs"), (json!({}), "custom")] {
            let expected = format!("has cniType {kind}, which cannot be a member of a group");
            assert_eq!(problem(spec.clone(), Mode::Rdma), Some(expected.clone()));
            assert_eq!(problem(spec, Mode::Network), Some(expected));
        }
    }
}
