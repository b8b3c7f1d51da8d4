use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::IntOrString;

/// `SpiderReservedIP`: addresses that no pool may hand out.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spiderpool.spidernet.io",
    version = "v2beta1",
    kind = "SpiderReservedIP",
    plural = "spiderreservedips",
    shortname = "sr",
    category = "spiderpool",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct SpiderReservedIPSpec {
    /// Address family, 4 or 6; inferred from `ips`. The spellings `ipv4` and `ipv6` are deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_version: Option<IntOrString>,
    /// Reserved ranges: `a` or `a-b`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<String>>,
}
