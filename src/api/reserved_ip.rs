use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{IntOrString, schema};

/// `SpiderReservedIP`: addresses that no pool may hand out.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spiderpool.spidernet.io",
    version = "v2beta1",
    kind = "SpiderReservedIP",
    plural = "spiderreservedips",
    shortname = "sr",
    category = "spiderpool",
    doc = "Addresses that no pool hands out.",
    derive = "PartialEq",
    printcolumn = r#"{"name":"VERSION","type":"string","jsonPath":".spec.ipVersion"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[schemars(transform = schema::rules(schema::addresses::RESERVED))]
#[serde(rename_all = "camelCase")]
pub struct SpiderReservedIPSpec {
    /// Address family, 4 or 6; inferred from `ips` when absent. Deprecated: the spellings `ipv4` and `ipv6`.
    #[schemars(schema_with = "schema::ip_version")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_version: Option<IntOrString>,
    /// Reserved ranges: `a` or `a-b`.
    #[schemars(transform = schema::addresses::ranges)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<String>>,
}
