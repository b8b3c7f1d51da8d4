use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{IntOrString, Route, schema};

/// `SpiderSubnet`: a subnet whose ranges are shared out to pools.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spiderpool.spidernet.io",
    version = "v2beta1",
    kind = "SpiderSubnet",
    plural = "spidersubnets",
    shortname = "ss",
    category = "spiderpool",
    doc = "A subnet whose ranges are shared out to pools.",
    status = "SpiderSubnetStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"VERSION","type":"string","jsonPath":".spec.ipVersion"}"#,
    printcolumn = r#"{"name":"SUBNET","type":"string","jsonPath":".spec.subnet"}"#,
    printcolumn = r#"{"name":"ALLOCATED-IP-COUNT","type":"integer","jsonPath":".status.allocatedIPCount"}"#,
    printcolumn = r#"{"name":"TOTAL-IP-COUNT","type":"integer","jsonPath":".status.totalIPCount"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[schemars(transform = schema::rules(schema::addresses::POOL))]
#[serde(rename_all = "camelCase")]
pub struct SpiderSubnetSpec {
    /// Address family, 4 or 6; inferred from `subnet` when absent. Deprecated: the spellings `ipv4` and `ipv6`.
    #[schemars(schema_with = "schema::ip_version")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_version: Option<IntOrString>,
    /// Subnet in CIDR notation, without host bits. Cannot be changed.
    #[schemars(transform = schema::addresses::subnet)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub subnet: Option<String>,
    /// Ranges to share out: `a` or `a-b`, inside the subnet.
    #[schemars(transform = schema::addresses::ranges)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<String>>,
    /// Ranges subtracted from `ips`.
    #[schemars(transform = schema::addresses::ranges)]
    #[serde(rename = "excludeIPs", skip_serializing_if = "Option::is_none")]
    pub exclude_ips: Option<Vec<String>>,
    /// Default gateway, inherited by pools without one.
    #[schemars(transform = schema::addresses::gateway)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Extra routes, inherited by pools without any.
    #[schemars(transform = schema::addresses::routes)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<Route>>,
}

/// Status of a `SpiderSubnet`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpiderSubnetStatus {
    /// A JSON object as text: `{"pool":{"ips":["a-b"],"application":"apps_v1_Deployment_ns_name"}}`.
    #[serde(rename = "controlledIPPools", skip_serializing_if = "Option::is_none")]
    pub controlled_ip_pools: Option<String>,
    /// Addresses in `ips` without `excludeIPs`.
    #[serde(rename = "totalIPCount", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub total_ip_count: Option<i64>,
    /// Addresses that pools hold.
    #[serde(rename = "allocatedIPCount", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub allocated_ip_count: Option<i64>,
}
