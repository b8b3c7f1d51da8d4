//! `SpiderIPPool`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::addresses::{self, Addresses, Written};
use super::lifecycle::{self, Lifecycle};
use super::listing::few;
use super::{
    Context, FieldError, Findings, Notice, in_use, metadata, ownership, selector, spelling, terminating,
};
use crate::api::{SpiderIPPoolSpec, keys};
use crate::net::{RangeSet, Subnet};

/// Brings a pool into canonical form, and gives it to the subnet it belongs to.
pub(super) fn normalise(object: &mut Value, old: Option<&Value>, context: &Context<'_>) -> Vec<Notice> {
    let mut notices = Vec::new();
    if terminating(object) {
        return notices;
    }
    metadata::add_finalizer(object);
    let Some(spec) = metadata::map_mut(object, "spec") else { return notices };
    let subnet = spelling::addresses(spec, old, &mut notices);
    if let Some(subnet) = subnet {
        metadata::set_label(object, keys::POOL_CIDR, &keys::cidr_label(&subnet.to_string()));
        ownership::adopt(object, subnet, context, &mut notices);
    }
    notices
}

/// The rules of a pool.
pub(super) const LIFECYCLE: Lifecycle<SpiderIPPoolSpec> =
    Lifecycle { delete: |pool, context| in_use::delete(pool, "pods", context), create, update };

type Version<'a> = lifecycle::Version<'a, SpiderIPPoolSpec>;

fn create(pool: &Version<'_>, context: &Context<'_>, findings: &mut Findings) {
    let written = Written::from(pool.spec);
    let family = addresses::family(&written, &mut findings.errors);
    if let Some(family) = family {
        addresses::enabled(family, context, &mut findings.errors);
    }
    let read = addresses::read(&written, family, true, findings);
    if let Some(subnet) = read.subnet {
        findings.errors.extend(foreign_subnets(metadata::name(pool.object), subnet, context));
    }
    check_addresses(pool.object, &written, &read, context, findings);
    for (selector, name) in selectors(pool.spec) {
        affinity(pool.object, selector, name, findings);
    }
}

fn update(pool: &Version<'_>, stored: &Version<'_>, context: &Context<'_>, findings: &mut Findings) {
    let (written, before) = (Written::from(pool.spec), Written::from(stored.spec));
    addresses::immutable(&written, &before, &mut findings.errors);
    if !written.unchanged(&before) {
        let family = addresses::family(&written, &mut findings.errors);
        let read = addresses::read(&written, family, false, findings);
        check_addresses(pool.object, &written, &read, context, findings);
        if let Some(effective) = &read.effective {
            let before = || addresses::read(&before, None, false, &mut Findings::default()).effective;
            let dropped = in_use::dropped_addresses(stored.object, before, effective, &read.offered);
            findings.errors.extend(dropped);
        }
    }
    let before: BTreeMap<_, _> = selectors(stored.spec).map(|(selector, name)| (name, selector)).collect();
    for (selector, name) in selectors(pool.spec).filter(|(selector, name)| before.get(name) != Some(selector))
    {
        affinity(pool.object, selector, name, findings);
    }
}

/// The rules of address fields that hold on create and update.
fn check_addresses(
    object: &Value,
    written: &Written<'_>,
    read: &Addresses,
    context: &Context<'_>,
    findings: &mut Findings,
) {
    addresses::gateway(written, read, &mut findings.errors);
    addresses::routes(written, read, &mut findings.errors);
    findings.errors.extend(shared_addresses(metadata::name(object), read, context));
    ownership::check(object, read, context, findings);
}

/// Pools whose subnets overlap must have the same subnet.
fn foreign_subnets(name: &str, subnet: Subnet, context: &Context<'_>) -> Vec<FieldError> {
    let error = |(theirs, names): (Subnet, Vec<&str>)| {
        let others: Vec<&str> = names.into_iter().filter(|other| *other != name).collect();
        let common = theirs.intersect(subnet).filter(|_| !others.is_empty())?;
        let detail = format!(
            "overlaps subnet {theirs} of SpiderIPPool {} in {}; use the same subnet with other ips, \
             or one that does not overlap",
            few(others),
            common.range()
        );
        Some(FieldError::invalid("spec.subnet", subnet, detail))
    };
    context.peers.pools_over(subnet).into_iter().filter_map(error).collect()
}

/// No two pools hand out the same address.
fn shared_addresses(name: &str, read: &Addresses, context: &Context<'_>) -> Vec<FieldError> {
    let (Some(subnet), Some(effective)) = (read.subnet, &read.effective) else { return Vec::new() };
    let holders = context.peers.holders(subnet, effective);
    let others = holders.into_iter().filter(|(holder, _)| *holder != name);
    let error = |(holder, common): (&str, RangeSet)| {
        let detail = format!(
            "{} already belong to SpiderIPPool {holder}; leave them out, or add them to spec.excludeIPs",
            common.summary()
        );
        FieldError::forbidden("spec.ips", detail)
    };
    others.map(error).collect()
}

fn selectors(spec: &SpiderIPPoolSpec) -> impl Iterator<Item = (&LabelSelector, &'static str)> {
    let all = [
        (&spec.pod_affinity, "podAffinity"),
        (&spec.namespace_affinity, "namespaceAffinity"),
        (&spec.node_affinity, "nodeAffinity"),
    ];
    all.into_iter().filter_map(|(selector, name)| Some((selector.as_ref()?, name)))
}

fn affinity(object: &Value, selector: &LabelSelector, name: &str, findings: &mut Findings) {
    let path = format!("spec.{name}");
    let of_application = metadata::label(object, keys::OWNER_APPLICATION_NAME).is_some();
    if name == "podAffinity" && of_application {
        findings.errors.extend(application_affinity(selector, &path));
        return;
    }
    findings.errors.extend(selector::check(selector, &path));
    if name == "podAffinity" && selector::is_empty(selector) {
        let detail = "selects nothing; add matchLabels or matchExpressions, or remove it so that every pod may use the pool";
        findings.errors.push(FieldError::invalid(path, "{}", detail));
    }
}

/// The pods of an application's own pool are selected by the application, and by nothing else.
fn application_affinity(selector: &LabelSelector, path: &str) -> Vec<FieldError> {
    let detail = format!(
        "the pool belongs to one application; its affinity may only name {}",
        keys::APPLICATION_AFFINITY_KEYS.join(", ")
    );
    let labels = selector.match_labels.iter().flatten().map(|(key, _)| key);
    let foreign = labels.filter(|key| !keys::APPLICATION_AFFINITY_KEYS.contains(&key.as_str()));
    let labels = foreign.map(|key| FieldError::invalid(format!("{path}.matchLabels[{key}]"), key, &detail));
    let expressions = selector.match_expressions.iter().flatten().enumerate();
    let expressions = expressions.map(|(index, expression)| {
        FieldError::invalid(format!("{path}.matchExpressions[{index}]"), &expression.key, &detail)
    });
    labels.chain(expressions).collect()
}

#[cfg(test)]
mod tests;
