//! The CEL rules of the CRDs, evaluated without an API server.

use kube_cel::ErrorKind;
use railweave::api::Kind;
use serde_json::{Value, json};

use crate::schema_cases::cases;
use crate::schemas::{compiled, refusals};

#[test]
fn rules_compile() {
    for kind in Kind::ALL {
        assert!(!compiled(kind).has_errors(), "{kind}: {:?}", compiled(kind).compilation_errors());
    }
}

#[test]
fn rules_say_what_the_cases_say() {
    for mut case in cases() {
        let object = |spec: &Value| json!({ "spec": spec });
        let mut said = Vec::new();
        for error in refusals(case.kind, &object(&case.spec), case.stored.as_ref().map(object).as_ref()) {
            assert_eq!(error.kind, ErrorKind::ValidationFailure, "{}: {error}: {}", case.says, error.rule);
            said.push(error.to_string());
        }
        said.sort();
        case.refused.sort();
        if case.stored.is_none() {
            assert_eq!(said, case.refused, "{}", case.says);
        } else {
            // Unlike the API server, this evaluator also judges what an update does not edit.
            assert!(case.refused.iter().all(|refusal| said.contains(refusal)), "{}: {said:?}", case.says);
        }
    }
}
