//! The inject keys of a network: which groups it joins, and whether it has what they need.

use serde_json::Value;

use super::Network;
use crate::api::keys;
use crate::rules::finding::{annotation, label};
use crate::rules::{FieldError, Findings, MembershipProblem, Mode, Notice, membership_problem};

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

pub(super) fn check(network: &Network<'_>, findings: &mut Findings) {
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
