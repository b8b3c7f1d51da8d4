//! The admission server on a directory instead of a cluster, for `serve` and `demo`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;

use super::failure::Failure;
use crate::admission::tls::LiveCertificate;
use crate::admission::{ConnectionLimits, Drain, Options, Server, State, files, router};
use crate::catalog::Catalog;
use crate::sources::{Directory, FileProblem, View};
use crate::telemetry::admin::AdminServer;
use crate::telemetry::health::{CATALOG, CERTIFICATE, CONFIGURATION, Health, TLS};
use crate::telemetry::metrics::Metrics;

/// How often the directory is compared with what is in force.
const POLL: Duration = Duration::from_millis(500);

/// Where a local server listens and what it serves with.
#[derive(Clone, Debug)]
pub(super) struct LocalOptions {
    /// Address of the webhooks.
    pub(super) listen: SocketAddr,
    /// Address of health and metrics, if they are wanted.
    pub(super) admin: Option<SocketAddr>,
    /// Directory of CA and certificate; made when there are none.
    pub(super) certs: PathBuf,
    /// Names that the certificate gets besides the loopback ones.
    pub(super) names: Vec<String>,
    /// PEM of the CA whose clients alone may ask.
    pub(super) client_ca: Option<String>,
    /// How long requests are still served after the signal to stop.
    pub(super) keep_serving: Duration,
}

/// A bound server and what feeds it.
#[derive(Debug)]
pub(super) struct LocalServer {
    server: Server,
    admin: Option<AdminServer>,
    certs: PathBuf,
    names: Vec<String>,
    certificate: Arc<LiveCertificate>,
    catalog: Arc<ArcSwap<Catalog>>,
    metrics: Metrics,
    health: Health,
}

impl LocalServer {
    /// Binds all addresses and loads or makes the certificate; nothing is answered before
    /// [`LocalServer::run`].
    pub(super) async fn bind(options: LocalOptions, view: View) -> Result<Self, Failure> {
        let LocalOptions { listen, admin, certs, names, client_ca, keep_serving } = options;
        let metrics = Metrics::new()?;
        let health = Health::requiring(&[TLS, CERTIFICATE, CATALOG]);
        let names = certificate_names(listen.ip(), names);
        let certificate = Arc::new(LiveCertificate::default());
        files::ensure_local(&certs, &names, SystemTime::now())?;
        files::load(&certs, &certificate)?;
        let catalog = Arc::new(ArcSwap::from_pointee(view.catalog));
        report(&catalog.load(), &view.problems, &metrics, &health);
        let server = Server::bind(Options {
            listen,
            router: router(State::new(catalog.clone(), metrics.clone())),
            certificate: certificate.clone(),
            client_ca,
            limits: ConnectionLimits::default(),
            drain: Drain { keep_serving, ..Drain::default() },
            health: health.clone(),
            metrics: metrics.clone(),
        })
        .await?;
        let admin = match admin {
            None => None,
            Some(address) => {
                let bound = AdminServer::bind(address, health.clone(), metrics.clone()).await;
                Some(bound.map_err(|source| Failure::Listen { address, source })?)
            }
        };
        Ok(Self { server, admin, certs, names, certificate, catalog, metrics, health })
    }

    /// Address of the webhooks, as a client on this machine reaches it.
    pub(super) fn address(&self) -> SocketAddr {
        reachable(self.server.local_addr())
    }

    /// Address of health and metrics.
    pub(super) fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref()?.local_addr().ok().map(reachable)
    }

    /// The catalog in force.
    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// The place of the catalog, for whoever compiles new ones.
    pub(super) fn share(&self) -> Arc<ArcSwap<Catalog>> {
        self.catalog.clone()
    }

    /// Serves until `shutdown`, and follows the directory and the certificates meanwhile.
    pub(super) async fn run(self, directory: Option<Directory>, shutdown: impl Future<Output = ()>) {
        let Self { server, admin, certs, names, certificate, catalog, metrics, health } = self;
        let follow = follow(directory, &catalog, &metrics, &health);
        let renew = files::watch(&certs, Some(&names), &certificate, &metrics);
        let observe = async {
            if let Some(admin) = admin
                && let Err(error) = admin.run(std::future::pending()).await
            {
                tracing::error!(%error, "the admin port is closed");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = server.run(shutdown) => {}
            () = follow => {}
            () = renew => {}
            () = observe => {}
        }
    }
}

/// A wildcard address is reached through loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}

fn certificate_names(listen: IpAddr, more: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    if !listen.is_unspecified() {
        names.push(listen.to_string());
    }
    names.extend(more);
    let mut known = std::collections::BTreeSet::new();
    names.retain(|name| known.insert(name.clone()));
    names
}

/// Puts every change of the directory in force; never returns.
async fn follow(
    directory: Option<Directory>,
    catalog: &ArcSwap<Catalog>,
    metrics: &Metrics,
    health: &Health,
) {
    let Some(mut directory) = directory else { return std::future::pending().await };
    let mut complaint = String::new();
    loop {
        tokio::time::sleep(POLL).await;
        let looked = tokio::task::spawn_blocking(move || (directory.read_if_changed(), directory)).await;
        let Ok((read, back)) = looked else {
            tracing::error!("the directory is no longer followed: reading it panicked");
            return std::future::pending().await;
        };
        directory = back;
        match read {
            Ok(None) => {}
            Ok(Some(view)) => {
                complaint.clear();
                catalog.store(Arc::new(view.catalog));
                report(&catalog.load(), &view.problems, metrics, health);
            }
            Err(error) => {
                let text = Failure::from(error).message();
                if text != complaint {
                    tracing::warn!(error = text, "the catalog before stays in force");
                    complaint = text;
                }
            }
        }
    }
}

/// Tells operators which catalog is in force from now on.
fn report(catalog: &Catalog, problems: &[FileProblem], metrics: &Metrics, health: &Health) {
    metrics.set_catalog(catalog, SystemTime::now());
    let counts = catalog.counts();
    for problem in problems {
        tracing::warn!(place = %place(problem), "{}", problem.message);
    }
    let summary = format!("{} networks in {} groups, {} pools", counts.networks, counts.groups, counts.pools);
    tracing::info!(problems = problems.len(), "catalog in force: {summary}");
    health.set(CATALOG, true, summary);
    match catalog.config.errors.first() {
        Some(error) => health.note(CONFIGURATION, false, format!("the last good one is in force: {error}")),
        None => health.note(CONFIGURATION, true, format!("generation {}", catalog.config.generation)),
    }
}

fn place(problem: &FileProblem) -> String {
    match problem.line {
        Some(line) => format!("{}:{line}", problem.file),
        None => problem.file.to_string(),
    }
}

/// The CA that clients of a local server should trust.
pub(super) fn ca_file(certs: &Path) -> PathBuf {
    certs.join("ca.crt")
}
