use serde_json::json;

use crate::support::{Folder, GUIDE, railweave};

const POOL: &str = "\
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: a
spec:
  subnet: 10.0.0.0/24
  ips:
  - 10.0.0.1-10.0.0.9
";

#[test]
fn the_guides_manifests_are_right_with_warnings_at_their_lines() {
    let run = railweave(&["validate", "-f", GUIDE]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.ends_with("16 objects checked, 0 passed over: 0 errors, 24 warnings\n"), "{}", run.out);
    let line = "manifests/guide/webhook/gpu1.yaml:23: warning: SpiderMultusConfig spiderpool/gpu1-sriov: \
                spec.sriov.enableRdma: ";
    assert!(run.out.contains(line), "{}", run.out);
    assert!(run.out.contains("manifests/guide/webhook/gpu1.yaml:25: warning: "), "{}", run.out);
    assert!(run.out.contains("manifests/guide/webhook/gpu1.yaml:2: ok: SpiderIPPool gpu1-net11\n"));
}

#[test]
fn strict_refuses_the_spellings_that_are_otherwise_mended() {
    let run = railweave(&["validate", "-f", GUIDE, "--strict"]);
    assert_eq!(run.code, 1);
    assert!(run.out.ends_with("0 passed over: 24 errors, 0 warnings\n"), "{}", run.out);
}

#[test]
fn every_error_of_every_object_comes_with_file_line_and_reason() {
    let wrong = "\
kind: ConfigMap
apiVersion: v1
metadata: {name: other}
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: a
spec:
  ipVersion: 4
  subnet: 10.0.0.0/33
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: b
spec:
  subnet: 10.0.0.0/24
  ips:
  - 10.0.0.1-10.0.0.9
  - 10.1.0.1
  gateway: nowhere
";
    let folder = Folder::with(&[("pools.yaml", wrong)]);
    let run = railweave(&["validate", "-f", &folder.argument("pools.yaml"), "-o", "json"]);
    assert_eq!(run.code, 1, "{run:?}");
    let report = run.json();
    let found: Vec<_> = report["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| {
            let errors = object["errors"].as_array().unwrap().iter();
            let places = errors.map(|error| json!([error["line"], error["field"]])).collect::<Vec<_>>();
            json!([object["line"], object["name"], object["checked"], places])
        })
        .collect();
    assert_eq!(
        found,
        [
            json!([1, "other", false, []]),
            json!([5, "a", true, [[11, "spec.subnet"]]]),
            json!([13, "b", true, [[21, "spec.ips[1]"], [22, "spec.gateway"]]]),
        ]
    );
    assert_eq!(report["summary"]["errors"], 3);
    assert_eq!(report["objects"][1]["errors"][0]["reason"], "FieldValueInvalid");
}

#[test]
fn objects_given_together_are_checked_against_each_other() {
    let folder =
        Folder::with(&[("a.yaml", POOL), ("b.yaml", &POOL.replace("name: a", "name: b").replace('9', "5"))]);
    let run = railweave(&["validate", "-f", folder.path()]);
    assert_eq!(run.code, 1, "{run:?}");
    for (file, other) in [("a", "b"), ("b", "a")] {
        let place =
            format!("{}: error: SpiderIPPool {file}: spec.ips", folder.argument(&format!("{file}.yaml:7")));
        let line = run.out.lines().find(|line| line.starts_with(&place)).unwrap_or_else(|| panic!("{run:?}"));
        assert!(line.contains(&format!("SpiderIPPool {other}")), "{line}");
    }
    let alone = railweave(&["validate", "-f", &folder.argument("a.yaml")]);
    assert_eq!(alone.code, 0, "no object is its own peer: {alone:?}");
}

#[test]
fn a_change_is_checked_against_what_is_stored() {
    let stored = Folder::with(&[("a.yaml", POOL)]);
    let changed = Folder::with(&[("a.yaml", &POOL.replace("10.0.0.", "10.0.1."))]);
    let run =
        railweave(&["validate", "-f", &changed.argument("a.yaml"), "--catalog", stored.path(), "-o", "json"]);
    assert_eq!(run.code, 1, "{run:?}");
    let errors = run.json()["objects"][0]["errors"].clone();
    assert_eq!(errors[0]["field"], "spec.subnet", "the subnet of a pool never changes: {errors}");
}

#[test]
fn the_configuration_is_checked_inside_its_config_map() {
    let config = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: spiderpool-config
  namespace: spiderpool
data:
  conf.yml: |
    podResourceInject:
      enabled: true
      namespacesInclude: [\"Team\"]
";
    let folder = Folder::with(&[("config.yaml", config)]);
    let run = railweave(&["validate", "-f", folder.path(), "-o", "json"]);
    assert_eq!(run.code, 1, "{run:?}");
    let error = &run.json()["objects"][0]["errors"][0];
    assert_eq!(error["field"], "podResourceInject.namespacesInclude[0]");
    assert_eq!(error["line"], 10);
}

#[test]
fn pods_that_would_be_denied_are_errors_when_there_is_something_to_decide_with() {
    let deployment = crate::support::repository("manifests/guide/deployment.yaml")
        .replace("inject: rdma-network", "inject: rdma-netwrok");
    let folder = Folder::with(&[("deployment.yaml", &deployment)]);
    let file = folder.argument("deployment.yaml");
    let run = railweave(&["validate", "-f", &file, "--catalog", GUIDE, "-o", "json"]);
    assert_eq!(run.code, 1, "{run:?}");
    let error = &run.json()["objects"][0]["errors"][0];
    assert_eq!((&error["reason"], &error["line"]), (&json!("UnknownGroup"), &json!(18)));
    let nothing = railweave(&["validate", "-f", &file]);
    assert_eq!(nothing.code, 0, "without networks nothing is known about groups: {nothing:?}");
    assert!(nothing.out.contains("passed over: Deployment default/ai-training"), "{}", nothing.out);
}

#[test]
fn unreadable_documents_do_not_hide_the_others() {
    let folder = Folder::with(&[("a.yaml", &format!("a: [\n---\n{POOL}"))]);
    let run = railweave(&["validate", "-f", folder.path()]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.out.contains("ok: SpiderIPPool a"), "{}", run.out);
    assert!(run.err.contains("a.yaml:"), "{}", run.err);

    let empty = Folder::with(&[]);
    let run = railweave(&["validate", "-f", empty.path()]);
    assert_eq!(run.code, 2);
    assert!(run.err.starts_with("error: no objects in "), "{}", run.err);
}

#[test]
fn unknown_fields_are_told_with_what_may_have_been_meant() {
    let folder = Folder::with(&[("a.yaml", &POOL.replace("  ips:", "  excludeIps: []\n  ips:"))]);
    let run = railweave(&["validate", "-f", folder.path()]);
    assert_eq!(run.code, 0, "{run:?}");
    let line = run.out.lines().find(|line| line.contains(":7: warning: ")).unwrap();
    assert!(line.contains("excludeIps") && line.contains("excludeIPs"), "{line}");
}
