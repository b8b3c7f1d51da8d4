//! TLS: the process's cryptography, the certificate that is served now, and who may connect.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{
    ClientHello, ResolvesServerCert, ServerConfig, VerifierBuilderError, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio::sync::Notify;

use super::certificates::{CertificateError, Validity};
use crate::telemetry::health::{CERTIFICATE, Health};
use crate::telemetry::metrics::Metrics;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text is no PEM, or holds the wrong thing.
    #[error("failed to read the {what} from PEM")]
    Pem {
        /// `certificate` or `private key`.
        what: &'static str,
        /// What is wrong.
        #[source]
        source: pem::Error,
    },
    /// There is no certificate in the text.
    #[error("no certificate in the PEM text")]
    Empty,
    /// The key cannot be used, or belongs to another certificate.
    #[error("failed to use the certificate with its key")]
    Pair(#[source] rustls::Error),
    /// The certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The CA of clients cannot be used.
    #[error("failed to use the CA for client certificates")]
    ClientCa(#[source] VerifierBuilderError),
    /// A CA certificate cannot be used.
    #[error("failed to use a CA certificate")]
    Root(#[source] rustls::Error),
    /// The cryptography offers no common protocol version.
    #[error("failed to set up TLS 1.2 and 1.3")]
    Versions(#[source] rustls::Error),
}

/// Installs ring as the process's cryptography, for this server and for the Kubernetes client.
///
/// Calling it twice does no harm.
pub fn install_provider() {
    // An error means that a provider is installed already, which is what is wanted.
    let _ = ring::default_provider().install_default();
}

fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()))
}

/// The certificate that is served now. Handshakes read it without a lock; [`LiveCertificate::set`] swaps it
/// and touches no connection that is open.
#[derive(Debug, Default)]
pub struct LiveCertificate {
    served: ArcSwapOption<Served>,
    changed: Notify,
}

#[derive(Debug)]
struct Served {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

impl LiveCertificate {
    /// Serves this pair from now on. A pair that cannot work is refused, and the one before stays.
    pub fn set(&self, cert_pem: &str, key_pem: &str) -> Result<(), TlsError> {
        let chain = chain(cert_pem)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
            .map_err(|source| TlsError::Pem { what: "private key", source })?;
        let validity = Validity::of(cert_pem)?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Pair)?;
        self.served.store(Some(Arc::new(Served { key: Arc::new(key), validity })));
        self.changed.notify_one();
        Ok(())
    }

    /// From when to when the certificate is valid; none when nothing is served yet.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        self.served.load().as_ref().map(|served| served.validity)
    }

    /// When the certificate expires; none when nothing is served yet.
    #[must_use]
    pub fn expiry(&self) -> Option<SystemTime> {
        self.validity().map(|validity| validity.not_after)
    }

    /// Keeps the condition `certificate` and its metric true to the facts; never returns.
    pub(super) async fn report(&self, health: &Health, metrics: &Metrics) {
        const EVERY: Duration = Duration::from_secs(10);
        loop {
            let (valid, detail) = match self.validity() {
                Some(validity) => validity.describe(SystemTime::now()),
                None => (false, "no certificate yet".to_owned()),
            };
            health.set(CERTIFICATE, valid, detail);
            metrics.set_certificate_expiry(self.expiry());
            // The elapsed timer is the other reason to look again.
            let _ = tokio::time::timeout(EVERY, self.changed.notified()).await;
        }
    }
}

impl ResolvesServerCert for LiveCertificate {
    /// The name that the client asks for does not matter: there is one certificate, and the client checks it.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.served.load().as_ref().map(|served| served.key.clone())
    }
}

/// The server's configuration: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
///
/// With `client_ca` (PEM, one or more) only clients with a certificate of one of these CAs get through.
pub fn server_config(
    certificate: Arc<LiveCertificate>,
    client_ca: Option<&str>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), provider());
            builder.with_client_cert_verifier(verifier.build().map_err(TlsError::ClientCa)?)
        }
    };
    let mut config = builder.with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The CAs in a PEM text.
pub fn roots(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(pem)? {
        roots.add(certificate).map_err(TlsError::Root)?;
    }
    Ok(roots)
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem { what: "certificate", source })?;
    if chain.is_empty() { Err(TlsError::Empty) } else { Ok(chain) }
}
