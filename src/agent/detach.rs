//! Addresses back from pods that have ended, at CNI DEL, and from sandboxes that could not be set up.
//!
//! The leader releases the addresses of all pods together, with its own proof. So the agent, once it has proof as well,
//! lets it go first, and then takes back what is still there, for all pods of the node at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::slice::from_ref;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use railweave_cni::wire::{BatchDeleteArgs, DeleteArgs};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::{Agent, FIELD_MANAGER};
use crate::allocator::{Books, Edit};
use crate::api::{AllocationDetail, SpiderEndpoint};
use crate::ipam::{Held, Quarantine, told};
use crate::sources::{Backoff, describe};

/// How long the leader has to release the addresses of a pod that has ended.
const LEADERS_TURN: Duration = Duration::from_secs(5);
/// How long addresses that somebody else uses are handed out only when there is no other.
const QUARANTINE: Duration = Duration::from_mins(5);
/// How often a release is tried against other writers.
const TRIES: usize = 20;

/// Addresses of a pod that is proven to have no use for them.
pub(super) struct Release {
    uid: Arc<str>,
    held: Vec<Held>,
}

/// Addresses that were given back because somebody else uses them.
#[derive(Default)]
pub(super) struct Quarantined(VecDeque<(Instant, Held)>);

impl Quarantined {
    fn add(&mut self, held: &[Held]) {
        let until = Instant::now() + QUARANTINE;
        self.0.extend(held.iter().map(|held| (until, held.clone())));
    }

    pub(super) fn now(&mut self) -> Quarantine {
        while self.0.front().is_some_and(|(until, _)| *until <= Instant::now()) {
            self.0.pop_front();
        }
        let mut quarantine = Quarantine::new();
        for (_, held) in &self.0 {
            quarantine.entry(held.pool.to_string()).or_default().insert(held.address);
        }
        quarantine
    }
}

/// How a release of everything ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batch {
    Done,
    SwitchedOff,
    Stateful,
}

impl Agent {
    /// Answers a plugin at CNI DEL: nothing is released for a pod that lives, and nothing of any other pod.
    pub(super) async fn detach(&self, args: &DeleteArgs) -> Result<(), String> {
        let (namespace, name) = (&args.pod_namespace, &args.pod_name);
        let pod = self
            .live_pod(namespace, name)
            .await
            .map_err(|error| format!("failed to read pod {namespace}/{name}: {}", describe(&error)))?;
        let Some(uid) = ended(pod.as_ref().map(|pod| (&*pod.uid, pod.finished)), &args.pod_uid) else {
            return Ok(());
        };
        let key = format!("{namespace}/{name}");
        let endpoint = self.view.read(|seen| seen.endpoints.get(&key).cloned());
        // Without its endpoint only the pools know the pod's addresses. Names that can come back are looked after by
        // the leader.
        if let Some(endpoint) = endpoint.filter(|known| *known.uid == *uid && !known.outlives_its_pod()) {
            let held = held(&endpoint.details);
            // A full queue leaves it to the leader.
            let _ = self.releases.try_send(Release { uid, held });
        }
        Ok(())
    }

    /// Answers a plugin that could not set up a sandbox with the addresses it was given, or with some of them: of a
    /// sandbox that is torn down only later, other interfaces may be in use.
    pub(super) async fn detach_all(&self, args: &BatchDeleteArgs) -> Result<Batch, String> {
        if args.is_release_conflict_ips && !self.options.releases_conflicts {
            return Ok(Batch::SwitchedOff);
        }
        let (namespace, name) = (&args.pod_namespace, &args.pod_name);
        let failed = |doing: &str, error: &kube::Error| {
            format!("failed to {doing} of pod {namespace}/{name}: {}", describe(error))
        };
        let pod = self.live_pod(namespace, name).await.map_err(|error| failed("read the object", &error))?;
        // Without a pod the leader finds out.
        let Some(pod) = pod.filter(|pod| args.pod_uid.is_empty() || *pod.uid == *args.pod_uid) else {
            return Ok(Batch::Done);
        };
        let holder = self.holder(&pod);
        if holder.sticky {
            return Ok(Batch::Stateful);
        }
        let endpoints = Api::<SpiderEndpoint>::namespaced(self.options.client.clone(), namespace);
        let endpoint = endpoints.get_opt(holder.endpoint()).await;
        let Some(mut endpoint) = endpoint.map_err(|error| failed("read the endpoint", &error))? else {
            return Ok(Batch::Done);
        };
        let Some(status) = endpoint.status.as_mut().filter(|status| *status.current.uid == *pod.uid) else {
            return Ok(Batch::Done);
        };
        let held = given_back(&mut status.current.ips, &args.ips);
        if held.is_empty() {
            return Ok(Batch::Done);
        }
        // First nobody says any more that the pod has them, then others may have them.
        let replaced = endpoints.replace(holder.endpoint(), &PostParams::default(), &endpoint).await;
        replaced.map_err(|error| failed("write the endpoint", &error))?;
        if args.is_release_conflict_ips {
            warn!(
                namespace,
                pod = name,
                "addresses are in use by somebody else, they are avoided for a while"
            );
            self.quarantined.lock().unwrap_or_else(PoisonError::into_inner).add(&held);
        }
        self.release(vec![Release { uid: pod.uid, held }]).await;
        Ok(Batch::Done)
    }

    /// Takes records out of the pools, as far as they are of these UIDs.
    async fn release(&self, releases: Vec<Release>) {
        let (options, begun) = (&self.options, Instant::now());
        let mut edits: BTreeMap<Arc<str>, Vec<Edit>> = BTreeMap::new();
        for Release { uid, held } in releases {
            for Held { pool, address } in held {
                edits.entry(pool).or_default().push(Edit::Release(address, uid.clone()));
            }
        }
        let mut books = Books::new(options.client.clone(), FIELD_MANAGER, options.metrics.clone());
        let api: Api<DynamicObject> = Api::all_with(options.client.clone(), books.resource());
        for pool in join_all(edits.keys().map(|pool| api.get_opt(pool))).await {
            match pool {
                Ok(Some(pool)) => drop(books.observe(&pool)),
                Ok(None) => {}
                Err(error) => {
                    warn!("failed to read a pool, its records are left to the leader: {}", describe(&error));
                }
            }
        }
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        for _ in 0..TRIES {
            // What the leader released meanwhile needs no write.
            for (pool, edits) in &mut edits {
                edits.retain(|edit| is_recorded(&books, pool, edit));
            }
            edits.retain(|_, edits| !edits.is_empty());
            if edits.is_empty() {
                return;
            }
            let written = books.write(&edits).await;
            for (pool, edits) in &edits {
                for _ in edits {
                    options.metrics.releases.inc();
                    if written.pools.contains(pool) {
                        options.metrics.count_release(begun.elapsed());
                    } else {
                        options.metrics.release_failures.inc();
                    }
                }
            }
            edits.retain(|pool, _| !written.pools.contains(pool));
            // Whoever was first may be writing on: what is read after the wait is written at once.
            sleep(backoff.wait()).await;
            books.refresh(written.lost).await;
        }
        let pools: Vec<&str> = edits.keys().map(|pool| &**pool).collect();
        warn!(?pools, "failed to release addresses, they are left to the leader");
    }
}

fn is_recorded(books: &Books, pool: &Arc<str>, edit: &Edit) -> bool {
    let Edit::Release(address, uid) = edit else { return true };
    let held = Held { pool: pool.clone(), address: *address };
    books.ledgers().record(&held).is_some_and(|record| record.pod_uid == *uid)
}

/// Releases what plugins reported, in turns.
pub(super) async fn run(agent: Arc<Agent>, mut due: mpsc::Receiver<Release>) {
    while let Some(first) = due.recv().await {
        sleep(LEADERS_TURN).await;
        let mut known = BTreeSet::from([first.uid.clone()]);
        let mut releases = vec![first];
        while let Ok(release) = due.try_recv() {
            // A plugin asks once for each interface.
            if known.insert(release.uid.clone()) {
                releases.push(release);
            }
        }
        info!(pods = releases.len(), "looking whether the addresses of pods that have ended are released");
        agent.release(releases).await;
    }
}

/// The UID of the pod whose sandbox ends, if that pod is proven to have ended: it is gone, finished, or another has
/// its name by now. `pod` is the UID of the pod that has the name now, and whether it is finished.
fn ended(pod: Option<(&str, bool)>, sandbox: &str) -> Option<Arc<str>> {
    match pod {
        Some((uid, finished)) if sandbox.is_empty() || uid == sandbox => finished.then(|| uid.into()),
        _ => (!sandbox.is_empty()).then(|| sandbox.into()),
    }
}

/// What an endpoint loses, and which addresses with it: everything unless some are named. An interface that loses one of two
/// addresses is planned again; the other is recorded for it, and so it gets that again.
fn given_back(details: &mut Vec<AllocationDetail>, named: &[IpAddr]) -> Vec<Held> {
    let is_named =
        |held: &Held| named.is_empty() || named.iter().any(|named| held.address == (*named).into());
    let told = std::mem::take(details);
    let (lost, kept) = told.into_iter().partition(|detail| held(from_ref(detail)).iter().any(is_named));
    *details = kept;
    let mut lost: Vec<Held> = held(&lost);
    lost.retain(is_named);
    lost
}

/// The addresses that an endpoint tells.
fn held(details: &[AllocationDetail]) -> Vec<Held> {
    told(details).map(|(_, held)| held).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Address;

    #[test]
    fn only_a_pod_that_is_gone_or_finished_has_ended() {
        let ended = |pod, sandbox| ended(pod, sandbox).map(|uid| uid.to_string());
        let some = |uid: &str| Some(uid.to_owned());
        assert_eq!(ended(Some(("a", false)), "a"), None, "a sandbox of a pod that lives is set up again");
        assert_eq!(ended(Some(("a", true)), "a"), some("a"));
        assert_eq!(ended(Some(("a", true)), ""), some("a"));
        assert_eq!(ended(Some(("a", false)), ""), None);
        assert_eq!(ended(Some(("b", false)), "a"), some("a"), "another pod has the name, its own stays");
        assert_eq!(ended(Some(("b", true)), "a"), some("a"));
        assert_eq!(ended(None, "a"), some("a"));
        assert_eq!(ended(None, ""), None, "nobody knows whose sandbox it was");
    }

    #[test]
    fn an_endpoint_tells_pools_and_addresses_of_both_families() {
        let detail = AllocationDetail {
            ipv4: Some("10.1.0.2/16".into()),
            ipv4_pool: Some("four".into()),
            ipv6: Some("fd00::2/64".into()),
            ipv6_pool: Some("six".into()),
            ..AllocationDetail::default()
        };
        let address = |text: &str| text.parse::<Address>().unwrap();
        let expected = [
            Held { pool: "four".into(), address: address("10.1.0.2") },
            Held { pool: "six".into(), address: address("fd00::2") },
        ];
        assert_eq!(held(&[detail, AllocationDetail::default()]), expected);
    }

    #[test]
    fn an_endpoint_loses_the_interfaces_of_addresses_in_conflict_and_no_others() {
        let detail = |interface: &str, four: &str, six: &str| AllocationDetail {
            interface: interface.into(),
            ipv4: Some(four.into()),
            ipv4_pool: Some("four".into()),
            ipv6: Some(six.into()),
            ipv6_pool: Some("six".into()),
            ..AllocationDetail::default()
        };
        let told = [detail("net1", "10.1.0.2/16", "fd00::2/64"), detail("net2", "10.2.0.2/16", "fd01::2/64")];
        let four = Held { pool: "four".into(), address: "10.2.0.2".parse().unwrap() };
        let mut details = told.to_vec();
        assert_eq!(given_back(&mut details, &["10.2.0.2".parse().unwrap()]), [four]);
        assert_eq!(details, told[..1], "net1 is up with its addresses");
        let mut details = told.to_vec();
        assert_eq!(given_back(&mut details, &["10.9.0.2".parse().unwrap()]), []);
        assert_eq!(details, told);
        assert_eq!(given_back(&mut details, &[]), held(&told));
        assert_eq!(details, []);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_in_conflict_are_avoided_for_a_while() {
        let mut quarantined = Quarantined::default();
        let address: Address = "10.1.0.2".parse().unwrap();
        quarantined.add(&[Held { pool: "four".into(), address }]);
        assert!(quarantined.now()["four"].contains(&address));
        tokio::time::advance(QUARANTINE).await;
        assert!(quarantined.now().is_empty());
    }
}
