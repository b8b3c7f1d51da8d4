use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// Labels or annotations of an object of which thousands are kept. A [`BTreeMap`] sets half a KiB aside for the first
/// entry already; this takes what the entries take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextMap(Box<[(Box<str>, Box<str>)]>);

impl TextMap {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Keys and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, String>> for TextMap {
    fn from(map: BTreeMap<String, String>) -> Self {
        Self(map.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl Serialize for TextMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_holds_what_the_map_held() {
        let map = BTreeMap::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())]);
        let text = TextMap::from(map);
        assert_eq!(text.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert_eq!((text.get("b"), text.get("c"), text.is_empty()), (Some("2"), None, false));
        assert_eq!(json!(text), json!({ "a": "1", "b": "2" }));
        assert!(TextMap::default().is_empty());
    }
}
