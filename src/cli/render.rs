use std::collections::HashMap;

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::console::Console;
use super::failure::{Exit, Failure};
use super::inject::join;
use super::input::Files;
use crate::api::settings::Settings;
use crate::api::{Kind, SpiderMultusConfigSpec};
use crate::render::{Definition, definition};
use crate::rules::{self, Context, Operation, Peers};
use crate::sources::{FileProblem, Group, Manifest, default_namespace, read_manifests};
use crate::yaml;

/// Renders networks into the `NetworkAttachmentDefinition`s that Multus reads, as the controller does
#[derive(Debug, Args)]
#[command(
    long_about = "Renders networks into the NetworkAttachmentDefinitions that Multus reads, as the controller does.

Reads SpiderMultusConfigs in YAML or JSON and writes YAML; objects of other kinds are passed over. Older and loose \
        spellings are understood, and named on standard error. If one network is wrong, or two of them claim the same \
        definition, nothing is written and the exit code is 1.

What is printed can be applied by hand. Where a controller runs, it takes such definitions over: they carry its label.",
    after_help = "Examples:
  railweave render -f manifests/examples/injection-8-rails
  kubectl get spidermultusconfig gpu1-sriov -n spiderpool -o yaml | railweave render -f -"
)]
pub(super) struct Render {
    #[command(flatten)]
    files: Files,
}

/// What one run has come to so far.
#[derive(Default)]
struct Progress {
    documents: Vec<String>,
    /// Who claimed a definition, by namespace and name.
    claims: HashMap<(String, String), String>,
    networks: usize,
    wrong: bool,
}

impl Render {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self { files } = self;
        let (mut progress, mut unreadable) = (Progress::default(), Vec::new());
        for source in files.read()? {
            let (manifests, bad) = read_manifests(&source.name, &source.text);
            unreadable.extend(bad);
            for mut manifest in manifests {
                default_namespace(&mut manifest);
                progress.take(&mut manifest, console)?;
            }
        }
        if !unreadable.is_empty() {
            return Err(Failure::Unreadable(unreadable));
        }
        let Progress { documents, claims: _, networks, wrong } = progress;
        if networks == 0 {
            let names: Vec<String> = files.filename.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::NoNetworks { files: names.join(", ") });
        }
        // A pod that gets seven rails of eight is worse than one that does not start.
        if !wrong {
            console.print(&join(&documents))?;
        }
        Ok(Exit::findings(wrong))
    }
}

impl Progress {
    /// Renders the object if it is a network.
    fn take(&mut self, manifest: &mut Manifest, console: &mut Console) -> Result<(), Failure> {
        if manifest.kind() != Kind::MultusConfig.name() {
            return Ok(());
        }
        let problems = match manifest.group() {
            Group::Other => return Ok(()),
            Group::WrongVersion(message) => vec![manifest.problem("apiVersion", message)],
            Group::Ours(_) => mend(manifest, console)?,
        };
        self.networks += 1;
        let problems = if problems.is_empty() { self.render(manifest)? } else { problems };
        self.wrong |= !problems.is_empty();
        for problem in problems {
            console.error(problem)?;
        }
        Ok(())
    }

    fn render(&mut self, manifest: &Manifest) -> Result<Vec<FileProblem>, Failure> {
        let metadata = read(manifest, "metadata")?;
        let spec: SpiderMultusConfigSpec = read(manifest, "spec")?;
        let definition = match definition(&metadata, &spec) {
            Ok(definition) => definition,
            Err(error) => return Ok(vec![manifest.problem(&error.field, &error)]),
        };
        let Definition { namespace, name, .. } = &definition;
        if let Some(first) = self.claims.insert((namespace.clone(), name.clone()), manifest.title()) {
            let message = format!("claims the NetworkAttachmentDefinition {namespace}/{name} of {first}");
            return Ok(vec![manifest.problem("metadata", message)]);
        }
        self.documents.push(yaml::write(&definition.manifest())?);
        Ok(Vec::new())
    }
}

/// Does what admission does; returns what it would refuse.
fn mend(manifest: &mut Manifest, console: &mut Console) -> Result<Vec<FileProblem>, Failure> {
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    for notice in rules::normalise(Kind::MultusConfig, &mut manifest.object, None, &context) {
        console.warning(manifest.problem(&notice.field, &notice))?;
    }
    let findings = rules::validate(Kind::MultusConfig, Operation::Create, &manifest.object, None, &context);
    Ok(findings.errors.iter().map(|error| manifest.problem(&error.field, error)).collect())
}

fn read<T: DeserializeOwned>(manifest: &Manifest, part: &str) -> Result<T, Failure> {
    let value = manifest.object.get(part).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value)
        .map_err(|source| Failure::Network { place: manifest.problem(part, part).to_string(), source })
}
