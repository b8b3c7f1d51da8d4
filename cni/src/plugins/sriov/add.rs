use crate::functions::{Function, HardwareAddress, Interface, Node, refuse_taken_name, take_address};
use crate::kernel::{Change, Kernel, Place};
use crate::netlink::{Link, VirtualFunction, VlanProtocol};
use crate::plugins::addressed;
use crate::spec::{self, Answer, Call, CniError};
use crate::state::caches::{OriginalState, Ours, SriovCache};
use crate::state::{Owner, Record};

use super::config::Config;
use super::restore::Before;

/// What is to be done, checked against the node.
struct Plan<'a> {
    call: &'a Call,
    config: Config,
    function: Function,
    /// The function's interface on the host; none of one that is given to user space.
    link: Option<Link>,
    /// What the port says of it, where that is needed.
    seen: Option<VirtualFunction>,
    pod: Place,
}

/// ADD. Everything is checked before anything is changed; what fails then is undone.
///
/// 1. What an earlier attachment left on the function is brought back.
/// 2. The record says whose the function is and how it was.
/// 3. The port is told VLAN, address, rates, spoof check, trust, link state.
/// 4. The interface goes into the pod under its name there, in one step.
/// 5. There it gets its address and MTU, and is turned on.
/// 6. IPAM; addresses and routes.
/// 7. The caches of the plugin in Go.
pub(super) fn attach(node: &mut Node<'_>, call: &Call) -> Result<Answer, CniError> {
    let config = Config::of(call)?;
    let (pod, owner) = node.open_pod(call)?;
    let device = config.device.to_string();
    let _lock = node.lock(&device)?;
    node.claim::<Before>(&device, &owner)?;
    let plan = Plan::new(node.kernel, call, config, pod)?;
    let before = Before {
        settings: plan.config.settings.before(plan.seen.as_ref()),
        interface: plan.link.as_ref().map(Interface::from),
    };
    let record = Record { owner, device, attached: false, before };
    node.records().write(&record)?;
    let inside = plan.carry_out(node.kernel, &record);
    addressed::add(node, call, pod, record, inside, |node, record, inside, answer| {
        answer.interfaces = vec![plan.interface(node.kernel, inside)?];
        plan.write_caches(node, record)
    })
}

impl<'a> Plan<'a> {
    fn new(kernel: &mut dyn Kernel, call: &'a Call, config: Config, pod: Place) -> Result<Self, CniError> {
        let address = config.device;
        let function = Function::find(kernel, address)?.ok_or_else(|| no_function(kernel, &config))?;
        if function.port.is_none() && config.settings != crate::functions::Settings::default() {
            return Err(CniError::new(
                CniError::KERNEL,
                format!(
                    "the port of virtual function {address} has no interface on the host, so nothing can be set through it"
                ),
            ));
        }
        let link = if function.is_of_user_space() { None } else { function.link(kernel)? };
        if link.is_none() && !function.is_of_user_space() {
            return Err(no_interface(&function));
        }
        let seen = config.settings.seen(kernel, &function)?;
        let plan = Self { call, config, function, link, seen, pod };
        plan.check_mtu()?;
        if plan.link.is_some() {
            refuse_taken_name(kernel, pod, call)?;
        }
        Ok(plan)
    }

    /// A function that takes longer packets than its port loses them without a word.
    fn check_mtu(&self) -> Result<(), CniError> {
        let Some(port) = &self.function.port else { return Ok(()) };
        match (self.config.mtu, port.mtu) {
            (Some(mtu), Some(most)) if mtu > most => Err(CniError::config(format!(
                "network {:?}: mtu {mtu} is above the MTU {most} of port {}; raise that first (`ip link set {} mtu {mtu}`, or \
                 mtu in the node policy of the operator), or set a lower mtu",
                self.call.network(),
                port.name,
                port.name
            ))),
            _ => Ok(()),
        }
    }

    /// Up to the interface in the pod, if the function has one.
    fn carry_out(&self, kernel: &mut dyn Kernel, record: &Record<Before>) -> Result<Option<Link>, CniError> {
        self.config.settings.attach(kernel, &self.function, self.seen.as_ref())?;
        match (&self.link, &record.before.interface) {
            (Some(link), Some(before)) => self.enter(kernel, link, before).map(Some),
            _ => Ok(None),
        }
    }

    fn enter(&self, kernel: &mut dyn Kernel, link: &Link, before: &Interface) -> Result<Link, CniError> {
        let (at, name) = (self.pod, &self.call.ifname);
        let moved = before.enter(kernel, link, at, name).map_err(|error| {
            CniError::kernel(&error).while_doing(&format!(
                "failed to move {} of virtual function {} into the pod as {name}",
                link.name,
                self.function.describe()
            ))
        })?;
        prepare(kernel, at, name);
        if let Some(mac) = &self.config.settings.mac {
            let is_trusted = self.config.settings.trust == Some(true);
            take_address(kernel, &self.function, at, &moved, mac, is_trusted)?;
        }
        if let Some(mtu) = self.config.mtu.filter(|mtu| *mtu != moved.mtu) {
            kernel.make(Change::Mtu { at, link: moved.index, mtu })?;
        }
        kernel.make(Change::Up { at, link: moved.index, up: true })?;
        Ok(kernel.link(at, moved.index)?.unwrap_or(moved))
    }

    fn interface(&self, kernel: &mut dyn Kernel, inside: Option<&Link>) -> Result<spec::Interface, CniError> {
        let mut given = || -> Result<Option<HardwareAddress>, CniError> {
            let seen = self.function.seen(kernel)?;
            Ok(seen.map(|seen| HardwareAddress(seen.mac.to_vec())).filter(|mac| mac.0 != [0; 6]))
        };
        let mac = match (&self.config.settings.mac, inside) {
            (Some(mac), _) => Some(mac.clone()),
            (None, Some(link)) => Some(HardwareAddress(link.address.clone())),
            (None, None) => given()?,
        };
        let port = self.function.port.as_ref();
        Ok(spec::Interface {
            name: self.call.ifname.clone(),
            mac: mac.map(|mac| mac.to_string()).unwrap_or_default(),
            mtu: inside.map(|link| link.mtu).or_else(|| port?.mtu),
            sandbox: self.call.netns.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            socket_path: String::new(),
            pci_id: self.function.address.to_string(),
        })
    }

    /// With these the plugin in Go can detach the pod, so that it can take our place again.
    fn write_caches(&self, node: &Node<'_>, record: &Record<Before>) -> Result<(), CniError> {
        let Owner { netns, .. } = &record.owner;
        let cache = SriovCache {
            ours: Ours { railweave: true },
            network: record.owner.network.clone(),
            device: record.device.clone(),
            port: self.function.port.as_ref().map(|port| port.name.clone()).unwrap_or_default(),
            number: self.function.number,
            original: original(&record.before),
            mac: self.config.settings.mac.as_ref().map(ToString::to_string).unwrap_or_default(),
            ..SriovCache::default()
        };
        node.state.write_cache(&record.owner, &cache, &self.call.config)?;
        let path = netns.as_ref().map(|netns| netns.path.display().to_string()).unwrap_or_default();
        Ok(node.state.write_allocation(self.function.address, &path)?)
    }
}

/// The interface tells its neighbours of new addresses, and uses IPv6 ones while it asks whether they are free. A kernel
/// that does not know how does without.
pub(in crate::plugins) fn prepare(kernel: &mut dyn Kernel, at: Place, name: &str) {
    let values = [("ipv4", "arp_notify"), ("ipv6", "ndisc_notify"), ("ipv6", "optimistic_dad")];
    let values = values.map(|(family, key)| (format!("{family}/conf/{name}/{key}"), "1")).to_vec();
    if let Err(error) = kernel.make(Change::Sysctl { at, values }) {
        log::warn!("{error}");
    }
}

/// Our record in the words of the plugin in Go.
fn original(before: &Before) -> OriginalState {
    let Before { settings, interface } = before;
    let interface = interface.clone().unwrap_or_default();
    let vlan = settings.vlan.unwrap_or_default();
    let (min_tx_rate, max_tx_rate) = settings.rate.unwrap_or_default();
    OriginalState {
        name: interface.name,
        spoof_chk: settings.spoof_check.unwrap_or_default(),
        trust: settings.trust.unwrap_or_default(),
        admin_mac: settings.mac.as_ref().map(ToString::to_string).unwrap_or_default(),
        effective_mac: interface.address.to_string(),
        vlan: vlan.id,
        vlan_qos: vlan.qos,
        vlan_proto: if vlan.protocol == VlanProtocol::Dot1ad { 0x88a8 } else { 0x8100 },
        min_tx_rate,
        max_tx_rate,
        link_state: settings.link_state.unwrap_or_default() as u32,
        mtu: interface.mtu.unwrap_or_default(),
    }
}

fn no_function(kernel: &dyn Kernel, config: &Config) -> CniError {
    let address = config.device;
    // What is there and has a driver is a port, or no NIC at all.
    let reason = match kernel.sysfs().driver(address) {
        Ok(Some(driver)) => format!("is no virtual function; it is bound to {driver}"),
        _ => "is not on this node; it goes when sriov_numvfs of its port is set anew".to_owned(),
    };
    CniError::new(CniError::KERNEL, format!("device {address} {reason}"))
}

/// An ADD that comes too early.
pub(in crate::plugins) fn no_interface(function: &Function) -> CniError {
    let reason = match &function.driver {
        None => "it is bound to no driver".to_owned(),
        Some(driver) => format!(
            "it is bound to {driver}, so its interface is in another network namespace: the pod that had it last may not be \
             gone yet"
        ),
    };
    CniError::new(
        CniError::TRY_AGAIN,
        format!("virtual function {} has no interface on the host: {reason}", function.describe()),
    )
}
