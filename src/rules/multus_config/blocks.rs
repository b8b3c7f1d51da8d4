//! A network has the block of its type, and no other.

use serde_json::Value;

use super::Network;
use super::aliases::is_zero;
use crate::api::CniType;
use crate::rules::{FieldError, Notice};

/// Removes blocks of other types in which nothing is said: what is left of stored defaults when a network
/// changes its type.
pub(super) fn drop_leftovers(spec: &mut Value, notices: &mut Vec<Notice>) {
    let kind = spec.get("cniType").and_then(Value::as_str).map(str::to_owned);
    let (Some(kind), Some(fields)) = (kind, spec.as_object_mut()) else { return };
    for other in CniType::ALL.into_iter().filter(|other| other.name() != kind) {
        let Some(block) = other.block() else { continue };
        if fields.get(block).is_some_and(|value| value.is_object() && is_zero(value)) {
            fields.shift_remove(block);
            let message = format!("was removed: it says nothing, and belongs to cniType {other}");
            notices.push(Notice::advice(format!("spec.{block}"), message));
        }
    }
}

pub(super) fn check(network: &Network<'_>, errors: &mut Vec<FieldError>) {
    let mut others: Vec<CniType> = CniType::ALL.into_iter().filter(|kind| *kind != network.kind).collect();
    others.retain(|kind| kind.block().is_some_and(|block| !is_zero(network.raw(block))));
    if network.spec.cni_type.is_none() && !others.is_empty() {
        let names: Vec<&str> = others.iter().map(|kind| kind.name()).collect();
        let detail = format!("without it the type is custom; write cniType: {}", names.join(" or "));
        errors.push(FieldError::required("spec.cniType", detail));
        return;
    }
    if let Some(block) = network.kind.block()
        && network.block().is_none()
    {
        let detail = format!("cniType {} is configured there", network.kind);
        errors.push(FieldError::required(format!("spec.{block}"), detail));
    }
    for other in others {
        let block = other.block().unwrap_or_default();
        let detail = format!("belongs to cniType {other}, and this network has cniType {}", network.kind);
        errors.push(FieldError::forbidden(format!("spec.{block}"), detail));
    }
    let custom = network.spec.custom_cni.as_deref().is_some_and(|text| !text.is_empty());
    if custom && network.kind != CniType::Custom {
        let detail = format!("belongs to cniType custom, and this network has cniType {}", network.kind);
        errors.push(FieldError::forbidden("spec.customCNI", detail));
    }
}
