//! The schema lists every value, and a name that is not in it is refused.

use crate::helm::{Helm, chart_dir, pick};
use railweave::api::settings::{Conflicts, FailurePolicy, InjectSettings, Settings};
use railweave::rules::settings::parse;
use serde_json::Value;
use std::fs;

pub(crate) fn typos_are_refused_by_name(helm: &Helm) {
    for (flag, told) in [
        ("spiderpoolController.podResourceInjec.enabled=true", "'podResourceInjec' not allowed"),
        ("spiderpoolController.podResourceInject.enable=true", "'enable' not allowed"),
        ("sriov.instal=true", "'instal' not allowed"),
        ("global.imageRegistryOverrride=x", "'imageRegistryOverrride' not allowed"),
        ("grafanaDashboards.install=true", "'grafanaDashboards' not allowed"),
        ("spiderpoolController.replicas=two", "got string, want integer"),
        ("spiderpoolController.podResourceInject.conflicts=drop", "'clear', 'merge', 'deny'"),
        ("spiderpoolController.tls.method=selfsigned", "'auto', 'certmanager', 'provided'"),
        ("spiderpoolController.tls.provided.tlsKey=abc", "'provided' not allowed"),
    ] {
        let complaint = helm.try_render(&["--set", flag]).expect_err(flag);
        assert!(complaint.contains(told), "{flag}: {complaint}");
    }
}

/// Helm checks `values.yaml` against the schema; this is the other direction, and that nothing is left open.
pub(crate) fn schema_and_values_list_the_same_names() {
    let read = |name: &str| fs::read_to_string(chart_dir().join(name)).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    compare("", &schema, &values);
}

fn compare(path: &str, schema: &Value, values: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    assert_eq!(schema["additionalProperties"], false, "{path}: a typo would pass");
    let values = values.as_object().unwrap_or_else(|| panic!("{path} is no map in values.yaml"));
    let names = |map: &serde_json::Map<String, Value>| {
        let mut names: Vec<String> = map.keys().cloned().collect();
        names.sort();
        names
    };
    // Resource limits are shown as an example, not listed.
    if !path.ends_with("/resources") {
        assert_eq!(names(properties), names(values), "{path}");
    }
    for (name, below) in properties {
        compare(&format!("{path}/{name}"), below, &values[name]);
    }
}

pub(crate) fn the_default_configuration_is_the_programs_own_default(helm: &Helm) {
    let (settings, notices) = configuration(&helm.render(&[]));
    assert_eq!(settings, Settings::default());
    assert!(notices.is_empty(), "{notices:?}");
}

pub(crate) fn every_setting_reaches_the_program(helm: &Helm) {
    let inject = "spiderpoolController.podResourceInject";
    let flags = [
        "ipam.enableIPv4=false".to_owned(),
        "ipam.enableStatefulSet=false".to_owned(),
        "ipam.enableKubevirtStaticIP=false".to_owned(),
        "ipam.enableCleanOutdatedEndpoint=true".to_owned(),
        "ipam.spiderSubnet.enable=false".to_owned(),
        "spiderpoolController.enableValidatingResourcesDeletedWebhook=true".to_owned(),
        "spiderpoolController.admission.strict=true".to_owned(),
        "spiderpoolController.admission.failurePolicy=Ignore".to_owned(),
        "spiderpoolAgent.tuneSysctlConfig=false".to_owned(),
        "ipam.enableIPConflictDetection=true".to_owned(),
        "ipam.enableGatewayDetection=true".to_owned(),
        format!("{inject}.enabled=true"),
        format!("{inject}.namespacesExclude={{kube-*,infra}}"),
        format!("{inject}.namespacesInclude={{team-*}}"),
        format!("{inject}.networkNamespaces={{rdma}}"),
        format!("{inject}.conflicts=merge"),
    ];
    let flags: Vec<&str> = flags.iter().flat_map(|flag| ["--set", flag.as_str()]).collect();
    let (settings, _) = configuration(&helm.render(&flags));

    // Every field is named, so that a new one cannot be forgotten here.
    let expected = Settings {
        enable_ipv4: false,
        // With both off no pool could be used, which is refused.
        enable_ipv6: true,
        enable_spider_subnet: false,
        enable_stateful_set: false,
        enable_kubevirt_static_ip: false,
        clean_outdated_endpoints: true,
        refuse_delete_in_use: true,
        strict: true,
        failure_policy: FailurePolicy::Ignore,
        tune_sysctls: false,
        detect_ip_conflicts: true,
        detect_gateways: true,
        inject: InjectSettings {
            enabled: true,
            namespaces_exclude: vec!["kube-*".to_owned(), "infra".to_owned()],
            namespaces_include: vec!["team-*".to_owned()],
            network_namespaces: Some(vec!["rdma".to_owned()]),
            conflicts: Conflicts::Merge,
        },
    };
    assert_eq!(settings, expected);
    let (settings, _) = configuration(&helm.render(&["--set", "ipam.enableIPv6=false"]));
    assert_eq!(settings, Settings { enable_ipv6: false, ..Settings::default() });
}

/// Spiderpool's name of a setting that has no meaning here yet: it is passed on, and the program says so.
pub(crate) fn pools_for_applications_are_passed_on(helm: &Helm) {
    let text = |flags: &[&str]| {
        let objects = helm.render(flags);
        pick(&objects, "ConfigMap/spiderpool-config")["data"]["conf.yml"].as_str().unwrap().to_owned()
    };
    assert!(text(&[]).contains("\nenableAutoPoolForApplication: true\n"));
    let off = text(&["--set", "ipam.spiderSubnet.autoPool.enable=false"]);
    assert!(off.contains("\nenableAutoPoolForApplication: false\n"), "{off}");
}

/// The `ConfigMap` as the controller reads it.
fn configuration(objects: &[Value]) -> (Settings, Vec<railweave::rules::Notice>) {
    let text = pick(objects, "ConfigMap/spiderpool-config")["data"]["conf.yml"].as_str().unwrap();
    parse(text, &Settings::default()).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}
