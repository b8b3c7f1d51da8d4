//! The commands of README and the pages on operation, security, networks and addresses, run as a person would, in their order.
//!
//! A block marked `sh` runs. One marked `sh pods` needs pods that a kubelet runs: only its syntax is checked. One
//! marked `sh make` names a task that runs elsewhere (this test is part of one): it must exist.

use std::path::Path;
use std::process::Command;

use crate::cluster::{Cluster, Components};
use crate::installation::{Installation, Options};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

struct Block {
    section: String,
    script: String,
    mark: Mark,
}

#[derive(Clone, Copy)]
enum Mark {
    Runs,
    NeedsPods,
    Make,
}

impl Mark {
    fn of(fence: &str) -> Option<Self> {
        match fence {
            "```sh" => Some(Self::Runs),
            "```sh pods" => Some(Self::NeedsPods),
            "```sh make" => Some(Self::Make),
            _ => None,
        }
    }
}

fn blocks(document: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(Path::new(ROOT).join(document)).unwrap();
    let (mut section, mut open) = (String::new(), None::<Block>);
    let mut blocks = Vec::new();
    for line in text.lines() {
        match (&mut open, line) {
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => {
                block.script.push_str(line);
                block.script.push('\n');
            }
            (None, line) if line.starts_with("## ") => line[3..].clone_into(&mut section),
            (None, fence) => {
                let block = |mark| Block { section: section.clone(), script: String::new(), mark };
                open = Mark::of(fence).map(block);
            }
        }
    }
    blocks
}

fn run(cluster: &Cluster, document: &str, block: &Block) {
    let script = match block.mark {
        Mark::Runs => block.script.clone(),
        Mark::NeedsPods => {
            let parsed = Command::new("bash").args(["-n", "-c", &block.script]).status();
            assert!(parsed.is_ok_and(|status| status.success()), "{document}:\n{}", block.script);
            return;
        }
        Mark::Make => block.script.replace("make ", "make --dry-run "),
    };
    let printed = cluster.shell(&script);
    assert!(printed.ok, "{document}, {}:\n{}\n{}", block.section, block.script, printed.err);
}

/// README from top to bottom; the controller starts where a kubelet would start it, after the installation.
pub(crate) async fn of_the_readme_work() {
    let cluster = Cluster::start("readme", Components::Api).await;
    let blocks = blocks("README.md");
    let installed =
        blocks.iter().rposition(|block| block.section == "Install").expect("it says how to install");
    let (before, after) = blocks.split_at(installed + 1);
    assert!(before.len() >= 3 && after.len() >= 3, "the page has lost its commands");
    for block in before {
        run(&cluster, "README.md", block);
    }
    let installation = Installation::on(cluster, Options { replicas: 1, ..Options::default() }).await;
    for block in after {
        run(&installation.cluster, "README.md", block);
    }
    let groups = installation.cluster.get(&["spidermultusconfigs", "-n", "spiderpool"]);
    assert_eq!(groups["items"].as_array().map(Vec::len), Some(8), "the guide's eight rails");
}

/// All of the page; before its last section, all of the other page.
pub(crate) async fn of_operation_and_security_work() {
    let cluster = Cluster::start("documents", Components::Api).await;
    let (removal, operation): (Vec<_>, Vec<_>) =
        blocks("docs/operations.md").into_iter().partition(|block| block.section == "Uninstall");
    assert!(operation.len() >= 15 && removal.len() >= 2, "the page has lost its commands");
    for block in &operation {
        run(&cluster, "operations.md", block);
    }
    for page in ["security.md", "networks.md", "ipam.md"] {
        let blocks = blocks(&format!("docs/{page}"));
        assert!(!blocks.is_empty(), "{page} has lost its commands");
        for block in &blocks {
            run(&cluster, page, block);
        }
    }
    for block in &removal {
        run(&cluster, "operations.md", block);
    }
    let kept = cluster.kubectl_ok(&["get", "crd", "-o", "name"], "").out;
    assert_eq!(kept.lines().count(), 8, "pools, networks and what Multus reads outlive the release: {kept}");
    let namespace = ["-n", "spiderpool", "get", "deployment,service,configmap,role", "-o", "name"];
    let left = cluster.kubectl_ok(&namespace, "").out;
    assert!(!left.contains("spiderpool-c"), "left behind: {left}");
}

/// What the page says of definitions that are there already, and of edits that helm does not know.
pub(crate) async fn of_an_earlier_installation_are_taken_over() {
    let cluster = Cluster::start("take-over", Components::Api).await;
    let install = "helm upgrade --install spiderpool charts/railweave -n spiderpool --create-namespace";
    assert!(cluster.shell("kubectl apply --server-side -f manifests/crds").ok);
    let refused = cluster.shell(install);
    assert!(!refused.ok && refused.err.contains("invalid ownership metadata"), "{}", refused.err);
    let taken = cluster.shell(&format!("{install} --take-ownership"));
    assert!(taken.ok, "{}", taken.err);

    let edit = r#"kubectl -n spiderpool patch configmap spiderpool-config -p '{"data":{"conf.yml":"enableIPv4: 7"}}'"#;
    assert!(cluster.shell(edit).ok);
    assert!(cluster.shell("helm upgrade spiderpool charts/railweave -n spiderpool --reuse-values").ok);
    let config = cluster.get(&["configmap", "spiderpool-config", "-n", "spiderpool"]);
    assert!(config["data"]["conf.yml"].as_str().unwrap().starts_with("enableIPv4: true\n"), "{config}");
}
