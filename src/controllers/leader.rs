//! Who of the replicas may write: a Lease, renewed by its holder, taken over when it is not.
//!
//! Every write is fenced by the Lease's `resourceVersion`, so two replicas can never both succeed. Whether a
//! holder is gone is judged by this process's own clock, from when it last saw the Lease change; clocks of
//! other machines do not matter. A holder that cannot renew stops leading before anybody else may start.
//! The API server being away ends leadership, never the process.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::sources::jitter;

/// The times of an election. The first is longer than the second, or two replicas could lead; the last is the shortest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// An unchanged Lease may be taken over after this.
    pub lease: Duration,
    /// A holder that could not renew for this long stops leading.
    pub renew_deadline: Duration,
    /// Between two attempts.
    pub retry: Duration,
}

/// One candidate.
#[derive(Clone)]
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    timing: Timing,
}

/// What the candidate remembers between attempts.
#[derive(Default)]
struct Memory {
    /// The Lease as last seen, and when it was first seen like that.
    seen: Option<(Lease, Instant)>,
    /// When the last successful renewal was begun.
    renewed: Option<Instant>,
}

enum Attempt {
    Held,
    HeldBy(String),
}

impl Election {
    /// A candidate for the Lease `name`.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, timing: Timing) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            timing,
        }
    }

    /// Takes part until `stop`, then gives the Lease up so that another replica need not wait.
    pub async fn run(self, leading: watch::Sender<bool>, mut stop: watch::Receiver<bool>) {
        let mut memory = Memory::default();
        loop {
            self.take_part(&mut memory, &leading).await;
            let mut pause = jitter(self.timing.retry);
            if *leading.borrow() {
                // Leading ends with the deadline, not at the first attempt after it.
                pause = pause.min(self.left(&memory));
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        let led = leading.send_replace(false);
        if led && let Err(error) = timeout(self.timing.retry, self.release(memory)).await.unwrap_or(Ok(())) {
            warn!(lease = self.name, "failed to release the lease, it will run out: {error}");
        }
    }

    /// One attempt, which never outlasts the right to lead.
    async fn take_part(&self, memory: &mut Memory, leading: &watch::Sender<bool>) {
        let left = if *leading.borrow() { self.left(memory) } else { self.timing.renew_deadline };
        let begun = Instant::now();
        let leads = match self.attempt_within(left, memory).await {
            Ok(Ok(Attempt::Held)) => {
                memory.renewed = Some(begun);
                true
            }
            Ok(Ok(Attempt::HeldBy(other))) => {
                if *leading.borrow() {
                    warn!(lease = self.name, holder = other, "the lease was lost");
                }
                false
            }
            Ok(Err(error)) => {
                let deadline = self.timing.renew_deadline;
                let leads = *leading.borrow() && memory.renewed.is_some_and(|at| at.elapsed() < deadline);
                warn!(lease = self.name, leads, "failed to reach the lease: {error}");
                leads
            }
            Err(_) => {
                warn!(lease = self.name, "the API server did not answer before the lease ran out");
                false
            }
        };
        leading.send_if_modified(|leading| {
            let changed = *leading != leads;
            if changed {
                info!(lease = self.name, identity = self.identity, leads, "leadership changed");
            }
            *leading = leads;
            changed
        });
    }

    /// An attempt and, if the API server has not answered in half of the deadline, a second one: a connection that leads nowhere is
    /// gone with the first, so the second makes its own.
    async fn attempt_within(
        &self,
        left: Duration,
        memory: &mut Memory,
    ) -> Result<Result<Attempt, kube::Error>, Elapsed> {
        let first = left.min(self.timing.renew_deadline / 2);
        match timeout(first, self.attempt(memory)).await {
            Err(_) if first < left => timeout(left.saturating_sub(first), self.attempt(memory)).await,
            outcome => outcome,
        }
    }

    /// For how long a leader leads without another renewal.
    fn left(&self, memory: &Memory) -> Duration {
        let deadline = self.timing.renew_deadline;
        memory.renewed.map_or(deadline, |renewed| deadline.saturating_sub(renewed.elapsed()))
    }

    async fn attempt(&self, memory: &mut Memory) -> Result<Attempt, kube::Error> {
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            let written = self.api.create(&PostParams::default(), &self.claim(None)).await;
            return outcome(written, memory);
        };
        let since = match &memory.seen {
            Some((seen, since)) if seen.metadata.resource_version == lease.metadata.resource_version => {
                *since
            }
            _ => Instant::now(),
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = lasts.map_or(self.timing.lease, Duration::from_secs);
        let free = holder.is_empty() || since.elapsed() > lasts;
        let claim = (holder == self.identity || free).then(|| self.claim(Some(&lease)));
        memory.seen = Some((lease, since));
        let Some(claim) = claim else { return Ok(Attempt::HeldBy(holder)) };
        let written = self.api.replace(&self.name, &PostParams::default(), &claim).await;
        outcome(written, memory)
    }

    /// The Lease as it should be when this candidate holds it.
    fn claim(&self, current: Option<&Lease>) -> Lease {
        let now = MicroTime(Timestamp::now());
        let old = current.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let renewal = old.holder_identity.as_deref() == Some(&self.identity);
        let transitions = old.lease_transitions.unwrap_or(0);
        let metadata = match current {
            Some(lease) => lease.metadata.clone(),
            None => ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
        };
        Lease {
            metadata,
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(self.timing.lease.as_secs()).ok(),
                acquire_time: if renewal { old.acquire_time } else { Some(now.clone()) },
                renew_time: Some(now),
                lease_transitions: Some(if renewal || current.is_none() {
                    transitions
                } else {
                    transitions + 1
                }),
                ..LeaseSpec::default()
            }),
        }
    }

    async fn release(&self, memory: Memory) -> Result<(), kube::Error> {
        let Some((mut lease, _)) = memory.seen else { return Ok(()) };
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.renew_time = Some(MicroTime(Timestamp::now()));
            spec.lease_duration_seconds = Some(1);
        }
        self.api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
    }
}

/// Somebody else being faster is no error.
fn outcome(written: Result<Lease, kube::Error>, memory: &mut Memory) -> Result<Attempt, kube::Error> {
    match written {
        Ok(lease) => {
            memory.seen = Some((lease, Instant::now()));
            Ok(Attempt::Held)
        }
        Err(kube::Error::Api(status)) if status.code == 409 => {
            Ok(Attempt::HeldBy("another replica".to_owned()))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};
    use tower_test::mock::Handle;

    use super::*;

    const TIMING: Timing = Timing {
        lease: Duration::from_secs(2),
        renew_deadline: Duration::from_millis(300),
        retry: Duration::from_millis(20),
    };

    /// An API server that knows one Lease and can be unreachable.
    #[derive(Clone, Default)]
    struct Server(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        lease: Option<Value>,
        version: u64,
        away: bool,
        /// How many of the next requests are never answered.
        swallows: u32,
    }

    impl Server {
        fn client(&self) -> Client {
            let (service, handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
            tokio::spawn(self.clone().serve(handle));
            Client::new(service, "rails")
        }

        async fn serve(self, mut handle: Handle<Request<Body>, Response<Body>>) {
            let mut swallowed = Vec::new();
            while let Some((request, answer)) = handle.next_request().await {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let mut state = self.0.lock().unwrap();
                if state.swallows > 0 {
                    state.swallows -= 1;
                    swallowed.push(answer);
                    continue;
                }
                let (code, value) = match parts.method.as_str() {
                    _ if state.away => {
                        (500, json!({ "code": 500, "reason": "InternalError", "status": "Failure" }))
                    }
                    "GET" => match &state.lease {
                        Some(lease) => (200, lease.clone()),
                        None => (404, json!({ "code": 404, "reason": "NotFound", "status": "Failure" })),
                    },
                    _ => {
                        let mut new: Value = serde_json::from_slice(&body).unwrap();
                        let current = state.lease.as_ref().map(|lease| &lease["metadata"]["resourceVersion"]);
                        if current.unwrap_or(&Value::Null) == &new["metadata"]["resourceVersion"] {
                            state.version += 1;
                            new["metadata"]["resourceVersion"] = json!(state.version.to_string());
                            state.lease = Some(new.clone());
                            (200, new)
                        } else {
                            (409, json!({ "code": 409, "reason": "Conflict", "status": "Failure" }))
                        }
                    }
                };
                let response =
                    Response::builder().status(code).body(Body::from(value.to_string().into_bytes()));
                answer.send_response(response.unwrap());
            }
        }

        fn holder(&self) -> Value {
            self.0
                .lock()
                .unwrap()
                .lease
                .as_ref()
                .map_or(Value::Null, |lease| lease["spec"]["holderIdentity"].clone())
        }
    }

    struct Candidate {
        leading: watch::Receiver<bool>,
        stop: watch::Sender<bool>,
        done: tokio::task::JoinHandle<()>,
    }

    fn candidate(server: &Server, identity: &str) -> Candidate {
        let (leads, leading) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        let election = Election::new(server.client(), "rails", "rails", identity, TIMING);
        Candidate { leading, stop, done: tokio::spawn(election.run(leads, stopped)) }
    }

    async fn until(candidate: &mut Candidate, leads: bool) {
        let changed = candidate.leading.wait_for(|leading| *leading == leads);
        timeout(Duration::from_secs(20), changed).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn one_leads_and_hands_over_at_once_when_told_to_stop() {
        let server = Server::default();
        let mut first = candidate(&server, "first");
        until(&mut first, true).await;
        let mut second = candidate(&server, "second");
        sleep(TIMING.retry * 5).await;
        assert!(!*second.leading.borrow());
        let stopped = Instant::now();
        first.stop.send_replace(true);
        first.done.await.unwrap();
        until(&mut second, true).await;
        assert!(stopped.elapsed() < TIMING.lease, "{:?}", stopped.elapsed());
        assert_eq!(server.holder(), "second");
    }

    #[tokio::test]
    async fn a_dead_holder_is_replaced_after_its_lease_and_not_before() {
        let server = Server::default();
        let mut first = candidate(&server, "first");
        until(&mut first, true).await;
        first.done.abort();
        let died = Instant::now();
        let mut second = candidate(&server, "second");
        until(&mut second, true).await;
        assert!(died.elapsed() >= TIMING.lease, "{:?}", died.elapsed());
        assert_eq!(server.0.lock().unwrap().lease.as_ref().unwrap()["spec"]["leaseTransitions"], 1);
    }

    #[tokio::test]
    async fn an_api_server_that_is_away_ends_leadership_and_its_return_restores_it() {
        let server = Server::default();
        let mut only = candidate(&server, "only");
        until(&mut only, true).await;
        server.0.lock().unwrap().away = true;
        until(&mut only, false).await;
        assert!(!only.done.is_finished());
        server.0.lock().unwrap().away = false;
        until(&mut only, true).await;
    }

    #[tokio::test]
    async fn one_answer_that_never_comes_ends_no_leadership() {
        let server = Server::default();
        let seconds = Duration::from_secs;
        let timing = Timing { lease: seconds(3), renew_deadline: seconds(2), ..TIMING };
        let (leads, mut leading) = watch::channel(false);
        let (_stop, stopped) = watch::channel(false);
        let election = Election::new(server.client(), "rails", "rails", "only", timing);
        let running = tokio::spawn(election.run(leads, stopped));
        leading.wait_for(|leads| *leads).await.unwrap();
        server.0.lock().unwrap().swallows = 1;
        sleep(timing.renew_deadline + timing.retry * 2).await;
        assert_eq!(server.0.lock().unwrap().swallows, 0);
        assert!(!leading.has_changed().unwrap(), "the second attempt was answered in time");
        running.abort();
    }

    #[tokio::test]
    async fn leading_ends_with_the_deadline_however_rare_the_attempts_are() {
        let server = Server::default();
        let timing = Timing { retry: Duration::from_millis(280), ..TIMING };
        let (leads, mut leading) = watch::channel(false);
        let (_stop, stopped) = watch::channel(false);
        let election = Election::new(server.client(), "rails", "rails", "only", timing);
        let running = tokio::spawn(election.run(leads, stopped));
        leading.wait_for(|leads| *leads).await.unwrap();
        server.0.lock().unwrap().away = true;
        let away = Instant::now();
        leading.wait_for(|leads| !*leads).await.unwrap();
        let late = Duration::from_millis(100);
        assert!(away.elapsed() <= timing.renew_deadline + late, "{:?}", away.elapsed());
        running.abort();
    }
}
