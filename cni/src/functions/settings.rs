use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Function, HardwareAddress, Left};
use crate::kernel::{Change, Kernel, KernelError};
use crate::netlink::{VfLinkState, VfSetting, VirtualFunction, Vlan};
use crate::spec::CniError;

/// Some drivers take a hardware address at once and use it later: so often is looked, with so much time between.
pub(super) const ATTEMPTS: u32 = 20;
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// What a port decides for a virtual function. None means that it is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Ethernet address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<HardwareAddress>,
    /// Tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vlan>,
    /// Mbit/s, guaranteed and allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<(u32, u32)>,
    /// Frames with a foreign sender address are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spoof_check: Option<bool>,
    /// The function may change its address and listen to everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<bool>,
    /// Link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_state: Option<VfLinkState>,
}

impl Settings {
    /// What has to be brought back when these were set. What the port does not tell is what it begins with.
    ///
    /// Trust is always among it: it may be raised for a moment so that a function can take its address.
    #[must_use]
    pub fn before(&self, seen: Option<&VirtualFunction>) -> Self {
        let mac = || seen.map(|seen| HardwareAddress(seen.mac.to_vec()));
        Self {
            mac: self.mac.as_ref().and_then(|_| mac()),
            vlan: self.vlan.map(|_| seen.map(|seen| seen.vlan).unwrap_or_default()),
            rate: self.rate.map(|_| seen.map(|seen| seen.rate).unwrap_or_default()),
            spoof_check: self.spoof_check.and_then(|_| seen.map_or(Some(true), |seen| seen.spoof_check)),
            trust: seen.map_or_else(|| self.trust.map(|_| false), |seen| seen.trust),
            link_state: self.link_state.map(|_| seen.map(|seen| seen.link_state).unwrap_or_default()),
        }
    }

    /// Those of them that the function does not have yet.
    ///
    /// What it has is not set again: each setting is a request to the firmware, and some drivers refuse what others take
    /// as "no limit".
    #[must_use]
    pub fn missing(&self, seen: Option<&VirtualFunction>) -> Self {
        let Some(seen) = seen else { return self.clone() };
        Self {
            mac: self.mac.clone().filter(|mac| mac.0 != seen.mac),
            vlan: self.vlan.filter(|vlan| *vlan != seen.vlan),
            rate: self.rate.filter(|rate| *rate != seen.rate),
            spoof_check: self.spoof_check.filter(|on| Some(*on) != seen.spoof_check),
            trust: self.trust.filter(|on| Some(*on) != seen.trust),
            link_state: self.link_state.filter(|state| *state != seen.link_state),
        }
    }

    /// What the port says of a function, where these need it. A port asks its firmware about each of its functions to tell,
    /// which takes milliseconds when they are many.
    pub fn seen(
        &self,
        kernel: &mut dyn Kernel,
        function: &Function,
    ) -> Result<Option<VirtualFunction>, KernelError> {
        if *self == Self::default() { Ok(None) } else { function.seen(kernel) }
    }

    /// Sets those that the function does not have by what its port said.
    pub fn attach(
        &self,
        kernel: &mut dyn Kernel,
        function: &Function,
        seen: Option<&VirtualFunction>,
    ) -> Result<(), CniError> {
        for (key, setting) in self.missing(seen).in_order_of_attach() {
            set(kernel, function, setting).map_err(|error| refused(function, key, setting, &error))?;
            if matches!(setting, VfSetting::Mac(_)) {
                self.await_address(kernel, function)?;
            }
        }
        Ok(())
    }

    fn await_address(&self, kernel: &mut dyn Kernel, function: &Function) -> Result<(), CniError> {
        for _ in 0..ATTEMPTS {
            match function.seen(kernel)? {
                Some(seen) if self.mac.as_ref().is_some_and(|mac| mac.0 != seen.mac) => kernel.wait(PAUSE),
                _ => return Ok(()),
            }
        }
        Err(CniError::new(
            CniError::KERNEL,
            format!(
                "the port of virtual function {} took its hardware address and does not show it",
                function.describe()
            ),
        ))
    }

    /// Sets those of them that the function does not have, going on where one is refused.
    pub fn restore(&self, kernel: &mut dyn Kernel, function: &Function, left: &mut Left) {
        let seen = self.seen(kernel, function).unwrap_or_else(|error| {
            log::warn!("{error}");
            None
        });
        for (_, setting) in self.missing(seen.as_ref()).in_order_of_detach() {
            match set(kernel, function, setting) {
                // Some drivers know how to take an address, and not how to go without.
                Err(error) if setting == VfSetting::Mac([0; 6]) && is_final(&error) => log::warn!(
                    "virtual function {} keeps the hardware address that its port gave it: {error}",
                    function.describe()
                ),
                done => left.note(done),
            }
        }
    }

    /// What they are called in a configuration, and what is sent. The address goes before trust, which some drivers want.
    #[must_use]
    pub fn in_order_of_attach(&self) -> Vec<(&'static str, VfSetting)> {
        let Settings { mac, vlan, rate, spoof_check, trust, link_state } = self;
        let mac = mac.as_ref().and_then(HardwareAddress::ethernet);
        let settings = [
            ("vlan", vlan.map(VfSetting::Vlan)),
            ("mac", mac.map(VfSetting::Mac)),
            ("min_tx_rate and max_tx_rate", rate.map(|(min, max)| VfSetting::Rate { min, max })),
            ("spoofchk", spoof_check.map(VfSetting::SpoofCheck)),
            ("trust", trust.map(VfSetting::Trust)),
            ("link_state", link_state.map(VfSetting::LinkState)),
        ];
        settings.into_iter().filter_map(|(key, setting)| Some((key, setting?))).collect()
    }

    /// Some drivers refuse another address to a function that is not trusted, so trust goes after it.
    fn in_order_of_detach(&self) -> Vec<(&'static str, VfSetting)> {
        let mut settings = self.in_order_of_attach();
        let place = |key: &str| ["vlan", "spoofchk", "mac", "trust"].iter().position(|first| *first == key);
        settings.sort_by_key(|(key, _)| place(key).unwrap_or(usize::MAX));
        settings
    }
}

/// Sets something of a function through its port.
pub(super) fn set(
    kernel: &mut dyn Kernel,
    function: &Function,
    setting: VfSetting,
) -> Result<(), KernelError> {
    let Some(port) = &function.port else { return Ok(()) };
    kernel.make(Change::Function { port: port.ifindex, number: function.number, setting })
}

fn is_final(error: &KernelError) -> bool {
    matches!(error.errno(), Some(libc::EINVAL | libc::EADDRNOTAVAIL | libc::EOPNOTSUPP))
}

fn refused(function: &Function, key: &str, setting: VfSetting, error: &KernelError) -> CniError {
    let hint = match error.errno() {
        Some(libc::EOPNOTSUPP) => "; the driver does not know how, take it out of the network",
        Some(libc::EPROTONOSUPPORT) => "; the driver does not know this vlanProto",
        Some(libc::EINVAL) if key.contains("rate") => {
            "; some drivers take rates only while the port has a link, and none above its speed"
        }
        _ => "",
    };
    CniError::kernel(error).while_doing(&format!(
        "failed to set {key} ({setting:?}) of virtual function {}{hint}",
        function.describe()
    ))
}
