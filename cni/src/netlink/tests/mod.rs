mod changes;
mod stacked;

use super::codec::Message;
use super::socket::Replies;
use super::*;
use crate::golden::{bytes, hex};
use crate::sysfs::LinkLayer;

#[test]
fn links_are_asked_for_without_counters() {
    assert_eq!(
        hex(&links::list_links().finish(7)),
        // nlmsghdr: length, RTM_GETLINK and REQUEST|DUMP, sequence, port
        "28000000 12000103 07000000 00000000 \
         00000000 00000000 00000000 00000000 \
         08001d00 08000000",
    );
}

#[test]
fn addresses_are_asked_for_with_an_empty_header() {
    assert_eq!(
        hex(&addresses::list_addresses().finish(1)),
        "18000000 16000103 01000000 00000000 00000000 00000000"
    );
}

#[test]
fn attributes_are_padded_and_nest() {
    let message = Message::act(16, 0x600).text(3, "net1").nested(18, |inside| inside.u8(1, 7).u32(2, 9));
    assert_eq!(
        hex(&message.finish(2)),
        "30000000 10000506 02000000 00000000 \
         09000300 6e657431 00000000 \
         14001200 05000100 07000000 08000200 09000000",
    );
}

#[test]
fn a_link_is_read_and_what_is_not_known_of_it_is_passed_over() {
    let link = bytes(
        "0000 0100 0a000000 43100100 00000000 \
         0d000300 656e6f33 6e703200 00000000 08000400 28230000 \
         0a000100 0c42a1b2 c3d40000 0a000200 ffffffff ffff0000 06003980 ffff0000 \
         11003800 30303030 3a38363a 30302e32 00000000 \
         24003480 09003500 656e6f33 00000000 12003500 656e7031 33347330 66306e70 32000000",
    );
    assert_eq!(
        links::read(&link),
        Some(Link {
            index: 10,
            name: "eno3np2".into(),
            other_names: vec!["eno3".into(), "enp134s0f0np2".into()],
            layer: LinkLayer::Ethernet,
            up: true,
            carrier: true,
            mtu: 9000,
            address: vec![0x0c, 0x42, 0xa1, 0xb2, 0xc3, 0xd4],
            broadcast: vec![0xff; 6],
            parent: Some("0000:86:00.2".into()),
            kind: None,
            lower: None,
            master: None,
            queue_length: 0,
        })
    );
}

#[test]
fn an_address_is_the_local_one_and_temporary_only_if_it_is_ipv6() {
    let v4 = bytes("021b0100 04000000 08000100 ac100102 08000200 ac100101 08000800 81000000");
    assert_eq!(
        addresses::read(&v4),
        Some(InterfaceAddress { link: 4, address: "172.16.1.1/27".parse().unwrap(), temporary: false })
    );
    let v6 = bytes("0a400000 04000000 14000100 fd000000 00000000 00000000 00000001 08000800 01000000");
    assert_eq!(
        addresses::read(&v6),
        Some(InterfaceAddress { link: 4, address: "fd00::1/64".parse().unwrap(), temporary: true })
    );
}

#[test]
fn what_is_cut_off_ends_the_attributes() {
    for body in ["", "0400", "08000100 0102", "03000100", "00000000"] {
        assert_eq!(Attributes::new(&bytes(body)).count(), 0, "{body:?}");
    }
    assert_eq!(Attributes::new(&bytes("05000100 07000000 ff000200 00")).collect::<Vec<_>>(), [(1, &[7][..])]);
}

/// How the only message of a datagram ends an answer.
fn end(datagram: &str) -> Option<Result<(), Refusal>> {
    let datagram = bytes(datagram);
    let replies: Vec<_> = Replies(&datagram).collect();
    assert_eq!(replies.len(), 1);
    replies[0].end()
}

fn refusal(errno: i32, reason: Option<&str>) -> Refusal {
    Refusal { errno, reason: reason.map(str::to_owned) }
}

#[test]
fn the_end_of_an_answer_is_understood() {
    assert_eq!(end("14000000 1000 0000 01000000 00000000 00000000"), None);
    assert_eq!(
        end("24000000 0200 0001 01000000 00000000 00000000 10000000 13000500 01000000 00000000"),
        Some(Ok(()))
    );
    assert_eq!(end("14000000 0300 0200 01000000 00000000 00000000"), Some(Ok(())));
    assert_eq!(end("10000000 0300 0200 01000000 00000000"), Some(Ok(())), "an old kernel's");
    assert_eq!(end("14000000 0300 0200 01000000 00000000 ffffffff"), Some(Err(refusal(libc::EPERM, None))));
}

#[test]
fn the_kernels_reason_is_found_behind_what_it_echoes() {
    let capped = "34000000 0200 0003 01000000 00000000 f0ffffff \
                  10000000 13000500 01000000 00000000 0e000100 56462062 75737900 00000000";
    assert_eq!(end(capped), Some(Err(refusal(libc::EBUSY, Some("VF busy")))));
    let whole = "3c000000 0200 0002 01000000 00000000 f0ffffff \
                 18000000 13000500 01000000 00000000 aaaaaaaa bbbbbbbb 0c000100 56462062 75737900 00000000";
    assert_eq!(end(whole), Some(Err(refusal(libc::EBUSY, Some("VF busy")))));
    let silent = "24000000 0200 0001 01000000 00000000 edffffff 10000000 13000500 01000000 00000000";
    assert_eq!(end(silent), Some(Err(refusal(libc::ENODEV, None))));
}

#[test]
fn errors_say_what_was_tried_and_what_the_kernel_said() {
    let refused = |errno, reason: Option<&str>| NetlinkError::Refused {
        doing: "set the MTU of link 12 to 99999".into(),
        refusal: refusal(errno, reason),
    };
    assert_eq!(
        refused(libc::EINVAL, Some("mtu greater than device maximum")).to_string(),
        "failed to set the MTU of link 12 to 99999: mtu greater than device maximum: Invalid argument (os error 22)"
    );
    assert_eq!(
        refused(libc::ENODEV, None).to_string(),
        "failed to set the MTU of link 12 to 99999: No such device (os error 19)"
    );
    assert!(refused(libc::ENODEV, None).is_absent() && !refused(libc::EINVAL, None).is_absent());
    assert!(
        !refused(libc::EADDRNOTAVAIL, None).is_absent(),
        "a driver says so of a foreign hardware address"
    );
    assert!(refused(libc::EEXIST, None).is_present());
}
