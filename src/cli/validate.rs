use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;

use super::console::{Console, Ink};
use super::failure::{Exit, Failure};
use super::input::{Files, Format, Release, offline_settings};
use super::judge::judge;
use super::report::{Finding, ObjectReport, Report};
use super::template::{namespace_of, places, pod_of};
use crate::api::Kind;
use crate::api::settings::CONFIG_KEY;
use crate::catalog::{Assembler, Catalog, ObjectKey};
use crate::inject::{Decision, Silent};
use crate::rules::{self, Context, NoticeKind, Operation, Peers, settings};
use crate::sources::{Group, Manifest, assemble, default_namespace, is_config, read_manifests};

/// Checks manifests: everything that admission would say about them, with line numbers
#[derive(Debug, Args)]
#[command(
    long_about = "Checks manifests: everything that admission would say about them, with line numbers.

Every error of every object is found at once. The objects given are checked against each other and, with --catalog, \
        against those in DIR: overlapping pools, changes to fields that cannot change, pods that ask for a group that is not \
        there. Objects of other kinds are passed over, except the ConfigMap with the configuration, and pods and workloads \
        when there are networks to decide with.

Exit code 0: no errors (there may be warnings); 1: errors; 2: some of the input cannot be read.",
    after_help = "Examples:
  railweave validate -f manifests/guide/webhook
  railweave validate -f new-pool.yaml --catalog cluster/ -o json"
)]
pub(super) struct Validate {
    #[command(flatten)]
    files: Files,
    /// Directory with manifests of what is in the cluster already
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
    /// Refuse older and loose spellings, as `admission.strict` does
    #[arg(long)]
    strict: bool,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    release: Release,
}

/// What the objects are checked against.
struct Cluster {
    /// All objects, those that are checked among them.
    catalog: Catalog,
    /// Objects in the cluster already, in canonical form.
    stored: HashMap<(Kind, ObjectKey), Manifest>,
    strict: bool,
}

impl Validate {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self { files, catalog, strict, output, release } = self;
        let (mut manifests, mut unreadable) = (Vec::new(), Vec::new());
        for source in files.read()? {
            let (found, bad) = read_manifests(&source.name, &source.text);
            manifests.extend(found);
            unreadable.extend(bad);
        }
        manifests.iter_mut().for_each(default_namespace);
        let stored = match catalog {
            Some(path) => stored(path, console)?,
            None => Vec::new(),
        };
        let assembler = Assembler::new(release.identity(), offline_settings());
        let cluster = Cluster::new(assembler, stored, &manifests, strict);
        let objects = manifests.iter().map(|manifest| check(manifest, &cluster)).collect::<Result<_, _>>()?;
        let report = Report::new(objects, &unreadable);
        match output {
            Format::Json => console.line(serde_json::to_string_pretty(&report)?)?,
            Format::Text => print(&report, console)?,
        }
        if !unreadable.is_empty() {
            return Err(Failure::Unreadable(unreadable));
        }
        Ok(Exit::findings(report.summary.errors > 0))
    }
}

/// Reads what is in the cluster already.
fn stored(path: PathBuf, console: &mut Console) -> Result<Vec<Manifest>, Failure> {
    let mut manifests = Vec::new();
    for source in (Files { filename: vec![path] }).read()? {
        let (found, problems) = read_manifests(&source.name, &source.text);
        manifests.extend(found);
        super::input::warn(&problems, console)?;
    }
    manifests.iter_mut().for_each(default_namespace);
    Ok(manifests)
}

impl Cluster {
    fn new(mut assembler: Assembler, stored: Vec<Manifest>, given: &[Manifest], strict: bool) -> Self {
        // What is wrong with them is found again, object by object.
        let (catalog, _) = assemble(&mut assembler, stored.iter().chain(given).cloned().collect());
        let strict = strict || catalog.settings.strict;
        let context = Context { settings: &catalog.settings, peers: &Peers::default() };
        let mut known = HashMap::new();
        for mut manifest in stored {
            let Group::Ours(kind) = manifest.group() else { continue };
            rules::normalise(kind, &mut manifest.object, None, &context);
            known.insert((kind, manifest.key()), manifest);
        }
        Self { catalog, stored: known, strict }
    }
}

fn check(manifest: &Manifest, cluster: &Cluster) -> Result<ObjectReport, Failure> {
    let mut report = ObjectReport::new(manifest);
    match manifest.group() {
        Group::Ours(kind) => check_ours(kind, manifest, cluster, &mut report),
        Group::WrongVersion(message) => report.error(Finding::new(manifest, "apiVersion", None, message)),
        Group::Other if is_config(manifest) => check_config(manifest, &mut report),
        Group::Other => check_pods(manifest, cluster, &mut report)?,
    }
    Ok(report)
}

fn check_ours(kind: Kind, manifest: &Manifest, cluster: &Cluster, report: &mut ObjectReport) {
    let key = manifest.key();
    let context = Context { settings: &cluster.catalog.settings, peers: &cluster.catalog.peers };
    let old = cluster.stored.get(&(kind, key)).map(|stored| &stored.object);
    let operation = if old.is_some() { Operation::Update } else { Operation::Create };
    let mut object = manifest.object.clone();
    let notices = rules::normalise(kind, &mut object, old, &context);
    let findings = rules::validate(kind, operation, &object, old, &context);
    let unknown = rules::unknown_fields(kind, &manifest.object);
    for notice in notices.iter().chain(&unknown).chain(&findings.notices) {
        let finding = Finding::new(manifest, &notice.field, None, notice.message.clone());
        if cluster.strict && notice.kind == NoticeKind::Mended {
            report.error(finding);
        } else {
            report.warning(finding);
        }
    }
    for error in &findings.errors {
        report.error(Finding::new(manifest, &error.field, Some(error.kind.cause()), error.message()));
    }
}

fn check_config(manifest: &Manifest, report: &mut ObjectReport) {
    let text = manifest.object["data"][CONFIG_KEY].as_str().unwrap_or_default();
    let at = |field: &str, cause, message| Finding {
        line: manifest.config_line(field),
        ..Finding::new(manifest, field, cause, message)
    };
    match settings::parse(text, &offline_settings()) {
        Ok((_, notices)) => {
            for notice in notices {
                report.warning(at(&notice.field, None, notice.message.clone()));
            }
        }
        Err(errors) => {
            for error in errors {
                report.error(at(&error.field, Some(error.kind.cause()), error.message()));
            }
        }
    }
}

/// Decides on pods and templates, if there is anything to decide with.
fn check_pods(manifest: &Manifest, cluster: &Cluster, report: &mut ObjectReport) -> Result<(), Failure> {
    let object = &manifest.object;
    let places = if cluster.catalog.counts().networks > 0 { places(object) } else { Vec::new() };
    report.checked = !places.is_empty();
    for place in places {
        let Some(pod) = pod_of(object, &place) else { continue };
        let namespace = namespace_of(object, "default");
        let at = || format!("{}:{}", manifest.file, manifest.lines.line_of(&place.path));
        let outcome = judge(&pod, namespace, &cluster.catalog, &mut Silent, at)?.outcome;
        let field = place.path_to("metadata.annotations");
        for warning in outcome.warnings {
            report.warning(Finding::new(manifest, &field, None, warning));
        }
        if let Decision::Deny(denial) = outcome.decision {
            let message = format!("{}: {}", denial.reason, denial.message);
            report.error(Finding::new(manifest, &field, Some(denial.reason.code()), message));
        }
    }
    Ok(())
}

fn print(report: &Report, console: &mut Console) -> Result<(), Failure> {
    let red = console.ink(Ink::Red, "error:");
    let yellow = console.ink(Ink::Yellow, "warning:");
    for object in &report.objects {
        let title = object.title();
        for (word, findings) in [(&red, &object.errors), (&yellow, &object.warnings)] {
            for finding in findings {
                let place = console.ink(Ink::Cyan, &format!("{}:{}:", object.file, finding.line));
                console
                    .line(format_args!("{place} {word} {title}: {}: {}", finding.field, finding.message))?;
            }
        }
        if object.errors.is_empty() {
            let place = console.ink(Ink::Cyan, &format!("{}:{}:", object.file, object.line));
            let word = if object.checked {
                console.ink(Ink::Green, "ok:")
            } else {
                console.ink(Ink::Dim, "passed over:")
            };
            console.line(format_args!("{place} {word} {title}"))?;
        }
    }
    let summary = &report.summary;
    console.line(format_args!(
        "{} objects checked, {} passed over: {} errors, {} warnings",
        summary.checked, summary.passed_over, summary.errors, summary.warnings
    ))?;
    Ok(())
}
