//! The guide's manifests, as the guide writes them, inside the binary.

use crate::sources::{Manifest, read_manifests};

macro_rules! guide {
    ($file:literal) => {
        (concat!("manifests/guide/", $file), include_str!(concat!("../../../manifests/guide/", $file)))
    };
}

const NETWORKS: [(&str, &str); 8] = [
    guide!("webhook/gpu1.yaml"),
    guide!("webhook/gpu2.yaml"),
    guide!("webhook/gpu3.yaml"),
    guide!("webhook/gpu4.yaml"),
    guide!("webhook/gpu5.yaml"),
    guide!("webhook/gpu6.yaml"),
    guide!("webhook/gpu7.yaml"),
    guide!("webhook/gpu8.yaml"),
];

const DEPLOYMENT: (&str, &str) = guide!("deployment.yaml");

/// Pools and networks of eight rails.
#[must_use]
pub(super) fn networks() -> Vec<Manifest> {
    NETWORKS.into_iter().flat_map(|(file, text)| read_manifests(file, text).0).collect()
}

/// The AI application.
#[must_use]
pub(super) fn deployment() -> Option<Manifest> {
    let (file, text) = DEPLOYMENT;
    read_manifests(file, text).0.into_iter().next()
}
