use super::*;
use crate::netlink::VfLinkState;
use crate::plugins::ib_sriov::config::Config;
use crate::plugins::ib_sriov::guid::Guid;

fn read(keys: &Value) -> Result<Config, String> {
    Config::of(&add_a(keys)).map_err(|error| error.msg)
}

#[test]
fn every_key_is_read() {
    let config = read(&json!({})).unwrap();
    assert_eq!((config.device.to_string().as_str(), config.link_state, config.guid), (IB_VF, None, None));
    assert_eq!((config.isolated, config.wants_vfio, config.needs_guid), (false, false, false));
    let config = read(&json!({"link_state": "auto", "RdmaIsolation": true, "vfioPciMode": true})).unwrap();
    assert_eq!(config.link_state, Some(VfLinkState::Auto));
    assert!(config.isolated && config.wants_vfio);
}

#[test]
fn the_runtime_s_guid_goes_before_that_of_the_arguments() {
    let argument = json!({"args": {"cni": {"guid": "02:00:00:00:00:00:00:01"}}});
    assert_eq!(read(&argument).unwrap().guid, Some(Guid(0x0200_0000_0000_0001)));
    let both = json!({"args": argument["args"], "runtimeConfig": {"infinibandGUID": GIVEN}});
    assert_eq!(read(&both).unwrap().guid, Some(Guid(GIVEN_NUMBER)));
    let neither = json!({"guid": GIVEN, "runtimeConfig": {"infinibandGUID": ""}});
    assert_eq!(read(&neither).unwrap().guid, None, "a key of the configuration's own was never read");
}

#[test]
fn arguments_of_any_type_are_no_error() {
    for args in
        [json!(null), json!({}), json!({"cni": null}), json!({"cni": {"debug": true, "n": 1, "guid": 5}})]
    {
        assert_eq!(read(&json!({"args": args})).unwrap().guid, None);
    }
}

#[test]
fn an_interface_waits_for_ib_kubernetes() {
    let keys = json!({"ibKubernetesEnabled": true, "args": {"cni": {"guid": GIVEN}}});
    let error = Config::of(&add_a(&keys)).unwrap_err();
    assert_eq!(error.code, CniError::TRY_AGAIN);
    assert!(error.msg.contains("ib-kubernetes has not configured this interface yet"), "{error}");
    let keys = json!({"ibKubernetesEnabled": true, "args": {"cni": {"guid": GIVEN,
                      "mellanox.infiniband.app": "configured", "pkey": "0x7fff"}}});
    assert_eq!(read(&keys).unwrap().guid, Some(Guid(GIVEN_NUMBER)));
}

#[test]
fn each_error_names_key_value_and_what_to_write() {
    let guid = |guid: &str| json!({"runtimeConfig": {"infinibandGUID": guid}});
    for (keys, reason) in [
        (
            json!({"deviceID": "af:00.2"}),
            "deviceID: \"af:00.2\" is no PCI address; write it like 0000:86:00.2",
        ),
        (json!({"link_state": "up"}), "link_state is \"up\"; write auto, enable or disable"),
        (guid("02:00"), "guid: \"02:00\" is no GUID; write 8 bytes like 02:00:00:00:00:00:00:2a"),
        (
            guid("02:00:00:00:00:2a"),
            "guid: \"02:00:00:00:00:2a\" is no GUID; write 8 bytes like 02:00:00:00:00:00:00:2a",
        ),
        (guid("00:00:00:00:00:00:00:00"), "guid is 00:00:00:00:00:00:00:00, which means none"),
        (guid("FF:FF:FF:FF:FF:FF:FF:FF"), "guid is ff:ff:ff:ff:ff:ff:ff:ff, which means none"),
        (
            json!({"ipam": {"type": "dhcp"}}),
            "ipam.type is dhcp, which does not work on InfiniBand; take another",
        ),
    ] {
        assert_eq!(read(&keys), Err(format!("network \"ib1\": {reason}")));
    }
    assert!(read(&json!({"deviceID": ""})).unwrap_err().contains("deviceID is not set"));
}
