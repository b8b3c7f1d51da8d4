use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::pool::{Closed, Pool};
use crate::catalog::natural_cmp;
use crate::net::{Family, RangeSet};
use crate::rules::{Overlap, PoolFacts, Wildcard, suggest};

/// Place of a pool in [`Pools`]; pools are numbered in the natural order of their names.
pub(super) type PoolId = usize;

/// Patterns whose meaning is remembered. Networks name few; those of pods' annotations may be without end.
const REMEMBERED: usize = 1024;

/// Every pool, compiled and indexed: by name, by pattern, and the defaults by family.
#[derive(Debug, Default)]
pub struct Pools {
    /// In natural order of the names; a pool that cannot be read says why.
    in_order: Vec<(Arc<str>, Result<Pool, String>)>,
    by_name: HashMap<Arc<str>, PoolId>,
    /// In the order of bytes, so that names with a common beginning stand together.
    sorted: Vec<(Arc<str>, PoolId)>,
    defaults: [Vec<PoolId>; 2],
    /// What patterns mean, from when they are first asked for.
    meanings: RwLock<HashMap<String, Arc<[PoolId]>>>,
}

impl Pools {
    /// Compiles the pools of the cluster.
    ///
    /// Of two pools of `overlaps` the younger one is closed. `reserved` are addresses that no pool hands out;
    /// `network_namespace` completes names of networks in `multusName` that have no namespace.
    #[must_use]
    pub fn compile<'a>(
        facts: impl Iterator<Item = &'a Arc<PoolFacts>>,
        overlaps: &[Overlap],
        reserved: &RangeSet,
        network_namespace: &str,
    ) -> Self {
        let mut facts: Vec<&Arc<PoolFacts>> = facts.collect();
        facts.sort_by(|a, b| natural_cmp(&a.name, &b.name));
        let compile = |facts: &Arc<PoolFacts>| {
            (Arc::from(facts.name.as_str()), Pool::compile(facts, reserved, network_namespace))
        };
        let mut pools = Self { in_order: facts.into_iter().map(compile).collect(), ..Self::default() };
        pools.by_name = pools.in_order.iter().enumerate().map(|(id, (name, _))| (name.clone(), id)).collect();
        pools.sorted = pools.by_name.iter().map(|(name, id)| (name.clone(), *id)).collect();
        pools.sorted.sort_unstable();
        for overlap in overlaps {
            pools.close(&overlap.younger.name, &overlap.older.name);
        }
        for (id, (_, pool)) in pools.in_order.iter().enumerate() {
            if let Ok(pool) = pool
                && pool.default
            {
                pools.defaults[slot(pool.family())].push(id);
            }
        }
        pools
    }

    fn close(&mut self, younger: &str, older: &str) {
        if let Some(&id) = self.by_name.get(younger)
            && let Ok(pool) = &mut self.in_order[id].1
        {
            pool.closed.get_or_insert_with(|| Closed::Overlaps(older.to_owned()));
        }
    }

    /// The pool of this name; an error if it cannot be read.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Result<&Pool, &str>> {
        self.by_name.get(name).map(|id| self.at(*id))
    }

    /// All pools in natural order, each with its name.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Result<&Pool, &str>)> {
        self.in_order.iter().map(|(name, pool)| (&**name, pool.as_ref().map_err(String::as_str)))
    }

    /// Up to three names that look like `name`.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Vec<&str> {
        suggest::nearest_few(name, self.in_order.iter().map(|(name, _)| &**name), 3)
    }

    pub(super) fn at(&self, id: PoolId) -> Result<&Pool, &str> {
        self.in_order[id].1.as_ref().map_err(String::as_str)
    }

    pub(super) fn name(&self, id: PoolId) -> &Arc<str> {
        &self.in_order[id].0
    }

    pub(super) fn id(&self, name: &str) -> Option<PoolId> {
        self.by_name.get(name).copied()
    }

    /// Pools with `default: true`.
    pub(super) fn defaults(&self, family: Family) -> &[PoolId] {
        &self.defaults[slot(family)]
    }

    /// The pools that a reference means: the one of this name, or else those that match it as a pattern (`*`, `?`,
    /// `[..]`, as in Go's `filepath.Match`), with closer conditions first, and in natural order among equals. A
    /// malformed pattern means none.
    pub(super) fn meant_by(&self, reference: &str) -> Arc<[PoolId]> {
        if let Some(id) = self.id(reference) {
            return Arc::new([id]);
        }
        if !Wildcard::is_pattern(reference) {
            return Arc::default();
        }
        let known = self.meanings.read().unwrap_or_else(PoisonError::into_inner).get(reference).cloned();
        known.unwrap_or_else(|| {
            let meant: Arc<[PoolId]> = self.matching(reference).into();
            let mut meanings = self.meanings.write().unwrap_or_else(PoisonError::into_inner);
            if meanings.len() < REMEMBERED {
                meanings.insert(reference.to_owned(), meant.clone());
            }
            meant
        })
    }

    fn matching(&self, pattern: &str) -> Vec<PoolId> {
        let Some(wildcard) = Wildcard::parse(pattern) else { return Vec::new() };
        let beginning = pattern.split(['*', '?', '[', '\\']).next().unwrap_or_default();
        // Most patterns are a beginning and a star: then every name with the beginning matches.
        let any_end = pattern.strip_prefix(beginning) == Some("*");
        let from = self.sorted.partition_point(|(name, _)| &**name < beginning);
        let begun = self.sorted[from..].iter().take_while(|(name, _)| name.starts_with(beginning));
        let matching = begun.filter(|(name, _)| any_end || wildcard.matches(name));
        let mut ids: Vec<PoolId> = matching.map(|(_, id)| *id).collect();
        ids.sort_unstable_by_key(|id| (Reverse(self.rank(*id)), *id));
        ids
    }

    /// How closely a pool is meant for a pod: greater is tried first.
    pub(super) fn rank(&self, id: PoolId) -> u8 {
        self.at(id).map_or(0, |pool| pool.affinity.rank)
    }
}

fn slot(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}
