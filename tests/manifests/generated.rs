use std::fs;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use railweave::api::{Kind, rail_node_crd};
use railweave::manifests;

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/crds")
}

/// `UPDATE_GENERATED=1` writes them.
#[test]
fn committed_crds_are_what_would_be_generated() {
    for manifest in manifests::crds().unwrap() {
        let file = committed().join(&manifest.file_name);
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            fs::write(&file, &manifest.yaml).unwrap();
        }
        let text = fs::read_to_string(&file).unwrap_or_default();
        assert!(text == manifest.yaml, "{} is out of date: run `make generate`", manifest.file_name);
    }
}

#[test]
fn nothing_else_lies_beside_them() {
    let mut names: Vec<_> = fs::read_dir(committed())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let mut expected: Vec<_> =
        manifests::crds().unwrap().into_iter().map(|manifest| manifest.file_name).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn yaml_says_what_the_definition_says() {
    for kind in Kind::ALL {
        let manifest = manifests::crd(kind).unwrap();
        let read: CustomResourceDefinition = serde_saphyr::from_str(&manifest.yaml).unwrap();
        assert_eq!(read, kind.crd(), "{kind}");
        assert!(
            !manifest.yaml.contains("nullable"),
            "{kind}: a nullable field would keep null instead of pruning it"
        );
        assert!(!manifest.yaml.contains("format: uint"), "{kind}: the API server warns about such formats");
    }
}

#[test]
fn names_scope_and_columns_are_the_contract() {
    let contract = [
        (
            Kind::IpPool,
            "sp",
            "Cluster",
            true,
            "VERSION SUBNET ALLOCATED-IP-COUNT TOTAL-IP-COUNT FREE-IP-COUNT DEFAULT AGE",
        ),
        (Kind::Subnet, "ss", "Cluster", true, "VERSION SUBNET ALLOCATED-IP-COUNT TOTAL-IP-COUNT AGE"),
        (Kind::ReservedIp, "sr", "Cluster", false, "VERSION AGE"),
        (Kind::Coordinator, "scc", "Cluster", true, "MODE PHASE AGE"),
        (Kind::Endpoint, "se", "Namespaced", false, "INTERFACE IPV4POOL IPV4 IPV6POOL IPV6 NODE AGE"),
        (Kind::MultusConfig, "smc", "Namespaced", true, "TYPE RESOURCE GROUP RENDERED AGE"),
    ];
    for (kind, short, scope, status, columns) in contract {
        let spec = kind.crd().spec;
        assert_eq!(spec.names.short_names, Some(vec![short.to_owned()]), "{kind}");
        assert_eq!(spec.names.categories, Some(vec!["spiderpool".to_owned()]), "{kind}");
        assert_eq!(spec.names.kind, kind.name());
        assert_eq!(spec.names.plural, kind.plural());
        assert_eq!(spec.scope, scope, "{kind}");
        assert_eq!(kind.namespaced(), scope == "Namespaced", "{kind}");
        let version = &spec.versions[0];
        assert_eq!(version.name, "v2beta1");
        let has_status =
            version.subresources.as_ref().is_some_and(|subresources| subresources.status.is_some());
        assert_eq!(has_status, status, "{kind}");
        assert_eq!(columns_of(&kind.crd()), columns, "{kind}");
    }
}

#[test]
fn the_facts_of_a_node_are_a_kind_of_our_own_group() {
    let crd = rail_node_crd();
    let (spec, version) = (&crd.spec, &crd.spec.versions[0]);
    assert_eq!(crd.metadata.name.as_deref(), Some("railnodes.railweave.io"));
    assert_eq!(
        (spec.names.kind.as_str(), spec.scope.as_str(), version.name.as_str()),
        ("RailNode", "Cluster", "v1alpha1")
    );
    assert!(version.subresources.is_none(), "one write publishes everything");
    assert_eq!(columns_of(&crd), "INTERFACES AGE");
}

/// The columns that `kubectl get` shows without `-o wide`.
fn columns_of(crd: &CustomResourceDefinition) -> String {
    let columns = crd.spec.versions[0].additional_printer_columns.iter().flatten();
    let shown = columns.filter(|column| column.priority.unwrap_or_default() == 0);
    shown.map(|column| column.name.as_str()).collect::<Vec<_>>().join(" ")
}
