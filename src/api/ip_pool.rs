use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, IntOrString, Route};

/// `SpiderIPPool`: a subnet, the ranges to hand out, and who may have them.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spiderpool.spidernet.io",
    version = "v2beta1",
    kind = "SpiderIPPool",
    plural = "spiderippools",
    shortname = "sp",
    category = "spiderpool",
    status = "SpiderIPPoolStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct SpiderIPPoolSpec {
    /// Address family, 4 or 6; inferred from `subnet`. The spellings `ipv4` and `ipv6` are deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_version: Option<IntOrString>,
    /// Subnet in CIDR notation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub subnet: Option<String>,
    /// Ranges to hand out: `a` or `a-b`. May be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<String>>,
    /// Ranges subtracted from `ips`.
    #[serde(rename = "excludeIPs", skip_serializing_if = "Option::is_none")]
    pub exclude_ips: Option<Vec<String>>,
    /// Default gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Extra routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<Route>>,
    /// Pods that may use the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::shared::label_selector_schema")]
    pub pod_affinity: Option<LabelSelector>,
    /// Namespaces that may use the pool; ignored when `namespaceName` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::shared::label_selector_schema")]
    pub namespace_affinity: Option<LabelSelector>,
    /// Names of namespaces that may use the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_name: Option<Vec<String>>,
    /// Nodes that may use the pool; ignored when `nodeName` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::shared::label_selector_schema")]
    pub node_affinity: Option<LabelSelector>,
    /// Names of nodes that may use the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<Vec<String>>,
    /// Networks (`name` or `namespace/name`) that may use the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multus_name: Option<Vec<String>>,
    /// Whether the pool belongs to the cluster's default pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// Whether new allocations are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable: Option<bool>,
}

/// Status of a [`SpiderIPPool`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpiderIPPoolStatus {
    /// A JSON object as text: `{"172.18.40.5":{"pod":"ns/name","podUid":"..","interface":"net1"}}`.
    #[serde(rename = "allocatedIPs", skip_serializing_if = "Option::is_none")]
    pub allocated_ips: Option<String>,
    /// Addresses in `ips` without `excludeIPs`.
    #[serde(rename = "totalIPCount", skip_serializing_if = "Option::is_none")]
    pub total_ip_count: Option<i64>,
    /// Addresses in use.
    #[serde(rename = "allocatedIPCount", skip_serializing_if = "Option::is_none")]
    pub allocated_ip_count: Option<i64>,
    /// `Overlap` is true on the younger of two pools whose ranges meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}
