use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::ACCEPT;
use futures::{FutureExt, StreamExt};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::{PartialObjectMeta, Request};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tracing::warn;

use super::counts::Counts;
use super::edit::Edit;
use crate::api::Kind;
use crate::ipam::{Edition, Held, Ledger, Ledgers};
use crate::sources::describe;
use crate::telemetry::metrics::Metrics;

/// Pools written at a time.
const CONCURRENCY: usize = 16;

/// The object itself is not wanted back: with thousands of records that is most of a megabyte.
const METADATA_ONLY: HeaderValue =
    HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");

/// The records of all pools as the API server has them.
pub struct Books {
    client: Client,
    resource: ApiResource,
    field_manager: &'static str,
    metrics: Metrics,
    ledgers: Ledgers,
    /// What each ledger was read or written at.
    versions: HashMap<Arc<str>, Fence>,
    /// How many addresses each pool has, where that is known better than from its status.
    totals: HashMap<Arc<str>, i64>,
    /// Addresses whose records somebody else took out, since [`Self::take_vanished`].
    vanished: Vec<Held>,
    /// Whether each pool's numbers are metrics.
    shown: bool,
}

/// A pool as it was when its records were read or written.
struct Fence {
    resource_version: String,
    /// Of the spec. A write of records that is fenced by the version above is fenced by this as well.
    edition: Edition,
    counts: Counts,
}

/// What became of a round of writes.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The pools that were written.
    pub pools: BTreeSet<Arc<str>>,
    /// Of the others, those to be read again before anything is planned with them.
    pub lost: Vec<Arc<str>>,
}

/// Why a pool was not written.
enum Unwritten {
    /// Somebody else wrote it, or it is not known how the write ended; what the pool says now must be read.
    Unknown,
    /// It was deleted.
    Gone,
    /// Its records cannot be read.
    Unreadable,
}

impl Books {
    /// Empty books.
    #[must_use]
    pub fn new(client: Client, field_manager: &'static str, metrics: Metrics) -> Self {
        let resource = Kind::IpPool.resource();
        let (ledgers, versions, totals) = (Ledgers::default(), HashMap::new(), HashMap::new());
        let vanished = Vec::new();
        Self { client, resource, field_manager, metrics, ledgers, versions, totals, vanished, shown: false }
    }

    /// The same books; each pool's numbers are metrics if `shown`.
    #[must_use]
    pub fn showing(self, shown: bool) -> Self {
        Self { shown, ..self }
    }

    /// The kind of pools, for watches.
    #[must_use]
    pub fn resource(&self) -> &ApiResource {
        &self.resource
    }

    /// Who has which address.
    #[must_use]
    pub fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    /// Takes in what a watch says of a pool; returns whether that was news. A watch lags behind our own writes.
    pub fn observe(&mut self, pool: &DynamicObject) -> bool {
        let (name, version) = (pool.name_any(), pool.resource_version().unwrap_or_default());
        if let Some(held) = self.versions.get(&*name)
            && !is_newer(&version, &held.resource_version)
        {
            return false;
        }
        self.take(&name, version, pool);
        true
    }

    /// Forgets a pool that was deleted.
    pub fn forget(&mut self, pool: &str) {
        self.ledgers.remove(pool);
        self.versions.remove(pool);
        self.metrics.forget_pool(pool);
    }

    /// The spec that the next write of a pool's records is fenced by.
    #[must_use]
    pub fn edition(&self, pool: &str) -> Option<&Edition> {
        self.versions.get(pool).map(|version| &version.edition)
    }

    /// Addresses whose records somebody else took out since this was asked.
    pub fn take_vanished(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.vanished)
    }

    /// The pools that are known.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<str>> {
        self.versions.keys()
    }

    /// How many addresses the pools have, as their specs say.
    pub fn set_totals(&mut self, totals: HashMap<Arc<str>, i64>) {
        self.totals = totals;
    }

    /// The pools whose status says other numbers than it should, in no order. Any write mends them, also one without
    /// edits.
    pub fn miscounted(&self) -> impl Iterator<Item = &Arc<str>> {
        self.totals.keys().filter(|pool| {
            let known = self.versions.get(*pool);
            known.is_some_and(|known| self.counts(pool).is_some_and(|counts| counts != known.counts))
        })
    }

    /// The numbers that a pool's status should say; none where its records cannot be read.
    fn counts(&self, pool: &str) -> Option<Counts> {
        let in_use = match self.ledgers.get(pool) {
            Some(ledger) => ledger.as_ref().ok()?.len(),
            None => 0,
        };
        Some(Counts::of(self.total(pool), in_use))
    }

    fn total(&self, pool: &str) -> Option<i64> {
        let told = || self.versions.get(pool).and_then(|known| known.counts.total);
        self.totals.get(pool).copied().or_else(told)
    }

    /// Writes each pool once.
    pub async fn write(&mut self, edits: &BTreeMap<Arc<str>, Vec<Edit>>) -> Written {
        let books = &*self;
        let mut writes = Vec::with_capacity(edits.len());
        for (pool, edits) in edits {
            writes.push(async move { (pool, books.write_pool(pool, edits).await) }.boxed());
        }
        let results: Vec<_> = futures::stream::iter(writes).buffer_unordered(CONCURRENCY).collect().await;
        let mut written = Written::default();
        for (pool, result) in results {
            match result {
                Ok(version) => {
                    self.apply(pool, version, &edits[pool]);
                    written.pools.insert(pool.clone());
                }
                Err(Unwritten::Unknown) => written.lost.push(pool.clone()),
                Err(Unwritten::Gone) => self.forget(pool),
                Err(Unwritten::Unreadable) => {}
            }
        }
        written
    }

    async fn write_pool(&self, pool: &str, edits: &[Edit]) -> Result<String, Unwritten> {
        let mut ledger = match self.ledgers.get(pool) {
            Some(Ok(ledger)) => ledger.clone(),
            Some(Err(error)) => {
                warn!("{error}");
                return Err(Unwritten::Unreadable);
            }
            None => Ledger::default(),
        };
        for edit in edits {
            edit.apply(&mut ledger);
        }
        let text = match ledger.write() {
            Ok(text) => text,
            Err(error) => {
                warn!(pool, "failed to write records: {error}");
                return Err(Unwritten::Unreadable);
            }
        };
        let version = self.versions.get(pool).ok_or(Unwritten::Unknown)?;
        let mut status = json!(Counts::of(self.total(pool), ledger.len()));
        if !edits.is_empty() {
            // A merge patch removes what is null.
            status["allocatedIPs"] = json!(text);
        }
        let patch = json!({ "metadata": { "resourceVersion": version.resource_version }, "status": status });
        match self.patch_status(pool, &patch).await {
            Ok(metadata) => {
                self.metrics.ipam_commits.with_label_values(&["written"]).inc();
                Ok(metadata.resource_version().unwrap_or_default())
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Err(Unwritten::Gone),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.metrics.ipam_commits.with_label_values(&["conflict"]).inc();
                let allocates = edits.iter().any(|edit| matches!(edit, Edit::Set(..)));
                let lost = if allocates {
                    &self.metrics.allocation_conflicts
                } else {
                    &self.metrics.release_conflicts
                };
                lost.inc();
                Err(Unwritten::Unknown)
            }
            Err(error) => {
                self.metrics.ipam_commits.with_label_values(&["error"]).inc();
                if !edits.iter().any(|edit| matches!(edit, Edit::Set(..))) {
                    self.metrics.release_internal.inc();
                }
                warn!(pool, "failed to write the records of a pool: {}", describe(&error));
                Err(Unwritten::Unknown)
            }
        }
    }

    async fn patch_status(
        &self,
        pool: &str,
        patch: &serde_json::Value,
    ) -> Result<PartialObjectMeta<DynamicObject>, kube::Error> {
        let parameters =
            PatchParams { field_manager: Some(self.field_manager.to_owned()), ..PatchParams::default() };
        let mut request = Request::new(DynamicObject::url_path(&self.resource, None))
            .patch_subresource("status", pool, &parameters, &Patch::Merge(patch))
            .map_err(kube::Error::BuildRequest)?;
        request.headers_mut().insert(ACCEPT, METADATA_ONLY);
        self.client.request(request).await
    }

    /// Reads pools as they are now, their specs as well. One that cannot be read is unknown until its watch speaks or this is tried again.
    pub async fn refresh(&mut self, pools: Vec<Arc<str>>) -> Vec<DynamicObject> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &self.resource);
        let mut reads = Vec::with_capacity(pools.len());
        for pool in pools {
            let api = api.clone();
            reads.push(async move { (api.get_opt(&pool).await, pool) }.boxed());
        }
        let results: Vec<_> = futures::stream::iter(reads).buffer_unordered(CONCURRENCY).collect().await;
        let mut reread = Vec::new();
        for (result, pool) in results {
            match result {
                Ok(Some(object)) => {
                    let version = object.resource_version().unwrap_or_default();
                    self.take(&pool, version, &object);
                    reread.push(object);
                }
                Ok(None) => self.forget(&pool),
                Err(error) => {
                    warn!(pool = &*pool, "failed to read the records of a pool: {}", describe(&error));
                    self.versions.remove(&pool);
                }
            }
        }
        reread
    }

    fn take(&mut self, pool: &str, resource_version: String, object: &DynamicObject) {
        let status = &object.data["status"];
        let ledger = Ledger::parse(pool, status["allocatedIPs"].as_str());
        if let Err(error) = &ledger {
            warn!("{error}");
        }
        if let (Some(Ok(before)), Ok(now)) = (self.ledgers.get(pool), &ledger) {
            let gone =
                before.iter().map(|(address, _)| address).filter(|address| now.get(*address).is_none());
            self.vanished.extend(gone.map(|address| Held { pool: pool.into(), address }));
        }
        self.ledgers.insert(pool, ledger);
        let counts = Counts::told_by(status);
        let edition = Edition {
            uid: object.uid().unwrap_or_default(),
            generation: object.metadata.generation.unwrap_or_default(),
        };
        self.versions.insert(pool.into(), Fence { resource_version, edition, counts });
        self.show(pool);
    }

    fn show(&self, pool: &str) {
        if !self.shown {
            return;
        }
        if let Some(Counts { total: Some(total), free: Some(free), .. }) = self.counts(pool) {
            self.metrics.set_pool(pool, total, free);
        }
    }

    fn apply(&mut self, pool: &Arc<str>, resource_version: String, edits: &[Edit]) {
        for edit in edits {
            match edit {
                Edit::Set(address, record) => self.ledgers.set(pool, *address, record.clone()),
                Edit::Release(address, _) | Edit::GiveUp(address, ..) => {
                    let held = Held { pool: pool.clone(), address: *address };
                    if self.ledgers.record(&held).is_some_and(|record| edit.frees(record)) {
                        self.ledgers.release(pool, *address);
                    }
                }
            }
        }
        let counts = self.counts(pool).unwrap_or_default();
        if let Some(known) = self.versions.get_mut(pool) {
            (known.resource_version, known.counts) = (resource_version, counts);
        }
        self.show(pool);
    }
}

/// Versions of one kind count up. A server that writes them otherwise is believed.
fn is_newer(version: &str, held: &str) -> bool {
    match (version.parse::<u128>(), held.parse::<u128>()) {
        (Ok(version), Ok(held)) => version > held,
        _ => version != held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_lags_behind_our_own_writes_is_no_news() {
        assert!(is_newer("10", "9"));
        assert!(!is_newer("9", "9"));
        assert!(!is_newer("9", "10"));
        assert!(is_newer("b", "a"), "versions that do not count are believed");
        assert!(!is_newer("a", "a"));
    }
}
