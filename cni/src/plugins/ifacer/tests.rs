use serde_json::{Value, json};

use super::bond_options::{self, Options};
use super::config::{Bond, Wanted};
use crate::netlink::{BondSetting, BondValue};
use crate::spec::{Call, CniError};

fn wanted(config: &Value) -> Result<Wanted, CniError> {
    let variable = |name: &str| match name {
        "CNI_COMMAND" => Some("ADD".to_owned()),
        "CNI_CONTAINERID" | "CNI_NETNS" | "CNI_IFNAME" => Some("a".to_owned()),
        _ => None,
    };
    let mut whole = json!({"cniVersion": "1.0.0", "name": "gpu1", "type": "ifacer"});
    whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    Wanted::of(&Call::parse(variable, whole.to_string().as_bytes()).unwrap())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Interfaces, bond and VLAN of a configuration, and what pods' interfaces hang on.
#[test]
fn one_interface_gets_a_vlan_and_several_get_a_bond() {
    let bond = |name: &str, mode: u8| Bond { name: name.to_owned(), mode, options: Options::default() };
    for (config, expected, top) in [
        (json!({"interfaces": ["eth0"]}), (names(&["eth0"]), None, None), None),
        (json!({"interfaces": ["eth0"], "vlanID": 0}), (names(&["eth0"]), None, None), None),
        (
            json!({"interfaces": ["eth0"], "vlanID": 100}),
            (names(&["eth0"]), None, Some(100)),
            Some("eth0.100"),
        ),
        // A bond of one is none.
        (
            json!({"interfaces": ["eth0"], "vlanID": 4094, "bond": {"name": "bond0", "mode": 1}}),
            (names(&["eth0"]), None, Some(4094)),
            Some("eth0.4094"),
        ),
        (
            json!({"interfaces": ["eth0", "eth1"], "vlanID": 100, "bond": {"name": "bond0", "mode": 4}}),
            (names(&["eth0", "eth1"]), Some(bond("bond0", 4)), Some(100)),
            Some("bond0.100"),
        ),
        (
            json!({"interfaces": ["eth0", "eth1"], "bond": {}}),
            (names(&["eth0", "eth1"]), Some(bond("sp_bond0", 0)), None),
            Some("sp_bond0"),
        ),
        // Several without a bond are left as they are.
        (
            json!({"interfaces": ["eth0", "eth1"], "vlanID": 100}),
            (names(&["eth0", "eth1"]), None, Some(100)),
            None,
        ),
    ] {
        let wanted = wanted(&config).unwrap();
        let (interfaces, bond, vlan) = expected;
        assert_eq!(wanted, Wanted { interfaces, bond, vlan }, "{config}");
        assert_eq!(wanted.top().as_deref(), top, "{config}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_field() {
    for (config, reason) in [
        (json!({}), "interfaces is empty; name at least one interface of the host"),
        (
            json!({"interfaces": ["a/b"]}),
            "interfaces[0] is \"a/b\"; names of interfaces have 1 to 15 characters",
        ),
        (json!({"interfaces": ["a", "b", "a"]}), "interfaces[2] \"a\" is there twice"),
        (json!({"interfaces": ["a"], "vlanID": 4095}), "vlanID is 4095; write 0 (none) to 4094"),
        (json!({"interfaces": ["a"], "vlanID": -1}), "vlanID is -1; write 0 (none) to 4094"),
        (
            json!({"interfaces": ["enp134s0f0np0"], "vlanID": 100}),
            "the name of the VLAN interface is \"enp134s0f0np0.100\"; names of interfaces have 1 to 15 characters",
        ),
        (json!({"interfaces": ["a", "b"], "bond": {"mode": 7}}), "bond.mode is 7; write 0 to 6"),
        (
            json!({"interfaces": ["a", "b"], "bond": {"name": "b o"}}),
            "bond.name is \"b o\"; names of interfaces",
        ),
        (
            json!({"interfaces": ["a", "b"], "bond": {"options": "miimon"}}),
            "bond.options holds \"miimon\"; write it like miimon=100",
        ),
        (
            json!({"interfaces": ["a", "b"], "bond": {"options": "miimon=often"}}),
            "bond.options holds miimon=often; write a number",
        ),
        (
            json!({"interfaces": ["a", "b"], "bond": {"options": "lacp_rate=quick"}}),
            "bond.options holds lacp_rate=quick; write one of slow, fast",
        ),
    ] {
        let error = wanted(&config).unwrap_err();
        let expected = format!("the configuration of network \"gpu1\": {reason}");
        assert!(error.code == CniError::CONFIG && error.msg.starts_with(&expected), "{error}");
    }
}

#[test]
fn options_are_words_or_numbers() {
    let options = bond_options::parse(
        "miimon=100; xmit_hash_policy=layer3+4;lacp_rate=1;ad_actor_system=02:00:00:00:00:01;ad_actor_sys_prio=9;\
         arp_ip_target=[10.0.0.1,10.0.0.2];arp_validate=all;primary=eth1;colour=red",
    )
    .unwrap();
    let setting = |number, value| BondSetting { number, value };
    assert_eq!(
        options,
        Options {
            settings: vec![
                setting(3, BondValue::U32(100)),
                setting(14, BondValue::U8(1)),
                setting(21, BondValue::U8(1)),
                setting(26, BondValue::Bytes(vec![2, 0, 0, 0, 0, 1])),
                setting(24, BondValue::U16(9)),
                setting(
                    8,
                    BondValue::Addresses(vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()])
                ),
                setting(9, BondValue::U32(3)),
            ],
            of_members: vec![(11, "eth1".to_owned())],
        }
    );
    assert_eq!(bond_options::parse("").unwrap(), Options::default());
}
