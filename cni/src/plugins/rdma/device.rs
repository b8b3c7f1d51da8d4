use crate::functions::{Function, HardwareAddress, Node};
use crate::kernel::{Kernel, KernelError, Place};
use crate::rdma::{Mode, RdmaDevice};
use crate::spec::{Answer, Call, CniError};
use crate::sysfs::PciAddress;

/// What has an RDMA device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plugins) enum Device {
    /// A function.
    Function(PciAddress),
    /// A part of one, as `mlx5_core.sf.4`.
    Auxiliary(String),
}

impl Device {
    /// From `deviceID`.
    pub(in crate::plugins) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(function) = text.parse() {
            return Ok(Self::Function(function));
        }
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.contains('.')
            && text.bytes().all(valid);
        if is_name {
            return Ok(Self::Auxiliary(text.to_owned()));
        }
        Err(format!(
            "deviceID is {text:?}; write a PCI address as 0000:86:00.2, or an auxiliary device as mlx5_core.sf.4"
        ))
    }

    /// The device of a call: `deviceID`, or what the plugins before this one in the chain tell.
    pub(super) fn of(node: &mut Node<'_>, call: &Call, previous: &Answer) -> Result<Self, CniError> {
        let text = call.config.get("deviceID").and_then(|device| device.as_str()).unwrap_or_default();
        if !text.is_empty() {
            let wrong = |reason: String| CniError::config(format!("network {:?}: {reason}", call.network()));
            return Self::parse(text).map_err(wrong);
        }
        let of_pod = previous.position_in_pod(&call.ifname).map(|at| &previous.interfaces[at]);
        if let Some(function) = of_pod.and_then(|interface| interface.pci_id.parse().ok()) {
            return Ok(Self::Function(function));
        }
        match previous.interfaces.as_slice() {
            [only] => by_hardware_address(node.kernel, &only.mac),
            several => Err(CniError::config(format!(
                "network {:?}: deviceID is not set, and prevResult has {} interfaces, so it is not known which device is \
                 meant; Multus sets deviceID from the resource that the pod requests",
                call.network(),
                several.len()
            ))),
        }
    }

    /// Names of its RDMA devices on the host.
    pub(in crate::plugins) fn names(&self, kernel: &dyn Kernel) -> Result<Vec<String>, KernelError> {
        Ok(match self {
            Self::Function(function) => kernel.sysfs().rdma_devices(*function)?,
            Self::Auxiliary(name) => kernel.sysfs().rdma_devices_of_auxiliary(name)?,
        })
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Function(function) => function.fmt(formatter),
            Self::Auxiliary(name) => name.fmt(formatter),
        }
    }
}

/// The one RDMA device of a device, on the host.
pub(in crate::plugins) fn only_one(kernel: &mut dyn Kernel, device: &Device) -> Result<RdmaDevice, CniError> {
    let names = device.names(kernel)?;
    let kernel_error = |reason: String| CniError::new(CniError::KERNEL, reason);
    match names.as_slice() {
        [name] => kernel
            .rdma_devices(Place::HOST)?
            .into_iter()
            .find(|found| found.name == *name)
            .ok_or_else(|| kernel_error(format!("RDMA device {name} of {device} went away"))),
        [] => Err(CniError::new(
            CniError::TRY_AGAIN,
            format!(
                "device {device} has no RDMA device on the host: its driver makes none (is mlx5_ib or the like loaded?), or it \
                 is in the network namespace of a pod that is not gone yet"
            ),
        )),
        several => Err(kernel_error(format!(
            "device {device} has {} RDMA devices ({}), and only one can be moved",
            several.len(),
            several.join(", ")
        ))),
    }
}

/// Devices can be moved in exclusive mode alone.
pub(in crate::plugins) fn must_be_exclusive(kernel: &mut dyn Kernel) -> Result<(), CniError> {
    if kernel.rdma_mode()? == Mode::Exclusive {
        return Ok(());
    }
    Err(CniError::new(
        CniError::KERNEL,
        "RDMA devices of this node are shared by all network namespaces, so none can be given to a pod alone. Set `options \
         ib_core netns_mode=0` in /etc/modprobe.d/ib_core.conf, make the initramfs anew if ib_core is in it, and restart the node; \
         `rdma system set netns exclusive` does it at once, but fails with EBUSY while there is any network namespace besides the \
         host's, that is, any pod, or a service with PrivateNetwork=yes",
    ))
}

/// The function whose port gave it this address, if there is exactly one.
fn by_hardware_address(kernel: &mut dyn Kernel, mac: &str) -> Result<Device, CniError> {
    let mut found = Vec::new();
    let wanted: Option<HardwareAddress> = mac.parse().ok();
    for port in kernel.sysfs().physical_functions().map_err(KernelError::from)? {
        for (number, address) in kernel.sysfs().virtual_functions(port).map_err(KernelError::from)? {
            let Some(function) = Function::find(kernel, address)? else { continue };
            let seen = function.seen(kernel)?;
            if seen.zip(wanted.as_ref()).is_some_and(|(seen, wanted)| {
                seen.number == number && wanted.0 == seen.mac && seen.mac != [0; 6]
            }) {
                found.push(address);
            }
        }
    }
    match found.as_slice() {
        [function] => Ok(Device::Function(*function)),
        functions => Err(CniError::config(format!(
            "deviceID is not set, and {} virtual functions of this node have the hardware address {mac} of prevResult's \
             interface; set deviceID",
            functions.len()
        ))),
    }
}
