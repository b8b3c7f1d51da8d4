//! One guest as a node of the cluster.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::replica::free_port;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Ports of a guest; port N is rail N + 1.
pub(crate) const PORTS: usize = 2;
/// Virtual functions of each port.
pub(crate) const FUNCTIONS: usize = 2;

/// A running guest. Dropping it ends it.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    /// `/host` in the guest.
    folder: PathBuf,
    child: Child,
    asked: AtomicU32,
}

impl Guest {
    /// Boots a guest that joins the cluster. `number`, from 1, is its own; `cables` are the sockets that join its ports
    /// to those of the other.
    pub(crate) fn start(
        name: &'static str,
        number: usize,
        cluster: &Cluster,
        share: &Path,
        cables: &Path,
    ) -> Self {
        let folder = cluster.directory().join(name);
        fs::create_dir_all(&folder).expect("our folder");
        let (address, port) = (format!("10.0.2.{}", 10 + number), free_port());
        let kubeconfig = fs::read_to_string(cluster.kubeconfig()).expect("up.sh wrote it");
        let server = from_guest(&kubeconfig);
        let server = server.split('"').find(|word| word.starts_with("https://")).expect("it names a server");
        let made = Command::new(format!("{ROOT}/e2e/nodes/credentials.sh"))
            .args([name, &address, server])
            .arg(&folder)
            .env("CLUSTER_DIR", cluster.directory())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "no credentials for {name}");

        let other = 3 - number;
        let cables = format!("{0}/{number}-:{0}/{other}-", cables.display());
        let server_port = server.rsplit(':').next().expect("it names a port");
        let join = format!(
            "./node.sh {name} {address} {server_port} {port} 10.244.{number}.0/24 {number} {FUNCTIONS}"
        );
        let options = format!("-p {PORTS} -l {cables} -i {number} -c 1 -t 7200 -n {address}:{port}");
        let log = cluster.logs().join(format!("{name}.log"));
        let output = File::create(log).expect("the log folder exists");
        let child = Command::new(format!("{ROOT}/e2e/vm/run.sh"))
            .args(options.split(' '))
            .arg("-s")
            .arg(share)
            .arg("-f")
            .arg(&folder)
            .arg(join)
            .env("OWNER_PID", std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .expect("run.sh is there");
        Self { name, folder, child, asked: AtomicU32::new(0) }
    }

    /// Puts a kubeconfig of an account where the node's programs look for it.
    pub(crate) fn give_kubeconfig(&self, name: &str, kubeconfig: &Path) {
        let text = fs::read_to_string(kubeconfig).expect("it was written");
        fs::write(self.folder.join(name), from_guest(&text)).expect("our folder");
        self.run(&format!("cp /host/{name} /etc/kubernetes/"));
    }

    /// Runs a script there, and returns what it printed; the test ends when it fails.
    pub(crate) fn run(&self, script: &str) -> String {
        let (status, printed) = self.output(script);
        assert_eq!(status, 0, "{} on {}: {printed}", script, self.name);
        printed
    }

    /// Runs a script there, whatever comes of it.
    pub(crate) fn output(&self, script: &str) -> (i32, String) {
        let name = self.asked.fetch_add(1, Ordering::Relaxed).to_string();
        let file = |suffix: &str| self.folder.join("ask").join(format!("{name}.{suffix}"));
        let begun = Instant::now();
        // The guest makes the folder once it can answer.
        while !file("sh").parent().is_some_and(Path::exists) {
            // As soon as it ends, instead of serving.
            let ended = self.folder.join("status").exists();
            assert!(!ended && begun.elapsed() < Duration::from_mins(6), "{} does not come up", self.name);
            std::thread::sleep(Duration::from_millis(50));
        }
        fs::write(file("new"), script).expect("our folder");
        fs::rename(file("new"), file("sh")).expect("our folder");
        let begun = Instant::now();
        loop {
            if let Ok(status) = fs::read_to_string(file("status")) {
                let printed = fs::read(file("out")).unwrap_or_default();
                return (
                    status.trim().parse().expect("a number"),
                    String::from_utf8_lossy(&printed).into_owned(),
                );
            }
            assert!(begun.elapsed() < Duration::from_mins(5), "{} does not answer: {script}", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends a program of the node with a signal, and starts it again.
    pub(crate) fn restart(&self, program: &str, signal: &str) {
        self.run(&format!("/share/service.sh stop {program} {signal} && /share/service.sh start {program}"));
    }

    /// Each virtual function: its PCI address, the name of its link with MAC and MTU, its RDMA device, and what the port says of it.
    pub(crate) fn functions(&self) -> String {
        self.run(
            "for function in /sys/class/net/rail?/device/virtfn*; do
               echo \"$(basename \"$(readlink $function)\") $(cd $function && echo net/* infiniband/*) \
                 $(cat $function/net/*/{address,mtu} 2>&1)\"
             done
             ip -oneline link show | grep -o 'rail.: .*' | grep -o 'vf .*'",
        )
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // run.sh ends its guest when it is asked to end.
        Command::new("kill").arg(self.child.id().to_string()).status().ok();
        self.child.wait().ok();
    }
}

/// What is this machine's loopback address here is another in the guest.
fn from_guest(text: &str) -> String {
    text.replace("https://127.0.0.1:", "https://10.0.2.2:")
}
