//! DEL and GC: undo what a record tells, whatever else is gone.

use std::path::Path;

use super::config::Written;
use super::hands::{refused, remove_veth};
use super::record::{Made, Record, Records, owner};
use super::view::{Family, OURS};
use super::{host_veth, tables};
use crate::netlink::{MAIN_TABLE, Namespace, NetlinkError, Protocol, Route, Rule, Socket};
use crate::spec::{Call, CniError};

pub(super) fn del(call: &Call, records: &Records) -> Result<(), CniError> {
    let Some(record) = records.of(call) else {
        records.remove(&owner(call))?;
        return del_unrecorded(call);
    };
    if let Some(netns) = &call.netns
        && let Err(error) = clear_pod(netns, &record)
    {
        // With the pod everything in it goes.
        log::info!("routes of {} stay in the pod: {error}", call.ifname);
    }
    clear_host(&record)?;
    records.remove(&record.owner)
}

/// Of a pod that another program attached, only its veth stays behind on the host.
fn del_unrecorded(call: &Call) -> Result<(), CniError> {
    let first = Written::of(call).unwrap_or_default().first();
    if call.ifname != first {
        return Ok(());
    }
    let mut host = Socket::open(Protocol::Route).map_err(refused)?;
    remove_veth(&mut host, &host_veth(&call.container_id)).map_err(refused)
}

/// Undoes what records tell of this network's attachments that are not valid any more.
pub(super) fn gc(call: &Call, records: &Records) -> Result<(), CniError> {
    let valid = call.valid_attachments()?;
    let mut errors = Vec::new();
    for record in records.all()? {
        let owner = &record.owner;
        let is_valid = valid.iter().any(|it| owner.is(&it.container_id, &it.ifname));
        if owner.network != call.network() || is_valid {
            continue;
        }
        log::info!("{} is not valid any more", owner.describe());
        let cleared = clear_host(&record).and_then(|()| records.remove(owner));
        errors.extend(cleared.err().map(|error| format!("{}: {error}", owner.describe())));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(CniError::new(CniError::KERNEL, errors.join("; ")))
}

/// Everything is tried; the first thing that fails is told.
fn clear_host(record: &Record) -> Result<(), CniError> {
    let mut host = Socket::open(Protocol::Route).map_err(refused)?;
    let cleared = clear_link(&mut host, &record.before);
    let made = &record.before;
    let removed = if made.underlay && record.owner.interface == made.settings.first {
        remove_veth(&mut host, &host_veth(&record.owner.container))
    } else {
        Ok(())
    };
    let unruled = drop_idle_rules(&mut host, made.settings.host_table);
    cleared.and(removed).and(unruled).map_err(refused)
}

/// Routes and neighbours of the link that the record names. If there is none of that name and number, they went with it.
fn clear_link(host: &mut Socket, made: &Made) -> Result<(), NetlinkError> {
    let Some((name, index)) = &made.host_link else { return Ok(()) };
    if host.link_of(*index)?.is_none_or(|link| link.name != *name) {
        return Ok(());
    }
    let table = made.settings.host_table;
    let ours = |route: &Route| {
        route.protocol == OURS
            && route.link == Some(*index)
            && made.addresses.contains(&route.destination.addr())
    };
    let mut deleted = Vec::new();
    for route in host.routes_of_table(table)?.into_iter().filter(ours) {
        deleted.push(host.delete_route(&route));
    }
    deleted.extend(made.addresses.iter().map(|address| host.delete_neighbour(*index, *address)));
    deleted.into_iter().try_for_each(|deleted| deleted.map(drop))
}

/// The rule is there for all pods. Who attaches one adds the route first and the rule after it; so if the table is found
/// to be empty, and still is after the rule was deleted, nobody needs it, and otherwise it comes back.
pub(super) fn drop_idle_rules(host: &mut Socket, table: u32) -> Result<(), NetlinkError> {
    let used = |host: &mut Socket, rule: &Rule| -> Result<bool, NetlinkError> {
        let of_family = |route: &Route| Family::of(route.destination.addr()) == Family::of(rule.from.addr());
        Ok(host.routes_of_table(table)?.iter().any(of_family))
    };
    let ours: Vec<Rule> =
        host.rules()?.into_iter().filter(|rule| rule.table == table && rule.protocol == OURS).collect();
    for rule in ours {
        if used(host, &rule)? {
            continue;
        }
        host.delete_rule(&rule)?;
        if used(host, &rule)? {
            host.add_rule(&rule)?;
        }
    }
    Ok(())
}

/// What stays in a pod that lives on without the interface: rules, routes over other interfaces, and no default route if it
/// had that.
fn clear_pod(netns: &Path, record: &Record) -> Result<(), CniError> {
    let Record { owner, before: Made { settings, underlay, .. }, .. } = record;
    // The table of the first interface is the way of all others.
    if owner.interface == settings.first {
        return Ok(());
    }
    let environment = |error| CniError::of(CniError::ENVIRONMENT, &error);
    let namespace = Namespace::open(netns).map_err(environment)?;
    let (found, recorded) = (namespace.number().map_err(environment)?, owner.netns.as_ref());
    if recorded.and_then(|netns| netns.number).is_some_and(|number| number != found) {
        let of_another = format!("{} is the network namespace of another pod by now", netns.display());
        return Err(CniError::new(CniError::ENVIRONMENT, of_another));
    }
    let socket = namespace.run(|| Socket::open(Protocol::Route)).map_err(environment)?;
    let mut pod = socket.map_err(refused)?;
    let returned = if settings.default_nic.as_ref() == Some(&owner.interface) {
        return_default(&mut pod, tables::of_first(*underlay))
    } else {
        Ok(())
    };
    let cleared = clear_table(&mut pod, tables::of_further(&owner.interface));
    returned.and(cleared).map_err(refused)
}

/// The first interface has it again.
fn return_default(pod: &mut Socket, first: u32) -> Result<(), NetlinkError> {
    let is_default = |route: &Route| route.destination.prefix_len() == 0 && route.protocol == OURS;
    for route in pod.routes_of_table(first)?.into_iter().filter(is_default) {
        pod.set_route(&Route { table: MAIN_TABLE, ..route })?;
    }
    Ok(())
}

fn clear_table(pod: &mut Socket, table: u32) -> Result<(), NetlinkError> {
    for rule in pod.rules()?.into_iter().filter(|rule| rule.table == table && rule.protocol == OURS) {
        pod.delete_rule(&rule)?;
    }
    for route in pod.routes_of_table(table)?.into_iter().filter(|route| route.protocol == OURS) {
        pod.delete_route(&route)?;
    }
    Ok(())
}
