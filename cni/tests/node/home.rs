//! How a node stands when no pod has any of its functions, and the way back to it.
//!
//! [`Function`] is all that a pod may find or leave changed of one function, read by `ip` and `rdma` and from sysfs, not
//! by the library under test.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::guest::{eventually, output, run};

/// A virtual function as the host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// PCI address.
    pub(crate) pci: String,
    /// Number of its port, from 0.
    pub(crate) port: usize,
    /// Its number at the port.
    pub(crate) number: u32,
    /// Name of its link; none while it is in a pod.
    pub(crate) link: Option<String>,
    /// MTU, MAC, and whether it is up, of its link.
    pub(crate) link_state: Option<(u64, String, bool)>,
    /// How many packets may wait at its link.
    pub(crate) queue: Option<u64>,
    /// What the port says of it: MAC, VLAN, rates, checks.
    pub(crate) settings: Value,
    /// Its RDMA device, if this namespace has it.
    pub(crate) rdma: Option<String>,
    /// Driver that holds it.
    pub(crate) driver: String,
}

/// All functions as they are now, in the order of their ports and numbers.
pub(crate) fn look() -> Vec<Function> {
    let shown: Value = serde_json::from_str(&run("ip -json -details link show")).unwrap();
    let links: Vec<&Value> = shown.as_array().unwrap().iter().collect();
    let rdma = run("rdma dev show");
    let mut found = Vec::new();
    for port in 0.. {
        let name = format!("rail{port}");
        let Some(info) = links.iter().find(|link| link["ifname"] == name.as_str()) else { break };
        for settings in info["vfinfo_list"].as_array().into_iter().flatten() {
            found.push(read(port, settings, &links, &rdma));
        }
    }
    found
}

fn read(port: usize, settings: &Value, links: &[&Value], rdma: &str) -> Function {
    let number = u32::try_from(settings["vf"].as_u64().unwrap()).unwrap();
    let device = format!("/sys/class/net/rail{port}/device/virtfn{number}");
    let device = Path::new(&device);
    let target = |name: &str| {
        let target = fs::read_link(device.join(name)).unwrap_or_default();
        target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let link = only(&device.join("net"));
    let shown = links.iter().find(|shown| link.as_deref().is_some_and(|link| shown["ifname"] == link));
    let link_state = shown.map(|shown| {
        let up = shown["flags"].as_array().unwrap().iter().any(|flag| flag == "UP");
        (shown["mtu"].as_u64().unwrap(), shown["address"].as_str().unwrap().to_owned(), up)
    });
    let pci = fs::read_link(device).unwrap();
    Function {
        pci: pci.file_name().unwrap().to_string_lossy().into_owned(),
        port,
        number,
        link,
        link_state,
        queue: shown.and_then(|shown| shown["txqlen"].as_u64()),
        settings: settings.clone(),
        rdma: only(&device.join("infiniband")).filter(|name| rdma.contains(&format!(" {name}: "))),
        driver: target("driver"),
    }
}

/// The one name in a folder; sysfs shows a function's devices only in the namespace that has them.
fn only(folder: &Path) -> Option<String> {
    let mut names = fs::read_dir(folder).ok()?;
    let name = names.next()?.unwrap().file_name().to_string_lossy().into_owned();
    Some(name)
}

/// The node as `start.sh` left it: what every test must restore.
pub(crate) fn all() -> &'static [Function] {
    static FIRST: OnceLock<Vec<Function>> = OnceLock::new();
    FIRST.get_or_init(look)
}

/// Brings back whatever an earlier test that failed has left astray, so that one failure stays one.
pub(crate) fn tidy() {
    if look() == all() && pods().is_empty() && traces().is_empty() {
        return;
    }
    for name in pods() {
        run(&format!("ip netns delete {name}"));
    }
    eventually("functions without pods come home", || look().iter().all(|now| now.link.is_some()));
    for (now, wanted) in look().iter().zip(all()) {
        if now != wanted {
            restore(now, wanted);
        }
    }
    for folder in KEPT {
        output(&format!("find {folder} -maxdepth 1 -type f -delete"));
    }
    for family in ["-4", "-6"] {
        output(&format!("ip {family} route flush table 500"));
        while output(&format!("ip {family} rule delete pref 1000")).status.success() {}
    }
    output("ip neighbour flush nud permanent");
    expect_all();
}

/// Where plugins keep what they know of pods, ours and those in Go.
const KEPT: [&str; 8] = [
    "/run/railweave/cni/sriov",
    "/run/railweave/cni/ib-sriov",
    "/run/railweave/cni/rdma",
    "/run/railweave/cni/coordinator",
    "/var/lib/cni/sriov",
    "/var/lib/cni/sriov/pci",
    "/var/lib/cni/ib-sriov",
    "/var/lib/cni/rdma",
];

/// What is left of pods on the node besides functions: files, rules and routes to pods, neighbours. Not the hidden draft of a
/// write that was killed, which goes with the next write or DEL.
fn traces() -> Vec<String> {
    let mut found = Vec::new();
    for entry in KEPT.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().map(Result::unwrap) {
        let is_draft = entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type().unwrap().is_file() && !is_draft {
            found.push(entry.path().display().to_string());
        }
    }
    let mut shown = |line: String, is_meant: &dyn Fn(&str) -> bool| {
        found.extend(run(&line).lines().filter(|line| is_meant(line)).map(str::to_owned));
    };
    for family in ["-4", "-6"] {
        shown(format!("ip {family} rule show"), &|line| line.starts_with("1000:"));
        shown(format!("ip {family} route show table all"), &|line| line.contains(" table 500"));
    }
    shown("ip neighbour show nud permanent".to_owned(), &|_| true);
    found
}

/// The network namespaces that have a name.
pub(crate) fn pods() -> Vec<String> {
    let listed = run("ip netns list");
    listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn restore(now: &Function, wanted: &Function) {
    let link = wanted.link.as_deref().unwrap();
    let (mtu, mac, _) = wanted.link_state.as_ref().unwrap();
    output(&format!("ip link set {} down", now.link.as_deref().unwrap()));
    output(&format!("ip link set {} name {link}", now.link.as_deref().unwrap()));
    let settings = &wanted.settings;
    let port = format!("ip link set rail{} vf {}", wanted.port, wanted.number);
    output(&format!("{port} mac {}", settings["address"].as_str().unwrap()));
    output(&format!("{port} vlan 0"));
    output(&format!("{port} max_tx_rate 0"));
    output(&format!("{port} spoofchk {}", if settings["spoofchk"] == true { "on" } else { "off" }));
    // This port refuses any MAC from a function that it has given one to, unless it trusts it.
    output(&format!("{port} trust on"));
    output(&format!("ip link set {link} mtu {mtu} txqueuelen {}", wanted.queue.unwrap()));
    output(&format!("ip link set {link} address {mac}"));
    output(&format!("{port} trust off"));
}

/// Every function is home under its name with its settings, there is no namespace but the first, and nothing is kept.
///
/// What a namespace leaves behind at its end comes home a moment later.
pub(crate) fn expect_all() {
    expect_all_functions("at the end");
    assert_eq!(pods(), [""; 0]);
    expect_no_traces("of pods that are gone");
}

/// Nothing is kept of any pod; what goes with a link does so a moment after it.
pub(crate) fn expect_no_traces(when: &str) {
    let mut left = traces();
    for _ in 0..50 {
        if left.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
        left = traces();
    }
    assert_eq!(left, [""; 0], "{when}");
}

/// The same while there are pods.
pub(crate) fn expect_all_functions(when: &str) {
    let mut now = look();
    for _ in 0..50 {
        if now == all() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
        now = look();
    }
    for (now, wanted) in now.iter().zip(all()) {
        assert_eq!(now, wanted, "{when}");
    }
}

/// The function of this number at the port of this number.
pub(crate) fn function(port: usize, number: u32) -> &'static Function {
    all().iter().find(|function| function.port == port && function.number == number).unwrap()
}

/// How many ports there are.
pub(crate) fn ports() -> usize {
    all().iter().map(|function| function.port).max().unwrap() + 1
}

/// The functions of the port of this number.
pub(crate) fn of_port(port: usize) -> Vec<&'static Function> {
    all().iter().filter(|function| function.port == port).collect()
}
