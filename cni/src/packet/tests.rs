use std::net::{Ipv4Addr, Ipv6Addr};

use super::frame::{Sender, parse};
use super::{Advertisement, Arp, Packet, Solicitation, hardware_text};
use crate::golden::{bytes, hex};
use crate::sysfs::LinkLayer;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 0x2a];
const FOUR: Ipv4Addr = Ipv4Addr::new(172, 16, 1, 2);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 16, 1, 30);
const SIX: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

fn ethernet() -> Sender<'static> {
    Sender { layer: LinkLayer::Ethernet, own: &OWN, broadcast: &[0xff; 6] }
}

/// Queue pair 0xa5d of port GUID 248a:0703:009b:2ca2.
fn infiniband_own() -> Vec<u8> {
    bytes("00000a5d fe800000 00000000 248a0703 009b2ca2")
}

/// Of partition 0x8001, link-local scope.
fn infiniband_broadcast() -> Vec<u8> {
    bytes("00ffffff ff12401b 80010000 00000000 ffffffff")
}

#[test]
fn a_probe_asks_without_a_sender() {
    assert_eq!(
        hex(&ethernet().arp(&Arp::probe(&OWN, FOUR))),
        "ffffffff ffff0200 0000002a 08060001 08000604 00010200 0000002a 00000000 00000000 0000ac10 0102"
    );
}

#[test]
fn a_request_for_the_gateway_names_the_sender() {
    assert_eq!(
        hex(&ethernet().arp(&Arp::ask(&OWN, FOUR, GATEWAY))),
        "ffffffff ffff0200 0000002a 08060001 08000604 00010200 0000002a ac100102 00000000 0000ac10 011e"
    );
}

#[test]
fn an_announcement_asks_for_its_own_address() {
    assert_eq!(
        hex(&ethernet().arp(&Arp::announcement(&OWN, FOUR))),
        "ffffffff ffff0200 0000002a 08060001 08000604 00010200 0000002a ac100102 00000000 0000ac10 0102"
    );
}

/// To the driver first the receiver, then ethertype and two reserved bytes; addresses have 20 bytes, hardware type 32.
#[test]
fn an_announcement_on_infiniband_has_long_addresses() {
    let (own, broadcast) = (infiniband_own(), infiniband_broadcast());
    let sender = Sender { layer: LinkLayer::Infiniband, own: &own, broadcast: &broadcast };
    assert_eq!(
        hex(&sender.arp(&Arp::announcement(&own, FOUR))),
        "00ffffff ff12401b 80010000 00000000 ffffffff 08060000 \
         00200800 14040001 00000a5d fe800000 00000000 248a0703 009b2ca2 ac100102 \
         00000000 00000000 00000000 00000000 00000000 ac100102"
    );
}

#[test]
fn a_solicitation_goes_to_the_group_of_its_target() {
    let probe = Solicitation { source: Ipv6Addr::UNSPECIFIED, target: SIX, own: &OWN };
    assert_eq!(
        hex(&ethernet().solicitation(&probe)),
        "3333ff00 00020200 0000002a 86dd6000 00000018 3aff0000 00000000 00000000 00000000 0000ff02 00000000 \
         00000000 0001ff00 00028700 7da30000 0000fd00 00000000 00000000 00000000 0002"
    );
    let ask = Solicitation { source: SIX, target: "fd00::fffe".parse().unwrap(), own: &OWN };
    assert_eq!(
        hex(&ask.to_bytes()),
        "60000000 00203aff fd000000 00000000 00000000 00000002 ff020000 00000000 00000001 ff00fffe \
         87007d73 00000000 fd000000 00000000 00000000 0000fffe 01010200 0000002a"
    );
}

#[test]
fn an_advertisement_goes_to_everybody_and_overrides() {
    let told = Advertisement { target: SIX, hardware: Some(OWN.to_vec()) };
    let frame = hex(&ethernet().advertisement(&told));
    assert!(frame.starts_with("33330000 00010200 0000002a 86dd6000 0000"), "{frame}");
    assert_eq!(
        hex(&told.to_bytes()),
        "60000000 00203aff fd000000 00000000 00000000 00000002 ff020000 00000000 00000000 00000001 \
         88005a70 20000000 fd000000 00000000 00000000 00000002 02010200 0000002a"
    );
}

/// Two bytes pad the address, and the group carries scope and partition of the broadcast address.
#[test]
fn an_advertisement_on_infiniband_has_a_long_option() {
    let (own, broadcast) = (infiniband_own(), infiniband_broadcast());
    let sender = Sender { layer: LinkLayer::Infiniband, own: &own, broadcast: &broadcast };
    let told = Advertisement { target: SIX, hardware: Some(own.clone()) };
    assert_eq!(
        hex(&sender.advertisement(&told)),
        "00ffffff ff12601b 80010000 00000000 00000001 86dd0000 \
         60000000 00303aff fd000000 00000000 00000000 00000002 ff020000 00000000 00000000 00000001 \
         8800fadf 20000000 fd000000 00000000 00000000 00000002 \
         02030000 00000a5d fe800000 00000000 248a0703 009b2ca2"
    );
}

#[test]
fn what_is_sent_can_be_read() {
    let (own, broadcast) = (infiniband_own(), infiniband_broadcast());
    let infiniband = Sender { layer: LinkLayer::Infiniband, own: &own, broadcast: &broadcast };
    for (sender, own) in [(ethernet(), &OWN[..]), (infiniband, &own[..])] {
        let reply =
            Arp { request: false, sender: (vec![7; own.len()], GATEWAY), target: (own.to_vec(), FOUR) };
        assert_eq!(parse(sender.layer, &sender.arp(&reply)), Some(Packet::Arp(reply)));
        let told = Advertisement { target: SIX, hardware: Some(own.to_vec()) };
        assert_eq!(parse(sender.layer, &sender.advertisement(&told)), Some(Packet::Advertisement(told)));
    }
}

#[test]
fn an_advertisement_without_hardware_address_is_its_sender_s() {
    let silent = Advertisement { target: SIX, hardware: None };
    let heard = parse(LinkLayer::Ethernet, &ethernet().advertisement(&silent));
    assert_eq!(
        heard,
        Some(Packet::Advertisement(Advertisement { target: SIX, hardware: Some(OWN.to_vec()) }))
    );
}

#[test]
fn everything_else_is_passed_over() {
    let whole = ethernet().advertisement(&Advertisement { target: SIX, hardware: Some(OWN.to_vec()) });
    for length in 0..whole.len() {
        assert_eq!(parse(LinkLayer::Ethernet, &whole[..length]), None, "{length}");
    }
    let changed = |at: usize, byte: u8| {
        let mut frame = whole.clone();
        frame[at] = byte;
        parse(LinkLayer::Ethernet, &frame)
    };
    assert_eq!(changed(12, 0x08), None, "IPv4");
    assert_eq!(changed(14 + 6, 17), None, "UDP");
    assert_eq!(changed(14 + 7, 64), None, "one that came by a router");
    assert_eq!(changed(14 + 40, 135), None, "a solicitation");
    // An option of no length would never end.
    assert!(matches!(changed(14 + 40 + 25, 0), Some(Packet::Advertisement(_))));
    let arp = ethernet().arp(&Arp::probe(&OWN, FOUR));
    for length in 0..arp.len() {
        assert_eq!(parse(LinkLayer::Ethernet, &arp[..length]), None, "{length}");
    }
    // Short frames are padded.
    assert!(parse(LinkLayer::Ethernet, &[&arp[..], &[0; 18]].concat()).is_some());
}

#[test]
fn hardware_addresses_have_colons() {
    assert_eq!(hardware_text(&OWN), "02:00:00:00:00:2a");
}
