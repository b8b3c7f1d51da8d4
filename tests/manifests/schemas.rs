//! The CEL rules of the CRDs, compiled once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kube_cel::{CompiledSchema, ValidationError, ValidationErrors, Validator};
use railweave::api::Kind;
use serde_json::{Value, json};

static COMPILED: LazyLock<BTreeMap<Kind, CompiledSchema>> =
    LazyLock::new(|| Kind::ALL.into_iter().map(|kind| (kind, compile(kind))).collect());

/// Compiles the rules as they are on create, and as if an update edited every field: this evaluator binds
/// `oldSelf` to null or to the value where the API server binds an optional.
fn compile(kind: Kind) -> CompiledSchema {
    let schema = json!(kind.crd().spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema);
    let edited = schema.to_string().replace("oldSelf.hasValue()", "false");
    kube_cel::compile_schema(&serde_json::from_str(&edited).unwrap())
}

/// The rules of a kind.
pub(crate) fn compiled(kind: Kind) -> &'static CompiledSchema {
    &COMPILED[&kind]
}

/// What the rules of a kind say against an object.
pub(crate) fn refusals(kind: Kind, object: &Value, stored: Option<&Value>) -> Vec<ValidationError> {
    let refused = Validator::new().validate_compiled(compiled(kind), object, stored);
    refused.err().map(ValidationErrors::into_vec).unwrap_or_default()
}
