//! The webhook's certificates: an authority of our own in a Secret, a leaf of it on every replica.
//!
//! Any replica makes the Secret when there is none; whoever is second takes the first one's. Every replica
//! follows the Secret and swaps what it serves. Only the leader rotates: a new authority is first published,
//! read back and given time to reach every API server, and only then signs a leaf. `material` is the Secret's
//! content, `rotation` decides, both pure; read [`CertificateSecret`] first.

mod material;
mod rotation;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::ControllerError;
use super::supervise::timed;
use crate::admission::certificates::CertificateError;
use crate::admission::registration::Trust;
use crate::admission::tls::{LiveCertificate, TlsError};
use crate::sources::{Backoff, describe};
use crate::telemetry::metrics::Metrics;

pub use material::{Material, MaterialError, Retired};
pub use rotation::Lifetimes;
use rotation::Step;

/// Why the certificates could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// A certificate could not be made or read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The Secret is there, but its content cannot be used.
    #[error("failed to use Secret {0}; delete it to have it made anew")]
    Content(String, #[source] MaterialError),
    /// The pair in the Secret cannot be served.
    #[error("failed to serve with Secret {0}")]
    Pair(String, #[source] TlsError),
}

/// A bundle that was read back from every webhook configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// PEM.
    pub bundle: String,
    /// Since when.
    pub since: Instant,
}

/// What a [`CertificateSecret`] works with.
#[derive(Clone)]
pub struct SecretOptions {
    /// Secrets of the release's namespace.
    pub secrets: Api<Secret>,
    /// Name of the Secret.
    pub name: String,
    /// DNS names and addresses of the leaf.
    pub names: Vec<String>,
    /// How long certificates live.
    pub lifetimes: Lifetimes,
    /// Serves the leaf.
    pub live: Arc<LiveCertificate>,
    /// Where work is counted.
    pub metrics: Metrics,
    /// Told which bundle the API server should have.
    pub trust: watch::Sender<Option<Trust>>,
}

/// The Secret with the installation's certificates; clones share it.
#[derive(Clone)]
pub struct CertificateSecret {
    options: SecretOptions,
    stored: watch::Sender<Option<Arc<Stored>>>,
}

/// The Secret as it was last read.
struct Stored {
    material: Material,
    metadata: ObjectMeta,
}

impl CertificateSecret {
    /// Nothing is read or made yet.
    #[must_use]
    pub fn new(options: SecretOptions) -> Self {
        Self { options, stored: watch::Sender::new(None) }
    }

    /// Makes the Secret if there is none and follows it; returns only with an error.
    pub async fn follow(&self) -> Result<(), ControllerError> {
        let secret = self.ensure().await?;
        self.accept(secret)?;
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let mut versions =
            pin!(watcher::watch_object(self.options.secrets.clone(), &self.options.name).backoff(backoff));
        while let Some(version) = versions.next().await {
            match version {
                Ok(Some(secret)) => self.keep_or_complain(secret),
                Ok(None) => {
                    let secret = self.ensure().await?;
                    self.keep_or_complain(secret);
                }
                // The certificate at hand goes on being served.
                Err(error) => warn!(secret = self.options.name, "watch failed: {}", describe(&error)),
            }
        }
        Ok(())
    }

    /// Keeps the certificates young, until an error; for the leader.
    pub async fn rotate(
        &self,
        mut published: watch::Receiver<Option<Published>>,
    ) -> Result<(), ControllerError> {
        let mut stored = self.stored.subscribe();
        loop {
            let Some(current) = stored.borrow_and_update().clone() else {
                let _ = stored.changed().await;
                continue;
            };
            let settled = self.settled(&current.material, published.borrow_and_update().as_ref());
            let now = SystemTime::now();
            let step = self.next_step(&current.material, now, settled == Some(Duration::ZERO))?;
            let pause = match step {
                Step::Wait(until) => until.duration_since(now).unwrap_or_default(),
                Step::AwaitTrust => settled.unwrap_or(LONG),
                step => {
                    timed(&self.options.metrics, "certificates", self.take(step, &current, now)).await?;
                    continue;
                }
            };
            tokio::select! {
                () = sleep(pause.min(LONG)) => {}
                _ = stored.changed() => {}
                _ = published.changed() => {}
            }
        }
    }

    fn next_step(
        &self,
        material: &Material,
        now: SystemTime,
        trusted: bool,
    ) -> Result<Step, ControllerError> {
        let step = rotation::next_step(material, &self.options.names, &self.options.lifetimes, now, trusted);
        Ok(step.map_err(CertificatesError::from)?)
    }

    /// How much longer the present bundle needs to be relied on; none while it is not published.
    fn settled(&self, material: &Material, published: Option<&Published>) -> Option<Duration> {
        let published = published.filter(|published| published.bundle == material.bundle())?;
        Some(self.options.lifetimes.settle.saturating_sub(published.since.elapsed()))
    }

    /// Performs a step and writes the outcome, fenced by the version it was decided on.
    async fn take(&self, step: Step, current: &Stored, now: SystemTime) -> Result<(), ControllerError> {
        let material =
            rotation::perform(step, &current.material, &self.options.names, &self.options.lifetimes, now)
                .map_err(CertificatesError::from)?;
        let secret = secret(current.metadata.clone(), &material);
        let written = self.options.secrets.replace(&self.options.name, &PostParams::default(), &secret).await;
        match written {
            Ok(secret) => {
                info!(secret = self.options.name, ?step, "certificates changed");
                self.accept(secret)
            }
            // Somebody else wrote; the watch brings what.
            Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => {
                let _ = timeout(Duration::from_secs(10), self.stored.subscribe().changed()).await;
                Ok(())
            }
            Err(source) => Err(ControllerError::request("write the certificate Secret", source)),
        }
    }

    /// The Secret as stored, made by this replica if it is the first.
    async fn ensure(&self) -> Result<Secret, ControllerError> {
        let failed = |source| ControllerError::request("read the certificate Secret", source);
        loop {
            if let Some(secret) = self.options.secrets.get_opt(&self.options.name).await.map_err(failed)? {
                return Ok(secret);
            }
            // A Secret that was deleted comes back with what every replica still serves.
            let held = self.stored.borrow().as_ref().map(|stored| stored.material.clone());
            let material = match held {
                Some(material) => material,
                None => rotation::begin(&self.options.names, &self.options.lifetimes, SystemTime::now())
                    .map_err(CertificatesError::from)?,
            };
            let metadata = ObjectMeta { name: Some(self.options.name.clone()), ..ObjectMeta::default() };
            let secret = secret(metadata, &material);
            match self.options.secrets.create(&PostParams::default(), &secret).await {
                Ok(secret) => {
                    info!(secret = self.options.name, "made the certificate Secret");
                    return Ok(secret);
                }
                // Another replica was faster: its Secret counts.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(source) => return Err(ControllerError::request("make the certificate Secret", source)),
            }
        }
    }

    fn keep_or_complain(&self, secret: Secret) {
        if let Err(error) = self.accept(secret) {
            warn!(secret = self.options.name, "the certificate before stays in force: {}", describe(&error));
        }
    }

    /// Serves what the Secret holds, and says which bundle that takes.
    fn accept(&self, secret: Secret) -> Result<(), ControllerError> {
        let accepted = self.serve(secret);
        self.options.metrics.certificate_reload_failed.set(i64::from(accepted.is_err()));
        Ok(accepted?)
    }

    fn serve(&self, secret: Secret) -> Result<(), CertificatesError> {
        let data = secret.data.unwrap_or_default();
        let material = Material::read(&data)
            .map_err(|source| CertificatesError::Content(self.options.name.clone(), source))?;
        let leaf = &material.leaf;
        let served = self.options.live.set(&leaf.cert_pem, &leaf.key_pem);
        let trust = Trust::Bundle(material.bundle());
        // The leader must see a pair that cannot be served as well, in order to replace it.
        self.stored.send_replace(Some(Arc::new(Stored { material, metadata: secret.metadata })));
        self.options.trust.send_if_modified(|before| {
            let changed = before.as_ref() != Some(&trust);
            *before = Some(trust);
            changed
        });
        served.map_err(|source| CertificatesError::Pair(self.options.name.clone(), source))
    }
}

/// Waiting is cut into pieces, so that a clock that is set is noticed.
const LONG: Duration = Duration::from_mins(10);

fn secret(metadata: ObjectMeta, material: &Material) -> Secret {
    Secret { metadata, data: Some(material.write()), type_: Some("Opaque".to_owned()), ..Secret::default() }
}
