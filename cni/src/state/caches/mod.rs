//! The caches of `sriov`, `ib-sriov` and `rdma` in Go, one file for each attachment below `/var/lib/cni`.
//!
//! Their DEL reads nothing else, and without a cache it does nothing. A cache of ours is what theirs would be, with the key
//! `railweave` besides: what is to be restored stands in our record, and where there is none, nothing is.

mod ib_sriov;
mod rdma;
mod sriov;

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{read, readable};
use super::{Owner, State, StateError, files};
use crate::sysfs::PciAddress;

pub use ib_sriov::IbSriovCache;
pub use rdma::RdmaCache;
pub use sriov::{OriginalState, SriovCache};

/// A cache that one of those plugins reads.
pub trait Cache: Serialize + DeserializeOwned {
    /// Its folder below `/var/lib/cni`.
    const FOLDER: &'static str;

    /// The device that it is of.
    fn device(&self) -> &str;

    /// Name of the network, where the cache tells.
    fn network(&self) -> Option<&str>;

    /// Whether it is ours.
    fn is_ours(&self) -> bool;

    /// Name of the file of an attachment.
    #[must_use]
    fn file_name(owner: &Owner) -> String {
        format!("{}-{}", owner.container, owner.interface)
    }
}

/// Says that a cache is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ours {
    /// Absent in those of the plugins in Go, which pass it over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub railweave: bool,
}

impl State {
    /// The cache of an attachment; none of one that cannot be read: the plugins in Go write theirs in place, so one that
    /// was being written when the machine stopped is cut off.
    #[must_use]
    pub fn cache<C: Cache>(&self, owner: &Owner) -> Option<C> {
        readable(read(&self.cache_path::<C>(&C::file_name(owner))))
    }

    /// All caches with the names of their files. Those that cannot be read are told and passed over.
    pub fn caches<C: Cache>(&self) -> Result<Vec<(String, C)>, StateError> {
        let mut caches = Vec::new();
        for name in files::names(&self.path("var/lib/cni").join(C::FOLDER))? {
            let cache = readable(read(&self.cache_path::<C>(&name)));
            caches.extend(cache.map(|cache| (name, cache)));
        }
        Ok(caches)
    }

    /// Writes the cache of an attachment over the keys of `config`, in which those plugins find what they did.
    pub fn write_cache<C: Cache>(&self, owner: &Owner, cache: &C, config: &Value) -> Result<(), StateError> {
        let path = self.cache_path::<C>(&C::file_name(owner));
        let content = |source| StateError::Content { path: path.clone(), source };
        let mut merged = config.as_object().cloned().unwrap_or_default();
        merged.remove("prevResult");
        if let Value::Object(own) = serde_json::to_value(cache).map_err(content)? {
            merged.extend(own);
        }
        files::write(&path, &serde_json::to_vec(&merged).map_err(content)?)
    }

    /// Removes the cache of an attachment, if it has one.
    pub fn remove_cache<C: Cache>(&self, owner: &Owner) -> Result<(), StateError> {
        self.remove_cache_file::<C>(&C::file_name(owner))
    }

    /// Removes a cache by the name of its file.
    pub fn remove_cache_file<C: Cache>(&self, name: &str) -> Result<(), StateError> {
        files::remove(&self.cache_path::<C>(name)).map(|_| ())
    }

    /// `CNI_NETNS` of the pod that has a function, as `sriov` in Go keeps it.
    pub fn allocation(&self, function: PciAddress) -> Result<Option<PathBuf>, StateError> {
        let bytes = files::read(&self.allocation_path(function))?;
        Ok(bytes.map(|bytes| PathBuf::from(String::from_utf8_lossy(&bytes).trim_end())))
    }

    /// Writes that a function is a pod's.
    pub fn write_allocation(&self, function: PciAddress, netns: &str) -> Result<(), StateError> {
        files::write(&self.allocation_path(function), netns.as_bytes())
    }

    /// Removes what says whose a function is.
    pub fn remove_allocation(&self, function: PciAddress) -> Result<(), StateError> {
        files::remove(&self.allocation_path(function)).map(|_| ())
    }

    fn allocation_path(&self, function: PciAddress) -> PathBuf {
        self.path(format!("var/lib/cni/sriov/pci/{function}"))
    }

    fn cache_path<C: Cache>(&self, name: &str) -> PathBuf {
        self.path("var/lib/cni").join(C::FOLDER).join(name)
    }
}
