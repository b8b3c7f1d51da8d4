//! The webhooks on custom resources: normalise on the way in, validate before storing. Pure.

use serde_json::Value;
use serde_json::value::RawValue;

use super::diff::diff;
use super::response::{ObjectName, Refusal, RequestId};
use super::review::{Answer, ReviewRequest, read};
use crate::api::{GROUP, Kind};
use crate::catalog::Catalog;
use crate::reason::Reason;
use crate::rules::{self, Context, FieldError, Notice, Operation};

type Request<'a> = ReviewRequest<'a, &'a RawValue>;

/// Answers one review of the mutating webhook of a kind.
///
/// What is wrong is said here already: the API server checks the schema and its CEL rules between this webhook
/// and the validating one, so that their first complaint would hide all of ours.
#[must_use]
pub(super) fn mutate(kind: Kind, body: &[u8], catalog: &Catalog, id: RequestId) -> Answer {
    let request: Request<'_> = match read(body) {
        Ok(request) => request,
        Err(error) => return Answer::unreadable(&error),
    };
    let (Some(operation @ (Operation::Create | Operation::Update)), true) =
        (request.operation(), request.sub_resource.is_empty())
    else {
        return Answer::allow(&request, Reason::Valid, &[]);
    };
    let before = match object(kind, request.object) {
        Ok(object) => object,
        Err(message) => return Answer::bad_object(&request, GROUP, &message, id),
    };
    let old = request.old_object.and_then(|old| serde_json::from_str(old.get()).ok());
    let mut after = before.clone();
    let notices = rules::normalise(kind, &mut after, old.as_ref(), &context(catalog));
    let name = name(&request, &after);
    let deprecated = if catalog.settings.strict { rules::strict_errors(&notices) } else { Vec::new() };
    let invalid = rules::validate(kind, operation, &after, old.as_ref(), &context(catalog)).errors;
    let warnings = warnings(&notices);
    let answer = if !deprecated.is_empty() {
        let errors = [deprecated, invalid].concat();
        refuse(&request, kind, &name, Reason::DeprecatedSpelling, &errors, &[], id)
    } else if !invalid.is_empty() {
        refuse(&request, kind, &name, Reason::Invalid, &invalid, &warnings, id)
    } else {
        match diff(&before, &after) {
            Some(patch) => Answer::patch(&request, Reason::Normalised, &patch, &warnings),
            None => Answer::allow(&request, Reason::Valid, &warnings),
        }
    };
    answer.named(|| name)
}

/// Answers one review of the validating webhook of a kind.
#[must_use]
pub(super) fn validate(kind: Kind, body: &[u8], catalog: &Catalog, id: RequestId) -> Answer {
    let request: Request<'_> = match read(body) {
        Ok(request) => request,
        Err(error) => return Answer::unreadable(&error),
    };
    let (Some(operation), true) = (request.operation(), request.sub_resource.is_empty()) else {
        return Answer::allow(&request, Reason::Valid, &[]);
    };
    let subject = if operation == Operation::Delete { request.old_object } else { request.object };
    let subject = match object(kind, subject) {
        Ok(object) => object,
        Err(message) => return Answer::bad_object(&request, GROUP, &message, id),
    };
    let old = match operation {
        Operation::Update => request.old_object.and_then(|old| serde_json::from_str(old.get()).ok()),
        Operation::Create | Operation::Delete => None,
    };
    let findings = rules::validate(kind, operation, &subject, old.as_ref(), &context(catalog));
    let warnings = warnings(&findings.notices);
    let name = name(&request, &subject);
    let answer = if findings.errors.is_empty() {
        Answer::allow(&request, Reason::Valid, &warnings)
    } else {
        refuse(&request, kind, &name, Reason::Invalid, &findings.errors, &warnings, id)
    };
    answer.named(|| name)
}

fn context(catalog: &Catalog) -> Context<'_> {
    Context { settings: &catalog.settings, peers: &catalog.peers }
}

/// The object of the request, if it is of the kind that the path is for.
fn object(kind: Kind, raw: Option<&RawValue>) -> Result<Value, String> {
    let raw = raw.ok_or_else(|| "the request has no object".to_owned())?;
    let object: Value =
        serde_json::from_str(raw.get()).map_err(|error| format!("failed to read the object: {error}"))?;
    match object["kind"].as_str() {
        Some(given) if given == kind.name() => Ok(object),
        given => Err(format!("this path takes {kind}, not {}", given.unwrap_or("an object without kind"))),
    }
}

fn name(request: &Request<'_>, object: &Value) -> String {
    let metadata = &object["metadata"];
    let candidates = [Some(&*request.name), metadata["name"].as_str(), metadata["generateName"].as_str()];
    candidates.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or_default().to_owned()
}

fn warnings(notices: &[Notice]) -> Vec<String> {
    notices.iter().map(Notice::to_string).collect()
}

fn refuse(
    request: &Request<'_>,
    kind: Kind,
    name: &str,
    reason: Reason,
    errors: &[FieldError],
    warnings: &[String],
    id: RequestId,
) -> Answer {
    let message = message(kind, name, errors);
    let object = ObjectName { group: GROUP, kind: kind.name(), name };
    Answer::deny(request, &Refusal { code: 422, reason, message: &message, object, errors }, warnings, id)
}

/// The sentence of the API server's own validation; very many errors are counted, the causes hold them all.
fn message(kind: Kind, name: &str, errors: &[FieldError]) -> String {
    const SHOWN: usize = 20;
    let shown = errors.iter().take(SHOWN).map(FieldError::to_string).collect::<Vec<_>>().join(", ");
    let start = format!("{kind} {name:?} is invalid");
    match errors.len() {
        1 => format!("{start}: {shown}"),
        count if count > SHOWN => format!("{start}: [{shown}, and {} more]", count - SHOWN),
        _ => format!("{start}: [{shown}]"),
    }
}
