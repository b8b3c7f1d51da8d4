//! CEL rules of networks: one block, the one of the type, and what must stand in it.
//!
//! Rules see no annotations (the API server shows CEL only `metadata.name` and `generateName`), so what a
//! group demands of its members, and the names in annotations, are left to [`crate::rules`].

use schemars::Schema;

use super::{FEW, Rule, add_rules, strings};

/// Longest CNI configuration in one text.
const CONFIGURATION: u32 = 65_536;

/// The block `$block` stands if, and only if, `cniType` is `$cni_type`.
macro_rules! block {
    ($cni_type:literal, $block:literal) => {
        [
            Rule::new(
                concat!("!has(self.cniType) || self.cniType != '", $cni_type, "' || has(self.", $block, ")"),
                concat!($block, " must be given when cniType is ", $cni_type),
            )
            .at(concat!(".", $block))
            .required(),
            Rule::new(
                concat!(
                    "!has(self.",
                    $block,
                    ") || (has(self.cniType) && self.cniType == '",
                    $cni_type,
                    "')"
                ),
                concat!(
                    $block,
                    " may only be given when cniType is ",
                    $cni_type,
                    "; remove it, or write cniType: ",
                    $cni_type
                ),
            )
            .at(concat!(".", $block))
            .forbidden(),
        ]
    };
}

const BLOCKS: [[Rule; 2]; 7] = [
    block!("macvlan", "macvlan"),
    block!("ipvlan", "ipvlan"),
    block!("vlan", "vlan"),
    block!("sriov", "sriov"),
    block!("ib-sriov", "ibsriov"),
    block!("ipoib", "ipoib"),
    block!("ovs", "ovs"),
];

const OTHERS: [Rule; 3] = [
    Rule::new(
        "!has(self.customCNI) || self.customCNI == '' || !has(self.cniType) || self.cniType == 'custom'",
        "customCNI may only be given when cniType is custom; remove it, or write cniType: custom",
    )
    .at(".customCNI")
    .forbidden(),
    Rule::new(
        "!has(self.ippools)",
        "ippools stands beside the block of the cniType; move it inside, like spec.sriov.ippools",
    )
    .at(".ippools")
    .forbidden(),
    Rule::new(
        "!has(self.matchMasterSubnet)",
        "matchMasterSubnet stands beside the block; move it to spec.sriov.ippools.matchMasterSubnet",
    )
    .at(".matchMasterSubnet")
    .forbidden(),
];

/// What holds for the spec as a whole.
pub(in crate::api) fn spec(schema: &mut Schema) {
    for pair in &BLOCKS {
        add_rules(schema, pair);
    }
    add_rules(schema, &OTHERS);
}

/// Networks on host interfaces.
pub(in crate::api) const MASTERS: &[Rule] = &[
    Rule::new("!has(self.master) || self.master.size() > 0", "master must name at least one host interface")
        .at(".master")
        .required(),
    Rule::new(
        "!has(self.master) || self.master.size() < 2 || has(self.bond)",
        "bond must be given when master names several interfaces",
    )
    .at(".bond")
    .required(),
    Rule::new(
        "!has(self.master) || self.master.size() < 2 || !has(self.bond) || self.bond.name != ''",
        "bond.name must be given when master names several interfaces",
    )
    .at(".bond.name")
    .required(),
];

/// `cniType: vlan`, beyond [`MASTERS`].
pub(in crate::api) const VLAN: &[Rule] = &[Rule::new(
    "!has(self.vlanMode) || self.vlanMode != 'auto' || !has(self.vlanID) || self.vlanID == 0",
    "vlanID may not be given when vlanMode is auto",
)
.at(".vlanID")
.forbidden()];

/// `cniType: sriov`.
pub(in crate::api) const SRIOV: &[Rule] = &[
    RESOURCE,
    Rule::new(
        "!has(self.minTxRateMbps) || self.minTxRateMbps == 0 || (has(self.maxTxRateMbps) && self.minTxRateMbps <= self.maxTxRateMbps)",
        "minTxRateMbps may not exceed maxTxRateMbps",
    )
    .at(".minTxRateMbps"),
    ENABLE_RDMA,
    MATCH_MASTER,
];

/// `cniType: ib-sriov`.
pub(in crate::api) const IB_SRIOV: &[Rule] = &[
    RESOURCE,
    ENABLE_RDMA,
    MATCH_MASTER,
    Rule::new(
        "!has(self.ibKubernetesEnabled)",
        "ibKubernetesEnabled is an older spelling; write enableIbKubernetes",
    )
    .at(".ibKubernetesEnabled")
    .forbidden(),
];

/// `cniType: ipoib`.
pub(in crate::api) const IPOIB: &[Rule] =
    &[Rule::new("has(self.master) && self.master != ''", "master must name a host interface")
        .at(".master")
        .required()];

const RESOURCE: Rule = Rule::new(
    "has(self.resourceName) && self.resourceName != ''",
    "resourceName must name the device plugin resource of the rail, like spidernet.io/gpu1sriov",
)
.at(".resourceName")
.required();

const ENABLE_RDMA: Rule =
    Rule::new("!has(self.enableRdma)", "enableRdma is an older spelling; write rdmaIsolation")
        .at(".enableRdma")
        .forbidden();

const MATCH_MASTER: Rule = Rule::new(
    "!has(self.matchMasterSubnet)",
    "matchMasterSubnet stands beside ippools; move it to ippools.matchMasterSubnet",
)
.at(".matchMasterSubnet")
.forbidden();

const TRUNK: &[Rule] = &[
    Rule::new("!has(self.maxID) || has(self.minID)", "minID must be given with maxID")
        .at(".minID")
        .required(),
    Rule::new(
        "!has(self.maxID) || !has(self.minID) || self.minID <= self.maxID",
        "minID may not exceed maxID",
    )
    .at(".minID"),
];

/// `ippools` of every type but sriov.
pub(in crate::api) const NO_MATCH_MASTER: &[Rule] = &[Rule::new(
    "!has(self.matchMasterSubnet) || !self.matchMasterSubnet",
    "matchMasterSubnet works for cniType sriov only",
)
.at(".matchMasterSubnet")];

/// The partition key.
pub(in crate::api) const PKEY: &[Rule] =
    &[Rule::new("self == string(self)", "pkey is text: put it in quotes, like pkey: \"0x03E8\"")];

const JSON_OBJECT: Rule = Rule::new(
    "self == '' || (self.trim().startsWith('{') && self.trim().endsWith('}'))",
    "must be a JSON object",
);

/// What `customCNI` must be.
pub(in crate::api) fn custom_cni(schema: &mut Schema) {
    schema.insert("maxLength".to_owned(), CONFIGURATION.into());
    add_rules(schema, &[JSON_OBJECT]);
}

/// What `chainCNIJsonData` must be.
pub(in crate::api) fn chained(schema: &mut Schema) {
    let typed = Rule::new(
        "self != '' && self.contains('\"type\"')",
        "must be the configuration of a CNI plugin, with its type",
    );
    strings(FEW, CONFIGURATION, &[JSON_OBJECT, typed])(schema);
}

/// What the trunk of an ovs network must be.
pub(in crate::api) fn trunk(schema: &mut Schema) {
    super::each(FEW, TRUNK)(schema);
}
