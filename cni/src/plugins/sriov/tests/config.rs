use super::*;
use crate::functions::Settings;
use crate::netlink::{VfLinkState, Vlan, VlanProtocol};
use crate::plugins::sriov::config::Config;

fn read(keys: &Value) -> Result<Config, String> {
    Config::of(&add_a(keys)).map_err(|error| {
        assert_eq!(error.code, CniError::CONFIG);
        error.msg
    })
}

fn settings(keys: &Value) -> Settings {
    read(keys).unwrap().settings
}

#[test]
fn nothing_is_touched_that_is_not_named() {
    let config = read(&json!({})).unwrap();
    assert_eq!(config.device.to_string(), VF);
    assert_eq!((config.settings, config.mtu), (Settings::default(), None));
    let empty = json!({"vlan": null, "mac": "", "spoofchk": "", "trust": "", "link_state": "", "vlanProto": "",
                       "runtimeConfig": {}, "ipam": {}});
    assert_eq!(settings(&empty), Settings::default());
}

#[test]
fn every_key_is_read() {
    let config = read(&everything()).unwrap();
    assert_eq!(
        config.settings,
        Settings {
            mac: Some("02:00:00:00:00:2a".parse().unwrap()),
            vlan: Some(Vlan { id: 100, qos: 3, protocol: VlanProtocol::Dot1ad }),
            rate: Some((100, 1000)),
            spoof_check: Some(false),
            trust: Some(true),
            link_state: Some(VfLinkState::Enable),
        }
    );
    assert_eq!(config.mtu, Some(4200));
}

#[test]
fn keys_count_in_either_case_and_others_are_passed_over() {
    let vlan = |id| Some(Vlan { id, ..Vlan::default() });
    assert_eq!(settings(&json!({"VLAN": 5, "pciBusID": "x"})).vlan, vlan(5));
    assert_eq!(settings(&json!({"VLAN": 5, "vlan": 6})).vlan, vlan(6), "the exact one counts");
    assert_eq!(settings(&json!({"Min_Tx_Rate": 5})).rate, Some((5, 0)));
}

#[test]
fn vlan_zero_is_no_vlan() {
    assert_eq!(settings(&json!({"vlan": 0})).vlan, Some(Vlan::default()));
    assert_eq!(
        settings(&json!({"vlan": 0, "vlanQoS": 0, "vlanProto": "802.1Q"})).vlan,
        Some(Vlan::default())
    );
    let most = Vlan { id: 4094, qos: 7, protocol: VlanProtocol::Dot1ad };
    assert_eq!(settings(&json!({"vlan": 4094, "vlanQoS": 7, "vlanProto": "802.1AD"})).vlan, Some(most));
}

#[test]
fn one_rate_leaves_the_other_without_limit() {
    assert_eq!(settings(&json!({"max_tx_rate": 1000})).rate, Some((0, 1000)));
    assert_eq!(settings(&json!({"min_tx_rate": 100})).rate, Some((100, 0)));
    assert_eq!(settings(&json!({"min_tx_rate": 0, "max_tx_rate": 0})).rate, Some((0, 0)));
}

#[test]
fn the_runtime_s_hardware_address_goes_before_that_of_the_arguments_and_the_configuration() {
    let own = json!({"mac": "02:00:00:00:00:01"});
    let runtime = json!({"mac": "02:00:00:00:00:01", "runtimeConfig": {"mac": "02:00:00:00:00:03"}});
    let mac = |call: &Call| Config::of(call).unwrap().settings.mac.unwrap().to_string();
    let with_argument = |keys: &Value| {
        let mut call = add_a(keys);
        call.args = crate::spec::Args::parse("MAC=02:00:00:00:00:02").unwrap();
        call
    };
    assert_eq!(mac(&add_a(&own)), "02:00:00:00:00:01");
    assert_eq!(mac(&with_argument(&own)), "02:00:00:00:00:02");
    assert_eq!(mac(&with_argument(&runtime)), "02:00:00:00:00:03");
}

#[test]
fn each_error_names_key_value_and_what_to_write() {
    for (keys, reason) in [
        (
            json!({"deviceID": "86:00.2"}),
            "deviceID: \"86:00.2\" is no PCI address; write it like 0000:86:00.2",
        ),
        (json!({"vlan": 4095}), "vlan is 4095; it must lie between 0 and 4094"),
        (json!({"vlan": -1}), "vlan is -1; it must lie between 0 and 4094"),
        (json!({"vlan": 5, "vlanQoS": 8}), "vlanQoS is 8; it must lie between 0 and 7"),
        (json!({"vlanQoS": 0}), "vlanQoS needs vlan; set vlan, or take vlanQoS out"),
        (json!({"vlanProto": "802.1q"}), "vlanProto needs vlan; set vlan, or take vlanProto out"),
        (json!({"vlan": 5, "vlanProto": "qinq"}), "vlanProto is \"qinq\"; write 802.1q or 802.1ad"),
        (json!({"vlan": 0, "vlanQoS": 1}), "vlanQoS is 1 and vlan is 0; without a VLAN there is no priority"),
        (
            json!({"vlan": 0, "vlanProto": "802.1ad"}),
            "vlanProto is 802.1ad and vlan is 0; without a VLAN there is no protocol",
        ),
        (json!({"mac": "02:00"}), "mac: \"02:00\" is no hardware address; write it like 02:00:00:00:00:2a"),
        (
            json!({"mac": "02:00:00:00:00:00:00:2a"}),
            "mac is 02:00:00:00:00:00:00:2a; an Ethernet address has 6 bytes",
        ),
        (
            json!({"mac": "03:00:00:00:00:2a"}),
            "mac is 03:00:00:00:00:2a, which is a group's; the first byte must be even",
        ),
        (json!({"mac": "00:00:00:00:00:00"}), "mac is 00:00:00:00:00:00, which is none"),
        (json!({"mtu": 67}), "mtu is 67; it must lie between 68 and 65535"),
        (json!({"spoofchk": "true"}), "spoofchk is \"true\"; write on or off"),
        (json!({"trust": "ON"}), "trust is \"ON\"; write on or off"),
        (json!({"link_state": "up"}), "link_state is \"up\"; write auto, enable or disable"),
        (json!({"min_tx_rate": -1}), "min_tx_rate is -1; it must lie between 0 and 4294967295"),
        (json!({"min_tx_rate": 200, "max_tx_rate": 100}), "min_tx_rate 200 is above max_tx_rate 100"),
    ] {
        assert_eq!(read(&keys), Err(format!("network \"rail0\": {reason}")));
    }
}

#[test]
fn a_device_that_is_missing_is_told_with_where_it_comes_from() {
    let error = read(&json!({"deviceID": ""})).unwrap_err();
    assert!(error.starts_with("network \"rail0\": deviceID is not set"), "{error}");
    assert!(error.contains("k8s.v1.cni.cncf.io/resourceName"), "{error}");
}

#[test]
fn a_value_of_another_type_is_told_with_its_key() {
    let error = read(&json!({"vlan": "100"})).unwrap_err();
    assert!(error.contains(" at vlan: "), "{error}");
}
