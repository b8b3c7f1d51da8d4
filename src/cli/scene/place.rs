use std::path::PathBuf;

use clap::Args;
use kube::Client;

use super::{Scene, read};
use crate::api::settings::Settings;
use crate::cli::cluster;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::input::{Files, Release};
use crate::cli::runtime::runtime;
use crate::sources::read_manifests;

/// Where a scene comes from: the cluster, or `-f FILE...`
#[derive(Debug, Args)]
pub(in crate::cli) struct Place {
    /// File or directory with what the cluster has, YAML or JSON, instead of the cluster; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", num_args = 1.., conflicts_with = "context")]
    filename: Vec<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Name of the `ConfigMap` in the release namespace
    #[arg(long, value_name = "NAME", default_value = "spiderpool-config", env = "RAILWEAVE_CONFIG_MAP")]
    config_map: String,
    #[command(flatten)]
    release: Release,
}

impl Place {
    /// The directory, or else the cluster.
    pub(in crate::cli) fn of(
        directory: Option<PathBuf>,
        context: Option<String>,
        config_map: &str,
        release: &Release,
    ) -> Self {
        let filename = directory.into_iter().collect();
        Self { filename, context, config_map: config_map.to_owned(), release: release.clone() }
    }

    /// Reads the scene, and says on standard error what could not be taken into account.
    pub(in crate::cli) fn read(&self, console: &mut Console) -> Result<Scene, Failure> {
        let scene = self.read_quietly()?;
        for problem in &scene.problems {
            console.warning(problem)?;
        }
        Ok(scene)
    }

    /// Reads the scene.
    pub(in crate::cli) fn read_quietly(&self) -> Result<Scene, Failure> {
        if self.filename.is_empty() {
            runtime()?.block_on(async { self.read_live(&self.connect().await?).await })
        } else {
            self.read_files()
        }
    }

    /// The client of the cluster.
    pub(in crate::cli) async fn connect(&self) -> Result<Client, Failure> {
        Ok(cluster::connect(self.context.clone()).await?)
    }

    /// Reads the scene from the cluster.
    pub(in crate::cli) async fn read_live(&self, client: &Client) -> Result<Scene, Failure> {
        Ok(read::from_cluster(client, self.release.identity(), &self.config_map).await?)
    }

    fn read_files(&self) -> Result<Scene, Failure> {
        let (mut manifests, mut unreadable) = (Vec::new(), Vec::new());
        for source in (Files { filename: self.filename.clone() }).read()? {
            let (more, bad) = read_manifests(&source.name, &source.text);
            manifests.extend(more);
            unreadable.extend(bad);
        }
        if !unreadable.is_empty() {
            return Err(Failure::Unreadable(unreadable));
        }
        Ok(read::from_manifests(manifests, self.release.identity(), Settings::default()))
    }
}
