//! The CRDs are part of every release, so that `helm upgrade` upgrades them, and outlive it.

use crate::helm::{Helm, chart_dir};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn files(dir: &Path) -> BTreeMap<PathBuf, String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let yaml = entries.filter(|path| path.extension().is_some_and(|ext| ext == "yaml"));
    yaml.map(|path| (path.file_name().unwrap().into(), fs::read_to_string(path).unwrap())).collect()
}

fn generated() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/crds")
}

/// `UPDATE_GENERATED=1` copies them.
pub(crate) fn the_chart_carries_the_generated_files_unchanged() {
    let copies = chart_dir().join("files/crds");
    if env::var_os("UPDATE_GENERATED").is_some() {
        for (name, text) in files(&generated()) {
            fs::write(copies.join(name), text).unwrap();
        }
    }
    assert_eq!(files(&copies), files(&generated()), "run: make generate");
}

pub(crate) fn each_is_rendered_as_generated_but_for_the_policy_that_keeps_it(helm: &Helm) {
    let rendered = helm.render(&[]);
    let crds: Vec<&Value> =
        rendered.iter().filter(|object| object["kind"] == "CustomResourceDefinition").collect();
    let files = files(&generated());
    assert_eq!((crds.len(), files.len()), (7, 7));
    for text in files.values() {
        let mut expected: Value = serde_saphyr::from_str(text).unwrap();
        expected["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
        assert!(crds.contains(&&expected), "{}", expected["metadata"]["name"]);
    }
}

pub(crate) fn they_can_be_left_to_someone_else(helm: &Helm) {
    let rendered = helm.render(&["--set", "crds.install=false"]);
    assert!(!rendered.iter().any(|object| object["kind"] == "CustomResourceDefinition"));
}

/// Helm installs what lies in `crds/` where it is not there yet, and never touches it again: another one's
/// definition is left as it is. It is no part of a render.
pub(crate) fn the_kind_of_multus_is_installed_only_where_it_is_absent(helm: &Helm) {
    let multus = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/multus");
    assert_eq!(files(&chart_dir().join("crds")), files(&multus));
    let shown = String::from_utf8(helm.run(&["show", "crds", chart_dir().to_str().unwrap()]).stdout).unwrap();
    let shown: Value = serde_saphyr::from_str(shown.trim_start_matches("---")).unwrap();
    assert_eq!(shown["metadata"]["name"], "network-attachment-definitions.k8s.cni.cncf.io");
    let name = "name: network-attachment-definitions.k8s.cni.cncf.io";
    assert!(!helm.try_render(&[]).unwrap().contains(name));
}

/// The way to adopt the CRDs of an earlier installation; documented in `docs/operations.md`.
pub(crate) fn helm_can_take_ownership(helm: &Helm) {
    for verb in ["install", "upgrade"] {
        let options = helm.run(&[verb, "--help"]).stdout;
        assert!(String::from_utf8(options).unwrap().contains("--take-ownership"), "{verb}");
    }
}
