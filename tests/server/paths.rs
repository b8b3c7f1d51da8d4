use hyper::{Method, StatusCode};
use railweave::admission::Webhook;
use serde_json::json;

use super::fixture::{Fixture, PODS, create};

#[tokio::test]
async fn every_webhook_answers_at_its_path() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    for webhook in Webhook::all() {
        let object = match webhook {
            Webhook::Pods => {
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {}})
            }
            Webhook::Namespaces => {
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})
            }
            Webhook::Mutate(kind) | Webhook::Validate(kind) => json!({
                "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": kind.name(),
                "metadata": {"name": "a", "namespace": "team"}, "spec": {}
            }),
        };
        let received = client.review(&webhook.path(), &create("u-7", &object)).await.unwrap();
        assert_eq!(received.response()["uid"], "u-7", "{webhook}");
        assert_eq!(received.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn the_health_check_is_a_get() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let received = client.send(Method::GET, "/webhook-health-check", "text/plain", "").await.unwrap();
    assert_eq!((received.status, received.text()), (StatusCode::OK, "ok\n"));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let cases = [
        (Method::POST, "/mutate", StatusCode::NOT_FOUND, "no webhook has this path\n"),
        (Method::POST, "/", StatusCode::NOT_FOUND, "no webhook has this path\n"),
        (Method::GET, PODS, StatusCode::METHOD_NOT_ALLOWED, "webhooks take POST\n"),
        (Method::PUT, PODS, StatusCode::METHOD_NOT_ALLOWED, "webhooks take POST\n"),
    ];
    for (method, path, status, text) in cases {
        let received = client.send(method.clone(), path, "application/json", "{}").await.unwrap();
        assert_eq!((received.status, received.text()), (status, text), "{method} {path}");
    }
}

#[tokio::test]
async fn only_json_is_read() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let review = create("u", &super::fixture::pod()).to_string();
    let cases = [
        ("application/json", StatusCode::OK),
        ("application/json; charset=utf-8", StatusCode::OK),
        ("Application/JSON", StatusCode::OK),
        ("application/yaml", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/jsonp", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ];
    for (media_type, status) in cases {
        let received = client.send(Method::POST, PODS, media_type, review.clone()).await.unwrap();
        assert_eq!(received.status, status, "{media_type}");
        if status != StatusCode::OK {
            assert_eq!(received.text(), "Content-Type must be application/json\n");
        }
    }
}
