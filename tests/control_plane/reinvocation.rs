//! A webhook of somebody else that runs after ours and changes the pod: ours is asked again and puts it right.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::installation::{Installation, Options};
use crate::objects::{NETWORKS_KEY, assert_injected, opted_in_pod};
use crate::service::host_name;

pub(crate) async fn mends_what_a_later_webhook_does() {
    let installation = Installation::start("reinvocation", Options::default()).await.with_rails(8).await;
    let (port, authority) = serve_sidecar().await;
    // The API server asks in order of names: this one comes after ours.
    let registration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "zz-sidecar"},
        "webhooks": [{
            "name": "sidecar.example.com",
            "clientConfig": {
                "url": format!("https://{}:{port}/", host_name()),
                "caBundle": BASE64_STANDARD.encode(authority),
            },
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
            }],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
        }],
    });
    installation.cluster.kubectl_ok(&["create", "-f", "-"], &registration.to_string());
    let containers = |pod: &k8s_openapi::api::core::v1::Pod| pod.spec.as_ref().unwrap().containers.len();
    installation
        .wait_for("the other webhook", || async {
            containers(&installation.try_pod("default", &opted_in_pod()).await.unwrap()) == 2
        })
        .await;
    // It replaced the annotation and put a container before ours: the annotation is whole again, and the
    // resources are where they were, once.
    let pod = installation.try_pod("default", &opted_in_pod()).await.unwrap();
    assert_eq!(pod.spec.as_ref().unwrap().containers[0].name, "sidecar");
    assert_injected(&pod, 8, 1);
}

/// Serves a webhook that puts a container before the others and replaces the networks. Returns its port and CA.
async fn serve_sidecar() -> (u16, String) {
    let key = rcgen::generate_simple_self_signed([host_name()]).unwrap();
    let chain = vec![key.cert.der().clone()];
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = TokioIo::new(acceptor.accept(stream).await?);
                let service = service_fn(add_sidecar);
                hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            });
        }
    });
    (port, key.cert.pem())
}

async fn add_sidecar(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let pod = &review["request"]["object"];
    let mut patch = Vec::new();
    if pod["spec"]["containers"][0]["name"] != "sidecar" {
        let sidecar = json!({"name": "sidecar", "image": "example.com/sidecar:1"});
        patch.push(json!({"op": "add", "path": "/spec/containers/0", "value": sidecar}));
        let annotation = format!("/metadata/annotations/{}", NETWORKS_KEY.replace('/', "~1"));
        patch.push(json!({"op": "add", "path": annotation, "value": "default/other"}));
    }
    let response = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"],
            "allowed": true,
            "patchType": "JSONPatch",
            "patch": BASE64_STANDARD.encode(Value::Array(patch).to_string()),
        },
    });
    Ok(Response::builder()
        .header("content-type", "application/json")
        .body(Full::from(response.to_string()))
        .unwrap())
}
