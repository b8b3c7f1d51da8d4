use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::api::{Kind, rail_node_crd};

/// One generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the file, without a directory.
    pub file_name: String,
    /// Its whole content.
    pub yaml: String,
}

/// A manifest that could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {file_name} as YAML")]
pub struct RenderError {
    file_name: String,
    #[source]
    source: serde_saphyr::ser::Error,
}

/// The custom resource definition of `kind`.
pub fn crd(kind: Kind) -> Result<Manifest, RenderError> {
    render(&kind.crd())
}

/// In a file of the name that other generators use: `spiderpool.spidernet.io_spiderippools.yaml`.
fn render(crd: &CustomResourceDefinition) -> Result<Manifest, RenderError> {
    let file_name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
    match serde_saphyr::to_string(crd) {
        Ok(yaml) => Ok(Manifest { file_name, yaml: format!("---\n{yaml}") }),
        Err(source) => Err(RenderError { file_name, source }),
    }
}

/// The custom resource definitions of all kinds, in the order in which they are installed.
pub fn crds() -> Result<Vec<Manifest>, RenderError> {
    let crds = Kind::ALL.into_iter().map(Kind::crd).chain([rail_node_crd()]);
    crds.map(|crd| render(&crd)).collect()
}
