use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::allocator::{Books, Edit};
use crate::cli::failure::Failure;
use crate::cli::scene::Place;
use crate::controllers::FIELD_MANAGER;
use crate::ipam::audit::{Finding, Repair, audit};
use crate::telemetry::metrics::Metrics;

/// Between the two reads that must agree: longer than a pod is recorded before its endpoint is written.
const BETWEEN_READS: Duration = Duration::from_secs(2);

/// What became of the findings.
pub(super) struct Mended {
    /// What is in order now.
    pub(super) fixed: Vec<Finding>,
    /// What is left.
    pub(super) left: Vec<Finding>,
}

/// Reads the cluster a second time and mends what both reads prove.
pub(super) async fn mend(place: &Place, first: Vec<Finding>) -> Result<Mended, Failure> {
    tokio::time::sleep(BETWEEN_READS).await;
    let client = place.connect().await?;
    let scene = place.read_live(&client).await?;
    let (proven, mut left): (Vec<Finding>, Vec<Finding>) = scene
        .observed(audit)
        .into_iter()
        .partition(|finding| finding.repair.is_some() && first.contains(finding));
    let mut edits: BTreeMap<Arc<str>, Vec<Edit>> = BTreeMap::new();
    for finding in &proven {
        edits.entry(finding.pool.as_str().into()).or_default().extend(finding.repair.as_ref().map(edit));
    }
    let mut books = Books::new(client, FIELD_MANAGER, Metrics::new()?);
    for pool in scene.pool_objects {
        books.observe(&serde_json::from_value(pool)?);
    }
    let written = books.write(&edits).await.pools;
    let (fixed, failed): (Vec<Finding>, Vec<Finding>) =
        proven.into_iter().partition(|finding| written.contains(finding.pool.as_str()));
    left.extend(
        failed.into_iter().map(|finding| Finding {
            next: "the pool was written by somebody else meanwhile, or cannot be written; run this again"
                .to_owned(),
            ..finding
        }),
    );
    Ok(Mended { fixed, left })
}

fn edit(repair: &Repair) -> Edit {
    match repair {
        Repair::Release(address, uid) => Edit::Release(*address, uid.clone()),
        Repair::Record(address, record) => Edit::Set(*address, record.clone()),
    }
}
