//! What is done on the host, and what it is compared with.

use super::config::{Bond, Wanted};
use crate::netlink::{BondSetting, BondValue, Link, NetlinkError, Socket, Stacked};
use crate::spec::CniError;

/// What is taken back when something fails.
#[derive(Default)]
struct Done {
    /// Numbers of links that were made.
    made: Vec<u32>,
    /// Links that were there, as they were.
    changed: Vec<Link>,
}

/// Makes what is missing, from below to above, and turns it on; all of it or nothing.
pub(super) fn make(socket: &mut Socket, wanted: &Wanted) -> Result<(), CniError> {
    let mut done = Done::default();
    make_all(socket, wanted, &mut done).inspect_err(|_| done.take_back(socket))
}

fn make_all(socket: &mut Socket, wanted: &Wanted, done: &mut Done) -> Result<(), CniError> {
    let members = members(socket, wanted)?;
    let base = match (&wanted.bond, members.as_slice()) {
        (Some(bond), members) => make_bond(socket, bond, members, done)?,
        (None, [only]) => {
            done.changed.push(only.clone());
            only.index
        }
        (None, _) => return Ok(()),
    };
    socket.set_up(base, true).map_err(kernel)?;
    match (wanted.vlan, wanted.vlan_name()) {
        (Some(vlan), Some(name)) => make_vlan(socket, &name, base, vlan, done),
        _ => Ok(()),
    }
}

/// The interfaces that are named.
pub(super) fn members(socket: &mut Socket, wanted: &Wanted) -> Result<Vec<Link>, CniError> {
    let found = wanted.interfaces.iter().map(|name| {
        socket.link(name).map_err(kernel)?.ok_or_else(|| {
            CniError::config(format!(
                "interface {name} is not on this node; correct the network's master, or the node"
            ))
        })
    });
    found.collect()
}

/// The number of the bond.
fn make_bond(socket: &mut Socket, bond: &Bond, members: &[Link], done: &mut Done) -> Result<u32, CniError> {
    let index = if let Some((index, stacked)) = find(socket, &bond.name)? {
        expect_bond(bond, stacked.as_ref())?;
        index
    } else {
        socket.add_bond(&bond.name, bond.mode, &bond.options.settings).map_err(kernel)?;
        let index = socket.link(&bond.name).map_err(kernel)?.ok_or_else(|| gone(&bond.name))?.index;
        done.made.push(index);
        index
    };
    fill(socket, bond, index, members, done)?;
    Ok(index)
}

fn fill(
    socket: &mut Socket,
    bond: &Bond,
    index: u32,
    members: &[Link],
    done: &mut Done,
) -> Result<(), CniError> {
    for member in members.iter().filter(|member| member.master != Some(index)) {
        if member.master.is_some() {
            return Err(CniError::config(format!(
                "interface {} belongs to another bond or bridge of this node, and cannot be a member of {}",
                member.name, bond.name
            )));
        }
        done.changed.push(member.clone());
        // The kernel takes members only while they are off (`bond_enslave`).
        socket.set_up(member.index, false).map_err(kernel)?;
        socket.set_master(member.index, index).map_err(kernel)?;
        socket.set_up(member.index, true).map_err(kernel)?;
    }
    let of_members = bond.options.of_members.iter().map(|(number, name)| {
        let member = members.iter().find(|member| member.name == *name);
        let member = member.ok_or_else(|| {
            CniError::config(format!("bond.options names {name}, which is none of the bond's interfaces"))
        })?;
        Ok(BondSetting { number: *number, value: BondValue::U32(member.index) })
    });
    let settings = of_members.collect::<Result<Vec<_>, CniError>>()?;
    if settings.is_empty() { Ok(()) } else { socket.set_bond(index, &settings).map_err(kernel) }
}

impl Done {
    /// What fails here is told in the log: the reason for it is told to the runtime.
    fn take_back(self, socket: &mut Socket) {
        let mut done: Vec<_> = self.made.iter().rev().map(|made| socket.delete_link(*made)).collect();
        for link in &self.changed {
            if link.master.is_none() {
                done.push(socket.set_master(link.index, 0));
            }
            done.push(socket.set_up(link.index, link.up));
        }
        for error in done.into_iter().filter_map(Result::err) {
            log::error!("while taking back what was made: {error}");
        }
    }
}

fn make_vlan(
    socket: &mut Socket,
    name: &str,
    lower: u32,
    vlan: u16,
    done: &mut Done,
) -> Result<(), CniError> {
    let known = find(socket, name)?;
    let is_new = known.is_none();
    if let Some((_, stacked)) = known {
        expect_vlan(name, vlan, stacked.as_ref())?;
    } else {
        socket.add_vlan(name, lower, vlan).map_err(|error| {
            if !error.is_present() {
                return kernel(error);
            }
            CniError::config(format!(
                "VLAN {vlan} has an interface of another name below {name} on this node; delete that, or use it as the master"
            ))
        })?;
    }
    let link = socket.link(name).map_err(kernel)?.ok_or_else(|| gone(name))?;
    done.made.extend(is_new.then_some(link.index));
    if link.lower != Some(lower) {
        return Err(CniError::config(format!(
            "interface {name} of this node hangs on another interface; delete or rename it"
        )));
    }
    socket.set_up(link.index, true).map_err(kernel)
}

/// Compares the host with the configuration.
pub(super) fn check(socket: &mut Socket, wanted: &Wanted) -> Result<(), CniError> {
    let changed = |text: String| CniError::new(CniError::CHANGED, text);
    let members = members(socket, wanted)?;
    let mut base = members.first().map(|member| member.index);
    if let Some(bond) = &wanted.bond {
        let (index, stacked) =
            find(socket, &bond.name)?.ok_or_else(|| changed(format!("bond {} is gone", bond.name)))?;
        expect_bond(bond, stacked.as_ref())?;
        if let Some(member) = members.iter().find(|member| member.master != Some(index)) {
            return Err(changed(format!(
                "interface {} is no member of bond {} any more",
                member.name, bond.name
            )));
        }
        base = Some(index);
    }
    if let (Some(name), Some(vlan)) = (wanted.vlan_name(), wanted.vlan) {
        let link = socket
            .link(&name)
            .map_err(kernel)?
            .ok_or_else(|| changed(format!("interface {name} is gone")))?;
        expect_vlan(&name, vlan, socket.stacked(link.index).map_err(kernel)?.as_ref())?;
        if link.lower != base {
            return Err(changed(format!("interface {name} hangs on another interface")));
        }
    }
    let top = wanted.top().map(|name| socket.link(&name).map_err(kernel)).transpose()?.flatten();
    match top.filter(|top| !top.up) {
        Some(top) => Err(changed(format!("interface {} is off", top.name))),
        None => Ok(()),
    }
}

/// Number of a link, and what it is if it is a VLAN or bond.
fn find(socket: &mut Socket, name: &str) -> Result<Option<(u32, Option<Stacked>)>, CniError> {
    let Some(link) = socket.link(name).map_err(kernel)? else { return Ok(None) };
    let stacked = socket.stacked(link.index).map_err(kernel)?;
    Ok(Some((link.index, stacked)))
}

fn expect_bond(bond: &Bond, found: Option<&Stacked>) -> Result<(), CniError> {
    let Bond { name, mode, .. } = bond;
    match found {
        Some(Stacked::Bond(found)) if found == mode => Ok(()),
        Some(Stacked::Bond(found)) => Err(CniError::config(format!(
            "bond {name} of this node has mode {found}, the network wants {mode}; a bond has one mode for all networks"
        ))),
        _ => Err(CniError::config(format!(
            "interface {name} of this node is no bond; give the bond another name"
        ))),
    }
}

fn expect_vlan(name: &str, vlan: u16, found: Option<&Stacked>) -> Result<(), CniError> {
    if found == Some(&Stacked::Vlan(vlan)) {
        return Ok(());
    }
    Err(CniError::config(format!(
        "interface {name} of this node does not carry VLAN {vlan}; delete or rename it"
    )))
}

fn gone(name: &str) -> CniError {
    CniError::new(CniError::TRY_AGAIN, format!("interface {name} was deleted while it was made; try again"))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn kernel(error: NetlinkError) -> CniError {
    CniError::kernel(&error)
}
