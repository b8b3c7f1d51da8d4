//! `SpiderReservedIP`.

use serde_json::Value;

use super::addresses::{self, Written, frozen};
use super::{Context, Findings, Notice, Operation, metadata, shape, spelling, terminating};
use crate::api::SpiderReservedIPSpec;
use crate::net::{Range, RangeError};

/// Brings reserved ranges into canonical form. Their family is that of the first range.
pub(super) fn normalise(object: &mut Value) -> Vec<Notice> {
    let mut notices = Vec::new();
    if terminating(object) {
        return notices;
    }
    let Some(spec) = metadata::map_mut(object, "spec") else { return notices };
    let first = spec.get("ips").and_then(|ips| ips.get(0)).and_then(Value::as_str).unwrap_or_default();
    let family = match first.parse::<Range>() {
        Ok(range) | Err(RangeError::Reversed(range)) => Some(range.family()),
        Err(_) => None,
    };
    spelling::ip_version(spec, family, &mut notices);
    spelling::ranges(spec, None, &mut notices);
    notices
}

/// Every error of reserved ranges. Deleting them is always allowed.
pub(super) fn validate(
    operation: Operation,
    object: &Value,
    old: Option<&Value>,
    context: &Context<'_>,
) -> Findings {
    let mut findings = Findings::default();
    if operation == Operation::Delete {
        return findings;
    }
    let spec: SpiderReservedIPSpec = match shape::spec(object) {
        Ok(spec) => spec,
        Err(error) => {
            findings.errors.push(error);
            return findings;
        }
    };
    let stored: Option<SpiderReservedIPSpec> = old.and_then(|old| shape::spec(old).ok());
    if terminating(object) {
        if stored.is_some_and(|stored| stored != spec) {
            findings.errors.push(frozen());
        }
        return findings;
    }
    let (written, before) = (Written::from(&spec), stored.as_ref().map(Written::from));
    if let Some(before) = &before {
        addresses::immutable(&written, before, &mut findings.errors);
        if written.unchanged(before) {
            return findings;
        }
    }
    let family = addresses::family(&written, &mut findings.errors);
    if let (Some(family), None) = (family, old) {
        addresses::enabled(family, context, &mut findings.errors);
    }
    addresses::read_ranges(&written, family, &mut findings.errors);
    findings
}

#[cfg(test)]
mod tests;
