//! What the plugins rely on of the kernel when they move an interface, and what the node in memory of their unit tests
//! does the same way. A veth stands in for a virtual function.

use std::path::{Path, PathBuf};

use railweave_cni::functions::set_addresses;
use railweave_cni::kernel::{Change, Kernel as _, Machine, Place};
use railweave_cni::netlink::Link;
use railweave_cni::spec::{Answer, Ip, Route};

use libtest_mimic::Trial;

use crate::namespace::{self, ip};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "machine::moves_and_renames_in_one_step_among_taken_names",
            moves_and_renames_in_one_step_among_taken_names,
        ),
        trial("machine::has_moved_a_link_whose_new_name_is_taken", has_moved_a_link_whose_new_name_is_taken),
        trial("machine::finds_a_free_name_where_both_are_taken", finds_a_free_name_where_both_are_taken),
        trial(
            "machine::is_refused_by_other_names_until_they_are_dropped",
            is_refused_by_other_names_until_they_are_dropped,
        ),
        trial("machine::sets_up_an_interface_in_a_pod", sets_up_an_interface_in_a_pod),
        trial(
            "machine::takes_an_end_of_a_namespace_for_no_namespace",
            takes_an_end_of_a_namespace_for_no_namespace,
        ),
    ]
}

/// The host with `rail0`, and a pod beside it. The pod's namespace stays as long as the file.
fn host_and_pod() -> (Machine, Place, std::fs::File) {
    ip("link add rail0 type veth peer name wire");
    ip("link set wire up");
    let home = namespace::this();
    namespace::enter().unwrap();
    let pod = namespace::this();
    namespace::back(&home);
    let mut machine = Machine::new().unwrap();
    let (place, _) = machine.open(&path_of(&pod)).unwrap().unwrap();
    (machine, place, pod)
}

fn path_of(namespace: &std::fs::File) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", namespace.as_raw_fd()).into()
}

fn named(machine: &mut Machine, at: Place, name: &str) -> Link {
    machine.link_named(at, name).unwrap().unwrap()
}

fn to_pod(pod: Place, link: u32, name: &str) -> Change {
    Change::Move { from: Place::HOST, to: pod, link, name: name.to_owned() }
}

/// Runs `ip` in the pod.
fn ip_in(pod: &std::fs::File, arguments: &str) -> String {
    let home = namespace::this();
    namespace::back(pod);
    let text = ip(arguments);
    namespace::back(&home);
    text
}

fn moves_and_renames_in_one_step_among_taken_names() {
    let (mut machine, pod, pod_file) = host_and_pod();
    ip_in(&pod_file, "link add rail0 type veth peer name other");
    ip("link add net1 type veth peer name other");
    let link = named(&mut machine, Place::HOST, "rail0").index;
    machine.make(to_pod(pod, link, "net1")).unwrap();
    let moved = named(&mut machine, pod, "net1");
    assert!(!moved.up);
    assert_eq!(machine.link_named(Place::HOST, "rail0").unwrap(), None);

    // Home again, where its name in the pod is another's.
    let (from, to) = (pod, Place::HOST);
    machine.make(Change::Move { from, to, link: moved.index, name: "rail0".into() }).unwrap();
    named(&mut machine, Place::HOST, "rail0");
}

/// What brings a function home after that looks for it on both sides.
fn has_moved_a_link_whose_new_name_is_taken() {
    let (mut machine, pod, pod_file) = host_and_pod();
    ip_in(&pod_file, "link add net1 type veth peer name other");
    let link = named(&mut machine, Place::HOST, "rail0").index;
    let error = machine.make(to_pod(pod, link, "net1")).unwrap_err();
    assert!(error.is_present(), "{error}");
    assert_eq!(machine.link_named(Place::HOST, "rail0").unwrap(), None);
    named(&mut machine, pod, "rail0");
}

/// With both names taken there is no way, and a pattern finds one.
fn finds_a_free_name_where_both_are_taken() {
    let (mut machine, pod, pod_file) = host_and_pod();
    ip_in(&pod_file, "link add net1 type veth peer name rail0");
    let link = named(&mut machine, Place::HOST, "rail0").index;
    let error = machine.make(to_pod(pod, link, "net1")).unwrap_err();
    assert!(error.is_present(), "{error}");
    named(&mut machine, Place::HOST, "rail0");
    machine.make(to_pod(pod, link, "vf%d")).unwrap();
    // The kernel looks for one on the way and again in the end, so it need not be the first.
    let links = machine.links(pod).unwrap();
    let moved = links.iter().find(|link| link.name.starts_with("vf")).unwrap();
    machine.make(Change::Rename { at: pod, link: moved.index, name: "gpu%d".into() }).unwrap();
    named(&mut machine, pod, "gpu0");
}

/// The failure behind interfaces that never came home: another name is in the way like a first one.
fn is_refused_by_other_names_until_they_are_dropped() {
    let (mut machine, pod, pod_file) = host_and_pod();
    ip_in(&pod_file, "link add net7 type veth peer name other");
    ip_in(&pod_file, "link property add dev net7 altname enp134s0f0np0v0");
    ip("link property add dev rail0 altname enp134s0f0np0v0");
    ip("link property add dev rail0 altname net1");
    let link = named(&mut machine, Place::HOST, "rail0");
    assert_eq!(link.other_names, ["enp134s0f0np0v0", "net1"]);
    assert!(machine.make(to_pod(pod, link.index, "net1")).unwrap_err().is_present());
    for name in link.other_names {
        machine.make(Change::DropName { at: Place::HOST, link: link.index, name }).unwrap();
    }
    machine.make(to_pod(pod, link.index, "net1")).unwrap();
    let moved = named(&mut machine, pod, "net1");
    assert_eq!(moved.other_names, Vec::<String>::new());
    let name = "gpu0_rail".to_owned();
    machine.make(Change::AddName { at: pod, link: moved.index, name: name.clone() }).unwrap();
    assert_eq!(named(&mut machine, pod, &name).index, moved.index);
    let again = Change::DropName { at: pod, link: moved.index, name: "none".into() };
    assert!(machine.make(again).unwrap_err().is_absent(), "udev may be faster");
}

fn sets_up_an_interface_in_a_pod() {
    let (mut machine, pod, pod_file) = host_and_pod();
    let link = named(&mut machine, Place::HOST, "rail0").index;
    machine.make(to_pod(pod, link, "net1")).unwrap();
    let whole = named(&mut machine, pod, "net1");
    let link = whole.index;
    // As in a sandbox that began without IPv6.
    machine
        .make(Change::Sysctl { at: pod, values: vec![("ipv6/conf/net1/disable_ipv6".to_owned(), "1")] })
        .unwrap();
    let values = vec![("ipv4/conf/net1/arp_notify".to_owned(), "1"), ("ipv4/conf/net1/none".to_owned(), "1")];
    machine.make(Change::Sysctl { at: pod, values }).unwrap();
    machine.make(Change::HardwareAddress { at: pod, link, address: vec![2, 0, 0, 0, 0, 0x2a] }).unwrap();
    machine.make(Change::Mtu { at: pod, link, mtu: 4200 }).unwrap();
    machine.make(Change::Up { at: pod, link, up: true }).unwrap();
    let ip_of = |address: &str, gateway: &str| Ip {
        address: address.parse().unwrap(),
        gateway: Some(gateway.parse().unwrap()),
        interface: None,
    };
    let answer = Answer {
        ips: vec![ip_of("172.16.1.2/24", "172.16.1.254"), ip_of("fd00::2/64", "fd00::fffe")],
        routes: vec![
            Route::via("10.0.0.0/8".parse().unwrap(), None),
            Route { mtu: Some(1400), advmss: Some(1340), ..Route::via("fd01::/64".parse().unwrap(), None) },
            Route::via("10.9.0.0/16".parse().unwrap(), Some("192.168.9.9".parse().unwrap())),
        ],
        ..Answer::default()
    };
    set_addresses(&mut machine, pod, &whole, &answer).unwrap();

    let shown = ip_in(&pod_file, "address show dev net1");
    for part in ["mtu 4200", "02:00:00:00:00:2a", "inet 172.16.1.2/24", "inet6 fd00::2/64", "UP"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let routes = [ip_in(&pod_file, "-4 route"), ip_in(&pod_file, "-6 route")].concat();
    for part in [
        "10.0.0.0/8 via 172.16.1.254 dev net1",
        "10.9.0.0/16 via 192.168.9.9 dev net1",
        "fd01::/64 via fd00::fffe dev net1",
    ] {
        assert!(routes.contains(part), "{part}: {routes}");
    }
    assert!(routes.contains("mtu 1400") && routes.contains("advmss 1340"), "{routes}");
    let seen = machine.addresses(pod).unwrap();
    assert!(seen.iter().any(|seen| seen.address == answer.ips[0].address && seen.link == link));
}

fn takes_an_end_of_a_namespace_for_no_namespace() {
    let mut machine = Machine::new().unwrap();
    assert!(machine.open(Path::new("/run/netns/none")).unwrap().is_none());
    // What the runtime leaves for a moment between unmounting and removing.
    let left = tempfile::NamedTempFile::new().unwrap();
    assert!(machine.open(left.path()).unwrap().is_none());
    let (_, here) = machine.open(Path::new("/proc/thread-self/ns/net")).unwrap().unwrap();
    namespace::enter().unwrap();
    let (_, there) = machine.open(Path::new("/proc/thread-self/ns/net")).unwrap().unwrap();
    assert_ne!(here, there);
}
