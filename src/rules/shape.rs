//! Compares an object with the schema of its kind: fields of the wrong type, and fields nobody knows.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::suggest;
use super::{FieldError, FieldErrorKind, Notice};
use crate::api::Kind;

/// Every CRD's `openAPIV3Schema` with that of `ObjectMeta` put in, which a CRD leaves to the API server.
static SCHEMAS: LazyLock<HashMap<Kind, Value>> = LazyLock::new(|| {
    let schema = |kind: Kind| {
        let version = kind.crd().spec.versions.into_iter().next();
        let props = version.and_then(|version| version.schema).and_then(|schema| schema.open_api_v3_schema);
        let mut schema = serde_json::to_value(props).unwrap_or_default();
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            let text = json!({ "type": "string" });
            properties.insert("apiVersion".to_owned(), text.clone());
            properties.insert("kind".to_owned(), text);
            properties.insert("metadata".to_owned(), object_meta());
        }
        (kind, schema)
    };
    Kind::ALL.into_iter().map(schema).collect()
});

/// Values that schemas allow for the sake of older manifests, and that nobody should be told of.
const OLDER_CHOICES: [(&str, &str); 2] = [("spec.mode", "disable"), ("spec.coordinator.mode", "disable")];

/// Schema of `metav1.ObjectMeta`, as far as people write it.
fn object_meta() -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "object", "additionalProperties": text });
    json!({
        "type": "object",
        "properties": {
            "name": text, "generateName": text, "namespace": text, "labels": texts, "annotations": texts,
            "finalizers": { "type": "array", "items": text }, "ownerReferences": { "type": "array" },
            "uid": text, "resourceVersion": text, "selfLink": text, "generation": { "type": "integer" },
            "creationTimestamp": text, "deletionTimestamp": text,
            "deletionGracePeriodSeconds": { "type": "integer" }, "managedFields": { "type": "array" }
        }
    })
}

fn schema(kind: Kind) -> &'static Value {
    SCHEMAS.get(&kind).unwrap_or(&Value::Null)
}

/// Fields that the API server would silently drop, each with what may have been meant.
///
/// Only manifests on disk have them: by the time an object reaches the webhooks they are gone.
#[must_use]
pub fn unknown_fields(kind: Kind, object: &Value) -> Vec<Notice> {
    let mut found = Vec::new();
    find_unknown(object, schema(kind), "", schema(kind), &mut found);
    found
}

fn find_unknown(value: &Value, part: &Value, path: &str, whole: &Value, found: &mut Vec<Notice>) {
    match value {
        Value::Object(fields) => {
            let Some(known) = part.get("properties").and_then(Value::as_object) else {
                return;
            };
            for (name, value) in fields {
                let path = join(path, name);
                match known.get(name) {
                    Some(part) => find_unknown(value, part, &path, whole, found),
                    None => found.push(unknown(name, path, known, whole)),
                }
            }
        }
        Value::Array(items) => {
            let part = part.get("items").unwrap_or(&Value::Null);
            for (index, item) in items.iter().enumerate() {
                find_unknown(item, part, &format!("{path}[{index}]"), whole, found);
            }
        }
        _ => {}
    }
}

fn unknown(name: &str, path: String, siblings: &Map<String, Value>, whole: &Value) -> Notice {
    let mut hint = suggest::did_you_mean(name, siblings.keys().map(String::as_str));
    if hint.is_empty() {
        let mut places = Vec::new();
        find_places(name, whole, "", &mut places);
        if !places.is_empty() {
            hint = format!("; its place is {}", places.join(" or "));
        }
    }
    Notice::advice(path, format!("there is no such field, and the API server drops it{hint}"))
}

/// Where else a field of this name is, for those that were put one level too high or too low.
fn find_places(name: &str, part: &Value, path: &str, places: &mut Vec<String>) {
    let fields = part.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (field, part) in fields.filter(|(field, _)| !path.is_empty() || *field == "spec") {
        let path = join(path, field);
        if field == name {
            places.push(path.clone());
        }
        find_places(name, part, &path, places);
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// An object whose values all have the types of the schema, and what had to give way for that.
///
/// Wrong values are left out, or neutral where they stand in a list, so that the rules can look at the rest
/// and their findings still have the right paths.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) object: Value,
    pub(super) errors: Vec<FieldError>,
}

impl Sound {
    /// Checks the types of everything in `object`.
    pub(super) fn of(kind: Kind, object: &Value) -> Self {
        let mut sound = Self { object: object.clone(), errors: Vec::new() };
        if sound.object.is_object() {
            mend(&mut sound.object, schema(kind), "", &mut sound.errors);
        } else {
            let detail = format!("must be an object, found {}", words(object));
            sound.errors.push(FieldError::new(FieldErrorKind::TypeInvalid, "", object, detail));
            sound.object = json!({});
        }
        sound
    }

    /// Whether a finding is only a consequence of a value that had to give way.
    pub(super) fn caused(&self, finding: &FieldError) -> bool {
        self.errors.iter().any(|error| {
            let rest = finding.field.strip_prefix(error.field.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }
}

/// Checks the parts of an object or array whose own type is right.
fn mend(value: &mut Value, part: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            let known = part.get("properties");
            fields.retain(|name, value| {
                let (part, path) = match known.and_then(|known| known.get(name)) {
                    Some(part) => (part, join(path, name)),
                    None => match part.get("additionalProperties") {
                        Some(part) if part.is_object() => (part, format!("{path}[{name}]")),
                        _ => return true,
                    },
                };
                fits(value, part, path, errors)
            });
        }
        Value::Array(items) => {
            let Some(part) = part.get("items") else { return };
            for (index, item) in items.iter_mut().enumerate() {
                if !fits(item, part, format!("{path}[{index}]"), errors) {
                    *item = neutral(part);
                }
            }
        }
        _ => {}
    }
}

/// Whether a value may stay, after its parts were mended.
fn fits(value: &mut Value, part: &Value, path: String, errors: &mut Vec<FieldError>) -> bool {
    if let Some(expected) = mismatch(value, part) {
        let detail = format!("must be {expected}, found {}", words(value));
        errors.push(FieldError::new(FieldErrorKind::TypeInvalid, path, plain(value), detail));
        return false;
    }
    if let Some(choices) = part.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        let older = |choice: &&str| OLDER_CHOICES.contains(&(path.as_str(), *choice));
        let known: Vec<&str> = choices.iter().filter_map(Value::as_str).filter(|c| !older(c)).collect();
        let detail = not_supported(&plain(value), &known);
        errors.push(FieldError::new(FieldErrorKind::NotSupported, path, plain(value), detail));
        return false;
    }
    mend(value, part, &path, errors);
    true
}

/// The type that the schema wants, if the value has another.
fn mismatch(value: &Value, part: &Value) -> Option<&'static str> {
    if part.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return (!value.is_i64() && !value.is_string()).then_some("an integer or a string");
    }
    let (fits, expected) = match part.get("type").and_then(Value::as_str)? {
        "object" => (value.is_object(), "an object"),
        "array" => (value.is_array(), "a list"),
        "string" => (value.is_string(), "a string"),
        "integer" => (value.is_i64(), "an integer"),
        "number" => (value.is_number(), "a number"),
        "boolean" => (value.is_boolean(), "true or false"),
        _ => return None,
    };
    (!fits).then_some(expected)
}

/// What stands in a list for an item that had to give way.
fn neutral(part: &Value) -> Value {
    match part.get("type").and_then(Value::as_str) {
        Some("object") => json!({}),
        Some("array") => json!([]),
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(false),
        _ => json!(""),
    }
}

/// A value in messages: text without quotes, the rest as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The type of a value, for messages.
pub(super) fn words(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The detail of an error about a value outside a list.
pub(super) fn not_supported(value: &str, known: &[&str]) -> String {
    let hint = suggest::did_you_mean(value, known.iter().copied());
    format!("use one of {}{hint}", known.join(", "))
}

/// Reads `spec` of a sound object; what the schema lets pass and the type does not is an error.
pub(super) fn spec<T: DeserializeOwned + Default>(object: &Value) -> Result<T, FieldError> {
    let Some(spec) = object.get("spec").filter(|spec| !spec.is_null()) else {
        return Ok(T::default());
    };
    serde_path_to_error::deserialize(spec).map_err(|error| {
        let field = format!("spec.{}", error.path());
        let pointer = format!("/spec/{}", error.path().to_string().replace(['.', '['], "/").replace(']', ""));
        FieldError {
            kind: FieldErrorKind::TypeInvalid,
            field,
            value: object.pointer(&pointer).map(plain),
            detail: error.into_inner().to_string(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SpiderMultusConfigSpec;

    fn unknown(kind: Kind, object: &Value) -> Vec<String> {
        unknown_fields(kind, object).iter().map(ToString::to_string).collect()
    }

    fn mistyped(kind: Kind, object: &Value) -> Vec<String> {
        Sound::of(kind, object).errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn fields_that_nobody_knows_are_found_wherever_they_stand() {
        let object = json!({
            "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig", "sepc": {},
            "metadata": { "name": "a", "anotations": { "any": "key" }, "labels": { "any": "key" } },
            "spec": {
                "cniType": "sriov", "rdmaIsolation": true, "nonsense": 1,
                "sriov": { "resourcename": "a.io/b", "ippools": { "ipv4s": [] }, "enableRdma": true },
                "ovs": { "trunk": [{ "id": 1 }, { "minId": 1 }] }
            }
        });
        let gone = "there is no such field, and the API server drops it";
        assert_eq!(
            unknown(Kind::MultusConfig, &object),
            [
                format!("sepc: {gone}; did you mean \"spec\"?"),
                format!("metadata.anotations: {gone}; did you mean \"annotations\"?"),
                format!(
                    "spec.rdmaIsolation: {gone}; its place is spec.ibsriov.rdmaIsolation or \
                     spec.sriov.rdmaIsolation"
                ),
                format!("spec.nonsense: {gone}"),
                format!("spec.sriov.resourcename: {gone}; did you mean \"resourceName\"?"),
                format!("spec.sriov.ippools.ipv4s: {gone}; did you mean \"ipv4\"?"),
                format!("spec.ovs.trunk[1].minId: {gone}; did you mean \"minID\"?"),
            ]
        );
    }

    #[test]
    fn every_kind_has_a_schema() {
        for kind in Kind::ALL {
            assert!(schema(kind)["properties"]["metadata"].is_object(), "{kind}");
            let found = unknown(kind, &json!({ "kind": kind.name(), "metadata": {}, "whatever": 1 }));
            assert_eq!(found, ["whatever: there is no such field, and the API server drops it"], "{kind}");
        }
    }

    #[test]
    fn values_of_the_wrong_type_are_named_and_put_aside() {
        let object = json!({
            "metadata": { "name": 1, "labels": { "a": true } },
            "spec": {
                "subnet": 10, "ips": ["a", 2, null], "ipVersion": 4.5, "gateway": null, "default": "yes",
                "routes": [{ "dst": ["x"] }, "y"], "podAffinity": { "matchLabels": { "app": 1 } }
            }
        });
        assert_eq!(
            mistyped(Kind::IpPool, &object),
            [
                "metadata.name: Invalid value: \"1\": must be a string, found a number",
                "metadata.labels[a]: Invalid value: \"true\": must be a string, found a boolean",
                "spec.subnet: Invalid value: \"10\": must be a string, found a number",
                "spec.ips[1]: Invalid value: \"2\": must be a string, found a number",
                "spec.ips[2]: Invalid value: \"null\": must be a string, found null",
                "spec.ipVersion: Invalid value: \"4.5\": must be an integer or a string, found a fraction",
                "spec.default: Invalid value: \"yes\": must be true or false, found a string",
                "spec.routes[0].dst: Invalid value: \"[\\\"x\\\"]\": must be a string, found a list",
                "spec.routes[1]: Invalid value: \"y\": must be an object, found a string",
                "spec.podAffinity.matchLabels[app]: Invalid value: \"1\": must be a string, found a number",
            ]
        );
        let sound = Sound::of(Kind::IpPool, &object).object;
        assert_eq!(sound["spec"]["ips"], json!(["a", "", ""]));
        assert_eq!(sound["spec"].get("subnet"), None);
        assert_eq!(sound["spec"]["routes"], json!([{}, {}]));
    }

    #[test]
    fn what_is_no_object_at_all_is_one_error() {
        for object in [json!(null), json!([]), json!("x")] {
            assert_eq!(mistyped(Kind::IpPool, &object).len(), 1);
            assert_eq!(unknown(Kind::IpPool, &object), [""; 0]);
        }
    }

    #[test]
    fn numbers_beyond_the_range_are_no_integers() {
        let object = json!({ "spec": { "cniType": "sriov", "sriov": { "mtu": u64::MAX } } });
        assert_eq!(mistyped(Kind::MultusConfig, &object).len(), 1);
        assert!(spec::<SpiderMultusConfigSpec>(&Sound::of(Kind::MultusConfig, &object).object).is_ok());
        let error = spec::<SpiderMultusConfigSpec>(&object).unwrap_err();
        assert_eq!(error.field, "spec.sriov.mtu");
        assert_eq!(error.value.as_deref(), Some("18446744073709551615"));
    }
}
