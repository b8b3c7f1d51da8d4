use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::config::{Config, Ipam, Kind};
use super::{foreign, spiderpool};
use crate::spec::{Answer, Call, CniError, Dns, Ip, Route};
use crate::wire::{self, AddArgs, AddReply, IpConfig, WorkloadEndpoint, WorkloadInterface};

fn call(command: &str, ifname: &str, path: &Path, config: &Value) -> Call {
    let variable = |name: &str| {
        let value = match name {
            "CNI_COMMAND" => command,
            "CNI_CONTAINERID" => "4f3c",
            "CNI_NETNS" => "/var/run/netns/cni-1",
            "CNI_IFNAME" => ifname,
            "CNI_ARGS" => "IgnoreUnknown=1;K8S_POD_NAMESPACE=ai;K8S_POD_NAME=job-0;K8S_POD_UID=6f1d",
            _ => path.to_str().unwrap(),
        };
        Some(value.to_owned())
    };
    let mut whole = json!({"cniVersion": "1.1.0", "name": "gpu1", "type": "sriov"});
    whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    Call::parse(variable, whole.to_string().as_bytes()).unwrap()
}

fn add_call(config: &Value) -> Call {
    call("ADD", "net1", Path::new("/"), config)
}

#[test]
fn the_type_decides_who_gives_addresses() {
    let kind = |config: Value| Kind::of(&add_call(&config));
    assert_eq!(kind(json!({})).unwrap(), Kind::None);
    assert_eq!(kind(json!({"ipam": null})).unwrap(), Kind::None);
    assert_eq!(kind(json!({"ipam": {}})).unwrap(), Kind::None);
    assert_eq!(kind(json!({"ipam": {"type": "spiderpool"}})).unwrap(), Kind::Ours);
    assert_eq!(
        kind(json!({"ipam": {"type": "host-local"}})).unwrap(),
        Kind::Foreign("host-local".to_owned())
    );
    let error = kind(json!({"ipam": {"type": "../host-local"}})).unwrap_err();
    assert_eq!(
        (error.code, error.msg.as_str()),
        (
            7,
            "ipam.type of network \"gpu1\" is \"../host-local\"; write the name of a plugin, without a folder"
        )
    );
}

#[test]
fn the_agent_is_told_everything_it_needs() {
    let config = json!({
        "deviceID": "0000:86:00.2",
        "ipam": {"type": "spiderpool", "default_ipv4_ippool": ["gpu1-*"], "default_ipv6_ippool": ["six"],
                 "clean_gateway": true, "match_master_subnet": true, "ipam_unix_socket_path": "/run/agent.sock",
                 "log_level": "debug"},
    });
    let call = add_call(&config);
    let config: Config = call.config().unwrap();
    assert_eq!(config.ipam.socket, PathBuf::from("/run/agent.sock"));
    assert_eq!(
        spiderpool::add_args(&call, &config).unwrap(),
        AddArgs {
            container_id: "4f3c".to_owned(),
            if_name: "net1".to_owned(),
            net_namespace: "/var/run/netns/cni-1".to_owned(),
            pod_namespace: "ai".to_owned(),
            pod_name: "job-0".to_owned(),
            pod_uid: "6f1d".to_owned(),
            default_ipv4_pools: Some(vec!["gpu1-*".to_owned()]),
            default_ipv6_pools: Some(vec!["six".to_owned()]),
            clean_gateway: true,
            match_master_subnet: true,
            device_id: Some("0000:86:00.2".to_owned()),
        }
    );
    let plain: Config = add_call(&json!({"ipam": {"type": "spiderpool"}})).config().unwrap();
    assert_eq!(plain, Config { ipam: Ipam::default(), device_id: None });
    assert_eq!(plain.ipam.socket, PathBuf::from("/var/run/spidernet/spiderpool.sock"));
}

fn reply() -> AddReply {
    let ip = |nic: &str, address: &str, gateway: &str| IpConfig {
        version: if address.contains(':') { 6 } else { 4 },
        address: address.to_owned(),
        nic: nic.to_owned(),
        gateway: gateway.to_owned(),
        ..IpConfig::default()
    };
    let route = |ifname: &str, dst: &str, gw: &str| wire::Route {
        if_name: ifname.to_owned(),
        dst: dst.to_owned(),
        gw: gw.to_owned(),
    };
    AddReply {
        ips: vec![
            ip("net1", "172.16.1.2/27", "172.16.1.30"),
            ip("net1", "fd00:1::2/64", ""),
            ip("net2", "172.16.2.2/27", "172.16.2.30"),
        ],
        routes: Some(vec![
            route("net2", "0.0.0.0/0", "172.16.2.30"),
            route("net1", "0.0.0.0/0", "172.16.1.30"),
            route("net1", "172.16.0.0/16", "172.16.1.30"),
        ]),
        dns: Some(wire::Dns { nameservers: vec!["10.96.0.10".to_owned()], ..wire::Dns::default() }),
    }
}

/// The agent tells those of the whole pod.
#[test]
fn an_interface_gets_its_own_addresses_and_routes() {
    let gateway = Some("172.16.1.30".parse().unwrap());
    let expected = Answer {
        ips: vec![
            Ip { address: "172.16.1.2/27".parse().unwrap(), gateway, interface: None },
            Ip { address: "fd00:1::2/64".parse().unwrap(), gateway: None, interface: None },
        ],
        routes: vec![
            Route::via("0.0.0.0/0".parse().unwrap(), gateway),
            Route::via("172.16.0.0/16".parse().unwrap(), gateway),
        ],
        dns: Some(Dns { nameservers: vec!["10.96.0.10".to_owned()], ..Dns::default() }),
        ..Answer::default()
    };
    assert_eq!(spiderpool::answer("net1", reply()).unwrap(), expected);
}

#[test]
fn an_answer_without_the_interface_is_refused() {
    let error = spiderpool::answer("net9", reply()).unwrap_err();
    assert_eq!(error.code, CniError::AGENT_REFUSED);
    assert!(
        error.msg.starts_with("the node agent has no address for net9, only for net1, net1, net2;"),
        "{error}"
    );
    let error = spiderpool::answer("net1", AddReply::default()).unwrap_err();
    assert!(
        error.msg.starts_with("the node agent has no address for net1, only for none at all;"),
        "{error}"
    );
    let mut nonsense = reply();
    nonsense.ips[0].address = "172.16.1.2".to_owned();
    let error = spiderpool::answer("net1", nonsense).unwrap_err();
    assert_eq!(
        (error.code, error.msg.as_str()),
        (6, "the node agent answered with the address \"172.16.1.2\", which cannot be read")
    );
}

#[test]
fn a_check_compares_with_what_is_recorded() {
    let call = add_call(&json!({}));
    let endpoint = |uid: &str, ipv4: &str, ipv6: &str| WorkloadEndpoint {
        pod_namespace: "ai".to_owned(),
        pod_name: "job-0".to_owned(),
        pod_uid: uid.to_owned(),
        interfaces: vec![
            WorkloadInterface {
                interface: "net2".to_owned(),
                ipv4: "10.9.9.9/24".to_owned(),
                ..WorkloadInterface::default()
            },
            WorkloadInterface {
                interface: "net1".to_owned(),
                ipv4: ipv4.to_owned(),
                ipv6: ipv6.to_owned(),
                ..WorkloadInterface::default()
            },
        ],
        ..WorkloadEndpoint::default()
    };
    let held = || vec!["fd00:1::2/64".parse().unwrap(), "172.16.1.2/27".parse().unwrap()];
    spiderpool::compare(&call, held(), &endpoint("6f1d", "172.16.1.2/27", "fd00:1::2/64")).unwrap();
    for (endpoint, message) in [
        (
            endpoint("6f1d", "172.16.1.3/27", ""),
            "net1 of pod ai/job-0 has 172.16.1.2/27, fd00:1::2/64, but 172.16.1.3/27 is recorded for it; delete the pod so \
             that it is attached again",
        ),
        (
            endpoint("6f1d", "", ""),
            "net1 of pod ai/job-0 has 172.16.1.2/27, fd00:1::2/64, but no address is recorded for it; delete the pod so \
             that it is attached again",
        ),
        (
            endpoint("7777", "172.16.1.2/27", "fd00:1::2/64"),
            "the addresses of pod ai/job-0 are recorded for UID 7777, the sandbox is of UID 6f1d",
        ),
    ] {
        let error = spiderpool::compare(&call, held(), &endpoint).unwrap_err();
        assert_eq!((error.code, error.msg.as_str()), (CniError::CHANGED, message));
    }
}

/// A plugin of others that is a shell script.
fn script(folder: &Path, text: &str) {
    let path = folder.join("host-local");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn delegating(command: &str, folder: &Path) -> Call {
    call(command, "net1", folder, &json!({"cniVersion": "1.0.0", "ipam": {"type": "host-local"}}))
}

#[test]
fn a_plugin_of_others_is_asked_by_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    script(
        folder.path(),
        &format!(
            "{{ echo $CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_PATH; echo \"$CNI_ARGS\"; cat; }} > {}\n\
             echo '{{\"cniVersion\": \"0.3.1\", \"ips\": [{{\"version\": \"4\", \"address\": \"10.1.0.5/16\", \"gateway\": \"10.1.0.1\"}}]}}'",
            seen.display()
        ),
    );
    let call = delegating("ADD", folder.path());
    let answer = super::add(&call).unwrap();
    let ip = Ip {
        address: "10.1.0.5/16".parse().unwrap(),
        gateway: Some("10.1.0.1".parse().unwrap()),
        interface: None,
    };
    assert_eq!(answer, Answer { ips: vec![ip], ..Answer::default() });
    let seen = fs::read_to_string(seen).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], format!("ADD 4f3c /var/run/netns/cni-1 net1 {}", folder.path().display()));
    assert_eq!(lines[1], "IgnoreUnknown=1;K8S_POD_NAME=job-0;K8S_POD_NAMESPACE=ai;K8S_POD_UID=6f1d");
    assert_eq!(serde_json::from_str::<Value>(lines[2]).unwrap(), call.config);
    script(folder.path(), "test $CNI_COMMAND = DEL");
    super::del(&delegating("DEL", folder.path())).unwrap();
    super::check(&delegating("CHECK", folder.path())).unwrap_err();
}

#[test]
fn what_a_plugin_of_others_says_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    for (text, code, message) in [
        (
            "echo '{\"cniVersion\": \"1.0.0\", \"code\": 11, \"msg\": \"no addresses left\", \"details\": \"pool a\"}'; exit 1",
            11,
            "IPAM plugin host-local: no addresses left",
        ),
        (
            "echo lost its way >&2; exit 3",
            6,
            "IPAM plugin host-local cannot be understood: it ended with exit status: 3, and printed no error object",
        ),
        (
            "echo done",
            6,
            "IPAM plugin host-local cannot be understood: it printed no result: expected value at line 1 column 1",
        ),
        ("echo '{\"cniVersion\": \"9.0.0\"}'", 1, "cniVersion \"9.0.0\" is not supported"),
    ] {
        script(folder.path(), text);
        let error = foreign::add(&delegating("ADD", folder.path()), "host-local").unwrap_err();
        assert_eq!((error.code, error.msg.starts_with(message)), (code, true), "{error}");
    }
    let error = foreign::add(&delegating("ADD", Path::new("/nowhere")), "host-local").unwrap_err();
    assert_eq!(
        (error.code, error.msg.as_str()),
        (
            7,
            "ipam.type is \"host-local\", but there is no such program in CNI_PATH (/nowhere); install it there, or write \"spiderpool\""
        )
    );
}
