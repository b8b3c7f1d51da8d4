use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use super::manifest::{FileProblem, Group, Manifest, default_namespace, is_config, read_manifests};
use crate::api::settings::Settings;
use crate::catalog::{Assembler, Catalog, Identity, ObjectKey, Objects};
use crate::rules::{self, Context, Operation, Peers};

/// A directory of manifests, and the catalogs compiled from it.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    assembler: Assembler,
    fingerprint: Option<u64>,
}

/// What stands in the directory at one moment.
#[derive(Debug)]
pub struct View {
    /// The compiled objects.
    pub catalog: Catalog,
    /// What could not be taken into account, or only in part.
    pub problems: Vec<FileProblem>,
}

/// The directory cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It is not there, or may not be listed.
    #[error("failed to list the directory {}", path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Directory {
    /// Takes a directory as source; nothing is read yet. `defaults` are in force without a `ConfigMap`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, identity: Identity, defaults: Settings) -> Self {
        Self { path: path.into(), assembler: Assembler::new(identity, defaults), fingerprint: None }
    }

    /// Reads the directory.
    pub fn read(&mut self) -> Result<View, DirectoryError> {
        let files = self.files()?;
        self.fingerprint = Some(fingerprint(&files));
        Ok(self.view(&files))
    }

    /// Reads the directory if a file came, went or changed since the last time. Contents are compared, not
    /// times: mounts of a `ConfigMap` swap a symbolic link, and editors write files of the same age.
    pub fn read_if_changed(&mut self) -> Result<Option<View>, DirectoryError> {
        let files = self.files()?;
        let now = Some(fingerprint(&files));
        if now == self.fingerprint {
            return Ok(None);
        }
        self.fingerprint = now;
        Ok(Some(self.view(&files)))
    }

    fn files(&self) -> Result<Files, DirectoryError> {
        let mut files = Files::new();
        collect(&self.path, &mut files)
            .map_err(|source| DirectoryError::List { path: self.path.clone(), source })?;
        Ok(files)
    }

    fn view(&mut self, files: &Files) -> View {
        let (mut manifests, mut problems) = (Vec::new(), Vec::new());
        for (path, text) in files {
            let name = path.display().to_string();
            match text {
                Ok(text) => {
                    let (found, bad) = read_manifests(&name, text);
                    manifests.extend(found);
                    problems.extend(bad);
                }
                Err(reason) => problems.push(FileProblem {
                    file: name.into(),
                    line: None,
                    message: format!("failed to read the file: {reason}"),
                }),
            }
        }
        let (catalog, bad) = assemble(&mut self.assembler, manifests);
        problems.extend(bad);
        View { catalog, problems }
    }
}

/// Compiles manifests, in canonical form, into a catalog; also says what is wrong with them.
///
/// An object with errors stays in the catalog as long as it can be decoded: a group that quietly lost a
/// member would give its pods too few rails.
pub fn assemble(assembler: &mut Assembler, manifests: Vec<Manifest>) -> (Catalog, Vec<FileProblem>) {
    let mut problems = Vec::new();
    assembler.objects = Objects::default();
    let (config, others): (Vec<Manifest>, Vec<Manifest>) = manifests.into_iter().partition(is_config);
    let mut origins = BTreeMap::new();
    for manifest in config {
        take(assembler, manifest, &mut origins, &mut problems);
    }
    let settings = assembler.assemble().settings;
    let peers = Peers::default();
    for mut manifest in others {
        match manifest.group() {
            Group::Ours(kind) => {
                let context = Context { settings: &settings, peers: &peers };
                let mut notices = rules::unknown_fields(kind, &manifest.object);
                notices.extend(rules::normalise(kind, &mut manifest.object, None, &context));
                problems.extend(notices.iter().map(|notice| manifest.problem(&notice.field, notice)));
                let findings = rules::validate(kind, Operation::Create, &manifest.object, None, &context);
                problems.extend(findings.errors.iter().map(|error| manifest.problem(&error.field, error)));
            }
            Group::WrongVersion(message) => {
                problems.push(manifest.problem("apiVersion", message));
                continue;
            }
            Group::Other => {}
        }
        take(assembler, manifest, &mut origins, &mut problems);
    }
    let catalog = assembler.assemble();
    if let Some(origin) = origins.get(&("ConfigMap".to_owned(), None)) {
        problems.extend(config_problems(&catalog, origin));
    }
    (catalog, problems)
}

type Origins = BTreeMap<(String, Option<ObjectKey>), Manifest>;

fn take(
    assembler: &mut Assembler,
    mut manifest: Manifest,
    origins: &mut Origins,
    problems: &mut Vec<FileProblem>,
) {
    if !relevant(&manifest) {
        return;
    }
    default_namespace(&mut manifest);
    if manifest.key().name.is_empty() {
        problems.push(manifest.problem("metadata", "metadata.name: Required value"));
        return;
    }
    if let Err(error) = assembler.objects.apply(&manifest.object) {
        problems.push(manifest.problem(field_of(&error.reason), &error.reason));
    }
    // There is one configuration, whatever the names of the objects that hold it.
    let key = (manifest.kind() != "ConfigMap").then(|| manifest.key());
    let origin = (manifest.kind().to_owned(), key);
    if let Some(older) = origins.get(&origin) {
        let place = format!("{}:{}", older.file, older.lines.line());
        problems.push(manifest.problem("", format!("replaces the object at {place}")));
    }
    origins.insert(origin, manifest);
}

/// Whether the object is one that the catalog takes in; a kind of the same name elsewhere is not.
fn relevant(manifest: &Manifest) -> bool {
    let version = manifest.object["apiVersion"].as_str().unwrap_or_default();
    match manifest.kind() {
        "Namespace" | "Node" => version == "v1",
        "ConfigMap" => is_config(manifest),
        "NetworkAttachmentDefinition" => version.starts_with("k8s.cni.cncf.io/"),
        _ => matches!(manifest.group(), Group::Ours(_)),
    }
}

/// The field at the beginning of a message such as `spec.sriov.mtu: invalid type`.
fn field_of(reason: &str) -> &str {
    reason.split_once(": ").map_or("", |(field, _)| field)
}

/// What is wrong with the configuration, at its lines inside the `ConfigMap`.
fn config_problems(catalog: &Catalog, origin: &Manifest) -> Vec<FileProblem> {
    let problem = |field: &str, message: String| FileProblem {
        file: origin.file.clone(),
        line: Some(origin.config_line(field)),
        message: format!("{}: {message}", origin.title()),
    };
    let errors = catalog.config.errors.iter();
    let errors = errors.map(|error| problem(&error.field, format!("{error} (not in force)")));
    let notices = catalog.config_notices.iter();
    let notices = notices.map(|notice| problem(&notice.field, notice.to_string()));
    errors.chain(notices).collect()
}

/// Text of each file, or why it cannot be read.
type Files = BTreeMap<PathBuf, Result<Arc<str>, String>>;

/// Finds `*.yaml`, `*.yml` and `*.json`, also in folders. Hidden ones are passed over: a mounted `ConfigMap`
/// keeps its older versions in them.
fn collect(folder: &Path, files: &mut Files) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            if let Err(error) = collect(&path, files) {
                files.insert(path, Err(error.to_string()));
            }
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json") {
            let text = fs::read_to_string(&path).map(Arc::from).map_err(|error| error.to_string());
            files.insert(path, text);
        }
    }
    Ok(())
}

fn fingerprint(files: &Files) -> u64 {
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Mode;

    const NETWORK: &str = "\
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: gpu1
  annotations: {cni.spidernet.io/rdma-resource-inject: rails}
spec:
  cniType: sriov
  sriov:
    resourceName: spidernet.io/gpu1
    enableRdma: true
    ippools: {ipv4: [a]}
";

    struct Fixture {
        folder: tempfile::TempDir,
        directory: Directory,
    }

    impl Fixture {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let directory = Directory::new(folder.path(), Identity::default(), Settings::default());
            let fixture = Self { folder, directory };
            for (name, text) in files {
                fixture.write(name, text);
            }
            fixture
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        /// Problems with paths from the directory on.
        fn problems(&self, view: &View) -> Vec<String> {
            let root = format!("{}/", self.folder.path().display());
            view.problems.iter().map(|problem| problem.to_string().replace(&root, "")).collect()
        }
    }

    #[test]
    fn folders_are_searched_and_hidden_files_and_other_formats_are_not() {
        let other = |name: &str| NETWORK.replace("gpu1", name);
        let mut fixture = Fixture::new(&[
            ("a/b/one.yaml", NETWORK),
            ("two.yml", &other("gpu2")),
            ("three.json", r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}"#),
            (".hidden.yaml", "a: ["),
            ("..data/four.yaml", &other("gpu4")),
            ("README.md", "a: ["),
        ]);
        let view = fixture.directory.read().unwrap();
        let counts = view.catalog.counts();
        assert_eq!((counts.networks, counts.namespaces), (2, 1));
        let members = &view.catalog.group(Mode::Rdma, "rails").unwrap().members;
        let names: Vec<String> =
            members.iter().map(|member| format!("{}/{}", member.namespace(), member.name())).collect();
        assert_eq!(names, ["default/gpu1", "default/gpu2"], "without a namespace, as kubectl does");
    }

    #[test]
    fn one_bad_file_leaves_the_others_and_is_told_with_its_line() {
        let bad_pool = "apiVersion: spiderpool.spidernet.io/v2beta1\nkind: SpiderIPPool\nmetadata: {name: p}\nspec:\n  subnet: [here]\n";
        let mut fixture = Fixture::new(&[
            ("broken.yaml", "a: 1\n b: 2\n"),
            ("network.yaml", NETWORK),
            ("pool.yaml", bad_pool),
            ("version.yaml", &NETWORK.replace("v2beta1", "v1").replace("gpu1", "gpu9")),
        ]);
        let view = fixture.directory.read().unwrap();
        assert_eq!(view.catalog.counts().networks, 1);
        let problems = fixture.problems(&view);
        for start in [
            "broken.yaml:2: failed to read YAML: ",
            "network.yaml:10: SpiderMultusConfig gpu1: spec.sriov.enableRdma: ",
            "pool.yaml:5: SpiderIPPool p: spec.subnet: ",
            "version.yaml:1: SpiderMultusConfig gpu9: apiVersion is \"spiderpool.spidernet.io/v1\"",
        ] {
            assert!(problems.iter().any(|problem| problem.starts_with(start)), "{start}: {problems:#?}");
        }
    }

    #[test]
    fn the_later_of_two_objects_counts_and_the_earlier_one_is_named() {
        let mut fixture = Fixture::new(&[("a.yaml", NETWORK), ("b.yaml", NETWORK)]);
        let view = fixture.directory.read().unwrap();
        assert_eq!(view.catalog.counts().networks, 1);
        let told = "b.yaml:1: SpiderMultusConfig default/gpu1: replaces the object at a.yaml:1";
        assert!(
            fixture.problems(&view).iter().any(|problem| problem == told),
            "{:#?}",
            fixture.problems(&view)
        );
    }

    #[test]
    fn only_a_change_is_read_again_and_a_bad_configuration_keeps_the_last_good_one() {
        let config = |inject: &str| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  conf.yml: |\n    podResourceInject:\n      enabled: {inject}\n"
            )
        };
        let mut fixture = Fixture::new(&[("config.yaml", &config("true"))]);
        assert!(fixture.directory.read().unwrap().catalog.settings.inject.enabled);
        assert!(fixture.directory.read_if_changed().unwrap().is_none());
        fixture.write("config.yaml", &config("perhaps"));
        let view = fixture.directory.read_if_changed().unwrap().unwrap();
        assert!(view.catalog.settings.inject.enabled, "the last good configuration");
        let problems = fixture.problems(&view);
        assert!(
            problems[0].starts_with("config.yaml:7: ConfigMap c: podResourceInject.enabled: "),
            "{problems:?}"
        );
        fs::remove_file(fixture.folder.path().join("config.yaml")).unwrap();
        let view = fixture.directory.read_if_changed().unwrap().unwrap();
        assert!(!view.catalog.settings.inject.enabled, "the defaults, once there is none");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let mut directory = Directory::new("/nonexistent", Identity::default(), Settings::default());
        assert_eq!(directory.read().unwrap_err().to_string(), "failed to list the directory /nonexistent");
    }
}
