use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::try_join;
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::Instant;

use super::{Edits, Request};
use crate::agent::{Agent, FIELD_MANAGER};
use crate::allocator::{Books, reserved_addresses};
use crate::api::{AllocationDetail, Kind, SpiderReservedIP};
use crate::catalog::{Catalog, Identity, Objects};
use crate::ipam::{Attachment, DefaultNetwork, Failure, Intent, NamespaceView, NodeView, Pools};
use crate::net::RangeSet;
use crate::sources::{FEW, each};

/// How long what was read is believed, as far as nothing speaks against it.
const BELIEVED: Duration = Duration::from_secs(30);
/// Objects of one request of a list.
const PAGE: u32 = 500;

/// Networks, pools and records as they were a moment ago.
pub(super) struct World {
    pub(super) books: Books,
    pub(super) catalog: Catalog,
    pub(super) pools: Pools,
    objects: Objects,
    reserved: RangeSet,
    identity: Identity,
    node: Arc<NodeView>,
    namespaces: HashMap<String, Arc<NamespaceView>>,
    /// Pools that somebody else has written since.
    stale: Vec<Arc<str>>,
    until: Instant,
}

impl World {
    pub(super) async fn read(agent: &Agent) -> Result<Self, kube::Error> {
        let options = &agent.options;
        let client = &options.client;
        let nodes = Api::<Node>::all(client.clone());
        let (networks, pools, reserved, node) = try_join!(
            list(client, Kind::MultusConfig),
            list(client, Kind::IpPool),
            reserved(client),
            nodes.get_metadata(&options.node),
        )?;
        let mut books = Books::new(client.clone(), FIELD_MANAGER, options.metrics.clone());
        let mut objects = Objects::default();
        for network in networks {
            apply(&mut objects, Kind::MultusConfig, network);
        }
        for pool in pools {
            books.observe(&pool);
            apply(&mut objects, Kind::IpPool, pool);
        }
        let identity = Identity { release_namespace: options.namespace.clone() };
        let catalog = Catalog::compile(&objects, (*agent.view.settings()).clone(), &identity);
        let labels = node.metadata.labels.unwrap_or_default();
        let node = Arc::new(NodeView { name: options.node.clone(), labels });
        let pools = compile(&catalog, &reserved, &identity);
        let (namespaces, stale, until) = (HashMap::new(), Vec::new(), Instant::now() + BELIEVED);
        Ok(Self { books, catalog, pools, objects, reserved, identity, node, namespaces, stale, until })
    }

    /// Whether it is recent enough for a plan whose writes are fenced.
    pub(super) fn will_do(&self) -> bool {
        self.until > Instant::now()
    }

    /// Somebody was not served with it.
    pub(super) fn doubt(&mut self) {
        self.until = Instant::now();
    }

    /// Writes each pool once; returns those that were written. The others are read again before the next plan.
    pub(super) async fn write(&mut self, edits: &Edits) -> BTreeSet<Arc<str>> {
        let written = self.books.write(edits).await;
        if written.pools.len() + written.lost.len() < edits.len() {
            // Some pool is gone, or its records cannot be read.
            self.doubt();
        }
        self.stale.extend(written.lost);
        written.pools
    }

    /// Reads again what somebody else wrote, specs as well.
    pub(super) async fn refresh(&mut self) {
        let stale = std::mem::take(&mut self.stale);
        let count = stale.len();
        let reread = self.books.refresh(stale).await;
        if reread.len() < count {
            self.doubt();
        }
        let mut news = false;
        for pool in reread {
            news |= apply(&mut self.objects, Kind::IpPool, pool);
        }
        if news {
            self.catalog = Catalog::compile(&self.objects, self.catalog.settings.clone(), &self.identity);
            self.pools = compile(&self.catalog, &self.reserved, &self.identity);
        }
    }

    /// What a pod needs.
    pub(super) async fn intent(
        &mut self,
        agent: &Agent,
        request: &Request,
        previous: Vec<AllocationDetail>,
    ) -> Result<Result<Intent, Failure>, kube::Error> {
        let pod = &request.pod;
        let namespace = self.namespace(&agent.options.client, &pod.namespace).await?;
        let default = DefaultNetwork {
            namespace: &agent.options.namespace,
            network: agent.options.cluster_network.as_deref(),
        };
        let attachments = Attachment::of_pod(&pod.annotations, &pod.namespace, &self.catalog, default);
        let selected = Attachment::selected(&pod.annotations, &pod.namespace, default);
        Ok(attachments.and_then(|mut attachments| {
            request.rail.join(&mut attachments, &selected?);
            Ok(Intent {
                name: pod.name.clone(),
                uid: pod.uid.clone(),
                labels: pod.labels.clone(),
                annotations: pod.annotations.clone(),
                namespace,
                node: self.node.clone(),
                owner: pod.owner.clone(),
                holder: request.holder.clone(),
                attachments,
                previous,
            })
        }))
    }

    async fn namespace(&mut self, client: &Client, name: &str) -> Result<Arc<NamespaceView>, kube::Error> {
        match self.namespaces.entry(name.to_owned()) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(place) => {
                let namespace = Api::<Namespace>::all(client.clone()).get_metadata(name).await?;
                let view = NamespaceView {
                    name: name.to_owned(),
                    labels: namespace.metadata.labels.unwrap_or_default().into(),
                    annotations: namespace.metadata.annotations.unwrap_or_default(),
                };
                Ok(place.insert(Arc::new(view)).clone())
            }
        }
    }
}

fn compile(catalog: &Catalog, reserved: &RangeSet, identity: &Identity) -> Pools {
    let overlaps = catalog.peers.overlaps();
    Pools::compile(catalog.peers.pools(), &overlaps, reserved, &identity.release_namespace)
}

/// Returns whether the object's spec is news. One that cannot be read is left out, as everywhere.
fn apply(objects: &mut Objects, kind: Kind, object: DynamicObject) -> bool {
    let metadata = serde_json::to_value(&object.metadata).unwrap_or_default();
    let mut data = object.data;
    let spec = data.get_mut("spec").map(Value::take).unwrap_or_default();
    let value = serde_json::json!({ "kind": kind.name(), "metadata": metadata, "spec": spec });
    objects.apply(&value).unwrap_or(true)
}

/// All objects of a kind, page by page.
async fn list(client: &Client, kind: Kind) -> Result<Vec<DynamicObject>, kube::Error> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind.resource());
    let mut objects = Vec::new();
    let page = if kind == Kind::IpPool { FEW } else { PAGE };
    each(&api, page, |object| objects.push(object)).await?;
    Ok(objects)
}

/// What no pool hands out.
async fn reserved(client: &Client) -> Result<RangeSet, kube::Error> {
    let all = Api::<SpiderReservedIP>::all(client.clone()).list(&ListParams::default()).await?;
    Ok(all.items.iter().map(reserved_addresses).fold(RangeSet::default(), |all, some| all.union(&some)))
}
