use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::agent::FIELD_MANAGER;
use crate::api::{RailNode, RailNodeSpec};
use crate::sources::{Backoff, describe};

/// Between two writes: at first hardly any, more and more if somebody else keeps writing, or the API server refuses.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error("failed to read Node {node}")]
    Node {
        node: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("failed to write RailNode {node}")]
    Write {
        node: String,
        #[source]
        source: Box<kube::Error>,
    },
}

/// The `RailNode` as the API server has it.
enum Stored {
    /// Nobody said yet.
    Unknown,
    Absent,
    Present(Box<RailNode>),
}

/// Writes whenever the API server has something else than what is known of the node.
pub(super) async fn keep(client: Client, node: &str, mut facts: watch::Receiver<Option<Arc<RailNodeSpec>>>) {
    let api: Api<RailNode> = Api::all(client.clone());
    let nodes: Api<PartialObjectMeta<Node>> = Api::all(client);
    let watch = watcher::watch_object(api.clone(), node).backoff(Backoff::new(FIRST_WAIT, LONGEST_WAIT));
    let mut watch = pin!(watch);
    let (mut stored, mut watch_failed) = (Stored::Unknown, false);
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut not_before = Instant::now();
    loop {
        let wanted = facts.borrow_and_update().clone();
        let differs = wanted.filter(|wanted| differs(&stored, node, wanted));
        tokio::select! {
            _ = facts.changed() => {}
            Some(event) = watch.next() => match event {
                Ok(object) => {
                    watch_failed = false;
                    stored = object.map_or(Stored::Absent, |object| Stored::Present(Box::new(object)));
                }
                Err(error) if !watch_failed => {
                    watch_failed = true;
                    warn!("failed to watch RailNode {node}: {}", describe(&error));
                }
                Err(_) => {}
            },
            () = sleep_until(not_before), if differs.is_some() => {
                let Some(wanted) = differs else { continue };
                if not_before.elapsed() > 2 * LONGEST_WAIT {
                    backoff.reset();
                }
                match write(&api, &nodes, node, &wanted).await {
                    Ok(object) => {
                        info!(node, "published the node's facts");
                        stored = Stored::Present(Box::new(object));
                    }
                    Err(error) => warn!("{}", describe(&error)),
                }
                not_before = Instant::now() + backoff.wait();
            }
        }
    }
}

/// Whether the stored object has to be written. The UID in its reference to the `Node` is not looked at: when that
/// changes, the API server's garbage collector takes the object away, which is seen.
fn differs(stored: &Stored, node: &str, wanted: &RailNodeSpec) -> bool {
    match stored {
        Stored::Unknown => false,
        Stored::Absent => true,
        Stored::Present(object) => {
            let owners = object.metadata.owner_references.iter().flatten();
            let owned = owners.into_iter().any(|owner| owner.kind == "Node" && owner.name == node);
            !owned || object.spec != *wanted
        }
    }
}

async fn write(
    api: &Api<RailNode>,
    nodes: &Api<PartialObjectMeta<Node>>,
    node: &str,
    spec: &RailNodeSpec,
) -> Result<RailNode, PublishError> {
    let owner = nodes.get(node).await;
    let owner =
        owner.map_err(|source| PublishError::Node { node: node.to_owned(), source: Box::new(source) })?;
    let mut object = RailNode::new(node, spec.clone());
    object.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: node.to_owned(),
        uid: owner.metadata.uid.unwrap_or_default(),
        ..OwnerReference::default()
    }]);
    let written = api.patch(node, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&object)).await;
    written.map_err(|source| PublishError::Write { node: node.to_owned(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(spec: &RailNodeSpec, owner: Option<(&str, &str)>) -> Stored {
        let mut object = RailNode::new("node-1", spec.clone());
        object.metadata.owner_references = owner.map(|(kind, name)| {
            vec![OwnerReference { kind: kind.into(), name: name.into(), ..OwnerReference::default() }]
        });
        Stored::Present(Box::new(object))
    }

    #[test]
    fn it_is_written_only_when_the_api_server_has_something_else() {
        let wanted = RailNodeSpec { interfaces: vec!["eno3np2".into()], ..RailNodeSpec::default() };
        let node = Some(("Node", "node-1"));
        let differs = |stored: &Stored| differs(stored, "node-1", &wanted);
        assert!(!differs(&Stored::Unknown), "it may be right already");
        assert!(differs(&Stored::Absent));
        assert!(!differs(&stored(&wanted, node)));
        assert!(differs(&stored(&RailNodeSpec::default(), node)));
        assert!(differs(&stored(&wanted, None)));
        assert!(differs(&stored(&wanted, Some(("Node", "node-2")))));
    }
}
