//! Which namespaces' pods are sent: a selector where names are plain, CEL where there are globs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::keys;
use crate::catalog::{Glob, SYSTEM_NAMESPACES, Scope};

/// The label that the API server itself keeps on every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Namespaces that no configuration opens: the system's and railweave's own.
pub(super) fn never(scope: &Scope) -> Vec<Value> {
    vec![not_in(&never_names(scope).collect())]
}

/// Namespaces whose opt-in is mirrored to their label.
pub(super) fn opted_in() -> Value {
    json!({ "key": keys::NAMESPACE_OPT_IN, "operator": "In", "values": ["true"] })
}

/// The expressions of a `namespaceSelector` that says all of the scope that plain names can say.
pub(super) fn expressions(scope: &Scope) -> Vec<Value> {
    let plain = scope.exclude.iter().filter(|glob| is_plain(glob)).map(Glob::text);
    let mut expressions = vec![not_in(&never_names(scope).chain(plain).collect())];
    if !scope.include.is_empty() && scope.include.iter().all(is_plain) {
        let names: BTreeSet<&str> = scope.include.iter().map(Glob::text).collect();
        expressions.push(json!({ "key": NAME_LABEL, "operator": "In", "values": names }));
    }
    expressions
}

fn never_names(scope: &Scope) -> impl Iterator<Item = &str> {
    SYSTEM_NAMESPACES.into_iter().chain([scope.release_namespace.as_str()])
}

fn not_in(names: &BTreeSet<&str>) -> Value {
    json!({ "key": NAME_LABEL, "operator": "NotIn", "values": names })
}

/// CEL: what of the scope needs a pattern.
pub(super) fn conditions(scope: &Scope) -> Vec<String> {
    let mut conditions = Vec::new();
    let excluded: Vec<&Glob> = scope.exclude.iter().filter(|glob| !is_plain(glob)).collect();
    if !excluded.is_empty() {
        conditions.push(format!("!{}", matches_any(excluded)));
    }
    if !scope.include.iter().all(is_plain) {
        conditions.push(matches_any(&scope.include));
    }
    conditions
}

fn is_plain(glob: &Glob) -> bool {
    !glob.text().contains(['*', '?'])
}

fn matches_any<'g>(globs: impl IntoIterator<Item = &'g Glob>) -> String {
    format!("request.namespace.matches('{}')", pattern(globs))
}

/// A regular expression for all of the globs; none match everything. They hold lower-case letters, digits, `-`
/// and the wildcards, so nothing needs quoting in CEL.
pub(super) fn pattern<'g>(globs: impl IntoIterator<Item = &'g Glob>) -> String {
    let patterns: Vec<String> = globs.into_iter().map(Glob::regex).collect();
    patterns.join("|")
}
