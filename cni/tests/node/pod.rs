//! A network namespace as a container runtime makes one for a pod.

use std::process::{Child, Command, Output, Stdio};

use crate::guest::{command, output};

/// Gone when dropped, as the runtime does it: with whatever is still inside.
pub(crate) struct Pod {
    name: String,
}

impl Pod {
    pub(crate) fn new(name: &str) -> Self {
        let pod = Self { name: name.to_owned() };
        let made = output(&format!("ip netns add {name}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        pod.run("ip link set lo up");
        pod
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
}

impl Drop for Pod {
    fn drop(&mut self) {
        output(&format!("ip netns delete {}", self.name));
    }
}

/// Reliable-connection ping-pong of 50 messages between two pods: `client` reaches `server` at `address`.
pub(crate) fn ping_pong(server: (&Pod, &str), client: (&Pod, &str), address: &str) {
    let words = |device: &str| format!("timeout 20 ibv_rc_pingpong -d {device} -g 1 -n 50 -s 1024");
    let mut waiting = server.0.start(&words(server.1));
    // The server listens a moment after it has started; until then it is refused.
    let asked = (0..20).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(250));
        client.0.output(&format!("{} {address}", words(client.1))).status.success()
    });
    if !asked {
        waiting.kill().unwrap();
    }
    let answered = waiting.wait().unwrap();
    assert!(asked && answered.success(), "no ping-pong over {} and {}", server.1, client.1);
}
