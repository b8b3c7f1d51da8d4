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
        change_links::add_other_name(4, "eno3"),
        "30000000 6c000506",
        &format!("{LINK_4} 10003480 09003500 656e6f33 00000000"),
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
            guids: None,
        }]
    );
    let tagged = format!(
        "00000100 04000000 43100100 00000000 \
         48001680 44000180 {mac} 18000c80 14000100 01000000 64000000 00000000 88a80000"
    );
    assert_eq!(virtual_functions::read(&bytes(&tagged))[0].vlan.protocol, VlanProtocol::Dot1ad);
    let infiniband = format!(
        "00000100 04000000 43100100 00000000 58001680 54000180 {mac} \
         14000a00 01000000 00000000 2a000000 00000002 14000b00 01000000 00000000 2b000000 00000002"
    );
    assert_eq!(
        virtual_functions::read(&bytes(&infiniband))[0].guids,
        Some((0x0200_0000_0000_002a, 0x0200_0000_0000_002b))
    );
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
    is(
        routes::append_route(&default),
        "34000000 1800050c",
        "02000000 00540001 00000000 08000500 ac1001fe 08000400 04000000 08000f00 e8030000",
    );
    let narrow = Route { metrics: RouteMetrics::of(Some(1450), Some(1410)), scope: Some(200), ..default };
    let told = "02000000 0054c801 00000000 08000500 ac1001fe 08000400 04000000 08000f00 e8030000 \
                14000800 08000200 aa050000 08000800 82050000";
    is(routes::set_route(&narrow), "48000000 18000505", told);
    assert_eq!(routes::read(&bytes(told)), [narrow], "what is read is set again as it was");
    let on_link = Route { link: Some(4), ..Route::to("172.16.1.0/27".parse().unwrap()) };
    is(
        routes::set_route(&on_link),
        "34000000 18000505",
        "021b0000 0004fd01 00000000 08000100 ac100100 08000400 04000000 08000f00 fe000000",
    );
}

#[test]
fn rules_and_neighbours_are_sent_whole() {
    let rule = Rule {
        from: "172.16.1.2/32".parse().unwrap(),
        to: None,
        mark: None,
        table: 1000,
        priority: 1000,
        protocol: 84,
    };
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

#[test]
fn both_ends_of_a_veth_are_told_at_once() {
    let pair = VethPair {
        here: "veth1".into(),
        here_address: [2, 0, 0, 0, 0, 1],
        there: "veth0".into(),
        there_address: [2, 0, 0, 0, 0, 2],
        mtu: 1500,
    };
    is(
        make_links::add_veth(&pair, 7),
        "90000000 10000506",
        "00000000 00000000 00000000 00000000 \
         0a000300 76657468 31000000 0a000100 02000000 00010000 08000400 dc050000 \
         50001200 09000100 76657468 00000000 \
         40000200 3c000100 00000000 00000000 00000000 00000000 \
         0a000300 76657468 30000000 0a000100 02000000 00020000 08000400 dc050000 08001c00 07000000",
    );
}

#[test]
fn the_kernel_is_asked_for_its_way() {
    is(
        routes::way_to("10.1.2.3".parse().unwrap()),
        "24000000 1a000500",
        "02200000 00000000 00000000 08000100 0a010203",
    );
}

#[test]
fn next_hops_of_an_ipv6_route_are_routes_of_their_own() {
    let reply = "0a000000 fe030001 00000000 08000f00 fe000000 08000600 00040000 0c000800 08000200 aa050000 \
                 3c000900 1c000000 04000000 14000500 fd000000 00000000 00000000 0000000a \
                 1c000000 05000000 14000500 fd000000 00000000 00000000 0000000b";
    let hops: Vec<_> = routes::read(&bytes(reply))
        .iter()
        .map(|route| (route.link, route.gateway.map(|gateway| gateway.to_string()), route.metric))
        .collect();
    assert_eq!(
        hops,
        [(Some(4), Some("fd00::a".into()), Some(1024)), (Some(5), Some("fd00::b".into()), Some(1024))]
    );
    let metrics: Vec<_> = routes::read(&bytes(reply)).iter().map(|route| route.metrics).collect();
    assert_eq!(
        metrics,
        [RouteMetrics::of(Some(1450), None), RouteMetrics::default()],
        "they are the first one's"
    );
}

#[test]
fn marks_are_part_of_a_rule() {
    let rule = Rule {
        from: "0.0.0.0/0".parse().unwrap(),
        to: None,
        mark: Some(1),
        table: 100,
        priority: 1000,
        protocol: 84,
    };
    let payload =
        "02000000 00000001 00000000 08000a00 01000000 08000600 e8030000 08000f00 64000000 05001500 54000000";
    is(rules::add_rule(&rule), "3c000000 20000506", payload);
    assert_eq!(rules::read(&bytes(payload)), Some(rule));
}

/// What `nft --debug=mnl` shows of these lines, in other words:
/// `chain incoming { type filter hook prerouting priority mangle; iifname "veth0" ct state new ct mark set 1 }`,
/// `chain outgoing { type route hook output priority mangle; ct mark 1 meta mark set ct mark }`.
#[test]
fn replies_are_marked_by_two_rules_in_one_batch() {
    let sent: Vec<_> = connection_marks::mark_replies(2, "veth0", 1).into_iter().map(sent).collect();
    let table = "02000000 0e000100 7261696c 77656176 65000000";
    let expect = |head: &str, rest: &str| (head.to_owned(), rest.to_owned());
    assert_eq!(sent.len(), 9);
    assert_eq!(sent[0], expect("14000000 10000100", "0000000a"));
    assert_eq!(sent[1], expect("24000000 000a0104", table));
    assert_eq!(sent[2], expect("24000000 020a0100", table));
    assert_eq!(sent[3], expect("24000000 000a0104", table));
    assert_eq!(
        sent[4],
        expect(
            "54000000 030a0104",
            &format!(
                "{table} 0d000300 696e636f 6d696e67 00000000 \
                 14000480 08000100 00000000 08000200 ffffff6a 0b000700 66696c74 65720000"
            )
        )
    );
    assert_eq!(
        sent[5],
        expect(
            "54000000 030a0104",
            &format!(
                "{table} 0d000300 6f757467 6f696e67 00000000 \
                 14000480 08000100 00000003 08000200 ffffff6a 0a000700 726f7574 65000000"
            )
        )
    );
    let outgoing = format!(
        "{table} 0d000200 6f757467 6f696e67 00000000 74000480 \
         20000180 07000100 63740000 14000280 08000100 00000001 08000200 00000003 \
         2c000180 08000100 636d7000 20000280 08000100 00000001 08000200 00000000 \
         0c000380 08000100 01000000 \
         24000180 09000100 6d657461 00000000 14000280 08000200 00000003 08000300 00000001"
    );
    let (head, rest) = &sent[7];
    assert_eq!((head[9..].to_owned(), rest.clone()), ("060a050c".to_owned(), outgoing));
    assert!(sent[6].0.ends_with("060a010c"), "only the last rule is acknowledged");
    assert!(sent[6].1.contains("08000200 00000006"), "the name of the link");
    assert!(sent[6].1.contains("76657468 30000000 00000000 00000000"), "all 16 bytes of it");
    assert!(sent[6].1.contains("0c000480 08000100 08000000"), "new connections");
    assert_eq!(sent[8], expect("14000000 11000100", "0000000a"));
}
