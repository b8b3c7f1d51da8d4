//! A node, a pod and what they are wired to, each in a network namespace of its own, and the plugin as a process.

use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use railweave_cni::netlink::Namespace;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::agent::Agent;
use crate::namespace::{self, ip};

/// A network namespace that lasts as long as this does.
pub(crate) struct Place {
    file: File,
    namespace: Namespace,
}

impl Place {
    pub(crate) fn new() -> Self {
        let file = std::thread::spawn(|| {
            namespace::enter().unwrap();
            ip("link set lo up");
            // Links are to be used at once, without a second's search for duplicates of their addresses.
            std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
            namespace::this()
        });
        Self::of(file.join().unwrap())
    }

    fn here() -> Self {
        Self::of(namespace::this())
    }

    fn of(file: File) -> Self {
        let namespace = Namespace::open(path_of(&file)).unwrap();
        Self { file, namespace }
    }

    /// As `CNI_NETNS`.
    pub(crate) fn path(&self) -> String {
        path_of(&self.file)
    }

    /// Runs something inside.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.run(work).unwrap()
    }

    /// Runs commands of `ip` inside, one a line.
    pub(crate) fn ip(&self, commands: &str) {
        let commands: Vec<&str> = commands.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        self.run(|| commands.iter().for_each(|command| drop(ip(command))));
    }

    pub(crate) fn sysctl(&self, path: &str) -> String {
        self.run(|| std::fs::read_to_string(format!("/proc/sys/{path}")).unwrap().trim().to_owned())
    }

    pub(crate) fn set_sysctl(&self, path: &str, value: &str) {
        self.run(|| std::fs::write(format!("/proc/sys/{path}"), value).unwrap());
    }
}

fn path_of(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

/// A node whose namespace is the one of the test's thread, with one pod and the network that its rails are wired to.
pub(crate) struct Lab {
    pub(crate) host: Place,
    pub(crate) pod: Place,
    pub(crate) fabric: Place,
    pub(crate) agent: Agent,
    pub(crate) container_id: String,
    /// The program that is called.
    pub(crate) binary: PathBuf,
    /// Of the agent's socket; removed at the end.
    _folder: TempDir,
}

/// What a plugin left behind.
pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) printed: Value,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.success, "{}", self.printed);
        self.printed
    }

    /// Code and message of the error.
    #[track_caller]
    pub(crate) fn error(self) -> (u64, String) {
        assert!(!self.success, "{}", self.printed);
        (self.printed["code"].as_u64().unwrap(), self.printed["msg"].as_str().unwrap().to_owned())
    }
}

impl Lab {
    /// A node at 10.1.20.4 and `fd10::4` with an uplink; the pod is empty.
    pub(crate) fn new() -> Self {
        // The plugin keeps records below /run, and a log; those of this machine stay out of sight.
        namespace::enter().unwrap();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        for mount in ["--make-rprivate /", "-t tmpfs tmpfs /run", "-t tmpfs tmpfs /var/log"] {
            assert!(Command::new("mount").args(mount.split(' ')).status().unwrap().success());
        }
        std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
        let (host, pod, fabric) = (Place::here(), Place::new(), Place::new());
        let folder = TempDir::new().unwrap();
        let agent = Agent::start(folder.path().join("agent.sock"));
        let lab = Self {
            host,
            pod,
            fabric,
            agent,
            container_id: "0123456789abcdef0123".to_owned(),
            binary: env!("CARGO_BIN_EXE_railweave-cni").into(),
            _folder: folder,
        };
        lab.host.ip("link set lo up
             link add uplink type veth peer name leaf
             link set leaf up
             link set uplink up
             address add 10.1.20.4/24 dev uplink
             address add fd10::4/64 dev uplink nodad
             route add default via 10.1.20.1 dev uplink
             -6 route add default via fd10::1 dev uplink");
        for family in ["ipv4", "ipv6"] {
            lab.host.set_sysctl(&format!("net/{family}/conf/all/forwarding"), "1");
        }
        // A reply that comes by another wire than the request left by is dropped.
        lab.fabric.set_sysctl("net/ipv4/conf/all/rp_filter", "1");
        lab.fabric.set_sysctl("net/ipv4/conf/default/rp_filter", "1");
        lab.fabric.ip("address add 10.99.0.1/32 dev lo
                       address add fd99::1/128 dev lo nodad");
        lab
    }

    /// eth0 as Calico makes it: on a network of its own, by way of an address that nobody has.
    pub(crate) fn calico(&self, families: &[u8]) {
        self.host.ip(
            "link add cali0 address ee:ee:ee:ee:ee:ee type veth peer name eth0 address 02:00:00:00:00:e0",
        );
        self.give("eth0");
        self.host.ip("link set cali0 up");
        self.host.set_sysctl("net/ipv4/conf/cali0/proxy_arp", "1");
        self.pod.ip("link set eth0 up");
        if families.contains(&4) {
            self.host.ip("route add 10.233.119.164 dev cali0 scope link");
            self.pod.ip("address add 10.233.119.164/32 dev eth0
                 route add 169.254.1.1 dev eth0 scope link
                 route add default via 169.254.1.1 dev eth0");
        }
        if families.contains(&6) {
            self.host.ip("address add fe80::1:1/64 dev cali0 nodad
                 -6 route add fd85::164/128 dev cali0");
            self.pod.ip("address add fd85::164/128 dev eth0 nodad
                 -6 route add default via fe80::1:1 dev eth0");
        }
    }

    /// A rail as its plugin leaves it: with its addresses, and another default route in the main table.
    pub(crate) fn rail(&self, number: u8, families: &[u8]) {
        let (name, wire) = (format!("net{number}"), format!("wire{number}"));
        self.fabric
            .ip(&format!("link add {wire} type veth peer name {name} address 02:00:00:00:00:{number:02x}"));
        let pod = File::open(self.pod.path()).unwrap();
        self.fabric.ip(&format!("link set {name} netns {}", path_of(&pod)));
        self.fabric.ip(&format!("link set {wire} up"));
        self.pod.ip(&format!("link set {name} up"));
        let subnet = number + 10;
        if families.contains(&4) {
            self.fabric.ip(&format!(
                "address add 172.16.{subnet}.254/24 dev {wire}
                 route replace 172.16.{subnet}.0/24 dev {wire} src 10.99.0.1"
            ));
            self.pod.ip(&format!(
                "address add 172.16.{subnet}.10/24 dev {name}
                 route prepend default via 172.16.{subnet}.254 dev {name}"
            ));
        }
        if families.contains(&6) {
            self.fabric.ip(&format!(
                "address add fd16:{subnet}::fe/64 dev {wire} nodad
                 -6 route add fd16:{subnet}::/64 dev {wire} src fd99::1 metric 1"
            ));
            self.pod.ip(&format!(
                "address add fd16:{subnet}::10/64 dev {name} nodad
                 -6 route append default via fd16:{subnet}::fe dev {name}"
            ));
        }
    }

    /// eth0 on the node's own network, as a virtual function is: the node's address is not to be reached by it.
    pub(crate) fn underlay(&self, families: &[u8]) {
        self.fabric.ip("link add lan type veth peer name eth0 address 02:00:00:00:00:e0");
        let pod = File::open(self.pod.path()).unwrap();
        self.fabric.ip(&format!("link set eth0 netns {}", path_of(&pod)));
        self.fabric.ip("link set lan up");
        self.pod.set_sysctl("net/ipv6/conf/eth0/accept_dad", "1");
        self.pod.ip("link set eth0 up");
        if families.contains(&4) {
            self.fabric.ip("address add 172.100.0.1/16 dev lan
                 route replace 172.100.0.0/16 dev lan src 10.99.0.1");
            self.pod.ip("address add 172.100.0.210/16 dev eth0
                 route add default via 172.100.0.1 dev eth0");
        }
        if families.contains(&6) {
            self.fabric.ip("address add fd17::1/64 dev lan nodad
                 -6 route add fd17::/64 dev lan src fd99::1 metric 1");
            self.pod.ip("address add fd17::210/64 dev eth0
                 -6 route add default via fd17::1 dev eth0");
        }
    }

    /// Moves a link of the host into the pod.
    fn give(&self, name: &str) {
        self.host.ip(&format!("link set {name} netns {}", self.pod.path()));
    }

    /// Another pod beside this one, in the same node.
    pub(crate) fn another(&mut self, container_id: &str) -> Place {
        container_id.clone_into(&mut self.container_id);
        std::mem::replace(&mut self.pod, Place::new())
    }

    pub(crate) fn add(&self, ifname: &str, fields: &Value) -> Outcome {
        self.call("ADD", ifname, fields)
    }

    /// As Multus calls it, after the plugin that made the interface.
    pub(crate) fn call(&self, command: &str, ifname: &str, fields: &Value) -> Outcome {
        self.call_with(command, ifname, &self.pod.path(), fields)
    }

    pub(crate) fn call_with(&self, command: &str, ifname: &str, netns: &str, fields: &Value) -> Outcome {
        self.call_of(&self.container_id, command, ifname, netns, fields)
    }

    /// For a container of this name.
    pub(crate) fn call_of(
        &self,
        container_id: &str,
        command: &str,
        ifname: &str,
        netns: &str,
        fields: &Value,
    ) -> Outcome {
        let output = self.start_of(container_id, command, ifname, netns, fields).wait_with_output().unwrap();
        Outcome {
            success: output.status.success(),
            printed: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        }
    }

    /// A call that has begun.
    pub(crate) fn start(&self, command: &str, ifname: &str) -> Child {
        self.start_of(&self.container_id, command, ifname, &self.pod.path(), &json!({}))
    }

    fn start_of(
        &self,
        container_id: &str,
        command: &str,
        ifname: &str,
        netns: &str,
        fields: &Value,
    ) -> Child {
        let mut config = json!({
            "cniVersion": "1.1.0", "name": format!("rails-{ifname}"), "type": "coordinator",
            "ipamUnixSocketPath": self.agent.socket,
            "prevResult": result(ifname, netns),
        });
        for (key, value) in fields.as_object().unwrap() {
            config[key] = value.clone();
        }
        let mut process = Command::new(&self.binary)
            .arg0("/opt/cni/bin/coordinator")
            .env_clear()
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", container_id)
            .env("CNI_NETNS", netns)
            .env("CNI_IFNAME", ifname)
            .env("CNI_PATH", "/opt/cni/bin")
            .env("CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=ai;K8S_POD_NAME=job-0;K8S_POD_UID=1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(config.to_string().as_bytes()).unwrap();
        process
    }

    /// Where records are.
    pub(crate) fn records(&self) -> Vec<PathBuf> {
        let entries =
            self.host.run(|| std::fs::read_dir("/run/railweave/cni/coordinator").map(Iterator::collect));
        let entries: Vec<std::io::Result<std::fs::DirEntry>> = entries.unwrap_or_default();
        entries.into_iter().map(|entry| entry.unwrap().path()).collect()
    }
}

/// The result of the plugins before.
fn result(ifname: &str, netns: &str) -> Value {
    json!({
        "cniVersion": "1.1.0",
        "interfaces": [{ "name": ifname, "mac": "02:00:00:00:00:01", "sandbox": netns }],
        "ips": [], "routes": [],
    })
}

/// Somebody at `from` reaches `address` at `to`, is answered, and was seen with that address.
#[track_caller]
pub(crate) fn comes_back(from: &Place, to: &Place, address: &str, seen: &str) {
    // A lost request is sent again after 1, 3, 7 and 15 seconds; a busy machine loses some to neighbours it looks for.
    let patience = Duration::from_secs(20);
    assert_eq!(reach(from, to, address, patience), Some(seen.parse().unwrap()), "to {address}");
}

/// Nothing comes back.
#[track_caller]
pub(crate) fn is_lost(from: &Place, to: &Place, address: &str) {
    assert_eq!(reach(from, to, address, Duration::from_millis(1500)), None, "to {address}");
}

fn reach(from: &Place, to: &Place, address: &str, patience: Duration) -> Option<IpAddr> {
    let anywhere = SocketAddr::new(address.parse().unwrap(), 0);
    let listener = to.run(|| TcpListener::bind(anywhere).unwrap());
    let there = listener.local_addr().unwrap();
    let stream = from.run(|| TcpStream::connect_timeout(&there, patience)).ok()?;
    let (_accepted, seen) = listener.accept().unwrap();
    drop(stream);
    Some(seen.ip())
}
