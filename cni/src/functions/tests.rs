use std::net::IpAddr;

use super::*;
use crate::kernel::recorder::{PORT, Recorder, VF, VFIO_VF};
use crate::kernel::{Change, Kernel as _, Place};
use crate::netlink::{MAIN_TABLE, Route, VfLinkState, VfSetting, Vlan};
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
            spec::Route::via(net("10.1.0.0/16"), Some("172.16.1.253".parse().unwrap())),
            spec::Route {
                table: Some(100),
                priority: Some(7),
                ..spec::Route::via(net("fd01::/64"), Some("fd00::fffe".parse().unwrap()))
            },
            spec::Route::via(net("fd02::/64"), None),
        ],
        ..Answer::default()
    };
    set_addresses(&mut node, pod, 10, &answer).unwrap();
    let address = |address: &str| Change::Address { at: pod, link: 10, address: net(address) };
    let route = |route: Route| Change::Route { at: pod, route: Route { link: Some(10), ..route } };
    let to = |text: &str| Route::to(net(text));
    assert_eq!(to("10.0.0.0/8").table, MAIN_TABLE);
    assert_eq!(
        node.made[made..],
        [
            address("172.16.1.2/24"),
            address("fd00::2/128"),
            route(Route { gateway: Some(gateway), ..to("10.0.0.0/8") }),
            route(Route { gateway: Some("172.16.1.253".parse().unwrap()), ..to("10.1.0.0/16") }),
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
    check_addresses(&mut node, pod, 10, "net1", &answer.ips).unwrap();
    let more = [ip("172.16.1.3/24", None)];
    let error = check_addresses(&mut node, pod, 10, "net1", &more).unwrap_err();
    assert_eq!(error.msg, "interface net1 of the pod has lost its address 172.16.1.3/24");
}
