use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::{CniError, Version, answer_json};

/// The result of an ADD in the form of version 1.1.0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Interfaces that were made or moved.
    pub interfaces: Vec<Interface>,
    /// Addresses that they have.
    pub ips: Vec<Ip>,
    /// Routes of the pod.
    pub routes: Vec<Route>,
    /// How the pod resolves names.
    pub dns: Option<Dns>,
}

/// An interface, in the pod if it has a sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// `net1`, ...
    pub name: String,
    /// Hardware address with colons; one without is empty.
    pub mac: String,
    /// Bytes; not before 1.1.0.
    pub mtu: Option<u32>,
    /// Path of the pod's network namespace; empty on the host.
    pub sandbox: String,
    /// Path of a socket that stands for the interface; not before 1.1.0.
    pub socket_path: String,
    /// Its PCI address, not before 1.1.0.
    pub pci_id: String,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// With the length of the subnet's prefix.
    pub address: IpNet,
    /// The way out of the subnet.
    pub gateway: Option<IpAddr>,
    /// Which of [`Answer::interfaces`] has it; an IPAM plugin does not know.
    pub interface: Option<usize>,
}

/// A route of the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub dst: IpNet,
    /// Next hop; none means the gateway of the address.
    pub gw: Option<IpAddr>,
    /// Bytes; this and what follows not before 1.1.0.
    pub mtu: Option<u32>,
    /// Largest segment of TCP to announce.
    pub advmss: Option<u32>,
    /// The lowest wins.
    pub priority: Option<u32>,
    /// Number of the routing table.
    pub table: Option<u32>,
    /// `RT_SCOPE_*`
    pub scope: Option<u32>,
}

/// How the pod resolves names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// Servers.
    pub nameservers: Vec<String>,
    /// Local domain.
    pub domain: String,
    /// Search domains.
    pub search: Vec<String>,
    /// Options of the resolver.
    pub options: Vec<String>,
}

impl Route {
    /// A route with nothing but a next hop.
    #[must_use]
    pub fn via(dst: IpNet, gw: Option<IpAddr>) -> Self {
        Self { dst, gw, mtu: None, advmss: None, priority: None, table: None, scope: None }
    }
}

impl Answer {
    /// Reads a result of this version.
    pub fn read(result: &Value, version: Version) -> Result<Self, CniError> {
        answer_json::read(result, version)
    }

    /// The result as JSON of this version.
    #[must_use]
    pub fn to_json(&self, version: Version) -> String {
        answer_json::write(self, version)
    }

    /// Position of an interface inside a pod, by name.
    #[must_use]
    pub fn position_in_pod(&self, name: &str) -> Option<usize> {
        self.interfaces.iter().position(|interface| interface.name == name && !interface.sandbox.is_empty())
    }

    /// Addresses of one interface, by position.
    pub fn ips_of(&self, interface: usize) -> impl Iterator<Item = &Ip> {
        self.ips.iter().filter(move |ip| ip.interface == Some(interface))
    }
}
