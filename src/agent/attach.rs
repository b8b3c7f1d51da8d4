//! The addresses of a pod for the interface that is being attached: from its endpoint, or allocated here.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use railweave_cni::wire::{AddArgs, AddReply};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::fallback::{Rail, Request};
use super::{Agent, answer, device};
use crate::allocator::PodFacts;
use crate::api::{AllocationDetail, keys};
use crate::ipam::Holder;
use crate::net::Address;
use crate::sources::describe;

/// How long a plugin waits at most. Spiderpool's gives up after 100 s, and the kubelet tries again.
const DEADLINE: Duration = Duration::from_mins(1);
/// What is left of it for saying what kept the pod waiting.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How long the leader has at most when it was not there the last time.
const LITTLE_PATIENCE: Duration = Duration::from_millis(250);

/// How long the leader is waited for: less when it was not there the last time.
pub(super) struct Patience {
    usual: Duration,
    lost: AtomicBool,
}

impl Patience {
    pub(super) fn new(usual: Duration) -> Self {
        Self { usual, lost: AtomicBool::new(false) }
    }

    fn now(&self) -> Duration {
        if self.lost.load(Ordering::Relaxed) { self.usual.min(LITTLE_PATIENCE) } else { self.usual }
    }

    /// The leader was not there.
    fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// The leader is there.
    pub(super) fn regain(&self) {
        self.lost.store(false, Ordering::Relaxed);
    }
}

impl Agent {
    /// Answers what a plugin asks at CNI ADD.
    pub(super) async fn attach(&self, args: &AddArgs) -> Result<AddReply, String> {
        let deadline = Instant::now() + DEADLINE;
        let (namespace, name) = (&args.pod_namespace, &args.pod_name);
        if args.if_name.is_empty() || name.is_empty() || namespace.is_empty() {
            return Err("ifName, podNamespace and podName must not be empty".to_owned());
        }
        match timeout_at(deadline, self.answer(args, deadline - LAST_WORD)).await {
            Ok(reply) => reply,
            Err(_) => Err(of(args, format_args!("no answer within {} s", DEADLINE.as_secs()))),
        }
    }

    async fn answer(&self, args: &AddArgs, deadline: Instant) -> Result<AddReply, String> {
        let pod = self.pod(args).await?;
        let mut settings = (*self.view.settings()).clone();
        // The machine still answers to its addresses on the node that it leaves.
        settings.detect_ip_conflicts &= !pod.is_migrated_to();
        let mut details = self.addresses(args, pod, deadline).await?;
        if args.clean_gateway {
            let asked = details.iter_mut().filter(|detail| detail.interface == args.if_name);
            // The leader does not know the plugin's configuration.
            asked.for_each(|detail| detail.clean_gateway = Some(true));
        }
        Ok(answer::reply(&details, &settings))
    }

    async fn addresses(
        &self,
        args: &AddArgs,
        pod: PodFacts,
        deadline: Instant,
    ) -> Result<Vec<AllocationDetail>, String> {
        let holder = self.holder(&pod);
        let master = self.master(args);
        let attaches = &self.options.metrics.agent_attaches;
        if let Some(details) = self.delivered(&pod, &holder, args, master.as_deref()).await {
            attaches.with_label_values(&["endpoint"]).inc();
            return Ok(details);
        }
        debug!(namespace = pod.namespace, pod = pod.name, interface = args.if_name, "allocating");
        attaches.with_label_values(&["fallback"]).inc();
        let (reply, answer) = oneshot::channel();
        let rail = Rail::of(args, master);
        let request = Request::new(pod, holder, rail, deadline, reply);
        let gone = |_| of(args, "the agent is stopping");
        self.fallback.send(request).await.map_err(|_| of(args, "the agent is stopping"))?;
        answer.await.map_err(gone)?.map_err(|reason| of(args, reason))
    }

    /// The pod, as the watch tells it or, where that is behind or the UID is not given, as the API server does.
    async fn pod(&self, args: &AddArgs) -> Result<PodFacts, String> {
        let key = format!("{}/{}", args.pod_namespace, args.pod_name);
        let known = self.view.read(|seen| seen.pods.get(&key).cloned());
        let known = known.filter(|pod| !args.pod_uid.is_empty() && *pod.uid == *args.pod_uid);
        let pod = match known {
            Some(pod) => pod,
            None => self
                .live_pod(&args.pod_namespace, &args.pod_name)
                .await
                .map_err(|error| of(args, format_args!("failed to read the pod: {}", describe(&error))))?
                .ok_or_else(|| of(args, "there is no such pod"))?,
        };
        if !args.pod_uid.is_empty() && *pod.uid != *args.pod_uid {
            let problem = format!("this sandbox is of an earlier pod of the name, UID {}", args.pod_uid);
            return Err(of(args, problem));
        }
        if pod.node != self.options.node {
            return Err(of(args, format_args!("the pod is bound to node {:?}", pod.node)));
        }
        if !pod.needs_addresses() {
            return Err(of(args, "the pod is being deleted or has ended"));
        }
        Ok(pod)
    }

    pub(super) async fn live_pod(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<PodFacts>, kube::Error> {
        let pods = Api::<Pod>::namespaced(self.options.client.clone(), namespace);
        Ok(pods.get_opt(name).await?.map(PodFacts::of))
    }

    /// The addresses of the port behind the device that was given; none where they do not matter or nobody knows.
    fn master(&self, args: &AddArgs) -> Option<Vec<Address>> {
        let device = args.device_id.as_deref().filter(|_| args.match_master_subnet)?;
        let port = device::port(&self.options.sysfs, device)?;
        device::addresses(&*self.view.rail_node()?, &port)
    }

    /// What the endpoint says, if it says something of use about the interface. The leader writes the endpoints of
    /// injected pods, as a rule before the kubelet begins; it is waited for.
    async fn delivered(
        &self,
        pod: &PodFacts,
        holder: &Holder,
        args: &AddArgs,
        master: Option<&[Address]>,
    ) -> Option<Vec<AllocationDetail>> {
        let mut changes = self.view.changes();
        let until = Instant::now() + self.patience.now();
        let mut waited = false;
        loop {
            let endpoint = self.view.read(|seen| seen.endpoints.get(&holder.key).cloned());
            if let Some(endpoint) = endpoint.filter(|endpoint| *endpoint.uid == *pod.uid) {
                if waited {
                    self.patience.regain();
                }
                // The leader left out what only shows at attach time.
                return serves(&endpoint.details, &args.if_name, master).then_some(endpoint.details);
            }
            if !pod.labels.contains_key(keys::RAILS) {
                return None;
            }
            waited = true;
            if timeout_at(until, changes.changed()).await.is_err() {
                self.patience.lose();
                return None;
            }
        }
    }
}

/// Whether these tell an address for the interface that is of use behind the port.
pub(super) fn serves(details: &[AllocationDetail], interface: &str, port: Option<&[Address]>) -> bool {
    let detail = details.iter().find(|detail| detail.interface == interface);
    detail.is_some_and(|detail| port.is_none_or(|port| device::fits(detail, port)))
}

/// An error as the plugin prints it.
fn of(args: &AddArgs, problem: impl Display) -> String {
    let AddArgs { pod_namespace, pod_name, if_name, .. } = args;
    format!("failed to get addresses for {if_name} of pod {pod_namespace}/{pod_name}: {problem}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_waited_for_as_long_as_it_was_there_the_last_time() {
        let usual = Duration::from_secs(3);
        let patience = Patience::new(usual);
        assert_eq!(patience.now(), usual);
        patience.lose();
        assert_eq!(patience.now(), LITTLE_PATIENCE);
        patience.regain();
        assert_eq!(patience.now(), usual);
    }

    #[test]
    fn an_endpoint_serves_an_interface_it_names_unless_another_port_stands_behind_it() {
        let detail = AllocationDetail {
            interface: "net1".into(),
            ipv4: Some("172.16.1.5/27".into()),
            ..AllocationDetail::default()
        };
        let details = [detail];
        let port = |address: &str| vec![address.parse::<Address>().unwrap()];
        assert!(serves(&details, "net1", None));
        assert!(serves(&details, "net1", Some(&port("172.16.1.1"))));
        assert!(!serves(&details, "net1", Some(&port("172.16.1.33"))));
        assert!(!serves(&details, "net2", None));
    }
}
