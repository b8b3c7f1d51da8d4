//! The machine: whether it is the guest, and programs run on it.

use std::process::{Command, Output};

/// Is this the guest? Its process 1 says so; else a reason why the test cannot run.
pub(crate) fn here() -> Result<(), String> {
    let first = std::fs::read("/proc/1/cmdline").unwrap_or_default();
    if String::from_utf8_lossy(&first).contains("/railweave-init") {
        return Ok(());
    }
    Err("it runs in the guest only: make e2e-vm".to_owned())
}

/// Runs a program with these words, and returns what it printed.
pub(crate) fn run(line: &str) -> String {
    let output = output(line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program with these words, whatever comes of it.
pub(crate) fn output(line: &str) -> Output {
    command(line).output().unwrap()
}

/// A program with these words, not started yet.
pub(crate) fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command
}

/// Asks again and again until it is so; the test fails after a minute, which is long even under emulation.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !so() {
        assert!(begun.elapsed().as_secs() < 60, "not within a minute: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
