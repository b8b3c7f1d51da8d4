//! Reads the configuration: as a whole or not at all.

use serde_json::{Map, Value};

use super::shape::{not_supported, plain, words};
use super::{FieldError, FieldErrorKind, Glob, Notice, suggest};
use crate::api::settings::{CONFIG_KEY, Conflicts, FailurePolicy, InjectSettings, Settings};

/// A `ConfigMap` cannot hold more.
const LARGEST: usize = 1 << 20;

/// The form of a value that no component reads yet.
#[derive(Clone, Copy)]
enum Form {
    Bool,
    Number,
    Text,
    Mapping,
    List,
}

/// Keys that belong to components of later versions. They are accepted with the type they will have; a value
/// other than those listed here, which the known charts write, earns the advice that it has no effect.
const DORMANT: [(&str, Form, &[&str]); 11] = [
    ("ipamUnixSocketPath", Form::Text, &[r#""/var/run/spidernet/spiderpool.sock""#]),
    ("enableAutoPoolForApplication", Form::Bool, &["true"]),
    ("clusterSubnetDefaultFlexibleIPNumber", Form::Number, &["0", "1"]),
    ("clusterSubnetAutoPoolDefaultRedundantIPNumber", Form::Number, &["0", "1"]),
    ("agent.networkResourcePlugin.enabled", Form::Bool, &["false"]),
    ("agent.networkResourcePlugin.kubeletRootDir", Form::Text, &[r#""/var/lib/kubelet""#]),
    ("agent.networkResourcePlugin.devicePluginAffinity.nodeSelector", Form::Mapping, &["{}"]),
    ("agent.networkResourcePlugin.resourceAdvertisement.subENI.rules", Form::List, &["[]"]),
    ("agent.networkResourcePlugin.resourceAdvertisement.masterNIC.rules", Form::List, &["[]"]),
    ("iaasNetworkProvider.serverUrl", Form::Text, &[r#""""#]),
    ("iaasNetworkProvider.httpRequestTimeout", Form::Text, &[r#""50s""#]),
];

/// Parses the text of [`CONFIG_KEY`]; unknown keys are notices, wrong values errors.
///
/// Keys that the text leaves out have the values of `defaults`. Every error is reported, with the key's path
/// (`podResourceInject.namespacesExclude[2]`).
pub fn parse(text: &str, defaults: &Settings) -> Result<(Settings, Vec<Notice>), Vec<FieldError>> {
    let root = match read_yaml(text) {
        Ok(Value::Null) => Value::Object(Map::new()),
        Ok(root @ Value::Object(_)) => root,
        Ok(other) => {
            return Err(vec![whole_text(format!("must be a mapping of keys, found {}", words(&other)))]);
        }
        Err(message) => return Err(vec![whole_text(message)]),
    };
    let mut reader = Reader { root: &root, known: Vec::new(), errors: Vec::new(), notices: Vec::new() };
    let settings = read(&mut reader, defaults);
    for (path, form, usual) in DORMANT {
        reader.dormant(path, form, usual);
    }
    reader.unknown_keys(&root, "");
    if reader.errors.is_empty() { Ok((settings, reader.notices)) } else { Err(reader.errors) }
}

fn read(reader: &mut Reader<'_>, defaults: &Settings) -> Settings {
    let inject = &defaults.inject;
    let settings = Settings {
        enable_ipv4: reader.bool("enableIPv4", defaults.enable_ipv4),
        enable_ipv6: reader.bool("enableIPv6", defaults.enable_ipv6),
        enable_spider_subnet: reader.bool("enableSpiderSubnet", defaults.enable_spider_subnet),
        enable_stateful_set: reader.bool("enableStatefulSet", defaults.enable_stateful_set),
        enable_kubevirt_static_ip: reader.bool("enableKubevirtStaticIP", defaults.enable_kubevirt_static_ip),
        clean_outdated_endpoints: reader
            .bool("enableCleanOutdatedEndpoint", defaults.clean_outdated_endpoints),
        refuse_delete_in_use: reader
            .bool("enableValidatingResourcesDeletedWebhook", defaults.refuse_delete_in_use),
        strict: reader.bool("admission.strict", defaults.strict),
        failure_policy: reader
            .choice(
                "admission.failurePolicy",
                &[("Fail", FailurePolicy::Fail), ("Ignore", FailurePolicy::Ignore)],
            )
            .unwrap_or(defaults.failure_policy),
        tune_sysctls: reader.bool("tuneSysctlConfig", defaults.tune_sysctls),
        detect_ip_conflicts: reader.bool("enableIPConflictDetection", defaults.detect_ip_conflicts),
        detect_gateways: reader.bool("enableGatewayDetection", defaults.detect_gateways),
        inject: InjectSettings {
            enabled: reader.bool("podResourceInject.enabled", inject.enabled),
            namespaces_exclude: reader
                .globs("podResourceInject.namespacesExclude")
                .unwrap_or_else(|| inject.namespaces_exclude.clone()),
            namespaces_include: reader
                .globs("podResourceInject.namespacesInclude")
                .unwrap_or_else(|| inject.namespaces_include.clone()),
            network_namespaces: reader
                .globs("podResourceInject.networkNamespaces")
                .or_else(|| inject.network_namespaces.clone()),
            conflicts: reader
                .choice(
                    "podResourceInject.conflicts",
                    &[("clear", Conflicts::Clear), ("merge", Conflicts::Merge), ("deny", Conflicts::Deny)],
                )
                .unwrap_or(inject.conflicts),
        },
    };
    if !settings.enable_ipv4 && !settings.enable_ipv6 {
        let detail = "enableIPv4 and enableIPv6 cannot both be false: no pool could be used";
        reader.errors.push(FieldError::invalid("enableIPv4", false, detail));
    }
    settings
}

/// Reads YAML within bounds: neither size nor aliases nor depth can keep it busy for long.
fn read_yaml(text: &str) -> Result<Value, String> {
    if text.len() > LARGEST {
        return Err(format!("holds {} bytes, more than the {LARGEST} that a ConfigMap can", text.len()));
    }
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: 50_000, max_events: 200_000, max_documents: 1 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| format!("is no valid YAML: {error}"))
}

fn whole_text(detail: String) -> FieldError {
    FieldError { kind: FieldErrorKind::Invalid, field: CONFIG_KEY.to_owned(), value: None, detail }
}

/// Takes values out of the document and remembers which keys there are.
struct Reader<'a> {
    root: &'a Value,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
    notices: Vec<Notice>,
}

impl<'a> Reader<'a> {
    /// The value at a path; absent and null are the same.
    fn get(&mut self, path: &'static str) -> Option<&'a Value> {
        self.known.push(path);
        let mut value = self.root;
        for (end, segment) in segments(path) {
            value = value.get(segment).filter(|value| !value.is_null())?;
            if end < path.len() && !value.is_object() {
                self.mistyped(&path[..end], value, "a mapping of keys");
                return None;
            }
        }
        Some(value)
    }

    fn bool(&mut self, path: &'static str, default: bool) -> bool {
        match self.get(path) {
            None => default,
            Some(Value::Bool(value)) => *value,
            Some(other) => {
                self.mistyped(path, other, "true or false");
                default
            }
        }
    }

    fn choice<T: Copy>(&mut self, path: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.get(path)?;
        let chosen = choices.iter().find(|(name, _)| value == name);
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let detail = not_supported(&plain(value), &names);
            self.errors.push(FieldError::new(FieldErrorKind::NotSupported, path, plain(value), detail));
        }
        chosen.map(|(_, value)| *value)
    }

    fn globs(&mut self, path: &'static str) -> Option<Vec<String>> {
        let value = self.get(path)?;
        let Some(items) = value.as_array() else {
            self.mistyped(path, value, "a list of namespace names and patterns");
            return None;
        };
        let mut globs = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let field = format!("{path}[{index}]");
            match item.as_str().map(|text| (text, Glob::parse(text))) {
                Some((text, Ok(_))) => globs.push(text.to_owned()),
                Some((text, Err(detail))) => self.errors.push(FieldError::invalid(field, text, detail)),
                None => self.mistyped(&field, item, "a namespace name or pattern"),
            }
        }
        Some(globs)
    }

    /// Accepts a key of a later version.
    fn dormant(&mut self, path: &'static str, form: Form, usual: &[&str]) {
        let Some(value) = self.get(path) else { return };
        let (fits, expected) = match form {
            Form::Bool => (value.is_boolean(), "true or false"),
            Form::Number => (value.is_i64(), "an integer"),
            Form::Text => (value.is_string(), "a string"),
            Form::Mapping => (value.is_object(), "a mapping"),
            Form::List => (value.is_array(), "a list"),
        };
        if !fits {
            self.mistyped(path, value, expected);
        } else if !usual.contains(&value.to_string().as_str()) {
            self.notices.push(Notice::advice(path, "is accepted and has no effect in this version"));
        }
    }

    /// One error for each field, however many keys are looked for below it.
    fn mistyped(&mut self, path: &str, value: &Value, expected: &str) {
        if self.errors.iter().any(|error| error.field == path) {
            return;
        }
        let detail = format!("must be {expected}, found {}", words(value));
        self.errors.push(FieldError::new(FieldErrorKind::TypeInvalid, path, plain(value), detail));
    }

    fn unknown_keys(&mut self, value: &Value, path: &str) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let section = format!("{here}.");
            if self.known.iter().any(|known| known.starts_with(&section)) {
                self.unknown_keys(value, &here);
            } else if !self.known.contains(&here.as_str()) {
                let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
                let siblings = self.known.iter().filter_map(|known| known.strip_prefix(&prefix));
                let siblings = siblings.map(|rest| rest.split('.').next().unwrap_or(rest));
                let hint = suggest::did_you_mean(name, siblings);
                self.notices.push(Notice::advice(here, format!("there is no such key, it is ignored{hint}")));
            }
        }
    }
}

/// The segments of a dotted path, each with the index behind it.
fn segments(path: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = 0;
    path.split('.').map(move |segment| {
        let start = end;
        end = start + segment.len() + 1;
        (end - 1, segment)
    })
}

#[cfg(test)]
mod tests;
