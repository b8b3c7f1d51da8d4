use crate::functions::{Function, HardwareAddress, Interface, Node, Settings, refuse_taken_name};
use crate::kernel::{Change, Kernel, KernelError, Place};
use crate::netlink::{Link, VirtualFunction};
use crate::plugins::rdma::{Device, Nodes, RdmaBefore, move_in, must_be_exclusive, only_one};
use crate::plugins::{addressed, sriov};
use crate::rdma::RdmaDevice;
use crate::spec::{self, Answer, Call, CniError};
use crate::state::Record;
use crate::state::caches::{IbSriovCache, Ours, RdmaCache};

use super::config::Config;
use super::guid::Guid;
use super::identity::{self, Identity};
use super::restore::Before;

/// What is to be done, checked against the node.
struct Plan<'a> {
    call: &'a Call,
    config: Config,
    function: Function,
    /// The function's interface on the host; none of one that is given to user space.
    link: Option<Link>,
    /// What the port says of it.
    seen: Option<VirtualFunction>,
    pod: Place,
}

/// ADD. Everything is checked before anything is changed; what fails then is undone.
///
/// 1. What an earlier attachment left on the function is brought back.
/// 2. The record says whose the function is and how it was.
/// 3. The port is told the link state, and the identifier if it has another; then the driver is made to read that.
/// 4. The RDMA device goes into the pod.
/// 5. The interface, which the kernel made anew by that, goes into the pod and is turned on.
/// 6. IPAM; addresses and routes. The cache of the plugin in Go.
pub(super) fn attach(node: &mut Node<'_>, call: &Call) -> Result<Answer, CniError> {
    let config = Config::of(call)?;
    let (pod, owner) = node.open_pod(call)?;
    if config.isolated {
        must_be_exclusive(node.kernel)?;
    }
    let device = config.device.to_string();
    let _lock = node.lock(&device)?;
    node.claim::<Before>(&device, &owner)?;
    if is_port_of_user_space(node.kernel, &config)? {
        let record = Record { owner, device, attached: false, before: Before::default() };
        node.records().write(&record)?;
        return addressed::add(node, call, pod, record, Ok(None), |_, record, _, answer| {
            answer.interfaces = vec![interface(call, record.device.clone(), None)];
            Ok(())
        });
    }
    let plan = Plan::new(node.kernel, call, config, pod)?;
    let before = plan.before(node.kernel)?;
    let mut record = Record { owner, device, attached: false, before };
    node.records().write(&record)?;
    let inside = plan.carry_out(node, &mut record);
    addressed::add(node, call, pod, record, inside, |node, record, inside, answer| {
        answer.interfaces = vec![interface(call, record.device.clone(), inside)];
        plan.write_cache(node, record)
    })
}

/// A whole port can be given to a virtual machine; there is nothing to be done for it.
pub(super) fn is_port_of_user_space(kernel: &dyn Kernel, config: &Config) -> Result<bool, CniError> {
    let sysfs = kernel.sysfs();
    let is_port = sysfs.physical_function(config.device).map_err(KernelError::from)?.is_none();
    let driver = sysfs.driver(config.device).map_err(KernelError::from)?;
    Ok(is_port && driver.as_deref() == Some("vfio-pci"))
}

impl<'a> Plan<'a> {
    fn new(kernel: &mut dyn Kernel, call: &'a Call, config: Config, pod: Place) -> Result<Self, CniError> {
        let address = config.device;
        let refused = |reason: String| CniError::new(CniError::KERNEL, reason);
        let function = Function::find(kernel, address)?.ok_or_else(|| {
            refused(format!(
                "device {address} is no virtual function of this node; a port can be given to a pod only when it is bound to \
                 vfio-pci"
            ))
        })?;
        if config.wants_vfio && !function.is_of_user_space() {
            return Err(refused(format!(
                "network {:?} has vfioPciMode, and virtual function {} is bound to {}; bind it to vfio-pci, or take vfioPciMode \
                 out",
                call.network(),
                function.describe(),
                function.driver.as_deref().unwrap_or("no driver"),
            )));
        }
        if config.needs_guid && config.guid.is_none() {
            return Err(CniError::config(format!(
                "network {:?} has ibKubernetesEnabled, and no GUID came with the interface; see the log of ib-kubernetes",
                call.network()
            )));
        }
        let link = if function.is_of_user_space() { None } else { function.link(kernel)? };
        if link.is_none() && !function.is_of_user_space() {
            return Err(sriov::no_interface(&function));
        }
        let seen = function.seen(kernel)?;
        let plan = Self { call, config, function, link, seen, pod };
        plan.check_guid()?;
        if plan.link.is_some() {
            refuse_taken_name(kernel, pod, call)?;
        }
        Ok(plan)
    }

    /// The identifier of the port that the driver has read, or will.
    fn present_guid(&self) -> Option<Guid> {
        match &self.link {
            Some(link) => Guid::of_interface(&link.address),
            None => self.seen.as_ref()?.guids.map(|(_, port)| Guid(port)),
        }
    }

    /// A function that nobody gave an identifier has a link that never comes up.
    fn check_guid(&self) -> Result<(), CniError> {
        match (self.config.guid, self.present_guid()) {
            (None, Some(guid)) if !guid.is_valid() => Err(CniError::new(
                CniError::KERNEL,
                format!(
                    "the GUID of virtual function {} is {guid}, which is none, and network {:?} gives it no other: set one on the \
                     node (`ip link set PORT vf {} node_guid GUID` and port_guid, then bind it anew), or let ib-kubernetes give \
                     each pod one",
                    self.function.describe(),
                    self.call.network(),
                    self.function.number
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The identifier that has to be given, if it has another.
    fn new_guid(&self) -> Option<Guid> {
        let wanted = self.config.guid?;
        let is_told = self.seen.as_ref().and_then(|seen| seen.guids).is_none_or(|(node, port)| {
            // Connections by address cannot be made with a node that has none.
            port == wanted.0 && node != 0
        });
        (self.present_guid() != Some(wanted) || !is_told).then_some(wanted)
    }

    fn settings(&self) -> Settings {
        Settings { link_state: self.config.link_state, ..Settings::default() }
    }

    fn before(&self, kernel: &mut dyn Kernel) -> Result<Before, CniError> {
        let guids = self.seen.as_ref().and_then(|seen| seen.guids);
        let present = self.present_guid().unwrap_or(Guid::NONE);
        let identity = |given| {
            let (node, port) = guids.map_or((present, present), |(node, port)| (Guid(node), Guid(port)));
            Identity { node, port, given: Some(given) }
        };
        let rdma = match self.isolated(kernel)? {
            None => self.made_anew(kernel)?,
            isolated => isolated,
        };
        // Its hardware address has the identifier in it, and the rest the driver chooses.
        let interface = self
            .link
            .as_ref()
            .map(|link| Interface { address: HardwareAddress::default(), ..Interface::from(link) });
        Ok(Before {
            settings: Settings { trust: None, ..self.settings().before(self.seen.as_ref()) },
            interface,
            driver: self.function.driver.clone(),
            identity: self.new_guid().map(identity),
            rdma: rdma.map(|device| RdmaBefore::from(&device)),
        })
    }

    fn device(&self) -> Device {
        Device::Function(self.function.address)
    }

    /// The RDMA device that goes into the pod.
    fn isolated(&self, kernel: &mut dyn Kernel) -> Result<Option<RdmaDevice>, CniError> {
        let goes = self.config.isolated && self.link.is_some();
        goes.then(|| only_one(kernel, &self.device())).transpose()
    }

    /// The RDMA device that the driver makes anew, on the host.
    fn made_anew(&self, kernel: &mut dyn Kernel) -> Result<Option<RdmaDevice>, CniError> {
        let device = self.device();
        let is_made = self.link.is_some() && self.new_guid().is_some() && device.names(kernel)?.len() == 1;
        is_made.then(|| only_one(kernel, &device)).transpose()
    }

    /// Up to the interface in the pod, if the function has one.
    fn carry_out(&self, node: &mut Node<'_>, record: &mut Record<Before>) -> Result<Option<Link>, CniError> {
        self.settings().attach(node.kernel, &self.function, self.seen.as_ref())?;
        self.identify(node, record)?;
        if let Some(device) = self.isolated(node.kernel)? {
            move_in(node, self.call, &self.device(), &device, self.pod)?;
        }
        record.before.interface.as_ref().map(|before| self.enter(node.kernel, before)).transpose()
    }

    /// Gives the function its identifier, if it has another; one after the other on a node, for interfaces and RDMA devices
    /// are made anew by it, with the names and numbers that are free.
    fn identify(&self, node: &mut Node<'_>, record: &mut Record<Before>) -> Result<(), CniError> {
        let Some(guid) = self.new_guid() else { return Ok(()) };
        let lock = node.state.lock_rdma()?;
        identity::give(node.kernel, &self.function, guid).map_err(|error| {
            CniError::kernel(&error).while_doing(&format!(
                "failed to give virtual function {} the GUID {guid}",
                self.function.describe()
            ))
        })?;
        let Some(link) = &self.link else { return Ok(()) };
        let interface = identity::interface(node.kernel, &self.function)?;
        let read = interface.and_then(|interface| Guid::of_interface(&interface.address));
        if read != Some(guid) {
            let found = read.map_or_else(|| "no interface".to_owned(), |read| format!("the GUID {read}"));
            return Err(CniError::new(
                CniError::KERNEL,
                format!(
                    "virtual function {} has {found} after its driver took it anew to read the GUID {guid}; it was {} before",
                    self.function.describe(),
                    link.name
                ),
            ));
        }
        drop(lock);
        let Some(rdma) = &mut record.before.rdma else { return Ok(()) };
        let anew = only_one(node.kernel, &self.device())?;
        rdma.index = Some(anew.index);
        node.records().write(record)?;
        // One that stays on the host has another number by now, maybe.
        if self.config.isolated {
            return Ok(());
        }
        Nodes::of(&self.device()).follow(node, self.call, Place::HOST, &anew)
    }

    fn enter(&self, kernel: &mut dyn Kernel, before: &Interface) -> Result<Link, CniError> {
        let link = identity::interface(kernel, &self.function)?
            .ok_or_else(|| sriov::no_interface(&self.function))?;
        let (at, name) = (self.pod, &self.call.ifname);
        let moved = before.enter(kernel, &link, at, name).map_err(|error| {
            CniError::kernel(&error).while_doing(&format!(
                "failed to move {} of virtual function {} into the pod as {name}",
                link.name,
                self.function.describe()
            ))
        })?;
        sriov::prepare(kernel, at, name);
        kernel.make(Change::Up { at, link: moved.index, up: true })?;
        Ok(kernel.link(at, moved.index)?.unwrap_or(moved))
    }

    /// With it the plugin in Go can detach the pod.
    fn write_cache(&self, node: &Node<'_>, record: &Record<Before>) -> Result<(), CniError> {
        let Before { interface, identity, rdma, .. } = &record.before;
        let name = rdma.as_ref().map(|rdma| rdma.name.clone()).unwrap_or_default();
        let cache = IbSriovCache {
            ours: Ours { railweave: true },
            network: record.owner.network.clone(),
            device: record.device.clone(),
            port: self.function.port.as_ref().map(|port| port.name.clone()).unwrap_or_default(),
            number: self.function.number,
            name: interface.as_ref().map(|interface| interface.name.clone()).unwrap_or_default(),
            guid: identity.as_ref().map(|identity| identity.port.to_string()).unwrap_or_default(),
            interface: self.call.ifname.clone(),
            rdma: RdmaCache {
                version: "1.0".to_owned(),
                device: record.device.clone(),
                sandbox_rdma_dev_name: name.clone(),
                container_rdma_dev_name: name,
                ..RdmaCache::default()
            },
            vfio: self.function.is_of_user_space(),
            ..IbSriovCache::default()
        };
        Ok(node.state.write_cache(&record.owner, &cache, &self.call.config)?)
    }
}

fn interface(call: &Call, device: String, inside: Option<&Link>) -> spec::Interface {
    spec::Interface {
        name: call.ifname.clone(),
        mac: inside.map(|link| HardwareAddress(link.address.clone()).to_string()).unwrap_or_default(),
        mtu: inside.map(|link| link.mtu),
        sandbox: call.netns.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
        socket_path: String::new(),
        pci_id: device,
    }
}
