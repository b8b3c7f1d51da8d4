use std::fs::File;
use std::process::Command;

use nix::sched::{CloneFlags, setns, unshare};

/// Puts this thread into a new network namespace, or says why it cannot.
pub(crate) fn enter() -> Result<(), String> {
    if Command::new("ip").arg("-V").output().is_err() {
        return Err("there is no `ip` (iproute2)".to_owned());
    }
    let made = unshare(CloneFlags::CLONE_NEWNET);
    made.map_err(|error| format!("no network namespace can be made, which needs root: {error}"))
}

/// The namespace of this thread.
pub(crate) fn this() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

/// Puts this thread back.
pub(crate) fn back(namespace: &File) {
    setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
}

/// Runs `ip` in this thread's namespace, and returns what it printed.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
