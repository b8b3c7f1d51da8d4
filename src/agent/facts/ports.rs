//! From what was seen on a node to what is published.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use railweave_cni::sysfs::{LinkLayer, NetDevice, PciAddress};

use crate::api::{LinkType, NodeResource, PhysicalFunction, RailNodeSpec};

/// Longest lists that the schema of `RailNode` takes: of ports, of resources, and of the addresses of a port.
const LONGEST: usize = 256;
/// Most devices of a resource that it takes.
const MOST_DEVICES: usize = 4096;

/// One port of a NIC, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its PCI function.
    pub function: PciAddress,
    /// Its interface, if it is in the host's network namespace.
    pub device: Option<NetDevice>,
    /// Addresses of the interface that last.
    pub addresses: Vec<IpNet>,
    /// NUMA node of the slot.
    pub numa_node: Option<u32>,
    /// Its RDMA devices.
    pub rdma_devices: Vec<String>,
    /// How many virtual functions are turned on.
    pub enabled: u32,
    /// The virtual functions.
    pub virtual_functions: Vec<PciAddress>,
}

/// Devices of one resource, as the kubelet names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// `spidernet.io/gpu1sriov`
    pub name: String,
    /// PCI addresses, where they are those of virtual functions.
    pub devices: Vec<String>,
}

/// What is published: ports with virtual functions or an RDMA device, and resources with devices of theirs. The same
/// things seen in another order give the same.
#[must_use]
pub fn spec(ports: &[Port], resources: &[Resource]) -> RailNodeSpec {
    let mut ports: Vec<&Port> =
        ports.iter().filter(|port| port.enabled > 0 || !port.rdma_devices.is_empty()).collect();
    ports.sort_by_key(|port| port.function);
    ports.truncate(LONGEST);
    RailNodeSpec::new(ports.iter().map(|port| published(port)).collect(), of_ports(&ports, resources))
}

fn published(port: &Port) -> PhysicalFunction {
    let addresses: BTreeSet<&IpNet> = port.addresses.iter().collect();
    let device = port.device.as_ref();
    PhysicalFunction {
        pci_address: port.function.to_string(),
        interface: device.map(|device| device.name.clone()).unwrap_or_default(),
        addresses: addresses.into_iter().take(LONGEST).map(ToString::to_string).collect(),
        link_type: device.and_then(|device| match device.link_layer {
            LinkLayer::Ethernet => Some(LinkType::Ethernet),
            LinkLayer::Infiniband => Some(LinkType::Infiniband),
            LinkLayer::Other(_) => None,
        }),
        mtu: device.and_then(|device| device.mtu).map(i64::from),
        numa_node: port.numa_node.map(i64::from),
        rdma_device: port.rdma_devices.first().cloned(),
        virtual_functions: i64::from(port.enabled),
    }
}

/// Resources with a device that is one of these ports, or a virtual function of one.
fn of_ports(ports: &[&Port], resources: &[Resource]) -> Vec<NodeResource> {
    let mut port_of: BTreeMap<PciAddress, PciAddress> = BTreeMap::new();
    for port in ports {
        port_of.insert(port.function, port.function);
        port_of.extend(port.virtual_functions.iter().map(|function| (*function, port.function)));
    }
    // The kubelet names a resource once for each NUMA node.
    let mut found: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<PciAddress>)> = BTreeMap::new();
    for resource in resources {
        for device in &resource.devices {
            let port = device.parse().ok().and_then(|function: PciAddress| port_of.get(&function));
            let Some(port) = port else { continue };
            let (devices, of_ports) = found.entry(&resource.name).or_default();
            devices.insert(device);
            of_ports.insert(*port);
        }
    }
    let listed = found.into_iter().take(LONGEST).map(|(name, (devices, ports))| NodeResource {
        name: name.to_owned(),
        devices: devices.into_iter().take(MOST_DEVICES).map(str::to_owned).collect(),
        physical_functions: ports.iter().map(ToString::to_string).collect(),
    });
    listed.collect()
}
