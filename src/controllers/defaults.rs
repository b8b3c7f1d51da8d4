//! Creates the objects that an installation begins with: the cluster-wide coordinator and, if asked for, a first
//! pool and subnet. They stand in the `ConfigMap`. What is there already is left as it is, and what cannot be
//! created is said once; a changed `ConfigMap` is tried again.

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tracing::{error, info};

use super::supervise::timed;
use super::{ControllerError, Leader};
use crate::api::settings::DEFAULTS_KEY;
use crate::api::{GROUP, Kind};
use crate::sources::describe;
use crate::yaml;

/// Follows the `ConfigMap` until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    let config_maps: Api<ConfigMap> = Api::namespaced(leader.client.clone(), &leader.namespace);
    let only = watcher::Config::default().fields(&format!("metadata.name={}", leader.config_map));
    let mut versions = watcher(config_maps, only).applied_objects().boxed();
    let mut done = None;
    while let Some(version) = versions.next().await {
        let version = version.map_err(|source| ControllerError::watch("the ConfigMap", source))?;
        let text = version.data.and_then(|mut data| data.remove(DEFAULTS_KEY));
        if text != done {
            timed(&leader.metrics, "defaults", create_all(leader, text.as_deref().unwrap_or_default()))
                .await?;
            done = text;
        }
    }
    Ok(())
}

async fn create_all(leader: &Leader, text: &str) -> Result<(), ControllerError> {
    for document in yaml::documents(text) {
        match document.content {
            Ok(content) => create(leader, content.value).await?,
            Err(reason) => {
                error!(
                    config_map = leader.config_map,
                    key = DEFAULTS_KEY,
                    "a document cannot be read: {reason}"
                );
            }
        }
    }
    Ok(())
}

async fn create(leader: &Leader, manifest: Value) -> Result<(), ControllerError> {
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let kind = manifest["kind"].as_str().unwrap_or_default();
    let Some(kind) = Kind::from_name(kind).filter(|kind| !kind.namespaced()) else {
        error!(key = DEFAULTS_KEY, "{kind} {name} is not created: only cluster-wide kinds of {GROUP} are");
        return Ok(());
    };
    let object: DynamicObject = match serde_json::from_value(manifest) {
        Ok(object) => object,
        Err(reason) => {
            error!(key = DEFAULTS_KEY, "{kind} {name} is not created: {reason}");
            return Ok(());
        }
    };
    let api: Api<DynamicObject> = Api::all_with(leader.client.clone(), &kind.resource());
    if api.get_metadata_opt(&name).await.map_err(request)?.is_some() {
        return Ok(());
    }
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => info!(%kind, name, "created an object that the installation begins with"),
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        // Nobody but its author can mend it.
        Err(reason @ kube::Error::Api(_)) if is_final(&reason) => {
            error!(%kind, name, "an object that the installation begins with is refused: {}", describe(&reason));
        }
        Err(source) => return Err(request(source)),
    }
    Ok(())
}

fn request(source: kube::Error) -> ControllerError {
    ControllerError::request("create an object that the installation begins with", source)
}

/// Whether trying again would end the same way. Without webhooks the answer is a 500.
fn is_final(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if [400, 403, 422].contains(&status.code))
}
