//! Pools without their records. A pool comes whole with each address that is given from it, a megabyte where it has thousands
//! of records, and to every replica; its spec changes rarely. So its metadata is watched, and it is read when that
//! says something new.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{BoxStream, unfold};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::runtime::watcher::{self, Event};
use tokio::time::sleep;

use super::object::Stored;
use crate::sources::{Backoff, FEW, each};

type Whole = Stored<false>;
type Metadata = Stored<true>;

/// Turns events of metadata into events of whole objects, without those that leave the metadata as it was.
pub(super) fn follow(
    events: BoxStream<'static, watcher::Result<Event<Metadata>>>,
    whole: Api<Whole>,
    longest: Duration,
) -> BoxStream<'static, watcher::Result<Event<Whole>>> {
    let backoff = Backoff::new(Duration::from_millis(200), longest);
    let reader = Reader { events, whole, backoff, known: HashMap::new(), due: None, ready: VecDeque::new() };
    unfold(reader, |mut reader| async { Some((reader.next().await?, reader)) }).boxed()
}

struct Reader {
    events: BoxStream<'static, watcher::Result<Event<Metadata>>>,
    whole: Api<Whole>,
    /// Between attempts to read.
    backoff: Backoff,
    /// What was told last of each object's metadata, by name.
    known: HashMap<String, u64>,
    /// What is to be read before anything else is told.
    due: Option<Due>,
    ready: VecDeque<Event<Whole>>,
}

/// What is to be read.
#[derive(Clone)]
enum Due {
    All,
    One(String),
}

impl Reader {
    async fn next(&mut self) -> Option<watcher::Result<Event<Whole>>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(due) = self.due.clone() {
                if let Err(error) = self.read(&due).await {
                    sleep(self.backoff.wait()).await;
                    return Some(Err(error));
                }
                self.backoff.reset();
                self.due = None;
                continue;
            }
            match self.events.next().await? {
                Ok(Event::Init) => return Some(Ok(Event::Init)),
                // All of them are read together, once the watch stands.
                Ok(Event::InitApply(_)) => {}
                Ok(Event::InitDone) => self.due = Some(Due::All),
                Ok(Event::Apply(object)) => {
                    let name = name(&object.metadata);
                    if self.known.get(&name) != Some(&print(&object.metadata)) {
                        self.due = Some(Due::One(name));
                    }
                }
                Ok(Event::Delete(object)) => {
                    self.known.remove(&name(&object.metadata));
                    let metadata = object.metadata;
                    return Some(Ok(Event::Delete(Whole { metadata, spec: None, data: None, status: None })));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    async fn read(&mut self, due: &Due) -> watcher::Result<()> {
        match due {
            Due::All => {
                let (mut known, mut ready) = (HashMap::new(), VecDeque::new());
                let listed = each(&self.whole, FEW, |object| {
                    known.insert(name(&object.metadata), print(&object.metadata));
                    ready.push_back(Event::InitApply(object.without_status()));
                });
                listed.await.map_err(watcher::Error::InitialListFailed)?;
                ready.push_back(Event::InitDone);
                (self.known, self.ready) = (known, ready);
            }
            Due::One(name) => {
                let read = self.whole.get_opt(name).await.map_err(watcher::Error::WatchStartFailed)?;
                // One that is gone is told of by the watch.
                if let Some(object) = read {
                    self.known.insert(name.clone(), print(&object.metadata));
                    self.ready.push_back(Event::Apply(object.without_status()));
                }
            }
        }
        Ok(())
    }
}

fn name(metadata: &ObjectMeta) -> String {
    metadata.name.clone().unwrap_or_default()
}

/// What metadata say, but for the version, which changes with the status as well.
fn print(metadata: &ObjectMeta) -> u64 {
    let metadata = ObjectMeta { resource_version: None, ..metadata.clone() };
    let mut hasher = DefaultHasher::new();
    // Maps of metadata are sorted, so the same says the same.
    serde_json::to_string(&metadata).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use futures::stream::iter;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::Kind;
    use crate::scripted::{refusal, scripted};

    const LIST: &str = "GET /apis/spiderpool.spidernet.io/v2beta1/spiderippools";
    const A: &str = "GET /apis/spiderpool.spidernet.io/v2beta1/spiderippools/a";

    fn pool(version: &str, generation: i64, records: &str) -> Value {
        json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool",
            "metadata": { "name": "a", "uid": "u", "resourceVersion": version, "generation": generation },
            "spec": { "generation": generation }, "status": { "allocatedIPs": records } })
    }

    fn metadata(version: &str, generation: i64) -> Metadata {
        serde_json::from_value(pool(version, generation, "{}")).unwrap()
    }

    fn page(pools: &[Value], next: &str) -> Value {
        json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPoolList",
            "metadata": { "resourceVersion": "9", "continue": next }, "items": pools })
    }

    /// What comes of events of metadata, with these answers to what is read.
    async fn told(events: Vec<Event<Metadata>>, answers: Vec<(&'static str, u16, Value)>) -> Vec<String> {
        let (client, server) = scripted(answers);
        let whole = Api::all_with(client, &Kind::IpPool.resource());
        let events = iter(events.into_iter().map(Ok)).boxed();
        let told = follow(events, whole, Duration::from_secs(1)).map(|event| match event {
            Ok(Event::Init) => "listing".to_owned(),
            Ok(Event::InitApply(pool)) => format!("lists {} {:?}", pool.spec.unwrap(), pool.status),
            Ok(Event::InitDone) => "listed".to_owned(),
            Ok(Event::Apply(pool)) => format!("is {} {:?}", pool.spec.unwrap(), pool.status),
            Ok(Event::Delete(pool)) => format!("gone {}", pool.metadata.name.unwrap()),
            Err(_) => "failed".to_owned(),
        });
        let told = told.collect().await;
        server.await.unwrap();
        told
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_is_read_when_its_metadata_changed_and_not_with_each_record() {
        let listed = [Event::Init, Event::InitApply(metadata("1", 1)), Event::InitDone];
        let later = [
            Event::Apply(metadata("2", 1)),
            Event::Apply(metadata("3", 2)),
            Event::Apply(metadata("4", 2)),
            Event::Delete(metadata("5", 2)),
        ];
        let answers = vec![(LIST, 200, page(&[pool("1", 1, "{}")], "")), (A, 200, pool("3", 2, "{..}"))];
        assert_eq!(
            told(listed.into_iter().chain(later).collect(), answers).await,
            ["listing", r#"lists {"generation":1} None"#, "listed", r#"is {"generation":2} None"#, "gone a"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_read_is_told_and_read_again() {
        let events = vec![
            Event::Init,
            Event::InitDone,
            Event::Apply(metadata("3", 2)),
            Event::Delete(metadata("5", 2)),
        ];
        let answers = vec![
            (LIST, 200, page(&[pool("1", 1, "{}")], "next")),
            (LIST, 410, refusal(410, "Expired")),
            (LIST, 200, page(&[pool("2", 1, "{}")], "")),
            (A, 500, refusal(500, "InternalError")),
            (A, 404, refusal(404, "NotFound")),
        ];
        let expected = ["listing", "failed", r#"lists {"generation":1} None"#, "listed", "failed", "gone a"];
        assert_eq!(told(events, answers).await, expected);
    }
}
