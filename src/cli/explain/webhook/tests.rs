use kube_cel::KubeCelExt;
use kube_cel::cel;
use serde_json::json;

use super::super::super::input::offline_settings;
use super::*;
use crate::admission::registration::{Endpoint, Registration, Trust};
use crate::api::keys::NAMESPACE_OPT_IN;
use crate::api::settings::Settings;
use crate::catalog::{Assembler, Identity};

/// A cluster in which the namespaces `team` and `team-x` opted in by their label.
fn catalog(settings: Settings) -> Catalog {
    let mut assembler = Assembler::new(Identity::default(), settings);
    for name in ["team", "team-x"] {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {RDMA_INJECT: "g"}}
        });
        assembler.objects.apply(&namespace).unwrap();
    }
    assembler.assemble()
}

/// The entry for pods that the API server would call, by the rendered selectors and conditions.
fn called(pod: &Value, namespace: &str, catalog: &Catalog) -> Option<String> {
    let registration = Registration {
        name: "spiderpool-controller",
        settings: &catalog.settings,
        scope: &catalog.scope,
        endpoint: &Endpoint::Url("https://localhost".to_owned()),
        trust: &Trust::Foreign,
        owner: None,
    };
    let mirrored = if catalog.namespaces.contains_key(namespace) { "true" } else { "" };
    let labels = json!({"kubernetes.io/metadata.name": namespace, NAMESPACE_OPT_IN: mirrored});
    let mutating = registration.render().mutating;
    let mut entries = mutating["webhooks"].as_array().unwrap().iter();
    let entry = entries.find(|entry| {
        entry["rules"][0]["resources"] == json!(["pods"])
            && each(&entry["namespaceSelector"]["matchExpressions"], |requirement| {
                selects(requirement, &labels)
            })
            && each(&entry["matchConditions"], |condition| holds(condition, pod, namespace))
    });
    entry.map(|entry| entry["name"].as_str().unwrap().to_owned())
}

fn each(list: &Value, holds: impl Fn(&Value) -> bool) -> bool {
    list.as_array().unwrap().iter().all(holds)
}

fn selects(requirement: &Value, labels: &Value) -> bool {
    let key = requirement["key"].as_str().unwrap();
    let listed = requirement["values"].as_array().unwrap().contains(&labels[key]);
    match requirement["operator"].as_str().unwrap() {
        "In" => listed,
        "NotIn" => !listed,
        operator => unreachable!("{operator}"),
    }
}

fn holds(condition: &Value, pod: &Value, namespace: &str) -> bool {
    let mut context = cel::Context::default().with_all();
    // Unlike the API server's, this evaluator stops at `.?field` where the field is absent, so here none is.
    let mut pod = pod.clone();
    for (part, field, empty) in [
        ("metadata", "annotations", json!({})),
        ("metadata", "labels", json!({})),
        ("spec", "hostNetwork", json!(false)),
    ] {
        pod[part].as_object_mut().unwrap().entry(field).or_insert(empty);
    }
    context.add_variable("object", pod).unwrap();
    context.add_variable("request", json!({"namespace": namespace})).unwrap();
    let expression = condition["expression"].as_str().unwrap();
    let parsed = cel::parser::Parser::default().enable_optional_syntax(true).parse(expression).unwrap();
    let said = cel::Value::resolve(&parsed, &context);
    said.unwrap_or_else(|error| unreachable!("{expression}: {error}")) == cel::Value::Bool(true)
}

#[test]
fn the_entry_is_the_one_that_is_registered_for_the_pod() {
    let with = |annotations: Value| json!({"metadata": {"annotations": annotations}, "spec": {}});
    let host = json!({"metadata": {}, "spec": {"hostNetwork": true}});
    let catalog = catalog(offline_settings());
    for (pod, namespace, name) in [
        (with(json!({RDMA_INJECT: "g"})), "default", Some(OWN_KEY)),
        (with(json!({RDMA_INJECT: ""})), "default", Some(OWN_KEY)),
        (with(json!({RDMA_INJECT: "none", NETWORK_INJECT: "g"})), "default", Some(OWN_KEY)),
        (json!({"metadata": {"labels": {NETWORK_INJECT: "g"}}, "spec": {}}), "default", Some(OWN_KEY)),
        (json!({"metadata": {"labels": {RDMA_INJECT: "none"}}, "spec": {}}), "team", None),
        (with(json!({RDMA_INJECT: " none "})), "team", None),
        (with(json!({NETWORK_INJECT: "disabled"})), "team", None),
        (with(json!({})), "team", Some(NAMESPACE)),
        (with(json!({})), "default", None),
        (host, "team", None),
        (with(json!({RDMA_INJECT: "g"})), "kube-system", None),
        (with(json!({RDMA_INJECT: "g", MIRROR_POD: "x"})), "default", None),
        (with(json!({MIRROR_POD: "x"})), "team", None),
    ] {
        assert_eq!(entry(&pod, namespace, &catalog).name, name, "{pod} in {namespace}");
        assert_eq!(called(&pod, namespace, &catalog).as_deref(), name, "{pod} in {namespace}");
    }
}

#[test]
fn the_scope_is_the_registered_one() {
    let pod = json!({"metadata": {"annotations": {RDMA_INJECT: "g"}}, "spec": {}});
    let silent = json!({"metadata": {}, "spec": {}});
    let mut settings = offline_settings();
    settings.inject.namespaces_include = vec!["team*".to_owned(), "lab".to_owned()];
    settings.inject.namespaces_exclude = vec!["*-x".to_owned(), "lab".to_owned()];
    let catalog = catalog(settings);
    for (pod, namespace, name) in [
        (&pod, "team", Some(OWN_KEY)),
        (&silent, "team", Some(NAMESPACE)),
        (&pod, "team-x", None),
        (&silent, "team-x", None),
        (&pod, "lab", None),
        (&pod, "default", None),
    ] {
        assert_eq!(entry(pod, namespace, &catalog).name, name, "{pod} in {namespace}");
        assert_eq!(called(pod, namespace, &catalog).as_deref(), name, "{pod} in {namespace}");
    }
}

#[test]
fn without_injection_there_is_no_entry() {
    let pod = json!({"metadata": {"annotations": {RDMA_INJECT: "g"}}, "spec": {}});
    let catalog = catalog(Settings::default());
    assert_eq!(entry(&pod, "default", &catalog).name, None);
    assert_eq!(called(&pod, "default", &catalog), None);
}
