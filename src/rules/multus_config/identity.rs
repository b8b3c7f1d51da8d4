//! The name of the `NetworkAttachmentDefinition`, and the other annotations that shape it.

use serde_json::Value;

use super::{Network, refuse};
use crate::api::keys;
use crate::rules::finding::annotation;
use crate::rules::shape::not_supported;
use crate::rules::{Context, FieldError, FieldErrorKind, Findings, Notice, syntax};

/// Versions of the CNI specification that a network can ask for.
const CNI_VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// The name of the `NetworkAttachmentDefinition`; empty while the API server has not named the object yet.
fn nad_name(object: &Value) -> &str {
    let given = annotated(object, keys::NAD_NAME).filter(|name| !name.is_empty());
    given.or_else(|| metadata(object, "name")).unwrap_or_default()
}

fn metadata<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get("metadata")?.get(field)?.as_str()
}

fn annotated<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

pub(super) fn check(network: &Network<'_>, context: &Context<'_>, findings: &mut Findings) {
    let errors = &mut findings.errors;
    if let Some(name) = annotated(network.object, keys::NAD_NAME) {
        refuse(errors, annotation(keys::NAD_NAME), name, syntax::subdomain(name));
    }
    if let Some(version) = annotated(network.object, keys::CNI_VERSION)
        && !CNI_VERSIONS.contains(&version)
    {
        let field = annotation(keys::CNI_VERSION);
        let detail = not_supported(version, &CNI_VERSIONS);
        errors.push(FieldError::new(FieldErrorKind::NotSupported, field, version, detail));
    }
    if let Some(name) = annotated(network.object, keys::CNI_CONFIG_NAME).filter(|name| !name.is_empty()) {
        refuse(errors, annotation(keys::CNI_CONFIG_NAME), name, syntax::cni_name(name));
    }
    owner_of_nad(network, context, findings);
}

/// A definition that another network owns would be written by both in turn.
fn owner_of_nad(network: &Network<'_>, context: &Context<'_>, findings: &mut Findings) {
    let own = metadata(network.object, "name").unwrap_or_default();
    let (namespace, name) =
        (metadata(network.object, "namespace").unwrap_or_default(), nad_name(network.object));
    let Some(nad) = context.peers.nad(namespace, name) else { return };
    let named = annotated(network.object, keys::NAD_NAME).is_some();
    let field = if named { annotation(keys::NAD_NAME) } else { "metadata.name".to_owned() };
    match &nad.owner {
        Some(owner) if owner != own => {
            let detail = format!(
                "the NetworkAttachmentDefinition {namespace}/{name} belongs to SpiderMultusConfig {owner}; \
                 choose another name with the annotation {}",
                keys::NAD_NAME
            );
            findings.errors.push(FieldError::invalid(field, name, detail));
        }
        Some(_) => {}
        None => {
            let message = format!(
                "the NetworkAttachmentDefinition {namespace}/{name} exists without a SpiderMultusConfig: it is \
                 taken over if it has the label {}={}, and left as it is otherwise",
                keys::MANAGED_BY,
                keys::MANAGED_BY_US
            );
            findings.notices.push(Notice::advice(field, message));
        }
    }
}

/// The definition of the old name goes, and with it the pods that name it cannot be started again.
pub(super) fn keeps_name(object: &Value, old: &Value, notices: &mut Vec<Notice>) {
    let (before, after) = (nad_name(old), nad_name(object));
    if before != after {
        let message = format!(
            "the NetworkAttachmentDefinition {before} is replaced by {after}; pods that name {before} themselves \
             do not start any more"
        );
        notices.push(Notice::advice(annotation(keys::NAD_NAME), message));
    }
}
