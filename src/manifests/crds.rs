use crate::api::{GROUP, Kind};

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

/// The custom resource definition of `kind`, in a file of the name that other generators use:
/// `spiderpool.spidernet.io_spiderippools.yaml`.
pub fn crd(kind: Kind) -> Result<Manifest, RenderError> {
    let file_name = format!("{GROUP}_{}.yaml", kind.plural());
    match serde_saphyr::to_string(&kind.crd()) {
        Ok(yaml) => Ok(Manifest { file_name, yaml: format!("---\n{yaml}") }),
        Err(source) => Err(RenderError { file_name, source }),
    }
}

/// The custom resource definitions of all kinds, in the order in which they are installed.
pub fn crds() -> Result<Vec<Manifest>, RenderError> {
    Kind::ALL.into_iter().map(crd).collect()
}
