//! `railweave explain`: every step of a decision, in order, from the server's own code.

mod addresses;
mod report;
mod webhook;

use std::path::PathBuf;

use clap::Args;

use self::report::{Explanation, Explanations, Subject};
use super::cluster;
use super::console::{Console, Ink};
use super::failure::{Exit, Failure};
use super::input::{Files, Format, Release, offline_settings};
use super::runtime::runtime;
use super::scene::Place;
use super::template::{namespace_of, places, pod_of};
use crate::catalog::Catalog;
use crate::sources::{Directory, FileProblem, read_manifests};

/// Explains why a pod is injected, left alone or denied, step by step
#[derive(Debug, Args)]
#[command(
    long_about = "Explains why a pod is injected, left alone or denied, step by step.

The pod comes from the cluster (NAMESPACE/POD) or from files (-f: pods and pod templates). What is decided on comes \
        from the cluster too, with your kubeconfig and read rights, or from --catalog DIR. The steps are: which webhook \
        the API server calls, the key that names the group, exemptions, members in the order of rails, conflicts, \
        container and quantities, and the result with its reason code: the same code as in denials, warnings, Events \
        and metrics.

A pod that is bound to a node, or given one with --node, is followed through IPAM: for each rail who names its pools, each \
        pool with its free addresses or the condition that it does not fulfil, then the addresses, or why there are none.

Exit code 0: injected or left alone; 1: denied.",
    after_help = "Examples:
  railweave explain team-a/trainer-0
  railweave explain -f manifests/guide/deployment.yaml --catalog manifests/guide/webhook
  railweave explain -f job.yaml --catalog cluster/ --node node-17
  railweave explain -f job.yaml -o json | jq '.pods[].reason'"
)]
pub(super) struct Explain {
    /// A pod in the cluster
    #[arg(value_name = "NAMESPACE/POD", required_unless_present = "filename", value_parser = pod_name)]
    pod: Option<PodName>,
    /// File or directory with pods or workloads, YAML or JSON; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", num_args = 1.., conflicts_with = "pod")]
    filename: Vec<PathBuf>,
    /// Directory with manifests of networks, pools, namespaces, nodes and the `ConfigMap`, instead of the cluster
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
    /// Namespace of objects in files that name none
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
    /// Node that pods in files are taken to be bound to
    #[arg(long, value_name = "NODE", conflicts_with = "pod")]
    node: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Name of the `ConfigMap` in the release namespace
    #[arg(long, value_name = "NAME", default_value = "spiderpool-config", env = "RAILWEAVE_CONFIG_MAP")]
    config_map: String,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    release: Release,
}

/// `NAMESPACE/POD`
#[derive(Clone, Debug)]
struct PodName {
    namespace: String,
    name: String,
}

fn pod_name(text: &str) -> Result<PodName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(PodName { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("write NAMESPACE/POD".to_owned()),
    }
}

impl Explain {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let output = self.output;
        let place = Place::of(self.catalog.clone(), self.context.clone(), &self.config_map, &self.release);
        let (subjects, catalog, mut problems) = self.gather()?;
        // A scene costs lists of all pods and endpoints, which few questions need.
        let scene = if subjects.iter().any(Subject::is_bound) {
            place.read_quietly().map_err(|failure| problems.push(failure.message())).ok()
        } else {
            None
        };
        let pods = subjects.into_iter().map(|subject| Explanation::of(subject, &catalog, scene.as_ref()));
        let found = Explanations { pods: pods.collect::<Result<_, _>>()?, problems };
        match output {
            Format::Json => console.line(serde_json::to_string_pretty(&found)?)?,
            Format::Text => print(&found, console)?,
        }
        Ok(Exit::findings(found.pods.iter().any(Explanation::denied)))
    }

    /// The pods, and what to decide on them with.
    fn gather(self) -> Result<(Vec<Subject>, Catalog, Vec<String>), Failure> {
        let Self { pod, filename, catalog, namespace, node, context, config_map, output: _, release } = self;
        let mut subjects = match &pod {
            Some(_) => Vec::new(),
            None => subjects(&Files { filename }, &namespace)?,
        };
        for subject in &mut subjects {
            subject.bind(node.as_deref());
        }
        let mut problems = Vec::new();
        let from_directory = match catalog {
            Some(path) => {
                let view = Directory::new(path, release.identity(), offline_settings()).read()?;
                problems.extend(view.problems.iter().map(FileProblem::to_string));
                Some(view.catalog)
            }
            None => None,
        };
        let (pod, from_directory) = match (pod, from_directory) {
            (None, Some(catalog)) => return Ok((subjects, catalog, problems)),
            both => both,
        };
        runtime()?.block_on(async {
            let client = cluster::connect(context).await?;
            if let Some(PodName { namespace, name }) = pod {
                let stored = cluster::pod(&client, &namespace, &name).await?;
                let object = format!("Pod {name}");
                let source = "from the cluster".to_owned();
                subjects.push(Subject { pod: stored, source, object, namespace, stored: true });
            }
            if let Some(catalog) = from_directory {
                return Ok((subjects, catalog, problems));
            }
            let (catalog, failed) = cluster::catalog(&client, release.identity(), &config_map).await;
            problems.extend(failed);
            Ok((subjects, catalog, problems))
        })
    }
}

/// The pods and templates in files.
fn subjects(files: &Files, namespace: &str) -> Result<Vec<Subject>, Failure> {
    let (mut subjects, mut unreadable, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for source in files.read()? {
        let (manifests, bad) = read_manifests(&source.name, &source.text);
        unreadable.extend(bad);
        for manifest in manifests {
            for place in places(&manifest.object) {
                let Some(pod) = pod_of(&manifest.object, &place) else { continue };
                let dot = if place.path.is_empty() { "" } else { ", " };
                subjects.push(Subject {
                    pod,
                    source: format!("{}:{}", source.name, manifest.lines.line_of(&place.path)),
                    object: format!("{}{dot}{}", manifest.title(), place.path),
                    namespace: namespace_of(&manifest.object, namespace).to_owned(),
                    stored: false,
                });
            }
        }
        names.push(source.name);
    }
    if !unreadable.is_empty() {
        return Err(Failure::Unreadable(unreadable));
    }
    if subjects.is_empty() {
        return Err(Failure::NoPods { files: names.join(", ") });
    }
    Ok(subjects)
}

fn print(found: &Explanations, console: &mut Console) -> Result<(), Failure> {
    for (index, pod) in found.pods.iter().enumerate() {
        if index > 0 {
            console.line("")?;
        }
        pod.print(console)?;
    }
    if !found.problems.is_empty() {
        let heading = console.ink(Ink::Bold, "What the catalog could not take in as it is written");
        console.line(format_args!("\n{heading}"))?;
        for problem in &found.problems {
            console.line(format_args!("  {problem}"))?;
        }
    }
    Ok(())
}
