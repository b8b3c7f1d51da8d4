//! Does what a plan says, in its order.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType};
use serde_json::json;
use tracing::{info, warn};

use super::plan::{Apply, Plan, Removal, Report};
use crate::api::{AttachmentDefinition, GROUP, Kind, VERSION};
use crate::catalog::ObjectKey;
use crate::controllers::error::fenced;
use crate::controllers::{ControllerError, FIELD_MANAGER, Leader, patch_parameters, recorder};
use crate::sources::describe;

const WRITING: &str = "write a NetworkAttachmentDefinition";

/// What came of a plan.
pub(super) struct Done {
    /// The definition as it was written.
    pub(super) applied: Option<DynamicObject>,
    /// The network with its new status.
    pub(super) reported: Option<DynamicObject>,
    /// Whether somebody else had changed the definition.
    pub(super) repaired: bool,
}

/// What came of a write that others may have overtaken.
enum Written {
    Applied(Box<DynamicObject>),
    /// Somebody was faster; the watch brings what is there now.
    Overtaken,
    /// The API server does not take it.
    Refused(Box<kube::Error>),
}

/// An error means that the plan is to be made and carried out again.
pub(super) async fn carry_out(leader: &Leader, plan: Plan) -> Result<Done, ControllerError> {
    let Plan { key, apply, remove, gone, report } = plan;
    let mut done = Done { applied: None, reported: None, repaired: false };
    if let Some(apply) = apply {
        match write(leader, &apply).await? {
            Written::Applied(object) => {
                info!(network = %key, definition = %key_of(&apply), "applied");
                done.repaired = apply.over.is_some() && report.as_ref().is_some_and(Report::is_old_news);
                done.applied = Some(*object);
            }
            Written::Overtaken => return Ok(done),
            Written::Refused(error) => {
                if let Some(report) = report {
                    let report = report.refused(&describe(&*error), apply.over.is_some());
                    tell(leader, &key, &report).await?;
                }
                return Err(ControllerError::request(WRITING, *error));
            }
        }
    }
    if !gone || !exists(leader, &key).await? {
        for removal in &remove {
            delete(leader, &key, removal).await?;
        }
    }
    if let Some(report) = report {
        done.reported = tell(leader, &key, &report).await?;
    }
    Ok(done)
}

fn key_of(apply: &Apply) -> ObjectKey {
    let (namespace, name) = (apply.definition.namespace.clone(), apply.definition.name.clone());
    ObjectKey { namespace, name }
}

/// A definition that is there is replaced only as it was seen. One that is not there cannot be fenced like this;
/// instead the write is not forced, so a foreign one that came meanwhile is a conflict.
async fn write(leader: &Leader, apply: &Apply) -> Result<Written, ControllerError> {
    let Apply { definition, over } = apply;
    let mut manifest = definition.manifest();
    let mut parameters = PatchParams::apply(FIELD_MANAGER);
    if let Some(version) = over {
        manifest["metadata"]["resourceVersion"] = version.as_str().into();
        parameters = parameters.force();
    }
    let api: Api<DynamicObject> =
        Api::namespaced_with(leader.client.clone(), &definition.namespace, &AttachmentDefinition::resource());
    match api.patch(&definition.name, &parameters, &Patch::Apply(&manifest)).await {
        Err(kube::Error::Api(status))
            if (400..500).contains(&status.code) && ![404, 409, 429].contains(&status.code) =>
        {
            Ok(Written::Refused(Box::new(kube::Error::Api(status))))
        }
        written => Ok(match fenced(WRITING, written)? {
            Some(object) => Written::Applied(Box::new(object)),
            None => Written::Overtaken,
        }),
    }
}

/// Whether a network is there after all; only the API server itself can prove that it is not.
async fn exists(leader: &Leader, key: &ObjectKey) -> Result<bool, ControllerError> {
    let found = api(leader, key).get_metadata_opt(&key.name).await;
    let found = found.map_err(|source| ControllerError::request("read a SpiderMultusConfig", source))?;
    Ok(found.is_some())
}

async fn delete(leader: &Leader, network: &ObjectKey, removal: &Removal) -> Result<(), ControllerError> {
    let Removal { key, uid, resource_version } = removal;
    let (uid, resource_version) = (Some(uid.clone()), Some(resource_version.clone()));
    let parameters = DeleteParams::default().preconditions(Preconditions { uid, resource_version });
    let api: Api<DynamicObject> =
        Api::namespaced_with(leader.client.clone(), &key.namespace, &AttachmentDefinition::resource());
    let deleted = api.delete(&key.name, &parameters).await;
    if fenced("delete a NetworkAttachmentDefinition", deleted)?.is_some() {
        info!(%network, definition = %key, "removed");
    }
    Ok(())
}

/// Writes the status of a network and, if it is news to people, an Event.
async fn tell(
    leader: &Leader,
    key: &ObjectKey,
    report: &Report,
) -> Result<Option<DynamicObject>, ControllerError> {
    let Some(status) = report.status(Timestamp::now()) else { return Ok(None) };
    let patch = json!({
        "metadata": { "resourceVersion": report.resource_version },
        "status": { "networkAttachmentDefinition": status.definition, "conditions": status.conditions },
    });
    let patched = api(leader, key).patch_status(&key.name, &patch_parameters(), &Patch::Merge(&patch)).await;
    let patched = fenced("write the status of a network", patched)?;
    if patched.is_some() && status.news {
        publish(leader, key, report).await;
    }
    Ok(patched)
}

fn api(leader: &Leader, key: &ObjectKey) -> Api<DynamicObject> {
    Api::namespaced_with(leader.client.clone(), &key.namespace, &Kind::MultusConfig.resource())
}

/// An Event that cannot be written is no reason to stop: the condition says the same.
async fn publish(leader: &Leader, key: &ObjectKey, report: &Report) {
    let (verdict, kind) = (&report.verdict, Kind::MultusConfig.name());
    if !verdict.rendered {
        warn!(network = %key, reason = verdict.reason, "{}", verdict.message);
    }
    let whole = verdict.reason == "Rendered";
    let event = Event {
        type_: if whole { EventType::Normal } else { EventType::Warning },
        reason: verdict.reason.to_owned(),
        note: Some(verdict.message.clone()),
        action: "Render".to_owned(),
        secondary: None,
    };
    let network = ObjectReference {
        api_version: Some(format!("{GROUP}/{VERSION}")),
        kind: Some(kind.to_owned()),
        namespace: Some(key.namespace.clone()),
        name: Some(key.name.clone()),
        uid: Some(report.uid.clone()),
        resource_version: Some(report.resource_version.clone()),
        field_path: None,
    };
    // Thousands of networks may be rendered in a minute, each once: not worth remembering.
    let recorder = if whole { recorder(leader.client.clone()) } else { leader.recorder.clone() };
    if let Err(error) = recorder.publish(&event, &network).await {
        warn!(network = %key, "failed to write an Event: {}", describe(&error));
    }
}
