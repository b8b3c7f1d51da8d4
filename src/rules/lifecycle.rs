use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Context, FieldError, Findings, Operation, shape, terminating};

/// The rules of a kind at each turn of an object's life.
pub(super) struct Lifecycle<S> {
    /// Whether the stored object may go.
    pub(super) delete: fn(&Value, &Context<'_>) -> Option<FieldError>,
    /// What a new object must be.
    pub(super) create: fn(&Version<'_, S>, &Context<'_>, &mut Findings),
    /// What the next version must be, and the stored one.
    pub(super) update: fn(&Version<'_, S>, &Version<'_, S>, &Context<'_>, &mut Findings),
}

/// One version of an object: the whole manifest, and its `spec` as read.
#[derive(Debug)]
pub(super) struct Version<'a, S> {
    pub(super) object: &'a Value,
    pub(super) spec: &'a S,
}

impl<S: DeserializeOwned + Default + PartialEq> Lifecycle<S> {
    /// Every error of an object. What is being deleted may still lose its finalizer, whatever it says.
    pub(super) fn validate(
        &self,
        operation: Operation,
        object: &Value,
        old: Option<&Value>,
        context: &Context<'_>,
    ) -> Findings {
        let mut findings = Findings::default();
        if operation == Operation::Delete {
            findings.errors.extend((self.delete)(object, context));
            return findings;
        }
        let spec: S = match shape::spec(object) {
            Ok(spec) => spec,
            Err(error) => {
                findings.errors.push(error);
                return findings;
            }
        };
        // What is stored may be older than the schema; then nothing counts as unchanged.
        let stored: Option<S> = old.and_then(|old| shape::spec(old).ok());
        let new = Version { object, spec: &spec };
        match old {
            _ if terminating(object) => {
                findings.errors.extend(stored.filter(|stored| *stored != spec).map(|_| frozen()));
            }
            None => (self.create)(&new, context, &mut findings),
            Some(old) => {
                let stored = Version { object: old, spec: &stored.unwrap_or_default() };
                (self.update)(&new, &stored, context, &mut findings);
            }
        }
        findings
    }
}

/// An object that is being deleted may lose its finalizer and change its labels, but not its spec.
fn frozen() -> FieldError {
    let detail =
        "the object is being deleted, so its spec can no longer change; create it anew when it is gone";
    FieldError::forbidden("spec", detail)
}
