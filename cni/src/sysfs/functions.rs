use super::read::{link_name, names, number};
use super::{PciAddress, Sysfs, SysfsError};

/// Upper byte of a PCI class: network controller.
const NETWORK: i64 = 0x02;

impl Sysfs {
    /// Every network controller that is no virtual function, in order of the bus.
    pub fn physical_functions(&self) -> Result<Vec<PciAddress>, SysfsError> {
        let mut found = Vec::new();
        for name in names(&self.path("bus/pci/devices"))? {
            let Ok(function) = name.parse::<PciAddress>() else { continue };
            let class = number(&self.device(function, "class"))?;
            if class.is_some_and(|class| class >> 16 == NETWORK)
                && self.physical_function(function)?.is_none()
            {
                found.push(function);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The port that a virtual function belongs to; none for anything but a virtual function.
    pub fn physical_function(&self, function: PciAddress) -> Result<Option<PciAddress>, SysfsError> {
        let name = link_name(&self.device(function, "physfn"))?;
        Ok(name.and_then(|name| name.parse().ok()))
    }

    /// The virtual functions of a port with their numbers, in order. Numbers may have gaps and may lie above how many
    /// there are.
    pub fn virtual_functions(&self, port: PciAddress) -> Result<Vec<(u32, PciAddress)>, SysfsError> {
        let folder = self.path(format!("bus/pci/devices/{port}"));
        let mut found = Vec::new();
        for name in names(&folder)? {
            let Some(Ok(number)) = name.strip_prefix("virtfn").map(str::parse::<u32>) else { continue };
            let target = link_name(&folder.join(&name))?;
            found.extend(target.and_then(|target| target.parse().ok()).map(|function| (number, function)));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// How many virtual functions of a port are turned on (`sriov_numvfs`); none if it can have none.
    pub fn enabled_virtual_functions(&self, port: PciAddress) -> Result<Option<u32>, SysfsError> {
        self.count(port, "sriov_numvfs")
    }

    /// How many virtual functions a port can have (`sriov_totalvfs`).
    pub fn possible_virtual_functions(&self, port: PciAddress) -> Result<Option<u32>, SysfsError> {
        self.count(port, "sriov_totalvfs")
    }

    /// The driver that a function is bound to.
    pub fn driver(&self, function: PciAddress) -> Result<Option<String>, SysfsError> {
        link_name(&self.device(function, "driver"))
    }

    /// NUMA node of the slot; none on machines without, where the kernel says -1.
    pub fn numa_node(&self, function: PciAddress) -> Result<Option<u32>, SysfsError> {
        self.count(function, "numa_node")
    }

    /// RDMA devices of a function that this tree's network namespace may see, sorted by name.
    pub fn rdma_devices(&self, function: PciAddress) -> Result<Vec<String>, SysfsError> {
        names(&self.device(function, "infiniband"))
    }

    /// RDMA devices of an auxiliary device, as `mlx5_core.sf.4`, sorted by name.
    pub fn rdma_devices_of_auxiliary(&self, device: &str) -> Result<Vec<String>, SysfsError> {
        names(&self.path(format!("bus/auxiliary/devices/{device}/infiniband")))
    }

    fn count(&self, function: PciAddress, attribute: &str) -> Result<Option<u32>, SysfsError> {
        let value = number(&self.device(function, attribute))?;
        Ok(value.and_then(|value| u32::try_from(value).ok()))
    }

    fn device(&self, function: PciAddress, name: &str) -> std::path::PathBuf {
        self.path(format!("bus/pci/devices/{function}/{name}"))
    }
}
