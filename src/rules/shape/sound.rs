use std::borrow::Cow;
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
pub(in crate::rules) struct Sound<'a> {
    pub(in crate::rules) object: Cow<'a, Value>,
    pub(in crate::rules) errors: Vec<FieldError>,
}

impl<'a> Sound<'a> {
    /// Checks the types of everything in `object`, which is copied only if something in it has to give way.
    pub(in crate::rules) fn of(kind: Kind, object: &'a Value) -> Self {
        let schema = schema::of(kind);
        let mut errors = Vec::new();
        if !object.is_object() {
            let detail = format!("must be an object, found {}", words(object));
            errors.push(FieldError::new(FieldErrorKind::TypeInvalid, "", object, detail));
            return Self { object: Cow::Owned(json!({})), errors };
        }
        let mut object = Cow::Borrowed(object);
        if !is_sound(&object, schema) {
            mend(object.to_mut(), schema, Path::Root, &mut errors);
        }
        Self { object, errors }
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

/// Whether the parts of an object or array can all stay as they are.
fn is_sound(value: &Value, part: &JSONSchemaProps) -> bool {
    let fits = |value: &Value, part: &JSONSchemaProps| {
        mismatch(value, part).is_none() && is_choice(value, part) && is_sound(value, part)
    };
    match value {
        Value::Object(fields) => fields.iter().all(|(name, value)| {
            let part = schema::field(part, name).or_else(|| schema::values(part));
            !value.is_null() && part.is_none_or(|part| fits(value, part))
        }),
        Value::Array(items) => {
            schema::items(part).is_none_or(|part| items.iter().all(|item| fits(item, part)))
        }
        _ => true,
    }
}

/// Checks the parts of an object or array whose own type is right.
fn mend(value: &mut Value, part: &JSONSchemaProps, path: Path<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                if value.is_null() {
                    return false;
                }
                if let Some(part) = schema::field(part, name) {
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
    if !is_choice(value, part) {
        let path = path.to_string();
        let older = |choice: &&str| OLDER_CHOICES.contains(&(path.as_str(), *choice));
        let choices = part.enum_.iter().flatten().filter_map(|choice| choice.0.as_str());
        let known: Vec<&str> = choices.filter(|choice| !older(choice)).collect();
        let detail = not_supported(&plain(value), &known);
        errors.push(FieldError::new(FieldErrorKind::NotSupported, path, plain(value), detail));
        return false;
    }
    mend(value, part, path, errors);
    true
}

/// Whether a value is in the list of what is allowed, if there is one.
fn is_choice(value: &Value, part: &JSONSchemaProps) -> bool {
    part.enum_.as_ref().is_none_or(|choices| choices.iter().any(|choice| choice.0 == *value))
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
