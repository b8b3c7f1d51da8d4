//! A real container runtime with the real chain: containerd, asked as kubelet asks it (CRI v1).
//!
//! `crictl` is no package of Debian; the few calls are written here, a gRPC frame each, and carried by `curl`.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::agent::Agent;
use crate::guest::{command, eventually, output, run};
use crate::home::{self, Function};
use crate::pod::Pod;
use crate::runtime::chain;

const SOCKET: &str = "/run/containerd/containerd.sock";
const FOLDER: &str = "/tmp/containerd";

/// The runtime; ends when dropped.
struct Containerd(Child);

impl Containerd {
    fn start() -> Self {
        fs::create_dir_all(FOLDER).unwrap();
        fs::create_dir_all("/etc/cni/net.d").unwrap();
        let cri = "plugins.\"io.containerd.grpc.v1.cri\"";
        let config = format!(
            "version = 2\n[{cri}]\nsandbox_image = \"localhost/pause:1\"\n\
             [{cri}.cni]\nbin_dir = \"/opt/cni/bin\"\nconf_dir = \"/etc/cni/net.d\"\n"
        );
        fs::write(format!("{FOLDER}/config.toml"), config).unwrap();
        let log = File::create(format!("{FOLDER}/log")).unwrap();
        let mut program = command(&format!("containerd --config {FOLDER}/config.toml"));
        let started = Self(program.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        eventually("containerd answers", || output("ctr version").status.success());
        import_pause();
        started
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// An image whose only program waits: no registry is asked.
fn import_pause() {
    let layer = format!("{FOLDER}/layer.tar");
    // With what the program loads, under the names by which it asks for it.
    run(&format!(
        "tar -C / -chf {layer} bin/sleep lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6"
    ));
    let sum = run(&format!("sha256sum {layer}"));
    let digest = format!("sha256:{}", sum.split(' ').next().unwrap());
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/bin/sleep", "infinity"]},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    });
    let manifest =
        json!([{"Config": "config.json", "RepoTags": ["localhost/pause:1"], "Layers": ["layer.tar"]}]);
    fs::write(format!("{FOLDER}/config.json"), config.to_string()).unwrap();
    fs::write(format!("{FOLDER}/manifest.json"), manifest.to_string()).unwrap();
    run(&format!("tar -C {FOLDER} -cf {FOLDER}/pause.tar manifest.json config.json layer.tar"));
    run(&format!("ctr -n k8s.io image import {FOLDER}/pause.tar"));
}

/// A field of a message that is text or a message itself.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend(content);
    bytes
}

/// Calls the runtime, and returns the first field of its answer as text.
fn call(method: &str, message: &[u8]) -> Result<String, String> {
    let (sent, answered, headers) =
        (format!("{FOLDER}/request"), format!("{FOLDER}/answer"), format!("{FOLDER}/headers"));
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    fs::write(&sent, [&[0], &length[..], message].concat()).unwrap();
    let mut curl = command(&format!(
        "curl -sS --max-time 60 --http2-prior-knowledge --unix-socket {SOCKET} -D {headers} -o {answered} \
         --data-binary @{sent} http://localhost/runtime.v1.RuntimeService/{method}"
    ));
    curl.args(["-H", "content-type: application/grpc", "-H", "te: trailers"]);
    let done = curl.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let headers = fs::read_to_string(headers).unwrap();
    if !headers.to_ascii_lowercase().contains("grpc-status: 0") {
        return Err(headers);
    }
    let answer = fs::read(answered).unwrap_or_default();
    // The frame's head, the field's number, its length of less than 128.
    let text = answer.get(7..7 + usize::from(*answer.get(6).unwrap_or(&0))).unwrap_or_default();
    Ok(String::from_utf8(text.to_vec()).unwrap())
}

/// A pod of the runtime; it ends with what is dropped, so that a test that fails leaves none.
struct Sandbox {
    id: String,
    pod: Pod,
    function: &'static Function,
}

impl Sandbox {
    fn start(name: &str, function: &'static Function) -> Self {
        configure(function);
        let before = home::pods();
        let uid = format!("uid-of-{name}");
        let metadata = [field(1, name.as_bytes()), field(2, uid.as_bytes()), field(3, b"default")].concat();
        let logs = format!("{FOLDER}/{name}");
        let config =
            [field(1, &metadata), field(2, name.as_bytes()), field(3, logs.as_bytes()), field(8, b"")];
        let id = call("RunPodSandbox", &field(1, &config.concat())).unwrap();
        let netns = home::pods().into_iter().find(|name| !before.contains(name)).unwrap();
        Self { id, pod: Pod::of_runtime(&netns), function }
    }

    fn stop(&self) -> Result<String, String> {
        call("StopPodSandbox", &field(1, self.id.as_bytes()))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.stop();
        call("RemovePodSandbox", &field(1, self.id.as_bytes())).unwrap();
    }
}

/// The configuration of the cluster's network, which the runtime watches.
fn configure(function: &Function) {
    let mut list = chain(function, &json!({"mtu": 4200}));
    // What this runtime knows.
    list["cniVersion"] = json!("1.0.0");
    fs::write("/etc/cni/net.d/10-rail.conflist", list.to_string()).unwrap();
    // It tells nowhere that it has read it.
    std::thread::sleep(Duration::from_secs(1));
}

pub(crate) fn runs_pods_with_the_whole_chain() {
    let (_agent, _containerd) = (Agent::start(), Containerd::start());
    let sandboxes =
        [0, 1].map(|number| Sandbox::start(&format!("pod-{}", number + 1), home::function(0, number)));
    for (number, Sandbox { pod, function, .. }) in sandboxes.iter().enumerate() {
        let shown = pod.run("ip address show eth0");
        for part in ["mtu 4200", &format!("inet 172.16.10.{}/24", number + 1), ",UP"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert_eq!(pod.rdma(), [function.rdma.clone().unwrap()]);
    }
    sandboxes[1].pod.run("ping -c 1 -w 20 172.16.10.1");
    for sandbox in &sandboxes {
        sandbox.stop().unwrap();
    }
    home::expect_all_functions("after the runtime has stopped its pods");
}
