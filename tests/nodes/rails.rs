//! A pod of the guide's Deployment has its rails: addresses of their pools, routes, its own RDMA devices; and uses them.

use std::net::Ipv4Addr;
use std::thread;

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::deployment::Deployment;
use crate::guest::PORTS;
use crate::objects::assert_injected;
use crate::pod::{Pod, Sight};

const STATUS_KEY: &str = "k8s.v1.cni.cncf.io/network-status";

pub(crate) fn of_the_guide_s_deployment(bed: &Bed) {
    let deployment = Deployment::on_both_nodes(bed);
    let pods = deployment.ready();
    let mut nodes: Vec<&str> = pods.iter().map(Pod::node).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["n1", "n2"]);
    for pod in &pods {
        expect_rails(bed, pod);
        // Services are reached by the first interface and the node.
        let answered = pod.run(bed, "curl -sS --insecure --max-time 20 https://10.96.0.1/version");
        assert!(answered.contains("gitVersion"), "{answered}");
    }
    expect_talk(bed, &pods);
}

/// Everything that a pod with rails is promised.
pub(crate) fn expect_rails(bed: &Bed, pod: &Pod) {
    let typed = serde_json::from_value(pod.object.clone()).expect("a pod");
    assert_injected(&typed, PORTS, 0);
    let sight = pod.look(bed);
    expect_addresses(bed, pod, &sight);
    expect_routes(pod, &sight);
    expect_own_devices(pod, &sight);
}

/// The pod, its endpoint, the pools and Multus's annotation say the same, and it is of the pool of each rail.
fn expect_addresses(bed: &Bed, pod: &Pod, sight: &Sight) {
    let endpoint = bed.installation.cluster.get(&["spiderendpoint", pod.name()]);
    let current = &endpoint["status"]["current"];
    assert_eq!((&current["uid"], &current["node"]), (&json!(pod.uid()), &json!(pod.node())));
    assert_eq!(current["ips"].as_array().map(Vec::len), Some(PORTS), "{current}");
    let status = pod.annotation(STATUS_KEY);
    assert_eq!(status.as_array().map(Vec::len), Some(PORTS + 1), "{status}");
    let first = address_of(&sight.address("eth0"));
    assert_eq!((&status[0]["interface"], &status[0]["default"]), (&json!("eth0"), &json!(true)));
    assert_eq!(status[0]["ips"], json!([first.to_string()]));
    for rail in 1..=PORTS {
        let (nic, pool) = (format!("net{rail}"), format!("gpu{rail}-net1{rail}"));
        let seen = sight.address(&nic);
        let address = address_of(&seen);
        let [.., third, last] = address.octets();
        assert_eq!(seen, format!("172.16.1{rail}.{last}/16"));
        assert!(usize::from(third) == 10 + rail && (1..=200).contains(&last), "{address} is not of {pool}");

        let ip = &current["ips"][rail - 1];
        assert_eq!(
            [&ip["interface"], &ip["ipv4"], &ip["ipv4Pool"]],
            [&json!(nic), &json!(seen), &json!(pool)]
        );
        let records = bed.installation.cluster.get(&["spiderippool", &pool]);
        let records = records["status"]["allocatedIPs"].as_str().unwrap_or("{}");
        let records: Value = serde_json::from_str(records).expect("records are JSON");
        let record = &records[address.to_string()];
        assert_eq!(record["pod"], format!("default/{}", pod.name()), "{records}");
        assert_eq!((&record["podUid"], &record["interface"]), (&json!(pod.uid()), &json!(nic)), "{records}");

        let told = &status[rail];
        assert_eq!(told["name"], format!("spiderpool/gpu{rail}-sriov"));
        assert_eq!((&told["interface"], &told["ips"]), (&json!(nic), &json!([address.to_string()])));
    }
}

/// What comes in by a rail is answered by it; Services, pods and the node are reached by the first interface.
fn expect_routes(pod: &Pod, sight: &Sight) {
    let first = address_of(&sight.address("eth0"));
    let [a, b, c, _] = first.octets();
    let node = Ipv4Addr::new(a, b, c, 1).to_string();
    let mut sources = vec![[first.to_string(), "100".to_owned()]];
    for rail in 1..=PORTS {
        let nic = format!("net{rail}");
        sources.push([address_of(&sight.address(&nic)).to_string(), (100 + rail).to_string()]);
        let mut wanted = [
            ["default".to_owned(), format!("172.16.1{rail}.254"), nic.clone()],
            ["172.16.0.0/16".to_owned(), String::new(), nic],
            [node.clone(), String::new(), "eth0".to_owned()],
            ["10.96.0.0/16".to_owned(), node.clone(), "eth0".to_owned()],
            ["169.254.0.0/16".to_owned(), node.clone(), "eth0".to_owned()],
        ];
        wanted.sort();
        assert_eq!(sight.table(&(100 + rail).to_string()), wanted, "rail {rail} of {}", pod.name());
    }
    sources.sort();
    assert_eq!(sight.sources(), sources, "{}", pod.name());
    let main = sight.table("main");
    let defaults: Vec<_> = main.iter().filter(|route| route[0] == "default").collect();
    assert_eq!(defaults, [&["default".to_owned(), node.clone(), "eth0".to_owned()]], "{main:?}");
    assert!(main.contains(&["10.96.0.0/16".to_owned(), node, "eth0".to_owned()]), "{main:?}");
}

/// The RDMA device of each rail's function, no other, and the files of exactly these.
fn expect_own_devices(pod: &Pod, sight: &Sight) {
    let status = pod.annotation(STATUS_KEY);
    let mut wanted: Vec<_> = (1..=PORTS)
        .map(|rail| {
            let device = &status[rail]["device-info"]["pci"]["pci-address"];
            (format!("net{rail}"), device.as_str().unwrap_or_default().to_owned())
        })
        .collect();
    wanted.sort();
    let mut seen: Vec<_> =
        sight.devices.iter().map(|device| (device.link.clone(), device.pci.clone())).collect();
    seen.sort();
    assert_eq!(seen, wanted, "{}", pod.name());
    let mut files: Vec<_> =
        sight.devices.iter().map(|device| (device.file.clone(), device.number.clone())).collect();
    files.sort();
    let mut given: Vec<_> =
        sight.files.iter().filter(|(name, _)| name.starts_with("uverbs")).cloned().collect();
    given.sort();
    assert_eq!(given, files, "/dev/infiniband of {}", pod.name());
}

/// RDMA in reliable connections between two pods over each rail.
pub(crate) fn expect_talk(bed: &Bed, pods: &[Pod]) {
    let [server, client] = pods else { unreachable!("two pods talk") };
    let (there, here) = (server.look(bed), client.look(bed));
    for rail in 1..=PORTS {
        let nic = format!("net{rail}");
        let to = address_of(&there.address(&nic));
        let listening = ping_pong(&there, &nic, "");
        let asking = ping_pong(&here, &nic, &to.to_string());
        // It may be first.
        let asking = format!("for try in 1 2 3 4 5 6 7 8; do {asking} && exit; sleep 1; done; exit 1");
        let talked = thread::scope(|scope| {
            let answered = scope.spawn(|| server.run(bed, &listening));
            let asked = client.run(bed, &asking);
            [answered.join().expect("the server ends"), asked]
        });
        for side in &talked {
            assert!(side.contains("200 iters in"), "rail {rail}: {side}");
        }
    }
}

/// The command that talks by the RDMA device of a link, from that link's address.
fn ping_pong(sight: &Sight, nic: &str, to: &str) -> String {
    let device = sight.devices.iter().find(|device| device.link == nic).expect("each rail has one");
    let [a, b, c, d] = address_of(&sight.address(nic)).octets();
    let gid = format!("0000:0000:0000:0000:0000:ffff:{a:02x}{b:02x}:{c:02x}{d:02x}");
    let name = &device.name;
    format!(
        "gid=$(grep -l {gid} /sys/class/infiniband/{name}/ports/1/gids/* | head -n 1); \
         timeout 60 ibv_rc_pingpong -d {name} -g ${{gid##*/}} -n 200 {to}"
    )
}

fn address_of(text: &str) -> Ipv4Addr {
    let address = text.split('/').next().unwrap_or_default();
    address.parse().expect("an IPv4 address")
}
