//! `SpiderMultusConfig`: one network. [`normalise`] moves the guide's older spellings, [`validate`] asks each
//! file of this folder in turn; nothing is refused here that only another object could make wrong, except a
//! `NetworkAttachmentDefinition` that belongs to another network.
//!
//! No defaults are written into objects: a value that the user did not write would outlive the next
//! `kubectl apply` and contradict it.

mod aliases;
mod blocks;
mod fields;
mod groups;
mod identity;
mod pkey;
mod plugins;
mod pools;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{Context, FieldError, Findings, Notice, Operation, coordinator, shape, terminating};
use crate::api::{CniType, SpiderMultusConfigSpec};

/// What the rules of this folder look at.
struct Network<'a> {
    /// The whole manifest, its values of the right types.
    object: &'a Value,
    /// `spec`
    spec: SpiderMultusConfigSpec,
    kind: CniType,
}

impl Network<'_> {
    /// A value below `spec`, by its dotted path; an absent one is null.
    fn raw(&self, path: &str) -> &Value {
        let spec = self.object.get("spec").unwrap_or(&Value::Null);
        aliases::value_at(spec, path).unwrap_or(&Value::Null)
    }

    /// The block of the network's type, if that is there.
    fn block(&self) -> Option<&'static str> {
        self.kind.block().filter(|block| self.raw(block).is_object())
    }
}

/// Brings a `SpiderMultusConfig` into canonical form.
pub(super) fn normalise(object: &mut Value, old: Option<&Value>) -> Vec<Notice> {
    let mut notices = Vec::new();
    if terminating(object) {
        return notices;
    }
    if let Some(old) = old {
        groups::drop_mirrored_labels(object, old, &mut notices);
    }
    let Some(spec) = object.get_mut("spec") else { return notices };
    aliases::normalise(spec, &mut notices);
    pkey::normalise(spec, &mut notices);
    drop_unused_vlan(spec, &mut notices);
    blocks::drop_leftovers(spec, &mut notices);
    if let Some(coordinator) = spec.get_mut("coordinator") {
        coordinator::normalise_spec(coordinator, "spec.coordinator", &mut notices);
    }
    notices
}

/// Older versions stored `vlanID: 0` without being asked; in mode `auto` it would be refused.
fn drop_unused_vlan(spec: &mut Value, notices: &mut Vec<Notice>) {
    let Some(vlan) = spec.get_mut("vlan").and_then(Value::as_object_mut) else { return };
    if vlan.get("vlanMode").is_some_and(|mode| mode == "auto") && vlan.get("vlanID").is_some_and(|id| id == 0)
    {
        vlan.shift_remove("vlanID");
        notices.push(Notice::advice("spec.vlan.vlanID", "0 was removed: vlanMode auto takes no vlanID"));
    }
}

/// Every error of a `SpiderMultusConfig`.
pub(super) fn validate(
    operation: Operation,
    object: &Value,
    old: Option<&Value>,
    context: &Context<'_>,
) -> Findings {
    if operation == Operation::Delete || terminating(object) {
        return Findings::default();
    }
    let mut findings = check(object, context);
    if let Some(old) = old.filter(|_| operation == Operation::Update) {
        if unchanged(object, old) {
            tolerate(&mut findings);
        }
        identity::keeps_name(object, old, &mut findings.notices);
    }
    findings
}

fn check(object: &Value, context: &Context<'_>) -> Findings {
    let mut findings = Findings::default();
    let spec: SpiderMultusConfigSpec = match shape::spec(object) {
        Ok(spec) => spec,
        Err(error) => {
            findings.errors.push(error);
            return findings;
        }
    };
    let network = Network { object, kind: spec.cni_type(), spec };
    identity::check(&network, context, &mut findings);
    blocks::check(&network, &mut findings.errors);
    aliases::check(&network, &mut findings.errors);
    fields::check(&network, &mut findings);
    pools::check(&network, context, &mut findings);
    plugins::check(&network, &mut findings);
    groups::check(&network, context, &mut findings);
    if let Some(spec) = &network.spec.coordinator
        && network.kind != CniType::Custom
    {
        coordinator::validate_spec(spec, "spec.coordinator", &mut findings.errors);
    }
    findings
}

/// Whether an update leaves alone everything that the rules look at.
fn unchanged(object: &Value, old: &Value) -> bool {
    let mut old = old.clone();
    normalise(&mut old, None);
    let same = |path| object.pointer(path) == old.pointer(path);
    same("/spec") && same("/metadata/annotations") && same("/metadata/labels")
}

/// What was stored before a rule came must still take labels of others, finalizers and the like.
fn tolerate(findings: &mut Findings) {
    for error in findings.errors.drain(..) {
        let message = format!("{} (tolerated: it was stored like this)", error.message());
        findings.notices.push(Notice::advice(error.field, message));
    }
}

/// Adds an error for a value, if it has a problem.
fn refuse(errors: &mut Vec<FieldError>, field: String, value: &str, problem: Option<&'static str>) {
    if let Some(problem) = problem {
        errors.push(FieldError::invalid(field, value, problem));
    }
}
