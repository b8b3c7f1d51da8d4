use super::device::{self, RdmaPort};
use super::*;
use crate::golden::{bytes, hex};

fn sent(message: crate::netlink::Message) -> String {
    hex(&message.finish(1))
}

#[test]
fn the_mode_is_read_and_set() {
    assert_eq!(sent(mode::get_mode()), "10000000 06140500 01000000 00000000");
    assert_eq!(
        sent(mode::set_mode(Mode::Exclusive)),
        "18000000 07140500 01000000 00000000 05004200 00000000"
    );
    assert_eq!(sent(mode::set_mode(Mode::Shared)), "18000000 07140500 01000000 00000000 05004200 01000000");
    // COPY_ON_FORK stands beside it.
    assert_eq!(mode::read(&bytes("05004200 00000000 05005d00 01000000")), Some(Mode::Exclusive));
    assert_eq!(mode::read(&bytes("05004200 01000000")), Some(Mode::Shared));
    assert_eq!(mode::read(&bytes("05005d00 01000000")), None);
}

#[test]
fn devices_are_listed_with_their_ports() {
    assert_eq!(sent(device::list_devices()), "10000000 01140103 01000000 00000000");
    let reply = bytes(
        "08000100 04000000 0b000200 6d6c7835 5f320000 08000300 01000000 \
         0c000400 36000000 00000000 0c000600 d4c3b2a1 0042a10c 05000e00 01000000",
    );
    assert_eq!(
        device::read_device(&reply),
        Some(RdmaDevice { index: 4, name: "mlx5_2".into(), ports: 1, node_guid: 0x0ca1_4200_a1b2_c3d4 })
    );
    assert_eq!(sent(device::list_ports(4)), "18000000 05140103 01000000 00000000 08000100 04000000");
    let port = bytes(
        "08000100 04000000 08000300 01000000 05000c00 04000000 \
         08003200 0a000000 09003300 6e657431 00000000",
    );
    assert_eq!(
        device::read_port(&port),
        Some(RdmaPort { number: 1, active: true, link: Some(10), link_name: Some("net1".into()) })
    );
}

#[test]
fn a_device_is_moved_and_renamed_by_its_number() {
    assert_eq!(
        sent(device::move_device(4, 7)),
        "20000000 02140500 01000000 00000000 08000100 04000000 08004400 07000000"
    );
    assert_eq!(
        sent(device::rename_device(4, "rail_0")),
        "24000000 02140500 01000000 00000000 08000100 04000000 0b000200 7261696c 5f300000"
    );
}

#[test]
fn character_devices_are_found_by_kind_and_port() {
    assert_eq!(
        sent(device::find_char_device(4, CharKind::Uverbs, None)),
        "24000000 0f140500 01000000 00000000 0b004500 75766572 62730000 08000100 04000000"
    );
    assert_eq!(
        sent(device::find_char_device(4, CharKind::Umad, Some(1))),
        "2c000000 0f140500 01000000 00000000 09004500 756d6164 00000000 08000100 04000000 08000300 01000000"
    );
    // 231:194, as the kernel writes a dev_t
    let reply = bytes("0c004600 75766572 62733200 0c004700 01000000 00000000 0c004800 c2e70000 00000000");
    let found = CharDevice { name: "uverbs2".into(), major: 231, minor: 194 };
    assert_eq!(device::read_char_device(&reply), Some(found));
    let reply = bytes("0d004600 75766572 62733330 30000000 0c004800 2ce71000 00000000");
    let found = CharDevice { name: "uverbs300".into(), major: 231, minor: 300 };
    assert_eq!(device::read_char_device(&reply), Some(found));
}

/// What a kernel without RDMA says, which most machines that build this have.
#[test]
fn a_kernel_without_rdma_is_told_apart() {
    match RdmaSocket::open() {
        Ok(mut socket) => {
            socket.mode().unwrap();
            socket.devices().unwrap();
        }
        Err(error) => {
            assert!(error.is_unsupported());
            assert_eq!(error.to_string(), "failed to open a netlink socket for RDMA devices");
        }
    }
}
