//! The JSON patch (RFC 6902) between two versions of a custom resource.
//!
//! Lists that differ are replaced as a whole: merging ten thousand ranges into one is one operation, where an
//! element-by-element difference would be ten thousand.

use serde_json::{Map, Value, json};

/// The operations that turn `before` into `after`; none when they are equal.
#[must_use]
pub(super) fn diff(before: &Value, after: &Value) -> Option<Vec<u8>> {
    let mut operations = Vec::new();
    compare(before, after, &mut String::new(), &mut operations);
    (!operations.is_empty()).then(|| Value::Array(operations).to_string().into_bytes())
}

fn compare(before: &Value, after: &Value, path: &mut String, operations: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => members(before, after, path, operations),
        _ if before == after => {}
        _ => operations.push(json!({"op": "replace", "path": path, "value": after})),
    }
}

fn members(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    path: &mut String,
    operations: &mut Vec<Value>,
) {
    let parent = path.len();
    for (key, value) in after {
        enter(path, key);
        match before.get(key) {
            Some(old) => compare(old, value, path, operations),
            None => operations.push(json!({"op": "add", "path": path, "value": value})),
        }
        path.truncate(parent);
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        enter(path, key);
        operations.push(json!({"op": "remove", "path": path}));
        path.truncate(parent);
    }
}

/// Appends a key to a JSON pointer (RFC 6901).
fn enter(path: &mut String, key: &str) {
    path.push('/');
    for c in key.chars() {
        match c {
            '~' => path.push_str("~0"),
            '/' => path.push_str("~1"),
            c => path.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn operations_are_few_and_exact() {
        let before =
            json!({"metadata": {"labels": {"a/b": "1"}}, "spec": {"ips": ["1", "2"], "old": 1, "same": [1]}});
        let after =
            json!({"metadata": {"labels": {"a/b": "2"}}, "spec": {"ips": ["1-2"], "same": [1], "new": {}}});
        let patch: Value = serde_json::from_slice(&diff(&before, &after).unwrap()).unwrap();
        assert_eq!(
            patch,
            json!([
                {"op": "replace", "path": "/metadata/labels/a~1b", "value": "2"},
                {"op": "replace", "path": "/spec/ips", "value": ["1-2"]},
                {"op": "add", "path": "/spec/new", "value": {}},
                {"op": "remove", "path": "/spec/old"},
            ])
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            "[a-c]".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-d~/]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn applying_it_gives_the_other_version(before in value(), after in value()) {
            let mut patched = before.clone();
            if let Some(patch) = diff(&before, &after) {
                let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
                json_patch::patch(&mut patched, &patch).unwrap();
            }
            prop_assert_eq!(&patched, &after);
            prop_assert!(diff(&patched, &after).is_none());
        }
    }
}
