//! What `explain` found out about one pod, as `-o json` prints it.

use serde::Serialize;
use serde_json::{Map, Value};

use super::addresses;
use super::webhook::{Entry, entry};
use crate::api::keys;
use crate::catalog::Catalog;
use crate::cli::console::{Console, Ink};
use crate::cli::failure::Failure;
use crate::cli::judge::{apply, judge};
use crate::cli::scene::Scene;
use crate::inject::{Decision, Plan, Step};
use crate::reason::Reason;

/// All pods, and what could not be taken into account.
#[derive(Debug, Serialize)]
pub(super) struct Explanations {
    /// One for each pod or template.
    pub(super) pods: Vec<Explanation>,
    /// Objects and configurations that are not in force, or only in part.
    pub(super) problems: Vec<String>,
}

/// One pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explanation {
    /// Where the pod comes from: `app.yaml:12`, or the cluster.
    source: String,
    /// The object it stands in: `Deployment app`.
    object: String,
    namespace: String,
    /// The webhook that would be called.
    webhook: Option<&'static str>,
    /// `inject`, `skip` or `deny`.
    decision: &'static str,
    /// Reason code.
    reason: &'static str,
    /// Each step of the decision, in order.
    steps: Vec<Line>,
    warnings: Vec<String>,
    /// What the pod is given; absent when nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<Given>,
}

/// One step.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) subject: &'static str,
    pub(super) finding: String,
}

#[derive(Debug, Serialize)]
struct Given {
    networks: Value,
    container: usize,
    resources: Map<String, Value>,
}

impl Given {
    fn of(plan: &Plan<'_>) -> Result<Self, Failure> {
        let resources = plan.resources.iter().map(|(name, count)| ((*name).to_owned(), Value::from(*count)));
        Ok(Self {
            networks: serde_json::from_str(&plan.networks)?,
            container: plan.container,
            resources: resources.collect(),
        })
    }
}

/// A pod to explain.
#[derive(Debug)]
pub(super) struct Subject {
    /// The pod.
    pub(super) pod: Value,
    /// Where it comes from.
    pub(super) source: String,
    /// The object it stands in.
    pub(super) object: String,
    /// Its namespace.
    pub(super) namespace: String,
    /// Whether it exists in the cluster.
    pub(super) stored: bool,
}

impl Subject {
    /// Whether it is known where the pod runs.
    pub(super) fn is_bound(&self) -> bool {
        self.pod["spec"]["nodeName"].is_string()
    }

    /// Takes a pod that has no node to be bound to this one.
    pub(super) fn bind(&mut self, node: Option<&str>) {
        if let Some(node) = node.filter(|_| !self.is_bound() && self.pod["spec"].is_object()) {
            self.pod["spec"]["nodeName"] = node.into();
        }
    }
}

impl Explanation {
    /// Decides on a pod and keeps every step; with a scene, those of IPAM as well.
    pub(super) fn of(subject: Subject, catalog: &Catalog, scene: Option<&Scene>) -> Result<Self, Failure> {
        let bound = subject.is_bound();
        let Subject { mut pod, source, object, namespace, stored } = subject;
        let Entry { name: webhook, why } = entry(&pod, &namespace, catalog);
        let called = webhook.unwrap_or("none");
        let mut steps = vec![Line { subject: "webhook", finding: format!("{called}: {why}") }];
        if stored {
            steps.push(Line { subject: "stored", finding: as_stored(&pod) });
        }
        let mut trace: Vec<Step> = Vec::new();
        let judgement = judge(&pod, &namespace, catalog, &mut trace, || source.clone())?;
        steps.extend(trace.into_iter().map(|step| Line { subject: step.subject, finding: step.finding }));
        let outcome = judgement.outcome;
        let (decision, given) = match &outcome.decision {
            Decision::Skip(_) => ("skip", None),
            Decision::Deny(_) => ("deny", None),
            Decision::Inject(plan) => ("inject", Some(Given::of(plan)?)),
        };
        let unchanged = decision == "inject" && judgement.patch.is_none();
        let reason = if unchanged { Reason::AlreadyInjected } else { outcome.reason() };
        if let (Some(scene), true) = (scene, bound) {
            // A stored pod gets addresses for the networks that it has, whatever would be decided today.
            if let Some(patch) = judgement.patch.as_ref().filter(|_| !stored) {
                apply(patch, &mut pod)?;
            }
            if pod["metadata"]["namespace"].is_null() {
                pod["metadata"]["namespace"] = namespace.clone().into();
            }
            steps.extend(addresses::steps(&pod, scene));
        }
        Ok(Self {
            source,
            object,
            namespace,
            webhook,
            decision,
            reason: reason.code(),
            steps,
            warnings: outcome.warnings,
            given,
        })
    }

    /// Whether the pod would be refused.
    pub(super) fn denied(&self) -> bool {
        self.decision == "deny"
    }

    /// Prints the steps for people.
    pub(super) fn print(&self, console: &mut Console) -> Result<(), Failure> {
        let title = console.ink(Ink::Bold, &format!("{} in namespace {}", self.object, self.namespace));
        let source = console.ink(Ink::Dim, &format!("({})", self.source));
        console.line(format_args!("{title} {source}"))?;
        for step in &self.steps {
            let subject = console.ink(Ink::Cyan, &format!("{:<10}", step.subject));
            console.line(format_args!("  {subject} {}", step.finding))?;
        }
        for warning in &self.warnings {
            let subject = console.ink(Ink::Yellow, &format!("{:<10}", "warning"));
            console.line(format_args!("  {subject} {warning}"))?;
        }
        let ink = match self.decision {
            "inject" => Ink::Green,
            "deny" => Ink::Red,
            _ => Ink::Yellow,
        };
        let result = console.ink(ink, &format!("{:<10} {}: {}", "result", self.decision, self.reason));
        console.line(format_args!("  {result}"))?;
        Ok(())
    }
}

/// What became of a pod when it was created.
fn as_stored(pod: &Value) -> String {
    let annotations = &pod["metadata"]["annotations"];
    match (annotations[keys::INJECTED].as_str(), annotations[keys::NETWORKS].as_str()) {
        (Some(injected), _) => format!("the pod was injected when it was created: {injected}"),
        (None, Some(_)) => format!("the pod was not injected; it carries {} of its own", keys::NETWORKS),
        (None, None) => {
            "the pod was not injected when it was created; what follows is what would happen now: \
                         create it again to have it happen"
                .to_owned()
        }
    }
}
