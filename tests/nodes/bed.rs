//! Control plane, controller and two nodes with two rails.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::cluster::{Cluster, Components};
use crate::guest::{FUNCTIONS, Guest, PORTS};
use crate::installation::{Installation, NAMESPACE, Options};

const NODES: [&str; 2] = ["n1", "n2"];

/// Everything. Guests end first, the control plane last.
pub(crate) struct Bed {
    pub(crate) guests: [Guest; 2],
    /// Every function of each guest before any pod was there.
    home: [String; 2],
    pub(crate) installation: Installation,
    _runtime: Runtime,
    _cables: tempfile::TempDir,
}

impl Bed {
    /// Returns when both nodes are ready with all their devices, and pods get the guide's rails.
    pub(crate) fn start(share: &Path) -> Self {
        let begun = Instant::now();
        let since = |what: &str| eprintln!("nodes: {what} after {:.1} s", begun.elapsed().as_secs_f32());
        let runtime = Runtime::new().expect("threads can be made");
        // The paths of sockets are short.
        let cables = tempfile::Builder::new().prefix("rails").tempdir().expect("a folder for sockets");
        let cluster = runtime.block_on(Cluster::start("nodes", Components::Nodes(&NODES)));
        let mut number = 0;
        let guests = NODES.map(|name| {
            number += 1;
            Guest::start(name, number, &cluster, share, cables.path())
        });
        cluster.apply(include_str!("../../e2e/nodes/cluster.yaml"));
        // Their images are nowhere; they run as programs.
        let values =
            ["spiderpoolAgent.nodeSelector.none=such", "spiderpoolController.nodeSelector.none=such"];
        let options = Options { replicas: 1, values: &values, ..Options::default() };
        let installation = runtime.block_on(Installation::on(cluster, options));
        since("the controller is ready");
        let cluster = &installation.cluster;
        for rail in 1..=PORTS {
            let file = format!("{}/manifests/guide/webhook/gpu{rail}.yaml", env!("CARGO_MANIFEST_DIR"));
            cluster.kubectl_ok(&["apply", "-f", &file], "");
        }
        let multus = cluster.service_account("kube-system", "multus");
        let agent = cluster.service_account(NAMESPACE, "spiderpool-agent");
        for guest in &guests {
            guest.give_kubeconfig("multus.kubeconfig", &multus);
            guest.give_kubeconfig("agent.kubeconfig", &agent);
            guest.run("/share/service.sh start agent");
        }
        since("the guests are up");
        runtime.block_on(installation.knows_rails(PORTS));
        let home = [guests[0].functions(), guests[1].functions()];
        let bed = Self { guests, home, installation, _runtime: runtime, _cables: cables };
        for node in NODES {
            bed.await_ready(node);
        }
        since("the nodes are ready");
        bed
    }

    /// Waits until a node is ready and offers all its functions.
    pub(crate) fn await_ready(&self, node: &str) {
        eventually(&format!("node {node} is ready"), || {
            let shown = self.kubectl(&["get", "node", node, "-o", "json"]).unwrap_or_default();
            let shown: Value = serde_json::from_str(&shown).unwrap_or_default();
            let status = &shown["status"];
            let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            let functions = FUNCTIONS.to_string();
            let offers = |rail| &status["allocatable"][format!("spidernet.io/gpu{rail}sriov")];
            conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
                && (1..=PORTS).all(|rail| offers(rail).as_str() == Some(functions.as_str()))
        });
    }

    /// What kubectl printed, or its complaint.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let printed = self.installation.cluster.kubectl(arguments, "");
        if printed.ok { Ok(printed.out) } else { Err(printed.err) }
    }

    /// The guest of a node.
    pub(crate) fn guest(&self, node: &str) -> &Guest {
        self.guests.iter().find(|guest| guest.name == node).expect("there is no other node")
    }

    /// No pod is left, no record of an address, and every function and RDMA device is on the host as it was.
    pub(crate) fn expect_home(&self, when: &str) {
        eventually(&format!("no pod is left {when}"), || {
            self.kubectl(&["get", "pods", "-o", "name"]).is_ok_and(|names| names.is_empty())
        });
        for (guest, home) in self.guests.iter().zip(&self.home) {
            let mut now = guest.functions();
            for _ in 0..20 {
                if now == *home {
                    break;
                }
                std::thread::sleep(Duration::from_millis(500));
                now = guest.functions();
            }
            assert_eq!(now, *home, "functions of {} {when}", guest.name);
            let kept = guest.run("find /run/railweave /var/lib/cni/{sriov,rdma,multus} -type f 2>/dev/null | grep -v lock || true");
            assert_eq!(kept, "", "records on {} {when}", guest.name);
        }
        eventually(&format!("all addresses are free {when}"), || {
            let pools = self.installation.cluster.get(&["spiderippools"]);
            let held = |pool: &Value| {
                pool["status"]["allocatedIPs"]
                    .as_str()
                    .is_some_and(|records| records != "{}" && !records.is_empty())
            };
            let endpoints = self.installation.cluster.get(&["spiderendpoints"]);
            !pools["items"].as_array().expect("a list").iter().any(held) && endpoints["items"] == json!([])
        });
    }
}

/// Asks again and again until it is so; the test fails after ten minutes, which are long even for emulation on a busy
/// machine.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_mins(10), "not within ten minutes: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
