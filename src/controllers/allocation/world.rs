use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll, select_all};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, ResourceExt};
use tokio::time::Instant;

use super::Edits;
use super::options::NodeReport;
use super::pauses::Pauses;
use crate::allocator::{Books, EndpointFacts, NodeState, PodFacts, reserved_addresses};
use crate::api::{RailNode, SpiderEndpoint, SpiderReservedIP, keys};
use crate::catalog::Catalog;
use crate::controllers::{FIELD_MANAGER, Leader};
use crate::ipam::{
    Attachment, DefaultNetwork, Failure, Holder, Intent, NamespaceView, NodeFacts, Pool, Pools, Stickiness,
};
use crate::net::RangeSet;
use crate::sources::{FEW, Mirror, follow};

/// Pools that are written at a time for their numbers alone: pods that come meanwhile wait for that.
const COUNTS: usize = 32;
/// Between two such rounds.
const COUNT_AGAIN: Duration = Duration::from_millis(100);

/// Everything allocation depends on, as the watches tell it.
pub(super) struct World {
    pub(super) pods: Mirror<PodFacts>,
    pub(super) endpoints: Mirror<EndpointFacts>,
    pub(super) namespaces: Mirror<Arc<NamespaceView>>,
    pub(super) nodes: Mirror<NodeState>,
    pub(super) facts: Mirror<NodeFacts>,
    pub(super) books: Books,
    reserved: Mirror<RangeSet>,
    /// Pools named by the list that is under way.
    listing: Vec<String>,
    pools_listed: bool,
    compiled: Option<(Arc<Catalog>, Pools)>,
    /// When to look for pools whose status says other numbers than it should.
    counts_due: Option<Instant>,
}

/// An event of one of the watches.
pub(super) enum Seen {
    Pod(Box<Event<(String, PodFacts)>>),
    Endpoint(Event<(String, EndpointFacts)>),
    Namespace(Event<(String, Arc<NamespaceView>)>),
    Node(Event<(String, NodeState)>),
    Facts(Event<(String, NodeFacts)>),
    Reserved(Event<(String, RangeSet)>),
    Pool(Box<Event<DynamicObject>>),
}

/// What an event means for the pods.
pub(super) enum News {
    /// A pod is new or changed.
    Pod(String),
    /// The pod of this UID is gone from this node.
    PodGone(Arc<str>, String),
    /// The endpoint of a pod with this UID came or went.
    Endpoint(String),
    /// Pools, records or facts changed: what failed may succeed now.
    Chance,
    /// A node came, went, or answers again; what failed may succeed now.
    Node,
}

pub(super) type Watches = SelectAll<BoxStream<'static, Result<Seen, watcher::Error>>>;

impl World {
    pub(super) fn new(leader: &Leader) -> Self {
        Self {
            pods: Mirror::default(),
            endpoints: Mirror::default(),
            namespaces: Mirror::default(),
            nodes: Mirror::default(),
            facts: Mirror::default(),
            books: Books::new(leader.client.clone(), FIELD_MANAGER, leader.metrics.clone())
                .showing(leader.numbers),
            reserved: Mirror::default(),
            listing: Vec::new(),
            pools_listed: false,
            compiled: None,
            counts_due: None,
        }
    }

    /// All watches.
    pub(super) fn watches(&self, leader: &Leader) -> Watches {
        let client = || leader.client.clone();
        let injected = Config::default().labels(keys::RAILS);
        // A node lists its images: tens of KiB each, of which nothing is kept.
        let few = Config::default().page_size(50);
        let pools: Api<DynamicObject> = Api::all_with(client(), self.books.resource());
        let namespaces: Api<PartialObjectMeta<Namespace>> = Api::all(client());
        select_all([
            follow(
                Api::<Pod>::all(client()),
                injected,
                |pod| {
                    let facts = PodFacts::of(pod);
                    (facts.uid.to_string(), facts)
                },
                |event| Seen::Pod(Box::new(event)),
            ),
            follow(
                Api::<SpiderEndpoint>::all(client()),
                Config::default(),
                |endpoint| (key(&endpoint), EndpointFacts::of(&endpoint)),
                Seen::Endpoint,
            ),
            follow(
                namespaces,
                Config::default(),
                |namespace| {
                    let view = NamespaceView {
                        name: namespace.name_any(),
                        labels: namespace.metadata.labels.unwrap_or_default().into(),
                        annotations: namespace.metadata.annotations.unwrap_or_default(),
                    };
                    (view.name.clone(), Arc::new(view))
                },
                Seen::Namespace,
            ),
            follow(
                Api::<Node>::all(client()),
                few,
                |node| (node.name_any(), NodeState::of(node)),
                Seen::Node,
            ),
            follow(
                Api::<RailNode>::all(client()),
                Config::default(),
                |node| (node.name_any(), NodeFacts::compile(&node.spec)),
                Seen::Facts,
            ),
            follow(
                Api::<SpiderReservedIP>::all(client()),
                Config::default(),
                |reserved| (reserved.name_any(), reserved_addresses(&reserved)),
                Seen::Reserved,
            ),
            follow(pools, Config::default().page_size(FEW), |pool| pool, |event| Seen::Pool(Box::new(event))),
        ])
    }

    /// Whether everything that decides about addresses is known.
    pub(super) fn listed(&self) -> bool {
        self.pools_listed
            && self.pods.listed()
            && self.endpoints.listed()
            && self.namespaces.listed()
            && self.nodes.listed()
            && self.reserved.listed()
    }

    /// Takes in one event.
    pub(super) fn note(&mut self, seen: Seen) -> Vec<News> {
        match seen {
            Seen::Pod(event) => {
                let change = self.pods.note(*event);
                let gone = change.gone.into_iter().map(|(_, pod)| News::PodGone(pod.uid, pod.node));
                change.seen.into_iter().map(News::Pod).chain(gone).collect()
            }
            Seen::Endpoint(event) => {
                let change = self.endpoints.note(event);
                let seen = change.seen.iter().filter_map(|key| self.endpoints.get(key));
                // Who lost its endpoint to a pod of the same name may need it.
                let lost = change.replaced.iter().chain(change.gone.iter().map(|(_, endpoint)| endpoint));
                let uids = seen.chain(lost);
                uids.map(|endpoint| News::Endpoint(endpoint.uid.clone())).collect()
            }
            Seen::Namespace(event) => chance(self.namespaces.note(event).seen.is_empty()),
            Seen::Node(event) => {
                let change = self.nodes.note(event);
                let same = change.seen.is_empty() && change.gone.is_empty();
                if same { Vec::new() } else { vec![News::Node] }
            }
            Seen::Facts(event) => chance(self.facts.note(event).seen.is_empty()),
            Seen::Reserved(event) => {
                let change = self.reserved.note(event);
                let same = change.seen.is_empty() && change.gone.is_empty();
                if !same {
                    self.compiled = None;
                }
                chance(same)
            }
            Seen::Pool(event) => chance(!self.note_pool(*event)),
        }
    }

    fn note_pool(&mut self, event: Event<DynamicObject>) -> bool {
        let news = self.note_records(event);
        if news {
            self.counts_due = Some(Instant::now());
        }
        news
    }

    fn note_records(&mut self, event: Event<DynamicObject>) -> bool {
        match event {
            Event::Init => {
                self.listing.clear();
                false
            }
            Event::InitApply(pool) => {
                self.listing.push(pool.name_any());
                self.books.observe(&pool)
            }
            Event::Apply(pool) => self.books.observe(&pool),
            Event::InitDone => {
                let gone: Vec<_> = self
                    .books
                    .pools()
                    .filter(|pool| !self.listing.iter().any(|known| **known == ***pool))
                    .cloned()
                    .collect();
                for pool in gone {
                    self.books.forget(&pool);
                }
                self.pools_listed = true;
                true
            }
            Event::Delete(pool) => {
                self.books.forget(&pool.name_any());
                true
            }
        }
    }

    /// What a pod needs; none as long as its namespace or node is not known.
    pub(super) fn intent(
        &self,
        pod: &PodFacts,
        catalog: &Catalog,
        default: DefaultNetwork<'_>,
    ) -> Option<Result<Intent, Failure>> {
        let namespace = self.namespaces.get(&pod.namespace)?.clone();
        let node = self.nodes.get(&pod.node)?.view.clone();
        let attachments = match Attachment::of_pod(&pod.annotations, &pod.namespace, catalog, default) {
            Ok(attachments) => attachments,
            Err(failure) => return Some(Err(failure)),
        };
        let stickiness = Stickiness::of(&catalog.settings);
        let holder = Holder::of(&pod.namespace, &pod.name, pod.owner.as_ref(), stickiness);
        let previous = self.endpoints.get(&holder.key).map(|endpoint| endpoint.details.clone());
        Some(Ok(Intent {
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            labels: pod.labels.clone(),
            annotations: pod.annotations.clone(),
            namespace,
            node,
            owner: pod.owner.clone(),
            holder,
            attachments,
            previous: previous.unwrap_or_default(),
        }))
    }

    /// Compiles the pools, if the catalog or the reserved addresses are others than the last time.
    pub(super) fn compile(&mut self, catalog: &Arc<Catalog>, release: &str) {
        if self.compiled.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, catalog)) {
            return;
        }
        let reserved = self.reserved.iter().fold(RangeSet::default(), |all, (_, ranges)| all.union(ranges));
        let pools = Pools::compile(catalog.peers.pools(), &catalog.peers.overlaps(), &reserved, release);
        let total = |(name, pool): (&str, Result<&Pool, &str>)| {
            // A /64 has more addresses than the field can say.
            Some((Arc::from(name), i64::try_from(pool.ok()?.total).unwrap_or(i64::MAX)))
        };
        self.books.set_totals(pools.iter().filter_map(total).collect());
        self.counts_due = Some(Instant::now());
        self.compiled = Some((catalog.clone(), pools));
    }

    /// Adds pools whose numbers should be others to those that are written, unless these are many; a write without
    /// edits mends them.
    pub(super) fn add_miscounted(&mut self, edits: &mut Edits, pauses: &Pauses) {
        let room = COUNTS.saturating_sub(edits.len());
        if room == 0 || self.counts_due.is_none_or(|due| due > Instant::now()) {
            return;
        }
        let mut miscounted = self.books.miscounted().filter(|pool| !edits.contains_key(*pool)).peekable();
        let some = miscounted.peek().is_some();
        let now: Vec<_> = miscounted.filter(|pool| !pauses.holds(pool)).take(room).cloned().collect();
        self.counts_due = some.then(|| Instant::now() + COUNT_AGAIN);
        edits.extend(now.into_iter().map(|pool| (pool, Vec::new())));
    }

    /// When there are numbers to look for.
    pub(super) fn counts_due(&self) -> Option<Instant> {
        self.counts_due
    }

    /// Writes each pool once; returns those that were written. The others have been read again.
    pub(super) async fn write(&mut self, edits: &Edits) -> BTreeSet<Arc<str>> {
        let written = self.books.write(edits).await;
        self.books.refresh(written.lost).await;
        written.pools
    }

    /// Whether the spec that a plan draws from is the one that a write of the pool's records is fenced by. The catalog
    /// follows pools with a watch of its own, and is compiled a moment later.
    pub(super) fn is_current(&self, pool: &str) -> bool {
        let compiled = self.pools().and_then(|pools| pools.get(pool)?.ok());
        compiled.is_none_or(|compiled| self.books.edition(pool) == Some(&compiled.edition))
    }

    /// Whether the pod of this UID is there and has not ended.
    pub(super) fn lives(&self, uid: &str) -> bool {
        lives(&self.pods, uid)
    }

    /// What is known of a node.
    pub(super) fn report_of(&self, node: Option<&str>) -> NodeReport {
        match node.and_then(|node| self.nodes.get(node)) {
            None => NodeReport::Gone,
            Some(node) if node.ready => NodeReport::Ready,
            Some(_) => NodeReport::NotReady,
        }
    }

    /// The pools as last compiled.
    pub(super) fn pools(&self) -> Option<&Pools> {
        self.compiled.as_ref().map(|(_, pools)| pools)
    }
}

/// Whether the pod of this UID is there and has not ended.
pub(super) fn lives(pods: &Mirror<PodFacts>, uid: &str) -> bool {
    pods.get(uid).is_some_and(|pod| !pod.finished)
}

fn chance(same: bool) -> Vec<News> {
    if same { Vec::new() } else { vec![News::Chance] }
}

fn key(endpoint: &SpiderEndpoint) -> String {
    format!("{}/{}", endpoint.namespace().unwrap_or_default(), endpoint.name_any())
}
