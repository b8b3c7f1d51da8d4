//! Everything that the watches have told, and whose work each piece of news concerns.

use std::collections::BTreeSet;

use kube::api::DynamicObject;
use kube::runtime::watcher::Event;

use super::observed::{Definition, Network};
use super::table::{Change, Table};
use crate::catalog::ObjectKey;

/// Networks and definitions.
#[derive(Default)]
pub(super) struct Known {
    pub(super) networks: Table<Network>,
    pub(super) definitions: Table<Definition>,
    /// Definition and network that claims it.
    claims: BTreeSet<(ObjectKey, ObjectKey)>,
    /// Network and definition that belongs to it.
    held: BTreeSet<(ObjectKey, ObjectKey)>,
    /// Whether the cluster does not know the kind of definitions.
    absent: bool,
}

impl Known {
    /// Whether both kinds have been listed; before that, what is missing may only not be known yet.
    pub(super) fn is_complete(&self) -> bool {
        self.networks.is_listed() && self.definitions.is_listed()
    }

    /// Whether the cluster does not know the kind of definitions.
    pub(super) fn lacks_definitions(&self) -> bool {
        self.absent
    }

    /// Takes in news of a network; returns the networks whose work may be another one now.
    pub(super) fn note_network(&mut self, event: Event<DynamicObject>) -> BTreeSet<ObjectKey> {
        let mut affected = BTreeSet::new();
        for (key, old) in self.networks.note(event, Network::of) {
            let new = self.networks.get(&key);
            for claim in old.iter().chain(new).map(|network| &network.claim) {
                affected.extend(second_of(&self.claims, claim).cloned());
            }
            for network in old.iter().filter(|network| !network.terminating) {
                self.claims.remove(&(network.claim.clone(), key.clone()));
            }
            for network in new.iter().filter(|network| !network.terminating) {
                self.claims.insert((network.claim.clone(), key.clone()));
            }
            affected.insert(key);
        }
        affected
    }

    /// Takes in news of a definition; returns the networks whose work may be another one now.
    pub(super) fn note_definition(&mut self, event: Event<DynamicObject>) -> BTreeSet<ObjectKey> {
        let mut affected = BTreeSet::new();
        if matches!(event, Event::InitDone) && std::mem::take(&mut self.absent) {
            affected.extend(self.networks.keys().cloned());
        }
        let changes = self.definitions.note(event, Definition::of);
        self.follow(changes, &mut affected);
        affected
    }

    /// The cluster does not know the kind.
    pub(super) fn note_no_definitions(&mut self) -> BTreeSet<ObjectKey> {
        let mut affected = BTreeSet::new();
        if !self.absent {
            self.absent = true;
            affected.extend(self.networks.keys().cloned());
        }
        let changes = self.definitions.clear();
        self.follow(changes, &mut affected);
        affected
    }

    fn follow(&mut self, changes: Vec<Change<Definition>>, affected: &mut BTreeSet<ObjectKey>) {
        for (key, old) in changes {
            let new = self.definitions.get(&key);
            let [old, new] =
                [old.as_ref(), new].map(|definition| definition.and_then(|it| it.network.clone()));
            affected.extend(second_of(&self.claims, &key).cloned());
            if let Some(network) = old {
                self.held.remove(&(network.clone(), key.clone()));
                affected.insert(network);
            }
            if let Some(network) = new {
                self.held.insert((network.clone(), key.clone()));
                affected.insert(network);
            }
        }
    }

    /// The networks that claim a definition, but for those that are being deleted.
    pub(super) fn claimants(&self, definition: &ObjectKey) -> impl Iterator<Item = (&ObjectKey, &Network)> {
        second_of(&self.claims, definition).filter_map(|key| Some((key, self.networks.get(key)?)))
    }

    /// The definitions that belong to a network.
    pub(super) fn held_by(&self, network: &ObjectKey) -> impl Iterator<Item = (&ObjectKey, &Definition)> {
        second_of(&self.held, network).filter_map(|key| Some((key, self.definitions.get(key)?)))
    }
}

/// The second halves of all pairs with this first half.
fn second_of<'a>(
    pairs: &'a BTreeSet<(ObjectKey, ObjectKey)>,
    first: &ObjectKey,
) -> impl Iterator<Item = &'a ObjectKey> + use<'a> {
    let first = first.clone();
    let from = (first.clone(), ObjectKey::default());
    pairs.range(from..).take_while(move |(key, _)| *key == first).map(|(_, second)| second)
}
