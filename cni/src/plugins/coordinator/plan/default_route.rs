//! Which interface has the default route of the main table, by which the pod sends from wherever nobody chose.

use super::super::view::Family;
use super::{Given, own_table};
use crate::netlink::{Link, MAIN_TABLE, Route};
use crate::spec::CniError;

/// What becomes of the main table's default routes.
#[derive(Default)]
pub(super) struct Defaults<'a> {
    /// That should be there.
    pub(super) wanted: Vec<Route>,
    /// That should not.
    pub(super) moved: Vec<Route>,
    /// Interfaces that keep theirs in tables of their own only.
    pub(super) losers: Vec<&'a Link>,
}

/// The interface that the configuration names has it as soon as it is there. Until then, and where none is named, the
/// one that had it first keeps it.
pub(super) fn choose<'a>(given: &Given<'a>, nic: &Link) -> Result<Defaults<'a>, CniError> {
    if given.settings.default_nic.as_ref() == Some(&nic.name) {
        promote(given, nic)
    } else {
        Ok(demote(given, nic))
    }
}

fn promote<'a>(given: &Given<'a>, nic: &Link) -> Result<Defaults<'a>, CniError> {
    let mut defaults = Defaults::default();
    for family in Family::BOTH {
        let Some(route) = own_table::default_of(given, nic, family) else { continue };
        defaults.wanted.push(Route { table: MAIN_TABLE, ..route });
        let others = given.pod.main_defaults(family).filter(|route| route.link != Some(nic.index));
        defaults.moved.extend(others);
    }
    if defaults.wanted.is_empty() {
        return Err(CniError::config(format!(
            "interface {} is to have the pod's default route (podDefaultRouteNIC, or the annotation \
             ipam.spidernet.io/default-route-nic), but has no gateway; give its pool one, or name another interface",
            nic.name
        )));
    }
    let loses = |link: &&Link| defaults.moved.iter().any(|route| route.link == Some(link.index));
    defaults.losers = given.pod.links.iter().filter(loses).collect();
    Ok(defaults)
}

/// A family whose only default route is this one keeps it.
fn demote<'a>(given: &Given<'a>, nic: &Link) -> Defaults<'a> {
    let mut defaults = Defaults::default();
    for family in Family::BOTH.into_iter().filter(|_| nic.name != given.settings.first) {
        let (own, others): (Vec<Route>, Vec<Route>) =
            given.pod.main_defaults(family).copied().partition(|route| route.link == Some(nic.index));
        if !others.is_empty() {
            defaults.moved.extend(own);
        }
    }
    defaults
}
