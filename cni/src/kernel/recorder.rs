//! A node in memory: ports with virtual functions, namespaces, RDMA devices, and a folder like `/sys` that follows them.

mod effects;
mod node;

pub(crate) use effects::hardware;
pub(crate) use node::*;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Change, Kernel, KernelError, Place};
use crate::netlink::{
    InterfaceAddress, Link, NetlinkError, Refusal, Route, VfLinkState, VfSetting, VirtualFunction, Vlan,
};
use crate::rdma::{CharDevice, Mode, RdmaDevice};
use crate::sysfs::{LinkLayer, Sysfs};

/// The kernel of a node in memory.
#[derive(Debug)]
pub(crate) struct Recorder {
    folder: tempfile::TempDir,
    sysfs: Sysfs,
    pub(crate) spaces: Vec<Space>,
    /// Virtual functions by the number of their port's interface.
    pub(crate) ports: BTreeMap<u32, Vec<VirtualFunction>>,
    /// PCI address, driver.
    pub(crate) drivers: BTreeMap<String, String>,
    pub(crate) mode: Mode,
    /// A function whose address its port decided cannot take another unless it is trusted.
    pub(crate) strict: bool,
    /// Ports have more functions than they can tell of.
    pub(crate) mute: bool,
    /// Taken numbers of `uverbs` besides those of devices.
    pub(crate) other_verbs: BTreeSet<u32>,
    /// What was done, in order, with what was refused.
    pub(crate) made: Vec<Change>,
    /// Error numbers by the position of the change that gets them.
    pub(crate) refused: BTreeMap<usize, i32>,
    /// Error numbers by the kind of change that always gets them.
    pub(crate) never: BTreeMap<&'static str, i32>,
    /// After the change at this position, a folder stands where this file is to be written.
    pub(crate) full: Option<(usize, PathBuf)>,
    /// From this position on nothing is done any more, as if the process had been killed.
    pub(crate) killed_at: Option<usize>,
    pub(crate) waited: Duration,
    next_link: u32,
}

/// A network namespace.
#[derive(Debug)]
pub(crate) struct Space {
    pub(crate) path: PathBuf,
    pub(crate) number: u64,
    pub(crate) gone: bool,
    pub(crate) links: Vec<Link>,
    pub(crate) rdma: Vec<Device>,
    pub(crate) addresses: Vec<InterfaceAddress>,
    pub(crate) routes: Vec<Route>,
}

/// An RDMA device of a function.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) seen: RdmaDevice,
    pub(crate) function: String,
    pub(crate) verbs: u32,
}

fn refusal(errno: i32) -> KernelError {
    let refusal = Refusal { errno, reason: None };
    NetlinkError::Refused { doing: "do that".to_owned(), refusal }.into()
}

impl Recorder {
    /// Nothing reaches the kernel from a process that was killed.
    fn alive(&self) -> Result<(), KernelError> {
        match self.killed_at {
            Some(position) if self.made.len() >= position => Err(refusal(libc::EINTR)),
            _ => Ok(()),
        }
    }

    fn space(&self, at: Place) -> Result<&Space, KernelError> {
        self.alive()?;
        self.spaces.get(at.0).filter(|space| !space.gone).ok_or_else(|| refusal(libc::ENODEV))
    }
}

impl Kernel for Recorder {
    fn sysfs(&self) -> &Sysfs {
        &self.sysfs
    }

    fn open(&mut self, netns: &Path) -> Result<Option<(Place, u64)>, KernelError> {
        self.alive()?;
        let found = self.spaces.iter().position(|space| space.path == netns && !space.gone);
        Ok(found.map(|at| (Place(at), self.spaces[at].number)))
    }

    fn links(&mut self, at: Place) -> Result<Vec<Link>, KernelError> {
        Ok(self.space(at)?.links.clone())
    }

    fn link(&mut self, at: Place, index: u32) -> Result<Option<Link>, KernelError> {
        Ok(self.space(at)?.links.iter().find(|link| link.index == index).cloned())
    }

    fn link_named(&mut self, at: Place, name: &str) -> Result<Option<Link>, KernelError> {
        Ok(self.space(at)?.links.iter().find(|link| has_name(link, name)).cloned())
    }

    fn addresses(&mut self, at: Place) -> Result<Vec<InterfaceAddress>, KernelError> {
        Ok(self.space(at)?.addresses.clone())
    }

    fn routes(&mut self, at: Place) -> Result<Vec<Route>, KernelError> {
        Ok(self.space(at)?.routes.clone())
    }

    fn virtual_functions(&mut self, port: u32) -> Result<Vec<VirtualFunction>, KernelError> {
        self.alive()?;
        if self.mute {
            return Err(refusal(libc::EMSGSIZE));
        }
        self.ports.get(&port).cloned().ok_or_else(|| refusal(libc::ENODEV))
    }

    fn rdma_mode(&mut self) -> Result<Mode, KernelError> {
        Ok(self.mode)
    }

    fn rdma_devices(&mut self, at: Place) -> Result<Vec<RdmaDevice>, KernelError> {
        Ok(self.space(at)?.rdma.iter().map(|device| device.seen.clone()).collect())
    }

    fn char_devices(&mut self, at: Place, device: &RdmaDevice) -> Result<Vec<CharDevice>, KernelError> {
        let found = self.space(at)?.rdma.iter().find(|found| found.seen.index == device.index);
        let verbs = found.ok_or_else(|| refusal(libc::ENOENT))?.verbs;
        Ok(vec![CharDevice { name: format!("uverbs{verbs}"), major: 231, minor: 192 + verbs }])
    }

    fn make(&mut self, change: Change) -> Result<(), KernelError> {
        self.alive()?;
        self.made.push(change.clone());
        if let Some((_, file)) = self.full.as_ref().filter(|(position, _)| *position + 1 == self.made.len()) {
            std::fs::create_dir_all(self.folder.path().join(file)).unwrap();
        }
        if let Some(errno) = self.refused.get(&(self.made.len() - 1)) {
            return Err(refusal(*errno));
        }
        if let Some(errno) = self.never.get(&*Self::name_of(&change)) {
            return Err(refusal(*errno));
        }
        let is_seen = !matches!(
            change,
            Change::Function { .. }
                | Change::AddName { .. }
                | Change::DropName { .. }
                | Change::Up { .. }
                | Change::QueueLength { .. }
                | Change::HardwareAddress { .. }
                | Change::Sysctl { .. }
        );
        let done = self.take_effect(change);
        if is_seen {
            self.write_sysfs();
        }
        done
    }

    fn wait(&mut self, time: Duration) {
        self.waited += time;
    }
}

/// A link of a virtual function.
pub(crate) fn link(index: u32, name: &str, function: &str, address: &[u8]) -> Link {
    Link {
        index,
        name: name.to_owned(),
        other_names: Vec::new(),
        layer: if address.len() == 20 { LinkLayer::Infiniband } else { LinkLayer::Ethernet },
        up: false,
        mtu: 1500,
        address: address.to_vec(),
        parent: Some(function.to_owned()),
        kind: None,
        lower: None,
        master: None,
        queue_length: 1000,
        broadcast: vec![0xff; address.len()],
        carrier: true,
    }
}

/// A virtual function as its port begins with it.
pub(crate) fn virtual_function(number: u32, mac: [u8; 6]) -> VirtualFunction {
    VirtualFunction {
        number,
        mac,
        vlan: Vlan::default(),
        rate: (0, 0),
        spoof_check: Some(true),
        trust: Some(false),
        link_state: VfLinkState::Auto,
        guids: None,
    }
}

fn set(function: &mut VirtualFunction, setting: VfSetting) {
    match setting {
        VfSetting::Mac(mac) => function.mac = mac,
        VfSetting::Vlan(vlan) => function.vlan = vlan,
        VfSetting::Rate { min, max } => function.rate = (min, max),
        VfSetting::SpoofCheck(on) => function.spoof_check = Some(on),
        VfSetting::Trust(on) => function.trust = Some(on),
        VfSetting::LinkState(state) => function.link_state = state,
        VfSetting::NodeGuid(guid) => {
            function.guids = Some((guid, function.guids.unwrap_or_default().1));
        }
        VfSetting::PortGuid(guid) => {
            function.guids = Some((function.guids.unwrap_or_default().0, guid));
        }
    }
}
