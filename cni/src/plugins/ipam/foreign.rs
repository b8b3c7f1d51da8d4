//! IPAM plugins of others, run by the rules of the CNI specification: same environment, same configuration on standard
//! input, result or error object on standard output.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::spec::{Answer, Call, CniError, Version};

pub(super) fn add(call: &Call, name: &str) -> Result<Answer, CniError> {
    let printed = run(call, name)?;
    let result: Value = serde_json::from_slice(&printed)
        .map_err(|error| decode(name, &format!("it printed no result: {error}")))?;
    let version = match result.get("cniVersion").and_then(Value::as_str) {
        Some(version) => Version::of_config(Some(version))?,
        None => call.version,
    };
    Answer::read(&result, version).map_err(|error| error.while_doing(&format!("IPAM plugin {name}")))
}

/// What it printed, if it succeeded.
pub(super) fn run(call: &Call, name: &str) -> Result<Vec<u8>, CniError> {
    let program = find(&call.path, name)?;
    let output = execute(call, &program).map_err(|error| {
        CniError::new(CniError::IO, format!("failed to run IPAM plugin {}: {error}", program.display()))
    })?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    for line in stderr.lines() {
        log::info!("{name}: {line}");
    }
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(match CniError::from_json(&output.stdout) {
        Some(error) => error.while_doing(&format!("IPAM plugin {name}")),
        None => decode(name, &format!("it ended with {}, and printed no error object", output.status))
            .with_details(stderr.trim()),
    })
}

fn decode(name: &str, reason: &str) -> CniError {
    CniError::new(CniError::DECODE, format!("IPAM plugin {name} cannot be understood: {reason}"))
}

fn find(path: &[PathBuf], name: &str) -> Result<PathBuf, CniError> {
    let runs = |file: &PathBuf| {
        file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    path.iter().map(|folder| folder.join(name)).find(runs).ok_or_else(|| {
        let folders: Vec<String> = path.iter().map(|folder| folder.display().to_string()).collect();
        CniError::config(format!(
            "ipam.type is {name:?}, but there is no such program in CNI_PATH ({}); install it there, or write \
             \"spiderpool\"",
            folders.join(", ")
        ))
    })
}

fn execute(call: &Call, program: &Path) -> io::Result<Output> {
    let mut child = Command::new(program)
        .env("CNI_COMMAND", call.command.as_str())
        .env("CNI_CONTAINERID", &call.container_id)
        .env("CNI_NETNS", call.netns.clone().unwrap_or_default())
        .env("CNI_IFNAME", &call.ifname)
        .env("CNI_ARGS", call.args.to_string())
        .env("CNI_PATH", std::env::join_paths(&call.path).unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take();
    let config = call.config.to_string();
    std::thread::scope(|scope| {
        // A plugin may print before it reads, and may not read at all.
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(config.as_bytes())));
        child.wait_with_output()
    })
}
