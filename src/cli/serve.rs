use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::console::{Console, Ink};
use super::envelope::creation;
use super::failure::{Exit, Failure};
use super::input::{Logging, Release, offline_settings};
use super::local::{LocalOptions, LocalServer, ca_file};
use super::runtime::runtime;
use crate::catalog::{Catalog, Mode, natural_cmp};
use crate::sources::Directory;

/// Runs the whole admission server without a cluster, on manifests in a directory
#[derive(Debug, Args)]
#[command(
    long_about = "Runs the whole admission server without a cluster, on manifests in a directory.

Networks, pools, subnets, namespaces, nodes and the `ConfigMap` are read from DIR, folders inside it included; a change \
        of any file is in force within a second. Injection is on unless a `ConfigMap` in DIR says otherwise. A CA and a \
        certificate are made in --certs when there are none; put your own tls.crt, tls.key and ca.crt there to use them.

SIGTERM and Ctrl-C stop the server after the requests in flight.",
    after_help = "Examples:
  railweave serve --catalog manifests/guide/webhook
  railweave serve --catalog networks/ --listen 0.0.0.0:8443 --name webhooks.example.com
  curl http://127.0.0.1:8080/readyz?verbose"
)]
pub(super) struct Serve {
    /// Directory with manifests of networks, pools, namespaces, nodes and the `ConfigMap`
    #[arg(long, value_name = "DIR")]
    catalog: PathBuf,
    /// Address of the webhooks; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Address of /livez, /readyz and /metrics, in plain HTTP
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    admin_listen: SocketAddr,
    /// Directory of CA and certificate
    #[arg(long, value_name = "DIR", default_value = "certs")]
    certs: PathBuf,
    /// One more name or address that clients use, for the certificate; may be repeated
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Only clients with a certificate of these CAs may ask (PEM)
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// How long requests are still served after the signal to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    drain_seconds: u64,
    #[command(flatten)]
    release: Release,
    #[command(flatten)]
    pub(super) logging: Logging,
}

impl Serve {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self {
            catalog,
            listen,
            admin_listen,
            certs,
            names,
            client_ca,
            drain_seconds,
            release,
            logging: _,
        } = self;
        let client_ca = client_ca.map(|path| read(&path)).transpose()?;
        let mut directory = Directory::new(&catalog, release.identity(), offline_settings());
        let view = directory.read()?;
        let keep_serving = Duration::from_secs(drain_seconds);
        let admin = Some(admin_listen);
        let options = LocalOptions { listen, admin, certs: certs.clone(), names, client_ca, keep_serving };
        runtime()?.block_on(async {
            let stop = stop_signal()?;
            let server = LocalServer::bind(options, view).await?;
            announce(&server, &certs, console)?;
            server.run(Some(directory), stop).await;
            Ok(Exit::Success)
        })
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| Failure::Read { path: path.display().to_string(), source })
}

/// Completes with the first SIGTERM or Ctrl-C.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let failed = |source: io::Error| Failure::Runtime(source);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Says where the server is and how to try it.
fn announce(server: &LocalServer, certs: &Path, console: &mut Console) -> Result<(), Failure> {
    let address = server.address();
    let ca = ca_file(certs);
    console.line(format_args!("{} https://{address}", console.ink(Ink::Bold, "webhooks")))?;
    if let Some(admin) = server.admin_address() {
        let heading = console.ink(Ink::Bold, "health  ");
        console.line(format_args!("{heading} http://{admin}/readyz?verbose   http://{admin}/metrics"))?;
    }
    console.line(format_args!("{} {}", console.ink(Ink::Bold, "CA      "), ca.display()))?;
    let group = example_group(&server.catalog());
    if group.is_none() {
        console.warning("no network in the catalog belongs to a group, so no pod can be injected")?;
    }
    let (mode, group) = group.unwrap_or_else(|| (Mode::Rdma, "rdma-network".to_owned()));
    console.line("\nTry it: a pod that asks for the rails of a group\n")?;
    console.line(format_args!("{}\n", curl(address, &ca, mode, &group)))?;
    console.flush()?;
    Ok(())
}

/// The first group, by key and name.
fn example_group(catalog: &Catalog) -> Option<(Mode, String)> {
    let groups = catalog.groups();
    let first = groups.map(|(mode, name, _)| (mode, name));
    let first = first.min_by(|a, b| a.0.cmp(&b.0).then_with(|| natural_cmp(a.1, b.1)));
    first.map(|(mode, name)| (mode, name.to_owned()))
}

/// A command that works as it is, without any file but the CA.
fn curl(address: SocketAddr, ca: &Path, mode: Mode, group: &str) -> String {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "try", "annotations": { mode.key(): group } },
        "spec": { "containers": [{ "name": "app", "image": "app" }] },
    });
    let review = creation("1", "default", "pods", &pod);
    let path = crate::admission::Webhook::Pods.path();
    format!(
        "curl --cacert {} -H 'Content-Type: application/json' https://{address}{path} -d '{}'",
        shell(&ca.display().to_string()),
        review.to_string().replace('\'', r"'\''"),
    )
}

/// A path as one word of a shell.
fn shell(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
