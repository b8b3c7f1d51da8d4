use std::collections::HashSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::{Value, json};

use super::path::Path;
use super::{not_supported, plain, schema, words};
use crate::api::Kind;
use crate::rules::{FieldError, FieldErrorKind};

/// Values that schemas allow for the sake of older manifests, and that nobody should be told of.
const OLDER_CHOICES: [(&str, &str); 2] = [("spec.mode", "disable"), ("spec.coordinator.mode", "disable")];

/// An object whose values all have the types of the schema, and what had to give way for that.
///
/// Wrong values are left out, or neutral where they stand in a list, so that the rules can look at the rest
/// and their findings still have the right paths.
#[derive(Debug)]
pub(in crate::rules) struct Sound {
    pub(in crate::rules) object: Value,
    pub(in crate::rules) errors: Vec<FieldError>,
}

impl Sound {
    /// Checks the types of everything in `object`.
    pub(in crate::rules) fn of(kind: Kind, object: &Value) -> Self {
        let mut sound = Self { object: object.clone(), errors: Vec::new() };
        if sound.object.is_object() {
            mend(&mut sound.object, schema::of(kind), Path::Root, &mut sound.errors);
        } else {
            let detail = format!("must be an object, found {}", words(object));
            sound.errors.push(FieldError::new(FieldErrorKind::TypeInvalid, "", object, detail));
            sound.object = json!({});
        }
        sound
    }

    /// Takes out the findings that are only consequences of values that had to give way.
    pub(in crate::rules) fn without_consequences(&self, findings: &mut Vec<FieldError>) {
        let wrong: HashSet<&str> = self.errors.iter().map(|error| error.field.as_str()).collect();
        let is_wrong = |field: &str| {
            let parents = field.match_indices(['.', '[']).map(|(end, _)| &field[..end]);
            parents.chain([field]).any(|part| wrong.contains(part))
        };
        findings.retain(|finding| !is_wrong(&finding.field));
    }
}

/// Checks the parts of an object or array whose own type is right.
fn mend(value: &mut Value, part: &JSONSchemaProps, path: Path<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            let known = part.properties.as_ref();
            fields.retain(|name, value| {
                if value.is_null() {
                    return false;
                }
                if let Some(part) = known.and_then(|known| known.get(name)) {
                    return fits(value, part, Path::Field(&path, name), errors);
                }
                schema::values(part).is_none_or(|part| fits(value, part, Path::Key(&path, name), errors))
            });
        }
        Value::Array(items) => {
            let Some(part) = schema::items(part) else { return };
            for (index, item) in items.iter_mut().enumerate() {
                if !fits(item, part, Path::Index(&path, index), errors) {
                    *item = neutral(part);
                }
            }
        }
        _ => {}
    }
}

/// Whether a value may stay, after its parts were mended.
fn fits(value: &mut Value, part: &JSONSchemaProps, path: Path<'_>, errors: &mut Vec<FieldError>) -> bool {
    if let Some(expected) = mismatch(value, part) {
        let detail = format!("must be {expected}, found {}", words(value));
        errors.push(FieldError::new(FieldErrorKind::TypeInvalid, path.to_string(), plain(value), detail));
        return false;
    }
    if let Some(choices) = &part.enum_
        && !choices.iter().any(|choice| choice.0 == *value)
    {
        let path = path.to_string();
        let older = |choice: &&str| OLDER_CHOICES.contains(&(path.as_str(), *choice));
        let known: Vec<&str> =
            choices.iter().filter_map(|choice| choice.0.as_str()).filter(|choice| !older(choice)).collect();
        let detail = not_supported(&plain(value), &known);
        errors.push(FieldError::new(FieldErrorKind::NotSupported, path, plain(value), detail));
        return false;
    }
    mend(value, part, path, errors);
    true
}

/// The type that the schema wants, if the value has another.
fn mismatch(value: &Value, part: &JSONSchemaProps) -> Option<&'static str> {
    if part.x_kubernetes_int_or_string == Some(true) {
        return (!value.is_i64() && !value.is_string()).then_some("an integer or a string");
    }
    let (fits, expected) = match part.type_.as_deref()? {
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
fn neutral(part: &JSONSchemaProps) -> Value {
    match part.type_.as_deref() {
        Some("object") => json!({}),
        Some("array") => json!([]),
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(false),
        _ => json!(""),
    }
}
