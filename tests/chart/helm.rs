//! Finds helm, renders the chart, and picks objects out of the render.

use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The oldest Kubernetes that the chart supports; helm's own idea of a version depends on how it was built.
const KUBE_VERSION: &str = "1.33.0";

/// A helm binary and a copy of the chart to render.
pub(crate) struct Helm {
    binary: PathBuf,
    chart: PathBuf,
}

/// The committed chart.
pub(crate) fn chart_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/railweave")
}

impl Helm {
    /// Helm as the environment names it, as the control plane's tools were built, or as the machine has it.
    pub(crate) fn find() -> Option<Self> {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = variable("RAILWEAVE_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("railweave")))
            .or_else(|| variable("HOME").map(|folder| folder.join(".cache/railweave")));
        let built = cache.map(|cache| cache.join("bin/tools/helm"));
        let path = env::var_os("PATH").unwrap_or_default();
        let binary = variable("HELM")
            .into_iter()
            .chain(built)
            .chain(env::split_paths(&path).map(|folder| folder.join("helm")))
            .find(|file| file.is_file())?;
        Some(Self { binary, chart: chart_dir() })
    }

    /// The same helm with another chart directory.
    pub(crate) fn with_chart(&self, chart: &Path) -> Self {
        Self { binary: self.binary.clone(), chart: chart.to_owned() }
    }

    /// Runs helm with `args`, whatever comes of it.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Command::new(&self.binary).args(args).output().expect("helm starts")
    }

    /// What `helm template spiderpool CHART -n spiderpool FLAGS` prints, or helm's complaint.
    pub(crate) fn try_render(&self, flags: &[&str]) -> Result<String, String> {
        self.try_render_as("spiderpool", "spiderpool", flags)
    }

    fn try_render_as(&self, release: &str, namespace: &str, flags: &[&str]) -> Result<String, String> {
        let chart = self.chart.to_str().unwrap();
        let mut args = vec!["template", release, chart, "-n", namespace, "--kube-version", KUBE_VERSION];
        args.extend(flags);
        let output = self.run(&args);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// The objects of the release `spiderpool` with these flags.
    pub(crate) fn render(&self, flags: &[&str]) -> Vec<Value> {
        objects(&self.try_render(flags).unwrap_or_else(|complaint| panic!("{flags:?}: {complaint}")))
    }

    /// The objects of another release.
    pub(crate) fn render_as(&self, release: &str, namespace: &str) -> Vec<Value> {
        objects(&self.try_render_as(release, namespace, &[]).unwrap())
    }
}

/// The documents of a YAML stream, without empty ones.
pub(crate) fn objects(rendered: &str) -> Vec<Value> {
    format!("\n{rendered}")
        .split("\n---\n")
        .map(|document| {
            serde_saphyr::from_str::<Value>(document).unwrap_or_else(|e| panic!("{e}\n{document}"))
        })
        .filter(|object| !object.is_null())
        .collect()
}

/// `Deployment/spiderpool-controller`
pub(crate) fn title(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}

/// The object with this title.
pub(crate) fn pick<'a>(objects: &'a [Value], wanted: &str) -> &'a Value {
    objects
        .iter()
        .find(|object| title(object) == wanted)
        .unwrap_or_else(|| panic!("no {wanted} in the render"))
}

/// The titles of all objects but the CRDs, sorted.
pub(crate) fn titles(objects: &[Value]) -> Vec<String> {
    let mut titles: Vec<String> =
        objects.iter().filter(|object| object["kind"] != "CustomResourceDefinition").map(title).collect();
    titles.sort();
    titles
}

/// Gives the arguments and variables of a container to the program itself, which refuses any that it does not know.
pub(crate) fn assert_the_program_takes(container: &Value) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_railweave"));
    program.args(container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()));
    for variable in container["env"].as_array().unwrap() {
        program.env(variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap_or("x"));
    }
    // Everything is in order up to the kubeconfig, which is not there.
    let output = program.args(["--kubeconfig", "/nowhere/kubeconfig"]).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("/nowhere/kubeconfig"), "{complaint}");
}
