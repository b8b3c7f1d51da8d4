//! A network namespace as a container runtime makes one for a pod.

use std::process::{Child, Command, Output, Stdio};

use crate::guest::{command, output, run};

/// Gone when dropped, as the runtime does it: with whatever is still inside.
pub(crate) struct Pod {
    name: String,
    /// Made here, and not by a real runtime.
    ours: bool,
}

impl Pod {
    pub(crate) fn new(name: &str) -> Self {
        let pod = Self { name: name.to_owned(), ours: true };
        let made = output(&format!("ip netns add {name}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        pod.run("ip link set lo up");
        pod
    }

    /// One that the cluster's network is attached to, as Calico does it: `pod-7` has 10.244.0.7 on `eth0`.
    pub(crate) fn of_cluster(name: &str) -> Self {
        let pod = Self::new(name);
        let number = name.trim_start_matches("pod-");
        for line in [
            format!("ip link add cali{number} type veth peer name eth0 netns {name}"),
            format!("ip link set cali{number} address ee:ee:ee:ee:ee:ee up"),
        ] {
            run(&line);
        }
        pod.run(&format!("ip address add 10.244.0.{number}/32 dev eth0"));
        pod.run("ip link set eth0 up");
        pod.run("ip route add 169.254.1.1 dev eth0 scope link");
        pod.run("ip route add default via 169.254.1.1 dev eth0");
        run(&format!("ip route add 10.244.0.{number}/32 dev cali{number} scope link"));
        pod
    }

    /// One that a real runtime has made, and ends.
    pub(crate) fn of_runtime(name: &str) -> Self {
        Self { name: name.to_owned(), ours: false }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its path, as `CNI_NETNS` names it.
    pub(crate) fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }

    /// Runs a program inside, and returns what it printed.
    pub(crate) fn run(&self, line: &str) -> String {
        let output = self.output(line);
        let errors = String::from_utf8_lossy(&output.stderr);
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{line} in {}: {printed}{errors}", self.name);
        printed
    }

    /// Runs a program inside, whatever comes of it.
    pub(crate) fn output(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Starts a program inside, in the background and without its output.
    pub(crate) fn start(&self, line: &str) -> Child {
        self.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn command(&self, line: &str) -> Command {
        command(&format!("ip netns exec {} {line}", self.name))
    }

    /// The RDMA devices that it sees.
    pub(crate) fn rdma(&self) -> Vec<String> {
        let shown = self.run("rdma dev show");
        let names = shown.lines().filter_map(|line| line.split_whitespace().nth(1));
        names.map(|name| name.trim_end_matches(':').to_owned()).collect()
    }

    /// Whether a program inside may open this device of verbs.
    pub(crate) fn may_open(&self, device: &str) -> bool {
        self.output(&format!("dd if=/dev/null of=/dev/infiniband/{device} conv=notrunc")).status.success()
    }

    /// The entry of an RDMA device's table of addresses that is this one.
    fn gid(&self, rdma: &str, address: &str) -> usize {
        let parts: Vec<u8> = address.split('.').map(|part| part.parse().unwrap()).collect();
        let wanted = format!("ffff:{:02x}{:02x}:{:02x}{:02x}", parts[0], parts[1], parts[2], parts[3]);
        let entry = |number: &usize| {
            let gid = self.run(&format!("cat /sys/class/infiniband/{rdma}/ports/1/gids/{number}"));
            gid.trim_end().ends_with(&wanted)
        };
        (0..16).find(entry).unwrap()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if self.ours {
            output(&format!("ip netns delete {}", self.name));
        }
    }
}

/// One side of a ping-pong: a pod, its RDMA device, its address on the rail.
pub(crate) struct Side<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) rdma: &'a str,
    pub(crate) address: &'a str,
}

/// Reliable-connection ping-pong of 50 messages; `port` keeps those that run at once apart.
pub(crate) fn ping_pong(server: &Side<'_>, client: &Side<'_>, port: u16) {
    let words = |side: &Side<'_>| {
        let gid = side.pod.gid(side.rdma, side.address);
        format!("timeout 20 ibv_rc_pingpong -p {port} -d {} -g {gid} -n 50 -s 1024", side.rdma)
    };
    let mut waiting = server.pod.start(&words(server));
    // The server listens a moment after it has started; until then it is refused.
    let call = format!("{} {}", words(client), server.address);
    let asked = (0..20).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(250));
        client.pod.output(&call).status.success()
    });
    if !asked {
        waiting.kill().unwrap();
    }
    let answered = waiting.wait().unwrap();
    assert!(asked && answered.success(), "no ping-pong over {} and {}", server.rdma, client.rdma);
}
