use proptest::prelude::*;

use super::*;

fn errors(text: &str) -> Vec<String> {
    parse(text, &Settings::default()).unwrap_err().iter().map(ToString::to_string).collect()
}

fn notices(text: &str) -> Vec<String> {
    parse(text, &Settings::default()).unwrap().1.iter().map(ToString::to_string).collect()
}

/// The configuration as the known charts write it, with injection switched on.
const USUAL: &str = r#"
ipamUnixSocketPath: /var/run/spidernet/spiderpool.sock
enableIPv4: true
enableIPv6: true
enableStatefulSet: true
enableKubevirtStaticIP: true
enableSpiderSubnet: true
enableAutoPoolForApplication: true
enableIPConflictDetection: false
enableGatewayDetection: false
enableValidatingResourcesDeletedWebhook: false
clusterSubnetDefaultFlexibleIPNumber: 1
tuneSysctlConfig: true
podResourceInject:
  enabled: true
  namespacesExclude:
    - kube-system
    - spiderpool
    - metallb-system
    - istio-system
  namespacesInclude: []
agent:
  networkResourcePlugin:
    enabled: false
    kubeletRootDir: /var/lib/kubelet
    devicePluginAffinity:
      nodeSelector: {}
iaasNetworkProvider:
  serverUrl: ""
  httpRequestTimeout: 50s
"#;

#[test]
fn what_the_charts_write_is_read_without_a_word() {
    let (settings, notices) = parse(USUAL, &Settings::default()).unwrap();
    let mut expected = Settings::default();
    expected.inject.enabled = true;
    assert_eq!(settings, expected);
    assert_eq!(notices, []);
}

#[test]
fn every_key_is_read() {
    let text = "
enableIPv4: false
enableIPv6: true
enableSpiderSubnet: false
enableStatefulSet: false
enableKubevirtStaticIP: false
enableCleanOutdatedEndpoint: true
enableValidatingResourcesDeletedWebhook: true
admission: {strict: true, failurePolicy: Ignore}
tuneSysctlConfig: false
enableIPConflictDetection: true
enableGatewayDetection: true
podResourceInject:
  enabled: true
  namespacesExclude: [infra-*]
  namespacesInclude: ['team-?', lab]
  networkNamespaces: []
  conflicts: merge
";
    let (settings, notices) = parse(text, &Settings::default()).unwrap();
    let expected = Settings {
        enable_ipv4: false,
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
            namespaces_exclude: vec!["infra-*".into()],
            namespaces_include: vec!["team-?".into(), "lab".into()],
            network_namespaces: Some(vec![]),
            conflicts: Conflicts::Merge,
        },
    };
    assert_eq!(settings, expected);
    assert_eq!(notices, []);
}

#[test]
fn what_is_left_out_or_null_has_the_defaults_of_the_caller() {
    let mut defaults = Settings { strict: true, ..Settings::default() };
    defaults.inject.enabled = true;
    for text in ["", "# nothing\n", "null", "{}", "podResourceInject:\n", "podResourceInject:\n  enabled:\n"]
    {
        assert_eq!(parse(text, &defaults).unwrap(), (defaults.clone(), vec![]), "{text:?}");
    }
}

#[test]
fn every_wrong_value_is_reported_with_its_path() {
    let text = "
enableIPv4: 'true'
enableIPv6: 1
admission: strict
agent: {networkResourcePlugin: {enabled: maybe}}
podResourceInject:
  namespacesExclude: kube-system
  namespacesInclude: [ok, Team, 7]
  conflicts: clean
";
    assert_eq!(
        errors(text),
        [
            "enableIPv4: Invalid value: \"true\": must be true or false, found a string",
            "enableIPv6: Invalid value: \"1\": must be true or false, found a number",
            "admission: Invalid value: \"strict\": must be a mapping of keys, found a string",
            "podResourceInject.namespacesExclude: Invalid value: \"kube-system\": must be a list of namespace \
             names and patterns, found a string",
            "podResourceInject.namespacesInclude[1]: Invalid value: \"Team\": use a namespace name, or a \
             pattern of lower-case letters, digits, '-', '*' and '?'",
            "podResourceInject.namespacesInclude[2]: Invalid value: \"7\": must be a namespace name or \
             pattern, found a number",
            "podResourceInject.conflicts: Unsupported value: \"clean\": use one of clear, merge, deny; \
             did you mean \"clear\"?",
            "agent.networkResourcePlugin.enabled: Invalid value: \"maybe\": must be true or false, found a \
             string",
        ]
    );
}

#[test]
fn one_family_must_be_on() {
    assert_eq!(
        errors("{enableIPv4: false, enableIPv6: false}"),
        [
            "enableIPv4: Invalid value: \"false\": enableIPv4 and enableIPv6 cannot both be false: no pool could \
          be used"
        ]
    );
}

#[test]
fn unknown_and_dormant_keys_are_advice() {
    let text = "
enableIpv6: true
podResourceInject: {namespaceExclude: [a]}
agent: {networkResourcePlugin: {enabled: true, devicePluginAffinity: {nodeSelector: {matchLabels: {a: b}}}}}
whatever: {a: 1}
";
    assert_eq!(
        notices(text),
        [
            "agent.networkResourcePlugin.enabled: is accepted and has no effect in this version",
            "agent.networkResourcePlugin.devicePluginAffinity.nodeSelector: is accepted and has no effect in \
             this version",
            "enableIpv6: there is no such key, it is ignored; did you mean \"enableIPv6\"?",
            "podResourceInject.namespaceExclude: there is no such key, it is ignored; did you mean \
             \"namespacesExclude\"?",
            "whatever: there is no such key, it is ignored",
        ]
    );
}

#[test]
fn text_that_is_no_mapping_is_refused_as_a_whole() {
    assert_eq!(errors("[a]"), ["conf.yml: Invalid value: must be a mapping of keys, found a list"]);
    let broken = errors("a: [");
    assert!(broken[0].starts_with("conf.yml: Invalid value: is no valid YAML: "), "{broken:?}");
    let twice = errors("enableIPv4: true\nenableIPv4: false\n");
    assert!(twice[0].contains("duplicate"), "{twice:?}");
}

#[test]
fn hostile_text_is_an_error_at_once() {
    let level = |level: usize| match level.checked_sub(1) {
        None => "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(),
        Some(below) => format!("a{level}: &a{level} [{}]\n", vec![format!("*a{below}"); 10].join(", ")),
    };
    let bomb: String = (0..12).map(level).collect();
    let deep = "[".repeat(100_000);
    let large = format!("a: {}", "x".repeat(2 << 20));
    let wide = "a: [".to_owned() + &"1, ".repeat(200_000) + "]";
    for text in [bomb, deep, large, wide] {
        let started = std::time::Instant::now();
        let errors = errors(&text);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("conf.yml: Invalid value: "), "{errors:?}");
        assert!(started.elapsed().as_secs() < 20, "bounded even on a busy machine");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "[ -~\n]{0,200}") {
        let _ = parse(&text, &Settings::default());
    }

    #[test]
    fn no_value_breaks_the_reader(key in "enableIPv4|admission|podResourceInject", value in "[a-z0-9:{}\\[\\], ]{0,30}") {
        let _ = parse(&format!("{key}: {value}"), &Settings::default());
    }
}
