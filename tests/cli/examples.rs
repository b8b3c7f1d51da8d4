//! The examples of `--help` run, as far as that goes without a cluster: those that need one get as far as asking for it.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::documents::shell;
use crate::support::{Folder, railweave, repository};

/// Verbs with examples of their own.
const VERBS: [&str; 18] = [
    "serve",
    "demo",
    "review",
    "inject",
    "validate",
    "fix",
    "render",
    "explain",
    "manifests",
    "plan",
    "plan rails",
    "pools",
    "capacity",
    "ipam",
    "ipam audit",
    "controller",
    "agent",
    "completions",
];

const REVIEW: &str = r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u",
"operation": "CREATE", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": "default", "object":
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}}}"#;

const POOL: &str = "{apiVersion: spiderpool.spidernet.io/v2beta1, kind: SpiderIPPool, metadata: {name: new}, \
                    spec: {subnet: 10.9.0.0/24, ips: [10.9.0.1]}}";

/// Prints what the examples ask a cluster for, and takes what they give it.
const KUBECTL: &str = "#!/bin/sh
case \"$*\" in
*deployment*) cat manifests/guide/deployment.yaml ;;
*spidermultusconfig*) cat manifests/guide/webhook/gpu1.yaml ;;
*) cat >/dev/null ;;
esac
";

/// A folder with everything that the examples name.
fn desk() -> Folder {
    let job = repository("manifests/guide/deployment.yaml");
    let folder = Folder::with(&[("new-pool.yaml", POOL), ("job.yaml", &job), ("review.json", REVIEW)]);
    for name in ["networks", "cluster", "pools", "must-gather"] {
        let rails = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/examples/injection-8-rails");
        symlink(rails, folder.file(name)).unwrap();
    }
    for name in ["bin", "certs"] {
        std::fs::create_dir(folder.file(name)).unwrap();
    }
    folder.write("certs/ca.crt", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
    let takes_all = "#!/bin/sh\ncat >/dev/null\n";
    for (name, text) in [("bin/kubectl", KUBECTL), ("bin/jq", takes_all), ("bin/less", takes_all)] {
        folder.write(name, text);
        std::fs::set_permissions(folder.file(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    folder
}

/// The examples of a verb. Help is wrapped: what goes on in the next line begins with no command, or follows a pipe.
fn examples(verb: &str) -> Vec<String> {
    let arguments: Vec<&str> = verb.split(' ').chain(["--help"]).collect();
    let help = railweave(&arguments).out;
    let Some((_, listed)) = help.split_once("Examples:\n") else { return Vec::new() };
    let mut examples: Vec<String> = Vec::new();
    for line in listed.lines().take_while(|line| !line.is_empty()) {
        // What follows two blanks tells what the command is for; so does a line that begins far right.
        let command = line.trim_start().split("  ").next().unwrap().trim_end_matches('\\').trim_end();
        let begins =
            ["railweave ", "kubectl ", "curl ", "source "].iter().any(|word| command.starts_with(word));
        match examples.last_mut() {
            Some(last) if !begins || last.ends_with('|') => {
                if !line.starts_with("     ") || command.starts_with('-') {
                    *last = format!("{last} {command}");
                }
            }
            _ => examples.push(command.to_owned()),
        }
    }
    examples
}

/// Whether an example asks a cluster.
fn needs_cluster(example: &str) -> bool {
    let verb = example.split(' ').nth(1).unwrap_or_default();
    match verb {
        "controller" | "agent" => true,
        "explain" => !example.contains(" --catalog "),
        "pools" | "capacity" | "ipam" => !example.contains(" -f "),
        _ => false,
    }
}

/// As it is written, but that nothing outside the folder is touched, and that bash does not read what is meant for zsh.
fn script(example: &str) -> String {
    let script = example
        .replace("/etc/bash_completion.d/", "certs/")
        .replace("-f manifests/ --in-place", "-f job.yaml --in-place");
    match script.strip_prefix("source <(").and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => inner.to_owned(),
        None => script,
    }
}

#[test]
fn of_every_verb_run_or_reach_for_the_cluster() {
    let folder = desk();
    let mut ran = 0;
    for example in VERBS.iter().flat_map(|verb| examples(verb)) {
        // Servers are tested where they are started, with ports of their own.
        if example.starts_with("railweave serve") || example.starts_with("curl ") {
            continue;
        }
        let run = shell(&format!("export SPIDERPOOL_NODE_NAME=n; {}", script(&example)), &folder);
        if needs_cluster(&example) {
            assert_eq!(run.code, 2, "{example}: {run:?}");
            assert!(run.err.contains("kubeconfig") && !run.err.contains("Usage:"), "{example}: {run:?}");
        } else {
            assert!(run.code <= 1 && !run.err.contains("Usage:"), "{example}: {run:?}");
        }
        ran += 1;
    }
    assert!(ran >= 30, "{ran} examples");
}
