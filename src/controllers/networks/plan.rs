//! What is to be done for one network: a function of what is known.

use super::known::Known;
use super::observed::{Definition, Network};
use super::verdict::Verdict;
use crate::api::Condition;
use crate::catalog::ObjectKey;
use crate::controllers::conditions::{self, Wanted};
use crate::render;
use k8s_openapi::jiff::Timestamp;

/// The condition's type.
pub(super) const RENDERED: &str = "Rendered";

/// Steps in their order. The definition comes before the removal of what it replaces, so that there is always one.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The network.
    pub(super) key: ObjectKey,
    /// The definition to write.
    pub(super) apply: Option<Apply>,
    /// The definitions to delete.
    pub(super) remove: Vec<Removal>,
    /// Whether they are deleted only because the network is gone, which is to be proven.
    pub(super) gone: bool,
    /// What to say on the network, if that is there.
    pub(super) report: Option<Report>,
}

/// A definition to write.
#[derive(Debug)]
pub(super) struct Apply {
    pub(super) definition: render::Definition,
    /// `resourceVersion` of the one that is there.
    pub(super) over: Option<String>,
}

/// A definition to delete, as it was seen.
#[derive(Debug, PartialEq)]
pub(super) struct Removal {
    pub(super) key: ObjectKey,
    pub(super) uid: String,
    pub(super) resource_version: String,
}

/// What to say on a network.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) claim: ObjectKey,
    pub(super) verdict: Verdict,
    generation: Option<i64>,
    /// Whether a definition of this network is there.
    held: bool,
    before: Vec<Condition>,
    reported: Option<String>,
}

/// A status that differs from the stored one.
pub(super) struct NewStatus {
    pub(super) definition: Option<String>,
    pub(super) conditions: Vec<Condition>,
    /// Whether people should be told.
    pub(super) news: bool,
}

impl Known {
    /// What is to be done for a network.
    pub(super) fn plan(&self, key: &ObjectKey) -> Plan {
        let nothing = Plan { key: key.clone(), ..Plan::default() };
        let Some(network) = self.networks.get(key) else {
            return Plan { remove: self.removals(key, None), gone: true, ..nothing };
        };
        // Its finalizers decide what is left behind: `--cascade=orphan` keeps definitions.
        if network.terminating {
            return nothing;
        }
        let claim = &network.claim;
        let held = self.definitions.get(claim).filter(|it| it.belongs_to(key));
        let report = |verdict, held| Some(Report::of(network, verdict, held));
        if self.lacks_definitions() {
            return Plan { report: report(Verdict::no_kind(), false), ..nothing };
        }
        if let Some(older) = self.older_claimant(key, network) {
            let remove = self.removals(key, None);
            return Plan { remove, report: report(Verdict::name_taken(claim, older), false), ..nothing };
        }
        if let Some(foreign) = self.definitions.get(claim).filter(|_| held.is_none()) {
            return Plan { report: report(Verdict::foreign(claim, &foreign.holder()), false), ..nothing };
        }
        // The watch tells when it is gone, or released.
        if held.is_some_and(|definition| definition.terminating) {
            return nothing;
        }
        match &network.rendered {
            Err(error) => Plan { report: report(Verdict::invalid(error), held.is_some()), ..nothing },
            Ok(rendered) => Plan {
                apply: apply(&rendered.definition, held),
                remove: self.removals(key, Some(claim)),
                report: report(Verdict::rendered(claim, rendered.complaints.as_ref()), true),
                ..nothing
            },
        }
    }

    /// The oldest network with the same claim, if it is another one.
    fn older_claimant(&self, key: &ObjectKey, network: &Network) -> Option<&ObjectKey> {
        let claimants = self.claimants(&network.claim).map(|(key, network)| (&network.created, key));
        claimants.min().map(|(_, first)| first).filter(|first| *first != key)
    }

    /// Our definitions of a network but for one.
    fn removals(&self, key: &ObjectKey, but: Option<&ObjectKey>) -> Vec<Removal> {
        self.held_by(key)
            .filter(|(name, definition)| {
                Some(*name) != but && definition.is_managed() && !definition.terminating
            })
            .map(|(name, definition)| Removal {
                key: name.clone(),
                uid: definition.uid.clone(),
                resource_version: definition.resource_version.clone(),
            })
            .collect()
    }
}

fn apply(wanted: &render::Definition, held: Option<&Definition>) -> Option<Apply> {
    if held.is_some_and(|definition| definition.is_current(wanted)) {
        return None;
    }
    let over = held.map(|definition| definition.resource_version.clone());
    Some(Apply { definition: wanted.clone(), over })
}

impl Plan {
    /// Whether there is anything to do.
    pub(super) fn is_needed(&self) -> bool {
        let news = self.report.as_ref().is_some_and(|report| report.status(Timestamp::UNIX_EPOCH).is_some());
        self.apply.is_some() || !self.remove.is_empty() || news
    }
}

impl Report {
    fn of(network: &Network, verdict: Verdict, held: bool) -> Self {
        Self {
            uid: network.uid.clone(),
            resource_version: network.resource_version.clone(),
            claim: network.claim.clone(),
            generation: network.generation,
            held,
            before: network.conditions.clone(),
            reported: network.reported.clone(),
            verdict,
        }
    }

    /// The same about a definition that the API server does not take.
    pub(super) fn refused(self, error: &str, held: bool) -> Self {
        Self { verdict: Verdict::refused(&self.claim, error), held, ..self }
    }

    /// Whether the network was rendered as it is before.
    pub(super) fn is_old_news(&self) -> bool {
        let old = self.before.iter().find(|condition| condition.type_ == RENDERED);
        old.is_some_and(|old| old.status == "True" && old.observed_generation == self.generation)
    }

    /// The status as it should be; none when it is.
    pub(super) fn status(&self, now: Timestamp) -> Option<NewStatus> {
        let Verdict { rendered, reason, message } = &self.verdict;
        let wanted =
            Wanted { type_: RENDERED, status: *rendered, reason, message, generation: self.generation };
        let definition = self.held.then(|| self.claim.name.clone());
        let conditions = conditions::with(&self.before, &wanted, now);
        if conditions.is_none() && definition == self.reported {
            return None;
        }
        let old = self.before.iter().find(|condition| condition.type_ == RENDERED);
        let news = old.is_none_or(|old| old.reason != *reason || old.message != *message);
        Some(NewStatus { definition, conditions: conditions.unwrap_or_else(|| self.before.clone()), news })
    }
}
