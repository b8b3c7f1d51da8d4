use serde_json::Value;

use crate::support::{Folder, GUIDE, piped, railweave, repository};

#[test]
fn every_step_is_told_in_order() {
    let arguments = ["explain", "-f", "manifests/guide/deployment.yaml", "--catalog", GUIDE, "-o", "json"];
    let run = railweave(&arguments);
    assert_eq!(run.code, 0, "{run:?}");
    let pod = &run.json()["pods"][0];
    assert_eq!(pod["source"], "manifests/guide/deployment.yaml:14");
    assert_eq!(pod["object"], "Deployment default/ai-training, spec.template");
    assert_eq!(pod["webhook"], "pods.spiderpool.spidernet.io");
    assert_eq!((&pod["decision"], &pod["reason"]), (&"inject".into(), &"Injected".into()));
    let mut subjects: Vec<&str> =
        pod["steps"].as_array().unwrap().iter().map(|step| step["subject"].as_str().unwrap()).collect();
    subjects.dedup();
    assert_eq!(
        subjects,
        ["webhook", "key", "exemption", "member", "networks", "container", "resource", "decision"]
    );
    let networks = pod["given"]["networks"].as_array().unwrap();
    let names: Vec<&Value> = networks.iter().map(|network| &network["name"]).collect();
    let expected: Vec<String> = (1..=8).map(|rail| format!("gpu{rail}-sriov")).collect();
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    assert_eq!(pod["given"]["resources"].as_object().unwrap().len(), 8);
}

#[test]
fn people_get_the_same_as_lines() {
    let run = railweave(&["explain", "-f", "manifests/guide/deployment.yaml", "--catalog", GUIDE]);
    assert_eq!(run.code, 0);
    assert!(run.out.starts_with("Deployment default/ai-training, spec.template in namespace default ("));
    assert!(run.out.contains("\n  result     inject: Injected\n"), "{}", run.out);
    assert!(run.out.contains("gpu1.yaml:23: SpiderMultusConfig spiderpool/gpu1-sriov: "), "{}", run.out);
    assert!(!run.out.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn a_denial_has_exit_code_1_and_a_pod_that_does_not_ask_is_not_sent() {
    let text = repository("manifests/guide/deployment.yaml");
    let wrong = text.replace("inject: rdma-network", "inject: other");
    let run = piped(&["explain", "-f", "-", "--catalog", GUIDE, "-o", "json"], &wrong);
    assert_eq!(run.code, 1);
    assert_eq!(run.json()["pods"][0]["reason"], "UnknownGroup");
    let silent = text.replace("cni.spidernet.io/rdma-resource-inject: rdma-network", "a: b");
    let run = piped(&["explain", "-f", "-", "--catalog", GUIDE, "-o", "json"], &silent);
    assert_eq!(run.code, 0);
    let pod = &run.json()["pods"][0];
    assert_eq!((&pod["webhook"], &pod["reason"]), (&Value::Null, &"NotOptedIn".into()));
}

#[test]
fn a_pod_that_was_injected_is_recognised() {
    let injected = railweave(&["inject", "-f", "manifests/guide/deployment.yaml", "--catalog", GUIDE]).out;
    let run = piped(&["explain", "-f", "-", "--catalog", GUIDE, "-o", "json"], &injected);
    assert_eq!(run.json()["pods"][0]["reason"], "AlreadyInjected");
}

#[test]
fn what_is_wrong_in_the_catalog_is_told_with_the_decision() {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  conf.yml: |\n    podResourceInject: {enabled: maybe}\n";
    let network = "apiVersion: spiderpool.spidernet.io/v2beta1\nkind: SpiderMultusConfig\nmetadata: {name: n, namespace: spiderpool}\nspec:\n  cniType: [sriov]\n";
    let folder = Folder::with(&[("config.yaml", config), ("network.yaml", network), ("broken.yaml", "a: [")]);
    let run = railweave(&[
        "explain",
        "-f",
        "manifests/guide/deployment.yaml",
        "--catalog",
        folder.path(),
        "-o",
        "json",
    ]);
    assert_eq!(run.code, 1, "{run:?}");
    let problems = run.json()["problems"].clone();
    let problems: Vec<&str> =
        problems.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    for place in ["broken.yaml:", "config.yaml:6: ", "network.yaml:5: "] {
        assert!(problems.iter().any(|problem| problem.contains(place)), "{place}: {problems:?}");
    }
}

#[test]
fn without_a_cluster_the_way_out_is_named() {
    let run = railweave(&["explain", "default/pod"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("kubeconfig") && run.err.contains("hint: "), "{}", run.err);
    assert_eq!(railweave(&["explain", "pod"]).code, 2);
    assert_eq!(railweave(&["explain"]).code, 2);
    let nothing = railweave(&["explain", "-f", "manifests/guide/webhook/gpu1.yaml", "--catalog", GUIDE]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.err.starts_with("error: no pod and no pod template in "), "{}", nothing.err);
}
