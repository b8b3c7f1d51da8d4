//! The router: paths, limits around each request, metrics and log lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use prometheus::IntGauge;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::response::RequestId;
use super::review::{Answer, Verdict};
use super::webhook::{Decide, Webhook, decide, guarded};
use crate::catalog::Catalog;
use crate::reason::Reason;
use crate::rules;
use crate::telemetry::metrics::Metrics;

/// The largest body that is read. Object and old object may each approach the 3 MiB that the API server
/// accepts; Kubernetes' own webhook library reads up to this much.
pub const BODY_LIMIT: usize = 7 << 20;

/// What handlers share; cloning shares it.
#[derive(Clone, Debug)]
pub struct State {
    /// The catalog in force; whoever compiles a new one swaps it here.
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// Bounds of what is taken on.
    pub limits: RequestLimits,
    /// What answers; [`decide`] outside tests.
    pub decide: Decide,
}

impl State {
    /// A state with the usual limits.
    #[must_use]
    pub fn new(catalog: Arc<ArcSwap<Catalog>>, metrics: Metrics) -> Self {
        Self { catalog, metrics, limits: RequestLimits::default(), decide }
    }
}

/// Bounds of what the server takes on at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Requests in flight; more are turned away with 503. The API server itself runs 200 writes at a time
    /// by default, so this is met only when something is wrong.
    pub in_flight: usize,
    /// KiB of bodies held in memory; requests wait for their share, within the deadline.
    pub buffered_kib: usize,
    /// Time for one request, reading its body included; below the webhook's timeout of 5 s, so that the
    /// user gets our text and not the API server's.
    pub deadline: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { in_flight: 2048, buffered_kib: 128 << 10, deadline: Duration::from_secs(4) }
    }
}

/// The server's paths as a value that can be called without a socket.
pub fn router(state: State) -> Router {
    // Before the first request, which has a deadline.
    rules::prepare();
    let gate = Arc::new(Gate::new(state));
    let mut router = Router::new()
        .route("/webhook-health-check", get(|| async { "ok\n" }))
        .fallback(|| async { (StatusCode::NOT_FOUND, "no webhook has this path\n") });
    for webhook in Webhook::all() {
        let gate = gate.clone();
        let label: Arc<str> = webhook.to_string().into();
        let handle = move |request: Request| async move { gate.handle(webhook, &label, request).await };
        router = router.route(&webhook.path(), post(handle));
    }
    // Reaches only the routes that are there already.
    router.method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "webhooks take POST\n") })
}

/// Lets requests in, bounded, and counts them out again.
struct Gate {
    state: State,
    in_flight: Semaphore,
    buffer: Semaphore,
    next_id: AtomicU32,
}

/// A request that is counted as in flight, until it ends or its connection does.
struct InFlight<'a>(&'a IntGauge);

impl<'a> InFlight<'a> {
    fn count(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Why no answer could be given.
enum Refused {
    MediaType,
    TooLarge,
    TooSlow,
    Broken,
}

impl Gate {
    fn new(state: State) -> Self {
        // Replicas and restarts begin at different numbers, so that an id found in a log is the one meant.
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        Self {
            in_flight: Semaphore::new(state.limits.in_flight),
            buffer: Semaphore::new(state.limits.buffered_kib),
            next_id: AtomicU32::new(start ^ std::process::id().rotate_left(16)),
            state,
        }
    }

    async fn handle(&self, webhook: Webhook, label: &str, request: Request) -> Response {
        let started = Instant::now();
        let metrics = &self.state.metrics;
        let Ok(_place) = self.in_flight.try_acquire() else {
            metrics.shed.inc();
            return text(StatusCode::SERVICE_UNAVAILABLE, "too many requests in flight; try again\n");
        };
        let _counted = InFlight::count(&metrics.in_flight);
        let id = RequestId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let read = tokio::time::timeout(self.state.limits.deadline, self.read(request));
        let answer = match read.await.unwrap_or(Err(Refused::TooSlow)) {
            Ok((body, _share)) => self.decide(webhook, &body, id),
            Err(refused) => refused.answer(self.state.limits.deadline),
        };
        self.record(label, &answer, id, started.elapsed());
        respond(answer)
    }

    /// Reads the body; the permit is its share of the memory and is held as long as the body.
    async fn read(&self, request: Request) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Refused> {
        if !is_json(request.headers()) {
            return Err(Refused::MediaType);
        }
        let body = request.into_body();
        let announced = body.size_hint().upper().and_then(|size| usize::try_from(size).ok());
        let size = announced.unwrap_or(BODY_LIMIT).min(BODY_LIMIT);
        let share =
            u32::try_from(size.div_ceil(1024).min(self.state.limits.buffered_kib)).unwrap_or(u32::MAX);
        let share = self.buffer.acquire_many(share).await.ok();
        match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => Ok((body.to_bytes(), share)),
            Err(error) if error.is::<LengthLimitError>() => Err(Refused::TooLarge),
            Err(_) => Err(Refused::Broken),
        }
    }

    /// One snapshot of the catalog for the whole decision; nothing in here waits.
    fn decide(&self, webhook: Webhook, body: &[u8], id: RequestId) -> Answer {
        let catalog = self.state.catalog.load();
        let (answer, panicked) = guarded(self.state.decide, webhook, body, &catalog, id);
        if panicked {
            self.state.metrics.panics.inc();
        }
        answer
    }

    fn record(&self, webhook: &str, answer: &Answer, id: RequestId, took: Duration) {
        let Answer { verdict, reason, dry_run, namespace, name, .. } = answer;
        let decision = verdict.label();
        let labels = [webhook, decision, reason.code(), if *dry_run { "true" } else { "false" }];
        self.state.metrics.requests.with_label_values(&labels).inc();
        self.state.metrics.request_duration.with_label_values(&[webhook]).observe(took.as_secs_f64());
        let reason = reason.code();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match verdict {
            Verdict::Deny | Verdict::Error => tracing::info!(
                webhook, namespace, name, decision, reason, dry_run, micros, request = %id, "answered"
            ),
            Verdict::Allow | Verdict::Patch => tracing::debug!(
                webhook, namespace, name, decision, reason, dry_run, micros, request = %id, "answered"
            ),
        }
    }
}

impl Refused {
    fn answer(self, deadline: Duration) -> Answer {
        let (status, message) = match self {
            Self::MediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json\n".to_owned())
            }
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {BODY_LIMIT} bytes\n"))
            }
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not arrive within {} s\n", deadline.as_secs_f32()),
            ),
            Self::Broken => (StatusCode::BAD_REQUEST, "failed to read the body\n".to_owned()),
        };
        Answer::failed(status, Reason::Unreadable, message)
    }
}

/// `application/json`, with or without parameters such as a charset.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn respond(answer: Answer) -> Response {
    if answer.status != StatusCode::OK {
        return text(answer.status, answer.body);
    }
    let mut response = Response::new(Body::from(answer.body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn text(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
