use std::collections::HashMap;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use kube::runtime::watcher::{self, Config, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::Backoff;

/// The objects of one kind as a watch tells them. While the watch lists, the old ones stay in force.
pub(crate) struct Mirror<V> {
    now: HashMap<String, V>,
    listing: Option<HashMap<String, V>>,
    listed: bool,
}

/// What an event changed: keys that are there with something new, what stood there before, and what is gone.
pub(crate) struct Change<V> {
    pub(crate) seen: Vec<String>,
    pub(crate) replaced: Vec<V>,
    pub(crate) gone: Vec<(String, V)>,
}

impl<V> Default for Mirror<V> {
    fn default() -> Self {
        Self { now: HashMap::new(), listing: None, listed: false }
    }
}

impl<V: Clone + PartialEq> Mirror<V> {
    /// Takes in one event of objects that are reduced to key and value.
    pub(crate) fn note(&mut self, event: Event<(String, V)>) -> Change<V> {
        let mut change = Change { seen: Vec::new(), replaced: Vec::new(), gone: Vec::new() };
        match event {
            Event::Init => self.listing = Some(HashMap::new()),
            Event::InitApply((key, value)) => {
                if let Some(listing) = &mut self.listing {
                    listing.insert(key.clone(), value.clone());
                }
                self.put(key, value, &mut change);
            }
            Event::InitDone => {
                let named = self.listing.take().unwrap_or_default();
                let missing: Vec<String> =
                    self.now.keys().filter(|key| !named.contains_key(*key)).cloned().collect();
                change.gone.extend(missing.iter().filter_map(|key| self.now.remove_entry(key)));
                self.listed = true;
            }
            Event::Apply((key, value)) => self.put(key, value, &mut change),
            Event::Delete((key, _)) => change.gone.extend(self.now.remove_entry(&key)),
        }
        change
    }

    fn put(&mut self, key: String, value: V, change: &mut Change<V>) {
        if self.now.get(&key) != Some(&value) {
            change.replaced.extend(self.now.insert(key.clone(), value));
            change.seen.push(key);
        }
    }

    /// Whether everything that was there when the watch began is known.
    pub(crate) fn listed(&self) -> bool {
        self.listed
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.now.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.now.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub(crate) fn all(&self) -> &HashMap<String, V> {
        &self.now
    }
}

/// A watch of one kind for a mirror, with each object reduced as it arrives.
pub(crate) fn follow<K, V, S>(
    api: Api<K>,
    config: Config,
    reduce: impl Fn(K) -> V + Send + Copy + 'static,
    seen: fn(Event<V>) -> S,
) -> BoxStream<'static, Result<S, watcher::Error>>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    V: Send + 'static,
    S: Send + 'static,
{
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    let reduced = move |event| match event {
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
        Event::InitApply(object) => Event::InitApply(reduce(object)),
        Event::Apply(object) => Event::Apply(reduce(object)),
        Event::Delete(object) => Event::Delete(reduce(object)),
    };
    watch(api, config).backoff(backoff).map_ok(move |event| seen(reduced(event))).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(key: &str, value: u32) -> Event<(String, u32)> {
        Event::Apply((key.to_owned(), value))
    }

    #[test]
    fn what_a_later_list_does_not_name_is_gone_when_the_list_is_complete() {
        let mut mirror = Mirror::default();
        mirror.note(Event::Init);
        mirror.note(Event::InitApply(("a".to_owned(), 1)));
        assert!(!mirror.listed());
        mirror.note(Event::InitDone);
        assert!(mirror.listed());
        assert_eq!(mirror.note(apply("b", 2)).seen, ["b"]);

        mirror.note(Event::Init);
        assert_eq!(mirror.note(Event::InitApply(("b".to_owned(), 2))).seen, Vec::<String>::new(), "no news");
        assert_eq!(mirror.get("a"), Some(&1), "the old ones stay while the list is under way");
        assert_eq!(mirror.note(Event::InitDone).gone, [("a".to_owned(), 1)]);
        assert_eq!(mirror.iter().collect::<Vec<_>>(), [("b", &2)]);
    }

    #[test]
    fn changes_and_deletions_are_told_once() {
        let mut mirror = Mirror::default();
        assert_eq!(mirror.note(apply("a", 1)).seen, ["a"]);
        assert_eq!(mirror.note(apply("a", 1)).seen, Vec::<String>::new());
        let change = mirror.note(apply("a", 2));
        assert_eq!((change.seen, change.replaced), (vec!["a".to_owned()], vec![1]));
        assert_eq!(mirror.note(Event::Delete(("a".to_owned(), 2))).gone, [("a".to_owned(), 2)]);
        assert_eq!(mirror.note(Event::Delete(("a".to_owned(), 2))).gone, []);
    }
}
