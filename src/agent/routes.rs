//! The REST API on the socket; `railweave_cni::wire` has its types.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use railweave_cni::wire::{
    self, AddArgs, AddReply, BatchDeleteArgs, CoordinatorArgs, CoordinatorConfig, DeleteArgs,
    WorkloadEndpoint,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use super::detach::Batch;
use super::{Agent, answer, coordinator};
use crate::api::keys;

/// A request is a few hundred bytes.
const LONGEST_BODY: usize = 64 << 10;

/// Every route, as a value.
pub fn router(agent: Arc<Agent>) -> Router {
    Router::new()
        .route(wire::HEALTHY, get(|| async {}))
        .route(wire::IP, post(add).delete(delete))
        .route(wire::IPS, post(|| async {}).delete(delete_batch))
        .route(wire::WORKLOAD_ENDPOINT, get(workload_endpoint))
        .route(wire::COORDINATOR_CONFIG, get(coordinator_config))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(agent)
}

/// A body as JSON. Go's client reads no other.
struct Json<T>(T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// An answer that is no result: a status and a JSON string.
struct Refusal(StatusCode, String);

impl Refusal {
    fn internal(reason: String) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, reason)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// Go's client sends the type of the body, and its plugins send bodies with GET, so the body decides alone.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("failed to read the body: {error}")))
}

async fn add(State(agent): State<Arc<Agent>>, body: Bytes) -> Result<Json<AddReply>, Refusal> {
    let args: AddArgs = read(&body)?;
    let begun = Instant::now();
    let answer = agent.attach(&args).await;
    agent.count("add", answer.is_ok(), begun);
    let (namespace, pod, interface) = (&args.pod_namespace, &args.pod_name, &args.if_name);
    match answer {
        Ok(reply) => {
            let took = begun.elapsed().as_millis();
            info!(
                namespace,
                pod,
                interface,
                addresses = reply.ips.len(),
                took_ms = took,
                "addresses handed out"
            );
            Ok(Json(reply))
        }
        Err(reason) => {
            warn!(namespace, pod, interface, "{reason}");
            Err(Refusal::internal(reason))
        }
    }
}

async fn delete(State(agent): State<Arc<Agent>>, body: Bytes) -> Result<(), Refusal> {
    let args: DeleteArgs = read(&body)?;
    let begun = Instant::now();
    let answer = agent.detach(&args).await;
    agent.count("delete", answer.is_ok(), begun);
    answer.map_err(Refusal::internal)
}

async fn delete_batch(State(agent): State<Arc<Agent>>, body: Bytes) -> Result<(), Refusal> {
    let args: BatchDeleteArgs = read(&body)?;
    let begun = Instant::now();
    let answer = agent.detach_all(&args).await;
    agent.count("batch", answer.is_ok(), begun);
    let forbidden = |status, reason: &str| {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Err(Refusal(status, reason.to_owned()))
    };
    match answer.map_err(Refusal::internal)? {
        Batch::Done => Ok(()),
        Batch::SwitchedOff => forbidden(
            wire::RELEASE_SWITCHED_OFF,
            "the release of addresses in conflict is switched off (SPIDERPOOL_ENABLED_RELEASE_CONFLICT_IPS)",
        ),
        Batch::Stateful => forbidden(
            wire::RELEASE_OF_STATEFUL,
            "the pod keeps its addresses by its name; they are not released",
        ),
    }
}

async fn workload_endpoint(
    State(agent): State<Arc<Agent>>,
    RawQuery(query): RawQuery,
) -> Result<Json<WorkloadEndpoint>, Refusal> {
    let query = query.unwrap_or_default();
    // Names of pods and namespaces have nothing in them that a query would escape.
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let (pod_namespace, pod_name) = (value("podNamespace"), value("podName"));
    if pod_namespace.is_empty() || pod_name.is_empty() {
        return Err(Refusal(StatusCode::BAD_REQUEST, "podNamespace and podName must be given".to_owned()));
    }
    let key = format!("{pod_namespace}/{pod_name}");
    let pod = agent.view.read(|seen| seen.pods.get(&key).cloned());
    let holder = pod.map_or_else(|| key.as_str().into(), |pod| agent.holder(&pod).key);
    let endpoint = agent.view.read(|seen| seen.endpoints.get(&holder).cloned());
    let endpoint = endpoint.ok_or_else(|| {
        let node = &agent.options.node;
        Refusal(StatusCode::NOT_FOUND, format!("pod {key} has no SpiderEndpoint on node {node}"))
    })?;
    Ok(Json(answer::workload(&pod_namespace, &pod_name, &endpoint)))
}

async fn coordinator_config(
    State(agent): State<Arc<Agent>>,
    body: Bytes,
) -> Result<Json<CoordinatorConfig>, Refusal> {
    let CoordinatorArgs { pod_namespace, pod_name } = read(&body)?;
    let key = format!("{pod_namespace}/{pod_name}");
    let (coordinator, pod) = agent
        .view
        .read(|seen| (seen.coordinator.get(keys::COORDINATOR).cloned(), seen.pods.get(&key).cloned()));
    let coordinator = coordinator.ok_or_else(|| {
        let name = keys::COORDINATOR;
        Refusal::internal(format!(
            "there is no SpiderCoordinator {name}; create it, or set mode in the network"
        ))
    })?;
    // At the end of a pod nothing depends on the CIDRs, and an error would keep the sandbox for ever.
    let begins = pod.as_ref().is_some_and(crate::allocator::PodFacts::needs_addresses);
    match coordinator::not_ready(&coordinator).filter(|_| begins) {
        Some(reason) => Err(Refusal::internal(reason)),
        None => Ok(Json(coordinator::config(&coordinator, &pod.unwrap_or_default().annotations))),
    }
}

impl Agent {
    fn count(&self, operation: &str, ok: bool, begun: Instant) {
        let metrics = &self.options.metrics;
        let result = if ok { "ok" } else { "error" };
        metrics.agent_requests.with_label_values(&[operation, result]).inc();
        metrics.agent_request_duration.with_label_values(&[operation]).observe(begun.elapsed().as_secs_f64());
    }
}
