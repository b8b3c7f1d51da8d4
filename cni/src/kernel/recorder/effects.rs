//! What each change does.

use super::node::has_name;
use super::{Change, Device, KernelError, Place, Recorder, refusal, set};
use crate::netlink::{InterfaceAddress, Link};

impl Recorder {
    pub(super) fn take_effect(&mut self, change: Change) -> Result<(), KernelError> {
        match change {
            Change::Function { port, number, setting } => {
                let functions = self.ports.get_mut(&port).ok_or_else(|| refusal(libc::ENODEV))?;
                let function = functions.iter_mut().find(|function| function.number == number);
                set(function.ok_or_else(|| refusal(libc::EINVAL))?, setting);
            }
            Change::Move { from, to, link, name } => self.move_link(from, to, link, &name)?,
            Change::Rename { at, link, name } => self.rename(at, link, &name)?,
            Change::AddName { at, link, name } => {
                self.refuse_taken(at, link, &name)?;
                let other_names = &mut self.link_mut(at, link)?.other_names;
                if !other_names.contains(&name) {
                    other_names.push(name);
                }
            }
            Change::DropName { at, link, name } => {
                let link = self.link_mut(at, link)?;
                if !link.other_names.contains(&name) {
                    return Err(refusal(libc::ENOENT));
                }
                link.other_names.retain(|other| *other != name);
            }
            Change::Up { at, link, up } => self.link_mut(at, link)?.up = up,
            Change::Mtu { at, link, mtu } => self.link_mut(at, link)?.mtu = mtu,
            Change::QueueLength { at, link, length } => self.link_mut(at, link)?.queue_length = length,
            Change::HardwareAddress { at, link, address } => {
                self.refuse_decided_address(at, link)?;
                self.link_mut(at, link)?.address = address;
            }
            Change::Address { at, link, address } => {
                self.link_mut(at, link)?;
                self.spaces[at.0].addresses.push(InterfaceAddress { link, address, temporary: false });
            }
            Change::Route { at, route } => self.spaces[at.0].routes.push(route),
            Change::Sysctl { .. } => {}
            Change::MoveRdma { from, to, device } => self.move_rdma(from, to, device)?,
            Change::RenameRdma { at, device, name } => {
                let devices = &mut self.spaces[at.0].rdma;
                let device = devices.iter_mut().find(|found| found.seen.index == device);
                device.ok_or_else(|| refusal(libc::ENOENT))?.seen.name = name;
            }
            Change::Unbind { function, .. } => self.unbind(&function.to_string()),
            Change::Bind { function, driver } => self.bind(&function.to_string(), driver),
        }
        Ok(())
    }

    fn link_mut(&mut self, at: Place, index: u32) -> Result<&mut Link, KernelError> {
        let links = &mut self.spaces[at.0].links;
        links.iter_mut().find(|link| link.index == index).ok_or_else(|| refusal(libc::ENODEV))
    }

    fn refuse_taken(&self, at: Place, link: u32, name: &str) -> Result<(), KernelError> {
        let taken = self.spaces[at.0].links.iter().any(|other| other.index != link && has_name(other, name));
        if taken { Err(refusal(libc::EEXIST)) } else { Ok(()) }
    }

    fn rename(&mut self, at: Place, link: u32, name: &str) -> Result<(), KernelError> {
        let name = match name.strip_suffix("%d") {
            Some(stem) => self.free_name(at, stem),
            None => name.to_owned(),
        };
        self.refuse_taken(at, link, &name)?;
        let link = self.link_mut(at, link)?;
        if link.other_names.contains(&name) {
            return Err(refusal(libc::EEXIST));
        }
        link.name = name;
        Ok(())
    }

    pub(super) fn free_name(&self, at: Place, stem: &str) -> String {
        let names = (0..).map(|number| format!("{stem}{number}"));
        let taken = |name: &String| self.spaces[at.0].links.iter().any(|link| has_name(link, name));
        names.into_iter().find(|name| !taken(name)).unwrap()
    }

    /// As `__dev_change_net_namespace()` and then `dev_change_name()`: when the latter fails, the link has moved.
    fn move_link(&mut self, from: Place, to: Place, index: u32, name: &str) -> Result<(), KernelError> {
        let mut link = self.link_mut(from, index)?.clone();
        if self.spaces[to.0].links.iter().any(|other| has_name(other, &link.name)) {
            self.refuse_taken(to, index, name)?;
            link.name = name.to_owned();
        }
        for other_name in &link.other_names {
            self.refuse_taken(to, index, other_name)?;
        }
        link.up = false;
        self.spaces[from.0].links.retain(|other| other.index != index);
        self.spaces[from.0].addresses.retain(|address| address.link != index);
        self.spaces[to.0].links.push(link);
        self.rename(to, index, name)
    }

    /// Only a trusted function may change what its port decided.
    fn refuse_decided_address(&mut self, at: Place, link: u32) -> Result<(), KernelError> {
        let function = self.link_mut(at, link)?.parent.clone();
        let seen = self.function_of(&function.unwrap_or_default());
        let decided = seen.is_some_and(|seen| seen.mac != [0; 6] && seen.trust == Some(false));
        if self.strict && decided { Err(refusal(libc::EADDRNOTAVAIL)) } else { Ok(()) }
    }

    fn move_rdma(&mut self, from: Place, to: Place, index: u32) -> Result<(), KernelError> {
        let found = self.spaces[from.0].rdma.iter().position(|device| device.seen.index == index);
        let mut device = self.spaces[from.0].rdma.remove(found.ok_or_else(|| refusal(libc::ENOENT))?);
        device.verbs = self.free_verbs();
        self.make_anew(&device.function);
        self.spaces[to.0].rdma.push(device);
        Ok(())
    }

    /// An `InfiniBand` interface belongs to its RDMA device, and is made on the host whenever that appears somewhere.
    fn make_anew(&mut self, function: &str) {
        let mut links = self.spaces.iter().flat_map(|space| &space.links);
        let found = links.find(|link| link.parent.as_deref() == Some(function) && link.address.len() == 20);
        let Some(mut link) = found.cloned() else { return };
        for space in &mut self.spaces {
            space.links.retain(|link| link.parent.as_deref() != Some(function));
        }
        self.next_link += 1;
        (link.index, link.name, link.up) = (self.next_link, self.free_name(Place::HOST, "ib"), false);
        link.other_names.clear();
        self.spaces[0].links.push(link);
    }

    pub(super) fn free_verbs(&self) -> u32 {
        let devices = || self.spaces.iter().flat_map(|space| &space.rdma);
        let taken = |number: &u32| {
            self.other_verbs.contains(number) || devices().any(|device| device.verbs == *number)
        };
        (0..1000).find(|number| !taken(number)).unwrap()
    }

    fn unbind(&mut self, function: &str) {
        for space in &mut self.spaces {
            space.links.retain(|link| link.parent.as_deref() != Some(function));
            space.rdma.retain(|device| device.function != function);
        }
        self.drivers.remove(function);
    }

    /// The kernel's own names, another number, and what the port decided meanwhile.
    fn bind(&mut self, function: &str, driver: String) {
        self.next_link += 1;
        let guid = self.function_of(function).and_then(|seen| seen.guids);
        let (node, port) = guid.unwrap_or_default();
        let mut link =
            super::link(self.next_link, &self.free_name(Place::HOST, "ib"), function, &hardware(port));
        link.mtu = 2044;
        self.spaces[0].links.push(link);
        let index = self.next_link;
        let seen =
            crate::rdma::RdmaDevice { index, name: format!("mlx5_{index}"), ports: 1, node_guid: node };
        let verbs = self.free_verbs();
        self.spaces[0].rdma.push(Device { seen, function: function.to_owned(), verbs });
        self.drivers.insert(function.to_owned(), driver);
    }
}

/// The hardware address of an `InfiniBand` interface with this identifier.
pub(crate) fn hardware(guid: u64) -> Vec<u8> {
    let mut address = vec![0, 0, 1, 0x2a, 0xfe, 0x80, 0, 0, 0, 0, 0, 0];
    address.extend(guid.to_be_bytes());
    address
}
