//! The recorded node of `tests/shared/rails.sysfs`, and what is published of it.

use railweave_cni::netlink::InterfaceAddress;
use railweave_cni::sysfs::Sysfs;

use super::observe::{again, ports};
use super::ports::{Resource, spec};
use crate::api::{LinkType, NodeResource, PhysicalFunction, RailNodeSpec};

#[path = "../../../../tests/shared/sysfs_tree.rs"]
mod sysfs_tree;
use sysfs_tree::SysfsTree;

fn address(link: u32, text: &str) -> InterfaceAddress {
    InterfaceAddress { link, address: text.parse().unwrap(), temporary: false }
}

fn resource(name: &str, devices: &[&str]) -> Resource {
    Resource { name: name.into(), devices: devices.iter().map(|device| (*device).to_owned()).collect() }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// What is published of a node with this `/sys`.
fn published(tree: &SysfsTree, addresses: &[InterfaceAddress], resources: &[Resource]) -> RailNodeSpec {
    spec(&ports(&Sysfs::at(tree.path()), addresses).unwrap(), resources)
}

#[test]
fn ports_with_virtual_functions_or_an_rdma_device_are_published() {
    let addresses = [
        address(4, "172.16.1.1/27"),
        address(4, "fe80::e42:a1ff:feb2:c3d4/64"),
        address(4, "10.0.0.7/8"),
        address(2, "192.168.0.10/24"),
        InterfaceAddress { temporary: true, ..address(4, "fd00::abcd/64") },
    ];
    let resources = [
        resource("spidernet.io/gpu1sriov", &["0000:86:00.3"]),
        resource("spidernet.io/gpu8sriov", &["0000:d8:00.7"]),
        // Of the other NUMA node.
        resource("spidernet.io/gpu1sriov", &["0000:86:00.2"]),
        resource("spidernet.io/all", &["0000:d8:00.7", "0000:86:00.2", "0000:af:00.0"]),
        resource("nvidia.com/gpu", &["GPU-8f3c", "0000:19:00.0"]),
        resource("disks.io/fast", &["0000:c1:00.1"]),
    ];
    let roce = PhysicalFunction {
        pci_address: "0000:86:00.0".into(),
        interface: "eno3np2".into(),
        addresses: texts(&["10.0.0.7/8", "172.16.1.1/27", "fe80::e42:a1ff:feb2:c3d4/64"]),
        link_type: Some(LinkType::Ethernet),
        mtu: Some(9000),
        numa_node: Some(1),
        rdma_device: Some("mlx5_0".into()),
        virtual_functions: 2,
    };
    let infiniband = PhysicalFunction {
        pci_address: "0000:af:00.0".into(),
        interface: "ibp175s0".into(),
        addresses: vec![],
        link_type: Some(LinkType::Infiniband),
        mtu: Some(4092),
        numa_node: None,
        rdma_device: Some("mlx5_1".into()),
        virtual_functions: 0,
    };
    let switchdev = PhysicalFunction {
        pci_address: "0000:d8:00.0".into(),
        interface: "enp216s0".into(),
        addresses: vec![],
        link_type: Some(LinkType::Ethernet),
        mtu: Some(1500),
        numa_node: Some(1),
        rdma_device: None,
        virtual_functions: 1,
    };
    let node_resource = |name: &str, devices: &[&str], ports: &[&str]| NodeResource {
        name: name.into(),
        devices: texts(devices),
        physical_functions: texts(ports),
    };
    assert_eq!(
        published(&SysfsTree::rails(), &addresses, &resources),
        RailNodeSpec {
            interfaces: texts(&["eno3np2", "ibp175s0", "enp216s0"]),
            physical_functions: vec![roce, infiniband, switchdev],
            resources: vec![
                node_resource(
                    "spidernet.io/all",
                    &["0000:86:00.2", "0000:af:00.0", "0000:d8:00.7"],
                    &["0000:86:00.0", "0000:af:00.0", "0000:d8:00.0"],
                ),
                node_resource("spidernet.io/gpu1sriov", &["0000:86:00.2", "0000:86:00.3"], &["0000:86:00.0"]),
                node_resource("spidernet.io/gpu8sriov", &["0000:d8:00.7"], &["0000:d8:00.0"]),
            ],
        }
    );
}

#[test]
fn the_order_in_which_things_are_seen_changes_nothing() {
    let tree = SysfsTree::rails();
    let mut addresses =
        [address(4, "172.16.1.1/27"), address(4, "172.16.1.2/27"), address(5, "172.16.2.1/27")];
    let mut resources =
        [resource("a.io/one", &["0000:86:00.3", "0000:86:00.2"]), resource("a.io/two", &["0000:d8:00.7"])];
    let first = published(&tree, &addresses, &resources);
    addresses.reverse();
    resources.reverse();
    resources[1].devices.reverse();
    assert_eq!(published(&tree, &addresses, &resources), first);
}

#[test]
fn a_port_whose_interface_is_away_keeps_its_place() {
    let tree = SysfsTree::rails();
    std::fs::remove_dir_all(tree.path().join("devices/pci0000:85/0000:86:00.0/net")).unwrap();
    let spec = published(&tree, &[address(4, "172.16.1.1/27")], &[resource("a.io/one", &["0000:86:00.2"])]);
    assert_eq!(
        spec.physical_functions[0],
        PhysicalFunction {
            pci_address: "0000:86:00.0".into(),
            numa_node: Some(1),
            rdma_device: Some("mlx5_0".into()),
            virtual_functions: 2,
            ..PhysicalFunction::default()
        }
    );
    assert_eq!(spec.interfaces, ["ibp175s0", "enp216s0"]);
    assert_eq!(spec.resources[0].physical_functions, ["0000:86:00.0"]);
}

/// Between two looks through all PCI functions.
#[test]
fn known_ports_are_looked_at_again() {
    let tree = SysfsTree::rails();
    let sysfs = Sysfs::at(tree.path());
    let seen = ports(&sysfs, &[]).unwrap();
    tree.write("devices/pci0000:85/0000:86:00.0/net/eno3np2/mtu", "4200");
    tree.write("devices/pci0000:d7/0000:d8:00.0/sriov_numvfs", "0");
    std::fs::remove_file(tree.path().join("devices/pci0000:d7/0000:d8:00.0/virtfn5")).unwrap();
    let addresses = [address(5, "172.16.2.1/27")];
    let seen = again(&sysfs, &addresses, &seen).unwrap();
    assert_eq!(seen, ports(&sysfs, &addresses).unwrap());
    let spec = spec(&seen, &[resource("a.io/one", &["0000:86:00.2", "0000:d8:00.7"])]);
    assert_eq!(spec.interfaces, ["eno3np2", "ibp175s0"]);
    assert_eq!(spec.physical_functions[0].mtu, Some(4200));
    assert_eq!(spec.physical_functions[1].addresses, ["172.16.2.1/27"]);
    assert_eq!(spec.resources[0].devices, ["0000:86:00.2"]);
}

#[test]
fn a_node_without_rails_publishes_that() {
    let nothing = Sysfs::at(tempfile::tempdir().unwrap().path().join("sys"));
    let ports = ports(&nothing, &[address(2, "10.0.0.1/8")]).unwrap();
    assert_eq!(spec(&ports, &[resource("nvidia.com/gpu", &["GPU-8f3c"])]), RailNodeSpec::default());
}

#[test]
fn lists_are_no_longer_than_the_schema_takes() {
    let tree = SysfsTree::rails();
    let addresses: Vec<_> =
        (0..300).map(|host| address(4, &format!("10.0.{}.{}/16", host / 250, host % 250))).collect();
    let resources: Vec<_> =
        (0..300).map(|number| resource(&format!("a.io/r{number}"), &["0000:86:00.2"])).collect();
    let spec = published(&tree, &addresses, &resources);
    assert_eq!((spec.physical_functions[0].addresses.len(), spec.resources.len()), (256, 256));
}
