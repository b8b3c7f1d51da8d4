//! The node that tests begin with, and what happens to it from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use super::effects::hardware;
use super::{Device, Recorder, Space, link, virtual_function};
use crate::netlink::{Link, VirtualFunction};
use crate::rdma::{Mode, RdmaDevice};
use crate::sysfs::{LinkLayer, Sysfs};

/// PCI addresses of the node: an Ethernet port with two functions, an `InfiniBand` port with one, a function for virtual
/// machines.
pub(crate) const PORT: &str = "0000:86:00.0";
pub(crate) const VF: &str = "0000:86:00.2";
pub(crate) const OTHER_VF: &str = "0000:86:00.3";
pub(crate) const VFIO_VF: &str = "0000:86:00.4";
pub(crate) const IB_PORT: &str = "0000:af:00.0";
pub(crate) const IB_VF: &str = "0000:af:00.2";
/// What the `InfiniBand` function begins with.
pub(crate) const GUID: u64 = 0x0c42_a103_00a1_b2c4;
/// Numbers of the ports' interfaces.
pub(crate) const ETHERNET: u32 = 4;
pub(crate) const INFINIBAND: u32 = 5;

impl Recorder {
    /// The node, and `/run/netns/pod-a` and `/run/netns/pod-b` on it.
    pub(crate) fn new() -> Self {
        // In memory: thousands of these files are written for a test of every step.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let sysfs = Sysfs::at(folder.path().join("sys"));
        let mut node = Self {
            folder,
            sysfs,
            spaces: Vec::new(),
            ports: BTreeMap::new(),
            drivers: BTreeMap::new(),
            mode: Mode::Exclusive,
            strict: false,
            mute: false,
            other_verbs: BTreeSet::new(),
            made: Vec::new(),
            refused: BTreeMap::new(),
            never: BTreeMap::new(),
            full: None,
            killed_at: None,
            waited: Duration::ZERO,
            next_link: 100,
        };
        for (path, number) in
            [("/proc/thread-self/ns/net", 1), ("/run/netns/pod-a", 2), ("/run/netns/pod-b", 3)]
        {
            node.add_space(path, number);
        }
        node.add_devices();
        node.write_sysfs();
        node
    }

    fn add_devices(&mut self) {
        let mut port = link(ETHERNET, "eno3np2", PORT, &[0x0c, 0x42, 0xa1, 0, 0, 1]);
        (port.mtu, port.up) = (9000, true);
        let mut first = link(10, "eno3np2v0", VF, &[2, 0, 0, 0, 0, 0x10]);
        first.other_names = vec!["enp134s0f0np0v0".to_owned()];
        let mut ib = link(20, "ibp175s0v0", IB_VF, &hardware(GUID));
        ib.mtu = 2044;
        self.spaces[0].links = vec![
            port,
            link(INFINIBAND, "ibp175s0", IB_PORT, &hardware(0x0c42_a103_00a1_b2c3)),
            first,
            link(11, "eno3np2v1", OTHER_VF, &[2, 0, 0, 0, 0, 0x11]),
            ib,
        ];
        let functions = (0..3).map(|number| virtual_function(number, [0; 6])).collect();
        let mut ib = virtual_function(0, [0; 6]);
        ib.guids = Some((GUID, GUID));
        self.ports = [(ETHERNET, functions), (INFINIBAND, vec![ib])].into();
        let rdma = [(4, "mlx5_2", VF), (5, "mlx5_3", OTHER_VF), (6, "mlx5_4", IB_VF)];
        for (verbs, (index, name, function)) in (2..).zip(rdma) {
            let seen = RdmaDevice { index, name: name.to_owned(), ports: 1, node_guid: 1 };
            self.spaces[0].rdma.push(Device { seen, function: function.to_owned(), verbs });
        }
        self.other_verbs = [0, 1].into();
        for function in [PORT, VF, OTHER_VF, IB_PORT, IB_VF] {
            self.drivers.insert(function.to_owned(), "mlx5_core".to_owned());
        }
        self.drivers.insert(VFIO_VF.to_owned(), "vfio-pci".to_owned());
    }

    pub(crate) fn add_space(&mut self, path: &str, number: u64) {
        self.spaces.push(Space {
            path: path.into(),
            number,
            gone: false,
            links: Vec::new(),
            rdma: Vec::new(),
            addresses: Vec::new(),
            routes: Vec::new(),
        });
    }

    /// Root of the folders of the state.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn function_of(&self, function: &str) -> Option<&VirtualFunction> {
        let (port, number) = place_of(function)?;
        self.ports.get(&port)?.iter().find(|seen| seen.number == number)
    }

    pub(crate) fn function_mut(&mut self, function: &str) -> &mut VirtualFunction {
        let (port, number) = place_of(function).unwrap();
        self.ports.get_mut(&port).unwrap().iter_mut().find(|seen| seen.number == number).unwrap()
    }

    /// The link of a function, wherever it is.
    pub(crate) fn link_of(&mut self, function: &str) -> &mut Link {
        let mut links = self.spaces.iter_mut().flat_map(|space| &mut space.links);
        links.find(|link| link.parent.as_deref() == Some(function)).unwrap()
    }

    /// The pod's sandbox goes, and the kernel sends home what was in it: under the names it had there.
    pub(crate) fn delete_space(&mut self, path: &str) {
        let at = self.spaces.iter().position(|space| space.path == Path::new(path) && !space.gone).unwrap();
        self.spaces[at].gone = true;
        for mut link in std::mem::take(&mut self.spaces[at].links) {
            link.up = false;
            if self.spaces[0].links.iter().any(|other| has_name(other, &link.name)) {
                link.name = self.free_name(super::Place::HOST, "dev");
            }
            self.spaces[0].links.push(link);
        }
        for mut device in std::mem::take(&mut self.spaces[at].rdma) {
            device.verbs = self.free_verbs();
            self.spaces[0].rdma.push(device);
        }
        self.write_sysfs();
    }

    /// A function goes, as by `echo 0 > sriov_numvfs`.
    pub(crate) fn remove_function(&mut self, function: &str) {
        for space in &mut self.spaces {
            space.links.retain(|link| link.parent.as_deref() != Some(function));
            space.rdma.retain(|device| device.function != function);
        }
        self.drivers.remove(function);
        let (port, number) = place_of(function).unwrap();
        self.ports.get_mut(&port).unwrap().retain(|seen| seen.number != number);
        self.write_sysfs();
    }

    /// Everything that an ADD may change, as text to be compared.
    pub(crate) fn snapshot(&self) -> String {
        let mut text = String::new();
        for space in &self.spaces {
            let mut links: Vec<String> = space.links.iter().map(describe).collect();
            links.sort();
            let mut devices: Vec<String> =
                space.rdma.iter().map(|device| format!("{} {}", device.seen.name, device.function)).collect();
            devices.sort();
            writeln!(text, "{}: {links:#?} {devices:#?}", space.number).unwrap();
        }
        write!(text, "{:#?} {:#?}", self.ports, self.drivers).unwrap();
        text
    }

    /// The folder as the host sees it now.
    pub(super) fn write_sysfs(&self) {
        let devices = self.folder.path().join("sys/bus/pci/devices");
        fs::remove_dir_all(&devices).ok();
        fs::create_dir_all(&devices).unwrap();
        for function in self.ports.keys().map(|port| if *port == ETHERNET { PORT } else { IB_PORT }) {
            fs::create_dir(devices.join(function)).unwrap();
            fs::write(devices.join(function).join("class"), "0x020000\n").unwrap();
        }
        for function in [VF, OTHER_VF, VFIO_VF, IB_VF] {
            let (port, number) = place_of(function).unwrap();
            if self.function_of(function).is_some() {
                let port = if port == ETHERNET { PORT } else { IB_PORT };
                fs::create_dir(devices.join(function)).unwrap();
                symlink(format!("../{port}"), devices.join(function).join("physfn")).unwrap();
                symlink(format!("../{function}"), devices.join(port).join(format!("virtfn{number}")))
                    .unwrap();
            }
        }
        for (function, driver) in &self.drivers {
            symlink(format!("../../drivers/{driver}"), devices.join(function).join("driver")).unwrap();
        }
        for link in &self.spaces[0].links {
            let Some(function) = &link.parent else { continue };
            let folder = devices.join(function).join("net").join(&link.name);
            fs::create_dir_all(&folder).unwrap();
            let kind = if link.layer == LinkLayer::Ethernet { 1 } else { 32 };
            for (name, value) in [("ifindex", link.index), ("mtu", link.mtu), ("type", kind), ("dev_port", 0)]
            {
                fs::write(folder.join(name), format!("{value}\n")).unwrap();
            }
        }
        let auxiliary = self.folder.path().join("sys/bus/auxiliary/devices");
        fs::remove_dir_all(&auxiliary).ok();
        for device in &self.spaces[0].rdma {
            let bus = if device.function.contains(':') { &devices } else { &auxiliary };
            fs::create_dir_all(bus.join(&device.function).join("infiniband").join(&device.seen.name))
                .unwrap();
        }
    }
}

pub(super) fn has_name(link: &Link, name: &str) -> bool {
    link.name == name || link.other_names.iter().any(|other| other == name)
}

fn place_of(function: &str) -> Option<(u32, u32)> {
    [(VF, ETHERNET, 0), (OTHER_VF, ETHERNET, 1), (VFIO_VF, ETHERNET, 2), (IB_VF, INFINIBAND, 0)]
        .into_iter()
        .find(|(known, ..)| *known == function)
        .map(|(_, port, number)| (port, number))
}

fn describe(link: &Link) -> String {
    let Link { name, other_names, up, mtu, address, queue_length, .. } = link;
    let mut other_names = other_names.clone();
    other_names.sort();
    format!("{name} {other_names:?} up={up} {mtu} {queue_length} {address:02x?}")
}

/// What tests do to the node.
impl Recorder {
    pub(crate) fn pod(&self, path: &str) -> super::Place {
        let at = self.spaces.iter().position(|space| space.path == Path::new(path) && !space.gone);
        super::Place(at.unwrap())
    }

    /// The kind of a change.
    pub(crate) fn name_of(change: &super::Change) -> String {
        let text = format!("{change:?}");
        text.split([' ', '(']).next().unwrap().to_owned()
    }

    /// Another RDMA device on the host.
    pub(crate) fn add_rdma(&mut self, device: Device) {
        self.spaces[0].rdma.push(device);
        self.write_sysfs();
    }

    /// The path of a namespace goes while something holds it open.
    pub(crate) fn hide_space(&mut self, path: &str) {
        let at = self.pod(path).0;
        self.spaces[at].path = "hidden".into();
    }

    /// The interface of a function goes, as when it is taken from its driver.
    pub(crate) fn remove_link(&mut self, function: &str) {
        for space in &mut self.spaces {
            space.links.retain(|link| link.parent.as_deref() != Some(function));
        }
        self.write_sysfs();
    }
}
