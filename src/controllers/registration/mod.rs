//! Keeps what the API server is told in step with the configuration: applies, reads back, repairs.
//!
//! The rendered objects hold every field, so any difference to the stored ones is drift, whoever made it.
//! Server-side apply brings back what others changed or removed; what others added in fields that apply does
//! not own is replaced. [`stored`] says what differs.

mod stored;

use std::time::Duration;

use futures::stream::{BoxStream, select_all};
use futures::{FutureExt, StreamExt, TryStreamExt};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use self::stored::{Stored, Target, plain, with_foreign_bundles};
use super::certificates::Published;
use super::supervise::timed;
use super::{ControllerError, FIELD_MANAGER, Leader, patch_parameters};
use crate::admission::registration::{Endpoint, Registration, Rendered, Trust};
use crate::sources::{Backoff, describe};

/// Several triggers at once are one reconciliation.
const GATHER: Duration = Duration::from_millis(20);

/// How long after a change of the webhooks the policies on the final pod come back into force: longer than a pod
/// is on its way through admission, and than replicas take to see a configuration.
const SETTLE: Duration = Duration::from_secs(5);

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

/// One leader's work on the registration.
struct Work<'a> {
    leader: &'a Leader,
    registrar: &'a Registrar,
    owner: Option<Value>,
    stored: Stored,
    /// The parameter of the policies, none where there should be no policies, and when it may be written or removed.
    due: Option<(Option<Value>, Instant)>,
}

/// Registers, and repairs the registration, until an error.
pub(super) async fn run(leader: &Leader, registrar: &Registrar) -> Result<(), ControllerError> {
    leader.feed.synced().await;
    let owner = owner(leader).await?;
    let mut work = Work { leader, registrar, owner, stored: Stored::default(), due: None };
    let mut changes = leader.feed.changes.clone();
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
            _ = trust.changed() => {}
            () = work.until_due() => {}
            Some(event) = events.next() => work.note(event),
        }
        sleep(GATHER).await;
        while let Some(Some(event)) = events.next().now_or_never() {
            work.note(event);
        }
    }
}

type Seen = Result<(Target, Option<Value>), watcher::Error>;

impl Work<'_> {
    fn api(&self, target: Target) -> Api<DynamicObject> {
        Api::all_with(self.leader.client.clone(), &target.resource())
    }

    fn name(&self, target: Target) -> String {
        target.name(&self.leader.name)
    }

    fn events(&self, target: Target) -> BoxStream<'static, Seen> {
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        watcher::watch_object(self.api(target), &self.name(target))
            .backoff(backoff)
            .map_ok(move |object| (target, object.map(plain)))
            .boxed()
    }

    fn note(&mut self, event: Seen) {
        match event {
            Ok((target, object)) => self.stored.note(target, object),
            Err(error) => warn!(controller = "registration", "watch failed: {}", describe(&error)),
        }
    }

    async fn refresh(&mut self, target: Target) -> Result<(), ControllerError> {
        let object = self.api(target).get_opt(&self.name(target)).await;
        let object = object.map_err(|source| ControllerError::request(reading(target), source))?;
        self.stored.set(target, object.map(plain));
        Ok(())
    }

    fn render(&self, trust: &Trust) -> Rendered {
        let catalog = self.leader.feed.catalog.load();
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

    /// A policy must never mean a pod that the webhooks do not: with another scope its parameter is suspended
    /// first, and put back when everybody has seen the new one. It outlives the policies, see [`Rendered::suspension`].
    async fn reconcile(&mut self, trust: &Trust) -> Result<(), ControllerError> {
        let desired = self.render(trust);
        let parameter = Target::Parameter.of(&desired);
        let other_scope = self.stored.differs(Target::Parameter, parameter, trust);
        if other_scope {
            self.apply(Target::Parameter, &desired.suspension, trust).await?;
        }
        self.apply_webhooks(&desired, trust).await?;
        self.apply_policies(&desired, trust).await?;
        let due = self.due.take().filter(|(waiting, _)| waiting.as_ref() == parameter);
        self.due = other_scope.then(|| due.unwrap_or_else(|| (parameter.cloned(), Instant::now() + SETTLE)));
        match self.due.take_if(|(_, time)| *time <= Instant::now()) {
            Some((Some(parameter), _)) => self.apply(Target::Parameter, &parameter, trust).await?,
            Some((None, _)) => self.delete(Target::Parameter).await?,
            None => {}
        }
        self.announce(trust);
        Ok(())
    }

    async fn until_due(&self) {
        match &self.due {
            Some((_, time)) => sleep_until(*time).await,
            None => std::future::pending().await,
        }
    }

    async fn apply_webhooks(&mut self, desired: &Rendered, trust: &Trust) -> Result<(), ControllerError> {
        let targets = Target::WEBHOOKS.into_iter();
        let differing: Vec<_> = targets
            .filter_map(|target| Some((target, target.of(desired)?)))
            .filter(|(target, object)| self.stored.differs(*target, Some(object), trust))
            .collect();
        if differing.is_empty() {
            return Ok(());
        }
        self.leader.metrics.ca_bundle_in_sync.set(0);
        for (target, object) in &differing {
            self.apply(*target, object, trust).await?;
        }
        // Read back: only what the API server has counts.
        for (target, _) in differing {
            self.refresh(target).await?;
        }
        Ok(())
    }

    async fn apply_policies(&mut self, desired: &Rendered, trust: &Trust) -> Result<(), ControllerError> {
        if desired.final_state.is_none() {
            for target in Target::POLICIES.into_iter().rev() {
                self.delete(target).await?;
            }
        }
        for target in Target::POLICIES {
            if let Some(object) = target.of(desired) {
                self.apply(target, object, trust).await?;
            }
        }
        Ok(())
    }

    async fn apply(&mut self, target: Target, desired: &Value, trust: &Trust) -> Result<(), ControllerError> {
        if !self.stored.differs(target, Some(desired), trust) {
            return Ok(());
        }
        let failed = |source| ControllerError::request(writing(target), source);
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let name = self.name(target);
        let applied =
            self.api(target).patch(&name, &parameters, &Patch::Apply(desired)).await.map_err(failed)?;
        self.stored.set(target, Some(plain(applied)));
        info!(kind = target.kind(), name, "applied");
        if self.stored.differs(target, Some(desired), trust) {
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
        let replaced = self
            .api(target)
            .patch(&self.name(target), &patch_parameters(), &Patch::<()>::Json(operations))
            .await
            .map_err(|source| ControllerError::request(writing(target), source))?;
        self.stored.set(target, Some(plain(replaced)));
        info!(kind = target.kind(), name = self.name(target), "replaced what others had added");
        Ok(())
    }

    async fn delete(&mut self, target: Target) -> Result<(), ControllerError> {
        if self.stored.get(target).is_none() {
            return Ok(());
        }
        match self.api(target).delete(&self.name(target), &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(source) => return Err(ControllerError::request(writing(target), source)),
        }
        self.stored.set(target, None);
        info!(kind = target.kind(), name = self.name(target), "removed");
        Ok(())
    }

    /// Tells the metric and the rotation what the API server has been seen to trust.
    fn announce(&self, trust: &Trust) {
        // What somebody else keeps is right as far as can be seen from here once it is there.
        let in_sync = matches!(trust, Trust::Bundle(_)) || self.stored.webhooks_have_bundles();
        self.leader.metrics.ca_bundle_in_sync.set(i64::from(in_sync));
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

/// What a request was for, in errors.
fn reading(target: Target) -> &'static str {
    match target {
        Target::Mutating => "read the MutatingWebhookConfiguration",
        Target::Validating => "read the ValidatingWebhookConfiguration",
        Target::Parameter => "read the parameter of the final-state policies",
        Target::PodsPolicy | Target::NamespacesPolicy => "read a ValidatingAdmissionPolicy",
        Target::PodsBinding | Target::NamespacesBinding => "read a ValidatingAdmissionPolicyBinding",
    }
}

fn writing(target: Target) -> &'static str {
    match target {
        Target::Mutating => "write the MutatingWebhookConfiguration",
        Target::Validating => "write the ValidatingWebhookConfiguration",
        Target::Parameter => "write the parameter of the final-state policies",
        Target::PodsPolicy | Target::NamespacesPolicy => "write a ValidatingAdmissionPolicy",
        Target::PodsBinding | Target::NamespacesBinding => "write a ValidatingAdmissionPolicyBinding",
    }
}
