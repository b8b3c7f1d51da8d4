//! A small cluster for the tests of rules: objects go in as through the webhooks, findings come out as text.

#![expect(clippy::needless_pass_by_value, reason = "manifests are written in place with json!")]

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Context, Operation, Peers, PoolFacts, SubnetFacts, normalise, validate};
use crate::api::Kind;
use crate::api::settings::Settings;

#[derive(Default)]
pub(super) struct Cluster {
    pub(super) settings: Settings,
    pools: Vec<Arc<PoolFacts>>,
    subnets: Vec<Arc<SubnetFacts>>,
}

/// What the webhooks made of an object.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) object: Value,
    pub(super) notices: Vec<String>,
    pub(super) errors: Vec<String>,
}

impl Cluster {
    /// With a stored pool.
    pub(super) fn pool(self, name: &str, spec: Value) -> Self {
        self.pool_facts(PoolFacts {
            name: name.into(),
            spec: serde_json::from_value(spec).unwrap(),
            ..PoolFacts::default()
        })
    }

    pub(super) fn pool_facts(mut self, pool: PoolFacts) -> Self {
        self.pools.push(Arc::new(pool));
        self
    }

    /// With a stored subnet.
    pub(super) fn subnet(self, name: &str, spec: Value) -> Self {
        self.subnet_facts(SubnetFacts {
            name: name.into(),
            uid: format!("uid-of-{name}"),
            spec: serde_json::from_value(spec).unwrap(),
            ..SubnetFacts::default()
        })
    }

    pub(super) fn subnet_facts(mut self, subnet: SubnetFacts) -> Self {
        self.subnets.push(Arc::new(subnet));
        self
    }

    pub(super) fn set(mut self, change: impl Fn(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    pub(super) fn peers(&self) -> Peers {
        Peers::build(self.pools.iter(), self.subnets.iter(), std::iter::empty())
    }

    pub(super) fn create(&self, kind: Kind, object: Value) -> Outcome {
        self.admit(kind, Operation::Create, object, None)
    }

    pub(super) fn update(&self, kind: Kind, object: Value, old: &Value) -> Outcome {
        self.admit(kind, Operation::Update, object, Some(old))
    }

    pub(super) fn delete(&self, kind: Kind, object: &Value) -> Vec<String> {
        let peers = self.peers();
        let context = Context { settings: &self.settings, peers: &peers };
        let findings = validate(kind, Operation::Delete, object, None, &context);
        findings.errors.iter().map(ToString::to_string).collect()
    }

    /// Only validation: an object that the mutating webhook did not see.
    pub(super) fn errors(&self, kind: Kind, object: &Value, old: Option<&Value>) -> Vec<String> {
        let peers = self.peers();
        let context = Context { settings: &self.settings, peers: &peers };
        let operation = if old.is_some() { Operation::Update } else { Operation::Create };
        let findings = validate(kind, operation, object, old, &context);
        findings.errors.iter().map(ToString::to_string).collect()
    }

    fn admit(&self, kind: Kind, operation: Operation, mut object: Value, old: Option<&Value>) -> Outcome {
        let peers = self.peers();
        let context = Context { settings: &self.settings, peers: &peers };
        let mut notices = normalise(kind, &mut object, old, &context);
        let mut again = object.clone();
        assert_eq!(normalise(kind, &mut again, old, &context), [], "normalising twice says more");
        assert_eq!(again, object, "normalising twice changes more");
        let findings = validate(kind, operation, &object, old, &context);
        notices.extend(findings.notices);
        Outcome {
            object,
            notices: notices.iter().map(ToString::to_string).collect(),
            errors: findings.errors.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A manifest named `new`.
pub(super) fn manifest(kind: Kind, spec: Value) -> Value {
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1",
        "kind": kind.name(),
        "metadata": { "name": "new" },
        "spec": spec
    })
}

/// Puts `changes` into `object`, as a JSON merge patch would.
pub(super) fn with(mut object: Value, changes: Value) -> Value {
    json_patch::merge(&mut object, &changes);
    object
}
