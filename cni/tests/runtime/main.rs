//! The binary as a runtime calls it: environment, standard input, standard output, exit status.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "../agent/mod.rs"]
mod agent;
mod streams;

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agent::Agent;
use railweave_cni::plugins::PLUGINS;
use serde_json::{Value, json};
use tempfile::TempDir;

const POD: &str = "IgnoreUnknown=true;K8S_POD_NAMESPACE=ai;K8S_POD_NAME=job-0;K8S_POD_UID=6f1d";

/// The plugins by their names.
struct Folder(TempDir);

/// What the runtime gets.
#[derive(Debug)]
struct Got {
    ok: bool,
    stdout: String,
    took: Duration,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_default()
    }

    /// The code and message of a refusal.
    fn refusal(&self) -> (u64, String) {
        assert!(!self.ok, "{self:?}");
        let json = self.json();
        let code = json["code"].as_u64();
        assert!(code.is_some() && json["msg"].is_string(), "{self:?}");
        (code.unwrap(), json["msg"].as_str().unwrap().to_owned())
    }
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for plugin in PLUGINS {
            symlink(env!("CARGO_BIN_EXE_railweave-cni"), folder.path().join(plugin.name)).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, plugin: &str, environment: &[(&str, &str)], stdin: &str) -> Got {
        let started = Instant::now();
        let mut child = Command::new(self.path().join(plugin))
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It may have answered without reading.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        Got { ok: output.status.success(), stdout, took: started.elapsed() }
    }

    /// What a runtime asks `spiderpool` about `net1`, with an agent on this socket.
    fn ask(&self, command: &str, socket: &Path, more: &Value) -> Got {
        let log = self.path().join("log");
        let mut config = json!({"cniVersion": "1.1.0", "name": "gpu1", "type": "macvlan",
            "ipam": {"type": "spiderpool", "ipam_unix_socket_path": socket, "log_file_path": log}});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let environment = [
            ("CNI_COMMAND", command),
            ("CNI_CONTAINERID", "4f3c"),
            ("CNI_NETNS", "/var/run/netns/no-such-pod"),
            ("CNI_IFNAME", "net1"),
            ("CNI_ARGS", POD),
            ("CNI_PATH", "/opt/cni/bin"),
        ];
        self.run("spiderpool", &environment, &config.to_string())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }
}

fn addresses() -> Value {
    json!({"ips": [{"version": 4, "address": "172.16.1.2/27", "nic": "net1", "ipPool": "gpu1", "gateway": "172.16.1.30"}],
           "routes": [{"ifName": "net1", "dst": "0.0.0.0/0", "gw": "172.16.1.30"}]})
}

#[test]
fn every_plugin_tells_its_versions_and_needs_nothing_for_it() {
    let folder = Folder::new();
    for plugin in PLUGINS {
        for stdin in ["", "{\"cniVersion\": \"0.4.0\"}", "nonsense"] {
            let got = folder.run(plugin.name, &[("CNI_COMMAND", "VERSION")], stdin);
            assert!(got.ok, "{}", plugin.name);
            assert_eq!(
                got.stdout,
                "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n"
            );
        }
    }
}

#[test]
fn a_wrong_environment_or_configuration_is_refused_with_its_code() {
    let folder = Folder::new();
    let add = [("CNI_COMMAND", "ADD"), ("CNI_CONTAINERID", "a"), ("CNI_NETNS", "/x"), ("CNI_IFNAME", "net1")];
    let good = json!({"cniVersion": "1.0.0", "name": "gpu1", "type": "x"}).to_string();
    for plugin in PLUGINS {
        let refusal = |environment: &[(&str, &str)], stdin: &str| {
            folder.run(plugin.name, environment, stdin).refusal().0
        };
        assert_eq!(refusal(&[], &good), 4, "no command");
        assert_eq!(refusal(&[("CNI_COMMAND", "PING")], &good), 4, "an unknown command");
        assert_eq!(refusal(&add[..2], &good), 4, "no interface");
        assert_eq!(refusal(&add, "{"), 6, "no JSON");
        assert_eq!(refusal(&add, ""), 6, "no configuration");
        assert_eq!(refusal(&add, &good.replace("1.0.0", "0.2.0")), 1, "an old version");
        assert_eq!(refusal(&add, &good.replace("gpu1", "gpu/1")), 7, "a name that is none");
        let own = [add[0], add[1], ("CNI_NETNS", "/proc/self/ns/net"), add[3]];
        assert_eq!(refusal(&own, &good), 4, "the host for a pod");
    }
}

/// In the version that was asked for, with the object that the specification has for it.
#[test]
fn a_refusal_is_an_error_object() {
    let got = Folder::new().run(
        "spiderpool",
        &[("CNI_COMMAND", "STATUS")],
        r#"{"cniVersion": "1.0.0", "name": "a"}"#,
    );
    assert_eq!(
        got.json(),
        json!({"cniVersion": "1.1.0", "code": 1, "msg": "STATUS needs cniVersion 1.1.0, the configuration has 1.0.0"})
    );
}

#[test]
fn a_name_that_is_no_plugin_is_refused() {
    let folder = Folder::new();
    symlink(env!("CARGO_BIN_EXE_railweave-cni"), folder.path().join("bridge")).unwrap();
    let (code, message) = folder.run("bridge", &[("CNI_COMMAND", "VERSION")], "").refusal();
    assert_eq!(
        (code, message.as_str()),
        (4, "there is no plugin \"bridge\" in this program; call it by one of its names")
    );
}

#[test]
fn addresses_come_in_the_version_of_the_configuration() {
    let folder = Folder::new();
    let agent = Agent::start(folder.path(), |_| (200, addresses()));
    for (version, ip) in [
        ("0.3.1", json!({"version": "4", "address": "172.16.1.2/27", "gateway": "172.16.1.30"})),
        ("1.1.0", json!({"address": "172.16.1.2/27", "gateway": "172.16.1.30"})),
    ] {
        let got = folder.ask("ADD", agent.socket(), &json!({"cniVersion": version}));
        let routes = [json!({"dst": "0.0.0.0/0", "gw": "172.16.1.30"})];
        assert_eq!(got.json(), json!({"cniVersion": version, "ips": [ip], "routes": routes}));
        assert!(got.ok);
    }
    let asked = &agent.asked()[0];
    assert_eq!(asked.what, "POST /v1/ipam/ip");
    assert_eq!(
        asked.body,
        json!({"containerID": "4f3c", "ifName": "net1", "netNamespace": "/var/run/netns/no-such-pod", "podNamespace": "ai",
               "podName": "job-0", "podUID": "6f1d"})
    );
    let log = folder.log();
    assert!(
        log.contains(" INFO spiderpool ADD container=4f3c ifname=net1: 172.16.1.2/27 of pod ai/job-0\n"),
        "{log}"
    );
    assert!(!log.contains("DEBUG"), "{log}");
}

#[test]
fn the_agent_s_refusal_is_passed_on() {
    let folder = Folder::new();
    let agent = Agent::start(folder.path(), |_| (500, json!("no pool of gpu1 has an address left")));
    let (code, message) = folder.ask("ADD", agent.socket(), &json!({})).refusal();
    assert_eq!((code, message.as_str()), (103, "no pool of gpu1 has an address left"));
    assert_eq!(agent.asked().len(), 1, "a refusal is not asked for again");
}

/// The agent's pod is being replaced: the runtime tries again, and people are told where to look.
#[test]
fn without_an_agent_an_attach_is_tried_again_later() {
    let folder = Folder::new();
    let nowhere = folder.path().join("agent.sock");
    let got = folder.ask("ADD", &nowhere, &json!({}));
    let (code, message) = got.refusal();
    assert_eq!(code, 11);
    assert_eq!(
        message,
        format!(
            "failed to connect to the node agent on {}; is it running on this node?: No such file or directory (os error 2); \
             see whether the agent's pod of this node runs, and whether ipam.ipam_unix_socket_path is its socket; the \
             kubelet tries again",
            nowhere.display()
        )
    );
    assert!(got.took < Duration::from_secs(4), "{:?}", got.took);
}

#[test]
fn an_agent_that_comes_back_meanwhile_is_found() {
    let folder = Folder::new();
    let late = std::thread::scope(|scope| {
        let agent = scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            Agent::start(folder.path(), |_| (200, addresses()))
        });
        let got = folder.ask("ADD", &folder.path().join("agent.sock"), &json!({}));
        assert!(got.ok, "{got:?}");
        agent.join().unwrap()
    });
    assert_eq!(late.asked().len(), 1);
}

/// It dies after it has heard the question; asking twice gives the same addresses.
#[test]
fn an_agent_that_dies_in_the_middle_is_asked_again() {
    let folder = Folder::new();
    let count = std::sync::atomic::AtomicU32::new(0);
    let agent = Agent::serve(folder.path(), move |_, stream| {
        match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => {}
            1 => drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ips\":")),
            _ => agent::respond(stream, 200, &addresses()),
        }
    });
    let got = folder.ask("ADD", agent.socket(), &json!({}));
    assert!(got.ok, "{got:?}");
    assert_eq!(agent.asked().len(), 3);
}

/// It waits for the leader, or for a pool; asking again would not make it quicker.
#[test]
fn a_slow_agent_is_waited_for_and_asked_once() {
    let folder = Folder::new();
    let agent = Agent::start(folder.path(), |_| {
        std::thread::sleep(Duration::from_millis(1500));
        (200, addresses())
    });
    let got = folder.ask("ADD", agent.socket(), &json!({}));
    assert!(got.ok, "{got:?}");
    assert_eq!(agent.asked().len(), 1);
}

#[test]
fn an_agent_that_never_answers_is_given_up() {
    let folder = Folder::new();
    let agent = Agent::serve(folder.path(), |_, _| std::thread::sleep(Duration::from_mins(1)));
    let got = folder.ask("STATUS", agent.socket(), &json!({}));
    let (code, message) = got.refusal();
    assert_eq!(code, 50);
    let expected =
        format!("the node agent on {} did not answer within 5 s; the log of the", agent.socket().display());
    assert!(message.starts_with(&expected), "{message}");
    assert!(got.took < Duration::from_secs(8), "{:?}", got.took);
}

#[test]
fn what_is_no_agent_is_told_apart() {
    for garbage in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2]"] {
        let folder = Folder::new();
        let agent = Agent::serve(folder.path(), |_, stream| drop(stream.write_all(garbage.as_bytes())));
        let (code, message) = folder.ask("ADD", agent.socket(), &json!({})).refusal();
        assert_eq!(code, 6, "{message}");
        assert!(message.contains("answered with what cannot be read"), "{message}");
    }
}

/// Whatever becomes of the agent, a pod can go.
#[test]
fn a_detach_succeeds_with_and_without_the_agent() {
    let folder = Folder::new();
    let nowhere = folder.path().join("nowhere.sock");
    let got = folder.ask("DEL", &nowhere, &json!({}));
    assert!(got.ok && got.stdout.is_empty(), "{got:?}");
    assert!(got.took < Duration::from_secs(1), "it waits for nobody: {:?}", got.took);
    assert!(
        folder
            .log()
            .contains("WARN spiderpool DEL container=4f3c ifname=net1: the release is left to the leader:")
    );

    let agent = Agent::start(folder.path(), |_| (500, json!("the API server is away")));
    assert!(folder.ask("DEL", agent.socket(), &json!({})).ok);
    assert_eq!(agent.asked()[0].what, "DELETE /v1/ipam/ip");
    // A configuration that an earlier version wrote, and arguments that nobody reads.
    assert!(
        folder.ask("DEL", agent.socket(), &json!({"ipam": {"type": "spiderpool", "log_file_path": 7}})).ok
    );
}

#[test]
fn status_tells_whether_the_agent_answers() {
    let folder = Folder::new();
    let agent = Agent::start(folder.path(), |_| (200, json!(null)));
    assert!(folder.ask("STATUS", agent.socket(), &json!({})).ok);
    assert_eq!(agent.asked()[0].what, "GET /v1/ipam/healthy");
    let (code, message) = folder.ask("STATUS", &PathBuf::from("/nowhere.sock"), &json!({})).refusal();
    assert_eq!(code, 50);
    assert!(message.starts_with("failed to connect to the node agent on /nowhere.sock"), "{message}");
}

#[test]
fn a_check_compares_with_the_agent_s_record() {
    let folder = Folder::new();
    let agent = Agent::start(folder.path(), |_| {
        (
            200,
            json!({"podNamespace": "ai", "podName": "job-0", "podUID": "6f1d", "node": "a",
                     "interfaces": [{"interface": "net1", "ipv4": "172.16.1.2/27"}]}),
        )
    });
    let previous = |address: &str| {
        json!({"prevResult": {"cniVersion": "1.1.0", "interfaces": [{"name": "net1", "sandbox": "/x"}],
                              "ips": [{"address": address, "interface": 0}]}})
    };
    let got = folder.ask("CHECK", agent.socket(), &previous("172.16.1.2/27"));
    assert!(got.ok, "{got:?}");
    let (code, message) = folder.ask("CHECK", agent.socket(), &previous("172.16.1.9/27")).refusal();
    assert_eq!(code, 104);
    assert!(
        message.starts_with("net1 of pod ai/job-0 has 172.16.1.9/27, but 172.16.1.2/27 is recorded for it;"),
        "{message}"
    );
    assert_eq!(agent.asked()[0].what, "GET /v1/workloadendpoint?podNamespace=ai&podName=job-0");
    let (code, _) = folder.ask("CHECK", agent.socket(), &json!({})).refusal();
    assert_eq!(code, 7, "there is nothing to compare with");
}

#[test]
fn collection_of_records_is_left_to_the_leader() {
    let folder = Folder::new();
    let got = folder.ask("GC", Path::new("/nowhere.sock"), &json!({"cni.dev/valid-attachments": []}));
    assert!(got.ok, "{got:?}");
}
