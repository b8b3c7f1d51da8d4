use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::allocator::{EndpointFacts, PodFacts};
use crate::api::settings::Settings;
use crate::api::{RailNodeSpec, SpiderCoordinator};
use crate::sources::Mirror;

/// What the watches have told, for everybody who answers.
pub(super) struct View {
    seen: Mutex<Seen>,
    changes: watch::Sender<()>,
}

/// The objects of this node, and the configuration.
#[derive(Default)]
pub(super) struct Seen {
    /// By `namespace/name`.
    pub(super) pods: Mirror<PodFacts>,
    /// By `namespace/name`; endpoints that other programs wrote have no label and are not among them.
    pub(super) endpoints: Mirror<EndpointFacts>,
    pub(super) rail_node: Mirror<Arc<RailNodeSpec>>,
    pub(super) coordinator: Mirror<Arc<SpiderCoordinator>>,
    /// The text of its key; none when it has no such key.
    pub(super) config: Mirror<Option<String>>,
    pub(super) settings: Arc<Settings>,
}

impl Default for View {
    fn default() -> Self {
        Self { seen: Mutex::default(), changes: watch::Sender::new(()) }
    }
}

impl View {
    /// Reads something; what is read must be cheap to take out.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Seen) -> T) -> T {
        read(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in something, and wakes those that wait for it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let result = change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_replace(());
        result
    }

    /// Changes with everything that is taken in.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        self.read(|seen| seen.settings.clone())
    }

    /// What this node's ports are, as published.
    pub(super) fn rail_node(&self) -> Option<Arc<RailNodeSpec>> {
        self.read(|seen| seen.rail_node.iter().next().map(|(_, spec)| spec.clone()))
    }
}

impl Seen {
    /// Kinds that have not been listed yet, of those without which no request can be answered.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let kinds = [
            ("pods of this node", self.pods.listed()),
            ("SpiderEndpoints of this node", self.endpoints.listed()),
            ("SpiderCoordinator", self.coordinator.listed()),
            ("ConfigMap", self.config.listed()),
        ];
        kinds.into_iter().filter(|(_, listed)| !listed).map(|(kind, _)| kind).collect()
    }
}
