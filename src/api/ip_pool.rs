use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, IntOrString, Route, schema};

/// `SpiderIPPool`: a subnet, the ranges to hand out, and who may have them.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spiderpool.spidernet.io",
    version = "v2beta1",
    kind = "SpiderIPPool",
    plural = "spiderippools",
    shortname = "sp",
    category = "spiderpool",
    doc = "A subnet, the ranges of it to hand out to pods, and the pods that may have them.",
    status = "SpiderIPPoolStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"VERSION","type":"string","jsonPath":".spec.ipVersion"}"#,
    printcolumn = r#"{"name":"SUBNET","type":"string","jsonPath":".spec.subnet"}"#,
    printcolumn = r#"{"name":"ALLOCATED-IP-COUNT","type":"integer","jsonPath":".status.allocatedIPCount"}"#,
    printcolumn = r#"{"name":"TOTAL-IP-COUNT","type":"integer","jsonPath":".status.totalIPCount"}"#,
    printcolumn = r#"{"name":"FREE-IP-COUNT","type":"integer","jsonPath":".status.freeIPCount"}"#,
    printcolumn = r#"{"name":"DEFAULT","type":"boolean","jsonPath":".spec.default"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"DISABLE","type":"boolean","priority":10,"jsonPath":".spec.disable"}"#,
    printcolumn = r#"{"name":"NodeName","type":"string","priority":10,"jsonPath":".spec.nodeName"}"#,
    printcolumn = r#"{"name":"MultusName","type":"string","priority":10,"jsonPath":".spec.multusName"}"#,
    printcolumn = r#"{"name":"APP-NAMESPACE","type":"string","priority":10,"jsonPath":".spec.podAffinity.matchLabels['ipam\\.spidernet\\.io/app\\-namespace']"}"#
)]
#[schemars(transform = schema::rules(schema::addresses::POOL))]
#[serde(rename_all = "camelCase")]
pub struct SpiderIPPoolSpec {
    /// Address family, 4 or 6; inferred from `subnet` when absent. Deprecated: the spellings `ipv4` and `ipv6`.
    #[schemars(schema_with = "schema::ip_version")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_version: Option<IntOrString>,
    /// Subnet in CIDR notation, without host bits. Cannot be changed.
    #[schemars(transform = schema::addresses::subnet)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub subnet: Option<String>,
    /// Ranges to hand out: `a` or `a-b`, inside the subnet. May be empty.
    #[schemars(transform = schema::addresses::ranges)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<String>>,
    /// Ranges subtracted from `ips`.
    #[schemars(transform = schema::addresses::ranges)]
    #[serde(rename = "excludeIPs", skip_serializing_if = "Option::is_none")]
    pub exclude_ips: Option<Vec<String>>,
    /// Default gateway of the pods; inherited from the controlling `SpiderSubnet` when absent.
    #[schemars(transform = schema::addresses::gateway)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Extra routes of the pods; inherited from the controlling `SpiderSubnet` when absent.
    #[schemars(transform = schema::addresses::routes)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<Route>>,
    /// Pods that may use the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector", transform = schema::rules(schema::NOT_EMPTY))]
    pub pod_affinity: Option<LabelSelector>,
    /// Namespaces that may use the pool; ignored when `namespaceName` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_affinity: Option<LabelSelector>,
    /// Names of namespaces that may use the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::names)]
    pub namespace_name: Option<Vec<String>>,
    /// Nodes that may use the pool; ignored when `nodeName` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub node_affinity: Option<LabelSelector>,
    /// Names of nodes that may use the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::names)]
    pub node_name: Option<Vec<String>>,
    /// Networks (`name` or `namespace/name`) that may use the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::names)]
    pub multus_name: Option<Vec<String>>,
    /// Whether the pool belongs to the cluster's default pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub default: Option<bool>,
    /// Whether new allocations are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub disable: Option<bool>,
}

/// Status of a `SpiderIPPool`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpiderIPPoolStatus {
    /// A JSON object as text: `{"172.18.40.5":{"pod":"ns/name","podUid":"..","interface":"net1"}}`.
    #[serde(rename = "allocatedIPs", skip_serializing_if = "Option::is_none")]
    pub allocated_ips: Option<String>,
    /// Addresses in `ips` without `excludeIPs`.
    #[serde(rename = "totalIPCount", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub total_ip_count: Option<i64>,
    /// Addresses in use.
    #[serde(rename = "allocatedIPCount", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub allocated_ip_count: Option<i64>,
    /// Addresses that are not in use: the difference, for people who look at a list of pools.
    #[serde(rename = "freeIPCount", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub free_ip_count: Option<i64>,
    /// `Overlap` is true on the younger of two pools whose ranges meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}
