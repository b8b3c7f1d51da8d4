use serde_json::{Value, json};

use crate::support::{Folder, GUIDE, eight_networks, objects, piped, railweave, repository};

fn devices() -> Value {
    let devices = (1..=8).map(|rail| (format!("spidernet.io/gpu{rail}sriov"), Value::from("1")));
    Value::Object(devices.collect())
}

#[test]
fn the_guides_deployment_gets_eight_networks_and_eight_devices_and_is_otherwise_the_same() {
    let run = railweave(&["inject", "-f", "manifests/guide/deployment.yaml", "--catalog", GUIDE]);
    assert_eq!(run.code, 0, "{run:?}");
    let mut expected = objects(&repository("manifests/guide/deployment.yaml"));
    let template = &mut expected[0]["spec"]["template"];
    let annotations = &mut template["metadata"]["annotations"];
    annotations["k8s.v1.cni.cncf.io/networks"] = eight_networks().into();
    annotations["railweave.io/injected"] = "rdma-network=8".into();
    template["metadata"]["labels"]["railweave.io/rails"] = "8".into();
    let resources = &mut template["spec"]["containers"][0]["resources"];
    resources["requests"] = devices();
    let Value::Object(devices) = devices() else { unreachable!() };
    resources["limits"].as_object_mut().unwrap().extend(devices);
    assert_eq!(run.objects(), expected);
    assert!(run.err.contains("manifests/guide/deployment.yaml:14: Injected: rdma-network=8"), "{}", run.err);
}

#[test]
fn what_nothing_happens_to_is_passed_on_byte_for_byte() {
    let text = "\
# A service.
apiVersion: v1
kind: Service
metadata: {name: a}   # short
spec:
  ports: [{port: 0x50}]
---
apiVersion: v1
kind: Pod
metadata:
  name: plain
  annotations: {on: 'yes'}
spec: {containers: [{name: c}]}
";
    let run = piped(&["inject", "-f", "-", "--catalog", GUIDE], text);
    assert_eq!((run.code, run.out.as_str()), (0, text));
}

const TEMPLATE: &str = r#"{"metadata":{"annotations":{"cni.spidernet.io/rdma-resource-inject":"rdma-network"}},"spec":{"containers":[{"name":"c"}]}}"#;

#[test]
fn pods_are_found_in_every_kind_of_workload() {
    let object = |version: &str, kind: &str, spec: &str| {
        format!(r#"{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"w"}},"spec":{spec}}}"#)
    };
    let plain = format!(r#"{{"template":{TEMPLATE}}}"#);
    let cases = [
        (object("apps/v1", "Deployment", &plain), vec!["/spec/template"]),
        (object("apps/v1", "StatefulSet", &plain), vec!["/spec/template"]),
        (object("apps/v1", "DaemonSet", &plain), vec!["/spec/template"]),
        (object("apps/v1", "ReplicaSet", &plain), vec!["/spec/template"]),
        (object("batch/v1", "Job", &plain), vec!["/spec/template"]),
        (
            object("batch/v1", "CronJob", &format!(r#"{{"jobTemplate":{{"spec":{plain}}}}}"#)),
            vec!["/spec/jobTemplate/spec/template"],
        ),
        (
            object(
                "kubeflow.org/v1",
                "PyTorchJob",
                &format!(r#"{{"pytorchReplicaSpecs":{{"Master":{plain},"Worker":{plain}}}}}"#),
            ),
            vec!["/spec/pytorchReplicaSpecs/Master/template", "/spec/pytorchReplicaSpecs/Worker/template"],
        ),
        (
            object(
                "leaderworkerset.x-k8s.io/v1",
                "LeaderWorkerSet",
                &format!(
                    r#"{{"leaderWorkerTemplate":{{"leaderTemplate":{TEMPLATE},"workerTemplate":{TEMPLATE}}}}}"#
                ),
            ),
            vec!["/spec/leaderWorkerTemplate/leaderTemplate", "/spec/leaderWorkerTemplate/workerTemplate"],
        ),
        (
            format!(
                r#"{{"apiVersion":"v1","kind":"List","items":[{},{}]}}"#,
                object("apps/v1", "Deployment", &plain),
                object("batch/v1", "Job", &plain)
            ),
            vec!["/items/0/spec/template", "/items/1/spec/template"],
        ),
    ];
    for (text, templates) in cases {
        let run = piped(&["inject", "-f", "-", "--catalog", GUIDE], &text);
        assert_eq!(run.code, 0, "{text}: {}", run.err);
        let object = &run.objects()[0];
        for template in templates {
            let template = object.pointer(template).unwrap();
            assert_eq!(template["metadata"]["annotations"]["railweave.io/injected"], "rdma-network=8");
            assert_eq!(template["spec"]["containers"][0]["resources"]["limits"], devices(), "{text}");
        }
    }
}

#[test]
fn a_template_without_metadata_of_its_own_is_injected_when_its_namespace_opted_in() {
    let folder = Folder::with(&[(
        "namespace.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: team\n  annotations:\n    cni.spidernet.io/rdma-resource-inject: rdma-network\n",
    )]);
    for file in 1..=8 {
        let name = format!("gpu{file}.yaml");
        folder.write(&name, &repository(&format!("{GUIDE}/{name}")));
    }
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n  template:\n    spec:\n      containers: [{name: c}]\n";
    let run = piped(&["inject", "-f", "-", "--catalog", folder.path(), "--namespace", "team"], job);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        run.objects()[0]["spec"]["template"]["metadata"],
        json!({
            "annotations": {
                "k8s.v1.cni.cncf.io/networks": eight_networks(), "railweave.io/injected": "rdma-network=8"
            },
            "labels": {"railweave.io/rails": "8"}
        })
    );
    let elsewhere = piped(&["inject", "-f", "-", "--catalog", folder.path()], job);
    assert_eq!((elsewhere.code, elsewhere.out.as_str()), (0, job));
}

#[test]
fn injecting_twice_is_injecting_once() {
    let once = railweave(&["inject", "-f", "manifests/guide/deployment.yaml", "--catalog", GUIDE]);
    let twice = piped(&["inject", "-f", "-", "--catalog", GUIDE], &once.out);
    assert_eq!((twice.code, twice.out), (0, once.out));
}

#[test]
fn texts_that_look_like_other_types_stay_texts() {
    let text = "\
apiVersion: v1
kind: Pod
metadata:
  name: a
  annotations:
    cni.spidernet.io/rdma-resource-inject: rdma-network
    a: \"yes\"
    b: '1'
    c: \"0x1000\"
    d: '1e3'
    e: \"null\"
    f: \"\"
spec:
  containers:
  - name: c
    args: [\"-c\", \"a\\nb\\n\"]
";
    let run = piped(&["inject", "-f", "-", "--catalog", GUIDE], text);
    let annotations = &run.objects()[0]["metadata"]["annotations"];
    for (key, value) in [("a", "yes"), ("b", "1"), ("c", "0x1000"), ("d", "1e3"), ("e", "null"), ("f", "")] {
        assert_eq!(annotations[key], value);
    }
    assert_eq!(run.objects()[0]["spec"]["containers"][0]["args"], json!(["-c", "a\nb\n"]));
}

#[test]
fn a_denied_pod_means_no_output_at_all() {
    let text = repository("manifests/guide/deployment.yaml");
    let wrong = text.replace("rdma-resource-inject: rdma-network", "rdma-resource-inject: rdma-netwrok");
    let run = piped(&["inject", "-f", "-", "--catalog", GUIDE], &format!("{text}---\n{wrong}"));
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    let denial = run.err.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(denial.starts_with("error: -:44: UnknownGroup: pod default/ai-training-*"), "{denial}");
    assert!(denial.contains("rdma-netwrok") && denial.contains("rdma-network"), "{denial}");
}

#[test]
fn what_cannot_be_read_is_named_with_its_line_and_exit_code_2() {
    let run = piped(&["inject", "-f", "-", "--catalog", GUIDE], "a: 1\n---\nb: [\n---\nc: 1\n");
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("error: failed to read 1 of the documents given: -:"), "{}", run.err);

    let run = railweave(&["inject", "-f", "no-such-file.yaml", "--catalog", GUIDE]);
    assert_eq!(run.code, 2);
    assert_eq!(
        run.err,
        "error: failed to read no-such-file.yaml: No such file or directory (os error 2)\n\
         hint: -f takes files and directories; `-` is standard input\n"
    );

    let run = railweave(&["inject", "-f", "manifests/guide/deployment.yaml", "--catalog", "no-such-folder"]);
    assert_eq!(run.code, 2);
    assert!(run.err.starts_with("error: failed to list the directory no-such-folder: "), "{}", run.err);
}
