//! Plugin configurations that users write themselves, as JSON text.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Network;
use super::aliases::is_zero;
use crate::api::CniType;
use crate::rules::{FieldError, Findings, Notice};

/// A plugin configuration; what is not looked at stays text, so that no number loses digits.
type Plugin<'a> = BTreeMap<String, &'a RawValue>;

pub(super) fn check(network: &Network<'_>, findings: &mut Findings) {
    let custom = network.kind == CniType::Custom;
    for (index, text) in network.spec.chain_cni_json_data.iter().flatten().enumerate() {
        if let Err(detail) = parse(text).and_then(|plugin| has_type(&plugin)) {
            let field = format!("spec.chainCNIJsonData[{index}]");
            findings.errors.push(FieldError::invalid(field, text, detail));
        }
    }
    if !custom {
        return;
    }
    if let Some(text) = network.spec.custom_cni.as_deref().filter(|text| !text.is_empty())
        && let Err(detail) = custom_configuration(text)
    {
        findings.errors.push(FieldError::invalid("spec.customCNI", text, detail));
    }
    for field in ["coordinator", "enableCoordinator", "chainCNIJsonData", "disableIPAM"] {
        if !is_zero(network.raw(field)) {
            let message = "has no effect: cniType custom uses customCNI as it is";
            findings.notices.push(Notice::advice(format!("spec.{field}"), message));
        }
    }
}

fn parse(text: &str) -> Result<Plugin<'_>, String> {
    serde_json::from_str(text).map_err(|error| format!("must be a JSON object: {error}"))
}

fn has_type(plugin: &Plugin<'_>) -> Result<(), String> {
    let value = plugin.get("type").and_then(|raw| String::deserialize(*raw).ok());
    match value.as_deref() {
        Some("") | None => Err("must name its plugin, as \"type\": \"tuning\"".to_owned()),
        Some(_) => Ok(()),
    }
}

/// One plugin configuration, or a list of them.
fn custom_configuration(text: &str) -> Result<(), String> {
    let configuration = parse(text)?;
    let Some(list) = configuration.get("plugins") else {
        return has_type(&configuration)
            .map_err(|_| "must have a \"type\", or a list \"plugins\" of objects that have one".to_owned());
    };
    let plugins: Vec<Plugin<'_>> = serde_json::from_str(list.get())
        .map_err(|_| "\"plugins\" must be a list of JSON objects".to_owned())?;
    if plugins.is_empty() {
        return Err("\"plugins\" must not be empty".to_owned());
    }
    for (index, plugin) in plugins.iter().enumerate() {
        has_type(plugin).map_err(|detail| format!("plugins[{index}] {detail}"))?;
    }
    Ok(())
}
