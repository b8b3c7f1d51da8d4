use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::api::settings::CONFIG_KEY;
use crate::api::{GROUP, Kind, VERSION};
use crate::catalog::ObjectKey;
use crate::yaml::{self, Lines};

/// One object of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The file, as the person named it.
    pub file: Arc<str>,
    /// The object.
    pub object: Value,
    /// Where its fields stand in the file.
    pub lines: Lines,
}

/// Something in a file that could not be taken into account, or only in part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileProblem {
    /// The file, as the person named it.
    pub file: Arc<str>,
    /// Line, counted from 1; none when the file itself could not be read.
    pub line: Option<u32>,
    /// For people.
    pub message: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Whose kind an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// One of the custom resources.
    Ours(Kind),
    /// Anything else.
    Other,
    /// A kind of ours under a version that is not served; the text says which one is.
    WrongVersion(String),
}

impl Manifest {
    /// `kind`, empty when absent.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    /// Namespace (as written) and name.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        let text = |field: &str| self.object["metadata"][field].as_str().unwrap_or_default().to_owned();
        ObjectKey { namespace: text("namespace"), name: text("name") }
    }

    /// The object in messages: `SpiderIPPool gpu1-net11`.
    #[must_use]
    pub fn title(&self) -> String {
        let name = self.key().to_string();
        let name = match self.object["metadata"]["generateName"].as_str() {
            Some(prefix) if name.is_empty() => format!("{prefix}*"),
            _ => name,
        };
        format!("{} {name}", self.kind()).trim().to_owned()
    }

    /// Whose kind the object is.
    #[must_use]
    pub fn group(&self) -> Group {
        let Some(kind) = Kind::from_name(self.kind()) else { return Group::Other };
        let version = self.object["apiVersion"].as_str().unwrap_or_default();
        if version == format!("{GROUP}/{VERSION}") {
            Group::Ours(kind)
        } else if version.split_once('/').is_none_or(|(group, _)| group == GROUP) {
            Group::WrongVersion(format!("apiVersion is {version:?}; {kind} is served as {GROUP}/{VERSION}"))
        } else {
            Group::Other
        }
    }

    /// The line of a field inside the configuration that a `ConfigMap` holds as text.
    #[must_use]
    pub fn config_line(&self, field: &str) -> u32 {
        let line = self.lines.line_of(&format!("data[{CONFIG_KEY}]"));
        let text = self.object["data"][CONFIG_KEY].as_str().unwrap_or_default();
        let documents = yaml::documents(text);
        let inner = documents.first().and_then(|document| document.content.as_ref().ok());
        // A block scalar begins on the line after its key.
        inner.filter(|_| text.contains('\n')).map_or(line, |content| line + content.lines.line_of(field))
    }

    /// A problem with the object, at the line of one of its fields.
    #[must_use]
    pub fn problem(&self, field: &str, message: impl fmt::Display) -> FileProblem {
        FileProblem {
            file: self.file.clone(),
            line: Some(self.lines.line_of(field)),
            message: format!("{}: {message}", self.title()),
        }
    }
}

/// Whether the object is the `ConfigMap` that holds the configuration.
#[must_use]
pub fn is_config(manifest: &Manifest) -> bool {
    manifest.kind() == "ConfigMap" && manifest.object["data"].get(CONFIG_KEY).is_some()
}

/// Does what `kubectl apply` does with objects that name no namespace.
pub fn default_namespace(manifest: &mut Manifest) {
    let namespaced = match manifest.group() {
        Group::Ours(kind) => kind.namespaced(),
        _ => manifest.kind() == "NetworkAttachmentDefinition",
    };
    if namespaced && manifest.key().namespace.is_empty() && manifest.object["metadata"].is_object() {
        manifest.object["metadata"]["namespace"] = Value::from("default");
    }
}

/// Reads the objects of a file, those inside lists included; what cannot be read is a problem.
#[must_use]
pub fn read_manifests(file: &str, text: &str) -> (Vec<Manifest>, Vec<FileProblem>) {
    let file: Arc<str> = file.into();
    let (mut manifests, mut problems) = (Vec::new(), Vec::new());
    for document in yaml::documents(text) {
        match document.content {
            Ok(content) => flatten(&file, content.value, &content.lines, &mut manifests, &mut problems),
            Err(error) => problems.push(FileProblem {
                file: file.clone(),
                line: Some(error.line),
                message: format!("failed to read YAML: {}", error.reason),
            }),
        }
    }
    (manifests, problems)
}

/// Takes an object as it is, and the items of a `List` (or `PodList`, ...) one by one.
fn flatten(
    file: &Arc<str>,
    mut object: Value,
    lines: &Lines,
    manifests: &mut Vec<Manifest>,
    problems: &mut Vec<FileProblem>,
) {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    if is_list && object["items"].is_array() {
        let Value::Array(items) = object["items"].take() else { return };
        for (index, item) in items.into_iter().enumerate() {
            if let Some(lines) = lines.get(&format!("items[{index}]")) {
                flatten(file, item, lines, manifests, problems);
            }
        }
        return;
    }
    let missing =
        ["apiVersion", "kind"].into_iter().find(|field| object[*field].as_str().is_none_or(str::is_empty));
    match missing {
        Some(field) => problems.push(FileProblem {
            file: file.clone(),
            line: Some(lines.line_of(field)),
            message: format!("this is no Kubernetes object: it has no {field}"),
        }),
        None => manifests.push(Manifest { file: file.clone(), object, lines: lines.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart_and_keep_their_lines() {
        let text = "\
kind: List
apiVersion: v1
items:
- kind: SpiderIPPool
  apiVersion: spiderpool.spidernet.io/v2beta1
  metadata: {name: a}
  spec:
    subnet: 10.0.0.0/8
- kind: SpiderIPPool
  apiVersion: spiderpool.spidernet.io/v1
  metadata: {name: b}
---
just text
---
kind: Pod
";
        let (manifests, problems) = read_manifests("x.yaml", text);
        let titles: Vec<String> = manifests.iter().map(Manifest::title).collect();
        assert_eq!(titles, ["SpiderIPPool a", "SpiderIPPool b"]);
        assert_eq!(manifests[0].group(), Group::Ours(Kind::IpPool));
        assert_eq!(manifests[0].lines.line_of("spec.subnet"), 8);
        assert_eq!(
            manifests[1].group(),
            Group::WrongVersion(
                "apiVersion is \"spiderpool.spidernet.io/v1\"; SpiderIPPool is served as spiderpool.spidernet.io/v2beta1"
                    .into()
            )
        );
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "x.yaml:13: this is no Kubernetes object: it has no apiVersion",
                "x.yaml:15: this is no Kubernetes object: it has no apiVersion"
            ]
        );
    }

    #[test]
    fn a_kind_of_the_same_name_in_another_group_is_not_ours() {
        let (manifests, _) =
            read_manifests("x", "{kind: SpiderSubnet, apiVersion: web.example/v1, metadata: {name: a}}");
        assert_eq!(manifests[0].group(), Group::Other);
    }
}
