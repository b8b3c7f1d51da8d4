//! Reads what a cluster tells about its addresses; what is not there is left out.

use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::cidrs::Sources;
use crate::controllers::ControllerError;

/// Calico keeps its pools under one of these, depending on its datastore and version.
const CALICO_POOLS: [(&str, &str); 2] = [("crd.projectcalico.org", "v1"), ("projectcalico.org", "v3")];
/// Flannel's mark on every node it runs on.
const FLANNEL: &str = "flannel.alpha.coreos.com/backend-type";

/// Asks the API server itself.
pub(super) async fn sources(client: &Client) -> Result<Sources, ControllerError> {
    let kubeadm = config_map(client, "kubeadm-config").await?;
    let cilium = config_map(client, "cilium-config").await?;
    let mut calico = None;
    for (group, version) in CALICO_POOLS {
        if calico.is_none() {
            calico = calico_pools(client, group, version).await?;
        }
    }
    Ok(Sources {
        kubeadm: kubeadm.and_then(|data| data.data?.remove("ClusterConfiguration")),
        controller_manager: controller_manager(client).await?,
        calico,
        cilium: cilium.map(|config| config.data.unwrap_or_default()),
        cilium_pools: cilium_pools(client).await?,
        flannel: flannel(client).await?,
        service_cidrs: service_cidrs(client).await?,
    })
}

/// Nothing, if the object or its kind does not exist.
fn unless_absent<T>(answer: kube::Result<T>) -> Result<Option<T>, ControllerError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(source) => Err(ControllerError::request("read the CIDRs of the cluster", source)),
    }
}

async fn config_map(client: &Client, name: &str) -> Result<Option<ConfigMap>, ControllerError> {
    unless_absent(Api::namespaced(client.clone(), "kube-system").get(name).await)
}

async fn flannel(client: &Client) -> Result<bool, ControllerError> {
    let nodes: Api<Node> = Api::all(client.clone());
    let listed = unless_absent(nodes.list_metadata(&ListParams::default().limit(1)).await)?;
    let node = listed.and_then(|nodes| nodes.items.into_iter().next());
    Ok(node.is_some_and(|node| node.annotations().contains_key(FLANNEL)))
}

async fn controller_manager(client: &Client) -> Result<Vec<String>, ControllerError> {
    let labelled = ListParams::default().labels("component=kube-controller-manager").limit(1);
    let pods: Api<Pod> = Api::namespaced(client.clone(), "kube-system");
    let listed = unless_absent(pods.list(&labelled).await)?;
    let pod = listed.and_then(|pods| pods.items.into_iter().next());
    let container = pod.and_then(|pod| pod.spec?.containers.into_iter().next());
    let arguments = container
        .map(|container| [container.command.unwrap_or_default(), container.args.unwrap_or_default()]);
    Ok(arguments.into_iter().flatten().flatten().collect())
}

async fn service_cidrs(client: &Client) -> Result<Vec<String>, ControllerError> {
    let listed = unless_absent(Api::<ServiceCIDR>::all(client.clone()).list(&ListParams::default()).await)?;
    let mut items = listed.map(|listed| listed.items).unwrap_or_default();
    items.retain(|object| object.metadata.deletion_timestamp.is_none());
    items.sort_by_key(|object| (object.creation_timestamp(), object.name_any()));
    Ok(items.into_iter().filter_map(|object| object.spec?.cidrs).flatten().collect())
}

/// None without Calico: an installed one has a pool.
async fn calico_pools(
    client: &Client,
    group: &str,
    version: &str,
) -> Result<Option<Vec<String>>, ControllerError> {
    let pools = cluster_scoped(client, group, version, "IPPool", "ippools").await?;
    let enabled = pools.into_iter().filter(|pool| pool.data["spec"]["disabled"] != Value::Bool(true));
    let cidrs: Vec<String> =
        enabled.filter_map(|pool| Some(pool.data["spec"]["cidr"].as_str()?.to_owned())).collect();
    Ok((!cidrs.is_empty()).then_some(cidrs))
}

async fn cilium_pools(client: &Client) -> Result<Vec<String>, ControllerError> {
    let pools =
        cluster_scoped(client, "cilium.io", "v2alpha1", "CiliumPodIPPool", "ciliumpodippools").await?;
    let cidrs = |pool: &DynamicObject, family: &str| {
        let cidrs = pool.data["spec"][family]["cidrs"].as_array().cloned().unwrap_or_default();
        cidrs.into_iter().filter_map(|cidr| Some(cidr.as_str()?.to_owned())).collect::<Vec<_>>()
    };
    Ok(pools.iter().flat_map(|pool| ["ipv4", "ipv6"].map(|family| cidrs(pool, family))).flatten().collect())
}

/// Live objects of a kind, oldest first.
async fn cluster_scoped(
    client: &Client,
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
) -> Result<Vec<DynamicObject>, ControllerError> {
    let kind = GroupVersionKind::gvk(group, version, kind);
    let api: Api<DynamicObject> =
        Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, plural));
    let listed = unless_absent(api.list(&ListParams::default()).await)?;
    let mut items = listed.map(|listed| listed.items).unwrap_or_default();
    items.retain(|object| object.metadata.deletion_timestamp.is_none());
    items.sort_by_key(|object| (object.creation_timestamp(), object.name_any()));
    Ok(items)
}
