use std::collections::HashMap;
use std::sync::Arc;

use super::ledger::{Ledger, LedgerError};
use super::record::Record;
use crate::net::Address;

/// The ledgers of all pools, with an index of who holds what.
#[derive(Clone, Debug, Default)]
pub struct Ledgers {
    pools: HashMap<Arc<str>, Result<Ledger, LedgerError>>,
    pods: HashMap<Arc<str>, Vec<Held>>,
    uids: HashMap<Arc<str>, Vec<Held>>,
}

/// One address of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// Name of the pool that has the record.
    pub pool: Arc<str>,
    /// The address.
    pub address: Address,
}

impl Ledgers {
    /// Takes in what a pool's status says now. Records that cannot be read keep the pool from being used.
    pub fn insert(&mut self, pool: &str, ledger: Result<Ledger, LedgerError>) {
        self.remove(pool);
        let pool: Arc<str> = pool.into();
        for (address, record) in ledger.iter().flat_map(Ledger::iter) {
            index(&mut self.pods, &record.pod, &pool, address);
            index(&mut self.uids, &record.pod_uid, &pool, address);
        }
        self.pools.insert(pool, ledger);
    }

    /// Writes one record into a ledger that can be read; a pool without a ledger gets one.
    pub fn set(&mut self, pool: &str, address: Address, record: Record) {
        self.release(pool, address);
        let name: Arc<str> =
            self.pools.get_key_value(pool).map_or_else(|| pool.into(), |(name, _)| name.clone());
        let ledger = self.pools.entry(name.clone()).or_insert_with(|| Ok(Ledger::default()));
        if let Ok(ledger) = ledger {
            index(&mut self.pods, &record.pod, &name, address);
            index(&mut self.uids, &record.pod_uid, &name, address);
            ledger.set(address, record);
        }
    }

    /// Takes one record out of a ledger.
    pub fn release(&mut self, pool: &str, address: Address) -> Option<Record> {
        let removed = self.pools.get_mut(pool)?.as_mut().ok()?.remove(address)?;
        unindex(&mut self.pods, &removed.pod, pool, address);
        unindex(&mut self.uids, &removed.pod_uid, pool, address);
        Some(removed)
    }

    /// Forgets a pool.
    pub fn remove(&mut self, pool: &str) {
        let Some(Ok(ledger)) = self.pools.remove(pool) else { return };
        for (address, record) in ledger.iter() {
            unindex(&mut self.pods, &record.pod, pool, address);
            unindex(&mut self.uids, &record.pod_uid, pool, address);
        }
    }

    /// The ledger of a pool; none for a pool that was never inserted, which has no records.
    #[must_use]
    pub fn get(&self, pool: &str) -> Option<&Result<Ledger, LedgerError>> {
        self.pools.get(pool)
    }

    /// All ledgers, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Result<Ledger, LedgerError>)> {
        self.pools.iter().map(|(pool, ledger)| (&**pool, ledger))
    }

    /// The addresses recorded for `namespace/name`, whatever the pod's UID was; in no order.
    #[must_use]
    pub fn of_pod(&self, pod: &str) -> &[Held] {
        self.pods.get(pod).map(Vec::as_slice).unwrap_or_default()
    }

    /// The addresses recorded for a pod's UID, in no order.
    #[must_use]
    pub fn of_uid(&self, uid: &str) -> &[Held] {
        self.uids.get(uid).map(Vec::as_slice).unwrap_or_default()
    }

    /// The record behind an address.
    #[must_use]
    pub fn record(&self, held: &Held) -> Option<&Record> {
        self.pools.get(&held.pool)?.as_ref().ok()?.get(held.address)
    }
}

fn index(map: &mut HashMap<Arc<str>, Vec<Held>>, key: &Arc<str>, pool: &Arc<str>, address: Address) {
    // What a person wrote without a pod or UID belongs to nobody.
    if !key.is_empty() {
        map.entry(key.clone()).or_default().push(Held { pool: pool.clone(), address });
    }
}

fn unindex(map: &mut HashMap<Arc<str>, Vec<Held>>, key: &Arc<str>, pool: &str, address: Address) {
    if let Some(held) = map.get_mut(key) {
        held.retain(|held| held.address != address || *held.pool != *pool);
        if held.is_empty() {
            map.remove(key);
        }
    }
}
