//! Gathers deliveries, compiles a catalog when they pause or have waited long enough, and swaps it in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{error, warn};

use super::{Delivery, Progress};
use crate::catalog::{Assembler, Catalog, ObjectKey};

/// How long changes are gathered, counted from the first.
const GATHER: Duration = Duration::from_millis(50);

pub(super) struct Collector {
    assembler: Assembler,
    catalog: Arc<ArcSwap<Catalog>>,
    changed: watch::Sender<u64>,
    progress: Arc<Progress>,
    /// Kinds in the middle of a list, with what it has named so far.
    listing: BTreeMap<&'static str, BTreeSet<ObjectKey>>,
    /// `resourceVersion` of the objects that were reported as bad, so that each is reported once.
    reported: BTreeMap<(&'static str, ObjectKey), String>,
    /// Whether the objects differ from the last compiled catalog.
    stale: bool,
}

impl Collector {
    pub(super) fn new(
        assembler: Assembler,
        catalog: Arc<ArcSwap<Catalog>>,
        changed: watch::Sender<u64>,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            assembler,
            catalog,
            changed,
            progress,
            listing: BTreeMap::new(),
            reported: BTreeMap::new(),
            stale: true,
        }
    }

    /// Runs until all watches are gone.
    pub(super) async fn run(mut self, mut deliveries: mpsc::Receiver<Delivery>) {
        let mut due: Option<Instant> = None;
        loop {
            let timer = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                delivery = deliveries.recv() => match delivery {
                    Some(delivery) => self.take(delivery),
                    None => return,
                },
                () = timer => {
                    due = None;
                    self = match self.publish().await {
                        Some(collector) => collector,
                        None => return,
                    };
                }
            }
            if self.stale && due.is_none() && self.progress.synced() {
                due = Some(Instant::now() + self.gather());
            }
        }
    }

    /// The first catalog is waited for, and whole as soon as every kind was listed.
    fn gather(&self) -> Duration {
        if *self.changed.borrow() == 0 { Duration::ZERO } else { GATHER }
    }

    fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Listing(kind) => {
                self.listing.insert(kind, BTreeSet::new());
            }
            Delivery::Object(kind, value) => self.apply(kind, &value),
            Delivery::Gone(kind, key) => self.remove(kind, &key),
            Delivery::Listed(kind) => {
                self.finish_list(kind);
                self.progress.listed(kind);
            }
            Delivery::Absent(kind) => {
                self.listing.remove(kind);
                self.finish_list(kind);
                self.progress.absent(kind);
            }
        }
    }

    fn apply(&mut self, kind: &'static str, value: &Value) {
        let metadata = &value["metadata"];
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let key = ObjectKey { namespace: text("namespace"), name: text("name") };
        if let Some(named) = self.listing.get_mut(kind) {
            named.insert(key.clone());
        }
        match self.assembler.objects.apply(value) {
            Ok(changed) => {
                self.stale |= changed;
                self.reported.remove(&(kind, key));
            }
            Err(bad) => {
                self.stale = true;
                let version = text("resourceVersion");
                let known = self.reported.insert((kind, key), version.clone());
                if known.as_ref() != Some(&version) {
                    warn!(object = %bad.key, kind, "object is left out, it cannot be read: {}", bad.reason);
                }
            }
        }
    }

    fn remove(&mut self, kind: &'static str, key: &ObjectKey) {
        self.stale |= self.assembler.objects.remove(kind, key);
        self.reported.remove(&(kind, key.clone()));
    }

    /// What a complete list did not name is gone.
    fn finish_list(&mut self, kind: &'static str) {
        let named = self.listing.remove(kind).unwrap_or_default();
        let mut known = self.assembler.objects.keys(kind);
        if kind == "ConfigMap" && named.is_empty() {
            known.push(ObjectKey::default());
        }
        for key in known.iter().filter(|key| !named.contains(*key)) {
            self.remove(kind, key);
        }
    }

    /// Compiles on a thread of its own, because thousands of groups take milliseconds that requests should not
    /// wait, and puts the catalog in force.
    async fn publish(mut self) -> Option<Self> {
        let mut assembler = self.assembler;
        let compiled = tokio::task::spawn_blocking(move || {
            let catalog = assembler.assemble();
            (assembler, catalog)
        });
        let catalog;
        (self.assembler, catalog) = match compiled.await {
            Ok(done) => done,
            Err(broken) => {
                error!("failed to compile the catalog, the last one stays in force: {broken}");
                return None;
            }
        };
        self.stale = false;
        self.catalog.store(Arc::new(catalog));
        self.changed.send_modify(|count| *count += 1);
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::settings::Settings;
    use crate::catalog::Identity;

    struct Fixture {
        deliver: mpsc::Sender<Delivery>,
        catalog: Arc<ArcSwap<Catalog>>,
        changes: watch::Receiver<u64>,
    }

    impl Fixture {
        fn start() -> Self {
            let mut assembler = Assembler::new(Identity::default(), Settings::default());
            let catalog = Arc::new(ArcSwap::from_pointee(assembler.assemble()));
            let (deliver, deliveries) = mpsc::channel(16);
            let (announce, changes) = watch::channel(0);
            let progress = Arc::new(Progress::default());
            progress.expect("Namespace");
            progress.expect("SpiderIPPool");
            let collector = Collector::new(assembler, catalog.clone(), announce, progress);
            tokio::spawn(collector.run(deliveries));
            Self { deliver, catalog, changes }
        }

        async fn list(&self, kind: &'static str, objects: &[Value]) {
            self.send(Delivery::Listing(kind)).await;
            for object in objects {
                self.send(Delivery::Object(kind, Box::new(object.clone()))).await;
            }
            self.send(Delivery::Listed(kind)).await;
        }

        async fn send(&self, delivery: Delivery) {
            self.deliver.send(delivery).await.unwrap();
        }

        async fn next(&mut self) -> Arc<Catalog> {
            tokio::time::timeout(Duration::from_secs(10), self.changes.changed()).await.unwrap().unwrap();
            self.catalog.load_full()
        }
    }

    fn pool(name: &str, subnet: &Value) -> Value {
        json!({ "kind": "SpiderIPPool", "metadata": { "name": name, "resourceVersion": "1" },
            "spec": { "subnet": subnet } })
    }

    fn namespace(name: &str) -> Value {
        json!({ "kind": "Namespace", "metadata": { "name": name } })
    }

    #[tokio::test]
    async fn nothing_is_put_in_force_before_every_kind_was_listed() {
        let mut fixture = Fixture::start();
        fixture.list("Namespace", &[namespace("a")]).await;
        tokio::time::sleep(GATHER * 3).await;
        assert!(!fixture.changes.has_changed().unwrap());
        fixture.list("SpiderIPPool", &[pool("p", &json!("10.0.0.0/24"))]).await;
        let counts = fixture.next().await.counts();
        assert_eq!((counts.namespaces, counts.pools), (1, 1));
    }

    #[tokio::test]
    async fn what_a_later_list_does_not_name_is_gone() {
        let mut fixture = Fixture::start();
        fixture.list("Namespace", &[namespace("a"), namespace("b")]).await;
        fixture.list("SpiderIPPool", &[]).await;
        assert_eq!(fixture.next().await.counts().namespaces, 2);
        fixture.list("Namespace", &[namespace("b")]).await;
        assert_eq!(fixture.next().await.counts().namespaces, 1);
    }

    #[tokio::test]
    async fn a_bad_object_is_a_problem_of_the_catalog_and_stops_nothing() {
        let mut fixture = Fixture::start();
        fixture.list("Namespace", &[]).await;
        fixture.list("SpiderIPPool", &[pool("bad", &json!(7)), pool("good", &json!("10.0.0.0/24"))]).await;
        let catalog = fixture.next().await;
        assert_eq!(catalog.counts().pools, 1);
        assert_eq!(catalog.problems.len(), 1);
        assert_eq!(catalog.problems[0].object, "SpiderIPPool bad");
        fixture.send(Delivery::Object("SpiderIPPool", Box::new(pool("bad", &json!("10.1.0.0/24"))))).await;
        let catalog = fixture.next().await;
        assert_eq!((catalog.counts().pools, catalog.problems.len()), (2, 0));
    }
}
