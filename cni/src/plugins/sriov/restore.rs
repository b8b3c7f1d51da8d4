use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::functions::{self, Function, HardwareAddress, Interface, Left, Settings, Site, Whereabouts};
use crate::kernel::Kernel;
use crate::netlink::{VfLinkState, Vlan, VlanProtocol};
use crate::spec::CniError;
use crate::state::caches::{OriginalState, SriovCache};
use crate::state::{State, StateError};
use crate::sysfs::PciAddress;

/// A virtual function before ADD changed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Before {
    /// What its port decided, as far as ADD sets it.
    pub(super) settings: Settings,
    /// Its interface; none of one that is given to user space.
    pub(super) interface: Option<Interface>,
}

impl functions::Before for Before {
    const PLUGIN: &'static str = "sriov";
    type Cache = SriovCache;

    fn of_cache(cache: &SriovCache) -> Self {
        let original = &cache.original;
        let interface = (!original.name.is_empty()).then(|| Interface {
            name: original.name.clone(),
            address: address(&original.effective_mac).unwrap_or_default(),
            mtu: Some(original.mtu).filter(|mtu| *mtu != 0),
            ..Interface::default()
        });
        Self { settings: settings(cache, original), interface }
    }

    /// The interface goes home first: without its VLAN the pod would be in another network for a moment.
    fn restore(&self, kernel: &mut dyn Kernel, site: &Site<'_>, left: &mut Left) -> Whereabouts {
        let Some(address) = pci(site.device) else { return Whereabouts::Home };
        let function = match Function::find(kernel, address) {
            Ok(Some(function)) => function,
            Ok(None) => {
                log::warn!("virtual function {address} is no more, so nothing of it is brought back");
                return Whereabouts::Home;
            }
            Err(error) => {
                left.note(Err(error));
                return Whereabouts::Away;
            }
        };
        let interface = self.interface.as_ref().filter(|_| !function.is_of_user_space());
        if let Some(interface) = interface {
            let whereabouts = interface.come_home(kernel, site.pod, address, site.interface, left);
            if whereabouts != Whereabouts::Home {
                return whereabouts;
            }
        }
        self.settings.restore(kernel, &function, left);
        if let Some(interface) = interface {
            interface.restore(kernel, &function, left);
        }
        Whereabouts::Home
    }

    fn holder(state: &State, device: &str) -> Result<Option<PathBuf>, StateError> {
        pci(device).map_or(Ok(None), |function| state.allocation(function))
    }

    fn settle(state: &State, _kernel: &mut dyn Kernel, device: &str) -> Result<(), CniError> {
        match pci(device) {
            Some(function) => Ok(state.remove_allocation(function)?),
            None => Ok(()),
        }
    }
}

fn pci(device: &str) -> Option<PciAddress> {
    device.parse().ok()
}

fn address(text: &str) -> Option<HardwareAddress> {
    text.parse().ok()
}

/// The plugin in Go brings back what the configuration named, and always the address that the port gave.
fn settings(cache: &SriovCache, original: &OriginalState) -> Settings {
    let OriginalState { vlan, vlan_qos, vlan_proto, min_tx_rate, max_tx_rate, .. } = *original;
    // 0x88a8
    let protocol = if vlan_proto == 34_984 { VlanProtocol::Dot1ad } else { VlanProtocol::Dot1q };
    let has_rate = cache.min_tx_rate.is_some() || cache.max_tx_rate.is_some();
    Settings {
        mac: address(&original.admin_mac),
        vlan: cache.vlan.map(|_| Vlan { id: vlan, qos: vlan_qos, protocol }),
        rate: has_rate.then_some((min_tx_rate, max_tx_rate)),
        spoof_check: (!cache.spoofchk.is_empty()).then_some(original.spoof_chk),
        trust: (!cache.trust.is_empty()).then_some(original.trust),
        link_state: (!cache.link_state.is_empty()).then_some(match original.link_state {
            1 => VfLinkState::Enable,
            2 => VfLinkState::Disable,
            _ => VfLinkState::Auto,
        }),
    }
}
