//! The CEL rules of the CRDs, evaluated without an API server.

use kube_cel::{ErrorKind, Validator};
use railweave::api::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    says: String,
    kind: String,
    spec: Value,
    stored: Option<Value>,
    #[serde(default)]
    refused: Vec<String>,
}

fn schema(kind: Kind) -> Value {
    json!(kind.crd().spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema)
}

/// The schema as it is on create, and as if an update edited every field: this evaluator binds `oldSelf`
/// to null or to the value where the API server binds an optional.
fn schema_for_edits(kind: Kind) -> Value {
    serde_json::from_str(&schema(kind).to_string().replace("oldSelf.hasValue()", "false")).unwrap()
}

#[test]
fn rules_compile() {
    for kind in Kind::ALL {
        let compiled = kube_cel::compile_schema(&schema(kind));
        assert!(!compiled.has_errors(), "{kind}: {:?}", compiled.compilation_errors());
    }
}

/// What the rules say against an object, `path: message`, sorted.
fn refusals(schema: &kube_cel::CompiledSchema, case: &Case) -> Vec<String> {
    let object = |spec: &Value| json!({ "spec": spec });
    let stored = case.stored.as_ref().map(object);
    let errors = Validator::new()
        .validate_compiled(schema, &object(&case.spec), stored.as_ref())
        .err()
        .map(kube_cel::ValidationErrors::into_vec)
        .unwrap_or_default();
    let mut said = Vec::new();
    for error in errors {
        assert_eq!(error.kind, ErrorKind::ValidationFailure, "{}: {error}: {}", case.says, error.rule);
        said.push(error.to_string());
    }
    said.sort();
    said
}

#[test]
fn rules_say_what_the_cases_say() {
    let cases: Vec<Case> = serde_saphyr::from_str(include_str!("cases.yaml")).unwrap();
    let schemas = Kind::ALL.map(|kind| (kind, kube_cel::compile_schema(&schema_for_edits(kind))));
    for mut case in cases {
        let kind = Kind::from_name(&case.kind).unwrap();
        let (_, schema) = schemas.iter().find(|(of, _)| *of == kind).unwrap();
        let said = refusals(schema, &case);
        case.refused.sort();
        if case.stored.is_none() {
            assert_eq!(said, case.refused, "{}", case.says);
        } else {
            // Nor does it leave alone, as the API server does, what an update does not edit.
            assert!(case.refused.iter().all(|refusal| said.contains(refusal)), "{}: {said:?}", case.says);
        }
    }
}
