//! Objects of one kind, as a watch tells them.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::DynamicObject;
use kube::runtime::watcher::Event;

use super::observed::key_of;
use crate::catalog::ObjectKey;

/// What is kept of objects, by namespace and name.
pub(super) struct Table<T> {
    objects: BTreeMap<ObjectKey, (Option<u64>, T)>,
    /// What the list under way has named so far.
    named: Option<BTreeSet<ObjectKey>>,
    listed: bool,
}

/// An object that differs from before, and what was kept of it.
pub(super) type Change<T> = (ObjectKey, Option<T>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), named: None, listed: false }
    }
}

impl<T> Table<T> {
    pub(super) fn get(&self, key: &ObjectKey) -> Option<&T> {
        self.objects.get(key).map(|(_, kept)| kept)
    }

    /// Whether a list has been complete once.
    pub(super) fn is_listed(&self) -> bool {
        self.listed
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.objects.keys()
    }

    /// Takes in an event; returns what changed.
    pub(super) fn note(
        &mut self,
        event: Event<DynamicObject>,
        keep: impl FnOnce(DynamicObject) -> T,
    ) -> Vec<Change<T>> {
        match event {
            Event::Init => {
                self.named = Some(BTreeSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                self.named.get_or_insert_default().insert(key_of(&object));
                self.set(object, keep)
            }
            Event::Apply(object) => self.set(object, keep),
            Event::Delete(object) => {
                let key = key_of(&object);
                if self.is_old(&key, version(&object)) { Vec::new() } else { self.take(&key) }
            }
            Event::InitDone => {
                let named = self.named.take().unwrap_or_default();
                self.listed = true;
                self.retain(|key| named.contains(key))
            }
        }
    }

    /// The cluster has none of them.
    pub(super) fn clear(&mut self) -> Vec<Change<T>> {
        self.named = None;
        self.listed = true;
        self.retain(|_| false)
    }

    fn retain(&mut self, keep: impl Fn(&ObjectKey) -> bool) -> Vec<Change<T>> {
        let gone: Vec<ObjectKey> = self.objects.keys().filter(|key| !keep(key)).cloned().collect();
        gone.iter().flat_map(|key| self.take(key)).collect()
    }

    fn take(&mut self, key: &ObjectKey) -> Vec<Change<T>> {
        self.objects.remove(key).map(|(_, old)| (key.clone(), Some(old))).into_iter().collect()
    }

    fn set(&mut self, object: DynamicObject, keep: impl FnOnce(DynamicObject) -> T) -> Vec<Change<T>> {
        let (key, version) = (key_of(&object), version(&object));
        if self.is_old(&key, version) {
            return Vec::new();
        }
        let old = self.objects.insert(key.clone(), (version, keep(object)));
        vec![(key, old.map(|(_, old)| old))]
    }

    /// A watch lags behind our own writes; what it says of a time before them is no news.
    fn is_old(&self, key: &ObjectKey, version: Option<u64>) -> bool {
        let held = self.objects.get(key).and_then(|(held, _)| *held);
        matches!((version, held), (Some(new), Some(held)) if new <= held)
    }
}

/// Versions of one kind can be compared (KEP-5504).
fn version(object: &DynamicObject) -> Option<u64> {
    object.metadata.resource_version.as_ref()?.parse().ok()
}
