//! Arguments that several verbs share: files, catalog, output format.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Args, ValueEnum};

use super::console::Console;
use super::failure::Failure;
use crate::api::settings::{InjectSettings, Settings};
use crate::catalog::{Catalog, Identity};
use crate::sources::{Directory, FileProblem};
use crate::telemetry::logging;

/// `-f FILE...`
#[derive(Debug, Args)]
pub(super) struct Files {
    /// File or directory with manifests, YAML or JSON; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    pub(super) filename: Vec<PathBuf>,
}

/// A file, as named and as read.
#[derive(Debug)]
pub(super) struct Source {
    /// The name, `-` for standard input.
    pub(super) name: String,
    /// The text.
    pub(super) text: String,
}

impl Files {
    /// Reads all files, those in directories in the order of their names.
    pub(super) fn read(&self) -> Result<Vec<Source>, Failure> {
        let mut paths = Vec::new();
        for path in &self.filename {
            if path.is_dir() { list(path, &mut paths)? } else { paths.push(path.clone()) }
        }
        if paths.is_empty() {
            let names: Vec<String> = self.filename.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::Empty { files: names.join(", ") });
        }
        paths.into_iter().map(|path| read(&path)).collect()
    }
}

fn read(path: &Path) -> Result<Source, Failure> {
    let name = path.display().to_string();
    let text = if name == "-" { io::read_to_string(io::stdin().lock()) } else { fs::read_to_string(path) };
    match text {
        Ok(text) => Ok(Source { name, text }),
        Err(source) => Err(Failure::Read { path: name, source }),
    }
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |source| Failure::Read { path: folder.display().to_string(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for path in entries {
        if path.is_dir() {
            list(&path, paths)?;
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json") {
            paths.push(path);
        }
    }
    Ok(())
}

/// `--release-namespace`
#[derive(Clone, Debug, Args)]
pub(super) struct Release {
    /// Namespace that railweave is installed in: its pods are never injected, its networks serve everyone
    #[arg(long, value_name = "NAMESPACE", default_value = "spiderpool", env = "RELEASE_NAMESPACE")]
    pub(super) release_namespace: String,
}

impl Release {
    /// As decisions depend on it.
    #[must_use]
    pub(super) fn identity(&self) -> Identity {
        Identity { release_namespace: self.release_namespace.clone() }
    }
}

/// What is in force where no `ConfigMap` says otherwise: without a cluster, a person who calls for injection
/// wants injection.
#[must_use]
pub(super) fn offline_settings() -> Settings {
    Settings { inject: InjectSettings { enabled: true, ..InjectSettings::default() }, ..Settings::default() }
}

/// Reads a catalog once; what is wrong in it is a warning.
pub(super) fn read_catalog(
    path: &Path,
    release: &Release,
    console: &mut Console,
) -> Result<Catalog, Failure> {
    let view = Directory::new(path, release.identity(), offline_settings()).read()?;
    warn(&view.problems, console)?;
    Ok(view.catalog)
}

/// Prints problems as warnings.
pub(super) fn warn(problems: &[FileProblem], console: &mut Console) -> Result<(), Failure> {
    for problem in problems {
        console.warning(problem)?;
    }
    Ok(())
}

/// `-o`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// `--log`, `--log-format`
#[derive(Clone, Debug, Args)]
pub(super) struct Logging {
    /// How log lines look
    #[arg(long = "log-format", value_enum, default_value_t, env = "RAILWEAVE_LOG_FORMAT")]
    pub(super) format: logging::Format,
    /// What is logged: a level, or a list such as info,railweave=debug [default: info]
    #[arg(long = "log", env = "RAILWEAVE_LOG", value_name = "FILTER")]
    filter: Option<String>,
    #[arg(long, hide = true, env = "SPIDERPOOL_LOG_LEVEL")]
    spiderpool_level: Option<String>,
}

impl Logging {
    /// What is logged. The name of a level in Spiderpool's environment counts where nothing else is said.
    #[must_use]
    pub(super) fn filter(&self) -> &str {
        let level = self.spiderpool_level.as_deref().filter(|level| !level.is_empty());
        let level = level.map(|level| if matches!(level, "fatal" | "panic") { "error" } else { level });
        self.filter.as_deref().or(level).unwrap_or("info")
    }
}
