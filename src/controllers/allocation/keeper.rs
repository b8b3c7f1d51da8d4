use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};

use crate::allocator::EndpointFacts;
use crate::ipam::Stickiness;

/// What lets a name keep its addresses without a pod.
pub(super) enum Keeper {
    /// The pod of this ordinal comes back.
    StatefulSet { namespace: String, name: String, ordinal: i32 },
    /// The machine, or the instance of it, starts again.
    VirtualMachine { namespace: String, name: String },
}

impl Keeper {
    /// The keeper of the holder of an endpoint, if it has one.
    pub(super) fn of(
        endpoint: &EndpointFacts,
        namespace: &str,
        holder: &str,
        stickiness: Stickiness,
    ) -> Option<Self> {
        let (namespace, name) = (namespace.to_owned(), endpoint.owner_name.clone());
        match &*endpoint.owner_kind {
            "StatefulSet" if stickiness.stateful_sets => {
                let ordinal = holder.strip_prefix(&*name)?.strip_prefix('-')?.parse().ok()?;
                Some(Self::StatefulSet { namespace, name, ordinal })
            }
            "VirtualMachineInstance" if stickiness.virtual_machines => {
                Some(Self::VirtualMachine { namespace, name })
            }
            _ => None,
        }
    }

    /// Whether it can bring a pod of the name back.
    pub(super) async fn keeps(&self, client: &Client) -> Result<bool, kube::Error> {
        match self {
            Self::StatefulSet { namespace, name, ordinal } => {
                let sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
                let spec = sets.get_opt(name).await?.map(|set| set.spec);
                Ok(spec.is_some_and(|spec| {
                    let start = spec.ordinals.and_then(|ordinals| ordinals.start).unwrap_or(0);
                    (start..start.saturating_add(spec.replicas.unwrap_or(1))).contains(ordinal)
                }))
            }
            Self::VirtualMachine { namespace, name } => {
                for kind in ["VirtualMachineInstance", "VirtualMachine"] {
                    let machine = machine(client, namespace, kind, name).await?;
                    if machine.is_some_and(|machine| machine.metadata.deletion_timestamp.is_none()) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

/// An object of `KubeVirt`; none as well where the kind is not installed, which is told without a `Status`.
pub(super) async fn machine(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
) -> Result<Option<DynamicObject>, kube::Error> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", kind));
    match Api::namespaced_with(client.clone(), namespace, &kind).get(name).await {
        Ok(machine) => Ok(Some(machine)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scripted::{refusal, scripted};

    #[test]
    fn pods_of_stateful_sets_and_virtual_machines_have_a_keeper() {
        let keeps = Stickiness { stateful_sets: true, virtual_machines: true };
        let keeper_while = |stickiness: Stickiness, kind: &str, owner: &str, holder: &str| {
            let endpoint = EndpointFacts {
                owner_kind: kind.to_owned(),
                owner_name: owner.to_owned(),
                ..EndpointFacts::default()
            };
            Keeper::of(&endpoint, "team", holder, stickiness)
        };
        let keeper = |kind: &str, owner: &str, holder: &str| keeper_while(keeps, kind, owner, holder);
        assert!(matches!(
            keeper("StatefulSet", "db", "db-12"),
            Some(Keeper::StatefulSet { ordinal: 12, .. })
        ));
        assert!(keeper("StatefulSet", "db", "db-x").is_none());
        assert!(keeper("StatefulSet", "db", "other-1").is_none());
        assert!(matches!(keeper("VirtualMachineInstance", "vm", "vm"), Some(Keeper::VirtualMachine { .. })));
        assert!(keeper("Deployment", "train", "train-x").is_none());
        let sets_do_not = Stickiness { stateful_sets: false, ..keeps };
        assert!(keeper_while(sets_do_not, "StatefulSet", "db", "db-12").is_none());
        let machines_do_not = Stickiness { virtual_machines: false, ..keeps };
        assert!(keeper_while(machines_do_not, "VirtualMachineInstance", "vm", "vm").is_none());
    }

    #[tokio::test]
    async fn a_set_keeps_the_ordinals_that_it_runs() {
        const SET: &str = "GET /apis/apps/v1/namespaces/team/statefulsets/db";
        let set = |spec: Value| {
            let (selector, template) = (json!({}), json!({ "metadata": {} }));
            let mut set = json!({ "metadata": { "name": "db" },
                "spec": { "selector": selector, "template": template, "serviceName": "db" } });
            for (field, value) in spec.as_object().unwrap() {
                set["spec"][field] = value.clone();
            }
            set
        };
        let ranged = json!({ "replicas": 2, "ordinals": { "start": 5 } });
        let at_the_end = json!({ "replicas": 2, "ordinals": { "start": i32::MAX } });
        for (spec, ordinal, keeps) in [
            (json!({}), 0, true),
            (json!({}), 1, false),
            (json!({ "replicas": 3 }), 2, true),
            (json!({ "replicas": 3 }), 3, false),
            (json!({ "replicas": 0 }), 0, false),
            (ranged.clone(), 4, false),
            (ranged.clone(), 6, true),
            (ranged, 7, false),
            (at_the_end, 0, false),
        ] {
            let keeper = Keeper::StatefulSet { namespace: "team".into(), name: "db".into(), ordinal };
            let (client, _server) = scripted(vec![(SET, 200, set(spec.clone()))]);
            assert_eq!(keeper.keeps(&client).await.unwrap(), keeps, "{ordinal} of {spec}");
        }
        let keeper = Keeper::StatefulSet { namespace: "team".into(), name: "db".into(), ordinal: 0 };
        let (client, _server) = scripted(vec![(SET, 404, refusal(404, "NotFound"))]);
        assert!(!keeper.keeps(&client).await.unwrap(), "the set is gone");
    }

    #[tokio::test]
    async fn a_machine_keeps_its_name_as_long_as_it_or_its_instance_is_there() {
        const INSTANCE: &str = "GET /apis/kubevirt.io/v1/namespaces/team/virtualmachineinstances/vm";
        const MACHINE: &str = "GET /apis/kubevirt.io/v1/namespaces/team/virtualmachines/vm";
        let there = |deleted: Option<&str>| {
            json!({ "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
                "metadata": { "name": "vm", "namespace": "team", "deletionTimestamp": deleted } })
        };
        let (here, going) = (there(None), there(Some("2026-01-01T00:00:00Z")));
        let no = || refusal(404, "NotFound");
        for (answers, keeps) in [
            (vec![(INSTANCE, 200, here.clone())], true),
            (vec![(INSTANCE, 404, no()), (MACHINE, 200, here)], true),
            (vec![(INSTANCE, 200, going.clone()), (MACHINE, 200, going)], false),
            (vec![(INSTANCE, 404, no()), (MACHINE, 404, no())], false),
            // KubeVirt is not installed.
            (
                vec![
                    (INSTANCE, 404, json!("404 page not found")),
                    (MACHINE, 404, json!("404 page not found")),
                ],
                false,
            ),
        ] {
            let keeper = Keeper::VirtualMachine { namespace: "team".into(), name: "vm".into() };
            let (client, _server) = scripted(answers);
            assert_eq!(keeper.keeps(&client).await.unwrap(), keeps);
        }
    }
}
