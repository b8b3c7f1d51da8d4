//! What is changed shows in `ip`, and again in what is read; doing it twice is no error.

use std::os::fd::AsFd as _;

use railweave_cni::netlink::{Neighbour, Protocol, Route, Rule, Socket, VethPair};

use crate::namespace::{self, ip};

/// A socket, and the number of a new link `rail0` that is on.
fn rail() -> (Socket, u32) {
    ip("link add rail0 type veth peer name wire");
    ip("link set wire up");
    let mut socket = Socket::open(Protocol::Route).unwrap();
    let link = socket.link("rail0").unwrap().unwrap().index;
    socket.set_up(link, true).unwrap();
    (socket, link)
}

/// What `ip` prints, without spaces at the ends of lines.
fn shown(arguments: &str) -> String {
    let lines: Vec<String> = ip(arguments).lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

pub(crate) fn of_links_show() {
    let (mut socket, link) = rail();
    socket.set_mtu(link, 4200).unwrap();
    socket.set_queue_length(link, 2000).unwrap();
    socket.set_hardware_address(link, &[2, 0, 0, 0, 0, 0x2a]).unwrap();
    let text = ip("link show rail0");
    for part in ["mtu 4200", "qlen 2000", "link/ether 02:00:00:00:00:2a", ",UP"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let seen = socket.link_of(link).unwrap().unwrap();
    assert_eq!((seen.name.as_str(), seen.up, seen.mtu), ("rail0", true, 4200));
    assert_eq!((seen.queue_length, seen.master), (2000, None));

    ip("link property add dev rail0 altname enp134s0f0np0v10");
    socket.add_other_name(link, "rail_of_gpu_0").unwrap();
    socket.add_other_name(link, "rail_of_gpu_0").unwrap();
    let seen = socket.link("enp134s0f0np0v10").unwrap().unwrap();
    assert_eq!(seen.index, link);
    assert_eq!(seen.other_names, ["enp134s0f0np0v10", "rail_of_gpu_0"]);
    let wire = socket.link("wire").unwrap().unwrap().index;
    assert!(socket.add_other_name(wire, "rail_of_gpu_0").unwrap_err().is_present(), "it is another link's");
    socket.remove_other_name(link, "rail_of_gpu_0").unwrap();
    socket.remove_other_name(link, "enp134s0f0np0v10").unwrap();
    assert_eq!(socket.link("enp134s0f0np0v10").unwrap(), None);

    socket.set_up(link, false).unwrap();
    socket.rename(link, "net1").unwrap();
    assert!(!socket.link("net1").unwrap().unwrap().up);
    assert_eq!(socket.link("rail0").unwrap(), None);
    socket.delete_link(link).unwrap();
    assert_eq!(socket.link_of(link).unwrap(), None);
    assert!(socket.set_mtu(link, 1500).unwrap_err().is_absent());
}

pub(crate) fn that_move_a_link_rename_it_on_the_way() {
    let (mut socket, link) = rail();
    let home = namespace::this();
    namespace::enter().unwrap();
    let pod = namespace::this();
    // The name it comes with is taken there, and the one it gets is taken here.
    ip("link add rail0 type veth peer name other");
    let mut inside = Socket::open(Protocol::Route).unwrap();
    namespace::back(&home);
    ip("link add net1 type veth peer name other");

    socket.move_and_rename(link, pod.as_fd(), "net1").unwrap();
    assert_eq!(socket.link("rail0").unwrap(), None);
    let moved = inside.link("net1").unwrap().unwrap();
    assert!(!moved.up);
    inside.rename(moved.index, "rail1").unwrap();
    inside.move_link(moved.index, home.as_fd()).unwrap();
    assert!(socket.link("rail1").unwrap().is_some());

    let text = socket.move_link(4711, pod.as_fd()).unwrap_err().to_string();
    assert_eq!(text, "failed to move link 4711 to another network namespace: No such device (os error 19)");
}

pub(crate) fn of_addresses_are_idempotent() {
    let (mut socket, link) = rail();
    for address in ["172.16.1.2/27", "fd00::2/64"] {
        let address = address.parse().unwrap();
        socket.add_address(link, address).unwrap();
        socket.add_address(link, address).unwrap();
        assert!(socket.addresses().unwrap().iter().any(|seen| seen.address == address && seen.link == link));
        assert!(ip("address show dev rail0").contains(&address.to_string()));
        assert!(socket.delete_address(link, address).unwrap());
        assert!(!socket.delete_address(link, address).unwrap());
    }
}

pub(crate) fn of_routes_and_rules_are_idempotent() {
    let (mut socket, link) = rail();
    for (address, gateway, everything, host, family) in [
        ("172.16.1.2/27", "172.16.1.30", "0.0.0.0/0", "172.16.1.2/32", "-4"),
        ("fd00::2/64", "fd00::fffe", "::/0", "fd00::2/128", "-6"),
    ] {
        socket.add_address(link, address.parse().unwrap()).unwrap();
        let route = Route {
            gateway: Some(gateway.parse().unwrap()),
            link: Some(link),
            table: 1000,
            protocol: 84,
            metric: Some(100),
            ..Route::to(everything.parse().unwrap())
        };
        let rule = Rule {
            from: host.parse().unwrap(),
            to: None,
            mark: None,
            table: 1000,
            priority: 1000,
            protocol: 84,
        };
        for _ in 0..2 {
            socket.set_route(&route).unwrap();
            socket.add_rule(&rule).unwrap();
        }
        let listed = shown(&format!("{family} route show table 1000"));
        assert!(
            listed.starts_with(&format!("default via {gateway} dev rail0 proto 84 metric 100")),
            "{listed}"
        );
        assert_eq!(listed.lines().count(), 1);
        let from = host.split('/').next().unwrap();
        let listed = shown(&format!("{family} rule show priority 1000"));
        assert_eq!(listed, format!("1000:\tfrom {from} lookup 1000 proto 84"));

        assert!(socket.routes().unwrap().contains(&route), "{:?}", socket.routes());
        assert_eq!(socket.routes_of_table(1000).unwrap(), [route]);
        assert_eq!(socket.routes_of_table(1001).unwrap(), []);
        assert_eq!(socket.rules().unwrap().iter().filter(|seen| **seen == rule).count(), 1);
        assert_eq!((socket.delete_rule(&rule).unwrap(), socket.delete_rule(&rule).unwrap()), (true, false));
        assert_eq!(
            (socket.delete_route(&route).unwrap(), socket.delete_route(&route).unwrap()),
            (true, false)
        );
    }
    let lost =
        Route { gateway: Some("10.9.9.9".parse().unwrap()), ..Route::to("10.8.0.0/16".parse().unwrap()) };
    let text = socket.set_route(&lost).unwrap_err().to_string();
    assert!(text.starts_with("failed to set the route to 10.8.0.0/16 in table 254: "), "{text}");
    assert!(text.contains("Nexthop has invalid gateway"), "the kernel's own reason: {text}");
}

pub(crate) fn append_routes_to_those_that_there_are() {
    let (mut socket, link) = rail();
    for (address, first, second, everything) in [
        ("172.16.1.2/27", "172.16.1.30", "172.16.1.29", "0.0.0.0/0"),
        ("fd00::2/64", "fd00::fffe", "fd00::fffd", "::/0"),
    ] {
        socket.add_address(link, address.parse().unwrap()).unwrap();
        let default = |gateway: &str| Route {
            gateway: Some(gateway.parse().unwrap()),
            link: Some(link),
            metric: everything.contains(':').then_some(1024),
            ..Route::to(everything.parse().unwrap())
        };
        for gateway in [first, second, second] {
            socket.append_route(&default(gateway)).unwrap();
        }
        let mut routes = socket.routes_of_table(254).unwrap();
        routes.retain(|route| route.destination == everything.parse().unwrap());
        assert_eq!(routes, [default(first), default(second)]);
    }
}

pub(crate) fn of_neighbours_replace() {
    let (mut socket, link) = rail();
    for at in ["172.16.1.30", "fd00::fffe"] {
        let address = at.parse().unwrap();
        for last in [1, 2] {
            let hardware = vec![2, 0, 0, 0, 0, last];
            socket.set_neighbour(link, address, &hardware).unwrap();
            let text = ip("neighbour show dev rail0");
            assert!(text.contains(&format!("{at} lladdr 02:00:00:00:00:0{last} PERMANENT")), "{text}");
            let wanted = Neighbour { link, address, hardware, permanent: true };
            assert!(socket.neighbours().unwrap().contains(&wanted));
            assert!(socket.neighbours_of(link).unwrap().contains(&wanted));
            assert!(!socket.neighbours_of(1).unwrap().contains(&wanted));
        }
        assert!(socket.delete_neighbour(link, address).unwrap());
        assert!(!socket.delete_neighbour(link, address).unwrap());
    }
}

/// The kernel of this machine has no ports with virtual functions; it says so in its own words.
pub(crate) fn of_virtual_functions_need_a_port() {
    use railweave_cni::netlink::VfSetting;
    let (mut socket, link) = rail();
    assert_eq!(socket.virtual_functions(link).unwrap(), []);
    let error = socket.set_virtual_function(link, 0, VfSetting::Trust(true)).unwrap_err();
    assert!(error.is_unsupported());
    let text = error.to_string();
    let begin = format!("failed to set Trust(true) on virtual function 0 of link {link}: ");
    assert!(text.starts_with(&begin), "{text}");
}

pub(crate) fn that_make_a_veth_put_its_other_end_elsewhere() {
    let home = namespace::this();
    namespace::enter().unwrap();
    let pod = namespace::this();
    let mut inside = Socket::open(Protocol::Route).unwrap();
    namespace::back(&home);
    let mut socket = Socket::open(Protocol::Route).unwrap();
    let pair = VethPair {
        here: "veth0a1b2c3d4e5".into(),
        here_address: [2, 0, 0, 0, 0, 1],
        there: "veth0".into(),
        there_address: [2, 0, 0, 0, 0, 2],
        mtu: 4200,
    };
    socket.add_veth(&pair, pod.as_fd()).unwrap();
    let (here, there) = (socket.link(&pair.here).unwrap().unwrap(), inside.link("veth0").unwrap().unwrap());
    assert_eq!(
        (here.address.as_slice(), there.address.as_slice()),
        (&[2, 0, 0, 0, 0, 1][..], &[2, 0, 0, 0, 0, 2][..])
    );
    assert_eq!((here.mtu, there.mtu, here.up, there.up), (4200, 4200, false, false));
    assert_eq!(
        (here.kind.as_deref(), here.lower, there.lower),
        (Some("veth"), Some(there.index), Some(here.index))
    );
    assert_eq!(socket.link("lo").unwrap().unwrap().kind, None);
    let text = socket.add_veth(&pair, pod.as_fd()).unwrap_err().to_string();
    assert!(text.starts_with("failed to add the veth veth0a1b2c3d4e5 with the other end veth0: "), "{text}");
    assert!(text.ends_with("File exists (os error 17)"), "{text}");
}

pub(crate) fn of_ipv6_routes_with_several_next_hops_are_made_hop_by_hop() {
    let (mut socket, link) = rail();
    socket.add_address(link, "fd00::2/64".parse().unwrap()).unwrap();
    ip("-6 route add default nexthop via fd00::a dev rail0 nexthop via fd00::b dev rail0");
    let hop = |gateway: &str| Route {
        gateway: Some(gateway.parse().unwrap()),
        link: Some(link),
        protocol: 3,
        metric: Some(1024),
        ..Route::to("::/0".parse().unwrap())
    };
    let routes = socket.routes().unwrap();
    assert!(routes.contains(&hop("fd00::a")) && routes.contains(&hop("fd00::b")), "{routes:?}");
    assert!(socket.delete_route(&hop("fd00::a")).unwrap());
    assert_eq!(shown("-6 route show default"), "default via fd00::b dev rail0 metric 1024 pref medium");
}

pub(crate) fn do_not_hide_which_address_is_sent_from() {
    let (mut socket, link) = rail();
    socket.add_address(link, "172.16.1.2/27".parse().unwrap()).unwrap();
    assert!(!socket.is_settling(link).unwrap());
    socket.add_address(link, "fd00::2/64".parse().unwrap()).unwrap();
    assert!(socket.is_settling(link).unwrap(), "the kernel looks for duplicates for a second");
    ip("address add fd00::3/64 dev wire nodad");
    assert!(!socket.is_settling(number_of("wire")).unwrap());
    let mut toward =
        |to: &str| socket.source_toward(to.parse().unwrap()).unwrap().map(|from| from.to_string());
    assert_eq!(toward("172.16.1.30").as_deref(), Some("172.16.1.2"));
    assert_eq!(toward("10.9.9.9"), None);
    assert_eq!(toward("fe00::1"), None);
}

fn number_of(name: &str) -> u32 {
    Socket::open(Protocol::Route).unwrap().link(name).unwrap().unwrap().index
}

pub(crate) fn of_marks_are_made_in_one_step_and_undone() {
    let mut filter = Socket::open(Protocol::Netfilter).unwrap();
    for family in [2, 10] {
        assert!(!filter.marks_replies(family).unwrap());
        for _ in 0..2 {
            filter.mark_replies(family, "veth0", 1).unwrap();
            assert!(filter.marks_replies(family).unwrap());
        }
        filter.unmark_replies(family).unwrap();
        filter.unmark_replies(family).unwrap();
        assert!(!filter.marks_replies(family).unwrap());
    }
}
