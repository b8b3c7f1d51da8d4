//! What the library reads and changes of real functions, against what `ip`, `rdma` and the wire say.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};

use railweave_cni::netlink::{Namespace, Protocol, Socket, VfLinkState, VfSetting, Vlan, VlanProtocol};
use railweave_cni::rdma::{CharKind, Mode, RdmaSocket};
use railweave_cni::sysfs::{PciAddress, Sysfs};

use crate::home::{self, Function};
use crate::pod::{Pod, Side, ping_pong};

fn socket() -> Socket {
    Socket::open(Protocol::Route).unwrap()
}

fn index(name: &str) -> u32 {
    socket().link(name).unwrap().unwrap().index
}

fn pci(function: &Function) -> PciAddress {
    function.pci.parse().unwrap()
}

pub(crate) fn ports_and_functions_are_found() {
    let sysfs = Sysfs::default();
    let ports: Vec<PciAddress> = sysfs.physical_functions().unwrap();
    let railed: Vec<PciAddress> = ports
        .into_iter()
        .filter(|port| sysfs.net_device(*port).unwrap().is_some_and(|link| link.name.starts_with("rail")))
        .collect();
    for (number, port) in railed.iter().enumerate() {
        assert_eq!(sysfs.net_device(*port).unwrap().unwrap().name, format!("rail{number}"));
        assert_eq!(sysfs.driver(*port).unwrap().as_deref(), Some("igb"));
        assert_eq!(sysfs.possible_virtual_functions(*port).unwrap(), Some(7));
        let functions = home::of_port(number);
        let expected: Vec<(u32, PciAddress)> =
            functions.iter().map(|function| (function.number, pci(function))).collect();
        assert_eq!(sysfs.virtual_functions(*port).unwrap(), expected);
        assert_eq!(
            sysfs.enabled_virtual_functions(*port).unwrap(),
            Some(u32::try_from(expected.len()).unwrap())
        );
        for function in functions {
            let address = pci(function);
            assert_eq!(sysfs.physical_function(address).unwrap(), Some(*port));
            assert_eq!(sysfs.driver(address).unwrap().as_deref(), Some("igbvf"));
            let link = sysfs.net_device(address).unwrap().unwrap();
            assert_eq!((Some(link.name), link.mtu), (function.link.clone(), Some(1500)));
            assert_eq!(
                sysfs.rdma_devices(address).unwrap(),
                function.rdma.clone().into_iter().collect::<Vec<_>>()
            );
        }
    }
    assert_eq!(railed.len(), home::ports());
}

pub(crate) fn settings_show_and_are_read_back() {
    let function = &home::all()[0];
    let (mut socket, port) = (socket(), index("rail0"));
    let mut set = |setting| socket.set_virtual_function(port, function.number, setting).unwrap();
    let vlan = Vlan { id: 100, qos: 3, protocol: VlanProtocol::Dot1q };
    set(VfSetting::Mac([2, 0, 0, 0, 0xaa, 1]));
    set(VfSetting::Vlan(vlan));
    set(VfSetting::SpoofCheck(false));
    set(VfSetting::Trust(true));
    set(VfSetting::Rate { min: 0, max: 100 });

    let shown = &home::look()[0].settings;
    assert_eq!(shown["address"], "02:00:00:00:aa:01");
    assert_eq!(shown["vlan_list"], serde_json::json!([{"vlan": 100, "qos": 3}]));
    assert_eq!((shown["spoofchk"].as_bool(), shown["trust"].as_bool()), (Some(false), Some(true)));
    assert_eq!(shown["rate"]["max_tx"], 100);
    let read = socket.virtual_functions(port).unwrap().remove(0);
    assert_eq!((read.mac, read.vlan, read.rate), ([2, 0, 0, 0, 0xaa, 1], vlan, (0, 100)));
    assert_eq!((read.spoof_check, read.trust), (Some(false), Some(true)));

    let mut set = |setting| socket.set_virtual_function(port, function.number, setting).unwrap();
    set(VfSetting::Mac([2, 0, 0, 0, 0, 0]));
    set(VfSetting::Vlan(Vlan::default()));
    set(VfSetting::SpoofCheck(true));
    set(VfSetting::Trust(false));
    set(VfSetting::Rate { min: 0, max: 0 });
}

pub(crate) fn settings_that_the_port_lacks_are_refused() {
    let (mut socket, port) = (socket(), index("rail0"));
    let refused = |socket: &mut Socket, number, setting| {
        socket.set_virtual_function(port, number, setting).unwrap_err()
    };
    let double = Vlan { id: 100, qos: 0, protocol: VlanProtocol::Dot1ad };
    let error = refused(&mut socket, 0, VfSetting::Vlan(double));
    assert_eq!(error.errno(), Some(libc::EPROTONOSUPPORT));
    let error = refused(&mut socket, 0, VfSetting::LinkState(VfLinkState::Enable));
    assert!(error.is_unsupported(), "{error}");
    let error = refused(&mut socket, 0, VfSetting::Rate { min: 10, max: 100 });
    assert_eq!(error.errno(), Some(libc::EINVAL));
    let error = refused(&mut socket, 99, VfSetting::Trust(true));
    assert!(
        error
            .to_string()
            .starts_with(&format!("failed to set Trust(true) on virtual function 99 of link {port}: ")),
        "{error}"
    );
}

pub(crate) fn a_function_moves_and_comes_home() {
    let function = &home::all()[0];
    let name = function.link.as_deref().unwrap();
    let link = index(name);
    let (pod, here) = (Pod::new("pod-a"), Namespace::of_this_thread().unwrap());
    let there = Namespace::open(pod.path()).unwrap();
    let mut inside = there.run(|| Socket::open(Protocol::Route)).unwrap().unwrap();

    socket().move_and_rename(link, there.as_fd(), "net1").unwrap();
    assert_eq!(home::look()[0].link, None, "sysfs shows no link of a function that is in a pod");
    assert_eq!(Sysfs::default().net_device(pci(function)).unwrap(), None);
    let moved = inside.link("net1").unwrap().unwrap();
    assert_eq!(moved.address, [2, 0, 0, 0, 0, 0], "the MAC goes with it");
    assert_eq!(moved.parent.as_deref(), Some(function.pci.as_str()));
    inside.set_mtu(moved.index, 9000).unwrap();
    inside.set_up(moved.index, true).unwrap();
    assert!(pod.run("ip -brief link show net1").contains("UP"));

    inside.set_up(moved.index, false).unwrap();
    inside.set_mtu(moved.index, 1500).unwrap();
    inside.move_and_rename(moved.index, here.as_fd(), name).unwrap();
}

pub(crate) fn an_rdma_device_belongs_to_one_namespace() {
    let function = &home::all()[0];
    let name = function.rdma.as_deref().unwrap();
    let (pod, other) = (Pod::new("pod-a"), Pod::new("pod-b"));
    let (there, here) = (Namespace::open(pod.path()).unwrap(), Namespace::of_this_thread().unwrap());
    let mut socket = RdmaSocket::open().unwrap();
    let mut inside = there.run(RdmaSocket::open).unwrap().unwrap();
    assert_eq!(socket.mode().unwrap(), Mode::Exclusive);
    let names = |socket: &mut RdmaSocket| -> Vec<String> {
        socket.devices().unwrap().into_iter().map(|device| device.name).collect()
    };
    let all: BTreeSet<String> = home::all().iter().filter_map(|function| function.rdma.clone()).collect();
    assert_eq!(BTreeSet::from_iter(names(&mut socket)), all);

    let device = socket.device(name).unwrap().unwrap();
    assert!(socket.char_device(device.index, CharKind::Uverbs, None).unwrap().is_some());
    socket.move_device(device.index, there.as_fd()).unwrap();
    assert_eq!(socket.device(name).unwrap(), None);
    assert_eq!(names(&mut inside), [name]);
    assert_eq!(pod.rdma(), [name]);
    assert_eq!(other.rdma(), [""; 0]);
    let subnet_manager = inside.char_device(device.index, CharKind::Issm, Some(1)).unwrap();
    assert_eq!(subnet_manager, None, "there is none on Ethernet");
    let chosen = inside.char_device(device.index, CharKind::Uverbs, None).unwrap().unwrap();
    assert!(pod.may_open(&chosen.name), "{} in the pod", chosen.name);
    assert!(!other.may_open(&chosen.name), "{} in another pod", chosen.name);
    // It is the thread that has to be inside.
    let error = inside.move_device(device.index, here.as_fd()).unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENODEV));
    there.run(|| inside.move_device(device.index, here.as_fd())).unwrap().unwrap();
    assert_eq!(names(&mut inside), [""; 0]);
}

/// The kernel walks this list by position and does not tell that it changed between two pieces.
pub(crate) fn rdma_devices_are_all_listed_while_one_moves() {
    let pod = Pod::new("pod-a");
    let (there, here) = (Namespace::open(pod.path()).unwrap(), Namespace::of_this_thread().unwrap());
    let moving = home::all()[0].rdma.clone().unwrap();
    let others: BTreeSet<String> =
        home::all().iter().skip(1).filter_map(|function| function.rdma.clone()).collect();
    let device = RdmaSocket::open().unwrap().device(&moving).unwrap().unwrap().index;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut socket = RdmaSocket::open().unwrap();
            let mut inside = there.run(RdmaSocket::open).unwrap().unwrap();
            while !done.load(Ordering::Relaxed) {
                socket.move_device(device, there.as_fd()).unwrap();
                there.run(|| inside.move_device(device, here.as_fd())).unwrap().unwrap();
            }
        });
        let missed = (0..100).find_map(|round| {
            let found = RdmaSocket::open().unwrap().devices();
            let found = match found {
                Ok(found) => found.into_iter().map(|device| device.name).collect::<BTreeSet<String>>(),
                Err(error) => return Some(format!("round {round}: {error}")),
            };
            let missing: Vec<&String> = others.difference(&found).collect();
            (!missing.is_empty()).then(|| format!("round {round}: {missing:?} not listed"))
        });
        done.store(true, Ordering::Relaxed);
        assert_eq!(missed, None);
    });
}

pub(crate) fn two_pods_talk_over_rdma() {
    let pods = [Pod::new("pod-a"), Pod::new("pod-b")];
    let functions = [&home::all()[0], &home::all()[1]];
    for (number, (pod, function)) in pods.iter().zip(functions).enumerate() {
        let there = Namespace::open(pod.path()).unwrap();
        let link = index(function.link.as_deref().unwrap());
        socket().move_and_rename(link, there.as_fd(), "net1").unwrap();
        let mut rdma = RdmaSocket::open().unwrap();
        let device = rdma.device(function.rdma.as_deref().unwrap()).unwrap().unwrap();
        rdma.move_device(device.index, there.as_fd()).unwrap();
        pod.run(&format!("ip address add 10.56.0.{}/24 dev net1", number + 1));
        pod.run("ip link set net1 up");
    }
    pods[1].run("ping -c 1 -w 10 10.56.0.1");
    let device = |number: usize| functions[number].rdma.as_deref().unwrap();
    ping_pong(
        &Side { pod: &pods[0], rdma: device(0), address: "10.56.0.1" },
        &Side { pod: &pods[1], rdma: device(1), address: "10.56.0.2" },
        18515,
    );

    let here = Namespace::of_this_thread().unwrap();
    for (pod, function) in pods.iter().zip(functions) {
        let there = Namespace::open(pod.path()).unwrap();
        let mut inside = there.run(|| Socket::open(Protocol::Route)).unwrap().unwrap();
        let link = inside.link("net1").unwrap().unwrap().index;
        inside.set_up(link, false).unwrap();
        inside.move_and_rename(link, here.as_fd(), function.link.as_deref().unwrap()).unwrap();
    }
}
