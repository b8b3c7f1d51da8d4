use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::Api;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::ControllerArgs;
use super::args::{EndpointArgs, TlsArgs};
use crate::admission::registration::{Endpoint, Trust};
use crate::admission::tls::LiveCertificate;
use crate::admission::{ConnectionLimits, Drain, Options, Server, State, files, router};
use crate::catalog::{Catalog, ConfigState, Identity};
use crate::cli::process::{ProcessError, serve_admin, stop_signal, stopped, watch_over};
use crate::controllers::certificates::{CertificateSecret, SecretOptions};
use crate::controllers::leader::Election;
use crate::controllers::{Leader, Registrar, keep, lead, recorder};
use crate::sources::cluster::{ClusterSource, Feed};
use crate::telemetry::health::{CATALOG, CERTIFICATE, CONFIGURATION, Health, TLS};
use crate::telemetry::metrics::Metrics;

/// Runs until SIGTERM or SIGINT, then drains.
pub(super) async fn run(args: ControllerArgs) -> Result<(), ProcessError> {
    let stop = stop_signal()?;
    let timing = args.election.timing().map_err(ProcessError::Election)?;
    let mut tasks = JoinSet::new();
    // The lease is renewed over a connection of its own: it neither waits for other work nor shares its fate.
    let elections = args.connection.client().await?;
    let Replica { server, leader, registrar, secret } = Replica::start(args, &mut tasks).await?;
    let feed = leader.feed.clone();
    let election = Election::new(elections, &leader.namespace, &leader.name, &identity(), timing);
    let (leads, leading) = watch::channel(false);
    tasks.spawn(lead(leader, registrar, secret, leading));
    let serves = async {
        tokio::select! {
            // A request before that would be decided on half a catalog.
            () = feed.synced() => {
                info!(address = %server.local_addr(), "serving");
                tokio::join!(election.run(leads, stop.subscribe()), server.run(stopped(stop.subscribe())));
            }
            () = stopped(stop.subscribe()) => {}
        }
    };
    let ((), ended) = tokio::join!(serves, watch_over(&mut tasks, &stop));
    // Ends the watches and the admin port, which answered probes to the last.
    tasks.shutdown().await;
    info!("stopped");
    ended
}

/// What one replica consists of, besides its tasks.
struct Replica {
    server: Server,
    leader: Leader,
    registrar: Registrar,
    /// The certificates' Secret, if it is ours to keep.
    secret: Option<CertificateSecret>,
}

impl Replica {
    /// Opens the ports and starts the watches.
    async fn start(args: ControllerArgs, tasks: &mut JoinSet<()>) -> Result<Self, ProcessError> {
        let ControllerArgs {
            connection,
            namespace,
            name,
            config_map,
            watch_nodes,
            endpoints,
            tls,
            allocation,
            election: _,
            debug_metrics: numbers,
            drain_seconds,
            logging: _,
        } = args;
        let client = connection.client().await?;
        let metrics = Metrics::new()?;
        let health = Health::requiring(&[TLS, CERTIFICATE, CATALOG]);
        serve_admin(endpoints.admin_addresses(), &health, &metrics, tasks).await?;
        let source = ClusterSource {
            client: client.clone(),
            identity: Identity { release_namespace: namespace.clone() },
            config_map: config_map.clone(),
            watch_nodes,
            metrics: metrics.clone(),
        };
        let feed = source.start(tasks);
        tasks.spawn(report(feed.clone(), health.clone(), metrics.clone()));
        let certificate = Arc::new(LiveCertificate::default());
        let server = Server::bind(Options {
            listen: endpoints.webhook_address(),
            router: router(State::new(feed.catalog.clone(), metrics.clone())),
            certificate: certificate.clone(),
            client_ca: tls.client_ca.as_deref().map(read).transpose()?,
            limits: ConnectionLimits::default(),
            drain: Drain { keep_serving: drain_seconds, ..Drain::default() },
            health,
            metrics: metrics.clone(),
        })
        .await?;
        let recorder = recorder(client.clone());
        let allocation = allocation.options();
        let leader =
            Leader { client, namespace, name, config_map, allocation, numbers, feed, metrics, recorder };
        let Certificates { trust, secret } = keep_certificates(&leader, certificate, &endpoints, &tls, tasks);
        let endpoint = endpoint(&leader, &endpoints);
        let registrar = Registrar { endpoint, trust, published: watch::Sender::new(None) };
        Ok(Self { server, leader, registrar, secret })
    }
}

/// Where certificates come from.
struct Certificates {
    /// Who keeps `caBundle`, as soon as that is known.
    trust: watch::Receiver<Option<Trust>>,
    /// The Secret, if it is ours to keep.
    secret: Option<CertificateSecret>,
}

/// Sees to it that there is something to serve with.
fn keep_certificates(
    leader: &Leader,
    live: Arc<LiveCertificate>,
    endpoints: &EndpointArgs,
    tls: &TlsArgs,
    tasks: &mut JoinSet<()>,
) -> Certificates {
    let metrics = leader.metrics.clone();
    let (tell_trust, trust) = watch::channel(None);
    if let Some(dir) = tls.tls_dir.clone() {
        if let Some(certificate) = &tls.cert_manager_inject {
            tell_trust.send_replace(Some(Trust::CertManager(certificate.clone())));
        } else {
            tasks.spawn(follow_bundle(dir.clone(), tell_trust));
        }
        tasks.spawn(async move { files::watch(&dir, None, &live, &metrics).await });
        return Certificates { trust, secret: None };
    }
    let secret = CertificateSecret::new(SecretOptions {
        secrets: Api::namespaced(leader.client.clone(), &leader.namespace),
        name: format!("{}-certs", leader.name),
        names: endpoints.names(&leader.name, &leader.namespace),
        lifetimes: tls.lifetimes(),
        live,
        metrics,
        trust: tell_trust,
    });
    let followed = secret.clone();
    tasks.spawn(async move { keep("certificates", || followed.follow()).await });
    Certificates { trust, secret: Some(secret) }
}

/// The `ca.crt` of a directory is what the API server should trust; without one that is the user's business.
async fn follow_bundle(dir: PathBuf, trust: watch::Sender<Option<Trust>>) {
    const EVERY: Duration = Duration::from_secs(3);
    loop {
        if let Ok(files) = files::read(&dir) {
            let new = files.ca_pem.map_or(Trust::Foreign, Trust::Bundle);
            trust.send_if_modified(|trust| {
                let changed = trust.as_ref() != Some(&new);
                *trust = Some(new);
                changed
            });
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Shows each catalog in metrics, health and log, until there will be no other.
async fn report(feed: Feed, health: Health, metrics: Metrics) {
    const EVERY: Duration = Duration::from_secs(1);
    let mut changes = feed.changes.clone();
    let mut told = ConfigState::default();
    loop {
        let new = match tokio::time::timeout(EVERY, changes.changed()).await {
            Ok(Ok(())) => true,
            Ok(Err(_)) => return,
            Err(_) => false,
        };
        match feed.progress.missing() {
            Some(missing) => health.set(CATALOG, false, missing),
            None if *changes.borrow() > 0 => {
                let catalog = feed.catalog.load();
                health.set(CATALOG, true, summary(&catalog, &feed));
                if new {
                    metrics.set_catalog(&catalog, SystemTime::now());
                    report_configuration(&catalog.config, &told, &health);
                    told.clone_from(&catalog.config);
                }
            }
            None => {}
        }
    }
}

fn summary(catalog: &Catalog, feed: &Feed) -> String {
    let counts = catalog.counts();
    let mut text = format!(
        "{} networks, {} groups, {} namespaces, {} pools",
        counts.networks, counts.groups, counts.namespaces, counts.pools
    );
    for (kind, trouble) in feed.progress.troubles() {
        text = format!("{text}; {kind}: {trouble}");
    }
    text
}

/// Each refusal is logged once, and so is the end of one.
fn report_configuration(config: &ConfigState, told: &ConfigState, health: &Health) {
    let changed = config.errors != told.errors;
    let generation = config.generation;
    if config.errors.is_empty() {
        let detail = match generation {
            0 => "no ConfigMap, the defaults are in force".to_owned(),
            generation => format!("generation {generation} is in force"),
        };
        health.note(CONFIGURATION, true, detail);
        if changed {
            info!(generation, "the configuration is in force");
        }
        return;
    }
    let errors: Vec<String> = config.errors.iter().map(ToString::to_string).collect();
    let text = format!("refused, the last good one stays in force: {}", errors.join("; "));
    if changed {
        warn!("configuration {text}");
    }
    health.note(CONFIGURATION, false, text);
}

fn endpoint(leader: &Leader, endpoints: &EndpointArgs) -> Endpoint {
    match &endpoints.webhook_url {
        Some(url) => Endpoint::Url(url.base.clone()),
        None => Endpoint::Service {
            namespace: leader.namespace.clone(),
            name: leader.name.clone(),
            port: endpoints.service_port,
        },
    }
}

/// The pod's name, so that people can see who leads, and a part that no restart repeats.
fn identity() -> String {
    let random = RandomState::new().build_hasher().finish();
    let name = std::env::var("POD_NAME").unwrap_or_else(|_| format!("railweave-{}", std::process::id()));
    format!("{name}_{random:016x}")
}

fn read(path: &Path) -> Result<String, ProcessError> {
    std::fs::read_to_string(path).map_err(|source| ProcessError::Read { path: path.to_owned(), source })
}
