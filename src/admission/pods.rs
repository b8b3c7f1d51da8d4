//! The webhook on pods: decodes a view, asks [`inject`], writes the answer. Pure.

use super::response::{ObjectName, Refusal, RequestId};
use super::review::{Answer, ReviewRequest, read_envelope, read_view};
use crate::catalog::Catalog;
use crate::inject::{self, Decision, PodRequest, PodView, Silent};
use crate::reason::Reason;
use crate::rules::Operation;

/// Answers one review of a pod.
#[must_use]
pub(super) fn answer(body: &[u8], catalog: &Catalog, id: RequestId) -> Answer {
    let mut request = match read_view::<PodView<'_>>(body) {
        Ok(request) => request,
        Err(error) => return unreadable(body, &error.to_string(), id),
    };
    if !concerns(&request) {
        return Answer::allow(&request, Reason::NotOptedIn, &[]);
    }
    if request.kind.kind != "Pod" {
        let message = format!("this path takes Pod, not {}", request.kind.kind);
        return Answer::bad_object(&request, "", &message, id);
    }
    let Some(pod) = request.object.take() else {
        return Answer::bad_object(&request, "", "the request has no object", id);
    };
    let pod = PodRequest { namespace: &request.namespace, pod };
    decided(&request, &pod, catalog, id)
}

/// Only the creation of a pod itself is acted on; ephemeral containers, status and the rest pass.
fn concerns<O>(request: &ReviewRequest<'_, O>) -> bool {
    request.operation() == Some(Operation::Create) && request.sub_resource.is_empty()
}

fn decided(
    request: &ReviewRequest<'_, PodView<'_>>,
    pod: &PodRequest<'_>,
    catalog: &Catalog,
    id: RequestId,
) -> Answer {
    let outcome = inject::decide(pod, catalog, &mut Silent);
    let warnings = &outcome.warnings;
    let answer = match &outcome.decision {
        Decision::Skip(skip) => match inject::skipped_patch(skip.reason, &pod.pod) {
            Some(patch) => Answer::patch(request, skip.reason, &patch, warnings),
            None => Answer::allow(request, skip.reason, warnings),
        },
        Decision::Inject(plan) => match inject::patch(plan, &pod.pod) {
            Some(patch) => Answer::patch(request, Reason::Injected, &patch, warnings),
            None => Answer::allow(request, Reason::AlreadyInjected, warnings),
        },
        Decision::Deny(denial) => {
            let name = pod.pod.display_name();
            let object = ObjectName { group: "", kind: "Pod", name: &name };
            let (reason, message) = (denial.reason, denial.message.as_str());
            Answer::deny(request, &Refusal { code: 403, reason, message, object, errors: &[] }, warnings, id)
        }
    };
    answer.named(|| pod.pod.display_name())
}

/// The second pass, for the uid: a pod that cannot be read is refused by name instead of with an HTTP error.
fn unreadable(body: &[u8], message: &str, id: RequestId) -> Answer {
    match read_envelope(body) {
        Ok(request) if !concerns(&request) => Answer::allow(&request, Reason::NotOptedIn, &[]),
        Ok(request) => Answer::bad_object(&request, "", message, id),
        Err(error) => Answer::unreadable(&error),
    }
}
