//! The rights of controller and agent: a snapshot, and what may never be among them.

use crate::helm::{Helm, objects, pick, title};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Every right of the default render. `UPDATE_GENERATED=1` writes it anew, for a reviewer to read.
pub(crate) fn the_rights_are_those_of_the_snapshot(helm: &Helm) {
    let objects = helm.render(&[]);
    let rules = |title: &str| pick(&objects, title)["rules"].clone();
    let of = |name: &str| {
        json!({
            "ClusterRole": rules(&format!("ClusterRole/{name}")),
            "Role in the release namespace": rules(&format!("Role/{name}")),
        })
    };
    let mut actual = json!({"controller": of("spiderpool-controller"), "agent": of("spiderpool-agent")});
    actual["controller"]["Role in kube-system"] = rules("Role/spiderpool-controller-cidrs");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chart/rbac.golden.json");
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&golden, serde_json::to_string_pretty(&actual).unwrap() + "\n").unwrap();
    }
    let expected: Value = serde_json::from_str(&fs::read_to_string(&golden).unwrap()).unwrap();
    assert_eq!(actual, expected, "the rights changed: {}", serde_json::to_string_pretty(&actual).unwrap());
}

/// `railweave manifests rbac` is for those who install without helm: they must get the same rights.
pub(crate) fn the_program_prints_the_same_rights(helm: &Helm) {
    let output = Command::new(env!("CARGO_BIN_EXE_railweave"))
        .args(["manifests", "rbac", "--release-namespace", "spiderpool"])
        .output()
        .unwrap();
    let printed = objects(&String::from_utf8(output.stdout).unwrap());
    let rendered = helm.render(&[]);
    for printed in &printed {
        let rendered = pick(&rendered, &title(printed));
        for field in ["rules", "roleRef", "subjects"] {
            assert_eq!(printed.get(field), rendered.get(field), "{}", title(printed));
        }
    }
    let kinds: Vec<&Value> = printed.iter().map(|object| &object["kind"]).collect();
    let of_each = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    assert_eq!(kinds, [&of_each[..], &["Role", "RoleBinding"], &of_each[..]].concat());
}

/// Whoever brings the certificate as files needs no Secret to be written.
pub(crate) fn certificates_from_outside_need_no_right_to_secrets(helm: &Helm) {
    for method in ["certmanager", "provided"] {
        let objects = helm.render(&["--set", &format!("spiderpoolController.tls.method={method}")]);
        let role = pick(&objects, "Role/spiderpool-controller").to_string();
        assert!(!role.contains("secrets"), "{method}: {role}");
    }
}

pub(crate) fn no_right_is_wider_than_its_use(helm: &Helm) {
    let objects = helm.render(&[]);
    for role in [
        "ClusterRole/spiderpool-controller",
        "Role/spiderpool-controller",
        "ClusterRole/spiderpool-agent",
        "Role/spiderpool-agent",
        "Role/spiderpool-controller-cidrs",
    ] {
        for rule in pick(&objects, role)["rules"].as_array().unwrap() {
            let words = |field: &str| -> Vec<&str> {
                rule[field]
                    .as_array()
                    .map(|list| list.iter().map(|word| word.as_str().unwrap()).collect())
                    .unwrap_or_default()
            };
            for field in ["apiGroups", "resources", "verbs"] {
                assert!(!words(field).contains(&"*"), "{role}: {rule}");
            }
            let guarded = ["secrets", "configmaps", "leases"];
            let guarded = words("resources").iter().any(|resource| guarded.contains(resource))
                || words("apiGroups").contains(&"admissionregistration.k8s.io");
            // The API server cannot check the name of an object that is being created.
            assert!(
                !guarded || words("verbs") == ["create"] || !words("resourceNames").is_empty(),
                "{role}: {rule}"
            );
            let reads = |verb: &&str| ["get", "list", "watch"].contains(verb);
            assert!(
                !words("resources").contains(&"pods") || words("verbs").iter().all(reads),
                "{role} must not change pods: {rule}"
            );
            let escalating = ["escalate", "bind", "impersonate", "deletecollection"];
            assert!(!words("verbs").iter().any(|verb| escalating.contains(verb)), "{role}: {rule}");
        }
    }
    for role in ["ClusterRole/spiderpool-controller", "ClusterRole/spiderpool-agent"] {
        let cluster = pick(&objects, role).to_string();
        for resource in ["secrets", "configmaps", "leases"] {
            assert!(!cluster.contains(resource), "{role}: {resource} belong to the release namespace alone");
        }
    }
}

/// A node is broken into more easily than a control plane: what runs on each must not be able to take the others along.
pub(crate) fn an_agent_deletes_nothing_and_reads_no_secret(helm: &Helm) {
    let objects = helm.render(&[]);
    for role in ["ClusterRole/spiderpool-agent", "Role/spiderpool-agent"] {
        let rules = pick(&objects, role)["rules"].to_string();
        for word in ["delete", "secrets", "admissionregistration", "rbac", "leases"] {
            assert!(!rules.contains(word), "{role}: {rules}");
        }
    }
}
