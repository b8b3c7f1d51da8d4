//! Older spellings and places of fields, as the guide writes them.

use serde_json::{Map, Value};

use super::Network;
use crate::api::CniType;
use crate::rules::{FieldError, Notice};

/// Fields that got another name or place within their block: deprecated, canonical.
const WITHIN_BLOCKS: [(&str, &str); 4] = [
    ("sriov.enableRdma", "sriov.rdmaIsolation"),
    ("sriov.matchMasterSubnet", "sriov.ippools.matchMasterSubnet"),
    ("ibsriov.enableRdma", "ibsriov.rdmaIsolation"),
    ("ibsriov.ibKubernetesEnabled", "ibsriov.enableIbKubernetes"),
];

/// Fields that belong into the block of the `cniType`: deprecated, canonical within the block.
const BESIDE_BLOCKS: [(&str, &str); 4] = [
    ("ippools.ipv4", "ippools.ipv4"),
    ("ippools.ipv6", "ippools.ipv6"),
    ("ippools.matchMasterSubnet", "ippools.matchMasterSubnet"),
    ("matchMasterSubnet", "ippools.matchMasterSubnet"),
];

/// Deprecated and canonical paths below `spec` for networks with a certain block.
fn table(block: Option<&str>) -> Vec<(String, String)> {
    let within = WITHIN_BLOCKS.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned()));
    let beside = block.into_iter().flat_map(|block| {
        BESIDE_BLOCKS.iter().map(move |(old, new)| ((*old).to_owned(), format!("{block}.{new}")))
    });
    within.chain(beside).collect()
}

/// Moves what has a canonical place that is free.
pub(super) fn normalise(spec: &mut Value, notices: &mut Vec<Notice>) {
    let kind = spec.get("cniType").and_then(Value::as_str);
    let kind = CniType::ALL.into_iter().find(|known| Some(known.name()) == kind);
    let block = kind.and_then(CniType::block).filter(|block| spec.get(block).is_some_and(Value::is_object));
    for (old, new) in table(block) {
        let Some(value) = present(spec, &old).cloned() else { continue };
        let same = present(spec, &new).map(|taken| *taken == value);
        if same == Some(false) || (same.is_none() && !put(spec, &new, value)) {
            continue;
        }
        take(spec, &old);
        let message = format!("deprecated spelling of spec.{new}");
        notices.push(Notice::mended(format!("spec.{old}"), message));
        let left = spec.get("ippools").and_then(Value::as_object);
        if left.is_some_and(|fields| fields.values().all(says_nothing)) {
            take(spec, "ippools");
        }
    }
}

/// Errors for what could not be moved.
pub(super) fn check(network: &Network<'_>, errors: &mut Vec<FieldError>) {
    let Some(spec) = network.object.get("spec") else { return };
    for (old, new) in table(network.block()) {
        let Some(value) = present(spec, &old) else { continue };
        let detail = match present(spec, &new) {
            Some(other) if other != value => {
                format!(
                    "deprecated spelling of spec.{new}, which has another value, {other}; keep one of them"
                )
            }
            _ => format!("deprecated spelling of spec.{new}; write it there"),
        };
        errors.push(FieldError::invalid(format!("spec.{old}"), value, detail));
    }
    if network.kind == CniType::Custom && spec.get("cniType").is_some() {
        for field in ["ippools", "matchMasterSubnet"] {
            if present(spec, field).is_some_and(|value| !is_zero(value)) {
                let detail = "cniType custom takes its pools from the ipam section of customCNI";
                errors.push(FieldError::forbidden(format!("spec.{field}"), detail));
            }
        }
    }
}

/// The value at a dotted path.
pub(super) fn value_at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, segment| value.get(segment))
}

/// Whether a value is as good as absent.
fn says_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// The value at a dotted path, unless it says nothing.
fn present<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    value_at(value, path).filter(|value| !says_nothing(value))
}

/// Whether a value is what older versions stored where the user wrote nothing.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_zero),
    }
}

/// Puts a value at a dotted path whose first segment exists; false when something else is in the way.
fn put(root: &mut Value, path: &str, value: Value) -> bool {
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut parent = root;
    for segment in parents.split('.').filter(|segment| !segment.is_empty()) {
        let Some(fields) = parent.as_object_mut() else { return false };
        let next = fields.entry(segment).or_insert(Value::Null);
        if next.is_null() {
            *next = Value::Object(Map::new());
        }
        parent = next;
    }
    let Some(fields) = parent.as_object_mut() else { return false };
    fields.insert(name.to_owned(), value);
    true
}

fn take(root: &mut Value, path: &str) {
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = parents
        .split('.')
        .filter(|segment| !segment.is_empty())
        .try_fold(root, |value, segment| value.get_mut(segment));
    if let Some(fields) = parent.and_then(Value::as_object_mut) {
        fields.shift_remove(name);
    }
}
