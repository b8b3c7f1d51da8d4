//! The commands of README and the pages on operation, security, networks, addresses and troubleshooting, run as a person
//! would, in their order.
//!
//! A block marked `sh` runs, and one marked `sh cluster`, which the page on troubleshooting has beside those that need no
//! cluster. `sh removal` ends an installation. `tests/cli/documents.rs` looks after all other marks.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};

use crate::allocation::bound_pod;
use crate::cluster::{Cluster, Components};
use crate::fences::{Block, blocks};
use crate::installation::{Installation, NAMESPACE, Options};
use crate::objects::rails;

/// Blocks of a page with one of these marks.
fn marked(document: &str, marks: &[&str]) -> Vec<Block> {
    let blocks = blocks(document).into_iter().filter(|block| marks.contains(&block.mark.as_str()));
    blocks.collect()
}

fn run(cluster: &Cluster, document: &str, block: &Block) {
    let printed = cluster.shell(&block.text);
    assert!(printed.ok, "{document}, {}:\n{}\n{}", block.section, block.text, printed.err);
}

/// README from top to bottom; the controller starts where a kubelet would start it, after the installation.
pub(crate) async fn of_the_readme_work() {
    let cluster = Cluster::start("readme", Components::Api).await;
    let blocks = marked("README.md", &["sh"]);
    let installed =
        blocks.iter().rposition(|block| block.section == "Install").expect("it says how to install");
    let (before, after) = blocks.split_at(installed + 1);
    assert!(before.len() == 1 && after.len() >= 3, "the page has lost its commands");
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
        marked("docs/operations.md", &["sh"]).into_iter().partition(|block| block.section == "Uninstall");
    assert!(operation.len() >= 15 && removal.len() >= 2, "the page has lost its commands");
    for block in &operation {
        run(&cluster, "operations.md", block);
    }
    // The pod that the page on troubleshooting asks about, and what it asks for.
    cluster.apply(&rails(2));
    cluster.kubectl_ok(&["create", "namespace", "team-a"], "");
    cluster.kubectl_ok(&["create", "serviceaccount", "default", "--namespace", "team-a"], "");
    let pods = Api::<Pod>::namespaced(cluster.client.clone(), "team-a");
    pods.create(&PostParams::default(), &bound_pod("trainer-0", 0)).await.unwrap();
    for (page, marks) in [
        ("security.md", &["sh"][..]),
        ("networks.md", &["sh"][..]),
        ("ipam.md", &["sh"][..]),
        ("troubleshooting.md", &["sh cluster"][..]),
    ] {
        let blocks = marked(&format!("docs/{page}"), marks);
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

/// First as the page says it, with a controller that is alive; then with one that is gone too early.
pub(crate) async fn of_removal_leave_nothing_behind() {
    // The garbage collector takes the registration away.
    let options = || Options { components: Components::All, ..Options::default() };
    let pools = |installation: &Installation| {
        installation.cluster.apply(&rails(2));
        installation.cluster.apply(SUBNET);
    };
    let installation = Installation::start("removal", options()).await.with_rails(2).await;
    pools(&installation);
    for block in marked("docs/operations.md", &["sh removal"]) {
        run(&installation.cluster, "operations.md", &block);
    }
    assert_eq!(definitions(&installation.cluster), Vec::<String>::new());

    let Installation { replicas, cluster, .. } = installation;
    drop(replicas);
    let mut installation = Installation::on(cluster, options()).await.with_rails(2).await;
    pools(&installation);
    installation.replicas.clear();
    installation.cluster.helm_ok(&["uninstall", "spiderpool", "--namespace", NAMESPACE]);
    installation
        .wait_for("the registration to go", || async {
            let left = ["get", "mutatingwebhookconfiguration,validatingwebhookconfiguration", "-o", "name"];
            !installation.cluster.kubectl(&left, "").out.contains("spiderpool")
        })
        .await;
    installation.cluster.kubectl_ok(&["delete", "-f", "manifests/crds", "--wait=false"], "");
    installation
        .wait_for("everything but what is held", || async { definitions(&installation.cluster).len() == 2 })
        .await;
    for block in marked("docs/operations.md", &["sh removal by hand"]) {
        run(&installation.cluster, "operations.md", &block);
    }
    installation
        .wait_for("the definitions to go", || async { definitions(&installation.cluster).is_empty() })
        .await;
}

const SUBNET: &str = "\
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderSubnet
metadata: {name: shared}
spec: {subnet: 172.31.0.0/24, ips: [172.31.0.1-172.31.0.9]}
";

/// Definitions of railweave that the API server still has.
fn definitions(cluster: &Cluster) -> Vec<String> {
    let names = cluster.kubectl_ok(&["get", "crd", "-o", "name"], "").out;
    let ours = names.lines().filter(|name| name.contains("spidernet.io") || name.contains("railweave.io"));
    ours.map(str::to_owned).collect()
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
