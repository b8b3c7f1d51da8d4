//! `explain` on a live cluster: a small API server of our own that knows one pod and the guide's networks.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::support::{Folder, GUIDE, Run, command, objects, railweave};

/// Answers GET requests from a table; everything else does not exist.
fn api_server(answers: HashMap<String, Value>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answers = answers.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &answers));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream, answers: &HashMap<String, Value>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(request)) = lines.next() {
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let target = request.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let missing = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound",
            "message": format!("{path} not found")
        });
        let (status, body) = match answers.get(path) {
            Some(body) => ("200 OK", body.to_string()),
            None => ("404 Not Found", missing.to_string()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// A cluster with the guide's networks, a `ConfigMap`, and a pod that was created before the networks were.
fn cluster(config: &str) -> HashMap<String, Value> {
    let canonical = objects(&railweave(&["fix", "-f", GUIDE]).out);
    let list = |kind: &str| {
        // Items of a list carry neither kind nor apiVersion.
        let of_kind = canonical.iter().filter(|object| object["kind"] == kind).cloned();
        let items = of_kind.map(|mut object| {
            object.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
            object
        });
        let version = "spiderpool.spidernet.io/v2beta1";
        json!({"kind": format!("{kind}List"), "apiVersion": version, "metadata": {}, "items": items.collect::<Vec<_>>()})
    };
    let empty = |kind: &str| json!({"kind": kind, "apiVersion": "v1", "metadata": {}, "items": []});
    let pod = json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": "trainer-0", "namespace": "team-a",
            "annotations": {"cni.spidernet.io/rdma-resource-inject": "rdma-network"}
        },
        "spec": {"containers": [{"name": "c"}]}
    });
    let config = json!({
        "kind": "ConfigMap", "apiVersion": "v1",
        "metadata": {"name": "spiderpool-config", "namespace": "spiderpool"}, "data": {"conf.yml": config}
    });
    let group = "/apis/spiderpool.spidernet.io/v2beta1";
    HashMap::from([
        ("/api/v1/namespaces/team-a/pods/trainer-0".to_owned(), pod),
        (format!("{group}/spidermultusconfigs"), list("SpiderMultusConfig")),
        (format!("{group}/spiderippools"), list("SpiderIPPool")),
        (format!("{group}/spidersubnets"), list("SpiderSubnet")),
        ("/api/v1/namespaces".to_owned(), empty("NamespaceList")),
        ("/api/v1/nodes".to_owned(), empty("NodeList")),
        ("/api/v1/namespaces/spiderpool/configmaps/spiderpool-config".to_owned(), config),
    ])
}

fn explain(answers: HashMap<String, Value>, pod: &str) -> Run {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": api_server(answers)}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]
    });
    let folder = Folder::with(&[("kubeconfig", &kubeconfig.to_string())]);
    let output = command()
        .env("KUBECONFIG", folder.file("kubeconfig"))
        .args(["explain", pod, "-o", "json"])
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn a_pod_of_the_cluster_is_explained_with_the_clusters_own_networks() {
    let run = explain(cluster("podResourceInject: {enabled: true}"), "team-a/trainer-0");
    assert_eq!(run.code, 0, "{run:?}");
    let pod = &run.json()["pods"][0];
    assert_eq!((&pod["decision"], &pod["reason"]), (&json!("inject"), &json!("Injected")));
    assert_eq!(pod["given"]["networks"].as_array().unwrap().len(), 8);
    assert_eq!(pod["steps"][1]["subject"], "stored");
    assert!(
        pod["steps"][1]["finding"]
            .as_str()
            .unwrap()
            .starts_with("the pod was not injected when it was created"),
        "{pod}"
    );
    let problems = &run.json()["problems"];
    assert!(
        problems.as_array().unwrap().len() == 1
            && problems[0].as_str().unwrap().starts_with("failed to list network-attachment-definitions: "),
        "{problems}"
    );
}

#[test]
fn the_clusters_configuration_decides_and_injection_is_off_without_one() {
    let run = explain(cluster("podResourceInject: {enabled: false}"), "team-a/trainer-0");
    assert_eq!(run.json()["pods"][0]["reason"], "InjectionDisabled");
    assert_eq!(run.json()["pods"][0]["webhook"], Value::Null);
    let mut answers = cluster("");
    answers.retain(|path, _| !path.contains("configmaps"));
    let run = explain(answers, "team-a/trainer-0");
    assert_eq!(run.json()["pods"][0]["reason"], "InjectionDisabled");
    let problems = run.json()["problems"].to_string();
    assert!(problems.contains("there is no ConfigMap spiderpool/spiderpool-config"), "{problems}");
}

#[test]
fn a_pod_that_is_not_there_is_an_error() {
    let run = explain(cluster(""), "team-a/other");
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.starts_with("error: failed to get pod team-a/other: "), "{}", run.err);
}
