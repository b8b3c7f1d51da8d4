use std::net::IpAddr;

use super::*;
use crate::kernel::recorder::{PORT, Recorder, VF, VFIO_VF};
use crate::kernel::{Change, Kernel as _, Place};
use crate::netlink::{MAIN_TABLE, Route, RouteMetrics, VfLinkState, VfSetting, Vlan};
use crate::spec::{self, Answer, Ip};

fn net(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

#[test]
fn hardware_addresses_are_bytes_with_colons() {
    for (text, written) in [
        ("02:00:00:00:00:2A", "02:00:00:00:00:2a"),
        ("02:00:00:00:00:00:00:2a", "02:00:00:00:00:00:00:2a"),
        (
            "00:00:01:2a:fe:80:00:00:00:00:00:00:0c:42:a1:03:00:a1:b2:c4",
            "00:00:01:2a:fe:80:00:00:00:00:00:00:0c:42:a1:03:00:a1:b2:c4",
        ),
    ] {
        let address: HardwareAddress = text.parse().unwrap();
        assert_eq!(address.to_string(), written);
        let json = serde_json::to_string(&address).unwrap();
        assert_eq!(json, format!("\"{written}\""));
        assert_eq!(serde_json::from_str::<HardwareAddress>(&json).unwrap(), address);
    }
    for text in ["", "02", "2:0:0:0:0:2a", "02:00:00:00:00:2g", "02-00-00-00-00-2a", "02:00:00:00:00:2a:"] {
        assert_eq!(text.parse::<HardwareAddress>(), Err(BadHardwareAddress(text.to_owned())));
    }
    assert_eq!(HardwareAddress::default().to_string(), "");
    assert_eq!(serde_json::from_str::<HardwareAddress>("\"\"").unwrap(), HardwareAddress::default());
}

#[test]
fn a_function_is_found_by_its_address() {
    let mut node = Recorder::new();
    let function = Function::find(&node, VF.parse().unwrap()).unwrap().unwrap();
    assert_eq!(function.describe(), "0000:86:00.2 (number 0 of port eno3np2)");
    assert_eq!(function.link(&mut node).unwrap().unwrap().name, "eno3np2v0");
    assert!(!function.is_of_user_space());
    assert!(Function::find(&node, VFIO_VF.parse().unwrap()).unwrap().unwrap().is_of_user_space());
    assert!(Function::find(&node, PORT.parse().unwrap()).unwrap().is_none(), "it is a port");
    assert!(Function::find(&node, "0000:99:00.0".parse().unwrap()).unwrap().is_none());
}

#[test]
fn what_the_port_cannot_tell_is_set_whole_and_brought_back_to_what_functions_begin_with() {
    let wanted = Settings {
        vlan: Some(Vlan { id: 100, ..Vlan::default() }),
        rate: Some((0, 1000)),
        spoof_check: Some(false),
        trust: Some(true),
        link_state: Some(VfLinkState::Enable),
        mac: None,
    };
    assert_eq!(wanted.missing(None), wanted);
    assert_eq!(
        wanted.before(None),
        Settings {
            vlan: Some(Vlan::default()),
            rate: Some((0, 0)),
            spoof_check: Some(true),
            trust: Some(false),
            link_state: Some(VfLinkState::Auto),
            mac: None,
        }
    );
}

#[test]
fn settings_are_kept_as_readable_json() {
    let settings = Settings {
        mac: Some("02:00:00:00:00:2a".parse().unwrap()),
        vlan: Some(Vlan { id: 100, qos: 3, ..Vlan::default() }),
        link_state: Some(VfLinkState::Disable),
        ..Settings::default()
    };
    let json = serde_json::json!({"mac": "02:00:00:00:00:2a", "vlan": {"id": 100, "qos": 3, "protocol": "802.1q"},
                                  "link_state": "disable"});
    assert_eq!(serde_json::to_value(&settings).unwrap(), json);
    assert_eq!(serde_json::from_value::<Settings>(json).unwrap(), settings);
}

#[test]
fn trust_goes_after_the_address_both_ways() {
    let mut node = Recorder::new();
    let function = Function::find(&node, VF.parse().unwrap()).unwrap().unwrap();
    let wanted = Settings {
        mac: Some("02:00:00:00:00:2a".parse().unwrap()),
        trust: Some(true),
        spoof_check: Some(false),
        ..Settings::default()
    };
    let seen = function.seen(&mut node).unwrap();
    let before = wanted.before(seen.as_ref());
    wanted.attach(&mut node, &function, seen.as_ref()).unwrap();
    before.restore(&mut node, &function, &mut Left::default());
    let set = |setting| Change::Function { port: 4, number: 0, setting };
    assert_eq!(
        node.made,
        [
            set(VfSetting::Mac([2, 0, 0, 0, 0, 0x2a])),
            set(VfSetting::SpoofCheck(false)),
            set(VfSetting::Trust(true)),
            set(VfSetting::SpoofCheck(true)),
            set(VfSetting::Mac([0; 6])),
            set(VfSetting::Trust(false)),
        ]
    );
}

#[test]
fn addresses_and_routes_of_ipam_are_set() {
    let mut node = Recorder::new();
    let pod = node.pod("/run/netns/pod-a");
    node.make(Change::Move { from: Place::HOST, to: pod, link: 10, name: "net1".into() }).unwrap();
    let made = node.made.len();
    let gateway: IpAddr = "172.16.1.254".parse().unwrap();
    let ip = |address: &str, gateway: Option<&str>| Ip {
        address: net(address),
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        interface: None,
    };
    let answer = Answer {
        ips: vec![ip("172.16.1.2/24", Some("172.16.1.254")), ip("fd00::2/128", None)],
        routes: vec![
            spec::Route::via(net("10.0.0.0/8"), None),
            spec::Route {
                mtu: Some(1400),
                advmss: Some(1360),
                scope: Some(200),
                ..spec::Route::via(net("10.1.0.0/16"), Some("172.16.1.253".parse().unwrap()))
            },
            spec::Route {
                table: Some(100),
                priority: Some(7),
                ..spec::Route::via(net("fd01::/64"), Some("fd00::fffe".parse().unwrap()))
            },
            spec::Route::via(net("fd02::/64"), None),
        ],
        ..Answer::default()
    };
    let link = node.link(pod, 10).unwrap().unwrap();
    set_addresses(&mut node, pod, &link, &answer).unwrap();
    let address = |address: &str| Change::Address { at: pod, link: 10, address: net(address) };
    let route = |route: Route| Change::Route { at: pod, route: Route { link: Some(10), ..route } };
    let to = |text: &str| Route::to(net(text));
    assert_eq!(to("10.0.0.0/8").table, MAIN_TABLE);
    assert_eq!(
        node.made[made..],
        [
            Change::Sysctl { at: pod, values: vec![("ipv6/conf/net1/disable_ipv6".to_owned(), "0")] },
            address("172.16.1.2/24"),
            address("fd00::2/128"),
            route(Route { gateway: Some(gateway), ..to("10.0.0.0/8") }),
            route(Route {
                gateway: Some("172.16.1.253".parse().unwrap()),
                scope: Some(200),
                metrics: RouteMetrics::of(Some(1400), Some(1360)),
                ..to("10.1.0.0/16")
            }),
            route(Route {
                gateway: Some("fd00::fffe".parse().unwrap()),
                table: 100,
                metric: Some(7),
                on_link: true,
                ..to("fd01::/64")
            }),
            route(to("fd02::/64")),
        ]
    );
}

#[test]
fn a_check_finds_what_an_interface_has_lost() {
    let mut node = Recorder::new();
    let pod = node.pod("/run/netns/pod-a");
    node.make(Change::Move { from: Place::HOST, to: pod, link: 10, name: "net1".into() }).unwrap();
    let ip = |address: &str| Ip {
        address: net(address),
        gateway: Some("172.16.1.254".parse().unwrap()),
        interface: Some(0),
    };
    let interface = spec::Interface {
        name: "net1".into(),
        mac: "02:00:00:00:00:10".into(),
        mtu: Some(1500),
        sandbox: "/run/netns/pod-a".into(),
        ..spec::Interface::default()
    };
    let answer = Answer {
        interfaces: vec![interface],
        ips: vec![ip("172.16.1.2/24")],
        routes: vec![spec::Route::via(net("0.0.0.0/0"), None), spec::Route::via(net("10.0.0.0/8"), None)],
        ..Answer::default()
    };
    let link = node.link(pod, 10).unwrap().unwrap();
    set_addresses(&mut node, pod, &link, &answer).unwrap();
    // As coordinator leaves it.
    node.spaces[1].routes[0].table = 101;
    check_addresses(&mut node, pod, &link, &answer).unwrap();
    let routes = node.spaces[1].routes.clone();
    let told = |node: &mut Recorder| check_addresses(node, pod, &link, &answer).unwrap_err().msg;
    node.spaces[1].routes.pop();
    assert_eq!(told(&mut node), "interface net1 of the pod has lost its route to 10.0.0.0/8");
    node.spaces[1].routes = routes;
    node.spaces[1].routes[0].gateway = Some("172.16.1.253".parse().unwrap());
    assert_eq!(told(&mut node), "interface net1 of the pod has lost its route to 0.0.0.0/0");
    node.spaces[1].addresses.clear();
    assert_eq!(told(&mut node), "interface net1 of the pod has lost its address 172.16.1.2/24");

    assert_eq!(check_interface(&link, &answer).unwrap_err().msg, "interface net1 of the pod is off");
    let up = Link { up: true, ..link };
    check_interface(&up, &answer).unwrap();
    let nothing = check_interface(&up, &Answer::default()).unwrap_err();
    assert_eq!((nothing.code, nothing.msg.as_str()), (CniError::CHANGED, "prevResult has no interface net1"));
}
