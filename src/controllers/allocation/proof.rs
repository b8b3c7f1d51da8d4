//! The second look at a suspect: what the API server itself says of the pod, and of who could bring its name back.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client};
use tracing::warn;

use super::keeper::{Keeper, machine};
use super::world::World;
use crate::allocator::{EndpointFacts, PodFacts};
use crate::api::SpiderEndpoint;
use crate::ipam::{Held, Stickiness};
use crate::sources::describe;

/// On the pods of a `VirtualMachineInstance`: its UID.
const OF_MACHINE: &str = "kubevirt.io/created-by";

/// What the API server said of a pod.
pub(super) struct Proof {
    pub(super) uid: Arc<str>,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody has these addresses.
    Free(Vec<Held>),
    /// The pod is gone or has ended, but may run on where its node does not answer.
    Held,
    /// The pod, or its successor by name, has them.
    InUse,
    /// Nobody knows.
    Unknown,
}

/// Whom to ask about.
pub(super) struct Question {
    pub(super) uid: Arc<str>,
    /// `namespace/name` in the records.
    pub(super) holder: Arc<str>,
    pub(super) held: Vec<Held>,
    /// Where the pod ran, as its endpoint or its records say.
    pub(super) node: Option<String>,
    /// Whether the pod is still there as an object.
    pub(super) ended: bool,
    /// Whether its addresses wait for its node.
    pub(super) waits: bool,
    pub(super) endpoint: Option<EndpointFacts>,
    pub(super) keeper: Option<Keeper>,
}

impl Question {
    /// None if the pod lives, or has no records.
    pub(super) fn about(uid: &Arc<str>, world: &World, stickiness: Stickiness) -> Option<Self> {
        let ledgers = world.books.ledgers();
        let held = ledgers.of_uid(uid).to_vec();
        let record = ledgers.record(held.first()?)?;
        if world.lives(uid) {
            return None;
        }
        let endpoint = world.endpoints.get(&record.pod).filter(|endpoint| *endpoint.uid == **uid).cloned();
        let (namespace, name) = record.pod.split_once('/').unwrap_or_default();
        let keeper = endpoint.as_ref().and_then(|endpoint| Keeper::of(endpoint, namespace, name, stickiness));
        let told = endpoint.as_ref().map(|endpoint| endpoint.node.clone());
        Some(Self {
            uid: uid.clone(),
            holder: record.pod.clone(),
            node: told.or_else(|| record.node.as_deref().map(str::to_owned)),
            ended: world.pods.get(uid).is_some(),
            waits: false,
            held,
            endpoint,
            keeper,
        })
    }

    pub(super) async fn ask(self, client: &Client) -> Proof {
        let verdict = self.verdict(client).await.unwrap_or_else(|error| {
            warn!(pod = &*self.holder, "failed to find out whether a pod is gone: {}", describe(&error));
            Verdict::Unknown
        });
        Proof { uid: self.uid, verdict }
    }

    /// Whether somebody has the addresses, read from the API server itself.
    async fn verdict(&self, client: &Client) -> Result<Verdict, kube::Error> {
        let (namespace, name) = self.holder.split_once('/').unwrap_or_default();
        let free = || Verdict::Free(self.held.clone());
        match Api::<Pod>::namespaced(client.clone(), namespace).get_opt(name).await? {
            Some(pod) if !self.is(&pod) => {
                // The successor of a pod that keeps its addresses takes them over; any other replaces the endpoint.
                return Ok(match self.keeper {
                    Some(_) => Verdict::InUse,
                    None if self.waits => Verdict::Held,
                    None => free(),
                });
            }
            Some(pod) if !has_ended(&pod) => return Ok(Verdict::InUse),
            None if self.runs_as_machine(client, namespace, name).await? => return Ok(Verdict::InUse),
            Some(_) | None => {}
        }
        if let Some(keeper) = &self.keeper
            && keeper.keeps(client).await?
        {
            return Ok(Verdict::InUse);
        }
        if self.waits {
            return Ok(Verdict::Held);
        }
        match self.endpoint.as_ref().filter(|endpoint| endpoint.outlives_its_pod()) {
            Some(endpoint) => self.delete(client, namespace, name, endpoint).await,
            None => Ok(free()),
        }
    }

    fn is(&self, pod: &Pod) -> bool {
        pod.metadata.uid.as_deref() == Some(&*self.uid)
    }

    /// Whether the name is that of a virtual machine, and one of its pods has the UID: records name the machine. They
    /// may do so although nobody keeps addresses for machines any more.
    async fn runs_as_machine(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
    ) -> Result<bool, kube::Error> {
        if self.endpoint.as_ref().is_some_and(|endpoint| endpoint.owner_kind != "VirtualMachineInstance") {
            return Ok(false);
        }
        let Some(machine) = machine(client, namespace, "VirtualMachineInstance", name).await? else {
            return Ok(false);
        };
        let uid = machine.metadata.uid.unwrap_or_default();
        let of_machine = ListParams::default().labels(&format!("{OF_MACHINE}={uid}"));
        let pods = Api::<Pod>::namespaced(client.clone(), namespace).list(&of_machine).await?;
        Ok(pods.items.iter().any(|pod| self.is(pod) && !has_ended(pod)))
    }

    /// Takes an endpoint away that has no owner which would, unless it is another one by now.
    async fn delete(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
        endpoint: &EndpointFacts,
    ) -> Result<Verdict, kube::Error> {
        let endpoints = Api::<SpiderEndpoint>::namespaced(client.clone(), namespace);
        let same = Preconditions { resource_version: endpoint.resource_version.clone(), uid: None };
        match endpoints.delete(name, &DeleteParams::default().preconditions(same)).await {
            Ok(_) => Ok(Verdict::Free(self.held.clone())),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Verdict::Free(self.held.clone())),
            // The name is back, or somebody edits: looked at again.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Verdict::InUse),
            Err(error) => Err(error),
        }
    }
}

fn has_ended(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(PodFacts::has_ended)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scripted::{refusal, scripted};

    const POD: &str = "GET /api/v1/namespaces/team/pods/db-0";
    const PODS: &str = "GET /api/v1/namespaces/team/pods";
    const SET: &str = "GET /apis/apps/v1/namespaces/team/statefulsets/db";
    const MACHINE: &str = "GET /apis/kubevirt.io/v1/namespaces/team/virtualmachineinstances/db-0";
    const DELETE: &str = "DELETE /apis/spiderpool.spidernet.io/v2beta1/namespaces/team/spiderendpoints/db-0";

    fn held() -> Vec<Held> {
        vec![Held { pool: "a".into(), address: "10.0.0.1".parse().unwrap() }]
    }

    fn free() -> Verdict {
        Verdict::Free(held())
    }

    /// About the pod `gone` that was called `team/db-0`, with an endpoint of this kind of owner.
    fn question(owner_kind: Option<&str>) -> Question {
        let stickiness = Stickiness { stateful_sets: true, virtual_machines: false };
        let endpoint = owner_kind.map(|kind| EndpointFacts {
            uid: "gone".to_owned(),
            owner_kind: kind.to_owned(),
            owner_name: "db".to_owned(),
            resource_version: Some("7".to_owned()),
            ..EndpointFacts::default()
        });
        let keeper = endpoint.as_ref().and_then(|known| Keeper::of(known, "team", "db-0", stickiness));
        Question {
            uid: "gone".into(),
            holder: "team/db-0".into(),
            held: held(),
            node: None,
            ended: false,
            waits: false,
            endpoint,
            keeper,
        }
    }

    fn missing(what: &'static str) -> (&'static str, u16, Value) {
        (what, 404, refusal(404, "NotFound"))
    }

    fn pod(uid: &str, phase: &str) -> Value {
        json!({ "metadata": { "namespace": "team", "name": "db-0", "uid": uid }, "status": { "phase": phase } })
    }

    async fn verdict(question: &Question, answers: Vec<(&'static str, u16, Value)>) -> (Verdict, Vec<Value>) {
        let (client, server) = scripted(answers);
        let verdict = question.verdict(&client).await.unwrap();
        (verdict, server.await.unwrap())
    }

    #[tokio::test]
    async fn only_a_pod_that_is_gone_or_has_ended_is_proof() {
        let plain = question(Some("Deployment"));
        for (answer, expected) in [
            ((POD, 200, pod("gone", "Running")), Verdict::InUse),
            ((POD, 200, pod("gone", "Failed")), free()),
            ((POD, 200, pod("other", "Running")), free()),
            (missing(POD), free()),
        ] {
            assert_eq!(verdict(&plain, vec![answer]).await.0, expected);
        }
        let waiting = Question { waits: true, ..question(Some("Deployment")) };
        assert_eq!(verdict(&waiting, vec![missing(POD)]).await.0, Verdict::Held);
        assert_eq!(verdict(&waiting, vec![(POD, 200, pod("other", "Running"))]).await.0, Verdict::Held);
        assert_eq!(verdict(&waiting, vec![(POD, 200, pod("gone", "Running"))]).await.0, Verdict::InUse);
    }

    #[tokio::test]
    async fn the_endpoint_of_a_name_that_came_back_meanwhile_stays() {
        let set = question(Some("StatefulSet"));
        let answers = |code, answer| vec![missing(POD), missing(SET), (DELETE, code, answer)];
        let (gone, bodies) =
            verdict(&set, answers(200, json!({ "kind": "Status", "status": "Success" }))).await;
        assert_eq!(gone, free());
        assert_eq!(bodies[2]["preconditions"], json!({ "resourceVersion": "7" }));
        assert_eq!(verdict(&set, answers(409, refusal(409, "Conflict"))).await.0, Verdict::InUse);
        assert_eq!(verdict(&set, answers(404, refusal(404, "NotFound"))).await.0, free());
    }

    #[tokio::test]
    async fn the_record_of_a_virtual_machine_is_of_a_pod_with_another_name() {
        let machine = json!({ "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
            "metadata": { "namespace": "team", "name": "db-0", "uid": "machine" } });
        let list =
            |pod: Value| json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod] });
        for unknown in [question(None), question(Some("VirtualMachineInstance"))] {
            for (launcher, expected) in
                [(pod("gone", "Running"), Verdict::InUse), (pod("gone", "Succeeded"), free())]
            {
                let mut answers =
                    vec![missing(POD), (MACHINE, 200, machine.clone()), (PODS, 200, list(launcher))];
                if unknown.endpoint.is_some() && expected == free() {
                    answers.push(missing(DELETE));
                }
                assert_eq!(verdict(&unknown, answers).await.0, expected);
            }
        }
        assert_eq!(verdict(&question(None), vec![missing(POD), missing(MACHINE)]).await.0, free());
        let not_installed = (MACHINE, 404, json!("404 page not found"));
        assert_eq!(verdict(&question(None), vec![missing(POD), not_installed]).await.0, free());
    }
}
