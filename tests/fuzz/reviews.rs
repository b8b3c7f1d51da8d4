//! Reviews as the API server sends them, and anything else.

use std::time::{Duration, Instant};

use railweave::admission::{RequestId, Webhook, decide};
use railweave::api::Kind;
use railweave::api::settings::Settings;
use railweave::catalog::{Assembler, Catalog, Identity};
use serde_json::{Value, json};

use crate::random::{Random, change, damage, run};

#[test]
fn every_review_has_an_answer() {
    let catalog = guide();
    let webhooks: Vec<Webhook> = Webhook::all().collect();
    run("reviews", |random| {
        let webhook = *random.pick(&webhooks);
        let mut review = review(webhook, random);
        change(&mut review, random);
        let mut body = review.to_string().into_bytes();
        if random.below(4) == 0 {
            damage(&mut body, random);
        }
        check(webhook, &body, &catalog);
    });
}

/// White space and escapes change nothing: whatever way a pod is written, it gets the same answer.
#[test]
fn the_spelling_of_a_pod_does_not_matter() {
    let catalog = guide();
    run("spellings", |random| {
        let mut review = review(Webhook::Pods, random);
        change(&mut review, random);
        let plain = review.to_string();
        let spelled = spell(&serde_json::to_string_pretty(&review).unwrap(), random);
        let [plain, spelled] = [plain, spelled].map(|body| {
            let answer = decide(Webhook::Pods, body.as_bytes(), &catalog, RequestId(7));
            let review: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            (answer.verdict, answer.reason, review["response"]["patch"].clone())
        });
        assert_eq!(plain, spelled, "{review}");
    });
}

/// Replaces some letters inside strings by their escapes; those that no escape is written with.
fn spell(text: &str, random: &mut Random) -> String {
    let mut spelled = String::with_capacity(text.len());
    let (mut inside, mut escaped) = (false, false);
    for character in text.chars() {
        if inside && !escaped && ('g'..='z').contains(&character) && random.below(16) == 0 {
            spelled.extend(["\\u", &format!("{:04x}", u32::from(character))]);
            continue;
        }
        spelled.push(character);
        inside ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
    }
    spelled
}

/// The contract of an answer, whatever the question was.
fn check(webhook: Webhook, body: &[u8], catalog: &Catalog) {
    let begun = Instant::now();
    let answer = decide(webhook, body, catalog, RequestId(7));
    assert!(begun.elapsed() < Duration::from_secs(2), "{webhook} thinks for too long about {}", text(body));
    if answer.status != 200 {
        assert_eq!(answer.status, 400, "{webhook}: {}", text(body));
        assert!(!answer.body.is_empty());
        return;
    }
    let answered: Value = serde_json::from_slice(&answer.body).unwrap();
    // Bytes that are no UTF-8, in a field that nobody reads, are not looked at: then there is nothing to compare.
    let Ok(asked) = serde_json::from_slice::<Value>(body) else { return };
    let response = &answered["response"];
    assert_eq!(response["uid"], asked["request"]["uid"]);
    match (response["allowed"].as_bool(), response["patch"].as_str()) {
        (Some(true), Some(patch)) => {
            let patch = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, patch).unwrap();
            let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
            let mut object = asked["request"]["object"].clone();
            json_patch::patch(&mut object, &patch).unwrap_or_else(|error| {
                panic!("{webhook}: {error}: the patch {patch} does not fit {}", text(body))
            });
        }
        (Some(true), None) => {}
        (Some(false), None) => {
            let message = response["status"]["message"].as_str().unwrap_or_default();
            assert!(!message.is_empty(), "refused without a word: {}", text(body));
        }
        other => panic!("{other:?} to {}", text(body)),
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(4000).collect()
}

/// A well-formed review for a webhook.
fn review(webhook: Webhook, random: &mut Random) -> Value {
    let object = match webhook {
        Webhook::Pods => pod(),
        Webhook::Namespaces => json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "team", "labels": {"railweave.io/inject": "true"}, "annotations": {
                "cni.spidernet.io/rdma-resource-inject": "rdma-network",
            }},
        }),
        Webhook::Mutate(kind) | Webhook::Validate(kind) => {
            let spec = match kind {
                Kind::IpPool | Kind::Subnet => json!({
                    "ipVersion": 4, "subnet": "172.16.11.0/24", "gateway": "172.16.11.254",
                    "ips": ["172.16.11.1-172.16.11.200", "172.16.11.210"], "excludeIPs": ["172.16.11.7"],
                    "routes": [{"dst": "172.17.0.0/16", "gw": "172.16.11.254"}],
                    "namespaceName": ["default"], "podAffinity": {"matchLabels": {"app": "train"}},
                }),
                Kind::ReservedIp => json!({"ipVersion": 4, "ips": ["10.0.0.1-10.0.0.9"]}),
                Kind::Coordinator => {
                    json!({"mode": "auto", "hijackCIDR": ["169.254.0.0/16"], "hostRuleTable": 500})
                }
                _ => networks(random),
            };
            json!({
                "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": kind.name(),
                "metadata": {"name": "rail", "namespace": "spiderpool", "annotations": {
                    "cni.spidernet.io/rdma-resource-inject": "rdma-network",
                }},
                "spec": spec,
            })
        }
    };
    let operation = *random.pick(&["CREATE", "CREATE", "UPDATE", "DELETE"]);
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "default", "operation": operation, "dryRun": false,
            "userInfo": {"username": "admin", "groups": ["system:masters"]},
            "object": object, "oldObject": if operation == "CREATE" { Value::Null } else { object.clone() },
        },
    })
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": "train-", "namespace": "default", "labels": {"app": "train"},
            "annotations": {
                "cni.spidernet.io/rdma-resource-inject": "rdma-network",
                "k8s.v1.cni.cncf.io/networks": "default/other@net7, spiderpool/gpu1-sriov",
                "ipam.spidernet.io/ippools": "[{\"ipv4\":[\"a\"]}]",
            },
        },
        "spec": {
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "initContainers": [{"name": "setup", "image": "i", "restartPolicy": "Always"}],
            "containers": [
                {"name": "main", "image": "i", "resources": {
                    "limits": {"cpu": "2", "spidernet.io/gpu1sriov": "1"},
                    "requests": {"cpu": "500m", "spidernet.io/gpu1sriov": "1"},
                }},
                {"name": "log", "image": "i"},
            ],
        },
    })
}

fn networks(random: &mut Random) -> Value {
    random
        .pick(&[
            json!({"cniType": "sriov", "sriov": {
                "resourceName": "spidernet.io/gpu1sriov", "enableRdma": true, "mtu": 4200, "vlanID": 100,
                "ippools": {"ipv4": ["gpu1-net11"]}, "matchMasterSubnet": true,
            }}),
            json!({"cniType": "ib-sriov", "ibsriov": {
                "resourceName": "spidernet.io/ib", "pkey": 1000, "linkState": "enable", "ippools": {"ipv4": ["a*"]},
            }}),
            json!({"cniType": "macvlan", "macvlan": {
                "master": ["eth0", "eth1"], "bond": {"name": "bond0", "mode": 1, "options": "miimon=100"},
                "rdmaResourceName": "spidernet.io/r", "ippools": {"ipv4": ["a"], "ipv6": ["b"]},
            }}),
            json!({"cniType": "ovs", "ovs": {"bridge": "br1", "trunk": [{"minID": 1, "maxID": 100}, {"id": 7}]}}),
            json!({"cniType": "custom", "customCNI": "{\"type\":\"bridge\"}", "chainCNIJsonData": ["{}"]}),
        ])
        .clone()
}

/// The guide's eight rails.
fn guide() -> Catalog {
    let mut settings = Settings::default();
    settings.inject.enabled = true;
    let mut assembler = Assembler::new(Identity::default(), settings);
    for rail in 1..=8 {
        let network = json!({
            "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig",
            "metadata": {"name": format!("gpu{rail}-sriov"), "namespace": "spiderpool", "annotations": {
                "cni.spidernet.io/rdma-resource-inject": "rdma-network",
            }},
            "spec": {"cniType": "sriov", "sriov": {
                "resourceName": format!("spidernet.io/gpu{rail}sriov"),
                "ippools": {"ipv4": [format!("gpu{rail}-net1{rail}")]},
            }},
        });
        assembler.objects.apply(&network).unwrap();
    }
    assembler.assemble()
}
