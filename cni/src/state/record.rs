use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{State, StateError, files};
use crate::spec::CniError;

/// Whose a device is, and how it was before: JSON in `/run/railweave/cni/<plugin>/<device>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record<Before> {
    /// Whose it is.
    pub owner: Owner,
    /// `0000:86:00.2`, or the name of an auxiliary device.
    pub device: String,
    /// Whether the ADD has ended well. What an ADD left that was killed may be taken by any other.
    pub attached: bool,
    /// What is to be restored, as the plugin needs it.
    pub before: Before,
}

/// An attachment: one interface of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the network.
    pub network: String,
    /// `CNI_CONTAINERID`
    pub container: String,
    /// `CNI_IFNAME`
    pub interface: String,
    /// Where the device is; none where that is not known.
    pub netns: Option<Netns>,
}

/// A network namespace as it can be found again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Netns {
    /// `CNI_NETNS`
    pub path: PathBuf,
    /// Its number: a path may come to mean another namespace. None where it is not known.
    pub number: Option<u64>,
}

impl Owner {
    /// Whether this is the attachment.
    #[must_use]
    pub fn is(&self, container: &str, interface: &str) -> bool {
        self.container == container && self.interface == interface
    }

    /// For messages: `net1 of container 4f0c...`.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{} of container {}", self.interface, self.container)
    }
}

/// The records of a plugin.
#[derive(Clone, Debug)]
pub struct Records<Before> {
    folder: PathBuf,
    before: PhantomData<Before>,
}

impl State {
    /// The records of a plugin, whose name is that of their folder.
    #[must_use]
    pub fn records<Before: Serialize + DeserializeOwned>(&self, plugin: &str) -> Records<Before> {
        Records { folder: self.path("run/railweave/cni").join(plugin), before: PhantomData }
    }
}

impl<Before: Serialize + DeserializeOwned> Records<Before> {
    /// The record of a device.
    pub fn of_device(&self, device: &str) -> Result<Option<Record<Before>>, StateError> {
        read(&self.folder.join(device))
    }

    /// The record of an attachment. It is looked for at `device` first, which the configuration of most DELs names.
    pub fn of_attachment(
        &self,
        container: &str,
        interface: &str,
        device: Option<&str>,
    ) -> Result<Option<Record<Before>>, StateError> {
        if let Some(device) = device
            && let Some(record) = readable(self.of_device(device))
            && record.owner.is(container, interface)
        {
            return Ok(Some(record));
        }
        Ok(self.all()?.into_iter().find(|record| record.owner.is(container, interface)))
    }

    /// Every record. One that cannot be read is told and passed over: it is in the way of its own device alone.
    pub fn all(&self) -> Result<Vec<Record<Before>>, StateError> {
        let mut records = Vec::new();
        for name in files::names(&self.folder)? {
            records.extend(readable(self.of_device(&name)));
        }
        Ok(records)
    }

    /// Whether a device has a record, even one that cannot be read.
    pub fn has(&self, device: &str) -> Result<bool, StateError> {
        Ok(files::read(&self.folder.join(device))?.is_some())
    }

    /// Writes the record of a device, in place of the one that it has.
    pub fn write(&self, record: &Record<Before>) -> Result<(), StateError> {
        let path = self.folder.join(&record.device);
        let bytes = serde_json::to_vec(record)
            .map_err(|source| StateError::Content { path: path.clone(), source })?;
        files::write(&path, &bytes)
    }

    /// Removes the record of a device, if it has one.
    pub fn remove(&self, device: &str) -> Result<(), StateError> {
        files::remove(&self.folder.join(device)).map(|_| ())
    }
}

/// What cannot be read is told, and as good as absent: no pod is kept by it.
pub(super) fn readable<T>(read: Result<Option<T>, StateError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        log::warn!("{}", CniError::of(CniError::IO, &error).msg);
        None
    })
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let content = |source| StateError::Content { path: path.to_owned(), source };
    files::read(path)?.map(|bytes| serde_json::from_slice(&bytes).map_err(content)).transpose()
}
