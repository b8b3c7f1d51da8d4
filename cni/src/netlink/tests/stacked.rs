use crate::golden::{bytes, hex};
use crate::netlink::stacked_links::{add_bond, add_vlan, read};
use crate::netlink::{BondSetting, BondValue, Stacked};

#[test]
fn a_vlan_hangs_on_its_lower_link() {
    assert_eq!(
        hex(&add_vlan("eth0.100", 7, 100).finish(3)),
        "54000000 10000506 03000000 00000000 \
         00000000 00000000 00000000 00000000 \
         0d000300 65746830 2e313030 00000000 \
         08000500 07000000 \
         1c001200 09000100 766c616e 00000000 0c000200 06000100 64000000"
    );
}

#[test]
fn a_bond_is_made_with_its_settings() {
    let settings = [
        BondSetting { number: 3, value: BondValue::U32(100) },
        BondSetting { number: 14, value: BondValue::U8(1) },
        BondSetting { number: 24, value: BondValue::U16(9) },
        BondSetting { number: 26, value: BondValue::Bytes(vec![2, 0, 0, 0, 0, 1]) },
        BondSetting {
            number: 8,
            value: BondValue::Addresses(vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()]),
        },
    ];
    assert_eq!(
        hex(&add_bond("bond0", 4, &settings).finish(1)),
        "80000000 10000506 01000000 00000000 \
         00000000 00000000 00000000 00000000 \
         0a000300 626f6e64 30000000 \
         54001200 09000100 626f6e64 00000000 44000200 \
         05000100 04000000 08000300 64000000 05000e00 01000000 06001800 09000000 \
         0a001a00 02000000 00010000 14000800 08000000 0a000001 08000100 0a000002"
    );
}

#[test]
fn what_a_stacked_link_is_like_is_read() {
    let link = |info: &str| bytes(&format!("0000 0100 0a000000 43100100 00000000 08000a00 05000000 {info}"));
    let vlan = link("1c001200 09000100 766c616e 00000000 0c000200 06000100 64000000");
    assert_eq!(read(&vlan), Some(Stacked::Vlan(100)));
    let bond = link("1c001200 09000100 626f6e64 00000000 0c000200 05000100 04000000");
    assert_eq!(read(&bond), Some(Stacked::Bond(4)));
    let veth = link("10001200 09000100 76657468 00000000");
    assert_eq!(read(&veth), None);
    assert_eq!(read(&link("")), None);
}
