//! Requests that change something, byte for byte.

use super::super::*;
use crate::golden::{bytes, hex};

/// What follows `struct nlmsghdr`, after its length, type and flags.
fn sent(message: Message) -> (String, String) {
    let bytes = message.finish(1);
    (hex(&bytes[..8]), hex(&bytes[16..]))
}

fn is(message: Message, head: &str, rest: &str) {
    assert_eq!(sent(message), (head.to_owned(), rest.to_owned()));
}

/// `struct ifinfomsg` of link 4.
const LINK_4: &str = "00000000 04000000 00000000 00000000";

#[test]
fn links_are_found_moved_and_renamed() {
    is(
        links::get_named("net1"),
        "34000000 12000500",
        "00000000 00000000 00000000 00000000 08001d00 08000000 09000300 6e657431 00000000",
    );
    is(
        links::get_named("enp134s0f0np0v10"),
        "40000000 12000500",
        "00000000 00000000 00000000 00000000 08001d00 08000000 \
         15003500 656e7031 33347330 66306e70 30763130 00000000",
    );
    is(change_links::move_link(4, 7, None), "28000000 13000500", &format!("{LINK_4} 08001c00 07000000"));
    is(
        change_links::move_link(4, 7, Some("net1")),
        "34000000 13000500",
        &format!("{LINK_4} 08001c00 07000000 09000300 6e657431 00000000"),
    );
    is(
        change_links::remove_other_name(4, "eno3"),
        "30000000 6d000500",
        &format!("{LINK_4} 10003480 09003500 656e6f33 00000000"),
    );
}

#[test]
fn settings_of_virtual_functions_are_sent_through_their_port() {
    let payload = |setting| {
        let (head, rest) = sent(virtual_functions::set_virtual_function(4, 1, setting));
        assert_eq!(&head[9..], "13000500");
        rest.strip_prefix(&format!("{LINK_4} ")).unwrap().to_owned()
    };
    let vlan = |id, qos, protocol| VfSetting::Vlan(Vlan { id, qos, protocol });
    assert_eq!(
        payload(vlan(100, 0, VlanProtocol::Dot1q)),
        "20001600 1c000100 18000c00 14000100 01000000 64000000 00000000 81000000"
    );
    assert_eq!(
        payload(vlan(4094, 7, VlanProtocol::Dot1ad)),
        "20001600 1c000100 18000c00 14000100 01000000 fe0f0000 07000000 88a80000"
    );
    let zeros = "00000000 ".repeat(6);
    assert_eq!(
        payload(VfSetting::Mac([0x02, 0, 0, 0, 0, 0x2a])),
        format!("30001600 2c000100 28000100 01000000 02000000 002a0000 {}", zeros.trim_end())
    );
    assert_eq!(
        payload(VfSetting::Rate { min: 100, max: 10_000 }),
        "18001600 14000100 10000600 01000000 64000000 10270000"
    );
    assert_eq!(payload(VfSetting::SpoofCheck(false)), "14001600 10000100 0c000400 01000000 00000000");
    assert_eq!(payload(VfSetting::Trust(true)), "14001600 10000100 0c000900 01000000 01000000");
    assert_eq!(
        payload(VfSetting::LinkState(VfLinkState::Disable)),
        "14001600 10000100 0c000500 01000000 02000000"
    );
    let guid = 0x0200_0000_0000_002a;
    assert_eq!(
        payload(VfSetting::NodeGuid(guid)),
        "1c001600 18000100 14000a00 01000000 00000000 2a000000 00000002"
    );
    assert_eq!(
        payload(VfSetting::PortGuid(guid)),
        "1c001600 18000100 14000b00 01000000 00000000 2a000000 00000002"
    );
}

#[test]
fn what_a_port_says_of_its_virtual_functions_is_read() {
    let mac = "28000100 01000000 02000000 002a0000 00000000 00000000 00000000 00000000 00000000 00000000";
    let reply = format!(
        "00000100 04000000 43100100 00000000 08001500 02000000 \
         74001680 70000180 {mac} 10000200 01000000 64000000 03000000 \
         10000600 01000000 00000000 10270000 0c000400 01000000 01000000 \
         0c000500 01000000 01000000 0c000900 01000000 ffffffff"
    );
    assert_eq!(
        virtual_functions::read(&bytes(&reply)),
        [VirtualFunction {
            number: 1,
            mac: [2, 0, 0, 0, 0, 0x2a],
            vlan: Vlan { id: 100, qos: 3, protocol: VlanProtocol::Dot1q },
            rate: (0, 10_000),
            spoof_check: Some(true),
            trust: None,
            link_state: VfLinkState::Enable,
        }]
    );
    let tagged = format!(
        "00000100 04000000 43100100 00000000 \
         48001680 44000180 {mac} 18000c80 14000100 01000000 64000000 00000000 88a80000"
    );
    assert_eq!(virtual_functions::read(&bytes(&tagged))[0].vlan.protocol, VlanProtocol::Dot1ad);
}

#[test]
fn addresses_are_added_once() {
    is(
        addresses::added(4, "172.16.1.2/27".parse().unwrap()),
        "28000000 14000506",
        "021b0000 04000000 08000200 ac100102 08000100 ac100102",
    );
    is(
        addresses::added(4, "fd00::2/64".parse().unwrap()),
        "40000000 14000506",
        "0a400000 04000000 14000200 fd000000 00000000 00000000 00000002 \
         14000100 fd000000 00000000 00000000 00000002",
    );
}

#[test]
fn routes_carry_their_table_in_an_attribute() {
    let default = Route {
        gateway: Some("172.16.1.254".parse().unwrap()),
        link: Some(4),
        table: 1000,
        protocol: 84,
        ..Route::to("0.0.0.0/0".parse().unwrap())
    };
    is(
        routes::set_route(&default),
        "34000000 18000505",
        "02000000 00540001 00000000 08000500 ac1001fe 08000400 04000000 08000f00 e8030000",
    );
    let on_link = Route { link: Some(4), ..Route::to("172.16.1.0/27".parse().unwrap()) };
    is(
        routes::set_route(&on_link),
        "34000000 18000505",
        "021b0000 0004fd01 00000000 08000100 ac100100 08000400 04000000 08000f00 fe000000",
    );
}

#[test]
fn rules_and_neighbours_are_sent_whole() {
    let rule =
        Rule { from: "172.16.1.2/32".parse().unwrap(), to: None, table: 1000, priority: 1000, protocol: 84 };
    is(
        rules::add_rule(&rule),
        "3c000000 20000506",
        "02002000 00000001 00000000 08000200 ac100102 08000600 e8030000 08000f00 e8030000 05001500 54000000",
    );
    is(
        neighbours::set_neighbour(4, "172.16.1.254".parse().unwrap(), &[2, 0, 0, 0, 0, 0x2a]),
        "30000000 1c000505",
        "02000000 04000000 80000000 08000100 ac1001fe 0a000200 02000000 002a0000",
    );
}
