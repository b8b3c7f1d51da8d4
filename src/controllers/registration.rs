//! Keeps what the API server is told in step with the configuration: applies, reads back, repairs.
//!
//! The rendered objects hold every field, so any difference to the stored ones is drift, whoever made it.
//! Server-side apply brings back what others changed or removed; what others added in fields that apply does
//! not own is replaced.

use std::time::Duration;

use futures::stream::{BoxStream, select_all};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::certificates::Published;
use super::error::fenced;
use super::supervise::timed;
use super::{ControllerError, FIELD_MANAGER, Leader};
use crate::admission::registration::{
    Endpoint, FINAL_STATE_VERSION, FinalState, Registration, Rendered, Trust,
};
use crate::catalog::Catalog;
use crate::sources::{Backoff, describe};

/// Several triggers at once are one reconciliation.
const GATHER: Duration = Duration::from_millis(20);

/// API servers learn of webhooks and of policies by separate watches. The policy is put in force when the
/// webhooks it relies on surely are.
const SETTLE: Duration = Duration::from_secs(1);

/// An announced configuration is in force sooner than this.
const ANNOUNCED: Duration = Duration::from_secs(2);

/// What the registration needs to know besides the configuration.
#[derive(Clone)]
pub struct Registrar {
    /// Where the API server reaches the webhooks.
    pub endpoint: Endpoint,
    /// Who keeps `caBundle`; none as long as that is not known.
    pub trust: watch::Receiver<Option<Trust>>,
    /// Told what was read back.
    pub published: watch::Sender<Option<Published>>,
}

/// The four kinds, in the order of [`Stored`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Mutating,
    Validating,
    Policy,
    Binding,
}

impl Target {
    const ALL: [Self; 4] = [Self::Mutating, Self::Validating, Self::Policy, Self::Binding];

    fn kind(self) -> &'static str {
        match self {
            Self::Mutating => "MutatingWebhookConfiguration",
            Self::Validating => "ValidatingWebhookConfiguration",
            Self::Policy => "ValidatingAdmissionPolicy",
            Self::Binding => "ValidatingAdmissionPolicyBinding",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Mutating => "mutatingwebhookconfigurations",
            Self::Validating => "validatingwebhookconfigurations",
            Self::Policy => "validatingadmissionpolicies",
            Self::Binding => "validatingadmissionpolicybindings",
        }
    }

    /// The member that holds everything that counts.
    fn body(self) -> &'static str {
        match self {
            Self::Mutating | Self::Validating => "webhooks",
            Self::Policy | Self::Binding => "spec",
        }
    }
}

/// The objects as last seen.
#[derive(Default)]
struct Stored([Option<Value>; 4]);

impl Stored {
    fn get(&self, target: Target) -> Option<&Value> {
        self.0[target as usize].as_ref()
    }

    fn set(&mut self, target: Target, object: Option<Value>) {
        self.0[target as usize] = object;
    }
}

/// One leader's work on the registration.
struct Work<'a> {
    leader: &'a Leader,
    registrar: &'a Registrar,
    owner: Option<Value>,
    stored: Stored,
}

/// Registers, and repairs the registration, until an error.
pub(super) async fn run(leader: &Leader, registrar: &Registrar) -> Result<(), ControllerError> {
    leader.feed.synced().await;
    let owner = owner(leader).await?;
    let mut work = Work { leader, registrar, owner, stored: Stored::default() };
    let mut changes = leader.feed.changes.clone();
    let mut upcoming = leader.feed.upcoming.clone();
    let mut trust = registrar.trust.clone();
    let mut events = select_all(Target::ALL.map(|target| work.events(target)));
    // The first look is a read of everything; watches only say what happened since.
    for target in Target::ALL {
        work.refresh(target).await?;
    }
    loop {
        changes.mark_unchanged();
        let known = trust.borrow_and_update().clone();
        if let Some(trust) = known {
            timed(&leader.metrics, "registration", work.reconcile(&trust)).await?;
        }
        tokio::select! {
            _ = changes.changed() => {}
            _ = upcoming.changed() => {
                let catalog = upcoming.borrow_and_update().clone();
                let trust = trust.borrow().clone();
                if let (Some(catalog), Some(trust)) = (catalog, trust) {
                    work.prepare(&catalog, &trust).await?;
                }
                // It comes into force next; until then there is nothing to do.
                let _ = timeout(ANNOUNCED, changes.changed()).await;
            }
            _ = trust.changed() => {}
            Some(event) = events.next() => work.note(event),
        }
        sleep(GATHER).await;
        while let Some(Some(event)) = futures::FutureExt::now_or_never(events.next()) {
            work.note(event);
        }
    }
}

type Seen = Result<(Target, Option<Value>), watcher::Error>;

impl Work<'_> {
    fn api(&self, target: Target) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", target.kind());
        Api::all_with(self.leader.client.clone(), &ApiResource::from_gvk_with_plural(&kind, target.plural()))
    }

    fn events(&self, target: Target) -> BoxStream<'static, Seen> {
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        watcher::watch_object(self.api(target), &self.leader.name)
            .backoff(backoff)
            .map_ok(move |object| (target, object.map(plain)))
            .boxed()
    }

    fn note(&mut self, event: Seen) {
        match event {
            Ok((target, object)) if !self.is_older(target, object.as_ref()) => {
                self.stored.set(target, object);
            }
            Ok(_) => {}
            Err(error) => warn!(controller = "registration", "watch failed: {}", describe(&error)),
        }
    }

    /// The watch lags behind our own writes; what it says of a time before them is no drift.
    fn is_older(&self, target: Target, object: Option<&Value>) -> bool {
        let version = |object: &Value| object["metadata"]["resourceVersion"].as_str()?.parse::<u64>().ok();
        let (Some(new), Some(held)) = (object, self.stored.get(target)) else { return false };
        matches!((version(new), version(held)), (Some(new), Some(held)) if new < held)
    }

    async fn refresh(&mut self, target: Target) -> Result<(), ControllerError> {
        let object = self.api(target).get_opt(&self.leader.name).await;
        let object = object.map_err(|source| ControllerError::request(reading(target), source))?;
        self.stored.set(target, object.map(plain));
        Ok(())
    }

    fn render(&self, catalog: &Catalog, trust: &Trust) -> Rendered {
        Registration {
            name: &self.leader.name,
            settings: &catalog.settings,
            scope: &catalog.scope,
            endpoint: &self.registrar.endpoint,
            trust,
            owner: self.owner.as_ref(),
        }
        .render()
    }

    /// Before a configuration comes into force: silences a policy that it will change, so that pods which
    /// are left alone from then on are not refused.
    async fn prepare(&mut self, catalog: &Catalog, trust: &Trust) -> Result<(), ControllerError> {
        let desired = self.render(catalog, trust);
        let version = |object: &Value| object["metadata"]["annotations"][FINAL_STATE_VERSION].clone();
        let stored = self.stored.get(Target::Validating).map(version);
        if stored.is_some_and(|stored| stored != version(&desired.validating)) {
            self.silence().await?;
        }
        Ok(())
    }

    async fn silence(&mut self) -> Result<(), ControllerError> {
        let patch = json!({ "metadata": { "annotations": { FINAL_STATE_VERSION: null } } });
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api(Target::Validating);
        let patched = api.patch(&self.leader.name, &parameters, &Patch::Merge(&patch)).await;
        if let Some(patched) = fenced(writing(Target::Validating), patched)? {
            self.stored.set(Target::Validating, Some(plain(patched)));
        }
        Ok(())
    }

    async fn reconcile(&mut self, trust: &Trust) -> Result<(), ControllerError> {
        let catalog = self.leader.feed.catalog.load_full();
        let desired = self.render(&catalog, trust);
        let webhooks_differ = self.differs(Target::Mutating, Some(&desired.mutating), trust)
            || self.differs(Target::Validating, Some(&desired.validating), trust);
        let final_state = desired.final_state.as_ref();
        let policy_differs = self.differs(Target::Policy, final_state.map(|state| &state.policy), trust)
            || self.differs(Target::Binding, final_state.map(|state| &state.binding), trust);
        if webhooks_differ {
            self.leader.metrics.ca_bundle_in_sync.set(0);
            self.apply_webhooks(&desired, trust).await?;
            if policy_differs {
                sleep(SETTLE).await;
            }
        }
        if policy_differs {
            self.apply_policy(final_state, trust).await?;
        }
        self.announce(trust);
        Ok(())
    }

    async fn apply_webhooks(&mut self, desired: &Rendered, trust: &Trust) -> Result<(), ControllerError> {
        self.apply(Target::Mutating, &desired.mutating, trust).await?;
        self.apply(Target::Validating, &desired.validating, trust).await?;
        // Read back: only what the API server has counts.
        self.refresh(Target::Mutating).await?;
        self.refresh(Target::Validating).await
    }

    async fn apply_policy(
        &mut self,
        desired: Option<&FinalState>,
        trust: &Trust,
    ) -> Result<(), ControllerError> {
        if let Some(FinalState { policy, binding }) = desired {
            self.apply(Target::Policy, policy, trust).await?;
            self.apply(Target::Binding, binding, trust).await
        } else {
            self.delete(Target::Binding).await?;
            self.delete(Target::Policy).await
        }
    }

    async fn apply(&mut self, target: Target, desired: &Value, trust: &Trust) -> Result<(), ControllerError> {
        if !self.differs(target, Some(desired), trust) {
            return Ok(());
        }
        let failed = |source| ControllerError::request(writing(target), source);
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let api = self.api(target);
        let applied =
            api.patch(&self.leader.name, &parameters, &Patch::Apply(desired)).await.map_err(failed)?;
        self.stored.set(target, Some(plain(applied)));
        info!(kind = target.kind(), name = self.leader.name, "applied");
        if self.differs(target, Some(desired), trust) {
            self.replace(target, desired, trust).await?;
        }
        Ok(())
    }

    /// For what apply cannot take away: additions that others own.
    async fn replace(
        &mut self,
        target: Target,
        desired: &Value,
        trust: &Trust,
    ) -> Result<(), ControllerError> {
        let Some(stored) = self.stored.get(target) else { return Ok(()) };
        let body = target.body();
        let operations = json!([
            { "op": "test", "path": "/metadata/resourceVersion", "value": stored["metadata"]["resourceVersion"] },
            { "op": "replace", "path": format!("/{body}"), "value": with_foreign_bundles(desired, stored, trust)[body] },
        ]);
        let operations = serde_json::from_value(operations).map_err(ControllerError::Patch)?;
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let replaced = self
            .api(target)
            .patch(&self.leader.name, &parameters, &Patch::<()>::Json(operations))
            .await
            .map_err(|source| ControllerError::request(writing(target), source))?;
        self.stored.set(target, Some(plain(replaced)));
        info!(kind = target.kind(), name = self.leader.name, "replaced what others had added");
        Ok(())
    }

    async fn delete(&mut self, target: Target) -> Result<(), ControllerError> {
        if self.stored.get(target).is_none() {
            return Ok(());
        }
        match self.api(target).delete(&self.leader.name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(source) => return Err(ControllerError::request(writing(target), source)),
        }
        self.stored.set(target, None);
        info!(kind = target.kind(), name = self.leader.name, "removed");
        Ok(())
    }

    fn differs(&self, target: Target, desired: Option<&Value>, trust: &Trust) -> bool {
        match (desired, self.stored.get(target)) {
            (None, None) => false,
            (Some(desired), Some(stored)) => !is_current(target, desired, stored, trust),
            _ => true,
        }
    }

    /// Tells the metric and the rotation what the API server has been seen to trust.
    fn announce(&self, trust: &Trust) {
        self.leader.metrics.ca_bundle_in_sync.set(1);
        let Trust::Bundle(bundle) = trust else { return };
        self.registrar.published.send_if_modified(|published| {
            let news = published.as_ref().is_none_or(|published| published.bundle != *bundle);
            if news {
                *published = Some(Published { bundle: bundle.clone(), since: Instant::now() });
            }
            news
        });
    }
}

/// Whether the stored object says exactly what the rendered one says, apart from what is not ours.
fn is_current(target: Target, desired: &Value, stored: &Value, trust: &Trust) -> bool {
    let metadata = |part: &str| contains(&stored["metadata"][part], &desired["metadata"][part]);
    let body = target.body();
    ["labels", "annotations", "ownerReferences"].into_iter().all(metadata)
        && with_foreign_bundles(desired, stored, trust)[body] == stored[body]
}

/// Whether all members or elements of `part` stand in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match part {
        Value::Null => true,
        Value::Object(members) => members.iter().all(|(key, value)| whole.get(key) == Some(value)),
        Value::Array(elements) => elements.iter().all(|element| {
            whole.as_array().is_some_and(|whole| whole.iter().any(|other| contains(other, element)))
        }),
        scalar => scalar == whole,
    }
}

/// The rendered object with the `caBundle`s of the stored one where somebody else keeps them.
fn with_foreign_bundles(desired: &Value, stored: &Value, trust: &Trust) -> Value {
    let mut desired = desired.clone();
    if matches!(trust, Trust::Bundle(_)) {
        return desired;
    }
    let stored = stored["webhooks"].as_array();
    for webhook in desired["webhooks"].as_array_mut().into_iter().flatten() {
        let same = |other: &&Value| other["name"] == webhook["name"];
        let bundle = stored
            .and_then(|stored| stored.iter().find(same))
            .map(|other| &other["clientConfig"]["caBundle"]);
        if let Some(bundle @ Value::String(_)) = bundle {
            webhook["clientConfig"]["caBundle"] = bundle.clone();
        }
    }
    desired
}

/// A reference to the release's `ClusterRole`, so that uninstalling removes the registration.
async fn owner(leader: &Leader) -> Result<Option<Value>, ControllerError> {
    let roles: Api<PartialObjectMeta<ClusterRole>> = Api::all(leader.client.clone());
    let role = match roles.get_metadata_opt(&leader.name).await {
        Ok(role) => role,
        Err(kube::Error::Api(status)) if status.code == 403 => None,
        Err(source) => return Err(ControllerError::request("read the release's ClusterRole", source)),
    };
    Ok(role.and_then(|role| {
        let uid = role.uid()?;
        let (version, kind) = ("rbac.authorization.k8s.io/v1", "ClusterRole");
        Some(json!({ "apiVersion": version, "kind": kind, "name": leader.name, "uid": uid }))
    }))
}

fn plain(object: DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

fn reading(target: Target) -> &'static str {
    match target {
        Target::Mutating => "read the MutatingWebhookConfiguration",
        Target::Validating => "read the ValidatingWebhookConfiguration",
        Target::Policy => "read the ValidatingAdmissionPolicy",
        Target::Binding => "read the ValidatingAdmissionPolicyBinding",
    }
}

fn writing(target: Target) -> &'static str {
    match target {
        Target::Mutating => "write the MutatingWebhookConfiguration",
        Target::Validating => "write the ValidatingWebhookConfiguration",
        Target::Policy => "write the ValidatingAdmissionPolicy",
        Target::Binding => "write the ValidatingAdmissionPolicyBinding",
    }
}
