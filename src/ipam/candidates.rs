use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::failure::RailFailure;
use super::intent::{Attachment, Intent};
use super::pools::{PoolId, Pools};
use super::selector::Labels;
use crate::api::keys;
use crate::net::Family;
use crate::reason::Reason;

/// The pools that one interface may draw from, before anyone asked whether they fit the pod.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    pub(super) source: Source,
    pub(super) clean_gateway: bool,
    pub(super) v4: Option<Rc<Choice>>,
    pub(super) v6: Option<Rc<Choice>>,
}

impl Candidates {
    pub(super) fn of(&self, family: Family) -> Option<&Rc<Choice>> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }
}

/// Pools of one family in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// Pools with closer conditions first, then as the user listed them; those of a pattern in natural order.
    pub(super) pools: Arc<[PoolId]>,
    /// References that mean no pool.
    pub(super) unknown: Vec<String>,
}

/// Who named the pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    PodPools,
    PodPool,
    Namespace,
    Network,
    Defaults,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PodPools => write!(f, "the pod's annotation {}", keys::POD_POOLS),
            Self::PodPool => write!(f, "the pod's annotation {}", keys::POD_POOL),
            Self::Namespace => f.write_str("the namespace's default pools"),
            Self::Network => f.write_str("the network"),
            Self::Defaults => f.write_str("the cluster's default pools"),
        }
    }
}

/// Which families are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// `enableIPv4`
    pub v4: bool,
    /// `enableIPv6`
    pub v6: bool,
}

/// Finds candidates; remembers what lists of names mean, because the pods of a batch share them.
pub(super) struct Finder<'a> {
    pools: &'a Pools,
    families: Families,
    known: HashMap<Vec<String>, Rc<Choice>>,
    defaults: HashMap<Family, Rc<Choice>>,
}

/// An item of `ipam.spidernet.io/ippools`, or the whole of `ipam.spidernet.io/ippool`.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    interface: String,
    #[serde(default)]
    ipv4: Vec<String>,
    #[serde(default)]
    ipv6: Vec<String>,
    #[serde(default)]
    cleangateway: bool,
}

impl<'a> Finder<'a> {
    pub(super) fn new(pools: &'a Pools, families: Families) -> Self {
        Self { pools, families, known: HashMap::new(), defaults: HashMap::new() }
    }

    /// The candidates of each attachment, in their order. The first rule that names pools wins: the pod's
    /// annotations, the namespace's, the network, the cluster's default pools.
    pub(super) fn candidates(&mut self, intent: &Intent) -> Result<Vec<Candidates>, Vec<RailFailure>> {
        if let Some(key) = [keys::POD_SUBNETS, keys::POD_SUBNET]
            .into_iter()
            .find(|key| intent.annotations.contains_key(*key))
        {
            let detail = format!(
                "annotation {key}: pools made from subnets are not supported; name pools in {} instead",
                keys::POD_POOLS
            );
            return Err(vec![RailFailure::whole(Reason::UnusablePoolNames, detail)]);
        }
        if let Some(items) = annotation::<Vec<Named>>(&intent.annotations, keys::POD_POOLS)? {
            return self.of_items(&items, intent);
        }
        if let Some(named) = annotation::<Named>(&intent.annotations, keys::POD_POOL)? {
            let of = |finder: &mut Self, attachment: &Attachment| {
                finder.named(&named, Source::PodPool, attachment, attachment.clean_gateway)
            };
            return collect(intent.attachments.iter().map(|attachment| of(self, attachment)));
        }
        let namespace = &intent.namespace.annotations;
        let v4 = annotation::<Vec<String>>(namespace, keys::NAMESPACE_POOLS_V4)?.unwrap_or_default();
        let v6 = annotation::<Vec<String>>(namespace, keys::NAMESPACE_POOLS_V6)?.unwrap_or_default();
        collect(intent.attachments.iter().map(|attachment| {
            let clean = attachment.clean_gateway;
            if !v4.is_empty() || !v6.is_empty() {
                self.listed(&v4, &v6, Source::Namespace, attachment, clean)
            } else if !attachment.ipv4.is_empty() || !attachment.ipv6.is_empty() {
                self.listed(&attachment.ipv4, &attachment.ipv6, Source::Network, attachment, clean)
            } else {
                self.default_pools(attachment)
            }
        }))
    }

    /// Items with interfaces go by those; items without go to the interfaces one after the other.
    fn of_items(&mut self, items: &[Named], intent: &Intent) -> Result<Vec<Candidates>, Vec<RailFailure>> {
        match_items(items, &intent.attachments).map_err(|detail| {
            let detail = format!("annotation {}: {detail}", keys::POD_POOLS);
            vec![RailFailure::whole(Reason::UnusablePoolNames, detail)]
        })?;
        let by_name = items.iter().any(|item| !item.interface.is_empty());
        let item = |index: usize, attachment: &Attachment| {
            let mut items = items.iter();
            if by_name {
                items.find(|item| *item.interface == *attachment.interface)
            } else {
                items.nth(index)
            }
        };
        collect(intent.attachments.iter().enumerate().map(|(index, attachment)| {
            let Some(item) = item(index, attachment) else {
                let detail = format!("annotation {} has no item for it", keys::POD_POOLS);
                return Err(RailFailure::of(attachment, Reason::UnusablePoolNames, detail));
            };
            self.named(item, Source::PodPools, attachment, item.cleangateway)
        }))
    }

    fn named(
        &mut self,
        named: &Named,
        source: Source,
        attachment: &Attachment,
        clean_gateway: bool,
    ) -> Result<Candidates, RailFailure> {
        if named.ipv4.is_empty() && named.ipv6.is_empty() {
            let detail = format!("{source} names no pool for it; list pools under ipv4 or ipv6");
            return Err(RailFailure::of(attachment, Reason::UnusablePoolNames, detail));
        }
        self.listed(&named.ipv4, &named.ipv6, source, attachment, clean_gateway)
    }

    fn listed(
        &mut self,
        v4: &[String],
        v6: &[String],
        source: Source,
        attachment: &Attachment,
        clean_gateway: bool,
    ) -> Result<Candidates, RailFailure> {
        let v4 = (self.families.v4 && !v4.is_empty()).then(|| self.choice(v4));
        let v6 = (self.families.v6 && !v6.is_empty()).then(|| self.choice(v6));
        self.some(Candidates { source, clean_gateway, v4, v6 }, attachment)
    }

    fn default_pools(&mut self, attachment: &Attachment) -> Result<Candidates, RailFailure> {
        let v4 = self.families.v4.then(|| self.default_choice(Family::V4)).flatten();
        let v6 = self.families.v6.then(|| self.default_choice(Family::V6)).flatten();
        let candidates =
            Candidates { source: Source::Defaults, clean_gateway: attachment.clean_gateway, v4, v6 };
        self.some(candidates, attachment)
    }

    fn some(&self, candidates: Candidates, attachment: &Attachment) -> Result<Candidates, RailFailure> {
        if candidates.v4.is_some() || candidates.v6.is_some() {
            return Ok(candidates);
        }
        let detail = if candidates.source == Source::Defaults {
            "names no pools, and no pool is a default of the cluster; name pools in the network's ippools, or set \
             default: true on a pool"
                .to_owned()
        } else {
            let off = if self.families.v4 { "IPv6" } else { "IPv4" };
            format!("{} names only {off} pools, and that family is turned off", candidates.source)
        };
        Err(RailFailure::of(attachment, Reason::NoPool, detail))
    }

    fn choice(&mut self, names: &[String]) -> Rc<Choice> {
        if let Some(choice) = self.known.get(names) {
            return choice.clone();
        }
        let meant: Vec<Arc<[PoolId]>> = names.iter().map(|name| self.pools.meant_by(name)).collect();
        let unknown = names.iter().zip(&meant).filter(|(_, pools)| pools.is_empty());
        let unknown = unknown.map(|(name, _)| name.clone()).collect();
        let pools = match &meant[..] {
            [pools] => pools.clone(),
            several => {
                // A pool that is named twice counts where it is named first.
                let mut seen = HashSet::new();
                let all = several.iter().flat_map(|pools| pools.iter().copied());
                self.in_order(all.filter(|id| seen.insert(*id)).collect())
            }
        };
        let choice = Rc::new(Choice { pools, unknown });
        self.known.insert(names.to_vec(), choice.clone());
        choice
    }

    fn default_choice(&mut self, family: Family) -> Option<Rc<Choice>> {
        let pools = self.pools.defaults(family);
        if pools.is_empty() {
            return None;
        }
        if let Some(choice) = self.defaults.get(&family) {
            return Some(choice.clone());
        }
        let choice = Rc::new(Choice { pools: self.in_order(pools.to_vec()), unknown: Vec::new() });
        self.defaults.insert(family, choice.clone());
        Some(choice)
    }

    /// Closer conditions first; the sort is stable, so the user's order stays among equals.
    fn in_order(&self, mut pools: Vec<PoolId>) -> Arc<[PoolId]> {
        pools.sort_by_key(|id| Reverse(self.pools.rank(*id)));
        pools.into()
    }
}

/// What is wrong with the items as a whole.
fn match_items(items: &[Named], attachments: &[Attachment]) -> Result<(), String> {
    let named = items.iter().filter(|item| !item.interface.is_empty()).count();
    if items.is_empty() {
        return Err("the list is empty".to_owned());
    }
    if named != 0 && named != items.len() {
        return Err("some items name an interface and some do not; name all or none".to_owned());
    }
    if named == 0 && items.len() > attachments.len() {
        let (have, want) = (attachments.len(), items.len());
        return Err(format!("has {want} items, but the pod has {have} interfaces with addresses of ours"));
    }
    let mut seen = HashSet::new();
    for item in items.iter().filter(|item| !item.interface.is_empty()) {
        if !seen.insert(&item.interface) {
            return Err(format!("names interface {} twice", item.interface));
        }
        if !attachments.iter().any(|attachment| *attachment.interface == *item.interface) {
            let have: Vec<&str> = attachments.iter().map(|attachment| &*attachment.interface).collect();
            return Err(format!(
                "names interface {}, which has no addresses of ours; those that have: {}",
                item.interface,
                have.join(", ")
            ));
        }
    }
    Ok(())
}

/// All candidates, or every failure.
fn collect(
    found: impl Iterator<Item = Result<Candidates, RailFailure>>,
) -> Result<Vec<Candidates>, Vec<RailFailure>> {
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(candidates) => all.push(candidates),
            Err(failure) => failures.push(failure),
        }
    }
    if failures.is_empty() { Ok(all) } else { Err(failures) }
}

/// The value of an annotation that holds JSON; blank is absent.
fn annotation<T: DeserializeOwned>(annotations: &Labels, key: &str) -> Result<Option<T>, Vec<RailFailure>> {
    let Some(text) = annotations.get(key).filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| {
        let detail = format!("annotation {key} cannot be read: {error}");
        vec![RailFailure::whole(Reason::UnusablePoolNames, detail)]
    })
}
