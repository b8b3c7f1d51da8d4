use super::intent::{Attachment, Intent, NodeView, Owner};
use super::pool::{Closed, PodAffinity, Pool};
use crate::net::Family;
use crate::reason::Reason;

/// Why a pool does not serve one interface of one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// No pool has the name, or matches the pattern.
    Unknown,
    /// The pool, or the records in its status, cannot be read.
    Unreadable,
    Terminating,
    Disabled,
    Overlaps,
    Family,
    Node,
    Namespace,
    Pod,
    Network,
    /// Its subnet holds no address of the physical function.
    Master,
    /// Every address is in use.
    Exhausted,
    /// It has as many records as one object may hold.
    Full,
}

impl Refusal {
    /// The code that people see.
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Unknown => Reason::PoolUnknown,
            Self::Unreadable => Reason::PoolUnreadable,
            Self::Terminating => Reason::PoolTerminating,
            Self::Disabled => Reason::PoolDisabled,
            Self::Overlaps => Reason::PoolOverlaps,
            Self::Family => Reason::PoolOtherFamily,
            Self::Node => Reason::PoolOtherNode,
            Self::Namespace => Reason::PoolOtherNamespace,
            Self::Pod => Reason::PoolOtherPod,
            Self::Network => Reason::PoolOtherNetwork,
            Self::Master => Reason::PoolOtherSubnet,
            Self::Exhausted => Reason::PoolExhausted,
            Self::Full => Reason::PoolFull,
        }
    }
}

/// The first condition that the pool does not fulfil for this interface; none if it may be drawn from. The
/// addresses of the physical function are asked for elsewhere.
pub(super) fn refusal(
    pool: &Pool,
    family: Family,
    intent: &Intent,
    attachment: &Attachment,
) -> Option<Refusal> {
    if let Some(closed) = &pool.closed {
        return Some(match closed {
            Closed::Terminating => Refusal::Terminating,
            Closed::Disabled => Refusal::Disabled,
            Closed::Overlaps(_) => Refusal::Overlaps,
        });
    }
    if pool.family() != family {
        return Some(Refusal::Family);
    }
    if pool.affinity.rank == 0 {
        return None;
    }
    if !pool.serves_node(&intent.node) {
        return Some(Refusal::Node);
    }
    if !serves_namespace(pool, intent) {
        return Some(Refusal::Namespace);
    }
    if !serves_pod(pool, intent) {
        return Some(Refusal::Pod);
    }
    (!serves_network(pool, attachment)).then_some(Refusal::Network)
}

impl Pool {
    /// Whether pods of the node may have addresses of the pool: `nodeName`, or else `nodeAffinity`.
    #[must_use]
    pub fn serves_node(&self, node: &NodeView) -> bool {
        match (&self.affinity.nodes, &self.affinity.node) {
            (Some(names), _) => names.contains(&node.name),
            (None, Some(selector)) => selector.matches(|key| node.labels.get(key).map(String::as_str)),
            (None, None) => true,
        }
    }
}

fn serves_namespace(pool: &Pool, intent: &Intent) -> bool {
    match (&pool.affinity.namespaces, &pool.affinity.namespace) {
        (Some(names), _) => names.contains(&intent.namespace.name),
        (None, Some(selector)) => selector.matches(|key| intent.namespace.labels.get(key)),
        (None, None) => true,
    }
}

fn serves_pod(pool: &Pool, intent: &Intent) -> bool {
    match &pool.affinity.pod {
        None => true,
        Some(PodAffinity::Labels(selector)) => {
            selector.matches(|key| intent.labels.get(key).map(String::as_str))
        }
        Some(PodAffinity::Application(labels)) => labels.iter().all(|(key, value)| {
            let owner = intent.owner.as_ref();
            application(key, owner, &intent.namespace.name).is_some_and(|fact| fact == value)
        }),
    }
}

/// What a key of an application's affinity asks for.
fn application<'a>(key: &str, owner: Option<&'a Owner>, namespace: &'a str) -> Option<&'a str> {
    let owner = owner?;
    // The core group has no name: `v1`.
    let (group, version) = owner.api_version.split_once('/').unwrap_or(("", &owner.api_version));
    match key.strip_prefix("ipam.spidernet.io/app-")? {
        "api-group" => Some(group),
        "api-version" => Some(version),
        "kind" => Some(&owner.kind),
        "namespace" => Some(namespace),
        "name" => Some(&owner.name),
        _ => None,
    }
}

fn serves_network(pool: &Pool, attachment: &Attachment) -> bool {
    pool.affinity.networks.as_ref().is_none_or(|names| {
        let network = &attachment.network;
        names.iter().any(|name| name.split_once('/') == Some((&network.namespace, &network.name)))
    })
}

/// What a refusal means for this pool and pod, for people.
pub(super) fn explain(refusal: Refusal, pool: &Pool, intent: &Intent, attachment: &Attachment) -> String {
    let affinity = &pool.affinity;
    let either = |names: &Option<Vec<String>>, list: &str, selector: &str, what: &str| match names {
        Some(names) => format!("{list} is {}, not {what}", few(names)),
        None => format!("its {selector} does not select {what}"),
    };
    match refusal {
        Refusal::Unknown => "there is no such pool".to_owned(),
        Refusal::Unreadable => "it cannot be read".to_owned(),
        Refusal::Terminating => "it is being deleted".to_owned(),
        Refusal::Disabled => "it is disabled; set disable: false to use it".to_owned(),
        Refusal::Overlaps => match &pool.closed {
            Some(Closed::Overlaps(older)) => format!("it overlaps the older pool {older}"),
            _ => "it overlaps an older pool".to_owned(),
        },
        Refusal::Family => format!("it is {}", pool.family()),
        Refusal::Node => {
            either(&affinity.nodes, "nodeName", "nodeAffinity", &format!("node {}", intent.node.name))
        }
        Refusal::Namespace => {
            let namespace = format!("namespace {}", intent.namespace.name);
            either(&affinity.namespaces, "namespaceName", "namespaceAffinity", &namespace)
        }
        Refusal::Pod => "its podAffinity does not select the pod".to_owned(),
        Refusal::Network => {
            either(&affinity.networks, "multusName", "multusName", &attachment.network.to_string())
        }
        Refusal::Master => {
            format!("subnet {} holds no address of the interface's physical function", pool.subnet)
        }
        Refusal::Exhausted => format!("all of its {} addresses are in use", pool.allocatable.count()),
        Refusal::Full => "it has as many records as one object may hold".to_owned(),
    }
}

/// The first names of a list, and how many more there are.
pub(super) fn few(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
