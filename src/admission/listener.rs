//! The TLS listener: accepts, hands connections to the router, and leaves without losing a request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use futures::FutureExt as _;
use hyper::Version;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use super::idle::InFlight;
use super::tls::{LiveCertificate, TlsError, server_config};
use crate::telemetry::health::{Health, TLS};
use crate::telemetry::metrics::Metrics;

/// What a server is made of.
#[derive(Debug)]
pub struct Options {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What answers; see [`super::router`].
    pub router: Router,
    /// What it serves with; may be filled later.
    pub certificate: Arc<LiveCertificate>,
    /// PEM of the CAs whose clients alone may connect.
    pub client_ca: Option<String>,
    /// Bounds of connections.
    pub limits: ConnectionLimits,
    /// How it stops.
    pub drain: Drain,
    /// Where it reports whether it serves.
    pub health: Health,
    /// Where it counts connections.
    pub metrics: Metrics,
}

/// Bounds of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections open at a time; more wait in the kernel's queue.
    pub connections: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time for a request's head over HTTP/1.1, and how long a connection may be idle. The API server keeps idle
    /// connections for 90 s; closing them earlier costs it a handshake, or a failed request if both meet.
    pub idle: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { connections: 1024, handshake: Duration::from_secs(10), idle: Duration::from_mins(2) }
    }
}

/// How a server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How long new connections are still accepted: the time in which endpoints and kube-proxy forget us.
    pub keep_serving: Duration,
    /// How long requests in flight may take after that.
    pub deadline: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { keep_serving: Duration::from_secs(5), deadline: Duration::from_secs(10) }
    }
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not ours.
    #[error("failed to listen on {address}")]
    Bind {
        /// As asked for.
        address: SocketAddr,
        /// What the kernel says.
        #[source]
        source: std::io::Error,
    },
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What is read from a socket at a time: a TLS record of the greatest size. rustls by itself reads 4 KiB at a time, and
/// a review of a pod has two or three times as much.
const RECORD: usize = 16 << 10;

/// A connection after its handshake.
type Stream = TlsStream<BufReader<TcpStream>>;

/// A bound server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    certificate: Arc<LiveCertificate>,
    slots: Arc<Semaphore>,
    drain: Drain,
    shared: Arc<Shared>,
}

/// What every connection needs.
struct Shared {
    acceptor: TlsAcceptor,
    router: Router,
    limits: ConnectionLimits,
    health: Health,
    metrics: Metrics,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Server {
    /// Binds the address; nothing is accepted before [`Server::run`].
    pub async fn bind(options: Options) -> Result<Self, ServeError> {
        let Options { listen, router, certificate, client_ca, limits, drain, health, metrics } = options;
        let config = server_config(certificate.clone(), client_ca.as_deref())?;
        let bind_error = |source| ServeError::Bind { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (http1, http2) = protocols(limits.idle);
        let shared = Shared { acceptor, router, limits, health, metrics, http1, http2 };
        let slots = Arc::new(Semaphore::new(limits.connections));
        Ok(Self { listener, address, certificate, slots, drain, shared: Arc::new(shared) })
    }

    /// The address, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then drains and returns.
    ///
    /// Draining: readiness goes off; for [`Drain::keep_serving`] everything is still answered, but over
    /// HTTP/1.1 with `Connection: close`, so that clients move on between two requests and not during one;
    /// then the listener closes, idle connections are closed and those in use finish what they do, until
    /// [`Drain::deadline`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, address, certificate, slots, drain, shared } = self;
        let graceful = GracefulShutdown::new();
        shared.health.set(TLS, true, format!("listening on {address}"));
        let serve = async {
            let accept = Accept { listener: &listener, slots: &slots, shared: &shared, graceful: &graceful };
            accept.until(shutdown).await;
            shared.health.start_draining();
            tracing::info!(keep_serving = ?drain.keep_serving, "draining");
            accept.until(tokio::time::sleep(drain.keep_serving)).await;
            accept.queued();
        };
        tokio::select! {
            () = serve => {}
            () = certificate.report(&shared.health, &shared.metrics) => {}
        }
        drop(listener);
        settle(&graceful).await;
        if tokio::time::timeout(drain.deadline, graceful.shutdown()).await.is_err() {
            tracing::warn!(deadline = ?drain.deadline, "connections were still busy at the deadline");
        }
    }
}

/// Connections that were made in the last moment have not sent their request yet, and closing them now would
/// lose it: give them the time of a few round trips.
async fn settle(graceful: &GracefulShutdown) {
    if graceful.count() > 0 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn protocols(idle: Duration) -> (http1::Builder, http2::Builder<TokioExecutor>) {
    let mut http1 = http1::Builder::new();
    // Without a timer hyper enforces no timeout at all. This one runs while a connection is idle, too.
    http1.timer(TokioTimer::new()).header_read_timeout(idle);
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    (http1, http2)
}

/// The accept loop's view of the server.
struct Accept<'a> {
    listener: &'a TcpListener,
    slots: &'a Arc<Semaphore>,
    shared: &'a Arc<Shared>,
    graceful: &'a GracefulShutdown,
}

impl Accept<'_> {
    /// Accepts connections until the given moment.
    async fn until(&self, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                (slot, stream) = self.next() => self.spawn(slot, stream),
            }
        }
    }

    /// Takes what the kernel has accepted on our behalf; closing the listener would reset it.
    fn queued(&self) {
        while let Some((slot, stream)) = self.next().now_or_never() {
            self.spawn(slot, stream);
        }
    }

    /// A slot first: at the limit, connections wait in the kernel's queue instead of being reset.
    async fn next(&self) -> (Option<OwnedSemaphorePermit>, TcpStream) {
        let slot = self.slots.clone().acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return (slot, stream),
                Err(error) => {
                    // Out of file descriptors, or a client that was gone already; neither ends the server.
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn spawn(&self, slot: Option<OwnedSemaphorePermit>, stream: TcpStream) {
        let shared = self.shared.clone();
        let watcher = self.graceful.watcher();
        tokio::spawn(async move {
            shared.metrics.connections.inc();
            shared.connection(stream, watcher).await;
            shared.metrics.connections.dec();
            drop(slot);
        });
    }
}

impl Shared {
    async fn connection(self: &Arc<Self>, stream: TcpStream, watcher: Watcher) {
        // An answer is one small write; waiting to merge it with a next one only delays it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
        let Some(stream) = self.handshake(stream).await else { return };
        // The handshake says which protocol follows, so the first bytes need no guessing.
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(stream);
        let shared = self.clone();
        let ended = if http2 {
            let in_flight = InFlight::default();
            let begin = in_flight.clone();
            let service = service_fn(move |request| {
                let (shared, request_in_flight) = (shared.clone(), begin.begin());
                async move {
                    let answer = shared.answer(request).await;
                    drop(request_in_flight);
                    answer
                }
            });
            tokio::select! {
                ended = watcher.watch(self.http2.serve_connection(io, service)) => ended,
                () = in_flight.idle_for(self.limits.idle) => Ok(()),
            }
        } else {
            let service = service_fn(move |request| shared.clone().answer(request));
            watcher.watch(self.http1.serve_connection(io, service)).await
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn handshake(&self, stream: TcpStream) -> Option<Stream> {
        let handshake = self.acceptor.accept(BufReader::with_capacity(RECORD, stream));
        let (cause, error) = match tokio::time::timeout(self.limits.handshake, handshake).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => ("refused", error.to_string()),
            Err(elapsed) => ("timeout", elapsed.to_string()),
        };
        self.metrics.handshake_failures.with_label_values(&[cause]).inc();
        tracing::debug!(cause, error, "handshake failed");
        None
    }

    async fn answer(self: Arc<Self>, request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
        let version = request.version();
        let mut response = self.router.clone().oneshot(request).await?;
        if version <= Version::HTTP_11 && self.health.draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}
