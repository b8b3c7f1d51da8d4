//! The admin port: plain HTTP for probes and Prometheus, apart from the port that the API server calls.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::health::Health;
use super::metrics::Metrics;

/// A bound admin port.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    router: Router,
}

impl AdminServer {
    /// Binds the address; port 0 takes a free one.
    pub async fn bind(listen: SocketAddr, health: Health, metrics: Metrics) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(listen).await?, router: router(health, metrics) })
    }

    /// The address, with the port that was taken.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`; keep it up while the webhook server drains, so that probes see the drain.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        axum::serve(self.listener, self.router).with_graceful_shutdown(shutdown).await
    }
}

/// `/livez`, `/readyz`, `/v1/runtime/...` and `/metrics` as a value.
pub fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        // Alive means that this runtime still answers; what the API server or the leader do is no part of it.
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz).with_state(health.clone()))
        // The same, where probes of Spiderpool look for it.
        .route("/v1/runtime/startup", get(runtime).with_state(health.clone()))
        .route("/v1/runtime/readiness", get(runtime).with_state(health))
        .route("/v1/runtime/liveness", get(|| async { "ok\n" }))
        .route("/metrics", get(scrape).with_state(metrics))
}

async fn readyz(State(health): State<Health>, RawQuery(query): RawQuery) -> impl IntoResponse {
    let verbose = query.unwrap_or_default().split('&').any(|part| part.split('=').next() == Some("verbose"));
    let ready = health.ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Whoever asks a process that is not ready wants to know why.
    let text = if ready && !verbose { "ok\n".to_owned() } else { health.report() };
    (status, text)
}

/// Whoever asks here knows two statuses, 200 and 500.
async fn runtime(State(health): State<Health>) -> impl IntoResponse {
    let status = if health.ready() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    (status, health.report())
}

async fn scrape(State(metrics): State<Metrics>) -> impl IntoResponse {
    match metrics.render() {
        Ok(text) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
        }
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            format!("failed to render the metrics: {error}\n"),
        ),
    }
}
