//! Whether a pool must not be allocated from because an older one has the same addresses. (The numbers in its status
//! are written by allocation, together with its records.)
//!
//! Two concurrent creates can both pass admission, on two replicas or one: neither was in the other's
//! catalog. Here the whole cluster is looked at, and the younger pool of each pair gets a condition and an
//! Event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, ObjectMeta, Patch};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::conditions::{self, Wanted};
use super::configuration::shorten;
use super::error::fenced;
use super::supervise::timed;
use super::{ControllerError, Leader, patch_parameters};
use crate::api::{Condition, Kind};
use crate::rules::Overlap;
use crate::sources::{FEW, describe, each};

/// The condition's type.
const OVERLAP: &str = "Overlap";
/// Changes are looked at together: the check is over all pools.
const GATHER: Duration = Duration::from_millis(200);
/// Before what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Ranges that a message names.
const RANGES: usize = 8;

/// Pools whose status has the condition, or may have it, with what it says; none where that must be looked at. Nobody else
/// writes it, so pools are not watched: each address that is given would come with a whole pool.
type Marked = BTreeMap<String, Option<Said>>;

/// What the condition of a pool, as it was at a moment, says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    uid: String,
    generation: i64,
    message: Option<String>,
}

/// What is kept of a pool.
struct PoolStatus {
    metadata: ObjectMeta,
    conditions: Vec<Condition>,
}

/// Follows the catalog until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    leader.feed.synced().await;
    let pools = api(leader);
    let mut changes = leader.feed.changes.clone();
    let mut marked = marked(&pools).await?;
    loop {
        let complete = timed(&leader.metrics, "pools", reconcile(leader, &pools, &mut marked)).await?;
        let wait = if complete { Duration::MAX } else { AGAIN };
        // The sender lives as long as the catalog.
        let _ = timeout(wait, changes.changed()).await;
        sleep(GATHER).await;
        changes.mark_unchanged();
    }
}

fn api(leader: &Leader) -> Api<DynamicObject> {
    Api::all_with(leader.client.clone(), &Kind::IpPool.resource())
}

/// Pools that an earlier leader wrote the condition of.
async fn marked(pools: &Api<DynamicObject>) -> Result<Marked, ControllerError> {
    let mut marked = Marked::new();
    let listed = each(pools, FEW, |pool| {
        let name = pool.name_any();
        if PoolStatus::of(pool).overlap().is_some() {
            marked.insert(name, None);
        }
    });
    listed.await.map_err(|source| ControllerError::request("list pools", source))?;
    Ok(marked)
}

impl PoolStatus {
    fn of(pool: DynamicObject) -> Self {
        let conditions = serde_json::from_value(pool.data["status"]["conditions"].clone());
        Self { metadata: pool.metadata, conditions: conditions.unwrap_or_default() }
    }

    fn overlap(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == OVERLAP)
    }
}

/// Returns whether everything could be written.
async fn reconcile(
    leader: &Leader,
    pools: &Api<DynamicObject>,
    marked: &mut Marked,
) -> Result<bool, ControllerError> {
    let catalog = leader.feed.catalog.load_full();
    let found = messages(&catalog.peers.overlaps());
    let names: BTreeSet<String> = found.keys().chain(marked.keys()).cloned().collect();
    let (mut complete, mut failed) = (true, None);
    for name in names {
        let Some(pool) = catalog.peers.pool(&name) else {
            marked.remove(&name);
            continue;
        };
        let message = found.get(&name).cloned();
        let said = Said { uid: pool.uid.clone(), generation: pool.generation, message };
        if marked.get(&name).is_some_and(|known| known.as_ref() == Some(&said)) {
            continue;
        }
        match mark(leader, pools, &name, said.message.as_deref()).await {
            Ok(true) => drop(marked.insert(name, Some(said))),
            Ok(false) => complete = false,
            // The pools after it have their turn first.
            Err(error) => drop(failed.get_or_insert(error)),
        }
    }
    failed.map_or(Ok(complete), Err)
}

/// Sees to it that the condition of a pool says this. Returns whether it does.
async fn mark(
    leader: &Leader,
    pools: &Api<DynamicObject>,
    name: &str,
    message: Option<&str>,
) -> Result<bool, ControllerError> {
    let read = pools.get_opt(name).await.map_err(|source| ControllerError::request("read a pool", source))?;
    // One that is gone leaves the catalog.
    let Some(pool) = read.map(PoolStatus::of) else { return Ok(true) };
    let Some(conditions) = conditions_with(&pool, message, Timestamp::now()) else { return Ok(true) };
    let patch = json!({
        "metadata": { "resourceVersion": pool.metadata.resource_version },
        "status": { "conditions": conditions },
    });
    let patched = pools.patch_status(name, &patch_parameters(), &Patch::Merge(&patch)).await;
    let Some(patched) = fenced("write the status of a pool", patched)? else { return Ok(false) };
    if let Some(message) = message {
        warn!(pool = name, "{message}");
        tell(leader, &patched, message).await;
    }
    Ok(true)
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
    if let Err(error) = leader.recorder.publish(&event, &pool.object_ref(&Kind::IpPool.resource())).await {
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
