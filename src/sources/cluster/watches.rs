//! One watch for each kind, reduced to what the catalog reads before it is handed on.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, GroupVersionKind};
use kube::core::DynamicResourceScope;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::object::Stored;
use super::{ClusterSource, Delivery, Progress, specs};
use crate::api::{AttachmentDefinition, Kind, keys};
use crate::catalog::ObjectKey;
use crate::sources::{Backoff, describe};
use crate::telemetry::metrics::Metrics;

/// After an API server restart the watches must be back within seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A kind that may be absent for ever is asked for less often.
const LONGEST_WAIT_OPTIONAL: Duration = Duration::from_secs(20);

/// A kind to watch.
pub(super) struct Watched {
    pub(super) kind: &'static str,
    client: Client,
    resource: ApiResource,
    /// One namespace and name instead of all.
    only: Option<(String, String)>,
    part: Part,
    presence: Presence,
}

/// How much of each object is asked for.
#[derive(Clone, Copy)]
enum Part {
    Whole,
    /// All but the status, which changes far more often.
    Spec,
    Metadata,
}

/// Whether the cluster may do without the kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Required,
    Optional,
}

pub(super) fn all(source: &ClusterSource) -> Vec<Watched> {
    let of_kind = |kind: &'static str, resource: ApiResource| Watched {
        kind,
        client: source.client.clone(),
        resource,
        only: None,
        part: Part::Whole,
        presence: Presence::Required,
    };
    let custom = |kind: Kind| of_kind(kind.name(), kind.resource());
    let core = |kind: &'static str, plural: &str| {
        of_kind(kind, ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind), plural))
    };
    let mut watches = vec![
        custom(Kind::MultusConfig),
        Watched { part: Part::Spec, ..custom(Kind::IpPool) },
        custom(Kind::Subnet),
        Watched { part: Part::Metadata, ..core("Namespace", "namespaces") },
        // Rules only look names up here; a cluster without Multus has no such kind.
        Watched {
            part: Part::Metadata,
            presence: Presence::Optional,
            ..of_kind(AttachmentDefinition::KIND, AttachmentDefinition::resource())
        },
        Watched {
            only: Some((source.identity.release_namespace.clone(), source.config_map.clone())),
            ..core("ConfigMap", "configmaps")
        },
    ];
    if source.watch_nodes {
        watches.push(core("Node", "nodes"));
    }
    watches
}

impl Watched {
    /// Events with objects as the catalog reads them.
    fn events(self) -> BoxStream<'static, watcher::Result<Event<Reduced>>> {
        let kind = self.kind;
        let longest = match self.presence {
            Presence::Required => LONGEST_WAIT,
            Presence::Optional => LONGEST_WAIT_OPTIONAL,
        };
        let backoff = Backoff::new(Duration::from_millis(200), longest);
        match self.part {
            Part::Whole => watcher::watcher(self.api::<Stored<false>>(), self.config())
                .backoff(backoff)
                .map_ok(move |event| map(event, |object| Reduced::whole(kind, object)))
                .boxed(),
            Part::Spec => {
                let metadata = watcher::watcher(self.api::<Stored<true>>(), self.config()).backoff(backoff);
                specs::follow(metadata.boxed(), self.api::<Stored<false>>(), longest)
                    .map_ok(move |event| map(event, |object| Reduced::whole(kind, object)))
                    .boxed()
            }
            Part::Metadata => watcher::watcher(self.api::<Stored<true>>(), self.config())
                .backoff(backoff)
                .map_ok(move |event| map(event, |object| Reduced::metadata(kind, object.metadata)))
                .boxed(),
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
    {
        match &self.only {
            Some((namespace, _)) => Api::namespaced_with(self.client.clone(), namespace, &self.resource),
            None => Api::all_with(self.client.clone(), &self.resource),
        }
    }

    fn config(&self) -> watcher::Config {
        let page = match (self.kind, self.part) {
            // A node lists its images: tens of KiB each, of which next to nothing is kept.
            ("Node", _) => 50,
            (_, Part::Whole) => 500,
            // Pages come one after the other; these objects are small.
            (_, Part::Spec | Part::Metadata) => 1000,
        };
        let config = watcher::Config::default().page_size(page);
        match &self.only {
            Some((_, name)) => config.fields(&format!("metadata.name={name}")),
            None => config,
        }
    }
}

/// Follows one kind until the receiver is gone.
pub(super) async fn run(
    watched: Watched,
    deliver: mpsc::Sender<Delivery>,
    progress: Arc<Progress>,
    metrics: Metrics,
) {
    let (kind, presence) = (watched.kind, watched.presence);
    let received = metrics.watch_events.with_label_values(&[kind]);
    let restarts = metrics.watch_restarts.with_label_values(&[kind]);
    let mut events = pin!(watched.events());
    while let Some(event) = events.next().await {
        let delivery = match event {
            Ok(event) => {
                // `Init` only says that a list will be tried.
                if !matches!(event, Event::Init) {
                    progress.works(kind);
                }
                match event {
                    Event::Init => Delivery::Listing(kind),
                    Event::InitApply(object) | Event::Apply(object) => {
                        received.inc();
                        Delivery::Object(kind, object.value)
                    }
                    Event::Delete(object) => {
                        received.inc();
                        Delivery::Gone(kind, object.key)
                    }
                    Event::InitDone => Delivery::Listed(kind),
                }
            }
            Err(error) => {
                restarts.inc();
                if note(kind, presence, &error, &progress) == Noted::Absent {
                    Delivery::Absent(kind)
                } else {
                    continue;
                }
            }
        };
        if deliver.send(delivery).await.is_err() {
            return;
        }
    }
}

#[derive(PartialEq, Eq)]
enum Noted {
    /// The kind does not exist, and need not.
    Absent,
    Trouble,
}

fn note(kind: &'static str, presence: Presence, error: &watcher::Error, progress: &Progress) -> Noted {
    let absent = is_absent(error);
    let why =
        if absent { "the CustomResourceDefinition is not installed".to_owned() } else { describe(error) };
    let news = progress.failed(kind, &why);
    if absent && presence == Presence::Optional {
        if news {
            info!(kind, "not watched: {why}");
        }
        return Noted::Absent;
    }
    if news {
        warn!(kind, "watch failed: {why}");
    }
    Noted::Trouble
}

/// Whether the API server does not know the kind.
pub(crate) fn is_absent(error: &watcher::Error) -> bool {
    matches!(
        error,
        watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404
    )
}

/// What is left of an object once the catalog's part is taken.
struct Reduced {
    key: ObjectKey,
    value: Box<Value>,
}

impl Reduced {
    fn whole(kind: &'static str, object: Stored<false>) -> Self {
        let Stored { metadata, spec, data, status: state } = object;
        let mut reduced = Self::metadata(kind, metadata);
        let state = state.map(|value| status(kind, value));
        for (part, value) in [("spec", spec), ("data", data), ("status", state)] {
            if let Some(value) = value {
                reduced.value[part] = value;
            }
        }
        reduced
    }

    fn metadata(kind: &'static str, mut metadata: ObjectMeta) -> Self {
        if kind == "Namespace" {
            // There are thousands of them, and only these keys are read.
            for map in [&mut metadata.annotations, &mut metadata.labels].into_iter().flatten() {
                map.retain(|key, _| [keys::RDMA_INJECT, keys::NETWORK_INJECT].contains(&key.as_str()));
            }
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let key = ObjectKey { namespace: text(&metadata.namespace), name: text(&metadata.name) };
        let metadata = serde_json::to_value(metadata).unwrap_or_default();
        Self { key, value: Box::new(json!({ "kind": kind, "metadata": metadata })) }
    }
}

fn status(kind: &str, mut status: Value) -> Value {
    if kind == "Node" {
        return json!({ "allocatable": status["allocatable"].take() });
    }
    status
}

fn map<A, B>(event: Event<A>, reduce: impl FnOnce(A) -> B) -> Event<B> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(reduce(object)),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(reduce(object)),
        Event::Delete(object) => Event::Delete(reduce(object)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Stored<false> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn managed_fields_are_left_behind() {
        let pool = object(json!({
            "apiVersion": "spiderpool.spidernet.io/v2beta1",
            "kind": "SpiderIPPool",
            "metadata": { "name": "a", "uid": "u", "generation": 7, "managedFields": [{ "manager": "kubectl" }] },
            "spec": { "subnet": "10.0.0.0/24" },
        }));
        let reduced = Reduced::whole("SpiderIPPool", pool);
        assert_eq!(reduced.key, ObjectKey { namespace: String::new(), name: "a".into() });
        // Nothing is allocated from a pool whose generation the catalog does not have.
        assert_eq!(
            *reduced.value,
            json!({
                "kind": "SpiderIPPool",
                "metadata": { "name": "a", "uid": "u", "generation": 7 },
                "spec": { "subnet": "10.0.0.0/24" },
            })
        );
    }

    #[test]
    fn of_a_node_only_what_it_offers_is_kept() {
        let node = object(json!({
            "metadata": { "name": "n" },
            "spec": { "podCIDR": "10.0.0.0/24" },
            "status": { "allocatable": { "spidernet.io/gpu1": "8" }, "images": [{ "names": ["x"] }] },
        }));
        assert_eq!(
            Reduced::whole("Node", node).value["status"],
            json!({ "allocatable": { "spidernet.io/gpu1": "8" } })
        );
    }

    #[test]
    fn of_a_namespace_only_the_inject_keys_are_kept() {
        let namespace = object(json!({ "metadata": {
            "name": "team",
            "annotations": { "cni.spidernet.io/rdma-resource-inject": "rails", "note": "long" },
            "labels": { "kubernetes.io/metadata.name": "team" },
        } }));
        assert_eq!(
            *Reduced::metadata("Namespace", namespace.metadata).value,
            json!({ "kind": "Namespace", "metadata": {
                "name": "team",
                "annotations": { "cni.spidernet.io/rdma-resource-inject": "rails" },
                "labels": {},
            } })
        );
    }
}
