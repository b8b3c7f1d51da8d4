use std::path::Path;

use super::read::{attribute, names, number};
use super::{PciAddress, Sysfs, SysfsError};

/// A network interface of a PCI function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetDevice {
    /// Its name in the network namespace that this tree shows.
    pub name: String,
    /// Its number, which stays when it is renamed.
    pub ifindex: u32,
    /// Bytes.
    pub mtu: Option<u32>,
    /// What it speaks.
    pub link_layer: LinkLayer,
}

/// Hardware type of an interface (`ARPHRD_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkLayer {
    /// 1
    Ethernet,
    /// 32
    Infiniband,
    /// Any other number.
    Other(u16),
}

impl LinkLayer {
    /// From the number.
    #[must_use]
    pub fn of(arphrd: u16) -> Self {
        match arphrd {
            1 => Self::Ethernet,
            32 => Self::Infiniband,
            other => Self::Other(other),
        }
    }
}

impl Sysfs {
    /// The interface of a function; none while it is in another network namespace, or bound to a driver without
    /// interfaces.
    ///
    /// A port in switchdev mode carries representors of its virtual functions beside its own interface: they are passed
    /// over. Of a function with several ports, it is the first port's.
    pub fn net_device(&self, function: PciAddress) -> Result<Option<NetDevice>, SysfsError> {
        let folder = self.path(format!("bus/pci/devices/{function}/net"));
        let mut first: Option<(i64, NetDevice)> = None;
        for name in names(&folder)? {
            let path = folder.join(&name);
            if is_representor(&path)? {
                continue;
            }
            let port = number(&path.join("dev_port"))?.unwrap_or_default();
            let Some(device) = read(&path, name)? else { continue };
            if first.as_ref().is_none_or(|(earlier, _)| port < *earlier) {
                first = Some((port, device));
            }
        }
        Ok(first.map(|(_, device)| device))
    }
}

fn read(path: &Path, name: String) -> Result<Option<NetDevice>, SysfsError> {
    let ifindex = number(&path.join("ifindex"))?.and_then(|number| u32::try_from(number).ok());
    let kind = number(&path.join("type"))?.and_then(|number| u16::try_from(number).ok());
    let (Some(ifindex), Some(kind)) = (ifindex, kind) else { return Ok(None) };
    let mtu = number(&path.join("mtu"))?.and_then(|number| u32::try_from(number).ok());
    Ok(Some(NetDevice { name, ifindex, mtu, link_layer: LinkLayer::of(kind) }))
}

/// Names of ports are `p0` for a wire, and `pf0`, `pf0vf3`, `pf0sf7` for representors, with `c1` before them for those of
/// another host (`net/core/devlink.c`).
fn is_representor(path: &Path) -> Result<bool, SysfsError> {
    let name = attribute(&path.join("phys_port_name"))?;
    Ok(name.is_some_and(|name| {
        name.trim_start_matches(|c: char| c == 'c' || c.is_ascii_digit()).starts_with("pf")
    }))
}
