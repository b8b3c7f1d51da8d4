use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::console::Console;
use super::failure::{Exit, Failure};
use super::input::{Files, Release, Source, read_catalog};
use super::judge::{apply, judge};
use super::template::{namespace_of, places, pod_of};
use crate::catalog::Catalog;
use crate::inject::{Decision, Silent};
use crate::reason::Reason;
use crate::sources::FileProblem;
use crate::yaml::{self, Lines};

/// Gives pods and pod templates in manifests their rails, as the server would
#[derive(Debug, Args)]
#[command(
    long_about = "Gives pods and pod templates in manifests their rails, as the server would.

Reads YAML or JSON and writes YAML. Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs, \
        Lists, and every other kind with a pod template (PyTorchJob, LeaderWorkerSet, JobSet, ...) are injected; documents \
        that nothing happens to are passed on as they are. Comments in injected documents are lost. Warnings go to \
        standard error. If one pod is denied, nothing is written and the exit code is 1.",
    after_help = "Examples:
  railweave inject -f manifests/guide/deployment.yaml --catalog manifests/guide/webhook | kubectl apply -f -
  kubectl get deployment rdma-app -o yaml | railweave inject -f - --catalog networks/ --namespace team-a"
)]
pub(super) struct Inject {
    #[command(flatten)]
    files: Files,
    /// Directory with manifests of networks, pools, namespaces, nodes and the `ConfigMap`
    #[arg(long, value_name = "DIR")]
    catalog: PathBuf,
    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
    #[command(flatten)]
    release: Release,
}

/// What one run has come to so far.
#[derive(Default)]
struct Progress {
    documents: Vec<String>,
    unreadable: Vec<FileProblem>,
    denied: bool,
}

impl Inject {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self { files, catalog, namespace, release } = self;
        let sources = files.read()?;
        let catalog = read_catalog(&catalog, &release, console)?;
        let mut progress = Progress::default();
        for source in &sources {
            inject_file(source, &namespace, &catalog, &mut progress, console)?;
        }
        if !progress.unreadable.is_empty() {
            return Err(Failure::Unreadable(progress.unreadable));
        }
        // Half a workload is worse than none: what was denied would be missing from `kubectl apply`.
        if progress.denied {
            return Ok(Exit::Findings);
        }
        console.print(&join(&progress.documents))?;
        Ok(Exit::Success)
    }
}

fn inject_file(
    source: &Source,
    namespace: &str,
    catalog: &Catalog,
    progress: &mut Progress,
    console: &mut Console,
) -> Result<(), Failure> {
    for document in yaml::documents(&source.text) {
        let mut content = match document.content {
            Ok(content) => content,
            Err(error) => {
                progress.unreadable.push(FileProblem {
                    file: source.name.as_str().into(),
                    line: Some(error.line),
                    message: error.reason,
                });
                continue;
            }
        };
        let mut changed = false;
        each_object(&mut content.value, &content.lines, &mut |object, lines| {
            let file = &source.name;
            changed |= inject_object(object, lines, file, namespace, catalog, progress, console)?;
            Ok(())
        })?;
        let text = if changed { yaml::write(&content.value)? } else { as_it_was(document.text) };
        progress.documents.push(text);
    }
    Ok(())
}

/// Calls `visit` for the object, or for each object of a list.
fn each_object(
    object: &mut Value,
    lines: &Lines,
    visit: &mut impl FnMut(&mut Value, &Lines) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match object.get_mut("items").and_then(Value::as_array_mut) {
        Some(items) if is_list => {
            for (index, item) in items.iter_mut().enumerate() {
                let inside = lines.get(&format!("items[{index}]")).unwrap_or(lines);
                each_object(item, inside, visit)?;
            }
            Ok(())
        }
        _ => visit(object, lines),
    }
}

/// Injects every pod of an object; returns whether anything changed.
fn inject_object(
    object: &mut Value,
    lines: &Lines,
    file: &str,
    namespace: &str,
    catalog: &Catalog,
    progress: &mut Progress,
    console: &mut Console,
) -> Result<bool, Failure> {
    let mut changed = false;
    for place in places(object) {
        let Some(pod) = pod_of(object, &place) else { continue };
        let at = format!("{file}:{}", lines.line_of(&place.path));
        let namespace = namespace_of(object, namespace).to_owned();
        let judgement = judge(&pod, &namespace, catalog, &mut Silent, || at.clone())?;
        for warning in &judgement.outcome.warnings {
            console.warning(format_args!("{at}: {warning}"))?;
        }
        match &judgement.outcome.decision {
            Decision::Deny(denial) => {
                console.error(format_args!("{at}: {}: {}", denial.reason, denial.message))?;
                progress.denied = true;
            }
            Decision::Inject(plan) => {
                console.note(format_args!("{at}: {}: {}", Reason::Injected, plan.injected))?;
            }
            // Not opted in is what most documents are; other reasons came with a warning.
            Decision::Skip(_) => {}
        }
        if let (Some(patch), Some(target)) = (&judgement.patch, object.pointer_mut(&place.pointer)) {
            apply(patch, target)?;
            changed = true;
        }
    }
    Ok(changed)
}

/// The text of a document without blank lines around it.
fn as_it_was(text: &str) -> String {
    let text = text.trim_start_matches(['\r', '\n']).trim_end();
    format!("{text}\n")
}

/// Documents as one stream.
pub(super) fn join(documents: &[String]) -> String {
    documents.join("---\n")
}
