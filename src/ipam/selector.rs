use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

/// Labels of a pod, a node or a namespace.
pub type Labels = BTreeMap<String, String>;

/// A label selector, compiled once. An empty one selects everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Compiles a selector; the error names an operator that does not exist.
    pub(super) fn compile(selector: &LabelSelector) -> Result<Self, String> {
        let equal = |(key, value): (&String, &String)| {
            Ok(Requirement { key: key.clone(), test: Test::In(vec![value.clone()]) })
        };
        let labels = selector.match_labels.iter().flatten().map(equal);
        let expressions = selector.match_expressions.iter().flatten().map(requirement);
        Ok(Self { requirements: labels.chain(expressions).collect::<Result<_, _>>()? })
    }

    /// Whether labels, told by their keys, fulfil every requirement.
    pub(super) fn matches<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.requirements.iter().all(|Requirement { key, test }| {
            let value = label(key);
            match test {
                Test::In(values) => value.is_some_and(|value| values.iter().any(|known| known == value)),
                Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|known| known != value)),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
            }
        })
    }
}

fn requirement(requirement: &LabelSelectorRequirement) -> Result<Requirement, String> {
    let LabelSelectorRequirement { key, operator, values } = requirement;
    let values = values.clone().unwrap_or_default();
    let test = match operator.as_str() {
        "In" => Test::In(values),
        "NotIn" => Test::NotIn(values),
        "Exists" => Test::Exists,
        "DoesNotExist" => Test::DoesNotExist,
        other => return Err(format!("a label selector has the unknown operator {other:?}")),
    };
    Ok(Requirement { key: key.clone(), test })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selects_as_the_api_server_does() {
        let labels: Labels = [("app", "web"), ("tier", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let expression = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, expected) in [
            (json!({}), true),
            (json!({"matchLabels": {"app": "web", "tier": ""}}), true),
            (json!({"matchLabels": {"app": "web", "zone": "a"}}), false),
            (json!({"matchLabels": {"app": "api"}}), false),
            (expression("app", "In", &["api", "web"]), true),
            (expression("zone", "In", &["a"]), false),
            (expression("app", "NotIn", &["web"]), false),
            (expression("zone", "NotIn", &["a"]), true),
            (expression("tier", "Exists", &[]), true),
            (expression("zone", "Exists", &[]), false),
            (expression("zone", "DoesNotExist", &[]), true),
            (expression("app", "DoesNotExist", &[]), false),
        ] {
            let parsed = serde_json::from_value(selector.clone()).unwrap();
            let label = |key: &str| labels.get(key).map(String::as_str);
            assert_eq!(Selector::compile(&parsed).unwrap().matches(label), expected, "{selector}");
        }
        let parsed = serde_json::from_value(expression("app", "Like", &["w"])).unwrap();
        assert_eq!(
            Selector::compile(&parsed),
            Err("a label selector has the unknown operator \"Like\"".into())
        );
    }
}
