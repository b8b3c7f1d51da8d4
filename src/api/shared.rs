use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A number that older manifests also write as text, e.g. `ipVersion: ipv4` or `pkey: 1000`.
///
/// Its schema is `x-kubernetes-int-or-string`: with a plain type, server-side apply refuses the other
/// spelling before any webhook could mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// A JSON number.
    Int(i64),
    /// A JSON string.
    String(String),
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::String(text) => f.write_str(text),
        }
    }
}

impl JsonSchema for IntOrString {
    fn schema_name() -> Cow<'static, str> {
        "IntOrString".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-int-or-string": true })
    }
}

/// An extra route of a pool. `to` and `via` are deprecated spellings of `dst` and `gw`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Destination in CIDR notation.
    #[schemars(transform = super::schema::addresses::route_text)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub dst: Option<String>,
    /// Gateway address.
    #[schemars(transform = super::schema::addresses::route_text)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub gw: Option<String>,
    /// Deprecated: write `dst`.
    #[schemars(transform = super::schema::addresses::route_text)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Deprecated: write `gw`.
    #[schemars(transform = super::schema::addresses::route_text)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// A status condition, shaped like `metav1.Condition`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `CamelCase` type, unique in the list.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub status: String,
    /// `metadata.generation` the condition speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// RFC 3339 time of the last change of `status`.
    pub last_transition_time: String,
    /// `CamelCase` reason code.
    pub reason: String,
    /// For people.
    pub message: String,
}
