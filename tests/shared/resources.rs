//! Custom resources in manifests.

use railweave::api::Kind;
use railweave::yaml;
use serde_json::Value;

/// The custom resources among the documents of a file.
pub(crate) fn resources(text: &str) -> Vec<(Kind, Value)> {
    yaml::documents(text)
        .into_iter()
        .map(|document| document.content.unwrap().value)
        .filter_map(|value| Some((Kind::from_name(value["kind"].as_str()?)?, value)))
        .collect()
}
