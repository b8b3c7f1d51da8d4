//! What the API server and its storage do around the webhooks: apply the patch, ask the second webhook, store.

use std::time::Duration;

use serde_json::Value;

use super::client::{Client, ClientError, Reply};
use crate::admission::Webhook;
use crate::catalog::{Assembler, Identity};
use crate::cli::envelope::creation;
use crate::cli::failure::Failure;
use crate::cli::input::offline_settings;
use crate::sources::{Group, Manifest, View, default_namespace};

/// A cluster's storage.
#[derive(Debug)]
pub(super) struct Stage {
    assembler: Assembler,
}

/// What came of creating an object.
#[derive(Debug)]
pub(super) struct Created {
    /// The object as it is stored.
    pub(super) object: Value,
    /// Warnings of both webhooks.
    pub(super) warnings: Vec<String>,
    /// Why it was refused, if it was.
    pub(super) refusal: Option<String>,
    /// Time of both webhooks.
    pub(super) took: Duration,
}

impl Stage {
    /// Nothing is stored yet; injection is on.
    pub(super) fn new() -> Self {
        Self { assembler: Assembler::new(Identity::default(), offline_settings()) }
    }

    /// What a watch of the storage would have compiled by now.
    pub(super) fn view(&mut self) -> View {
        View { catalog: self.assembler.assemble(), problems: Vec::new() }
    }

    /// Sends an object through its two webhooks and stores it.
    pub(super) async fn create(
        &mut self,
        client: &mut Client,
        manifest: &Manifest,
    ) -> Result<Created, Failure> {
        let mut manifest = manifest.clone();
        default_namespace(&mut manifest);
        let mut created = Created {
            object: manifest.object.clone(),
            warnings: Vec::new(),
            refusal: None,
            took: Duration::ZERO,
        };
        let Group::Ours(kind) = manifest.group() else { return Ok(created) };
        for webhook in [Webhook::Mutate(kind), Webhook::Validate(kind)] {
            let namespace = manifest.key().namespace;
            let review = creation("demo", &namespace, kind.plural(), &created.object);
            let reply = client.post(&webhook.path(), &review).await?;
            created.took += reply.took;
            created.warnings.extend(reply.warnings().into_iter().map(str::to_owned));
            if !reply.allowed() {
                created.refusal = Some(reply.message().to_owned());
                return Ok(created);
            }
            if let Some(patch) = reply.patch() {
                json_patch::patch(&mut created.object, &patch)?;
            }
        }
        self.assembler.objects.apply(&created.object).map_err(Failure::Object)?;
        Ok(created)
    }
}

/// Sends a pod through injection.
pub(super) async fn ask_for_pod(client: &mut Client, pod: &Value) -> Result<Reply, ClientError> {
    let review = creation("demo", "default", "pods", pod);
    client.post(&Webhook::Pods.path(), &review).await
}
