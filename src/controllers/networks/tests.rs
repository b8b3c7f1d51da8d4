//! What is planned, from what the watches told.

use std::slice;

use kube::api::DynamicObject;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::known::Known;
use super::plan::{Plan, Report};
use crate::catalog::ObjectKey;

fn key(name: &str) -> ObjectKey {
    ObjectKey { namespace: "rails".into(), name: name.into() }
}

fn object(value: &Value) -> DynamicObject {
    serde_json::from_value(value.clone()).unwrap()
}

/// A network of the guide; `day` is that of its creation, and its uid is `u-` and its name.
fn network(name: &str, day: u32) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "rails", "uid": format!("u-{name}"), "generation": 1,
            "resourceVersion": "1", "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z") },
        "spec": { "cniType": "ipoib", "ipoib": { "master": "ib0" } },
    })
}

fn named(mut network: Value, definition: &str) -> Value {
    network["metadata"]["annotations"] = json!({ "multus.spidernet.io/cr-name": definition });
    network
}

/// The definition that the controller writes for a network, as the API server has it then.
fn definition(network: &Value) -> Value {
    let mut known = Known::default();
    list(&mut known, slice::from_ref(network), &[]);
    let name = network["metadata"]["name"].as_str().unwrap();
    let mut written = known.plan(&key(name)).apply.unwrap().definition.manifest();
    written["metadata"]["uid"] = format!("d-{name}").into();
    written["metadata"]["resourceVersion"] = "1".into();
    written
}

fn list(known: &mut Known, networks: &[Value], definitions: &[Value]) {
    known.note_network(Event::Init);
    for value in networks {
        known.note_network(Event::InitApply(object(value)));
    }
    known.note_network(Event::InitDone);
    known.note_definition(Event::Init);
    for value in definitions {
        known.note_definition(Event::InitApply(object(value)));
    }
    known.note_definition(Event::InitDone);
}

fn plan(networks: &[Value], definitions: &[Value], name: &str) -> Plan {
    let mut known = Known::default();
    list(&mut known, networks, definitions);
    assert!(known.is_complete());
    known.plan(&key(name))
}

/// Reason and message.
fn says(report: Option<&Report>) -> (&'static str, &str) {
    let verdict = &report.unwrap().verdict;
    (verdict.reason, &verdict.message)
}

fn removed(plan: &Plan) -> Vec<&str> {
    plan.remove.iter().map(|removal| removal.key.name.as_str()).collect()
}

#[test]
fn a_network_without_a_definition_gets_one() {
    let plan = plan(&[network("rail1", 1)], &[], "rail1");
    let apply = plan.apply.as_ref().unwrap();
    assert_eq!(apply.over, None);
    let metadata = &apply.definition.manifest()["metadata"];
    assert_eq!((&metadata["name"], &metadata["namespace"]), (&json!("rail1"), &json!("rails")));
    assert_eq!(metadata["ownerReferences"][0]["uid"], "u-rail1");
    assert_eq!(says(plan.report.as_ref()), ("Rendered", "is NetworkAttachmentDefinition rails/rail1"));
}

#[test]
fn a_definition_that_is_right_is_left_alone_whatever_others_added() {
    let network = network("rail1", 1);
    let mut definition = definition(&network);
    definition["metadata"]["labels"]["team"] = "a".into();
    definition["metadata"]["annotations"] = json!({ "note": "b" });
    let plan = plan(&[network], &[definition], "rail1");
    assert!(plan.apply.is_none() && plan.remove.is_empty());
}

#[test]
fn whatever_is_ours_is_repaired_over_the_version_that_was_seen() {
    let network = named(network("rail1", 1), "rail1");
    let right = definition(&network);
    let edits: [fn(&mut Value); 5] = [
        |it| it["spec"]["config"] = "{}".into(),
        |it| it["metadata"]["labels"] = json!({}),
        |it| it["metadata"]["annotations"]["multus.spidernet.io/cr-name"] = "other".into(),
        |it| it["metadata"]["ownerReferences"][0]["controller"] = false.into(),
        // An annotation that the network no longer has.
        |it| {
            it["metadata"]["annotations"]["gone"] = "x".into();
            it["metadata"]["managedFields"] = json!([{ "manager": "railweave", "operation": "Apply",
                "fieldsV1": { "f:metadata": { "f:annotations": { ".": {}, "f:gone": {} } } } }]);
        },
    ];
    for edit in edits {
        let mut edited = right.clone();
        edit(&mut edited);
        let plan = plan(slice::from_ref(&network), &[edited.clone()], "rail1");
        let apply = plan.apply.unwrap_or_else(|| panic!("{edited:#}"));
        assert_eq!(apply.over.as_deref(), Some("1"));
    }
}

#[test]
fn the_older_of_two_networks_has_the_name_and_the_other_one_gives_up_what_it_had() {
    let (a, b) = (named(network("a", 2), "rail"), named(network("b", 1), "rail"));
    let both = [a.clone(), b.clone()];
    assert!(plan(&both, &[], "b").apply.is_some());
    let younger = plan(&both, &[], "a");
    assert!(younger.apply.is_none());
    assert_eq!(
        says(younger.report.as_ref()),
        (
            "NameTaken",
            "the older SpiderMultusConfig b has the name rails/rail, too; choose another one with the annotation \
             multus.spidernet.io/cr-name"
        )
    );
    // The younger one had it first: it lets go, and only then the older one writes its own.
    let held = [definition(&a)];
    assert_eq!(removed(&plan(&both, &held, "a")), ["rail"]);
    let older = plan(&both, &held, "b");
    assert!(older.apply.is_none());
    assert_eq!(says(older.report.as_ref()).0, "NotOurs");
    // Of the same second, the name decides.
    let same = [named(network("a", 1), "rail"), b];
    assert_eq!(says(plan(&same, &[], "b").report.as_ref()).0, "NameTaken");
}

#[test]
fn a_claim_ends_with_the_deletion_of_its_network() {
    let mut deleted = named(network("a", 1), "rail");
    deleted["metadata"]["deletionTimestamp"] = "2026-02-01T00:00:00Z".into();
    let networks = [deleted, named(network("b", 2), "rail")];
    assert!(plan(&networks, &[], "b").apply.is_some());
    assert!(!plan(&networks, &[], "a").is_needed());
}

#[test]
fn a_foreign_definition_is_never_written() {
    let network = network("rail1", 1);
    let foreign = |metadata: Value| {
        let mut metadata = metadata;
        metadata["name"] = "rail1".into();
        metadata["namespace"] = "rails".into();
        json!({ "metadata": metadata, "spec": { "config": "{}" } })
    };
    let owner = |kind: &str, name: &str| {
        json!([{ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": kind,
        "name": name, "uid": "u", "controller": true }])
    };
    let cases = [
        (json!({}), "exists without an owner"),
        (json!({ "ownerReferences": owner("Release", "x") }), "belongs to Release x"),
        (
            json!({ "ownerReferences": owner("SpiderMultusConfig", "other") }),
            "belongs to SpiderMultusConfig other",
        ),
        (
            json!({ "ownerReferences": owner("Release", "x"),
                "labels": { "app.kubernetes.io/managed-by": "railweave" } }),
            "belongs to Release x",
        ),
    ];
    for (metadata, holder) in cases {
        let plan = plan(slice::from_ref(&network), &[foreign(metadata)], "rail1");
        assert!(plan.apply.is_none() && plan.remove.is_empty(), "{holder}");
        let (reason, message) = says(plan.report.as_ref());
        assert_eq!(reason, "NotOurs");
        let begin = format!("NetworkAttachmentDefinition rails/rail1 {holder} and is left as it is; ");
        assert!(message.starts_with(&begin), "{message}");
    }
    // Spiderpool's for the same network, one that was orphaned, and one that somebody labelled to be taken over.
    for metadata in [
        json!({ "ownerReferences": owner("SpiderMultusConfig", "rail1") }),
        json!({ "labels": { "app.kubernetes.io/managed-by": "railweave" } }),
    ] {
        assert!(plan(slice::from_ref(&network), &[foreign(metadata)], "rail1").apply.is_some());
    }
}

#[test]
fn a_new_name_is_written_before_the_old_one_is_removed_and_only_ours_is() {
    let old = definition(&network("rail1", 1));
    let renamed = [named(network("rail1", 1), "new")];
    let plan_of = |held: Value| plan(&renamed, &[held], "rail1");
    let both = plan_of(old.clone());
    assert_eq!(both.apply.as_ref().unwrap().definition.name, "new");
    assert_eq!(removed(&both), ["rail1"]);
    let mut of_spiderpool = old;
    of_spiderpool["metadata"]["labels"] = json!({});
    assert_eq!(removed(&plan_of(of_spiderpool)), [""; 0]);
}

#[test]
fn what_a_gone_network_left_is_removed_after_proof() {
    let left = definition(&network("rail1", 1));
    let plan = plan(&[], &[left], "rail1");
    assert!(plan.gone && plan.report.is_none());
    assert_eq!(removed(&plan), ["rail1"]);
}

#[test]
fn a_network_that_cannot_be_rendered_keeps_the_definition_it_had() {
    let good = network("rail1", 1);
    let mut bad = good.clone();
    bad["spec"]["ipoib"] = json!({ "master": 7 });
    let plan = plan(&[bad], &[definition(&good)], "rail1");
    assert!(plan.apply.is_none() && plan.remove.is_empty());
    let (reason, message) = says(plan.report.as_ref());
    assert_eq!(reason, "Invalid");
    assert!(
        message.starts_with("cannot be rendered; a definition of before stays as it is: spec.ipoib.master"),
        "{message}"
    );
}

#[test]
fn what_admission_would_refuse_is_rendered_if_it_can_be_and_said() {
    let mut odd = network("rail1", 1);
    odd["spec"]["ipoib"]["master"] = "a-name-longer-than-15".into();
    let plan = plan(&[odd], &[], "rail1");
    assert!(plan.apply.is_some());
    let (reason, message) = says(plan.report.as_ref());
    assert_eq!(reason, "RenderedWithErrors");
    assert!(message.contains("spec.ipoib.master: Invalid value"), "{message}");
}

#[test]
fn without_the_kind_nothing_is_written_and_its_arrival_concerns_every_network() {
    let mut known = Known::default();
    list(&mut known, &[network("rail1", 1), network("rail2", 1)], &[]);
    assert_eq!(known.note_no_definitions().len(), 2);
    assert_eq!(known.note_no_definitions().len(), 0, "it is said once");
    let plan = known.plan(&key("rail1"));
    assert!(plan.apply.is_none());
    assert_eq!(says(plan.report.as_ref()).0, "NoSuchKind");
    known.note_definition(Event::Init);
    assert_eq!(known.note_definition(Event::InitDone).len(), 2);
    assert!(known.plan(&key("rail1")).apply.is_some());
}

#[test]
fn a_status_is_written_once() {
    let network = network("rail1", 1);
    let definition = definition(&network);
    let first = plan(slice::from_ref(&network), slice::from_ref(&definition), "rail1");
    assert!(first.is_needed());
    let status = first.report.unwrap().status("2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    assert!(status.news);
    assert_eq!(
        json!({ "networkAttachmentDefinition": status.definition, "conditions": status.conditions }),
        json!({ "networkAttachmentDefinition": "rail1", "conditions": [{
            "type": "Rendered", "status": "True", "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "Rendered",
            "message": "is NetworkAttachmentDefinition rails/rail1",
        }] })
    );
    let mut told = network;
    told["status"] = json!({ "networkAttachmentDefinition": "rail1", "conditions": status.conditions });
    assert!(!plan(&[told.clone()], slice::from_ref(&definition), "rail1").is_needed());
    // A new generation is noted, and nobody is told the same again.
    told["metadata"]["generation"] = 2.into();
    let again = plan(&[told], &[definition], "rail1").report.unwrap();
    assert!(!again.status("2026-01-02T00:00:00Z".parse().unwrap()).unwrap().news);
}

#[test]
fn news_concerns_the_owner_and_whoever_claims_the_name() {
    let (a, b) = (named(network("a", 1), "rail"), named(network("b", 2), "rail"));
    let mut known = Known::default();
    list(&mut known, &[a.clone(), b], &[definition(&a)]);
    let mut edited = definition(&a);
    edited["metadata"]["resourceVersion"] = "2".into();
    let affected = known.note_definition(Event::Apply(object(&edited)));
    assert_eq!(affected.into_iter().collect::<Vec<_>>(), [key("a"), key("b")]);
    let mut renamed = named(a, "other");
    renamed["metadata"]["resourceVersion"] = "2".into();
    let affected = known.note_network(Event::Apply(object(&renamed)));
    assert_eq!(affected.into_iter().collect::<Vec<_>>(), [key("a"), key("b")]);
}

#[test]
fn what_is_older_than_what_is_known_is_no_news_and_what_a_list_does_not_name_is_gone() {
    let network = network("rail1", 1);
    let mut written = definition(&network);
    let mut known = Known::default();
    list(&mut known, slice::from_ref(&network), &[]);
    written["metadata"]["resourceVersion"] = "9".into();
    known.note_definition(Event::Apply(object(&written)));
    let mut before = written.clone();
    before["metadata"]["resourceVersion"] = "8".into();
    before["spec"]["config"] = "{}".into();
    assert!(known.note_definition(Event::Apply(object(&before))).is_empty());
    assert!(known.note_definition(Event::Delete(object(&before))).is_empty());
    assert!(known.plan(&key("rail1")).apply.is_none());
    list(&mut known, &[network], &[]);
    assert!(known.plan(&key("rail1")).apply.is_some());
}
