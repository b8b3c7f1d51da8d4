//! What the status of a stored object says about addresses in use, so that no edit takes them away.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::listing::few;
use super::{Context, FieldError, metadata};
use crate::api::Kind;
use crate::net::{Address, Range, RangeSet};

/// The ranges that a subnet's status records for one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ControlledPool {
    #[serde(default)]
    ips: Vec<String>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    pod: String,
}

impl ControlledPool {
    /// The recorded addresses; none if any of them cannot be read.
    pub(super) fn ranges(&self) -> Option<RangeSet> {
        self.ips.iter().map(|text| text.parse::<Range>().ok()).collect()
    }
}

/// `status.controlledIPPools` as text.
pub(super) fn controlled(text: &str) -> Result<BTreeMap<String, ControlledPool>, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Errors for addresses that pods have and that an update of their pool would drop.
///
/// `before` and `after` are the pool's effective ranges; without those before, all may have been dropped. They
/// are asked for only if there is a doubt. `ips` are the new ranges before `excludeIPs` is subtracted.
pub(super) fn dropped_addresses(
    old: &Value,
    before: impl FnOnce() -> Option<RangeSet>,
    after: &RangeSet,
    ips: &RangeSet,
) -> Vec<FieldError> {
    let records = records(old);
    if records.as_ref().is_ok_and(|records| records.keys().all(|address| after.contains(*address))) {
        return Vec::new();
    }
    let dropped = before().map(|before| before.subtract(after));
    if dropped.as_ref().is_some_and(RangeSet::is_empty) {
        return Vec::new();
    }
    let records = match records {
        Ok(records) => records,
        Err(reason) => return vec![unreadable(old, Kind::IpPool, "allocatedIPs", &reason)],
    };
    let is_dropped = |address: Address| match &dropped {
        Some(dropped) => dropped.contains(address),
        None => !after.contains(address),
    };
    let victims = records.into_iter().filter(|(address, _)| is_dropped(*address));
    let (excluded, removed): (Vec<_>, Vec<_>) = victims.partition(|(address, _)| ips.contains(*address));
    let error = |field: &str, victims: &[(Address, String)]| {
        let named = victims.iter().map(|(address, pod)| format!("{address} (pod {pod})"));
        let detail =
            format!("takes away addresses in use: {}; keep them until those pods are gone", few(named));
        (!victims.is_empty()).then(|| FieldError::forbidden(field, detail))
    };
    error("spec.ips", &removed).into_iter().chain(error("spec.excludeIPs", &excluded)).collect()
}

/// `status.allocatedIPs` of a pool, in the order of the addresses.
fn records(pool: &Value) -> Result<BTreeMap<Address, String>, String> {
    let Some(text) = pool["status"]["allocatedIPs"].as_str().filter(|text| !text.is_empty()) else {
        return Ok(BTreeMap::new());
    };
    let records: BTreeMap<String, Record> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let read = |(address, record): (String, Record)| match address.parse::<Address>() {
        Ok(address) => Ok((address, record.pod)),
        Err(error) => Err(error.to_string()),
    };
    records.into_iter().map(read).collect()
}

/// The status holds what nobody can read, so nobody knows which addresses are in use.
pub(super) fn unreadable(object: &Value, kind: Kind, field: &str, reason: &str) -> FieldError {
    let detail = format!(
        "cannot be read ({reason}), so which addresses are in use is not known; repair it with: \
         kubectl edit {} {} --subresource=status",
        kind.singular(),
        metadata::name(object)
    );
    let text = object["status"][field].as_str().unwrap_or_default();
    FieldError::invalid(format!("status.{field}"), text, detail)
}

/// Deleting an object whose addresses are in use, where the configuration refuses that.
pub(super) fn delete(object: &Value, holders: &str, context: &Context<'_>) -> Option<FieldError> {
    let counted = object["status"]["allocatedIPCount"].as_u64().unwrap_or_default();
    // Whoever counts may lag behind the records, or not have counted yet.
    let recorded = records(object).map_or(0, |records| records.len() as u64);
    let count = counted.max(recorded);
    (context.settings.refuse_delete_in_use && count > 0).then(|| {
        FieldError::forbidden(
            "status.allocatedIPCount",
            format!("addresses in use: {count}; delete the {holders} that have them first"),
        )
    })
}
