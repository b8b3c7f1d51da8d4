//! What rules read and write in `metadata`, on manifests that may have any shape.

use serde_json::{Map, Value, json};

use crate::api::{GROUP, Kind, VERSION, keys};

/// The controlling owner of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Controller<'a> {
    /// `kind` of the reference.
    pub(super) kind: &'a str,
    /// `name` of the reference.
    pub(super) name: &'a str,
}

pub(super) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

pub(super) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["labels"][key].as_str()
}

/// The field of an object as a map, if it is one.
pub(super) fn map_mut<'a>(object: &'a mut Value, field: &str) -> Option<&'a mut Map<String, Value>> {
    object.as_object_mut()?.get_mut(field)?.as_object_mut()
}

/// The value of a field that is there; `null` means absent.
pub(super) fn given<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    object.get(field).filter(|value| !value.is_null())
}

/// Sets a label unless it has this value already.
pub(super) fn set_label(object: &mut Value, key: &str, value: &str) {
    if let Some(Value::Object(labels)) = made(object, "labels", || json!({})) {
        labels.insert(key.to_owned(), value.into());
    }
}

/// Adds the finalizer unless it is there.
pub(super) fn add_finalizer(object: &mut Value) {
    if let Some(Value::Array(finalizers)) = made(object, "finalizers", || json!([]))
        && !finalizers.iter().any(|finalizer| finalizer == keys::FINALIZER)
    {
        finalizers.push(keys::FINALIZER.into());
    }
}

/// Adds a controlling owner reference to an object that has none.
pub(super) fn add_controller(object: &mut Value, kind: Kind, name: &str, uid: &str) {
    if let Some(Value::Array(references)) = made(object, "ownerReferences", || json!([])) {
        references.push(json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": kind.name(),
            "name": name,
            "uid": uid,
            "controller": true,
            "blockOwnerDeletion": true,
        }));
    }
}

pub(super) fn controller(object: &Value) -> Option<Controller<'_>> {
    let references = object["metadata"]["ownerReferences"].as_array()?;
    let reference = references.iter().find(|reference| reference["controller"] == Value::Bool(true))?;
    Some(Controller {
        kind: reference["kind"].as_str().unwrap_or_default(),
        name: reference["name"].as_str().unwrap_or_default(),
    })
}

/// A field of `metadata`, made with `empty` when absent; none when `metadata` is no map.
fn made<'a>(object: &'a mut Value, field: &str, empty: fn() -> Value) -> Option<&'a mut Value> {
    let metadata = object.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
    let slot = metadata.as_object_mut()?.entry(field).or_insert(Value::Null);
    if slot.is_null() {
        *slot = empty();
    }
    Some(slot)
}
