//! Label selectors, with the rules of `metav1.LabelSelector`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::{FieldError, FieldErrorKind, suggest, syntax};

const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];
/// Of the name part of a key, and of a value.
const LONGEST_NAME: usize = 63;

/// Every error of a selector.
pub(super) fn check(selector: &LabelSelector, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in selector.match_labels.iter().flatten() {
        let path = format!("{path}.matchLabels[{key}]");
        errors.extend(key_error(key, &path));
        errors.extend(value_error(value, &path));
    }
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        check_requirement(requirement, &format!("{path}.matchExpressions[{index}]"), &mut errors);
    }
    errors
}

/// Whether a selector selects everything because it says nothing.
pub(super) fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

fn check_requirement(requirement: &LabelSelectorRequirement, path: &str, errors: &mut Vec<FieldError>) {
    errors.extend(key_error(&requirement.key, &format!("{path}.key")));
    let values = requirement.values.as_deref().unwrap_or_default();
    let path_of_values = format!("{path}.values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let detail = format!("operator {} needs at least one value", requirement.operator);
            errors.push(FieldError::required(path_of_values, detail));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = format!("operator {} takes no values; leave them out", requirement.operator);
            errors.push(FieldError::forbidden(path_of_values, detail));
        }
        operator if !OPERATORS.contains(&operator) => {
            let hint = suggest::did_you_mean(operator, OPERATORS);
            let detail = format!("use one of {}{hint}", OPERATORS.join(", "));
            let path = format!("{path}.operator");
            errors.push(FieldError::new(FieldErrorKind::NotSupported, path, operator, detail));
        }
        _ => {}
    }
    for (index, value) in values.iter().enumerate() {
        errors.extend(value_error(value, &format!("{path}.values[{index}]")));
    }
}

fn key_error(key: &str, path: &str) -> Option<FieldError> {
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    let right = is_name(name) && domain.is_none_or(|domain| syntax::subdomain(domain).is_none());
    let detail =
        "is no label key; write [domain/]name, the name of at most 63 letters, digits, '-', '_', '.'";
    (!right).then(|| FieldError::invalid(path, key, detail))
}

fn value_error(value: &str, path: &str) -> Option<FieldError> {
    let detail = "is no label value; write at most 63 letters, digits, '-', '_', '.', ends alphanumeric";
    (!value.is_empty() && !is_name(value)).then(|| FieldError::invalid(path, value, detail))
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.len() <= LONGEST_NAME
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_has_the_rules_of_the_api_server() {
        for (selector, expected) in [
            (json!({}), vec![]),
            (json!({"matchLabels": {"app": "x", "example.com/tier": ""}}), vec![]),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}, {"key": "a", "operator": "Exists"}]}),
                vec![],
            ),
            (
                json!({"matchLabels": {"-app": "x", "Example.com/tier": "y", "a/b/c": "z", "app": "-"}}),
                vec![
                    "spec.podAffinity.matchLabels[-app]: Invalid value: \"-app\": is no label key",
                    "spec.podAffinity.matchLabels[Example.com/tier]: Invalid value: \"Example.com/tier\": is no label key",
                    "spec.podAffinity.matchLabels[a/b/c]: Invalid value: \"a/b/c\": is no label key",
                    "spec.podAffinity.matchLabels[app]: Invalid value: \"-\": is no label value",
                ],
            ),
            (
                json!({"matchExpressions": [
                    {"key": "a", "operator": "In"},
                    {"key": "a", "operator": "Exists", "values": ["b"]},
                    {"key": "a", "operator": "in", "values": ["b c"]},
                ]}),
                vec![
                    "spec.podAffinity.matchExpressions[0].values: Required value: operator In needs at least one value",
                    "spec.podAffinity.matchExpressions[1].values: Forbidden: operator Exists takes no values; leave them out",
                    "spec.podAffinity.matchExpressions[2].operator: Unsupported value: \"in\": use one of In, NotIn, Exists, DoesNotExist; did you mean \"In\"?",
                    "spec.podAffinity.matchExpressions[2].values[0]: Invalid value: \"b c\": is no label value",
                ],
            ),
        ] {
            let selector: LabelSelector = serde_json::from_value(selector).unwrap();
            let mut found: Vec<String> =
                check(&selector, "spec.podAffinity").iter().map(ToString::to_string).collect();
            found.sort();
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{found}");
            }
        }
    }
}
