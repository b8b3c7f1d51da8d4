use super::*;

#[path = "../../../tests/shared/sysfs_tree.rs"]
mod sysfs_tree;
use sysfs_tree::SysfsTree;

fn pci(text: &str) -> PciAddress {
    text.parse().unwrap()
}

#[test]
fn addresses_are_read_in_either_case_and_written_as_the_kernel_does() {
    for (text, canonical) in [
        ("0000:86:00.2", "0000:86:00.2"),
        ("0000:AF:1F.7", "0000:af:1f.7"),
        ("10000:e1:00.0", "10000:e1:00.0"),
        ("00010000:e1:00.0", "10000:e1:00.0"),
    ] {
        assert_eq!(pci(text).to_string(), canonical);
    }
}

#[test]
fn texts_that_are_no_address_are_refused_by_name() {
    for text in [
        "",
        "86:00.2",
        "0000:86:00",
        "0000:86:20.0",
        "0000:86:00.8",
        "000:86:00.0",
        "0000:8:00.0",
        "+000:86:00.0",
        "0000:86:00.0 ",
        "mlx5_core.sf.2",
        "000000000:86:00.0",
    ] {
        assert_eq!(text.parse::<PciAddress>(), Err(BadPciAddress(text.to_owned())));
    }
    let message = BadPciAddress("86:00.2".into()).to_string();
    assert_eq!(message, "\"86:00.2\" is no PCI address; write it like 0000:86:00.2");
}

#[test]
fn ports_are_network_controllers_that_are_no_virtual_functions() {
    let tree = SysfsTree::rails();
    let ports = Sysfs::at(tree.path()).physical_functions().unwrap();
    assert_eq!(
        ports,
        ["0000:02:00.0", "0000:86:00.0", "0000:af:00.0", "0000:d8:00.0"].map(pci),
        "neither the disk nor virtual functions"
    );
}

#[test]
fn virtual_functions_and_their_port_know_each_other() {
    let tree = SysfsTree::rails();
    let sysfs = Sysfs::at(tree.path());
    let port = pci("0000:86:00.0");
    assert_eq!(sysfs.virtual_functions(port).unwrap(), [(0, pci("0000:86:00.2")), (1, pci("0000:86:00.3"))]);
    assert_eq!(sysfs.physical_function(pci("0000:86:00.3")).unwrap(), Some(port));
    assert_eq!(sysfs.physical_function(port).unwrap(), None);
    assert_eq!(sysfs.enabled_virtual_functions(port).unwrap(), Some(2));
    assert_eq!(sysfs.possible_virtual_functions(port).unwrap(), Some(12));
}

#[test]
fn numbers_of_virtual_functions_may_lie_above_how_many_there_are() {
    let tree = SysfsTree::rails();
    let found = Sysfs::at(tree.path()).virtual_functions(pci("0000:d8:00.0")).unwrap();
    assert_eq!(found, [(5, pci("0000:d8:00.7"))]);
}

#[test]
fn interfaces_have_number_mtu_and_link_layer() {
    let tree = SysfsTree::rails();
    let sysfs = Sysfs::at(tree.path());
    let device = |name: &str, ifindex, mtu, link_layer| {
        Some(NetDevice { name: name.into(), ifindex, mtu: Some(mtu), link_layer })
    };
    assert_eq!(
        sysfs.net_device(pci("0000:86:00.0")).unwrap(),
        device("eno3np2", 4, 9000, LinkLayer::Ethernet)
    );
    assert_eq!(
        sysfs.net_device(pci("0000:af:00.0")).unwrap(),
        device("ibp175s0", 5, 4092, LinkLayer::Infiniband)
    );
    assert_eq!(
        sysfs.net_device(pci("0000:d8:00.0")).unwrap(),
        device("enp216s0", 6, 1500, LinkLayer::Ethernet),
        "not the representor, which sorts first"
    );
    assert_eq!(sysfs.net_device(pci("0000:86:00.3")).unwrap(), None, "it is in a pod");
}

#[test]
fn of_a_function_with_two_ports_the_first_port_counts() {
    let tree = SysfsTree::rails();
    let net = "devices/pci0000:85/0000:86:00.0/net";
    for (attribute, value) in [("ifindex", "3"), ("type", "1"), ("dev_port", "1")] {
        tree.write(&format!("{net}/eno2/{attribute}"), value);
    }
    let device = Sysfs::at(tree.path()).net_device(pci("0000:86:00.0")).unwrap().unwrap();
    assert_eq!(device.name, "eno3np2");
}

#[test]
fn drivers_rdma_devices_and_numa_nodes_are_found() {
    let tree = SysfsTree::rails();
    let sysfs = Sysfs::at(tree.path());
    assert_eq!(sysfs.driver(pci("0000:d8:00.7")).unwrap().as_deref(), Some("vfio-pci"));
    assert_eq!(sysfs.rdma_devices(pci("0000:86:00.0")).unwrap(), ["mlx5_0"]);
    assert_eq!(sysfs.rdma_devices(pci("0000:02:00.0")).unwrap(), [""; 0]);
    assert_eq!(sysfs.numa_node(pci("0000:86:00.0")).unwrap(), Some(1));
    assert_eq!(sysfs.numa_node(pci("0000:af:00.0")).unwrap(), None, "the kernel says -1");
}

#[test]
fn what_is_gone_is_none() {
    let tree = SysfsTree::rails();
    let sysfs = Sysfs::at(tree.path());
    // The link of a function that was just removed, and an interface without attributes any more.
    std::fs::remove_dir_all(tree.path().join("devices/pci0000:85/0000:86:00.2")).unwrap();
    std::fs::remove_file(tree.path().join("devices/pci0000:ae/0000:af:00.0/net/ibp175s0/ifindex")).unwrap();
    let gone = pci("0000:86:00.2");
    assert_eq!(sysfs.net_device(gone).unwrap(), None);
    assert_eq!(sysfs.driver(gone).unwrap(), None);
    assert_eq!(sysfs.physical_function(gone).unwrap(), None);
    assert_eq!(sysfs.net_device(pci("0000:af:00.0")).unwrap(), None);
    assert_eq!(sysfs.physical_functions().unwrap().len(), 4);
    assert_eq!(Sysfs::at(tree.path().join("nowhere")).physical_functions().unwrap(), []);
}

#[test]
fn what_cannot_be_read_is_an_error_with_its_path() {
    let tree = SysfsTree::rails();
    let attribute = tree.path().join("devices/pci0000:85/0000:86:00.0/numa_node");
    std::fs::remove_file(&attribute).unwrap();
    std::fs::create_dir(&attribute).unwrap();
    let error = Sysfs::at(tree.path()).numa_node(pci("0000:86:00.0")).unwrap_err();
    let path = tree.path().join("bus/pci/devices/0000:86:00.0/numa_node");
    assert_eq!(error.to_string(), format!("failed to read {}", path.display()));
}

#[test]
fn the_tree_of_this_machine_is_read() {
    let sysfs = Sysfs::default();
    for port in sysfs.physical_functions().unwrap() {
        sysfs.net_device(port).unwrap();
        sysfs.virtual_functions(port).unwrap();
    }
}
