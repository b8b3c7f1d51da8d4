use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::functions::{self, Left, Site, Whereabouts};
use crate::kernel::{Change, Kernel, KernelError, Place};
use crate::rdma::RdmaDevice;
use crate::spec::CniError;
use crate::state::caches::RdmaCache;
use crate::state::{Lock, State, StateError};

use super::{Device, Nodes};

/// How long the kernel has to send home what was in a namespace that ended.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// An RDMA device before it was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::plugins) struct RdmaBefore {
    /// Its name on the host.
    pub(in crate::plugins) name: String,
    /// Its number, which a move does not change; none where that is not known.
    pub(in crate::plugins) index: Option<u32>,
}

/// What the plugin notes.
pub(super) type Before = RdmaBefore;

impl From<&RdmaDevice> for RdmaBefore {
    fn from(device: &RdmaDevice) -> Self {
        Self { name: device.name.clone(), index: Some(device.index) }
    }
}

impl functions::Before for RdmaBefore {
    const PLUGIN: &'static str = "rdma";
    type Cache = RdmaCache;

    fn of_cache(cache: &RdmaCache) -> Self {
        Self { name: cache.sandbox_rdma_dev_name.clone(), index: None }
    }

    fn restore(&self, kernel: &mut dyn Kernel, site: &Site<'_>, left: &mut Left) -> Whereabouts {
        match Device::parse(site.device) {
            Ok(device) => self.come_home(kernel, &device, site.pod, left),
            // It names no device that there could be.
            Err(_) => Whereabouts::Home,
        }
    }

    fn settle(state: &State, kernel: &mut dyn Kernel, device: &str) -> Result<(), CniError> {
        match Device::parse(device) {
            Ok(device) => Nodes::of(&device).return_home(state, kernel),
            Err(_) => Ok(()),
        }
    }

    fn lock_moves(&self, state: &State, device: &str) -> Result<Option<Lock>, StateError> {
        match Device::parse(device) {
            Ok(device) => Nodes::of(&device).lock(state),
            Err(_) => Ok(None),
        }
    }
}

impl RdmaBefore {
    /// Brings it home from its pod, under its name. When it is nowhere there is nothing to bring back: a namespace out of
    /// reach sends it home when it ends.
    pub(in crate::plugins) fn come_home(
        &self,
        kernel: &mut dyn Kernel,
        device: &Device,
        pod: Option<Place>,
        left: &mut Left,
    ) -> Whereabouts {
        if let Some(pod) = pod {
            match self.leave(kernel, pod) {
                Ok(()) => {}
                Err(error) => {
                    left.note(Err(error));
                    return Whereabouts::Held;
                }
            }
        }
        match await_home(kernel, device) {
            Ok(Some(found)) if found.name != self.name && !self.name.is_empty() => {
                let (at, name) = (Place::HOST, self.name.clone());
                match kernel.make(Change::RenameRdma { at, device: found.index, name }) {
                    Err(error) if error.is_present() => {
                        log::warn!(
                            "{} is the name of another RDMA device now, {} keeps its own",
                            self.name,
                            found.name
                        );
                    }
                    renamed => left.note(renamed),
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => log::warn!("RDMA device {} of {device} is not on the host", self.name),
            Err(error) => left.note(Err(error)),
        }
        Whereabouts::Home
    }

    fn leave(&self, kernel: &mut dyn Kernel, pod: Place) -> Result<(), KernelError> {
        let Some(found) = self.in_pod(kernel, pod)? else { return Ok(()) };
        match kernel.make(Change::MoveRdma { from: pod, to: Place::HOST, device: found.index }) {
            Err(error) if error.is_absent() && self.in_pod(kernel, pod)?.is_none() => Ok(()),
            moved => moved,
        }
    }

    /// The device in its pod.
    pub(in crate::plugins) fn in_pod(
        &self,
        kernel: &mut dyn Kernel,
        pod: Place,
    ) -> Result<Option<RdmaDevice>, KernelError> {
        Ok(kernel.rdma_devices(pod)?.into_iter().find(|found| match self.index {
            Some(index) => found.index == index,
            None => found.name == self.name,
        }))
    }
}

/// The device on the host, which it may be on its way to.
fn await_home(kernel: &mut dyn Kernel, device: &Device) -> Result<Option<RdmaDevice>, KernelError> {
    for _ in 0..ATTEMPTS {
        let names = device.names(kernel)?;
        let home = kernel.rdma_devices(Place::HOST)?.into_iter().find(|found| names.contains(&found.name));
        let exists = match device {
            Device::Function(function) => kernel.sysfs().driver(*function)?.is_some(),
            Device::Auxiliary(_) => false,
        };
        if home.is_some() || !exists {
            return Ok(home);
        }
        kernel.wait(PAUSE);
    }
    Ok(None)
}
