//! One file for each behaviour; [`Fixture`] is a small cluster and a pod.

mod conflicts;
mod containers;
mod denials;
mod groups;
mod opt_in;
mod properties;

use serde_json::{Value, json};

use super::{Decision, Outcome, PodRequest, PodView, Silent, decide, patch};
use crate::api::settings::{Conflicts, Settings};
use crate::catalog::{Catalog, Identity, Objects};
use crate::reason::Reason;

/// Networks `gpu1-sriov` to `gpu8-sriov` of group `rdma-network`, as in the guide, and a pod in `team`.
struct Fixture {
    objects: Objects,
    settings: Settings,
    pod: Value,
}

/// What became of a pod: the reason, the pod after the patch, the warnings, the denial's text.
struct Answer {
    reason: Reason,
    pod: Value,
    warnings: Vec<String>,
    denial: String,
    patch: Option<Value>,
}

impl Fixture {
    fn new() -> Self {
        let mut settings = Settings::default();
        settings.inject.enabled = true;
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "generateName": "rdma-tools-" },
            "spec": { "containers": [{ "name": "main", "image": "tools" }] }
        });
        let mut fixture = Self { objects: Objects::default(), settings, pod };
        for rail in 1..=8 {
            fixture.network(&sriov(rail));
        }
        fixture
    }

    fn network(&mut self, object: &Value) -> &mut Self {
        self.objects.apply(object).unwrap();
        self
    }

    fn namespace(mut self, key: &str, value: &str) -> Self {
        let object = json!({"kind": "Namespace", "metadata": {"name": "team", "annotations": {key: value}}});
        self.objects.apply(&object).unwrap();
        self
    }

    fn annotate(mut self, key: &str, value: &str) -> Self {
        self.pod["metadata"]["annotations"][key] = value.into();
        self
    }

    fn label(mut self, key: &str, value: &str) -> Self {
        self.pod["metadata"]["labels"][key] = value.into();
        self
    }

    fn spec(mut self, field: &str, value: Value) -> Self {
        self.pod["spec"][field] = value;
        self
    }

    fn conflicts(mut self, conflicts: Conflicts) -> Self {
        self.settings.inject.conflicts = conflicts;
        self
    }

    fn rails(self) -> Self {
        self.annotate(crate::api::keys::RDMA_INJECT, "rdma-network")
    }

    fn decide(&self) -> Answer {
        self.decide_in("team", &self.pod)
    }

    fn decide_in(&self, namespace: &str, pod: &Value) -> Answer {
        admit(&self.catalog(), namespace, pod)
    }

    fn catalog(&self) -> Catalog {
        Catalog::compile(&self.objects, self.settings.clone(), &Identity::default())
    }
}

fn admit(catalog: &Catalog, namespace: &str, pod: &Value) -> Answer {
    let body = pod.to_string();
    let view: PodView<'_> = serde_json::from_str(&body).unwrap();
    let request = PodRequest { namespace, pod: view };
    let outcome = decide(&request, catalog, &mut Silent);
    answer(&outcome, &request, pod)
}

fn answer(outcome: &Outcome<'_>, request: &PodRequest<'_>, pod: &Value) -> Answer {
    let mut after = pod.clone();
    let mut patched = None;
    if let Decision::Inject(plan) = &outcome.decision
        && let Some(bytes) = patch(plan, &request.pod)
    {
        let operations: json_patch::Patch = serde_json::from_slice(&bytes).unwrap();
        json_patch::patch(&mut after, &operations).unwrap();
        patched = Some(serde_json::from_slice(&bytes).unwrap());
    }
    let denial = match &outcome.decision {
        Decision::Deny(denial) => denial.message.clone(),
        _ => String::new(),
    };
    Answer {
        reason: outcome.reason(),
        pod: after,
        warnings: outcome.warnings.clone(),
        denial,
        patch: patched,
    }
}

fn sriov(rail: u32) -> Value {
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig",
        "metadata": {
            "name": format!("gpu{rail}-sriov"), "namespace": "spiderpool",
            "annotations": {"cni.spidernet.io/rdma-resource-inject": "rdma-network"}
        },
        "spec": {"cniType": "sriov", "sriov": {
            "resourceName": format!("spidernet.io/gpu{rail}sriov"),
            "ippools": {"ipv4": [format!("gpu{rail}-net1{rail}")]}
        }}
    })
}

/// A network of another type or place; `spec` is the whole spec.
fn network(namespace: &str, name: &str, annotations: impl Into<Value>, spec: impl Into<Value>) -> Value {
    json!({
        "kind": "SpiderMultusConfig",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations.into()},
        "spec": spec.into()
    })
}

fn networks_of(pod: &Value) -> Vec<String> {
    let text = pod["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"].as_str().unwrap_or("[]");
    let list: Vec<Value> = serde_json::from_str(text).unwrap();
    list.iter()
        .map(|entry| {
            format!("{}/{}", entry["namespace"].as_str().unwrap_or(""), entry["name"].as_str().unwrap())
        })
        .collect()
}
