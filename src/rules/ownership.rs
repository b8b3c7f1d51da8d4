//! Which `SpiderSubnet` a pool belongs to, and whether its addresses are that subnet's.

use serde_json::Value;

use super::addresses::Addresses;
use super::metadata::{self, Controller, given};
use super::peers::IndexedSubnet;
use super::{Context, FieldError, Findings, Notice, in_use};
use crate::api::{Kind, keys};
use crate::net::{RangeSet, Subnet};

/// Gives a pool to the subnet with the same addresses: label, owner reference, and, when it is new there,
/// the subnet's gateway and routes where the pool has none of its own.
pub(super) fn adopt(object: &mut Value, subnet: Subnet, context: &Context<'_>, notices: &mut Vec<Notice>) {
    if !context.settings.enable_spider_subnet {
        return;
    }
    let Some(owner) = context.peers.controlling_subnet(subnet) else { return };
    let (name, uid) = (owner.facts.name.as_str(), owner.facts.uid.as_str());
    let controller = metadata::controller(object);
    let orphan = controller.is_none();
    if controller.is_some_and(|controller| !is(controller, name)) {
        return;
    }
    let known = metadata::label(object, keys::OWNER_SUBNET) == Some(name);
    if !known {
        metadata::set_label(object, keys::OWNER_SUBNET, name);
    }
    // Offline there are no uids, and a reference without one would be refused.
    if orphan && !uid.is_empty() {
        metadata::add_controller(object, Kind::Subnet, name, uid);
    }
    if orphan && !known {
        inherit(object, owner, notices);
    }
}

fn is(controller: Controller<'_>, subnet: &str) -> bool {
    controller.kind == Kind::Subnet.name() && controller.name == subnet
}

fn inherit(object: &mut Value, owner: &IndexedSubnet, notices: &mut Vec<Notice>) {
    let spec = &owner.facts.spec;
    let gateway = spec.gateway.clone().map(Value::from);
    let routes = spec.routes.as_ref().filter(|routes| !routes.is_empty());
    let routes = routes.and_then(|routes| serde_json::to_value(routes).ok());
    for (field, value) in [("gateway", gateway), ("routes", routes)] {
        let wanted = given(&object["spec"], field).is_none();
        let (Some(value), true, Some(spec)) = (value, wanted, metadata::map_mut(object, "spec")) else {
            continue;
        };
        spec.insert(field.to_owned(), value);
        let message = format!("taken from SpiderSubnet {}", owner.facts.name);
        notices.push(Notice::advice(format!("spec.{field}"), message));
    }
}

/// The addresses of a pool are among those of the subnet that controls it.
pub(super) fn check(object: &Value, addresses: &Addresses, context: &Context<'_>, findings: &mut Findings) {
    let (Some(subnet), Some(effective)) = (addresses.subnet, &addresses.effective) else { return };
    if !context.settings.enable_spider_subnet || effective.is_empty() {
        return;
    }
    let by_address = context.peers.controlling_subnet(subnet);
    let owner = match metadata::controller(object) {
        None => by_address,
        Some(Controller { kind, name }) if kind == Kind::Subnet.name() => {
            if context.peers.subnet(name).is_none() {
                let detail = format!(
                    "the controlling SpiderSubnet {name} does not exist; create it, or remove the owner reference"
                );
                findings.errors.push(FieldError::forbidden("metadata.ownerReferences", detail));
            }
            context.peers.indexed_subnet(name)
        }
        Some(Controller { kind, name }) => {
            if let Some(owner) = by_address {
                let detail = format!(
                    "{kind} {name} controls the pool, but its addresses belong to SpiderSubnet {}; \
                     remove one of the two",
                    owner.facts.name
                );
                findings.errors.push(FieldError::forbidden("metadata.ownerReferences", detail));
            }
            None
        }
    };
    let Some(owner) = owner else { return };
    findings.errors.extend(inside(effective, owner));
    if metadata::label(object, keys::OWNER_APPLICATION_NAME).is_some() {
        findings.errors.extend(as_recorded(metadata::name(object), effective, owner));
    }
}

fn inside(effective: &RangeSet, owner: &IndexedSubnet) -> Option<FieldError> {
    let foreign = effective.subtract(&owner.effective);
    (!foreign.is_empty()).then(|| {
        let detail = format!(
            "{} are not among the addresses of SpiderSubnet {}; add them to its spec.ips, or leave them out",
            foreign.summary(),
            owner.facts.name
        );
        FieldError::forbidden("spec.ips", detail)
    })
}

/// A pool made for an application has exactly what its subnet's status records for it. A status that cannot
/// be read blames no pool.
fn as_recorded(pool: &str, effective: &RangeSet, owner: &IndexedSubnet) -> Option<FieldError> {
    let controlled = in_use::controlled(owner.facts.controlled.as_deref().unwrap_or("{}")).ok()?;
    let recorded = controlled.get(pool).cloned().unwrap_or_default().ranges()?;
    (recorded != *effective).then(|| {
        let recorded = if recorded.is_empty() { "nothing".to_owned() } else { recorded.summary() };
        let detail = format!(
            "is {}, but SpiderSubnet {} records {recorded} for this application's pool; \
             the addresses of such a pool are changed by scaling the application",
            effective.summary(),
            owner.facts.name
        );
        FieldError::forbidden("spec.ips", detail)
    })
}
