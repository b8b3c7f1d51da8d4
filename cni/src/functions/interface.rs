use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::{ATTEMPTS, PAUSE, set};
use super::{Function, HardwareAddress, Left, link_at_home};
use crate::kernel::{Change, Kernel, KernelError, Place};
use crate::netlink::{Link, VfSetting};
use crate::sysfs::PciAddress;

/// The kernel takes a while to send home what was in a namespace that ended.
const WAY_HOME: u32 = 20;
/// A name that is free.
const ANY_NAME: &str = "vf%d";

/// The interface of a function before anything was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name on the host.
    pub name: String,
    /// What it was called besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_names: Vec<String>,
    /// Its hardware address; empty if that is not known.
    #[serde(default)]
    pub address: HardwareAddress,
    /// Bytes; none if that is not known.
    pub mtu: Option<u32>,
    /// Turned on; none if that is not known.
    pub up: Option<bool>,
    /// Packets that wait to be sent; none if that is not known.
    #[serde(default)]
    pub queue_length: Option<u32>,
}

/// Where an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// On the host.
    Home,
    /// In the pod's namespace, which would not let it go.
    Held,
    /// In a namespace that cannot be reached, or nowhere.
    Away,
}

impl From<&Link> for Interface {
    fn from(link: &Link) -> Self {
        Self {
            name: link.name.clone(),
            other_names: link.other_names.clone(),
            address: HardwareAddress(link.address.clone()),
            mtu: Some(link.mtu),
            up: Some(link.up),
            queue_length: Some(link.queue_length),
        }
    }
}

impl Interface {
    /// Moves it from the host into a pod under a name of its own, off. Returns it as it is there.
    ///
    /// Its other names stay behind: `udev` gave them, they could be taken in the pod, and it gives them again.
    pub fn enter(
        &self,
        kernel: &mut dyn Kernel,
        link: &Link,
        pod: Place,
        name: &str,
    ) -> Result<Link, KernelError> {
        for other_name in &link.other_names {
            let (at, name) = (Place::HOST, other_name.clone());
            match kernel.make(Change::DropName { at, link: link.index, name }) {
                // udev was faster.
                Err(error) if error.is_absent() => {}
                dropped => dropped?,
            }
        }
        kernel.make(Change::Move { from: Place::HOST, to: pod, link: link.index, name: name.to_owned() })?;
        // It may have got another number.
        let moved = kernel.link_named(pod, name)?;
        Ok(moved.unwrap_or_else(|| Link { name: name.to_owned(), up: false, ..link.clone() }))
    }

    /// The interface of a function in a pod. Kernels before 5.14 do not tell which device a link has; then it is the one of
    /// this name.
    pub fn in_pod(
        kernel: &mut dyn Kernel,
        pod: Place,
        function: PciAddress,
        name: &str,
    ) -> Result<Option<Link>, KernelError> {
        let parent = function.to_string();
        Ok(kernel.links(pod)?.into_iter().find(|link| match &link.parent {
            Some(found) => *found == parent,
            None => link.name == name && link.kind.is_none(),
        }))
    }

    /// Brings it home from wherever it is, under its name. A name that another interface has taken meanwhile is told, and
    /// it gets one that is free: names are for people, everything here goes by PCI address.
    pub fn come_home(
        &self,
        kernel: &mut dyn Kernel,
        pod: Option<Place>,
        function: PciAddress,
        name: &str,
        left: &mut Left,
    ) -> Whereabouts {
        let in_pod = pod.and_then(|pod| match Self::in_pod(kernel, pod, function, name) {
            Ok(link) => Some((pod, link?)),
            Err(error) => {
                left.note(Err(error));
                None
            }
        });
        if let Some((pod, link)) = in_pod
            && let Err(error) = self.leave(kernel, pod, &link)
        {
            left.note(Err(error));
            // It may have moved and be called by its name in the pod still.
            if !matches!(link_at_home(kernel, function), Ok(Some(_))) {
                return Whereabouts::Held;
            }
        }
        match await_home(kernel, function) {
            Ok(Some(link)) => {
                self.take_name(kernel, &link, name, left);
                Whereabouts::Home
            }
            Ok(None) => Whereabouts::Away,
            Err(error) => {
                left.note(Err(error));
                Whereabouts::Away
            }
        }
    }

    fn leave(&self, kernel: &mut dyn Kernel, pod: Place, link: &Link) -> Result<(), KernelError> {
        for name in &link.other_names {
            let (link, name) = (link.index, name.clone());
            kernel.make(Change::DropName { at: pod, link, name })?;
        }
        let (from, to) = (pod, Place::HOST);
        match kernel.make(Change::Move { from, to, link: link.index, name: self.name.clone() }) {
            // The name is taken. Either it has moved nevertheless, or its name in the pod is taken as well.
            Err(error) if error.is_present() && kernel.link(pod, link.index)?.is_some() => {
                kernel.make(Change::Move { from, to, link: link.index, name: ANY_NAME.to_owned() })
            }
            Err(error) if error.is_present() => Ok(()),
            moved => moved,
        }
    }

    /// Gives it its name on the host; `in_pod` is the one that it must not keep.
    pub fn take_name(&self, kernel: &mut dyn Kernel, link: &Link, in_pod: &str, left: &mut Left) {
        if link.name == self.name || self.name.is_empty() {
            return;
        }
        let (at, index) = (Place::HOST, link.index);
        // Kernels before 6.2 rename only what is off.
        if link.up {
            left.note(kernel.make(Change::Up { at, link: index, up: false }));
        }
        if link.other_names.contains(&self.name) {
            left.note(kernel.make(Change::DropName { at, link: index, name: self.name.clone() }));
        }
        match kernel.make(Change::Rename { at, link: index, name: self.name.clone() }) {
            Err(error) if error.is_present() => {
                log::warn!(
                    "{} is the name of another interface now, {} does not get it back",
                    self.name,
                    link.name
                );
                // Its name in the pod would be in the way of the next one that comes home.
                if link.name == in_pod {
                    left.note(kernel.make(Change::Rename { at, link: index, name: ANY_NAME.to_owned() }));
                }
            }
            renamed => left.note(renamed),
        }
    }

    /// Brings back what the interface itself has, at home: hardware address, MTU, queue, other names, whether it is on.
    pub fn restore(&self, kernel: &mut dyn Kernel, function: &Function, left: &mut Left) {
        let link = match function.link(kernel) {
            Ok(Some(link)) => link,
            Ok(None) => return,
            Err(error) => return left.note(Err(error)),
        };
        let (at, index) = (Place::HOST, link.index);
        if !self.address.0.is_empty() {
            left.note(take_address(kernel, function, at, &link, &self.address, false));
        }
        if let Some(mtu) = self.mtu.filter(|mtu| *mtu != link.mtu) {
            left.note(kernel.make(Change::Mtu { at, link: index, mtu }));
        }
        if let Some(length) = self.queue_length.filter(|length| *length != link.queue_length) {
            left.note(kernel.make(Change::QueueLength { at, link: index, length }));
        }
        let missing = self.other_names.iter().filter(|name| !link.other_names.contains(*name));
        for name in missing {
            match kernel.make(Change::AddName { at, link: index, name: name.clone() }) {
                Err(error) if error.is_present() => {
                    log::warn!("another interface than {} is called {name} now", link.name);
                }
                added => left.note(added),
            }
        }
        if let Some(up) = self.up.filter(|up| *up != link.up) {
            left.note(kernel.make(Change::Up { at, link: index, up }));
        }
    }
}

/// The interface of a function on the host, which it is on its way to.
pub fn await_home(kernel: &mut dyn Kernel, function: PciAddress) -> Result<Option<Link>, KernelError> {
    for _ in 0..WAY_HOME {
        let link = link_at_home(kernel, function)?;
        if link.is_some() {
            return Ok(link);
        }
        kernel.wait(Duration::from_millis(50));
    }
    Ok(None)
}

/// Has an interface use a hardware address. A driver that lets only trusted functions change theirs is asked through the
/// port to trust it for that moment, unless it does: by its own word, or where the port cannot say, by `is_trusted`.
pub fn take_address(
    kernel: &mut dyn Kernel,
    function: &Function,
    at: Place,
    link: &Link,
    address: &HardwareAddress,
    is_trusted: bool,
) -> Result<(), KernelError> {
    let change = || Change::HardwareAddress { at, link: link.index, address: address.0.clone() };
    let mut last = Ok(());
    for _ in 0..ATTEMPTS {
        let seen = kernel.link(at, link.index)?;
        if seen.is_none_or(|seen| seen.address == address.0) {
            return Ok(());
        }
        last = match kernel.make(change()) {
            Err(error) if is_a_matter_of_trust(&error) => trusted(kernel, function, change(), is_trusted),
            made => made,
        };
        match &last {
            Ok(()) => {}
            Err(error) if error.is_absent() => return last,
            Err(_) => kernel.wait(PAUSE),
        }
    }
    last
}

fn is_a_matter_of_trust(error: &KernelError) -> bool {
    matches!(error.errno(), Some(libc::EADDRNOTAVAIL | libc::EPERM | libc::EACCES))
}

fn trusted(
    kernel: &mut dyn Kernel,
    function: &Function,
    change: Change,
    is_trusted: bool,
) -> Result<(), KernelError> {
    if function.seen(kernel)?.map_or(is_trusted, |seen| seen.trust == Some(true)) {
        // It is something else, and may pass.
        return kernel.make(change);
    }
    set(kernel, function, VfSetting::Trust(true))?;
    let made = kernel.make(change);
    set(kernel, function, VfSetting::Trust(false))?;
    made
}
