use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{State, StateError, files};
use crate::sysfs::PciAddress;

/// How long an ADD or DEL waits for another one on the same device.
const PATIENCE: Duration = Duration::from_mins(1);

/// The right to work on something, until it is dropped or the process ends, however it ends (`flock`).
#[derive(Debug)]
#[must_use = "it is released when it is dropped"]
pub struct Lock {
    _file: File,
}

impl State {
    /// The lock of a virtual function, which is the one that `sriov` in Go takes: during an upgrade both may run.
    pub fn lock_function(&self, function: PciAddress) -> Result<Lock, StateError> {
        self.take(format!("var/lib/cni/sriov/pci/vf_lock/{function}.lock"), PATIENCE)
    }

    /// The lock of a device that is no PCI function.
    pub fn lock_device(&self, device: &str) -> Result<Lock, StateError> {
        self.take(format!("run/railweave/cni/locks/{device}"), PATIENCE)
    }

    /// The lock of the node for what gives RDMA devices new numbers: they are those that are free at the moment, so two at
    /// once exchange theirs. It is the one of `ib-sriov` in Go.
    pub fn lock_rdma(&self) -> Result<Lock, StateError> {
        self.take("run/cni/ib-sriov/cni.lock".to_owned(), PATIENCE)
    }

    pub(super) fn take(&self, file: String, patience: Duration) -> Result<Lock, StateError> {
        let path = self.path(file);
        // Never removed: a process that waits would get the lock of a file that the next one does not see.
        let file = files::open(&path, OpenOptions::new().write(true).create(true))
            .map_err(|source| files::failed("lock", &path, source))?;
        wait(&file, &path, patience)?;
        Ok(Lock { _file: file })
    }
}

/// There is no `flock` with a timeout.
fn wait(file: &File, path: &Path, patience: Duration) -> Result<(), StateError> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(source)) => return Err(files::failed("lock", path, source)),
            Err(TryLockError::WouldBlock) if started.elapsed() >= patience => {
                return Err(StateError::Locked { path: path.to_owned(), seconds: patience.as_secs() });
            }
            Err(TryLockError::WouldBlock) => sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
