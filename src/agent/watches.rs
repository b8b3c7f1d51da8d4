//! What the agent watches: the objects of its own node, the coordinator and the configuration.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, select_all};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, ResourceExt};
use tracing::{info, warn};

use super::Agent;
use super::view::Seen;
use crate::allocator::{EndpointFacts, PodFacts};
use crate::api::settings::{CONFIG_KEY, Settings};
use crate::api::{RailNode, RailNodeSpec, SpiderCoordinator, SpiderEndpoint, keys};
use crate::rules::settings;
use crate::sources::{describe, follow};
use crate::telemetry::health::CACHES;

/// An event of one of the watches.
enum Told {
    Pod(Box<Event<(String, PodFacts)>>),
    Endpoint(Box<Event<(String, EndpointFacts)>>),
    RailNode(Event<(String, Arc<RailNodeSpec>)>),
    Coordinator(Event<(String, Arc<SpiderCoordinator>)>),
    Config(Event<(String, Option<String>)>),
}

type Watches = SelectAll<BoxStream<'static, Result<Told, watcher::Error>>>;

/// Takes in what the watches say, for ever.
pub(super) async fn run(agent: Arc<Agent>) {
    let mut watches = watches(&agent);
    while let Some(told) = watches.next().await {
        match told {
            Ok(told) => {
                let configured = matches!(told, Told::Config(_));
                let missing = agent.view.change(|seen| {
                    take_in(seen, told);
                    seen.missing()
                });
                if configured {
                    configure(&agent);
                }
                let detail = if missing.is_empty() { "ok".to_owned() } else { missing.join(", ") };
                agent.options.health.set(CACHES, missing.is_empty(), detail);
            }
            Err(error) => {
                agent.options.metrics.watch_restarts.with_label_values(&["agent"]).inc();
                warn!("watch failed: {}", describe(&error));
            }
        }
    }
}

fn watches(agent: &Agent) -> Watches {
    let options = &agent.options;
    let client = || options.client.clone();
    let named = |name: &str| Config::default().fields(&format!("metadata.name={name}"));
    let node = keys::node_label(&options.node);
    select_all([
        follow(
            Api::<Pod>::all(client()),
            Config::default().fields(&format!("spec.nodeName={}", options.node)),
            |pod| {
                let facts = PodFacts::of(pod);
                (format!("{}/{}", facts.namespace, facts.name), facts)
            },
            |event| Told::Pod(Box::new(event)),
        ),
        follow(
            Api::<SpiderEndpoint>::all(client()),
            Config::default().labels(&format!("{}={node}", keys::NODE)),
            |endpoint| {
                let namespace = endpoint.namespace().unwrap_or_default();
                (format!("{namespace}/{}", endpoint.name_any()), EndpointFacts::of(&endpoint))
            },
            |event| Told::Endpoint(Box::new(event)),
        ),
        follow(
            Api::<RailNode>::all(client()),
            named(&options.node),
            |node| (node.name_any(), Arc::new(node.spec)),
            Told::RailNode,
        ),
        follow(
            Api::<SpiderCoordinator>::all(client()),
            named(keys::COORDINATOR),
            |coordinator| (coordinator.name_any(), Arc::new(coordinator)),
            Told::Coordinator,
        ),
        follow(
            Api::<ConfigMap>::namespaced(client(), &options.namespace),
            named(&options.config_map),
            |map| (map.name_any(), map.data.unwrap_or_default().remove(CONFIG_KEY)),
            Told::Config,
        ),
    ])
}

fn take_in(seen: &mut Seen, told: Told) {
    match told {
        Told::Pod(event) => drop(seen.pods.note(*event)),
        Told::Endpoint(event) => drop(seen.endpoints.note(*event)),
        Told::RailNode(event) => drop(seen.rail_node.note(event)),
        Told::Coordinator(event) => drop(seen.coordinator.note(event)),
        Told::Config(event) => drop(seen.config.note(event)),
    }
}

/// A configuration that cannot be read, or is gone, leaves the last good one in force.
fn configure(agent: &Agent) {
    let (text, listed) = agent.view.read(|seen| {
        let text = seen.config.iter().next().and_then(|(_, text)| text.clone());
        (text, seen.config.listed())
    });
    let Some(text) = text else {
        if listed {
            warn!("there is no ConfigMap with the key {CONFIG_KEY}; what was in force stays in force");
        }
        return;
    };
    match settings::parse(&text, &Settings::default()) {
        Ok((settings, _)) => {
            let new = agent.view.change(|seen| {
                let new = *seen.settings != settings;
                seen.settings = Arc::new(settings);
                new
            });
            if new {
                info!("another configuration is in force");
            }
        }
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            warn!("configuration refused, the last good one stays in force: {}", errors.join("; "));
        }
    }
}
