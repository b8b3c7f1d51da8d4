//! Writes `AdmissionReview` answers: by hand, straight into the buffer that is sent.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::json;
use crate::reason::Reason;
use crate::rules::FieldError;

const OPEN: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"#;

/// A request is identified in logs and denials by this number, which no other request of the process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u32);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Why and how a request is refused; becomes the `Status` that the client sees.
#[derive(Clone, Debug)]
pub(super) struct Refusal<'a> {
    /// HTTP code that the API server passes on: 400, 403, 422 or 500.
    pub code: u16,
    /// Our reason code.
    pub reason: Reason,
    /// For people, without the code and the request's id.
    pub message: &'a str,
    /// The object that was refused.
    pub object: ObjectName<'a>,
    /// Fields that are wrong.
    pub errors: &'a [FieldError],
}

/// `details` of a `Status`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ObjectName<'a> {
    /// API group, empty for pods.
    pub group: &'a str,
    /// `Pod`, `SpiderIPPool`, ...
    pub kind: &'a str,
    /// Name, or what the name is generated from.
    pub name: &'a str,
}

/// The answer that changes nothing.
#[must_use]
pub(super) fn allow(uid: &str, warnings: &[String]) -> Vec<u8> {
    let mut out = open(uid, 64);
    out.extend_from_slice(br#","allowed":true"#);
    close(out, warnings)
}

/// The answer that applies a JSON patch.
#[must_use]
pub(super) fn patch(uid: &str, patch: &[u8], warnings: &[String]) -> Vec<u8> {
    let mut out = open(uid, 128 + patch.len() * 4 / 3);
    out.extend_from_slice(br#","allowed":true,"patchType":"JSONPatch","patch":""#);
    encode(&mut out, patch);
    out.push(b'"');
    close(out, warnings)
}

/// Writes base64.
fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // Four bytes for every three, rounded up, are what padded base64 takes.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or_default();
    out.truncate(start + written);
}

/// The answer that refuses.
#[must_use]
pub(super) fn deny(uid: &str, refusal: &Refusal<'_>, warnings: &[String], request: RequestId) -> Vec<u8> {
    let mut out = open(uid, 512);
    out.extend_from_slice(br#","allowed":false,"status":{"status":"Failure","code":"#);
    out.extend_from_slice(refusal.code.to_string().as_bytes());
    field(&mut out, "reason", status_reason(refusal.code));
    let message = format!("{}: {} (request {request})", refusal.reason, refusal.message);
    field(&mut out, "message", &message);
    details(&mut out, refusal);
    out.push(b'}');
    close(out, warnings)
}

/// The `metav1.StatusReason` that belongs to a code; kubectl and controllers look at it.
fn status_reason(code: u16) -> &'static str {
    match code {
        403 => "Forbidden",
        422 => "Invalid",
        500 => "InternalError",
        _ => "BadRequest",
    }
}

fn details(out: &mut Vec<u8>, refusal: &Refusal<'_>) {
    let ObjectName { group, kind, name } = refusal.object;
    out.extend_from_slice(br#","details":{"causes":["#);
    if refusal.errors.is_empty() {
        cause(out, refusal.reason.code(), refusal.message, "");
    }
    for (index, error) in refusal.errors.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        cause(out, error.kind.cause(), &error.message(), &error.field);
    }
    out.push(b']');
    for (key, value) in [("group", group), ("kind", kind), ("name", name)] {
        if !value.is_empty() {
            field(out, key, value);
        }
    }
    out.push(b'}');
}

fn cause(out: &mut Vec<u8>, reason: &str, message: &str, path: &str) {
    out.extend_from_slice(br#"{"reason":"#);
    json::string(out, reason);
    field(out, "message", message);
    if !path.is_empty() {
        field(out, "field", path);
    }
    out.push(b'}');
}

fn open(uid: &str, room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(OPEN.len() + uid.len() + room);
    out.extend_from_slice(OPEN.as_bytes());
    json::string(&mut out, uid);
    out
}

fn close(mut out: Vec<u8>, warnings: &[String]) -> Vec<u8> {
    if !warnings.is_empty() {
        out.extend_from_slice(br#","warnings":["#);
        for (index, warning) in fit(warnings).iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            json::string(&mut out, warning);
        }
        out.push(b']');
    }
    out.extend_from_slice(b"}}");
    out
}

fn field(out: &mut Vec<u8>, key: &str, value: &str) {
    out.push(b',');
    json::string(out, key);
    out.push(b':');
    json::string(out, value);
}

/// The API server cuts each warning at 256 characters once all together exceed 4096, and drops the rest.
const LONGEST_WARNING: usize = 256;
const ALL_WARNINGS: usize = 4096;

/// Breaks long warnings at words, drops what would not be shown, and says how many were dropped.
fn fit(warnings: &[String]) -> Vec<String> {
    // Room for the last line, which counts what is left out.
    const RESERVE: usize = 64;
    let mut fitted = Vec::with_capacity(warnings.len());
    let mut used = 0;
    for (index, warning) in warnings.iter().enumerate() {
        let pieces = pieces(warning);
        let size: usize = pieces.iter().map(String::len).sum();
        if used + size > ALL_WARNINGS - RESERVE {
            let left = warnings.len() - index;
            fitted.push(format!("{left} more warnings do not fit here; `railweave explain` shows all"));
            break;
        }
        used += size;
        fitted.extend(pieces);
    }
    fitted
}

/// One warning in pieces that are shown whole. Control characters cannot stand in the HTTP header that
/// carries warnings, so they become spaces.
fn pieces(warning: &str) -> Vec<String> {
    const CONTINUED: &str = "... ";
    let clean: String = warning.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut rest = clean.trim();
    let mut pieces = Vec::with_capacity(1);
    while !rest.is_empty() {
        let start = if pieces.is_empty() { "" } else { CONTINUED };
        let room = LONGEST_WARNING - start.len();
        let end = if rest.len() <= room {
            rest.len()
        } else {
            let limit = rest.floor_char_boundary(room);
            rest[..limit].rfind(' ').filter(|&space| space > 0).unwrap_or(limit)
        };
        pieces.push(format!("{start}{}", rest[..end].trim_end()));
        rest = rest[end..].trim_start();
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn parsed(answer: &[u8]) -> Value {
        serde_json::from_slice(answer).unwrap()
    }

    #[test]
    fn allowing_carries_the_uid_and_nothing_else() {
        assert_eq!(
            parsed(&allow("u-1", &[])),
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "response": {"uid": "u-1", "allowed": true}})
        );
    }

    #[test]
    fn a_patch_is_base64_with_its_type() {
        assert_eq!(
            parsed(&patch("u-1", br#"[{"op":"remove","path":"/a"}]"#, &["look".into()])),
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {
                "uid": "u-1", "allowed": true, "patchType": "JSONPatch",
                "patch": "W3sib3AiOiJyZW1vdmUiLCJwYXRoIjoiL2EifV0=", "warnings": ["look"]}})
        );
    }

    #[test]
    fn a_denial_is_a_status_with_causes() {
        let errors = [FieldError::invalid("spec.ips[0]", "10.0.0.300", "not an address")];
        let refusal = Refusal {
            code: 422,
            reason: Reason::Invalid,
            message: "SpiderIPPool \"a\" is invalid",
            object: ObjectName { group: "spiderpool.spidernet.io", kind: "SpiderIPPool", name: "a" },
            errors: &errors,
        };
        assert_eq!(
            parsed(&deny("u-1", &refusal, &[], RequestId(0xab)))["response"],
            json!({"uid": "u-1", "allowed": false, "status": {
                "status": "Failure", "code": 422, "reason": "Invalid",
                "message": "Invalid: SpiderIPPool \"a\" is invalid (request 000000ab)",
                "details": {
                    "group": "spiderpool.spidernet.io", "kind": "SpiderIPPool", "name": "a",
                    "causes": [{"reason": "FieldValueInvalid", "field": "spec.ips[0]",
                        "message": "Invalid value: \"10.0.0.300\": not an address"}]}}})
        );
    }

    #[test]
    fn a_denial_without_fields_has_the_reason_code_as_its_cause() {
        let refusal = Refusal {
            code: 403,
            reason: Reason::UnknownGroup,
            message: "no group gpu9",
            object: ObjectName { group: "", kind: "Pod", name: "train-0" },
            errors: &[],
        };
        let status = &parsed(&deny("u", &refusal, &[], RequestId(1)))["response"]["status"];
        assert_eq!(status["reason"], "Forbidden");
        assert_eq!(
            status["details"],
            json!({"kind": "Pod", "name": "train-0", "causes": [
                {"reason": "UnknownGroup", "message": "no group gpu9"}]})
        );
    }

    #[test]
    fn long_warnings_are_broken_at_words() {
        let long = "word ".repeat(100);
        let fitted = fit(std::slice::from_ref(&long));
        assert_eq!(fitted.len(), 2);
        assert!(fitted[1].starts_with("... word"));
        let joined = fitted.iter().map(|w| w.trim_start_matches("... ")).collect::<Vec<_>>().join(" ");
        assert_eq!(joined, long.trim());
    }

    #[test]
    fn warnings_that_the_api_server_would_drop_are_counted() {
        let fitted = fit(&vec!["x".repeat(200); 30]);
        assert_eq!(fitted.len(), 21);
        assert_eq!(fitted[20], "10 more warnings do not fit here; `railweave explain` shows all");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_survives_the_journey(uid in any::<String>(), warning in "[^\\p{Cc}]{0,80}") {
            let answer = parsed(&allow(&uid, std::slice::from_ref(&warning)));
            prop_assert_eq!(answer["response"]["uid"].as_str(), Some(uid.as_str()));
            if !warning.trim().is_empty() {
                prop_assert_eq!(answer["response"]["warnings"][0].as_str(), Some(warning.trim()));
            }
        }

        #[test]
        fn warnings_always_fit(warnings in proptest::collection::vec(".{0,700}", 0..20)) {
            let fitted = fit(&warnings);
            prop_assert!(fitted.iter().all(|w| w.len() <= LONGEST_WARNING && !w.is_empty()));
            prop_assert!(fitted.iter().map(String::len).sum::<usize>() <= ALL_WARNINGS);
        }
    }
}
