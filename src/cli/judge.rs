//! Decides on a pod exactly as the server does: the same view, decision and patch, on the same JSON.

use json_patch::Patch;
use serde_json::Value;

use super::failure::Failure;
use crate::catalog::Catalog;
use crate::inject::{Decision, Outcome, PodRequest, PodView, Trace, decide, patch};

/// A decision, and what it changes.
#[derive(Debug)]
pub(super) struct Judgement<'c> {
    /// The decision.
    pub(super) outcome: Outcome<'c>,
    /// What changes about the pod; none when nothing does.
    pub(super) patch: Option<Patch>,
}

/// Decides on a pod. `place` names it in errors.
pub(super) fn judge<'c>(
    pod: &Value,
    namespace: &str,
    catalog: &'c Catalog,
    trace: &mut impl Trace,
    place: impl FnOnce() -> String,
) -> Result<Judgement<'c>, Failure> {
    let text = pod.to_string();
    let view: PodView<'_> = match serde_json::from_str(&text) {
        Ok(view) => view,
        Err(source) => return Err(Failure::Pod { place: place(), source }),
    };
    let request = PodRequest { namespace, pod: view };
    let outcome = decide(&request, catalog, trace);
    let bytes = match &outcome.decision {
        Decision::Inject(plan) => patch(plan, &request.pod),
        Decision::Skip(_) | Decision::Deny(_) => None,
    };
    let patch = bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose()?;
    Ok(Judgement { outcome, patch })
}

/// Applies a patch made for the pod of a template to the pod or template itself.
pub(super) fn apply(patch: &Patch, target: &mut Value) -> Result<(), Failure> {
    if let Some(fields) = target.as_object_mut()
        && !fields.get("metadata").is_some_and(Value::is_object)
    {
        // A pod always has metadata, a template need not.
        fields.shift_insert(0, "metadata".to_owned(), Value::Object(serde_json::Map::new()));
    }
    Ok(json_patch::patch(target, patch)?)
}
