//! `SpiderSubnet`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::addresses::{self, Addresses, Written};
use super::lifecycle::{self, Lifecycle};
use super::listing::few;
use super::peers::IndexedSubnet;
use super::{Context, FieldError, Findings, Notice, in_use, metadata, spelling, terminating};
use crate::api::{Kind, SpiderSubnetSpec, keys};
use crate::net::{RangeSet, Subnet};

/// Brings a subnet into canonical form.
pub(super) fn normalise(object: &mut Value, old: Option<&Value>, _: &Context<'_>) -> Vec<Notice> {
    let mut notices = Vec::new();
    if terminating(object) {
        return notices;
    }
    metadata::add_finalizer(object);
    let Some(spec) = metadata::map_mut(object, "spec") else { return notices };
    if let Some(subnet) = spelling::addresses(spec, old, &mut notices) {
        metadata::set_label(object, keys::SUBNET_CIDR, &keys::cidr_label(&subnet.to_string()));
    }
    notices
}

/// The rules of a subnet.
pub(super) const LIFECYCLE: Lifecycle<SpiderSubnetSpec> =
    Lifecycle { delete: |subnet, context| in_use::delete(subnet, "pools", context), create, update };

type Version<'a> = lifecycle::Version<'a, SpiderSubnetSpec>;

fn create(new: &Version<'_>, context: &Context<'_>, findings: &mut Findings) {
    let written = Written::from(new.spec);
    let family = addresses::family(&written, &mut findings.errors);
    if let Some(family) = family {
        addresses::enabled(family, context, &mut findings.errors);
    }
    let read = addresses::read(&written, family, true, findings);
    addresses::gateway(&written, &read, &mut findings.errors);
    addresses::routes(&written, &read, &mut findings.errors);
    let Some(subnet) = read.subnet else { return };
    findings.errors.extend(overlapping_subnets(metadata::name(new.object), subnet, context));
    findings.errors.extend(foreign_pools(subnet, context));
    if let Some(effective) = &read.effective {
        let pools = context.peers.pools_of(subnet);
        let needed = pools.map(|pool| (pool.facts.name.clone(), pool.effective.clone())).collect();
        findings.errors.extend(missing(&needed, effective));
    }
}

fn update(new: &Version<'_>, stored: &Version<'_>, context: &Context<'_>, findings: &mut Findings) {
    let (written, before) = (Written::from(new.spec), Written::from(stored.spec));
    addresses::immutable(&written, &before, &mut findings.errors);
    if written.unchanged(&before) {
        return;
    }
    let family = addresses::family(&written, &mut findings.errors);
    let read = addresses::read(&written, family, false, findings);
    addresses::gateway(&written, &read, &mut findings.errors);
    addresses::routes(&written, &read, &mut findings.errors);
    let before = || addresses::read(&before, None, false, &mut Findings::default()).effective;
    findings.errors.extend(dropped(new.object, stored.object, before, &read, context));
}

/// No two subnets share an address; not even two with the same subnet, or a pool would have two owners.
fn overlapping_subnets(name: &str, subnet: Subnet, context: &Context<'_>) -> Vec<FieldError> {
    let others = context.peers.subnets_over(subnet).filter(|other| other.facts.name != name);
    let error = |other: &IndexedSubnet| {
        let common = other.subnet.intersect(subnet)?;
        let detail = format!(
            "overlaps subnet {} of SpiderSubnet {} in {}; choose one that does not",
            other.subnet,
            other.facts.name,
            common.range()
        );
        Some(FieldError::invalid("spec.subnet", subnet, detail))
    };
    others.filter_map(error).collect()
}

/// Pools in the subnet's addresses have exactly its subnet, so that it can control them.
fn foreign_pools(subnet: Subnet, context: &Context<'_>) -> Vec<FieldError> {
    let error = |(theirs, names): (Subnet, Vec<&str>)| {
        let common = theirs.intersect(subnet)?;
        let detail = format!(
            "overlaps subnet {theirs} of SpiderIPPool {} in {}; give both the same subnet",
            few(names),
            common.range()
        );
        Some(FieldError::invalid("spec.subnet", subnet, detail))
    };
    context.peers.pools_over(subnet).into_iter().filter_map(error).collect()
}

/// What pools have and a new subnet lacks.
fn missing(pools: &BTreeMap<String, RangeSet>, effective: &RangeSet) -> Option<FieldError> {
    let lacking = lacking(pools, effective);
    (!lacking.is_empty()).then(|| {
        let detail = format!("lacks addresses that pools have: {}; add them", few(lacking));
        FieldError::invalid("spec.ips", effective, detail)
    })
}

/// What pools have and a stored subnet would lose.
fn dropped(
    object: &Value,
    old: &Value,
    before: impl FnOnce() -> Option<RangeSet>,
    read: &Addresses,
    context: &Context<'_>,
) -> Option<FieldError> {
    let (subnet, after) = (read.subnet?, read.effective.as_ref()?);
    let pools = held(metadata::name(object), old, subnet, context);
    if pools.as_ref().is_ok_and(|pools| lacking(pools, after).is_empty()) {
        return None;
    }
    let before = before();
    if before.as_ref().is_some_and(|before| after.includes(before)) {
        return None;
    }
    let mut pools = match pools {
        Ok(pools) => pools,
        Err(reason) => return Some(in_use::unreadable(old, Kind::Subnet, "controlledIPPools", &reason)),
    };
    for ranges in pools.values_mut() {
        // Only what this update takes away; what was missing before is not its fault.
        if let Some(before) = &before {
            *ranges = ranges.intersect(before);
        }
    }
    let lacking = lacking(&pools, after);
    (!lacking.is_empty()).then(|| {
        let detail = format!(
            "takes away addresses that pools have: {}; shrink or delete those pools first",
            few(lacking)
        );
        FieldError::forbidden("spec.ips", detail)
    })
}

/// What the pools of a subnet have: as its status records it, and as they say themselves, for the status may lag
/// behind, or be written by nobody.
fn held(
    name: &str,
    old: &Value,
    subnet: Subnet,
    context: &Context<'_>,
) -> Result<BTreeMap<String, RangeSet>, String> {
    let recorded = in_use::controlled(old["status"]["controlledIPPools"].as_str().unwrap_or("{}"))?;
    let recorded = recorded.into_iter().filter_map(|(name, pool)| Some((name, pool.ranges()?)));
    let mut pools: BTreeMap<String, RangeSet> = recorded.collect();
    let controlled =
        context.peers.pools_of(subnet).filter(|pool| pool.facts.controller.as_deref() == Some(name));
    for pool in controlled {
        let known = pools.entry(pool.facts.name.clone()).or_default();
        *known = known.union(&pool.effective);
    }
    Ok(pools)
}

fn lacking(pools: &BTreeMap<String, RangeSet>, effective: &RangeSet) -> Vec<String> {
    let lacks = pools.iter().map(|(name, ranges)| (name, ranges.subtract(effective)));
    let lacks = lacks.filter(|(_, ranges)| !ranges.is_empty());
    lacks.map(|(name, ranges)| format!("{} (SpiderIPPool {name})", ranges.summary())).collect()
}

#[cfg(test)]
mod tests;
