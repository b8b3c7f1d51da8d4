//! The CEL rules of the custom resource definitions say on a real API server what the unit tests expect of
//! them, and leave alone what was stored before they existed.

use std::time::{Duration, Instant};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use railweave::api::Kind;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Components};
use crate::schema_cases::{Case, cases};

pub(crate) async fn every_case_is_decided_as_written() {
    let cases = cases();
    let cluster = Cluster::start("schema-rules", Components::Api).await;
    install(&cluster.client, without_rules).await;
    for (number, case) in cases.iter().enumerate() {
        if let Some(stored) = &case.stored {
            let stored = object(number, case, stored);
            api(&cluster.client, case.kind).create(&PostParams::default(), &stored).await.unwrap();
        }
    }
    install(&cluster.client, |definition| definition).await;
    for (number, case) in cases.iter().enumerate() {
        let against = causes(&cluster.client, number, case).await;
        assert_eq!(against.len(), case.refused.len(), "{}: {against:?}", case.says);
        for refusal in &case.refused {
            let (field, message) = refusal.split_once(": ").unwrap();
            let said = against.iter().any(|(at, text)| at == field && text.ends_with(message));
            assert!(said, "{}: {refusal:?} is not among {against:?}", case.says);
        }
    }
}

/// What the API server says against the object: fields and messages.
async fn causes(client: &Client, number: usize, case: &Case) -> Vec<(String, String)> {
    let api = api(client, case.kind);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let mut wanted = object(number, case, &case.spec);
    let answer = if case.stored.is_some() {
        let name = wanted.metadata.name.clone().unwrap();
        wanted.metadata.resource_version = api.get(&name).await.unwrap().metadata.resource_version;
        api.replace(&name, &params, &wanted).await
    } else {
        api.create(&params, &wanted).await
    };
    let Err(error) = answer else { return Vec::new() };
    let kube::Error::Api(status) = error else { unreachable!("{}: {error}", case.says) };
    assert_eq!(status.code, 422, "{}: {status:?}", case.says);
    let causes = status.details.map(|details| details.causes).unwrap_or_default();
    causes.into_iter().map(|cause| (cause.field, cause.message)).collect()
}

fn object(number: usize, case: &Case, spec: &Value) -> DynamicObject {
    DynamicObject::new(&format!("case-{number}"), &case.kind.resource()).data(json!({ "spec": spec }))
}

fn api(client: &Client, kind: Kind) -> Api<DynamicObject> {
    let resource = kind.resource();
    if kind.namespaced() {
        Api::default_namespaced_with(client.clone(), &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    }
}

/// Applies all definitions and waits until the API server decides by them.
async fn install(client: &Client, change: fn(Value) -> Value) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for kind in Kind::ALL {
        let definition = change(json!(kind.crd()));
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        definitions
            .patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(definition))
            .await
            .unwrap();
    }
    let ruled = change(json!({"x-kubernetes-validations": []})) != json!({});
    for kind in Kind::ADMITTED {
        wait_for(client, kind, ruled).await;
    }
}

/// Asks with an object that only a rule refuses, until the answer is the one of the new definition.
async fn wait_for(client: &Client, kind: Kind, ruled: bool) {
    let spec = match kind {
        Kind::IpPool | Kind::Subnet => json!({"subnet": "x"}),
        Kind::ReservedIp => json!({"ips": ["x"]}),
        Kind::Coordinator | Kind::Endpoint => json!({"hijackCIDR": ["x"]}),
        Kind::MultusConfig => json!({"cniType": "custom", "customCNI": "x"}),
    };
    let probe = Case { says: String::new(), kind, spec, stored: None, refused: Vec::new() };
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let begun = Instant::now();
    loop {
        let answer = api(client, kind).create(&params, &object(usize::MAX, &probe, &probe.spec)).await;
        let decided = match &answer {
            Ok(_) => !ruled,
            Err(kube::Error::Api(status)) => ruled && status.code == 422,
            Err(_) => false,
        };
        if decided {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{kind}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A definition as an older release would have it: what is wrong can be stored.
fn without_rules(mut definition: Value) -> Value {
    match &mut definition {
        Value::Object(fields) => {
            fields.remove("x-kubernetes-validations");
            for field in fields.values_mut() {
                *field = without_rules(field.take());
            }
        }
        Value::Array(elements) => {
            for element in elements {
                *element = without_rules(element.take());
            }
        }
        _ => {}
    }
    definition
}
