//! What the CEL rules of the CRDs say to one object each, as a table: `schema_cases.yaml`.

use railweave::api::Kind;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One object, and what is said against it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What the case shows.
    pub(crate) says: String,
    #[serde(deserialize_with = "kind")]
    pub(crate) kind: Kind,
    pub(crate) spec: Value,
    /// The spec that an update finds; none for a create.
    pub(crate) stored: Option<Value>,
    /// `field: message` of every error.
    #[serde(default)]
    pub(crate) refused: Vec<String>,
}

fn kind<'de, D: Deserializer<'de>>(name: D) -> Result<Kind, D::Error> {
    let name = String::deserialize(name)?;
    Kind::from_name(&name).ok_or_else(|| serde::de::Error::custom(name))
}

/// Every case.
pub(crate) fn cases() -> Vec<Case> {
    serde_saphyr::from_str(include_str!("schema_cases.yaml")).unwrap()
}
