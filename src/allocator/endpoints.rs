use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};

use crate::api::{AllocationDetail, SpiderEndpoint, SpiderEndpointSpec, SpiderEndpointStatus, keys};
use crate::ipam::{Allocation, Intent};

/// What is kept of an endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointFacts {
    /// UID of the pod.
    pub uid: String,
    /// Node of the pod.
    pub node: String,
    /// Kind of the pod's controller.
    pub owner_kind: String,
    /// Name of the pod's controller.
    pub owner_name: String,
    /// What each interface was given.
    pub details: Vec<AllocationDetail>,
    /// `metadata.resourceVersion`
    pub resource_version: Option<String>,
}

/// How the delivery of an endpoint ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivered {
    /// It says what was planned.
    Written,
    /// Another writer was first, with this.
    Taken(Box<SpiderEndpointStatus>),
    /// Nothing was written: the pod is gone, and the endpoint may be that of its successor.
    Gone,
}

impl EndpointFacts {
    /// Reduces an endpoint.
    #[must_use]
    pub fn of(endpoint: &SpiderEndpoint) -> Self {
        let resource_version = endpoint.resource_version();
        let Some(status) = &endpoint.status else { return Self { resource_version, ..Self::default() } };
        Self {
            resource_version,
            uid: status.current.uid.clone(),
            node: status.current.node.clone(),
            owner_kind: status.owner_controller_type.clone(),
            owner_name: status.owner_controller_name.clone(),
            details: status.current.ips.clone(),
        }
    }

    /// Whether it may have been written without an owner, for a name that can come back.
    #[must_use]
    pub fn outlives_its_pod(&self) -> bool {
        matches!(&*self.owner_kind, "StatefulSet" | "VirtualMachineInstance")
    }
}

/// Writes the endpoint of a pod. Creating it decides a race between two writers; an endpoint of an earlier pod of
/// the same name is replaced, at once if `earlier` names its `resourceVersion`.
///
/// Which of two pods is the earlier one is not seen from their endpoints. So before another pod's is replaced, the
/// API server must say that this pod is there; as that is asked after the endpoint was read, a successor that writes
/// meanwhile wins.
pub async fn deliver(
    client: &Client,
    intent: &Intent,
    allocation: &Allocation,
    earlier: Option<String>,
) -> Result<Delivered, kube::Error> {
    let api: Api<SpiderEndpoint> = Api::namespaced(client.clone(), &intent.namespace.name);
    let mut endpoint = endpoint(intent, allocation);
    let parameters = PostParams::default();
    if earlier.is_some() {
        if !is_there(client, intent).await? {
            return Ok(Delivered::Gone);
        }
        endpoint.metadata.resource_version = earlier;
        match api.replace(intent.holder.endpoint(), &parameters, &endpoint).await {
            // It changed or went meanwhile.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            other => return other.map(|_| Delivered::Written),
        }
        endpoint.metadata.resource_version = None;
    }
    match api.create(&parameters, &endpoint).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        other => return other.map(|_| Delivered::Written),
    }
    let Some(known) = api.get_opt(intent.holder.endpoint()).await? else {
        return api.create(&parameters, &endpoint).await.map(|_| Delivered::Written);
    };
    match &known.status {
        Some(status) if *status.current.uid == *intent.uid => {
            return Ok(if known.status == endpoint.status {
                Delivered::Written
            } else {
                Delivered::Taken(Box::new(status.clone()))
            });
        }
        _ => {}
    }
    if !is_there(client, intent).await? {
        return Ok(Delivered::Gone);
    }
    endpoint.metadata.resource_version = known.resource_version();
    // Other writers of endpoints add a finalizer of their own; it must not keep the new one for ever.
    api.replace(intent.holder.endpoint(), &parameters, &endpoint).await.map(|_| Delivered::Written)
}

/// Whether the pod of the intent has its name still.
async fn is_there(client: &Client, intent: &Intent) -> Result<bool, kube::Error> {
    let pods = Api::<Pod>::namespaced(client.clone(), &intent.namespace.name);
    let pod = pods.get_metadata_opt(&intent.name).await?;
    Ok(pod.is_some_and(|pod| pod.metadata.uid.as_deref() == Some(&*intent.uid)))
}

/// Adds what an interface was given to the endpoint of a pod that has one already: what it says of other interfaces
/// stays, and of those in `replaced` it says what `details` say from now on.
///
/// Returns what the endpoint says then; none if it is not there, or is of another pod.
pub async fn amend(
    client: &Client,
    intent: &Intent,
    details: &[AllocationDetail],
    replaced: &[&str],
) -> Result<Option<SpiderEndpointStatus>, kube::Error> {
    let api: Api<SpiderEndpoint> = Api::namespaced(client.clone(), &intent.namespace.name);
    let name = intent.holder.endpoint();
    loop {
        let Some(mut endpoint) = api.get_opt(name).await? else { return Ok(None) };
        let Some(status) = endpoint.status.as_mut().filter(|status| *status.current.uid == *intent.uid)
        else {
            return Ok(None);
        };
        let known = status.current.ips.clone();
        merge(&mut status.current.ips, details, replaced);
        if status.current.ips == known {
            return Ok(endpoint.status);
        }
        match api.replace(name, &PostParams::default(), &endpoint).await {
            Ok(written) => return Ok(written.status),
            // Read once more: another writer was first.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error),
        }
    }
}

fn merge(known: &mut Vec<AllocationDetail>, details: &[AllocationDetail], replaced: &[&str]) {
    let addresses = |detail: &AllocationDetail| (detail.ipv4.clone(), detail.ipv6.clone());
    for detail in details {
        match known.iter_mut().find(|known| known.interface == detail.interface) {
            Some(known) if replaced.contains(&&*detail.interface) => known.clone_from(detail),
            Some(_) => {}
            None => {
                // Other writers leave interfaces unnamed.
                known.retain(|known| !known.interface.is_empty() || addresses(known) != addresses(detail));
                known.push(detail.clone());
            }
        }
    }
}

fn endpoint(intent: &Intent, allocation: &Allocation) -> SpiderEndpoint {
    let mut endpoint = SpiderEndpoint::new(intent.holder.endpoint(), SpiderEndpointSpec {});
    endpoint.metadata.namespace = Some(intent.namespace.name.clone());
    endpoint.metadata.labels =
        Some(BTreeMap::from([(keys::NODE.to_owned(), keys::node_label(&intent.node.name))]));
    // The endpoint of a pod that keeps its addresses outlives the pod.
    if !intent.holder.sticky {
        endpoint.metadata.owner_references = Some(vec![OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: intent.name.clone(),
            uid: intent.uid.to_string(),
            ..OwnerReference::default()
        }]);
    }
    endpoint.status = Some(allocation.status(intent));
    endpoint
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::ipam::{Holder, NamespaceView};
    use crate::scripted::{refusal, scripted};

    const POD: &str = "GET /api/v1/namespaces/team/pods/a";
    const CREATE: &str = "POST /apis/spiderpool.spidernet.io/v2beta1/namespaces/team/spiderendpoints";
    const READ: &str = "GET /apis/spiderpool.spidernet.io/v2beta1/namespaces/team/spiderendpoints/a";
    const REPLACE: &str = "PUT /apis/spiderpool.spidernet.io/v2beta1/namespaces/team/spiderendpoints/a";

    fn detail(interface: &str, address: &str) -> AllocationDetail {
        let (interface, ipv4) = (interface.to_owned(), Some(address.to_owned()));
        AllocationDetail { interface, ipv4, ..AllocationDetail::default() }
    }

    /// Pod `team/a` with UID `mine`.
    fn intent() -> Intent {
        Intent {
            name: "a".to_owned(),
            uid: "mine".into(),
            namespace: Arc::new(NamespaceView { name: "team".to_owned(), ..NamespaceView::default() }),
            holder: Holder { key: "team/a".into(), sticky: false },
            ..Intent::default()
        }
    }

    fn pod(uid: &str) -> Value {
        json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": { "namespace": "team", "name": "a", "uid": uid } })
    }

    /// An endpoint as the API server has it.
    fn stored(uid: &str, version: &str) -> Value {
        let mut endpoint = SpiderEndpoint::new("a", SpiderEndpointSpec {});
        let mut status = Allocation::default().status(&intent());
        status.current.uid = uid.to_owned();
        endpoint.metadata.resource_version = Some(version.to_owned());
        endpoint.status = Some(status);
        json!(endpoint)
    }

    async fn delivered(
        earlier: Option<&str>,
        answers: Vec<(&'static str, u16, Value)>,
    ) -> (Delivered, Vec<Value>) {
        let (client, server) = scripted(answers);
        let allocation = Allocation::default();
        let delivered = deliver(&client, &intent(), &allocation, earlier.map(str::to_owned)).await.unwrap();
        (delivered, server.await.unwrap())
    }

    #[tokio::test]
    async fn the_endpoint_of_an_earlier_pod_is_replaced_as_it_was_read() {
        let exists = refusal(409, "AlreadyExists");
        let answers = vec![
            (CREATE, 409, exists),
            (READ, 200, stored("theirs", "7")),
            (POD, 200, pod("mine")),
            (REPLACE, 200, stored("mine", "8")),
        ];
        let (delivered, bodies) = delivered(None, answers).await;
        assert_eq!(delivered, Delivered::Written);
        assert_eq!(bodies[3]["metadata"]["resourceVersion"], "7");
        assert_eq!(bodies[3]["status"]["current"]["uid"], "mine");
    }

    #[tokio::test]
    async fn the_endpoint_of_a_later_pod_is_left_alone() {
        for successor in [(POD, 200, pod("theirs")), (POD, 404, refusal(404, "NotFound"))] {
            let answers = vec![
                (CREATE, 409, refusal(409, "AlreadyExists")),
                (READ, 200, stored("theirs", "7")),
                successor.clone(),
            ];
            assert_eq!(delivered(None, answers).await.0, Delivered::Gone);
            assert_eq!(delivered(Some("7"), vec![successor]).await.0, Delivered::Gone);
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_another_writer_made_for_the_same_pod_stays() {
        let mut other = stored("mine", "7");
        other["status"]["current"]["node"] = json!("elsewhere");
        let answers = vec![(CREATE, 409, refusal(409, "AlreadyExists")), (READ, 200, other.clone())];
        let told = serde_json::from_value(other["status"].clone()).unwrap();
        assert_eq!(delivered(None, answers).await.0, Delivered::Taken(Box::new(told)));
        let answers = vec![(CREATE, 409, refusal(409, "AlreadyExists")), (READ, 200, stored("mine", "7"))];
        assert_eq!(delivered(None, answers).await.0, Delivered::Written, "it says the same");
    }

    #[test]
    fn what_an_endpoint_says_of_an_interface_stays_unless_it_is_replaced() {
        let mut known = vec![detail("net1", "10.0.0.1/24"), detail("", "10.0.0.2/24")];
        let mine =
            [detail("net1", "10.0.0.9/24"), detail("net2", "10.0.0.2/24"), detail("net3", "10.0.0.3/24")];
        merge(&mut known, &mine, &[]);
        let expected =
            [detail("net1", "10.0.0.1/24"), detail("net2", "10.0.0.2/24"), detail("net3", "10.0.0.3/24")];
        assert_eq!(known, expected);
        merge(&mut known, &mine, &["net1"]);
        assert_eq!(known[0], detail("net1", "10.0.0.9/24"));
    }
}
