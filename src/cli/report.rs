//! The results of `validate`, as `-o json` prints them.

use serde::Serialize;

use crate::sources::{FileProblem, Manifest};

/// All results.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// One for each object, in the order of the files.
    pub(super) objects: Vec<ObjectReport>,
    /// What could not be read.
    pub(super) unreadable: Vec<Unreadable>,
    /// Counts.
    pub(super) summary: Summary,
}

/// Counts over all objects.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    /// Objects that were checked.
    pub(super) checked: usize,
    /// Objects of kinds that nothing is known about.
    pub(super) passed_over: usize,
    /// Errors.
    pub(super) errors: usize,
    /// Warnings.
    pub(super) warnings: usize,
}

/// A document that could not be read.
#[derive(Debug, Serialize)]
pub(super) struct Unreadable {
    file: String,
    line: Option<u32>,
    message: String,
}

/// The results for one object.
#[derive(Debug, Serialize)]
pub(super) struct ObjectReport {
    /// The file it stands in.
    pub(super) file: String,
    /// Line on which it begins.
    pub(super) line: u32,
    /// `kind`
    pub(super) kind: String,
    /// `metadata.namespace`, empty without.
    pub(super) namespace: String,
    /// `metadata.name`
    pub(super) name: String,
    /// Whether anything is known about its kind.
    pub(super) checked: bool,
    /// Reasons to refuse it.
    pub(super) errors: Vec<Finding>,
    /// What a person should know.
    pub(super) warnings: Vec<Finding>,
}

/// One error or warning.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// Line of the field, or of its nearest parent.
    pub(super) line: u32,
    /// Path from the object's root.
    pub(super) field: String,
    /// Reason code, on errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    /// For people.
    pub(super) message: String,
}

impl Finding {
    /// Something about a field of an object.
    pub(super) fn new(
        manifest: &Manifest,
        field: &str,
        reason: Option<&'static str>,
        message: String,
    ) -> Self {
        Self { line: manifest.lines.line_of(field), field: field.to_owned(), reason, message }
    }
}

impl ObjectReport {
    /// Nothing found so far.
    pub(super) fn new(manifest: &Manifest) -> Self {
        let key = manifest.key();
        Self {
            file: manifest.file.to_string(),
            line: manifest.lines.line(),
            kind: manifest.kind().to_owned(),
            namespace: key.namespace,
            name: key.name,
            checked: true,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds a reason to refuse the object.
    pub(super) fn error(&mut self, finding: Finding) {
        self.errors.push(finding);
    }

    /// Adds something to know.
    pub(super) fn warning(&mut self, finding: Finding) {
        self.warnings.push(finding);
    }

    /// The object in messages.
    pub(super) fn title(&self) -> String {
        match self.namespace.as_str() {
            "" => format!("{} {}", self.kind, self.name),
            namespace => format!("{} {namespace}/{}", self.kind, self.name),
        }
    }
}

impl Report {
    /// Counts the results.
    pub(super) fn new(objects: Vec<ObjectReport>, unreadable: &[FileProblem]) -> Self {
        let mut summary = Summary::default();
        for object in &objects {
            summary.checked += usize::from(object.checked);
            summary.passed_over += usize::from(!object.checked);
            summary.errors += object.errors.len();
            summary.warnings += object.warnings.len();
        }
        let unreadable = unreadable.iter().map(|problem| Unreadable {
            file: problem.file.to_string(),
            line: problem.line,
            message: problem.message.clone(),
        });
        Self { objects, unreadable: unreadable.collect(), summary }
    }
}
