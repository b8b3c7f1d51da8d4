//! Reads from a cluster, once, what decisions depend on. Nothing is watched and nothing written.

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config};
use serde_json::Value;

use super::connection::{ANSWER, client};
use crate::api::settings::Settings;
use crate::api::{AttachmentDefinition, Kind};
use crate::catalog::{Assembler, Catalog, Identity};
use crate::sources::each;

/// Why the cluster could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no usable kubeconfig.
    #[error("failed to read the kubeconfig")]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// The client could not be set up.
    #[error("failed to set up the client")]
    Client(#[source] Box<kube::Error>),
    /// A request failed.
    #[error("failed to get {what}")]
    Get {
        /// What was asked for.
        what: String,
        /// Why it did not come.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Connects with the caller's kubeconfig, or one context of it.
pub(super) async fn connect(context: Option<String>) -> Result<Client, ClusterError> {
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let config = Config::from_kubeconfig(&options).await;
    let config = config.map_err(|error| ClusterError::Kubeconfig(Box::new(error)))?;
    // Nothing is watched, so nothing is silent for long.
    client(config, ANSWER).map_err(|error| ClusterError::Client(Box::new(error)))
}

/// The pod as it is stored.
pub(super) async fn pod(client: &Client, namespace: &str, name: &str) -> Result<Value, ClusterError> {
    let resource = resource("", "v1", "Pod", "pods");
    let pods: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let what = || format!("pod {namespace}/{name}");
    let failed = |error| ClusterError::Get { what: what(), source: Box::new(error) };
    Ok(value(pods.get(name).await.map_err(failed)?, &resource))
}

/// Lists everything that admission knows. A kind that cannot be listed is a problem, not an end: the answer
/// then says what it does not take into account.
pub(super) async fn catalog(client: &Client, identity: Identity, config_map: &str) -> (Catalog, Vec<String>) {
    let release = identity.release_namespace.clone();
    let mut assembler = Assembler::new(identity, Settings::default());
    let mut problems = Vec::new();
    for resource in kinds() {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        match api.list(&ListParams::default()).await {
            Ok(list) => {
                for object in list {
                    take(&mut assembler, &value(object, &resource), &mut problems);
                }
            }
            Err(error) => problems.push(format!("failed to list {}: {error}", resource.plural)),
        }
    }
    let resource = resource("", "v1", "ConfigMap", "configmaps");
    let config_maps: Api<DynamicObject> = Api::namespaced_with(client.clone(), &release, &resource);
    match config_maps.get_opt(config_map).await {
        Ok(Some(object)) => take(&mut assembler, &value(object, &resource), &mut problems),
        Ok(None) => problems.push(format!("there is no ConfigMap {release}/{config_map}; injection is off")),
        Err(error) => problems.push(format!("failed to get ConfigMap {release}/{config_map}: {error}")),
    }
    (assembler.assemble(), problems)
}

/// All objects of a kind as the API server has them now, a page at a time.
pub(super) async fn list(client: &Client, resource: &ApiResource) -> Result<Vec<Value>, ClusterError> {
    const PAGE: u32 = 500;
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let mut objects = Vec::new();
    let listed = each(&api, PAGE, |object| objects.push(value(object, resource))).await;
    let failed = |error| ClusterError::Get { what: resource.plural.clone(), source: Box::new(error) };
    listed.map(|()| objects).map_err(failed)
}

/// The `ConfigMap` of the installation, if it is there.
pub(super) async fn config_map(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Value>, ClusterError> {
    let resource = resource("", "v1", "ConfigMap", "configmaps");
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let what = || format!("ConfigMap {namespace}/{name}");
    let failed = |error| ClusterError::Get { what: what(), source: Box::new(error) };
    Ok(api.get_opt(name).await.map_err(failed)?.map(|object| value(object, &resource)))
}

fn take(assembler: &mut Assembler, object: &Value, problems: &mut Vec<String>) {
    if let Err(error) = assembler.objects.apply(object) {
        problems.push(error.to_string());
    }
}

/// The kinds that admission knows.
pub(super) fn kinds() -> [ApiResource; 6] {
    [
        Kind::MultusConfig.resource(),
        Kind::IpPool.resource(),
        Kind::Subnet.resource(),
        resource("", "v1", "Namespace", "namespaces"),
        resource("", "v1", "Node", "nodes"),
        AttachmentDefinition::resource(),
    ]
}

pub(super) fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// Items of a list do not say what they are.
fn value(object: DynamicObject, resource: &ApiResource) -> Value {
    let mut object = serde_json::to_value(object).unwrap_or_default();
    object["apiVersion"] = resource.api_version.clone().into();
    object["kind"] = resource.kind.clone().into();
    object
}
