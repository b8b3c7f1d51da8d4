//! Networks become the definitions that Multus reads, and stay so.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Components};
use crate::installation::{Installation, Options};
use crate::objects::rails;

const NAD: &str = "network-attachment-definition";

fn parsed(text: &str) -> Vec<Value> {
    railweave::yaml::documents(text).into_iter().map(|document| document.content.unwrap().value).collect()
}

/// An object of namespace `spiderpool`, null when it is not there.
fn find(installation: &Installation, kind: &str, name: &str) -> Value {
    let printed =
        installation.cluster.kubectl(&["get", "-o", "json", kind, name, "--namespace", "spiderpool"], "");
    serde_json::from_str(&printed.out).unwrap_or_default()
}

fn condition(network: &Value) -> &Value {
    let conditions = network["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == "Rendered").unwrap_or(&Value::Null)
}

/// Waits until the network's condition has this reason for its present generation; returns the network.
async fn told(installation: &Installation, name: &str, reason: &str) -> Value {
    let network = || find(installation, "smc", name);
    installation
        .wait_for(&format!("{reason} on {name}"), || async {
            let network = network();
            let condition = condition(&network);
            condition["reason"] == reason
                && condition["observedGeneration"] == network["metadata"]["generation"]
        })
        .await;
    network()
}

/// Waits until the definitions of manifests are in the cluster as `railweave render` prints them; returns them.
async fn rendered(installation: &Installation, path: &str) -> Vec<Value> {
    let printed = installation.cluster.shell(&format!("railweave render -f {path}"));
    assert!(printed.ok, "{path}: {}", printed.err);
    let expected = parsed(&printed.out);
    assert!(!expected.is_empty(), "{path}");
    let mut found = Vec::new();
    for wanted in expected {
        let text = |field: &str| wanted["metadata"][field].as_str().unwrap().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let get = || {
            let get = ["get", "-o", "json", NAD, &name, "--namespace", &namespace];
            serde_json::from_str::<Value>(&installation.cluster.kubectl(&get, "").out).unwrap_or_default()
        };
        installation
            .wait_for(&format!("{path}: {namespace}/{name}"), || async { get()["spec"] == wanted["spec"] })
            .await;
        let there = get();
        assert_eq!(there["metadata"]["labels"], wanted["metadata"]["labels"]);
        assert_eq!(there["metadata"]["annotations"], wanted["metadata"]["annotations"]);
        let owner = &there["metadata"]["ownerReferences"];
        assert_eq!(owner.as_array().map(Vec::len), Some(1), "{owner}");
        assert_eq!(
            (&owner[0]["kind"], &owner[0]["controller"]),
            (&json!("SpiderMultusConfig"), &json!(true))
        );
        found.push(there);
    }
    found
}

/// The examples and the guide's own manifests, one set-up after the other: they share names.
pub(crate) async fn of_examples_and_guide_become_definitions() {
    let installation = Installation::start("networks", Options::default()).await;
    let cluster = &installation.cluster;
    for path in [
        "manifests/examples/custom-mtu",
        "manifests/examples/injection-8-rails",
        "manifests/examples/per-node-subnet",
        "manifests/examples/shared-subnet-infiniband",
        "manifests/examples/shared-subnet-roce",
        "manifests/guide/custom-mtu.yaml",
        "manifests/guide/per-node-subnet",
        "manifests/guide/shared-subnet-infiniband.yaml",
        "manifests/guide/shared-subnet-roce.yaml",
        "manifests/guide/ufm-pkey.yaml",
        "manifests/guide/webhook",
    ] {
        // Workloads of an example are not what this is about.
        let apply = format!("kubectl apply -R -f {path} && kubectl delete deployment --all >/dev/null");
        let applied = cluster.shell(&apply);
        assert!(applied.ok, "{path}: {}", applied.err);
        let definitions = rendered(&installation, path).await;
        let deleted = cluster.shell("kubectl delete smc --all --all-namespaces && kubectl delete sp --all");
        assert!(deleted.ok, "{path}: {}", deleted.err);
        // Nobody but the controller collects garbage here.
        installation
            .wait_for(&format!("{path}: the end of {} definitions", definitions.len()), || async {
                let left = cluster.kubectl_ok(&["get", NAD, "--all-namespaces", "-o", "name"], "").out;
                left.is_empty()
            })
            .await;
    }
}

/// The guide's first rail, rendered.
const CONFIG: &str = "{\"cniVersion\":\"0.3.1\",\"name\":\"gpu1-sriov\",\"plugins\":[{\"type\":\"sriov\",\"ipam\":{\"type\":\
                      \"spiderpool\",\"default_ipv4_ippool\":[\"gpu1-net11\"]}},{\"type\":\"rdma\"},{\"type\":\"coordinator\"}]}";

pub(crate) async fn are_kept_in_order() {
    let installation = Installation::start("networks-kept", Options::default()).await;
    installation.cluster.apply(&rails(1));
    let network = told(&installation, "gpu1-sriov", "Rendered").await;
    assert_eq!(network["status"]["networkAttachmentDefinition"], "gpu1-sriov");
    assert_eq!(find(&installation, NAD, "gpu1-sriov")["spec"]["config"], CONFIG);
    let events = installation.cluster.get(&["events", "--namespace", "spiderpool"])["items"].clone();
    let of_network = |event: &&Value| event["involvedObject"]["name"] == "gpu1-sriov";
    let events: Vec<&Value> = events.as_array().unwrap().iter().filter(of_network).collect();
    assert_eq!(events.len(), 1, "{events:?}");
    let event = [&events[0]["type"], &events[0]["reason"], &events[0]["message"]];
    assert_eq!(event, ["Normal", "Rendered", "is NetworkAttachmentDefinition spiderpool/gpu1-sriov"]);

    are_repaired(&installation).await;
    follow_their_network(&installation).await;

    // Nothing is written that has nothing to say.
    told(&installation, "gpu1-sriov", "Rendered").await;
    let versions = || {
        let version = |kind| find(&installation, kind, "gpu1-sriov")["metadata"]["resourceVersion"].clone();
        (version("smc"), version(NAD))
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = versions();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(versions(), before);

    // Another name: the new definition first, then the old one goes.
    edit(
        &installation,
        "smc",
        &json!({"metadata": {"annotations": {"multus.spidernet.io/cr-name": "rail-1"}}}),
    );
    installation
        .wait_for("the new name", || async {
            find(&installation, NAD, "gpu1-sriov").is_null()
                && find(&installation, NAD, "rail-1")["spec"]["config"].is_string()
        })
        .await;
    let named = told(&installation, "gpu1-sriov", "Rendered").await;
    assert_eq!(named["status"]["networkAttachmentDefinition"], "rail-1");
}

fn edit(installation: &Installation, kind: &str, patch: &Value) {
    let patch = patch.to_string();
    let arguments = ["patch", kind, "gpu1-sriov", "--namespace", "spiderpool", "--type=merge", "-p", &patch];
    installation.cluster.kubectl_ok(&arguments, "");
}

/// What others add stays, what they change is put right, and a definition that they delete comes back.
async fn are_repaired(installation: &Installation) {
    let definition = || find(installation, NAD, "gpu1-sriov");
    let labels = json!({"team": "a", "app.kubernetes.io/managed-by": "me"});
    edit(
        installation,
        NAD,
        &json!({"metadata": {"labels": labels, "annotations": {"note": "b"}}, "spec": {"config": "{}"}}),
    );
    let took =
        installation.wait_for("the repair", || async { definition()["spec"]["config"] == CONFIG }).await;
    eprintln!("networks: an edited definition was repaired within {} ms", took.as_millis());
    let repaired = definition();
    assert_eq!(
        repaired["metadata"]["labels"],
        json!({"team": "a", "app.kubernetes.io/managed-by": "railweave"})
    );
    assert_eq!(repaired["metadata"]["annotations"]["note"], "b");
    installation.cluster.kubectl_ok(&["delete", NAD, "gpu1-sriov", "--namespace", "spiderpool"], "");
    let took =
        installation.wait_for("the deleted one", || async { definition()["spec"]["config"] == CONFIG }).await;
    eprintln!("networks: a deleted definition was back within {} ms", took.as_millis());
}

/// What the network says changes; what it no longer says goes.
async fn follow_their_network(installation: &Installation) {
    let definition = || find(installation, NAD, "gpu1-sriov");
    let change = |annotation: Value, mtu: Value| {
        let patch = json!({"metadata": {"annotations": {"example.com/a": annotation}}, "spec": {"sriov": {"mtu": mtu}}});
        edit(installation, "smc", &patch);
    };
    change(json!("1"), json!(4200));
    installation
        .wait_for("the change", || async {
            let definition = definition();
            definition["metadata"]["annotations"]["example.com/a"] == "1"
                && definition["spec"]["config"].as_str().unwrap().contains(r#"{"type":"tuning","mtu":4200}"#)
        })
        .await;
    change(Value::Null, Value::Null);
    installation
        .wait_for("the change back", || async {
            let definition = definition();
            definition["metadata"]["annotations"]["example.com/a"].is_null()
                && definition["spec"]["config"] == CONFIG
        })
        .await;
}

/// What admission would refuse or could not see is in the cluster before anything of railweave runs.
pub(crate) async fn share_no_name_and_overwrite_nothing_foreign() {
    let options = Options { replicas: 0, ..Options::default() };
    let mut installation = Installation::start("networks-names", options).await;
    let network = |name: &str, definition: &str| {
        format!(
            "---\napiVersion: spiderpool.spidernet.io/v2beta1\nkind: SpiderMultusConfig\nmetadata: {{name: {name}, \
             namespace: spiderpool, annotations: {{multus.spidernet.io/cr-name: {definition}}}}}\nspec: {{cniType: \
             ipoib, ipoib: {{master: ib0}}}}\n"
        )
    };
    let foreign = |name: &str, owner: &str| {
        format!(
            "---\napiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\nmetadata: {{name: {name}, \
             namespace: spiderpool{owner}}}\nspec: {{config: '{{\"type\":\"mine\"}}'}}\n"
        )
    };
    let cluster = &installation.cluster;
    cluster.apply(&network("z-older", "shared"));
    // Creation times are whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    cluster.apply(
        &[network("a-younger", "shared"), network("mine", "mine"), network("adopted", "adopted")].concat(),
    );
    let uid = find(&installation, "smc", "adopted")["metadata"]["uid"].as_str().unwrap().to_owned();
    let owner = format!(
        ", ownerReferences: [{{apiVersion: spiderpool.spidernet.io/v2beta1, kind: SpiderMultusConfig, name: adopted, \
         uid: {uid}, controller: true, blockOwnerDeletion: true}}]"
    );
    cluster.apply(&[foreign("mine", ""), foreign("adopted", &owner)].concat());
    installation.add_replica().await;

    let older = told(&installation, "z-older", "Rendered").await;
    assert_eq!(older["status"]["networkAttachmentDefinition"], "shared");
    let younger = told(&installation, "a-younger", "NameTaken").await;
    assert!(condition(&younger)["message"].as_str().unwrap().contains("z-older"), "{younger}");
    assert!(younger["status"]["networkAttachmentDefinition"].is_null());
    let owners = &find(&installation, NAD, "shared")["metadata"]["ownerReferences"];
    assert_eq!((owners.as_array().unwrap().len(), &owners[0]["name"]), (1, &json!("z-older")));

    told(&installation, "mine", "NotOurs").await;
    let untouched = find(&installation, NAD, "mine");
    assert_eq!(untouched["spec"]["config"], r#"{"type":"mine"}"#);
    assert!(untouched["metadata"]["ownerReferences"].is_null() && untouched["metadata"]["labels"].is_null());
    let reasons = installation
        .cluster
        .kubectl_ok(&["get", "events", "--namespace", "spiderpool", "-o", "jsonpath={.items[*].reason}"], "");
    for reason in ["NotOurs", "NameTaken", "Rendered"] {
        assert!(reasons.out.contains(reason), "{}", reasons.out);
    }

    told(&installation, "adopted", "Rendered").await;
    let adopted = find(&installation, NAD, "adopted");
    assert!(adopted["spec"]["config"].as_str().unwrap().contains("ipoib"), "{adopted}");
    assert_eq!(adopted["metadata"]["ownerReferences"].as_array().unwrap().len(), 1);

    // With the older one its claim goes; a foreign definition that is handed over is taken.
    installation.cluster.kubectl_ok(&["delete", "smc", "z-older", "--namespace", "spiderpool"], "");
    told(&installation, "a-younger", "Rendered").await;
    let owners = &find(&installation, NAD, "shared")["metadata"]["ownerReferences"];
    assert_eq!(owners[0]["name"], "a-younger");
    let label = "app.kubernetes.io/managed-by=railweave";
    installation.cluster.kubectl_ok(&["label", NAD, "mine", label, "--namespace", "spiderpool"], "");
    told(&installation, "mine", "Rendered").await;
}

pub(crate) async fn survive_what_happens_around_them() {
    let options = Options { replicas: 2, ..Options::default() };
    let mut installation = Installation::start("networks-around", options).await;
    let crd = "network-attachment-definitions.k8s.cni.cncf.io";
    installation.cluster.apply(&rails(8));
    for rail in 1..=8 {
        told(&installation, &format!("gpu{rail}-sriov"), "Rendered").await;
    }

    // A new leader repairs what happened while there was none.
    installation.replicas.remove(0).kill();
    installation.cluster.kubectl_ok(&["delete", NAD, "--all", "--namespace", "spiderpool"], "");
    let count = |installation: &Installation| {
        let listed = installation.cluster.kubectl(&["get", NAD, "-n", "spiderpool", "-o", "name"], "");
        listed.out.lines().count()
    };
    installation.wait_for("all definitions", || async { count(&installation) == 8 }).await;

    // The watches come back after a restart of the API server.
    installation.cluster.restart_api_server(Duration::from_secs(2));
    installation.cluster.kubectl_ok(&["delete", NAD, "--all", "--namespace", "spiderpool"], "");
    installation.wait_for("all definitions", || async { count(&installation) == 8 }).await;

    // Without the kind it is said so, and with it everything is there again.
    installation.cluster.kubectl_ok(&["delete", "crd", crd], "");
    let told_so = told(&installation, "gpu1-sriov", "NoSuchKind").await;
    assert_eq!(condition(&told_so)["status"], "False");
    let log =
        std::fs::read_to_string(installation.cluster.logs().join("spiderpool-controller-2.log")).unwrap();
    assert_eq!(log.matches("the cluster has no kind NetworkAttachmentDefinition; networks").count(), 1);
    let definition = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("manifests/multus/k8s.cni.cncf.io_network-attachment-definitions.yaml"),
    );
    installation.cluster.apply(&definition.unwrap());
    installation.wait_for("all definitions", || async { count(&installation) == 8 }).await;
    for rail in 1..=8 {
        told(&installation, &format!("gpu{rail}-sriov"), "Rendered").await;
    }
}

/// Multus may have been there first, with a definition of its own.
pub(crate) async fn leave_the_kind_of_multus_as_it_is() {
    let cluster = Cluster::start("networks-multus", Components::Api).await;
    let theirs = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "network-attachment-definitions.k8s.cni.cncf.io", "labels": {"by": "multus"}},
        "spec": {
            "group": "k8s.cni.cncf.io", "scope": "Namespaced",
            "names": {"kind": "NetworkAttachmentDefinition", "plural": "network-attachment-definitions",
                "singular": "network-attachment-definition", "shortNames": ["net-attach-def"]},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    cluster.apply(&theirs.to_string());
    let read = |cluster: &Cluster| {
        let crd = cluster.get(&["crd", "network-attachment-definitions.k8s.cni.cncf.io"]);
        (crd["spec"].clone(), crd["metadata"]["labels"].clone(), crd["metadata"]["generation"].clone())
    };
    let before = read(&cluster);
    let installation = Installation::on(cluster, Options::default()).await;
    assert_eq!(read(&installation.cluster), before);
    installation.cluster.apply(&rails(1));
    told(&installation, "gpu1-sriov", "Rendered").await;
}
