use serde::{Deserialize, Serialize};

use crate::functions::{self, Function, Interface, Left, Settings, Site, Whereabouts};
use crate::kernel::{Change, Kernel};
use crate::netlink::VfLinkState;
use crate::plugins::rdma::{Device, Nodes, RdmaBefore};
use crate::spec::CniError;
use crate::state::caches::IbSriovCache;
use crate::state::{Lock, State, StateError};
use crate::sysfs::PciAddress;

use super::guid::Guid;
use super::identity::{self, Identity};

/// A virtual function before ADD changed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    /// What its port decided, as far as ADD sets it.
    pub(super) settings: Settings,
    /// Its interface; none of one that is given to user space.
    pub(super) interface: Option<Interface>,
    /// Its driver; none where that is not known.
    pub(super) driver: Option<String>,
    /// Who it was, if it is given another identifier.
    pub(super) identity: Option<Identity>,
    /// Its RDMA device, if that goes into the pod or is made anew.
    pub(super) rdma: Option<RdmaBefore>,
}

impl functions::Before for Before {
    const PLUGIN: &'static str = "ib-sriov";
    type Cache = IbSriovCache;

    fn of_cache(cache: &IbSriovCache) -> Self {
        let link_state = (!cache.link_state.is_empty()).then_some(VfLinkState::Auto);
        let guid = cache.guid.parse::<Guid>().ok();
        let interface = (!cache.name.is_empty() && !cache.vfio)
            .then(|| Interface { name: cache.name.clone(), ..Interface::default() });
        Self {
            settings: Settings { link_state, ..Settings::default() },
            interface,
            driver: None,
            identity: guid.map(|guid| Identity { node: guid, port: guid, given: None }),
            rdma: cache
                .isolated
                .then(|| RdmaBefore { name: cache.rdma.sandbox_rdma_dev_name.clone(), index: None }),
        }
    }

    /// The RDMA device goes home first: with it the kernel makes the interface anew, on the host.
    fn restore(&self, kernel: &mut dyn Kernel, site: &Site<'_>, left: &mut Left) -> Whereabouts {
        let Ok(address) = site.device.parse::<PciAddress>() else { return Whereabouts::Home };
        let found = self.with_driver(kernel, address, left);
        let Some(function) = found else { return Whereabouts::Home };
        let device = Device::Function(address);
        if let Some(rdma) = &self.rdma
            && rdma.come_home(kernel, &device, site.pod, left) == Whereabouts::Held
        {
            return Whereabouts::Held;
        }
        let interface = self.interface.as_ref().filter(|_| !function.is_of_user_space());
        if let Some(interface) = interface {
            let whereabouts = interface.come_home(kernel, site.pod, address, site.interface, left);
            if whereabouts != Whereabouts::Home {
                return whereabouts;
            }
        }
        self.settings.restore(kernel, &function, left);
        if let Some(identity) = &self.identity {
            identity.restore(kernel, &function, left);
        }
        if let Some(interface) = interface {
            match identity::interface(kernel, &function) {
                // Taken by its driver once more, it has a name of the kernel's choice.
                Ok(Some(link)) => interface.take_name(kernel, &link, site.interface, left),
                Ok(None) => {}
                Err(error) => left.note(Err(error)),
            }
            interface.restore(kernel, &function, left);
        }
        if let Some(rdma) = &self.rdma {
            rdma.come_home(kernel, &device, None, left);
        }
        Whereabouts::Home
    }

    fn settle(state: &State, kernel: &mut dyn Kernel, device: &str) -> Result<(), CniError> {
        match device.parse() {
            Ok(function) => Nodes::of(&Device::Function(function)).return_home(state, kernel),
            Err(_) => Ok(()),
        }
    }

    fn lock_moves(&self, state: &State, _device: &str) -> Result<Option<Lock>, StateError> {
        let moves = self.rdma.is_some() || self.identity.is_some();
        moves.then(|| state.lock_rdma()).transpose()
    }
}

impl Before {
    /// The function, bound to its driver: a plugin that is killed between taking it away and giving it back leaves it without.
    /// None if there is no such function.
    fn with_driver(&self, kernel: &mut dyn Kernel, address: PciAddress, left: &mut Left) -> Option<Function> {
        let mut find = |kernel: &mut dyn Kernel| match Function::find(kernel, address) {
            Ok(function) => function,
            Err(error) => {
                left.note(Err(error));
                None
            }
        };
        let function = find(kernel)?;
        let Some(driver) = self.driver.clone().filter(|_| function.driver.is_none()) else {
            return Some(function);
        };
        let bound = kernel.make(Change::Bind { function: address, driver });
        let function = find(kernel);
        left.note(bound);
        function
    }
}
