//! The inject keys of a network: which groups it joins, and whether it has what they need.

use serde_json::Value;

use super::Network;
use crate::api::{CniType, keys};
use crate::rules::finding::{annotation, label};
use crate::rules::{
    Context, FieldError, Findings, MembershipProblem, Mode, Notice, membership_problem, split_groups,
};

/// Older versions copied the annotation to a label, and left the label behind when the annotation went.
pub(super) fn drop_mirrored_labels(object: &mut Value, old: &Value, notices: &mut Vec<Notice>) {
    for key in Mode::ALL.map(Mode::key) {
        let Some(value) = value_of(old, "annotations", key) else { continue };
        let mirrored = |object| value_of(object, "labels", key) == Some(value);
        if value_of(object, "annotations", key).is_some() || !mirrored(old) || !mirrored(object) {
            continue;
        }
        if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.shift_remove(key);
            let message = "was removed together with the annotation of the same name, whose copy it was";
            notices.push(Notice::advice(label(key), message));
        }
    }
}

fn value_of<'a>(object: &'a Value, map: &str, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get(map)?.get(key)?.as_str()
}

pub(super) fn check(network: &Network<'_>, context: &Context<'_>, findings: &mut Findings) {
    for mode in Mode::ALL {
        let key = mode.key();
        let annotated = value_of(network.object, "annotations", key);
        let labelled = value_of(network.object, "labels", key);
        let (field, value) = match (annotated, labelled) {
            (Some(value), _) => (annotation(key), value),
            (None, Some(value)) => (label(key), value),
            (None, None) => continue,
        };
        if let (Some(value), Some(other)) = (annotated, labelled)
            && value != other
        {
            let message = format!("is not looked at, because the annotation of the same name says {value:?}");
            findings.notices.push(Notice::advice(label(key), message));
        }
        names(&field, value, &mut findings.errors);
        if let Some(problem) = membership_problem(&network.spec, mode) {
            membership(&field, key, &problem, &mut findings.errors);
        }
        shared_resource(network, mode, value, context, &mut findings.notices);
    }
}

fn names(field: &str, value: &str, errors: &mut Vec<FieldError>) {
    for name in value.split(',').map(str::trim) {
        let detail = if name.is_empty() {
            "must be the name of a group, or several separated by commas; to leave all groups, remove the key"
                .to_owned()
        } else if keys::OPT_OUT.contains(&name) {
            format!("{name:?} is what pods write to opt out; to leave all groups, remove the key")
        } else {
            continue;
        };
        errors.push(FieldError::invalid(field, value, detail));
        return;
    }
}

fn membership(field: &str, key: &str, problem: &MembershipProblem, errors: &mut Vec<FieldError>) {
    let missing = match problem {
        MembershipProblem::CniType(kind) => {
            let detail = format!("networks of cniType {kind} cannot be members of a group; remove the key");
            errors.push(FieldError::forbidden(field, detail));
            return;
        }
        MembershipProblem::NoResource(missing) | MembershipProblem::NoPools(missing) => missing,
    };
    // What makes the whole block unreadable has been said already.
    if !errors.iter().any(|error| missing.starts_with(&error.field)) {
        let detail = format!("{key} makes the network a member of a group, whose pods need it");
        errors.push(FieldError::required(missing, detail));
    }
}

/// Two networks of one group that take their VFs from one resource give a pod two VFs of one rail.
fn shared_resource(
    network: &Network<'_>,
    mode: Mode,
    value: &str,
    context: &Context<'_>,
    notices: &mut Vec<Notice>,
) {
    let Some(resource) = network.spec.resource() else { return };
    if !matches!(network.kind, CniType::Sriov | CniType::IbSriov) {
        return;
    }
    let own = |field: &str| network.object.pointer(field).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (own("/metadata/namespace"), own("/metadata/name"));
    let groups: Vec<&str> = split_groups(value).collect();
    let joins = |other: &(Mode, String)| other.0 == mode && groups.contains(&other.1.as_str());
    let other = context.peers.networks_using(resource).find(|other| {
        (other.namespace.as_str(), other.name.as_str()) != (namespace, name) && other.groups.iter().any(joins)
    });
    if let Some(other) = other {
        let block = network.kind.block().unwrap_or_default();
        let message = format!(
            "network {}/{} of the same group uses {resource}, too, so pods get two VFs of one rail; give each \
             rail a resource of its own",
            other.namespace, other.name
        );
        notices.push(Notice::advice(format!("spec.{block}.resourceName"), message));
    }
}
