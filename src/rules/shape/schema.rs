use std::collections::HashMap;
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Value, json};

use crate::api::Kind;

/// Every CRD's `openAPIV3Schema` with that of `ObjectMeta` put in, which a CRD leaves to the API server.
static SCHEMAS: LazyLock<HashMap<Kind, JSONSchemaProps>> = LazyLock::new(|| {
    let schema = |kind: Kind| {
        let version = kind.crd().spec.versions.into_iter().next();
        let schema = version.and_then(|version| version.schema).and_then(|schema| schema.open_api_v3_schema);
        let mut schema = schema.unwrap_or_default();
        let text = props(json!({ "type": "string" }));
        schema.properties.get_or_insert_default().extend([
            ("apiVersion".to_owned(), text.clone()),
            ("kind".to_owned(), text),
            ("metadata".to_owned(), object_meta()),
        ]);
        (kind, schema)
    };
    Kind::ALL.into_iter().map(schema).collect()
});

/// Schema of `metav1.ObjectMeta`, as far as people write it.
fn object_meta() -> JSONSchemaProps {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "object", "additionalProperties": text });
    props(json!({
        "type": "object",
        "properties": {
            "name": text, "generateName": text, "namespace": text, "labels": texts, "annotations": texts,
            "finalizers": { "type": "array", "items": text }, "ownerReferences": { "type": "array" },
            "uid": text, "resourceVersion": text, "selfLink": text, "generation": { "type": "integer" },
            "creationTimestamp": text, "deletionTimestamp": text,
            "deletionGracePeriodSeconds": { "type": "integer" }, "managedFields": { "type": "array" }
        }
    }))
}

fn props(schema: Value) -> JSONSchemaProps {
    serde_json::from_value(schema).unwrap_or_default()
}

/// Builds the schemas of all kinds, so that the first object does not wait for them: 0.2 s in a debug build.
pub fn prepare() {
    LazyLock::force(&SCHEMAS);
}

/// The schema of a kind; one that allows everything for a kind without.
pub(super) fn of(kind: Kind) -> &'static JSONSchemaProps {
    static NONE: LazyLock<JSONSchemaProps> = LazyLock::new(JSONSchemaProps::default);
    SCHEMAS.get(&kind).unwrap_or(&NONE)
}

/// What the elements of a list are.
pub(super) fn items(part: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match part.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(part) => Some(part),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

/// What a field of an object is.
pub(super) fn field<'a>(part: &'a JSONSchemaProps, name: &str) -> Option<&'a JSONSchemaProps> {
    part.properties.as_ref()?.get(name)
}

/// What the values of a map are, whatever their keys.
pub(super) fn values(part: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match part.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(part) => Some(part),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}
