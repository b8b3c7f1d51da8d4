//! What holds for every pod: injecting twice changes nothing more, and nothing else of the pod changes.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Fixture, admit, sriov};
use crate::api::keys::{NETWORKS, RDMA_INJECT};
use crate::api::settings::Conflicts;
use crate::catalog::Catalog;
use crate::reason::Reason;

/// One catalog for each way of resolving conflicts; compiling them takes longer than deciding.
static CATALOGS: LazyLock<[Catalog; 2]> = LazyLock::new(|| {
    [Conflicts::Clear, Conflicts::Merge].map(|mode| Fixture::new().conflicts(mode).catalog())
});

fn quantities() -> impl Strategy<Value = Option<u8>> {
    proptest::option::of(0..3_u8)
}

fn container(name: &'static str) -> impl Strategy<Value = Value> {
    // The API server sends strings; a manifest may have anything.
    let memory = proptest::option::of(prop_oneof![
        Just(json!("256Gi")),
        Just(json!(1024)),
        Just(json!(0.5)),
        Just(json!("\u{e9}\"\\")),
        Just(json!("")),
        Just(Value::Null),
    ]);
    (quantities(), quantities(), any::<bool>(), memory).prop_map(move |(limit, request, extra, memory)| {
        let mut container = json!({"name": name, "volumeMounts": [{"name": "x\"\\", "mountPath": "/"}]});
        for (field, quantity) in [("limits", limit), ("requests", request)] {
            if let Some(quantity) = quantity {
                container["resources"][field]["spidernet.io/gpu1sriov"] = quantity.to_string().into();
            }
            if let Some(memory) = &memory {
                container["resources"][field]["memory"] = memory.clone();
                container["resources"][field]["a~b/c"] = "3".into();
            }
        }
        if extra {
            container["resources"]["claims"] = json!([{"name": "gpu"}]);
        }
        container
    })
}

fn pods() -> impl Strategy<Value = Value> {
    let networks = proptest::option::of(prop_oneof![
        Just("own"),
        Just("spiderpool/gpu2-sriov,team/own@net7"),
        Just(r#"[{"name":"gpu1-sriov","namespace":"spiderpool","mac":"02:00:00:00:00:01"}]"#),
        Just(""),
    ]);
    let init = proptest::option::of(container("init"));
    (networks, container("a"), container("b"), init, any::<bool>()).prop_map(|(networks, a, b, init, labelled)| {
        let mut pod = json!({
            "metadata": {"name": "p", "annotations": {RDMA_INJECT: "rdma-network"}, "future": {"field": [1, null]}},
            "spec": {"containers": [a, b], "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}]}
        });
        if let Some(networks) = networks {
            pod["metadata"]["annotations"][NETWORKS] = networks.into();
        }
        if let Some(mut init) = init {
            init["restartPolicy"] = "Always".into();
            pod["spec"]["initContainers"] = json!([init]);
        }
        if labelled {
            pod["metadata"]["labels"] = json!({"app": "x", "railweave.io/rails": "77"});
        }
        pod
    })
}

/// The pod without what injection may write.
fn rest(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let annotations = pod["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove(NETWORKS);
    annotations.remove("railweave.io/injected");
    if let Some(labels) = pod["metadata"].get_mut("labels").and_then(Value::as_object_mut) {
        labels.remove("railweave.io/rails");
        if labels.is_empty() {
            pod["metadata"].as_object_mut().unwrap().remove("labels");
        }
    }
    if let Some(resources) = pod["spec"]["containers"][0].get_mut("resources").and_then(Value::as_object_mut)
    {
        for field in ["limits", "requests"] {
            let Some(map) = resources.get_mut(field).and_then(Value::as_object_mut) else { continue };
            map.retain(|name, _| !name.starts_with("spidernet.io/"));
            if map.is_empty() {
                resources.remove(field);
            }
        }
        if resources.is_empty() {
            pod["spec"]["containers"][0].as_object_mut().unwrap().remove("resources");
        }
    }
    pod
}

fn asked_in_all(pod: &Value) -> u64 {
    let containers = pod["spec"]["containers"].as_array().unwrap().iter();
    let sidecars = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    let asked = |container: &Value| {
        let resources = &container["resources"];
        let quantity = |field: &str| resources[field]["spidernet.io/gpu1sriov"].as_str().map(str::to_owned);
        quantity("requests").or_else(|| quantity("limits")).map_or(0, |text| text.parse().unwrap())
    };
    containers.chain(sidecars).map(asked).sum()
}

proptest! {
    #[test]
    fn injection_is_idempotent_and_touches_only_its_own_fields(
        pod in pods(),
        conflicts in prop_oneof![Just(Conflicts::Clear), Just(Conflicts::Merge)],
    ) {
        let catalog = &CATALOGS[usize::from(conflicts == Conflicts::Merge)];
        let once = admit(catalog, "team", &pod);
        prop_assert_eq!(once.reason, Reason::Injected);
        let twice = admit(catalog, "team", &once.pod);
        prop_assert_eq!(twice.patch, None);
        prop_assert_eq!(rest(&once.pod), rest(&pod));
        prop_assert!(asked_in_all(&once.pod) >= 1);
        prop_assert_eq!(asked_in_all(&once.pod), asked_in_all(&pod).max(1));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn adding_a_rail_at_the_end_moves_nothing(rails in 1..20_u32) {
        let mut fixture = Fixture::new().rails();
        fixture.objects = crate::catalog::Objects::default();
        (1..=rails).for_each(|rail| { fixture.network(&sriov(rail)); });
        let before = super::networks_of(&fixture.decide().pod);
        fixture.network(&sriov(rails + 1));
        let after = super::networks_of(&fixture.decide().pod);
        prop_assert_eq!(&after[..before.len()], &before[..]);
        prop_assert_eq!(after.len(), before.len() + 1);
    }
}
