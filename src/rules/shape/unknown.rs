use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::path::Path;
use super::schema;
use crate::api::Kind;
use crate::rules::{Notice, suggest};

/// Fields that the API server would silently drop, each with what may have been meant.
///
/// Only manifests on disk have them: by the time an object reaches the webhooks they are gone.
#[must_use]
pub fn unknown_fields(kind: Kind, object: &Value) -> Vec<Notice> {
    let mut found = Vec::new();
    let whole = schema::of(kind);
    find(object, whole, Path::Root, whole, &mut found);
    found
}

fn find(
    value: &Value,
    part: &JSONSchemaProps,
    path: Path<'_>,
    whole: &JSONSchemaProps,
    found: &mut Vec<Notice>,
) {
    match value {
        Value::Object(fields) => {
            let Some(known) = &part.properties else { return };
            for (name, value) in fields {
                let path = Path::Field(&path, name);
                match known.get(name) {
                    Some(part) => find(value, part, path, whole, found),
                    None => found.push(unknown(name, path, known, whole)),
                }
            }
        }
        Value::Array(elements) => {
            let Some(part) = schema::items(part) else { return };
            for (index, element) in elements.iter().enumerate() {
                find(element, part, Path::Index(&path, index), whole, found);
            }
        }
        _ => {}
    }
}

fn unknown(
    name: &str,
    path: Path<'_>,
    siblings: &BTreeMap<String, JSONSchemaProps>,
    whole: &JSONSchemaProps,
) -> Notice {
    let mut hint = suggest::did_you_mean(name, siblings.keys().map(String::as_str));
    if hint.is_empty() {
        let mut places = Vec::new();
        find_places(name, whole, Path::Root, &mut places);
        if !places.is_empty() {
            hint = format!("; its place is {}", places.join(" or "));
        }
    }
    let message = format!("there is no such field, and the API server drops it{hint}");
    Notice::advice(path.to_string(), message)
}

/// Where else a field of this name is, for those that were put one level too high or too low.
fn find_places(name: &str, part: &JSONSchemaProps, path: Path<'_>, places: &mut Vec<String>) {
    let fields = part.properties.iter().flatten();
    for (field, part) in fields.filter(|(field, _)| !matches!(path, Path::Root) || *field == "spec") {
        let path = Path::Field(&path, field);
        if field == name {
            places.push(path.to_string());
        }
        find_places(name, part, path, places);
    }
}
