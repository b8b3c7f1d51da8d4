use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{IntOrString, Route};

/// `SpiderSubnet`: a subnet whose ranges are shared out to pools.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spiderpool.spidernet.io",
    version = "v2beta1",
    kind = "SpiderSubnet",
    plural = "spidersubnets",
    shortname = "ss",
    category = "spiderpool",
    status = "SpiderSubnetStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct SpiderSubnetSpec {
    /// Address family, 4 or 6; inferred from `subnet`. The spellings `ipv4` and `ipv6` are deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_version: Option<IntOrString>,
    /// Subnet in CIDR notation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub subnet: Option<String>,
    /// Ranges to share out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<String>>,
    /// Ranges subtracted from `ips`.
    #[serde(rename = "excludeIPs", skip_serializing_if = "Option::is_none")]
    pub exclude_ips: Option<Vec<String>>,
    /// Default gateway, inherited by pools without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Extra routes, inherited by pools without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<Route>>,
}

/// Status of a [`SpiderSubnet`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpiderSubnetStatus {
    /// A JSON object as text: `{"pool":{"ips":["a-b"],"application":"apps_v1_Deployment_ns_name"}}`.
    #[serde(rename = "controlledIPPools", skip_serializing_if = "Option::is_none")]
    pub controlled_ip_pools: Option<String>,
    /// Addresses in `ips` without `excludeIPs`.
    #[serde(rename = "totalIPCount", skip_serializing_if = "Option::is_none")]
    pub total_ip_count: Option<i64>,
    /// Addresses that pools hold.
    #[serde(rename = "allocatedIPCount", skip_serializing_if = "Option::is_none")]
    pub allocated_ip_count: Option<i64>,
}
