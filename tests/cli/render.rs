use serde_json::{Value, json};

use crate::support::{Folder, GUIDE, piped, railweave};

fn config(object: &Value) -> Value {
    serde_json::from_str(object["spec"]["config"].as_str().unwrap()).unwrap()
}

#[test]
fn the_guides_rails_become_definitions_and_each_older_spelling_is_named() {
    let run = railweave(&["render", "-f", GUIDE]);
    assert_eq!(run.code, 0, "{run:?}");
    let objects = run.objects();
    assert_eq!(objects.len(), 8, "pools are passed over");
    assert_eq!(
        objects[0],
        json!({
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {
                "name": "gpu1-sriov",
                "namespace": "spiderpool",
                "labels": {"app.kubernetes.io/managed-by": "railweave"},
                "annotations": {
                    "cni.spidernet.io/rdma-resource-inject": "rdma-network",
                    "k8s.v1.cni.cncf.io/resourceName": "spidernet.io/gpu1sriov",
                },
            },
            "spec": {"config": "{\"cniVersion\":\"0.3.1\",\"name\":\"gpu1-sriov\",\"plugins\":[{\"type\":\"sriov\",\
                \"ipam\":{\"type\":\"spiderpool\",\"default_ipv4_ippool\":[\"gpu1-net11\"]}},{\"type\":\"rdma\"},\
                {\"type\":\"coordinator\"}]}"},
        })
    );
    assert!(
        run.err.contains("gpu1.yaml:23: SpiderMultusConfig spiderpool/gpu1-sriov: spec.sriov.enableRdma: "),
        "{}",
        run.err
    );
}

#[test]
fn every_example_is_rendered_without_a_word() {
    for example in [
        "custom-mtu",
        "injection-8-rails",
        "per-node-subnet",
        "shared-subnet-infiniband",
        "shared-subnet-roce",
    ] {
        let run = railweave(&["render", "-f", &format!("manifests/examples/{example}")]);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{example}");
        for object in run.objects() {
            assert!(config(&object)["plugins"].as_array().unwrap().len() >= 2, "{example}: {object}");
        }
    }
}

#[test]
fn an_object_of_a_cluster_names_itself_as_owner() {
    let network = json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig",
        "metadata": {"name": "rail", "uid": "u-1", "resourceVersion": "7"},
        "spec": {"cniType": "ipoib", "ipoib": {"master": "ib0"}},
        "status": {"networkAttachmentDefinition": "rail"},
    });
    let run = piped(&["render", "-f", "-"], &network.to_string());
    assert_eq!(run.code, 0, "{run:?}");
    let metadata = &run.objects()[0]["metadata"];
    assert_eq!(metadata["namespace"], "default");
    assert_eq!(metadata["ownerReferences"][0]["uid"], "u-1");
}

const NETWORK: &str = "\
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata: {name: NAME, namespace: rails, annotations: {multus.spidernet.io/cr-name: rail}}
spec:
  cniType: ipoib
  ipoib: {master: ib0}
";

#[test]
fn two_networks_cannot_have_one_definition_and_then_nothing_is_written() {
    let text = format!("{}---\n{}", NETWORK.replace("NAME", "a"), NETWORK.replace("NAME", "b"));
    let folder = Folder::with(&[("rails.yaml", &text)]);
    let run = railweave(&["render", "-f", folder.path()]);
    assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
    let message = "rails.yaml:10: SpiderMultusConfig rails/b: claims the NetworkAttachmentDefinition rails/rail of \
                   SpiderMultusConfig rails/a";
    assert!(run.err.contains(message), "{}", run.err);
}

#[test]
fn what_admission_would_refuse_is_an_error_with_its_line() {
    let text = NETWORK.replace("NAME", "a").replace("ipoib: {master: ib0}", "ipoib: {}");
    let folder = Folder::with(&[("rails.yaml", &text)]);
    let run = railweave(&["render", "-f", folder.path()]);
    assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
    assert!(run.err.contains("rails.yaml:6: SpiderMultusConfig rails/a: spec.ipoib.master: "), "{}", run.err);

    let version = NETWORK.replace("v2beta1", "v1");
    let run = piped(&["render", "-f", "-"], &version);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("is served as spiderpool.spidernet.io/v2beta1"), "{}", run.err);
}

#[test]
fn without_a_network_there_is_nothing_to_do() {
    let run = railweave(&["render", "-f", "manifests/guide/deployment.yaml"]);
    assert_eq!(run.code, 2);
    assert_eq!(run.err, "error: no SpiderMultusConfig in manifests/guide/deployment.yaml\n");
    let run = piped(&["render", "-f", "-"], "a: [");
    assert_eq!(run.code, 2, "{run:?}");
}
