//! Which namespaces' pods are sent: a selector where names are plain, CEL where there are globs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::catalog::{Glob, SYSTEM_NAMESPACES, Scope};

/// The label that the API server itself keeps on every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The expressions of a `namespaceSelector` that says all of the scope that plain names can say.
pub(super) fn expressions(scope: &Scope) -> Vec<Value> {
    let out: BTreeSet<&str> = SYSTEM_NAMESPACES
        .into_iter()
        .chain([scope.release_namespace.as_str()])
        .chain(scope.exclude.iter().filter(|glob| is_plain(glob)).map(Glob::text))
        .collect();
    let mut expressions = vec![json!({ "key": NAME_LABEL, "operator": "NotIn", "values": out })];
    if !scope.include.is_empty() && scope.include.iter().all(is_plain) {
        let names: BTreeSet<&str> = scope.include.iter().map(Glob::text).collect();
        expressions.push(json!({ "key": NAME_LABEL, "operator": "In", "values": names }));
    }
    expressions
}

/// The match conditions for what needs a pattern.
pub(super) fn conditions(scope: &Scope) -> Vec<Value> {
    let mut conditions = Vec::new();
    let excluded: Vec<&Glob> = scope.exclude.iter().filter(|glob| !is_plain(glob)).collect();
    if !excluded.is_empty() {
        let expression = format!("!{}", matches_any(&excluded));
        conditions.push(json!({ "name": "namespace-not-excluded", "expression": expression }));
    }
    if !scope.include.iter().all(is_plain) {
        let included: Vec<&Glob> = scope.include.iter().collect();
        let expression = matches_any(&included);
        conditions.push(json!({ "name": "namespace-included", "expression": expression }));
    }
    conditions
}

fn is_plain(glob: &Glob) -> bool {
    !glob.text().contains(['*', '?'])
}

/// Patterns hold lower-case letters, digits, `-` and the wildcards, so they need no quoting in CEL.
fn matches_any(globs: &[&Glob]) -> String {
    let patterns: Vec<String> = globs.iter().map(|glob| glob.regex()).collect();
    format!("request.namespace.matches('{}')", patterns.join("|"))
}
