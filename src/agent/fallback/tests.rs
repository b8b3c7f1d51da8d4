use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::*;
use crate::agent::attach::Patience;
use crate::agent::view::View;
use crate::agent::{Options, Quarantined};
use crate::allocator::PodFacts;
use crate::ipam::{Cap, Holder};
use crate::scripted::{refusal, scripted};
use crate::telemetry::health::Health;
use crate::telemetry::metrics::Metrics;

/// Pool `a`, with 10.0.0.1 recorded by an agent for pod `team/p`.
fn pool() -> Value {
    let records =
        json!({ "10.0.0.1": { "pod": "team/p", "podUid": "uid", "interface": "net1", "by": "agent" } });
    json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool",
        "metadata": { "name": "a", "uid": "a", "generation": 1, "resourceVersion": "5" },
        "spec": { "subnet": "10.0.0.0/24", "ips": ["10.0.0.1-10.0.0.9"] },
        "status": { "allocatedIPs": records.to_string(), "allocatedIPCount": 1 } })
}

/// The endpoint is asked about, the world is read, and the pool is written.
fn answers() -> Vec<(&'static str, u16, Value)> {
    let list = |items: Value| json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": items });
    let node = json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": { "name": "n" } });
    let written = json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": { "name": "a", "resourceVersion": "6" } });
    vec![
        (
            "GET /apis/spiderpool.spidernet.io/v2beta1/namespaces/team/spiderendpoints/p",
            404,
            refusal(404, "NotFound"),
        ),
        ("GET /apis/spiderpool.spidernet.io/v2beta1/spidermultusconfigs", 200, list(json!([]))),
        ("GET /apis/spiderpool.spidernet.io/v2beta1/spiderippools", 200, list(json!([pool()]))),
        ("GET /apis/spiderpool.spidernet.io/v2beta1/spiderreservedips", 200, list(json!([]))),
        ("GET /api/v1/nodes/n", 200, node),
        ("PATCH /apis/spiderpool.spidernet.io/v2beta1/spiderippools/a/status", 200, written),
    ]
}

fn work(client: kube::Client) -> Work {
    let options = Options {
        client,
        node: "n".into(),
        namespace: "spiderpool".into(),
        config_map: "config".into(),
        cluster_network: None,
        cap: Cap::default(),
        releases_conflicts: true,
        patience: Duration::ZERO,
        sysfs: "/nonexistent".into(),
        kubelet: "/nonexistent".into(),
        sysctls: "/nonexistent".into(),
        health: Health::requiring(&[]),
        metrics: Metrics::new().unwrap(),
    };
    let agent = Agent {
        patience: Patience::new(options.patience),
        options,
        view: View::default(),
        fallback: mpsc::channel(1).0,
        releases: mpsc::channel(1).0,
        quarantined: Mutex::new(Quarantined::default()),
    };
    let (open, given_up) = (Vec::new(), Vec::new());
    Work { agent: Arc::new(agent), world: None, open, given_up, surplus: Edits::new() }
}

#[tokio::test]
async fn what_was_recorded_for_a_request_that_comes_to_nothing_goes_back() {
    for late in [true, false] {
        let (client, server) = scripted(answers());
        let mut work = work(client);
        let pod =
            PodFacts { namespace: "team".into(), name: "p".into(), uid: "uid".into(), ..PodFacts::default() };
        let holder = Holder { key: "team/p".into(), sticky: false };
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + if late { Duration::ZERO } else { Duration::from_mins(1) };
        let rail = Rail::of(&railweave_cni::wire::AddArgs::default(), None);
        let mut request = Request::new(pod, holder, rail, deadline, reply);
        request.took.push(Held { pool: "a".into(), address: "10.0.0.1".parse().unwrap() });
        if late {
            work.leave_open(request, "others were first".to_owned());
            assert_eq!(answer.await.unwrap(), Err("others were first".to_owned()));
        } else {
            // The plugin gave up.
            drop(answer);
            work.open.push(request);
            work.round().await;
        }
        work.take_back().await;
        let bodies = server.await.unwrap();
        assert_eq!(bodies[5]["metadata"]["resourceVersion"], "5");
        assert_eq!(bodies[5]["status"], json!({ "allocatedIPs": null, "allocatedIPCount": 0 }));
    }
}
