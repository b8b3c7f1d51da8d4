use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, from_value, json, to_value};

use super::*;

/// An agent that answers one request with these bytes; what it was asked comes back when it has ended.
fn agent(answer: impl Into<Vec<u8>>) -> (tempfile::TempDir, Client, JoinHandle<String>) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let answer = answer.into();
    let served = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut buffer = [0; 4096];
        while !complete(&asked) {
            match connection.read(&mut buffer).unwrap() {
                0 => break,
                count => asked.extend_from_slice(&buffer[..count]),
            }
        }
        connection.write_all(&answer).unwrap();
        String::from_utf8(asked).unwrap()
    });
    (folder, Client::new(socket, Duration::from_secs(5)), served)
}

fn complete(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}

fn answered(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_request_for_addresses_has_the_names_of_the_api() {
    let full = AddArgs {
        container_id: "c".into(),
        if_name: "net1".into(),
        net_namespace: "/var/run/netns/n".into(),
        pod_namespace: "team".into(),
        pod_name: "worker-0".into(),
        pod_uid: "u".into(),
        default_ipv4_pools: Some(vec!["rail1-*".into()]),
        default_ipv6_pools: Some(vec!["six".into()]),
        clean_gateway: true,
        match_master_subnet: true,
        device_id: Some("0000:19:00.2".into()),
    };
    let written = json!({
        "containerID": "c", "ifName": "net1", "netNamespace": "/var/run/netns/n",
        "podNamespace": "team", "podName": "worker-0", "podUID": "u",
        "defaultIPv4IPPool": ["rail1-*"], "defaultIPv6IPPool": ["six"],
        "cleanGateway": true, "matchMasterSubnet": true, "deviceID": "0000:19:00.2",
    });
    assert_eq!(to_value(&full).unwrap(), written);
    assert_eq!(from_value::<AddArgs>(written).unwrap(), full);
    let least = json!({
        "containerID": "", "ifName": "", "netNamespace": "", "podNamespace": "", "podName": "", "podUID": "",
    });
    assert_eq!(to_value(AddArgs::default()).unwrap(), least);
    assert_eq!(from_value::<AddArgs>(least.clone()).unwrap(), AddArgs::default());
    let mut nulls = least;
    nulls["defaultIPv4IPPool"] = Value::Null;
    assert_eq!(
        from_value::<AddArgs>(nulls).unwrap(),
        AddArgs::default(),
        "Go writes lists it does not have so"
    );
}

#[test]
fn an_answer_with_addresses_has_the_names_of_the_api() {
    let reply = AddReply {
        ips: vec![
            IpConfig {
                version: 4,
                address: "172.16.11.2/24".into(),
                nic: "net1".into(),
                pool: "rail1".into(),
                gateway: "172.16.11.254".into(),
                vlan: 7,
                mac: "0a:58:ac:10:0b:02".into(),
                enable_gateway_detection: true,
                enable_ip_conflict_detection: true,
            },
            IpConfig { version: 6, address: "fd00::2/64".into(), nic: "net1".into(), ..IpConfig::default() },
        ],
        routes: Some(vec![Route {
            if_name: "net1".into(),
            dst: "172.16.0.0/16".into(),
            gw: "172.16.11.254".into(),
        }]),
        dns: None,
    };
    let written = json!({
        "ips": [
            { "version": 4, "address": "172.16.11.2/24", "nic": "net1", "ipPool": "rail1",
              "gateway": "172.16.11.254", "vlan": 7, "mac": "0a:58:ac:10:0b:02",
              "enableGatewayDetection": true, "enableIPConflictDetection": true },
            { "version": 6, "address": "fd00::2/64", "nic": "net1" },
        ],
        "routes": [{ "ifName": "net1", "dst": "172.16.0.0/16", "gw": "172.16.11.254" }],
    });
    assert_eq!(to_value(&reply).unwrap(), written);
    assert_eq!(from_value::<AddReply>(written).unwrap(), reply);
    assert_eq!(to_value(AddReply::default()).unwrap(), json!({ "ips": [] }), "ips are never absent");
}

#[test]
fn releases_have_the_names_of_the_api() {
    let least = json!({
        "containerID": "c", "ifName": "net1", "podNamespace": "team", "podName": "worker-0", "podUID": "u",
    });
    let delete: DeleteArgs = from_value(least.clone()).unwrap();
    assert_eq!(to_value(delete).unwrap(), least);
    let batch = json!({
        "containerID": "c", "netNamespace": "/n", "podNamespace": "team", "podName": "worker-0", "podUID": "u",
        "isReleaseConflictIPs": true,
    });
    let parsed: BatchDeleteArgs = from_value(batch.clone()).unwrap();
    assert!(parsed.is_release_conflict_ips);
    assert_eq!(parsed.ips, [] as [std::net::IpAddr; 0], "Spiderpool's plugin names none");
    assert_eq!(to_value(parsed).unwrap(), batch);
    let mut some = batch;
    some["ips"] = json!(["172.16.1.2", "fd00:1::2"]);
    assert_eq!(to_value(from_value::<BatchDeleteArgs>(some.clone()).unwrap()).unwrap(), some);
}

#[test]
fn the_coordinators_configuration_has_the_names_of_the_api() {
    let config = CoordinatorConfig {
        mode: "auto".into(),
        overlay_pod_cidr: vec!["10.233.64.0/18".into()],
        service_cidr: vec!["10.233.0.0/18".into()],
        tune_pod_routes: true,
        hijack_cidr: vec!["169.254.0.0/16".into()],
        policy_routes: vec![PolicyRoute { dst: "10.1.0.0/16".into(), gw: "10.0.0.1".into() }],
        pod_mac_prefix: Some("0a:1b".into()),
        pod_default_route_nic: Some("net1".into()),
        host_rule_table: Some(500),
        pod_rp_filter: Some(0),
        tx_queue_len: Some(1000),
        veth_link_address: Some("169.254.100.1".into()),
        veth_mtu: Some(1500),
    };
    let written = json!({
        "mode": "auto", "overlayPodCIDR": ["10.233.64.0/18"], "serviceCIDR": ["10.233.0.0/18"],
        "tunePodRoutes": true, "hijackCIDR": ["169.254.0.0/16"],
        "policyRoutes": [{ "dst": "10.1.0.0/16", "gw": "10.0.0.1" }],
        "podMACPrefix": "0a:1b", "podDefaultRouteNIC": "net1", "hostRuleTable": 500, "podRPFilter": 0,
        "txQueueLen": 1000, "vethLinkAddress": "169.254.100.1", "vethMTU": 1500,
    });
    assert_eq!(to_value(&config).unwrap(), written);
    assert_eq!(from_value::<CoordinatorConfig>(written).unwrap(), config);
    assert_eq!(
        to_value(CoordinatorConfig { mode: "auto".into(), ..CoordinatorConfig::default() }).unwrap(),
        json!({ "mode": "auto", "overlayPodCIDR": [], "serviceCIDR": [], "tunePodRoutes": false }),
        "what is required is never null, what is unset is absent"
    );
}

#[test]
fn what_a_pod_was_given_has_the_names_of_the_api() {
    let written = json!({
        "podNamespace": "team", "podName": "worker-0", "podUID": "u", "node": "gpu-1",
        "interfaces": [{
            "interface": "net1", "ipv4": "172.16.11.2/24", "ipv6": "", "mac": "0a:58:ac:10:0b:02", "vlan": 0,
            "ipv4Pool": "rail1", "ipv6Pool": "", "ipv4Gateway": "172.16.11.254", "ipv6Gateway": "",
            "routes": [{ "dst": "172.16.0.0/16", "gw": "172.16.11.254" }],
        }],
    });
    let endpoint: WorkloadEndpoint = from_value(written.clone()).unwrap();
    assert_eq!(to_value(endpoint).unwrap(), written);
}

#[test]
fn a_request_is_one_connection_of_http() {
    let (_folder, client, served) = agent(answered("200 OK", r#"{"ips":[]}"#));
    let args = AddArgs { pod_name: "worker-0".into(), ..AddArgs::default() };
    assert_eq!(client.add(&args).unwrap(), AddReply::default());
    let body = serde_json::to_string(&args).unwrap();
    assert_eq!(
        served.join().unwrap(),
        format!(
            "POST /v1/ipam/ip HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    );
}

#[test]
fn a_question_without_a_body_carries_its_query_escaped() {
    let endpoint = json!({"podNamespace": "", "podName": "", "podUID": "", "node": "", "interfaces": []});
    let (_folder, client, served) = agent(answered("200 OK", &endpoint.to_string()));
    assert_eq!(client.workload_endpoint("a b", "c&d").unwrap(), WorkloadEndpoint::default());
    let asked = served.join().unwrap();
    assert!(
        asked.starts_with("GET /v1/workloadendpoint?podNamespace=a%20b&podName=c%26d HTTP/1.1\r\n"),
        "{asked}"
    );
}

#[test]
fn a_refusal_keeps_its_status_and_the_agents_words() {
    for (status, body, message) in [
        ("500 Internal Server Error", "\"rail 3 is full\"", "rail 3 is full"),
        ("522 Unknown", "", "the node agent answered with status 522"),
        ("404 Not Found", "no such page\n", "no such page"),
    ] {
        let (_folder, client, served) = agent(answered(status, body));
        let error = client.delete_batch(&BatchDeleteArgs::default()).unwrap_err();
        served.join().unwrap();
        assert_eq!(error.status(), status[..3].parse().ok());
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn answers_in_chunks_or_without_a_length_are_read() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"ip\r\n6;x=1\r\ns\":[]}\r\n0\r\n\r\n";
    for bytes in [chunked, "HTTP/1.0 200 OK\r\n\r\n{\"ips\":[]}"] {
        let (_folder, client, served) = agent(bytes);
        assert_eq!(client.add(&AddArgs::default()).unwrap(), AddReply::default());
        served.join().unwrap();
    }
}

#[test]
fn what_is_no_answer_is_an_error_that_says_so() {
    for (bytes, reason) in [
        ("SSH-2.0-x\r\n\r\n", "the first line is no status of HTTP/1"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "the answer is longer than 4194304 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "the size of a chunk is no number"),
    ] {
        let (_folder, client, served) = agent(bytes);
        let error = client.add(&AddArgs::default()).unwrap_err().to_string();
        served.join().unwrap();
        assert!(error.ends_with(&format!("cannot be read: {reason}")), "{bytes:?}: {error}");
    }
    let (_folder, client, served) = agent("HTTP/1.1 200 OK\r\n\r\n".to_owned() + &" ".repeat(5 << 20));
    let error = client.add(&AddArgs::default()).unwrap_err().to_string();
    assert!(error.ends_with("the answer is longer than 4194304 bytes"), "{error}");
    // The agent's write fails, as nobody reads the rest.
    let _ = served.join();
}

/// As one that is stopped: nobody takes connections any more, and one waits already.
#[test]
fn an_agent_that_hangs_is_not_waited_for_longer_than_asked() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _waits = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let started = Instant::now();
    let error = Client::new(&socket, Duration::from_millis(100)).healthy().unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// As when it is killed: it may be asked again.
#[test]
fn an_agent_that_ends_within_its_answer_is_told_from_one_that_is_none() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}"] {
        let (_folder, client, served) = agent(bytes);
        let error = client.add(&AddArgs::default()).unwrap_err();
        served.join().unwrap();
        let ClientError::Talk { source, .. } = &error else { panic!("{error}") };
        assert_eq!(source.to_string(), "the connection ended within the answer");
    }
}

#[test]
fn an_agent_that_does_not_answer_is_not_waited_for_longer_than_asked() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let _silent = UnixListener::bind(&socket).unwrap();
    let begun = Instant::now();
    let error = Client::new(&socket, Duration::from_millis(100)).healthy().unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn an_agent_that_is_not_there_is_named_by_its_socket() {
    let error = Client::new("/nowhere/agent.sock", Duration::from_secs(1)).healthy().unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to connect to the node agent on /nowhere/agent.sock; is it running on this node?"
    );
    assert_eq!(
        Client::new(PathBuf::from(DEFAULT_SOCKET), Duration::ZERO).socket().to_str(),
        Some(DEFAULT_SOCKET)
    );
}
