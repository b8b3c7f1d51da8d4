use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use railweave_cni::netlink::{InterfaceAddress, Monitor, NetlinkError, Protocol, Socket};
use railweave_cni::sysfs::{PciAddress, Sysfs, SysfsError};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::ports::{Port, Resource, spec};
use crate::api::RailNodeSpec;
use crate::sources::describe;

/// A change of links seldom comes alone.
const SETTLE: Duration = Duration::from_millis(200);
/// Nobody tells of RDMA devices that come and go; and to look through all PCI functions reads thousands of files where
/// there are a thousand, too many for each link of each pod.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The sockets through which the host's links and addresses are seen.
#[derive(Debug)]
pub struct Network {
    socket: Socket,
    monitor: Monitor,
}

impl Network {
    /// Opens them in the network namespace of this thread.
    pub fn open() -> Result<Self, NetlinkError> {
        // The monitor first: what changes after it is open is told.
        let monitor = Monitor::open()?;
        Ok(Self { monitor, socket: Socket::open(Protocol::Route)? })
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ObserveError {
    #[error(transparent)]
    Sysfs(#[from] SysfsError),
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    #[error("failed to look at the node's ports")]
    Ended(#[from] tokio::task::JoinError),
}

/// Looks at the node whenever something may have changed.
pub(super) async fn follow(
    sysfs: Sysfs,
    network: Network,
    mut resources: watch::Receiver<Option<Arc<[Resource]>>>,
    facts: watch::Sender<Option<Arc<RailNodeSpec>>>,
) {
    let socket = Arc::new(Mutex::new(network.socket));
    let monitor = watched(network.monitor)
        .inspect_err(|error| warn!("changed links are seen every {LOOK_AGAIN:?} only: {error}"))
        .ok();
    // Sender and receiver live as long as each other: an error means the process ends.
    let _ = resources.wait_for(Option::is_some).await;
    let mut failing = false;
    let (mut seen, mut due) = (Vec::new(), Instant::now());
    loop {
        if due <= Instant::now() {
            due = Instant::now() + LOOK_AGAIN;
            seen.clear();
        }
        let known = resources.borrow_and_update().clone().unwrap_or_default();
        match look(sysfs.clone(), Arc::clone(&socket), seen.clone()).await {
            Ok(ports) => {
                failing = false;
                tell(&facts, spec(&ports, &known));
                seen = ports;
            }
            Err(error) if !failing => {
                failing = true;
                warn!("the node's facts stay as they were: {}", describe(&error));
            }
            Err(_) => {}
        }
        tokio::select! {
            () = changed(monitor.as_ref()) => {}
            _ = resources.changed() => {}
            () = sleep_until(due) => {}
        }
    }
}

fn tell(facts: &watch::Sender<Option<Arc<RailNodeSpec>>>, spec: RailNodeSpec) {
    facts.send_if_modified(|known| {
        if known.as_deref() == Some(&spec) {
            return false;
        }
        if spec.physical_functions.is_empty() {
            info!("this node has no port with virtual functions or an RDMA device");
        } else {
            let resources: Vec<&str> = spec.resources.iter().map(|resource| resource.name.as_str()).collect();
            info!(
                ports = spec.interfaces.join(","),
                resources = resources.join(","),
                "the node's facts changed"
            );
        }
        *known = Some(Arc::new(spec));
        true
    });
}

#[expect(deprecated, reason = "what replaces it is unsafe; a monitor owns its file and never gives it away")]
fn watched(monitor: Monitor) -> io::Result<AsyncFd<Monitor>> {
    AsyncFd::with_interest(monitor, Interest::READABLE)
}

/// Returns when links or addresses changed and are settled for a moment.
async fn changed(monitor: Option<&AsyncFd<Monitor>>) {
    let Some(monitor) = monitor else { return std::future::pending().await };
    loop {
        let Ok(mut ready) = monitor.readable().await else { return std::future::pending().await };
        ready.clear_ready();
        match monitor.get_ref().drain() {
            Ok(false) => {}
            Ok(true) => break,
            Err(error) => {
                warn!("{}", describe(&error));
                return sleep(LOOK_AGAIN).await;
            }
        }
    }
    sleep(SETTLE).await;
    // What was told meanwhile is seen by the look that follows.
    let _ = monitor.get_ref().drain();
}

async fn look(sysfs: Sysfs, socket: Arc<Mutex<Socket>>, known: Vec<Port>) -> Result<Vec<Port>, ObserveError> {
    tokio::task::spawn_blocking(move || {
        let addresses = socket.lock().unwrap_or_else(PoisonError::into_inner).addresses()?;
        Ok(if known.is_empty() { ports(&sysfs, &addresses)? } else { again(&sysfs, &addresses, &known)? })
    })
    .await?
}

/// Every port, with the addresses of its interface.
pub(super) fn ports(sysfs: &Sysfs, addresses: &[InterfaceAddress]) -> Result<Vec<Port>, SysfsError> {
    let functions = sysfs.physical_functions()?;
    functions.into_iter().map(|function| port(sysfs, addresses, function, None)).collect()
}

/// The same ports as they are now.
pub(super) fn again(
    sysfs: &Sysfs,
    addresses: &[InterfaceAddress],
    known: &[Port],
) -> Result<Vec<Port>, SysfsError> {
    known.iter().map(|known| port(sysfs, addresses, known.function, Some(known))).collect()
}

fn port(
    sysfs: &Sysfs,
    addresses: &[InterfaceAddress],
    function: PciAddress,
    known: Option<&Port>,
) -> Result<Port, SysfsError> {
    let device = sysfs.net_device(function)?;
    let link = device.as_ref().map(|device| device.ifindex);
    let lasting = addresses.iter().filter(|address| Some(address.link) == link && !address.temporary);
    let enabled = sysfs.enabled_virtual_functions(function)?.unwrap_or_default();
    // The number only goes from zero to another and back: with the same number they are the same functions.
    let virtual_functions = match known.filter(|known| known.enabled == enabled) {
        Some(known) => known.virtual_functions.clone(),
        None => sysfs.virtual_functions(function)?.into_iter().map(|(_, function)| function).collect(),
    };
    Ok(Port {
        function,
        addresses: lasting.map(|address| address.address).collect(),
        device,
        numa_node: sysfs.numa_node(function)?,
        rdma_devices: sysfs.rdma_devices(function)?,
        enabled,
        virtual_functions,
    })
}
