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
                    (start..start + spec.replicas.unwrap_or(1)).contains(ordinal)
                }))
            }
            Self::VirtualMachine { namespace, name } => {
                for kind in ["VirtualMachineInstance", "VirtualMachine"] {
                    let kind = GroupVersionKind::gvk("kubevirt.io", "v1", kind);
                    let machines: Api<DynamicObject> =
                        Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind));
                    let machine = machines.get_opt(name).await?;
                    if machine.is_some_and(|machine| machine.metadata.deletion_timestamp.is_none()) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
