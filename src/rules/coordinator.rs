//! `SpiderCoordinator`, and the `coordinator` block of a network, which has the same fields.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{FieldError, Findings, Notice, Operation, shape};
use crate::api::{CoordinatorSpec, Route, keys};

/// Routing tables of the kernel itself: default, main and local (`include/uapi/linux/rtnetlink.h`).
const KERNEL_TABLES: std::ops::RangeInclusive<i64> = 253..=255;
/// `ETH_MAX_MTU`
const LARGEST_MTU: i64 = 65_535;

/// Brings a `SpiderCoordinator` into canonical form.
pub(super) fn normalise(object: &mut Value) -> Vec<Notice> {
    let mut notices = Vec::new();
    let terminating = super::terminating(object);
    strip_finalizer(object, &mut notices);
    // Whoever removes the last finalizer must not be refused for a spelling.
    if let Some(spec) = object.get_mut("spec").filter(|_| !terminating) {
        normalise_spec(spec, "spec", &mut notices);
    }
    notices
}

/// Nothing waits for a coordinator to go, so a finalizer that older versions left would block its deletion
/// for ever.
fn strip_finalizer(object: &mut Value, notices: &mut Vec<Notice>) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) else { return };
    let before = finalizers.len();
    finalizers.retain(|finalizer| finalizer != keys::FINALIZER);
    if finalizers.len() == before {
        return;
    }
    if finalizers.is_empty() {
        metadata.shift_remove("finalizers");
    }
    let message = format!("{} was removed: nothing waits for the deletion of a coordinator", keys::FINALIZER);
    notices.push(Notice::advice("metadata.finalizers", message));
}

/// Brings the fields below `path` into canonical form.
pub(super) fn normalise_spec(spec: &mut Value, path: &str, notices: &mut Vec<Notice>) {
    let Some(spec) = spec.as_object_mut() else { return };
    if spec.get("mode").is_some_and(|mode| mode == "disable") {
        spec.insert("mode".to_owned(), "disabled".into());
        notices.push(Notice::mended(format!("{path}.mode"), "disable is a deprecated spelling of disabled"));
    }
    for cidr in spec.get_mut("hijackCIDR").and_then(Value::as_array_mut).into_iter().flatten() {
        write_as_prefix(cidr);
    }
    let routes = spec.get_mut("policyRoutes").and_then(Value::as_array_mut).into_iter().flatten();
    for (index, route) in routes.enumerate() {
        let Some(route) = route.as_object_mut() else { continue };
        for (old, new) in [("to", "dst"), ("via", "gw")] {
            rename(route, &format!("{path}.policyRoutes[{index}]"), old, new, notices);
        }
        if let Some(destination) = route.get_mut("dst") {
            write_as_prefix(destination);
        }
    }
}

/// A bare address means that one host; plugins expect it as a prefix.
fn write_as_prefix(value: &mut Value) {
    if let Some(text) = value.as_str()
        && let Ok(address) = text.parse::<IpAddr>()
    {
        let length = if address.is_ipv4() { 32 } else { 128 };
        *value = format!("{text}/{length}").into();
    }
}

/// Gives a field its canonical name, unless that is taken by another value: then both stay, and validation
/// names them.
pub(super) fn rename(
    fields: &mut Map<String, Value>,
    path: &str,
    old: &str,
    new: &str,
    notices: &mut Vec<Notice>,
) {
    let Some(value) = fields.get(old).filter(|value| !value.is_null()).cloned() else { return };
    match fields.get(new) {
        Some(taken) if !taken.is_null() && *taken != value => return,
        _ => fields.insert(new.to_owned(), value),
    };
    fields.shift_remove(old);
    let message = format!("deprecated spelling of {path}.{new}");
    notices.push(Notice::mended(format!("{path}.{old}"), message));
}

/// Every error of a `SpiderCoordinator`.
pub(super) fn validate(operation: Operation, object: &Value) -> Findings {
    let mut findings = Findings::default();
    if operation == Operation::Delete || super::terminating(object) {
        return findings;
    }
    match shape::spec::<CoordinatorSpec>(object) {
        Ok(spec) => {
            if spec.pod_cidr_type.is_none() {
                let detail = "use one of auto, cluster, calico, cilium, none";
                findings.errors.push(FieldError::required("spec.podCIDRType", detail));
            }
            validate_spec(&spec, "spec", &mut findings.errors);
        }
        Err(error) => findings.errors.push(error),
    }
    findings
}

/// Every error of the fields below `path`, beyond what the schema lists as their choices.
pub(super) fn validate_spec(spec: &CoordinatorSpec, path: &str, errors: &mut Vec<FieldError>) {
    if spec.mode.as_deref() == Some("disable") {
        let field = format!("{path}.mode");
        errors.push(FieldError::invalid(field, "disable", "deprecated spelling of disabled; write that"));
    }
    for (index, cidr) in spec.hijack_cidr.iter().flatten().enumerate() {
        if prefix(cidr).is_none() {
            let field = format!("{path}.hijackCIDR[{index}]");
            errors.push(FieldError::invalid(field, cidr, "must be an address or a prefix, as 10.0.0.0/8"));
        }
    }
    for (index, route) in spec.policy_routes.iter().flatten().enumerate() {
        validate_route(route, &format!("{path}.policyRoutes[{index}]"), errors);
    }
    mac_prefix(spec.pod_mac_prefix.as_deref(), &format!("{path}.podMACPrefix"), errors);
    numbers(spec, path, errors);
    if let Some(address) = spec.veth_link_address.as_deref()
        && !address.is_empty()
        && address.parse::<IpAddr>().is_err()
    {
        let detail = "must be an address without prefix length, as 169.254.100.1";
        errors.push(FieldError::invalid(format!("{path}.vethLinkAddress"), address, detail));
    }
}

fn numbers(spec: &CoordinatorSpec, path: &str, errors: &mut Vec<FieldError>) {
    let mut refuse = |field: &str, value: Option<i64>, fits: fn(i64) -> bool, detail: &str| {
        if let Some(value) = value
            && !fits(value)
        {
            errors.push(FieldError::invalid(format!("{path}.{field}"), value, detail));
        }
    };
    refuse(
        "hostRuleTable",
        spec.host_rule_table,
        |table| (1..=i64::from(u32::MAX)).contains(&table) && !KERNEL_TABLES.contains(&table),
        "must be a routing table from 1 to 4294967295, without the kernel's own 253, 254 and 255",
    );
    refuse(
        "podRPFilter",
        spec.pod_rp_filter,
        |value| value <= 2,
        "must be 0, 1 or 2, or negative to leave it as it is",
    );
    refuse(
        "txQueueLen",
        spec.tx_queue_len,
        |length| length >= 0,
        "must not be negative; 0 leaves it as it is",
    );
    refuse("vethMTU", spec.veth_mtu, |mtu| (1..=LARGEST_MTU).contains(&mtu), "must be between 1 and 65535");
}

fn validate_route(route: &Route, path: &str, errors: &mut Vec<FieldError>) {
    for (old, value, new) in [("to", &route.to, "dst"), ("via", &route.via, "gw")] {
        if let Some(value) = value {
            let detail = format!("deprecated spelling of {path}.{new}, which has another value; keep one");
            errors.push(FieldError::invalid(format!("{path}.{old}"), value, detail));
        }
    }
    let destination = route.dst.as_deref().map(|text| (text, prefix(text)));
    let gateway = route.gw.as_deref().map(|text| (text, text.parse::<IpAddr>().ok()));
    match &destination {
        None => errors.push(FieldError::required(format!("{path}.dst"), "the destination, as 10.0.0.0/8")),
        Some((text, None)) => {
            let detail = "must be an address or a prefix, as 10.0.0.0/8";
            errors.push(FieldError::invalid(format!("{path}.dst"), text, detail));
        }
        Some(_) => {}
    }
    match &gateway {
        None => errors.push(FieldError::required(format!("{path}.gw"), "the address of the gateway")),
        Some((text, None)) => {
            errors.push(FieldError::invalid(format!("{path}.gw"), text, "must be an address"));
        }
        Some(_) => {}
    }
    if let (Some((dst, Some(prefix))), Some((gw, Some(address)))) = (destination, gateway)
        && prefix.addr().is_ipv4() != address.is_ipv4()
    {
        let detail = "destination and gateway must be of the same address family";
        errors.push(FieldError::invalid(path, format!("{dst} via {gw}"), detail));
    }
}

/// An address, or an address with a prefix length; bits behind the prefix are allowed.
fn prefix(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn mac_prefix(value: Option<&str>, field: &str, errors: &mut Vec<FieldError>) {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return };
    let hex = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u8::from_str_radix(part, 16).ok()).flatten()
    };
    match value.split_once(':').map(|(first, second)| (hex(first), hex(second))) {
        Some((Some(first), Some(_))) if first & 1 == 0 => {}
        Some((Some(_), Some(_))) => {
            let detail = "the lowest bit of the first byte must be 0: otherwise it is a multicast address";
            errors.push(FieldError::invalid(field, value, detail));
        }
        _ => {
            let detail = "must be the first two bytes of a MAC address in hexadecimal, as 0a:1b";
            errors.push(FieldError::invalid(field, value, detail));
        }
    }
}

#[cfg(test)]
mod tests;
