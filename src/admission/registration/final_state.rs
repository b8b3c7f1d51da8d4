//! The policies on the final pod: whoever asked for rails has them, or is refused.
//!
//! They hold when an operator lets the webhook fail open, and when somebody takes the registration away. One
//! concerns pods with an inject key of their own, one the silent pods of namespaces that opted in; a match
//! condition and a namespace selector keep everything else from costing more than a look at its metadata.
//!
//! API servers take up changed policies once a second, and learn of webhooks and policies separately. So the
//! policies themselves never change: which namespaces are in scope stands in their parameter. That is an object
//! of the same kind as the webhook configuration, because an API server sees writes to one kind in order: a
//! parameter that was suspended before the webhooks changed is suspended before they change. As long as there are
//! policies there is a parameter: API servers of Kubernetes 1.37 look for a missing one with a request to themselves for
//! each pod, and refuse the pod if that takes a second.

use serde_json::{Value, json};

use super::webhooks::{HOST, MATCH_POLICY, OPTED_IN, SILENT, mirror, opted_in, silent};
use super::{Registration, selection};
use crate::api::keys;
use crate::reason::Reason;

/// Annotation on the parameter: a regular expression for the names of excluded namespaces.
const EXCLUDED: &str = "railweave.io/excluded-namespaces";
/// Annotation on the parameter: a regular expression for the names of included namespaces.
const INCLUDED: &str = "railweave.io/included-namespaces";

/// What is added to the name of the registration for the parameter.
pub const PARAMETER_SUFFIX: &str = "-final-state";
/// What is added to the name of the registration for the policy on the silent pods of namespaces.
pub const NAMESPACES_SUFFIX: &str = "-namespaces";

/// The policies on the final pod, and the parameter that puts them in force.
#[derive(Clone, Debug, PartialEq)]
pub struct FinalState {
    /// `MutatingWebhookConfiguration` without webhooks.
    pub parameter: Value,
    /// On pods with an inject key of their own.
    pub pods: Policy,
    /// On the other pods of namespaces that opted in.
    pub namespaces: Policy,
}

/// A policy and what puts it to use.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// `ValidatingAdmissionPolicy`
    pub policy: Value,
    /// `ValidatingAdmissionPolicyBinding`
    pub binding: Value,
}

pub(super) fn render(registration: &Registration<'_>) -> FinalState {
    let mut opted_in_namespaces = selection::never(registration.scope);
    opted_in_namespaces.push(selection::opted_in());
    FinalState {
        parameter: parameter(registration),
        pods: policy(registration, "", &selection::never(registration.scope), (OPTED_IN, opted_in())),
        namespaces: policy(registration, NAMESPACES_SUFFIX, &opted_in_namespaces, (SILENT, silent())),
    }
}

fn parameter(registration: &Registration<'_>) -> Value {
    let scope = registration.scope;
    // An empty pattern matches every name, and an empty line none.
    let excluded =
        if scope.exclude.is_empty() { "^$".to_owned() } else { selection::pattern(&scope.exclude) };
    with_patterns(registration, &excluded, &selection::pattern(&scope.include))
}

/// The parameter that excludes every namespace.
pub(super) fn suspension(registration: &Registration<'_>) -> Value {
    with_patterns(registration, "", "^$")
}

fn with_patterns(registration: &Registration<'_>, excluded: &str, included: &str) -> Value {
    let mut parameter = registration.object("MutatingWebhookConfiguration", PARAMETER_SUFFIX);
    parameter["metadata"]["annotations"] = json!({ EXCLUDED: excluded, INCLUDED: included });
    parameter
}

fn policy(
    registration: &Registration<'_>,
    suffix: &str,
    namespaces: &[Value],
    (condition, pods): (&str, String),
) -> Policy {
    let mut policy = registration.object("ValidatingAdmissionPolicy", suffix);
    policy["spec"] = json!({
        "failurePolicy": "Fail",
        "matchConditions": [{ "name": condition, "expression": pods }],
        "matchConstraints": {
            "matchPolicy": MATCH_POLICY,
            "namespaceSelector": { "matchExpressions": namespaces },
            "objectSelector": {},
            "resourceRules": [{
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }],
        },
        "paramKind": {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
        },
        "validations": [{
            "expression": "variables.decided || variables.exempt || !variables.inScope",
            "messageExpression": message(registration.name),
            "reason": "Forbidden",
        }],
        "variables": variables(),
    });
    let name = policy["metadata"]["name"].clone();
    let mut binding = registration.object("ValidatingAdmissionPolicyBinding", suffix);
    binding["spec"] = json!({
        "paramRef": {
            "name": format!("{}{PARAMETER_SUFFIX}", registration.name),
            "parameterNotFoundAction": "Allow",
        },
        "policyName": name,
        "validationActions": ["Deny"],
    });
    Policy { policy, binding }
}

fn variables() -> Value {
    let os = "object.spec.?os.?name.or(object.spec.?nodeSelector[?'kubernetes.io/os']).orValue('')";
    let injected = format!(
        "object.metadata.?labels[?'{}'].orValue('').matches('^[1-9][0-9]*$') && \
         object.metadata.?annotations[?'{}'].orValue('') != ''",
        keys::RAILS,
        keys::NETWORKS,
    );
    // Whoever answered knew more than the parameter says, or knew it earlier.
    let decided = format!("({injected}) || object.metadata.?annotations[?'{}'].hasValue()", keys::SKIPPED);
    let exempt = format!("{} || {HOST} || {os} == 'windows'", mirror());
    let in_scope = format!(
        "!request.namespace.matches(params.metadata.annotations['{EXCLUDED}']) && \
         request.namespace.matches(params.metadata.annotations['{INCLUDED}'])"
    );
    json!([
        { "name": "decided", "expression": decided },
        { "name": "exempt", "expression": exempt },
        { "name": "inScope", "expression": in_scope },
    ])
}

/// Names the pod, what is wrong with it and what to do next.
fn message(name: &str) -> String {
    format!(
        "'{}: pod ' + request.namespace + '/' + object.metadata.?name.orValue(object.metadata.?generateName\
         .orValue('')) + ' asks for rails by its own or its namespace\\'s inject key, and reached this check \
         without them: the webhook was not asked or did not answer. Create it again; if it is refused again, \
         see whether the controller is ready: kubectl get pods -A -l app.kubernetes.io/name=railweave, and \
         whether it is registered: kubectl get mutatingwebhookconfiguration {name}'",
        Reason::NotInjected,
    )
}
