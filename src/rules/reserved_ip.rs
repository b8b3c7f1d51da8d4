//! `SpiderReservedIP`.

use serde_json::Value;

use super::addresses::{self, Written};
use super::lifecycle::{self, Lifecycle};
use super::{Context, Findings, Notice, metadata, spelling, terminating};
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

/// The rules of reserved ranges. Deleting them is always allowed.
pub(super) const LIFECYCLE: Lifecycle<SpiderReservedIPSpec> =
    Lifecycle { delete: |_, _| None, create, update };

type Version<'a> = lifecycle::Version<'a, SpiderReservedIPSpec>;

fn create(new: &Version<'_>, context: &Context<'_>, findings: &mut Findings) {
    let written = Written::from(new.spec);
    let family = addresses::family(&written, &mut findings.errors);
    if let Some(family) = family {
        addresses::enabled(family, context, &mut findings.errors);
    }
    addresses::read_ranges(&written, family, &mut findings.errors);
}

fn update(new: &Version<'_>, stored: &Version<'_>, _: &Context<'_>, findings: &mut Findings) {
    let (written, before) = (Written::from(new.spec), Written::from(stored.spec));
    addresses::immutable(&written, &before, &mut findings.errors);
    if !written.unchanged(&before) {
        let family = addresses::family(&written, &mut findings.errors);
        addresses::read_ranges(&written, family, &mut findings.errors);
    }
}

#[cfg(test)]
mod tests;
