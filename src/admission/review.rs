//! Reads `AdmissionReview` requests, borrowing from the body, and says what came of them.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::response::{self, ObjectName, Refusal, RequestId};
use crate::json;
use crate::reason::Reason;
use crate::rules::Operation;

/// A review whose object is decoded as `O`: a view, raw JSON, or not at all.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a, O> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: ReviewRequest<'a, O>,
}

/// `request` of a review: what admission needs of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReviewRequest<'a, O> {
    /// Repeated in the answer.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// Kind of the object.
    #[serde(borrow, default)]
    pub kind: ReviewKind<'a>,
    /// `status`, `ephemeralcontainers`, ...; empty when the object itself is written.
    #[serde(borrow, default)]
    pub sub_resource: Cow<'a, str>,
    /// Empty for cluster-scoped objects.
    #[serde(borrow, default)]
    pub namespace: Cow<'a, str>,
    /// Empty when the name is generated.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    #[serde(borrow)]
    pub operation: Cow<'a, str>,
    /// Whether nothing will be stored.
    pub dry_run: Option<bool>,
    /// The object as it would be stored; none on `DELETE`.
    pub object: Option<O>,
    /// The stored object; none on `CREATE`.
    pub old_object: Option<O>,
}

/// `request.kind` of a review.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ReviewKind<'a> {
    /// `Pod`, `SpiderIPPool`, ...
    #[serde(borrow, default)]
    pub kind: Cow<'a, str>,
}

impl<O> ReviewRequest<'_, O> {
    /// The operation, if it is one that rules know.
    #[must_use]
    pub(super) fn operation(&self) -> Option<Operation> {
        match &*self.operation {
            "CREATE" => Some(Operation::Create),
            "UPDATE" => Some(Operation::Update),
            "DELETE" => Some(Operation::Delete),
            _ => None,
        }
    }
}

/// Why a body is no review.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReviewError {
    /// It is not the JSON that it should be.
    #[error("failed to read the AdmissionReview: {0}")]
    Json(#[from] serde_json::Error),
    /// It is something else, or another version.
    #[error("expected kind AdmissionReview of admission.k8s.io/v1, got {kind:?} of {api_version:?}")]
    Version {
        /// `kind` as sent.
        kind: String,
        /// `apiVersion` as sent.
        api_version: String,
    },
    /// There is nothing to address the answer to.
    #[error("request.uid is empty")]
    Uid,
}

/// Decodes the body in one pass, every byte of it checked.
pub(super) fn read<'a, O: Deserialize<'a>>(body: &'a [u8]) -> Result<ReviewRequest<'a, O>, ReviewError> {
    checked(serde_json::from_slice(body)?)
}

/// Decodes the body in one pass, and passes over what `O` does not ask for without checking more than brackets
/// and the ends of strings: the API server wrote it, and the answer does not depend on it.
pub(super) fn read_view<'a, O: Deserialize<'a>>(body: &'a [u8]) -> Result<ReviewRequest<'a, O>, ReviewError> {
    checked(json::from_slice(body)?)
}

fn checked<O>(review: Review<'_, O>) -> Result<ReviewRequest<'_, O>, ReviewError> {
    if review.kind != "AdmissionReview" || review.api_version != "admission.k8s.io/v1" {
        let (kind, api_version) = (review.kind.into_owned(), review.api_version.into_owned());
        return Err(ReviewError::Version { kind, api_version });
    }
    if review.request.uid.is_empty() {
        return Err(ReviewError::Uid);
    }
    Ok(review.request)
}

/// Decodes the envelope only: for the uid of a request whose object cannot be read.
pub(super) fn read_envelope(body: &[u8]) -> Result<ReviewRequest<'_, IgnoredAny>, ReviewError> {
    read(body)
}

/// What was decided, for the metrics and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Unchanged.
    Allow,
    /// Changed.
    Patch,
    /// Refused.
    Deny,
    /// The request could not be answered with a review.
    Error,
}

impl Verdict {
    /// The value of the label `decision`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Patch => "patch",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

/// A finished answer, and what is to be counted and logged about it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200 with a review, else an error with a short text.
    pub status: StatusCode,
    /// JSON when the status is 200.
    pub body: Vec<u8>,
    /// What was decided.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// Namespace of the request.
    pub namespace: String,
    /// Name of the object, or what its name is generated from.
    pub name: String,
}

impl Answer {
    /// An answer to a body that is no review.
    #[must_use]
    pub(super) fn unreadable(error: &ReviewError) -> Self {
        Self::failed(StatusCode::BAD_REQUEST, Reason::Unreadable, format!("{error}\n"))
    }

    /// An answer that is no review.
    #[must_use]
    pub(super) fn failed(status: StatusCode, reason: Reason, text: String) -> Self {
        Self {
            status,
            body: text.into_bytes(),
            verdict: Verdict::Error,
            reason,
            dry_run: false,
            namespace: String::new(),
            name: String::new(),
        }
    }

    /// An answer that changes nothing.
    pub(super) fn allow<O>(request: &ReviewRequest<'_, O>, reason: Reason, warnings: &[String]) -> Self {
        Self::review(request, Verdict::Allow, reason, response::allow(&request.uid, warnings))
    }

    /// An answer with a JSON patch.
    pub(super) fn patch<O>(
        request: &ReviewRequest<'_, O>,
        reason: Reason,
        patch: &[u8],
        warnings: &[String],
    ) -> Self {
        Self::review(request, Verdict::Patch, reason, response::patch(&request.uid, patch, warnings))
    }

    /// An answer that refuses.
    pub(super) fn deny<O>(
        request: &ReviewRequest<'_, O>,
        refusal: &Refusal<'_>,
        warnings: &[String],
        id: RequestId,
    ) -> Self {
        let body = response::deny(&request.uid, refusal, warnings, id);
        Self::review(request, Verdict::Deny, refusal.reason, body)
    }

    /// A denial because the object of a readable request makes no sense.
    pub(super) fn bad_object<O>(
        request: &ReviewRequest<'_, O>,
        group: &str,
        message: &str,
        id: RequestId,
    ) -> Self {
        let object = ObjectName { group, kind: &request.kind.kind, name: &request.name };
        let refusal = Refusal { code: 400, reason: Reason::Unreadable, message, object, errors: &[] };
        Self::deny(request, &refusal, &[], id)
    }

    /// The name that logs show when the request itself has none yet.
    pub(super) fn named(mut self, name: impl FnOnce() -> String) -> Self {
        if self.name.is_empty() && self.is_logged() {
            self.name = name();
        }
        self
    }

    /// Whether there will be a line in the log: of each refusal, and of the others where somebody looks for them.
    fn is_logged(&self) -> bool {
        match self.verdict {
            Verdict::Deny | Verdict::Error => true,
            Verdict::Allow | Verdict::Patch => tracing::enabled!(tracing::Level::DEBUG),
        }
    }

    fn review<O>(request: &ReviewRequest<'_, O>, verdict: Verdict, reason: Reason, body: Vec<u8>) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            verdict,
            reason,
            dry_run: request.dry_run.unwrap_or_default(),
            namespace: request.namespace.clone().into_owned(),
            name: request.name.clone().into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        read_envelope(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let body = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":
            {"uid":"u-1","operation":"CREATE","namespace":"ml","dryRun":true,"object":{"a":1}}}"#;
        let request = read_envelope(body).unwrap();
        assert!(matches!(request.uid, Cow::Borrowed("u-1")));
        assert!(matches!(request.namespace, Cow::Borrowed("ml")));
        assert_eq!(request.operation(), Some(Operation::Create));
        assert_eq!(request.dry_run, Some(true));
        assert!(request.object.is_some());
        assert!(request.old_object.is_none());
    }

    #[test]
    fn bodies_that_are_no_review_are_told_why() {
        let envelope = |version: &str, uid: &str| {
            format!(
                r#"{{"apiVersion":"{version}","kind":"AdmissionReview","request":{{"uid":"{uid}","operation":"CREATE"}}}}"#
            )
        };
        let cases = [
            (
                envelope("admission.k8s.io/v1beta1", "u"),
                "expected kind AdmissionReview of admission.k8s.io/v1, got \"AdmissionReview\" of \
                 \"admission.k8s.io/v1beta1\"",
            ),
            (envelope("admission.k8s.io/v1", ""), "request.uid is empty"),
            ("[".into(), "failed to read the AdmissionReview: EOF while parsing a list at line 1 column 1"),
            (
                "{}".into(),
                "failed to read the AdmissionReview: missing field `apiVersion` at line 1 column 2",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(error(&body), expected, "{body}");
        }
    }

    #[test]
    fn operations_that_rules_do_not_know_are_none() {
        let body = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":
            {"uid":"u","operation":"CONNECT"}}"#;
        assert_eq!(read_envelope(body).unwrap().operation(), None);
    }
}
