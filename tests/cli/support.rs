//! Runs the binary in the repository's root, without anybody's cluster.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use railweave::yaml;
use serde_json::Value;

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_railweave"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("KUBECONFIG", "/nonexistent")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env_remove("RELEASE_NAMESPACE")
        .env_remove("RAILWEAVE_LOG")
        .env_remove("RAILWEAVE_LOG_FORMAT");
    command
}

pub(crate) fn railweave(arguments: &[&str]) -> Run {
    piped(arguments, "")
}

/// Runs with text on standard input.
pub(crate) fn piped(arguments: &[&str], input: &str) -> Run {
    let mut child = command()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A verb that does not read its input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

impl Run {
    /// The objects on standard output.
    pub(crate) fn objects(&self) -> Vec<Value> {
        objects(&self.out)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) fn objects(text: &str) -> Vec<Value> {
    yaml::documents(text).into_iter().map(|document| document.content.unwrap().value).collect()
}

/// A folder that is gone after the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    /// A file of the folder as an argument.
    pub(crate) fn argument(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }
}

pub(crate) fn repository(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The networks annotation of the guide's eight rails.
pub(crate) fn eight_networks() -> String {
    let entries: Vec<String> =
        (1..=8).map(|rail| format!(r#"{{"name":"gpu{rail}-sriov","namespace":"spiderpool"}}"#)).collect();
    format!("[{}]", entries.join(","))
}

/// The guide's networks, in its own spelling.
pub(crate) const GUIDE: &str = "manifests/guide/webhook";
