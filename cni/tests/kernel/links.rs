use std::time::{Duration, Instant};

use railweave_cni::netlink::{InterfaceAddress, Message, Monitor, Protocol, Socket};
use railweave_cni::sysfs::LinkLayer;

use crate::namespace::{self, ip};

fn socket() -> Socket {
    Socket::open(Protocol::Route).unwrap()
}

pub(crate) fn and_addresses_are_listed() {
    ip("link add rail0 address 02:00:00:00:00:2a mtu 4200 type veth peer name other0");
    ip("link set rail0 up");
    ip("address add 172.16.1.1/27 dev rail0");
    ip("address add 172.16.1.2/27 dev rail0");
    ip("address add fd00::1/64 dev rail0 nodad");

    let links = socket().links().unwrap();
    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["lo", "other0", "rail0"]);
    let rail = &links[2];
    assert_eq!((rail.layer, rail.up, rail.mtu), (LinkLayer::Ethernet, true, 4200));
    assert_eq!(rail.address, [2, 0, 0, 0, 0, 0x2a]);
    assert_eq!(rail.parent, None);
    assert!(!links[1].up);

    let address =
        |text: &str| InterfaceAddress { link: rail.index, address: text.parse().unwrap(), temporary: false };
    assert_eq!(socket().addresses().unwrap(), ["172.16.1.1/27", "172.16.1.2/27", "fd00::1/64"].map(address));
}

/// More than fit into one answer of the kernel.
pub(crate) fn that_are_many_are_all_listed() {
    for number in 0..60 {
        ip(&format!("link add rail{number} type veth peer name other{number}"));
    }
    assert_eq!(socket().links().unwrap().len(), 121);
}

pub(crate) fn that_change_wake_the_monitor() {
    let monitor = Monitor::open().unwrap();
    assert!(!monitor.drain().unwrap());
    for change in [
        "link add rail0 type veth peer name other0",
        "address add 172.16.1.1/27 dev rail0",
        "address add fd00::1/64 dev rail0",
        "address delete 172.16.1.1/27 dev rail0",
        "link set rail0 mtu 4200",
    ] {
        ip(change);
        assert!(monitor.drain().unwrap(), "{change}");
        assert!(!monitor.drain().unwrap(), "{change}: nothing is told twice");
    }
}

pub(crate) fn belong_to_the_socket_s_namespace() {
    ip("link add rail0 type veth peer name other0");
    let (home, mut first) = (namespace::this(), socket());
    namespace::enter().unwrap();
    assert_eq!(first.links().unwrap().len(), 3, "the socket stays where it was opened");
    assert_eq!(socket().links().unwrap().len(), 1);
    namespace::back(&home);
    assert_eq!(socket().links().unwrap().len(), 3);
}

pub(crate) fn that_are_not_there_are_refused() {
    const RTM_SETLINK: u16 = 19;
    let header: Vec<u8> = [0_u32, 4711, 0, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let started = Instant::now();
    let error = socket().act(Message::act(RTM_SETLINK, 0).raw(&header), "set link 4711").unwrap_err();
    assert_eq!(error.to_string(), "failed to set link 4711: No such device (os error 19)");
    assert!(error.is_absent());
    assert!(started.elapsed() < Duration::from_secs(1));
}
