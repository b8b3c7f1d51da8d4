//! An API server that answers from a list, for tests of what is asked and written, and in which order.

use axum::http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A client for as many requests as there are answers: `GET /api/v1/namespaces/team/pods/a`, status and object. The
/// task ends with the bodies that were sent, in order; null for a request without one.
pub(crate) fn scripted(answers: Vec<(&'static str, u16, Value)>) -> (Client, JoinHandle<Vec<Value>>) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let server = tokio::spawn(async move {
        let mut bodies = Vec::new();
        for (expected, code, answer) in answers {
            let (request, respond) = handle.next_request().await.expect("the client asks");
            let (parts, body) = request.into_parts();
            assert_eq!(format!("{} {}", parts.method, parts.uri.path()), expected);
            let body = body.collect_bytes().await.unwrap();
            bodies.push(serde_json::from_slice(&body).unwrap_or_default());
            let text = answer.to_string().into_bytes();
            respond.send_response(Response::builder().status(code).body(Body::from(text)).unwrap());
        }
        bodies
    });
    (Client::new(service, "default"), server)
}

/// The body of a refusal.
pub(crate) fn refusal(code: u16, reason: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": reason })
}
