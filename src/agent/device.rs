//! From a device that an interface is made of to the addresses of the port behind it.

use std::path::Path;

use ipnet::IpNet;
use railweave_cni::sysfs::Sysfs;

use crate::api::{AllocationDetail, RailNodeSpec};
use crate::net::Address;

/// The port of a virtual function, by PCI address; none for what is no virtual function.
pub(super) fn port(sysfs: &Path, device: &str) -> Option<String> {
    let port = Sysfs::at(sysfs).physical_function(device.parse().ok()?).ok()??;
    Some(port.to_string())
}

/// The addresses of a port, as the node's facts have them; none if the port is not among them.
pub(super) fn addresses(node: &RailNodeSpec, port: &str) -> Option<Vec<Address>> {
    let port = node.physical_functions.iter().find(|known| known.pci_address == port)?;
    let address = |text: &String| text.split('/').next().unwrap_or_default().parse().ok();
    Some(port.addresses.iter().filter_map(address).collect())
}

/// Whether what an interface was given is of use behind a port with these addresses.
pub(super) fn fits(detail: &AllocationDetail, port: &[Address]) -> bool {
    let subnets = [&detail.ipv4, &detail.ipv6].into_iter().flatten().filter_map(|text| text.parse().ok());
    subnets.into_iter().any(|subnet: IpNet| {
        port.iter().any(|address| {
            address.to_string().parse().is_ok_and(|address: std::net::IpAddr| subnet.contains(&address))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use crate::api::PhysicalFunction;

    use super::*;

    #[test]
    fn a_virtual_function_leads_to_its_port() {
        let sysfs = tempfile::tempdir().unwrap();
        let device = sysfs.path().join("bus/pci/devices/0000:86:00.2");
        fs::create_dir_all(&device).unwrap();
        assert_eq!(port(sysfs.path(), "0000:86:00.2"), None, "not a virtual function");
        symlink("../0000:86:00.0", device.join("physfn")).unwrap();
        assert_eq!(port(sysfs.path(), "0000:86:00.2").as_deref(), Some("0000:86:00.0"));
        for other in ["0000:86:00.3", "../0000:86:00.2", "mlx5_0", ""] {
            assert_eq!(port(sysfs.path(), other), None, "{other}");
        }
    }

    #[test]
    fn an_address_fits_behind_a_port_of_its_subnet() {
        let function = PhysicalFunction {
            pci_address: "0000:86:00.0".into(),
            addresses: vec!["172.16.1.1/27".into(), "fe80::1/64".into()],
            ..PhysicalFunction::default()
        };
        let node = RailNodeSpec::new(vec![function], Vec::new());
        let known = addresses(&node, "0000:86:00.0").unwrap();
        assert_eq!(known.len(), 2);
        assert_eq!(addresses(&node, "0000:af:00.0"), None);
        let detail = |ipv4: &str| AllocationDetail { ipv4: Some(ipv4.into()), ..AllocationDetail::default() };
        assert!(fits(&detail("172.16.1.5/27"), &known));
        assert!(!fits(&detail("172.16.1.37/27"), &known));
        assert!(!fits(&AllocationDetail::default(), &known));
    }
}
