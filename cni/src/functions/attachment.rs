//! A device and the attachment that has it: from the claim of an ADD to the way home, the same for every plugin that moves
//! one.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Left, Whereabouts};
use crate::kernel::{Kernel, KernelError, Place};
use crate::spec::{Call, CniError};
use crate::state::caches::Cache;
use crate::state::{Lock, Netns, Owner, Record, Records, State, StateError};

/// What the plugins work on.
pub struct Node<'k> {
    /// What is kept.
    pub state: State,
    /// The kernel.
    pub kernel: &'k mut dyn Kernel,
}

/// What a plugin notes of a device before it changes it, and how it brings that back.
pub trait Before: Serialize + DeserializeOwned {
    /// Name of the plugin, and of the folder of its records.
    const PLUGIN: &'static str;
    /// The cache of the plugin in Go.
    type Cache: Cache;

    /// What the cache of a pod made by the plugin in Go says.
    fn of_cache(cache: &Self::Cache) -> Self;

    /// Brings the device back. It may be in any state between before and after the ADD.
    fn restore(&self, kernel: &mut dyn Kernel, site: &Site<'_>, left: &mut Left) -> Whereabouts;

    /// The namespace of the pod that has the device by the word of the plugin in Go, where that keeps it by device.
    fn holder(_state: &State, _device: &str) -> Result<Option<PathBuf>, StateError> {
        Ok(None)
    }

    /// Does what else is due when the device is home: the word of the plugin in Go goes, and others are told.
    fn settle(_state: &State, _kernel: &mut dyn Kernel, _device: &str) -> Result<(), CniError> {
        Ok(())
    }

    /// Held while the device moves, where moves of several disturb each other.
    fn lock_moves(&self, _state: &State, _device: &str) -> Result<Option<Lock>, StateError> {
        Ok(None)
    }
}

/// Where a device is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// PCI address, or name of an auxiliary device.
    pub device: &'a str,
    /// The pod's namespace, while there is one.
    pub pod: Option<Place>,
    /// Name of the interface in the pod.
    pub interface: &'a str,
}

/// How it went to bring a device back.
#[derive(Debug)]
enum Homecoming {
    /// Everything is as it was, and nothing is kept of it.
    Done,
    /// Something is not. The record stays for the next DEL, GC or ADD.
    Kept(CniError),
    /// It is in the pod still.
    Held(CniError),
}

impl From<StateError> for CniError {
    fn from(error: StateError) -> Self {
        let code = if matches!(error, StateError::Locked { .. }) { Self::TRY_AGAIN } else { Self::IO };
        Self::of(code, &error)
    }
}

impl Node<'_> {
    /// Opens the namespace that an ADD is for.
    pub fn open_pod(&mut self, call: &Call) -> Result<(Place, Owner), CniError> {
        let path = call.netns.clone().unwrap_or_default();
        let Some((pod, number)) = self.kernel.open(&path)? else {
            return Err(CniError::new(
                CniError::ENVIRONMENT,
                format!("there is no network namespace at {}, the CNI_NETNS of this ADD", path.display()),
            ));
        };
        let netns = Some(Netns { path, number: Some(number) });
        Ok((pod, Owner { netns, ..owner_of(call) }))
    }

    /// The lock of a device.
    pub fn lock(&self, device: &str) -> Result<Lock, CniError> {
        Ok(match device.parse() {
            Ok(function) => self.state.lock_function(function)?,
            Err(_) => self.state.lock_device(device)?,
        })
    }

    /// Makes sure that a device is free for this attachment: what an earlier one left is brought back first. The lock is
    /// held.
    pub fn claim<B: Before>(&mut self, device: &str, owner: &Owner) -> Result<(), CniError> {
        let Some(record) = self.records::<B>().of_device(device)? else {
            return self.claim_from_go::<B>(device, owner);
        };
        let mine = record.owner.is(&owner.container, &owner.interface);
        if record.attached && !mine && self.namespace_of(&record.owner)?.is_some() {
            return Err(taken(device, &record.owner.describe()));
        }
        log::info!("device {device} comes back from {} first", record.owner.describe());
        match self.bring_back(record) {
            Homecoming::Done => Ok(()),
            Homecoming::Kept(error) | Homecoming::Held(error) => Err(error),
        }
    }

    /// Likewise where the plugin in Go had it last.
    fn claim_from_go<B: Before>(&mut self, device: &str, owner: &Owner) -> Result<(), CniError> {
        let Some(holder) = B::holder(&self.state, device)? else { return Ok(()) };
        let mine = owner.netns.as_ref().is_some_and(|netns| netns.path == holder);
        if !mine && self.kernel.open(&holder)?.is_some() {
            return Err(taken(device, &format!("the pod with network namespace {}", holder.display())));
        }
        let caches = self.state.caches::<B::Cache>()?;
        if let Some((file, cache)) =
            caches.into_iter().find(|(_, cache)| cache.device() == device && !cache.is_ours())
        {
            self.bring_back_from_go::<B>(&file, &cache, None)?;
        }
        B::settle(&self.state, self.kernel, device)
    }

    /// Ends an ADD: its record says so where it was carried out, and it is undone where it was not.
    pub fn finish<B: Before, T>(
        &mut self,
        mut record: Record<B>,
        carried_out: Result<T, CniError>,
    ) -> Result<T, CniError> {
        let settled = carried_out.and_then(|answer| {
            record.attached = true;
            self.records().write(&record)?;
            Ok(answer)
        });
        settled.map_err(|error| self.undo(record, error))
    }

    /// Undoes an ADD that failed with this error.
    fn undo<B: Before>(&mut self, record: Record<B>, mut error: CniError) -> CniError {
        if let Homecoming::Kept(left) | Homecoming::Held(left) = self.bring_back(record) {
            let separator = if error.details.is_empty() { "" } else { "; " };
            error.details = format!("{}{separator}{}", error.details, left.msg);
        }
        error
    }

    /// Detaches what this call's attachment has. Only a device that its pod would not let go makes this fail: trying again
    /// helps then. What cannot be brought back otherwise must not hold the pod, so its record waits for the next DEL, GC,
    /// or ADD, which is refused until it can be.
    pub fn detach<B: Before>(&mut self, call: &Call) -> Result<(), CniError> {
        match self.recorded::<B>(call)? {
            Some(record) => self.detach_recorded(&record),
            None => self.detach_from_go::<B>(&owner_of(call), call),
        }
    }

    /// The record of this call's attachment.
    fn recorded<B: Before>(&self, call: &Call) -> Result<Option<Record<B>>, StateError> {
        let hint = call.config.get("deviceID").and_then(|device| device.as_str());
        let hint =
            hint.filter(|device| !device.is_empty() && !device.contains('/') && !device.starts_with('.'));
        self.records().of_attachment(&call.container_id, &call.ifname, hint)
    }

    /// The same, or where there is none what the cache of the plugin in Go says. For CHECK.
    pub fn known<B: Before>(&self, call: &Call) -> Result<Option<Record<B>>, CniError> {
        let (recorded, owner) = (self.recorded(call)?, owner_of(call));
        Ok(recorded.or_else(|| {
            let cache = self.state.cache::<B::Cache>(&owner)?;
            let (device, before) = (cache.device().to_owned(), B::of_cache(&cache));
            Some(Record { owner, device, attached: true, before })
        }))
    }

    fn detach_recorded<B: Before>(&mut self, found: &Record<B>) -> Result<(), CniError> {
        let _lock = self.lock(&found.device)?;
        // Another process may have been at it while this one waited.
        let Some(record) = self.records::<B>().of_device(&found.device)? else { return Ok(()) };
        if !record.owner.is(&found.owner.container, &found.owner.interface) {
            return Ok(());
        }
        settle(self.bring_back(record))
    }

    fn detach_from_go<B: Before>(&mut self, owner: &Owner, call: &Call) -> Result<(), CniError> {
        let file = B::Cache::file_name(owner);
        let Some(cache) = self.state.cache::<B::Cache>(owner) else {
            // One that cannot be read says nothing to anybody.
            return Ok(self.state.remove_cache_file::<B::Cache>(&file)?);
        };
        let netns = call.netns.clone().map(|path| Netns { path, number: None });
        self.release_from_go::<B>(&file, &cache, netns)
    }

    /// Detaches what no valid attachment of the network has, going on where one fails.
    pub fn collect<B: Before>(&mut self, call: &Call) -> Result<(), CniError> {
        let valid = call.valid_attachments()?;
        let mut failed = Vec::new();
        for record in self.records::<B>().all()? {
            let owner = &record.owner;
            let is_valid = valid.iter().any(|valid| owner.is(&valid.container_id, &valid.ifname));
            if owner.network == call.network() && !is_valid {
                failed.extend(self.detach_recorded(&record).err());
            }
        }
        let valid_files: Vec<String> = valid
            .into_iter()
            .map(|valid| Owner { container: valid.container_id, interface: valid.ifname, ..owner_of(call) })
            .map(|owner| B::Cache::file_name(&owner))
            .collect();
        for (file, cache) in self.state.caches::<B::Cache>()? {
            if is_of_network(&file, &cache, call.network()) && !valid_files.contains(&file) {
                failed.extend(self.release_from_go::<B>(&file, &cache, None).err());
            }
        }
        match failed.len() {
            0 => Ok(()),
            _ => Err(CniError::new(
                CniError::TRY_AGAIN,
                failed.iter().map(|error| error.msg.as_str()).collect::<Vec<_>>().join("; "),
            )),
        }
    }

    /// Detaches a pod that the plugin in Go made, unless the device is another's by now.
    fn release_from_go<B: Before>(
        &mut self,
        file: &str,
        cache: &B::Cache,
        netns: Option<Netns>,
    ) -> Result<(), CniError> {
        // Its record is gone, so there is nothing to bring back.
        if cache.is_ours() || cache.device().is_empty() {
            return Ok(self.state.remove_cache_file::<B::Cache>(file)?);
        }
        let device = cache.device().to_owned();
        let _lock = self.lock(&device)?;
        let holder = B::holder(&self.state, &device)?;
        let of_another = match (&holder, &netns) {
            (Some(holder), Some(netns)) => *holder != netns.path,
            _ => false,
        };
        if of_another || self.records::<B>().has(&device)? {
            log::info!("device {device} has another owner by now");
            return Ok(self.state.remove_cache_file::<B::Cache>(file)?);
        }
        let netns = netns.or_else(|| holder.map(|path| Netns { path, number: None }));
        self.bring_back_from_go::<B>(file, cache, netns)?;
        B::settle(&self.state, self.kernel, &device)
    }

    fn bring_back_from_go<B: Before>(
        &mut self,
        file: &str,
        cache: &B::Cache,
        netns: Option<Netns>,
    ) -> Result<(), CniError> {
        let record = Record {
            // Whatever the file is called: it is removed by its name.
            owner: Owner {
                netns,
                network: cache.network().unwrap_or_default().to_owned(),
                ..Owner::default()
            },
            device: cache.device().to_owned(),
            attached: true,
            before: B::of_cache(cache),
        };
        let (whereabouts, left) = self.restore(&record)?;
        if whereabouts == Whereabouts::Home && left.is_nothing() {
            return Ok(self.state.remove_cache_file::<B::Cache>(file)?);
        }
        let error = left.error(&record.device);
        if whereabouts == Whereabouts::Held {
            return Err(error);
        }
        log::error!("{}", error.msg);
        Ok(())
    }

    fn bring_back<B: Before>(&mut self, mut record: Record<B>) -> Homecoming {
        let (whereabouts, left) = match self.restore(&record) {
            Ok(done) => done,
            Err(error) => return Homecoming::Kept(error),
        };
        if whereabouts == Whereabouts::Home && left.is_nothing() {
            return match self.forget(&record) {
                Ok(()) => Homecoming::Done,
                Err(error) => Homecoming::Kept(error),
            };
        }
        // Whoever needs it next may try, without asking whether the pod lives.
        record.attached = false;
        if let Err(error) = self.records().write(&record) {
            log::error!("{error}");
        }
        let error = left.error(&record.device);
        if whereabouts == Whereabouts::Held { Homecoming::Held(error) } else { Homecoming::Kept(error) }
    }

    fn restore<B: Before>(&mut self, record: &Record<B>) -> Result<(Whereabouts, Left), CniError> {
        let pod = self.namespace_of(&record.owner)?;
        let site = Site { device: &record.device, pod, interface: &record.owner.interface };
        let mut left = Left::default();
        let _lock = record.before.lock_moves(&self.state, &record.device)?;
        let whereabouts = record.before.restore(self.kernel, &site, &mut left);
        Ok((whereabouts, left))
    }

    /// The record goes last: until then, all of this can be done again.
    fn forget<B: Before>(&mut self, record: &Record<B>) -> Result<(), CniError> {
        self.state.remove_cache::<B::Cache>(&record.owner)?;
        B::settle(&self.state, self.kernel, &record.device)?;
        Ok(self.records::<B>().remove(&record.device)?)
    }

    /// The records of a plugin.
    #[must_use]
    pub fn records<B: Before>(&self) -> Records<B> {
        self.state.records(B::PLUGIN)
    }

    /// An owner's namespace, if it is the one that it was.
    fn namespace_of(&mut self, owner: &Owner) -> Result<Option<Place>, KernelError> {
        let Some(netns) = &owner.netns else { return Ok(None) };
        let opened = self.kernel.open(&netns.path)?;
        Ok(opened.filter(|(_, number)| netns.number.is_none_or(|known| known == *number)).map(|(pod, _)| pod))
    }
}

fn settle(homecoming: Homecoming) -> Result<(), CniError> {
    match homecoming {
        Homecoming::Done => Ok(()),
        Homecoming::Held(error) => Err(error),
        Homecoming::Kept(error) => {
            log::error!("{}", error.msg);
            Ok(())
        }
    }
}

/// A cache that does not tell its network has it in the name of its file, before container and interface. The network may
/// hold a `-` as well, but what follows it must have the form of the other two.
fn is_of_network<C: Cache>(file: &str, cache: &C, network: &str) -> bool {
    if let Some(found) = cache.network() {
        return found == network;
    }
    let rest = file.strip_prefix(network).and_then(|rest| rest.strip_prefix('-'));
    rest.and_then(|rest| rest.split_once('-')).is_some_and(|(_, interface)| interface.len() < 16)
}

/// The attachment of a call, without its namespace.
fn owner_of(call: &Call) -> Owner {
    Owner {
        network: call.network().to_owned(),
        container: call.container_id.clone(),
        interface: call.ifname.clone(),
        netns: None,
    }
}

fn taken(device: &str, by: &str) -> CniError {
    CniError::new(
        CniError::TRY_AGAIN,
        format!(
            "device {device} is still attached as {by}; it is free when that is deleted. If it is gone, see \
             docs/troubleshooting.md, \"device is still attached\""
        ),
    )
}
