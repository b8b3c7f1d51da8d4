//! The `ConfigMap` (`spiderpool-config`, key `conf.yml`) after parsing; [`crate::rules::settings`] reads it.

/// Key of the `ConfigMap` that holds the configuration.
pub const CONFIG_KEY: &str = "conf.yml";
/// Key of the `ConfigMap` with manifests of the objects that an installation begins with.
pub const DEFAULTS_KEY: &str = "defaults.yaml";

/// Namespaces that are never injected unless the configuration says otherwise.
pub const DEFAULT_EXCLUDED: [&str; 4] = ["kube-system", "spiderpool", "metallb-system", "istio-system"];

/// The whole configuration. Keys that only later components read are kept in their sections' structs when
/// those components arrive; until then they are accepted and listed as not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `enableIPv4`
    pub enable_ipv4: bool,
    /// `enableIPv6`
    pub enable_ipv6: bool,
    /// `enableSpiderSubnet`
    pub enable_spider_subnet: bool,
    /// `enableStatefulSet`: pods of a `StatefulSet` keep their addresses by ordinal.
    pub enable_stateful_set: bool,
    /// `enableKubevirtStaticIP`: pods of a virtual machine keep the machine's addresses.
    pub enable_kubevirt_static_ip: bool,
    /// `enableCleanOutdatedEndpoint`: endpoints that no pool knows of are deleted.
    pub clean_outdated_endpoints: bool,
    /// `enableValidatingResourcesDeletedWebhook`: deleting a pool or subnet in use is refused.
    pub refuse_delete_in_use: bool,
    /// `admission.strict`: deprecated spellings are refused instead of mended.
    pub strict: bool,
    /// `admission.failurePolicy` of the webhooks on pods.
    pub failure_policy: FailurePolicy,
    /// `tuneSysctlConfig`: the agent sets what nodes of this size need.
    pub tune_sysctls: bool,
    /// `enableIPConflictDetection`: the plugin looks for another holder of an address.
    pub detect_ip_conflicts: bool,
    /// `enableGatewayDetection`: the plugin looks for the gateway.
    pub detect_gateways: bool,
    /// `podResourceInject`
    pub inject: InjectSettings,
}

/// `podResourceInject`: who is injected, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectSettings {
    /// `enabled`
    pub enabled: bool,
    /// `namespacesExclude`: names and globs (`*`, `?`).
    pub namespaces_exclude: Vec<String>,
    /// `namespacesInclude`: names and globs; empty means all.
    pub namespaces_include: Vec<String>,
    /// `networkNamespaces`: where networks may live that other namespaces' pods join; names and globs.
    /// None means the release namespace, `kube-system` and `spiderpool`. The pod's own always counts.
    pub network_namespaces: Option<Vec<String>>,
    /// `conflicts`
    pub conflicts: Conflicts,
}

/// What injection does with network annotations that the pod already carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflicts {
    /// They are removed, each with a warning.
    Clear,
    /// The user's networks come first.
    Merge,
    /// The pod is refused.
    Deny,
}

/// What the API server does with an opted-in pod when no replica answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Refuse it.
    Fail,
    /// Let it pass; the final-state policies then refuse it.
    Ignore,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enable_ipv4: true,
            enable_ipv6: true,
            enable_spider_subnet: true,
            enable_stateful_set: true,
            enable_kubevirt_static_ip: true,
            clean_outdated_endpoints: false,
            refuse_delete_in_use: false,
            strict: false,
            failure_policy: FailurePolicy::Fail,
            tune_sysctls: true,
            detect_ip_conflicts: false,
            detect_gateways: false,
            inject: InjectSettings::default(),
        }
    }
}

impl Default for InjectSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            namespaces_exclude: DEFAULT_EXCLUDED.map(str::to_owned).to_vec(),
            namespaces_include: Vec::new(),
            network_namespaces: None,
            conflicts: Conflicts::Clear,
        }
    }
}
