//! The webhooks: their paths, their names in metrics, and which function answers each.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use axum::http::StatusCode;

use super::response::RequestId;
use super::review::{Answer, ReviewRequest, read_envelope};
use super::{namespaces, pods, resources, response};
use crate::api::{GROUP, Kind, VERSION};
use crate::catalog::Catalog;
use crate::reason::Reason;

/// One webhook that the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Webhook {
    /// Injection into pods.
    Pods,
    /// The opt-in of namespaces is mirrored to a label.
    Namespaces,
    /// Custom resources are brought into canonical form.
    Mutate(Kind),
    /// Custom resources are checked.
    Validate(Kind),
}

/// What answers a review; [`decide`] unless a test puts something else in its place.
pub type Decide = fn(Webhook, &[u8], &Catalog, RequestId) -> Answer;

impl Webhook {
    /// All webhooks.
    pub fn all() -> impl Iterator<Item = Self> {
        let resources =
            Kind::ADMITTED.into_iter().flat_map(|kind| [Self::Mutate(kind), Self::Validate(kind)]);
        [Self::Pods, Self::Namespaces].into_iter().chain(resources)
    }

    /// The webhook with a path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::all().find(|webhook| webhook.path() == path)
    }

    /// `/mutate--v1-pod`, `/validate-spiderpool-spidernet-io-v2beta1-spiderippool`, ...
    #[must_use]
    pub fn path(self) -> String {
        let (verb, kind) = match self {
            Self::Pods => return "/mutate--v1-pod".to_owned(),
            Self::Namespaces => return "/mutate--v1-namespace".to_owned(),
            Self::Mutate(kind) => ("mutate", kind),
            Self::Validate(kind) => ("validate", kind),
        };
        format!("/{verb}-{}-{VERSION}-{}", GROUP.replace('.', "-"), kind.singular())
    }
}

/// The name in metrics and logs: `pods`, `namespaces`, `mutate-spiderippool`, `validate-spiderippool`, ...
impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods => f.write_str("pods"),
            Self::Namespaces => f.write_str("namespaces"),
            Self::Mutate(kind) => write!(f, "mutate-{}", kind.singular()),
            Self::Validate(kind) => write!(f, "validate-{}", kind.singular()),
        }
    }
}

/// Answers a review: a pure function of the body and the catalog.
#[must_use]
pub fn decide(webhook: Webhook, body: &[u8], catalog: &Catalog, id: RequestId) -> Answer {
    match webhook {
        Webhook::Pods => pods::answer(body, catalog, id),
        Webhook::Namespaces => namespaces::answer(body, id),
        Webhook::Mutate(kind) => resources::mutate(kind, body, catalog, id),
        Webhook::Validate(kind) => resources::validate(kind, body, catalog, id),
    }
}

/// Calls `decide` and turns a panic into a denial: the API server would otherwise see a connection that
/// breaks, and could not tell the user why. None of the data that the panic may leave half-changed is shared:
/// the catalog is immutable and the rest belongs to the request.
///
/// The second value says whether there was a panic.
pub(super) fn guarded(
    decide: Decide,
    webhook: Webhook,
    body: &[u8],
    catalog: &Catalog,
    id: RequestId,
) -> (Answer, bool) {
    if let Ok(answer) = catch_unwind(AssertUnwindSafe(|| decide(webhook, body, catalog, id))) {
        return (answer, false);
    }
    let envelope = catch_unwind(AssertUnwindSafe(|| read_envelope(body)));
    let answer = match envelope {
        Ok(Ok(request)) => broken(&request, id),
        _ => Answer::failed(
            StatusCode::INTERNAL_SERVER_ERROR,
            Reason::InternalError,
            format!("railweave broke while it decided (request {id})\n"),
        ),
    };
    (answer, true)
}

fn broken<O>(request: &ReviewRequest<'_, O>, id: RequestId) -> Answer {
    let refusal = response::Refusal {
        code: 500,
        reason: Reason::InternalError,
        message: "railweave broke while it decided; this is a defect, please report it with the log lines of \
                  this request",
        object: response::ObjectName { group: "", kind: &request.kind.kind, name: &request.name },
        errors: &[],
    };
    Answer::deny(request, &refusal, &[], id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_custom_resources_are_those_that_spiderpool_registers() {
        let paths: Vec<String> = Webhook::all().map(Webhook::path).collect();
        assert_eq!(
            paths,
            [
                "/mutate--v1-pod",
                "/mutate--v1-namespace",
                "/mutate-spiderpool-spidernet-io-v2beta1-spiderippool",
                "/validate-spiderpool-spidernet-io-v2beta1-spiderippool",
                "/mutate-spiderpool-spidernet-io-v2beta1-spidersubnet",
                "/validate-spiderpool-spidernet-io-v2beta1-spidersubnet",
                "/mutate-spiderpool-spidernet-io-v2beta1-spiderreservedip",
                "/validate-spiderpool-spidernet-io-v2beta1-spiderreservedip",
                "/mutate-spiderpool-spidernet-io-v2beta1-spidercoordinator",
                "/validate-spiderpool-spidernet-io-v2beta1-spidercoordinator",
                "/mutate-spiderpool-spidernet-io-v2beta1-spidermultusconfig",
                "/validate-spiderpool-spidernet-io-v2beta1-spidermultusconfig",
            ]
        );
        assert!(Webhook::all().all(|webhook| Webhook::from_path(&webhook.path()) == Some(webhook)));
        assert_eq!(Webhook::from_path("/mutate--v1-pods"), None);
    }
}
