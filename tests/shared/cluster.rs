//! A control plane of its own for a test, by the scripts of `e2e/cluster`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/cluster");

/// Why control-plane tests cannot run here, if they cannot.
pub(crate) fn missing() -> Option<&'static str> {
    static MISSING: LazyLock<Option<&'static str>> = LazyLock::new(|| {
        if std::env::var_os("RAILWEAVE_NO_CONTROL_PLANE").is_some() {
            return Some("RAILWEAVE_NO_CONTROL_PLANE is set");
        }
        let fresh = Command::new(format!("{SCRIPTS}/build.sh")).arg("--fresh").output();
        let fresh = fresh.is_ok_and(|output| output.status.success());
        (!fresh).then_some("the control plane is not built: `make e2e-tools`, which needs Go")
    });
    *MISSING
}

/// Which components run beside etcd and kube-apiserver.
#[derive(Clone, Copy)]
pub(crate) enum Components {
    /// None: pods stay as they were admitted.
    Api,
    /// kube-controller-manager and kube-scheduler, with nodes that need no heartbeat.
    All,
    /// The same with real kubelets on nodes of these names, which the API server reaches on this machine's loopback.
    Nodes(&'static [&'static str]),
}

/// A running control plane. Dropping it ends it; the logs stay when the test fails.
pub(crate) struct Cluster {
    directory: PathBuf,
    kubeconfig: PathBuf,
    keeps_logs: bool,
    pub(crate) client: Client,
}

/// What a command printed.
pub(crate) struct Printed {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Cluster {
    /// Starts a control plane whose files go to a folder named after the test.
    pub(crate) async fn start(test: &str, components: Components) -> Self {
        let begun = Instant::now();
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("control-plane")
            .join(format!("{test}-{}", std::process::id()));
        let mut up = Command::new(format!("{SCRIPTS}/up.sh"));
        up.env("CLUSTER_DIR", &directory).env("OWNER_PID", std::process::id().to_string());
        match components {
            Components::Api => up.env("COMPONENTS", ""),
            Components::All => up.env("KCM_ARGS", "--controllers=*,-node-lifecycle-controller"),
            Components::Nodes(names) => up.env("NODE_HOSTS", hosts(&directory, names)),
        };
        let output = up.output().expect("up.sh runs");
        let printed = Printed::from(output);
        assert!(printed.ok, "the control plane does not start: {}", printed.err);
        let kubeconfig = directory.join("admin.kubeconfig");
        let config = Kubeconfig::read_from(&kubeconfig).expect("up.sh wrote a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .expect("the kubeconfig is complete");
        let client = Client::try_from(config).expect("a client needs nothing more");
        eprintln!("{test}: control plane up after {:.1} s", begun.elapsed().as_secs_f32());
        Self { directory, kubeconfig, keeps_logs: false, client }
    }

    /// `CLUSTER_DIR` of the scripts.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where this test's logs go.
    pub(crate) fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    /// Has the logs outlive it although nothing fails while it is dropped.
    pub(crate) fn keep_logs(&mut self) {
        self.keeps_logs = true;
    }

    /// The process of a component.
    pub(crate) fn pid(&self, component: &str) -> u32 {
        let noted = std::fs::read_to_string(self.directory.join(format!("run/{component}.pid")))
            .expect("up.sh noted it");
        let pid = noted.split_whitespace().next().expect("the pid comes first");
        pid.parse().expect("a pid is a number")
    }

    /// Ends the API server in order and starts it again `pause` later; returns when it serves.
    pub(crate) fn restart_api_server(&self, pause: Duration) {
        let output = Command::new(format!("{SCRIPTS}/restart.sh"))
            .env("CLUSTER_DIR", &self.directory)
            .args(["kube-apiserver", &pause.as_secs_f32().to_string()])
            .output()
            .expect("restart.sh runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs kubectl as administrator, with `input` as its standard input.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> Printed {
        run(&tool("kubectl"), &self.kubeconfig, arguments, input)
    }

    /// As [`Self::kubectl`], and the test ends when it fails.
    pub(crate) fn kubectl_ok(&self, arguments: &[&str], input: &str) -> Printed {
        let printed = self.kubectl(arguments, input);
        assert!(printed.ok, "kubectl {} failed: {}", arguments.join(" "), printed.err);
        printed
    }

    /// Applies manifests as a person would, and returns what kubectl printed, warnings among it.
    pub(crate) fn apply(&self, manifests: &str) -> Printed {
        self.kubectl_ok(&["apply", "-f", "-"], manifests)
    }

    /// Runs helm as administrator; the test ends when it fails.
    pub(crate) fn helm_ok(&self, arguments: &[&str]) -> Printed {
        let printed = run(&tool("helm"), &self.kubeconfig, arguments, "");
        assert!(printed.ok, "helm {} failed: {}", arguments.join(" "), printed.err);
        printed
    }

    /// Runs a script in the root of the repository, as administrator, with railweave, and with kubectl and helm of
    /// this control plane.
    pub(crate) fn shell(&self, script: &str) -> Printed {
        let programs = [tool("kubectl"), tool("helm"), env!("CARGO_BIN_EXE_railweave").into()];
        let folders = programs.map(|program| program.parent().expect("it is in a folder").to_owned());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path)));
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", path.expect("no folder has a colon in its name"))
            .output()
            .expect("bash runs");
        output.into()
    }

    /// The kubeconfig of the administrator.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Writes a kubeconfig of a service account, which has the rights that RBAC gives it and no others.
    pub(crate) fn service_account(&self, namespace: &str, name: &str) -> PathBuf {
        let token =
            self.kubectl_ok(&["create", "token", name, "--namespace", namespace, "--duration=12h"], "").out;
        let config = Kubeconfig::read_from(&self.kubeconfig).expect("up.sh wrote it");
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "pod",
            "contexts": [{"name": "pod", "context": {"cluster": "e2e", "user": name, "namespace": namespace}}],
            "clusters": config.clusters,
            "users": [{"name": name, "user": {"token": token.trim()}}],
        });
        let path = self.directory.join(format!("{namespace}-{name}.kubeconfig"));
        std::fs::write(&path, config.to_string()).expect("our folder");
        path
    }

    /// Reads one object.
    pub(crate) fn get(&self, arguments: &[&str]) -> serde_json::Value {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        serde_json::from_str(&self.kubectl_ok(&arguments, "").out).expect("kubectl prints JSON")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let ended = Command::new(format!("{SCRIPTS}/down.sh")).env("CLUSTER_DIR", &self.directory).status();
        if self.keeps_logs || std::thread::panicking() {
            eprintln!("logs: {}", self.logs().display());
        } else if ended.is_ok_and(|status| status.success()) {
            // What cannot be removed lies in the ignored target folder.
            std::fs::remove_dir_all(&self.directory).ok();
        }
    }
}

impl From<std::process::Output> for Printed {
    fn from(output: std::process::Output) -> Self {
        Self {
            ok: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// This machine's hosts and the nodes, in a file.
fn hosts(directory: &Path, nodes: &[&str]) -> PathBuf {
    let mut hosts = std::fs::read_to_string("/etc/hosts").expect("every machine has it");
    hosts.extend(nodes.iter().map(|node| format!("127.0.0.1 {node}\n")));
    std::fs::create_dir_all(directory).expect("our folder");
    let file = directory.join("hosts");
    std::fs::write(&file, hosts).expect("our folder");
    file
}

/// Where `e2e/cluster/build.sh` put a program.
fn tool(name: &str) -> PathBuf {
    let minor = std::env::var("KUBERNETES_MINOR").unwrap_or_else(|_| "1.36".to_owned());
    let folder = if name == "helm" { "tools".to_owned() } else { format!("kubernetes-{minor}") };
    cache().join("bin").join(folder).join(name)
}

fn cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("RAILWEAVE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("railweave")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".cache/railweave")))
        .expect("HOME is set")
}

fn run(program: &Path, kubeconfig: &Path, arguments: &[&str], input: &str) -> Printed {
    let mut child = Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("build.sh made it");
    // A program that fails before it has read everything closes its end.
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).ok();
    child.wait_with_output().expect("it was started").into()
}
