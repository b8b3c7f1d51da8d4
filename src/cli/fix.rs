use std::fs;

use clap::Args;
use serde_json::Value;

use super::console::Console;
use super::failure::{Exit, Failure};
use super::inject::join;
use super::input::{Files, Source};
use crate::api::Kind;
use crate::api::settings::Settings;
use crate::rules::{self, Context, Notice, Operation, Peers};
use crate::sources::{FileProblem, Group, Manifest};
use crate::yaml;

/// Rewrites manifests with older or loose spellings in canonical form
#[derive(Debug, Args)]
#[command(
    long_about = "Rewrites manifests with older or loose spellings in canonical form.

Does what admission does when such a manifest is applied: moves deprecated fields to their place, clears host bits \
        of subnets, turns `ipv4` into 4, and so on. Each change is named on standard error. Documents that are canonical \
        already, and those of other kinds, are passed on as they are; comments in rewritten documents are lost. Errors that \
        no rewriting can mend are named too, with exit code 1.",
    after_help = "Examples:
  railweave fix -f manifests/guide/webhook > canonical.yaml
  railweave fix -f manifests/ --in-place"
)]
pub(super) struct Fix {
    #[command(flatten)]
    files: Files,
    /// Write each changed file back instead of printing it
    #[arg(long)]
    in_place: bool,
}

/// A file after the work on it.
struct Fixed {
    text: String,
    changed: bool,
    wrong: bool,
}

impl Fix {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self { files, in_place } = self;
        let (mut documents, mut unreadable, mut wrong) = (Vec::new(), Vec::new(), false);
        for source in files.read()? {
            let fixed = fix_file(&source, &mut unreadable, console)?;
            wrong |= fixed.wrong;
            if !in_place || source.name == "-" {
                documents.push(fixed.text);
            } else if fixed.changed {
                fs::write(&source.name, &fixed.text)
                    .map_err(|error| Failure::Write { path: source.name.clone(), source: error })?;
            }
        }
        if !unreadable.is_empty() {
            return Err(Failure::Unreadable(unreadable));
        }
        console.print(&join(&documents))?;
        Ok(Exit::findings(wrong))
    }
}

fn fix_file(
    source: &Source,
    unreadable: &mut Vec<FileProblem>,
    console: &mut Console,
) -> Result<Fixed, Failure> {
    let before = unreadable.len();
    let (mut text, mut changed, mut wrong) = (String::new(), false, false);
    let mut rest = source.text.as_str();
    for document in yaml::documents(&source.text) {
        // What stands between documents (comments, separators) stays where it is.
        let start = document.text.as_ptr().addr() - rest.as_ptr().addr();
        text.push_str(&rest[..start]);
        rest = &rest[start + document.text.len()..];
        match document.content {
            Err(error) => unreadable.push(FileProblem {
                file: source.name.as_str().into(),
                line: Some(error.line),
                message: error.reason,
            }),
            Ok(content) => {
                let file = source.name.as_str().into();
                let mut manifest = Manifest { file, object: content.value, lines: content.lines };
                let (mended, errors) = fix_object(&mut manifest, console)?;
                wrong |= errors;
                changed |= mended;
                if mended && content.commented {
                    console.warning(manifest.problem("", "its comments are lost"))?;
                }
                if mended {
                    text.push_str(if document.text.starts_with('\n') { "\n" } else { "" });
                    text.push_str(&yaml::write(&manifest.object)?);
                    continue;
                }
            }
        }
        text.push_str(document.text);
    }
    text.push_str(rest);
    // A file that is read only in part is never written back.
    Ok(Fixed { text, changed: changed && unreadable.len() == before, wrong })
}

/// Brings an object, or each object of a list, into canonical form; says whether it changed and whether it
/// is wrong all the same.
fn fix_object(manifest: &mut Manifest, console: &mut Console) -> Result<(bool, bool), Failure> {
    if let Some(items) = manifest.object.get_mut("items").and_then(Value::as_array_mut) {
        let (mut changed, mut wrong) = (false, false);
        for (index, item) in items.iter_mut().enumerate() {
            let Some(lines) = manifest.lines.get(&format!("items[{index}]")) else { continue };
            let mut inside =
                Manifest { file: manifest.file.clone(), object: item.take(), lines: lines.clone() };
            let (mended, errors) = fix_object(&mut inside, console)?;
            *item = inside.object;
            changed |= mended;
            wrong |= errors;
        }
        return Ok((changed, wrong));
    }
    let Group::Ours(kind) = manifest.group() else { return Ok((false, false)) };
    fix_ours(kind, manifest, console)
}

fn fix_ours(kind: Kind, manifest: &mut Manifest, console: &mut Console) -> Result<(bool, bool), Failure> {
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    let written = manifest.object.clone();
    let notices = rules::normalise(kind, &mut manifest.object, None, &context);
    for notice in &notices {
        console.note(manifest.problem(&notice.field, notice))?;
    }
    let findings = rules::validate(kind, Operation::Create, &manifest.object, None, &context);
    for error in &findings.errors {
        console.error(manifest.problem(&error.field, error))?;
    }
    leave_out_what_admission_adds(&mut manifest.object, &written, &notices);
    Ok((written != manifest.object, !findings.errors.is_empty()))
}

/// Labels, finalizers and the inferred family are the server's to write: in a manifest they would only be in the
/// way of whoever keeps it.
fn leave_out_what_admission_adds(object: &mut Value, written: &Value, notices: &[Notice]) {
    if !notices.iter().any(|notice| notice.field.starts_with("metadata")) {
        object["metadata"] = written["metadata"].clone();
    }
    if written["spec"]["ipVersion"].is_null()
        && let Some(spec) = object["spec"].as_object_mut()
    {
        spec.shift_remove("ipVersion");
    }
}
