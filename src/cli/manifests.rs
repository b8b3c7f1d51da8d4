use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::console::Console;
use super::failure::{Exit, Failure};
use super::inject::join;
use super::input::{Release, offline_settings, read_catalog};
use crate::admission::registration::{Endpoint, FinalState, Registration, Rendered, Trust};
use crate::catalog::{Assembler, Catalog};
use crate::manifests::{RbacOptions, crds, rbac};
use crate::yaml;

/// Prints generated manifests
#[derive(Debug, Args)]
#[command(
    long_about = "Prints generated manifests: what the chart installs and what the leader applies, for reading, \
        for review, or for installing without Helm.",
    after_help = "Examples:
  railweave manifests crds | kubectl apply --server-side -f -
  railweave manifests rbac --release-namespace spiderpool
  railweave manifests registration --catalog cluster/ --ca-file certs/ca.crt"
)]
pub(super) struct Manifests {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Custom resource definitions of all kinds
    Crds,
    /// Service accounts, roles and bindings of controller and agent
    Rbac(Rbac),
    /// Webhook configurations and the final-state policies that the leader applies
    Registration(RegistrationArgs),
}

#[derive(Debug, Args)]
struct Rbac {
    /// Name of the controller's objects
    #[arg(long, value_name = "NAME", default_value = "spiderpool-controller", env = "RAILWEAVE_NAME")]
    name: String,
    /// Name of the agent's objects
    #[arg(long, value_name = "NAME", default_value = "spiderpool-agent")]
    agent_name: String,
    /// Name of the `ConfigMap`
    #[arg(long, value_name = "NAME", default_value = "spiderpool-config", env = "RAILWEAVE_CONFIG_MAP")]
    config_map: String,
    #[command(flatten)]
    release: Release,
}

#[derive(Debug, Args)]
struct RegistrationArgs {
    /// Directory with the `ConfigMap` whose configuration is in force; injection is on without one
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
    /// Name of the release's objects
    #[arg(long, value_name = "NAME", default_value = "spiderpool-controller", env = "RAILWEAVE_NAME")]
    name: String,
    /// Port of the Service
    #[arg(long, value_name = "PORT", default_value_t = 443)]
    service_port: u16,
    /// Where the API server reaches the webhooks instead of the Service: <https://HOST:PORT>
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// CA that the API server is to trust (PEM); left out without
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    release: Release,
}

impl Manifests {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let text = match self.what {
            What::Crds => crds()?.into_iter().map(|manifest| manifest.yaml).collect(),
            What::Rbac(Rbac { name, agent_name, config_map, release }) => rbac(RbacOptions {
                name: &name,
                agent: &agent_name,
                namespace: &release.release_namespace,
                config_map: &config_map,
            }),
            What::Registration(args) => registration(args, console)?,
        };
        console.print(&text)?;
        Ok(Exit::Success)
    }
}

fn registration(args: RegistrationArgs, console: &mut Console) -> Result<String, Failure> {
    let RegistrationArgs { catalog, name, service_port, webhook_url, ca_file, release } = args;
    let catalog: Catalog = match catalog {
        Some(path) => read_catalog(&path, &release, console)?,
        None => Assembler::new(release.identity(), offline_settings()).assemble(),
    };
    let endpoint = match webhook_url {
        Some(url) => Endpoint::Url(url.trim_end_matches('/').to_owned()),
        None => {
            Endpoint::Service { namespace: release.release_namespace, name: name.clone(), port: service_port }
        }
    };
    let trust = match ca_file {
        Some(path) => Trust::Bundle(read(&path)?),
        None => Trust::Foreign,
    };
    let registration = Registration {
        name: &name,
        settings: &catalog.settings,
        scope: &catalog.scope,
        endpoint: &endpoint,
        trust: &trust,
        owner: None,
    };
    let Rendered { mutating, validating, final_state, suspension: _ } = registration.render();
    let policies = final_state.into_iter().flat_map(|FinalState { parameter, pods, namespaces }| {
        [pods.policy, pods.binding, namespaces.policy, namespaces.binding, parameter]
    });
    let objects = [mutating, validating].into_iter().chain(policies);
    let documents = objects.map(|object| yaml::write(&object)).collect::<Result<Vec<_>, _>>()?;
    Ok(join(&documents))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| Failure::Read { path: path.display().to_string(), source })
}
