use serde_json::json;

use crate::support::{Folder, GUIDE, objects, railweave, repository};

#[test]
fn the_guides_first_rail_becomes_canonical_and_each_change_is_named() {
    let run = railweave(&["fix", "-f", "manifests/guide/webhook/gpu1.yaml"]);
    assert_eq!(run.code, 0, "{run:?}");
    let [pool, network] = run.objects().try_into().unwrap();
    assert_eq!(pool["metadata"], json!({"name": "gpu1-net11"}), "labels and finalizers are the server's");
    assert_eq!(
        pool["spec"],
        json!({"gateway": "172.16.11.254", "subnet": "172.16.0.0/16", "ips": ["172.16.11.1-172.16.11.200"]})
    );
    assert_eq!(
        network["spec"],
        json!({
            "cniType": "sriov",
            "sriov": {
                "resourceName": "spidernet.io/gpu1sriov",
                "ippools": {"ipv4": ["gpu1-net11"]},
                "rdmaIsolation": true
            }
        })
    );
    for place in ["gpu1.yaml:8: ", "gpu1.yaml:23: ", "gpu1.yaml:25: "] {
        assert!(run.err.contains(place), "{place}: {}", run.err);
    }
}

#[test]
fn what_is_canonical_passes_as_it_is_and_fixing_twice_is_fixing_once() {
    let text = repository("manifests/examples/injection-8-rails/networks.yaml");
    let once = railweave(&["fix", "-f", GUIDE]);
    let folder = Folder::with(&[("fixed.yaml", &once.out), ("networks.yaml", &text)]);
    let twice = railweave(&["fix", "-f", &folder.argument("fixed.yaml")]);
    assert_eq!((twice.code, twice.out.as_str()), (0, once.out.as_str()));
    let canonical = railweave(&["fix", "-f", "manifests/examples/injection-8-rails/networks.yaml"]);
    assert_eq!((canonical.code, canonical.out), (0, text), "what is canonical keeps its comments, too");
    let other = railweave(&["fix", "-f", "manifests/guide/deployment.yaml"]);
    assert_eq!((other.code, other.out), (0, repository("manifests/guide/deployment.yaml")));
}

#[test]
fn files_are_written_back_in_place_and_only_those_that_changed() {
    let guide = repository("manifests/guide/webhook/gpu1.yaml");
    let deployment = repository("manifests/guide/deployment.yaml");
    let folder = Folder::with(&[("gpu1.yaml", &guide), ("deployment.yaml", &deployment)]);
    let run = railweave(&["fix", "-f", folder.path(), "--in-place"]);
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
    assert_eq!(folder.read("deployment.yaml"), deployment);
    let fixed = objects(&folder.read("gpu1.yaml"));
    assert_eq!(fixed.len(), 2);
    assert_eq!(fixed[1]["spec"]["sriov"]["rdmaIsolation"], true);
    assert!(railweave(&["validate", "-f", folder.path(), "--strict"]).code == 0);
}

#[test]
fn what_no_rewriting_can_mend_is_an_error() {
    let pool = "apiVersion: spiderpool.spidernet.io/v2beta1\nkind: SpiderIPPool\nmetadata: {name: a}\nspec:\n  subnet: here\n";
    let folder = Folder::with(&[("a.yaml", pool)]);
    let run = railweave(&["fix", "-f", folder.path()]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains(":5: SpiderIPPool a: spec.subnet: Invalid value: \"here\""), "{}", run.err);
}

#[test]
fn a_file_that_cannot_be_read_whole_is_not_written() {
    let text = format!("a: [\n---\n{}", repository("manifests/guide/webhook/gpu1.yaml"));
    let folder = Folder::with(&[("a.yaml", &text)]);
    let run = railweave(&["fix", "-f", folder.path(), "--in-place"]);
    assert_eq!(run.code, 2);
    assert_eq!(folder.read("a.yaml"), text);
}
