//! Standard streams that the caller has closed, or reads no more.

use std::process::{Command, Stdio};

use serde_json::json;

use super::agent::Agent;
use super::{Folder, addresses};

/// The process ends by itself, so that what it began is completed or undone, and not by the signal for it.
#[test]
fn an_answer_that_nobody_reads_is_a_failure_and_no_signal() {
    let folder = Folder::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(folder.path().join("sriov"))
        .env_clear()
        .env("CNI_COMMAND", "ADD")
        .stdin(Stdio::null())
        .stdout(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1), "{status}");
}

/// Its number is not given to the next file or socket, which would get the answer then.
#[test]
fn an_output_that_is_closed_takes_the_place_of_no_other() {
    let folder = Folder::new();
    let agent = Agent::start(folder.path(), |_| (200, addresses()));
    let log = folder.path().join("log");
    let config = json!({"cniVersion": "1.1.0", "name": "gpu1", "type": "macvlan",
        "ipam": {"type": "spiderpool", "ipam_unix_socket_path": agent.socket(), "log_file_path": &log}});
    let given = folder.path().join("configuration");
    std::fs::write(&given, config.to_string()).unwrap();
    let status = Command::new("sh")
        .args(["-c", "exec \"$0\" <\"$1\" >&- 2>&-"])
        .args([folder.path().join("spiderpool"), given])
        .env_clear()
        .envs([
            ("CNI_COMMAND", "ADD"),
            ("CNI_CONTAINERID", "4f3c"),
            ("CNI_NETNS", "/var/run/netns/no-such-pod"),
        ])
        .envs([("CNI_IFNAME", "net1"), ("CNI_ARGS", super::POD)])
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("172.16.1.2/27 of pod ai/job-0") && !log.contains("\"ips\""), "{log}");
}
