use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Change, Kernel, KernelError, Place};
use crate::netlink::{
    InterfaceAddress, Link, Namespace, NamespaceError, NetlinkError, Protocol, Route, Socket, VirtualFunction,
};
use crate::rdma::{CharDevice, CharKind, Mode, RdmaDevice, RdmaSocket};
use crate::sysfs::Sysfs;

/// The kernel of this machine.
#[derive(Debug)]
pub struct Machine {
    sysfs: Sysfs,
    places: Vec<Inside>,
}

/// A namespace with its sockets, opened when they are needed.
#[derive(Debug)]
struct Inside {
    namespace: Namespace,
    route: Option<Socket>,
    rdma: Option<RdmaSocket>,
}

impl Machine {
    /// With the namespace of this thread as [`Place::HOST`].
    pub fn new() -> Result<Self, KernelError> {
        let host = Inside { namespace: Namespace::of_this_thread()?, route: None, rdma: None };
        Ok(Self { sysfs: Sysfs::default(), places: vec![host] })
    }

    fn route(&mut self, at: Place) -> Result<&mut Socket, KernelError> {
        let Inside { namespace, route, .. } = &mut self.places[at.0];
        match route {
            Some(socket) => Ok(socket),
            None => Ok(route.insert(namespace.run(|| Socket::open(Protocol::Route))??)),
        }
    }

    fn rdma(&mut self, at: Place) -> Result<&mut RdmaSocket, KernelError> {
        let Inside { namespace, rdma, .. } = &mut self.places[at.0];
        match rdma {
            Some(socket) => Ok(socket),
            None => Ok(rdma.insert(namespace.run(RdmaSocket::open)??)),
        }
    }

    fn descriptor(&self, of: Place) -> Result<OwnedFd, KernelError> {
        let opened = self.places[of.0].namespace.as_fd().try_clone_to_owned();
        opened.map_err(|source| NamespaceError::Open { path: "/proc/self/fd".into(), source }.into())
    }
}

impl Kernel for Machine {
    fn sysfs(&self) -> &Sysfs {
        &self.sysfs
    }

    fn open(&mut self, netns: &Path) -> Result<Option<(Place, u64)>, KernelError> {
        let namespace = match Namespace::open(netns) {
            Err(error) if error.is_gone() => return Ok(None),
            opened => opened?,
        };
        let number = namespace.number()?;
        let route = match namespace.run(|| Socket::open(Protocol::Route)) {
            // What is left of a path when the namespace was unmounted from it is an empty file.
            Err(NamespaceError::Enter { source, .. }) if source.kind() == ErrorKind::InvalidInput => {
                return Ok(None);
            }
            opened => opened??,
        };
        self.places.push(Inside { namespace, route: Some(route), rdma: None });
        Ok(Some((Place(self.places.len() - 1), number)))
    }

    fn links(&mut self, at: Place) -> Result<Vec<Link>, KernelError> {
        Ok(self.route(at)?.links()?)
    }

    fn link(&mut self, at: Place, index: u32) -> Result<Option<Link>, KernelError> {
        Ok(self.route(at)?.link_of(index)?)
    }

    fn link_named(&mut self, at: Place, name: &str) -> Result<Option<Link>, KernelError> {
        Ok(self.route(at)?.link(name)?)
    }

    fn addresses(&mut self, at: Place) -> Result<Vec<InterfaceAddress>, KernelError> {
        Ok(self.route(at)?.addresses()?)
    }

    fn routes(&mut self, at: Place) -> Result<Vec<Route>, KernelError> {
        Ok(self.route(at)?.routes()?)
    }

    fn virtual_functions(&mut self, port: u32) -> Result<Vec<VirtualFunction>, KernelError> {
        Ok(self.route(Place::HOST)?.virtual_functions(port)?)
    }

    fn rdma_mode(&mut self) -> Result<Mode, KernelError> {
        Ok(self.rdma(Place::HOST)?.mode()?)
    }

    fn rdma_devices(&mut self, at: Place) -> Result<Vec<RdmaDevice>, KernelError> {
        match self.rdma(at) {
            Err(KernelError::Netlink(error @ NetlinkError::Open { .. })) if error.is_unsupported() => {
                Ok(Vec::new())
            }
            socket => Ok(socket?.devices()?),
        }
    }

    fn char_devices(&mut self, at: Place, device: &RdmaDevice) -> Result<Vec<CharDevice>, KernelError> {
        let socket = self.rdma(at)?;
        let mut found = Vec::from_iter(socket.char_device(device.index, CharKind::Uverbs, None)?);
        for port in 1..=device.ports {
            for kind in [CharKind::Umad, CharKind::Issm] {
                found.extend(socket.char_device(device.index, kind, Some(port))?);
            }
        }
        Ok(found)
    }

    fn make(&mut self, change: Change) -> Result<(), KernelError> {
        log::debug!("{change:?}");
        match change {
            Change::Function { port, number, setting } => {
                self.route(Place::HOST)?.set_virtual_function(port, number, setting)?;
            }
            Change::Move { from, to, link, name } => {
                let to = self.descriptor(to)?;
                self.route(from)?.move_and_rename(link, to.as_fd(), &name)?;
            }
            Change::Rename { at, link, name } => self.route(at)?.rename(link, &name)?,
            Change::AddName { at, link, name } => self.route(at)?.add_other_name(link, &name)?,
            Change::DropName { at, link, name } => self.route(at)?.remove_other_name(link, &name)?,
            Change::Up { at, link, up } => self.route(at)?.set_up(link, up)?,
            Change::Mtu { at, link, mtu } => self.route(at)?.set_mtu(link, mtu)?,
            Change::QueueLength { at, link, length } => self.route(at)?.set_queue_length(link, length)?,
            Change::HardwareAddress { at, link, address } => {
                self.route(at)?.set_hardware_address(link, &address)?;
            }
            Change::Address { at, link, address } => self.route(at)?.add_address(link, address)?,
            Change::Route { at, route } => self.route(at)?.append_route(&route)?,
            Change::Sysctl { at, values } => {
                self.places[at.0].namespace.run(|| write_settings(&values))??;
            }
            Change::MoveRdma { from, to, device } => {
                let to = self.descriptor(to)?;
                self.rdma(from)?;
                // The kernel compares the device's namespace with that of the calling thread, not of the socket
                // (`ib_device_set_netns_put()`), and says that there is no such device.
                let Inside { namespace, rdma, .. } = &mut self.places[from.0];
                if let Some(socket) = rdma {
                    namespace.run(|| socket.move_device(device, to.as_fd()))??;
                }
            }
            Change::RenameRdma { at, device, name } => self.rdma(at)?.rename_device(device, &name)?,
            Change::Unbind { function, driver } => {
                write(&driver_file(&driver, "unbind"), &function.to_string())?;
            }
            Change::Bind { function, driver } => write(&driver_file(&driver, "bind"), &function.to_string())?,
        }
        Ok(())
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}

fn driver_file(driver: &str, name: &str) -> PathBuf {
    ["/sys/bus/pci/drivers", driver, name].iter().collect()
}

/// What a kernel without IPv6 does not have is passed over.
fn write_settings(values: &[(String, &'static str)]) -> Result<(), KernelError> {
    for (name, value) in values {
        match write(&Path::new("/proc/sys/net").join(name), value) {
            Err(error) if error.errno() == Some(libc::ENOENT) => {}
            written => written?,
        }
    }
    Ok(())
}

/// Such files take the whole value in one call, and must not be made where they are not there.
fn write(path: &Path, value: &str) -> Result<(), KernelError> {
    let write = || -> io::Result<()> {
        io::Write::write_all(&mut fs::OpenOptions::new().write(true).open(path)?, value.as_bytes())
    };
    write().map_err(|source| KernelError::Write { path: path.to_owned(), value: value.to_owned(), source })
}
