//! Keys of a configuration as the plugins in Go take them: in either case.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::spec::{Call, CniError};

/// Reads a configuration as a type that has these keys. Of keys that differ in case alone, the exact one counts.
pub(super) fn read<T: DeserializeOwned>(call: &Call, keys: &[&str]) -> Result<T, CniError> {
    let Value::Object(config) = &call.config else { return call.config() };
    let is_exact = |key: &String| keys.contains(&key.as_str());
    let meant = |key: &String| keys.iter().find(|known| known.eq_ignore_ascii_case(key));
    let others: Vec<(&str, &Value)> = config
        .iter()
        .filter(|(key, _)| !is_exact(key))
        .filter_map(|(key, value)| Some((*meant(key)?, value)))
        .filter(|(key, _)| !config.contains_key(*key))
        .collect();
    if others.is_empty() {
        return call.config();
    }
    let mut config = config.clone();
    config.extend(others.into_iter().map(|(key, value)| (key.to_owned(), value.clone())));
    Call { config: Value::Object(config), ..call.clone() }.config()
}
