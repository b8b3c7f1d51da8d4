//! Whether a pool must not be allocated from because an older one has the same addresses. The numbers in its status
//! are written by allocation, together with its records, and only shown as metrics here, where that is asked for.
//!
//! Two concurrent creates can both pass admission, on two replicas or one: neither was in the other's
//! catalog. Here the whole cluster is looked at, and the younger pool of each pair gets a condition and an
//! Event.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ObjectMeta, Patch};
use kube::runtime::events::{Event, EventType};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;
use tokio::time::sleep;
use tracing::warn;

use super::conditions::{self, Wanted};
use super::configuration::shorten;
use super::error::fenced;
use super::supervise::timed;
use super::{ControllerError, Leader, patch_parameters};
use crate::api::{Condition, GROUP, Kind, VERSION};
use crate::rules::Overlap;
use crate::sources::{Backoff, describe};
use crate::telemetry::metrics::Metrics;

/// The condition's type.
const OVERLAP: &str = "Overlap";
/// Changes are looked at together: the check is over all pools.
const GATHER: Duration = Duration::from_millis(200);
/// Ranges that a message names.
const RANGES: usize = 8;

/// What is kept of a pool.
struct PoolStatus {
    metadata: ObjectMeta,
    conditions: Vec<Condition>,
}

/// Follows pools until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    leader.feed.synced().await;
    let pools = api(leader);
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    let mut events = watcher(pools.clone(), watcher::Config::default()).backoff(backoff).boxed();
    let mut changes = leader.feed.changes.clone();
    let mut known = BTreeMap::new();
    let mut listed = false;
    let mut due = false;
    loop {
        tokio::select! {
            Some(event) = events.next() => match event {
                Ok(event) => {
                    listed |= matches!(event, watcher::Event::InitDone);
                    if leader.numbers {
                        show(&leader.metrics, &event);
                    }
                    due |= note(&mut known, event);
                }
                Err(error) => warn!(controller = "pools", "watch failed: {}", describe(&error)),
            },
            _ = changes.changed() => {
                sleep(GATHER).await;
                changes.mark_unchanged();
                due = true;
            }
        }
        if listed && due {
            due = !timed(&leader.metrics, "pools", reconcile(leader, &pools, &mut known)).await?;
        }
    }
}

fn api(leader: &Leader) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(GROUP, VERSION, Kind::IpPool.name());
    Api::all_with(leader.client.clone(), &ApiResource::from_gvk_with_plural(&kind, Kind::IpPool.plural()))
}

/// Shows the numbers that a pool's status tells.
fn show(metrics: &Metrics, event: &watcher::Event<DynamicObject>) {
    match event {
        watcher::Event::Init => metrics.forget_pools(),
        watcher::Event::InitApply(pool) | watcher::Event::Apply(pool) => {
            let status = &pool.data["status"];
            // Of a pool that cannot be read nobody knows how many addresses it has.
            if let Some(total) = status["totalIPCount"].as_i64() {
                let allocated = status["allocatedIPCount"].as_i64().unwrap_or_default();
                metrics.set_pool(&pool.name_any(), total, (total - allocated).max(0));
            }
        }
        watcher::Event::Delete(pool) => metrics.forget_pool(&pool.name_any()),
        watcher::Event::InitDone => {}
    }
}

/// Takes in one event; returns whether it can change the outcome. Records come and go without that.
fn note(known: &mut BTreeMap<String, PoolStatus>, event: watcher::Event<DynamicObject>) -> bool {
    match event {
        watcher::Event::Init => {
            known.clear();
            false
        }
        watcher::Event::InitApply(pool) | watcher::Event::Apply(pool) => {
            let (name, new) = (pool.name_any(), PoolStatus::of(pool));
            let told = |pool: &PoolStatus| (pool.metadata.generation, pool.conditions.clone());
            let news = told(&new);
            known.insert(name, new).is_none_or(|old| told(&old) != news)
        }
        watcher::Event::Delete(pool) => known.remove(&pool.name_any()).is_some(),
        watcher::Event::InitDone => true,
    }
}

impl PoolStatus {
    fn of(pool: DynamicObject) -> Self {
        let DynamicObject { mut metadata, data, .. } = pool;
        metadata.managed_fields = None;
        metadata.annotations = None;
        let conditions = serde_json::from_value(data["status"]["conditions"].clone()).unwrap_or_default();
        Self { metadata, conditions }
    }

    fn overlap(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == OVERLAP)
    }
}

/// Returns whether everything could be written; if not, an event of the pool is on its way.
async fn reconcile(
    leader: &Leader,
    pools: &Api<DynamicObject>,
    known: &mut BTreeMap<String, PoolStatus>,
) -> Result<bool, ControllerError> {
    let catalog = leader.feed.catalog.load_full();
    let found = messages(&catalog.peers.overlaps());
    let (mut complete, mut failed) = (true, None);
    for (name, pool) in known.iter_mut() {
        let message = found.get(name).map(String::as_str);
        let Some(conditions) = conditions_with(pool, message, Timestamp::now()) else { continue };
        let patch = json!({
            "metadata": { "resourceVersion": pool.metadata.resource_version },
            "status": { "conditions": conditions },
        });
        let patched = pools.patch_status(name, &patch_parameters(), &Patch::Merge(&patch)).await;
        let patched = match fenced("write the status of a pool", patched) {
            Ok(Some(patched)) => patched,
            Ok(None) => {
                complete = false;
                continue;
            }
            // The pools after it have their turn first.
            Err(error) => {
                failed.get_or_insert(error);
                continue;
            }
        };
        if let Some(message) = message {
            warn!(pool = name, "{message}");
            tell(leader, &patched, message).await;
        }
        *pool = PoolStatus::of(patched);
    }
    failed.map_or(Ok(complete), Err)
}

/// For each younger pool, what it overlaps.
fn messages(overlaps: &[Overlap]) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for overlap in overlaps {
        let older = &overlap.older;
        let subnet = older.spec.subnet.as_deref().unwrap_or_default();
        let ranges = overlap.ranges.ranges();
        let what = if ranges.is_empty() {
            format!("its subnet overlaps {subnet} of the older pool {}", older.name)
        } else {
            let named: Vec<String> = ranges.iter().take(RANGES).map(ToString::to_string).collect();
            let more = if ranges.len() > RANGES { ", ..." } else { "" };
            format!("the older pool {} also has {}{more}", older.name, named.join(", "))
        };
        found.entry(overlap.younger.name.clone()).or_default().push(what);
    }
    let message = |whats: Vec<String>| {
        shorten(format!("{}; nothing is allocated from this pool until that is changed", whats.join("; ")))
    };
    found.into_iter().map(|(name, whats)| (name, message(whats))).collect()
}

/// The conditions as they should be; none when they are. A pool that never overlapped has no condition.
fn conditions_with(pool: &PoolStatus, message: Option<&str>, now: Timestamp) -> Option<Vec<Condition>> {
    let (status, reason, message) = match (message, pool.overlap()) {
        (Some(message), _) => (true, "AddressesInUse", message),
        (None, None) => return None,
        (None, Some(_)) => (false, "NoOverlap", "no other pool has addresses of this one"),
    };
    let generation = pool.metadata.generation;
    conditions::with(&pool.conditions, &Wanted { type_: OVERLAP, status, reason, message, generation }, now)
}

/// An Event that cannot be written is no reason to stop: the condition says the same.
async fn tell(leader: &Leader, pool: &DynamicObject, message: &str) {
    let event = Event {
        type_: EventType::Warning,
        reason: OVERLAP.to_owned(),
        note: Some(message.to_owned()),
        action: "Check".to_owned(),
        secondary: None,
    };
    let kind = GroupVersionKind::gvk(GROUP, VERSION, Kind::IpPool.name());
    let resource = ApiResource::from_gvk_with_plural(&kind, Kind::IpPool.plural());
    if let Err(error) = leader.recorder.publish(&event, &pool.object_ref(&resource)).await {
        warn!(pool = pool.name_any(), "failed to write an Event: {}", describe(&error));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::rules::{Peers, PoolFacts};

    fn facts(name: &str, created: &str, ips: &str) -> Arc<PoolFacts> {
        let spec = json!({ "subnet": "10.0.0.0/24", "ips": [ips] });
        Arc::new(PoolFacts {
            name: name.into(),
            created: created.into(),
            spec: serde_json::from_value(spec).unwrap(),
            ..PoolFacts::default()
        })
    }

    fn status(conditions: &Value) -> PoolStatus {
        let pool =
            json!({ "metadata": { "name": "b", "generation": 3 }, "status": { "conditions": conditions } });
        PoolStatus::of(serde_json::from_value(pool).unwrap())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_younger_pool_is_told_which_addresses_the_older_one_has() {
        let pools = [
            facts("b", "2026-01-02T00:00:00Z", "10.0.0.5-10.0.0.9"),
            facts("a", "2026-01-01T00:00:00Z", "10.0.0.1-10.0.0.6"),
        ];
        let peers = Peers::build(pools.iter(), [].iter(), [].iter());
        assert_eq!(
            messages(&peers.overlaps()),
            BTreeMap::from([(
                "b".to_owned(),
                "the older pool a also has 10.0.0.5-10.0.0.6; nothing is allocated from this pool until that is \
                 changed"
                    .to_owned()
            )])
        );
    }

    #[test]
    fn a_condition_appears_changes_and_is_cleared_but_is_not_written_twice() {
        let other = json!({ "type": "Other", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z",
            "reason": "R", "message": "m" });
        let written = |conditions: Option<Vec<Condition>>| serde_json::to_value(conditions).unwrap();
        let overlapping = written(conditions_with(&status(&json!([other])), Some("x"), at(1_767_225_600)));
        assert_eq!(
            overlapping,
            json!([other, { "type": "Overlap", "status": "True", "observedGeneration": 3,
                "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "AddressesInUse", "message": "x" }])
        );
        assert_eq!(conditions_with(&status(&overlapping), Some("x"), at(1_767_225_700)), None);
        let changed = written(conditions_with(&status(&overlapping), Some("y"), at(1_767_225_700)));
        assert_eq!(changed[1]["lastTransitionTime"], "2026-01-01T00:00:00Z");
        assert_eq!(changed[1]["message"], "y");
        let cleared = written(conditions_with(&status(&changed), None, at(1_767_225_660)));
        assert_eq!(
            cleared[1],
            json!({ "type": "Overlap", "status": "False", "observedGeneration": 3,
                "lastTransitionTime": "2026-01-01T00:01:00Z", "reason": "NoOverlap",
                "message": "no other pool has addresses of this one" })
        );
        assert_eq!(conditions_with(&status(&json!([])), None, at(0)), None);
    }
}
