use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::record::{AddressKey, Record};
use crate::net::{Address, Intervals};

/// The records of one pool: `status.allocatedIPs`, a JSON object as text, in the order of the addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    records: BTreeMap<Address, Record>,
    in_use: Intervals,
    bytes: usize,
}

/// A text that is no list of records. Nothing may be written over it: it says which addresses pods have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to read status.allocatedIPs of pool {pool}: {reason}; nothing is allocated from it until that is \
     repaired with: kubectl edit spiderippool {pool} --subresource=status"
)]
pub struct LedgerError {
    /// Name of the pool.
    pub pool: String,
    /// What is wrong, and at which line and column of the text.
    pub reason: String,
}

impl Ledger {
    /// Reads the records of the pool of this name; a pool that never had any has no text.
    pub fn parse(pool: &str, text: Option<&str>) -> Result<Self, LedgerError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Self::default()) };
        let ledger: Result<Option<Self>, _> = serde_json::from_str(text);
        let failure =
            |error: serde_json::Error| LedgerError { pool: pool.to_owned(), reason: error.to_string() };
        Ok(ledger.map_err(failure)?.unwrap_or_default())
    }

    /// The text to store; none without records, because a pool is only let go once the field is absent.
    pub fn write(&self) -> Result<Option<String>, serde_json::Error> {
        if self.records.is_empty() { Ok(None) } else { serde_json::to_string(self).map(Some) }
    }

    /// The record of an address.
    #[must_use]
    pub fn get(&self, address: Address) -> Option<&Record> {
        self.records.get(&address)
    }

    /// All records, in the order of the addresses.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Address, &Record)> {
        self.records.iter().map(|(address, record)| (*address, record))
    }

    /// How many records there are: `status.allocatedIPCount`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The most bytes that the records take inside the stored object.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The addresses that have a record.
    #[must_use]
    pub fn in_use(&self) -> &Intervals {
        &self.in_use
    }

    /// Writes the record of an address; returns the one that it replaces.
    pub fn set(&mut self, address: Address, record: Record) -> Option<Record> {
        self.bytes += record.size(address.family());
        let replaced = self.records.insert(address, record);
        match &replaced {
            Some(replaced) => self.bytes -= replaced.size(address.family()),
            None => {
                self.in_use.insert(address);
            }
        }
        replaced
    }

    /// Takes the record of an address out.
    pub fn remove(&mut self, address: Address) -> Option<Record> {
        let removed = self.records.remove(&address)?;
        self.in_use.remove(address);
        self.bytes -= removed.size(address.family());
        Some(removed)
    }
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.records.iter().map(|(address, record)| (AddressKey(*address), record)))
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Records;
        impl<'de> Visitor<'de> for Records {
            type Value = Ledger;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of addresses and records")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ledger, A::Error> {
                let mut ledger = Ledger::default();
                while let Some((AddressKey(address), record)) = map.next_entry()? {
                    if ledger.set(address, record).is_some() {
                        return Err(serde::de::Error::custom(format!("{address} has two records")));
                    }
                }
                Ok(ledger)
            }
        }
        deserializer.deserialize_map(Records)
    }
}
