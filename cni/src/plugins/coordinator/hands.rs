//! The only part that touches the kernel: looks at both network namespaces, and carries out changes.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::config::Settings;
use super::difference::Change;
use super::plan::{MARK, POD_VETH, Wire, went_away};
use super::view::{Family, View};
use crate::netlink::{Link, Namespace, NetlinkError, Protocol, Socket};
use crate::spec::CniError;

/// The kernel looks for duplicates of an IPv6 address for about a second.
const LONGEST_SETTLING: Duration = Duration::from_secs(5);

/// Where something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Pod,
    Host,
}

/// Connections to the kernel, in the pod and on the host.
#[derive(Debug)]
pub(super) struct Hands {
    namespace: Namespace,
    /// Name of the interface that is attached, and of the pod's first.
    names: [String; 2],
    pod: Socket,
    pub(super) host: Socket,
    /// Settings of the pod that were read when it was entered, for the first look.
    sysctls: Option<BTreeMap<String, String>>,
}

impl Hands {
    /// `path` is the pod's network namespace; the host's is the one of this thread.
    pub(super) fn open(path: &Path, nic: &str, first: &str) -> Result<Self, CniError> {
        let environment = |error| CniError::of(CniError::ENVIRONMENT, &error);
        let namespace = Namespace::open(path).map_err(environment)?;
        let entered = namespace.run(|| (Socket::open(Protocol::Route), read_sysctls(nic, first)));
        let (pod, sysctls) = entered.map_err(environment)?;
        let (pod, host) = (pod.map_err(refused)?, Socket::open(Protocol::Route).map_err(refused)?);
        let names = [nic.to_owned(), first.to_owned()];
        Ok(Self { namespace, names, pod, host, sysctls: Some(sysctls) })
    }

    /// The number of the pod's namespace.
    pub(super) fn pod_number(&self) -> Result<u64, CniError> {
        self.namespace.number().map_err(|error| CniError::of(CniError::ENVIRONMENT, &error))
    }

    /// All of the pod that matters here.
    pub(super) fn look_at_pod(&mut self) -> Result<View, CniError> {
        let sysctls = match self.sysctls.take() {
            Some(sysctls) => sysctls,
            None => self.inside(|| read_sysctls(&self.names[0], &self.names[1]))?,
        };
        let links = self.pod.links().map_err(refused)?;
        let marked = if links.iter().any(|link| link.name == POD_VETH) { self.marked()? } else { Vec::new() };
        Ok(View {
            addresses: self.pod.addresses().map_err(refused)?,
            routes: self.pod.routes().map_err(refused)?,
            rules: self.pod.rules().map_err(refused)?,
            neighbours: self.pod.neighbours().map_err(refused)?,
            sysctls,
            links,
            marked,
        })
    }

    /// Rules of the host alone.
    pub(super) fn look_at_host_rules(&mut self) -> Result<View, CniError> {
        Ok(View { rules: self.host.rules().map_err(refused)?, ..View::default() })
    }

    /// What of the host matters: one end of the wire, one table.
    pub(super) fn look_at_host(&mut self, end: &Link, table: u32) -> Result<View, CniError> {
        Ok(View {
            links: self.host.link_of(end.index).map_err(refused)?.into_iter().collect(),
            routes: self.host.routes_of_table(table).map_err(refused)?,
            rules: self.host.rules().map_err(refused)?,
            neighbours: self.host.neighbours_of(end.index).map_err(refused)?,
            ..View::default()
        })
    }

    /// What connects pod and node.
    pub(super) fn wire(&mut self, settings: &Settings, underlay: bool, pod: &View) -> Result<Wire, CniError> {
        let name = if underlay { POD_VETH } else { &settings.first };
        let inside = pod.link(name).ok_or_else(|| {
            CniError::config(format!(
                "the pod has no first interface {name}; write the name of the interface that it begins with as podDefaultCniNic"
            ))
        })?;
        let Some(outside) = self.other_end(inside).map_err(refused)? else {
            return Err(CniError::config(format!(
                "{name} of the pod ({}) has no other end on this node, so there is no way between them for mode overlay; \
                 add coordinator to the network of {name}, or write mode disabled",
                inside.kind.as_deref().unwrap_or("a physical interface")
            )));
        };
        Ok(Wire { underlay, pod: inside.clone(), host: outside })
    }

    /// The other end of a veth, or the bridge that it belongs to: that is what has addresses and routes then.
    fn other_end(&mut self, inside: &Link) -> Result<Option<Link>, NetlinkError> {
        let pair = inside.kind.as_deref().is_some_and(|kind| matches!(kind, "veth" | "netkit"));
        let Some(number) = inside.lower.filter(|_| pair) else { return Ok(None) };
        // Another namespace may have a link of the same number.
        let end = self
            .host
            .link_of(number)?
            .filter(|end| end.lower == Some(inside.index) && end.kind == inside.kind);
        let Some(Some(master)) = end.as_ref().map(|end| end.master) else { return Ok(end) };
        let bridge = self.host.link_of(master)?.filter(|master| master.kind.as_deref() == Some("bridge"));
        Ok(bridge.or(end))
    }

    /// The node's own addresses, one of each family that the interface has: from which it would send to the pod's first
    /// interface, or to this one where the first lacks the family.
    pub(super) fn node_addresses(
        &mut self,
        pod: &View,
        first: &str,
        nic: &str,
    ) -> Result<Vec<IpAddr>, CniError> {
        let mut found = Vec::new();
        for family in Family::BOTH {
            let address = |name| pod.link(name).and_then(|link| pod.first_address(link.index, family));
            let Some(of_nic) = address(nic) else { continue };
            let toward = address(first).unwrap_or(of_nic);
            let node = self.host.source_toward(toward).map_err(refused)?;
            // One that is valid on a single link is no address of the node elsewhere.
            let node = node.filter(|node| !matches!(node, IpAddr::V6(node) if node.is_unicast_link_local()));
            if node.is_none() {
                log::warn!(
                    "the node has no address from which it would send to {toward}: the pod does not reach the node, Services and \
                     what else goes by way of it in this family; give the node an address of it"
                );
            }
            found.extend(node);
        }
        Ok(found)
    }

    /// Waits until addresses of a link may be sent from.
    pub(super) fn wait_for_addresses(&mut self, name: &str) -> Result<(), CniError> {
        let begun = Instant::now();
        let link = self.pod.link(name).map_err(refused)?.ok_or_else(|| went_away(name))?.index;
        while self.pod.is_settling(link).map_err(refused)? && begun.elapsed() < LONGEST_SETTLING {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Carries out one step.
    pub(super) fn carry_out(&mut self, place: Place, change: &Change) -> Result<(), CniError> {
        match change {
            Change::Sysctl { path, to, .. } => return self.inside(|| write_sysctl(path, to))?,
            Change::Mark { family, on } => return self.mark(*family, *on),
            _ => {}
        }
        let Self { namespace, pod, host, .. } = self;
        let socket = match place {
            Place::Pod => pod,
            Place::Host => host,
        };
        let done = match change {
            Change::AddVeth(pair) => socket.add_veth(pair, namespace.as_fd()),
            Change::RemoveVeth(name) => remove_veth(socket, name),
            Change::Up { link, up } => socket.set_up(*link, *up),
            Change::Hardware { link, to, .. } => socket.set_hardware_address(*link, to),
            Change::QueueLength { link, to, .. } => socket.set_queue_length(*link, *to),
            Change::AddAddress(link, address) => socket.add_address(*link, *address),
            Change::DeleteAddress(link, address) => socket.delete_address(*link, *address).map(drop),
            Change::AddRoute(route) => socket.append_route(route),
            Change::DeleteRoute(route) => socket.delete_route(route).map(drop),
            Change::AddRule(rule) => socket.add_rule(rule),
            Change::DeleteRule(rule) => socket.delete_rule(rule).map(drop),
            Change::Neighbour { link, address, to: Some(at), .. } => {
                socket.set_neighbour(*link, *address, at)
            }
            Change::Neighbour { link, address, to: None, .. } => {
                socket.delete_neighbour(*link, *address).map(drop)
            }
            Change::Sysctl { .. } | Change::Mark { .. } => Ok(()),
        };
        done.map_err(refused)
    }

    fn marked(&self) -> Result<Vec<Family>, CniError> {
        let marked = self.inside(|| {
            let mut filter = Socket::open(Protocol::Netfilter)?;
            let marked = |family: &Family| filter.marks_replies(family.number()).unwrap_or_default();
            Ok(Family::BOTH.into_iter().filter(marked).collect())
        })?;
        // A kernel without packet filters has no marks; that it cannot set any is said when they are set.
        Ok(marked.unwrap_or_else(|_: NetlinkError| Vec::new()))
    }

    fn mark(&self, family: Family, on: bool) -> Result<(), CniError> {
        let done = self.inside(|| {
            let mut filter = Socket::open(Protocol::Netfilter)?;
            if on {
                filter.mark_replies(family.number(), POD_VETH, MARK)
            } else {
                filter.unmark_replies(family.number())
            }
        })?;
        done.map_err(refused)
    }

    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, CniError> {
        self.namespace.run(work).map_err(|error| CniError::of(CniError::ENVIRONMENT, &error))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where a Result's error is mapped")]
pub(super) fn refused(error: NetlinkError) -> CniError {
    CniError::kernel(&error)
}

/// Removes a veth by the name of one end; no error if there is none.
pub(super) fn remove_veth(socket: &mut Socket, name: &str) -> Result<(), NetlinkError> {
    let link = socket.link(name)?.filter(|link| link.kind.as_deref() == Some("veth") && link.name == name);
    match link.map(|link| socket.delete_link(link.index)) {
        Some(Err(error)) if !error.is_absent() => Err(error),
        _ => Ok(()),
    }
}

/// Those that are looked at, as far as the kernel has them.
fn read_sysctls(nic: &str, first: &str) -> BTreeMap<String, String> {
    let paths =
        ["all", nic, first, POD_VETH].map(|link| format!("net/ipv4/conf/{link}/rp_filter")).into_iter();
    let paths = paths.chain(["net/ipv6/conf/all/disable_ipv6".to_owned()]);
    let read = |path: String| {
        let value = fs::read_to_string(Path::new("/proc/sys").join(&path)).ok()?;
        Some((path, value.trim().to_owned()))
    };
    paths.filter_map(read).collect()
}

fn write_sysctl(path: &str, value: &str) -> Result<(), CniError> {
    fs::write(Path::new("/proc/sys").join(path), value).map_err(|error| {
        CniError::new(CniError::IO, format!("failed to set sysctl {path} of the pod to {value}: {error}"))
    })
}
