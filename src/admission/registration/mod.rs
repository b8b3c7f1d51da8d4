//! What the API server is told about railweave: both webhook configurations and the policies on the final pod.
//!
//! Pure rendering from the live configuration: the leader applies the result, `manifests` and the tests print
//! it. Every field that the API server would default is written out, so that a stored object can be compared
//! with the rendered one and any difference is drift. Read [`Registration`] first.

mod final_state;
mod selection;
mod webhooks;

pub use final_state::{FinalState, NAMESPACES_SUFFIX, PARAMETER_SUFFIX, Policy};

use serde_json::{Value, json};

use crate::api::settings::Settings;
use crate::catalog::Scope;

/// Where the API server reaches the webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Service of the cluster.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The port of the Service, not of the pods.
        port: u16,
    },
    /// `https://host:port`, without a path: for a controller that runs beside the cluster.
    Url(String),
}

/// Who keeps `caBundle` right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// railweave writes this PEM bundle.
    Bundle(String),
    /// cert-manager injects it from the Certificate `namespace/name`.
    CertManager(String),
    /// Somebody else writes the field; railweave leaves it alone.
    Foreign,
}

/// Everything the registration depends on.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'a> {
    /// Name of every rendered object.
    pub name: &'a str,
    /// The configuration in force.
    pub settings: &'a Settings,
    /// Namespaces in and out.
    pub scope: &'a Scope,
    /// Where the webhooks are.
    pub endpoint: &'a Endpoint,
    /// Who keeps `caBundle`.
    pub trust: &'a Trust,
    /// An `ownerReference` to a cluster-scoped object of the release; deleting that cleans up.
    pub owner: Option<&'a Value>,
}

/// The objects to apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// `MutatingWebhookConfiguration`
    pub mutating: Value,
    /// `ValidatingWebhookConfiguration`
    pub validating: Value,
    /// The policies on the final pod; absent while injection is off.
    pub final_state: Option<FinalState>,
    /// A parameter with which the policies let everything pass. Without any parameter they do so, too, but an API server
    /// of Kubernetes 1.37 then asks itself for it with each pod, and refuses the pod where that takes a second.
    pub suspension: Value,
}

impl Registration<'_> {
    /// Renders all objects.
    #[must_use]
    pub fn render(&self) -> Rendered {
        Rendered {
            mutating: webhooks::mutating(self),
            validating: webhooks::validating(self),
            final_state: self.settings.inject.enabled.then(|| final_state::render(self)),
            suspension: final_state::suspension(self),
        }
    }

    fn object(&self, kind: &str, suffix: &str) -> Value {
        let mut object = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {
                "name": format!("{}{suffix}", self.name),
                "labels": { "app.kubernetes.io/name": "railweave", "app.kubernetes.io/instance": self.name },
            },
        });
        if let Some(owner) = self.owner {
            object["metadata"]["ownerReferences"] = json!([owner]);
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::settings::FailurePolicy;

    struct Fixture {
        settings: Settings,
        endpoint: Endpoint,
        trust: Trust,
        owner: Option<Value>,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                settings: Settings::default(),
                endpoint: Endpoint::Service {
                    namespace: "rails".into(),
                    name: "spiderpool-controller".into(),
                    port: 443,
                },
                trust: Trust::Bundle("PEM".into()),
                owner: None,
            }
        }

        fn injecting() -> Self {
            let mut fixture = Self::new();
            fixture.settings.inject.enabled = true;
            fixture
        }

        fn render(&self) -> Rendered {
            let scope = Scope::compile(&self.settings, "rails");
            Registration {
                name: "spiderpool-controller",
                settings: &self.settings,
                scope: &scope,
                endpoint: &self.endpoint,
                trust: &self.trust,
                owner: self.owner.as_ref(),
            }
            .render()
        }
    }

    fn names(configuration: &Value) -> Vec<&str> {
        configuration["webhooks"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect()
    }

    fn golden(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn the_mutating_configuration_with_injection_is_the_golden_one() {
        assert_eq!(Fixture::injecting().render().mutating, golden(include_str!("golden/mutating.yaml")));
    }

    #[test]
    fn the_validating_configuration_is_the_golden_one() {
        assert_eq!(Fixture::new().render().validating, golden(include_str!("golden/validating.yaml")));
    }

    #[test]
    fn the_final_state_policies_are_the_golden_ones() {
        let FinalState { pods, namespaces, .. } = Fixture::injecting().render().final_state.unwrap();
        assert_eq!(pods.policy, golden(include_str!("golden/policy.yaml")));
        assert_eq!(pods.binding, golden(include_str!("golden/binding.yaml")));
        assert_eq!(namespaces.policy, golden(include_str!("golden/namespaces-policy.yaml")));
        assert_eq!(namespaces.binding, golden(include_str!("golden/namespaces-binding.yaml")));
    }

    #[test]
    fn the_scope_changes_the_parameter_and_no_policy() {
        let plain = Fixture::injecting().render().final_state.unwrap();
        let mut fixture = Fixture::injecting();
        fixture.settings.failure_policy = FailurePolicy::Ignore;
        fixture.trust = Trust::Bundle("OTHER".into());
        assert_eq!(fixture.render().final_state.as_ref(), Some(&plain));

        fixture.settings.inject.namespaces_include = vec!["team-*".into(), "lab".into()];
        fixture.settings.inject.namespaces_exclude = vec!["team-x?".into(), "plain".into()];
        let narrowed = fixture.render().final_state.unwrap();
        assert_eq!(narrowed.parameter, golden(include_str!("golden/parameter.yaml")));
        assert_eq!((narrowed.pods, narrowed.namespaces), (plain.pods, plain.namespaces));
    }

    #[test]
    fn a_suspended_parameter_excludes_every_namespace_and_is_the_same_object() {
        for fixture in [Fixture::new(), Fixture::injecting()] {
            let Rendered { suspension, final_state, .. } = fixture.render();
            assert_eq!(
                suspension["metadata"]["annotations"],
                json!({ "railweave.io/excluded-namespaces": "", "railweave.io/included-namespaces": "^$" })
            );
            if let Some(FinalState { parameter, .. }) = final_state {
                assert_eq!(suspension["kind"], parameter["kind"]);
                assert_eq!(suspension["metadata"]["name"], parameter["metadata"]["name"]);
            }
        }
    }

    #[test]
    fn an_empty_scope_excludes_none_and_includes_all() {
        let mut fixture = Fixture::injecting();
        fixture.settings.inject.namespaces_exclude.clear();
        let annotations = &fixture.render().final_state.unwrap().parameter["metadata"]["annotations"];
        assert_eq!(
            *annotations,
            json!({ "railweave.io/excluded-namespaces": "^$", "railweave.io/included-namespaces": "" })
        );
    }

    #[test]
    fn without_injection_pods_are_in_no_entry() {
        let rendered = Fixture::new().render();
        assert_eq!(
            names(&rendered.mutating),
            [
                "spiderippool.spiderpool.spidernet.io",
                "spidersubnet.spiderpool.spidernet.io",
                "spiderreservedip.spiderpool.spidernet.io",
                "spidercoordinator.spiderpool.spidernet.io",
                "spidermultusconfig.spiderpool.spidernet.io",
            ]
        );
        assert_eq!(rendered.final_state, None);
    }

    #[test]
    fn without_subnets_their_entries_are_gone() {
        let mut fixture = Fixture::new();
        fixture.settings.enable_spider_subnet = false;
        let rendered = fixture.render();
        for configuration in [&rendered.mutating, &rendered.validating] {
            assert!(!names(configuration).contains(&"spidersubnet.spiderpool.spidernet.io"));
        }
    }

    #[test]
    fn deletion_is_sent_only_when_it_may_be_refused() {
        let operations = |fixture: &Fixture| -> Vec<Value> {
            let validating = fixture.render().validating;
            let webhooks = validating["webhooks"].as_array().unwrap().clone();
            webhooks.iter().map(|webhook| webhook["rules"][0]["operations"].clone()).collect()
        };
        let mut fixture = Fixture::new();
        assert_eq!(operations(&fixture), vec![json!(["CREATE", "UPDATE"]); 5]);
        fixture.settings.refuse_delete_in_use = true;
        let with_delete = json!(["CREATE", "UPDATE", "DELETE"]);
        let without = json!(["CREATE", "UPDATE"]);
        assert_eq!(
            operations(&fixture),
            [with_delete.clone(), with_delete, without.clone(), without.clone(), without]
        );
    }

    #[test]
    fn ignore_concerns_pods_only() {
        let mut fixture = Fixture::injecting();
        fixture.settings.failure_policy = FailurePolicy::Ignore;
        let rendered = fixture.render();
        for webhook in rendered.mutating["webhooks"].as_array().unwrap() {
            let pods = webhook["name"].as_str().unwrap().contains("pods.");
            assert_eq!(webhook["failurePolicy"], if pods { "Ignore" } else { "Fail" });
        }
        let FinalState { pods, namespaces, .. } = rendered.final_state.unwrap();
        for Policy { policy, .. } in [pods, namespaces] {
            assert_eq!(policy["spec"]["failurePolicy"], "Fail");
        }
    }

    #[test]
    fn only_our_own_bundle_is_written() {
        let mut fixture = Fixture::new();
        fixture.endpoint = Endpoint::Url("https://node-1:5722".into());
        fixture.trust = Trust::CertManager("rails/webhook".into());
        let rendered = fixture.render();
        let webhook = &rendered.mutating["webhooks"][0];
        assert_eq!(
            webhook["clientConfig"],
            json!({ "url": "https://node-1:5722/mutate-spiderpool-spidernet-io-v2beta1-spiderippool" })
        );
        assert_eq!(
            rendered.validating["metadata"]["annotations"],
            json!({ "cert-manager.io/inject-ca-from": "rails/webhook" })
        );
        fixture.trust = Trust::Foreign;
        assert_eq!(fixture.render().mutating["metadata"]["annotations"], Value::Null);
    }

    #[test]
    fn the_owner_stands_on_every_object() {
        let owner = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "name": "spiderpool-controller", "uid": "u-1" });
        let mut fixture = Fixture::injecting();
        fixture.owner = Some(owner.clone());
        let rendered = fixture.render();
        let FinalState { parameter, pods, namespaces } = rendered.final_state.unwrap();
        let policies = [pods.policy, pods.binding, namespaces.policy, namespaces.binding];
        for object in [rendered.mutating, rendered.validating, parameter].into_iter().chain(policies) {
            assert_eq!(object["metadata"]["ownerReferences"], json!([owner]));
        }
    }
}
