//! The policy on the final pod: whoever asked for rails has them, or is refused.
//!
//! Policies see the namespace object, which match conditions of webhooks do not. So this one also holds in the
//! moment between annotating a namespace and the leader mirroring that to a label, and when an operator lets
//! the webhook fail open.

use serde_json::{Value, json};

use super::webhooks::{INJECT_KEYS, cel_list, not_host, not_mirror};
use super::{FINAL_STATE_VERSION, FinalState, Registration, selection};
use crate::api::keys;
use crate::reason::Reason;

/// The policy with its binding, and the version that the policy asks its parameter for.
pub(super) fn render(registration: &Registration<'_>) -> (FinalState, String) {
    let mut spec = spec(registration);
    let version = version(&spec);
    let wanted = format!(
        "params.metadata.?annotations[?'{FINAL_STATE_VERSION}'].orValue('') != '{version}' || \
         !variables.optedIn || variables.injected"
    );
    spec["validations"][0]["expression"] = json!(wanted);
    let mut policy = registration.object("ValidatingAdmissionPolicy");
    policy["spec"] = spec;
    let mut binding = registration.object("ValidatingAdmissionPolicyBinding");
    binding["spec"] = json!({
        "paramRef": { "name": registration.name, "parameterNotFoundAction": "Allow" },
        "policyName": registration.name,
        "validationActions": ["Deny"],
    });
    (FinalState { policy, binding }, version)
}

/// FNV-1a: the same for the same policy, on every replica and in every version.
fn version(spec: &Value) -> String {
    let hash = spec.to_string().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn spec(registration: &Registration<'_>) -> Value {
    json!({
        "failurePolicy": "Fail",
        "matchConditions": conditions(registration),
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": { "matchExpressions": selection::expressions(registration.scope) },
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
            "kind": "ValidatingWebhookConfiguration",
        },
        "validations": [{
            "messageExpression": message(registration.name),
            "reason": "Forbidden",
        }],
        "variables": variables(),
    })
}

/// The pods that admission never injects are none of the policy's business.
fn conditions(registration: &Registration<'_>) -> Vec<Value> {
    let os = "object.spec.?os.?name.or(object.spec.?nodeSelector[?'kubernetes.io/os']).orValue('')";
    let mut conditions = vec![
        not_mirror(),
        not_host(),
        json!({ "name": "not-windows", "expression": format!("{os} != 'windows'") }),
    ];
    conditions.extend(selection::conditions(registration.scope));
    conditions
}

fn variables() -> Vec<Value> {
    let variable = |name: &str, expression: String| json!({ "name": name, "expression": expression });
    let all_keys = cel_list(&INJECT_KEYS);
    let values = |object: &str| {
        format!(
            "{all_keys}.map(key, {object}.metadata.?annotations[?key].or({object}.metadata.?labels[?key])\
             .orValue('none').trim())"
        )
    };
    let opt_out = cel_list(&keys::OPT_OUT);
    let opt_out_of_namespaces = cel_list(&["", keys::OPT_OUT[0], keys::OPT_OUT[1]]);
    vec![
        variable(
            "podSpeaks",
            format!(
                "{all_keys}.exists(key, object.metadata.?annotations[?key].hasValue() || \
                 object.metadata.?labels[?key].hasValue())"
            ),
        ),
        variable(
            "optedIn",
            format!(
                "variables.podSpeaks ? {}.exists(value, !(value in {opt_out})) : \
                 {}.exists(value, !(value in {opt_out_of_namespaces}))",
                values("object"),
                values("namespaceObject"),
            ),
        ),
        variable(
            "injected",
            format!(
                "object.metadata.?labels[?'{}'].orValue('').matches('^[1-9][0-9]*$') && \
                 object.metadata.?annotations[?'{}'].orValue('') != ''",
                keys::RAILS,
                keys::NETWORKS,
            ),
        ),
    ]
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
