use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use railweave_cni::plugins::ipam;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::rail::Rail;
use crate::{Spread, namespace};

const ROUNDS: usize = 100;

/// ADD and DEL of addresses with an agent that answers at once, and what is asked on the wire.
pub(crate) fn run(plugin: &Path, folder: &Path) {
    if let Err(reason) = namespace::enter() {
        println!("addresses: skipped, {reason}");
        return;
    }
    let rail = Rail::new();
    let agent = Agent::start(folder, |asked| match asked.body["ifName"].as_str() {
        Some("quiet") => (200, json!({"ips": [ip("quiet", "172.16.1.2/27", "", false)]})),
        _ => (
            200,
            json!({"ips": [ip("net1", "172.16.1.2/27", "172.16.1.1", true), ip("net1", "fd00:1::2/64", "fd00:1::1", true)]}),
        ),
    });
    let config = json!({"cniVersion": "1.1.0", "name": "gpu1", "type": "macvlan",
                        "ipam": {"type": "spiderpool", "ipam_unix_socket_path": agent.socket(), "log_file_path": "/dev/null"}});
    // No interface of that name, so nothing is asked on the wire.
    for command in ["ADD", "DEL"] {
        let times = (0..ROUNDS).map(|_| once(plugin, command, "quiet", &rail, &config));
        println!(
            "spiderpool as a process, {command} with an agent that answers at once: {}",
            Spread::of(times.collect())
        );
    }
    let call = rail.call("ADD", &config);
    let answer = ipam::add(&call).unwrap();
    let times = (0..20).map(|_| timed(|| drop(ipam::add(&call).unwrap())));
    println!(
        "ADD that looks for other holders and gateways of an IPv4 and an IPv6 address: {}",
        Spread::of(times.collect())
    );
    let times = (0..ROUNDS).map(|_| timed(|| ipam::announce(&call, &answer)));
    println!("announcement of both: {}", Spread::of(times.collect()));
}

fn ip(nic: &str, address: &str, gateway: &str, look: bool) -> Value {
    json!({"version": if address.contains(':') { 6 } else { 4 }, "address": address, "nic": nic, "gateway": gateway,
           "enableGatewayDetection": look, "enableIPConflictDetection": look})
}

fn timed(act: impl FnOnce()) -> Duration {
    let started = Instant::now();
    act();
    started.elapsed()
}

fn once(plugin: &Path, command: &str, ifname: &str, rail: &Rail, config: &Value) -> Duration {
    let mut plugin = Command::new(plugin);
    plugin
        .env_clear()
        .env("CNI_COMMAND", command)
        .env("CNI_CONTAINERID", "4f3c")
        .env("CNI_NETNS", format!("/proc/{}/fd/{}", std::process::id(), rail.pod.as_raw_fd()))
        .env("CNI_IFNAME", ifname)
        .env("CNI_ARGS", "K8S_POD_NAMESPACE=ai;K8S_POD_NAME=job-0;K8S_POD_UID=6f1d")
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    timed(|| {
        let mut child = plugin.spawn().unwrap();
        child.stdin.take().unwrap().write_all(config.to_string().as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    })
}
