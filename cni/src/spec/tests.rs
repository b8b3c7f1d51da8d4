use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Args, Attachment, Call, CniError, Command, Dns, Interface, Ip, Route, Version};

const ENVIRONMENT: [(&str, &str); 6] = [
    ("CNI_COMMAND", "ADD"),
    ("CNI_CONTAINERID", "4f3c"),
    ("CNI_NETNS", "/var/run/netns/cni-1"),
    ("CNI_IFNAME", "net1"),
    ("CNI_ARGS", "IgnoreUnknown=true;K8S_POD_NAMESPACE=ai;K8S_POD_NAME=job-0;K8S_POD_UID=6f1d"),
    ("CNI_PATH", "/opt/cni/bin:/usr/lib/cni:bin"),
];

fn config() -> Value {
    json!({"cniVersion": "1.1.0", "name": "gpu1", "type": "sriov"})
}

/// A call whose environment differs by one variable; without a value it is not set.
fn call(variable: &str, value: Option<&str>, config: &Value) -> Result<Call, CniError> {
    let mut environment: HashMap<&str, &str> = ENVIRONMENT.into_iter().collect();
    match value {
        Some(value) => environment.insert(variable, value),
        None => environment.remove(variable),
    };
    let variable = |name: &str| environment.get(name).map(|value| (*value).to_owned());
    Call::parse(variable, config.to_string().as_bytes())
}

fn with(more: Value) -> Call {
    let mut config = config();
    let Value::Object(more) = more else { panic!("no object") };
    config.as_object_mut().unwrap().extend(more);
    call("", None, &config).unwrap()
}

#[test]
fn a_call_is_environment_and_standard_input() {
    let call = call("", None, &config()).unwrap();
    assert_eq!(call.command, Command::Add);
    assert_eq!((call.container_id.as_str(), call.ifname.as_str()), ("4f3c", "net1"));
    assert_eq!(call.netns, Some(PathBuf::from("/var/run/netns/cni-1")));
    assert_eq!(call.args.pod_namespace(), "ai");
    assert_eq!((call.args.pod_name(), call.args.pod_uid(), call.args.mac()), ("job-0", "6f1d", None));
    // A folder that depends on where the runtime stands is no place to run programs from.
    assert_eq!(call.path, [PathBuf::from("/opt/cni/bin"), PathBuf::from("/usr/lib/cni")]);
    assert_eq!(call.version, Version::V110);
    assert_eq!(call.config, config());
    assert_eq!(call.network(), "gpu1");
}

#[test]
fn what_is_wrong_with_the_environment_is_named() {
    for (variable, value, code, message) in [
        ("CNI_COMMAND", None, 4, "CNI_COMMAND is not set"),
        (
            "CNI_COMMAND",
            Some("PING"),
            4,
            "CNI_COMMAND \"PING\" is unknown; write ADD, DEL, CHECK, STATUS, GC or VERSION",
        ),
        ("CNI_CONTAINERID", None, 4, "CNI_CONTAINERID is not set"),
        (
            "CNI_CONTAINERID",
            Some("../x"),
            4,
            "CNI_CONTAINERID is \"../x\"; it must begin with a letter or digit",
        ),
        ("CNI_NETNS", Some(""), 4, "CNI_NETNS is not set; ADD needs it"),
        ("CNI_IFNAME", None, 4, "CNI_IFNAME is not set"),
        (
            "CNI_IFNAME",
            Some("a234567890123456"),
            4,
            "CNI_IFNAME is \"a234567890123456\"; names of interfaces have 1 to 15",
        ),
        ("CNI_IFNAME", Some("a/b"), 4, "CNI_IFNAME is \"a/b\""),
        ("CNI_IFNAME", Some("a:1"), 4, "CNI_IFNAME is \"a:1\""),
        ("CNI_IFNAME", Some("net 1"), 4, "CNI_IFNAME is \"net 1\""),
        ("CNI_IFNAME", Some(".."), 4, "CNI_IFNAME is \"..\""),
        ("CNI_ARGS", Some("MAC"), 4, "CNI_ARGS holds \"MAC\", which is no pair"),
        ("CNI_ARGS", Some("COLOUR=red"), 4, "CNI_ARGS holds COLOUR, unknown here; add IgnoreUnknown=true"),
        (
            "CNI_ARGS",
            Some("IgnoreUnknown=maybe"),
            4,
            "CNI_ARGS holds IgnoreUnknown=maybe; write true or false",
        ),
    ] {
        let error = call(variable, value, &config()).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.msg.starts_with(message), "{error}");
    }
}

#[test]
fn what_is_wrong_with_the_configuration_is_named() {
    let given = |text: &str| {
        let variable = |name: &str| {
            ENVIRONMENT.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Call::parse(variable, text.as_bytes()).unwrap_err()
    };
    for (text, code, message) in [
        ("", 6, "failed to read the network configuration from standard input: EOF"),
        ("{", 6, "failed to read the network configuration from standard input: EOF"),
        ("[]", 6, "the network configuration is no JSON object"),
        (
            r#"{"name": "a"}"#,
            1,
            "cniVersion \"0.1.0\" is not supported; set cniVersion to one of 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0",
        ),
        (r#"{"cniVersion": "0.2.0", "name": "a"}"#, 1, "cniVersion \"0.2.0\" is not supported"),
        (r#"{"cniVersion": "2.0.0", "name": "a"}"#, 1, "cniVersion \"2.0.0\" is not supported"),
        (r#"{"cniVersion": "1.0.0"}"#, 7, "the network configuration has no name"),
        (
            r#"{"cniVersion": "1.0.0", "name": "../a"}"#,
            7,
            "the network configuration has the name \"../a\"; it must begin",
        ),
    ] {
        let error = given(text);
        assert_eq!((error.code, error.msg.starts_with(message)), (code, true), "{text}: {error}");
    }
}

#[test]
fn a_detach_needs_no_namespace_and_no_tidy_arguments() {
    let mut environment: HashMap<&str, &str> = ENVIRONMENT.into_iter().collect();
    environment.insert("CNI_COMMAND", "DEL");
    environment.remove("CNI_NETNS");
    environment.insert("CNI_ARGS", "nonsense;COLOUR=red;K8S_POD_NAME=job-0");
    let variable = |name: &str| environment.get(name).map(|value| (*value).to_owned());
    let call = Call::parse(variable, config().to_string().as_bytes()).unwrap();
    assert_eq!((call.netns.clone(), call.args.pod_name()), (None, "job-0"));
}

#[test]
fn commands_of_later_versions_are_refused_in_earlier_ones() {
    for (command, first) in [("ADD", 0), ("DEL", 0), ("CHECK", 2), ("STATUS", 4), ("GC", 4)] {
        for (position, version) in Version::ALL.into_iter().enumerate() {
            let config = json!({"cniVersion": version.as_str(), "name": "gpu1"});
            match call("CNI_COMMAND", Some(command), &config) {
                Ok(_) => assert!(position >= first, "{command} {version}"),
                Err(error) => {
                    assert_eq!(error.code, 1);
                    let needed = Version::ALL[first];
                    assert_eq!(
                        error.msg,
                        format!("{command} needs cniVersion {needed}, the configuration has {version}")
                    );
                    assert!(position < first);
                }
            }
        }
    }
}

#[test]
fn what_is_told_of_the_versions_are_all_of_them() {
    let told: Value = serde_json::from_str(Version::TOLD).unwrap();
    let versions = Version::ALL.map(Version::as_str);
    assert_eq!(told, json!({"cniVersion": Version::NEWEST.as_str(), "supportedVersions": versions}));
}

#[test]
fn unknown_arguments_are_let_pass_when_told_so() {
    for truth in ["1", "true", "TRUE"] {
        let args =
            Args::parse(&format!("IgnoreUnknown={truth};COLOUR=red;MAC=02:00:00:00:00:01;EMPTY=")).unwrap();
        assert_eq!(
            (args.get("COLOUR"), args.mac(), args.get("EMPTY")),
            (Some("red"), Some("02:00:00:00:00:01"), None)
        );
    }
    assert_eq!(Args::parse("").unwrap(), Args::default());
    assert_eq!(Args::parse("IP=10.0.0.1;MAC=02:00:00:00:00:01;K8S_POD_UID=u=1").unwrap().pod_uid(), "u=1");
    assert!(Args::parse("IgnoreUnknown=0;COLOUR=red").is_err());
}

#[test]
fn a_configuration_of_the_wrong_type_names_the_field() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Config {
        ipam: Ipam,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Ipam {
        pools: Vec<String>,
    }
    let error = with(json!({"ipam": {"pools": ["a", 7]}})).config::<Config>().unwrap_err();
    assert_eq!(error.code, 7);
    assert_eq!(
        error.msg,
        "the configuration of network \"gpu1\" is wrong at ipam.pools[1]: invalid type: integer `7`, expected a string"
    );
}

#[test]
fn garbage_collection_needs_its_list() {
    let list =
        json!([{"containerID": "a", "ifname": "net1"}, {"containerID": "b", "ifname": "net2", "more": 1}]);
    let attachment =
        |id: &str, ifname: &str| Attachment { container_id: id.to_owned(), ifname: ifname.to_owned() };
    let expected = [attachment("a", "net1"), attachment("b", "net2")];
    for key in ["cni.dev/valid-attachments", "cni.dev/attachments"] {
        assert_eq!(with(json!({key: list})).valid_attachments().unwrap(), expected);
    }
    assert_eq!(with(json!({"cni.dev/valid-attachments": []})).valid_attachments().unwrap(), []);
    for config in [
        json!({}),
        json!({"cni.dev/valid-attachments": null}),
        json!({"cni.dev/valid-attachments": [{"ifname": "a"}]}),
    ] {
        assert_eq!(with(config).valid_attachments().unwrap_err().code, 7);
    }
}

/// Everything that a result can hold.
fn answer() -> Answer {
    let route = Route::via("0.0.0.0/0".parse().unwrap(), Some("172.16.1.30".parse().unwrap()));
    Answer {
        interfaces: vec![
            Interface {
                name: "veth1".to_owned(),
                mac: "02:00:00:00:00:01".to_owned(),
                ..Interface::default()
            },
            Interface {
                name: "net1".to_owned(),
                mac: "02:00:00:00:00:02".to_owned(),
                mtu: Some(4200),
                sandbox: "/var/run/netns/cni-1".to_owned(),
                socket_path: "/run/net1.sock".to_owned(),
                pci_id: "0000:86:00.2".to_owned(),
            },
        ],
        ips: vec![
            Ip {
                address: "172.16.1.2/27".parse().unwrap(),
                gateway: Some("172.16.1.30".parse().unwrap()),
                interface: Some(1),
            },
            Ip { address: "fd00::2/64".parse().unwrap(), gateway: None, interface: Some(1) },
        ],
        routes: vec![Route {
            mtu: Some(1500),
            advmss: Some(1400),
            priority: Some(5),
            table: Some(100),
            scope: Some(253),
            ..route
        }],
        dns: Some(Dns {
            nameservers: vec!["10.96.0.10".to_owned()],
            domain: "cluster.local".to_owned(),
            search: vec!["ai.svc".to_owned()],
            options: vec!["ndots:5".to_owned()],
        }),
    }
}

fn json_of(version: &str) -> Value {
    let old = version < "1.0.0";
    let new = version == "1.1.0";
    let mut json = json!({
        "cniVersion": version,
        "interfaces": [
            {"name": "veth1", "mac": "02:00:00:00:00:01"},
            {"name": "net1", "mac": "02:00:00:00:00:02", "sandbox": "/var/run/netns/cni-1"},
        ],
        "ips": [
            {"interface": 1, "address": "172.16.1.2/27", "gateway": "172.16.1.30"},
            {"interface": 1, "address": "fd00::2/64"},
        ],
        "routes": [{"dst": "0.0.0.0/0", "gw": "172.16.1.30"}],
        "dns": {"nameservers": ["10.96.0.10"], "domain": "cluster.local", "search": ["ai.svc"], "options": ["ndots:5"]},
    });
    if old {
        json["ips"][0]["version"] = "4".into();
        json["ips"][1]["version"] = "6".into();
    }
    if new {
        json["interfaces"][1]["mtu"] = 4200.into();
        json["interfaces"][1]["socketPath"] = "/run/net1.sock".into();
        json["interfaces"][1]["pciID"] = "0000:86:00.2".into();
        json["routes"][0] = json!({"dst": "0.0.0.0/0", "gw": "172.16.1.30", "mtu": 1500, "advmss": 1400, "priority": 5,
                                   "table": 100, "scope": 253});
    }
    json
}

#[test]
fn a_result_is_written_in_the_version_that_is_asked_for() {
    for version in Version::ALL {
        let written: Value = serde_json::from_str(&answer().to_json(version)).unwrap();
        assert_eq!(written, json_of(version.as_str()), "{version}");
    }
    assert_eq!(Answer::default().to_json(Version::V040), r#"{"cniVersion":"0.4.0"}"#);
}

/// What a version cannot say is lost, and nothing else.
#[test]
fn a_result_of_any_version_is_read() {
    for version in Version::ALL {
        let read = Answer::read(&json_of(version.as_str()), version).unwrap();
        let mut expected = answer();
        if version < Version::V110 {
            let interface = &mut expected.interfaces[1];
            (interface.mtu, interface.socket_path, interface.pci_id) = (None, String::new(), String::new());
            let Route { dst, gw, .. } = expected.routes[0];
            expected.routes[0] = Route::via(dst, gw);
        }
        assert_eq!(read, expected, "{version}");
    }
}

#[test]
fn results_of_programs_in_go_are_read() {
    let json = json!({"cniVersion": "0.3.1", "interfaces": null, "routes": null, "dns": {},
                      "ips": [{"version": "4", "interface": -1, "address": "10.1.0.5/16", "gateway": ""}]});
    let ip = Ip { address: "10.1.0.5/16".parse().unwrap(), gateway: None, interface: None };
    assert_eq!(Answer::read(&json, Version::V031).unwrap(), Answer { ips: vec![ip], ..Answer::default() });
}

#[test]
fn what_a_result_gets_wrong_is_named() {
    for (json, message) in [
        (json!({"ips": [{"address": "10.1.0.5"}]}), "a result of version 1.0.0 is wrong at ips[0].address: "),
        (
            json!({"ips": [{"address": "10.1.0.5/16", "gateway": "x"}]}),
            "a result of version 1.0.0 is wrong at ips[0].gateway: \"x\" is no IP address",
        ),
        (
            json!({"interfaces": [{"name": "a"}], "ips": [{"address": "10.1.0.5/16", "interface": 1}]}),
            "a result gives 10.1.0.5/16 to interface 1, but has only 1",
        ),
    ] {
        let error = Answer::read(&json, Version::V100).unwrap_err();
        assert_eq!(error.code, 6);
        assert!(error.msg.starts_with(message), "{error}");
    }
}

/// Multus gives the configuration's version; some runtimes keep the one that the result was printed in.
#[test]
fn the_result_of_the_chain_is_read_in_its_own_version() {
    let call = with(json!({"prevResult": json_of("0.3.1")}));
    assert_eq!(call.previous().unwrap().unwrap().ips, answer().ips);
    let mut nameless = json_of("1.1.0");
    nameless.as_object_mut().unwrap().remove("cniVersion");
    assert_eq!(with(json!({"prevResult": nameless})).required_previous().unwrap(), answer());
    assert_eq!(with(json!({})).previous().unwrap(), None);
    let error = with(json!({"prevResult": null})).required_previous().unwrap_err();
    assert!(
        error.msg.starts_with("the configuration of network \"gpu1\" has no prevResult, which ADD needs"),
        "{error}"
    );
    assert_eq!(with(json!({"prevResult": {"cniVersion": "0.2.0"}})).previous().unwrap_err().code, 1);
}

#[test]
fn addresses_of_an_interface_are_found_by_its_name_in_the_pod() {
    let answer = answer();
    assert_eq!((answer.position_in_pod("net1"), answer.position_in_pod("veth1")), (Some(1), None));
    assert_eq!(answer.ips_of(1).count(), 2);
    assert_eq!(answer.ips_of(0).count(), 0);
}

#[test]
fn errors_are_objects_of_the_specification() {
    let error = CniError::new(CniError::TRY_AGAIN, "the agent is away").with_details("no socket");
    let json = error.to_json(Version::V040);
    assert_eq!(json, r#"{"cniVersion":"0.4.0","code":11,"msg":"the agent is away","details":"no socket"}"#);
    assert_eq!(CniError::from_json(json.as_bytes()), Some(error.clone()));
    assert_eq!(error.while_doing("failed to attach net1").msg, "failed to attach net1: the agent is away");
    let bare = CniError::config("wrong").to_json(Version::V110);
    assert_eq!(bare, r#"{"cniVersion":"1.1.0","code":7,"msg":"wrong"}"#);
    for garbage in ["", "{}", "null", "segmentation fault"] {
        assert_eq!(CniError::from_json(garbage.as_bytes()), None, "{garbage}");
    }
}

#[test]
fn an_error_tells_its_causes_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("failed to open it")]
    struct Open(#[source] std::io::Error);
    let error = Open(std::io::Error::from_raw_os_error(libc::ENOENT));
    let told = CniError::kernel(&error);
    assert_eq!(
        (told.code, told.msg.as_str()),
        (100, "failed to open it: No such file or directory (os error 2)")
    );
}
