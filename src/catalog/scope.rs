use crate::api::settings::{InjectSettings, Settings};
use crate::reason::Reason;
use crate::rules::Glob;

/// Namespaces that no configuration opens for injection: the cluster's own pods must never wait for us.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Which namespaces are injected, and whose networks their pods may join.
#[derive(Clone, Debug)]
pub struct Scope {
    /// railweave's own namespace.
    pub release_namespace: String,
    /// Never injected.
    pub exclude: Vec<Glob>,
    /// Only these are injected; empty means all.
    pub include: Vec<Glob>,
    /// Networks here may be joined by every namespace's pods.
    pub networks: Vec<Glob>,
}

impl Scope {
    /// Compiles the globs. The configuration was validated, so a glob that does not parse matches nothing.
    #[must_use]
    pub fn compile(settings: &Settings, release_namespace: &str) -> Self {
        let compile =
            |patterns: &[String]| patterns.iter().filter_map(|text| Glob::parse(text).ok()).collect();
        let InjectSettings { namespaces_exclude, namespaces_include, network_namespaces, .. } =
            &settings.inject;
        let default =
            || vec![release_namespace.to_owned(), "kube-system".to_owned(), "spiderpool".to_owned()];
        Self {
            release_namespace: release_namespace.to_owned(),
            exclude: compile(namespaces_exclude),
            include: compile(namespaces_include),
            networks: compile(&network_namespaces.clone().unwrap_or_else(default)),
        }
    }

    /// Why pods of the namespace are not injected, if they are not.
    #[must_use]
    pub fn refusal(&self, namespace: &str) -> Option<Reason> {
        if namespace == self.release_namespace {
            Some(Reason::ReleaseNamespace)
        } else if SYSTEM_NAMESPACES.contains(&namespace)
            || self.exclude.iter().any(|glob| glob.matches(namespace))
        {
            Some(Reason::NamespaceExcluded)
        } else if !self.include.is_empty() && !self.include.iter().any(|glob| glob.matches(namespace)) {
            Some(Reason::NamespaceNotIncluded)
        } else {
            None
        }
    }

    /// Whether pods of every namespace may join networks of this one. Pods of the namespace itself always may.
    #[must_use]
    pub fn shares(&self, network_namespace: &str) -> bool {
        self.networks.iter().any(|glob| glob.matches(network_namespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusion_wins_over_inclusion_and_the_release_namespace_over_both() {
        let mut settings = Settings::default();
        settings.inject.namespaces_include = vec!["team-*".into(), "rw".into()];
        settings.inject.namespaces_exclude = vec!["team-b".into()];
        assert_eq!(Scope::compile(&settings, "rw").refusal("kube-system"), Some(Reason::NamespaceExcluded));
        let scope = Scope::compile(&settings, "rw");
        assert_eq!(scope.refusal("team-a"), None);
        assert_eq!(scope.refusal("team-b"), Some(Reason::NamespaceExcluded));
        assert_eq!(scope.refusal("other"), Some(Reason::NamespaceNotIncluded));
        assert_eq!(scope.refusal("rw"), Some(Reason::ReleaseNamespace));
    }

    #[test]
    fn networks_of_system_and_release_namespaces_are_shared_by_default() {
        let scope = Scope::compile(&Settings::default(), "rw");
        let shared = ["kube-system", "spiderpool", "rw", "team-b"].map(|namespace| scope.shares(namespace));
        assert_eq!(shared, [true, true, true, false]);
    }
}
